//! Every real clip gets the verdict that its description names.

use serde_json::Value;

use crate::support::{Bench, clips, describe};

struct Report {
    exit: i32,
    report: Value,
}

fn qc(clip: &str) -> Report {
    let bench = Bench::new();
    let clip = clips::real(clip);
    let output = bench.output(["qc", clip.to_str().unwrap(), "--json"]);
    let report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", describe(&output)));
    Report { exit: output.status.code().unwrap(), report }
}

impl Report {
    fn rejecting(&self) -> Vec<&str> {
        let checks = self.report["checks"].as_array().unwrap();
        checks.iter().filter(|c| c["verdict"] == "reject").map(|c| c["code"].as_str().unwrap()).collect()
    }

    fn rungs(&self) -> Vec<&str> {
        let rungs = self.report["conclusion"]["rungs"].as_array().unwrap();
        rungs.iter().map(|rung| rung.as_str().unwrap()).collect()
    }
}

#[test]
fn bigbuckbunny_passes_with_no_rung_above_720p() {
    let qc = qc("bigbuckbunny.mp4");
    assert_eq!((qc.exit, qc.rejecting()), (0, vec![]));
    assert_eq!(qc.rungs(), ["720p", "480p", "360p", "240p"]);
    assert!(qc.report["conclusion"]["audio"][0]["surround"].is_object(), "the 5.1 sound is kept");
}

#[test]
fn bikes_is_rejected_for_its_missing_sound() {
    let qc = qc("bikes.mp4");
    assert_eq!((qc.exit, qc.rejecting()), (1, vec!["RF-QC-008"]));
}

#[test]
fn carphone_is_rejected_for_frame_rate_sound_and_size() {
    let qc = qc("carphone_pristine.mp4");
    assert_eq!(qc.exit, 1);
    for code in ["RF-QC-004", "RF-QC-007", "RF-QC-008"] {
        assert!(qc.rejecting().contains(&code), "{code}: {:?}", qc.rejecting());
    }
}

#[test]
fn car_detection_is_rejected_for_its_fractional_frame_rate_alone() {
    let qc = qc("car-detection.mp4");
    assert_eq!((qc.exit, qc.rejecting()), (1, vec!["RF-QC-004"]));
}

#[test]
fn eight_mono_tracks_are_one_programme_and_a_low_bitrate_gets_no_720p_rung() {
    let qc = qc("svt_8mono_720p50.mp4");
    assert_eq!((qc.exit, qc.rejecting()), (0, vec![]));
    assert_eq!(qc.report["conclusion"]["video"]["frame_rate"], 50);
    assert!(!qc.rungs().contains(&"720p"), "{:?}", qc.rungs());
    assert!(!qc.rungs().is_empty());
    let audio = qc.report["conclusion"]["audio"].as_array().unwrap();
    assert_eq!(audio.len(), 1, "one programme: {audio:?}");
    assert_eq!(audio[0]["surround"]["streams"].as_array().unwrap().len(), 6);
}

#[test]
fn a_broadcast_master_of_eight_mono_tracks_goes_through() {
    let bench = Bench::new();
    let clip = clips::real("svt_8mono_720p50.mp4");
    let arguments = [
        "run",
        clip.to_str().unwrap(),
        "--audio-lang",
        "sv",
        "--profiles",
        "dash-clr-2s",
        "--ladder",
        "fast",
        "--json",
    ];
    let result = bench.json(arguments);
    assert_eq!(result["titles"][0]["state"], "published");
    let manifest = bench.origin().join("svt_8mono_720p50/dash-clr-2s/manifest.mpd");
    assert_eq!(crate::support::players::ffmpeg_frames(&manifest), 500);
    let text = fs_err::read_to_string(manifest).unwrap();
    assert_eq!(text.matches("lang=\"sv\"").count(), 2, "stereo and 5.1 in Swedish");
}

#[test]
fn measurements_are_judged_again_without_the_clip_and_the_report_has_a_page() {
    let bench = Bench::new();
    fs_err::copy(clips::real("bigbuckbunny.mp4"), bench.path("clip.mp4")).unwrap();
    let measured =
        bench.output(["qc", "clip.mp4", "--measurements", "m.json", "--report", "r.html", "--json"]);
    fs_err::remove_file(bench.path("clip.mp4")).unwrap();
    let page = fs_err::read_to_string(bench.path("r.html")).unwrap();
    assert!(page.contains("<h1>clip.mp4</h1>") && page.contains("<svg") && page.ends_with("</html>\n"));

    let again = bench.output(["qc", "--replay", "m.json", "--report", "again.html", "--json"]);
    assert_eq!(again.status.code(), measured.status.code(), "{}", describe(&again));
    let report = |output: &std::process::Output| serde_json::from_slice::<Value>(&output.stdout).unwrap();
    // What lies beside the film, and the film itself, are not looked at again: its checksum, and its pictures.
    let mut first = report(&measured);
    let checks = first["checks"].as_array_mut().unwrap();
    assert_eq!(checks.remove(0)["name"], "checksum");
    assert_eq!(report(&again), first);
    let again = fs_err::read_to_string(bench.path("again.html")).unwrap();
    assert!(again.contains("<h1>clip.mp4</h1>") && again.contains("<svg") && !again.contains("data:image"));

    // By another ladder the same measurements give other qualities.
    let fast = bench.output(["qc", "--replay", "m.json", "--ladder", "fast", "--json"]);
    assert_eq!(report(&fast)["ladder"], "fast");
    let table = bench.output(["qc", "--replay", "m.json"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("clip.mp4"), "{}", describe(&table));
}

//! How long films are, where frames lie on the time line, and how far key frames are apart.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::{Film, clean, rejected, table, warned};
use crate::judge::{Clips, Fault, assert_found_at, check, complaints, judged};

#[test]
fn a_second_is_the_least() {
    table([
        (Film::new("too-short.mkv", 0.96), rejected(Code::QcDuration, &[])),
        (Film::new("one-second.mkv", 1.0), clean()),
    ]);
}

#[test]
fn missing_frames_are_found_where_they_are_missing() {
    let gapped = |name: &str, missing: &str| {
        Film::new(name, 4.0).filtered(format!("select='not({missing})'")).with("-vsync passthrough")
    };
    let faults = |places: &'static [(f64, f64)]| {
        vec![
            Fault { code: Code::QcFrameRateVariable, verdict: Verdict::Reject, places: &[] },
            Fault { code: Code::QcGaps, verdict: Verdict::Warn, places },
        ]
    };
    table([
        (gapped("three.mp4", "between(n,50,52)"), faults(&[(1.96, 2.12)])),
        (gapped("one.mkv", "eq(n,50)"), faults(&[(1.96, 2.04)])),
        (gapped("twice.mov", "between(n,25,27)+eq(n,75)"), faults(&[(0.96, 1.12), (2.96, 3.04)])),
        // A clock of a millisecond shows 41 and 42.
        (Film::new("rounded.mkv", 4.0).rate(24), clean()),
    ]);
}

/// Parts of a transport stream, one after the other, each with the time at which it begins.
fn joined(clips: &Clips, name: &str, starts: [f64; 2]) -> std::path::PathBuf {
    let parts = starts.map(|start| {
        let film = Film::new("part.ts", 2.0).with("-bf 0 -g 25").sounding("-c:a mp2 -b:a 256k");
        fs_err::read(film.filed(&format!("-output_ts_offset {start}")).make(clips)).unwrap()
    });
    let path = clips.path(name);
    fs_err::write(&path, parts.concat()).unwrap();
    path
}

#[test]
fn times_that_go_back_are_found_where_they_do() {
    let clips = Clips::new();
    let report = judged(&joined(&clips, "back.ts", [10.0, 11.0]));
    assert_found_at("back.ts", &report, "time stamps", Verdict::Reject, 2.0);
    let report = judged(&joined(&clips, "on.ts", [10.0, 12.0]));
    assert_eq!(check(&report, "time stamps").verdict, Verdict::Pass, "{:#?}", complaints(&report));
    assert_eq!(check(&report, "gaps").verdict, Verdict::Pass, "{:#?}", complaints(&report));
    let report = judged(&joined(&clips, "leap.ts", [10.0, 22.0]));
    assert_found_at("leap.ts", &report, "gaps", Verdict::Warn, 2.0);
}

#[test]
fn the_clock_of_a_transport_stream_may_run_over() {
    // Its 33 bits at 90 kHz last for 95443.7 s.
    table([(Film::new("wrapped.ts", 4.0).with("-bf 0").filed("-output_ts_offset 95440.5"), clean())]);
}

#[test]
fn key_frames_are_close_enough() {
    let far = |name: &str, seconds: f64, distance: u32| {
        Film::new(name, seconds).with(&format!("-g {distance} -keyint_min {distance} -sc_threshold 0"))
    };
    table([
        (far("far.mkv", 14.0, 264), warned(Code::QcKeyFrames, &[(0.0, 10.56)])),
        (far("to-the-end.mkv", 13.0, 1_000), warned(Code::QcKeyFrames, &[(0.0, 13.0)])),
        (far("usual.mkv", 14.0, 250), clean()),
    ]);
}

#[test]
fn a_film_begins_with_a_key_frame() {
    let clips = Clips::new();
    let film = Film::new("film.mkv", 4.0).with("-g 50 -keyint_min 50 -sc_threshold 0").make(&clips);
    let headless =
        clips.make("headless.mkv", &format!("-i {} -c copy -bsf:v noise=drop=lt(n\\,20)", film.display()));
    let report = judged(&headless);
    assert_eq!(report.verdict, Verdict::Reject, "{:#?}", complaints(&report));
}

#[test]
fn pictures_that_hang_on_a_group_that_was_cut_away_are_lost() {
    let clips = Clips::new();
    let coded = "-c:v mpeg2video -q:v 3 -g 12 -bf 2 -sc_threshold 1000000000 -pix_fmt yuv420p";
    let film = Film::new("film.mkv", 4.0).coded(coded).make(&clips);
    let whole = judged(&film);
    assert_eq!(check(&whole, "key frames").verdict, Verdict::Pass, "{:#?}", complaints(&whole));
    // The second group begins with its key frame, and two pictures that are shown before it.
    let arguments = format!("-i {} -c copy -bsf:v noise=drop=lt(n\\,10)", film.display());
    let report = judged(&clips.make("second-group.mkv", &arguments));
    let found = check(&report, "key frames");
    assert_eq!(found.verdict, Verdict::Warn, "{found:#?}");
    assert!(found.value.contains("80 ms before the first frame cannot be decoded"), "{found:#?}");
}

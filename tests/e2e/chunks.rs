//! A film that is encoded in chunks, from its submission to the origin.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::support::ladders::TWO_RUNGS as LADDER;
use crate::support::{Bench, clips, tree};

const FIRST: &str = "encode-video 0 to 4 s";
const SECOND: &str = "encode-video 4 to 8 s";
const LAST: &str = "encode-video 8 to 13 s";

fn run(profiles: &str) -> [&str; 7] {
    ["run", "film.mp4", "--ladder", "chunks.toml", "--profiles", profiles, "--json"]
}

/// A farm with a film of 13 s and this ladder.
fn bench(ladder: &str) -> Bench {
    let bench = Bench::new();
    clips::make(
        &bench.path("film.mp4"),
        "-f lavfi -i testsrc2=size=640x360:rate=25:duration=13 -f lavfi -i sine=frequency=440:sample_rate=48000:duration=13 \
         -c:v libx264 -preset veryfast -b:v 1500k -g 30 -bf 3 -x264-params open-gop=1 -pix_fmt yuv420p -c:a aac -ac 2 \
         -metadata:s:a:0 language=eng",
    );
    fs_err::write(bench.path("chunks.toml"), ladder).unwrap();
    bench
}

/// How the attempts at each task that encodes or joins pictures ended. The same label may be that of several tasks, of other
/// rungs.
fn attempts(bench: &Bench) -> BTreeMap<String, Vec<String>> {
    let status = bench.json(["status", "film", "--json"]);
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for task in status["tasks"].as_array().unwrap() {
        let label = task["label"].as_str().unwrap();
        if label.contains("-video") {
            let attempts = task["attempts"].as_array().unwrap().iter();
            let ended = attempts.map(|attempt| attempt["outcome"].as_str().unwrap_or("open").to_owned());
            outcomes.entry(label.to_owned()).or_default().extend(ended);
        }
    }
    outcomes
}

/// The keys of what each task of the title's present version makes, by the task's label and the output's name.
fn outputs(bench: &Bench) -> BTreeMap<(String, String), String> {
    let status = bench.json(["status", "film", "--json"]);
    let mut outputs = BTreeMap::new();
    for task in status["tasks"].as_array().unwrap() {
        for output in task["task"]["outputs"].as_array().unwrap() {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            outputs.insert((text(&task["label"]), text(&output["name"])), text(&output["key"]));
        }
    }
    outputs
}

/// The folder of an artifact.
fn folder(bench: &Bench, label: &str, output: &str) -> PathBuf {
    let key = outputs(bench)[&(label.to_owned(), output.to_owned())].clone();
    let artifacts = bench.path(".reelfarm/artifacts");
    let file = tree(&artifacts).into_keys().find(|path| path.contains(&key) && path.ends_with("/video.mp4"));
    artifacts.join(file.unwrap()).parent().unwrap().to_owned()
}

fn frames(path: &std::path::Path) -> u64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-count_frames"])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_film_in_chunks_is_published_whole_and_made_once() {
    let bench = bench(LADDER);
    bench.json(run("dash-clr-2s,mp4-clr"));
    let before = attempts(&bench);
    let labels: Vec<&str> = before.keys().map(String::as_str).collect();
    assert_eq!(labels, ["assemble-video 240p", "assemble-video 360p", FIRST, SECOND, LAST]);
    assert!(before.values().all(|outcomes| *outcomes == ["completed"]), "{before:?}");
    let origin = tree(&bench.origin());
    let film = origin.keys().find(|path| path.contains("prog-clear")).unwrap();
    assert_eq!(frames(&bench.origin().join(film)), 325);
    bench.json(run("dash-clr-2s,mp4-clr"));
    assert_eq!((attempts(&bench), tree(&bench.origin())), (before, origin));
}

#[test]
fn a_changed_rung_makes_its_own_chunks_again() {
    let bench = bench(LADDER);
    bench.json(run("dash-clr-2s"));
    let before = outputs(&bench);
    let changed = LADDER.replacen("maxrate_kbps = 400", "maxrate_kbps = 350", 1);
    assert_ne!(changed, LADDER);
    fs_err::write(bench.path("chunks.toml"), changed).unwrap();
    bench.json(run("dash-clr-2s"));
    let made: Vec<(String, String)> = outputs(&bench)
        .into_iter()
        .filter(|(output, key)| output.0.contains("-video") && before.get(output) != Some(key))
        .map(|(output, _)| output)
        .collect();
    let of_240p = |label: &str| (label.to_owned(), "240p".to_owned());
    assert_eq!(made, ["assemble-video 240p", FIRST, SECOND, LAST].map(of_240p));
}

#[test]
fn a_chunk_that_the_disk_has_damaged_is_encoded_again_alone() {
    let bench = bench(LADDER);
    bench.json(run("dash-clr-2s"));
    let before = attempts(&bench);
    let rendition = folder(&bench, "assemble-video 360p", "360p");
    let expected = fs_err::read(rendition.join("video.mp4")).unwrap();
    fs_err::remove_dir_all(&rendition).unwrap();
    let chunk = folder(&bench, SECOND, "360p").join("video.mp4");
    let mut bytes = fs_err::read(&chunk).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&chunk, bytes).unwrap();

    // What is read back is held against the renditions.
    bench.json(run("dash-clr-2s,hls-clr-2s"));
    let rendition = folder(&bench, "assemble-video 360p", "360p").join("video.mp4");
    assert!(fs_err::read(rendition).unwrap() == expected, "the same bytes as before");
    let after = attempts(&bench);
    let more = |label: &str| after[label].len() - before[label].len();
    assert_eq!([FIRST, SECOND, LAST, "assemble-video 240p"].map(more), [0, 1, 0, 0], "{after:?}");
    let joined = &after["assemble-video 360p"];
    assert_eq!(joined[joined.len() - 2..], ["failed", "completed"], "{after:?}");
}

#[test]
fn a_ladder_that_changes_the_chunks_or_asks_for_odd_ones_is_told() {
    let bench = bench(&LADDER.replace("chunk_seconds = 4", "chunk_seconds = 3"));
    let output = bench.output(run("mp4-clr"));
    assert_eq!(output.status.code(), Some(2));
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("line 4: chunk_seconds is an even number from 2 to 600, not 3"), "{text}");
}

/// Where a picture's packet lies in a file, by the time at which it is shown, with its size.
fn packet(film: &std::path::Path, seconds: f64) -> (usize, usize) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,pos,size"])
        .args(["-of", "csv=p=0"])
        .arg(film)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(',');
        let shown: f64 = fields.next()?.parse().ok()?;
        let (size, position) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        ((shown - seconds).abs() < 0.001).then_some((position, size))
    });
    found.unwrap()
}

/// The file keeps its size and its time: what was measured is taken to be so still.
#[test]
fn a_picture_that_no_longer_decodes_has_its_chunk_tried_again_and_fails_the_title_with_its_time() {
    let bench = bench(LADDER);
    bench.json(run("mp4-clr"));
    let film = bench.path("film.mp4");
    let modified = fs_err::metadata(&film).unwrap().modified().unwrap();
    let mut bytes = fs_err::read(&film).unwrap();
    let (position, size) = packet(&film, 6.2);
    // Behind the length and the header of the slice.
    bytes[position + 16..position + size].fill(0xFF);
    fs_err::write(&film, bytes).unwrap();
    fs_err::OpenOptions::new().write(true).open(&film).unwrap().file().set_modified(modified).unwrap();

    fs_err::write(bench.path("chunks.toml"), LADDER.replace("crf = 28", "crf = 30")).unwrap();
    let output = bench.output(run("mp4-clr"));
    assert_eq!(output.status.code(), Some(1), "{}", crate::support::describe(&output));
    let status = bench.json(["status", "film", "--json"]);
    assert_eq!(status["title"]["failure"]["code"], "RF-ENC-002", "{status}");
    let message = status["title"]["failure"]["message"].as_str().unwrap();
    assert!(message.contains("at 6.") && message.contains("does not come out of the decoder"), "{message}");
    let of_second: Vec<_> = status["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|task| task["label"] == SECOND)
        .flat_map(|task| task["attempts"].as_array().unwrap())
        .map(|attempt| attempt["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(of_second[of_second.len() - 3..], ["failed"; 3], "{of_second:?}");
    assert!(bench.origin().join("film/index.json").exists(), "what was online stays");
}

/// Operators write over ladder files while films are being made.
#[test]
fn a_ladder_that_is_edited_while_a_title_runs_is_not_the_titles() {
    let bench = bench(LADDER);
    let mut running = bench.start(run("mp4-clr"));
    crate::support::wait_until("it encodes", || !crate::support::media_processes(running.id()).is_empty());
    fs_err::write(bench.path("chunks.toml"), LADDER.replace("crf = 28", "crf = 40")).unwrap();
    assert!(running.wait().success(), "{}", running.log());
    let status = bench.json(["status", "film", "--json"]);
    let text = status["title"]["submission"]["ladder"]["text"].as_str().unwrap();
    assert_eq!(text, LADDER);
    let tasks = status["tasks"].as_array().unwrap().iter();
    let crf: Vec<_> =
        tasks.filter_map(|task| task["task"]["spec"]["rungs"][0]["rung"]["crf"].as_u64()).collect();
    assert!(!crf.is_empty() && crf.iter().all(|crf| *crf == 28), "{crf:?}");
    // Submitted once more, it has the ladder as it is now.
    bench.json(run("mp4-clr"));
    let status = bench.json(["status", "film", "--json"]);
    assert!(status["title"]["submission"]["ladder"]["text"].as_str().unwrap().contains("crf = 40"));
}

/// The times of key frames of a rung, as an independent reader finds them.
fn key_frames(bench: &Bench, rung: &str) -> Vec<f64> {
    let title = bench.origin().join("film");
    let master = fs_err::read_to_string(title.join("ts-clr-2s/master.m3u8")).unwrap();
    let playlist = master.lines().find(|line| line.ends_with(&format!("video-{rung}.m3u8"))).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-allowed_extensions", "ALL", "-select_streams", "v"])
        .args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"])
        .arg(title.join("ts-clr-2s").join(playlist))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let keys: Vec<f64> = text
        .lines()
        .filter(|line| line.contains(",K"))
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect();
    keys.iter().map(|time| ((time - keys[0]) * 1000.0).round() / 1000.0).collect()
}

#[test]
fn decoding_can_begin_at_cue_points_and_segments_stay_where_they_are() {
    let bench = bench(LADDER);
    let with = |cues: &[&'static str]| {
        bench.json(run("ts-clr-2s,dash-clr-4s").iter().copied().chain(cues.iter().copied()))
    };
    with(&[]);
    let grid: Vec<f64> = (0..7).map(|number| f64::from(number) * 2.0).collect();
    assert_eq!(key_frames(&bench, "360p"), grid);
    let before = bench.json(["status", "film", "--json"]);
    let segments = |bench: &Bench| -> Vec<String> {
        let files =
            tree(&bench.origin()).into_keys().filter(|path| path.ends_with(".ts") || path.ends_with(".m4s"));
        files.map(|path| path.rsplit('/').take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let cut = segments(&bench);

    fs_err::write(bench.path("cues.txt"), "# of the film\nchapter@8\n\ncredits@12.52\n").unwrap();
    let made = with(&["--cue", "break@0:00:05.200", "--cues", "cues.txt"]);
    assert_eq!(made["titles"][0]["state"], "published", "{made}");
    for rung in ["360p", "240p"] {
        let mut expected = [&grid[..], &[5.2, 12.52]].concat();
        expected.sort_by(f64::total_cmp);
        assert_eq!(key_frames(&bench, rung), expected, "{rung}");
    }
    assert_eq!(segments(&bench), cut, "segments are cut where they were");
    let cues = serde_json::json!([
        { "at_ms": 5200, "purpose": "break" },
        { "at_ms": 8000, "purpose": "chapter" },
        { "at_ms": 12520, "purpose": "credits" },
    ]);
    assert_eq!(bench.index("film")["cue_points"], cues);
    let keys = |status: &serde_json::Value, label: &str| {
        let tasks = status["tasks"].as_array().unwrap().iter();
        tasks
            .filter(|task| task["label"] == label)
            .map(|task| task["task"]["key"].clone())
            .collect::<Vec<_>>()
    };
    let after = bench.json(["status", "film", "--json"]);
    assert_eq!(keys(&after, FIRST), keys(&before, FIRST), "no cue point lies in it");
    assert_ne!(keys(&after, SECOND), keys(&before, SECOND));

    let output = bench.output(run("ts-clr-2s,dash-clr-4s").iter().copied().chain(["--cue", "break@13.1"]));
    assert_eq!(output.status.code(), Some(2), "{}", crate::support::describe(&output));
    let told = crate::support::describe(&output);
    assert!(told.contains("break@0:00:13.100 lies beyond the film's end at 13.000 s"), "{told}");
    fs_err::write(bench.path("cues.txt"), "scene@8\nscene at 9\n").unwrap();
    let output = bench.output(run("ts-clr-2s,dash-clr-4s").iter().copied().chain(["--cues", "cues.txt"]));
    let told = crate::support::describe(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cue points: cues.txt: line 2: a cue point is"), "{told}");
    assert_eq!(bench.index("film")["cue_points"], cues, "what is online stays");
}

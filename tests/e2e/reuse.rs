//! What was made is not made again.

use crate::support::{Bench, clips, tree};

const LADDER: &str = r#"
name = "small"
description = "Two rungs."

[[rung]]
name = "360p"
width = 640
height = 360
min_source_kbps = 100
crf = 28
maxrate_kbps = 800
bufsize_kbps = 1600
preset = "ultrafast"
profile = "main"

[[rung]]
name = "240p"
width = 426
height = 240
min_source_kbps = 50
crf = 28
maxrate_kbps = 400
bufsize_kbps = 800
preset = "ultrafast"
profile = "main"

[[audio]]
name = "stereo"
layout = "stereo"
bitrate_kbps = 128
"#;

fn total_attempts(bench: &Bench) -> usize {
    bench.attempts("film").values().map(Vec::len).sum()
}

#[test]
fn submitting_a_finished_title_again_runs_no_task() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--json"];
    bench.json(arguments);
    let (attempts, origin) = (total_attempts(&bench), tree(&bench.origin()));
    let again = bench.json(arguments);
    assert_eq!(again["titles"][0]["state"], "published");
    assert_eq!(total_attempts(&bench), attempts);
    assert_eq!(tree(&bench.origin()), origin);
}

#[test]
fn a_file_lost_at_the_origin_is_copied_again_and_nothing_is_encoded() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr", "--json"];
    bench.json(arguments);
    let (attempts, origin) = (bench.attempts("film"), tree(&bench.origin()));
    let lost = origin.keys().find(|path| path.ends_with(".m4s")).unwrap();
    fs_err::remove_file(bench.origin().join(lost)).unwrap();
    bench.json(arguments);
    assert_eq!(tree(&bench.origin()), origin);
    let after = bench.attempts("film");
    let repeated: Vec<_> =
        after.iter().filter(|(label, outcomes)| outcomes.len() > attempts[*label].len()).collect();
    let labels: Vec<_> = repeated.iter().map(|(label, _)| label.split(' ').next().unwrap()).collect();
    assert_eq!(labels, ["publish", "upload"], "{repeated:?}");
}

/// The damage is found by the copy to the origin, in the middle of the call.
#[test]
fn a_media_set_that_the_disk_has_damaged_is_packaged_again_in_the_same_call() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr", "--json"];
    bench.json(arguments);
    let (attempts, origin) = (bench.attempts("film"), tree(&bench.origin()));
    let artifacts = bench.path(".reelfarm/artifacts");
    let segment = tree(&artifacts).into_keys().find(|path| path.ends_with(".m4s")).unwrap();
    let segment = artifacts.join(segment);
    let mut bytes = fs_err::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let mut permissions = fs_err::metadata(&segment).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs_err::set_permissions(&segment, permissions).unwrap();
    fs_err::write(&segment, bytes).unwrap();
    fs_err::remove_dir_all(bench.origin()).unwrap();

    bench.json(arguments);
    assert_eq!(tree(&bench.origin()), origin);
    let after = bench.attempts("film");
    let package = &after["package cmaf-clear-2s"];
    assert_eq!(package.len(), attempts["package cmaf-clear-2s"].len() + 1, "{after:?}");
    assert_eq!(after["encode-video"], attempts["encode-video"], "nothing is encoded");
    let uploads: Vec<_> =
        after.iter().filter(|(label, _)| label.starts_with("upload media/cmaf-clear-2s/")).collect();
    assert_eq!(uploads.len(), 1, "{after:?}");
    assert_eq!(*uploads[0].1, ["completed", "failed", "completed"]);
}

#[test]
fn a_changed_rung_encodes_that_rung_alone() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    fs_err::write(bench.path("small.toml"), LADDER).unwrap();
    let arguments =
        ["run", "film.mp4", "--ladder", "small.toml", "--profiles", "dash-clr-2s,mp4-clr", "--json"];
    bench.json(arguments);
    let before = tree(&bench.origin());
    let changed = LADDER.replacen(
        "maxrate_kbps = 400\nbufsize_kbps = 800",
        "maxrate_kbps = 300\nbufsize_kbps = 600",
        1,
    );
    fs_err::write(bench.path("small.toml"), changed).unwrap();
    bench.json(arguments);
    let status = bench.json(["status", "film", "--json"]);
    let encodes: Vec<_> =
        status["tasks"].as_array().unwrap().iter().filter(|task| task["label"] == "encode-video").collect();
    assert_eq!(encodes.len(), 1);
    let rungs = encodes[0]["task"]["spec"]["rungs"].as_array().unwrap();
    assert_eq!(rungs.len(), 1);
    assert_eq!(rungs[0]["rung"]["name"], "240p");
    let progressive = |tree: &std::collections::BTreeMap<String, String>| {
        tree.iter()
            .find(|(path, _)| path.contains("prog-clear"))
            .map(|(path, md5)| (path.clone(), md5.clone()))
    };
    assert_eq!(progressive(&before), progressive(&tree(&bench.origin())), "the file of the other rung stays");
    let sets = fs_err::read_dir(bench.origin().join("film/media/cmaf-clear-2s")).unwrap().count();
    assert_eq!(sets, 1, "the version that nothing names any more is removed");
}

#[test]
fn the_same_film_under_two_names_is_encoded_once() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    fs_err::copy(bench.path("film.mp4"), bench.path("copy.mp4")).unwrap();
    bench.json(["run", "film.mp4", "copy.mp4", "--ladder", "fast", "--profiles", "mp4-clr", "--json"]);
    for title in ["film", "copy"] {
        assert_eq!(bench.attempts(title)["encode-video"], ["completed"], "{title}");
        assert_eq!(bench.index(title)["profiles"].as_array().unwrap().len(), 1);
    }
}

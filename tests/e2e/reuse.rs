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

/// Damages the last byte of its kind in all artifacts' files of this name, whose sizes stay. Answers how many there were.
fn damage_all(bench: &Bench, name: &str, is_wanted: impl Fn(&u8) -> bool) -> usize {
    let artifacts = bench.path(".reelfarm/artifacts");
    let found: Vec<_> = tree(&artifacts).into_keys().filter(|path| path.ends_with(name)).collect();
    for path in &found {
        let path = artifacts.join(path);
        let mut bytes = fs_err::read(&path).unwrap();
        let at = bytes.iter().rposition(&is_wanted).unwrap();
        bytes[at] ^= 1;
        fs_err::write(path, bytes).unwrap();
    }
    found.len()
}

/// The scheduler reads receipts to know what lies at the origin.
#[test]
fn receipts_that_the_disk_has_damaged_are_made_again_and_do_not_fail_the_title() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr", "--json"];
    bench.json(arguments);
    let (attempts, origin) = (bench.attempts("film"), tree(&bench.origin()));
    assert_eq!(damage_all(&bench, "/receipt.json", |byte| *byte == b'}'), 2);
    let lost = origin.keys().find(|path| path.ends_with(".m4s")).unwrap();
    fs_err::remove_file(bench.origin().join(lost)).unwrap();
    bench.json(arguments);
    assert_eq!(tree(&bench.origin()), origin);
    let after = bench.attempts("film");
    for (label, outcomes) in &after {
        let again = usize::from(label.starts_with("upload ") || label == "publish");
        assert_eq!(outcomes.len(), attempts[label].len() + again, "{label}: {outcomes:?}");
    }
}

/// An attempt that finds its result on the disk reports that: here the state folder has lost its database.
#[test]
fn results_that_the_disk_has_damaged_are_not_believed() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    let arguments = ["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr", "--json"];
    bench.json(arguments);
    let origin = tree(&bench.origin());
    for name in ["farm.db", "farm.db-wal", "farm.db-shm"] {
        let path = bench.path(".reelfarm").join(name);
        if path.exists() {
            fs_err::remove_file(path).unwrap();
        }
    }
    // What is read is still of the right form.
    assert!(damage_all(&bench, "/result.json", u8::is_ascii_digit) >= 2);
    bench.json(arguments);
    assert_eq!(tree(&bench.origin()), origin);
}

/// Where a NAL unit's length and its last byte lie in a rendition.
struct NalUnit {
    length: usize,
    last: usize,
}

/// The first NAL unit that is a slice of a picture. A rendition's units follow one another in its `mdat`.
fn first_slice(rendition: &[u8]) -> NalUnit {
    let mut length = rendition.windows(4).position(|name| name == b"mdat").unwrap() + 4;
    loop {
        let unit = length + 4;
        let end = unit + u32::from_be_bytes(rendition[length..unit].try_into().unwrap()) as usize;
        if (1..=5).contains(&(rendition[unit] & 0x1F)) {
            return NalUnit { length, last: end - 1 };
        }
        length = end;
    }
}

/// Makes a title with some profiles, damages so many of its renditions on the disk, and makes it with more profiles. The
/// damage must be found by the task `finder`, and what comes out must be what would have come out without it. Answers
/// how many rungs each encode had.
fn damaged_renditions_are_encoded_again(
    before: &str,
    after: &str,
    count: usize,
    place: impl Fn(&NalUnit) -> usize,
    finder: &str,
) -> Vec<usize> {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    fs_err::write(bench.path("small.toml"), LADDER).unwrap();
    let arguments =
        |profiles| ["run", "film.mp4", "--ladder", "small.toml", "--profiles", profiles, "--json"];
    let undamaged = ["--state", "undamaged", "--origin", "undamaged-origin"];
    bench.json(arguments(after).into_iter().chain(undamaged));
    let expected = tree(&bench.path("undamaged-origin"));

    bench.json(arguments(before));
    let artifacts = bench.path(".reelfarm/artifacts");
    let made = tree(&artifacts);
    let renditions: Vec<_> = made.keys().filter(|path| path.ends_with("/video.mp4")).take(count).collect();
    assert_eq!(renditions.len(), count);
    for rendition in &renditions {
        let mut bytes = fs_err::read(artifacts.join(rendition)).unwrap();
        let place = place(&first_slice(&bytes));
        bytes[place] ^= 1;
        fs_err::write(artifacts.join(rendition), bytes).unwrap();
    }

    bench.json(arguments(after));
    assert_eq!(tree(&bench.origin()), expected);
    let mended = tree(&artifacts);
    for rendition in renditions {
        assert_eq!(mended[rendition], made[rendition], "the same bytes as before the damage");
    }
    let attempts = bench.attempts("film");
    assert_eq!(attempts[finder], ["failed", "completed"], "{attempts:?}");
    let mut rungs: Vec<_> = encodes(&bench).iter().map(Vec::len).collect();
    rungs.sort_unstable();
    rungs
}

/// The rungs of each encode that belongs to the title's present version.
fn encodes(bench: &Bench) -> Vec<Vec<String>> {
    let status = bench.json(["status", "film", "--json"]);
    let tasks = status["tasks"].as_array().unwrap();
    let name = |rung: &serde_json::Value| rung["rung"]["name"].as_str().unwrap().to_owned();
    tasks
        .iter()
        .filter(|task| task["label"] == "encode-video")
        .map(|task| task["task"]["spec"]["rungs"].as_array().unwrap().iter().map(name).collect())
        .collect()
}

/// A player would show it, so nothing but the digest tells.
#[test]
fn a_rendition_with_other_picture_data_is_encoded_again_and_never_published() {
    let (before, after) = ("mp4-clr", "mp4-clr,dash-clr-2s");
    let rungs =
        damaged_renditions_are_encoded_again(before, after, 1, |unit| unit.last, "package cmaf-clear-2s");
    assert_eq!(rungs, [1, 2], "both rungs at first, and then the damaged one alone");
}

/// In the second of its attempts the task must find all of them made again.
#[test]
fn renditions_with_wrong_nal_unit_lengths_are_encoded_again_and_do_not_block_the_title() {
    let (before, after) = ("mp4-clr", "mp4-clr,dash-clr-2s");
    let rungs = damaged_renditions_are_encoded_again(
        before,
        after,
        2,
        |unit| unit.length + 3,
        "package cmaf-clear-2s",
    );
    assert_eq!(rungs, [2], "the same encode again");
}

/// The media set is there already: only the reading back of the new profile needs the rendition.
#[test]
fn a_damaged_rendition_that_only_a_verification_needs_is_encoded_again() {
    let (before, after) = ("dash-clr-2s", "dash-clr-2s,hls-clr-2s");
    let rungs = damaged_renditions_are_encoded_again(before, after, 1, |unit| unit.last, "verify hls-clr-2s");
    assert_eq!(rungs, [1, 2]);
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
    assert_eq!(encodes(&bench), [["240p"]]);
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

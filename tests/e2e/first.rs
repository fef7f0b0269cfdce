//! What goes first of a title is online, and plays, before the rest is made.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Bench, clips, describe, players, tree, wait_until};

/// Three rungs of which the lowest goes first, in two of many profiles.
const ARGUMENTS: [&str; 9] = [
    "run",
    "film.mp4",
    "--profiles",
    "*-clr-*,mp4-clr",
    "--first",
    "hls-clr-2s,dash-clr-2s",
    "--first-up-to",
    "240",
    "--json",
];

fn ids(index: &Value) -> Vec<&str> {
    index["profiles"].as_array().unwrap().iter().map(|profile| profile["id"].as_str().unwrap()).collect()
}

/// The rungs that a profile's HLS playlist offers.
fn rungs(folder: &Path) -> usize {
    let playlist = fs_err::read_to_string(folder.join("hls-clr-2s/master.m3u8")).unwrap();
    playlist.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF")).count()
}

#[test]
fn what_goes_first_plays_before_the_rest_is_made_and_stays_for_those_who_watch_it() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 60);
    let mut farm = bench.start(ARGUMENTS);
    let index_path = bench.origin().join("film/index.json");
    wait_until("something is online", || index_path.exists() || farm.ended().is_some());
    // Who looks now finds what Ctrl-C leaves.
    farm.signal(Signal::INT);
    assert_eq!(farm.wait().code(), Some(130), "{}", farm.log());
    let first = bench.index("film");
    assert_eq!(first["more_follow"], true, "{}", farm.log());
    assert_eq!(ids(&first), ["dash-clr-2s", "hls-clr-2s"]);
    let folder = bench.origin().join("film");
    assert_eq!(rungs(&folder), 1);
    let frames = players::ffmpeg_frames(&folder.join("hls-clr-2s/master.m3u8"));
    assert_eq!(frames, 60 * 25);
    let watched = tree(&folder);
    let before = bench.attempts("film");
    assert_eq!(before["publish what goes first"], ["completed"]);

    let output = bench.output(ARGUMENTS);
    assert!(output.status.success(), "{}", describe(&output));
    let whole = bench.index("film");
    assert_eq!(whole.get("more_follow"), None);
    assert!(ids(&whole).len() > 5 && ids(&first).iter().all(|id| ids(&whole).contains(id)), "{whole:#}");
    assert!(rungs(&folder) > 1);
    assert_eq!(players::ffmpeg_frames(&folder.join("hls-clr-2s/master.m3u8")), frames);
    let now = tree(&folder);
    for (path, md5) in watched.iter().filter(|(path, _)| path.starts_with("media/")) {
        assert_eq!(now.get(path), Some(md5), "somebody may be watching {path}");
    }
    let after = bench.attempts("film");
    assert_eq!(after["publish what goes first"], ["completed"], "it goes first once");

    // The same again does nothing, and what is whole does not become less, however it came to be.
    assert!(bench.output(ARGUMENTS).status.success());
    assert_eq!(tree(&folder), now);
    let whole_again = ["run", "film.mp4", "--profiles", "*-clr-*,mp4-clr"];
    for arguments in [&whole_again[..], &ARGUMENTS[..]] {
        let output = bench.output(arguments);
        assert!(output.status.success(), "{}", describe(&output));
        assert_eq!(bench.index("film").get("more_follow"), None);
        assert!(!bench.attempts("film").contains_key("publish what goes first"), "{arguments:?}");
    }
    let other =
        ["run", "film.mp4", "--profiles", "*-clr-*,mp4-clr", "--first", "ts-clr-2s", "--ladder", "fast"];
    let output = bench.output(other);
    assert!(output.status.success(), "{}", describe(&output));
    assert!(!bench.attempts("film").contains_key("publish what goes first"), "a whole version was online");
}

#[test]
fn what_is_to_go_first_and_is_not_made_is_refused_by_its_name() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 2);
    for (first, code, said) in
        [("ts-clr-2s", "RF-TTL-005", "ts-clr-2s"), ("nothing-like-it", "RF-CFG-004", "nothing-like-it")]
    {
        let output = bench.output(["run", "film.mp4", "--profiles", "mp4-clr", "--first", first]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(code) && text.contains(said), "{text}");
    }
    assert!(!bench.origin().join("film").exists());
}

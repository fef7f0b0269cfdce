//! Files of subtitles beside a film, from the operator's folder to the player's screen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::server::FileServer;
use crate::support::{Bench, browser, clips, describe, players, tree};

const ENGLISH: &str =
    "1\n00:00:00,400 --> 00:00:01,200\nHello <i>there</i>\n\n2\n00:00:03,000 --> 00:00:03,800\nGoodbye\n";
const GERMAN: &str = "<tt xmlns=\"http://www.w3.org/ns/ttml\"><body><div>\
    <p begin=\"400ms\" end=\"1.2s\">Grüß Gott</p><p begin=\"3s\" end=\"3.8s\">Servus</p></div></body></tt>";

fn bench() -> Bench {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    fs_err::write(bench.path("film.en.forced.srt"), ENGLISH).unwrap();
    fs_err::write(bench.path("film.de.ttml"), GERMAN).unwrap();
    bench
}

fn run(profiles: &str) -> [&str; 7] {
    ["run", "film.mp4", "--ladder", "fast", "--json", "--profiles", profiles]
}

#[test]
fn subtitles_reach_every_profile_that_carries_them_and_players_show_them() {
    let bench = bench();
    let profiles =
        "dash-clr-2s,dash-wv-4s,od-clr-2s,hls-clr-2s,hls-fp-4s,ts-clr-4s,ts-aes-2s,hss-clr-2s,mp4-clr";
    bench.json(run(profiles));
    let index = bench.index("film");
    let found = index["profiles"].as_array().unwrap();
    assert_eq!(found.len(), 9);
    for profile in found {
        let id = profile["id"].as_str().unwrap();
        let entry = match id.split('-').next().unwrap() {
            "dash" | "od" => "subtitles.vtt",
            "hls" => "cmaf.m3u8",
            "ts" => "ts.m3u8",
            _ => {
                assert_eq!(profile["subtitles"], Value::Null, "{id}");
                let note = profile["notes"][0].as_str().unwrap();
                assert!(note.starts_with("without subtitles-de, subtitles-en-forced: "), "{id}: {note}");
                continue;
            }
        };
        let subtitles = profile["subtitles"].as_array().unwrap();
        let told: Vec<_> = subtitles.iter().map(|track| (&track["language"], &track["purpose"])).collect();
        assert_eq!(told, [(&json!("de"), &json!("dialogue")), (&json!("en"), &json!("forced"))], "{id}");
        for track in subtitles {
            let path = track["path"].as_str().unwrap();
            assert!(path.ends_with(entry), "{id}: {path}");
            let listed = index["files"].as_array().unwrap().iter().any(|file| file["path"] == path);
            assert!(listed && bench.origin().join("film").join(path).is_file(), "{id}: {path}");
        }
    }
    let server = FileServer::start(&bench.origin());
    let address = |manifest: &str| server.address(&format!("film/{manifest}"));
    for manifest in ["dash-clr-2s/manifest.mpd", "od-clr-2s/manifest.mpd"] {
        let english = players::ffmpeg_subtitles(&address(manifest), "en");
        for line in
            ["00:00:00,400 --> 00:00:01,200\nHello <i>there</i>", "00:00:03,000 --> 00:00:03,800\nGoodbye"]
        {
            assert!(english.contains(line), "{manifest}: {english}");
        }
    }
    for manifest in [
        "dash-clr-2s/manifest.mpd",
        "od-clr-2s/manifest.mpd",
        "hls-clr-2s/master.m3u8",
        "ts-clr-4s/master.m3u8",
    ] {
        players::ffmpeg_plays_address(&address(manifest));
        players::gstreamer_plays(&address(manifest));
    }
    for (player, manifest) in [
        ("shaka", "dash-clr-2s/manifest.mpd"),
        ("shaka", "hls-clr-2s/master.m3u8"),
        ("hls", "hls-clr-2s/master.m3u8"),
        ("hls", "ts-clr-4s/master.m3u8"),
    ] {
        let played = browser::play_with_subtitles(player, &address(manifest), "de");
        println!("{player} {manifest}: {played:?}");
        played.assert_whole(125);
        let [first, second] = played.cues.as_slice() else { panic!("{player} {manifest}: {played:?}") };
        assert_eq!(
            (first.text.as_str(), second.text.as_str()),
            ("Grüß Gott", "Servus"),
            "{player} {manifest}"
        );
        // Of MPEG-TS, hls.js begins its clock with the first decoding time, two frames before the first picture is shown.
        let late = if manifest.starts_with("ts-") { 0.08 } else { 0.0 };
        for (cue, start, end) in [(first, 0.4, 1.2), (second, 3.0, 3.8)] {
            let is_close = |found: f64, expected: f64| (found - late - expected).abs() < 0.02;
            assert!(is_close(cue.start, start) && is_close(cue.end, end), "{player} {manifest}: {cue:?}");
        }
    }
}

#[test]
fn corrected_subtitles_make_what_carries_them_again_and_nothing_else() {
    let bench = bench();
    let result = bench.json(run("dash-clr-2s,ts-clr-2s"));
    let taken: Vec<_> = result["titles"][0]["subtitles"].as_array().unwrap().iter().collect();
    for (taken, (language, purpose, file)) in
        taken.iter().zip([("de", "dialogue", "film.de.ttml"), ("en", "forced", "film.en.forced.srt")])
    {
        assert_eq!((&taken["language"], &taken["purpose"]), (&json!(language), &json!(purpose)));
        assert!(taken["file"].as_str().unwrap().ends_with(&format!("/{file}")), "{taken}");
    }
    assert_eq!(taken.len(), 2);
    let old = folders(&bench);
    assert_eq!(old.len(), 2, "one a track: {old:?}");
    let before = (bench.attempts("film"), tree(&bench.origin()));
    fs_err::write(bench.path("film.en.forced.srt"), ENGLISH.replace("Goodbye", "Farewell")).unwrap();
    bench.json(run("dash-clr-2s,ts-clr-2s"));
    let after = (bench.attempts("film"), tree(&bench.origin()));
    for (label, attempts) in &before.0 {
        let is_about_media = ["qc", "encode", "package"].iter().any(|kind| label.starts_with(kind));
        if is_about_media {
            assert_eq!(after.0[label], *attempts, "{label}");
        }
    }
    let media = |tree: &std::collections::BTreeMap<String, String>| -> Vec<_> {
        let is_media = |path: &&String| path.contains("/media/") && !path.contains("/subtitles-");
        tree.keys().filter(is_media).cloned().collect()
    };
    assert_eq!(media(&before.1), media(&after.1));
    let index = bench.index("film");
    let path = index["profiles"][0]["subtitles"][1]["path"].as_str().unwrap();
    assert!(fs_err::read_to_string(bench.origin().join("film").join(path)).unwrap().contains("Farewell"));
    let new = folders(&bench);
    assert_eq!(new.len(), 2, "the old track has left the origin: {new:?}");
    assert_eq!(old.intersection(&new).count(), 1, "the other one lies where it lay: {old:?}, {new:?}");
    // Without its file, a track goes.
    fs_err::remove_file(bench.path("film.en.forced.srt")).unwrap();
    bench.json(run("dash-clr-2s,ts-clr-2s"));
    assert_eq!(bench.index("film")["profiles"][0]["subtitles"].as_array().unwrap().len(), 1);
    let left = folders(&bench);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left.is_subset(&new) && left.iter().all(|folder| folder.contains("/subtitles-de/")), "{left:?}");
}

/// Where subtitles lie at the origin: `film/media/subtitles-…/<key>`.
fn folders(bench: &Bench) -> BTreeSet<String> {
    let files = tree(&bench.origin());
    let of_subtitles = files.keys().filter(|path| path.contains("/media/subtitles-"));
    of_subtitles.map(|path| path.split('/').take(4).collect::<Vec<_>>().join("/")).collect()
}

#[test]
fn a_film_can_be_taken_without_the_subtitles_beside_it() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    fs_err::write(bench.path("film.en.srt"), "no subtitles at all").unwrap();
    let refused = bench.output(run("dash-clr-2s"));
    assert_eq!(refused.status.code(), Some(1), "{}", describe(&refused));
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(words.contains("RF-SUB-002") && words.contains("--no-subtitles"), "{words}");
    let flag = bench.json(run("dash-clr-2s").iter().copied().chain(["--no-subtitles"]));
    assert_eq!(flag["titles"][0]["subtitles"], json!([]));
    assert_eq!(bench.index("film")["profiles"][0]["subtitles"], Value::Null);
    let output = bench.reelfarm(run("dash-clr-2s")).env("REELFARM_NO_SUBTITLES", "true").output().unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    fs_err::write(bench.path("reelfarm.toml"), "no_subtitles = true\n").unwrap();
    bench.json(run("dash-clr-2s"));
}

#[test]
fn a_file_that_may_be_meant_as_subtitles_is_named_and_other_files_take_none_away() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    for (name, content) in
        [("film.en.srt", ENGLISH.replace("00:00:03", "00:00:02")), ("film.en.txt", String::new())]
    {
        fs_err::write(bench.path(name), content).unwrap();
    }
    fs_err::write(bench.path("film-commentary.srt"), ENGLISH).unwrap();
    let output = bench.output(run("dash-clr-2s"));
    assert!(output.status.success(), "{}", describe(&output));
    let words = String::from_utf8_lossy(&output.stderr);
    for name in ["film-commentary.srt", "film.en.txt"] {
        assert!(words.contains(&format!("{name} is not taken")), "{words}");
    }
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["titles"][0]["subtitles"].as_array().unwrap().len(), 1);
    let checked = bench.json(["qc", "film.mp4", "--json"]);
    assert_eq!(checked["subtitles"][0]["language"], "en");
}

#[test]
fn subtitles_that_cannot_be_used_stop_the_title_with_a_reason() {
    for (name, content, code, reason) in [
        ("film.srt", ENGLISH, "RF-SUB-001", "its name says no language"),
        ("film.en.srt", "1\n00:00:01 --> 2\na\n", "RF-SUB-002", "line 2"),
        (
            "film.en.srt",
            "1\n01:00:00,000 --> 01:00:01,000\na\n",
            "RF-SUB-003",
            "the film ends at 00:00:05.000",
        ),
    ] {
        let bench = Bench::new();
        clips::film(&bench.path("film.mp4"), 5);
        fs_err::write(bench.path(name), content).unwrap();
        let output = bench.output(run("dash-clr-2s"));
        assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let failure = &result["titles"][0]["failure"];
        assert_eq!(failure["code"], code, "{failure}");
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(reason) && message.contains(name), "{message}");
        assert!(tree(&bench.origin()).is_empty(), "nothing is at the origin");
    }
}

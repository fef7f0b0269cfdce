//! All profiles of a real clip, each read back and decrypted, and played where a player can be had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::players::{
    decrypted_segment_frames, ffmpeg_frames, ffmpeg_plays, frames_with_key, gstreamer_plays, packets,
};
use crate::support::server::FileServer;
use crate::support::{Bench, KEY, KEY_ID, browser, clips};

const TITLE: &str = "bigbuckbunny";
/// bigbuckbunny.mp4 has 132 frames at 25 a second.
const FRAMES: u64 = 132;
const FRAME_RATE: u64 = 25;

/// Frames of picture or sound, by track.
type Tracks = BTreeMap<String, u64>;

#[test]
fn a_real_clip_comes_out_in_all_52_profiles_each_read_back_and_decrypted() {
    let bench = Bench::new();
    bench.keys(KEY_ID, KEY);
    let clip = clips::real("bigbuckbunny.mp4");
    let clip = clip.to_str().unwrap();
    let result =
        bench.json(["run", clip, "--ladder", "fast", "--audio-lang", "en", "--keys", "keys.json", "--json"]);
    assert_eq!(result["titles"][0]["state"], "published");
    let index = bench.index(TITLE);
    let profiles = index["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 52);
    let sets: BTreeSet<_> = profiles.iter().map(|profile| profile["media_set"].to_string()).collect();
    assert_eq!(sets.len(), 22, "{sets:?}");

    let mezzanines = mezzanines(&bench);
    let rows: Vec<_> = profiles.iter().map(|profile| read_back(&bench, profile, &mezzanines)).collect();
    let players = Players::start(&bench);
    let mut unplayed = Vec::new();
    println!("frames of the encoded renditions, as FFmpeg counts them: {}", list(&mezzanines));
    println!(
        "{:<17} {:<10} {:>8} {:>8} {:>6}  {:<99} decoded by",
        "profile", "scheme", "compared", "times", "keys", "frames read back"
    );
    for (profile, row) in profiles.iter().zip(rows) {
        let (id, by) = (text(&profile["id"]), players.play(profile));
        let ReadBack { scheme, compared, times, keys, tracks } = row;
        let readers = if by.is_empty() { "nobody here".to_owned() } else { by.join(", ") };
        println!("{id:<17} {scheme:<10} {compared:>8} {times:>8} {keys:>6}  {tracks:<99} {readers}");
        if by.is_empty() {
            unplayed.push(id);
        }
    }
    // Their players get keys from FairPlay's, Verimatrix's and PlayReady's own servers, and no other reader takes a key.
    let expected = ["ts-vmx-2s", "ts-vmx-4s", "ts-fp-2s", "ts-fp-4s", "hss-pr-2s", "hss-pr-4s"];
    assert_eq!(unplayed, expected, "nobody here decodes them");
}

/// What a profile's report says.
struct ReadBack<'a> {
    scheme: &'a str,
    /// Comparisons of frames with the encoded rendition's.
    compared: u64,
    /// Of presentation times.
    times: u64,
    /// Of keys, of what systems are told, and of what is encrypted.
    keys: u64,
    tracks: String,
}

/// Holds a profile's report against the encoded renditions, track by track.
fn read_back<'a>(bench: &Bench, profile: &'a Value, mezzanines: &Tracks) -> ReadBack<'a> {
    let id = text(&profile["id"]);
    let path = bench.path(".reelfarm/artifacts").join(text(&profile["verification"]));
    let report: Value =
        serde_json::from_slice(&fs_err::read(path.join("verification.json")).unwrap()).unwrap();
    assert_eq!(report["profile"], id);
    let renditions = report["renditions"].as_array().unwrap();
    let tracks: Tracks = renditions
        .iter()
        .map(|rendition| (text(&rendition["track"]).to_owned(), rendition["frames"].as_u64().unwrap()))
        .collect();
    assert_eq!(tracks.len(), renditions.len(), "{id}: each track once");
    // One file to download has the largest picture, and the sound that plays everywhere.
    let is_in = |track: &str| {
        profile["container"] != "progressive" || ["video-720p", "audio-en-stereo"].contains(&track)
    };
    let expected: Tracks =
        mezzanines.iter().filter(|(track, _)| is_in(track)).map(|(track, n)| (track.clone(), *n)).collect();
    assert_eq!(tracks, expected, "{id}: every track has every frame of its rendition, and there is no other");
    let checks = |kind: &str| report["checks"][kind].as_u64().unwrap_or(0);
    let all: u64 = expected.values().sum();
    let (compared, keys) = (checks("access-units"), checks("protection"));
    assert!(compared >= all, "{id}: {compared} comparisons of {all} frames");
    // Of each encrypted track: the key's id, the scheme, the samples' key, samples in the open, and a wrong key.
    let least = if profile["scheme"].is_null() { 1 } else { 5 };
    assert!(keys >= least * expected.len() as u64, "{id}: {keys} checks of keys");
    let scheme = profile["scheme"].as_str().unwrap_or("clear");
    ReadBack { scheme, compared, times: checks("presentation-times"), keys, tracks: list(&tracks) }
}

/// The frames of each encoded rendition, by its track in the media sets, as FFmpeg counts them.
fn mezzanines(bench: &Bench) -> Tracks {
    let status = bench.json(["status", TITLE, "--json"]);
    let mut tracks = Tracks::new();
    for task in status["tasks"].as_array().unwrap() {
        let (prefix, file) = match text(&task["task"]["spec"]["kind"]) {
            "encode-video" => ("video-", "video.mp4"),
            "encode-audio" => ("", "audio.mp4"),
            _ => continue,
        };
        for output in task["task"]["outputs"].as_array().unwrap() {
            let file = bench.path(".reelfarm/artifacts").join(text(&output["key"])).join(file);
            tracks.insert(format!("{prefix}{}", text(&output["name"])), packets(&file));
        }
    }
    let expected = ["audio-en-stereo", "audio-en-surround", "video-240p", "video-360p", "video-720p"];
    assert_eq!(tracks.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(expected[2..].iter().all(|rung| tracks[*rung] == FRAMES), "{tracks:?}");
    tracks
}

fn list(tracks: &Tracks) -> String {
    tracks.iter().map(|(track, frames)| format!("{track} {frames}")).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The players that can be had.
struct Players {
    server: FileServer,
    title: PathBuf,
    keys: BTreeMap<String, String>,
}

impl Players {
    fn start(bench: &Bench) -> Self {
        Self {
            server: FileServer::start(&bench.origin()),
            title: bench.origin().join(TITLE),
            keys: BTreeMap::from([(KEY_ID.to_owned(), KEY.to_owned())]),
        }
    }

    /// Has a profile played to its end, or decoded as far as is said, by all that can; answers who did.
    fn play(&self, profile: &Value) -> Vec<&'static str> {
        let (id, manifest) = (text(&profile["id"]), text(&profile["manifest"]));
        let address = self.server.address(&format!("{TITLE}/{manifest}"));
        let path = self.title.join(manifest);
        let media = || self.title.join(text(&profile["media_path"]));
        let is_told = |system: &str| profile["drm"].as_array().unwrap().iter().any(|told| told == system);
        let mut by = Vec::new();
        match (text(&profile["container"]), profile["scheme"].as_str()) {
            (container, None) => {
                // FFmpeg opens no Smooth Streaming.
                if container != "smooth" {
                    assert_eq!(ffmpeg_frames(&path), FRAMES, "{id}");
                    ffmpeg_plays(&path);
                    by.push("FFmpeg");
                }
                gstreamer_plays(&address);
                by.push("GStreamer");
            }
            ("hls-ts", Some("AES-128")) if is_told("clearkey") => {
                assert_eq!(ffmpeg_frames(&path), FRAMES, "{id}");
                by.push("FFmpeg");
                browser::play("hls", &address, &BTreeMap::new()).assert_whole(FRAMES);
                by.push("hls.js");
            }
            ("dash" | "hls-cmaf", Some(_)) => {
                // FFmpeg 5.1 fails on many encrypted segments at once.
                let first = profile["segment_seconds"].as_u64().unwrap() * FRAME_RATE;
                let track = media().join("video-360p");
                assert_eq!(decrypted_segment_frames(&track, KEY), first, "{id}");
                by.push("FFmpeg (first segment of 360p, with the key)");
                if is_told("clearkey") {
                    self.shaka_plays(id, &address);
                    by.push("Shaka Player");
                }
            }
            ("dash-on-demand", Some(_)) => {
                assert_eq!(frames_with_key(&media().join("video-360p.mp4"), KEY), FRAMES, "{id}");
                by.push("FFmpeg (file of 360p, with the key)");
            }
            ("progressive", Some(_)) => {
                assert_eq!(frames_with_key(&path, KEY), FRAMES, "{id}");
                by.push("FFmpeg (with the key)");
            }
            _ => {}
        }
        by
    }

    /// With the key, and not with another.
    fn shaka_plays(&self, id: &str, address: &str) {
        browser::play("shaka", address, &self.keys).assert_whole(FRAMES);
        let wrong = BTreeMap::from([(KEY_ID.to_owned(), "00".repeat(16))]);
        let refused = browser::play("shaka", address, &wrong);
        assert_eq!(refused.end, "failed", "{id} with a wrong key: {refused:?}");
    }
}

//! All profiles of a real clip, each read back and decrypted, and played where a player can be had.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::players::{decrypted_segment_frames, ffmpeg_frames, frames_with_key, gstreamer_plays};
use crate::support::server::FileServer;
use crate::support::{Bench, KEY, KEY_ID, browser, clips};

/// bigbuckbunny.mp4 has 132 frames at 25 a second.
const FRAMES: u64 = 132;

#[test]
fn a_real_clip_comes_out_in_all_52_profiles_each_read_back_and_decrypted() {
    let bench = Bench::new();
    bench.keys(KEY_ID, KEY);
    let clip = clips::real("bigbuckbunny.mp4");
    let clip = clip.to_str().unwrap();
    let result =
        bench.json(["run", clip, "--ladder", "fast", "--audio-lang", "en", "--keys", "keys.json", "--json"]);
    assert_eq!(result["titles"][0]["state"], "published");
    let index = bench.index("bigbuckbunny");
    let profiles = index["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 52);
    let sets: BTreeSet<_> = profiles.iter().map(|profile| profile["media_set"].to_string()).collect();
    assert_eq!(sets.len(), 22, "{sets:?}");

    let played = play(&bench, profiles);
    println!("{:<17} {:<11} {:<8} {:<44} played by", "profile", "scheme", "frames", "proof");
    for profile in profiles {
        let id = profile["id"].as_str().unwrap();
        let report = verification(&bench, profile);
        let frames: BTreeSet<u64> = report["renditions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rendition| rendition["track"].as_str().unwrap().starts_with("video-"))
            .map(|rendition| rendition["frames"].as_u64().unwrap())
            .collect();
        assert_eq!(frames, [FRAMES].into(), "{id}: every rung has every frame");
        let checks = &report["checks"];
        assert!(checks["access-units"].as_u64().unwrap() >= FRAMES, "{id}");
        let protection = checks["protection"].as_u64().unwrap_or(0);
        let scheme = profile["scheme"].as_str();
        assert!(scheme.is_none() || protection > 0, "{id}: {checks}");
        let proof = match scheme {
            None => "frames equal the encoded ones".to_owned(),
            Some(_) => format!("decrypted frames equal; {protection} checks of keys"),
        };
        let players = played.get(id).map_or(String::new(), |players| players.join(", "));
        println!("{id:<17} {:<11} {FRAMES:<8} {proof:<44} {players}", scheme.unwrap_or("clear"));
    }
}

/// The report of a profile's verification, which the index names.
fn verification(bench: &Bench, profile: &Value) -> Value {
    let key = profile["verification"].as_str().unwrap();
    let path = bench.path(".reelfarm/artifacts").join(key).join("verification.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// Plays what players can be had for. Answers who played what.
fn play(bench: &Bench, profiles: &[Value]) -> BTreeMap<String, Vec<&'static str>> {
    let server = FileServer::start(&bench.origin());
    let keys = BTreeMap::from([(KEY_ID.to_owned(), KEY.to_owned())]);
    let mut played: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for profile in profiles {
        let (id, manifest) = (profile["id"].as_str().unwrap(), profile["manifest"].as_str().unwrap());
        let address = server.address(&format!("bigbuckbunny/{manifest}"));
        let path = bench.origin().join("bigbuckbunny").join(manifest);
        let mut by = Vec::new();
        match id.split_once('-').unwrap() {
            ("hss", rest) if rest.starts_with("clr") => {
                gstreamer_plays(&address);
                by.push("GStreamer");
            }
            ("ts", rest) if rest.starts_with("aes") => {
                assert_eq!(ffmpeg_frames(&path), FRAMES, "{id}");
                by.push("FFmpeg");
                browser::play("hls", &address, &BTreeMap::new()).assert_whole(FRAMES);
                by.push("hls.js");
            }
            ("dash", rest) if rest.starts_with("ck") => {
                browser::play("shaka", &address, &keys).assert_whole(FRAMES);
                by.push("Shaka Player");
                let wrong = BTreeMap::from([(KEY_ID.to_owned(), "00".repeat(16))]);
                let refused = browser::play("shaka", &address, &wrong);
                assert_eq!(refused.end, "failed", "{id} with a wrong key: {refused:?}");
            }
            ("dash", _) if id.ends_with("-cbcs-2s") || id == "dash-wv-4s" => {
                let segment = profile["segment_seconds"].as_u64().unwrap() * 25;
                assert_eq!(decrypted_frames(bench, profile), segment, "{id}");
                by.push("FFmpeg (first segment, decrypted)");
            }
            ("mp4", "ml") => {
                assert_eq!(frames_with_key(&path, KEY), FRAMES, "{id}");
                by.push("FFmpeg (decrypted)");
            }
            _ => {}
        }
        if !by.is_empty() {
            played.insert(id.to_owned(), by);
        }
    }
    played
}

/// Frames of the first segment of the largest rung, decrypted by FFmpeg.
fn decrypted_frames(bench: &Bench, profile: &Value) -> u64 {
    let media = bench.origin().join("bigbuckbunny").join(profile["media_path"].as_str().unwrap());
    decrypted_segment_frames(&media.join("video-360p"), KEY)
}

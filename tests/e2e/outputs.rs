//! A real clip goes through, and what comes out is read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::players::{ffmpeg_frames, ffmpeg_plays, gstreamer_plays, key_frame_times};
use crate::support::server::FileServer;
use crate::support::{Bench, clips, md5, tree};

/// bigbuckbunny.mp4 has 132 frames at 25 a second.
const FRAMES: u64 = 132;

#[test]
fn a_real_clip_comes_out_in_the_nine_clear_profiles_of_the_packager() {
    let bench = Bench::new();
    let clip = clips::real("bigbuckbunny.mp4");
    let selected = "dash-clr-*,od-clr-*,ts-clr-*,hls-clr-*,mp4-clr";
    let result =
        bench.json(["run", clip.to_str().unwrap(), "--audio-lang", "en", "--profiles", selected, "--json"]);
    assert_eq!(result["titles"][0]["state"], "published");
    let title = bench.origin().join("bigbuckbunny");
    let index = bench.index("bigbuckbunny");

    let profiles = profiles(&index);
    let expected = [
        "dash-clr-2s",
        "dash-clr-4s",
        "hls-clr-2s",
        "hls-clr-4s",
        "mp4-clr",
        "od-clr-2s",
        "od-clr-4s",
        "ts-clr-2s",
        "ts-clr-4s",
    ];
    assert_eq!(profiles.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    let sets: BTreeSet<_> =
        index["profiles"].as_array().unwrap().iter().map(|p| p["media_set"].to_string()).collect();
    assert_eq!(sets.len(), 7, "dash-clr and hls-clr share their media: {sets:?}");

    every_file_is_what_the_index_says(&title, &index);
    every_rung_is_aligned(&title, &index);
    segments_start_on_multiples(&title, &index);
    other_layouts_are_aligned_too(&title, &index);

    let server = FileServer::start(&bench.origin());
    for (id, manifest) in &profiles {
        let path = title.join(manifest);
        assert_eq!(ffmpeg_frames(&path), FRAMES, "{id}: frames that FFmpeg reads");
        ffmpeg_plays(&path);
        gstreamer_plays(&server.address(&format!("bigbuckbunny/{manifest}")));
        println!("{id:<12} read back: {FRAMES} frames in FFmpeg, played to the end in FFmpeg and GStreamer");
    }
}

fn profiles(index: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let profiles = index["profiles"].as_array().unwrap();
    profiles.iter().map(|profile| (text(&profile["id"]), text(&profile["manifest"]))).collect()
}

fn every_file_is_what_the_index_says(title: &Path, index: &Value) {
    let mut named = BTreeSet::from(["index.json".to_owned()]);
    for file in index["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert_eq!(md5(&title.join(path)), file["md5"].as_str().unwrap(), "{path}");
        assert_eq!(
            fs_err::metadata(title.join(path)).unwrap().len(),
            file["size"].as_u64().unwrap(),
            "{path}"
        );
        named.insert(path.to_owned());
    }
    let there: BTreeSet<_> = tree(title).into_keys().collect();
    assert_eq!(there, named, "the title's folder holds what the index names and nothing else");
}

/// The folders of a media set's video renditions with their files, joined into one readable file each.
fn video_renditions(title: &Path, index: &Value, profile: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let entry = index["profiles"].as_array().unwrap().iter().find(|p| p["id"] == profile).unwrap();
    let media = title.join(entry["media_path"].as_str().unwrap());
    let mut renditions = BTreeMap::new();
    for folder in fs_err::read_dir(&media).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("video-") {
            let mut files: Vec<_> =
                fs_err::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            files.sort_by_key(|path| number(path));
            renditions.insert(name, files);
        }
    }
    renditions
}

/// The initialisation segment comes before segment 1.
fn number(path: &Path) -> u32 {
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    let digits: String = stem.chars().filter(char::is_ascii_digit).collect();
    if stem.contains("init") { 0 } else { digits.parse().unwrap() }
}

fn joined(files: &[PathBuf]) -> tempfile::NamedTempFile {
    let joined = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    let bytes: Vec<u8> = files.iter().flat_map(|file| fs_err::read(file).unwrap()).collect();
    fs_err::write(joined.path(), bytes).unwrap();
    joined
}

fn every_rung_is_aligned(title: &Path, index: &Value) {
    let renditions = video_renditions(title, index, "dash-clr-2s");
    let names: Vec<_> = renditions.keys().map(String::as_str).collect();
    assert_eq!(names, ["video-240p", "video-360p", "video-480p", "video-720p"], "no rung above the source");
    for (name, files) in &renditions {
        let whole = joined(files);
        assert_eq!(key_frame_times(whole.path()), [0.0, 2.0, 4.0], "IDRs of {name}");
        assert_eq!(ffmpeg_frames(whole.path()), FRAMES, "frames of {name}");
    }
}

fn segments_start_on_multiples(title: &Path, index: &Value) {
    for (profile, starts) in [("dash-clr-2s", vec![0.0, 2.0, 4.0]), ("dash-clr-4s", vec![0.0, 4.0])] {
        for (name, files) in video_renditions(title, index, profile) {
            let (init, segments) = files.split_first().unwrap();
            let found: Vec<f64> = segments
                .iter()
                .map(|segment| key_frame_times(joined(&[init.clone(), segment.clone()]).path())[0])
                .collect();
            assert_eq!(found, starts, "{profile} {name}");
        }
    }
}

/// On-demand files and transport streams hold the same frames with the same IDRs. A transport stream's clock starts
/// where the packager likes, so its times count from its first picture.
fn other_layouts_are_aligned_too(title: &Path, index: &Value) {
    let media = |profile: &str| {
        let entry = index["profiles"].as_array().unwrap().iter().find(|p| p["id"] == profile).unwrap();
        title.join(entry["media_path"].as_str().unwrap())
    };
    for rung in ["720p", "480p", "360p", "240p"] {
        let file = media("od-clr-2s").join(format!("video-{rung}.mp4"));
        assert_eq!(key_frame_times(&file), [0.0, 2.0, 4.0], "on-demand {rung}");
        for (profile, starts) in [("ts-clr-2s", vec![0.0, 2.0, 4.0]), ("ts-clr-4s", vec![0.0, 4.0])] {
            let segments = video_renditions(title, index, profile).remove(&format!("video-{rung}")).unwrap();
            let first: Vec<f64> = segments.iter().map(|segment| key_frame_times(segment)[0]).collect();
            let from_start: Vec<f64> =
                first.iter().map(|time| ((time - first[0]) * 1000.0).round() / 1000.0).collect();
            assert_eq!(from_start, starts, "{profile} {rung}");
        }
    }
}

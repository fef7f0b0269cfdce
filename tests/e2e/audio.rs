//! Sound in several languages and layouts: separate renditions with names and language tags, in every kind of manifest.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Bench, KEY, KEY_ID, clips, tool};

/// Every kind of manifest, clear and encrypted, and the files without one.
const PROFILES: &str = "dash-clr-2s,dash-wvpr-2s,od-clr-2s,od-wv-2s,ts-clr-2s,ts-aes-2s,ts-fp-2s,hls-clr-2s,\
                        hls-multi-2s,hss-clr-2s,hss-pr-2s,mp4-clr,mp4-ml";

/// A film with English in stereo, and German in stereo and in 5.1.
fn film(path: &Path) -> PathBuf {
    let sound = |channels: usize, layout: &str| {
        let channels = vec!["sin(880*t)/2"; channels].join("|");
        format!("-f lavfi -i aevalsrc={channels}:c={layout}:s=48000:d=4")
    };
    clips::make(
        path,
        &format!(
            "-f lavfi -i testsrc2=size=640x360:rate=25:duration=4 {} {} {} -map 0 -map 1 -map 2 -map 3 \
             -c:v libx264 -preset ultrafast -b:v 1500k -pix_fmt yuv420p -c:a aac \
             -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -metadata:s:a:2 language=deu",
            sound(2, "stereo"),
            sound(2, "stereo"),
            sound(6, "5.1"),
        ),
    )
}

/// The value of an attribute of a tag or element, with or without quotation marks; empty where there is none.
fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let at = [' ', ',', ':'].iter().find_map(|before| {
        let start = format!("{before}{name}=");
        tag.find(&start).map(|at| at + start.len())
    });
    let Some(value) = at.map(|at| &tag[at..]) else { return "" };
    let end = |value: &'a str, ends: &[char]| value.split(ends).next().unwrap();
    value.strip_prefix('"').map_or_else(|| end(value, &[',', ' ', '\n']), |value| end(value, &['"']))
}

/// Language, name, channels, and whether it is the one to begin with.
fn dash(manifest: &str) -> Vec<(&str, &str, &str, bool)> {
    manifest
        .split("<AdaptationSet")
        .skip(1)
        .filter(|set| attribute(set, "contentType") == "audio")
        .map(|set| {
            assert_eq!(set.matches("<Representation").count(), 1, "layouts are not switched between: {set}");
            let between = |start: &str, end: &str| {
                set.split_once(start).and_then(|(_, rest)| rest.split_once(end)).unwrap().0
            };
            let channels = between("<AudioChannelConfiguration", "/>");
            let is_main = set.contains("<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>");
            (attribute(set, "lang"), between("<Label>", "</Label>"), attribute(channels, "value"), is_main)
        })
        .collect()
}

/// Group, language, name, channels, whether it plays when nobody chooses, and its playlist.
fn hls(manifest: &str) -> Vec<(&str, &str, &str, &str, bool, &str)> {
    manifest
        .lines()
        .filter(|line| line.starts_with("#EXT-X-MEDIA:"))
        .map(|line| {
            let of = |name| attribute(line, name);
            assert_eq!((of("TYPE"), of("AUTOSELECT")), ("AUDIO", "YES"), "{line}");
            (of("GROUP-ID"), of("LANGUAGE"), of("NAME"), of("CHANNELS"), of("DEFAULT") == "YES", of("URI"))
        })
        .collect()
}

/// Name, language and channels.
fn smooth(manifest: &str) -> Vec<(&str, &str, &str)> {
    manifest
        .split("<StreamIndex")
        .filter(|stream| attribute(stream, "Type") == "audio")
        .map(|stream| {
            (attribute(stream, "Name"), attribute(stream, "Language"), attribute(stream, "Channels"))
        })
        .collect()
}

/// Channels, whether it is the one to begin with, and the language, as FFmpeg reads them.
fn progressive(file: &Path) -> Vec<String> {
    let entries = "stream=channels:stream_tags=language:stream_disposition=default";
    let arguments = ["-v", "error", "-select_streams", "a", "-show_entries", entries, "-of", "csv=p=0"];
    let text = tool(Command::new("ffprobe").args(arguments).arg(file));
    // Of an encrypted file a column of side data follows.
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect()
}

#[test]
fn languages_and_layouts_are_told_apart_in_every_kind_of_manifest() {
    let bench = Bench::new();
    bench.keys(KEY_ID, KEY);
    film(&bench.path("film.mp4"));
    bench.json([
        "run",
        "film.mp4",
        "--ladder",
        "fast",
        "--profiles",
        PROFILES,
        "--keys",
        "keys.json",
        "--json",
    ]);
    let index = bench.index("film");
    let profiles = index["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), PROFILES.split(',').count());
    for profile in profiles {
        let (id, manifest) = (profile["id"].as_str().unwrap(), profile["manifest"].as_str().unwrap());
        let path = bench.origin().join("film").join(manifest);
        let text = || fs_err::read_to_string(&path).unwrap();
        match profile["container"].as_str().unwrap() {
            "dash" | "dash-on-demand" => assert_eq!(
                dash(&text()),
                [
                    ("en", "English", "2", true),
                    ("de", "German", "2", false),
                    ("de", "German 5.1", "6", false)
                ],
                "{id}"
            ),
            // Every group has every language (RFC 8216 4.3.4.2.1): who hears 5.1 can still change to English.
            "hls-ts" | "hls-cmaf" => assert_eq!(
                hls(&text()),
                [
                    ("stereo", "en", "English", "2", true, "audio-en-stereo.m3u8"),
                    ("stereo", "de", "German", "2", false, "audio-de-stereo.m3u8"),
                    ("surround", "de", "German", "6", false, "audio-de-surround.m3u8"),
                    ("surround", "en", "English", "2", true, "audio-en-stereo.m3u8"),
                ],
                "{id}"
            ),
            "smooth" => assert_eq!(
                smooth(&text()),
                [
                    ("audio_en_stereo", "eng", "2"),
                    ("audio_de_stereo", "deu", "2"),
                    ("audio_de_surround", "deu", "6")
                ],
                "{id}"
            ),
            // Players of single files take stereo.
            "progressive" => assert_eq!(progressive(&path), ["2,1,eng", "2,0,deu"], "{id}"),
            other => panic!("{other}"),
        }
    }
}

//! Subtitles, in manifests and in their own files.

use std::path::Path;

use reelfarm_packaging::verify::Check;

use super::{cut_element, replace, try_all};
use crate::title::{Title, profile};

const ENGLISH: Option<&str> = Some("subtitles-eng");
const SDH: Option<&str> = Some("subtitles-eng-sdh");

#[test]
fn damaged_subtitles_of_hls_are_found() {
    let title = Title::encode();
    for (id, folder, clock) in [("ts-clr-2s", "ts", "MPEGTS:9000"), ("hls-clr-2s", "cmaf", "MPEGTS:0")] {
        let profile = profile(id);
        let master = format!("{id}/master.m3u8");
        let segment = format!("media/subtitles-eng/0f3a/{folder}/1.vtt");
        let playlist = format!("media/subtitles-eng/0f3a/{folder}.m3u8");
        let change = |file: &str, from: &'static str, to: &'static str| {
            let file = file.to_owned();
            move |t: &Path| replace(&t.join(&file), from, to)
        };
        try_all(
            &title,
            &profile,
            &[
                ("a cue is lost", &change(&segment, "Goodbye", ""), Check::AccessUnits, ENGLISH, Some(1)),
                (
                    "a cue is late",
                    &change(&segment, "00:00:00.500", "00:00:00.540"),
                    Check::AccessUnits,
                    ENGLISH,
                    Some(1),
                ),
                (
                    "a cue is another",
                    &change(&segment, "Hello", "Hullo"),
                    Check::AccessUnits,
                    ENGLISH,
                    Some(1),
                ),
                (
                    "the clock is another",
                    &change(&segment, clock, "MPEGTS:900000"),
                    Check::Synchronisation,
                    ENGLISH,
                    Some(1),
                ),
                (
                    "a segment is gone",
                    &|t| fs_err::remove_file(t.join(&segment)).unwrap(),
                    Check::Reference,
                    ENGLISH,
                    Some(1),
                ),
                (
                    "a segment is no WebVTT",
                    &change(&segment, "WEBVTT", "WEBVTX"),
                    Check::Structure,
                    ENGLISH,
                    Some(1),
                ),
                (
                    "the playlist is gone",
                    &|t| fs_err::remove_file(t.join(&playlist)).unwrap(),
                    Check::Reference,
                    ENGLISH,
                    None,
                ),
                (
                    "the playlist is short",
                    &change(&playlist, "#EXTINF:11.000", "#EXTINF:10.000"),
                    Check::Ending,
                    ENGLISH,
                    None,
                ),
                (
                    "the playlist leads away",
                    &change(&playlist, "/1.vtt", "/../1.vtt"),
                    Check::Reference,
                    ENGLISH,
                    Some(1),
                ),
                (
                    "the whole track is gone",
                    &|t| fs_err::remove_file(t.join("media/subtitles-eng/0f3a/subtitles.vtt")).unwrap(),
                    Check::Reference,
                    ENGLISH,
                    None,
                ),
                (
                    "the language is another",
                    &change(
                        &master,
                        "LANGUAGE=\"en\",NAME=\"English\",DEFAULT=NO",
                        "LANGUAGE=\"fr\",NAME=\"English\",DEFAULT=NO",
                    ),
                    Check::Renditions,
                    ENGLISH,
                    None,
                ),
                (
                    "a name stands twice",
                    &change(&master, "English (SDH)", "English"),
                    Check::Attributes,
                    None,
                    None,
                ),
                (
                    "it is forced",
                    &change(&master, "FORCED=NO,CHARACTERISTICS", "FORCED=YES,CHARACTERISTICS"),
                    Check::Renditions,
                    SDH,
                    None,
                ),
                (
                    "it leads into another track",
                    &change(&master, "subtitles-eng-sdh/", "subtitles-eng/"),
                    Check::Reference,
                    SDH,
                    None,
                ),
                (
                    "a variant has none",
                    &change(&master, ",SUBTITLES=\"subtitles\"\nvideo-144p", "\nvideo-144p"),
                    Check::Reference,
                    None,
                    None,
                ),
            ],
        );
    }
}

#[test]
fn damaged_subtitles_of_dash_are_found() {
    let title = Title::encode();
    for id in ["dash-clr-2s", "od-clr-2s"] {
        let profile = profile(id);
        let mpd = format!("{id}/manifest.mpd");
        let change = |from: &'static str, to: &'static str| {
            let file = mpd.clone();
            move |t: &Path| replace(&t.join(&file), from, to)
        };
        try_all(
            &title,
            &profile,
            &[
                (
                    "a track is dropped",
                    &|t| {
                        cut_element(
                            &t.join(&mpd),
                            "<AdaptationSet id=\"subtitles-eng-sdh\"",
                            "</AdaptationSet>",
                        );
                    },
                    Check::Renditions,
                    SDH,
                    None,
                ),
                (
                    "the role is another",
                    &change("value=\"caption\"", "value=\"subtitle\""),
                    Check::Renditions,
                    SDH,
                    None,
                ),
                (
                    "the role is unknown",
                    &change("value=\"caption\"", "value=\"karaoke\""),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "the type is another",
                    &change("text/vtt", "application/ttml+xml"),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "the language is gone",
                    &change("contentType=\"text\" lang=\"en\"", "contentType=\"text\""),
                    Check::Renditions,
                    ENGLISH,
                    None,
                ),
                (
                    "it leads elsewhere",
                    &change("subtitles-eng/0f3a", "subtitles-eng/0f3b"),
                    Check::Reference,
                    ENGLISH,
                    None,
                ),
                (
                    "the file is no WebVTT",
                    &|t| replace(&t.join("media/subtitles-eng/0f3a/subtitles.vtt"), "WEBVTT", "WEBVTX"),
                    Check::Structure,
                    ENGLISH,
                    None,
                ),
            ],
        );
    }
}

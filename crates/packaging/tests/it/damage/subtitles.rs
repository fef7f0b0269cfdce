//! Subtitles, in manifests and in their own files.

use std::path::Path;

use reelfarm_packaging::verify::Check;

use super::{cut_element, replace, try_all};
use crate::title::{Title, profile};

const ENGLISH: Option<&str> = Some("subtitles-eng");
const WHOLE: &str = "media/subtitles-eng/0f3a/subtitles.vtt";
const DELIVERED: &str = "media/subtitles-eng/0f3a/delivered";
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
                    "the delivered file says something else",
                    &change(DELIVERED, "Hello", "Hullo"),
                    Check::AccessUnits,
                    ENGLISH,
                    Some(1),
                ),
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
                    "a segment is longer than the target duration",
                    &change(&playlist, "TARGETDURATION:60", "TARGETDURATION:10"),
                    Check::StatedTime,
                    ENGLISH,
                    None,
                ),
                (
                    "the playlist may grow",
                    &change(&playlist, "#EXT-X-PLAYLIST-TYPE:VOD\n", ""),
                    Check::Manifest,
                    ENGLISH,
                    None,
                ),
                (
                    "the delivered file is gone",
                    &|t| fs_err::remove_file(t.join(DELIVERED)).unwrap(),
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
        let change_in = |file: &str, from: &'static str, to: &'static str| {
            let file = file.to_owned();
            move |t: &Path| replace(&t.join(&file), from, to)
        };
        let change = |from, to| change_in(&mpd, from, to);
        try_all(
            &title,
            &profile,
            &[
                (
                    "a track is dropped",
                    &|t| {
                        cut_element(
                            &t.join(&mpd),
                            "<AdaptationSet id=\"4\" contentType=\"text\"",
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
                    "two sets have one id",
                    &change("id=\"4\" contentType=\"text\"", "id=\"3\" contentType=\"text\""),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "an id is no number",
                    &change("id=\"4\" contentType=\"text\"", "id=\"subtitles\" contentType=\"text\""),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "two representations have one id",
                    &change("Representation id=\"subtitles-eng-sdh\"", "Representation id=\"subtitles-eng\""),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "text is said to be encrypted",
                    &change(
                        "<Label>English (SDH)",
                        "<ContentProtection schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\"/><Label>English (SDH)",
                    ),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "text has a size",
                    &change("mimeType=\"text/vtt\"", "width=\"320\" mimeType=\"text/vtt\""),
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "the label stands behind the role",
                    &|t| {
                        cut_element(&t.join(&mpd), "<Label>English (SDH)", "</Label>");
                        let role = "value=\"caption\"/>";
                        replace(&t.join(&mpd), role, &format!("{role}<Label>English (SDH)</Label>"));
                    },
                    Check::Manifest,
                    None,
                    None,
                ),
                (
                    "a cue is lost",
                    &|t| cut_element(&t.join(WHOLE), "\n00:00:09.960", "Goodbye\n"),
                    Check::AccessUnits,
                    ENGLISH,
                    None,
                ),
                (
                    "a cue is late",
                    &change_in(WHOLE, "00:00:00.500", "00:00:00.540"),
                    Check::AccessUnits,
                    ENGLISH,
                    None,
                ),
                ("a cue is another", &change_in(WHOLE, "Hello", "Hullo"), Check::AccessUnits, ENGLISH, None),
                (
                    "a cue stays longer than the film",
                    &change_in(WHOLE, "00:00:11.000", "00:00:12.000"),
                    Check::AccessUnits,
                    ENGLISH,
                    None,
                ),
                (
                    "the delivered file says something else",
                    &change_in(DELIVERED, "Hello", "Hullo"),
                    Check::AccessUnits,
                    ENGLISH,
                    None,
                ),
                (
                    "the delivered file is for another film",
                    &change_in(DELIVERED, "00:00:09,960", "00:00:11,960"),
                    Check::Structure,
                    ENGLISH,
                    None,
                ),
                (
                    "the whole track is gone",
                    &|t| fs_err::remove_file(t.join(WHOLE)).unwrap(),
                    Check::Reference,
                    ENGLISH,
                    None,
                ),
                (
                    "the file is no WebVTT",
                    &change_in(WHOLE, "WEBVTT", "WEBVTX"),
                    Check::Structure,
                    ENGLISH,
                    None,
                ),
            ],
        );
    }
}

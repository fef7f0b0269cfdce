//! MPDs and playlists.

use std::path::{Path, PathBuf};

use reelfarm_packaging::verify::Check;

use super::{AUDIO, VIDEO, cut_element, edit, replace, try_all};
use crate::title::{Title, profile};

#[test]
fn damaged_mpds_are_found() {
    let title = Title::encode();
    let profile = profile("dash-clr-2s");
    let mpd = PathBuf::from("dash-clr-2s/manifest.mpd");
    let change = |from: &'static str, to: &'static str| {
        let mpd = mpd.clone();
        move |t: &Path| replace(&t.join(&mpd), from, to)
    };
    let surround = Some("audio-en-surround");
    try_all(
        &title,
        &profile,
        &[
            ("it is deleted", &|t| fs_err::remove_file(t.join(&mpd)).unwrap(), Check::Reference, None, None),
            (
                "it is cut",
                &|t| edit(&t.join(&mpd), |bytes| bytes.truncate(bytes.len() - 30)),
                Check::Manifest,
                None,
                None,
            ),
            (
                "a representation is dropped",
                &|t| cut_element(&t.join(&mpd), "<Representation id=\"1\"", "</Representation>"),
                Check::Renditions,
                VIDEO,
                None,
            ),
            (
                "the surround sound is dropped",
                &|t| cut_element(&t.join(&mpd), "<Representation id=\"4\"", "</Representation>"),
                Check::Renditions,
                surround,
                None,
            ),
            (
                "a duration is changed",
                &change("d=\"12800\"", "d=\"12801\""),
                Check::StatedTime,
                Some("video-180p"),
                Some(6),
            ),
            (
                "a start is changed",
                &change("t=\"128000\"", "t=\"128256\""),
                Check::StatedTime,
                Some("video-180p"),
                Some(6),
            ),
            (
                "a segment is not listed",
                &change("r=\"4\"", "r=\"3\""),
                Check::SegmentCount,
                Some("video-180p"),
                None,
            ),
            (
                "one segment too many is listed",
                &change("r=\"4\"", "r=\"5\""),
                Check::Reference,
                Some("video-180p"),
                None,
            ),
            (
                "numbers begin elsewhere",
                &change("startNumber=\"1\"", "startNumber=\"2\""),
                Check::Accounted,
                None,
                None,
            ),
            ("the whole is shorter", &change("\"PT11S\"", "\"PT10S\""), Check::StatedTime, None, None),
            (
                "the language is another",
                &change("lang=\"en\"", "lang=\"de\""),
                Check::Attributes,
                AUDIO,
                None,
            ),
            ("the language is not stated", &change("lang=\"en\" ", ""), Check::Attributes, AUDIO, None),
            (
                "the channels are others",
                &change("value=\"6\"", "value=\"2\""),
                Check::Attributes,
                surround,
                None,
            ),
            (
                "the picture has another size",
                &change("width=\"256\"", "width=\"258\""),
                Check::Attributes,
                VIDEO,
                None,
            ),
            ("the frame rate is another", &change("12800/512", "12800/256"), Check::Attributes, VIDEO, None),
            ("the codec is another", &change("mp4a.40.2", "mp4a.40.5"), Check::Attributes, AUDIO, None),
            (
                "a URL leads out of the media set",
                &change("../media/", "../../media/"),
                Check::Manifest,
                None,
                None,
            ),
            (
                "the colour is another",
                &change("Characteristics\" value=\"1\"", "Characteristics\" value=\"16\""),
                Check::Manifest,
                None,
                None,
            ),
            ("an attribute is unknown", &change("startNumber", "firstNumber"), Check::Manifest, None, None),
        ],
    );
}

#[test]
fn damaged_playlists_are_found() {
    let title = Title::encode();
    let profile = profile("hls-clr-2s");
    let media = Title::media_path(&profile);
    let (master, video) =
        (PathBuf::from("hls-clr-2s/master.m3u8"), PathBuf::from("hls-clr-2s/video-144p.m3u8"));
    let audio = PathBuf::from("hls-clr-2s/audio-en-stereo.m3u8");
    let playlist = Some("video-144p.m3u8");
    let segment = format!("#EXTINF:2.000,\n../{media}/video-144p/2.m4s\n");
    let variant = "#EXT-X-STREAM-INF:";
    try_all(
        &title,
        &profile,
        &[
            (
                "it is deleted",
                &|t| fs_err::remove_file(t.join(&video)).unwrap(),
                Check::Reference,
                playlist,
                None,
            ),
            (
                "a segment is not listed",
                &|t| replace(&t.join(&video), &segment, ""),
                Check::SegmentCount,
                VIDEO,
                None,
            ),
            (
                "a gap is where a segment was",
                &|t| replace(&t.join(&video), &segment, ""),
                Check::AccessUnits,
                VIDEO,
                Some(2),
            ),
            (
                "a duration is changed",
                &|t| replace(&t.join(&video), "2.000", "2.040"),
                Check::StatedTime,
                VIDEO,
                Some(1),
            ),
            (
                "durations of sound are rounded to frames of picture",
                &|t| replace(&t.join(&audio), "2.005333", "2.000000"),
                Check::StatedTime,
                AUDIO,
                Some(1),
            ),
            (
                "the end is cut",
                &|t| replace(&t.join(&video), "#EXT-X-ENDLIST", ""),
                Check::Manifest,
                playlist,
                None,
            ),
            (
                "a segment is longer than the target duration",
                &|t| replace(&t.join(&video), "TARGETDURATION:3", "TARGETDURATION:1"),
                Check::StatedTime,
                playlist,
                None,
            ),
            (
                "a rung is dropped from a group",
                &|t| cut_element(&t.join(&master), variant, "video-144p.m3u8\n"),
                Check::Renditions,
                None,
                None,
            ),
            (
                "the sound is dropped",
                &|t| cut_element(&t.join(&master), "#EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio-en-stereo", "\n"),
                Check::Renditions,
                AUDIO,
                None,
            ),
            (
                "a group of sound has other members",
                &|t| replace(&t.join(&master), "NAME=\"English\",", "NAME=\"Englisch\","),
                Check::Manifest,
                None,
                None,
            ),
            (
                "a group of sound has another default",
                &|t| replace(&t.join(&master), "DEFAULT=YES", "DEFAULT=NO"),
                Check::Manifest,
                None,
                None,
            ),
            (
                "the header is not named",
                &|t| cut_element(&t.join(&video), "#EXT-X-MAP", "\n"),
                Check::Structure,
                VIDEO,
                Some(1),
            ),
            (
                "a playlist is another's",
                &|t| {
                    fs_err::copy(t.join("hls-clr-2s/video-108p.m3u8"), t.join(&video)).unwrap();
                },
                Check::Renditions,
                VIDEO,
                None,
            ),
        ],
    );
}

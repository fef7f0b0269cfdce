//! MPEG-TS segments, single files and progressive files.

use std::path::{Path, PathBuf};

use reelfarm_packaging::verify::Check;

use super::{AUDIO, VIDEO, edit, find, replace, swap, try_all};
use crate::title::{Title, ffmpeg, profile};

#[test]
fn damaged_transport_streams_are_found() {
    let title = Title::encode();
    let profile = profile("ts-clr-4s");
    let media = PathBuf::from(Title::media_path(&profile));
    let (v2, v3) = (media.join("video-144p/2.ts"), media.join("video-144p/3.ts"));
    let a2 = media.join("audio-en-stereo/2.ts");
    try_all(
        &title,
        &profile,
        &[
            (
                "two segments are swapped",
                &|t| swap(&t.join(&v2), &t.join(&v3)),
                Check::AccessUnits,
                VIDEO,
                Some(2),
            ),
            (
                "a packet is lost",
                &|t| {
                    edit(&t.join(&v2), |bytes| {
                        bytes.drain(188 * 20..188 * 21);
                    });
                },
                Check::Structure,
                VIDEO,
                Some(2),
            ),
            (
                "a byte of a picture is flipped",
                &|t| edit(&t.join(&v2), |bytes| bytes[188 * 20 + 100] ^= 1),
                Check::AccessUnits,
                VIDEO,
                Some(2),
            ),
            (
                "the program map is damaged",
                &|t| edit(&t.join(&v2), |bytes| bytes[188 * 2 - 10] ^= 1),
                Check::Structure,
                VIDEO,
                Some(2),
            ),
            (
                "the last frames of sound are lost",
                &|t| edit(&t.join(&a2), |bytes| bytes.truncate(bytes.len() - 188 * 8)),
                Check::StatedTime,
                AUDIO,
                Some(2),
            ),
            (
                "the end of a segment is cut inside a packet",
                &|t| edit(&t.join(&v3), |bytes| bytes.truncate(bytes.len() - 100)),
                Check::Structure,
                VIDEO,
                Some(3),
            ),
        ],
    );
}

#[test]
fn damaged_single_files_are_found() {
    let title = Title::encode();
    let profile = profile("od-clr-2s");
    let media = PathBuf::from(Title::media_path(&profile));
    let (file, mpd) = (media.join("video-144p.mp4"), PathBuf::from("od-clr-2s/manifest.mpd"));
    try_all(
        &title,
        &profile,
        &[
            (
                "it is deleted",
                &|t| fs_err::remove_file(t.join(&file)).unwrap(),
                Check::Reference,
                VIDEO,
                None,
            ),
            (
                "it is cut",
                &|t| edit(&t.join(&file), |bytes| bytes.truncate(bytes.len() - 1)),
                Check::Structure,
                VIDEO,
                None,
            ),
            (
                "a duration of the index is changed",
                // Type, version, id, time scale, two times, count, size: then the first reference's duration.
                &|t| {
                    edit(&t.join(&file), |bytes| {
                        let at = find(bytes, b"sidx") + 34;
                        bytes[at] ^= 1;
                    });
                },
                Check::StatedTime,
                VIDEO,
                Some(1),
            ),
            (
                "a size of the index is changed",
                &|t| {
                    edit(&t.join(&file), |bytes| {
                        let at = find(bytes, b"sidx") + 31;
                        bytes[at] ^= 1;
                    });
                },
                Check::Structure,
                VIDEO,
                None,
            ),
            (
                "a picture's byte is flipped",
                &|t| {
                    edit(&t.join(&file), |bytes| {
                        let last = bytes.len() - 1;
                        bytes[last] ^= 1;
                    });
                },
                Check::AccessUnits,
                VIDEO,
                Some(6),
            ),
            (
                "the index is looked for elsewhere",
                &|t| replace(&t.join(&mpd), "indexRange=\"8", "indexRange=\"7"),
                Check::Structure,
                Some("video-180p"),
                None,
            ),
        ],
    );
}

#[test]
fn damaged_progressive_files_are_found() {
    let title = Title::encode();
    let profile = profile("mp4-clr");
    let file = PathBuf::from(Title::media_path(&profile)).join("progressive.mp4");
    let remux = |before: &'static [&'static str], after: &'static [&'static str]| {
        let file = file.clone();
        move |t: &Path| {
            let (file, copy) = (t.join(&file), t.join("copy.mp4"));
            let (from, to) = (file.to_str().unwrap(), copy.to_str().unwrap());
            let maps: &[&str] = &["-i", from, "-map", "0:v", "-map", "1:a", "-c", "copy"];
            ffmpeg(&[&["-i", from], before, maps, after, &[to]].concat());
            fs_err::rename(&copy, &file).unwrap();
        }
    };
    try_all(
        &title,
        &profile,
        &[
            ("the header is last", &remux(&[], &[]), Check::FastStart, None, None),
            (
                "the sound is late",
                &remux(&["-itsoffset", "0.040"], &["-movflags", "+faststart"]),
                Check::Synchronisation,
                AUDIO,
                None,
            ),
            (
                "the last frame is lost",
                &remux(&[], &["-movflags", "+faststart", "-frames:v", "274"]),
                Check::AccessUnits,
                Some("video-180p"),
                None,
            ),
            (
                "the language is lost",
                &remux(&[], &["-movflags", "+faststart", "-metadata:s:a:0", "language=und"]),
                Check::Attributes,
                AUDIO,
                None,
            ),
            (
                "the sound is dropped",
                &remux(&[], &["-movflags", "+faststart", "-map", "-0:a", "-map", "-1:a"]),
                Check::Renditions,
                None,
                None,
            ),
            (
                "it is cut",
                &|t| edit(&t.join(&file), |bytes| bytes.truncate(bytes.len() / 2)),
                Check::Structure,
                None,
                None,
            ),
        ],
    );
}

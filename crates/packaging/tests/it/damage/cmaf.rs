//! CMAF segments.

use std::path::PathBuf;

use reelfarm_packaging::verify::Check;

use super::{AUDIO, VIDEO, edit, find, swap, try_all};
use crate::title::{Title, profile};

#[test]
fn damaged_cmaf_segments_are_found() {
    let title = Title::encode();
    let profile = profile("dash-clr-2s");
    let media = PathBuf::from(Title::media_path(&profile));
    let segment = |track: &str, number: u32| media.join(format!("{track}/{number}.m4s"));
    let (v2, v3, v6) = (segment("video-144p", 2), segment("video-144p", 3), segment("video-144p", 6));
    let (a2, a3) = (segment("audio-en-stereo", 2), segment("audio-en-stereo", 3));
    let init = media.join("video-144p/init.mp4");
    try_all(
        &title,
        &profile,
        &[
            (
                "a segment is deleted",
                &|t| fs_err::remove_file(t.join(&v3)).unwrap(),
                Check::Reference,
                VIDEO,
                Some(3),
            ),
            (
                "the last segment is deleted",
                &|t| fs_err::remove_file(t.join(&v6)).unwrap(),
                Check::Reference,
                VIDEO,
                Some(6),
            ),
            (
                "two segments are swapped",
                &|t| swap(&t.join(&v2), &t.join(&v3)),
                Check::AccessUnits,
                VIDEO,
                Some(2),
            ),
            (
                "swapped segments begin elsewhere",
                &|t| swap(&t.join(&v2), &t.join(&v3)),
                Check::SegmentStart,
                VIDEO,
                Some(2),
            ),
            (
                "two audio segments are swapped",
                &|t| swap(&t.join(&a2), &t.join(&a3)),
                Check::SegmentStart,
                AUDIO,
                Some(3),
            ),
            (
                "a segment stands twice",
                &|t| {
                    fs_err::copy(t.join(&v2), t.join(&v3)).unwrap();
                },
                Check::AccessUnits,
                VIDEO,
                Some(3),
            ),
            (
                "a byte of a picture is flipped",
                &|t| {
                    edit(&t.join(&v3), |bytes| {
                        let last = bytes.len() - 1;
                        bytes[last] ^= 1;
                    });
                },
                Check::AccessUnits,
                VIDEO,
                Some(3),
            ),
            (
                "a byte of sound is flipped",
                &|t| {
                    edit(&t.join(&a2), |bytes| {
                        let at = bytes.len() - 100;
                        bytes[at] ^= 0x10;
                    });
                },
                Check::AccessUnits,
                AUDIO,
                Some(2),
            ),
            (
                "a segment is cut",
                &|t| edit(&t.join(&v3), |bytes| bytes.truncate(bytes.len() - 10)),
                Check::Structure,
                VIDEO,
                Some(3),
            ),
            ("a segment is empty", &|t| edit(&t.join(&v3), Vec::clear), Check::Structure, VIDEO, Some(3)),
            (
                "an IDR picture becomes another",
                &|t| {
                    edit(&t.join(&v2), |bytes| {
                        let mdat = find(bytes, b"mdat");
                        let at = mdat + bytes[mdat..].iter().position(|byte| *byte == 0x65).unwrap();
                        bytes[at] = 0x61;
                        // The first sample's flags: no longer one to begin at.
                        let flags = find(bytes, b"trun") + 21;
                        bytes[flags] |= 1;
                    });
                },
                Check::Idr,
                VIDEO,
                Some(2),
            ),
            (
                "a segment's time is changed",
                &|t| {
                    edit(&t.join(&v3), |bytes| {
                        let at = find(bytes, b"tfdt") + 11;
                        bytes[at] ^= 2;
                    });
                },
                Check::PresentationTimes,
                VIDEO,
                Some(3),
            ),
            (
                "a frame's composition time is changed",
                &|t| {
                    edit(&t.join(&v3), |bytes| {
                        let at = find(bytes, b"trun") + 26;
                        bytes[at] ^= 2;
                    });
                },
                Check::PresentationTimes,
                VIDEO,
                Some(3),
            ),
            (
                "a frame is marked as one to begin at",
                // The flags of the second sample: size, flags and composition time are four bytes each.
                &|t| {
                    edit(&t.join(&v3), |bytes| {
                        let at = find(bytes, b"trun") + 33;
                        bytes[at] ^= 1;
                    });
                },
                Check::Structure,
                VIDEO,
                Some(3),
            ),
            (
                "the edit list is lost",
                &|t| {
                    edit(&t.join(&init), |bytes| {
                        let at = find(bytes, b"elst") + 18;
                        bytes[at..at + 2].fill(0);
                    });
                },
                Check::Synchronisation,
                VIDEO,
                None,
            ),
            (
                "a rung is another rung",
                &|t| {
                    fs_err::copy(t.join(&media).join("video-108p/init.mp4"), t.join(&init)).unwrap();
                },
                Check::Attributes,
                VIDEO,
                None,
            ),
            (
                "the header is cut",
                &|t| edit(&t.join(&init), |bytes| bytes.truncate(300)),
                Check::Structure,
                VIDEO,
                None,
            ),
            (
                "a file lies there that nobody named",
                &|t| fs_err::write(t.join(&media).join("video-144p/7.m4s"), b"x").unwrap(),
                Check::Accounted,
                None,
                None,
            ),
        ],
    );
}

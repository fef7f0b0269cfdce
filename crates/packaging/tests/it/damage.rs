//! Damages real outputs, one at a time, and expects verification to name what is wrong and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_model::profile::Profile;
use reelfarm_packaging::verify::{Check, Finding};

use crate::title::{Title, ffmpeg, profile};

/// One damage: what it is called, what it does to the title's folder, and what must be found: the check, the rendition and
/// the segment.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path), Check, Option<&'a str>, Option<u64>);

/// Publishes a profile, sees that it is good, and tries every damage on it.
fn try_all(title: &Title, profile: &Profile, damages: &[Damage<'_>]) {
    title.publish(profile);
    title.verify(profile).unwrap();
    for (name, damage, check, rendition, segment) in damages {
        let before = snapshot(&title.origin());
        damage(&title.origin());
        assert_ne!(snapshot(&title.origin()), before, "{name}: nothing was damaged");
        let findings = title.verify(profile).expect_err(name);
        let is_it = |finding: &Finding| {
            finding.check == *check
                && finding.rendition.as_deref() == *rendition
                && finding.segment == *segment
        };
        let list: String =
            findings.iter().map(|finding| format!("{:?} {finding}\n", finding.check)).collect();
        assert!(findings.iter().any(is_it), "{name}: {check:?} {rendition:?} {segment:?} is not in\n{list}");
        assert!(findings.iter().all(|finding| finding.profile == profile.id));
        restore(&title.origin(), &before);
    }
    title.verify(profile).unwrap();
}

fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.insert(path.clone(), fs_err::read(&path).unwrap());
        }
    }
    files
}

fn restore(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for path in snapshot(folder).keys().filter(|path| !files.contains_key(*path)) {
        fs_err::remove_file(path).unwrap();
    }
    for (path, bytes) in files {
        fs_err::write(path, bytes).unwrap();
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs_err::read(path).unwrap();
    change(&mut bytes);
    fs_err::write(path, bytes).unwrap();
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    fs_err::write(path, text.replacen(from, to, 1)).unwrap();
}

fn swap(one: &Path, other: &Path) {
    let (a, b) = (fs_err::read(one).unwrap(), fs_err::read(other).unwrap());
    fs_err::write(one, b).unwrap();
    fs_err::write(other, a).unwrap();
}

/// Where `needle` first stands in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

/// Cuts an XML element with all that it holds.
fn cut_element(path: &Path, begin: &str, end: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    let from = text.find(begin).unwrap();
    let to = from + text[from..].find(end).unwrap() + end.len();
    fs_err::write(path, format!("{}{}", &text[..from], &text[to..])).unwrap();
}

const VIDEO: Option<&str> = Some("video-144p");
const AUDIO: Option<&str> = Some("audio-en-stereo");

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

#[test]
fn segments_of_another_length_are_found() {
    let title = Title::encode();
    let (two, four) = (profile("dash-clr-2s"), profile("dash-clr-4s"));
    title.publish(&two);
    let media = title.origin().join(Title::media_path(&four));
    fs_err::create_dir_all(media.parent().unwrap()).unwrap();
    fs_err::rename(title.origin().join(Title::media_path(&two)), &media).unwrap();
    title.publish(&four);
    let findings = title.verify(&four).unwrap_err();
    for check in [Check::SegmentCount, Check::SegmentStart] {
        assert!(findings.iter().any(|finding| finding.check == check), "{check:?}: {findings:?}");
    }
}

//! What is wrong with the CMAF media set, or with what was made of it, is noticed and named; nothing panics.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::{Code, Failure, KeyId};
use reelfarm_packaging::smooth::read::{Chunk, Format, Manifest, Reader};
use reelfarm_packaging::smooth::{Protection, SmoothError, package};

use crate::cmaf::{CLIP, Clip, Picture, Renditions, Sound, key, protection};
use crate::readback::{files, fragments, manifest};

/// Four seconds of one picture and one sound.
const SHORT: Clip<'static> = Clip {
    frame_count: 100,
    pictures: &[Picture { name: "108p", width: 192, height: 108, b_frames: 2 }],
    sounds: &[Sound { id: "audio-en", language: "en", layout: ChannelLayout::Stereo }],
    ..CLIP
};

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs_err::read(path).unwrap();
    change(&mut bytes);
    fs_err::write(path, bytes).unwrap();
}

/// Where a box's type stands.
fn find(bytes: &[u8], kind: &[u8]) -> usize {
    bytes.windows(kind.len()).position(|window| window == kind).unwrap()
}

fn swap(folder: &Path, one: &str, other: &str) {
    let (one, other) = (folder.join(one), folder.join(other));
    let bytes = fs_err::read(&one).unwrap();
    fs_err::write(&one, fs_err::read(&other).unwrap()).unwrap();
    fs_err::write(&other, bytes).unwrap();
}

/// One damage to the CMAF media set: what it does, and the file, the box and the code that the error must name.
type Damage<'a> = (&'a dyn Fn(&Path), &'a str, &'a str, Code);

#[test]
fn what_is_wrong_with_the_cmaf_media_set_is_named() {
    let renditions = Renditions::encode(&SHORT);
    let damages: &[Damage<'_>] = &[
        (
            &|set| fs_err::remove_file(set.join("video-108p/init.mp4")).unwrap(),
            "video-108p/init.mp4",
            "",
            Code::ArtifactMissing,
        ),
        (
            &|set| fs_err::remove_file(set.join("audio-en/1.m4s")).unwrap(),
            "audio-en/1.m4s",
            "",
            Code::ArtifactMissing,
        ),
        (
            &|set| fs_err::remove_file(set.join("video-108p/2.m4s")).unwrap(),
            "video-108p",
            "segments: it has 50 pictures of 100",
            Code::PackagerFailed,
        ),
        (
            &|set| swap(set, "video-108p/1.m4s", "video-108p/2.m4s"),
            "video-108p/1.m4s",
            "moof/traf/tfdt: it begins at 25600",
            Code::PackagerFailed,
        ),
        (
            &|set| swap(set, "video-108p/init.mp4", "audio-en/init.mp4"),
            "video-108p/init.mp4",
            "moov/trak/mdia/minf/stbl/stsd",
            Code::PackagerFailed,
        ),
        (
            &|set| swap(set, "video-108p/1.m4s", "audio-en/1.m4s"),
            "video-108p/1.m4s",
            "",
            Code::PackagerFailed,
        ),
        (
            &|set| edit(&set.join("video-108p/2.m4s"), |bytes| bytes.truncate(bytes.len() - 1)),
            "video-108p/2.m4s",
            "segment: box mdat",
            Code::PackagerFailed,
        ),
        (
            &|set| edit(&set.join("audio-en/2.m4s"), |bytes| bytes.extend(b"\0\0\0\x09junk!")),
            "audio-en/2.m4s",
            "segment/junk",
            Code::PackagerFailed,
        ),
        (
            &|set| edit(&set.join("audio-en/2.m4s"), |bytes| bytes.extend(b"\0\0\0\x09mdat!")),
            "audio-en/2.m4s",
            "mdat: there are two",
            Code::PackagerFailed,
        ),
        (
            &|set| edit(&set.join("video-108p/1.m4s"), |bytes| bytes.clear()),
            "video-108p/1.m4s",
            "moof: there is none",
            Code::PackagerFailed,
        ),
        (
            // Another type of sample group than that of roll distances.
            &|set| {
                edit(&set.join("audio-en/1.m4s"), |bytes| {
                    let at = find(bytes, b"roll");
                    bytes[at..at + 4].copy_from_slice(b"seig");
                });
            },
            "audio-en/1.m4s",
            "moof/traf/sbgp: there is a sample group seig",
            Code::PackagerFailed,
        ),
        (
            // The first picture is no longer marked as a place to begin.
            &|set| {
                edit(&set.join("video-108p/1.m4s"), |bytes| {
                    let at = find(bytes, b"trun");
                    bytes[at + 4 + 4 + 4 + 4 + 4 + 1] |= 1;
                });
            },
            "video-108p/1.m4s",
            "moof/traf/trun: IDR pictures",
            Code::PackagerFailed,
        ),
        (
            &|set| {
                edit(&set.join("video-108p/1.m4s"), |bytes| {
                    let at = find(bytes, b"trun");
                    bytes[at + 4 + 4 + 4 + 3] ^= 1;
                });
            },
            "video-108p/1.m4s",
            "moof/traf/trun: its data is at",
            Code::PackagerFailed,
        ),
        (
            &|set| {
                edit(&set.join("video-108p/1.m4s"), |bytes| {
                    let at = find(bytes, b"mdat");
                    // The length of the first NAL unit.
                    bytes[at + 4] = 0x7F;
                });
            },
            "video-108p/1.m4s",
            "mdat: a NAL unit",
            Code::PackagerFailed,
        ),
    ];
    for (index, (damage, file, place, code)) in damages.iter().enumerate() {
        let cmaf = renditions.cmaf(&format!("cmaf-{index}"), 2, false);
        let output = renditions.path(&format!("output-{index}"));
        damage(&cmaf);
        let error = package(&renditions.input(&cmaf, None), &output, |_| {}).expect_err(place);
        let words = error.to_string();
        assert!(words.contains(file) && words.contains(place), "{index}: {words}");
        assert_eq!(Failure::from(error).code, *code, "{words}");
        assert!(!output.join("Manifest").exists(), "{index}");
    }
}

#[test]
fn encryption_is_as_planned_or_refused() {
    let renditions = Renditions::encode(&SHORT);
    let (clear, encrypted) = (renditions.cmaf("clear", 2, false), renditions.cmaf("cenc", 2, true));
    let right = protection();
    let other = Protection { key_id: KeyId([9; 16]), ..protection() };
    for (cmaf, protection, words) in [
        (&clear, Some(&right), "the track is clear"),
        (&encrypted, None, "the track is encrypted"),
        (&encrypted, Some(&other), "its key is 000102030405060708090a0b0c0d0e0f"),
    ] {
        let output = renditions.path("output");
        let error = package(&renditions.input(cmaf, protection), &output, |_| {}).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!output.exists());
    }
    // Segments that are encrypted otherwise than their header says.
    for (from, to, track) in [(&clear, &encrypted, "audio-en"), (&encrypted, &clear, "video-108p")] {
        let name = format!("{track}/2.m4s");
        let mixed = renditions.path(&format!("mixed-{track}"));
        for (file, bytes) in files(to) {
            let path = mixed.join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
        fs_err::copy(from.join(&name), mixed.join(&name)).unwrap();
        let protection = (to == &encrypted).then_some(&right);
        let output = renditions.path(&format!("output-{track}"));
        let error = package(&renditions.input(&mixed, protection), &output, |_| {}).unwrap_err();
        let SmoothError::Media { file, malformed } = &error else { panic!("{error}") };
        assert!(file.ends_with(&name) && malformed.place == "moof/traf/senc", "{error}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_the_hosts_fault() {
    let renditions = Renditions::encode(&SHORT);
    let cmaf = renditions.cmaf("cmaf", 2, false);
    fs_err::write(renditions.path("file"), b"").unwrap();
    let error = package(&renditions.input(&cmaf, None), &renditions.path("file/output"), |_| {}).unwrap_err();
    assert!(matches!(error, SmoothError::Write(_)), "{error}");
    assert_eq!(Failure::from(error).code, Code::StateUnreachable);
}

#[test]
fn no_part_of_the_manifest_can_be_changed_unnoticed() {
    let renditions = Renditions::encode(&Clip { frame_count: 100, ..CLIP });
    let cmaf = renditions.cmaf("cmaf", 2, true);
    let folder = renditions.smooth("smooth", &cmaf, Some(&protection())).join("Manifest");
    let text = fs_err::read_to_string(folder).unwrap();
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let rate = |level: usize| format!("Bitrate=\"{}\"", manifest.streams[0].levels[level].bitrate);
    for (from, to, place) in [
        ("MajorVersion=\"2\"", "MajorVersion=\"1\"", "SmoothStreamingMedia"),
        ("MinorVersion=\"0\"", "MinorVersion=\"3\"", "SmoothStreamingMedia"),
        ("TimeScale=\"10000000\" Duration", "TimeScale=\"1000\" Duration", "SmoothStreamingMedia"),
        ("TimeScale=\"10000000\" Chunks", "TimeScale=\"1000\" Chunks", "StreamIndex video"),
        ("Chunks=\"2\"", "Chunks=\"3\"", "StreamIndex video"),
        ("QualityLevels=\"2\"", "QualityLevels=\"1\"", "StreamIndex video"),
        ("Name=\"video\"", "Name=\"video 1\"", "StreamIndex video 1"),
        ("Fragments(video=", "Fragments(audio=", "StreamIndex video"),
        ("Language=\"deu\" ", "", "StreamIndex audio_de_surround"),
        ("DisplayWidth=\"320\"", "DisplayWidth=\"640\"", "StreamIndex video"),
        ("Index=\"1\"", "Index=\"2\"", "StreamIndex video"),
        (&rate(1), &rate(0), "SmoothStreamingMedia"),
        ("FourCC=\"H264\"", "FourCC=\"AVC1\"", "QualityLevel"),
        ("NALUnitLengthField=\"4\"", "NALUnitLengthField=\"3\"", "QualityLevel"),
        ("MaxHeight=\"108\" NAL", "NAL", "QualityLevel"),
        ("CodecPrivateData=\"00000001", "CodecPrivateData=\"000001", "QualityLevel"),
        ("CodecPrivateData=\"00000001", "CodecPrivateData=\"xyz", "QualityLevel"),
        ("SamplingRate=\"48000\"", "SamplingRate=\"44100\"", "QualityLevel"),
        ("Channels=\"6\"", "Channels=\"2\"", "QualityLevel"),
        ("PacketSize=\"4\"", "PacketSize=\"0\"", "QualityLevel"),
        ("AudioTag=\"255\"", "AudioTag=\"85\"", "QualityLevel"),
        ("<c t=\"0\" d", "<c d", "StreamIndex video"),
        ("<c d=", "<c t=\"20000000\" d=", "StreamIndex video"),
        ("<c d=\"20000000\"", "<c d=\"0\"", "StreamIndex video"),
        ("<c d=\"20000000\"", "<c d=\"18446744073709551615\"", "c"),
        ("9A04F079", "EDEF8BA9", "ProtectionHeader"),
        ("YSBQ", "Y=BQ", "ProtectionHeader"),
        ("Type=\"video\"", "Type=\"audio\"", "SmoothStreamingMedia"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        let refused = Manifest::parse(text.replacen(from, to, 1).as_bytes()).expect_err(to);
        assert_eq!(refused.place, place, "{to}: {refused}");
    }
}

/// The first fragment of the pictures and of the sound, with what the manifest states of each.
fn made(renditions: &Renditions, is_encrypted: bool) -> Vec<(Format, Chunk, Vec<u8>)> {
    let cmaf = renditions.cmaf("cmaf", 2, is_encrypted);
    let protection = protection();
    let folder = renditions.smooth("smooth", &cmaf, is_encrypted.then_some(&protection));
    let first = |stream: &reelfarm_packaging::smooth::read::Stream| {
        let (level, chunk) = (&stream.levels[0], stream.chunks[0]);
        let bytes = fs_err::read(folder.join(stream.path(level, chunk))).unwrap();
        (level.format.clone(), chunk, bytes)
    };
    manifest(&folder).streams.iter().map(first).collect()
}

#[test]
fn no_part_of_a_fragment_can_be_changed_unnoticed() {
    let renditions = Renditions::encode(&SHORT);
    let fragments = made(&renditions, true);
    let (format, chunk, bytes) = &fragments[0];
    Reader::new(format, Some(&key())).read(*chunk, bytes).unwrap();
    for (kind, offset, place) in [
        (&b"tfhd"[..], 7, "moof/traf/tfhd"),
        (b"tfhd", 0, "moof/traf/ufhd"),
        (b"trun", 7, "moof/traf/trun"),
        (b"trun", 11, "moof/traf/trun"),
        (b"trun", 15, "moof/traf/trun"),
        // Duration, size and flags of the first sample.
        (b"trun", 19, "moof/traf/trun"),
        (b"trun", 23, "moof/traf/trun"),
        (b"trun", 25, "moof/traf/trun"),
        (b"sdtp", 8, "moof/traf/sdtp"),
        (&[0x6d, 0x1d, 0x9b, 0x05], 0, "moof/traf/uuid"),
        (&[0x6d, 0x1d, 0x9b, 0x05], 27, "moof/traf/uuid (times)"),
        (&[0x6d, 0x1d, 0x9b, 0x05], 35, "moof/traf/uuid (times)"),
        (&[0xa2, 0x39, 0x4f, 0x52], 0, "moof/traf/uuid"),
        (&[0xa2, 0x39, 0x4f, 0x52], 19, "moof/traf/uuid (sample encryption)"),
        (&[0xa2, 0x39, 0x4f, 0x52], 23, "moof/traf/uuid (sample encryption)"),
        (b"mdat", 4, "mdat"),
    ] {
        let mut changed = bytes.clone();
        changed[find(bytes, kind) + offset] ^= 1;
        let refused = Reader::new(format, Some(&key())).read(*chunk, &changed).expect_err(place);
        assert_eq!(refused.place, place, "{kind:?} {offset}: {refused}");
    }
    let (other, _, _) = &fragments[1];
    assert!(Reader::new(other, None).read(*chunk, bytes).is_err());
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8)>> {
    // Values that lengths and counts break on, beside any.
    let value = prop_oneof![Just(0), Just(0xFF), Just(0x7F), Just(0x80), any::<u8>()];
    prop::collection::vec((any::<Index>(), value), 1..12)
}

/// Changes some bytes among the first `head`, and cuts the end off.
fn damage(bytes: &[u8], head: usize, changes: &[(Index, u8)], cut: Option<Index>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value) in changes {
        let at = at.index(head.min(bytes.len()));
        bytes[at] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

/// What fails is not kept: it follows from the clip, which is encoded anew.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count) }
}

#[test]
fn changed_fragments_and_manifests_never_panic() {
    let renditions = Renditions::encode(&SHORT);
    let fragments = made(&renditions, true);
    let text = fs_err::read(renditions.path("smooth/Manifest")).unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(cases(2_000));
    let strategy = (changes(), any::<Option<Index>>(), any::<bool>());
    let run = |(changes, cut, is_head): (Vec<(Index, u8)>, Option<Index>, bool)| {
        for (format, chunk, bytes) in &fragments {
            // Most of a fragment is samples: aim at the boxes as well.
            let head = if is_head { find(bytes, b"mdat") } else { bytes.len() };
            let changed = damage(bytes, head, &changes, cut);
            let _ = Reader::new(format, Some(&key())).read(*chunk, &changed);
            let _ = Reader::new(format, None).read(*chunk, &changed);
        }
        if let Ok(manifest) = Manifest::parse(&damage(&text, text.len(), &changes, cut)) {
            prop_assert!(!manifest.streams.is_empty());
        }
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
}

#[test]
fn changed_media_sets_never_panic() {
    let renditions = Renditions::encode(&SHORT);
    let cmaf = renditions.cmaf("cmaf", 2, true);
    let protection = protection();
    let whole = files(&cmaf);
    let names: Vec<_> = whole.keys().filter(|name| name.extension().is_some_and(|e| e != "mpd")).collect();
    let mut runner = proptest::test_runner::TestRunner::new(cases(300));
    let strategy = (any::<Index>(), changes(), any::<Option<Index>>());
    let output = renditions.path("output");
    let run = |(which, changes, cut): (Index, Vec<(Index, u8)>, Option<Index>)| {
        let name = names[which.index(names.len())];
        let bytes = &whole[name];
        let boxes = if name.ends_with("init.mp4") { bytes.len() } else { find(bytes, b"mdat") + 40 };
        fs_err::write(cmaf.join(name), damage(bytes, boxes, &changes, cut)).unwrap();
        let made = package(&renditions.input(&cmaf, Some(&protection)), &output, |_| {});
        fs_err::write(cmaf.join(name), bytes).unwrap();
        if made.is_ok() {
            // What is made in spite of the damage is whole; whether key streams come twice is for verification to find.
            for stream in manifest(&output).streams {
                prop_assert!(!fragments(&output, &stream, 0, None).is_empty());
            }
        }
        if output.exists() {
            fs_err::remove_dir_all(&output).unwrap();
        }
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
}

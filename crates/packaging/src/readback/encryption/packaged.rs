//! What the real packager encrypts reads back as what it packages in clear.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::process::Command;

use reelfarm_drm::{Secret, TitleKeys};
use reelfarm_model::KeyId;
use reelfarm_model::profile::Scheme;

use super::super::segments::SegmentReader;
use super::super::{AccessUnit, Codec, ReadError, progressive};
use super::{Decryption, Encryption};
use crate::clip::{AUDIO_KEY, CLIP, Layout, VECTOR, VIDEO_KEY, keys};

/// Everything that reading gives.
struct Read {
    units: Vec<AccessUnit>,
    codec: Codec,
    encryption: Option<Encryption>,
}

fn read(layout: Layout, scheme: Option<Scheme>, track: &str, decryption: Decryption<'_>) -> Read {
    let (header, segments) = CLIP.track(layout, scheme, track);
    assert_eq!(segments.len(), 3);
    let mut reader = SegmentReader::opening(header.as_deref(), decryption).unwrap();
    let units = segments.iter().flat_map(|segment| reader.read(segment).unwrap()).collect();
    assert!(reader.systems().is_empty());
    Read { units, codec: reader.codec().unwrap().clone(), encryption: reader.encryption().cloned() }
}

fn payloads(read: &Read) -> Vec<u128> {
    read.units.iter().map(|unit| unit.payload).collect()
}

#[test]
fn common_encryption_reads_back_as_the_clear_track() {
    for layout in [Layout::Cmaf, Layout::SingleFile] {
        for scheme in [Scheme::Cenc, Scheme::Cbcs] {
            for track in ["v", "a"] {
                let what = format!("{layout:?} {scheme:?} {track}");
                let clear = read(layout, None, track, Decryption::Clear);
                assert_eq!(clear.encryption, None);
                let opened = read(layout, Some(scheme), track, Decryption::Common(&keys(true)));
                assert_eq!(opened.units, clear.units, "{what}");
                assert_eq!(opened.codec, clear.codec, "{what}");

                let found = opened.encryption.unwrap();
                let id = KeyId([if track == "v" { 0xD1 } else { 0xA1 }; 16]);
                assert_eq!((found.scheme, found.key_id), (scheme, Some(id)), "{what}");
                let vector = if scheme == Scheme::Cenc { &VECTOR[..8] } else { &VECTOR };
                assert_eq!(found.first_vector, vector, "{what}");
                let pattern = if (scheme, track) == (Scheme::Cbcs, "v") { (1, 9) } else { (0, 0) };
                assert_eq!(found.pattern, pattern, "{what}");
                assert_eq!((found.units, found.exposed), (clear.units.len() as u64, 0), "{what}");
                let counters = found.counters.map(|(first, _)| first.to_be_bytes());
                assert_eq!(counters.is_some(), scheme == Scheme::Cenc, "{what}");
                assert!(counters.is_none_or(|first| first[..8] == VECTOR[..8]), "{what}");
                // Half of the pictures are stills of few bytes.
                let fewest = if track == "v" { found.units / 2 } else { found.units - found.unchanged };
                assert!(found.unchanged <= found.units - fewest, "{what}: {found:?}");

                let wrong = read(layout, Some(scheme), track, Decryption::Common(&keys(false)));
                let differing =
                    payloads(&wrong).iter().zip(payloads(&clear)).filter(|(a, b)| **a != *b).count();
                assert_eq!(differing as u64, found.units - found.unchanged, "{what}");
                let sealed = read(layout, Some(scheme), track, Decryption::Sealed);
                let times = |read: &Read| {
                    read.units.iter().map(|unit| (unit.pts, unit.duration, unit.idr)).collect::<Vec<_>>()
                };
                assert_eq!(times(&sealed), times(&clear), "{what}");
                assert_ne!(payloads(&sealed), payloads(&clear), "{what}");
            }
        }
    }
}

fn movie(bytes: &[u8], decryption: Decryption<'_>) -> Result<progressive::Movie, ReadError> {
    progressive::read_from(Cursor::new(bytes), bytes.len() as u64, decryption)
}

#[test]
fn what_ffmpeg_encrypts_reads_back_as_well() {
    for track in ["v", "a"] {
        let (encrypted, clear) = CLIP.progressive(track);
        let clear = movie(&clear, Decryption::Clear).unwrap();
        let opened = movie(&encrypted, Decryption::Common(&keys(true))).unwrap();
        let (units, codec) = (&clear.tracks[0].0.units, &clear.tracks[0].0.codec);
        assert_eq!((&opened.tracks[0].0.units, &opened.tracks[0].0.codec), (units, codec));
        assert_eq!(clear.encryption, [None]);
        let found = opened.encryption[0].as_ref().unwrap();
        assert_eq!((found.scheme, found.units, found.exposed), (Scheme::Cenc, units.len() as u64, 0));
        assert_eq!(found.first_vector.len(), 8);
        assert!(opened.systems.is_empty());
        let wrong = movie(&encrypted, Decryption::Common(&keys(false))).unwrap();
        assert!(wrong.tracks[0].0.units.iter().zip(units).all(|(wrong, unit)| wrong.payload != unit.payload));
        assert!(movie(&encrypted, Decryption::Clear).is_err());
    }
}

#[test]
fn ffmpeg_opens_what_reads_back() {
    for scheme in [Scheme::Cenc, Scheme::Cbcs] {
        for (track, key) in [("v", VIDEO_KEY), ("a", AUDIO_KEY)] {
            let packets = |scheme: Option<Scheme>| {
                let (header, segments) = CLIP.track(Layout::Cmaf, scheme, track);
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("first.mp4");
                fs_err::write(&file, [header.unwrap(), segments[0].clone()].concat()).unwrap();
                let mut ffmpeg = Command::new("ffmpeg");
                ffmpeg.args(["-nostdin", "-v", "error"]);
                if scheme.is_some() {
                    ffmpeg.args(["-decryption_key", &hex::encode(key)]);
                }
                let output = ffmpeg.arg("-i").arg(file).args(["-c", "copy", "-f", "framemd5", "-"]).output();
                let text = String::from_utf8(output.unwrap().stdout).unwrap();
                text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
            };
            let clear = packets(None);
            assert!(clear.len() >= 50);
            assert_eq!(packets(Some(scheme)), clear, "{scheme:?} {track}");
        }
    }
}

#[test]
fn sample_aes_reads_back_as_the_clear_track() {
    for (track, key) in [("v", VIDEO_KEY), ("a", AUDIO_KEY)] {
        let clear = read(Layout::Ts, None, track, Decryption::Clear);
        let (key, wrong) = (Secret::new(key), Secret::new([0x33; 16]));
        let open =
            |key, vector| read(Layout::Ts, Some(Scheme::Cbcs), track, Decryption::SampleAes { key, vector });
        let opened = open(&key, VECTOR);
        assert_eq!(opened.units, clear.units, "{track}");
        assert_eq!(opened.codec, clear.codec);
        let found = opened.encryption.unwrap();
        assert_eq!((found.scheme, found.units), (Scheme::SampleAes, clear.units.len() as u64));
        assert_eq!(found.pattern, if track == "v" { (1, 9) } else { (0, 0) });
        assert!(found.unchanged <= found.units / 2, "{found:?}");
        for other in [open(&wrong, VECTOR), open(&key, [0; 16])] {
            let differing = payloads(&other).iter().zip(payloads(&clear)).filter(|(a, b)| **a != *b).count();
            assert_eq!(differing as u64, found.units - found.unchanged, "{track}");
        }
        let sealed = read(Layout::Ts, Some(Scheme::Cbcs), track, Decryption::Sealed);
        assert_ne!(payloads(&sealed), payloads(&clear));
    }
}

#[test]
fn what_is_not_encrypted_as_it_should_be_is_refused() {
    let keys = keys(true);
    let key = Secret::new(VIDEO_KEY);
    let samples = Decryption::SampleAes { key: &key, vector: VECTOR };
    let segments = Decryption::WholeSegments { key: &key, vector: VECTOR };
    let refused = |layout, scheme, decryption| {
        let (header, segments) = CLIP.track(layout, scheme, "v");
        SegmentReader::opening(header.as_deref(), decryption)
            .and_then(|mut reader| reader.read(&segments[0]))
            .unwrap_err()
            .to_string()
    };
    for (layout, scheme, decryption, expected) in [
        (Layout::Cmaf, Some(Scheme::Cenc), Decryption::Clear, "the track is encrypted (cenc)"),
        (Layout::Cmaf, None, Decryption::Common(&keys), "the track is not encrypted"),
        (Layout::Cmaf, Some(Scheme::Cbcs), samples, "only MPEG-TS is encrypted so"),
        (Layout::Ts, Some(Scheme::Cbcs), Decryption::Clear, "an encrypted stream"),
        (Layout::Ts, None, samples, "not encrypted"),
        (Layout::Ts, None, segments, "no whole number of blocks"),
        (Layout::Ts, None, Decryption::Common(&keys), "no common encryption"),
    ] {
        let reason = refused(layout, scheme, decryption);
        assert!(reason.contains(expected), "{layout:?} {scheme:?}: {reason}");
    }
    let none = TitleKeys::new(BTreeMap::new(), BTreeMap::new());
    let reason = refused(Layout::Cmaf, Some(Scheme::Cenc), Decryption::Common(&none));
    assert!(reason.contains(&format!("box tenc: there is no key {}", KeyId([0xD1; 16]))), "{reason}");
}

//! A small film: as the farm's own reader reads it back, with changed bytes, and with the header of a large one.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use reelfarm_drm::{ContentKey, Secret, TitleKeys};
use reelfarm_model::{KeyId, KeyUse};

use super::auxiliary::Auxiliary;
use super::source::LARGEST_MOOV;
use super::*;
use crate::readback::encryption::Decryption;
use crate::readback::progressive;

static KEY: LazyLock<ContentKey> =
    LazyLock::new(|| ContentKey { id: KeyId([1; 16]), key: Secret::new([2; 16]) });

/// Pictures in slices, and sound.
static FILM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let arguments = "-nostdin -v error -f lavfi -i testsrc2=s=64x36:r=25:d=1 -f lavfi -i sine=d=1 -c:v libx264 \
        -preset veryfast -threads 1 -pix_fmt yuv420p -x264-params slices=2:repeat-headers=1 -c:a aac \
        -movflags +faststart";
    let run = Command::new("ffmpeg").args(arguments.split_whitespace()).arg(&path).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    fs_err::read(path).unwrap()
});

fn protections() -> [TrackProtection<'static>; 2] {
    [[0; 8], [1; 8]].map(|vector| TrackProtection { key: &KEY, vector })
}

fn protected(film: &[u8]) -> Result<Vec<u8>, ProtectError> {
    let mut output = Vec::new();
    let file = Cursor::new(film);
    let run = protect_stream(file, film.len() as u64, &mut output, &protections(), &[], &mut |_| {});
    run.map_err(|fault| fault.of(Path::new("film.mp4")))?;
    Ok(output)
}

fn position(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|window| window == kind).unwrap() - 4
}

fn header(film: &[u8]) -> Source {
    Source::open(&mut Cursor::new(film), film.len() as u64).unwrap()
}

#[test]
fn the_farms_own_reader_opens_it_with_the_right_key_alone() {
    let protected = protected(&FILM).unwrap();
    let read = |film: &[u8], decryption: Decryption<'_>| {
        progressive::read_from(Cursor::new(film), film.len() as u64, decryption).unwrap()
    };
    let wrong = ContentKey { id: KEY.id, key: Secret::new([3; 16]) };
    let [right, wrong] =
        [KEY.clone(), wrong].map(|key| TitleKeys::new([(KeyUse::All, key)].into(), [].into()));
    let clear = read(&FILM, Decryption::Clear);
    let opened = read(&protected, Decryption::Common(&right));
    assert!(opened.fast_start && opened.tracks.len() == 2);
    for (index, (track, language)) in clear.tracks.iter().enumerate() {
        let (other, other_language) = &opened.tracks[index];
        assert_eq!((&track.units, &track.codec, language), (&other.units, &other.codec, other_language));
        let found = opened.encryption[index].as_ref().unwrap();
        assert_eq!((found.key_id, found.exposed), (Some(KEY.id), 0));
        assert_eq!(found.first_vector, [index as u8; 8]);
        assert!(found.unchanged < found.units);
        for shut in [Decryption::Common(&wrong), Decryption::Sealed] {
            let (other, _) = &read(&protected, shut).tracks[index];
            assert_ne!(track.units, other.units);
        }
    }
}

#[test]
fn a_file_beyond_4_gib_has_places_of_64_bits() {
    const MEDIA: u64 = 5 << 30;

    let mut source = header(&FILM);
    let tracks = header::tracks(&source.moov, &source.media).unwrap();
    let auxiliary = [Auxiliary::divided([0; 8]), Auxiliary::whole([1; 8], 0)];
    let protected = |source: &Source| {
        let tracks: Vec<_> = tracks
            .iter()
            .zip(&auxiliary)
            .map(|(track, auxiliary)| ProtectedTrack { track, key: &KEY, auxiliary })
            .collect();
        rewrite::file_header(source, &tracks, &[]).unwrap()
    };
    let small = protected(&source);
    assert!(!small.windows(4).any(|window| window == b"co64"));
    assert_eq!(small[small.len() - 4..], *b"mdat");

    let first = source.media.start;
    source.media.end = first + MEDIA;
    let large = protected(&source);
    assert!(!large.windows(4).any(|window| window == b"stco"));
    // The first sample is the first picture, right behind a header of 16 bytes.
    let co64 = position(&large, b"co64");
    assert_eq!(large[co64 + 16..co64 + 24], (large.len() as u64).to_be_bytes());
    let mdat = [&1u32.to_be_bytes()[..], b"mdat", &(MEDIA + 16).to_be_bytes()].concat();
    assert!(large.ends_with(&mdat));
}

#[test]
fn a_header_that_no_reader_takes_is_not_written() {
    let mut source = header(&FILM);
    let tracks = header::tracks(&source.moov, &source.media).unwrap();
    let auxiliary = Auxiliary::whole([0; 8], (LARGEST_MOOV / 8) as usize);
    let protected = [ProtectedTrack { track: &tracks[0], key: &KEY, auxiliary: &auxiliary }];
    let refused = rewrite::file_header(&source, &protected, &[]).unwrap_err();
    assert_eq!(refused.place, "moov", "{refused}");
    source.media.end = source.media.start;
    assert!(in_file_order(&[&tracks[0].samples], &source.media).is_err());
}

#[test]
fn samples_in_another_file_are_refused() {
    let mut film = FILM.clone();
    let url = position(&film, b"url ");
    film[url + 11] = 0;
    let refused = protected(&film).unwrap_err().to_string();
    assert_eq!(refused, "film.mp4: moov/trak 1/mdia/minf/dinf/dref: the samples lie in another file");
}

#[test]
fn a_damaged_picture_is_named_by_its_number() {
    let mut film = FILM.clone();
    let media = position(&film, b"mdat") + 8;
    film[media] = 0xFF;
    let refused = protected(&film).unwrap_err().to_string();
    assert!(refused.starts_with("film.mp4: moov/trak 1, sample 1: a NAL unit states 42781"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn changed_films_never_panic_and_are_never_written_longer(
        changes in prop::collection::vec(
            // Values that lengths and counts break on, beside any.
            (any::<prop::sample::Index>(), prop_oneof![Just(0), Just(0xFF), Just(0x7F), Just(0x80), any::<u8>()]),
            1..6,
        ),
        in_header: bool,
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut film = FILM.clone();
        let aim = if in_header { position(&film, b"mdat") + 64 } else { film.len() };
        for (at, value) in changes {
            film[at.index(aim)] = value;
        }
        if let Some(cut) = cut {
            film.truncate(cut.index(film.len()));
        }
        if let Ok(output) = protected(&film) {
            let source = header(&film);
            let media = &output[output.len() - (source.media.end - source.media.start) as usize..];
            prop_assert_eq!(&output[output.len() - media.len() - 4..][..4], b"mdat");
            prop_assert!(output.len() < film.len() * 2);
        }
    }
}

//! A Smooth Streaming profile: its client manifest lies in the media set, and every fragment is a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelfarm_drm::{ContentKey, TitleKeys};
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::task::VerifySpec;
use reelfarm_model::{ArtifactKey, KeyId, KeyUse};

use super::finding::{Book, Check, Place};
use super::protection;
use super::report::RenditionReport;
use super::segmented::{files, together};
use super::source::Rendition;
use super::track::{Compared, PackagedTrack, Segment};
use crate::layout;
use crate::readback::encryption::Encryption;
use crate::readback::{AccessUnit, Codec};
use crate::smooth::read::{Chunk, Format, Fragment, Level, Manifest, Reader, Stream};
use crate::smooth::{self, time};

/// Reads the profile back.
pub(super) fn verify(
    book: &mut Book,
    spec: &VerifySpec,
    media_dir: &Path,
    renditions: &BTreeMap<ArtifactKey, PathBuf>,
    keys: Option<&TitleKeys>,
) -> Vec<RenditionReport> {
    let bytes = fs_err::read(media_dir.join(layout::SMOOTH));
    let Some(bytes) = book.done(Check::Reference, Place::PROFILE, "a client manifest", bytes) else {
        return Vec::new();
    };
    let manifest = Manifest::parse(&bytes);
    let Some(manifest) = book.done(Check::Manifest, Place::PROFILE, "a client manifest", manifest) else {
        return Vec::new();
    };
    accounted(book, &manifest, media_dir);
    let key = match spec.profile.scheme {
        None => None,
        Some(_) => {
            let key = keys.and_then(|keys| keys.key(KeyUse::All)).ok_or("none");
            let Some(key) = book.done(Check::Protection, Place::PROFILE, "one key for all tracks", key)
            else {
                return Vec::new();
            };
            Some(key)
        }
    };
    told(book, &manifest, keys, key);

    let expected = Rendition::all(&spec.package);
    let tracks: Vec<_> = manifest
        .streams
        .iter()
        .flat_map(|stream| stream.levels.iter().map(move |level| (stream, level)))
        .collect();
    book.equal(Check::Renditions, Place::PROFILE, "quality levels", expected.len(), tracks.len());
    let mut compared = Vec::new();
    let mut encryptions = Vec::new();
    for ((name, rendition), track) in expected.iter().zip(tracks) {
        if let Some((result, encryption)) =
            one(book, spec, (name, *rendition), track, media_dir, (renditions, key))
        {
            compared.push((name.as_str(), *rendition, result));
            encryptions.extend(encryption.map(|encryption| (name.as_str(), encryption)));
        }
    }
    protection::streams(book, &encryptions);
    together(book, &compared);
    duration(book, &manifest, &compared);
    RenditionReport::of(&compared)
}

fn one(
    book: &mut Book,
    spec: &VerifySpec,
    (name, rendition): (&str, Rendition<'_>),
    (stream, level): (&Stream, &Level),
    media_dir: &Path,
    (renditions, key): (&BTreeMap<ArtifactKey, PathBuf>, Option<&ContentKey>),
) -> Option<(Compared, Option<Encryption>)> {
    let place = Place::rendition(name);
    let seconds =
        book.done(Check::Manifest, place, "a segment length", spec.profile.segment_seconds.ok_or("none"))?;
    if let Rendition::Audio(audio) = rendition {
        let language = stream.language.clone().unwrap_or_else(|| "none".to_owned());
        book.equal(Check::Attributes, place, "the language", smooth::language(&audio.language), language);
    }
    let mut reader = Reader::new(&level.format, key);
    let mut segments = Vec::with_capacity(stream.chunks.len());
    for (index, chunk) in stream.chunks.iter().enumerate() {
        let place = place.segment(index);
        let bytes = fs_err::read(media_dir.join(stream.path(level, *chunk)));
        let bytes = book.done(Check::Reference, place, "a fragment", bytes)?;
        let fragment = book.done(Check::Structure, place, "a whole fragment", reader.read(*chunk, &bytes))?;
        book.equal(
            Check::Structure,
            place,
            "the fragment's number",
            index as u64 + 1,
            u64::from(fragment.sequence),
        );
        book.equal(Check::Protection, place, "encrypted samples:", key.is_some(), fragment.is_encrypted);
        if let (Some(key), 0) = (key, index) {
            shut(book, place, (level, *chunk, &bytes), key, &fragment);
        }
        segments.push(segment(*chunk, &fragment));
    }
    if let Some(key) = key {
        protection::samples(book, place, &spec.profile, key, reader.encryption());
    }
    let encryption = reader.encryption().cloned();
    let packaged = PackagedTrack::new(time::TIMESCALE, codec(&level.format), segments);
    let source = rendition.read(book, name, renditions)?;
    let compared = packaged.compare_media(book, place, rendition, &source, seconds)?;
    Some((compared, encryption))
}

/// A wrong key does not give the samples that the right one gives.
fn shut(
    book: &mut Book,
    place: Place<'_>,
    (level, chunk, bytes): (&Level, Chunk, &[u8]),
    key: &ContentKey,
    opened: &Fragment,
) {
    let other = Reader::new(&level.format, Some(&protection::wrong(key))).read(chunk, bytes);
    let same = other.is_ok_and(|other| {
        other.samples.iter().zip(&opened.samples).all(|(other, opened)| other.payload == opened.payload)
    });
    book.check(Check::Protection, place, !same, "a wrong key that opens nothing", "one that opens it");
}

fn segment(chunk: Chunk, fragment: &Fragment) -> Segment {
    let units = fragment
        .samples
        .iter()
        .map(|sample| AccessUnit {
            pts: sample.presentation_time.cast_signed(),
            duration: sample.duration,
            idr: sample.is_idr,
            payload: sample.payload,
        })
        .collect();
    Segment::new(units, chunk.duration.cast_signed().saturating_mul(100))
}

fn codec(format: &Format) -> Codec {
    match format {
        Format::Video { width, height, parameter_sets, .. } => {
            Codec::Avc { size: Some((*width, *height)), parameter_sets: parameter_sets.clone() }
        }
        Format::Audio { sample_rate, channels } => {
            Codec::Aac { sample_rate: *sample_rate, channels: *channels }
        }
    }
}

/// PlayReady is told of the right key where the profile is encrypted, and nobody of any where it is clear.
fn told(book: &mut Book, manifest: &Manifest, keys: Option<&TitleKeys>, key: Option<&ContentKey>) {
    let found = manifest.playready_object.as_deref();
    let Some(key) = key else {
        book.equal(Check::Protection, Place::PROFILE, "protection headers", 0, usize::from(found.is_some()));
        return;
    };
    let signal = keys.and_then(|keys| keys.signal(DrmSystem::Playready, key.id));
    let expected = signal.and_then(|signal| signal.playready_object.as_deref());
    book.check(
        Check::Protection,
        Place::PROFILE,
        expected.is_some() && expected == found,
        "the PlayReady Object of the title's key",
        format_args!("another of {} bytes", found.map_or(0, <[u8]>::len)),
    );
    book.check(
        Check::Protection,
        Place::PROFILE,
        found.is_some_and(|object| names(object, key.id)),
        format_args!("a PlayReady Object that names the key {}", key.id),
        "another key or none",
    );
}

/// Whether a PlayReady Object's header, which is little-endian UTF-16, holds the id as PlayReady writes it: a GUID, whose
/// first three groups are little-endian, in base64.
fn names(object: &[u8], id: KeyId) -> bool {
    let mut guid = id.0;
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    let text: Vec<u8> = BASE64.encode(guid).encode_utf16().flat_map(u16::to_le_bytes).collect();
    object.windows(text.len()).any(|window| window == text)
}

/// Every fragment that the manifest names is there, and every file is named.
fn accounted(book: &mut Book, manifest: &Manifest, media_dir: &Path) {
    let present = book.done(Check::Reference, Place::PROFILE, "the media set", files(media_dir));
    let Some(present) = present else { return };
    let mut named: BTreeSet<String> = [layout::SMOOTH.to_owned()].into();
    for stream in &manifest.streams {
        for level in &stream.levels {
            named.extend(stream.chunks.iter().map(|chunk| stream.path(level, *chunk)));
        }
    }
    for file in &named {
        book.check(Check::Reference, Place::PROFILE, present.contains(file), file, "no such file");
    }
    for file in present.iter().filter(|file| layout::is_media_file(file)) {
        book.check(
            Check::Accounted,
            Place::PROFILE,
            named.contains(file),
            "files that the manifest names",
            file,
        );
    }
}

/// The stated duration is that of the longest track, which begins after the common delay.
fn duration(book: &mut Book, manifest: &Manifest, compared: &[(&str, Rendition<'_>, Compared)]) {
    const TOLERANCE_NS: i64 = 1_000_000;
    let end = compared.iter().map(|(_, _, track)| track.end_ns + track.offset_ns).max().unwrap_or(0);
    let stated = i64::try_from(manifest.duration).unwrap_or(i64::MAX / 100).saturating_mul(100);
    book.check(
        Check::StatedTime,
        Place::PROFILE,
        (stated - end).abs() <= TOLERANCE_NS,
        format_args!("a stated duration of {:.6} s", end as f64 / 1e9),
        format_args!("{:.6} s", stated as f64 / 1e9),
    );
}

//! A Smooth Streaming profile: its client manifest lies in the media set, and every fragment is a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reelfarm_drm::{ContentKey, Secret, TitleKeys};
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::task::VerifySpec;
use reelfarm_model::{ArtifactKey, KeyUse};

use super::finding::{Book, Check, Place};
use super::report::RenditionReport;
use super::segmented::{files, together};
use super::source::Rendition;
use super::track::{Compared, PackagedTrack, Segment};
use crate::layout;
use crate::readback::{AccessUnit, Codec, Track};
use crate::smooth::read::{Chunk, Format, Fragment, Level, Manifest, Stream};
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
    let key = spec.profile.scheme.and(keys).and_then(|keys| keys.key(KeyUse::All));
    told(book, spec, &manifest, keys, key);

    let expected = Rendition::all(&spec.package);
    let tracks: Vec<_> = manifest
        .streams
        .iter()
        .flat_map(|stream| stream.levels.iter().map(move |level| (stream, level)))
        .collect();
    book.equal(Check::Renditions, Place::PROFILE, "quality levels", expected.len(), tracks.len());
    let mut compared = Vec::new();
    for ((name, rendition), (stream, level)) in expected.iter().zip(tracks) {
        let Some(result) = one(book, spec, (name, *rendition), (stream, level), media_dir, (renditions, key))
        else {
            continue;
        };
        compared.push((name.as_str(), *rendition, result));
    }
    together(book, &compared);
    duration(book, &manifest, &compared);
    compared
        .into_iter()
        .map(|(name, _, result)| RenditionReport {
            track: name.to_owned(),
            segments: result.segments,
            frames: result.units,
            duration_us: (result.end_ns / 1_000).max(0).cast_unsigned(),
        })
        .collect()
}

fn one(
    book: &mut Book,
    spec: &VerifySpec,
    (name, rendition): (&str, Rendition<'_>),
    (stream, level): (&Stream, &Level),
    media_dir: &Path,
    (renditions, key): (&BTreeMap<ArtifactKey, PathBuf>, Option<&ContentKey>),
) -> Option<Compared> {
    let place = Place::rendition(name);
    let seconds =
        book.done(Check::Manifest, place, "a segment length", spec.profile.segment_seconds.ok_or("none"))?;
    if let Rendition::Audio(audio) = rendition {
        let language = stream.language.clone().unwrap_or_else(|| "none".to_owned());
        book.equal(Check::Attributes, place, "the language", smooth::language(&audio.language), language);
    }
    let mut segments = Vec::with_capacity(stream.chunks.len());
    for (index, chunk) in stream.chunks.iter().enumerate() {
        let place = place.segment(index);
        let bytes = fs_err::read(media_dir.join(stream.path(level, *chunk)));
        let bytes = book.done(Check::Reference, place, "a fragment", bytes)?;
        let read = |key: Option<&Secret<16>>| Fragment::parse(&level.format, *chunk, &bytes, key);
        let opened = read(key.map(|key| &key.key));
        let fragment = book.done(Check::Structure, place, "a whole fragment", opened)?;
        book.equal(
            Check::Structure,
            place,
            "the fragment's number",
            index as u64 + 1,
            u64::from(fragment.sequence),
        );
        book.equal(Check::Protection, place, "encrypted samples:", key.is_some(), fragment.is_encrypted);
        if let (Some(key), 0) = (key, index) {
            sealed(book, place, key, &fragment, read);
        }
        segments.push(segment(*chunk, &fragment));
    }
    let packaged = PackagedTrack::new(time::TIMESCALE, codec(&level.format), segments);
    let source: Track = rendition.read(book, name, renditions)?;
    packaged.compare_media(book, place, rendition, &source, seconds)
}

/// Neither as they stand nor with a wrong key do the samples give what they give with the right one.
fn sealed<E>(
    book: &mut Book,
    place: Place<'_>,
    key: &ContentKey,
    opened: &Fragment,
    read: impl Fn(Option<&Secret<16>>) -> Result<Fragment, E>,
) {
    let mut wrong = *key.key.expose();
    wrong[0] ^= 1;
    for (what, key) in [("as they stand", None), ("with a wrong key", Some(&Secret::new(wrong)))] {
        let same = read(key).is_ok_and(|other| {
            other.samples.iter().zip(&opened.samples).all(|(other, opened)| other.payload == opened.payload)
        });
        book.check(
            Check::Protection,
            place,
            !same,
            format_args!("samples that are not readable {what}"),
            "samples that are",
        );
    }
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
fn told(
    book: &mut Book,
    spec: &VerifySpec,
    manifest: &Manifest,
    keys: Option<&TitleKeys>,
    key: Option<&ContentKey>,
) {
    let expected = spec.profile.scheme.map(|_| {
        let object = keys.zip(key).and_then(|(keys, key)| keys.signal(DrmSystem::Playready, key.id));
        object.and_then(|signal| signal.playready_object.clone()).unwrap_or_default()
    });
    let same =
        expected == manifest.playready_object && expected.as_ref().is_none_or(|object| !object.is_empty());
    book.check(
        Check::Protection,
        Place::PROFILE,
        same,
        format_args!("a PlayReady Object of the title's key: {}", expected.is_some()),
        format_args!("{:?} bytes", manifest.playready_object.as_ref().map(Vec::len)),
    );
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

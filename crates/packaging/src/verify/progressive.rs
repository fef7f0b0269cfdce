//! A progressive profile: one file, no manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_model::ArtifactKey;
use reelfarm_model::task::VerifySpec;

use super::finding::{Book, Check, Place};
use super::report::RenditionReport;
use super::segmented::{files, together};
use super::source::Rendition;
use super::track::{self, Compared};
use crate::readback::{AccessUnit, Track, nanoseconds, progressive};
use crate::{language, layout};

/// Reads the file back.
pub(super) fn verify(
    book: &mut Book,
    spec: &VerifySpec,
    media_dir: &Path,
    renditions: &BTreeMap<ArtifactKey, PathBuf>,
) -> Vec<RenditionReport> {
    let plan = crate::progressive::plan(&spec.package);
    let Some(plan) = book.done(Check::Renditions, Place::PROFILE, "picture and stereo sound", plan) else {
        return Vec::new();
    };
    if let Some(present) = book.done(Check::Reference, Place::PROFILE, "the media set", files(media_dir)) {
        for file in present.iter().filter(|file| layout::is_media_file(file)) {
            let is_named = file == plan.file_name;
            book.check(Check::Accounted, Place::PROFILE, is_named, plan.file_name, file);
        }
    }
    let movie = progressive::read(&media_dir.join(plan.file_name));
    let Some(movie) = book.done(Check::Structure, Place::PROFILE, "an MP4 file", movie) else {
        return Vec::new();
    };
    book.check(
        Check::FastStart,
        Place::PROFILE,
        movie.fast_start,
        "the header before the media",
        "the media before the header",
    );

    let mut expected = vec![(layout::video_track(plan.video), Rendition::Video(plan.video))];
    expected.extend(plan.audio.iter().map(|audio| (audio.id.clone(), Rendition::Audio(audio))));
    book.equal(Check::Renditions, Place::PROFILE, "tracks", expected.len(), movie.tracks.len());

    let mut compared = Vec::new();
    for ((name, rendition), (track, language)) in expected.iter().zip(&movie.tracks) {
        if let Rendition::Audio(_) = rendition {
            let found = std::str::from_utf8(language).ok().and_then(language::canonical);
            let primary = |tag: Option<String>| {
                tag.map_or("none".to_owned(), |tag| tag.split('-').next().unwrap_or_default().to_owned())
            };
            let place = Place::rendition(name);
            book.equal(
                Check::Attributes,
                place,
                "the language",
                primary(rendition.language()),
                primary(found),
            );
        }
        if let Some(source) = rendition.read(book, name, renditions)
            && let Some(result) = one(book, name, *rendition, track, &source)
        {
            compared.push((name.as_str(), *rendition, result));
        }
    }
    together(book, &compared);
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
    name: &str,
    rendition: Rendition<'_>,
    track: &Track,
    source: &Track,
) -> Option<Compared> {
    let place = Place::rendition(name);
    track::codecs(book, place, rendition, source, &track.codec);
    let units: Vec<(Place<'_>, &AccessUnit)> = track.units.iter().map(|unit| (place, unit)).collect();
    let offset_ns = track::access_units(book, place, &units, track.timescale, source)?;
    let end = |unit: &AccessUnit| unit.pts.saturating_add(i64::from(unit.duration));
    let end = track.units.iter().map(end).max().unwrap_or(0);
    Some(Compared {
        segments: 0,
        units: units.len() as u64,
        offset_ns,
        end_ns: nanoseconds(end, track.timescale) - offset_ns,
        frame_ns: track::frame_ns(rendition, source),
    })
}

//! A progressive profile: one file, no manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_drm::TitleKeys;
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::task::VerifySpec;
use reelfarm_model::{ArtifactKey, KeyUse};

use super::finding::{Book, Check, Place};
use super::protection::{self, Opening, StatedProtection};
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
    keys: Option<&TitleKeys>,
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
    let file = media_dir.join(plan.file_name);
    let nothing = StatedProtection::default();
    let opening = Opening::of(&spec.profile, keys, KeyUse::All, &nothing);
    let Some(opening) = book.done(Check::Protection, Place::PROFILE, "keys that open it", opening) else {
        return Vec::new();
    };
    let movie = progressive::open(&file, opening.decryption());
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
    protected(book, &expected, &opening, spec, (&file, &movie));

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
    RenditionReport::of(&compared)
}

/// Every track of an encrypted file is encrypted with the right key, and opens with no other.
fn protected(
    book: &mut Book,
    expected: &[(String, Rendition<'_>)],
    opening: &Opening,
    spec: &VerifySpec,
    (file, movie): (&Path, &progressive::Movie),
) {
    let Some(key) = opening.key() else {
        let systems = movie.systems.len();
        book.equal(Check::Protection, Place::PROFILE, "pssh boxes of a clear file:", 0, systems);
        return;
    };
    // Here no manifest tells a player of the key: the file itself does.
    let common = DrmSystem::Clearkey.uuid().replace('-', "");
    let told = movie.systems.iter().find(|system| hex::encode(system.id) == common);
    let listed = told.map(|system| system.key_ids.as_slice());
    book.check(
        Check::Protection,
        Place::PROFILE,
        listed == Some(&[key.id]),
        format_args!("a pssh box that lists the key {}", key.id),
        format_args!("{listed:?} among {} such boxes", movie.systems.len()),
    );
    let mut streams = Vec::new();
    for ((name, _), encryption) in expected.iter().zip(&movie.encryption) {
        protection::samples(book, Place::rendition(name), &spec.profile, key, encryption.as_ref());
        streams.extend(encryption.clone().map(|encryption| (name.as_str(), encryption)));
    }
    protection::streams(book, &streams);
    let wrong = opening.with_a_wrong_key();
    let same = progressive::open(file, wrong.decryption()).is_ok_and(|other| {
        other.tracks.iter().zip(&movie.tracks).any(|((other, _), (track, _))| {
            other.units.iter().zip(&track.units).all(|(other, unit)| other.payload == unit.payload)
        })
    });
    book.check(
        Check::Protection,
        Place::PROFILE,
        !same,
        "a wrong key that opens nothing",
        "one that opens it",
    );
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

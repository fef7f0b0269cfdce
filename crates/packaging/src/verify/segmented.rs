//! A profile with manifests: every layout but the progressive file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reelfarm_drm::TitleKeys;
use reelfarm_model::ArtifactKey;
use reelfarm_model::profile::Container;
use reelfarm_model::task::VerifySpec;

use super::finding::{Book, Check, Place};
use super::protection::Opening;
use super::report::RenditionReport;
use super::source::Rendition;
use super::stated::{Resolver, StatedTrack};
use super::subtitles::{self, Picture};
use super::track::{self, Compared};
use super::{dash, hls, protection};
use crate::layout;
use crate::readback::encryption::Encryption;

/// How far sound may be from the picture, compared with the renditions.
const SYNCHRONISATION_NS: i64 = 1_000_000;

/// Reads the profile back.
pub(super) fn verify(
    book: &mut Book,
    spec: &VerifySpec,
    media_dir: &Path,
    manifests_dir: Option<&Path>,
    renditions: &BTreeMap<ArtifactKey, PathBuf>,
    subtitle_folders: &BTreeMap<ArtifactKey, PathBuf>,
    keys: Option<&TitleKeys>,
) -> Vec<RenditionReport> {
    let resolver = Resolver { profile: &spec.profile.id, media_path: &spec.media_path };
    let folder = manifests_dir.ok_or("none");
    let Some(folder) = book.done(Check::Manifest, Place::PROFILE, "a folder of manifests", folder) else {
        return Vec::new();
    };
    let (stated, duration_us) = match spec.profile.container {
        Container::HlsTs | Container::HlsCmaf => (hls::read(book, folder, &resolver), None),
        _ => match dash::read(book, folder, &resolver) {
            Some(stated) => (Some((stated.tracks, stated.subtitles)), Some(stated.duration_us)),
            None => (None, None),
        },
    };
    let Some((stated, stated_subtitles)) = stated else { return Vec::new() };
    accounted(book, &stated, media_dir);

    let expected = Rendition::all(&spec.package);
    for track in &stated {
        let known = expected.iter().any(|(name, _)| name == track.track());
        book.check(
            Check::Renditions,
            Place::PROFILE,
            known,
            "renditions of the package alone",
            track.track(),
        );
    }
    let mut compared = Vec::new();
    let mut encryptions = Vec::new();
    for (name, rendition) in &expected {
        let place = Place::rendition(name);
        let named: Vec<_> = stated.iter().filter(|track| track.track() == name).collect();
        book.equal(Check::Renditions, place, "representations in the manifest:", 1, named.len());
        let Some(stated) = named.first() else { continue };
        protection::check(book, place, &spec.profile, keys, rendition.key_use(), &stated.protection);
        let key = keys.and_then(|keys| keys.key(rendition.key_use()));
        protection::key_file(book, place, &spec.profile, folder, (&stated.protection, key));
        if let Some((result, encryption)) =
            one(book, spec, (name, *rendition), stated, media_dir, renditions, keys)
        {
            compared.push((name.as_str(), *rendition, result));
            encryptions.extend(encryption.map(|encryption| (name.as_str(), encryption)));
        }
    }
    // A vector that was agreed is that of all tracks of its key, each of which was found to have it.
    let agreed = |encryption: &Encryption| keys?.agreed_vector(encryption.key_id?);
    encryptions.retain(|(_, encryption)| agreed(encryption).is_none());
    protection::streams(book, &encryptions);
    together(book, &compared);
    let picture = compared.iter().find(|(_, rendition, _)| matches!(rendition, Rendition::Video(_)));
    let picture = picture.map(|(_, _, video)| Picture { start_ns: video.offset_ns, length_ns: video.end_ns });
    subtitles::check(book, spec, &stated_subtitles, subtitle_folders, picture);
    if let Some(duration_us) = duration_us {
        presentation_duration(book, &compared, duration_us);
    }
    RenditionReport::of(&compared)
}

fn one(
    book: &mut Book,
    spec: &VerifySpec,
    (name, rendition): (&str, Rendition<'_>),
    stated: &StatedTrack,
    media_dir: &Path,
    renditions: &BTreeMap<ArtifactKey, PathBuf>,
    keys: Option<&TitleKeys>,
) -> Option<(Compared, Option<Encryption>)> {
    let place = Place::rendition(name);
    let seconds = spec.profile.segment_seconds.ok_or("none");
    let seconds = book.done(Check::Manifest, place, "a segment length", seconds)?;
    let frame_rate = match rendition {
        Rendition::Video(video) => video.frame_rate,
        Rendition::Audio(_) => 1,
    };
    let opening = Opening::of(&spec.profile, keys, rendition.key_use(), &stated.protection);
    let opening = book.done(Check::Protection, place, "keys that open it", opening)?;
    let mut packaged = track::read(book, place, media_dir, stated, frame_rate, opening.decryption())?;
    let source = rendition.read(book, name, renditions)?;
    if let Some(key) = opening.key() {
        protection::samples(book, place, &spec.profile, key, packaged.encryption.as_ref());
        let vector = keys.and_then(|keys| keys.agreed_vector(key.id));
        protection::agreed(book, place, vector, packaged.encryption.as_ref());
        let wrong = opening.with_a_wrong_key();
        let opened = track::opens(media_dir, stated, wrong.decryption(), &source);
        book.check(Check::Protection, place, !opened, "a wrong key that opens nothing", "one that opens it");
    }
    let encryption = packaged.encryption.take();
    packaged.compare(book, place, rendition, stated, &source, seconds).map(|compared| (compared, encryption))
}

/// Every file that a manifest names is there, and every media file is named.
fn accounted(book: &mut Book, stated: &[StatedTrack], media_dir: &Path) {
    let present = book.done(Check::Reference, Place::PROFILE, "the media set", files(media_dir));
    let Some(present) = present else { return };
    let named: BTreeSet<&str> = stated.iter().flat_map(StatedTrack::files).collect();
    for track in stated {
        for file in track.files() {
            let there = present.contains(file);
            book.check(Check::Reference, Place::rendition(track.track()), there, file, "no such file");
        }
    }
    for file in present.iter().filter(|file| layout::is_media_file(file)) {
        let is_named = named.contains(file.as_str());
        book.check(Check::Accounted, Place::PROFILE, is_named, "media files that the profile names", file);
    }
}

/// The paths of all files below a folder, with `/`.
pub(super) fn files(folder: &Path) -> Result<BTreeSet<String>, String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs_err::read_dir(&folder).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(|error| error.to_string())?.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                files.insert(path);
            }
        }
    }
    Ok(files)
}

/// What must hold between tracks: one offset for all, and one end.
pub(super) fn together(book: &mut Book, compared: &[(&str, Rendition<'_>, Compared)]) {
    let is_video =
        |(_, rendition, _): &&(&str, Rendition<'_>, Compared)| matches!(rendition, Rendition::Video(_));
    let Some((_, _, video)) = compared.iter().find(is_video) else { return };
    for (name, rendition, track) in compared {
        let place = Place::rendition(name);
        let apart = (track.offset_ns - video.offset_ns).abs();
        let allowed = if matches!(rendition, Rendition::Video(_)) { 0 } else { SYNCHRONISATION_NS };
        book.check(
            Check::Synchronisation,
            place,
            apart <= allowed,
            "the same offset as the first picture's",
            format_args!("{:.6} s apart", apart as f64 / 1e9),
        );
        let apart = (track.end_ns - video.end_ns).abs();
        let allowed = match rendition {
            Rendition::Video(_) => 0,
            Rendition::Audio(_) => track.frame_ns + video.frame_ns,
        };
        book.check(
            Check::Ending,
            place,
            apart <= allowed,
            format_args!("an end within {:.6} s of the picture's", allowed as f64 / 1e9),
            format_args!("{:.6} s apart", apart as f64 / 1e9),
        );
    }
}

fn presentation_duration(book: &mut Book, compared: &[(&str, Rendition<'_>, Compared)], stated_us: u64) {
    let Some((_, _, longest)) = compared.iter().max_by_key(|(_, _, track)| track.end_ns) else { return };
    let apart = (longest.end_ns / 1_000 - stated_us.cast_signed()).abs();
    book.check(
        Check::StatedTime,
        Place::PROFILE,
        // The packager writes it with the precision of a 32-bit float.
        apart <= 1_000 + longest.end_ns / 1_000 / 1_000_000,
        format_args!("a stated duration of {:.6} s", longest.end_ns as f64 / 1e9),
        format_args!("{:.6} s", stated_us as f64 / 1e6),
    );
}

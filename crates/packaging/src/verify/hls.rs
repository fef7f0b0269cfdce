//! What a profile's playlists state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reelfarm_model::subtitles::SubtitlePurpose;

use super::finding::{Book, Check, Place};
use super::protection::StatedProtection;
use super::stated::{Resolver, StatedKind, StatedMedia, StatedSegment, StatedTrack};
use super::subtitles::StatedSubtitles;
use crate::layout;
use crate::playlist::{Master, Media, SubtitlesMedia};

/// Reads the master playlist in the profile's folder and every playlist that it names, and checks that every rung can be
/// played with every group of audio.
pub(super) fn read(
    book: &mut Book,
    folder: &Path,
    resolver: &Resolver<'_>,
) -> Option<(Vec<StatedTrack>, Vec<StatedSubtitles>)> {
    let bytes = fs_err::read(folder.join(layout::MASTER));
    let bytes = book.done(Check::Reference, Place::PROFILE, "a master playlist", bytes)?;
    let master = book.done(Check::Manifest, Place::PROFILE, "a master playlist", Master::parse(&bytes))?;
    groups(book, &master);

    let mut tracks = Vec::new();
    let mut seen = BTreeSet::new();
    for variant in &master.variants {
        if !seen.insert(&variant.uri) {
            continue;
        }
        let codecs = variant.codecs.split(',').next().unwrap_or_default().to_owned();
        let kind = StatedKind::Video { size: variant.resolution, frame_rate_milli: variant.frame_rate_milli };
        if let Some((media, protection)) = media(book, folder, &variant.uri, resolver) {
            tracks.push(StatedTrack { kind, codecs, protection, media });
        }
    }
    let mut heard = BTreeSet::new();
    for audio in &master.audio {
        // A rendition may stand in several groups, where it must be said to be the same.
        if !heard.insert((&audio.uri, &audio.language, audio.channels)) {
            continue;
        }
        let of_group = |variant: &&crate::playlist::Variant| variant.audio_group == audio.group;
        let codecs =
            master.variants.iter().find(of_group).and_then(|variant| variant.codecs.split(',').nth(1));
        let kind = StatedKind::Audio { language: audio.language.clone(), channels: audio.channels };
        if let Some((media, protection)) = media(book, folder, &audio.uri, resolver) {
            let codecs = codecs.unwrap_or_default().to_owned();
            tracks.push(StatedTrack { kind, codecs, protection, media });
        }
    }
    Some((tracks, subtitles(book, &master)))
}

/// The subtitles, which play with every variant stream.
fn subtitles(book: &mut Book, master: &Master) -> Vec<StatedSubtitles> {
    let group = master.subtitles.first().map(|media| &media.group);
    let is_one = master.subtitles.iter().all(|media| Some(&media.group) == group)
        && master.variants.iter().all(|variant| variant.subtitles_group.as_ref() == group);
    let expected = "one group of subtitles, in every variant";
    book.check(Check::Reference, Place::PROFILE, is_one, expected, "another, or not in all");
    let stated = |media: &SubtitlesMedia| {
        let purpose = match (media.forced, media.characteristics.is_some()) {
            (true, _) => SubtitlePurpose::Forced,
            (false, true) => SubtitlePurpose::HardOfHearing,
            (false, false) => SubtitlePurpose::Dialogue,
        };
        let SubtitlesMedia { uri, language, name, .. } = media.clone();
        StatedSubtitles { language, purpose, name, url: uri }
    };
    master.subtitles.iter().map(stated).collect()
}

/// What must be the same in every group: names with their languages, and which is the default.
type Members<'a> = BTreeMap<&'a str, (Option<&'a str>, bool)>;

fn groups(book: &mut Book, master: &Master) {
    let mut groups: BTreeMap<&str, (Members<'_>, u32)> = BTreeMap::new();
    for audio in &master.audio {
        let (members, defaults) = groups.entry(&audio.group).or_default();
        *defaults += u32::from(audio.default);
        let is_new = members.insert(&audio.name, (audio.language.as_deref(), audio.default)).is_none();
        book.check(
            Check::Manifest,
            Place::PROFILE,
            is_new,
            "different names in a group of audio (RFC 8216 4.3.4.1.1)",
            format_args!("{:?} twice in {:?}", audio.name, audio.group),
        );
    }
    let first = groups.first_key_value().map(|(group, (members, _))| (*group, members));
    for (group, (members, _)) in &groups {
        let Some((first_group, first)) = first else { continue };
        book.check(
            Check::Manifest,
            Place::PROFILE,
            members == first,
            format_args!("the members of {first_group:?} in every group (RFC 8216 4.3.4.2.1): {first:?}"),
            format_args!("{members:?} in {group:?}"),
        );
    }
    let rungs: BTreeSet<_> = master.variants.iter().map(|variant| variant.uri.as_str()).collect();
    for (group, (_, defaults)) in &groups {
        book.check(
            Check::Manifest,
            Place::PROFILE,
            *defaults <= 1,
            "at most one default in a group of audio",
            format_args!("{defaults} in {group:?}"),
        );
        let with_group = master.variants.iter().filter(|variant| variant.audio_group == **group);
        let played: BTreeSet<_> = with_group.map(|variant| variant.uri.as_str()).collect();
        book.check(
            Check::Renditions,
            Place::PROFILE,
            played == rungs,
            format_args!("audio group {group:?} with {rungs:?}"),
            format_args!("{played:?}"),
        );
    }
    for variant in &master.variants {
        let known = groups.contains_key(variant.audio_group.as_str());
        book.check(
            Check::Reference,
            Place::PROFILE,
            known && variant.bandwidth > 0,
            "an audio group and a bandwidth for every variant",
            format_args!("{:?} at {} b/s for {}", variant.audio_group, variant.bandwidth, variant.uri),
        );
    }
}

/// No segment is longer than the playlist says that any is (RFC 8216 4.3.3.1).
pub(super) fn target_duration(book: &mut Book, place: Place<'_>, playlist: &Media) {
    let longest = playlist.segments.iter().map(|segment| segment.duration_us).max().unwrap_or(0);
    book.check(
        Check::StatedTime,
        place,
        (longest + 500_000) / 1_000_000 <= playlist.target_duration,
        format_args!("no segment above the target duration of {} s", playlist.target_duration),
        format_args!("{longest} us"),
    );
}

fn media(
    book: &mut Book,
    folder: &Path,
    uri: &str,
    resolver: &Resolver<'_>,
) -> Option<(StatedMedia, StatedProtection)> {
    let place = Place::rendition(uri);
    if !book.check(
        Check::Reference,
        place,
        !uri.contains(['/', '\\', ':']) && uri != "..",
        "a playlist beside the master playlist",
        format_args!("{uri:?}"),
    ) {
        return None;
    }
    let bytes = book.done(Check::Reference, place, "a media playlist", fs_err::read(folder.join(uri)))?;
    let playlist = book.done(Check::Manifest, place, "a media playlist", Media::parse(&bytes))?;
    target_duration(book, place, &playlist);
    let initialization = playlist.map.as_deref().map(|url| resolver.path(url)).transpose();
    let segments: Result<Vec<_>, String> = playlist
        .segments
        .iter()
        .map(|segment| {
            Ok(StatedSegment {
                path: resolver.path(&segment.uri)?,
                start_ns: None,
                duration_ns: segment.duration_us.cast_signed().saturating_mul(1_000),
            })
        })
        .collect();
    let media = initialization
        .and_then(|initialization| Ok(StatedMedia::Files { initialization, segments: segments? }));
    let media = book.done(Check::Reference, place, "URLs that lead into the media set", media)?;
    Some((media, StatedProtection::of_keys(&playlist.keys)))
}

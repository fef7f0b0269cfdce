//! What a profile's MPD states.

use std::collections::BTreeSet;
use std::path::Path;

use reelfarm_model::subtitles::SubtitlePurpose;

use super::finding::{Book, Check, Place};
use super::protection::StatedProtection;
use super::stated::{Resolver, StatedKind, StatedMedia, StatedSegment, StatedTrack};
use super::subtitles::StatedSubtitles;
use crate::mpd::{AdaptationSet, Mpd, Representation, byte_range};
use crate::readback::nanoseconds;
use crate::{layout, manifest};

const CHANNELS: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
const ON_DEMAND: &str = "urn:mpeg:dash:profile:isoff-on-demand:2011";
const LIVE: &str = "urn:mpeg:dash:profile:isoff-live:2011";

/// A profile's MPD, read.
pub(super) struct Stated {
    /// Its representations in order.
    pub(super) tracks: Vec<StatedTrack>,
    /// Its subtitles in order.
    pub(super) subtitles: Vec<StatedSubtitles>,
    /// The duration that it states, in microseconds.
    pub(super) duration_us: u64,
}

/// Reads the MPD in the profile's folder.
pub(super) fn read(book: &mut Book, folder: &Path, resolver: &Resolver<'_>) -> Option<Stated> {
    let bytes = fs_err::read(folder.join(layout::MPD));
    let bytes = book.done(Check::Reference, Place::PROFILE, "an MPD", bytes)?;
    let mpd = book.done(Check::Manifest, Place::PROFILE, "an MPD", Mpd::parse_published(&bytes))?;
    let stated = stated(&mpd, resolver);
    book.done(Check::Manifest, Place::PROFILE, "a presentation of one period", stated)
}

fn stated(mpd: &Mpd, resolver: &Resolver<'_>) -> Result<Stated, String> {
    let [period] = mpd.periods.as_slice() else {
        return Err(format!("{} periods", mpd.periods.len()));
    };
    let (mut tracks, mut subtitles) = (Vec::new(), Vec::new());
    let (mut set_ids, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for set in &period.adaptation_sets {
        if let Some(id) = set.id.filter(|id| !set_ids.insert(*id)) {
            return Err(format!("two adaptation sets with the id {id}"));
        }
        for Representation { id, bandwidth, .. } in &set.representations {
            if !ids.insert(id) {
                return Err(format!("two representations with the id {id}"));
            }
            if *bandwidth == 0 {
                return Err(format!("representation {id} without a bandwidth"));
            }
        }
        if set.content_type == "text" {
            subtitles.push(text(set)?);
            continue;
        }
        if !set.is_aligned() {
            return Err(format!("an adaptation set of {} without aligned segments", set.content_type));
        }
        if let Some(property) = set.foreign_property() {
            return Err(format!(
                "the property {}={} is not used by any profile",
                property.scheme, property.value
            ));
        }
        for other in set.switching() {
            let known = |known: &&AdaptationSet| {
                known.id.is_some()
                    && known.id == other.parse().ok()
                    && known.id != set.id
                    && known.content_type == set.content_type
            };
            if !period.adaptation_sets.iter().any(|set| known(&set)) {
                return Err(format!("a set of {} that leads to the set {other:?}", set.content_type));
            }
        }
        for representation in &set.representations {
            let track = track(set, representation, &mpd.profiles, resolver)
                .map_err(|reason| format!("representation {}: {reason}", representation.id))?;
            tracks.push(track);
        }
    }
    Ok(Stated { tracks, subtitles, duration_us: mpd.duration().map_err(|error| error.to_string())? })
}

fn track(
    set: &AdaptationSet,
    representation: &Representation,
    profiles: &str,
    resolver: &Resolver<'_>,
) -> Result<StatedTrack, String> {
    let kind = match (set.content_type.as_str(), representation.mime_type.as_str()) {
        ("video", "video/mp4") => video(set, representation)?,
        ("audio", "audio/mp4") => audio(set, representation)?,
        (content, mime) => return Err(format!("{mime} among {content}")),
    };
    let media =
        match (&representation.segment_template, &representation.segment_base, &representation.base_url) {
            (Some(template), None, None) if profiles == LIVE => {
                let mut segments = Vec::new();
                for (index, (start, duration)) in
                    template.segments().map_err(|error| error.to_string())?.into_iter().enumerate()
                {
                    let scale = template.timescale;
                    segments.push(StatedSegment {
                        path: resolver
                            .path(&template.url(template.start_number.saturating_add(index as u64)))?,
                        start_ns: Some(nanoseconds(ticks(start)?, scale)),
                        duration_ns: nanoseconds(ticks(duration)?, scale),
                    });
                }
                StatedMedia::Files {
                    initialization: Some(resolver.path(&template.initialization)?),
                    segments,
                }
            }
            (None, Some(base), Some(url)) if profiles == ON_DEMAND => {
                let range = |text: &str| byte_range(text).ok_or_else(|| format!("the byte range {text:?}"));
                StatedMedia::Indexed {
                    file: resolver.path(url)?,
                    initialization: range(&base.initialization.range)?,
                    index: range(&base.index_range)?,
                    timescale: base.timescale,
                }
            }
            _ => return Err(format!("an addressing that {profiles} does not have")),
        };
    let elements = set.content_protections.iter().chain(&representation.content_protections);
    let protection = StatedProtection::of_elements(elements);
    Ok(StatedTrack { kind, codecs: representation.codecs.clone(), protection, media })
}

/// A track of subtitles: a set of one file.
fn text(set: &AdaptationSet) -> Result<StatedSubtitles, String> {
    let ([representation], [role], [name]) =
        (set.representations.as_slice(), set.roles.as_slice(), set.labels.as_slice())
    else {
        return Err("a set of text without one representation, one role and one label".to_owned());
    };
    let purpose = SubtitlePurpose::ALL
        .into_iter()
        .find(|purpose| role.scheme == "urn:mpeg:dash:role:2011" && role.value == manifest::role(*purpose));
    if !set.is_of_plain_text() {
        return Err("a set of text with what is for pictures, sound or encrypted samples".to_owned());
    }
    match (purpose, &representation.base_url, representation.mime_type.as_str()) {
        (Some(purpose), Some(url), "text/vtt") => {
            let (language, name, url) = (set.language.clone(), name.clone(), url.clone());
            Ok(StatedSubtitles { language, purpose, name, url })
        }
        _ => Err(format!("a set of text in {} with the role {}", representation.mime_type, role.value)),
    }
}

fn video(set: &AdaptationSet, representation: &Representation) -> Result<StatedKind, String> {
    let width = representation.width.or(set.width).ok_or("no width")?;
    let height = representation.height.or(set.height).ok_or("no height")?;
    let rate = representation.frame_rate.as_ref().or(set.frame_rate.as_ref()).ok_or("no frame rate")?;
    if representation.sample_aspect.as_deref() != Some("1:1") {
        return Err(format!("a sample aspect of {:?}", representation.sample_aspect));
    }
    let (numerator, denominator) = rate.split_once('/').unwrap_or((rate, "1"));
    let frame_rate_milli = match (numerator.parse::<u64>(), denominator.parse::<u64>()) {
        (Ok(numerator @ ..=0xFFFF_FFFF), Ok(denominator @ 1..)) => numerator * 1_000 / denominator,
        _ => return Err(format!("a frame rate of {rate}")),
    };
    Ok(StatedKind::Video { size: (width, height), frame_rate_milli })
}

fn audio(set: &AdaptationSet, representation: &Representation) -> Result<StatedKind, String> {
    let channels = representation.channels.as_ref().ok_or("no channel configuration")?;
    let count = channels.value.parse().ok().filter(|_| channels.scheme == CHANNELS);
    let channels = count.ok_or_else(|| format!("the channel configuration {}", channels.value))?;
    if representation.audio_sampling_rate.is_none() {
        return Err("no sampling rate".to_owned());
    }
    Ok(StatedKind::Audio { language: set.language.clone(), channels })
}

fn ticks(value: u64) -> Result<i64, String> {
    i64::try_from(value).map_err(|_| format!("the time {value}"))
}

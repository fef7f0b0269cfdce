//! Subtitles read back: the manifest names each track once with its language and purpose, and where it leads are the cues
//! of the file that was delivered, at the time of the picture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reelfarm_model::ArtifactKey;
use reelfarm_model::profile::Container;
use reelfarm_model::subtitles::{SubtitlePurpose, SubtitleTrack};
use reelfarm_model::task::VerifySpec;

use super::finding::{Book, Check, Place};
use super::hls;
use super::stated::Resolver;
use crate::language;
use crate::layout::DELIVERED;
use crate::manifest::entry_point;
use crate::playlist::Media;
use crate::subtitles::{Cue, Format, cues_of, read, read_segment, seen, segments};

/// A track of subtitles as a manifest states it.
#[derive(Clone, Debug)]
pub(super) struct StatedSubtitles {
    pub(super) language: Option<String>,
    pub(super) purpose: SubtitlePurpose,
    /// What people choose it by.
    pub(super) name: String,
    pub(super) url: String,
}

/// The picture that subtitles are shown with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture {
    /// When it begins on the clock of the media, in nanoseconds.
    pub(super) start_ns: i64,
    /// How long it is, in nanoseconds.
    pub(super) length_ns: i64,
}

impl Picture {
    /// How long it is, in milliseconds that have begun.
    fn length_ms(self) -> u64 {
        self.length_ns.max(0).cast_unsigned().div_ceil(1_000_000)
    }
}

/// Compares what the manifest states with the subtitles that the profile is to have, and reads where it leads.
pub(super) fn check(
    book: &mut Book,
    spec: &VerifySpec,
    stated: &[StatedSubtitles],
    folders: &BTreeMap<ArtifactKey, PathBuf>,
    picture: Option<Picture>,
) {
    book.equal(Check::Renditions, Place::PROFILE, "tracks of subtitles:", spec.subtitles.len(), stated.len());
    let names: BTreeSet<_> = stated.iter().map(|stated| &stated.name).collect();
    book.equal(Check::Attributes, Place::PROFILE, "names of subtitles:", stated.len(), names.len());
    for track in &spec.subtitles {
        one(book, spec, track, stated, folders, picture);
    }
}

fn one(
    book: &mut Book,
    spec: &VerifySpec,
    track: &SubtitleTrack,
    stated: &[StatedSubtitles],
    folders: &BTreeMap<ArtifactKey, PathBuf>,
    picture: Option<Picture>,
) -> Option<()> {
    let place = Place::rendition(&track.id);
    let folder =
        book.done(Check::Reference, place, "its files", folders.get(&track.artifact).ok_or("none"))?;
    let language = language::canonical(&track.language);
    let named: Vec<_> = stated
        .iter()
        .filter(|stated| stated.language == language && stated.purpose == track.purpose)
        .collect();
    book.equal(Check::Renditions, place, "tracks of this language and purpose:", 1, named.len());
    let stated = named.first()?;
    let resolver = Resolver { profile: &spec.profile.id, media_path: &track.path };
    let path = book.done(Check::Reference, place, "a URL of the track", resolver.path(&stated.url))?;
    let expected = entry_point(spec.profile.container).unwrap_or_default();
    book.equal(Check::Reference, place, "the track's", expected.as_str(), path.as_str());
    let picture = book.done(Check::Synchronisation, place, "a picture", picture.ok_or("none"))?;
    let delivered = fs_err::read(folder.join(DELIVERED));
    let delivered = book.done(Check::Reference, place, "the delivered file", delivered)?;
    let delivered = cues_of(&delivered, picture.length_ms());
    let delivered = book.done(Check::Structure, place, "a delivered file for the film", delivered)?;
    let file = folder.join(path);
    match spec.profile.container {
        Container::HlsTs | Container::HlsCmaf => playlist(book, place, &file, &delivered, picture),
        _ => whole(book, place, &file, &delivered),
    }
}

/// Reads a whole track: all cues of the delivered file.
fn whole(book: &mut Book, place: Place<'_>, file: &Path, delivered: &[Cue]) -> Option<()> {
    let bytes = book.done(Check::Reference, place, "a file of text", fs_err::read(file))?;
    let (format, cues) = book.done(Check::Structure, place, "WebVTT", read(&bytes))?;
    book.check(Check::Structure, place, format == Format::WebVtt, "WebVTT", "another format");
    book.equal(Check::AccessUnits, place, "cues:", delivered.len(), cues.len());
    let other = delivered.iter().zip(&cues).position(|(delivered, cue)| delivered != cue);
    book.check(
        Check::AccessUnits,
        place,
        other.is_none(),
        "the cues of the delivered file",
        format_args!("another as number {}", other.map_or(0, |index| index + 1)),
    );
    Some(())
}

/// Reads a playlist's segments: the cues of the delivered file in those that they are seen in, on the clock of the
/// picture.
fn playlist(
    book: &mut Book,
    place: Place<'_>,
    file: &Path,
    delivered: &[Cue],
    picture: Picture,
) -> Option<()> {
    let bytes = book.done(Check::Reference, place, "a playlist", fs_err::read(file))?;
    let playlist = book.done(Check::Manifest, place, "a playlist", Media::parse(&bytes))?;
    let is_plain = playlist.map.is_none() && playlist.keys.is_empty();
    book.check(Check::Manifest, place, is_plain, "segments of text alone", "a header or keys");
    hls::target_duration(book, place, &playlist);
    let stated_us: u64 = playlist.segments.iter().map(|segment| segment.duration_us).sum();
    let apart_ns = (stated_us.cast_signed().saturating_mul(1_000) - picture.length_ns).abs();
    book.check(
        Check::Ending,
        place,
        apart_ns < 1_000_000,
        "an end within a millisecond of the picture's",
        format_args!("{:.6} s apart", apart_ns as f64 / 1e9),
    );
    let expected: Vec<_> = segments(stated_us.div_ceil(1_000)).collect();
    book.equal(Check::SegmentCount, place, "segments", expected.len(), playlist.segments.len());
    for (index, (segment, (start, end))) in playlist.segments.iter().zip(expected).enumerate() {
        let place = place.segment(index);
        book.equal(Check::StatedTime, place, "milliseconds:", (end - start) * 1_000, segment.duration_us);
        let is_inside = !segment.uri.contains([':', '\\'])
            && segment.uri.split('/').all(|part| !matches!(part, "" | "." | ".."));
        book.check(Check::Reference, place, is_inside, "a file of the track", &segment.uri);
        if !is_inside {
            continue;
        }
        let text = fs_err::read_to_string(file.with_file_name(&segment.uri));
        let Some(text) = book.done(Check::Reference, place, "a segment", text) else { continue };
        let Some((clock, cues)) = book.done(Check::Structure, place, "WebVTT", read_segment(&text)) else {
            continue;
        };
        let clock_ns = clock.cast_signed().saturating_mul(100_000) / 9;
        book.check(
            Check::Synchronisation,
            place,
            // A tick of 90 kHz.
            (clock_ns - picture.start_ns).abs() <= 11_112,
            format_args!("times from {:.6} s of the media on", picture.start_ns as f64 / 1e9),
            format_args!("from {:.6} s on", clock_ns as f64 / 1e9),
        );
        let is_same = cues.iter().eq(seen(delivered, start, end));
        book.check(Check::AccessUnits, place, is_same, "the cues that are seen in it", "others");
    }
    Some(())
}

//! One packaged track: read from its segments, and compared with what the manifest states and with the encoded
//! rendition.

use std::collections::HashMap;
use std::path::Path;

use super::codec_name::rfc6381;
use super::finding::{Book, Check, Place};
use super::source::Rendition;
use super::stated::{StatedKind, StatedMedia, StatedTrack};
use crate::readback::encryption::{Decryption, Encryption};
use crate::readback::segments::SegmentReader;
use crate::readback::{AAC_FRAME_SAMPLES, AccessUnit, Codec, Track, boxes, fragments, nanoseconds};

/// What rounding to ticks of 90 kHz and to nanoseconds can do to a time.
const ROUNDING_NS: i64 = 20_000;
/// What rounding to the milliseconds of a playlist can do to a duration.
const MILLISECOND_ROUNDING_NS: i64 = 501_000;
/// How far rounded durations may add up over a whole playlist.
const DRIFT_NS: i64 = 1_000_000;

/// A packaged track, read from its segments.
pub(super) struct PackagedTrack {
    timescale: u32,
    codec: Codec,
    segments: Vec<Segment>,
    /// Whether times begin at zero, as they do with an edit list; MPEG-TS begins where it likes.
    begins_at_zero: bool,
    /// What was found of its encryption.
    pub(super) encryption: Option<Encryption>,
}

/// A segment, read.
pub(super) struct Segment {
    units: Vec<AccessUnit>,
    /// Begin and end of what is presented, in ticks.
    span: (i64, i64),
    stated_start_ns: Option<i64>,
    stated_duration_ns: i64,
}

/// What comparing a track gave.
pub(super) struct Compared {
    /// Segments read.
    pub(super) segments: u64,
    /// Access units read.
    pub(super) units: u64,
    /// What packaging added to every presentation time.
    pub(super) offset_ns: i64,
    /// Presentation time of the end, without that.
    pub(super) end_ns: i64,
    /// Duration of a frame.
    pub(super) frame_ns: i64,
}

/// Reads all segments of a track that the manifest states, opened with `decryption`. `frame_rate` fills in the durations
/// that MPEG-TS lacks.
pub(super) fn read(
    book: &mut Book,
    place: Place<'_>,
    media_dir: &Path,
    stated: &StatedTrack,
    frame_rate: u32,
    decryption: Decryption<'_>,
) -> Option<PackagedTrack> {
    match &stated.media {
        StatedMedia::Files { initialization, segments } => {
            let header = initialization.as_ref().map(|path| fs_err::read(media_dir.join(path))).transpose();
            let header = book.done(Check::Reference, place, "the initialisation segment", header)?;
            let reader = SegmentReader::opening(header.as_deref(), decryption);
            let mut reader = book.done(Check::Structure, place, "an initialisation segment", reader)?;
            let mut read = Vec::with_capacity(segments.len());
            for (index, segment) in segments.iter().enumerate() {
                let place = place.segment(index);
                let bytes = fs_err::read(media_dir.join(&segment.path));
                let bytes = book.done(Check::Reference, place, "a segment", bytes)?;
                let units = book.done(Check::Structure, place, "a whole segment", reader.read(&bytes))?;
                let span = reader.span(&units, reader.timescale() / frame_rate.max(1));
                read.push(Segment {
                    units,
                    span,
                    stated_start_ns: segment.start_ns,
                    stated_duration_ns: segment.duration_ns,
                });
            }
            let codec = reader.codec().cloned().ok_or("none of its parameters");
            let codec = book.done(Check::Structure, place, "a codec", codec)?;
            let begins_at_zero = initialization.is_some();
            no_system(book, place, &reader);
            let encryption = reader.encryption().cloned();
            Some(PackagedTrack {
                timescale: reader.timescale(),
                codec,
                segments: read,
                begins_at_zero,
                encryption,
            })
        }
        StatedMedia::Indexed { file, initialization, index, timescale } => {
            let file = media_dir.join(file);
            let read = read_indexed(book, place, &file, (*initialization, *index, *timescale), decryption);
            book.done(Check::Structure, place, "one file with a segment index", read)
        }
    }
}

/// Reads a single file by the byte ranges that the MPD states, segment by segment as its index says.
fn read_indexed(
    book: &mut Book,
    place: Place<'_>,
    path: &Path,
    (initialization, index, timescale): ((u64, u64), (u64, u64), u32),
    decryption: Decryption<'_>,
) -> Result<PackagedTrack, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut file = fs_err::File::open(path).map_err(|error| text(&error))?;
    let length = file.metadata().map_err(|error| text(&error))?.len();
    let mut range = |first: u64, size: u64| byte_range(&mut file, first, size);
    let header = range(initialization.0, initialization.1 - initialization.0 + 1)?;
    let index_bytes = range(index.0, index.1 - index.0 + 1)?;
    let is_index_alone =
        boxes::boxes(&index_bytes).all(|found| found.is_ok_and(|found| found.kind == *b"sidx"));
    if initialization.0 != 0 || initialization.1 + 1 != index.0 || !is_index_alone {
        return Err("byte ranges that are not those of the header and the index".to_owned());
    }
    let mut reader = SegmentReader::opening(Some(&header), decryption).map_err(|error| text(&error))?;
    let index_box = fragments::segment_index(&index_bytes).map_err(|error| text(&error))?;
    if [index_box.timescale, timescale] != [reader.timescale(); 2] {
        return Err(format!(
            "time scales of {timescale} in the MPD and {} in the index",
            index_box.timescale
        ));
    }

    let mut at = index.1.saturating_add(1).saturating_add(index_box.first_offset);
    let mut time = index_box.earliest.cast_signed();
    let mut segments = Vec::with_capacity(index_box.segments.len());
    for (number, &(size, duration)) in index_box.segments.iter().enumerate() {
        let bytes = range(at, u64::from(size))?;
        let units = reader.read(&bytes).map_err(|error| format!("segment {}: {error}", number + 1))?;
        let span = reader.span(&units, 0);
        segments.push(Segment {
            units,
            span,
            stated_start_ns: Some(nanoseconds(time, index_box.timescale)),
            stated_duration_ns: nanoseconds(i64::from(duration), index_box.timescale),
        });
        at += u64::from(size);
        time = time.saturating_add(i64::from(duration));
    }
    if at != length {
        return Err(format!("an index up to byte {at} of {length}"));
    }
    let codec = reader.codec().cloned().ok_or("no codec")?;
    no_system(book, place, &reader);
    let encryption = reader.encryption().cloned();
    Ok(PackagedTrack { timescale: reader.timescale(), codec, segments, begins_at_zero: true, encryption })
}

/// What DRM systems are told stands in manifests alone, so that the media are the same for all.
fn no_system(book: &mut Book, place: Place<'_>, reader: &SegmentReader<'_>) {
    let systems = reader.systems();
    book.check(
        Check::Protection,
        place,
        systems.is_empty(),
        "no pssh box in the media",
        format_args!("{} of them", systems.len()),
    );
}

/// Whether `decryption` gives the rendition's own frames in the first segment.
pub(super) fn opens(
    media_dir: &Path,
    stated: &StatedTrack,
    decryption: Decryption<'_>,
    source: &Track,
) -> bool {
    first_segment(media_dir, stated, decryption).is_ok_and(|units| {
        !units.is_empty()
            && units.iter().zip(&source.units).all(|(unit, source)| unit.payload == source.payload)
    })
}

fn first_segment(
    media_dir: &Path,
    stated: &StatedTrack,
    decryption: Decryption<'_>,
) -> Result<Vec<AccessUnit>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let read = |path: &str| fs_err::read(media_dir.join(path)).map_err(|error| text(&error));
    let (header, segment) = match &stated.media {
        StatedMedia::Files { initialization, segments } => {
            let first = segments.first().ok_or("no segment")?;
            (initialization.as_deref().map(read).transpose()?, read(&first.path)?)
        }
        StatedMedia::Indexed { file, initialization, index, .. } => {
            let mut file = fs_err::File::open(media_dir.join(file)).map_err(|error| text(&error))?;
            let header = byte_range(&mut file, initialization.0, initialization.1 - initialization.0 + 1)?;
            let found = byte_range(&mut file, index.0, index.1 - index.0 + 1)?;
            let found = fragments::segment_index(&found).map_err(|error| text(&error))?;
            let (size, _) = found.segments.first().ok_or("no segment")?;
            let at = index.1.saturating_add(1).saturating_add(found.first_offset);
            (Some(header), byte_range(&mut file, at, u64::from(*size))?)
        }
    };
    let mut reader = SegmentReader::opening(header.as_deref(), decryption).map_err(|error| text(&error))?;
    reader.read(&segment).map_err(|error| text(&error))
}

/// So many bytes of a file from `first` on.
fn byte_range(file: &mut fs_err::File, first: u64, size: u64) -> Result<Vec<u8>, String> {
    use std::io::{Read, Seek, SeekFrom};

    let text = |error: &dyn std::fmt::Display| error.to_string();
    let length = file.metadata().map_err(|error| text(&error))?.len();
    if first.checked_add(size).is_none_or(|end| end > length) {
        return Err(format!("bytes {first} to {} of {length}", first.saturating_add(size)));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|error| text(&error))?];
    file.seek(SeekFrom::Start(first)).map_err(|error| text(&error))?;
    file.read_exact(&mut bytes).map_err(|error| text(&error))?;
    Ok(bytes)
}

impl Segment {
    /// One whose manifest states no more than its duration.
    pub(super) fn new(units: Vec<AccessUnit>, stated_duration_ns: i64) -> Self {
        let end_of = |unit: &AccessUnit| unit.pts.saturating_add(i64::from(unit.duration));
        let start = units.iter().map(|unit| unit.pts).min().unwrap_or(0);
        let end = units.iter().map(end_of).max().unwrap_or(0);
        Self { units, span: (start, end), stated_start_ns: None, stated_duration_ns }
    }
}

impl PackagedTrack {
    /// A clear track without an edit list.
    pub(super) const fn new(timescale: u32, codec: Codec, segments: Vec<Segment>) -> Self {
        Self { timescale, codec, segments, begins_at_zero: false, encryption: None }
    }

    /// Compares the track with what the manifest states and with the encoded rendition.
    pub(super) fn compare(
        &self,
        book: &mut Book,
        place: Place<'_>,
        rendition: Rendition<'_>,
        stated: &StatedTrack,
        source: &Track,
        segment_seconds: u32,
    ) -> Option<Compared> {
        attributes(book, place, rendition, stated, &self.codec);
        self.compare_media(book, place, rendition, source, segment_seconds)
    }

    /// Compares the track with the encoded rendition, its codec among it.
    pub(super) fn compare_media(
        &self,
        book: &mut Book,
        place: Place<'_>,
        rendition: Rendition<'_>,
        source: &Track,
        segment_seconds: u32,
    ) -> Option<Compared> {
        codecs(book, place, rendition, source, &self.codec);
        let flat: Vec<(Place<'_>, &AccessUnit)> = self
            .segments
            .iter()
            .enumerate()
            .flat_map(|(index, segment)| segment.units.iter().map(move |unit| (place.segment(index), unit)))
            .collect();
        let offset_ns = access_units(book, place, &flat, self.timescale, source)?;
        if self.begins_at_zero {
            book.equal(Check::PresentationTimes, place, "nanoseconds added to times", 0, offset_ns);
        }

        let starts = Starts { offset_ns, segment_seconds };
        match rendition {
            Rendition::Video(_) => self.video_starts(book, place, source, starts),
            Rendition::Audio(_) => self.audio_starts(book, place, source, starts),
        }
        self.stated_times(book, place);

        let frame_ns = frame_ns(rendition, source);
        let end = self.segments.iter().map(|segment| segment.span.1).max().unwrap_or(0);
        Some(Compared {
            segments: self.segments.len() as u64,
            units: flat.len() as u64,
            offset_ns,
            end_ns: nanoseconds(end, self.timescale) - offset_ns,
            frame_ns,
        })
    }

    fn video_starts(&self, book: &mut Book, place: Place<'_>, source: &Track, starts: Starts) {
        let last = source.units.iter().map(|unit| unit.pts).max().unwrap_or(0);
        let length = i64::from(starts.segment_seconds) * i64::from(source.timescale);
        let count = last.max(0) / length.max(1) + 1;
        book.equal(Check::SegmentCount, place, "segments", count, self.segments.len() as i64);
        let zero = self.segments.first().and_then(|segment| segment.units.first()).map_or(0, |unit| unit.pts);
        for (index, segment) in self.segments.iter().enumerate() {
            let place = place.segment(index);
            let Some(first) = segment.units.first() else { continue };
            book.check(Check::Idr, place, first.idr, "an IDR picture first", "another picture");
            let earliest = segment.units.iter().map(|unit| unit.pts).min().unwrap_or(first.pts);
            let ticks = i64::from(starts.segment_seconds) * i64::from(self.timescale);
            let due = index as i64 * ticks;
            let holds = first.pts - zero == due && earliest == first.pts;
            book.check(
                Check::SegmentStart,
                place,
                holds,
                format_args!("a start at {} s", index as u64 * u64::from(starts.segment_seconds)),
                format_args!("{:.6} s", seconds(earliest - zero, self.timescale)),
            );
        }
    }

    /// Sound is cut at the first frame that begins in a segment's time.
    fn audio_starts(&self, book: &mut Book, place: Place<'_>, source: &Track, starts: Starts) {
        let length_ns = i64::from(starts.segment_seconds) * 1_000_000_000;
        let last = source.units.iter().map(|unit| unit.pts).max().unwrap_or(0);
        let count = (nanoseconds(last, source.timescale).max(0) + ROUNDING_NS) / length_ns.max(1) + 1;
        book.equal(Check::SegmentCount, place, "segments", count, self.segments.len() as i64);
        let frame = nanoseconds(i64::from(AAC_FRAME_SAMPLES), source.timescale);
        for (index, segment) in self.segments.iter().enumerate().skip(1) {
            let Some(first) = segment.units.first() else { continue };
            let late = nanoseconds(first.pts, self.timescale) - starts.offset_ns - index as i64 * length_ns;
            book.check(
                Check::SegmentStart,
                place.segment(index),
                (-ROUNDING_NS..frame).contains(&late),
                format_args!(
                    "a start within a frame after {} s",
                    index as u64 * u64::from(starts.segment_seconds)
                ),
                format_args!("{:.6} s later", late as f64 / 1e9),
            );
        }
    }

    fn stated_times(&self, book: &mut Book, place: Place<'_>) {
        let zero = self.segments.first().map_or(0, |segment| segment.span.0);
        let mut stated_end = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            let place = place.segment(index);
            let (start, end) = segment.span;
            let duration_ns = nanoseconds(end - start, self.timescale);
            let (start_ns, tolerance, drift) = match segment.stated_start_ns {
                Some(stated) => (stated, ROUNDING_NS, ROUNDING_NS),
                None => (stated_end, MILLISECOND_ROUNDING_NS, DRIFT_NS),
            };
            let stated_s = |ns: i64| format!("{:.6} s", ns as f64 / 1e9);
            let wrong = (segment.stated_duration_ns - duration_ns).abs();
            book.check(
                Check::StatedTime,
                place,
                wrong <= tolerance,
                format_args!("a stated duration of {}", stated_s(duration_ns)),
                stated_s(segment.stated_duration_ns),
            );
            let real_start = nanoseconds(start - zero, self.timescale);
            book.check(
                Check::StatedTime,
                place,
                (start_ns - real_start).abs() <= drift,
                format_args!("a stated start at {}", stated_s(real_start)),
                stated_s(start_ns),
            );
            stated_end = start_ns.saturating_add(segment.stated_duration_ns);
        }
    }
}

#[derive(Clone, Copy)]
struct Starts {
    offset_ns: i64,
    segment_seconds: u32,
}

/// Codec, size, rate, language and channels: of the media, of the manifest, and as they were planned.
fn attributes(
    book: &mut Book,
    place: Place<'_>,
    rendition: Rendition<'_>,
    stated: &StatedTrack,
    codec: &Codec,
) {
    book.equal(Check::Attributes, place, "the codec", rfc6381(codec), stated.codecs.clone());
    match (rendition, &stated.kind) {
        (Rendition::Video(video), StatedKind::Video { size, frame_rate_milli }) => {
            let planned = format!("{}x{}", video.width, video.height);
            book.equal(Check::Attributes, place, "a picture of", planned, format!("{}x{}", size.0, size.1));
            let planned = u64::from(video.frame_rate) * 1_000;
            book.equal(Check::Attributes, place, "frames in 1000 s", planned, *frame_rate_milli);
        }
        (Rendition::Audio(audio), StatedKind::Audio { language, channels }) => {
            let planned = rendition.language().unwrap_or_else(|| "none".to_owned());
            let found = language.clone().unwrap_or_else(|| "none".to_owned());
            book.equal(Check::Attributes, place, "the language", planned, found);
            book.equal(Check::Attributes, place, "channels", audio.layout.channels(), *channels);
        }
        _ => {
            book.check(Check::Attributes, place, false, "picture as picture, sound as sound", "the other");
        }
    }
}

/// What decodes the media: the rendition's own parameters, as they were planned.
pub(super) fn codecs(
    book: &mut Book,
    place: Place<'_>,
    rendition: Rendition<'_>,
    source: &Track,
    codec: &Codec,
) {
    let same = match (codec, &source.codec) {
        (Codec::Avc { parameter_sets: one, .. }, Codec::Avc { parameter_sets: other, .. }) => one == other,
        (one, other) => one == other,
    };
    book.check(
        Check::Attributes,
        place,
        same,
        format_args!("the rendition's codec parameters ({})", rfc6381(&source.codec)),
        format_args!("others ({})", rfc6381(codec)),
    );
    for codec in [codec, &source.codec] {
        match (rendition, codec) {
            (
                Rendition::Video(video),
                Codec::Avc { size: Some((width, height)), .. } | Codec::Hevc { size: (width, height), .. },
            ) => {
                let planned = format!("{}x{}", video.width, video.height);
                book.equal(Check::Attributes, place, "a picture of", planned, format!("{width}x{height}"));
            }
            (Rendition::Audio(audio), Codec::Aac { channels, .. }) => {
                book.equal(Check::Attributes, place, "channels", audio.layout.channels(), *channels);
            }
            (Rendition::Video(_), Codec::Avc { size: None, .. }) => {}
            _ => {
                book.check(
                    Check::Attributes,
                    place,
                    false,
                    "picture as picture, sound as sound",
                    rfc6381(codec),
                );
            }
        }
    }
}

/// Compares units one by one, each with the place that a finding about it names. Gives what was added to every presentation time.
pub(super) fn access_units(
    book: &mut Book,
    place: Place<'_>,
    packaged: &[(Place<'_>, &AccessUnit)],
    timescale: u32,
    source: &Track,
) -> Option<i64> {
    book.equal(Check::AccessUnits, place, "frames", source.units.len(), packaged.len());
    let (first, source_first) = (packaged.first()?, source.units.first()?);
    let time = |unit: &AccessUnit| nanoseconds(unit.pts, timescale);
    let source_time = |unit: &AccessUnit| nanoseconds(unit.pts, source.timescale);
    let offset_ns = time(first.1) - source_time(source_first);

    let pairs = || packaged.iter().zip(&source.units).enumerate();
    let pair_count = packaged.len().min(source.units.len()) as u64;
    book.held(Check::AccessUnits, pair_count);
    if let Some((index, ((place, unit), _))) =
        pairs().find(|(_, ((_, unit), source))| unit.payload != source.payload || unit.idr != source.idr)
    {
        let by_payload: HashMap<u128, usize> =
            source.units.iter().enumerate().rev().map(|(index, unit)| (unit.payload, index)).collect();
        let found = by_payload
            .get(&unit.payload)
            .map_or_else(|| "a frame that it does not have".to_owned(), |other| format!("its frame {other}"));
        book.check(Check::AccessUnits, *place, false, format_args!("the rendition's frame {index}"), found);
    }
    book.held(Check::PresentationTimes, pair_count);
    if let Some((index, ((place, unit), source))) = pairs()
        .find(|(_, ((_, unit), source))| (time(unit) - source_time(source) - offset_ns).abs() > ROUNDING_NS)
    {
        book.check(
            Check::PresentationTimes,
            *place,
            false,
            format_args!("frame {index} at {:.6} s", source_time(source) as f64 / 1e9),
            format_args!("{:.6} s", (time(unit) - offset_ns) as f64 / 1e9),
        );
    }
    Some(offset_ns)
}

/// How long a frame is.
pub(super) fn frame_ns(rendition: Rendition<'_>, source: &Track) -> i64 {
    match rendition {
        Rendition::Video(video) => 1_000_000_000 / i64::from(video.frame_rate.max(1)),
        Rendition::Audio(_) => nanoseconds(i64::from(AAC_FRAME_SAMPLES), source.timescale),
    }
}

fn seconds(ticks: i64, timescale: u32) -> f64 {
    ticks as f64 / f64::from(timescale.max(1))
}

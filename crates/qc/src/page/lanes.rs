//! What is found in stretches, in lanes: one row for the picture or for each track of sound.

use reelfarm_model::measurement::picture::PictureMeasurement;
use reelfarm_model::measurement::sound::SoundMeasurement;
use reelfarm_model::measurement::{AudioMeasurement, Span, Spans, VideoMeasurement};
use reelfarm_model::qc::Verdict;

use super::film::Film;
use super::verdict;
use crate::text::span;

/// The most tracks of sound that have a row in a lane of their own.
const MOST_TRACKS: usize = 8;

/// The most key frames that are shown one by one.
const MOST_KEY_FRAMES: usize = 200;
const NOT_MEASURED: &str = "not measured";

/// What a row is of, which gives its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The picture.
    Picture,
    /// The sound.
    Sound,
    /// A fault of the file itself.
    Fault,
    /// What checks of this verdict point at.
    Found(Verdict),
}

impl Kind {
    /// The class of its marks in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Picture => "mark picture",
            Self::Sound => "mark sound",
            Self::Fault => "mark fault",
            Self::Found(verdict) => verdict::mark(verdict),
        }
    }
}

/// One row of the time line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What it shows, such as `silence, track 1`.
    pub(super) name: String,
    /// What it is of.
    pub(super) kind: Kind,
    /// The stretches in the film's own time, in their order; those of no length are moments.
    pub(super) stretches: Vec<Span>,
    /// How many there are; more than are in `stretches` where not all were kept.
    pub(super) count: u64,
    /// How long they are together, in seconds.
    pub(super) seconds: f64,
    /// Some are missing, because no more were kept.
    pub(super) is_cut: bool,
    /// What stands in the place of marks: that it was not measured, or that marks would be too many. Else empty.
    pub(super) instead: String,
    /// What else there is to say, for a row of a single moment.
    pub(super) note: String,
}

impl Row {
    fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            stretches: Vec::new(),
            count: 0,
            seconds: 0.0,
            is_cut: false,
            instead: String::new(),
            note: String::new(),
        }
    }

    fn of(film: &Film<'_>, name: impl Into<String>, kind: Kind, spans: Option<&Spans>) -> Self {
        let mut row = Self::new(name, kind);
        match spans {
            Some(spans) => row.add(film, spans),
            None => row.instead = NOT_MEASURED.to_owned(),
        }
        row
    }

    fn add(&mut self, film: &Film<'_>, spans: &Spans) {
        self.count = self.count.saturating_add(spans.count);
        self.seconds += spans.seconds;
        let own = |span: &Span| {
            let (start, end) = (film.time(span.start)?, film.time(span.end)?);
            (start <= end && end >= film.from && start <= film.to).then_some(Span { start, end })
        };
        self.stretches.extend(spans.first.iter().filter_map(own));
        self.sort();
        self.is_cut |= spans.count > spans.first.len() as u64;
    }

    fn add_moment(&mut self, time: f64) {
        self.count = self.count.saturating_add(1);
        self.stretches.push(Span { start: time, end: time });
    }

    fn sort(&mut self) {
        self.stretches.sort_by(|one, other| one.start.total_cmp(&other.start));
    }
}

/// All rows, from top to bottom.
pub(super) fn rows(film: &Film<'_>) -> Vec<Row> {
    let mut rows = findings(film);
    rows.extend(pictures(film));
    rows.extend(sounds(film));
    rows.push(decode_errors(film));
    rows
}

/// Where checks found something, a row for each verdict that has a place.
fn findings(film: &Film<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for verdict in Verdict::ALL.into_iter().rev().filter(|verdict| *verdict != Verdict::Pass) {
        let mut row = Row::new(format!("found: {}", verdict::word(verdict)), Kind::Found(verdict));
        for place in film.report.checks.iter().filter(|check| check.verdict == verdict) {
            for place in &place.places {
                let (start, end) = (place.start_ms as f64 / 1000.0, place.end_ms as f64 / 1000.0);
                row.stretches.push(Span { start, end: end.max(start) });
                row.count += 1;
                row.seconds += (end - start).max(0.0);
            }
        }
        row.sort();
        if row.count > 0 {
            rows.push(row);
        }
    }
    rows
}

fn pictures(film: &Film<'_>) -> Vec<Row> {
    let Some(video) = film.video else { return Vec::new() };
    let picture = video.picture.as_ref();
    let of = |name: &str, spans: fn(&PictureMeasurement) -> &Spans| {
        Row::of(film, name, Kind::Picture, picture.map(spans))
    };
    let interlaced = video.fields.as_ref().map(|fields| &fields.interlaced);
    vec![
        of("black", |picture| &picture.black),
        of("freeze", |picture| &picture.freeze),
        of("flashes", |picture| &picture.general_flashes.too_many),
        of("red flashes", |picture| &picture.red_flashes.too_many),
        Row::of(film, "interlaced", Kind::Picture, interlaced),
        Row::of(film, "gaps", Kind::Fault, Some(&video.gaps)),
        key_frames(film, video),
    ]
}

fn key_frames(film: &Film<'_>, video: &VideoMeasurement) -> Row {
    let mut row = Row::new("key frames", Kind::Picture);
    let times = &video.key_frame_times;
    if times.is_empty() && video.key_frames > 0 {
        row.instead = NOT_MEASURED.to_owned();
    } else if times.len() > MOST_KEY_FRAMES || video.key_frames > times.len() as u64 {
        let distance = span(video.longest_key_frame_distance);
        row.instead = format!("{} key frames, at most {distance} apart", video.key_frames);
    } else {
        times.iter().filter_map(|time| film.time(*time)).for_each(|time| row.add_moment(time));
        row.sort();
    }
    row
}

fn sounds(film: &Film<'_>) -> Vec<Row> {
    let tracks: Vec<&AudioMeasurement> = film.measurements.audio.iter().take(MOST_TRACKS).collect();
    let named = |what: &str, track: &AudioMeasurement| match film.measurements.audio.len() {
        1 => what.to_owned(),
        _ => format!("{what}, track {}", track.index),
    };
    let mut rows = Vec::new();
    for track in &tracks {
        let silence = track.sound.as_ref().map(|sound| &sound.silence);
        rows.push(Row::of(film, named("silence", track), Kind::Sound, silence));
    }
    for track in &tracks {
        rows.push(clipped(film, named("clipped sound", track), track.sound.as_ref()));
    }
    for track in &tracks {
        let pair = track.sound.as_ref().and_then(|sound| sound.pair.as_ref());
        if let Some(pair) = pair {
            rows.push(Row::of(film, named("out of phase", track), Kind::Sound, Some(&pair.out_of_phase)));
        }
    }
    rows
}

/// Clipped runs of all channels of a track together.
fn clipped(film: &Film<'_>, name: String, sound: Option<&SoundMeasurement>) -> Row {
    let mut row = Row::new(name, Kind::Sound);
    if sound.is_none() {
        row.instead = NOT_MEASURED.to_owned();
    }
    for channel in sound.iter().flat_map(|sound| &sound.channels) {
        row.add(film, &channel.clipped);
    }
    row
}

/// The first error of each track: of the others only the number is known.
fn decode_errors(film: &Film<'_>) -> Row {
    let mut row = Row::new("decode errors", Kind::Fault);
    let video = film.measurements.video.iter();
    let video = video.map(|track| (track.decode_errors, track.first_decode_error));
    let audio = film.measurements.audio.iter();
    let audio = audio.map(|track| (track.decode_errors, track.first_decode_error));
    let mut errors = 0_u64;
    for (count, first) in video.chain(audio) {
        errors = errors.saturating_add(count);
        if let Some(time) = first.and_then(|time| film.time(time)) {
            row.add_moment(time);
        }
    }
    row.sort();
    row.count = errors;
    if errors > 0 {
        row.note = format!("the first of each track; {errors} in all");
    }
    row
}

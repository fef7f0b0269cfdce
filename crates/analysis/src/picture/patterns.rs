//! How regularly repeats return.
//!
//! A machine that repeats pictures never loses step, whatever happens in the film. So repeats are gathered by their place in
//! every period that comes into question, in pieces of 300 frames; those of a machine all have the same places. A period
//! explains them as well as the places that repeat and the others differ in how much they look like repeats.

use std::collections::BTreeMap;

use reelfarm_model::measurement::Span;
use reelfarm_model::measurement::picture::{Cadence, CadencePattern};

use super::ntsc::NtscPattern;
use super::repeats::Judged;

/// Frames that are looked through for a pattern at a time: a multiple of the periods that frame rates make (2, 3, 4, 5, 6,
/// 10, 12, 25), 12 s at 25 frames a second.
const PIECE: u64 = 300;
/// The fewest of them in motion.
const LEAST_MOVING: u32 = 75;
/// The longest period, which is that of fields whose order is not known: two pictures of the 25 in which 24 are told.
const LONGEST_PERIOD: usize = 50;
/// How often a place must have been seen in motion for a repeat to be expected there.
const LEAST_SEEN: u32 = 4;
/// What looks like a repeat by so much is counted as one.
const COUNTED: f64 = 0.5;
/// By how much places that repeat and others differ at least. Repeats by hand, or by chance, reach that in single pieces only.
pub(super) const REGULAR: f64 = 0.6;
/// A longer period must be more regular by so much than a shorter one, which it contains if it is a multiple. It always is by
/// a little, because it has more places that noise can fill.
const BETTER: f64 = 0.15;
/// What a pattern's regularity is at least to go on from one piece to the next.
const STILL_REGULAR: f64 = 0.45;
/// An NTSC pattern must explain so much more of the film than others, unless these lose step.
const NTSC_BETTER: f64 = 0.1;
/// Patterns that are reported.
const REPORTED: usize = 4;

/// Gathers a [`Cadence`].
#[derive(Debug)]
pub(super) struct PatternRecorder {
    /// Frames that were taken in.
    frames: u64,
    piece: Piece,
    found: Cadence,
    patterns: BTreeMap<(u32, u32), CadencePattern>,
    /// The pattern that the last pieces have in common, its places, and the stretch it lasts for.
    in_step: Option<(u32, u64, Span)>,
    ntsc: NtscPattern,
    /// From the first to the last piece with enough motion.
    judged: Option<Span>,
}

/// What was gathered in a piece of the film.
#[derive(Debug)]
struct Piece {
    /// When it is shown.
    shown: Option<Span>,
    moving: u32,
    moving_seconds: f64,
    repeats: u32,
    periods: Vec<Period>,
}

/// Frames by their place in a period.
#[derive(Debug)]
struct Period {
    /// The place of the frame that comes next.
    next: usize,
    places: Vec<Place>,
}

/// Frames in motion, and how much they look like repeats, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) moving: u32,
    pub(super) repeats: f64,
}

/// Repeats that return after `period` frames at the places that are set in `places`.
#[derive(Clone, Copy, Debug)]
struct Pattern {
    period: u32,
    places: u64,
    regularity: f64,
}

impl Default for PatternRecorder {
    fn default() -> Self {
        let periods = (2..=LONGEST_PERIOD)
            .map(|period| Period { next: 0, places: vec![Place::default(); period] })
            .collect();
        Self {
            frames: 0,
            piece: Piece { shown: None, moving: 0, moving_seconds: 0.0, repeats: 0, periods },
            found: Cadence::default(),
            patterns: BTreeMap::new(),
            in_step: None,
            ntsc: NtscPattern::default(),
            judged: None,
        }
    }
}

impl PatternRecorder {
    /// The next frame.
    pub(super) fn push(&mut self, frame: Judged) {
        self.piece.push(frame);
        self.ntsc.push(frame);
        self.frames += 1;
        if self.frames.is_multiple_of(PIECE) {
            self.close_piece();
        }
    }

    fn close_piece(&mut self) {
        let piece = &mut self.piece;
        self.found.moving_frames += u64::from(piece.moving);
        self.found.moving_seconds += piece.moving_seconds;
        self.found.repeats += u64::from(piece.repeats);
        if let Some(shown) = piece.shown.filter(|_| piece.moving >= LEAST_MOVING) {
            self.found.judged_seconds += piece.moving_seconds;
            self.judged = Some(Span { end: shown.end, ..self.judged.unwrap_or(shown) });
            let going_on = self.in_step.and_then(|(period, places, _)| piece.pattern_at(period, places));
            let pattern = piece.pattern(going_on);
            self.in_step = pattern.map(|Pattern { period, places, .. }| match self.in_step {
                Some((same_period, same_places, since)) if (same_period, same_places) == (period, places) => {
                    (period, places, Span { end: shown.end, ..since })
                }
                _ => (period, places, shown),
            });
            if let (Some(pattern), Some((.., stretch))) = (pattern, self.in_step) {
                let pictures = pattern.period - pattern.places.count_ones();
                let none = CadencePattern {
                    period: pattern.period,
                    pictures,
                    seconds: 0.0,
                    longest: 0.0,
                    regularity: 0.0,
                };
                let found = self.patterns.entry((pattern.period, pictures)).or_insert(none);
                found.seconds += piece.moving_seconds;
                found.longest = found.longest.max(stretch.end - stretch.start);
                found.regularity += pattern.regularity * piece.moving_seconds;
            }
        }
        piece.clear();
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Cadence {
        self.close_piece();
        let mut patterns: Vec<CadencePattern> = self.patterns.into_values().collect();
        for pattern in &mut patterns {
            pattern.regularity /= pattern.seconds.max(f64::MIN_POSITIVE);
        }
        let explains = |pattern: &CadencePattern| pattern.seconds * pattern.regularity;
        if let (Some(stretch), Some((period, pictures, regularity))) = (self.judged, self.ntsc.pattern()) {
            let seconds = self.found.judged_seconds;
            let longest = stretch.end - stretch.start;
            let ntsc = CadencePattern { period, pictures, seconds, longest, regularity };
            let is_better = patterns.iter().all(|other| {
                let loses_step = other.longest < longest / 2.0;
                explains(&ntsc) >= explains(other) + if loses_step { 0.0 } else { NTSC_BETTER * seconds }
            });
            patterns.extend(is_better.then_some(ntsc));
        }
        patterns.sort_by(|a, b| explains(b).total_cmp(&explains(a)).then(a.period.cmp(&b.period)));
        patterns.truncate(REPORTED);
        Cadence { patterns, ..self.found }
    }
}

impl Piece {
    fn push(&mut self, frame: Judged) {
        let Judged { shown, moves, repeat } = frame;
        self.shown = Some(Span { end: shown.end, ..self.shown.unwrap_or(shown) });
        if moves {
            self.moving += 1;
            self.moving_seconds += shown.end - shown.start;
            self.repeats += u32::from(repeat >= COUNTED);
        }
        for period in &mut self.periods {
            if let Some(place) = period.places.get_mut(period.next).filter(|_| moves) {
                place.moving += 1;
                place.repeats += repeat;
            }
            period.next = (period.next + 1) % period.places.len();
        }
    }

    /// The pattern that goes on from the piece before, or else the shortest period, that explains the repeats about as well as
    /// any.
    fn pattern(&self, going_on: Option<Pattern>) -> Option<Pattern> {
        let patterns: Vec<Pattern> = self.periods.iter().filter_map(Period::pattern).collect();
        let best = patterns.iter().map(|pattern| pattern.regularity).fold(0.0, f64::max);
        going_on
            .filter(|pattern| pattern.regularity >= STILL_REGULAR.max(best - BETTER))
            .or_else(|| patterns.into_iter().find(|pattern| pattern.regularity >= REGULAR.max(best - BETTER)))
    }

    /// A pattern that is known, with the regularity that it has here.
    fn pattern_at(&self, period: u32, places: u64) -> Option<Pattern> {
        self.periods.iter().find(|known| known.places.len() as u32 == period)?.pattern_at(places)
    }

    /// Forgets what was gathered; the places go on.
    fn clear(&mut self) {
        (self.shown, self.moving, self.moving_seconds, self.repeats) = (None, 0, 0.0, 0);
        self.periods.iter_mut().for_each(|period| period.places.fill(Place::default()));
    }
}

impl Period {
    /// The pattern of this period that suits best, whatever its regularity.
    fn pattern(&self) -> Option<Pattern> {
        let repeats = |place: &Place| place.moving >= LEAST_SEEN && place.mean() >= COUNTED;
        let places = self
            .places
            .iter()
            .enumerate()
            .fold(0, |places, (number, place)| places | u64::from(repeats(place)) << number);
        self.pattern_at(places)
    }

    /// The pattern of repeats at these places.
    fn pattern_at(&self, places: u64) -> Option<Pattern> {
        let (mut repeating, mut others) = (Place::default(), Place::default());
        for (number, place) in self.places.iter().enumerate() {
            if places >> number & 1 == 1 { &mut repeating } else { &mut others }.add(*place);
        }
        // Where every place repeats, there is nothing that is repeated.
        (repeating.moving > 0 && others.moving > 0).then(|| Pattern {
            period: self.places.len() as u32,
            places,
            regularity: repeating.mean() - others.mean(),
        })
    }
}

impl Place {
    pub(super) fn add(&mut self, other: Self) {
        self.moving += other.moving;
        self.repeats += other.repeats;
    }

    /// By how much a frame in motion looks like a repeat there.
    pub(super) fn mean(self) -> f64 {
        self.repeats / f64::from(self.moving.max(1))
    }
}

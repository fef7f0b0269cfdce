//! Stretches between a frame and the next that are longer than they should be.

use std::collections::BTreeMap;

use reelfarm_model::measurement::{Ratio, Span, Spans};

use super::spans;

/// Distances from which the usual one is learnt.
const LEARNT: usize = 500;
/// What is longer than the usual distance by this factor is a gap.
const GAP: f64 = 1.5;
/// What clocks of a millisecond, as Matroska has them, may add to a distance and take from the usual one, in seconds.
const ROUNDING: f64 = 0.002;

/// Gathers gaps.
pub(super) struct Gaps {
    time_base: Ratio,
    last: Option<i64>,
    /// Frames' times with the distance to the next, until the usual distance is known.
    waiting: Vec<(i64, i64)>,
    /// The distance from which on there is a gap, in ticks.
    limit: Option<f64>,
    found: Spans,
}

impl Gaps {
    /// Of times in units of `time_base`.
    pub(super) fn new(time_base: Ratio) -> Self {
        Self { time_base, last: None, waiting: Vec::new(), limit: None, found: Spans::default() }
    }

    /// The time of the next frame that has one.
    pub(super) fn push(&mut self, time: i64) {
        let Some(last) = self.last.replace(time) else { return };
        let distance = time.saturating_sub(last);
        if let Some(limit) = self.limit {
            self.judge(last, distance, limit);
            return;
        }
        self.waiting.push((last, distance));
        if self.waiting.len() == LEARNT {
            self.learn();
        }
    }

    /// Takes the most frequent distance for the usual one.
    fn learn(&mut self) {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for (_, distance) in self.waiting.iter().filter(|(_, distance)| *distance > 0) {
            *counts.entry(*distance).or_default() += 1;
        }
        let usual = counts.into_iter().max_by_key(|(distance, count)| (*count, *distance));
        let tick = self.time_base.value().unwrap_or(0.0);
        let rounding = if tick > 0.0 { ROUNDING / tick } else { 0.0 };
        let limit = usual.map_or(f64::INFINITY, |(distance, _)| GAP * distance as f64 + rounding);
        self.limit = Some(limit);
        for (time, distance) in std::mem::take(&mut self.waiting) {
            self.judge(time, distance, limit);
        }
    }

    fn judge(&mut self, time: i64, distance: i64, limit: f64) {
        if distance as f64 > limit {
            let seconds = |ticks: i64| ticks as f64 * self.time_base.value().unwrap_or(0.0);
            let span = Span { start: seconds(time), end: seconds(time.saturating_add(distance)) };
            spans::add(&mut self.found, span);
        }
    }

    /// The gaps.
    pub(super) fn finish(mut self) -> Spans {
        if self.limit.is_none() {
            self.learn();
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gaps in milliseconds.
    fn gaps(time_base: Ratio, times: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
        let mut gaps = Gaps::new(time_base);
        times.into_iter().for_each(|time| gaps.push(time));
        let milliseconds = |seconds: f64| (seconds * 1_000.0).round() as i64;
        gaps.finish().first.iter().map(|span| (milliseconds(span.start), milliseconds(span.end))).collect()
    }

    #[test]
    fn dropped_frames_leave_gaps_in_short_films_and_long_ones() {
        for frames in [30, 5_000] {
            let times = (0..frames).filter(|frame| !(10..=12).contains(frame) && *frame != frames - 2);
            let last = (frames - 3) * 40;
            assert_eq!(gaps(Ratio::new(1, 25), times), [(360, 520), (last, last + 80)], "{frames}");
        }
    }

    #[test]
    fn rounded_clocks_and_repeated_fields_leave_none() {
        let rounded = (0..2_000).map(|frame| (f64::from(frame) * 1001.0 / 24.0).round() as i64);
        assert_eq!(gaps(Ratio::new(1, 1_000), rounded), []);
        // Film on DVD: frames are shown for two fields and three by turns.
        let telecine = |frame: i64| frame / 2 * 7_508 + frame % 2 * 3_003;
        assert_eq!(gaps(Ratio::new(1, 90_000), (0..2_000).map(telecine)), []);
        assert_eq!(gaps(Ratio::new(1, 1_000), (0..2_000).map(|frame| (telecine(frame) + 45) / 90)), []);
    }

    #[test]
    fn times_that_are_no_times_do_no_harm() {
        assert_eq!(gaps(Ratio::new(1, 0), [0, 1, 2, 9]), [(0, 0)]);
        assert_eq!(gaps(Ratio::new(1, 25), [i64::MIN, i64::MAX, i64::MIN]), []);
        assert_eq!(gaps(Ratio::new(1, 25), []), []);
        assert_eq!(gaps(Ratio::new(1, 25), [5, 5, 5, 4, 3]), []);
    }
}

//! How well frame times fit constant rates. Pure arithmetic on times.

use std::collections::BTreeMap;

use reelfarm_model::measurement::{GridFit, IntervalCount, Ratio};

use super::line::Line;

/// Rates that times are held against, in frames per second.
const CANDIDATES: [(i64, i64); 19] = [
    (10, 1),
    (12, 1),
    (25, 2),
    (15_000, 1001),
    (15, 1),
    (20, 1),
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48_000, 1001),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (100, 1),
    (120_000, 1001),
    (120, 1),
];

/// The most intervals that are reported.
const INTERVALS: usize = 16;
/// The most intervals that are told apart: what comes at ever other distances has no rate, and takes no more memory.
const MOST_INTERVALS: usize = 4096;

/// The times of a track's frames, taken in one by one.
pub(super) struct FrameTimes {
    time_base: Ratio,
    index: u64,
    /// Index and time of the first frame that has one.
    first: Option<(u64, i64)>,
    last: Option<i64>,
    missing: u64,
    backward: u64,
    first_backward: Option<i64>,
    deviations: [f64; CANDIDATES.len()],
    line: Line,
    intervals: BTreeMap<i64, u64>,
}

impl FrameTimes {
    /// No times yet, in units of `time_base`.
    pub(super) fn new(time_base: Ratio) -> Self {
        Self {
            time_base,
            index: 0,
            first: None,
            last: None,
            missing: 0,
            backward: 0,
            first_backward: None,
            deviations: [0.0; CANDIDATES.len()],
            line: Line::default(),
            intervals: BTreeMap::new(),
        }
    }

    /// The next frame in the order of display, with its time in ticks if it has one.
    pub(super) fn push(&mut self, time: Option<i64>) {
        let index = self.index;
        self.index += 1;
        let Some(time) = time else {
            self.missing += 1;
            return;
        };
        if let Some(last) = self.last {
            let interval = time.saturating_sub(last);
            let is_full = self.intervals.len() >= MOST_INTERVALS;
            match self.intervals.get_mut(&interval) {
                Some(count) => *count += 1,
                None if is_full => {}
                None => {
                    self.intervals.insert(interval, 1);
                }
            }
            if time <= last {
                self.backward += 1;
                self.first_backward.get_or_insert(last);
            }
        }
        self.last = Some(time);
        self.line.push(index, time);
        let (first_index, first) = *self.first.get_or_insert((index, time));
        let since_first = self.seconds(time.saturating_sub(first));
        for (deviation, (numerator, denominator)) in self.deviations.iter_mut().zip(CANDIDATES) {
            let expected = (index - first_index) as f64 * denominator as f64 / numerator as f64;
            *deviation = deviation.max((since_first - expected).abs());
        }
    }

    /// Frames so far.
    pub(super) fn frames(&self) -> u64 {
        self.index
    }

    /// Frames without a time.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Frames whose time is not after the one before.
    pub(super) fn backward(&self) -> u64 {
        self.backward
    }

    /// Time of the frame that the first of them follows, in seconds.
    pub(super) fn first_backward(&self) -> Option<f64> {
        self.first_backward.map(|time| self.seconds(time))
    }

    /// Time of the first frame that has one, in seconds.
    pub(super) fn first_time(&self) -> f64 {
        self.seconds(self.first.map_or(0, |(_, time)| time))
    }

    /// Time of the last frame that has one, in seconds.
    pub(super) fn last_time(&self) -> f64 {
        self.seconds(self.last.unwrap_or(0))
    }

    /// A line for each candidate rate.
    pub(super) fn fits(&self) -> Vec<GridFit> {
        CANDIDATES
            .iter()
            .zip(self.deviations)
            .map(|((numerator, denominator), largest_deviation)| GridFit {
                rate: Ratio::new(*numerator, *denominator),
                largest_deviation,
            })
            .collect()
    }

    /// The largest distance of a frame from its place at the mean rate, in seconds.
    pub(super) fn mean_deviation(&self) -> Option<f64> {
        let tick = self.time_base.value()?;
        self.line.largest_deviation().map(|ticks| ticks * tick)
    }

    /// The most frequent intervals, most frequent first. Beyond 4096 different ones only those that were met before are
    /// counted.
    pub(super) fn intervals(&self) -> Vec<IntervalCount> {
        let mut intervals: Vec<_> = self
            .intervals
            .iter()
            .map(|(ticks, count)| IntervalCount { ticks: *ticks, count: *count })
            .collect();
        intervals.sort_by_key(|interval| (std::cmp::Reverse(interval.count), interval.ticks));
        intervals.truncate(INTERVALS);
        intervals
    }

    fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 * self.time_base.value().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deviation(times: &FrameTimes, rate: (i64, i64)) -> f64 {
        let rate = Ratio::new(rate.0, rate.1);
        times.fits().into_iter().find(|fit| fit.rate == rate).unwrap().largest_deviation
    }

    #[test]
    fn a_dropped_frame_is_seen_on_every_grid() {
        let mut times = FrameTimes::new(Ratio::new(1, 25));
        for tick in (0..50).filter(|tick| *tick != 20) {
            times.push(Some(tick));
        }
        assert!((deviation(&times, (25, 1)) - 0.04).abs() < 1e-9);
        assert_eq!(times.intervals()[0], IntervalCount { ticks: 1, count: 47 });
        assert_eq!(times.intervals()[1], IntervalCount { ticks: 2, count: 1 });
    }

    #[test]
    fn ever_other_intervals_take_no_more_memory() {
        let mut times = FrameTimes::new(Ratio::new(1, 90_000));
        let mut time = 0;
        let most = MOST_INTERVALS as i64;
        times.push(Some(time));
        for interval in (1..=2 * most).chain([1, 1, 2 * most]) {
            time += interval;
            times.push(Some(time));
        }
        assert_eq!(times.intervals.len(), MOST_INTERVALS);
        assert_eq!(times.frames(), 2 * MOST_INTERVALS as u64 + 4);
        let intervals = times.intervals();
        assert_eq!(intervals[0], IntervalCount { ticks: 1, count: 3 });
        assert_eq!((intervals[1], intervals.len()), (IntervalCount { ticks: 2, count: 1 }, INTERVALS));
    }

    #[test]
    fn missing_and_backward_times_are_counted() {
        let mut times = FrameTimes::new(Ratio::new(1, 1000));
        for time in [Some(40), None, Some(120), Some(120), Some(100)] {
            times.push(time);
        }
        assert_eq!((times.frames(), times.missing(), times.backward()), (5, 1, 2));
        assert_eq!(times.first_backward(), Some(0.12));
        assert!((times.first_time() - 0.04).abs() < 1e-9 && (times.last_time() - 0.1).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn times_of_a_candidate_rate_fit_it_within_the_tick(candidate in 0..CANDIDATES.len(), start in -90_000i64..90_000, frames in 2i64..2000) {
            let (numerator, denominator) = CANDIDATES[candidate];
            let mut times = FrameTimes::new(Ratio::new(1, 90_000));
            for index in 0..frames {
                times.push(Some(start + (index * 90_000 * denominator + numerator / 2) / numerator));
            }
            prop_assert!(deviation(&times, CANDIDATES[candidate]) <= 1.0 / 90_000.0);
            prop_assert_eq!(times.backward(), 0);
            for other in CANDIDATES {
                // Two rates part by a frame's length after a while; a short clip cannot tell close ones apart.
                let drift = (frames - 1) as f64
                    * (denominator as f64 / numerator as f64 - other.1 as f64 / other.0 as f64).abs();
                prop_assert!((deviation(&times, other) - drift).abs() <= 1.0 / 90_000.0);
            }
        }
    }
}

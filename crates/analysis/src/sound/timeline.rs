//! A track's energy over time, and the loudness that a meter shows of it.

use std::collections::VecDeque;

use reelfarm_model::measurement::Curve;
use reelfarm_model::measurement::sound::ProgrammeLoudness;

use super::clock::Clock;
use super::curve::CurveRecorder;
use super::gating::{self, lufs};

/// Slots in 400 ms, of which momentary loudness is (EBU Tech 3341, 2.2).
const MOMENTARY: usize = 40;
/// Slots in 3 s, of which short-term loudness is.
const SHORT_TERM: usize = 300;
/// Slots in 100 ms, the steps in which gating blocks begin.
const HOP: usize = 10;
/// Steps of 100 ms that are kept: 24 hours, twice the longest film that the farm takes by default. Beyond, the loudness is
/// that of the first 24 hours.
const MOST_HOPS: usize = 24 * 36_000;

/// Energies of one track, slot after slot.
#[derive(Debug)]
pub(super) struct Timeline {
    clock: Clock,
    /// The last 3 s.
    slots: VecDeque<f64>,
    /// Slots in the step that is being gathered.
    gathered: usize,
    /// The largest momentary and short-term energy in it.
    largest: (f64, f64),
    /// The largest of all.
    maximum: (f64, f64),
    /// Mean energies, one for each 100 ms.
    hops: Vec<f32>,
    momentary: CurveRecorder,
    short_term: CurveRecorder,
}

impl Timeline {
    pub(super) fn new(clock: Clock) -> Self {
        let curve = CurveRecorder::new(clock.start(), clock.slots(HOP));
        Self {
            clock,
            slots: VecDeque::with_capacity(SHORT_TERM + 1),
            gathered: 0,
            largest: (0.0, 0.0),
            maximum: (0.0, 0.0),
            hops: Vec::new(),
            momentary: curve.clone(),
            short_term: curve,
        }
    }

    /// The next slot's energy.
    pub(super) fn push(&mut self, energy: f64) {
        self.slots.push_back(energy);
        if self.slots.len() > SHORT_TERM {
            self.slots.pop_front();
        }
        self.largest.0 = self.largest.0.max(self.last(MOMENTARY));
        self.largest.1 = self.largest.1.max(self.last(SHORT_TERM));
        self.gathered += 1;
        if self.gathered == HOP {
            self.step();
        }
    }

    /// The mean of the last slots, none as long as there are fewer.
    fn last(&self, count: usize) -> f64 {
        if self.slots.len() < count {
            return 0.0;
        }
        self.slots.iter().rev().take(count).sum::<f64>() / count as f64
    }

    fn step(&mut self) {
        if self.hops.len() < MOST_HOPS {
            self.hops.push(self.last(HOP) as f32);
        }
        self.momentary.push(lufs(self.largest.0));
        self.short_term.push(lufs(self.largest.1));
        self.maximum = self.maximum_so_far();
        self.largest = (0.0, 0.0);
        self.gathered = 0;
    }

    fn maximum_so_far(&self) -> (f64, f64) {
        (self.maximum.0.max(self.largest.0), self.maximum.1.max(self.largest.1))
    }

    /// The loudness so far.
    pub(super) fn loudness(&self, true_peak: f64) -> ProgrammeLoudness {
        let (momentary, short_term) = self.maximum_so_far();
        ProgrammeLoudness {
            maximum_momentary_lufs: lufs(momentary),
            maximum_short_term_lufs: lufs(short_term),
            ..gating::loudness(&self.hops, true_peak)
        }
    }

    /// Momentary and short-term loudness over time.
    pub(super) fn curves(&self) -> (Curve, Curve) {
        (self.momentary.finish(), self.short_term.finish())
    }

    /// Adds the energies to those of a programme that begins at `start` seconds.
    pub(super) fn add_to(&self, programme: &mut Vec<f32>, start: f64, weight: f64) {
        let late = (self.clock.start() - start) / self.clock.slots(HOP);
        let skipped = (late.round() as usize).min(MOST_HOPS);
        if programme.len() < skipped + self.hops.len() {
            programme.resize(skipped + self.hops.len(), 0.0);
        }
        for (sum, energy) in programme.iter_mut().skip(skipped).zip(&self.hops) {
            *sum += (weight * f64::from(*energy)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gating::energy_of;
    use super::*;

    #[test]
    fn windows_count_once_they_are_full() {
        let mut timeline = Timeline::new(Clock::new(48_000, 0.0));
        for slot in 1..=300 {
            timeline.push(energy_of(-23.0));
            let loudness = timeline.loudness(0.0);
            assert_eq!(loudness.maximum_momentary_lufs.is_some(), slot >= 40, "{slot}");
            assert_eq!(loudness.maximum_short_term_lufs.is_some(), slot >= 300, "{slot}");
        }
        let (momentary, short_term) = timeline.curves();
        assert_eq!(momentary.values.iter().flatten().count(), 27);
        assert_eq!(short_term.values.last(), Some(&Some(-23.0)));
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let mut timeline = Timeline::new(Clock::new(48_000, 0.0));
        timeline.hops = vec![energy_of(-23.0) as f32; MOST_HOPS - 1];
        for _ in 0..1_000 {
            timeline.push(energy_of(-23.0));
        }
        assert_eq!(timeline.hops.len(), MOST_HOPS);
        assert!((timeline.loudness(0.0).integrated_lufs.unwrap() + 23.0).abs() < 1e-4);
    }

    #[test]
    fn tracks_that_begin_later_are_put_in_place() {
        let track = |start: f64| {
            let mut timeline = Timeline::new(Clock::new(48_000, start));
            (0..20).for_each(|_| timeline.push(1.0));
            timeline
        };
        let mut programme = Vec::new();
        for start in [5.04, 5.31, 1e12] {
            track(start).add_to(&mut programme, 5.04, 0.5);
        }
        assert_eq!(programme.len(), MOST_HOPS + 2);
        assert_eq!(programme[..6], [0.5, 0.5, 0.0, 0.5, 0.5, 0.0]);
    }
}

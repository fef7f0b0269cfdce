//! Do the samples of a track follow each other as its time stamps say.

use reelfarm_model::measurement::sound::ContinuityMeasurement;
use reelfarm_model::measurement::{Span, Spans};

use super::spans;

/// What is further apart is a gap or an overlap, in seconds: the farm's renditions fill and cut from there on. Clocks of a
/// millisecond, as Matroska has them, stay below.
pub(super) const LARGEST_STEP: f64 = 0.01;

/// Gathers a [`ContinuityMeasurement`].
#[derive(Debug, Default)]
pub(super) struct Continuity {
    so_far: Option<SoFar>,
    gaps: Spans,
    overlaps: Spans,
    drift: f64,
    drift_time: f64,
}

/// Where the samples so far end, in seconds.
#[derive(Clone, Copy, Debug)]
struct SoFar {
    /// By the time stamp of the last of them.
    end: f64,
    /// When the first one of all would be heard, had there been no gaps and overlaps.
    start: f64,
    /// How long all of them last.
    length: f64,
}

impl Continuity {
    /// Samples that last so many seconds and are heard from `time` on by their time stamp.
    pub(super) fn push(&mut self, time: f64, seconds: f64) {
        let Some(SoFar { end, start, length }) = self.so_far else {
            self.so_far = Some(SoFar { end: time + seconds, start: time, length: seconds });
            return;
        };
        let step = time - end;
        let mut start = start;
        if step.abs() > LARGEST_STEP {
            start += step;
        }
        if step > LARGEST_STEP {
            spans::add(&mut self.gaps, Span { start: end, end: time });
        } else if step < -LARGEST_STEP {
            spans::add(&mut self.overlaps, Span { start: time, end });
        }
        let drift = time - (start + length);
        if drift.abs() > self.drift.abs() {
            (self.drift, self.drift_time) = (drift, time);
        }
        self.so_far = Some(SoFar { end: time + seconds, start, length: length + seconds });
    }

    /// The measurement; `None` where there were no samples.
    pub(super) fn finish(self) -> Option<ContinuityMeasurement> {
        let Self { so_far, gaps, overlaps, drift, drift_time } = self;
        so_far.map(|_| ContinuityMeasurement { gaps, overlaps, drift, drift_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 20 ms, each at its time in milliseconds.
    fn measured(times: impl IntoIterator<Item = f64>) -> ContinuityMeasurement {
        let mut continuity = Continuity::default();
        times.into_iter().for_each(|time| continuity.push(time / 1_000.0, 0.02));
        continuity.finish().unwrap()
    }

    /// In milliseconds.
    fn ends(found: &Spans) -> Vec<(i64, i64)> {
        let milliseconds = |seconds: f64| (seconds * 1_000.0).round() as i64;
        found.first.iter().map(|span| (milliseconds(span.start), milliseconds(span.end))).collect()
    }

    #[test]
    fn what_follows_closely_has_neither_gaps_nor_drift() {
        for offset in [-500.0, 0.0, 9e9] {
            let found = measured((0..5_000).map(|frame| offset + f64::from(frame) * 20.0));
            assert_eq!((found.gaps.count, found.overlaps.count), (0, 0));
            assert!(found.drift.abs() < 1e-6, "{found:?}");
        }
        // Frames of 21.333 ms on a clock of a millisecond.
        let mut rounded = Continuity::default();
        (0..5_000)
            .for_each(|frame| rounded.push((f64::from(frame) * 64.0 / 3.0).round() / 1_000.0, 0.064 / 3.0));
        let found = rounded.finish().unwrap();
        assert!(found.drift.abs() < 0.000_6 && found.gaps.count + found.overlaps.count == 0, "{found:?}");
        assert_eq!(Continuity::default().finish(), None);
    }

    #[test]
    fn steps_are_gaps_and_overlaps_and_no_drift() {
        let times = [0.0, 20.0, 40.0, 100.0, 120.0, 131.0, 120.0, 140.0, 149.0];
        let found = measured(times);
        assert_eq!(
            (ends(&found.gaps), ends(&found.overlaps)),
            (vec![(60, 100)], vec![(120, 151), (149, 160)])
        );
        assert!((found.drift + 0.009).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn slow_growth_is_drift_in_either_direction() {
        for (length, expected) in [(20.02, 0.099_98), (19.98, -0.099_98)] {
            let found = measured((0..5_000).map(|frame| f64::from(frame) * length));
            assert_eq!((found.gaps.count, found.overlaps.count), (0, 0));
            assert!((found.drift - expected).abs() < 1e-6, "{found:?}");
            assert!((found.drift_time - 4.999 * length).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn a_gap_does_not_hide_a_drift() {
        let late = |frame: u32| if frame < 2_500 { 0.0 } else { 3_000.0 };
        let found = measured((0..5_000).map(|frame| f64::from(frame) * 20.02 + late(frame)));
        assert_eq!(found.gaps.count, 1);
        assert!((found.drift - 0.099_96).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn times_that_are_no_times_do_no_harm() {
        let found = measured([0.0, -1e300, 1e300, f64::from(u32::MAX), 0.0]);
        assert!(
            found.drift.is_finite() && found.gaps.seconds.is_finite() && found.overlaps.seconds.is_finite()
        );
    }
}

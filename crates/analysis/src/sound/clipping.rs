//! Where a waveform's top was cut off at full scale.
//!
//! Clipping below full scale, as in sound that was clipped and then lowered, is not looked for: some sound is flat by
//! nature.

use reelfarm_model::measurement::Spans;

use super::clock::Clock;
use crate::spans::SpanRecorder;

/// Full scale less one step of 16 bits: the largest positive value that 16 bits have, and that a converter to 16 bits clips
/// to. Deeper ones clip above it. In floating point what lies beyond 1 counts as well: it is cut off on the way to the
/// loudspeaker.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;
/// Samples in a row that are clipping. Sound that was made to just reach full scale touches it with one sample, or with two
/// alike; only a tone below 60 Hz (at 48 kHz) stays there for three by itself.
const SHORTEST_RUN: u64 = 3;

/// Looks for runs of samples at full scale.
#[derive(Clone, Debug)]
pub(super) struct Clipping {
    clock: Clock,
    /// The first sample of the run that goes on.
    first: u64,
    /// How long it is so far.
    run: u64,
    longest: u64,
    found: SpanRecorder,
}

impl Clipping {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, first: 0, run: 0, longest: 0, found: SpanRecorder::new(0.0) }
    }

    /// The next samples, the first of which has the number `first`, and the largest absolute value among them.
    pub(super) fn measure(&mut self, first: u64, peak: f32, samples: &[f32]) {
        if peak < FULL_SCALE {
            self.end();
            return;
        }
        for (number, sample) in (first..).zip(samples) {
            if sample.abs() < FULL_SCALE {
                self.end();
            } else {
                self.first = if self.run == 0 { number } else { self.first };
                self.run += 1;
            }
        }
    }

    fn end(&mut self) {
        if self.run >= SHORTEST_RUN {
            let (start, end) = (self.clock.at(self.first), self.clock.at(self.first + self.run));
            self.found.push(start, end, true);
            self.found.push(end, end, false);
            self.longest = self.longest.max(self.run);
        }
        self.run = 0;
    }

    /// Where it is clipped so far, and the samples in the longest run.
    pub(super) fn finish(&self) -> (Spans, u64) {
        let mut last = self.clone();
        last.end();
        (last.found.finish(), last.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs as start in samples and length, found in slots of four samples.
    fn runs(samples: &[f32]) -> (Vec<(u64, u64)>, u64) {
        let mut clipping = Clipping::new(Clock::new(1_000, 0.0));
        for (slot, samples) in samples.chunks(4).enumerate() {
            let peak = samples.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
            clipping.measure(slot as u64 * 4, peak, samples);
        }
        let (found, longest) = clipping.finish();
        let samples = |seconds: f64| (seconds * 1_000.0).round() as u64;
        let runs = found.first.iter().map(|span| (samples(span.start), samples(span.end - span.start)));
        (runs.collect(), longest)
    }

    #[test]
    fn three_in_a_row_are_clipped() {
        for (samples, expected) in [
            (&[0.5, 1.0, 1.0, 1.0, 0.5][..], &[(1, 3)][..]),
            (&[0.5, 1.0, 1.0, 0.5], &[]),
            (&[1.0, 1.0, 0.9, 1.0, 1.0, 0.9, 1.0], &[]),
            (&[0.999; 20], &[]),
            (&[FULL_SCALE; 3], &[(0, 3)]),
            (&[0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], &[(2, 9)]),
            (&[0.5, -1.0, -1.0, -1.0, 0.5, 0.5, 0.5, 0.5, 1.7, -3.0, 2.0], &[(1, 3), (8, 3)]),
            (&[1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5], &[(0, 4)]),
            (&[], &[]),
        ] {
            let (found, longest) = runs(samples);
            assert_eq!(found, expected, "{samples:?}");
            assert_eq!(longest, expected.iter().map(|(_, length)| *length).max().unwrap_or(0), "{samples:?}");
        }
    }
}

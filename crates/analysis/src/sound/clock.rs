//! When a sample is heard, and which of them are one slot.

/// Slots of 10 ms in a second: a 400 ms tone between two of them is measured 0.05 LU too low at most, and the EBU allows 0.1
/// (EBU Tech 3341, case 13).
const SLOTS_A_SECOND: u32 = 100;
/// Samples in a slot at the highest rate at which loudness is measured. At higher ones, which a damaged header may state,
/// slots are shorter: memory does not grow with them.
const MOST_SAMPLES: u32 = 3_840;

/// The time of a track's samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    sample_rate: u32,
    start: f64,
}

impl Clock {
    /// The first of so many samples a second is heard at `start` seconds; at 0 where that is no time.
    pub(super) fn new(sample_rate: u32, start: f64) -> Self {
        Self { sample_rate: sample_rate.max(1), start: if start.is_finite() { start } else { 0.0 } }
    }

    /// Samples in a second.
    pub(super) fn sample_rate(self) -> u32 {
        self.sample_rate
    }

    /// When the first sample is heard, in seconds.
    pub(super) fn start(self) -> f64 {
        self.start
    }

    /// When a sample is heard, in seconds. Counted from the first one, so that no error adds up.
    pub(super) fn at(self, sample: u64) -> f64 {
        self.start + sample as f64 / f64::from(self.sample_rate)
    }

    /// Samples in a slot: those of 10 ms, the last one left out where they are no whole number, as `ebur128` counts a
    /// window.
    pub(super) fn slot_samples(self) -> usize {
        (self.sample_rate / SLOTS_A_SECOND).clamp(1, MOST_SAMPLES) as usize
    }

    /// How long so many slots are, in seconds.
    pub(super) fn slots(self, count: usize) -> f64 {
        (count * self.slot_samples()) as f64 / f64::from(self.sample_rate)
    }
}

//! Left and right where each is a track of its own, whose samples come by turns.

use reelfarm_model::measurement::sound::{PairMeasurement, Side};

use super::clock::Clock;
use super::pair::PairMeter;

/// Samples of one track that may wait for the other's: those of ten seconds at 48 kHz. Files keep what is heard
/// together much closer.
const MOST_WAITING: usize = 480_000;

/// Measures how two mono tracks belong together.
///
/// Promises: memory for ten seconds of one of them, whatever comes.
#[derive(Debug)]
pub struct TrackPair {
    left: Waiting,
    right: Waiting,
    /// From when both have begun.
    meter: Option<(Clock, PairMeter)>,
    measured: u64,
    /// They can't be compared: sampled at different rates, or too far apart in the file.
    is_given_up: bool,
}

/// A track's samples that have not been measured.
#[derive(Debug, Default)]
struct Waiting {
    clock: Option<Clock>,
    samples: Vec<f32>,
    /// Samples still to come that are before the other track's first one.
    early: usize,
}

impl Waiting {
    fn take(&mut self, samples: &[f32]) {
        let early = self.early.min(samples.len());
        self.early -= early;
        let samples = samples.iter().skip(early);
        self.samples.extend(samples.map(|sample| if sample.is_finite() { *sample } else { 0.0 }));
    }

    /// Leaves out what is before `start` seconds.
    fn begin_at(&mut self, start: f64) {
        let Some(clock) = self.clock else { return };
        let early = ((start - clock.start()) * f64::from(clock.sample_rate())).round().max(0.0) as usize;
        let here = early.min(self.samples.len());
        self.samples.drain(..here);
        self.early = early - here;
    }
}

impl TrackPair {
    /// Of tracks that have not begun.
    pub fn new() -> Self {
        Self {
            left: Waiting::default(),
            right: Waiting::default(),
            meter: None,
            measured: 0,
            is_given_up: false,
        }
    }

    /// One of them begins: the first of so many samples a second is heard at `start` seconds.
    pub fn begin(&mut self, side: Side, sample_rate: u32, start: f64) {
        self.waiting(side).clock = Some(Clock::new(sample_rate, start));
    }

    /// The next samples of one of them, after it has begun.
    pub fn samples(&mut self, side: Side, samples: &[f32]) {
        if self.is_given_up {
            return;
        }
        self.waiting(side).take(samples);
        self.is_given_up = self.left.samples.len().max(self.right.samples.len()) > MOST_WAITING;
        self.measure();
        if self.is_given_up {
            (self.left, self.right) = (Waiting::default(), Waiting::default());
        }
    }

    fn waiting(&mut self, side: Side) -> &mut Waiting {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    fn measure(&mut self) {
        let (Some(left), Some(right)) = (self.left.clock, self.right.clock) else { return };
        if left.sample_rate() != right.sample_rate() {
            self.is_given_up = true;
            return;
        }
        let (clock, meter) = self.meter.get_or_insert_with(|| {
            let start = left.start().max(right.start());
            self.left.begin_at(start);
            self.right.begin_at(start);
            let clock = Clock::new(left.sample_rate(), start);
            (clock, PairMeter::new(clock, (0, 1)))
        });
        let slot = clock.slot_samples();
        let whole = self.left.samples.len().min(self.right.samples.len()) / slot * slot;
        for (left, right) in self.left.samples.chunks_exact(slot).zip(self.right.samples.chunks_exact(slot)) {
            self.measured += slot as u64;
            meter.measure(left, right, clock.at(self.measured));
        }
        self.left.samples.drain(..whole);
        self.right.samples.drain(..whole);
    }

    /// How they belong together; `None` where they were not compared to the end.
    pub fn finish(self) -> Option<PairMeasurement> {
        let (_, meter) = self.meter.filter(|_| !self.is_given_up)?;
        (self.measured > 0).then(|| meter.finish())
    }
}

impl Default for TrackPair {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reelfarm_model::measurement::sound::Position;

    use super::super::signals::{measured, noise, scaled};
    use super::*;

    /// The two in blocks of these lengths by turns.
    fn in_blocks(left: (f64, &[f32]), right: (f64, &[f32]), lengths: &[usize]) -> Option<PairMeasurement> {
        let mut pair = TrackPair::new();
        pair.begin(Side::Left, 8_000, left.0);
        pair.begin(Side::Right, 8_000, right.0);
        let (mut left, mut right) = (left.1, right.1);
        let mut lengths = lengths.iter().copied().cycle();
        while !left.is_empty() || !right.is_empty() {
            for (side, rest) in [(Side::Left, &mut left), (Side::Right, &mut right)] {
                let (block, more) = rest.split_at(lengths.next().unwrap_or(1).min(rest.len()));
                pair.samples(side, block);
                *rest = more;
            }
        }
        pair.finish()
    }

    /// Four seconds, the third of which is out of phase.
    fn programme() -> (Vec<f32>, Vec<f32>) {
        let left = noise(1, 0.3, 32_000);
        let mut right = left.clone();
        right[16_000..24_000].iter_mut().for_each(|sample| *sample = -*sample);
        (left, right)
    }

    fn of_a_stereo_track(left: &[f32], right: &[f32]) -> PairMeasurement {
        measured(8_000, &[Position::FrontLeft, Position::FrontRight], &[left, right]).pair.unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn two_tracks_are_as_one_with_both(lengths in prop::collection::vec(1_usize..9_000, 1..9)) {
            let (left, right) = programme();
            let found = in_blocks((0.0, &left), (0.0, &right), &lengths);
            prop_assert_eq!(found, Some(of_a_stereo_track(&left, &right)));
        }
    }

    #[test]
    fn a_track_that_begins_earlier_waits_for_the_other() {
        let (left, right) = programme();
        for lengths in [&[1_000, 1_000][..], &[100, 8_000], &[8_000, 100]] {
            let found = in_blocks((10.0, &left), (10.5, &right[4_000..]), lengths).unwrap();
            let [span] = found.out_of_phase.first.as_slice() else { panic!("{found:?}") };
            assert!(
                (span.start - 12.0).abs() < 1e-6 && (span.end - 13.0).abs() < 1e-6,
                "{lengths:?}: {span:?}"
            );
            assert_eq!(found.correlation, of_a_stereo_track(&left[4_000..], &right[4_000..]).correlation);
        }
    }

    #[test]
    fn what_lies_too_far_apart_is_not_compared() {
        let most = noise(1, 0.3, MOST_WAITING);
        let mut pair = TrackPair::new();
        pair.begin(Side::Left, 48_000, 0.0);
        pair.samples(Side::Left, &most);
        pair.samples(Side::Left, &most[..1]);
        pair.begin(Side::Right, 48_000, 0.0);
        pair.samples(Side::Right, &scaled(&most, -1.0));
        assert!(pair.left.samples.is_empty() && pair.right.samples.is_empty());
        assert_eq!(pair.finish(), None);
    }

    #[test]
    fn tracks_of_different_rates_are_not_compared() {
        let mut pair = TrackPair::new();
        pair.begin(Side::Left, 48_000, 0.0);
        pair.begin(Side::Right, 44_100, 0.0);
        pair.samples(Side::Left, &[0.5; 9_600]);
        pair.samples(Side::Right, &[0.5; 9_600]);
        assert_eq!(pair.finish(), None);
        assert_eq!(TrackPair::new().finish(), None);
    }
}

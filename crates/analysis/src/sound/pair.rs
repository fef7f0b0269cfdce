//! How left and right belong together: phase, and whether they are one channel twice.

use std::collections::VecDeque;

use reelfarm_model::measurement::sound::{PairMeasurement, Position, Side};

use super::SILENCE;
use super::clock::Clock;
use crate::spans::SpanRecorder;

/// Slots in the 100 ms steps in which windows begin.
const STEP: usize = 10;
/// Steps in a window: 400 ms, as of a momentary loudness. Over so long, the correlation of sounds that have nothing to do
/// with each other, voices or noise of 100 Hz width and more, stays within ±0.2.
const WINDOW: usize = 4;
/// Below it a mix to mono loses 1.5 dB and more against one of sounds that have nothing to do with each other (the power of
/// the mix is in proportion to 1 plus the correlation), and these do not reach it by chance.
const OUT_OF_PHASE: f64 = -0.3;
/// Shorter stretches are effects, in seconds.
const SHORTEST: f64 = 0.5;
/// One step of 16 bits: what rounding makes of equal sound.
const STEP_OF_16_BITS: f32 = 1.0 / 32_768.0;

/// Measures a pair of channels.
#[derive(Debug)]
pub(super) struct PairMeter {
    left: usize,
    right: usize,
    whole: Products,
    /// The step that is being gathered.
    step: Products,
    /// Slots in it.
    gathered: usize,
    /// When it begins, in seconds.
    start: f64,
    /// The last whole steps, of which windows are still to come.
    steps: VecDeque<Step>,
    out_of_phase: OutOfPhase,
    /// The largest absolute sample values.
    peaks: (f32, f32),
    heard: u64,
    equal: u64,
}

/// 100 ms of the two.
#[derive(Clone, Copy, Debug)]
struct Step {
    products: Products,
    start: f64,
    end: f64,
    /// Whether a window that it is in is out of phase.
    is_in_window: bool,
}

/// Gathers where windows are out of phase, without the steps at either end that are not so by themselves: so the ends are those of
/// the fault, and not of the windows that it reaches into.
#[derive(Clone, Debug)]
struct OutOfPhase(SpanRecorder);

impl OutOfPhase {
    fn push(&mut self, step: Step) {
        // One that is not so by itself is part of a stretch if one that is follows.
        if !step.is_in_window || step.products.are_out_of_phase() {
            self.0.push(step.start, step.end, step.is_in_window);
        }
    }
}

/// Sums of products of samples.
#[derive(Clone, Copy, Debug, Default)]
struct Products {
    left: f64,
    right: f64,
    both: f64,
    count: f64,
}

impl Products {
    fn of(left: &[f32], right: &[f32]) -> Self {
        let mut sums = Self { count: left.len() as f64, ..Self::default() };
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (f64::from(*left), f64::from(*right));
            sums.left += left * left;
            sums.right += right * right;
            sums.both += left * right;
        }
        sums
    }

    fn add(&mut self, more: Self) {
        self.left += more.left;
        self.right += more.right;
        self.both += more.both;
        self.count += more.count;
    }

    fn correlation(self) -> Option<f64> {
        // Rounding may lead a little beyond 1.
        (self.left > 0.0 && self.right > 0.0)
            .then(|| (self.both / (self.left.sqrt() * self.right.sqrt())).clamp(-1.0, 1.0))
    }

    /// The level of left less right, relative to the louder of them.
    fn difference_db(self) -> Option<f64> {
        let difference = (self.left + self.right - 2.0 * self.both) / self.left.max(self.right);
        (difference > 0.0).then(|| 10.0 * difference.log10())
    }

    fn are_out_of_phase(self) -> bool {
        self.are_heard() && self.correlation().is_some_and(|correlation| correlation < OUT_OF_PHASE)
    }

    /// Whether the mean level of both is above silence: noise below has a phase, but nobody hears it.
    fn are_heard(self) -> bool {
        let least = f64::from(SILENCE) * f64::from(SILENCE) * self.count;
        self.left >= least && self.right >= least
    }
}

/// Which two of a track's channels are compared: left and right in front, or the two that it has.
pub(super) fn places(channels: &[Position]) -> Option<(usize, usize)> {
    let place = |wanted| channels.iter().position(|position| *position == wanted);
    match (place(Position::FrontLeft), place(Position::FrontRight)) {
        (Some(left), Some(right)) => Some((left, right)),
        _ => (channels.len() == 2).then_some((0, 1)),
    }
}

impl PairMeter {
    /// For channels at these places.
    pub(super) fn new(clock: Clock, (left, right): (usize, usize)) -> Self {
        Self {
            left,
            right,
            whole: Products::default(),
            step: Products::default(),
            gathered: 0,
            start: clock.start(),
            steps: VecDeque::with_capacity(WINDOW),
            out_of_phase: OutOfPhase(SpanRecorder::new(SHORTEST)),
            peaks: (0.0, 0.0),
            heard: 0,
            equal: 0,
        }
    }

    /// The channels' places.
    pub(super) fn places(&self) -> (usize, usize) {
        (self.left, self.right)
    }

    /// Measures a slot of both, which ends at `end` seconds.
    pub(super) fn measure(&mut self, left: &[f32], right: &[f32], end: f64) {
        let products = Products::of(left, right);
        self.whole.add(products);
        for (left, right) in left.iter().zip(right) {
            self.peaks = (self.peaks.0.max(left.abs()), self.peaks.1.max(right.abs()));
            let is_heard = left.abs().max(right.abs()) >= SILENCE;
            self.heard += u64::from(is_heard);
            self.equal += u64::from(is_heard & ((left - right).abs() <= STEP_OF_16_BITS));
        }
        self.step.add(products);
        self.gathered += 1;
        if self.gathered == STEP {
            self.end_step(end);
        }
    }

    /// Judges the window that ends at `end` seconds.
    fn end_step(&mut self, end: f64) {
        let products = std::mem::take(&mut self.step);
        self.steps.push_back(Step { products, start: self.start, end, is_in_window: false });
        (self.start, self.gathered) = (end, 0);
        if self.steps.len() < WINDOW {
            return;
        }
        let mut window = Products::default();
        self.steps.iter().for_each(|step| window.add(step.products));
        if window.are_out_of_phase() {
            self.steps.iter_mut().for_each(|step| step.is_in_window = true);
        }
        if let Some(step) = self.steps.pop_front() {
            self.out_of_phase.push(step);
        }
    }

    /// How the channels belong together so far.
    pub(super) fn finish(&self) -> PairMeasurement {
        let mut out_of_phase = self.out_of_phase.clone();
        self.steps.iter().for_each(|step| out_of_phase.push(*step));
        PairMeasurement {
            left: self.left as u32,
            right: self.right as u32,
            correlation: self.whole.correlation(),
            out_of_phase: out_of_phase.0.finish(),
            equal: (self.heard > 0).then(|| self.equal as f64 / self.heard as f64),
            difference_db: self.whole.difference_db(),
            only: match (self.peaks.0 >= SILENCE, self.peaks.1 >= SILENCE) {
                (true, false) => Some(Side::Left),
                (false, true) => Some(Side::Right),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::signals::{amplitude, measured, noise, scaled, sine};
    use super::*;

    const STEREO: [Position; 2] = [Position::FrontLeft, Position::FrontRight];

    fn pair(left: &[f32], right: &[f32]) -> PairMeasurement {
        measured(48_000, &STEREO, &[left, right]).pair.unwrap()
    }

    fn is_dual_mono(left: &[f32], right: &[f32]) -> bool {
        pair(left, right).is_dual_mono()
    }

    #[test]
    fn the_pair_is_found() {
        use Position::{FrontCentre, FrontLeft, FrontRight, Mono, Other};
        for (channels, expected) in [
            (&[FrontLeft, FrontRight][..], Some((0, 1))),
            (&[FrontCentre, FrontRight, FrontLeft], Some((2, 1))),
            (&[Other, Mono], Some((0, 1))),
            (&[FrontLeft, Other, Other], None),
            (&[Mono], None),
            (&[], None),
        ] {
            let found = measured(48_000, channels, &[]).pair;
            assert_eq!(found.map(|pair| (pair.left, pair.right)), expected, "{channels:?}");
        }
    }

    #[test]
    fn correlation_is_that_of_the_whole() {
        let (one, other) = (noise(1, 0.3, 96_000), noise(2, 0.3, 96_000));
        let mix: Vec<f32> = one.iter().zip(&other).map(|(one, other)| 0.6 * one - 0.8 * other).collect();
        for (right, expected) in [
            (&one, 1.0),
            (&scaled(&one, -0.01), -1.0),
            (&other, 0.0),
            (&mix, 0.6),
            (&scaled(&mix, -1.0), -0.6),
        ] {
            let found = pair(&one, right).correlation.unwrap();
            assert!((found - expected).abs() < 0.02, "{found} instead of {expected}");
        }
        assert_eq!(pair(&one, &vec![0.0; one.len()]).correlation, None);
    }

    /// The second of eight seconds' quarters is out of phase.
    #[test]
    fn out_of_phase_is_found_in_its_place() {
        let left = noise(1, 0.3, 8 * 48_000);
        let mut right = left.clone();
        right[2 * 48_000..4 * 48_000].iter_mut().for_each(|sample| *sample = -*sample);
        let found = pair(&left, &right);
        assert_eq!(found.out_of_phase.count, 1);
        let span = found.out_of_phase.first[0];
        assert!((span.start - 2.0).abs() < 1e-6 && (span.end - 4.0).abs() < 1e-6, "{span:?}");
    }

    /// However the two belong together otherwise, and wherever it begins among the steps.
    #[test]
    fn the_ends_are_found_to_a_step() {
        for (shared, start) in [(1.0, 2.03), (1.0, 2.08), (0.6, 2.05), (0.6, 2.0), (0.45, 2.09)] {
            let left = noise(1, 0.3, 8 * 48_000);
            let own = noise(2, 0.3, left.len());
            let mut right: Vec<f32> =
                left.iter().zip(&own).map(|(one, other)| shared * one + (1.0 - shared) * other).collect();
            let (from, to) = ((start * 48_000.0) as usize, ((start + 3.0) * 48_000.0) as usize);
            right[from..to].iter_mut().for_each(|sample| *sample = -*sample);
            let found = pair(&left, &right).out_of_phase;
            assert_eq!(found.count, 1, "{shared} from {start}: {found:?}");
            let span = found.first[0];
            assert!(
                (span.start - start).abs() <= 0.1 && (span.end - start - 3.0).abs() <= 0.1,
                "{shared} from {start}: {span:?}"
            );
        }
    }

    #[test]
    fn out_of_phase_throughout_is_one_stretch() {
        let left = noise(1, 0.3, 2 * 48_000);
        let found = pair(&left, &scaled(&left, -0.5)).out_of_phase;
        assert_eq!((found.count, found.first[0].start), (1, 0.0));
        assert!(found.seconds > 1.8, "{found:?}");
    }

    #[test]
    fn what_only_seems_out_of_phase_is_not() {
        let left = noise(1, 0.3, 20 * 48_000);
        let mut short = left.clone();
        short[48_000..62_400].iter_mut().for_each(|sample| *sample = -*sample);
        let slightly: Vec<f32> =
            left.iter().zip(noise(2, 0.3, left.len())).map(|(one, other)| other - 0.2 * one).collect();
        for (name, left, right) in [
            ("noise of its own", left.clone(), noise(2, 0.3, left.len())),
            ("hardly", left.clone(), slightly),
            ("for 300 ms", left.clone(), short),
            ("by a quarter turn", sine(48_000, 200.0, 0.3, 20.0, 0.0), sine(48_000, 200.0, 0.3, 20.0, 90.0)),
            ("inverse but silent", scaled(&left, 0.003), scaled(&left, -0.003)),
            ("inverse, one of them silent", left.clone(), scaled(&left, -0.003)),
        ] {
            assert_eq!(pair(&left, &right).out_of_phase.count, 0, "{name}");
        }
    }

    #[test]
    fn dual_mono_is_one_channel_twice() {
        let left = noise(1, 0.3, 48_000);
        let plus = |step: f32| left.iter().map(|sample| sample + step).collect::<Vec<f32>>();
        let with_noise = |decibels: f64| -> Vec<f32> {
            let noise = noise(2, 0.3 * amplitude(decibels) as f32, left.len());
            left.iter().zip(noise).map(|(sample, noise)| sample + noise).collect()
        };
        // As long as only what is silent differs.
        let mut edges = left.clone();
        edges.iter_mut().filter(|sample| sample.abs() < 0.000_9).for_each(|sample| *sample = 0.0);
        let mut blips = left.clone();
        blips[10_000..10_020].fill(0.9);
        let mut bursts = left.clone();
        bursts[10_000..10_100].fill(0.9);
        for (name, right, expected) in [
            ("equal", left.clone(), true),
            ("rounded", plus(0.9 / 32_768.0), true),
            ("silent differs", edges, true),
            ("a blip", blips, true),
            ("0.2 % differ", bursts, false),
            ("two steps", plus(2.0 / 32_768.0), true),
            ("noise at -41 dB", with_noise(-41.0), true),
            ("noise at -39 dB", with_noise(-39.0), false),
            ("0.1 dB", scaled(&left, 0.988_6), false),
            ("inverse", scaled(&left, -1.0), false),
        ] {
            assert_eq!(is_dual_mono(&left, &right), expected, "{name}");
        }
        let silent = vec![0.000_5; 48_000];
        assert_eq!(pair(&silent, &silent).equal, None);
        assert!(!is_dual_mono(&silent, &silent));
    }

    #[test]
    fn a_side_that_is_silent_throughout_is_told() {
        let (loud, quiet, silent) =
            (noise(1, 0.3, 48_000), noise(2, 0.002, 48_000), noise(3, 0.000_9, 48_000));
        for (left, right, expected) in [
            (&loud, &silent, Some(Side::Left)),
            (&silent, &loud, Some(Side::Right)),
            (&loud, &quiet, None),
            (&silent, &silent, None),
        ] {
            assert_eq!(pair(left, right).only, expected);
        }
    }
}

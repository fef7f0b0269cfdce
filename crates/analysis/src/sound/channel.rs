//! One channel: its levels, peaks, silence and clipping, and what of it counts for loudness.

use ebur128::{EbuR128, Mode};
use reelfarm_model::measurement::sound::{ChannelMeasurement, Position};

use super::clipping::Clipping;
use super::clock::Clock;
use super::gating::energy_of;
use super::{SHORTEST_SILENCE, Slot, decibels};
use crate::spans::SpanRecorder;

/// How long a slot is for `ebur128`, in milliseconds.
const SLOT: u32 = 10;
/// Rates at which the K-weighting filter has its shape.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// Larger samples count as this one, 193 dB above full scale: no sum of them leaves the numbers that can be written down.
const LARGEST: f32 = 4_294_967_296.0;

/// Measures one channel.
#[derive(Debug)]
pub(super) struct ChannelMeter {
    clock: Clock,
    position: Position,
    /// One for each channel, not one for all: their energies are added up here, with other weights when tracks are combined.
    weighting: Option<EbuR128>,
    /// The slot that is being gathered.
    samples: Vec<f32>,
    count: u64,
    sum: f64,
    squares: f64,
    peak: f32,
    true_peak: f64,
    clipping: Clipping,
    silence: SpanRecorder,
    not_finite: u64,
}

impl ChannelMeter {
    pub(super) fn new(clock: Clock, position: Position) -> Self {
        let rate = clock.sample_rate();
        // It takes every such rate; where it did not, loudness would not be stated.
        let weighting =
            RATES.contains(&rate).then(|| EbuR128::new(1, rate, Mode::M | Mode::TRUE_PEAK).ok()).flatten();
        Self {
            clock,
            position,
            weighting,
            samples: Vec::with_capacity(clock.slot_samples()),
            count: 0,
            sum: 0.0,
            squares: 0.0,
            peak: 0.0,
            true_peak: 0.0,
            clipping: Clipping::new(clock),
            silence: SpanRecorder::new(SHORTEST_SILENCE),
            not_finite: 0,
        }
    }

    /// Takes samples into the slot; without any, so many zeros.
    pub(super) fn gather(&mut self, samples: Option<&[f32]>, count: usize) {
        let Some(samples) = samples else {
            self.samples.resize(self.samples.len() + count, 0.0);
            return;
        };
        let mut not_finite = 0;
        self.samples.extend(samples.iter().copied().map(|sample| {
            let is_finite = sample.is_finite();
            not_finite += u64::from(!is_finite);
            if is_finite { sample.clamp(-LARGEST, LARGEST) } else { 0.0 }
        }));
        self.not_finite += not_finite;
    }

    /// Measures the slot, whose first sample has the number `first`.
    pub(super) fn measure(&mut self, first: u64) -> Slot {
        let (mut peak, mut sum, mut squares) = (0.0_f32, 0.0, 0.0);
        for sample in &self.samples {
            peak = peak.max(sample.abs());
            let sample = f64::from(*sample);
            sum += sample;
            squares += sample * sample;
        }
        // Nothing of it fails: the channel is there, the window is short enough, and the mode measures both.
        let (lufs, true_peak) = self
            .weighting
            .as_mut()
            .and_then(|weighting| weighted(weighting, &self.samples).ok())
            .unwrap_or((f64::NEG_INFINITY, 0.0));
        let slot = Slot { peak, true_peak, energy: energy_of(lufs) };
        let next = first + self.samples.len() as u64;
        self.silence.push(self.clock.at(first), self.clock.at(next), slot.is_silent());
        self.clipping.measure(first, peak, &self.samples);
        self.count += self.samples.len() as u64;
        self.sum += sum;
        self.squares += squares;
        self.peak = self.peak.max(peak);
        self.true_peak = self.true_peak.max(true_peak);
        slot
    }

    /// Empties the slot.
    pub(super) fn forget(&mut self) {
        self.samples.clear();
    }

    /// The samples of the slot.
    pub(super) fn slot(&self) -> &[f32] {
        &self.samples
    }

    /// The largest true peak so far, as an amplitude.
    pub(super) fn true_peak(&self) -> f64 {
        self.true_peak
    }

    /// What it held so far.
    pub(super) fn finish(&self) -> ChannelMeasurement {
        let count = self.count.max(1) as f64;
        let (clipped, longest_clipped_run) = self.clipping.finish();
        ChannelMeasurement {
            position: self.position,
            peak_dbfs: decibels(f64::from(self.peak)),
            true_peak_dbtp: decibels(self.true_peak),
            rms_dbfs: decibels((self.squares / count).sqrt()),
            dc_offset: self.sum / count,
            clipped,
            longest_clipped_run,
            silence: self.silence.clone().finish(),
            not_finite: self.not_finite,
        }
    }
}

/// Loudness of a slot's samples in LUFS, and their largest true peak.
fn weighted(weighting: &mut EbuR128, samples: &[f32]) -> Result<(f64, f64), ebur128::Error> {
    weighting.add_frames_f32(samples)?;
    Ok((weighting.loudness_window(SLOT)?, weighting.prev_true_peak(0)?))
}

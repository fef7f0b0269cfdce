//! What the sound of a track holds: loudness, peaks, silence, clipping and phase.
//!
//! Samples are gathered into slots of 10 ms, and everything is measured slot by slot, so into which blocks a decoder cuts
//! them makes no difference. The K-weighting and the true peak are the crate `ebur128`'s, which passes the EBU's tests; the
//! gates are applied here, because which tracks are one programme turns out only at the end, and because the loudness range
//! needs ten values a second (EBU Tech 3342, 3.1), where the crate takes one.
//!
//! Promises: nothing in the samples or their arrangement makes it panic, and every result is a finite number; beside a few
//! hundred kilobytes a channel and the thousand stretches of each kind, it keeps 4 bytes for each 100 ms, of the first 24
//! hours.

mod channel;
mod clipping;
mod clock;
mod curve;
#[cfg(test)]
mod ebu;
mod gating;
mod pair;
#[cfg(test)]
mod signals;
mod timeline;
mod track_pair;
mod weights;

use reelfarm_model::measurement::sound::{Position, ProgrammeLoudness, SoundMeasurement};

use self::channel::ChannelMeter;
use self::clock::Clock;
use self::pair::PairMeter;
use self::timeline::Timeline;
use crate::spans::SpanRecorder;

pub use self::track_pair::TrackPair;

/// Channels that are measured: `ebur128` itself takes no more, and no layout has more.
const MOST_CHANNELS: usize = 64;
/// What does not reach it is silence: −60 dBFS as an amplitude. Room tone and tape hiss lie around it, a quiet voice above.
const SILENCE: f32 = 0.001;
/// Shorter silence lies between any two words, in seconds.
const SHORTEST_SILENCE: f64 = 0.5;
/// The permitted maximum true peak in production: −1 dBTP (EBU R 128) as an amplitude.
const PERMITTED_TRUE_PEAK: f64 = 0.891_250_938_133_745_6;

/// Measures one track's sound.
#[derive(Debug)]
pub struct SoundMeter {
    clock: Clock,
    channels: Vec<ChannelMeter>,
    ignored_channels: u32,
    weights: Vec<f64>,
    /// Samples of each channel that have been measured.
    measured: u64,
    /// Samples of each channel in the slot that is being gathered.
    gathered: usize,
    timeline: Timeline,
    silence: SpanRecorder,
    pair: Option<PairMeter>,
    true_peak_exceeded: Option<f64>,
}

/// What one channel held in one slot.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The largest absolute sample value.
    peak: f32,
    /// The largest absolute value of the waveform between samples as well.
    true_peak: f64,
    /// The mean square of the K-weighted samples.
    energy: f64,
}

impl Slot {
    fn is_silent(&self) -> bool {
        self.peak < SILENCE
    }
}

impl SoundMeter {
    /// For a track of so many samples a second, whose first one is heard at `start` seconds. Loudness and true peaks are
    /// measured at 8000 to 384000 samples a second; at other rates all else is.
    pub fn new(sample_rate: u32, channels: &[Position], start: f64) -> Self {
        let clock = Clock::new(sample_rate, start);
        let measured = channels.get(..MOST_CHANNELS).unwrap_or(channels);
        Self {
            clock,
            channels: measured.iter().map(|position| ChannelMeter::new(clock, *position)).collect(),
            ignored_channels: u32::try_from(channels.len() - measured.len()).unwrap_or(u32::MAX),
            weights: weights::weights(measured.iter().copied()),
            measured: 0,
            gathered: 0,
            timeline: Timeline::new(clock),
            silence: SpanRecorder::new(SHORTEST_SILENCE),
            pair: pair::places(measured).map(|places| PairMeter::new(clock, places)),
            true_peak_exceeded: None,
        }
    }

    /// The next samples, a slice a channel; full scale is 1. Of slices of different lengths, as many samples count as the
    /// shortest has; a channel without a slice is silent.
    pub fn samples(&mut self, planes: &[&[f32]]) {
        let planes = planes.get(..self.channels.len()).unwrap_or(planes);
        let length = planes.iter().map(|plane| plane.len()).min().unwrap_or(0);
        self.take(planes, length);
    }

    /// So many samples of silence in every channel, for a stretch of which there are none.
    pub fn silence(&mut self, samples: usize) {
        self.take(&[], samples);
    }

    /// When the samples so far end, in seconds.
    pub fn end(&self) -> f64 {
        self.clock.at(self.measured + self.gathered as u64)
    }

    fn take(&mut self, planes: &[&[f32]], length: usize) {
        let mut taken = 0;
        while taken < length {
            let next = length.min(taken + self.clock.slot_samples() - self.gathered);
            let mut planes = planes.iter();
            for channel in &mut self.channels {
                channel.gather(planes.next().and_then(|plane| plane.get(taken..next)), next - taken);
            }
            self.gathered += next - taken;
            taken = next;
            if self.gathered == self.clock.slot_samples() {
                self.measure();
            }
        }
    }

    /// Measures the slot that has been gathered.
    fn measure(&mut self) {
        let (from, is_whole) = (self.measured, self.gathered == self.clock.slot_samples());
        let to = from + self.gathered as u64;
        let (start, end) = (self.clock.at(from), self.clock.at(to));
        let (mut energy, mut true_peak, mut is_silent) = (0.0, 0.0_f64, true);
        for (channel, weight) in self.channels.iter_mut().zip(&self.weights) {
            let slot = channel.measure(from);
            energy += weight * slot.energy;
            true_peak = true_peak.max(slot.true_peak);
            is_silent &= slot.is_silent();
        }
        if true_peak > PERMITTED_TRUE_PEAK && self.true_peak_exceeded.is_none() {
            self.true_peak_exceeded = Some(start);
        }
        self.silence.push(start, end, is_silent);
        if let Some(pair) = &mut self.pair {
            let (left, right) = pair.places();
            if let (Some(left), Some(right)) = (self.channels.get(left), self.channels.get(right)) {
                pair.measure(left.slot(), right.slot(), end);
            }
        }
        if is_whole {
            self.timeline.push(energy);
        }
        for channel in &mut self.channels {
            channel.forget();
        }
        self.measured = to;
        self.gathered = 0;
    }

    /// What the samples so far held. The meter stays, for [`combined`].
    pub fn finish(&mut self) -> SoundMeasurement {
        if self.gathered > 0 {
            self.measure();
        }
        let (momentary, short_term) = self.timeline.curves();
        SoundMeasurement {
            samples: self.measured,
            ignored_channels: self.ignored_channels,
            loudness: self.timeline.loudness(self.true_peak()),
            true_peak_exceeded: self.true_peak_exceeded,
            momentary,
            short_term,
            silence: self.silence.clone().finish(),
            channels: self.channels.iter().map(ChannelMeter::finish).collect(),
            pair: self.pair.as_ref().map(PairMeter::finish),
        }
    }

    fn true_peak(&self) -> f64 {
        self.channels.iter().map(ChannelMeter::true_peak).fold(0.0, f64::max)
    }
}

/// Loudness of tracks that are one programme's channels, each at its position: for mono tracks, what a track with all those
/// channels would measure. The largest momentary and short-term loudness are those in steps of 100 ms. Of a track with
/// several channels, each also keeps the weight that it has there.
///
/// Tracks that do not begin together are put in place to 100 ms; where one has nothing, it is silent. To be called after
/// [`SoundMeter::finish`].
pub fn combined(meters: &[(&SoundMeter, Position)]) -> ProgrammeLoudness {
    let weights = weights::weights(meters.iter().map(|(_, position)| *position));
    let start = meters.iter().map(|(meter, _)| meter.clock.start()).fold(f64::INFINITY, f64::min);
    let mut energies = Vec::new();
    for ((meter, _), weight) in meters.iter().zip(weights) {
        meter.timeline.add_to(&mut energies, start, weight);
    }
    let true_peak = meters.iter().map(|(meter, _)| meter.true_peak()).fold(0.0, f64::max);
    gating::loudness(&energies, true_peak)
}

/// Decibels of an amplitude, 0 for an amplitude of 1.
fn decibels(amplitude: f64) -> Option<f64> {
    (amplitude > 0.0).then(|| 20.0 * amplitude.log10())
}

#[cfg(test)]
mod tests;

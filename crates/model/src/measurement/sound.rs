//! What the sound of a track held.
//!
//! Every number is finite. Levels are `None` where there is nothing to state one of, as of digital silence. Times are in
//! seconds on the container's timeline.

use serde::{Deserialize, Serialize};

use super::{Curve, Spans};

/// The share of moments in which left and right are equal where they are one channel. The rest is left to what happens at
/// edges.
const EQUAL: f64 = 0.999;
/// The level of their difference where they are one channel that was coded twice, in dB relative to the louder one: AC-3
/// leaves it 45 to 60 dB below.
const EQUAL_DB: f64 = -40.0;

/// Where a channel is heard from, as far as measuring needs to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// The only channel there is.
    Mono,
    /// 30° to the left.
    FrontLeft,
    /// 30° to the right.
    FrontRight,
    /// Straight ahead.
    FrontCentre,
    /// Low-frequency effects: no part of a programme's loudness.
    LowFrequency,
    /// The left surround channel between front and back.
    SideLeft,
    /// The right surround channel between front and back.
    SideRight,
    /// The left surround channel; the rear one where there are side channels as well.
    BackLeft,
    /// The right surround channel; the rear one where there are side channels as well.
    BackRight,
    /// Anywhere else, such as straight behind or overhead, or not stated.
    Other,
}

/// What one pass over a track's samples measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundMeasurement {
    /// Samples of each channel that were measured: gaps count as silence, overlaps once.
    pub samples: u64,
    /// Channels beyond the 64th, which were not measured.
    pub ignored_channels: u32,
    /// Loudness of the track by itself, its channels weighted by their positions.
    pub loudness: ProgrammeLoudness,
    /// When, to 10 ms, the true peak of any channel first exceeded −1 dBTP, the permitted maximum in production (EBU R 128).
    pub true_peak_exceeded: Option<f64>,
    /// The largest momentary loudness in each bucket, in LUFS, as a meter shows it: of the 400 ms before.
    pub momentary: Curve,
    /// The largest short-term loudness in each bucket, in LUFS, as a meter shows it: of the 3 s before.
    pub short_term: Curve,
    /// Stretches of at least half a second in which no channel reaches −60 dBFS, to 10 ms.
    pub silence: Spans,
    /// The channels, in the order of the track.
    pub channels: Vec<ChannelMeasurement>,
    /// How left and right belong together, where the track has them.
    pub pair: Option<PairMeasurement>,
}

/// How a track's samples follow each other by its time stamps.
///
/// At every moment the samples so far are held against the time stamps. What differs all at once, by more than 10 ms, is a
/// gap or an overlap; what differs little by little is drift.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContinuityMeasurement {
    /// Stretches without samples.
    pub gaps: Spans,
    /// Stretches that both the samples before and those after claim; each begins where those after do.
    pub overlaps: Spans,
    /// The largest distance of samples from where those before them put them, gaps and overlaps left out, in seconds: above
    /// zero where there are too few samples for the time, below where there are too many.
    pub drift: f64,
    /// When that is reached.
    pub drift_time: f64,
}

/// Loudness of the channels that are heard together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgrammeLoudness {
    /// Integrated loudness in LUFS (ITU-R BS.1770-5, annex 1), of the first 24 hours; `None` where no 400 ms of it reach the
    /// gate at −70 LUFS.
    pub integrated_lufs: Option<f64>,
    /// Loudness range in LU (EBU Tech 3342), of the first 24 hours; `None` where no 3 s of it reach the gate at −70 LUFS.
    pub range_lu: Option<f64>,
    /// The largest momentary loudness, that of 400 ms, in LUFS (EBU Tech 3341).
    pub maximum_momentary_lufs: Option<f64>,
    /// The largest short-term loudness, that of 3 s, in LUFS (EBU Tech 3341).
    pub maximum_short_term_lufs: Option<f64>,
    /// The largest true peak of any channel, in dBTP (ITU-R BS.1770-5, annex 2).
    pub true_peak_dbtp: Option<f64>,
}

/// What one channel of a track held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelMeasurement {
    /// Where it is heard from.
    pub position: Position,
    /// The largest absolute sample value, in dB relative to full scale.
    pub peak_dbfs: Option<f64>,
    /// The largest value of the waveform between samples as well, in dBTP (ITU-R BS.1770-5, annex 2).
    pub true_peak_dbtp: Option<f64>,
    /// Root mean square, in dB relative to full scale: −3.01 for a sine wave that just reaches full scale.
    pub rms_dbfs: Option<f64>,
    /// The mean of the samples; 1 is full scale.
    pub dc_offset: f64,
    /// Runs of three and more samples at or beyond full scale.
    pub clipped: Spans,
    /// Samples in the longest of those runs.
    pub longest_clipped_run: u64,
    /// Stretches of at least half a second in which it does not reach −60 dBFS, to 10 ms.
    pub silence: Spans,
    /// Samples that were not a number or infinite; they count as zero.
    pub not_finite: u64,
}

/// How left and right belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMeasurement {
    /// The left channel's place among the channels.
    pub left: u32,
    /// The right channel's place among the channels.
    pub right: u32,
    /// Correlation of the two over the whole, from −1 (one is the other's inverse) to 1; `None` where one is zero
    /// throughout.
    pub correlation: Option<f64>,
    /// Stretches of at least half a second, to 100 ms, in which both are heard and their correlation over 400 ms is below
    /// −0.3.
    pub out_of_phase: Spans,
    /// The share of moments, among those in which one of the two reaches −60 dBFS, in which they differ by no more than one
    /// step of 16 bits; `None` where neither ever does.
    pub equal: Option<f64>,
    /// The level of the difference between the two, in dB relative to the louder one; `None` where both are zero throughout, or
    /// there is no difference.
    #[serde(default)]
    pub difference_db: Option<f64>,
    /// Where one of them never reaches −60 dBFS and the other does: the one that does.
    pub only: Option<Side>,
}

/// One of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

impl PairMeasurement {
    /// Whether left and right are heard and are one channel twice: equal in 99.9 % of all moments, or their difference lies
    /// 40 dB below them.
    pub fn is_dual_mono(&self) -> bool {
        let is_small = || self.difference_db.is_some_and(|level| level <= EQUAL_DB);
        self.equal.is_some_and(|share| share >= EQUAL || is_small())
    }
}

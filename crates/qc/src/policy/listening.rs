//! The sections about what the sound holds, and about the subtitles in the file.

use serde::Deserialize;

use super::Severity;
use super::parse::{not_a_level, not_a_limit, not_a_share};

/// The sound's time stamps against its samples, and its speed against the picture's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoundTiming {
    /// How far samples may drift from their time stamps, in milliseconds.
    pub max_drift_ms: f64,
    /// What more does, and sound that runs at another speed than the picture.
    pub drift_verdict: Severity,
    /// What stretches without samples do, and those with samples twice.
    pub gap_verdict: Severity,
}

/// Sample rate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRate {
    /// Rates of which nothing is said, in hertz.
    pub usual_hz: Vec<u32>,
    /// What another one does.
    pub other_verdict: Severity,
    /// The least, in hertz.
    pub min_hz: u32,
    /// What a lower one does.
    pub low_verdict: Severity,
}

/// Channels and what they hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// What a layout does that is not stated, or does not fit the channels.
    pub layout_verdict: Severity,
    /// What a silent channel does in a programme that is heard.
    pub silent_verdict: Severity,
    /// What a stereo track does that holds one channel twice.
    pub dual_mono_verdict: Severity,
}

/// Loudness and true peak.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loudness {
    /// The target, in LUFS (the same as LKFS).
    pub target_lufs: f64,
    /// How far from it still passes, in LU.
    pub tolerance_lu: f64,
    /// How far from it only warns, in LU.
    pub limit_lu: f64,
    /// What is done further from it.
    pub verdict: Severity,
    /// The largest true peak, in dBTP.
    pub max_true_peak_dbtp: f64,
    /// What a larger one does.
    pub true_peak_verdict: Severity,
}

/// Silence.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// The longest, in seconds.
    pub max_s: f64,
    /// What a longer one does.
    pub verdict: Severity,
}

/// Clipping.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clipping {
    /// The most runs of clipped samples in each minute that has begun, all channels of a track together.
    pub max_runs_per_minute: f64,
    /// What more of them do.
    pub verdict: Severity,
}

/// Left against right.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The longest stretch out of phase, in seconds.
    pub max_stretch_s: f64,
    /// The share of what is heard that may be out of phase, in per cent.
    pub max_share_percent: f64,
    /// What more of either does.
    pub verdict: Severity,
}

/// DC offset.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DcOffset {
    /// The largest, in per cent of full scale.
    pub max_percent: f64,
    /// What a larger one does.
    pub verdict: Severity,
}

/// Subtitles in the file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subtitles {
    /// How long after the picture they may end, in seconds.
    pub max_after_end_s: f64,
    /// What a fault of theirs does.
    pub verdict: Severity,
}

impl SoundTiming {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_drift_ms", self.max_drift_ms)
    }
}

impl SampleRate {
    pub(super) fn fault(&self) -> Option<String> {
        if self.usual_hz.is_empty() {
            return Some("usual_hz must name at least one rate".to_owned());
        }
        let low = self.usual_hz.iter().find(|rate| **rate < self.min_hz)?;
        Some(format!("usual_hz holds {low}, which is below min_hz ({})", self.min_hz))
    }
}

impl Loudness {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_level("target_lufs", self.target_lufs)
            .or_else(|| not_a_limit("tolerance_lu", self.tolerance_lu))
            .or_else(|| not_a_limit("limit_lu", self.limit_lu))
            .or_else(|| {
                (self.tolerance_lu > self.limit_lu).then(|| {
                    format!("tolerance_lu ({}) is above limit_lu ({})", self.tolerance_lu, self.limit_lu)
                })
            })
            .or_else(|| {
                // A true peak may lie above full scale: between the samples there is room.
                (!(-60.0..=6.0).contains(&self.max_true_peak_dbtp))
                    .then(|| format!("max_true_peak_dbtp is -60 to 6, not {}", self.max_true_peak_dbtp))
            })
    }
}

impl Silence {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_s", self.max_s)
    }
}

impl Clipping {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_runs_per_minute", self.max_runs_per_minute)
    }
}

impl Phase {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_stretch_s", self.max_stretch_s)
            .or_else(|| not_a_share("max_share_percent", self.max_share_percent))
    }
}

impl DcOffset {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_share("max_percent", self.max_percent)
    }
}

impl Subtitles {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_after_end_s", self.max_after_end_s)
    }
}

//! Trials: short stretches of a rung encoded at several CRFs, to fit a ladder to a title.

use serde::{Deserialize, Serialize};

use super::{Chunk, RungSpec};
use crate::key::Digest;
use crate::qc::VideoConclusion;

/// See [`TaskSpec::Trial`](super::TaskSpec::Trial).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialSpec {
    /// The source.
    pub source: Digest,
    /// The track, its rate, frame count and treatment.
    pub video: VideoConclusion,
    /// The rung, whose own CRF and name count for nothing.
    pub rung: RungSpec,
    /// The CRFs to try, from low to high.
    pub crfs: Vec<u8>,
    /// The stretch to encode.
    pub stretch: Chunk,
    /// Width in pixels at which the rung is looked at besides its own: that of the largest rung of its codec.
    pub shown_width: u32,
    /// Height in pixels at which it is looked at.
    pub shown_height: u32,
}

/// Samples of luma that the pictures of encoders at work at once have together, unless one alone has more: an encoder keeps some
/// sixty pictures, so that this is about as much memory as the encode of a ladder for HD.
const MOST_SAMPLES: u64 = 2 * 1920 * 1080;

impl TrialSpec {
    /// How many of the CRFs are encoded at once: each time the stretch is decoded twice.
    pub fn at_once(&self) -> usize {
        let samples = u64::from(self.rung.width) * u64::from(self.rung.height);
        usize::try_from(MOST_SAMPLES / samples.max(1)).unwrap_or(1).max(1)
    }
}

/// What came of a trial: a point for each CRF.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The points, from the lowest CRF to the highest.
    pub points: Vec<TrialPoint>,
}

/// One encode of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPoint {
    /// The CRF.
    pub crf: u8,
    /// Bits of the stretch.
    pub bits: u64,
    /// SSIM of luma beside the source's picture at the rung's size: the mean of all frames.
    pub ssim: f64,
    /// The same with both at the size at which it is looked at.
    pub shown_ssim: f64,
}

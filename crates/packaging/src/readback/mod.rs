//! Readers of the farm's own for what packagers and muxers write: the access units of every layout, so that outputs are
//! proved by their bytes. Made for H.264, HEVC and AAC as the farm encodes them; whatever else they meet is an error.
//!
//! Promises: any bytes whatever give units or an error, without a panic and without taking more memory than a small
//! multiple of the bytes read.

pub(crate) mod adts;
pub(crate) mod boxes;
pub(crate) mod encryption;
pub(crate) mod fragments;
pub(crate) mod movie;
pub(crate) mod nal;
pub(crate) mod progressive;
pub(crate) mod run;
pub(crate) mod samples;
pub(crate) mod segments;
pub(crate) mod ts;

use nal::Coding;

/// The most access units that a track may have: 40 hours at 60 frames a second. Counts are read from files and must
/// not decide how much memory is taken.
pub(crate) const MOST_UNITS: usize = 9_000_000;

/// One coded picture or one frame of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccessUnit {
    /// Presentation time in ticks of the track, edit list applied.
    pub(crate) pts: i64,
    /// Duration in ticks; 0 where the layout states none.
    pub(crate) duration: u32,
    /// Whether it holds an IDR picture; every frame of sound counts as one.
    pub(crate) idr: bool,
    /// Hash of what is decoded: of slices alone for video, of the raw frame for sound, so that it is the same in every
    /// layout.
    pub(crate) payload: u128,
}

/// What decodes a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// H.264.
    Avc {
        /// Width and height that the sample entry states; MPEG-TS has none.
        size: Option<(u32, u32)>,
        /// Sequence and picture parameter sets, sorted.
        parameter_sets: Vec<Vec<u8>>,
    },
    /// HEVC.
    Hevc {
        /// Width and height that the sample entry states.
        size: (u32, u32),
        /// The profile, its compatibility, its constraints and the level: `general_profile_space` to `general_level_idc` (ITU-T H.265,
        /// 7.3.3), in this order but for the level, which comes last.
        profile: [u8; 12],
        /// Video, sequence and picture parameter sets, sorted.
        parameter_sets: Vec<Vec<u8>>,
    },
    /// AAC-LC.
    Aac {
        /// Samples a second.
        sample_rate: u32,
        /// Number of channels.
        channels: u32,
    },
}

impl Codec {
    /// How its NAL units are coded; `None` for sound.
    pub(crate) const fn coding(&self) -> Option<Coding> {
        match self {
            Self::Avc { .. } => Some(Coding::Avc),
            Self::Hevc { .. } => Some(Coding::Hevc),
            Self::Aac { .. } => None,
        }
    }
}

/// A track that was read whole.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// What decodes it.
    pub(crate) codec: Codec,
    /// Its units in decoding order.
    pub(crate) units: Vec<AccessUnit>,
}

/// Bytes are not what the layout allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ReadError(pub(crate) String);

impl ReadError {
    /// An error in words.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The same error, with the box that it is about.
    pub(crate) fn of_box(self, kind: &[u8; 4]) -> Self {
        Self(format!("box {}: {self}", boxes::name(*kind)))
    }
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Samples of a frame of AAC-LC (ISO/IEC 14496-3 4.5.2.1.1).
pub(crate) const AAC_FRAME_SAMPLES: u32 = 1024;

/// Times beyond this, in ticks or nanoseconds, are no title's (36 years of the latter); below it, neither sums nor
/// differences of times can overflow.
pub(crate) const LATEST: i64 = 1 << 60;

/// Ticks as nanoseconds, rounded down, between `-LATEST` and `LATEST`.
pub(crate) fn nanoseconds(ticks: i64, timescale: u32) -> i64 {
    let nanoseconds = i128::from(ticks) * 1_000_000_000 / i128::from(timescale.max(1));
    i64::try_from(nanoseconds.clamp(i128::from(-LATEST), i128::from(LATEST))).unwrap_or(0)
}

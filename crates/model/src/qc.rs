//! The QC report: what was measured, against which limit, with which verdict, and what follows for the planner.

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// The judgement of one check, or of the whole source (the worst of its checks).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Taken, but somebody should know.
    Warn,
    /// Not taken.
    Reject,
}

impl Verdict {
    /// Every verdict, from good to bad.
    pub const ALL: [Verdict; 3] = [Self::Pass, Self::Warn, Self::Reject];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Reject => "reject",
        }
    }
}

/// One check of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Check {
    /// The code that names the check and that `reelfarm explain` opens.
    pub code: Code,
    /// A short name, such as `frame rate`.
    pub name: String,
    /// The judgement.
    pub verdict: Verdict,
    /// The value found, with its unit, as people read it.
    pub value: String,
    /// The limit it was held against, with its unit.
    pub limit: String,
    /// What to do about it; empty where the check passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

/// The whole report on one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QcReport {
    /// Version of this schema: 1.
    pub schema: u32,
    /// The policy's name.
    pub policy: String,
    /// The ladder that the rungs were judged against.
    pub ladder: String,
    /// The worst verdict of all checks.
    pub verdict: Verdict,
    /// Every check, in a stable order.
    pub checks: Vec<Check>,
    /// What the planner builds on; absent where the source is rejected.
    pub conclusion: Option<Conclusion>,
}

/// What QC concludes for the planner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Conclusion {
    /// The video track to use.
    pub video: VideoConclusion,
    /// Names of the ladder's rungs that the source supports, in the ladder's order.
    pub rungs: Vec<String>,
    /// The audio programmes, at least one; the first is the default.
    pub audio: Vec<AudioProgramme>,
}

/// The video track and how to treat it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VideoConclusion {
    /// The stream's index in the container.
    pub stream: u32,
    /// Frames per second: one of the integral rates.
    pub frame_rate: u32,
    /// Frames that decoding gives.
    pub frame_count: u64,
    /// Width of the upright picture in square pixels.
    pub width: u32,
    /// Height of the upright picture in square pixels.
    pub height: u32,
    /// Clockwise turn that makes the picture upright, in degrees.
    pub rotation: u32,
    /// Whether to deinterlace.
    pub deinterlace: bool,
    /// The matrix that the source's samples are in, by FFmpeg's name (`bt709`, `smpte170m`, `bt470bg`, …): as stated,
    /// or by the size where nothing is stated.
    pub matrix: String,
    /// Whether samples use the full range of values.
    pub full_range: bool,
}

impl VideoConclusion {
    /// How long the film is, in milliseconds, rounded up.
    pub fn duration_ms(&self) -> u64 {
        self.frame_count.saturating_mul(1_000).div_ceil(u64::from(self.frame_rate.max(1)))
    }
}

/// One programme's sound in one language, from one track or from several mono tracks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AudioProgramme {
    /// Language tag (BCP 47), `und` where not known.
    pub language: String,
    /// What the stereo rendition is made from (a surround source is mixed down).
    pub stereo: AudioSource,
    /// What the 5.1 rendition is made from, where the source has it.
    pub surround: Option<AudioSource>,
}

/// Where a programme's channels come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum AudioSource {
    /// One track with all channels.
    Track {
        /// The stream's index in the container.
        stream: u32,
    },
    /// Mono tracks, one channel each, in the order of the layout (FL FR, or FL FR FC LFE BL BR).
    MonoTracks {
        /// The streams' indexes in the container: 2 or 6.
        streams: Vec<u32>,
    },
}

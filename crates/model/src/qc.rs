//! The QC report: what was measured, against which limit, with which verdict, and what follows for the planner.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::key::Digest;
use crate::per_title::Fitted;

/// The judgement of one check, or of the whole source (the worst of its checks).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Taken, but somebody should know.
    Warn,
    /// Somebody has to look before anything is made of it.
    Human,
    /// Not taken.
    Reject,
}

impl Verdict {
    /// Every verdict, from good to bad.
    pub const ALL: [Verdict; 4] = [Self::Pass, Self::Warn, Self::Human, Self::Reject];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Human => "human",
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
    /// Where it was found, the first few places; empty where it is true of the whole, or the check passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Place {
    /// Where it begins, in milliseconds from the first picture on.
    pub start_ms: i64,
    /// Where it ends, in milliseconds from the first picture on; the same as `start_ms` for a moment.
    pub end_ms: i64,
    /// Where it begins, as people read it: `01:23:45:12`, hours to frames, where the frame rate is known.
    pub time_code: String,
}

/// The whole report on one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QcReport {
    /// Version of this schema: 1.
    pub schema: u32,
    /// The source: the SHA-256 of its bytes. Absent where only stored measurements were judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<Digest>,
    /// Whether it was made outside the farm, which took it in place of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Conclusion {
    /// The video track to use.
    pub video: VideoConclusion,
    /// Names of the ladder's rungs that the source supports, in the ladder's order.
    pub rungs: Vec<String>,
    /// The audio programmes, at least one; the first is the default.
    pub audio: Vec<AudioProgramme>,
    /// Where decoding can begin, for films that are made in chunks.
    #[serde(default, skip_serializing_if = "DecodingStarts::is_unknown")]
    pub decoding: DecodingStarts,
    /// What to expect of decoding and encoding it; absent where the pictures could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<Complexity>,
    /// How the ladder was fitted to the film, where it asks for that, and which of `rungs` are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
}

/// Where decoding of the video track can begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DecodingStarts {
    /// Frames that are key frames, in runs, by their numbers: all of them, or in long films of many the last one in each 2 s.
    /// Empty where that is not known: then decoding begins with the film.
    pub key_frames: Vec<KeyFrameRun>,
    /// Whether pictures that follow a key frame in the file may be shown before it: who begins there drops them.
    pub open_groups: bool,
    /// When the film's first frame is shown, in microseconds on the container's timeline: the others' numbers follow from
    /// their times. Absent where that is not known: then nothing is decoded but from the film's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film_start_us: Option<i64>,
}

impl DecodingStarts {
    /// Whether nothing is known: decoding begins with the film.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// The number of the last key frame at or before a frame; `None` where none is known.
    pub fn last_before(&self, frame: u64) -> Option<u64> {
        let within = self.key_frames.iter().filter(|run| run.first <= frame);
        within
            .map(|run| {
                let passed = (frame - run.first).checked_div(run.distance).unwrap_or(0);
                run.first + passed.min(run.count.saturating_sub(1)) * run.distance
            })
            .max()
    }
}

/// Key frames at an equal distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyFrameRun {
    /// The first one's number; that of the film's first frame is 0.
    pub first: u64,
    /// Frames from one to the next; 0 where there is one alone.
    pub distance: u64,
    /// How many there are.
    pub count: u64,
}

/// How much there is to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Complexity {
    /// Spatial information of the median picture (ITU-T P.910, 7.1), in steps of 8 bits, rounded; absent where no picture was
    /// looked at closely. Soft drawings have about 20, fine detail and grain 100 and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spatial_information: Option<u32>,
    /// Movement: the mean absolute difference of luma from one picture to the next, in thousandths of its range, rounded.
    pub motion_permille: u32,
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
    /// Where the flags are wrong: the order of the fields that the pictures show, by which every one is deinterlaced,
    /// whatever is flagged. Absent where those flagged as interlaced are to be deinterlaced, as they are flagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_order: Option<FieldOrder>,
    /// The matrix that the source's samples are in, by FFmpeg's name (`bt709`, `smpte170m`, `bt470bg`, …): as stated,
    /// or by the size where nothing is stated.
    pub matrix: String,
    /// Whether samples use the full range of values.
    pub full_range: bool,
}

/// Which field of a picture is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FieldOrder {
    /// The field with the first line.
    TopFirst,
    /// The field with the second line.
    BottomFirst,
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

//! The QC policy: every threshold of the checks, read from a TOML file that operations can edit, which may be based on
//! another one. A bad file is refused with the line and the reason.

use reelfarm_model::qc::Verdict;
use serde::Deserialize;
use toml::Spanned;

mod built_in;
mod content;
mod listening;
mod merge;
mod parse;
mod rule;
mod texts;

pub use built_in::{BUILT_IN, BUILT_IN_POLICIES, BuiltIn};
pub use content::{
    Bars, Black, ColourDescription, Compression, Detail, Fields, Flashes, Freeze, KeyFrames, LumaRange,
    RepeatedFrames,
};
pub use listening::{
    Channels, Clipping, DcOffset, Loudness, Phase, SampleRate, Silence, SoundTiming, Subtitles,
};
pub use rule::Rule;
pub use texts::{PolicyText, PolicyTexts, is_file};

/// The integral rates that measurement tells apart, in frames per second.
pub const INTEGRAL_RATES: [u32; 6] = [24, 25, 30, 48, 50, 60];

/// What a failed check does to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The source is taken, but somebody should know.
    Warn,
    /// Nothing is made of the source until somebody has looked.
    Human,
    /// The source is not taken.
    Reject,
}

impl From<Severity> for Verdict {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warn => Self::Warn,
            Severity::Human => Self::Human,
            Severity::Reject => Self::Reject,
        }
    }
}

/// A checked policy. `ladders/qc.toml` gives the reason for each value.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The policy's name, which reports carry.
    pub name: String,
    /// The checksum that is delivered with a source.
    pub checksum: Checksum,
    /// Formats.
    pub accepted: Accepted,
    /// Decode errors.
    pub decode: Decode,
    /// Time stamps.
    pub time_stamps: TimeStamps,
    /// Frame rate.
    pub frame_rate: FrameRate,
    /// Width over height as displayed.
    pub proportions: Proportions,
    /// Size of the picture, its samples, and interlacing.
    pub picture: Picture,
    /// What the container's header states.
    pub header: Header,
    /// Colour.
    pub colour: ColourLimits,
    /// Duration and size of the file.
    pub duration: Duration,
    /// What tells a file that ends too early.
    pub truncation: Truncation,
    /// Sound.
    pub audio: Audio,
    /// Sound and picture against each other.
    pub audio_video_length: AudioVideoLength,
    /// The sound's time stamps and speed.
    pub sound_timing: SoundTiming,
    /// The file's size against what is in it.
    pub file_size: FileSize,
    /// Key frames.
    pub key_frames: KeyFrames,
    /// What is said of the colour.
    pub colour_description: ColourDescription,
    /// Letter- and pillar-boxes.
    pub bars: Bars,
    /// Fields: interlacing and telecine.
    pub fields: Fields,
    /// Frames that repeat the one before.
    pub repeated_frames: RepeatedFrames,
    /// Black pictures.
    pub black: Black,
    /// Pictures that stand still.
    pub freeze: Freeze,
    /// Flashes.
    pub flashes: Flashes,
    /// Luma outside its range.
    pub luma_range: LumaRange,
    /// Detail in the pictures.
    pub detail: Detail,
    /// Blocks, and bits for them.
    pub compression: Compression,
    /// Sample rate.
    pub sample_rate: SampleRate,
    /// Channels and what they hold.
    pub channels: Channels,
    /// Loudness and true peak.
    pub loudness: Loudness,
    /// Silence.
    pub silence: Silence,
    /// Clipping.
    pub clipping: Clipping,
    /// Left against right.
    pub phase: Phase,
    /// DC offset.
    pub dc_offset: DcOffset,
    /// Subtitles in the file.
    pub subtitles: Subtitles,
    /// Rules of the operator's own, in the order of the file.
    pub rules: Vec<Rule>,
}

/// The checksum that is delivered with a source. One that differs always rejects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checksum {
    /// Whether there must be one.
    pub required: bool,
    /// What its absence does then.
    pub missing_verdict: Severity,
}

/// Accepted formats by FFmpeg's names; a name that ends in `*` stands for all that begin like it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Containers; one name of a demuxer that has several is enough.
    pub containers: Vec<String>,
    /// Video codecs.
    pub video_codecs: Vec<String>,
    /// Audio codecs.
    pub audio_codecs: Vec<String>,
}

/// Decode errors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    /// The most errors that pass, over all tracks.
    pub max_errors: u64,
    /// What more of them do.
    pub verdict: Severity,
}

/// Missing and backward time stamps, and gaps between them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeStamps {
    /// What one that is missing or runs backwards does.
    pub verdict: Severity,
    /// What a gap does.
    pub gap_verdict: Severity,
}

/// Frame rate.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameRate {
    /// Accepted rates, out of [`INTEGRAL_RATES`].
    pub accepted_fps: Vec<u32>,
    /// How far a frame may lie from its place beyond one tick of its track's clock, in milliseconds.
    pub time_stamp_rounding_ms: f64,
    /// What a header that names another rate does.
    pub header_verdict: Severity,
}

/// Width over height as displayed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportions {
    /// The least.
    pub min_width_to_height: f64,
    /// The most.
    pub max_width_to_height: f64,
    /// How far beyond either still passes, in per cent.
    pub tolerance_percent: f64,
    /// How far the sample aspects may be apart that container and codec state, in per cent.
    pub aspect_tolerance_percent: f64,
    /// What a larger difference does.
    pub aspect_verdict: Severity,
}

/// Size of the picture, and interlacing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// The least length of the longer side, in square pixels.
    pub min_long_side_px: u32,
    /// The least length of the shorter side, in square pixels.
    pub min_short_side_px: u32,
    /// The most of either side, in stored samples.
    pub max_side_px: u32,
    /// The least bits per component.
    pub min_bit_depth: u32,
    /// How colour may be sampled, out of [`Picture::CHROMA`].
    pub chroma: Vec<String>,
    /// The share of frames flagged as interlaced above which the picture counts as flagged so, in per cent.
    pub interlaced_share_percent: f64,
}

/// What a container's header states of the tracks against what they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What a contradiction does.
    pub verdict: Severity,
}

/// Colour by FFmpeg's names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColourLimits {
    /// Transfer functions that the ladders cannot carry.
    pub refused_transfers: Vec<String>,
    /// Primaries that the ladders cannot carry.
    pub refused_primaries: Vec<String>,
    /// Matrices that the ladders cannot carry.
    pub refused_matrices: Vec<String>,
    /// The height from which unstated colour is taken as BT.709, in stored samples.
    pub hd_min_height_px: u32,
    /// The width from which unstated colour is taken as BT.709, in stored samples.
    pub hd_min_width_px: u32,
}

/// Duration and size of the file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duration {
    /// The shortest, in seconds.
    pub min_s: f64,
    /// The longest, in seconds.
    pub max_s: f64,
    /// The largest file, in gigabytes (10⁹ bytes).
    pub max_size_gb: f64,
}

/// The file's size against what is in it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSize {
    /// How much of the file may be neither picture nor sound, in per cent of its size.
    pub max_other_percent: f64,
    /// So much of it is never too much, in megabytes (10⁶ bytes).
    pub free_other_mb: f64,
    /// What more does, and picture and sound that are larger than the file.
    pub verdict: Severity,
}

/// What tells a file that ends too early.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truncation {
    /// The most read errors that pass.
    pub max_read_errors: u64,
    /// How much shorter than the header's duration the decoded film may be, in seconds.
    pub max_missing_s: f64,
    /// What more of either does.
    pub verdict: Severity,
    /// How many frames fewer than the header counts may be decoded.
    pub max_missing_frames: u64,
    /// What more of them do where the duration is whole.
    pub missing_frames_verdict: Severity,
}

/// Sound.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audio {
    /// What a programme without a language does.
    pub missing_language_verdict: Severity,
    /// The peak below which a track is taken as silent, in dB relative to full scale.
    pub silence_dbfs: f64,
    /// What a silent programme does.
    pub silent_verdict: Severity,
    mono_programme: Vec<Spanned<MonoProgramme>>,
}

impl Audio {
    /// How this number of mono tracks makes a programme, where the policy says.
    pub fn mono_programme(&self, tracks: usize) -> Option<&MonoProgramme> {
        self.mono_programme.iter().map(Spanned::get_ref).find(|programme| programme.tracks == tracks)
    }
}

/// How a number of mono tracks make a programme; tracks are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonoProgramme {
    /// The number of mono tracks that this is for.
    pub tracks: usize,
    /// The six of 5.1, in the order FL FR FC LFE BL BR.
    #[serde(default)]
    pub surround: Vec<usize>,
    /// Left and right, or one track for both; without them stereo is mixed down from `surround`.
    #[serde(default)]
    pub stereo: Vec<usize>,
}

/// Starts and ends of sound against picture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioVideoLength {
    /// A difference above this warns, in milliseconds.
    pub warn_above_ms: f64,
    /// A difference above this rejects, in milliseconds.
    pub reject_above_ms: f64,
}

/// A policy file is refused: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct PolicyError {
    /// The file as the caller named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

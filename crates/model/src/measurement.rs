//! What one pass over a source measured: facts without a verdict. The QC policy judges them, so a changed policy
//! can be tried on stored measurements without decoding again.

pub mod picture;
pub mod sampled;
pub mod sound;

use serde::{Deserialize, Serialize};

use self::picture::PictureMeasurement;
use self::sampled::{BlockinessMeasurement, DetailMeasurement, FieldMeasurement, HdrMetadata};
use self::sound::{ContinuityMeasurement, PairMeasurement, Position, ProgrammeLoudness, SoundMeasurement};

/// Tracks of a file that is measured, at most: sixteen languages of eight mono tracks each. Each takes a decoder and its
/// memory.
pub const MOST_TRACKS: u32 = 128;

/// A ratio of two integers, such as a frame rate or a sample aspect. A zero denominator means "not stated".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// The numerator.
    pub numerator: i64,
    /// The denominator.
    pub denominator: i64,
}

impl Ratio {
    /// The ratio of two integers.
    pub const fn new(numerator: i64, denominator: i64) -> Self {
        Self { numerator, denominator }
    }

    /// The value, or `None` where the ratio is not stated.
    pub fn value(self) -> Option<f64> {
        (self.denominator != 0).then(|| self.numerator as f64 / self.denominator as f64)
    }
}

/// A stretch of time, in seconds on the container's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Where it begins.
    pub start: f64,
    /// Where it ends: the first moment that is no longer part of it.
    pub end: f64,
}

/// Stretches of time in which something is the case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spans {
    /// How many there are.
    pub count: u64,
    /// How long they are together, in seconds.
    pub seconds: f64,
    /// Where they are, in their order: the thousand longest, of those alike the first; of gaps between pictures or samples and of
    /// overlapping subtitles the first thousand.
    pub first: Vec<Span>,
}

/// A value over time: buckets of equal length, at most a few thousand of them however long the film is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Where the first bucket begins, in seconds on the container's timeline.
    pub start: f64,
    /// How long each bucket is, in seconds.
    pub step: f64,
    /// The value of each bucket; `None` where there is none, as of silence in decibels.
    pub values: Vec<Option<f32>>,
}

/// Everything one pass over a file measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// Size of the file in bytes.
    pub size: u64,
    /// Why the file could not be opened, or not be read to its end; all else is empty then.
    pub open_error: Option<OpenError>,
    /// FFmpeg's name of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    /// The duration that the header states, in seconds.
    pub header_duration: Option<f64>,
    /// When the last picture or sound track ends by its own header, in seconds on the container's timeline.
    #[serde(default)]
    pub header_end: Option<f64>,
    /// Video tracks, cover pictures left out.
    pub video: Vec<VideoMeasurement>,
    /// Audio tracks.
    pub audio: Vec<AudioMeasurement>,
    /// Mono tracks as one programme's channels: the first two, and the first six where there are as many, in each language; and
    /// the seventh and eighth where there are eight.
    #[serde(default)]
    pub combined: Vec<CombinedTracks>,
    /// Tracks of subtitles.
    #[serde(default)]
    pub subtitles: Vec<SubtitleMeasurement>,
    /// Tracks of other kinds: their stream index and FFmpeg's name of the kind or codec.
    pub other: Vec<(u32, String)>,
    /// The demuxer's own read errors (not the decoders'), such as a file that ends inside a sample.
    pub read_errors: u64,
    /// The first few lines that FFmpeg logged as errors, each at most 200 characters.
    pub error_lines: Vec<String>,
}

/// Why a file could not be opened, or not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenError {
    /// What kind of refusal it is.
    pub kind: OpenErrorKind,
    /// FFmpeg's words; of too much work, what was read until then.
    pub detail: String,
}

/// Kinds of refusal to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenErrorKind {
    /// The bytes are no container that FFmpeg knows, or are damaged beyond use.
    NotMedia,
    /// The bytes are of a format that is not on the allow-list (a playlist, a text, an image).
    FormatNotAllowed,
    /// The file asks for far more work than one of its size can be worth: it was broken off.
    TooMuchWork,
}

/// One video track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoMeasurement {
    /// The stream's index in the container.
    pub index: u32,
    /// FFmpeg's name of the codec, such as `h264`.
    pub codec: String,
    /// Width in stored samples.
    pub width: u32,
    /// Height in stored samples.
    pub height: u32,
    /// Width and height as the container's header states them, where it does.
    #[serde(default)]
    pub header_size: Option<(u32, u32)>,
    /// Width over height of one sample; 0/1 or x/0 means not stated. The container's word counts before the codec's.
    pub sample_aspect: Ratio,
    /// What the codec's own headers state of it, where they do.
    #[serde(default)]
    pub codec_sample_aspect: Option<Ratio>,
    /// Clockwise turn that makes the picture upright, in degrees: 0, 90, 180 or 270.
    pub rotation: u32,
    /// FFmpeg's name of the pixel format, such as `yuv422p10le`.
    pub pixel_format: String,
    /// Bits per component.
    pub bit_depth: u32,
    /// The frame rate that the container states (FFmpeg's `r_frame_rate`).
    pub header_frame_rate: Ratio,
    /// The average frame rate that the container states.
    pub average_frame_rate: Ratio,
    /// The frame rate that the codec's own headers state, of codecs that have one: MPEG's sequence header, the timing in
    /// the VUI of H.264 and HEVC.
    #[serde(default)]
    pub codec_frame_rate: Option<Ratio>,
    /// The unit of this track's time stamps, in seconds.
    pub time_base: Ratio,
    /// The number of frames that the header states, where it does.
    pub header_frames: Option<u64>,
    /// Frames that were decoded.
    pub frames: u64,
    /// Time of the first decoded frame in seconds, on the container's timeline.
    pub first_time: f64,
    /// Time of the last decoded frame in seconds.
    pub last_time: f64,
    /// Decoded frames without a time stamp.
    pub missing_times: u64,
    /// Decoded frames whose time is not after the one before.
    pub backward_times: u64,
    /// The time that the first of them should have followed, in seconds; `None` where there is none, or an older farm
    /// measured.
    #[serde(default)]
    pub first_backward_time: Option<f64>,
    /// How well the times fit a constant rate, a line per candidate rate.
    pub grid: Vec<GridFit>,
    /// The largest distance of any frame's time from its place at the mean rate, from the first to the last frame, in
    /// seconds; `None` where there are fewer than two times, or an older farm measured.
    #[serde(default)]
    pub mean_deviation: Option<f64>,
    /// The most frequent distances between neighbouring frames, at most 16, most frequent first.
    pub intervals: Vec<IntervalCount>,
    /// Decoded frames flagged as interlaced.
    pub interlaced_frames: u64,
    /// Of those, frames with the top field first.
    pub top_field_first_frames: u64,
    /// Times that the decoded size or pixel format differed from the frame before.
    pub format_changes: u64,
    /// The time of the first frame that differed, in seconds; `None` where there is none, or an older farm measured.
    #[serde(default)]
    pub first_format_change: Option<f64>,
    /// Calls in which the decoder reported an error or a frame flagged as corrupt.
    pub decode_errors: u64,
    /// Time in seconds of the first such error, on the container's timeline.
    pub first_decode_error: Option<f64>,
    /// Sum of the packets' sizes in bytes.
    pub bytes: u64,
    /// Packets flagged as key frames.
    pub key_frames: u64,
    /// Longest distance between key frames, in seconds.
    pub longest_key_frame_distance: f64,
    /// FFmpeg's names of range, primaries, transfer and matrix; `unknown` where not stated.
    pub colour: Colour,
    /// What it says of high dynamic range.
    #[serde(default)]
    pub hdr: HdrMetadata,
    /// Times of key frames in seconds on the container's timeline: all of them up to 20,000; beyond, the last one in each
    /// two seconds, counted from the first one. Chunks of the film can be decoded from there.
    #[serde(default)]
    pub key_frame_times: Vec<f64>,
    /// Pictures that follow a key frame in the file and are shown before it: groups are open, and a decoder that starts at a
    /// key frame cannot show those.
    #[serde(default)]
    pub leading_pictures: u64,
    /// The least time of the packets up to the second key frame that are to be shown, in seconds on the container's timeline:
    /// before the first frame where a decoder could show none of them.
    #[serde(default)]
    pub first_packet_time: Option<f64>,
    /// What its edit list does, where the file has one.
    #[serde(default)]
    pub edit_list: Option<EditList>,
    /// Bits per second over time.
    #[serde(default)]
    pub bitrate: Curve,
    /// Stretches between a frame and the next that are longer than one and a half times the usual distance.
    #[serde(default)]
    pub gaps: Spans,
    /// What the pictures showed; `None` where none was decoded, or an older farm measured.
    #[serde(default)]
    pub picture: Option<PictureMeasurement>,
    /// Whether pictures hold one moment or two.
    #[serde(default)]
    pub fields: Option<FieldMeasurement>,
    /// How much detail they hold.
    #[serde(default)]
    pub detail: Option<DetailMeasurement>,
    /// How visible the codec's blocks are.
    #[serde(default)]
    pub blockiness: Option<BlockinessMeasurement>,
}

/// What the edit list of an MP4 or QuickTime file does to a track. ISO/IEC 14496-12, 8.6.6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EditList {
    /// How much later than the container's timeline the track begins, in seconds.
    pub delay: f64,
    /// How much of the media lies before what is shown first, in seconds. Where pictures are stored in another order than they
    /// are shown in, a few frames of it are no pictures.
    pub trimmed_head: f64,
    /// How much of it is hidden in the middle and at the end, in seconds. Where pictures are stored in another order than they are
    /// shown in, a few frames less are counted at the end.
    pub hidden: f64,
    /// How much of it is shown again, in seconds.
    pub repeated: f64,
    /// Whether parts are shown in another order than they are stored in.
    pub is_reordered: bool,
    /// Whether parts are shown faster, slower or standing still, or nothing is shown between them.
    pub has_other_speeds: bool,
}

/// Several mono tracks that are heard together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CombinedTracks {
    /// The tracks' indexes in the container, each with where it is heard from.
    pub tracks: Vec<(u32, Position)>,
    /// How loud they are together.
    pub loudness: ProgrammeLoudness,
    /// How the first two, left and right, belong together; `None` where they are sampled at different rates, or lie so far from
    /// each other in the file that they were not compared.
    #[serde(default)]
    pub pair: Option<PairMeasurement>,
}

/// One track of subtitles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubtitleMeasurement {
    /// The stream's index in the container.
    pub index: u32,
    /// FFmpeg's name of the codec, such as `mov_text`.
    pub codec: String,
    /// The language tag as written in the container, `None` where absent or `und`.
    pub language: Option<String>,
    /// Packets, which for most codecs are the events shown.
    pub events: u64,
    /// Where an event begins before those before it have ended, up to where they or it end.
    pub overlaps: Spans,
    /// Time in seconds at which the last event ends, on the container's timeline.
    pub end_time: f64,
}

/// How well frame times fit one constant rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridFit {
    /// The candidate rate in frames per second.
    pub rate: Ratio,
    /// The largest distance of any frame's time from `first + index / rate`, in seconds.
    pub largest_deviation: f64,
}

/// How often one distance between neighbouring frames occurred.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalCount {
    /// The distance in units of the track's time base.
    pub ticks: i64,
    /// How many neighbours have it.
    pub count: u64,
}

/// Colour description by FFmpeg's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour {
    /// `tv`, `pc` or `unknown`.
    pub range: String,
    /// Such as `bt709`.
    pub primaries: String,
    /// Such as `bt709`.
    pub transfer: String,
    /// Such as `bt709`.
    pub matrix: String,
}

/// One audio track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioMeasurement {
    /// The stream's index in the container.
    pub index: u32,
    /// FFmpeg's name of the codec, such as `aac`.
    pub codec: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Samples per second as the container's header states them, where it does.
    #[serde(default)]
    pub header_sample_rate: Option<u32>,
    /// Number of channels as the container's header states it, where it does.
    #[serde(default)]
    pub header_channels: Option<u32>,
    /// FFmpeg's name of the channel layout, such as `5.1`; empty where not stated.
    pub layout: String,
    /// The language tag as written in the container, `None` where absent or `und`.
    pub language: Option<String>,
    /// Samples decoded per channel.
    pub samples: u64,
    /// Time of the first decoded sample in seconds, on the container's timeline.
    pub first_time: f64,
    /// Time after the last decoded sample in seconds.
    pub end_time: f64,
    /// The largest absolute sample value over all channels in dB relative to full scale; `None` where all samples
    /// are zero or there are none.
    pub peak_dbfs: Option<f64>,
    /// Calls in which the decoder reported an error.
    pub decode_errors: u64,
    /// Time in seconds of the first such error, on the container's timeline.
    #[serde(default)]
    pub first_decode_error: Option<f64>,
    /// Sum of the packets' sizes in bytes.
    pub bytes: u64,
    /// What the samples held; `None` where none was decoded, or an older farm measured.
    #[serde(default)]
    pub sound: Option<SoundMeasurement>,
    /// How the samples follow each other; `None` where none was decoded, or an older farm measured.
    #[serde(default)]
    pub continuity: Option<ContinuityMeasurement>,
}

//! What FFmpeg's filters say of a track's pictures, some of them looked at by spot checks.

use serde::{Deserialize, Serialize};

use super::Spans;

/// Whether pictures hold one moment or two, by FFmpeg's filter `idet`, which looks at the lines themselves, whatever flags say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldMeasurement {
    /// Pictures of one moment.
    pub progressive: u64,
    /// Pictures of two moments, of which the upper field is the earlier.
    pub top_field_first: u64,
    /// Pictures of two moments, of which the lower field is the earlier.
    pub bottom_field_first: u64,
    /// Pictures that show too little movement to tell.
    pub undetermined: u64,
    /// Stretches of a second and more in which the pictures that can be told are of two moments.
    pub interlaced: Spans,
}

/// How much detail pictures hold, by spot checks: each picture is scaled down to a smaller height and up again, and what that
/// takes away is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DetailMeasurement {
    /// Pictures that were looked at.
    pub pictures: u32,
    /// For each smaller height that was tried, the largest first.
    pub losses: Vec<DetailLoss>,
    /// For each smaller height that was looked for, the largest first, where there were lines enough.
    #[serde(default)]
    pub traces: Vec<ScalingTrace>,
    /// Spatial information of the median picture, in steps of 8 bits (ITU-T P.910, 7.1: the standard deviation of what a Sobel
    /// filter leaves of luma); `None` where an older farm measured.
    #[serde(default)]
    pub spatial_information: Option<f64>,
}

/// The traces that scaling up from a smaller height leaves: how rough lines are comes and goes in the beat of the scaling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingTrace {
    /// The height, in lines of stored samples.
    pub height: u32,
    /// How strong they are: as many times as strong as what chance leaves beside them.
    pub strength: f64,
}

/// What a smaller height takes away.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetailLoss {
    /// The height, in lines of stored samples.
    pub height: u32,
    /// What is lost of luma in the most detailed tenth of the pictures (the 90th percentile), as root mean square in dB
    /// relative to the nominal range; `None` where nothing is lost at all.
    pub loss_db: Option<f64>,
}

/// How far the edges of a codec's blocks stand out, by spot checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlockinessMeasurement {
    /// Pictures that were looked at.
    pub pictures: u32,
    /// The median of them; 1 where steps at the edges of blocks are as large as elsewhere.
    pub median: f64,
    /// The worst tenth (the 90th percentile).
    pub high: f64,
    /// When the worst picture is shown, in seconds on the container's timeline.
    pub worst_time: f64,
}

/// What a track says of high dynamic range beside its transfer function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HdrMetadata {
    /// The display that it was mastered on (SMPTE ST 2086).
    pub mastering_display: bool,
    /// The brightest sample and picture (CTA-861.3, MaxCLL and MaxFALL).
    pub content_light_level: bool,
    /// Dolby Vision's configuration.
    pub dolby_vision: bool,
}

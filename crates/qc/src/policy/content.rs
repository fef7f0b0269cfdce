//! The sections about what the pictures hold, and what is said of them.

use serde::Deserialize;

use super::Severity;
use super::parse::{not_a_level, not_a_limit, not_a_share};

/// Key frames.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFrames {
    /// The longest distance between two, in seconds.
    pub max_distance_s: f64,
    /// What a longer one does, and frames before the first.
    pub verdict: Severity,
}

/// What is said of the colour.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColourDescription {
    /// What must be stated, out of [`ColourDescription::PARTS`].
    pub required: Vec<String>,
    /// What is done where it is not stated, or where what is stated can't be true together.
    pub verdict: Severity,
}

/// Letter- and pillar-boxes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bars {
    /// How much of the height, or of the width, may be black, in per cent.
    pub max_percent: f64,
    /// The share of the film that margins must be seen in to count, in per cent.
    pub min_share_percent: f64,
    /// What wider ones do, and such as come and go.
    pub verdict: Severity,
}

/// Fields: interlacing and telecine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// How many of the pictures that can be told may be otherwise than flagged, in per cent.
    pub max_contradicting_percent: f64,
    /// What more of them do.
    pub verdict: Severity,
    /// How many pictures may repeat a field of the one before, in per cent.
    pub max_repeated_percent: f64,
    /// What more of them do.
    pub repeated_verdict: Severity,
}

/// Frames that repeat the one before.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatedFrames {
    /// The share of what moves that follows one pattern where a machine made it, in per cent.
    pub min_share_percent: f64,
    /// How long it then follows it without a break at least, in seconds.
    pub min_stretch_s: f64,
    /// What a pattern does in which some pictures are shown longer than others, such as 24 in 25.
    pub uneven_verdict: Severity,
    /// What a pattern does in which all are shown equally long, such as 25 in 50.
    pub even_verdict: Severity,
}

/// Black pictures.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Black {
    /// The longest black at the beginning, in seconds.
    pub max_leading_s: f64,
    /// The longest black at the end, in seconds.
    pub max_trailing_s: f64,
    /// The longest black between pictures, in seconds.
    pub max_middle_s: f64,
    /// What more of either does.
    pub verdict: Severity,
}

/// Pictures that stand still.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The longest, in seconds.
    pub max_s: f64,
    /// What a longer one does.
    pub verdict: Severity,
}

/// More than three flashes within a second.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flashes {
    /// What flashes of light do.
    pub general_verdict: Severity,
    /// What flashes of saturated red do.
    pub red_verdict: Severity,
}

/// Luma outside its range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LumaRange {
    /// How many frames may leave it by more than EBU R 103 allows, in per cent.
    pub max_frames_percent: f64,
    /// What more of them do.
    pub verdict: Severity,
}

/// Detail in the pictures.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// What a smaller height takes away at most where the picture was scaled up from it, in dB relative to the nominal
    /// range.
    pub max_loss_db: f64,
    /// The least height that the detail must need, in per cent of the picture's.
    pub min_height_percent: f64,
    /// How strong the traces of scaling up from a smaller height may be, as many times as strong as what chance leaves.
    pub max_trace: f64,
    /// What less detail does, and stronger traces.
    pub verdict: Severity,
}

/// Blocks, and bits for them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// How far the edges of blocks may stand out of the median picture; 1 is a picture without blocks.
    pub max_blockiness: f64,
    /// The least bits for each picture element of each frame.
    pub min_bits_per_pixel: f64,
    /// What blocks do, and too few bits.
    pub verdict: Severity,
}

impl KeyFrames {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_distance_s", self.max_distance_s)
    }
}

impl ColourDescription {
    /// What can be required.
    pub const PARTS: [&str; 4] = ["range", "primaries", "transfer", "matrix"];

    pub(super) fn fault(&self) -> Option<String> {
        let unknown = self.required.iter().find(|part| !Self::PARTS.contains(&part.as_str()))?;
        Some(format!("required can hold {}, not {unknown:?}", Self::PARTS.join(", ")))
    }
}

impl Bars {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_share("max_percent", self.max_percent)
            .or_else(|| not_a_share("min_share_percent", self.min_share_percent))
    }
}

impl Fields {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_share("max_contradicting_percent", self.max_contradicting_percent)
            .or_else(|| {
                // Above half, what contradicts the flags could never be more than what agrees.
                (self.max_contradicting_percent > 50.0).then(|| {
                    format!("max_contradicting_percent is at most 50, not {}", self.max_contradicting_percent)
                })
            })
            .or_else(|| not_a_share("max_repeated_percent", self.max_repeated_percent))
    }
}

impl RepeatedFrames {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_share("min_share_percent", self.min_share_percent)
            .or_else(|| not_a_limit("min_stretch_s", self.min_stretch_s))
    }
}

impl Black {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_leading_s", self.max_leading_s)
            .or_else(|| not_a_limit("max_trailing_s", self.max_trailing_s))
            .or_else(|| not_a_limit("max_middle_s", self.max_middle_s))
    }
}

impl Freeze {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_s", self.max_s)
    }
}

impl LumaRange {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_share("max_frames_percent", self.max_frames_percent)
    }
}

impl Detail {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_level("max_loss_db", self.max_loss_db)
            .or_else(|| not_a_share("min_height_percent", self.min_height_percent))
            .or_else(|| not_a_limit("max_trace", self.max_trace))
    }
}

impl Compression {
    pub(super) fn fault(&self) -> Option<String> {
        not_a_limit("max_blockiness", self.max_blockiness)
            .or_else(|| not_a_limit("min_bits_per_pixel", self.min_bits_per_pixel))
    }
}

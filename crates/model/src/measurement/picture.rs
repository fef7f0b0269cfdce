//! What the pictures of a track showed.
//!
//! Shares of luma are of the nominal range: 0 is black and 1 is white, whatever the bit depth and range of the samples.
//! Times are in seconds on the container's timeline. Areas are counted in blocks of 8x8 samples.

use serde::{Deserialize, Serialize};

use super::{Curve, Spans};

/// Everything the pictures of one track showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PictureMeasurement {
    /// Pictures that were looked at.
    pub frames: u64,
    /// When the first of them is shown.
    pub start: f64,
    /// When the last of them is gone.
    pub end: f64,
    /// Stretches of black pictures, down to a single one.
    pub black: Spans,
    /// How long it is black from the first picture on, in seconds.
    pub leading_black: f64,
    /// How long it is black up to the end of the last picture, in seconds; all of it where no picture is lit.
    pub trailing_black: f64,
    /// Stretches of half a second and more in which the picture stands still and is not black, each counted from the first
    /// picture of those that are alike.
    pub freeze: Spans,
    /// Pictures that are shown more than once, and how regularly.
    pub cadence: Cadence,
    /// Fields that are shown more than once while the other of their picture is not, as telecine leaves them, and how
    /// regularly: what is said of frames is of fields there, two a picture.
    #[serde(default)]
    pub field_cadence: Cadence,
    /// Letter- and pillar-boxes.
    pub bars: Bars,
    /// Flashes of light (ITU-R BT.1702-3).
    pub general_flashes: Flashes,
    /// Flashes of saturated red (WCAG 2.1, "general flash and red flash thresholds"); none where there was no chroma.
    pub red_flashes: Flashes,
    /// How bright the pictures are.
    pub luma: LumaMeasurement,
    /// How much moves: the mean absolute difference of luma from each picture to the next, over all of them.
    #[serde(default)]
    pub motion: f64,
}

/// Repeats among pictures in motion. Where nothing moves, a repeat can't be told and is not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cadence {
    /// Frames in motion: those that differ visibly from the one before, and repeats between them.
    pub moving_frames: u64,
    /// How long they are, in seconds.
    pub moving_seconds: f64,
    /// Those of them that repeat the one before.
    pub repeats: u64,
    /// How long the frames in motion are, in seconds, of the stretches that hold enough of them to be looked through for a
    /// pattern.
    pub judged_seconds: f64,
    /// Patterns that were found, at most four, the longest first.
    pub patterns: Vec<CadencePattern>,
}

/// Repeats that return with a period: `pictures` new ones in each `period` frames.
///
/// 24 frames made 25 by repeating one is 24 in 25, 25 made 50 is 1 in 2, 24 made 30 is 4 in 5, 24 made 60 is 2 in 5; 23.976
/// made 25 is 960 in 1001.
/// Animation that holds each drawing for two frames is 1 in 2 as well; it is told by a share of `judged_seconds` and a
/// `longest` that are smaller, because the hand that draws loses step at holds and cuts where a machine does not, and by
/// the rate that results: nobody films 12 pictures a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CadencePattern {
    /// Frames after which it returns, 2 to 50, or 1001.
    pub period: u32,
    /// New pictures in a period.
    pub pictures: u32,
    /// How long the frames in motion are that follow it, in seconds.
    pub seconds: f64,
    /// The longest stretch in which it never loses step, in seconds, still pictures in it counted.
    pub longest: f64,
    /// By how much frames in its places look more like repeats than all others, 0 to 1.
    pub regularity: f64,
}

/// Black margins of the picture, in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Margins {
    /// Lines at the top.
    pub top: u32,
    /// Lines at the bottom.
    pub bottom: u32,
    /// Columns at the left.
    pub left: u32,
    /// Columns at the right.
    pub right: u32,
}

/// Letter- and pillar-boxes, read twice a second from pictures that are bright enough.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// Width of the pictures that were read, in samples; of the size that was shown longest.
    pub width: u32,
    /// Their height.
    pub height: u32,
    /// How long the film was bright enough to be read, in seconds.
    pub judged_seconds: f64,
    /// What is black in 99.5 % of the readings. A dark background counts like a bar; `areas` tells them apart.
    pub margins: Margins,
    /// The margins that end in a sharp straight edge on each side that has one, at most four, the longest shown first. More
    /// than one is a film whose aspect changes, or one with subtitles in its bars.
    pub areas: Vec<ActiveArea>,
}

/// A part of the picture outside which there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveArea {
    /// The margins around it, in even numbers; readings that differ by up to four samples are one.
    pub margins: Margins,
    /// How long it was shown, in seconds.
    pub seconds: f64,
}

/// Flashes of one kind: pairs of opposing changes over more than a quarter of the picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flashes {
    /// How many there are.
    pub count: u64,
    /// The most within any one second.
    pub most_in_a_second: u32,
    /// When such a second begins.
    pub worst_second: Option<f64>,
    /// Stretches in which there are more than three within a second.
    pub too_many: Spans,
}

/// How bright the pictures are, by means of blocks of 8x8 samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LumaMeasurement {
    /// The mean of the picture over time, as a share of the nominal range.
    pub mean: Curve,
    /// The darkest block, as a share of the nominal range: below 0 where it is below black.
    pub darkest: f64,
    /// The brightest block, as a share of the nominal range.
    pub brightest: f64,
    /// What lies below the nominal range by more than 1 % of it (EBU R 103).
    pub below_range: OutOfRange,
    /// What lies above it by more than 3 % (EBU R 103).
    pub above_range: OutOfRange,
    /// Stretches of pictures of which more than 1 % lies below or above, down to a single one.
    #[serde(default)]
    pub outside: Spans,
}

/// Blocks that lie outside the nominal range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutOfRange {
    /// Their share of the area of all pictures, 0 to 1.
    pub share: f64,
    /// Pictures of which they are more than 1 % (EBU R 103: what is allowed of each picture).
    pub frames: u64,
}

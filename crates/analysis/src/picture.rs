//! What pictures show: black, stills, repeats, bars, flashes and brightness, measured as they are decoded.
//!
//! Every sample of luma is looked at once, to take the means of blocks of 8x8; nearly all else is found on those. Movement
//! is measured on about 270 rows, red on one row of chroma in each row of blocks, bars on lines of two pictures a second.
//!
//! Promises: each picture is looked at once, in order; memory depends on the size of the pictures and not on their number;
//! once the size is known nothing is allocated for a picture; pictures of the same content in another bit depth or range
//! give the same findings; a change of size begins anew without losing what was found.

mod bars;
mod blocks;
mod cadence;
mod flash;
mod flash_rate;
mod freeze;
mod grid;
mod light;
mod luma;
mod moments;
mod motion;
mod ntsc;
mod patterns;
mod plane;
mod red;
mod repeats;
mod scaled;
mod spatial;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;

use reelfarm_model::measurement::Span;
use reelfarm_model::measurement::picture::{Bars, PictureMeasurement};

use self::bars::BarsMeter;
use self::cadence::{CadenceRecorder, FieldCadenceRecorder};
use self::flash::{Edges, FlashMeter};
use self::flash_rate::FlashRecorder;
use self::freeze::FreezeWatch;
use self::grid::{BlockGrid, Levels};
use self::light::Luminances;
use self::luma::{LumaFacts, LumaRecorder};
use self::moments::Moments;
use self::motion::{Difference, MotionMeter};
use self::red::RedMeter;
use crate::spans::SpanRecorder;

pub use self::blocks::blockiness;
pub use self::moments::{Moment, MomentKind};
pub use self::plane::Plane;
pub use self::red::Matrix;
pub use self::scaled::ScalingMeter;
pub use self::spatial::spatial_information;

/// How pictures are to be read. Their size and bit depth are told by their planes.
#[derive(Clone, Copy, Debug, Default)]
pub struct PictureFormat {
    /// Whether samples use all their values, or 16 to 235 in steps of 8 bits.
    pub full_range: bool,
    /// How luma was made up from colours.
    pub matrix: Matrix,
    /// Frames a second, where known; otherwise taken from their times.
    pub frame_rate: Option<f64>,
}

/// A picture reduced to a sample for each 8x8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LumaGrid {
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, 0 for black to 255 for white.
    pub samples: Vec<u8>,
}

/// The interval between frames that is assumed before there are two, in seconds.
const ASSUMED_INTERVAL: f64 = 0.04;
/// Longer intervals are gaps, in seconds.
const LONGEST_INTERVAL: f64 = 1.0;

/// Gathers a [`PictureMeasurement`] from the pictures of a track.
#[derive(Debug)]
pub struct PictureMeter {
    format: PictureFormat,
    /// The usual time between pictures, in seconds.
    interval: f64,
    sized: Option<SizedMeter>,
    /// The last picture: when it is gone tells the next one.
    last: Option<Seen>,
    frames: u64,
    start: f64,
    /// From the first picture that is not black to the end of the last.
    lit: Option<Span>,
    black_since: Option<f64>,
    black: SpanRecorder,
    freeze: SpanRecorder,
    cadence: CadenceRecorder,
    field_cadence: FieldCadenceRecorder,
    general_flashes: FlashRecorder,
    red_flashes: FlashRecorder,
    luma: LumaRecorder,
    /// Of the size that was shown longest, of those that are gone.
    bars: Option<Bars>,
    moments: Moments,
    /// How pictures differ from those before: the sum of the means, and how many.
    motion: (f64, u64),
}

/// What was seen in a picture.
#[derive(Clone, Copy, Debug)]
struct Seen {
    time: f64,
    luma: LumaFacts,
    /// Since when the picture stands still.
    still_since: Option<f64>,
    /// How it differs from the one before.
    difference: Option<Difference>,
    general: Edges,
    red: Edges,
}

impl PictureMeter {
    /// A meter for pictures that are read so.
    pub fn new(format: PictureFormat) -> Self {
        let frame_rate = format.frame_rate.filter(|rate| rate.is_finite() && *rate > 0.0);
        Self {
            format: PictureFormat { frame_rate, ..format },
            interval: frame_rate.map_or(ASSUMED_INTERVAL, |rate| 1.0 / rate),
            sized: None,
            last: None,
            frames: 0,
            start: 0.0,
            lit: None,
            black_since: None,
            black: SpanRecorder::new(0.0),
            freeze: SpanRecorder::new(freeze::SHORTEST),
            cadence: CadenceRecorder::default(),
            field_cadence: FieldCadenceRecorder::default(),
            general_flashes: FlashRecorder::default(),
            red_flashes: FlashRecorder::default(),
            luma: LumaRecorder::default(),
            bars: None,
            moments: Moments::default(),
            motion: (0.0, 0),
        }
    }

    /// Takes in a picture that is shown from `time` on, in seconds: its luma and, where there is any, the blue and the red
    /// difference, in this order and of any subsampling. One whose time is not after that of the one before is taken to
    /// follow it at the usual interval.
    pub fn frame(&mut self, time: f64, luma: &Plane<'_>, chroma: Option<(&Plane<'_>, &Plane<'_>)>) {
        let time = match &self.last {
            Some(last) if time.is_finite() && time > last.time => time,
            Some(last) => last.time + self.interval,
            None if time.is_finite() => time,
            None => 0.0,
        };
        if let Some(last) = self.last.take() {
            let passed = time - last.time;
            if self.format.frame_rate.is_none() && passed <= LONGEST_INTERVAL {
                self.interval = passed;
            }
            self.record(&last, time);
        } else {
            self.start = time;
        }
        let size = (luma.width(), luma.height(), luma.bit_depth());
        if self.sized.as_ref().is_none_or(|sized| sized.size != size) {
            self.retire();
        }
        let sized = self.sized.get_or_insert_with(|| SizedMeter::new(size, self.format));
        let seen = sized.look(time, 1.0 / self.interval, luma, chroma);
        self.watch(&seen);
        self.last = Some(seen);
    }

    /// The last picture in small, for a thumbnail; `None` before the first.
    pub fn last_luma_grid(&self) -> Option<LumaGrid> {
        let SizedMeter { grid, levels, .. } = self.sized.as_ref()?;
        let sample = |mean: &u16| (levels.share(f64::from(*mean)) * 255.0).round() as u8;
        let samples: Vec<u8> = grid.means().iter().map(sample).collect();
        Some(LumaGrid { width: grid.columns(), height: samples.len() / grid.columns(), samples })
    }

    /// The next moment that is worth a look, at most eight of each kind in all. One that was told after a picture shows in
    /// that picture.
    pub fn next_moment(&mut self) -> Option<Moment> {
        self.moments.next()
    }

    /// What was measured.
    pub fn finish(mut self) -> PictureMeasurement {
        let mut end = self.start;
        if let Some(last) = self.last.take() {
            end = last.time + self.interval;
            self.record(&last, end);
        }
        self.retire();
        PictureMeasurement {
            frames: self.frames,
            start: self.start,
            end,
            leading_black: self.lit.map_or(end, |lit| lit.start) - self.start,
            trailing_black: end - self.lit.map_or(self.start, |lit| lit.end),
            black: self.black.finish(),
            freeze: self.freeze.finish(),
            cadence: self.cadence.finish(),
            field_cadence: self.field_cadence.finish(),
            bars: self.bars.unwrap_or_default(),
            general_flashes: self.general_flashes.finish(),
            red_flashes: self.red_flashes.finish(),
            luma: self.luma.finish(),
            motion: self.motion.0 / self.motion.1.max(1) as f64,
        }
    }

    /// Takes in what was seen, now that its end is known.
    fn record(&mut self, seen: &Seen, end: f64) {
        let shown = Span { start: seen.time, end };
        let is_black = seen.luma.is_black();
        self.frames += 1;
        self.black.push(shown.start, end, is_black);
        if !is_black {
            self.lit = Some(Span { end, ..self.lit.unwrap_or(shown) });
        }
        let since = seen.still_since.filter(|_| !is_black);
        self.freeze.push(since.unwrap_or(shown.start), end, since.is_some());
        if let Some(difference) = seen.difference {
            self.motion = (self.motion.0 + difference.mean, self.motion.1 + 1);
        }
        self.cadence.push(shown, seen.difference.map(|difference| difference.busiest));
        self.field_cadence.push(shown, seen.difference.map(|difference| difference.busiest_of_fields));
        self.general_flashes.push(shown, seen.general, self.interval);
        self.red_flashes.push(shown, seen.red, self.interval);
        self.luma.push(shown, &seen.luma);
    }

    /// Tells moments.
    fn watch(&mut self, seen: &Seen) {
        let is_black = seen.luma.is_black();
        self.black_since = is_black.then(|| self.black_since.unwrap_or(seen.time));
        let flashes = self.general_flashes.too_many_since().or(self.red_flashes.too_many_since());
        for (kind, since) in [
            (MomentKind::Black, self.black_since.filter(|_| self.lit.is_some())),
            (MomentKind::Freeze, seen.still_since.filter(|_| !is_black)),
            (MomentKind::Flashes, flashes),
        ] {
            self.moments.push(seen.time, kind, since);
        }
    }

    /// Keeps what was found in pictures of a size that is gone.
    fn retire(&mut self) {
        let Some(sized) = self.sized.take() else { return };
        let bars = sized.bars.finish();
        if self.bars.as_ref().is_none_or(|kept| kept.judged_seconds < bars.judged_seconds) {
            self.bars = Some(bars);
        }
    }
}

/// What looks at pictures of one size.
#[derive(Debug)]
struct SizedMeter {
    size: (usize, usize, u32),
    levels: Levels,
    grid: BlockGrid,
    motion: MotionMeter,
    luminances: Luminances,
    general: FlashMeter,
    red: RedMeter,
    bars: BarsMeter,
    freeze: FreezeWatch,
}

impl SizedMeter {
    fn new(size: (usize, usize, u32), format: PictureFormat) -> Self {
        let (width, height, bit_depth) = size;
        let levels = Levels::new(bit_depth, format.full_range);
        let grid = BlockGrid::new(width, height);
        Self {
            size,
            levels,
            motion: MotionMeter::new(width, height),
            luminances: Luminances::new(grid.means().len(), levels),
            general: FlashMeter::new(grid.columns(), light::GENERAL_FLASH),
            red: RedMeter::new(&grid, format.matrix, format.full_range),
            bars: BarsMeter::new(width, height, levels.in_steps(bars::BAR)),
            grid,
            freeze: FreezeWatch::default(),
        }
    }

    /// Looks at a picture of that size.
    fn look(
        &mut self,
        time: f64,
        rate: f64,
        luma: &Plane<'_>,
        chroma: Option<(&Plane<'_>, &Plane<'_>)>,
    ) -> Seen {
        self.grid.measure(luma);
        let facts = LumaFacts::of(&self.grid, self.levels);
        self.motion.load(luma);
        self.bars.push(time, facts.dark, luma, self.motion.rows());
        let differences = self.motion.compare(self.levels.steps());
        let motion = &mut self.motion;
        let steps = self.levels.steps();
        let stand =
            self.freeze.push(time, facts.mean, differences, || motion.compare_with_first_still(steps));
        self.motion.advance(stand);
        let general = self.general.push(self.luminances.of(&self.grid), rate, |_| true);
        let size = (self.size.0, self.size.1);
        let red = chroma
            .map(|chroma| self.red.push(&self.grid, self.levels, size, chroma, rate))
            .unwrap_or_default();
        Seen {
            time,
            luma: facts,
            still_since: self.freeze.since(),
            difference: differences.map(|(to_previous, _)| to_previous),
            general,
            red,
        }
    }
}

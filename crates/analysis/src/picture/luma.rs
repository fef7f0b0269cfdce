//! How bright pictures are: which are black, and which leave the nominal range.

use reelfarm_model::measurement::picture::{LumaMeasurement, OutOfRange};
use reelfarm_model::measurement::{Curve, Span};

use super::grid::{BlockGrid, Levels};
use crate::spans::SpanRecorder;

/// Luma below which a block is dark, as a share of the nominal range (FFmpeg's blackdetect, `pixel_black_th`).
const DARK: f64 = 0.1;
/// The share of a black picture that is dark (FFmpeg's blackdetect, `picture_black_ratio_th`).
const BLACK_AREA: f64 = 0.98;
/// The brightest block of a black picture. Blackdetect has no such limit and takes a line of credits, a street lamp or stars
/// over black for black; strokes of letters cover a third of a block even where they are small.
const BLACK_BRIGHTEST: f64 = 0.2;
/// What luma may be, as shares of the nominal range (EBU R 103, v3.0: -1 % to 103 %).
const PERMITTED: (f64, f64) = (-0.01, 1.03);
/// The share of a picture that may lie outside of that (EBU R 103, v3.0).
const PERMITTED_AREA: f64 = 0.01;
/// How long the first buckets of the curve are, in seconds.
const FIRST_STEP: f64 = 0.5;
/// Most buckets.
const MOST_BUCKETS: usize = 2_000;

/// How bright one picture is, as shares of the nominal range or of its area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LumaFacts {
    /// The mean.
    pub(super) mean: f64,
    /// The darkest block.
    pub(super) darkest: f64,
    /// The brightest block.
    pub(super) brightest: f64,
    /// The area that is dark.
    pub(super) dark: f64,
    /// The area below what is permitted.
    pub(super) below: f64,
    /// The area above what is permitted.
    pub(super) above: f64,
}

impl LumaFacts {
    /// Looks at a picture's means.
    pub(super) fn of(grid: &BlockGrid, levels: Levels) -> Self {
        let (dark_below, least, most) = (levels.at(DARK), levels.at(PERMITTED.0), levels.at(PERMITTED.1));
        let (mut sum, mut dark, mut below, mut above) = (0u64, 0u64, 0u64, 0u64);
        let (mut darkest, mut brightest) = (u16::MAX, 0);
        for row in grid.means().chunks(grid.columns()) {
            // Counted in as many bits as the means have, a row at a time, eight are counted at once.
            let (mut of_row, mut dark_of_row, mut below_of_row, mut above_of_row) = (0u32, 0u16, 0u16, 0u16);
            for &mean in row {
                of_row = of_row.wrapping_add(u32::from(mean));
                dark_of_row = dark_of_row.wrapping_add(u16::from(mean < dark_below));
                below_of_row = below_of_row.wrapping_add(u16::from(mean < least));
                above_of_row = above_of_row.wrapping_add(u16::from(mean > most));
                darkest = darkest.min(mean);
                brightest = brightest.max(mean);
            }
            sum += u64::from(of_row);
            dark += u64::from(dark_of_row);
            below += u64::from(below_of_row);
            above += u64::from(above_of_row);
        }
        let blocks = grid.means().len().max(1) as f64;
        Self {
            mean: levels.share(sum as f64 / blocks),
            darkest: levels.share(f64::from(darkest)),
            brightest: levels.share(f64::from(brightest)),
            dark: dark as f64 / blocks,
            below: below as f64 / blocks,
            above: above as f64 / blocks,
        }
    }

    /// Whether nothing is to be seen.
    pub(super) fn is_black(&self) -> bool {
        self.dark >= BLACK_AREA && self.brightest < BLACK_BRIGHTEST
    }
}

/// Gathers a [`LumaMeasurement`].
#[derive(Clone, Debug)]
pub(super) struct LumaRecorder {
    start: f64,
    step: f64,
    /// The sum of each bucket's means, and how many.
    buckets: Vec<(f64, u32)>,
    frames: u64,
    extremes: Option<(f64, f64)>,
    below: OutOfRange,
    above: OutOfRange,
    outside: SpanRecorder,
}

impl Default for LumaRecorder {
    fn default() -> Self {
        Self {
            start: 0.0,
            step: 0.0,
            buckets: Vec::new(),
            frames: 0,
            extremes: None,
            below: OutOfRange::default(),
            above: OutOfRange::default(),
            outside: SpanRecorder::new(0.0),
        }
    }
}

impl LumaRecorder {
    /// Takes in a picture and when it is shown.
    pub(super) fn push(&mut self, shown: Span, facts: &LumaFacts) {
        self.frames += 1;
        let (darkest, brightest) = self.extremes.unwrap_or((facts.darkest, facts.brightest));
        self.extremes = Some((darkest.min(facts.darkest), brightest.max(facts.brightest)));
        for (sum, area) in [(&mut self.below, facts.below), (&mut self.above, facts.above)] {
            sum.share += area;
            sum.frames += u64::from(area > PERMITTED_AREA);
        }
        self.outside.push(shown.start, shown.end, facts.below.max(facts.above) > PERMITTED_AREA);
        if self.buckets.is_empty() {
            (self.start, self.step) = (shown.start, FIRST_STEP);
        }
        let mut bucket = self.bucket(shown.start);
        while bucket >= MOST_BUCKETS {
            self.halve();
            bucket = self.bucket(shown.start);
        }
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, (0.0, 0));
        }
        if let Some((sum, count)) = self.buckets.get_mut(bucket) {
            *sum += facts.mean;
            *count += 1;
        }
    }

    fn bucket(&self, time: f64) -> usize {
        ((time - self.start) / self.step) as usize
    }

    /// Makes the buckets twice as long.
    fn halve(&mut self) {
        self.step *= 2.0;
        self.buckets = self
            .buckets
            .chunks(2)
            .map(|pair| pair.iter().fold((0.0, 0), |total, bucket| (total.0 + bucket.0, total.1 + bucket.1)))
            .collect();
    }

    /// What was found.
    pub(super) fn finish(self) -> LumaMeasurement {
        let frames = self.frames.max(1) as f64;
        let of_all = |sum: OutOfRange| OutOfRange { share: sum.share / frames, ..sum };
        let (darkest, brightest) = self.extremes.unwrap_or_default();
        let values = self
            .buckets
            .iter()
            .map(|(sum, count)| (*count > 0).then(|| (sum / f64::from(*count)) as f32))
            .collect();
        LumaMeasurement {
            mean: Curve { start: self.start, step: self.step, values },
            darkest,
            brightest,
            below_range: of_all(self.below),
            above_range: of_all(self.above),
            outside: self.outside.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GREY: LumaFacts =
        LumaFacts { mean: 0.5, darkest: 0.1, brightest: 0.9, dark: 0.0, below: 0.0, above: 0.0 };

    #[test]
    fn black_is_a_dark_area_without_anything_bright() {
        for (dark, brightest, is_black) in
            [(1.0, 0.0, true), (0.98, 0.19, true), (0.97, 0.11, false), (0.995, 0.3, false)]
        {
            assert_eq!(LumaFacts { dark, brightest, ..GREY }.is_black(), is_black, "{dark} {brightest}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_counted() {
        let mut recorder = LumaRecorder::default();
        for (frame, below) in [0.0, 0.005, 0.015, 0.5].into_iter().enumerate() {
            let shown = Span { start: frame as f64, end: frame as f64 + 1.0 };
            recorder.push(shown, &LumaFacts { below, darkest: -0.05, ..GREY });
        }
        let found = recorder.finish();
        assert_eq!((found.below_range.frames, found.above_range.frames), (2, 0));
        assert_eq!(found.outside.first, [Span { start: 2.0, end: 4.0 }]);
        assert!((found.below_range.share - 0.13).abs() < 1e-9);
        assert_eq!((found.darkest, found.brightest), (-0.05, 0.9));
    }

    proptest! {
        /// However long the film, the buckets are few, cover it, and hold the means of their time.
        #[test]
        fn the_curve_stays_short(hours in 0.001f64..14.0, start in -10.0f64..10_000.0) {
            let mut recorder = LumaRecorder::default();
            let frames = 5_000;
            let interval = hours * 3600.0 / f64::from(frames);
            for frame in 0..frames {
                let (at, mean) = (f64::from(frame) * interval, f64::from(frame) / f64::from(frames));
                recorder.push(Span { start: start + at, end: start + at + interval }, &LumaFacts { mean, ..GREY });
            }
            let curve = recorder.finish().mean;
            prop_assert!(curve.values.len() <= MOST_BUCKETS);
            prop_assert!(curve.values.len() as f64 * curve.step >= hours * 3600.0 - interval);
            for (bucket, value) in curve.values.iter().enumerate() {
                let Some(value) = value else { continue };
                let expected = (bucket as f64 + 0.5) * curve.step / (hours * 3600.0);
                prop_assert!((f64::from(*value) - expected).abs() <= curve.step / (hours * 3600.0) + 1e-3);
            }
        }
    }

    #[test]
    fn a_leap_in_time_leaves_empty_buckets() {
        let mut recorder = LumaRecorder::default();
        for start in [0.0, 1e9] {
            recorder.push(Span { start, end: start + 0.04 }, &GREY);
        }
        let curve = recorder.finish().mean;
        assert!(curve.values.len() <= MOST_BUCKETS);
        assert_eq!(curve.values.iter().flatten().count(), 2);
    }
}

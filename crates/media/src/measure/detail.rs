//! How much detail pictures hold: what is lost where one is scaled down to a smaller height and up again.
//!
//! A picture that was scaled up loses next to nothing at heights well above the one it came from, because no filter keeps all
//! up to the limit and nothing beyond; a real one of its size loses something at each. Height and width are scaled alike.

use ffmpeg_next::frame;
use reelfarm_model::measurement::sampled::{DetailLoss, DetailMeasurement};

use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{self as raw, blank, take};

/// Heights that pictures of up to so many lines may have come from.
const HEIGHTS: [(u32, &[u32]); 3] =
    [(800, &[576, 480, 360]), (1_620, &[720, 576, 540, 480]), (u32::MAX, &[1_080, 720, 576, 480])];
/// A height is tried that is at most this part of the picture's own.
const SMALLER: f64 = 0.9;
/// Lanczos with six lobes: three lose 2 to 4 dB more of what a picture could hold at the smaller height, and a picture that was
/// scaled up passes for a real one. Rounded exactly, or the rounding of the quick way is taken for detail; and alike on every
/// processor.
const SCALING: &str = "flags=lanczos+accurate_rnd+bitexact:param0=6";
/// Samples along the edges that are left out: there, scaling has to make up what lies beyond.
const EDGE: usize = 8;
/// The smallest width and height that is scaled to.
const LEAST: u32 = 16;

/// Scales pictures of one size.
pub(super) struct DetailMeter {
    width: u32,
    height: u32,
    /// Each height with the graph that scales down to it and up again.
    scalers: Vec<(u32, FilterGraph)>,
}

impl DetailMeter {
    /// For parts of `width` by `height` samples of pictures that are `whole` lines high.
    pub(super) fn new(width: u32, height: u32, whole: u32) -> Self {
        let scaler = |target: u32| {
            let scaled =
                |length: u32| (f64::from(length) * f64::from(target) / f64::from(whole)).round() as u32;
            let (down_width, down_height) = (scaled(width), scaled(height));
            if down_width < LEAST || down_height < LEAST {
                return None;
            }
            let text = format!(
                "buffer@in0=video_size={width}x{height}:pix_fmt=gray:time_base=1/1000000,\
                 scale={down_width}:{down_height}:{SCALING},format=gray,\
                 scale={width}:{height}:{SCALING},format=gray,buffersink@out"
            );
            Some((target, FilterGraph::new(&text, format!("scaling to {target} lines")).ok()?))
        };
        Self { width, height, scalers: smaller_heights(whole).into_iter().filter_map(scaler).collect() }
    }

    /// The heights that are tried.
    pub(super) fn heights(&self) -> Vec<u32> {
        self.scalers.iter().map(|(height, _)| *height).collect()
    }

    /// What a picture loses at each height: the root mean square of the difference, in steps of 8 bits. None where it could
    /// not be scaled.
    pub(super) fn losses(&mut self, grey: &frame::Video) -> Option<Vec<f32>> {
        let (width, height) = (self.width as usize, self.height as usize);
        self.scalers
            .iter_mut()
            .map(|(_, scaler)| {
                scaler.push(0, Some(grey)).ok()?;
                let mut scaled = blank();
                let is_there = scaler.pull(&mut scaled).ok()? == Pulled::Frame;
                let scaled = frame::Video::from(take(&mut scaled));
                difference(grey, is_there.then_some(&scaled)?, width, height)
            })
            .collect()
    }
}

/// Heights that a picture of so many lines may have come from, the largest first.
pub(super) fn smaller_heights(whole: u32) -> Vec<u32> {
    let is_smaller = |height: &u32| f64::from(*height) <= SMALLER * f64::from(whole);
    let heights = HEIGHTS.iter().find(|(up_to, _)| whole <= *up_to).map(|(_, heights)| heights.iter());
    heights.into_iter().flatten().copied().filter(is_smaller).collect()
}

/// Root mean square of the difference of two pictures of 8-bit grey.
fn difference(one: &frame::Video, other: &frame::Video, width: usize, height: usize) -> Option<f32> {
    let (one, one_stride) = raw::plane(one, 0, width, height)?;
    let (other, other_stride) = raw::plane(other, 0, width, height)?;
    let mut sum = 0u64;
    let mut count = 0usize;
    for y in EDGE..height.saturating_sub(EDGE) {
        let row = |bytes, stride: usize| inner(bytes, y * stride, width);
        let (one, other) = (row(one, one_stride)?, row(other, other_stride)?);
        // A row is at most a few thousand samples: the sum fits.
        let squares = one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other)).pow(2));
        sum += u64::from(squares.sum::<u32>());
        count += one.len();
    }
    (count > 0).then(|| (sum as f64 / count as f64).sqrt() as f32)
}

/// The samples of a row without those along the edges.
fn inner(bytes: &[u8], start: usize, width: usize) -> Option<&[u8]> {
    bytes.get(start + EDGE..(start + width).checked_sub(EDGE)?)
}

/// Sums up: for each height what was lost in each picture, in shares of the nominal range.
pub(super) fn measurement(losses: Vec<(u32, Vec<f32>)>) -> Option<DetailMeasurement> {
    let pictures = losses.first().map(|(_, losses)| losses.len()).filter(|pictures| *pictures > 0)?;
    let losses = losses
        .into_iter()
        .map(|(height, mut losses)| {
            let high = super::spots::percentile(&mut losses, 0.9).filter(|loss| *loss > 0.0);
            DetailLoss { height, loss_db: high.map(|loss| 20.0 * f64::from(loss).log10()) }
        })
        .collect();
    let pictures = u32::try_from(pictures).unwrap_or(u32::MAX);
    Some(DetailMeasurement { pictures, losses, ..DetailMeasurement::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_those_that_films_come_in() {
        for (whole, expected) in [
            (2_160, vec![1_080, 720, 576, 480]),
            (1_080, vec![720, 576, 540, 480]),
            (720, vec![576, 480, 360]),
            (576, vec![480, 360]),
            (480, vec![360]),
            (360, vec![]),
            (0, vec![]),
        ] {
            assert_eq!(smaller_heights(whole), expected, "{whole}");
        }
    }

    #[test]
    fn fine_lines_are_lost_and_soft_slopes_are_not() {
        let mut meter = DetailMeter::new(256, 256, 1_080);
        assert_eq!(meter.heights(), [720, 576, 540, 480]);
        let lines =
            raw::grey(256, 256, |row, samples| samples.fill(if row % 2 == 0 { 100 } else { 120 })).unwrap();
        let lost = meter.losses(&lines).unwrap();
        assert!(lost.iter().all(|loss| *loss > 5.0), "{lost:?}");
        let slope = raw::grey(256, 256, |row, samples| samples.fill(row as u8)).unwrap();
        let lost = meter.losses(&slope).unwrap();
        assert!(lost.iter().all(|loss| *loss < 1.0), "{lost:?}");
        // A second look at the same picture gives the same.
        assert_eq!(meter.losses(&slope).unwrap(), lost);
    }

    #[test]
    fn the_most_detailed_tenth_counts() {
        let losses = (1..=20).map(|loss| loss as f32 / 100.0).collect();
        let found = measurement(vec![(720, losses), (480, vec![0.0; 20])]).unwrap();
        assert_eq!((found.pictures, found.losses[1].loss_db), (20, None));
        assert!((found.losses[0].loss_db.unwrap() - 20.0 * 0.18f64.log10()).abs() < 1e-3);
        assert_eq!(measurement(vec![(720, vec![])]), None);
        assert_eq!(measurement(vec![]), None);
    }
}

//! Spot checks: what costs too much to be done with every picture is done with one every few seconds.
//!
//! Which pictures are looked at depends on their numbers alone, so that the same film gives the same measurements.

use ffmpeg_next::frame;
use reelfarm_analysis::picture::{Plane, ScalingMeter, blockiness, spatial_information};
use reelfarm_model::measurement::sampled::{BlockinessMeasurement, DetailMeasurement, ScalingTrace};

use super::detail::{self, DetailMeter};
use super::readable::Picture;
use crate::ffmpeg::frame::{self as raw, grey};

/// How far apart the pictures are that are looked at, in seconds. It doubles where they become too many.
const STEP: f64 = 5.0;
/// How far apart they are at least and at most, in frames, whatever a file states of its frame rate.
const STEP_FRAMES: (f64, f64) = (50.0, 600.0);
/// The number of the first one: not the very first, which is black more often than not.
const FIRST: u64 = 12;
/// Pictures that are looked at.
const MOST: u64 = 400;
/// Pictures whose luma deviates less from its mean are left out, as a share of the nominal range: there is nothing to see.
const LEAST_CONTRAST: f64 = 0.02;
/// The part of a picture that is looked at begins at and is as large as a multiple of this, so that it keeps to the codec's
/// blocks.
const ALIGNMENT: u32 = 16;
/// The narrowest part that is looked at where a picture has as much, and the widest and highest one; in samples.
const NARROWEST: u32 = 640;
const LARGEST: (u32, u32) = (1_920, 2_160);
/// Smaller parts show nothing, in samples.
const SMALLEST: u32 = 64;

/// Looks at spots.
pub(super) struct SpotMeter {
    /// The number of the next picture.
    next: u64,
    step: u64,
    /// Set by the first picture that is looked at. Those of another size are left out.
    fitted: Option<Fitted>,
    spots: Vec<Spot>,
}

/// What depends on the pictures' size.
struct Fitted {
    size: (u32, u32),
    part: Part,
    detail: DetailMeter,
    scaling: ScalingMeter,
}

/// What was found in one picture.
struct Spot {
    number: u64,
    time: f64,
    /// For each height that is tried, as shares of the nominal range.
    losses: Vec<f32>,
    blockiness: Option<f32>,
    /// In steps of 8 bits.
    spatial_information: Option<f32>,
}

impl SpotMeter {
    /// For pictures at about that rate.
    pub(super) fn new(frame_rate: f64) -> Self {
        let (least, most) = STEP_FRAMES;
        Self {
            next: 0,
            step: (STEP * frame_rate).round().clamp(least, most) as u64,
            fitted: None,
            spots: Vec::new(),
        }
    }

    /// Counts a picture; whether it is one to look at.
    pub(super) fn is_due(&mut self) -> bool {
        let number = self.next;
        self.next += 1;
        let Some(since) = number.checked_sub(FIRST).filter(|since| since % self.step == 0) else {
            return false;
        };
        if since / self.step >= MOST {
            self.step *= 2;
            let step = self.step;
            self.spots.retain(|spot| spot.number.saturating_sub(FIRST) % step == 0);
        }
        true
    }

    /// Looks at the picture that was counted last, shown from `time` on, in seconds.
    pub(super) fn look(&mut self, time: f64, picture: &Picture) {
        let number = self.next.saturating_sub(1);
        if let Some(spot) = self.spot(number, time, picture) {
            self.spots.push(spot);
        }
    }

    fn spot(&mut self, number: u64, time: f64, picture: &Picture) -> Option<Spot> {
        let size = picture.shape.size();
        if self.fitted.is_none() {
            let part = Part::of(size)?;
            let detail = DetailMeter::new(part.width, part.height, size.1);
            self.fitted = Some(Fitted { size, part, detail, scaling: ScalingMeter::default() });
        }
        let fitted = self.fitted.as_mut().filter(|fitted| fitted.size == size)?;
        let (grey, deviation) = fitted.part.cut_out(picture)?;
        let range: f32 = if picture.full_range { 255.0 } else { 219.0 };
        if deviation < LEAST_CONTRAST * f64::from(range) {
            return None;
        }
        let losses = fitted.detail.losses(&grey)?.into_iter().map(|loss| loss / range).collect();
        let (width, height) = (fitted.part.width as usize, fitted.part.height as usize);
        let (bytes, stride) = raw::plane(&grey, 0, width, height)?;
        let luma = Plane::new(bytes, stride, width, height, 8)?;
        fitted.scaling.picture(&luma);
        let blockiness = blockiness(&luma).map(|found| found as f32);
        let spatial_information = spatial_information(&luma).map(|found| found as f32);
        Some(Spot { number, time, losses, blockiness, spatial_information })
    }

    /// What was found.
    pub(super) fn finish(self) -> (Option<DetailMeasurement>, Option<BlockinessMeasurement>) {
        let heights = self.fitted.as_ref().map_or_else(Vec::new, |fitted| fitted.detail.heights());
        let traces = self.fitted.as_ref().map_or_else(Vec::new, Fitted::traces);
        let at =
            |index: usize| self.spots.iter().filter_map(|spot| spot.losses.get(index).copied()).collect();
        let losses = heights.into_iter().enumerate().map(|(index, height)| (height, at(index))).collect();
        let mut spatial: Vec<f32> = self.spots.iter().filter_map(|spot| spot.spatial_information).collect();
        let spatial_information = percentile(&mut spatial, 0.5).map(f64::from);
        let detail = detail::measurement(losses).map(|measured| DetailMeasurement {
            traces,
            spatial_information,
            ..measured
        });
        (detail, blockiness_of(&self.spots))
    }
}

impl Fitted {
    /// The traces of scaling up from each smaller height.
    fn traces(&self) -> Vec<ScalingTrace> {
        let whole = self.size.1;
        let trace = |height| Some(ScalingTrace { height, strength: self.scaling.strength(whole, height)? });
        detail::smaller_heights(whole).into_iter().filter_map(trace).collect()
    }
}

fn blockiness_of(spots: &[Spot]) -> Option<BlockinessMeasurement> {
    let mut values: Vec<f32> = spots.iter().filter_map(|spot| spot.blockiness).collect();
    let worst = spots.iter().filter_map(|spot| Some((spot.blockiness?, spot.time)));
    let (_, worst_time) = worst.reduce(|worst, next| if next.0 > worst.0 { next } else { worst })?;
    Some(BlockinessMeasurement {
        pictures: u32::try_from(values.len()).unwrap_or(u32::MAX),
        median: f64::from(percentile(&mut values, 0.5)?),
        high: f64::from(percentile(&mut values, 0.9)?),
        worst_time,
    })
}

/// The smallest value that at least so large a share of the values does not exceed.
pub(super) fn percentile(values: &mut [f32], share: f64) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// The part of pictures that is looked at, in the middle of them.
struct Part {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Part {
    /// Of pictures of a size: all of their height and half of their width, in reason.
    fn of((width, height): (u32, u32)) -> Option<Self> {
        let aligned = |length: u32| length / ALIGNMENT * ALIGNMENT;
        let part_width = aligned((width / 2).max(NARROWEST).min(width).min(LARGEST.0));
        let part_height = aligned(height.min(LARGEST.1));
        (part_width >= SMALLEST && part_height >= SMALLEST).then(|| Self {
            left: aligned((width - part_width) / 2),
            top: aligned((height - part_height) / 2),
            width: part_width,
            height: part_height,
        })
    }

    /// That part of a picture's luma in 8 bits, and its standard deviation in steps of them.
    fn cut_out(&self, picture: &Picture) -> Option<(frame::Video, f64)> {
        let (bytes, stride) = picture.luma_bytes()?;
        let (sample, depth) = (picture.sample_bytes(), picture.bit_depth());
        let (mut sum, mut squares) = (0u64, 0u64);
        let cut_out = grey(self.width, self.height, |row, into| {
            let start = (self.top as usize + row) * stride + self.left as usize * sample;
            let from = bytes.get(start..start + into.len() * sample).unwrap_or_default();
            if sample == 1 {
                into.iter_mut().zip(from).for_each(|(into, from)| *into = *from);
            } else {
                for (into, from) in into.iter_mut().zip(from.as_chunks::<2>().0) {
                    *into = (u16::from_le_bytes(*from) >> depth.saturating_sub(8)) as u8;
                }
            }
            sum += u64::from(into.iter().map(|sample| u32::from(*sample)).sum::<u32>());
            squares += u64::from(into.iter().map(|sample| u32::from(*sample).pow(2)).sum::<u32>());
        })
        .ok()?;
        let count = f64::from(self.width) * f64::from(self.height);
        let mean = sum as f64 / count;
        Some((cut_out, (squares as f64 / count - mean * mean).max(0.0).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(frame_rate: f64, frames: u64) -> (u64, Vec<u64>) {
        let mut meter = SpotMeter::new(frame_rate);
        for number in 0..frames {
            if meter.is_due() {
                meter.spots.push(Spot {
                    number,
                    time: number as f64,
                    losses: vec![],
                    blockiness: None,
                    spatial_information: None,
                });
            }
        }
        (meter.step, meter.spots.iter().map(|spot| spot.number).collect())
    }

    #[test]
    fn a_picture_every_five_seconds_and_never_too_many() {
        assert_eq!(looked_at(25.0, 300), (125, vec![12, 137, 262]));
        // A thousand pictures a second, a thousandth of one, and 5 hours.
        assert_eq!(looked_at(1e3, 1_300).1, [12, 612, 1_212]);
        assert_eq!(looked_at(1e-3, 120).1, [12, 62, 112]);
        let (step, numbers) = looked_at(25.0, 5 * 90_000);
        assert_eq!(step, 125 * 16);
        assert!(numbers.len() > 200 && numbers.len() as u64 <= MOST, "{}", numbers.len());
        assert!(numbers.iter().enumerate().all(|(index, number)| *number == 12 + index as u64 * step));
    }

    #[test]
    fn the_part_lies_in_the_middle_on_the_blocks() {
        for (size, expected) in [
            ((1_920, 1_080), Some((480, 0, 960, 1_072))),
            ((3_840, 2_160), Some((960, 0, 1_920, 2_160))),
            ((640, 360), Some((0, 0, 640, 352))),
            ((16_384, 16_384), Some((7_232, 7_104, 1_920, 2_160))),
            ((176, 144), Some((0, 0, 176, 144))),
            ((60, 400), None),
            ((400, 60), None),
            ((0, 0), None),
        ] {
            let part = Part::of(size).map(|part| (part.left, part.top, part.width, part.height));
            assert_eq!(part, expected, "{size:?}");
        }
    }

    #[test]
    fn percentiles_are_values_that_occur() {
        for (count, share, expected) in [
            (1, 0.9, Some(1.0)),
            (2, 0.5, Some(1.0)),
            (10, 0.9, Some(9.0)),
            (11, 0.9, Some(10.0)),
            (0, 0.5, None),
        ] {
            let mut values: Vec<f32> = (1..=count).rev().map(|value| value as f32).collect();
            assert_eq!(percentile(&mut values, share), expected, "{count} {share}");
        }
    }
}

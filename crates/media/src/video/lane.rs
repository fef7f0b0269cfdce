//! Rungs that share a pair of threads.

use std::path::PathBuf;

use reelfarm_model::task::{EncodeVideoSpec, RungSpec};

use super::convert::{Converter, Picture};
use super::x264::{Extent, RungEncoder};
use crate::MediaError;
use crate::progress::Count;

/// Rungs that are converted one after the other and encoded one after the other.
pub(super) struct Lane {
    /// A converter for each rung that needs one.
    pub converters: Vec<Option<Converter>>,
    /// An encoder for each rung.
    pub encoders: Vec<RungEncoder>,
}

impl Lane {
    /// Opens converters and encoders for all rungs and shares them out. The packets of each rung are counted in the
    /// count of the same place in `packets`.
    pub(super) fn open_all(
        picture: &Picture,
        spec: &EncodeVideoSpec,
        extent: Extent,
        outputs: &[PathBuf],
        packets: &[Count],
    ) -> Result<Vec<Self>, MediaError> {
        let mut rungs = spec.rungs.iter().zip(outputs).zip(packets);
        share_out(&spec.rungs)
            .into_iter()
            .map(|count| {
                let mut lane = Self { converters: Vec::new(), encoders: Vec::new() };
                for ((rung, output), packets) in rungs.by_ref().take(count) {
                    lane.converters.push(Converter::new(picture, &spec.video, rung)?);
                    let frame_rate = spec.video.frame_rate;
                    lane.encoders.push(RungEncoder::create(
                        rung,
                        frame_rate,
                        extent,
                        output,
                        packets.clone(),
                    )?);
                }
                Ok(lane)
            })
            .collect()
    }
}

/// How many rungs, in their order, go into each lane: as many as together have no more pixels than the largest.
fn share_out(rungs: &[RungSpec]) -> Vec<usize> {
    let pixels = |rung: &RungSpec| u64::from(rung.width) * u64::from(rung.height);
    let most = rungs.iter().map(pixels).max().unwrap_or(0);
    let mut lanes: Vec<(usize, u64)> = Vec::new();
    for pixels in rungs.iter().map(pixels) {
        match lanes.last_mut() {
            Some((count, sum)) if *sum + pixels <= most => {
                *count += 1;
                *sum += pixels;
            }
            _ => lanes.push((1, pixels)),
        }
    }
    lanes.into_iter().map(|(count, _)| count).collect()
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Rung;

    use super::*;

    fn rungs(sizes: &[(u32, u32)]) -> Vec<RungSpec> {
        sizes
            .iter()
            .map(|(width, height)| RungSpec {
                width: *width,
                height: *height,
                gop_frames: 50,
                rung: Rung {
                    name: format!("{height}p"),
                    width: *width,
                    height: *height,
                    min_source_kbps: 1,
                    crf: 23,
                    maxrate_kbps: 1000,
                    bufsize_kbps: 2000,
                    preset: "medium".into(),
                    profile: "high".into(),
                },
            })
            .collect()
    }

    #[test]
    fn no_lane_is_heavier_than_the_largest_rung() {
        for (sizes, expected) in [
            (&[(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)][..], &[1, 4][..]),
            (
                &[(3840, 2160), (1920, 1080), (1920, 1080), (1920, 1080), (1920, 1080), (1280, 720)],
                &[1, 4, 1],
            ),
            (&[(1280, 720), (1280, 720)], &[1, 1]),
            (&[(640, 360)], &[1]),
            (&[], &[]),
        ] {
            assert_eq!(share_out(&rungs(sizes)), expected, "{sizes:?}");
        }
    }
}

//! Rungs that are encoded in turn.

use std::collections::BTreeSet;
use std::path::PathBuf;

use reelfarm_model::task::{EncodeVideoSpec, RungSpec};

use super::convert::{Converter, Picture};
use super::rung::{Extent, RungEncoder};
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
    /// Opens converters and encoders for all rungs and shares them out to `most` lanes at most. The packets of each rung are
    /// counted in the count of the same place in `packets`.
    pub(super) fn open_all(
        picture: &Picture,
        spec: &EncodeVideoSpec,
        extent: Extent,
        outputs: &[PathBuf],
        packets: &[Count],
        most: usize,
    ) -> Result<Vec<Self>, MediaError> {
        let first_frame = spec.chunk.map_or(0, |chunk| chunk.first_frame);
        let own = spec.cue_frames.iter().filter_map(|frame| frame.checked_sub(first_frame));
        let cues: BTreeSet<i64> = own.filter_map(|frame| i64::try_from(frame).ok()).collect();
        let mut rungs = spec.rungs.iter().zip(outputs).zip(packets);
        share_out(&spec.rungs, most)
            .into_iter()
            .map(|count| {
                let mut lane = Self { converters: Vec::new(), encoders: Vec::new() };
                for ((rung, output), packets) in rungs.by_ref().take(count) {
                    lane.converters.push(Converter::new(picture, &spec.video, rung)?);
                    let frame_rate = spec.video.frame_rate;
                    lane.encoders.push(RungEncoder::create(
                        rung,
                        frame_rate,
                        cues.clone(),
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

/// Encodes what encoders still hold and completes their files; the names of those that other chunks can't be joined to.
pub(super) fn finish(encoders: Vec<RungEncoder>, expected: u64) -> Result<Vec<String>, MediaError> {
    let mut too_large = Vec::new();
    for encoder in encoders {
        let name = encoder.name().to_owned();
        if !encoder.finish(expected)? {
            too_large.push(name);
        }
    }
    Ok(too_large)
}

/// How much more a picture takes x265 than x264.
const HEVC_FACTOR: u64 = 5;

/// How many rungs, in their order, go into each lane: as many as together are no more work than the largest, by their pixels, and
/// more where there would be more than `most` lanes.
fn share_out(rungs: &[RungSpec], most: usize) -> Vec<usize> {
    let work = |rung: &RungSpec| {
        let factor = if rung.rung.codec.is_h264() { 1 } else { HEVC_FACTOR };
        u64::from(rung.width) * u64::from(rung.height) * factor
    };
    let pixels: Vec<u64> = rungs.iter().map(work).collect();
    let mut limit = pixels.iter().max().copied().unwrap_or(0);
    loop {
        let lanes = lanes_within(&pixels, limit);
        // The smallest limit by which two lanes become one.
        let next = lanes.windows(2).map(|pair| pair[0].pixels + pair[1].first).min();
        match next {
            Some(next) if lanes.len() > most => limit = next,
            _ => return lanes.into_iter().map(|lane| lane.count).collect(),
        }
    }
}

/// Rungs of a lane.
struct Share {
    count: usize,
    pixels: u64,
    /// The first one's pixels.
    first: u64,
}

fn lanes_within(pixels: &[u64], limit: u64) -> Vec<Share> {
    let mut lanes: Vec<Share> = Vec::new();
    for pixels in pixels {
        match lanes.last_mut() {
            Some(lane) if lane.pixels + pixels <= limit => {
                lane.count += 1;
                lane.pixels += pixels;
            }
            _ => lanes.push(Share { count: 1, pixels: *pixels, first: *pixels }),
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Rung;
    use reelfarm_model::ladder::VideoCodec;

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
                    codec: VideoCodec::H264,
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
            assert_eq!(share_out(&rungs(sizes), 8), expected, "{sizes:?}");
        }
    }

    #[test]
    fn there_are_no_more_lanes_than_threads() {
        let sizes = [(3840, 2160), (1920, 1080), (1920, 1080), (1920, 1080), (1920, 1080), (1280, 720)];
        for (most, expected) in [(3, &[1, 4, 1][..]), (2, &[1, 5]), (1, &[6])] {
            assert_eq!(share_out(&rungs(&sizes), most), expected, "{most}");
        }
        let small = [(1280, 720), (1280, 720), (1280, 720), (640, 360)];
        for (most, expected) in [(4, &[1, 1, 1, 1][..]), (3, &[1, 1, 2]), (2, &[2, 2]), (1, &[4])] {
            assert_eq!(share_out(&rungs(&small), most), expected, "{most}");
        }
    }
}

//! What the pictures hold: each check of what one pass saw in them. What an older farm did not measure is not judged.

mod bars;
mod black;
mod compression;
mod deinterlacing;
mod detail;
mod fields;
mod flashes;
mod freeze;
mod luma_range;
mod repeated_fields;
mod repeated_frames;

use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::Check;

use super::Timeline;
use super::frame_rate::Cadence;
use crate::policy::Policy;

pub(crate) use compression::bits_per_pixel;
pub(crate) use deinterlacing::{Deinterlacing, deinterlacing};

/// Judges what the pictures of a track hold.
pub(crate) fn content(
    policy: &Policy,
    video: &VideoMeasurement,
    cadence: Cadence,
    timeline: Timeline,
) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(picture) = &video.picture {
        checks.push(bars::bars(&policy.bars, &picture.bars));
    }
    if let Some(fields) = &video.fields {
        checks.push(fields::interlacing(policy, video, fields, timeline));
    }
    if let Some(picture) = &video.picture {
        checks.push(repeated_fields::repeated_fields(&policy.fields, &picture.field_cadence, cadence));
        checks.push(repeated_frames::repeated_frames(&policy.repeated_frames, &picture.cadence, cadence));
        checks.push(black::black(&policy.black, picture, timeline));
        checks.push(freeze::freeze(&policy.freeze, &picture.freeze, timeline));
        checks.push(flashes::general(&policy.flashes, &picture.general_flashes, timeline));
        checks.push(flashes::red(&policy.flashes, &picture.red_flashes, timeline));
        checks.push(luma_range::luma_range(&policy.luma_range, picture, timeline));
    }
    if let Some(detail) = &video.detail {
        checks.push(detail::detail(&policy.detail, video, detail));
    }
    checks.push(compression::compression(&policy.compression, video, timeline));
    checks
}

/// Parts of a whole, in per cent; 0 of nothing.
fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use crate::sample;

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let mut film = sample::clean();
        let video = &mut film.video[0];
        (video.picture, video.fields, video.detail, video.blockiness) = (None, None, None, None);
        let report = sample::report(&film);
        for name in
            ["bars", "interlacing", "repeated fields", "repeated frames", "black", "flashes", "detail"]
        {
            assert!(report.checks.iter().all(|check| check.name != name), "{name}");
        }
        assert_eq!(report.verdict, reelfarm_model::qc::Verdict::Pass);
    }
}

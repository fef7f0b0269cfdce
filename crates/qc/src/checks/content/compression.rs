//! Was the picture compressed too much: blocks that are seen, or bits too few to be without.

use reelfarm_model::Code;
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::qc::Check;

use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::Compression;
use crate::text::decimal;

/// Bits for each stored sample of luma of each frame.
pub(crate) fn bits_per_pixel(video: &VideoMeasurement) -> Option<f64> {
    let pixels = f64::from(video.width) * f64::from(video.height) * video.frames as f64;
    (pixels > 0.0).then(|| video.bytes as f64 * 8.0 / pixels)
}

/// Whether blocks are seen, or the bits are too few.
pub(super) fn compression(policy: &Compression, video: &VideoMeasurement, timeline: Timeline) -> Check {
    let bits = bits_per_pixel(video).unwrap_or(0.0);
    let blockiness = video.blockiness.filter(|measured| measured.pictures > 0);
    let mut value = format!("{} bits a pixel", decimal(bits, 3));
    if let Some(measured) = blockiness {
        value.push_str(&format!(
            "; blockiness {}, {} in the worst tenth",
            decimal(measured.median, 2),
            decimal(measured.high, 2)
        ));
    }
    let limit = format!(
        "at least {} bits, blockiness up to {}",
        decimal(policy.min_bits_per_pixel, 3),
        decimal(policy.max_blockiness, 2)
    );
    let is_lean = bits < policy.min_bits_per_pixel;
    let blocky = blockiness.filter(|measured| exceeds(measured.median, policy.max_blockiness));
    let finding = Finding::new(Code::QcCompression, "compression", value, limit)
        .at(timeline.moment(blocky.map(|measured| measured.worst_time)));
    match (blocky.is_some(), is_lean) {
        (false, false) => finding.pass(),
        (true, false) => finding.fail(
            policy.verdict,
            "Blocks are seen though there are bits enough: an earlier, smaller copy was encoded again. Look at the place named, and ask for the master.",
        ),
        (true, true) => finding.fail(
            policy.verdict,
            "Blocks are seen, and the bitrate is too low: look at the place named, and ask for an export at a higher bitrate.",
        ),
        (false, true) => finding.fail(
            policy.verdict,
            "The bitrate is very low for this size: look at fast movement and dark scenes, and ask for an export at a higher bitrate.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::sampled::BlockinessMeasurement;
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    fn compressed(film: &mut Measurements, bits_per_pixel: f64, median: f64) {
        let video = &mut film.video[0];
        let pixels = f64::from(video.width) * f64::from(video.height) * video.frames as f64;
        video.bytes = (bits_per_pixel * pixels / 8.0).ceil() as u64;
        video.blockiness =
            Some(BlockinessMeasurement { pictures: 20, median, high: median, worst_time: 3.0 });
    }

    #[test]
    fn blocks_and_bits_are_judged() {
        sample::table(
            "compression",
            &[
                (Verdict::Pass, "0.154 bits a pixel; blockiness 1.02, 1.1 in the worst tenth", &|_| {}),
                (Verdict::Pass, "0.01 bits a pixel", &|m| compressed(m, 0.01, 1.0)),
                (Verdict::Warn, "0.009 bits a pixel", &|m| compressed(m, 0.009, 1.0)),
                (Verdict::Pass, "blockiness 2", &|m| compressed(m, 0.1, 2.0)),
                (Verdict::Warn, "blockiness 2.01", &|m| compressed(m, 0.1, 2.01)),
                (Verdict::Warn, "0.009 bits a pixel; blockiness 2.01", &|m| compressed(m, 0.009, 2.01)),
                (Verdict::Pass, "0.154 bits a pixel", &|m| m.video[0].blockiness = None),
                (Verdict::Warn, "0 bits a pixel", &|m| sample::size(m, 0, 1080)),
            ],
        );
        let mut film = sample::clean();
        compressed(&mut film, 0.1, 2.01);
        assert_eq!(sample::places(&film, "compression"), ["00:00:03:00"]);
    }
}

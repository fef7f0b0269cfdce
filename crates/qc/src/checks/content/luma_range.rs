//! Is the picture darker than black or brighter than white (EBU R 103).

use reelfarm_model::Code;
use reelfarm_model::measurement::picture::PictureMeasurement;
use reelfarm_model::qc::Check;

use super::percent;
use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::LumaRange;
use crate::text::decimal;

/// Whether frames leave the range of luma over more than R 103 allows of a picture.
pub(super) fn luma_range(policy: &LumaRange, picture: &PictureMeasurement, timeline: Timeline) -> Check {
    let luma = &picture.luma;
    let of_frames = |frames: u64| percent(frames as f64, picture.frames as f64);
    let (below, above) = (of_frames(luma.below_range.frames), of_frames(luma.above_range.frames));
    let value = format!(
        "below black in {} % of frames, above white in {} %; {} % to {} %",
        decimal(below, 1),
        decimal(above, 1),
        decimal(luma.darkest * 100.0, 1),
        decimal(luma.brightest * 100.0, 1)
    );
    let limit = format!("-1 % to 103 % but for {} % of frames", decimal(policy.max_frames_percent, 1));
    let finding =
        Finding::new(Code::QcLumaRange, "luma range", value, limit).at(timeline.places(&luma.outside.first));
    let is_too_dark = exceeds(below, policy.max_frames_percent);
    let is_too_bright = exceeds(above, policy.max_frames_percent);
    match (is_too_dark, is_too_bright) {
        (false, false) => finding.pass(),
        (true, true) => finding.fail(
            policy.verdict,
            "Players cut off shadows and lights. Probably the picture has full range and is flagged as limited: ask for an export with its levels right.",
        ),
        _ => finding.fail(
            policy.verdict,
            "Players cut it off: ask for an export whose levels keep to EBU R 103, unless nothing is to be seen there.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::{Span, Spans};
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    /// Of a thousand frames, so many below and above the range.
    fn outside(film: &mut Measurements, below: u64, above: u64) {
        let picture = film.video[0].picture.as_mut().unwrap();
        picture.frames = 1_000;
        (picture.luma.below_range.frames, picture.luma.above_range.frames) = (below, above);
    }

    #[test]
    fn luma_keeps_its_range() {
        sample::table(
            "luma range",
            &[
                (Verdict::Pass, "below black in 0 % of frames, above white in 0 %; 0 % to 98 %", &|_| {}),
                (Verdict::Pass, "below black in 1 % of frames, above white in 1 %", &|m| outside(m, 10, 10)),
                (Verdict::Warn, "below black in 1.1 % of frames", &|m| outside(m, 11, 0)),
                (Verdict::Warn, "above white in 1.1 %", &|m| outside(m, 0, 11)),
                (Verdict::Warn, "below black in 30 % of frames, above white in 40 %", &|m| {
                    outside(m, 300, 400);
                }),
            ],
        );
        for (below, above, remedy) in [(11, 0, "R 103"), (0, 11, "R 103"), (300, 400, "flagged as limited")] {
            let mut film = sample::clean();
            outside(&mut film, below, above);
            let report = sample::report(&film);
            assert!(sample::check(&report, "luma range").remedy.contains(remedy));
        }
        let mut film = sample::clean();
        outside(&mut film, 0, 40);
        film.video[0].picture.as_mut().unwrap().luma.outside =
            Spans { count: 1, seconds: 1.6, first: vec![Span { start: 2.0, end: 3.6 }] };
        assert_eq!(sample::places(&film, "luma range"), ["00:00:02:00"]);
    }
}

//! Does the picture hold the detail that its size promises, or was it scaled up.
//!
//! Two things tell. Scaling leaves traces in the lines, which name the height that a picture came from, however sharp it
//! looks. And a picture that loses nothing on the way through a smaller one holds no more than that; a soft film does so too.

use reelfarm_model::Code;
use reelfarm_model::measurement::VideoMeasurement;
use reelfarm_model::measurement::sampled::{DetailLoss, DetailMeasurement, ScalingTrace};
use reelfarm_model::qc::Check;

use super::percent;
use crate::checks::{Finding, exceeds};
use crate::policy::Detail;
use crate::text::decimal;

/// Spot checks that are needed: fewer may have met nothing but sky.
const LEAST_PICTURES: u32 = 3;
/// Where even the smallest height takes away less, there is no detail in the film by which to tell: a quarter of what
/// rounding to 8 bits alone does.
const NOTHING_LOST_DB: f64 = -70.0;

/// Whether a smaller picture would hold as much.
pub(super) fn detail(policy: &Detail, video: &VideoMeasurement, measured: &DetailMeasurement) -> Check {
    let limit = format!(
        "at least {} % of its lines: loss above {} dB, traces of scaling up to {}",
        decimal(policy.min_height_percent, 1),
        decimal(policy.max_loss_db, 1),
        decimal(policy.max_trace, 1)
    );
    let finding = |value: String| Finding::new(Code::QcDetail, "detail", value, limit);
    let smallest = measured.losses.iter().min_by_key(|loss| loss.height);
    let loss_at_smallest = smallest.and_then(|loss| loss.loss_db).unwrap_or(f64::NEG_INFINITY);
    if measured.pictures < LEAST_PICTURES || !exceeds(loss_at_smallest, NOTHING_LOST_DB) {
        return finding("too little detail to tell".to_owned()).pass();
    }
    let is_too_small =
        |height: u32| percent(f64::from(height), f64::from(video.height)) < policy.min_height_percent;
    let trace = strongest(measured).filter(|trace| exceeds(trace.strength, policy.max_trace));
    if let Some(trace) = trace.filter(|trace| is_too_small(trace.height)) {
        let strength = decimal(trace.strength, 1);
        let value = format!("scaled up from {} of {} lines (traces {strength})", trace.height, video.height);
        return finding(value).fail(
            policy.verdict,
            "The picture was scaled up: ask for the original in its own size. Nothing is gained by the rungs above it.",
        );
    }
    let Some(needed) = needed(policy, measured) else {
        return finding(format!("needs all {} lines", video.height)).pass();
    };
    let or_fewer = if smallest.is_some_and(|loss| loss.height == needed.height) { " or fewer" } else { "" };
    let lost = needed.loss_db.map_or_else(String::new, |lost| format!(" ({} dB lost)", decimal(lost, 1)));
    let value = format!("{} of {} lines{or_fewer}{lost}", needed.height, video.height);
    if is_too_small(needed.height) {
        finding(value).fail(
            policy.verdict,
            "The picture was scaled up, or is soft: look at fine detail at full size, and ask for the original in its own size. Nothing is gained by the rungs above it.",
        )
    } else {
        finding(value).pass()
    }
}

/// The strongest traces: its overtones may fall on another height.
fn strongest(measured: &DetailMeasurement) -> Option<ScalingTrace> {
    measured.traces.iter().copied().max_by(|a, b| a.strength.total_cmp(&b.strength))
}

/// The smallest height that takes nothing away.
fn needed(policy: &Detail, measured: &DetailMeasurement) -> Option<DetailLoss> {
    let losses = measured.losses.iter().copied();
    losses
        .filter(|loss| loss.loss_db.is_none_or(|lost| lost <= policy.max_loss_db))
        .min_by_key(|loss| loss.height)
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::sampled::DetailLoss;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn losing(film: &mut Measurements, losses: &[(u32, Option<f64>)]) {
        let losses = losses.iter().map(|(height, loss_db)| DetailLoss { height: *height, loss_db: *loss_db });
        let detail = film.video[0].detail.as_mut().unwrap();
        (detail.pictures, detail.losses) = (20, losses.collect());
    }

    fn traced(film: &mut Measurements, traces: &[(u32, f64)]) {
        let traces =
            traces.iter().map(|(height, strength)| ScalingTrace { height: *height, strength: *strength });
        film.video[0].detail.as_mut().unwrap().traces = traces.collect();
    }

    #[test]
    fn a_picture_holds_what_its_size_promises() {
        let from_480 = [(900, Some(-68.0)), (720, Some(-60.0)), (480, Some(-55.0)), (360, Some(-42.0))];
        sample::table(
            "detail",
            &[
                (Verdict::Pass, "needs all 1080 lines", &|_| {}),
                (Verdict::Warn, "480 of 1080 lines (-55 dB lost)", &|m| losing(m, &from_480)),
                (Verdict::Pass, "480 of 576 lines", &|m| {
                    sample::size(m, 720, 576);
                    losing(m, &from_480[2..]);
                }),
                (Verdict::Pass, "needs all", &|m| losing(m, &[(720, Some(-49.9)), (480, Some(-40.0))])),
                (Verdict::Warn, "720 of 1080 lines (-50 dB lost)", &|m| {
                    losing(m, &[(720, Some(-50.0)), (480, Some(-40.0))]);
                }),
                (Verdict::Pass, "900 of 1080 lines", &|m| losing(m, &[(900, None), (720, Some(-40.0))])),
                (Verdict::Warn, "360 of 1080 lines or fewer", &|m| {
                    losing(m, &[(720, None), (360, Some(-60.0))]);
                }),
                (Verdict::Pass, "too little detail to tell", &|m| losing(m, &[(720, None), (480, None)])),
                (Verdict::Pass, "too little detail to tell", &|m| {
                    losing(m, &[(720, Some(-90.0)), (480, Some(-71.0))]);
                }),
                (Verdict::Pass, "needs all", &|m| traced(m, &[(720, 12.0), (480, 11.9)])),
                (Verdict::Warn, "scaled up from 720 of 1080 lines (traces 12.1)", &|m| {
                    traced(m, &[(720, 12.1)]);
                }),
                (Verdict::Warn, "scaled up from 480 of 1080 lines (traces 134.5)", &|m| {
                    traced(m, &[(720, 16.2), (480, 134.5)]);
                }),
                (Verdict::Pass, "needs all 720 lines", &|m| {
                    sample::size(m, 1280, 720);
                    traced(m, &[(576, 40.0)]);
                }),
                (Verdict::Pass, "too little detail to tell", &|m| losing(m, &[])),
                (Verdict::Pass, "too little detail to tell", &|m| {
                    losing(m, &from_480);
                    m.video[0].detail.as_mut().unwrap().pictures = 2;
                }),
            ],
        );
    }
}

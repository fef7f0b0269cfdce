//! Is the picture surrounded by black bars, and do they stay.

use reelfarm_model::Code;
use reelfarm_model::measurement::picture::{ActiveArea, Bars as Measured};
use reelfarm_model::qc::Check;

use super::percent;
use crate::checks::{Finding, exceeds};
use crate::policy::Bars;
use crate::text::{decimal, span};

/// Too little of the film is bright enough to tell below so many seconds.
const LEAST_JUDGED: f64 = 2.0;

/// Whether black bars take a part of the picture.
pub(super) fn bars(policy: &Bars, measured: &Measured) -> Check {
    let finding = |value: String| {
        let limit = format!("at most {} % of a side, unchanging", decimal(policy.max_percent, 1));
        Finding::new(Code::QcBars, "bars", value, limit)
    };
    if measured.judged_seconds < LEAST_JUDGED {
        return finding("too dark to tell".to_owned()).pass();
    }
    let areas: Vec<&ActiveArea> = measured
        .areas
        .iter()
        .filter(|area| percent(area.seconds, measured.judged_seconds) >= policy.min_share_percent)
        .collect();
    let named: Vec<_> = areas.iter().map(|area| describe(measured, area)).collect();
    let is_boxed = |area: &&&ActiveArea| {
        let (high, wide) = shares(measured, area);
        exceeds(high, policy.max_percent) || exceeds(wide, policy.max_percent)
    };
    let boxed = areas.iter().filter(is_boxed).count();
    match (boxed, areas.as_slice()) {
        (0, _) => finding(named.first().cloned().unwrap_or_else(|| "none".to_owned())).pass(),
        (_, [only]) => {
            let (high, wide) = shares(measured, only);
            let remedy = if high > 0.0 && wide > 0.0 {
                "The picture has bars on all sides, and is small on every screen: ask for the picture alone, as it was made."
            } else {
                "Ask for the picture without its bars: they are encoded with it, and a screen of another shape adds its own. Some suppliers deliver only so."
            };
            finding(named.join("; ")).fail(policy.verdict, remedy)
        }
        _ => finding(named.join("; ")).fail(
            policy.verdict,
            "The bars come and go: watch where. Archive pictures and subtitles in the bars are meant so; else ask for one shape throughout.",
        ),
    }
}

/// How much of the height and of the width is black, in per cent.
fn shares(measured: &Measured, area: &ActiveArea) -> (f64, f64) {
    let margins = area.margins;
    let sum = |one: u32, other: u32| f64::from(one) + f64::from(other);
    (
        percent(sum(margins.top, margins.bottom), f64::from(measured.height)),
        percent(sum(margins.left, margins.right), f64::from(measured.width)),
    )
}

fn describe(measured: &Measured, area: &ActiveArea) -> String {
    let margins = area.margins;
    let inside = |size: u32, one: u32, other: u32| size.saturating_sub(one).saturating_sub(other);
    let width = inside(measured.width, margins.left, margins.right);
    let height = inside(measured.height, margins.top, margins.bottom);
    let kind = match shares(measured, area) {
        (high, wide) if high > 0.0 && wide > 0.0 => "window-box",
        (high, _) if high > 0.0 => "letter-box",
        (_, wide) if wide > 0.0 => "pillar-box",
        _ => return format!("none in {}", span(area.seconds)),
    };
    format!("{kind}: {width}x{height} of {}x{} in {}", measured.width, measured.height, span(area.seconds))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::picture::Margins;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    /// Of a hundred seconds, so many with these margins: top, bottom, left, right.
    fn boxed(film: &mut Measurements, areas: &[(f64, [u32; 4])]) {
        let bars = &mut film.video[0].picture.as_mut().unwrap().bars;
        bars.judged_seconds = 100.0;
        bars.areas = areas
            .iter()
            .map(|(seconds, [top, bottom, left, right])| ActiveArea {
                margins: Margins { top: *top, bottom: *bottom, left: *left, right: *right },
                seconds: *seconds,
            })
            .collect();
    }

    #[test]
    fn bars_are_told_by_their_size_and_whether_they_stay() {
        sample::table(
            "bars",
            &[
                (Verdict::Pass, "none in 10 s", &|_| {}),
                (Verdict::Pass, "letter-box: 1920x1048 of 1920x1080", &|m| {
                    boxed(m, &[(100.0, [16, 16, 0, 0])]);
                }),
                (Verdict::Warn, "letter-box: 1920x1046 of 1920x1080", &|m| {
                    boxed(m, &[(100.0, [16, 18, 0, 0])]);
                }),
                (Verdict::Warn, "pillar-box: 1440x1080 of 1920x1080", &|m| {
                    boxed(m, &[(90.0, [0, 0, 240, 240])]);
                }),
                (Verdict::Warn, "window-box: 1440x800", &|m| boxed(m, &[(90.0, [140, 140, 240, 240])])),
                (Verdict::Warn, "letter-box: 1920x800 of 1920x1080 in 60 s; none in 40 s", &|m| {
                    boxed(m, &[(60.0, [140, 140, 0, 0]), (40.0, [0; 4])]);
                }),
                (Verdict::Pass, "none in 90.1 s", &|m| boxed(m, &[(90.1, [0; 4]), (9.9, [140, 140, 0, 0])])),
                (Verdict::Pass, "none", &|m| boxed(m, &[])),
                (Verdict::Pass, "too dark to tell", &|m| {
                    boxed(m, &[(1.0, [140, 140, 0, 0])]);
                    m.video[0].picture.as_mut().unwrap().bars.judged_seconds = 1.9;
                }),
            ],
        );
    }
}

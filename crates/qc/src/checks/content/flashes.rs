//! Does the picture flash as often as photosensitive people cannot bear.
//!
//! This screens, and is no certificate: regular patterns are not looked at, and a certified analyser knows more of screens
//! and eyes.

use reelfarm_model::Code;
use reelfarm_model::measurement::picture::Flashes as Measured;
use reelfarm_model::qc::Check;

use crate::checks::{Finding, Timeline};
use crate::policy::{Flashes, Severity};
use crate::text::count;

/// Flashes that any second may have (ITU-R BT.1702-3; WCAG 2.1, success criterion 2.3.1).
const PERMITTED: u32 = 3;

/// Whether there are too many flashes of light.
pub(super) fn general(policy: &Flashes, measured: &Measured, timeline: Timeline) -> Check {
    judge("flashes", measured, timeline, policy.general_verdict)
}

/// Whether there are too many flashes of saturated red.
pub(super) fn red(policy: &Flashes, measured: &Measured, timeline: Timeline) -> Check {
    judge("red flashes", measured, timeline, policy.red_verdict)
}

fn judge(name: &str, measured: &Measured, timeline: Timeline, severity: Severity) -> Check {
    let mut value = if measured.most_in_a_second == 0 {
        "none".to_owned()
    } else {
        format!("up to {} a second", measured.most_in_a_second)
    };
    let is_too_often = measured.most_in_a_second > PERMITTED || measured.too_many.count > 0;
    if is_too_often {
        let at = measured.worst_second.map(|time| format!(" at {}", timeline.time_code(time)));
        value.push_str(&at.unwrap_or_default());
        value.push_str(&format!(", in {}", count(measured.too_many.count, "place")));
    }
    let limit = format!("{PERMITTED} a second; a screening, no certificate");
    let mut places = timeline.places(&measured.too_many.first);
    if places.is_empty() {
        places = timeline.moment(measured.worst_second);
    }
    let finding = Finding::new(Code::QcFlashes, name, value, limit).at(places);
    if is_too_often {
        finding.fail(
            severity,
            "This can harm photosensitive people. Have the film tested with a certified analyser (PSE) before it is shown: this is a screening, and neither condemns nor clears it.",
        )
    } else {
        finding.pass()
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::{Span, Spans};
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn flashing(most_in_a_second: u32) -> Measured {
        let first = vec![Span { start: 4.0, end: 6.0 }];
        let too_many =
            if most_in_a_second > 3 { Spans { count: 1, seconds: 2.0, first } } else { Spans::default() };
        Measured { count: 10, most_in_a_second, worst_second: Some(4.4), too_many }
    }

    fn general(film: &mut Measurements, most: u32) {
        film.video[0].picture.as_mut().unwrap().general_flashes = flashing(most);
    }

    fn red(film: &mut Measurements, most: u32) {
        film.video[0].picture.as_mut().unwrap().red_flashes = flashing(most);
    }

    #[test]
    fn more_than_three_flashes_a_second_are_too_many() {
        sample::table(
            "flashes",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Pass, "up to 3 a second", &|m| general(m, 3)),
                (Verdict::Warn, "up to 4 a second at 00:00:04:10, in 1 place", &|m| general(m, 4)),
                (Verdict::Pass, "none", &|m| red(m, 9)),
            ],
        );
        sample::table(
            "red flashes",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Pass, "up to 3 a second", &|m| red(m, 3)),
                (Verdict::Warn, "up to 4 a second at 00:00:04:10, in 1 place", &|m| red(m, 4)),
            ],
        );
        let mut film = sample::clean();
        general(&mut film, 4);
        assert_eq!(sample::places(&film, "flashes"), ["00:00:04:00"]);
        let report = sample::report(&film);
        let check = sample::check(&report, "flashes");
        assert!(check.limit.contains("screening") && check.remedy.contains("screening"));
    }
}

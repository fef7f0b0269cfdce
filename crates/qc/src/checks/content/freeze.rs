//! Does the picture stand still for too long.

use reelfarm_model::Code;
use reelfarm_model::measurement::Spans;
use reelfarm_model::qc::Check;

use crate::checks::timeline::{longer_than, longest};
use crate::checks::{Finding, Timeline};
use crate::policy::Freeze;
use crate::text::span;

/// Whether the picture stands still for too long; black does not count.
pub(super) fn freeze(policy: &Freeze, freeze: &Spans, timeline: Timeline) -> Check {
    let value = match longest(&freeze.first) {
        None => "none".to_owned(),
        Some(longest) => {
            format!("up to {}, at {}", span(longest.end - longest.start), timeline.time_code(longest.start))
        }
    };
    let long = longer_than(&freeze.first, policy.max_s);
    let finding = Finding::new(Code::QcFreeze, "freeze", value, format!("at most {}", span(policy.max_s)))
        .at(timeline.places(&long));
    if long.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.verdict,
            "Watch these places: a title or a still is meant so, a scene that stops is not. Then ask for a new export.",
        )
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::{Span, Spans};
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    fn still(film: &mut Measurements, stretches: &[(f64, f64)]) {
        let first: Vec<Span> =
            stretches.iter().map(|(start, end)| Span { start: *start, end: *end }).collect();
        let seconds = first.iter().map(|span| span.end - span.start).sum();
        film.video[0].picture.as_mut().unwrap().freeze = Spans { count: first.len() as u64, seconds, first };
    }

    #[test]
    fn a_picture_does_not_stand_still_for_long() {
        sample::table(
            "freeze",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Pass, "up to 5 s, at 00:00:02:00", &|m| still(m, &[(0.0, 1.0), (2.0, 7.0)])),
                (Verdict::Warn, "up to 5.04 s, at 00:00:02:00", &|m| still(m, &[(0.0, 1.0), (2.0, 7.04)])),
            ],
        );
        let mut film = sample::clean();
        still(&mut film, &[(0.0, 1.0), (2.0, 7.04), (1.0, 9.5)]);
        assert_eq!(sample::places(&film, "freeze"), ["00:00:01:00", "00:00:02:00"]);
    }
}

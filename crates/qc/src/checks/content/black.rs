//! Is there black where there should be a picture.

use reelfarm_model::Code;
use reelfarm_model::measurement::Span;
use reelfarm_model::measurement::picture::PictureMeasurement;
use reelfarm_model::qc::Check;

use crate::checks::timeline::{longer_than, longest};
use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::Black;
use crate::text::span;

/// Whether it is black for too long at the beginning, at the end, or between pictures.
pub(super) fn black(policy: &Black, picture: &PictureMeasurement, timeline: Timeline) -> Check {
    let (leading, trailing) = (picture.leading_black, picture.trailing_black);
    let length = picture.end - picture.start;
    let is_all_black = picture.frames > 0 && !exceeds(length, leading);
    let middle = middle(picture);
    let between = longest(&middle).map_or(0.0, |longest| longest.end - longest.start);
    let value = if is_all_black {
        format!("all {} of it", span(length))
    } else if leading.max(trailing).max(between) <= 0.0 {
        "none".to_owned()
    } else {
        format!(
            "{} at the start, {} at the end, up to {} between",
            span(leading),
            span(trailing),
            span(between)
        )
    };
    let limit = format!(
        "at most {}, {} and {}",
        span(policy.max_leading_s),
        span(policy.max_trailing_s),
        span(policy.max_middle_s)
    );
    let beginning = Span { start: picture.start, end: picture.start + leading };
    let end = Span { start: picture.end - trailing, end: picture.end };
    let (is_late, is_early) =
        (exceeds(leading, policy.max_leading_s), exceeds(trailing, policy.max_trailing_s));
    let mut places = longer_than(&middle, policy.max_middle_s);
    places.extend(is_late.then_some(beginning));
    places.extend(is_early.then_some(end).filter(|_| !is_all_black));
    let finding = Finding::new(Code::QcBlack, "black", value, limit).at(timeline.places(&places));
    if is_all_black {
        finding
            .fail(policy.verdict, "No picture is lit: is this the right file? Ask for one with its picture.")
    } else if is_late || is_early {
        finding.fail(
            policy.verdict,
            "Watch the beginning and the end: viewers wait through black. Ask for a trimmed export, unless it is meant so.",
        )
    } else if places.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.verdict,
            "Watch these places: black is left where something was taken out, such as a break. Ask for a new export, unless it is meant so.",
        )
    }
}

/// Black with pictures before and after it.
fn middle(picture: &PictureMeasurement) -> Vec<Span> {
    // Less than any frame lasts.
    let edge = 0.001;
    let is_between = |black: &&Span| black.start > picture.start + edge && black.end < picture.end - edge;
    picture.black.first.iter().filter(is_between).copied().collect()
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::{Span, Spans};
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    /// A minute that is black in these stretches.
    fn black(film: &mut Measurements, stretches: &[(f64, f64)]) {
        *film = sample::at_rate(reelfarm_model::measurement::Ratio::new(25, 1), 60.0);
        let picture = film.video[0].picture.as_mut().unwrap();
        let first: Vec<Span> =
            stretches.iter().map(|(start, end)| Span { start: *start, end: *end }).collect();
        let lasts = |span: &Span| span.end - span.start;
        picture.leading_black = first.iter().find(|span| span.start == 0.0).map_or(0.0, lasts);
        picture.trailing_black = first.iter().find(|span| span.end == 60.0).map_or(0.0, lasts);
        picture.black = Spans { count: first.len() as u64, seconds: first.iter().map(lasts).sum(), first };
    }

    #[test]
    fn black_is_short() {
        sample::table(
            "black",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Pass, "2 s at the start, 2 s at the end", &|m| {
                    black(m, &[(0.0, 2.0), (58.0, 60.0)]);
                }),
                (Verdict::Warn, "2.04 s at the start", &|m| black(m, &[(0.0, 2.04)])),
                (Verdict::Warn, "0 ms at the start, 2.04 s at the end", &|m| black(m, &[(57.96, 60.0)])),
                (Verdict::Pass, "up to 2 s between", &|m| black(m, &[(10.0, 12.0), (20.0, 22.0)])),
                (Verdict::Warn, "up to 2.04 s between", &|m| black(m, &[(10.0, 10.04), (20.0, 22.04)])),
                (Verdict::Warn, "all 60 s of it", &|m| black(m, &[(0.0, 60.0)])),
            ],
        );
    }

    #[test]
    fn long_black_is_found_where_it_is() {
        let mut film = sample::clean();
        black(&mut film, &[(0.0, 3.0), (10.0, 12.0), (20.0, 23.0), (56.0, 60.0)]);
        assert_eq!(sample::places(&film, "black"), ["00:00:00:00", "00:00:20:00", "00:00:56:00"]);
        black(&mut film, &[(0.0, 60.0)]);
        assert_eq!(sample::places(&film, "black"), ["00:00:00:00"]);
    }
}

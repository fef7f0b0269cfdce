//! What is wrong, the worst first: what was found, the limit, what to do, where, and pictures of it.

use reelfarm_model::qc::{Check, Place, Verdict};

use super::film::Film;
use super::markup::Markup;
use super::pictures::{PlacePicture, data_uri, middle, times};
use super::tables::properties;
use super::verdict;

/// The most places that are named for one check.
const MOST_PLACES: usize = 100;

/// Checks from the worst to the best, otherwise in the report's order.
pub(super) fn worst_first<'a>(film: &Film<'a>) -> Vec<&'a Check> {
    let mut checks: Vec<_> = film.report.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    checks
}

/// Writes what is wrong.
pub(super) fn findings(film: &Film<'_>, pictures: &[PlacePicture], markup: &mut Markup) {
    let mut checks = worst_first(film);
    checks.retain(|check| check.verdict != Verdict::Pass);
    markup.within("section", &[("aria-labelledby", "wrong")], |markup| {
        markup.element("h2", &[("id", "wrong")], "What is wrong");
        if checks.is_empty() {
            markup.element("p", &[], "Nothing: every check passed.");
        }
        for check in checks {
            finding(film, check, pictures, markup);
        }
    });
}

fn finding(film: &Film<'_>, check: &Check, pictures: &[PlacePicture], markup: &mut Markup) {
    let times = times(film, check);
    let at = |time: i64| pictures.iter().find(|picture| picture.time_ms == time && times.contains(&time));
    markup.within("article", &[("class", verdict::finding(check.verdict))], |markup| {
        markup.within("h3", &[], |markup| {
            verdict::badge(markup, check.verdict, verdict::word(check.verdict));
            markup.text(&format!(" {} ", check.name));
            code(check, markup);
        });
        let mut lines = vec![("Found", check.value.clone()), ("Limit", check.limit.clone())];
        if !check.remedy.is_empty() {
            lines.push(("What to do", check.remedy.clone()));
        }
        properties(markup, &lines);
        if !check.places.is_empty() {
            markup.element("h4", &[], "Where");
            markup.within("ul", &[("class", "places")], |markup| {
                for place in check.places.iter().take(MOST_PLACES) {
                    markup.within("li", &[], |markup| {
                        markup.text(&words(film, place));
                        if let Some(picture) = at(middle(place)) {
                            thumbnail(film, check, picture, markup);
                        }
                    });
                }
            });
        } else if let Some(picture) = times.first().and_then(|time| at(*time)) {
            thumbnail(film, check, picture, markup);
        }
    });
}

/// A check's code; of a finding, as a link to what it stands for.
pub(super) fn code(check: &Check, markup: &mut Markup) {
    let code = check.code.as_str();
    if check.verdict == Verdict::Pass {
        return markup.text(code);
    }
    markup.element("a", &[("class", "code"), ("href", &format!("#{code}"))], code);
}

/// Where a place is: as the report writes its beginning, and to when it lasts.
fn words(film: &Film<'_>, place: &Place) -> String {
    if place.end_ms <= place.start_ms {
        return place.time_code.clone();
    }
    let (start, end) = (place.start_ms as f64 / 1000.0, place.end_ms as f64 / 1000.0);
    let seconds = crate::text::span(end - start);
    format!("{} to {} ({seconds})", place.time_code, film.code(end))
}

fn thumbnail(film: &Film<'_>, check: &Check, picture: &PlacePicture, markup: &mut Markup) {
    let time = film.code(picture.time_ms as f64 / 1000.0);
    let (width, height) = (picture.width.to_string(), picture.height.to_string());
    let alternative = format!("{}: the picture at {time}", check.name);
    markup.within("figure", &[], |markup| {
        markup.void(
            "img",
            &[("src", &data_uri(picture)), ("width", &width), ("height", &height), ("alt", &alternative)],
        );
        // Of a moment the time is said already.
        if !check
            .places
            .iter()
            .any(|place| (place.start_ms, place.end_ms) == (picture.time_ms, picture.time_ms))
        {
            markup.element("figcaption", &[], &time);
        }
    });
}

/// Writes what each code of a finding stands for, where its links lead; nothing where there are no findings.
pub(super) fn codes(film: &Film<'_>, markup: &mut Markup) {
    let found = film.report.checks.iter().filter(|check| check.verdict != Verdict::Pass);
    let mut codes: Vec<_> = found.map(|check| check.code).collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() {
        return;
    }
    markup.within("section", &[("aria-labelledby", "codes")], |markup| {
        markup.element("h2", &[("id", "codes")], "Codes");
        markup.element("p", &[], "Each command prints a page of likely causes and next steps.");
        markup.within("dl", &[], |markup| {
            for code in codes {
                markup.element("dt", &[("id", code.as_str())], code.as_str());
                markup.within("dd", &[], |markup| {
                    markup.text(&format!("{}: ", code.summary()));
                    markup.element("code", &[], &format!("reelfarm explain {code}"));
                });
            }
        });
    });
}

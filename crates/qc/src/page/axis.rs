//! The axis of time: round distances, at most a dozen of them, whether the film is a second long or half a day.

use super::film::Film;
use super::markup::Markup;
use super::timeline::{across, line, words};
use crate::text::clock;

/// The most labels.
const MOST: f64 = 12.0;
/// Distances between labels, in seconds; beyond the last it doubles.
const STEPS: [f64; 21] = [
    0.001, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 7200.0, 14_400.0, 28_800.0,
];

/// Draws labels above `top`, and lines from there to `bottom`.
pub(super) fn draw(film: &Film<'_>, top: f64, bottom: f64, markup: &mut Markup) {
    let step = step(film.length());
    for number in 0..=MOST as u32 {
        let time = ((film.from / step).ceil() + f64::from(number)) * step;
        // By a millionth more, so that a label at the very end is not lost to rounding.
        if time > film.to + step * 1e-6 {
            break;
        }
        let x = across(film, time);
        line(markup, "grid", (x, top), (x, bottom));
        words(markup, "tick", x, top - 10.0, &label(time, step));
    }
    let (start, end) = (across(film, film.from), across(film, film.to));
    line(markup, "axis", (start, top), (end, top));
}

/// The least distance that needs no more labels than there may be.
fn step(length: f64) -> f64 {
    let fits = |step: f64| length / step <= MOST;
    if let Some(step) = STEPS.into_iter().find(|step| fits(*step)) {
        return step;
    }
    let mut step = STEPS[STEPS.len() - 1];
    while !fits(step) && step.is_finite() {
        step *= 2.0;
    }
    step
}

/// Hours, minutes and seconds, and thousandths where labels are closer than a second.
fn label(time: f64, step: f64) -> String {
    let text = clock(time);
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    if step < 1.0 { text } else { whole.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round_and_few_at_any_length() {
        for (length, expected) in [(1.0, 0.1), (10.0, 1.0), (5400.0, 600.0), (43_200.0, 3600.0)] {
            assert_eq!(step(length), expected, "{length} s");
        }
        for length in [1e-9, 0.04, 7.7, 86_400.0, 1e9, 1e300] {
            assert!(length / step(length) <= MOST, "{length} s");
        }
    }

    #[test]
    fn thousandths_are_shown_where_they_differ() {
        assert_eq!(label(0.2, 0.1), "00:00:00.200");
        assert_eq!(label(3600.0, 600.0), "01:00:00");
        assert_eq!(label(-10.0, 5.0), "-00:00:10");
    }
}

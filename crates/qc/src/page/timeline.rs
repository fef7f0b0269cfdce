//! The time line: an axis of time codes, a strip for each row of what was found, and curves below them, as one drawing.

use super::axis;
use super::curves::{self, Panel};
use super::film::Film;
use super::lanes::Row;
use super::markup::Markup;
use super::strips;

/// Room for the names of rows, in units of the drawing.
pub(super) const LEFT: f64 = 190.0;
/// The width of the film.
pub(super) const WIDTH: f64 = 1000.0;
/// Room beside it.
const RIGHT: f64 = 40.0;
/// Room for the axis.
const AXIS: f64 = 26.0;
/// The height of a strip, with the room to the next.
const STRIP: f64 = 16.0;
/// The height of a curve.
const CURVE: f64 = 72.0;
/// Room between curves.
const GAP: f64 = 18.0;

/// Draws the time line of a film whose length is known.
pub(super) fn timeline(film: &Film<'_>, rows: &[Row], panels: &[Panel<'_>], markup: &mut Markup) {
    let strips_end = AXIS + rows.len() as f64 * STRIP;
    let height = strips_end + panels.len() as f64 * (CURVE + GAP) + GAP;
    let size = format!("0 0 {} {}", decimal(LEFT + WIDTH + RIGHT), decimal(height));
    let attributes = [
        ("xmlns", "http://www.w3.org/2000/svg"),
        ("viewBox", size.as_str()),
        ("role", "img"),
        ("aria-labelledby", "timeline-title timeline-description"),
    ];
    markup.within("div", &[("class", "wide"), ("tabindex", "0")], |markup| {
        markup.within("svg", &attributes, |markup| {
            markup.element("title", &[("id", "timeline-title")], "Time line of the film");
            let words = "What was found where, and how light, rate and loudness run. The same stretches are in tables under \
                         “Stretches”.";
            markup.element("desc", &[("id", "timeline-description")], words);
            axis::draw(film, AXIS, height - GAP, markup);
            strips::draw(film, rows, AXIS, STRIP, markup);
            for (number, panel) in panels.iter().enumerate() {
                let top = strips_end + GAP + number as f64 * (CURVE + GAP);
                curves::draw(film, panel, top, CURVE, markup);
            }
        });
    });
}

/// A place or length in units of the drawing; what is no number is 0.
pub(super) fn decimal(value: f64) -> String {
    if value.is_finite() { crate::text::decimal(value, 1) } else { "0".to_owned() }
}

/// Where a moment of the film is from left to right.
pub(super) fn across(film: &Film<'_>, time: f64) -> f64 {
    LEFT + film.share(time) * WIDTH
}

/// Words at a place; `class` says how they are set.
pub(super) fn words(markup: &mut Markup, class: &str, x: f64, y: f64, text: &str) {
    let (x, y) = (decimal(x), decimal(y));
    markup.element("text", &[("class", class), ("x", &x), ("y", &y)], text);
}

/// A straight line.
pub(super) fn line(markup: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    let path = format!("M{} {}L{} {}", decimal(from.0), decimal(from.1), decimal(to.0), decimal(to.1));
    markup.void("path", &[("class", class), ("d", &path)]);
}

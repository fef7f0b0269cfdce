//! Strips of the time line: a mark for each stretch. Stretches that are closer than a pixel are one mark, and where marks
//! are many, those that are close: the drawing stays small, and its words say how many a mark is of.

use super::film::Film;
use super::lanes::Row;
use super::markup::Markup;
use super::timeline::{LEFT, WIDTH, across, decimal, words};
use crate::text::span;

/// The most marks in the whole drawing.
const MOST_MARKS: usize = 3000;
/// The least width of a mark: a moment in half a day is still seen.
const LEAST_WIDTH: f64 = 1.5;

/// One or several stretches that are drawn as one.
#[derive(Clone, Copy, Debug)]
struct Mark {
    left: f64,
    right: f64,
    start: f64,
    end: f64,
    stretches: u64,
    seconds: f64,
}

/// Draws a strip for each row from `top` down.
pub(super) fn draw(film: &Film<'_>, rows: &[Row], top: f64, pitch: f64, markup: &mut Markup) {
    for (number, (row, marks)) in rows.iter().zip(all_marks(film, rows)).enumerate() {
        let top = top + number as f64 * pitch;
        let baseline = top + pitch * 0.75;
        words(markup, "name", LEFT - 8.0, baseline, &row.name);
        let height = pitch - 4.0;
        if !row.instead.is_empty() {
            words(markup, "absent", LEFT + 4.0, baseline, &row.instead);
            continue;
        }
        rectangle(markup, "strip", (LEFT, WIDTH), (top + 2.0, height), "");
        if row.is_cut {
            let sentence = format!("{} in all, of which {} are shown", row.count, row.stretches.len());
            rectangle(markup, "cut", (LEFT, WIDTH), (top + 2.0, height), &sentence);
        }
        for mark in marks {
            let sentence = sentence(film, row, &mark);
            let across = (mark.left, mark.right - mark.left);
            rectangle(markup, row.kind.class(), across, (top + 2.0, height), &sentence);
        }
    }
}

/// The marks of each row, so few in all that the drawing stays small.
fn all_marks(film: &Film<'_>, rows: &[Row]) -> Vec<Vec<Mark>> {
    let mut gap = 1.0;
    loop {
        let marks: Vec<Vec<Mark>> = rows.iter().map(|row| marks(film, row, gap)).collect();
        if marks.iter().map(Vec::len).sum::<usize>() <= MOST_MARKS || gap > WIDTH {
            return marks;
        }
        gap *= 2.0;
    }
}

/// The marks of a row; those with less room between them than `gap` are one.
fn marks(film: &Film<'_>, row: &Row, gap: f64) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for stretch in &row.stretches {
        let left = across(film, stretch.start).min(LEFT + WIDTH - LEAST_WIDTH);
        let right = across(film, stretch.end).max(left + LEAST_WIDTH);
        let seconds = stretch.end - stretch.start;
        match marks.last_mut() {
            Some(last) if left < last.right + gap => {
                last.right = last.right.max(right);
                last.end = last.end.max(stretch.end);
                last.stretches += 1;
                last.seconds += seconds;
            }
            _ => marks.push(Mark {
                left,
                right,
                start: stretch.start,
                end: stretch.end,
                stretches: 1,
                seconds,
            }),
        }
    }
    marks
}

fn sentence(film: &Film<'_>, row: &Row, mark: &Mark) -> String {
    let place = match mark.stretches {
        1 => film.stretch(mark.start, mark.end),
        many => {
            let (start, end) = (film.code(mark.start), film.code(mark.end));
            format!("{many} stretches from {start} to {end}, {} together", span(mark.seconds))
        }
    };
    let note = if row.note.is_empty() { String::new() } else { format!(" ({})", row.note) };
    format!("{}: {place}{note}", row.name)
}

/// A rectangle from a left edge and a width, and a top and a height, with what it says when pointed at.
fn rectangle(markup: &mut Markup, class: &str, across: (f64, f64), down: (f64, f64), says: &str) {
    let [x, width, y, height] = [across.0, across.1, down.0, down.1].map(decimal);
    let attributes = [("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
    if says.is_empty() {
        markup.void("rect", &attributes);
    } else {
        markup.within("rect", &attributes, |markup| markup.element("title", &[], says));
    }
}

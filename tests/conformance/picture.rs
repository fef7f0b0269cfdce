//! What the file is and what its pictures show. Each clip is the same film, in which nothing is wrong, with one thing changed.

mod aspect;
mod bars;
mod black;
mod codec;
mod colour;
mod compression;
mod damage;
mod detail;
mod fields;
mod film;
mod flashes;
mod freeze;
mod luma_range;
mod real;
mod red_flashes;
mod repeats;
mod rules;
mod timing;

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use crate::judge::{Clips, Fault, judged, mismatch};
use film::Film;

/// A fault that the farm's own policy warns of.
fn warned(code: Code, places: &'static [(f64, f64)]) -> Vec<Fault> {
    vec![Fault { code, verdict: Verdict::Warn, places }]
}

/// A fault for which the farm's own policy rejects.
fn rejected(code: Code, places: &'static [(f64, f64)]) -> Vec<Fault> {
    vec![Fault { code, verdict: Verdict::Reject, places }]
}

/// A film that nothing is wrong with.
fn clean() -> Vec<Fault> {
    Vec::new()
}

/// Makes each film and asserts that it has these faults and no others.
fn table(films: impl IntoIterator<Item = (Film, Vec<Fault>)>) {
    let clips = Clips::new();
    let mut wrong = Vec::new();
    for (film, faults) in films {
        let path = film.make(&clips);
        wrong.extend(mismatch(&judged(&path), &faults).map(|mismatch| format!("{}: {mismatch}", film.name)));
        fs_err::remove_file(path).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_film_that_all_clips_are_made_of_is_clean() {
    table([
        (Film::new("base.mkv", 4.0), clean()),
        (Film::new("base.mp4", 4.0), clean()),
        (Film::new("larger.mov", 2.0).size(640, 360), clean()),
        (Film::new("at-50.ts", 2.0).rate(50), clean()),
    ]);
}

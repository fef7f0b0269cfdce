//! Sound and subtitles. Films of one small, clean picture, each with another sound: the fault alone is found in it, or nothing.
//!
//! Most programmes are a tone of 1 kHz in two channels, a quarter of a period apart, as loud as EBU R 128 asks for: what is
//! made of it is known to the sample. Those about left and right are pink noise, which is as wide as music is.

mod agreement;
mod film;
mod levels;
mod silence;
mod stereo;
mod subtitles;
mod timing;
mod tracks;

use reelfarm_model::Code;
use reelfarm_model::qc::{Check, QcReport, Verdict};

use crate::judge::Fault;

/// A fault that the farm's own policy warns of.
fn warned(code: Code, places: &'static [(f64, f64)]) -> Fault {
    Fault { code, verdict: Verdict::Warn, places }
}

/// What a check says, whatever else is wrong with the film.
fn check<'a>(report: &'a QcReport, name: &str) -> &'a Check {
    report
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no {name}: {:#?}", report.checks))
}

/// The verdict of a check, and a part of what it found.
fn assert_found(clip: &str, report: &QcReport, name: &str, verdict: Verdict, value: &str) {
    let check = check(report, name);
    assert!(check.verdict == verdict && check.value.contains(value), "{clip}: {check:#?}");
}

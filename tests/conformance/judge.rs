//! Makes a clip, judges it as the farm would, and holds the report against what was put into the clip.

use std::path::{Path, PathBuf};

use reelfarm_model::measurement::Measurements;
use reelfarm_model::qc::{Check, QcReport, Verdict};
use reelfarm_model::{Code, Ladder};
use reelfarm_qc::Policy;
use tempfile::TempDir;

use crate::support::{clips, repository};

/// How far a place may lie from where the fault was put, in milliseconds; a frame counts where it is longer.
pub(crate) const TOLERANCE_MS: i64 = 100;

/// One fault that a clip has.
pub(crate) struct Fault {
    /// The code of the check that finds it.
    pub(crate) code: Code,
    /// What the check says of it under the farm's own policy.
    pub(crate) verdict: Verdict,
    /// From when to when it lasts, in seconds from the first picture on; none where it is true of the whole.
    pub(crate) places: &'static [(f64, f64)],
}

/// Clips of one test, in a folder of their own.
pub(crate) struct Clips(TempDir);

impl Clips {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a clip with FFmpeg from these arguments, which are separated by spaces.
    pub(crate) fn make(&self, name: &str, arguments: &str) -> PathBuf {
        clips::make(&self.path(name), arguments)
    }
}

/// The policy that comes with the farm.
pub(crate) fn policy() -> Policy {
    parsed("ladders/qc.toml", Policy::parse)
}

fn parsed<T, E: std::fmt::Display>(file: &str, parse: impl Fn(&str, &str) -> Result<T, E>) -> T {
    let text = fs_err::read_to_string(repository().join(file)).unwrap();
    parse(file, &text).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn measured(path: &Path) -> Measurements {
    reelfarm_media::measure(path, &mut |_| ()).unwrap()
}

/// The verdict of the farm's own policy on a film, by the ladder that comes with the farm.
pub(crate) fn judged(path: &Path) -> QcReport {
    judged_by(&policy(), path)
}

pub(crate) fn judged_by(policy: &Policy, path: &Path) -> QcReport {
    let ladder = parsed("ladders/default.toml", Ladder::parse);
    reelfarm_qc::evaluate(policy, &measured(path), &ladder, None)
}

/// What a report holds against a film, but for rungs: a small clip has few.
pub(crate) fn complaints(report: &QcReport) -> Vec<&Check> {
    report
        .checks
        .iter()
        .filter(|check| check.verdict != Verdict::Pass && check.code != Code::QcBitrate)
        .collect()
}

/// A clip has these faults and no others; each is found where it is.
pub(crate) fn assert_faults(clip: &str, report: &QcReport, faults: &[Fault]) {
    let found = mismatch(report, faults);
    assert!(found.is_none(), "{clip}: {}", found.unwrap_or_default());
}

/// In what a report differs from the faults that a clip has; none where it names them and no others, each where it is.
pub(crate) fn mismatch(report: &QcReport, faults: &[Fault]) -> Option<String> {
    let mut left = complaints(report);
    for fault in faults {
        let at = left.iter().position(|check| check.code == fault.code);
        let Some(check) = at.map(|at| left.remove(at)) else {
            return Some(format!("no {} was found", fault.code));
        };
        if check.verdict != fault.verdict {
            return Some(format!("it is {:?}: {check:#?}", fault.verdict));
        }
        if check.places.len() != fault.places.len() {
            return Some(format!("it is at {:?}: {check:#?}", fault.places));
        }
        for (place, (start, end)) in check.places.iter().zip(fault.places) {
            if !is_near(place.start_ms, *start) || !is_near(place.end_ms, *end) {
                return Some(format!("it is at {:?}: {check:#?}", fault.places));
            }
        }
    }
    (!left.is_empty()).then(|| format!("nothing else is wrong with it: {left:#?}"))
}

fn is_near(milliseconds: i64, seconds: f64) -> bool {
    (milliseconds as f64 - seconds * 1000.0).abs() <= TOLERANCE_MS as f64
}

/// A check of a report.
pub(crate) fn check<'a>(report: &'a QcReport, name: &str) -> &'a Check {
    report
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no {name}: {:#?}", report.checks))
}

/// A check finds something that begins at a time, in seconds from the first picture on, whatever else is wrong.
pub(crate) fn assert_found_at(clip: &str, report: &QcReport, name: &str, verdict: Verdict, seconds: f64) {
    let found = check(report, name);
    let is_there = found.places.first().is_some_and(|place| is_near(place.start_ms, seconds));
    assert!(found.verdict == verdict && is_there, "{clip}: it is {verdict:?} at {seconds} s: {found:#?}");
}

/// A clean clip that comes close to a fault: nothing is held against it.
pub(crate) fn assert_clean(clip: &str, report: &QcReport) {
    assert_faults(clip, report, &[]);
}

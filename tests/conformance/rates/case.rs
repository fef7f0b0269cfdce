//! A clip, and what the checks of rates say of it.

use std::path::{Path, PathBuf};

use reelfarm_model::Code;
use reelfarm_model::qc::{QcReport, Verdict};

use crate::judge::{Clips, judged};

/// Pictures that move throughout, at a rate and for so many seconds: the beginning of FFmpeg's arguments.
pub(super) fn moving(rate: &str, seconds: u32) -> String {
    format!("-f lavfi -i testsrc2=size=160x90:rate={rate}:duration={seconds}")
}

/// Makes a clip of a name.
type Make = Box<dyn Fn(&Clips, &str) -> PathBuf>;

/// A clip that is made by FFmpeg.
pub(super) struct Case {
    name: String,
    make: Make,
    expected: Vec<Expected>,
}

/// What a check says.
struct Expected {
    check: &'static str,
    code: Code,
    /// None where there is no such check.
    verdict: Option<Verdict>,
    value: Value,
}

enum Value {
    Whole(String),
    /// Within it.
    Part(String),
}

impl Case {
    /// A clip that FFmpeg makes from these arguments, which are separated by spaces.
    pub(super) fn new(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let arguments = arguments.into();
        Self::made(name, move |clips, name| clips.make(name, &arguments))
    }

    /// A clip that is made in its own way, under its name.
    pub(super) fn made(name: impl Into<String>, make: impl Fn(&Clips, &str) -> PathBuf + 'static) -> Self {
        Self { name: name.into(), make: Box::new(make), expected: Vec::new() }
    }

    /// A clip whose bytes are changed after FFmpeg made it.
    pub(super) fn changed(name: &str, arguments: &str, change: fn(Vec<u8>) -> Vec<u8>) -> Self {
        let arguments = arguments.to_owned();
        Self::made(name, move |clips, name| {
            let path = clips.make(name, &arguments);
            rewrite(&path, change);
            path
        })
    }

    /// Its rate is constant and accepted.
    pub(super) fn passes(self, rate: &str) -> Self {
        self.constant().rate(Verdict::Pass, rate)
    }

    /// Its rate is constant and accepted, but a header names another.
    pub(super) fn warns(self, rate: &str) -> Self {
        self.constant().rate(Verdict::Warn, rate)
    }

    /// Its rate is constant and not accepted.
    pub(super) fn rejects(self, rate: &str) -> Self {
        self.constant().rate(Verdict::Reject, rate)
    }

    /// Its frames do not keep their places, so the rate has no name.
    pub(super) fn varies(self, distances: &str) -> Self {
        let value = Value::Part(format!("variable: {distances}"));
        let expected = Expected {
            check: "frame rate",
            code: Code::QcFrameRateFractional,
            verdict: None,
            value: Value::Part(String::new()),
        };
        self.says("constant rate", Code::QcFrameRateVariable, Verdict::Reject, value).and(expected)
    }

    /// Its pictures repeat, or not.
    pub(super) fn repeats(self, verdict: Verdict, pattern: &str) -> Self {
        self.says("repeated frames", Code::QcRepeatedFrames, verdict, Value::Part(pattern.to_owned()))
    }

    /// Its fields repeat, or not.
    pub(super) fn repeats_fields(self, verdict: Verdict, pattern: &str) -> Self {
        self.says("repeated fields", Code::QcRepeatedFields, verdict, Value::Part(pattern.to_owned()))
    }

    fn constant(self) -> Self {
        self.says("constant rate", Code::QcFrameRateVariable, Verdict::Pass, Value::Part(String::new()))
    }

    fn rate(self, verdict: Verdict, rate: &str) -> Self {
        self.says("frame rate", Code::QcFrameRateFractional, verdict, Value::Whole(rate.to_owned()))
    }

    fn says(self, check: &'static str, code: Code, verdict: Verdict, value: Value) -> Self {
        self.and(Expected { check, code, verdict: Some(verdict), value })
    }

    fn and(mut self, expected: Expected) -> Self {
        self.expected.push(expected);
        self
    }
}

impl Expected {
    /// In what a report differs.
    fn mismatch(&self, report: &QcReport) -> Option<String> {
        let found = report.checks.iter().find(|check| check.name == self.check);
        let is_said = |value: &str| match &self.value {
            Value::Whole(whole) => value == whole,
            Value::Part(part) => value.contains(part.as_str()),
        };
        let is_right = match (found, self.verdict) {
            (None, None) => true,
            (Some(check), Some(verdict)) => {
                (check.verdict, check.code) == (verdict, self.code) && is_said(&check.value)
            }
            _ => false,
        };
        let (Value::Whole(value) | Value::Part(value)) = &self.value;
        (!is_right).then(|| format!("{} is not {:?} {value:?}: {found:#?}", self.check, self.verdict))
    }
}

/// Makes each clip and asserts that the checks say of it what is expected.
pub(super) fn judge(cases: impl IntoIterator<Item = Case>) {
    let clips = Clips::new();
    let mut wrong = Vec::new();
    for case in cases {
        assert!(!case.expected.is_empty(), "{}", case.name);
        let path = (case.make)(&clips, &case.name);
        let report = judged(&path);
        let mismatches = case.expected.iter().filter_map(|expected| expected.mismatch(&report));
        wrong.extend(mismatches.map(|mismatch| format!("{}: {mismatch}", case.name)));
        fs_err::remove_file(path).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Changes the bytes of a file.
pub(super) fn rewrite(path: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let bytes = fs_err::read(path).unwrap();
    let changed = change(bytes.clone());
    assert_ne!(bytes, changed, "{}", path.display());
    fs_err::write(path, changed).unwrap();
}

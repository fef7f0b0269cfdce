//! What verification finds, and the book it keeps of what it checked.

use std::collections::BTreeMap;
use std::fmt;

use reelfarm_model::{Code, Failure};
use serde::{Deserialize, Serialize};

/// Findings that are kept: a profile with more is not looked at further.
const MOST_FINDINGS: usize = 50;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A manifest parses strictly.
    Manifest,
    /// A URL leads to a file of the media set.
    Reference,
    /// A file is named by the profile.
    Accounted,
    /// The renditions of the package are there, each once, and no others.
    Renditions,
    /// Codec, picture size, frame rate, language, channels.
    Attributes,
    /// A segment or file has the structure of its layout.
    Structure,
    /// The number of segments.
    SegmentCount,
    /// A segment starts on an exact multiple of the segment length.
    SegmentStart,
    /// A segment starts with an IDR picture.
    Idr,
    /// A time or duration that a manifest or index states is the media's.
    StatedTime,
    /// Every access unit is the rendition's, in its order.
    AccessUnits,
    /// Every presentation time is the rendition's, up to one offset for the whole track.
    PresentationTimes,
    /// That offset is the same for sound and picture.
    Synchronisation,
    /// Sound and picture end together.
    Ending,
    /// DRM systems are told of the right key, those of the profile and no others; samples are encrypted, with that key.
    Protection,
    /// A progressive file's header stands before its media.
    FastStart,
}

/// One thing that did not read back as it was meant to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The profile.
    pub profile: String,
    /// The rendition's track, such as `video-720p`, where it is about one.
    pub rendition: Option<String>,
    /// The segment, counted from 1, where it is about one.
    pub segment: Option<u64>,
    /// What was checked.
    pub check: Check,
    /// What should be.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.profile)?;
        if let Some(rendition) = &self.rendition {
            write!(f, ", {rendition}")?;
        }
        if let Some(segment) = self.segment {
            write!(f, ", segment {segment}")?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

impl Finding {
    /// The failure of a profile with these findings.
    pub fn failure(findings: &[Self]) -> Failure {
        let first = findings.first().map_or_else(|| "no finding".to_owned(), ToString::to_string);
        let more = match findings.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        Failure::new(Code::VerifyFailed, format!("{first}{more}")).with_log(lines.join("\n"))
    }
}

/// Where a check is made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    /// The rendition's track.
    pub(super) rendition: Option<&'a str>,
    /// The segment, counted from 0.
    pub(super) index: Option<usize>,
}

impl<'a> Place<'a> {
    /// The profile as a whole.
    pub(super) const PROFILE: Self = Self { rendition: None, index: None };

    /// A rendition's track.
    pub(super) const fn rendition(name: &'a str) -> Self {
        Self { rendition: Some(name), index: None }
    }

    /// A segment of it, counted from 0.
    pub(super) const fn segment(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

/// A value with words before it.
struct Labelled<'a, T>(&'a str, T);

impl<T: fmt::Display> fmt::Display for Labelled<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

/// Counts checks and keeps what failed.
#[derive(Debug)]
pub(super) struct Book {
    profile: String,
    checks: BTreeMap<Check, u64>,
    findings: Vec<Finding>,
}

impl Book {
    pub(super) fn new(profile: &str) -> Self {
        Self { profile: profile.to_owned(), checks: BTreeMap::new(), findings: Vec::new() }
    }

    /// Counts checks that held.
    pub(super) fn held(&mut self, check: Check, count: u64) {
        *self.checks.entry(check).or_default() += count;
    }

    /// Makes a check: counts it, and keeps a finding where `holds` is false. Gives `holds`.
    pub(super) fn check(
        &mut self,
        check: Check,
        place: Place<'_>,
        holds: bool,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> bool {
        self.held(check, 1);
        if !holds && self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding {
                profile: self.profile.clone(),
                rendition: place.rendition.map(str::to_owned),
                segment: place.index.map(|index| index as u64 + 1),
                check,
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
        holds
    }

    /// Checks that two values are equal.
    pub(super) fn equal<T: PartialEq + fmt::Display>(
        &mut self,
        check: Check,
        place: Place<'_>,
        what: &str,
        expected: T,
        found: T,
    ) -> bool {
        let holds = expected == found;
        self.check(check, place, holds, Labelled(what, expected), found)
    }

    /// What a fallible step gives; its error becomes a finding.
    pub(super) fn done<T, E: fmt::Display>(
        &mut self,
        check: Check,
        place: Place<'_>,
        what: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.held(check, 1);
                Some(value)
            }
            Err(error) => {
                self.check(check, place, false, what, error);
                None
            }
        }
    }

    /// The checks made, or the findings where there are any.
    pub(super) fn close(self) -> Result<BTreeMap<Check, u64>, Vec<Finding>> {
        if self.findings.is_empty() { Ok(self.checks) } else { Err(self.findings) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_place_and_both_values() {
        let mut book = Book::new("dash-clr-2s");
        let place = Place::rendition("video-720p").segment(2);
        assert!(book.equal(Check::Idr, place, "frames", 50, 50));
        assert!(!book.equal(Check::SegmentStart, place, "start", 4, 5));
        let findings = book.close().unwrap_err();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].to_string(), "dash-clr-2s, video-720p, segment 3: expected start 4, found 5");
        let failure = Finding::failure(&[findings[0].clone(), findings[0].clone()]);
        assert_eq!(failure.code, Code::VerifyFailed);
        assert!(failure.message.ends_with("found 5 (and 1 more)"));
        assert_eq!(failure.log.lines().count(), 2);
    }
}

//! The checks, one file a subject. Each function judges one thing and adds one check, or one a rung, to the report.

pub(crate) mod audio_video;
pub(crate) mod colour;
pub(crate) mod decoding;
pub(crate) mod format;
pub(crate) mod frame_rate;
pub(crate) mod language;
pub(crate) mod picture;
pub(crate) mod programme;
pub(crate) mod rungs;
pub(crate) mod sound;
pub(crate) mod whole;

use reelfarm_model::Code;
use reelfarm_model::qc::{Check, Verdict};

/// A check before its verdict: what it is, what was found, and what was asked.
pub(crate) struct Finding {
    code: Code,
    name: String,
    value: String,
    limit: String,
}

impl Finding {
    pub(crate) fn new(
        code: Code,
        name: impl Into<String>,
        value: impl Into<String>,
        limit: impl Into<String>,
    ) -> Self {
        Self { code, name: name.into(), value: value.into(), limit: limit.into() }
    }

    pub(crate) fn pass(self) -> Check {
        self.judged(Verdict::Pass, String::new())
    }

    pub(crate) fn warn(self, remedy: impl Into<String>) -> Check {
        self.judged(Verdict::Warn, remedy.into())
    }

    pub(crate) fn reject(self, remedy: impl Into<String>) -> Check {
        self.judged(Verdict::Reject, remedy.into())
    }

    pub(crate) fn fail(self, verdict: impl Into<Verdict>, remedy: impl Into<String>) -> Check {
        self.judged(verdict.into(), remedy.into())
    }

    fn judged(self, verdict: Verdict, remedy: String) -> Check {
        Check { code: self.code, name: self.name, verdict, value: self.value, limit: self.limit, remedy }
    }
}

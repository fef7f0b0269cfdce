//! What went wrong, in a form that people read and the scheduler acts on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// Who is at fault, which decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FailureClass {
    /// The title's own fault: trying again gives the same result, so the title fails at once.
    Permanent,
    /// May pass by itself: tried again with back-off, a bounded number of times.
    Transient,
    /// The host's or a service's fault (disk full, tool missing): tried again with a longer back-off.
    Environment,
}

/// A failure as the operator sees it: a code, what failed, the likely cause and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Failure {
    /// The code that `reelfarm explain` opens.
    pub code: Code,
    /// Who is at fault.
    pub class: FailureClass,
    /// What failed, in one sentence that names the thing.
    pub message: String,
    /// The end of the tool's own log, where a tool was at work.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

impl Failure {
    /// A failure of the class that its code usually has.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, class: code.class(), message: message.into(), log: String::new() }
    }

    /// The same failure with the end of a tool's log.
    #[must_use]
    pub fn with_log(mut self, log: impl Into<String>) -> Self {
        self.log = log.into();
        self
    }

    /// The same failure, judged to be of another class than its code usually has.
    #[must_use]
    pub fn with_class(mut self, class: FailureClass) -> Self {
        self.class = class;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Failure {}

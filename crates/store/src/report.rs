//! What is reported about attempts, and what the store makes of it.

use std::time::Duration;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::{Failure, Fence, Progress, WorkerId};

use crate::records::TitleGeneration;

/// A report on an attempt, which acts only where the fence is that of the attempt under way.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptReport {
    /// The attempt.
    pub fence: Fence,
    /// What happened to it.
    pub report: Report,
}

/// What happened to an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A worker has begun, and the lease runs anew. The same worker may say so twice; a second worker
    /// that got the same message is refused.
    Started {
        /// Who.
        worker: WorkerId,
    },
    /// A heartbeat: the lease runs anew.
    Extended {
        /// How long from now.
        lease: Duration,
        /// How far the attempt is.
        progress: Progress,
    },
    /// It made everything: the task is done, and those that waited for it alone are ready.
    Completed {
        /// What was made. Of two records of one artifact the first stays.
        artifacts: Vec<ArtifactRecord>,
        /// The small output that the scheduler itself reads.
        result: Option<serde_json::Value>,
    },
    /// It failed, which is counted unless the decision says otherwise.
    Failed {
        /// Why.
        failure: Failure,
        /// What follows.
        retry: RetryDecision,
    },
    /// It was handed back: it does not count, and the task may be dispatched at once.
    Released,
    /// Its lease ran out, which is counted unless the decision says otherwise. Refused where a heartbeat came in meanwhile, so that the lease runs again.
    Lost {
        /// What follows.
        retry: RetryDecision,
    },
}

/// Whether a task is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Once this time has passed.
    After(Duration),
    /// The same, and the attempt does not count: what went wrong says nothing about the task.
    Uncounted(Duration),
    /// Not again: the task is failed.
    Never,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing: the attempt is not the one under way, another worker has it, or its lease runs again.
    Refused,
    /// The start or the heartbeat was recorded.
    UnderWay,
    /// The task is done.
    Completed(Completed),
    /// The failure or the loss was recorded.
    Failed(Failed),
    /// The attempt was taken back.
    Released,
}

impl Recorded {
    /// Whether the report was refused.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

/// What follows from a completed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The titles that want the task.
    pub titles: Vec<TitleGeneration>,
    /// Tasks that became ready by it. Where several were completed together, a task that waited for more than one of
    /// them counts for one.
    pub now_ready: usize,
}

/// What follows from a failed or lost attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The titles that want the task.
    pub titles: Vec<TitleGeneration>,
}

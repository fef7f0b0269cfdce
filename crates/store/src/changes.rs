//! What the operations that change something take and answer.

use std::collections::BTreeSet;

use reelfarm_model::{
    Digest, Failure, Fence, Part, QcReport, SourceReference, Task, TaskKey, Title, TitleState,
};

/// What [`Store::submit`](crate::Store::submit) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The name was not known: generation 1.
    Created,
    /// The title was final, or the submission differs: a new generation.
    Reopened,
    /// The title is being prepared from this very submission already.
    Unchanged,
}

/// A title after its submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The title as it stands now.
    pub title: Title,
    /// Attempts that nobody wants any more: tell their workers to stop.
    pub stopped: Vec<Fence>,
    /// What happened.
    pub outcome: SubmitOutcome,
}

/// A task of a title's plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTask {
    /// What to do.
    pub task: Task,
    /// Where the source lies, for tasks that read it. The next attempt uses the latest plan's: the bytes are the same.
    /// A plan that comes while an attempt is under way says nothing about where that one reads, and is not heard.
    pub source: Option<SourceReference>,
    /// The tasks that must be done first: of this plan, or of an earlier one.
    pub needs: BTreeSet<TaskKey>,
    /// Whether to do it again although it is done, because what it made is gone.
    pub redo: bool,
    /// What its order follows from.
    pub cost: PlannedCost,
}

/// What is expected of a task when it is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlannedCost {
    /// How long it is expected to take, in milliseconds. Of a known task it stays as it was.
    pub expected_ms: i64,
    /// What is left of the critical path of its part of the title from its start on, in milliseconds.
    pub tail_ms: i64,
    /// The part of the title that needs it.
    pub part: Part,
}

/// What [`Store::plan`](crate::Store::plan) did beyond the plan itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Attempts that nobody wants any more: tell their workers to stop.
    pub stopped: Vec<Fence>,
}

/// What [`Store::retry_tasks`](crate::Store::retry_tasks) did.
#[derive(Clone, Debug, PartialEq)]
pub struct Retried {
    /// The title as it stands now: of a new generation where it had ended.
    pub title: Title,
    /// The tasks that start afresh.
    pub tasks: BTreeSet<TaskKey>,
}

/// A change to a title. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TitleChange {
    /// The state to go to.
    pub to: Option<TitleState>,
    /// The source's digest.
    pub source_digest: Option<Digest>,
    /// QC's report.
    pub report: Option<QcReport>,
    /// Why it failed or was rejected.
    pub failure: Option<Failure>,
    /// Whether files of it that are not online may lie at the origin.
    pub leftovers: Option<bool>,
    /// The policy by which QC left it to people: the digest of its text.
    pub policy_digest: Option<Digest>,
}

/// A title after a person's decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Reviewed {
    /// The title as it stands now.
    pub title: Title,
    /// Attempts that nobody wants any more: tell their workers to stop.
    pub stopped: Vec<Fence>,
}

/// What [`Store::advance`](crate::Store::advance) did beyond the change itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advanced {
    /// Attempts that nobody wants any more: tell their workers to stop.
    pub stopped: Vec<Fence>,
}

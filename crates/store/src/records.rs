//! What the store answers when it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use reelfarm_model::title::UnknownState;
use reelfarm_model::{
    Failure, Fence, Progress, SourceReference, Task, TaskKind, TaskState, TitleId, TitleState, WorkerId,
    key::TaskKey,
};
use serde::Serialize;

/// A title with the number of one of its submissions.
pub type TitleGeneration = (TitleId, u64);

/// A task as the store holds it. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskRecord {
    /// What to do.
    pub task: Task,
    /// Where the source lies, for tasks that read it: for the attempt that is under way or was the last, until a plan
    /// names another place for the next.
    pub source: Option<SourceReference>,
    /// Where it stands.
    pub state: TaskState,
    /// The number of its latest attempt; 0 before the first. It only ever rises.
    pub attempt: u32,
    /// Attempts that failed since the task was last planned.
    pub failures: u32,
    /// Attempts whose worker was lost since the task was last planned.
    pub losses: u32,
    /// Attempts that failed since the task was last planned, and do not count.
    pub uncounted: u32,
    /// How far the current attempt is; zero where none is under way.
    pub progress: Progress,
    /// Who works or last worked on it.
    pub worker: Option<WorkerId>,
    /// Why its latest attempt that did not succeed failed, since the task was last planned.
    pub last_failure: Option<Failure>,
    /// It is not dispatched before this time: a back-off.
    pub not_before_ms: Option<i64>,
    /// When its latest attempt was dispatched.
    pub dispatched_ms: Option<i64>,
    /// When a worker reported the start of its latest attempt.
    pub started_ms: Option<i64>,
    /// When it became done, failed or cancelled.
    pub finished_ms: Option<i64>,
    /// The small output that the scheduler itself reads.
    pub result: Option<serde_json::Value>,
    /// When the first of the titles that want it was submitted; `None` where no title wants it any more.
    pub wanted_since_ms: Option<i64>,
    /// The tasks that must be done first.
    pub needs: BTreeSet<TaskKey>,
}

/// How an attempt ended, in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// All outputs were taken over.
    Completed,
    /// It failed.
    Failed,
    /// It was handed back unfinished, or its process ended with the farm: it does not count.
    Released,
    /// Its lease ran out.
    Lost,
    /// No title wanted it any more.
    Cancelled,
}

impl AttemptEnd {
    /// Every end.
    pub const ALL: [AttemptEnd; 5] =
        [Self::Completed, Self::Failed, Self::Released, Self::Lost, Self::Cancelled];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for AttemptEnd {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|end| end.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// One attempt in a task's history. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptRecord {
    /// Its number.
    pub attempt: u32,
    /// Who reported its start.
    pub worker: Option<WorkerId>,
    /// How it ended; `None` while it is under way.
    pub outcome: Option<AttemptEnd>,
    /// Why it failed or was lost.
    pub failure: Option<Failure>,
    /// When it was dispatched.
    pub dispatched_ms: i64,
    /// When its start was reported.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub finished_ms: Option<i64>,
}

/// An attempt whose lease has run out.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpiredAttempt {
    /// The attempt.
    pub fence: Fence,
    /// Whether a worker has reported its start.
    pub started: bool,
    /// Attempts of the task that failed so far.
    pub failures: u32,
    /// Attempts of the task that were lost so far, without this one.
    pub losses: u32,
    /// The titles that want the task.
    pub titles: Vec<TitleGeneration>,
}

/// An attempt that is under way: dispatched, and not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderWay {
    /// The attempt.
    pub fence: Fence,
    /// What it does.
    pub task: Task,
    /// Who has reported its start.
    pub worker: Option<WorkerId>,
    /// The titles that want the task, in the order of submission.
    pub titles: Vec<TitleGeneration>,
}

/// A task that may be dispatched: what is needed to put it in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyTask {
    /// The task.
    pub task: TaskKey,
    /// Its kind.
    pub kind: TaskKind,
    /// When the first of the titles that want it and are not held was submitted, in milliseconds since 1970 UTC.
    pub wanted_since_ms: i64,
}

/// Which titles to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TitleFilter {
    /// Those in one of these states; in any where it is empty.
    pub states: BTreeSet<TitleState>,
    /// Those whose name begins so.
    pub prefix: Option<String>,
    /// Those whose name has this in it.
    pub part: Option<String>,
    /// Those after this name: the last of the page before.
    pub after: Option<TitleId>,
}

/// How many titles and tasks are in each state; what is absent is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Titles.
    pub titles: BTreeMap<TitleState, u64>,
    /// Tasks.
    pub tasks: BTreeMap<(TaskKind, TaskState), u64>,
}

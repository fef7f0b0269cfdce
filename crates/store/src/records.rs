//! What the store answers when it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use reelfarm_model::title::UnknownState;
use reelfarm_model::{
    Digest, Failure, Fence, Part, Pool, Progress, Question, SourceReference, Task, TaskKind, TaskState,
    Title, TitleId, TitleState, WorkerId, key::TaskKey,
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

/// Which ready tasks to list.
#[derive(Clone, Copy, Debug)]
pub enum ReadyOf<'a> {
    /// Those that one of these titles wants.
    Titles(&'a [TitleId]),
    /// Those of these.
    Tasks(&'a [TaskKey]),
    /// Those that need one of these tasks.
    Needing(&'a [TaskKey]),
    /// All, in the order of their keys: those after this one, so many of them.
    All {
        /// The last of the page before.
        after: Option<TaskKey>,
        /// At most so many.
        limit: usize,
    },
}

/// A task that is ready: what is needed to put it in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyTask {
    /// The task.
    pub task: TaskKey,
    /// Its kind.
    pub kind: TaskKind,
    /// Its pool.
    pub pool: Pool,
    /// How long its back-off runs yet; nothing where it may be dispatched.
    pub wait: Duration,
    /// The titles that want it and are not held, in the order of submission.
    pub wants: Vec<Wanted>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// All ready tasks, those in a back-off included, in no order. One that only held titles want is none.
    pub ready: Vec<ReadyTask>,
    /// The estimated length of the critical path of each title that wants anything, in milliseconds: the longest of its tasks'
    /// [tails](crate::PlannedCost::tail_ms); that of what goes first, where something does.
    pub paths: BTreeMap<TitleId, i64>,
}

/// What is left of a part of a title for one pool: of the tasks that nobody is at work on together, and of each other task
/// by itself. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// The title.
    pub title: TitleId,
    /// The part of it.
    pub part: Part,
    /// The pool.
    pub pool: Pool,
    /// The sum of what they are expected to take from their beginning.
    pub work_ms: i64,
    /// The longest of their [tails](crate::PlannedCost::tail_ms).
    pub path_ms: i64,
    /// How far a task is that somebody is at work on.
    pub at_work: Option<AtWork>,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtWork {
    /// When a worker reported its start, in milliseconds since 1970 UTC.
    pub started_ms: Option<i64>,
    /// The part of it that is done, from 0 to 1, as far as that was reported.
    pub fraction: f64,
}

/// A task that was done, and how long that took.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedRun {
    /// What was done.
    pub task: Task,
    /// Where the source lies, for tasks that read it.
    pub source: Option<SourceReference>,
    /// Who did it.
    pub worker: WorkerId,
    /// From the report of its start to that of its end, in milliseconds.
    pub took_ms: i64,
    /// When that end was reported, in milliseconds since 1970 UTC.
    pub finished_ms: i64,
}

/// What a title wants of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The title.
    pub title: TitleId,
    /// As [`PlannedCost::tail_ms`](crate::PlannedCost::tail_ms).
    pub tail_ms: i64,
    /// As [`PlannedCost::part`](crate::PlannedCost::part).
    pub part: Part,
}

/// What somebody asks for who has a title go before all others of its route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expedite {
    /// The route, which pays for it.
    pub route: String,
    /// How many titles a day the route may expedite. Days are those of UTC.
    pub per_day: u32,
    /// Who asks.
    pub requester: Option<String>,
    /// Why.
    pub why: String,
}

/// What came of that.
#[derive(Clone, Debug, PartialEq)]
pub enum Expedited {
    /// It goes first from now on.
    Done(Title),
    /// It did already, and nothing was spent.
    Before(Title),
    /// The route has expedited as many titles today as it may, or more.
    Spent {
        /// How many.
        used: u32,
    },
    /// There is no such title, or it is withdrawing or has ended.
    NotUnderWay,
}

/// A title that was expedited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpediteRecord {
    /// The title.
    pub title: TitleId,
    /// When, in milliseconds since 1970 UTC.
    pub expedited_ms: i64,
    /// The route that paid for it.
    pub route: String,
    /// Who asked.
    pub requester: Option<String>,
    /// Why.
    pub why: String,
}

/// What a person decides about a title, and what about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Who decides.
    pub reviewer: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// The source that it is about.
    pub source_digest: Digest,
    /// The name of the policy that asked.
    pub policy: String,
    /// The policy: the digest of its text.
    pub policy_digest: Digest,
    /// What was asked.
    pub questions: BTreeSet<Question>,
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

/// How many titles and tasks are in each state; what is absent is zero. And how long people have been waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Titles.
    pub titles: BTreeMap<TitleState, u64>,
    /// Tasks.
    pub tasks: BTreeMap<(TaskKind, TaskState), u64>,
    /// Since when the title waits for a person's decision that has waited the longest, in milliseconds since 1970 UTC;
    /// `None` where none does.
    pub asked_ms: Option<i64>,
}

//! Where a title stands.

use std::collections::BTreeSet;

use reelfarm_model::{
    Failure, Progress, ReviewRecord, SourceReference, Task, TaskKey, TaskState, Title, WorkerId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::standing::Standing;

/// A title with its tasks and their attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TitleStatus {
    /// The title.
    pub title: Title,
    /// What it waits for.
    pub standing: Standing,
    /// What people decided about it, the latest first.
    #[serde(default)]
    pub reviews: Vec<ReviewRecord>,
    /// Its tasks, in the order of planning.
    pub tasks: Vec<TaskStatus>,
}

/// A task with its attempts. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskStatus {
    /// What people call it, such as `package cmaf-clear-2s`.
    pub label: String,
    /// What to do.
    pub task: Task,
    /// Where the source lies, for tasks that read it.
    pub source: Option<SourceReference>,
    /// Where it stands.
    pub state: TaskState,
    /// The number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// Attempts that failed since the task was last planned.
    pub failures: u32,
    /// Attempts whose worker was lost since the task was last planned.
    pub losses: u32,
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
    /// When the first of the titles that want it was submitted; absent where no title wants it any more.
    pub wanted_since_ms: Option<i64>,
    /// The tasks that must be done first.
    pub needs: BTreeSet<TaskKey>,
    /// Its attempts, the first at the front.
    pub attempts: Vec<AttemptStatus>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// All outputs were taken over.
    Completed,
    /// It failed.
    Failed,
    /// It was handed back unfinished: it does not count.
    Released,
    /// Its lease ran out.
    Lost,
    /// No title wanted it any more.
    Cancelled,
}

/// One attempt. Times are milliseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptStatus {
    /// Its number.
    pub attempt: u32,
    /// Who reported its start.
    pub worker: Option<WorkerId>,
    /// How it ended; absent while it is under way.
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

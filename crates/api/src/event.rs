//! What whoever watches titles is told. Watching is best effort and the store is the truth: each stream begins with how
//! the titles stand, and a watcher that fell behind is told that again. So a client that reconnects misses nothing that
//! matters.

use reelfarm_model::{Failure, Progress, TaskKey, TaskKind, TaskState, Title, TitleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::order::Foreseen;

/// One server-sent event: `event` is the stream's `event` field as well, and the whole is its `data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum WatchEvent {
    /// How a title and its tasks stand, at the beginning of a stream and when the title was planned. Whatever was said of
    /// it before is out of date.
    Snapshot(Box<WatchedTitle>),
    /// Every title that is watched was told of; from here on come changes.
    Live {},
    /// A title reached another state, or was submitted.
    TitleChanged {
        /// The title.
        title: Box<Title>,
    },
    /// A worker began an attempt, or a title came to want one that is under way.
    TaskStarted {
        /// A title that wants it.
        title: TitleId,
        /// The task.
        task: TaskKey,
        /// Its label, such as `package cmaf-clear-2s`.
        label: String,
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// An attempt went on.
    TaskProgress {
        /// A title that wants it.
        title: TitleId,
        /// The task.
        task: TaskKey,
        /// How far it is.
        progress: Progress,
    },
    /// An attempt ended.
    TaskFinished {
        /// A title that wants it.
        title: TitleId,
        /// The task.
        task: TaskKey,
        /// Its label.
        label: String,
        /// How it ended.
        result: TaskResult,
    },
    /// Whether a title will be on time is seen differently from before.
    RiskChanged {
        /// The title.
        title: TitleId,
        /// What is to be expected of it, and what would help where that is bad.
        foreseen: Foreseen,
    },
}

impl WatchEvent {
    /// The name of the event, as it serialises.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Live {} => "live",
            Self::TitleChanged { .. } => "title-changed",
            Self::TaskStarted { .. } => "task-started",
            Self::TaskProgress { .. } => "task-progress",
            Self::TaskFinished { .. } => "task-finished",
            Self::RiskChanged { .. } => "risk-changed",
        }
    }
}

/// A title with its tasks, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WatchedTitle {
    /// The title.
    pub title: Title,
    /// Its tasks; empty before they are known.
    pub tasks: Vec<WatchedTask>,
}

/// A task, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WatchedTask {
    /// The task.
    pub task: TaskKey,
    /// Its kind.
    pub kind: TaskKind,
    /// Its label.
    pub label: String,
    /// The estimated work in seconds of one processor.
    pub cost: f64,
    /// Where it stands.
    pub state: TaskState,
    /// The number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// How far the attempt under way is.
    pub progress: Progress,
}

/// How an attempt ended, for those who watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "result", content = "failure", rename_all = "kebab-case")]
pub enum TaskResult {
    /// Its outputs are there.
    Done,
    /// It failed and is tried again.
    WillRetry(Failure),
    /// It failed for good.
    Failed(Failure),
    /// It was handed back or stopped.
    Released,
}

#[cfg(test)]
mod tests {
    use reelfarm_model::{Code, Digest};

    use super::*;

    #[test]
    fn events_carry_their_own_name() {
        let (title, task) = ("film".parse::<TitleId>().unwrap(), TaskKey(Digest::of(b"task")));
        let failure = Failure::new(Code::EncodeFailed, "broken");
        let finished = |result| WatchEvent::TaskFinished {
            title: title.clone(),
            task,
            label: "encode-video".to_owned(),
            result,
        };
        for event in
            [WatchEvent::Live {}, finished(TaskResult::Done), finished(TaskResult::WillRetry(failure))]
        {
            let value = serde_json::to_value(&event).unwrap();
            assert_eq!(value["event"], event.name());
            assert_eq!(serde_json::from_value::<WatchEvent>(value).unwrap(), event);
        }
    }
}

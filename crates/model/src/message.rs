//! What the scheduler and workers tell each other through the broker.

use serde::{Deserialize, Serialize};

use crate::attempt::{AttemptOutcome, Fence, Progress, WorkerId};
use crate::source::SourceReference;
use crate::task::{Pool, Task};
use crate::title::TitleId;

/// One attempt at a task, on its way to a worker. It carries all that a worker needs, which knows no database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// The attempt.
    pub fence: Fence,
    /// The title on whose behalf it is dispatched, for logs.
    pub title: TitleId,
    /// What to do.
    pub task: Task,
    /// Where the file lies that it reads, for tasks that read a delivered one.
    pub source: Option<SourceReference>,
    /// How long the lease runs from its dispatch and from each heartbeat, in milliseconds.
    pub lease_ms: u64,
}

impl TaskMessage {
    /// The pool it goes to.
    pub const fn pool(&self) -> Pool {
        self.task.spec.pool()
    }
}

/// What a worker reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum WorkerEvent {
    /// Work on the attempt has begun.
    Started {
        /// The attempt.
        fence: Fence,
        /// Who works on it.
        worker: WorkerId,
    },
    /// It is still being worked on: extend the lease.
    Heartbeat {
        /// The attempt.
        fence: Fence,
        /// Who works on it.
        worker: WorkerId,
        /// Echoed in [`ControlMessage::Extended`], so that the worker knows which heartbeat was heard.
        beat: u64,
        /// How far it is.
        progress: Progress,
    },
    /// It ended.
    Finished {
        /// The attempt.
        fence: Fence,
        /// Who worked on it.
        worker: WorkerId,
        /// How.
        outcome: AttemptOutcome,
    },
}

impl WorkerEvent {
    /// The worker that reports it.
    pub const fn worker(&self) -> &WorkerId {
        match self {
            Self::Started { worker, .. } | Self::Heartbeat { worker, .. } | Self::Finished { worker, .. } => {
                worker
            }
        }
    }

    /// The attempt that the event is about.
    pub const fn fence(&self) -> &Fence {
        match self {
            Self::Started { fence, .. } | Self::Heartbeat { fence, .. } | Self::Finished { fence, .. } => {
                fence
            }
        }
    }
}

/// What the scheduler tells workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "kebab-case")]
pub enum ControlMessage {
    /// A heartbeat was heard and the lease extended: it runs for the message's `lease_ms` from the moment at which
    /// the worker sent that heartbeat.
    Extended {
        /// The attempt.
        fence: Fence,
        /// The heartbeat.
        beat: u64,
    },
    /// The attempt is not wanted, or not the current one: stop and drop it.
    Stop {
        /// The attempt.
        fence: Fence,
        /// Who is to stop; everybody where it is `None`. Where a message was delivered twice, only the worker whose
        /// report was refused is told, and the one that holds the attempt goes on.
        worker: Option<WorkerId>,
    },
}

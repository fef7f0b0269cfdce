//! What the scheduler and workers tell each other through the broker.
//!
//! On its way a message is JSON that says its [`FORMAT`] first: [`encode`] and [`decode`]. A program that meets a message
//! of another format refuses it by name instead of reading it wrongly. A change that an older program may overlook (a
//! new field with a default) keeps the format; any other raises it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::attempt::{AttemptOutcome, Fence, Progress, WorkerId};
use crate::recipe::ToolVersions;
use crate::source::SourceReference;
use crate::task::{Pool, Task, TaskKind};
use crate::title::TitleId;

/// The format of messages that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 2;

/// How long an attempt that is told to stop, or whose lease has ended, may take to leave the origin as it found it. Well below
/// a lease.
pub const ORIGIN_GRACE: Duration = Duration::from_secs(15);

/// A message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// It is of a format that this program does not know: its sender is newer or older.
    #[error("a message of format {found}, and this program reads format {FORMAT} alone")]
    Format {
        /// What the message says.
        found: u32,
    },
    /// It is no message, or not of the kind that was expected.
    #[error("not a message: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl MessageError {
    /// Whether the sender is newer than this program.
    pub const fn is_newer(&self) -> bool {
        matches!(self, Self::Format { found } if *found > FORMAT)
    }
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    format: u32,
    message: &'a T,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct Incoming<T> {
    message: T,
}

/// A message as bytes.
///
/// # Errors
/// [`MessageError::Malformed`] where the message has no form in JSON.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, MessageError> {
    Ok(serde_json::to_vec(&Outgoing { format: FORMAT, message })?)
}

/// The message that these bytes are.
///
/// # Errors
/// It is of another format, or no such message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    // The format alone at first: whatever else a newer message holds must not hide what is wrong with it.
    let Head { format: found } = serde_json::from_slice(bytes)?;
    if found != FORMAT {
        return Err(MessageError::Format { found });
    }
    let Incoming { message } = serde_json::from_slice(bytes)?;
    Ok(message)
}

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
    /// What the worker is and can do: said at its start, from time to time, and as its farewell.
    Report(Box<WorkerReport>),
}

impl WorkerEvent {
    /// The worker that reports it.
    pub const fn worker(&self) -> &WorkerId {
        match self {
            Self::Started { worker, .. } | Self::Heartbeat { worker, .. } | Self::Finished { worker, .. } => {
                worker
            }
            Self::Report(report) => &report.worker,
        }
    }

    /// The attempt that the event is about; `None` for what is about the worker itself.
    pub const fn fence(&self) -> Option<&Fence> {
        match self {
            Self::Started { fence, .. } | Self::Heartbeat { fence, .. } | Self::Finished { fence, .. } => {
                Some(fence)
            }
            Self::Report(_) => None,
        }
    }
}

/// Whether a worker takes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerPhase {
    /// It takes tasks while slots are free.
    Serving,
    /// It takes no more, and ends once those that it has are done.
    Draining,
    /// It has ended: its farewell.
    Gone,
}

/// A worker's slots in one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Attempts that may run at once.
    pub total: u32,
    /// Those that run now.
    pub busy: u32,
}

/// What a worker is and can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// Who.
    pub worker: WorkerId,
    /// Whether it takes tasks.
    pub phase: WorkerPhase,
    /// The name of its host.
    pub host: String,
    /// The version of the program that it runs.
    pub version: String,
    /// The format of messages that it reads and writes.
    pub format: u32,
    /// The pools that it serves.
    pub pools: BTreeMap<Pool, Slots>,
    /// The tools of its host.
    pub tools: ToolVersions,
    /// What its host can do that others may not, such as an encoder in hardware, by the names that tasks ask for.
    pub capabilities: BTreeSet<String>,
    /// Logical processors that it may use.
    pub processors: u32,
    /// Seconds of a title done for each second of work, as seen at its last attempt of each kind; kinds that it has not
    /// worked on, and those for which that has no meaning, are missing.
    pub speed: BTreeMap<TaskKind, f64>,
    /// Bytes free where it stages its work; `None` where that cannot be told.
    pub free_disk: Option<u64>,
    /// Why it takes no tasks for a while, though it serves: its host could not do what was asked of it.
    #[serde(default)]
    pub resting: Option<String>,
}

impl WorkerReport {
    /// Whether it takes tasks now.
    pub fn takes_tasks(&self) -> bool {
        self.phase == WorkerPhase::Serving && self.resting.is_none()
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
        /// The worker that sent it.
        worker: WorkerId,
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
    /// Take no more tasks, finish those that are at work, say farewell and end.
    Drain {
        /// Who.
        worker: WorkerId,
    },
    /// A scheduler has begun to lead and knows nobody: say at once what you are.
    Introduce,
}

impl ControlMessage {
    /// The one worker that the message is for; `None` where it is for all.
    pub const fn recipient(&self) -> Option<&WorkerId> {
        match self {
            Self::Extended { worker, .. } | Self::Drain { worker } => Some(worker),
            Self::Stop { worker, .. } => worker.as_ref(),
            Self::Introduce => None,
        }
    }

    /// The attempt that the message is about; `None` for what is about the worker itself.
    pub const fn fence(&self) -> Option<&Fence> {
        match self {
            Self::Extended { fence, .. } | Self::Stop { fence, .. } => Some(fence),
            Self::Drain { .. } | Self::Introduce => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::LeaseToken;
    use crate::key::{Digest, TaskKey};

    fn started() -> WorkerEvent {
        let fence = Fence { task: TaskKey(Digest::of(b"task")), attempt: 2, lease: LeaseToken(u128::MAX) };
        WorkerEvent::Started { fence, worker: WorkerId("worker".into()) }
    }

    fn report() -> WorkerEvent {
        WorkerEvent::Report(Box::new(WorkerReport {
            worker: WorkerId("worker".into()),
            phase: WorkerPhase::Draining,
            host: "host".into(),
            version: "0.1.0".into(),
            format: FORMAT,
            pools: BTreeMap::from([(Pool::Cpu, Slots { total: 4, busy: 1 })]),
            tools: ToolVersions::default().with_recipes(),
            capabilities: BTreeSet::from(["nvenc".to_owned()]),
            processors: 8,
            speed: BTreeMap::from([(TaskKind::EncodeVideo, 3.5)]),
            free_disk: None,
            resting: Some("the disk is full".to_owned()),
        }))
    }

    #[test]
    fn messages_come_back_as_they_were() {
        for event in [started(), report()] {
            let bytes = encode(&event).unwrap();
            assert!(bytes.starts_with(br#"{"format":2,"message":{"#), "{}", String::from_utf8_lossy(&bytes));
            assert_eq!(decode::<WorkerEvent>(&bytes).unwrap(), event);
        }
    }

    #[test]
    fn a_newer_message_is_refused_by_its_format_whatever_else_it_holds() {
        for text in [
            r#"{"format":3,"message":{"event":"sublimated"}}"#,
            r#"{"news":[1,{"format":2}],"format":3}"#,
            r#"{"format":0,"message":null}"#,
        ] {
            let error = decode::<WorkerEvent>(text.as_bytes()).unwrap_err();
            assert!(matches!(error, MessageError::Format { found: 0 | 3 }), "{error}");
            assert_eq!(error.is_newer(), matches!(error, MessageError::Format { found: 3 }));
        }
        let error = decode::<WorkerEvent>(br#"{"format":7}"#).unwrap_err();
        assert_eq!(error.to_string(), "a message of format 7, and this program reads format 2 alone");
    }

    #[test]
    fn what_a_newer_program_of_the_same_format_adds_is_overlooked() {
        let mut message: serde_json::Value = serde_json::from_slice(&encode(&report()).unwrap()).unwrap();
        message["sent_by"] = "a newer program".into();
        message["message"]["mood"] = serde_json::json!({ "of": "the worker" });
        assert_eq!(decode::<WorkerEvent>(message.to_string().as_bytes()).unwrap(), report());
        // And what an older one does not know yet has a default.
        message["message"].as_object_mut().unwrap().remove("resting");
        let WorkerEvent::Report(older) = decode(message.to_string().as_bytes()).unwrap() else { panic!() };
        assert!(older.resting.is_none() && !older.takes_tasks());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let control = encode(&ControlMessage::Drain { worker: WorkerId("worker".into()) }).unwrap();
        for bytes in [b"".as_slice(), b"null", b"{}", b"[2]", b"\xff", br#"{"format":2}"#, &control] {
            assert!(matches!(decode::<WorkerEvent>(bytes), Err(MessageError::Malformed(_))));
        }
    }
}

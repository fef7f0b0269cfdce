//! Workers and the queues that they take their tasks from, as the leading scheduler sees them now.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::{Pool, TaskKind, WorkerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A worker, by its last report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    /// Who.
    pub worker: WorkerId,
    /// Whether it takes tasks.
    pub phase: WorkerPhase,
    /// The name of its host.
    pub host: String,
    /// The version of the program that it runs.
    pub version: String,
    /// Its slots in the pools that it serves.
    pub pools: BTreeMap<Pool, WorkerSlots>,
    /// The tools of its host.
    pub tools: ToolVersions,
    /// What its host can do that others may not.
    pub capabilities: BTreeSet<String>,
    /// Logical processors that it may use.
    pub processors: u32,
    /// Seconds of a title done for each second of work, at its last attempt of each kind.
    pub speed: BTreeMap<TaskKind, f64>,
    /// Bytes free where it stages its work, where that is known.
    pub free_disk: Option<u64>,
    /// Why it takes no tasks for a while, though it serves; absent where it takes some.
    pub resting: Option<String>,
}

/// Whether a worker takes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerPhase {
    /// It takes tasks while slots are free.
    Serving,
    /// It takes no more, and ends once those that it has are done.
    Draining,
    /// It has ended.
    Gone,
}

impl WorkerPhase {
    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

/// A worker's slots in one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerSlots {
    /// Attempts that may run at once.
    pub total: u32,
    /// Those that run now.
    pub busy: u32,
}

/// A pool with its queue at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// The pool.
    pub pool: Pool,
    /// Workers that serve it, and neither drain nor rest.
    pub workers: u32,
    /// Their slots.
    pub slots: u32,
    /// Those of them in which an attempt runs.
    pub busy: u32,
    /// Task messages at the broker that no worker has received.
    pub waiting: u64,
    /// Workers' requests for a task that wait at the broker.
    pub receivers: u64,
}

//! What would be done for a title.

use std::collections::BTreeMap;

use reelfarm_model::per_title::Fitted;
use reelfarm_model::{Pool, TaskKind, TitleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::LadderRequest;

/// What would be other about a title than it was submitted with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderRequest>,
    /// The profiles: `all`, or ids and patterns such as `dash-*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 200)]
    pub profiles: Option<Vec<String>>,
    /// With the content keys that the title would get now, where those are others than it has.
    #[serde(default)]
    pub new_keys: bool,
}

/// What would be done for a title if it were submitted now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanPreview {
    /// The title.
    pub title: TitleId,
    /// The file of the ladder.
    pub ladder: String,
    /// How the ladder is fitted to the film, where it asks for that and was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
    /// Whether the ladder would first be fitted to the film: then what follows is for the ladder as it is, and another may come of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untried: bool,
    /// All tasks that the title consists of, each after those that it needs.
    pub tasks: Vec<PreviewedTask>,
    /// How long the tasks that would run take together, by pool, in milliseconds.
    pub work_ms: BTreeMap<Pool, i64>,
}

impl PlanPreview {
    /// The tasks that would run.
    pub fn to_run(&self) -> impl Iterator<Item = (&PreviewedTask, &PlanReason)> {
        self.tasks.iter().filter_map(|task| Some((task, task.runs.as_ref()?)))
    }
}

/// A task of a plan that was not put to work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewedTask {
    /// What people call it.
    pub label: String,
    /// Its kind.
    pub kind: TaskKind,
    /// How long it is expected to take, in milliseconds.
    pub expected_ms: i64,
    /// Why it would run; absent where what it makes is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<PlanReason>,
}

/// Why a task would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum PlanReason {
    /// The title had no such task.
    New,
    /// It has not been done yet.
    NotDone,
    /// What it made is no longer in storage, or at the origin.
    Gone,
    /// Something that shapes what it makes is other than it was.
    Changed {
        /// What.
        changes: Vec<String>,
    },
    /// It is as it was, and what it is made of is not.
    BuildsOn {
        /// The tasks that make it, by their labels.
        tasks: Vec<String>,
    },
}

/// Another ladder for a title that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecodeRequest {
    /// The ladder.
    pub ladder: LadderRequest,
}

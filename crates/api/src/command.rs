//! What is done with titles that are there.

use reelfarm_model::{TaskKey, Title};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What of a title to do again; nothing named: a title that ended without success is submitted anew, as it was
/// submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// A task, by its label or its key: it is done again, with all that was made from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub task: Option<String>,
    /// A rendition, by the name of its rung or its audio rendition: it alone is made again, with all that was made from
    /// it. Not together with a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub rendition: Option<String>,
}

/// What is done again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetryAnswer {
    /// The title as it stands now.
    pub title: Title,
    /// The tasks that start afresh; empty where the title is planned anew first.
    pub tasks: Vec<TaskKey>,
}

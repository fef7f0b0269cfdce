//! The seam between an attempt and its work: what the runtime keeps alive, reports and ends, and what is done meanwhile.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::{Failure, Progress};
use tokio_util::sync::CancellationToken;

/// Takes in how far an attempt is. Owned, so that it can go along into streams and threads.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// One attempt's surroundings.
#[derive(Clone)]
pub struct Attempt {
    /// What is to be done.
    pub message: Arc<TaskMessage>,
    /// A folder of its own, which goes with it.
    pub staging: PathBuf,
    /// Takes in how far it is.
    pub report: Report,
    /// Cancelled when the attempt is to end; work at the origin then leaves it as it found it.
    pub stop: CancellationToken,
}

/// What an attempt made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// A record for each of the task's outputs.
    pub artifacts: Vec<ArtifactRecord>,
    /// What the scheduler itself reads of it.
    pub result: Option<serde_json::Value>,
}

/// Does the work of attempts. The future is dropped where an attempt is to end, unless its task acts on the origin.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// Makes a task's outputs.
    ///
    /// # Errors
    /// They cannot be made; the failure's class says whether trying again may help.
    async fn make(&self, attempt: Attempt) -> Result<Made, Failure>;
}

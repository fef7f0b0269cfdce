//! A short stretch of a rung at several CRFs. Which of them the rung gets is the scheduler's to say.

use reelfarm_media::child::Request;
use reelfarm_model::Failure;
use reelfarm_model::task::TrialSpec;

use super::{Execution, RESULT_FILE};

/// The folder for what is gone again at the end.
const SCRATCH: &str = "scratch";

pub(super) async fn run(execution: &Execution, spec: &TrialSpec) -> Result<serde_json::Value, Failure> {
    let source = execution.source().await?;
    let folder = execution.folder(SCRATCH).await?;
    let request = Request::Trial { path: source.path.clone(), spec: spec.clone(), folder };
    let tried = execution.worker.media.run(&request, |progress| (execution.report)(progress)).await;
    let tried = execution.of_unchanged_source(tried).await?;
    execution.write_json("trial", RESULT_FILE, &tried).await
}

//! One pass of measurements over the source. The verdict is the scheduler's: it follows from these and a policy.

use reelfarm_media::child::Request;
use reelfarm_model::Failure;

use super::{Execution, RESULT_FILE};

pub(super) async fn run(execution: &Execution) -> Result<serde_json::Value, Failure> {
    let source = execution.source().await?;
    let request = Request::Measure { path: source.path.clone() };
    let measured = execution.worker.media.run(&request, |progress| (execution.report)(progress)).await;
    let measurements = execution.of_unchanged_source(measured).await?;
    execution.write_json("measurements", RESULT_FILE, &measurements).await
}

//! What a failed title left at the origin, taken away.

use reelfarm_model::Failure;
use reelfarm_model::task::WithdrawSpec;

use super::Execution;

pub(super) async fn run(execution: &Execution, spec: &WithdrawSpec) -> Result<(), Failure> {
    let origin = execution.worker.artifacts.origin(&spec.origin)?;
    let files = origin.withdraw(&spec.title, &spec.profiles).await?;
    execution.write_json("withdrawal", "withdrawal.json", &serde_json::json!({ "files": files })).await?;
    Ok(())
}

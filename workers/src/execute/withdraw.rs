//! What a failed title left at the origin, taken away.

use reelfarm_model::Failure;
use reelfarm_model::index::Withdrawal;
use reelfarm_model::task::WithdrawSpec;

use super::{Execution, RESULT_FILE};

pub(super) async fn run(execution: &Execution, spec: &WithdrawSpec) -> Result<serde_json::Value, Failure> {
    let origin = execution.worker.artifacts.origin(&spec.origin).await?;
    let files = origin.withdraw(&spec.title, &spec.profiles).await?;
    // What an index names stays. That may be the version that was to be withdrawn, where its publication was cut off after
    // the index was there: the scheduler has to know.
    let online = origin.index(&spec.title).await?.map(|(index, _)| index.version());
    execution.write_json("withdrawal", RESULT_FILE, &Withdrawal { files, online }).await
}

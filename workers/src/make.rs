//! From a task to its artifacts: what is there already is taken as it is, the rest is made in staging and taken over.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::{Code, Failure};

use crate::execute::{Execution, RESULT_FILE, execute};
use crate::runtime::Worker;
use crate::work::{Attempt, Made, Work};

/// The work of a farm's worker: makes what is missing of a task's outputs.
pub(crate) struct MakeArtifacts(pub(crate) Arc<Worker>);

#[async_trait]
impl Work for MakeArtifacts {
    async fn make(&self, attempt: Attempt) -> Result<Made, Failure> {
        make(&self.0, attempt).await
    }
}

async fn make(worker: &Arc<Worker>, attempt: Attempt) -> Result<Made, Failure> {
    let message = &attempt.message;
    right_tools(worker, message)?;
    let task = &message.task;
    let mut there = there_already(worker, message).await?;
    if let [output] = task.outputs.as_slice()
        && let Some(record) = there.get(&output.name)
    {
        // One that goes in this moment is made like any that is not there.
        let artifact = if task.spec.has_result() { worker.artifacts.get(output.key).await? } else { None };
        if artifact.is_some() || !task.spec.has_result() {
            let result = match artifact {
                Some(artifact) => Some(artifact.read_json(RESULT_FILE).await?),
                None => None,
            };
            return Ok(Made { artifacts: vec![record.clone()], result });
        }
        there.clear();
    }
    let mut result = None;
    if there.len() < task.outputs.len() {
        let execution = Execution {
            worker: worker.clone(),
            message: message.clone(),
            staging: attempt.staging.clone(),
            report: attempt.report,
            stop: attempt.stop,
            spec: task.spec.narrowed(|output| !there.contains_key(output)),
        };
        result = execute(&execution).await?;
    }
    let mut artifacts = Vec::with_capacity(task.outputs.len());
    for output in &task.outputs {
        artifacts.push(match there.remove(&output.name) {
            Some(record) => record,
            None => worker.artifacts.take_over(output.key, &attempt.staging.join(&output.name)).await?.record,
        });
    }
    Ok(Made { artifacts, result })
}

/// Outputs that an earlier attempt took over before it could say so: nothing is done twice. Tasks whose effect is at the
/// origin are always run; they leave alone what is there and right.
async fn there_already(
    worker: &Worker,
    message: &TaskMessage,
) -> Result<BTreeMap<String, ArtifactRecord>, Failure> {
    let mut there = BTreeMap::new();
    if message.task.spec.acts_on_origin() {
        return Ok(there);
    }
    // What the scheduler decides by is read whole; of media every byte is, by the task that uses them.
    let is_read = message.task.spec.has_result();
    for output in &message.task.outputs {
        let artifacts = &worker.artifacts;
        let found = if is_read {
            artifacts.get_intact(output.key).await?.map(|artifact| artifact.record)
        } else {
            artifacts.find(output.key).await?
        };
        if let Some(record) = found {
            there.insert(output.name.clone(), record);
        }
    }
    Ok(there)
}

fn right_tools(worker: &Worker, message: &TaskMessage) -> Result<(), Failure> {
    let task = &message.task;
    let ours = worker.tools.only(&task.tools.0.keys().map(String::as_str).collect::<Vec<_>>());
    if ours == task.tools {
        return Ok(());
    }
    Err(Failure::new(
        Code::ToolMismatch,
        format!(
            "{} was planned for {:?} and worker {} has {:?}; give all workers the same versions",
            task.spec.label(),
            task.tools.0,
            worker.id,
            ours.0
        ),
    ))
}

//! One attempt at a task: reported as started, kept alive by heartbeats, ended by exactly one report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent};
use reelfarm_model::{AttemptOutcome, Code, Failure, Progress};
use reelfarm_queue::{BrokerError, Delivery};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::execute::{Execution, execute};
use crate::lease::Lease;
use crate::runtime::{Mailboxes, Worker};

/// Why an attempt ended before its work did.
enum Interruption {
    Stopped,
    LeaseLost,
    Draining,
}

/// Runs one delivered attempt to its report.
///
/// # Errors
/// The broker is gone; the attempt's lease will expire.
pub(crate) async fn run(
    worker: &Arc<Worker>,
    delivery: Delivery,
    mailboxes: &Mailboxes,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    let message = Arc::new(delivery.message.clone());
    let fence = message.fence;
    let (sender, mailbox) = mpsc::unbounded_channel();
    mailboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(fence, sender);
    let ended = run_with_mailbox(worker, delivery, &message, mailbox, stop).await;
    mailboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&fence);
    ended
}

async fn run_with_mailbox(
    worker: &Arc<Worker>,
    delivery: Delivery,
    message: &Arc<TaskMessage>,
    mailbox: mpsc::UnboundedReceiver<ControlMessage>,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    let fence = message.fence;
    let lease = Lease::new(Duration::from_millis(message.lease_ms), Instant::now());
    // Acknowledged early, once the start is recorded: a message that stays open for as long as an encode takes is
    // what brokers close channels for.
    worker.broker.send_event(&WorkerEvent::Started { fence, worker: worker.id.clone() }).await?;
    if !delivery.acknowledge().await? {
        // It will be delivered again; this attempt goes on, and the fence keeps one result.
        tracing::warn!(title = %message.title, task = %message.task.spec.label(), "acknowledgement lost");
    }
    let progress = Arc::new(Mutex::new(Progress::default()));
    let outcome = tokio::select! {
        biased;
        interruption = watch(worker.clone(), message.clone(), lease, mailbox, progress.clone(), stop.clone()) => match interruption? {
            Interruption::LeaseLost => {
                tracing::warn!(title = %message.title, task = %message.task.spec.label(), "lease not extended in time, work dropped");
                AttemptOutcome::Released
            }
            Interruption::Stopped | Interruption::Draining => AttemptOutcome::Released,
        },
        outcome = work(worker, message, &progress) => outcome,
    };
    worker.broker.send_event(&WorkerEvent::Finished { fence, outcome }).await
}

/// Sends heartbeats until something says that the attempt must end.
async fn watch(
    worker: Arc<Worker>,
    message: Arc<TaskMessage>,
    mut lease: Lease,
    mut mailbox: mpsc::UnboundedReceiver<ControlMessage>,
    progress: Arc<Mutex<Progress>>,
    stop: CancellationToken,
) -> Result<Interruption, BrokerError> {
    // Several heartbeats a lease, so that one lost answer does no harm; often enough for a progress line.
    let period = (Duration::from_millis(message.lease_ms) / 5).min(Duration::from_millis(500));
    let mut beats = tokio::time::interval(period);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(Interruption::Draining),
            () = tokio::time::sleep_until(lease.valid_until().into()) => return Ok(Interruption::LeaseLost),
            control = mailbox.recv() => match control {
                Some(ControlMessage::Extended { beat, .. }) => lease.answered(beat),
                Some(ControlMessage::Stop { .. }) | None => return Ok(Interruption::Stopped),
            },
            _ = beats.tick() => {
                let beat = lease.beat(Instant::now());
                let progress = *progress.lock().unwrap_or_else(PoisonError::into_inner);
                worker.broker.send_event(&WorkerEvent::Heartbeat { fence: message.fence, beat, progress }).await?;
            }
        }
    }
}

async fn work(
    worker: &Arc<Worker>,
    message: &Arc<TaskMessage>,
    progress: &Arc<Mutex<Progress>>,
) -> AttemptOutcome {
    match make_or_adopt(worker, message, progress).await {
        Ok((artifacts, result)) => AttemptOutcome::Completed { artifacts, result },
        Err(failure) => AttemptOutcome::Failed { failure },
    }
}

type Made = (Vec<ArtifactRecord>, Option<serde_json::Value>);

async fn make_or_adopt(
    worker: &Arc<Worker>,
    message: &Arc<TaskMessage>,
    progress: &Arc<Mutex<Progress>>,
) -> Result<Made, Failure> {
    let task = &message.task;
    let ours = worker.tools.only(&task.tools.0.keys().map(String::as_str).collect::<Vec<_>>());
    if ours != task.tools {
        return Err(Failure::new(
            Code::ToolMismatch,
            format!(
                "{} was planned for {:?} and worker {} has {:?}; give all workers the same versions",
                task.spec.label(),
                task.tools.0,
                worker.id,
                ours.0
            ),
        ));
    }
    let staging = worker.artifacts.staging(&message.fence)?;
    let latest = progress.clone();
    let execution = Execution {
        worker: worker.clone(),
        message: message.clone(),
        staging: staging.path().to_owned(),
        report: Arc::new(move |update| *latest.lock().unwrap_or_else(PoisonError::into_inner) = update),
    };
    if let Some(adopted) = adopt(&execution).await? {
        return Ok(adopted);
    }
    let result = execute(&execution).await?;
    let mut artifacts = Vec::with_capacity(task.outputs.len());
    for output in &task.outputs {
        let taken = worker.artifacts.take_over(output.key, &staging.path().join(&output.name)).await?;
        artifacts.push(taken.record);
    }
    Ok((artifacts, result))
}

/// Outputs that a worker made and could not report before it died are there already: nothing is done twice.
/// Tasks whose effect is at the origin are always run; they leave alone what is there and right.
async fn adopt(execution: &Execution) -> Result<Option<Made>, Failure> {
    let task = &execution.message.task;
    if task.spec.acts_on_origin() {
        return Ok(None);
    }
    let mut artifacts = Vec::with_capacity(task.outputs.len());
    let mut result = None;
    for output in &task.outputs {
        let Some(artifact) = execution.worker.artifacts.get(output.key).await? else { return Ok(None) };
        if task.spec.has_result() {
            result = Some(artifact.read_json(crate::execute::RESULT_FILE).await?);
        }
        artifacts.push(artifact.record);
    }
    Ok(Some((artifacts, result)))
}

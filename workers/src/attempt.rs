//! One attempt at a task: reported as started, kept alive by heartbeats, ended by exactly one report.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent};
use reelfarm_model::{AttemptOutcome, Failure, Progress};
use reelfarm_queue::{BrokerError, Delivery};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::lease::Lease;
use crate::make::{Made, make};
use crate::runtime::{Mailboxes, Worker};

/// How long an attempt that is told to stop may take to leave the origin as it found it. Well below a lease.
const ORIGIN_GRACE: Duration = Duration::from_secs(15);

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
    let outcome = match worker.artifacts.staging(&fence) {
        Ok(staging) => {
            let outcome = run_in(staging.path(), worker, message, lease, mailbox, stop).await;
            if let Err(error) = staging.discard().await {
                tracing::warn!(title = %message.title, %error, "staging not removed; the next start does it");
            }
            outcome?
        }
        Err(error) => AttemptOutcome::Failed { failure: error.into() },
    };
    worker.broker.send_event(&WorkerEvent::Finished { fence, worker: worker.id.clone(), outcome }).await
}

async fn run_in(
    staging: &Path,
    worker: &Arc<Worker>,
    message: &Arc<TaskMessage>,
    lease: Lease,
    mailbox: mpsc::UnboundedReceiver<ControlMessage>,
    stop: &CancellationToken,
) -> Result<AttemptOutcome, BrokerError> {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let stop_work = CancellationToken::new();
    let mut work = pin!(make(worker, message, staging, progress.clone(), stop_work.clone()));
    let interruption = tokio::select! {
        biased;
        interruption = watch(worker.clone(), message.clone(), lease, mailbox, progress, stop.clone()) => interruption?,
        made = &mut work => return Ok(outcome(made)),
    };
    stop_work.cancel();
    let (title, task) = (&message.title, message.task.spec.label_with(message.source.as_ref()));
    if matches!(interruption, Interruption::LeaseLost) {
        tracing::warn!(%title, task, "lease not extended in time, work dropped");
    }
    if !message.task.spec.acts_on_origin() {
        return Ok(AttemptOutcome::Released);
    }
    // A write that is under way goes on whether anybody waits for it or not. Whoever is told that this attempt has ended
    // must be able to rely on nothing being written any more.
    match tokio::time::timeout(ORIGIN_GRACE, work).await {
        Ok(Ok(made)) if matches!(interruption, Interruption::Draining) => Ok(outcome(Ok(made))),
        Ok(_) => Ok(AttemptOutcome::Released),
        Err(_) => {
            tracing::warn!(%title, task, "work at the origin did not end in time");
            Ok(AttemptOutcome::Released)
        }
    }
}

fn outcome(made: Result<Made, Failure>) -> AttemptOutcome {
    match made {
        Ok(Made { artifacts, result }) => AttemptOutcome::Completed { artifacts, result },
        Err(failure) => AttemptOutcome::Failed { failure },
    }
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
                worker.broker.send_event(&WorkerEvent::Heartbeat { fence: message.fence, worker: worker.id.clone(), beat, progress }).await?;
            }
        }
    }
}

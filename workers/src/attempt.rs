//! One attempt at a task: reported as started, kept alive by heartbeats, ended by exactly one report.

use std::collections::hash_map::Entry;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reelfarm_model::message::{ControlMessage, ORIGIN_GRACE, TaskMessage, WorkerEvent};
use reelfarm_model::{AttemptOutcome, Failure, Fence, Progress};
use reelfarm_queue::{BrokerError, Delivery};
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::lease::Lease;
use crate::runtime::{Running, Runtime};
use crate::work::{Attempt, Made};

/// The pause before a start that was not confirmed is reported again.
const START_PAUSE: Duration = Duration::from_millis(500);

/// A heartbeat on its way to the broker.
type Sending = Pin<Box<dyn Future<Output = Result<(), BrokerError>> + Send>>;

/// Why an attempt ended before its work did.
enum Interruption {
    Stopped,
    LeaseLost,
    Draining,
}

/// Runs one delivered attempt to its report. Where the broker does not take a report, the attempt's lease will expire.
pub(crate) async fn run(running: &Running, delivery: Delivery) {
    let message = Arc::new(delivery.message.clone());
    let fence = message.fence;
    let Some(mailbox) = enlist(running, fence) else {
        tracing::warn!(title = %message.title, task = message.task.spec.label(), "delivered twice, and at work here already");
        // Where this fails, it comes once more.
        drop(delivery.acknowledge().await);
        return;
    };
    let _listed = Listed { running, fence };
    run_with_mailbox(running, delivery, &message, mailbox).await;
}

/// An attempt's place among those that are at work here.
struct Listed<'a> {
    running: &'a Running,
    fence: Fence,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.running.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.fence);
    }
}

/// The mailbox of an attempt; `None` where it is at work already.
fn enlist(running: &Running, fence: Fence) -> Option<mpsc::UnboundedReceiver<ControlMessage>> {
    let (sender, mailbox) = mpsc::unbounded_channel();
    match running.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).entry(fence) {
        Entry::Occupied(_) => None,
        Entry::Vacant(place) => {
            place.insert(sender);
            Some(mailbox)
        }
    }
}

async fn run_with_mailbox(
    running: &Running,
    delivery: Delivery,
    message: &Arc<TaskMessage>,
    mailbox: mpsc::UnboundedReceiver<ControlMessage>,
) {
    let (fence, worker) = (message.fence, &running.worker);
    let (title, task) = (&message.title, message.task.spec.label());
    let lease = Lease::new(Duration::from_millis(message.lease_ms), Instant::now());
    // Acknowledged early, once the start is recorded: a message that stays open for as long as an encode takes is
    // what brokers close channels for.
    let started = WorkerEvent::Started { fence, worker: worker.id.clone() };
    while let Err(error) = worker.broker.send_event(&started).await {
        if running.stop.is_cancelled() || Instant::now() >= lease.valid_until() {
            tracing::warn!(%title, task, %error, "start not reported: the task is put back");
            return;
        }
        // It may have been heard all the same, and then nobody else may begin this attempt.
        tracing::warn!(%title, task, %error, "start not confirmed: reporting it again");
        tokio::time::sleep(START_PAUSE).await;
    }
    if !delivery.acknowledge().await.unwrap_or(false) {
        // It will be delivered again; this attempt goes on, and the fence keeps one result.
        tracing::warn!(%title, task, "acknowledgement lost");
    }
    let outcome = match worker.artifacts.staging(&fence) {
        Ok(staging) => {
            let outcome = run_in(staging.path(), running, message, lease, mailbox).await;
            if let Err(error) = staging.discard().await {
                tracing::warn!(%title, %error, "staging not removed; the next start does it");
            }
            outcome
        }
        Err(error) => Some(AttemptOutcome::Failed { failure: error.into() }),
    };
    // Whoever hears that an attempt has ended relies on nothing being written any more: of one that may still write, its
    // lease says when it has.
    let Some(outcome) = outcome else { return };
    match &outcome {
        AttemptOutcome::Completed { .. } => running.rest.worked(),
        // Before it is reported, so that it does not come straight back.
        AttemptOutcome::Failed { failure } if failure.code.is_of_the_host() => {
            running.set_aside(format!("{}: {}", failure.code, failure.message)).await;
        }
        AttemptOutcome::Failed { .. } | AttemptOutcome::Released => {}
    }
    let finished = WorkerEvent::Finished { fence, worker: worker.id.clone(), outcome };
    if let Err(error) = worker.broker.send_event(&finished).await {
        tracing::warn!(%title, task, %error, "end not reported: the lease will expire");
    }
}

async fn run_in(
    staging: &Path,
    running: &Running,
    message: &Arc<TaskMessage>,
    lease: Lease,
    mailbox: mpsc::UnboundedReceiver<ControlMessage>,
) -> Option<AttemptOutcome> {
    let worker = &running.worker;
    let acts_on_origin = message.task.spec.acts_on_origin();
    let progress = Arc::new(Mutex::new(Progress::default()));
    let (stop_work, confirmed) = (CancellationToken::new(), Notify::new());
    let begun = AtomicBool::new(!acts_on_origin);
    let work = worker.work.make(Attempt {
        message: message.clone(),
        staging: staging.to_owned(),
        report: {
            let progress = progress.clone();
            Arc::new(move |update| *progress.lock().unwrap_or_else(PoisonError::into_inner) = update)
        },
        stop: stop_work.clone(),
    });
    let mut work = Box::pin(async {
        // The message may have lain in the queue for longer than its lease: nothing is written before the scheduler has said
        // that this attempt is the one.
        if acts_on_origin {
            confirmed.notified().await;
            begun.store(true, Ordering::Relaxed);
        }
        work.await
    });
    let interruption = tokio::select! {
        biased;
        interruption = watch(running, message, lease, mailbox, &progress, &confirmed) => interruption,
        made = &mut work => {
            let speed = progress.lock().unwrap_or_else(PoisonError::into_inner).speed;
            running.state.note_speed(message.task.spec.kind(), speed);
            return Some(outcome(made));
        }
    };
    let (title, task) = (&message.title, message.task.spec.label_with(message.source.as_ref()));
    if matches!(interruption, Interruption::LeaseLost) {
        tracing::warn!(%title, task, "lease not extended in time, work dropped");
    }
    if !acts_on_origin || !begun.load(Ordering::Relaxed) {
        return Some(AttemptOutcome::Released);
    }
    if matches!(interruption, Interruption::LeaseLost) {
        // Another attempt may soon count on what is there: nothing of it is taken away.
        return None;
    }
    stop_work.cancel();
    // A write that is under way goes on whether anybody waits for it or not.
    match tokio::time::timeout(ORIGIN_GRACE, work).await {
        Ok(Ok(made)) if matches!(interruption, Interruption::Draining) => Some(outcome(Ok(made))),
        Ok(_) => Some(AttemptOutcome::Released),
        Err(_) => {
            tracing::warn!(%title, task, "work at the origin did not end in time");
            None
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
    running: &Running,
    message: &TaskMessage,
    mut lease: Lease,
    mut mailbox: mpsc::UnboundedReceiver<ControlMessage>,
    progress: &Mutex<Progress>,
    confirmed: &Notify,
) -> Interruption {
    let Runtime { broker, id, .. } = &running.worker;
    let fence = message.fence;
    let length = Duration::from_millis(message.lease_ms);
    // What is being written when the lease is lost has this long to reach the origin.
    let margin =
        if message.task.spec.acts_on_origin() { ORIGIN_GRACE.min(length / 4) } else { Duration::ZERO };
    // Several heartbeats a lease, so that one lost answer does no harm.
    let period = (length / 5).min(running.worker.heartbeat);
    // What must not begin before it is confirmed asks at once; what is done sooner than that need not say that it is alive.
    let wait = if message.task.spec.acts_on_origin() { Duration::ZERO } else { period };
    let mut beats = tokio::time::interval_at((Instant::now() + wait).into(), period);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A heartbeat may take long to send while the broker cannot be reached. The lease and the mailbox are watched
    // meanwhile.
    let mut sending: Option<Sending> = None;
    loop {
        tokio::select! {
            () = running.stop.cancelled() => return Interruption::Draining,
            () = tokio::time::sleep_until((lease.valid_until() - margin).into()) => return Interruption::LeaseLost,
            control = mailbox.recv() => match control {
                Some(ControlMessage::Extended { beat, .. }) => {
                    lease.answered(beat);
                    confirmed.notify_one();
                }
                Some(ControlMessage::Stop { .. }) | None => return Interruption::Stopped,
                // About the worker itself, and never put here.
                Some(ControlMessage::Drain { .. } | ControlMessage::Introduce) => {}
            },
            sent = finish(&mut sending) => {
                sending = None;
                if let Err(error) = sent {
                    tracing::warn!(title = %message.title, task = message.task.spec.label(), %error, "heartbeat not sent");
                }
            }
            _ = beats.tick(), if sending.is_none() => {
                let beat = lease.beat(Instant::now());
                let progress = *progress.lock().unwrap_or_else(PoisonError::into_inner);
                let heartbeat = WorkerEvent::Heartbeat { fence, worker: id.clone(), beat, progress };
                let broker = Arc::clone(broker);
                sending = Some(Box::pin(async move { broker.send_event(&heartbeat).await }));
            }
        }
    }
}

/// Waits for what is being sent; for ever where nothing is.
async fn finish(sending: &mut Option<Sending>) -> Result<(), BrokerError> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

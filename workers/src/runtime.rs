//! The worker: takes tasks from its pools while slots are free, and runs each attempt under its lease.
//!
//! Promises: a worker knows the broker and the artifact store and no database. It takes a task only when a slot is
//! free. An attempt that is told to stop, whose lease runs out, or whose worker is told to stop, ends its child
//! processes and reports that it was released. Nothing blocks the async runtime.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::message::ControlMessage;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::{Fence, Pool, WorkerId};
use reelfarm_packaging::shaka::Packager;
use reelfarm_queue::{Broker, BrokerError, ControlStream};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt;
use crate::keys::KeyRing;
use crate::process::MediaProcess;

/// What a worker needs to know.
pub struct Worker {
    /// Names this process.
    pub id: WorkerId,
    /// Attempts that may run at once, by pool.
    pub slots: HashMap<Pool, usize>,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The artifact store.
    pub artifacts: ArtifactStore,
    /// How media processes are started.
    pub media: MediaProcess,
    /// The packager.
    pub packager: Packager,
    /// Who gives content keys, and what keeps them.
    pub keys: KeyRing,
    /// The tools of this host.
    pub tools: ToolVersions,
    /// Metrics.
    pub metrics: Metrics,
}

/// Where control messages for one attempt go.
pub(crate) type Mailboxes = Arc<Mutex<HashMap<Fence, mpsc::UnboundedSender<ControlMessage>>>>;

/// How many of a pool's slots are at work, for the metrics.
struct Busy {
    metrics: Metrics,
    pool: Pool,
    total: usize,
    busy: Mutex<usize>,
}

impl Busy {
    fn change(&self, by: isize) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = busy.saturating_add_signed(by);
        self.metrics.set_slots(self.pool, self.total, *busy);
    }
}

impl Worker {
    /// Runs until `stop` is cancelled and every attempt has been handed back.
    ///
    /// # Errors
    /// The broker is gone.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BrokerError> {
        let worker = Arc::new(self);
        let mailboxes = Mailboxes::default();
        let control = worker.broker.subscribe_control().await?;
        let stop_control = CancellationToken::new();
        let forwarding =
            tokio::spawn(forward(worker.id.clone(), control, mailboxes.clone(), stop_control.clone()));
        let mut slots = JoinSet::new();
        for (pool, count) in &worker.slots {
            let busy = Arc::new(Busy {
                metrics: worker.metrics.clone(),
                pool: *pool,
                total: *count,
                busy: 0.into(),
            });
            busy.change(0);
            for _ in 0..*count {
                slots.spawn(slot(worker.clone(), busy.clone(), mailboxes.clone(), stop.clone()));
            }
        }
        let mut result = Ok(());
        while let Some(ended) = slots.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => result = Err(error),
                Err(error) => tracing::error!(%error, "a worker slot ended unexpectedly"),
            }
        }
        stop_control.cancel();
        if let Err(error) = forwarding.await {
            tracing::error!(%error, "the control stream ended unexpectedly");
        }
        result
    }
}

async fn slot(
    worker: Arc<Worker>,
    busy: Arc<Busy>,
    mailboxes: Mailboxes,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            delivery = worker.broker.receive_task(busy.pool) => delivery?,
        };
        busy.change(1);
        let ended = attempt::run(&worker, delivery, &mailboxes, &stop).await;
        busy.change(-1);
        ended?;
    }
}

async fn forward(
    worker: WorkerId,
    mut control: ControlStream,
    mailboxes: Mailboxes,
    stop: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return,
            message = control.next() => message,
        };
        let Some(message) = message else { return };
        let fence = match &message {
            ControlMessage::Stop { worker: Some(other), .. } if *other != worker => continue,
            ControlMessage::Extended { fence, .. } | ControlMessage::Stop { fence, .. } => *fence,
        };
        let mailboxes = mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mailbox) = mailboxes.get(&fence) {
            // An attempt that has just ended no longer listens.
            drop(mailbox.send(message));
        }
    }
}

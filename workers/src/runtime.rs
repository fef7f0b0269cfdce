//! The worker: takes tasks from its pools while slots are free, and runs each attempt under its lease.
//!
//! Promises: a worker knows the broker and the artifact store and no database. It takes a task only when a slot is
//! free. An attempt that is told to stop, whose lease runs out, or whose worker is told to stop, ends its child
//! processes and reports that it was released. A worker whose host cannot do what was asked of it takes no tasks for a
//! while, so that others get them. A worker that is told to drain takes no more tasks, finishes those that it has and ends.
//! A broker that cannot be reached for a while ends no worker. Nothing blocks the async runtime. What an attempt's work
//! consists of is not the runtime's: see [`Work`].

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::message::{ControlMessage, Slots};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::{Fence, Pool, TaskKind, WorkerId};
use reelfarm_packaging::shaka::Packager;
use reelfarm_queue::{Broker, BrokerError, ControlStream, Delivery};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt;
use crate::keys::KeyRing;
use crate::make::MakeArtifacts;
use crate::process::MediaProcess;
use crate::report;
use crate::rest::Rest;
use crate::threads::EncodeThreads;
use crate::work::Work;

/// What a worker of the farm needs to know.
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
    /// How many encoders each of them runs at once.
    pub encode_threads: EncodeThreads,
    /// The packager.
    pub packager: Packager,
    /// Who gives content keys, and what keeps them.
    pub keys: KeyRing,
    /// Bytes that must be free on the disk that attempts write to: while there are fewer, no task is taken.
    pub disk_floor: u64,
    /// The longest pause between two reports of an attempt. It reports more often where its lease is short.
    pub heartbeat: Duration,
    /// The tools of this host.
    pub tools: ToolVersions,
    /// Metrics.
    pub metrics: Metrics,
}

/// The part of a worker that serves the broker, whatever its work is.
pub struct Runtime {
    /// Names this process.
    pub id: WorkerId,
    /// Attempts that may run at once, by pool.
    pub slots: HashMap<Pool, usize>,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// Where each attempt is staged.
    pub artifacts: ArtifactStore,
    /// Bytes that must be free on the disk that attempts write to: while there are fewer, no task is taken.
    pub disk_floor: u64,
    /// The longest pause between two reports of an attempt. It reports more often where its lease is short.
    pub heartbeat: Duration,
    /// The tools of this host.
    pub tools: ToolVersions,
    /// Metrics.
    pub metrics: Metrics,
    /// Does the work.
    pub work: Arc<dyn Work>,
}

/// Where control messages for one attempt go.
pub(crate) type Mailboxes = Arc<Mutex<HashMap<Fence, mpsc::UnboundedSender<ControlMessage>>>>;

/// What changes about a worker while it runs: its reports say it.
#[derive(Default)]
pub(crate) struct State {
    slots: Mutex<BTreeMap<Pool, Slots>>,
    speed: Mutex<BTreeMap<TaskKind, f64>>,
}

impl State {
    pub(crate) fn slots(&self) -> BTreeMap<Pool, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn speed(&self) -> BTreeMap<TaskKind, f64> {
        self.speed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how fast an attempt was when it ended, in seconds of the title for each second of work.
    pub(crate) fn note_speed(&self, kind: TaskKind, speed: f64) {
        if speed.is_finite() && speed > 0.0 {
            self.speed.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, speed);
        }
    }

    fn change(&self, metrics: &Metrics, pool: Pool, change: impl FnOnce(&mut Slots)) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = slots.entry(pool).or_default();
        change(slots);
        metrics.set_slots(pool, slots.total as usize, slots.busy as usize);
    }
}

/// A worker that runs.
pub(crate) struct Running {
    pub(crate) worker: Runtime,
    pub(crate) state: State,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) rest: Rest,
    /// Cancelled: hand back what is at work, and end.
    pub(crate) stop: CancellationToken,
    /// Cancelled: take no more, and end once what is at work is done.
    pub(crate) drain: CancellationToken,
    /// Somebody wants to know what the worker is.
    pub(crate) asked: Notify,
}

impl Worker {
    /// Makes the artifacts of tasks, as [`Runtime::run`] says.
    ///
    /// # Errors
    /// The broker is gone for good.
    pub async fn run(self, drain: CancellationToken, stop: CancellationToken) -> Result<(), BrokerError> {
        let runtime = Runtime {
            id: self.id.clone(),
            slots: self.slots.clone(),
            broker: Arc::clone(&self.broker),
            artifacts: self.artifacts.clone(),
            disk_floor: self.disk_floor,
            heartbeat: self.heartbeat,
            tools: self.tools.clone(),
            metrics: self.metrics.clone(),
            work: Arc::new(MakeArtifacts(Arc::new(self))),
        };
        runtime.run(drain, stop).await
    }
}

impl Runtime {
    /// Runs until `stop` is cancelled and every attempt has been handed back, or until the worker is told to drain and
    /// every attempt has ended.
    ///
    /// # Errors
    /// The broker is gone for good.
    pub async fn run(self, drain: CancellationToken, stop: CancellationToken) -> Result<(), BrokerError> {
        let running = Arc::new(Running {
            worker: self,
            state: State::default(),
            mailboxes: Mailboxes::default(),
            rest: Rest::default(),
            stop,
            drain,
            asked: Notify::new(),
        });
        let worker = &running.worker;
        let ended = CancellationToken::new();
        let control = worker.broker.subscribe_control(&worker.id).await?;
        let mut slots = JoinSet::new();
        for (pool, count) in &worker.slots {
            let total = u32::try_from(*count).unwrap_or(u32::MAX);
            running.state.change(&worker.metrics, *pool, |slots| slots.total = total);
            for _ in 0..*count {
                slots.spawn(slot(Arc::clone(&running), *pool));
            }
        }
        let forwarding = tokio::spawn(forward(Arc::clone(&running), control, ended.clone()));
        let reporting = tokio::spawn(report::run(Arc::clone(&running), ended.clone()));
        let mut result = Ok(());
        while let Some(slot) = slots.join_next().await {
            match slot {
                Ok(Ok(())) => {}
                Ok(Err(error)) => result = Err(error),
                Err(error) => tracing::error!(%error, "a worker slot ended unexpectedly"),
            }
        }
        ended.cancel();
        for part in [forwarding, reporting] {
            match part.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => result = Err(error),
                Err(error) => tracing::error!(%error, "a part of the worker ended unexpectedly"),
            }
        }
        result
    }
}

async fn slot(running: Arc<Running>, pool: Pool) -> Result<(), BrokerError> {
    let metrics = &running.worker.metrics;
    loop {
        let delivery = tokio::select! {
            biased;
            () = running.stop.cancelled() => return Ok(()),
            () = running.drain.cancelled() => return Ok(()),
            delivery = receive(&running, pool) => match delivery {
                Err(error @ BrokerError::Outdated(_)) => {
                    running.set_aside(format!("{error}: give it the same version")).await;
                    continue;
                }
                delivery => delivery?,
            },
        };
        if let Some(why) = running.short_of_room().await {
            // Dropped, it is put back for another.
            running.set_aside(why).await;
            continue;
        }
        running.state.change(metrics, pool, |slots| slots.busy += 1);
        // A bug that one task brings to light costs its attempt, and not the others' slot.
        if AssertUnwindSafe(attempt::run(&running, delivery)).catch_unwind().await.is_err() {
            tracing::error!("an attempt broke off: its lease will expire");
        }
        running.state.change(metrics, pool, |slots| slots.busy -= 1);
    }
}

/// Waits for a task, unless the worker rests.
async fn receive(running: &Running, pool: Pool) -> Result<Delivery, BrokerError> {
    loop {
        running.rest.over().await;
        tokio::select! {
            biased;
            () = running.rest.begun() => {}
            delivery = running.worker.broker.receive_task(pool) => return delivery,
        }
    }
}

impl Running {
    /// Takes no tasks for a while, and says so.
    pub(crate) async fn set_aside(&self, why: String) {
        self.rest.begin(why);
        report::now(self).await;
    }

    /// Why no task should be taken now, where the disk has too little room.
    async fn short_of_room(&self) -> Option<String> {
        let floor = self.worker.disk_floor;
        let free = self.worker.artifacts.disk().await?.free;
        (free < floor).then(|| {
            format!(
                "the disk is short of room: {} MiB are free, and {} MiB have to be",
                free >> 20,
                floor >> 20
            )
        })
    }
}

/// Hands control messages to the attempts that they are about, until `ended`. A worker that cannot be told anything hands back
/// what it has, and ends.
async fn forward(
    running: Arc<Running>,
    mut control: ControlStream,
    ended: CancellationToken,
) -> Result<(), BrokerError> {
    let Runtime { broker, id, .. } = &running.worker;
    let _ends_the_worker = running.stop.clone().drop_guard();
    loop {
        let message = tokio::select! {
            () = ended.cancelled() => return Ok(()),
            message = control.next() => message,
        };
        let Some(message) = message else {
            // The connection broke. What was said meanwhile is said again: every heartbeat of an attempt that is not
            // wanted is answered with a stop.
            control = tokio::select! {
                () = ended.cancelled() => return Ok(()),
                control = broker.subscribe_control(id) => control?,
            };
            continue;
        };
        if message.recipient().is_some_and(|recipient| recipient != id) {
            continue;
        }
        let fence = match &message {
            ControlMessage::Extended { fence, .. } | ControlMessage::Stop { fence, .. } => fence,
            ControlMessage::Drain { .. } => {
                tracing::info!("told to drain: taking no more tasks");
                running.drain.cancel();
                continue;
            }
            ControlMessage::Introduce => {
                running.asked.notify_one();
                continue;
            }
        };
        let mailboxes = running.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mailbox) = mailboxes.get(fence) {
            // An attempt that has just ended no longer listens.
            drop(mailbox.send(message));
        }
    }
}

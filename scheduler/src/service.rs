//! The scheduler's loop: the only writer of the store.
//!
//! Everything that happens arrives here as a message - a worker's event, a person's command, a tick of the clock -
//! and each is worked off before the next, so that no two decisions are taken on the same state. What is decided
//! is in the store before anyone is told, so a scheduler that dies at any moment is followed by one that carries
//! on from the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::Submission;
use reelfarm_model::{Code, Failure, Fence, Pool, TaskKey, Title, TitleId};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_qc::Policy;
use reelfarm_queue::{Broker, BrokerError};
use reelfarm_store::{Store, StoreError, SubmitOutcome};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::attempts::Active;
use crate::event::FarmEvent;
use crate::order::{ReadyTask, order};
use crate::retry::RetryPolicy;

/// Events that a slow watcher may fall behind before it misses some.
const EVENT_BUFFER: usize = 4096;
/// Ready tasks looked at for one round of dispatch.
const DISPATCH_LOOKAHEAD: usize = 1000;

/// What a scheduler needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workers' tools.
    pub tools: ToolVersions,
    /// The QC policy.
    pub policy: Policy,
    /// Every profile that the farm makes.
    pub profiles: ProfileList,
    /// How long a lease runs from its dispatch and from each heartbeat.
    pub lease: Duration,
    /// How often failed tasks are tried again.
    pub retry: RetryPolicy,
    /// Tasks that may be on their way or at work at once, by pool: the workers' slots.
    pub slots: HashMap<Pool, usize>,
}

/// The scheduler cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The scheduler has stopped and takes no more commands.
    #[error("the scheduler has stopped")]
    Stopped,
}

enum Command {
    Submit(Box<Submission>, oneshot::Sender<Result<Title, Failure>>),
    Cancel(TitleId, oneshot::Sender<Result<(), Failure>>),
}

/// Talks to a running scheduler.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<FarmEvent>,
}

impl Handle {
    /// Submits a title. Submitting what is done already, or under way, changes nothing.
    ///
    /// # Errors
    /// The name belongs to another source, or the scheduler or its store cannot be reached.
    pub async fn submit(&self, submission: Submission) -> Result<Title, Failure> {
        self.ask(|reply| Command::Submit(Box::new(submission), reply)).await
    }

    /// Stops a title that is under way and takes away what it has put at the origin.
    ///
    /// # Errors
    /// No such title, it has ended already, or the scheduler or its store cannot be reached.
    pub async fn cancel(&self, title: TitleId) -> Result<(), Failure> {
        self.ask(|reply| Command::Cancel(title, reply)).await
    }

    /// Everything that happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<FarmEvent> {
        self.events.subscribe()
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Command,
    ) -> Result<T, Failure> {
        let gone = || Failure::new(Code::StateUnreachable, SchedulerError::Stopped.to_string());
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The scheduler.
pub struct Scheduler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) metrics: Metrics,
    pub(crate) options: Options,
    pub(crate) events: broadcast::Sender<FarmEvent>,
    /// Attempts that were told to stop and have not said that they did, with the time at which their lease has
    /// surely passed.
    pub(crate) stopping: HashMap<Fence, (TitleId, Instant)>,
    pub(crate) active: HashMap<TaskKey, Active>,
    /// Whether titles may have come to want attempts under way, or want them no more, since that was last looked at.
    pub(crate) titles_outdated: bool,
    commands: mpsc::Receiver<Command>,
}

impl Scheduler {
    /// A scheduler over a store, a broker and the workers' artifacts, and the handle to it.
    pub fn new(
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        artifacts: ArtifactStore,
        metrics: Metrics,
        options: Options,
    ) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(64);
        let (events, _) = broadcast::channel(EVENT_BUFFER);
        let handle = Handle { commands: sender, events: events.clone() };
        let scheduler = Self {
            store,
            broker,
            artifacts,
            metrics,
            options,
            events,
            stopping: HashMap::new(),
            active: HashMap::new(),
            titles_outdated: false,
            commands,
        };
        (scheduler, handle)
    }

    /// Runs until `stop` is cancelled: first carries on what the store holds, then works off what happens. From the
    /// moment at which `drain` is cancelled it dispatches nothing more and goes on recording what workers report.
    ///
    /// # Errors
    /// The store or the broker cannot be used.
    pub async fn run(
        mut self,
        drain: CancellationToken,
        stop: CancellationToken,
    ) -> Result<(), SchedulerError> {
        for title in self.store.live_titles().await? {
            self.reconcile(&title.submission.title).await?;
        }
        let mut ticks = tokio::time::interval(self.options.lease / 4);
        loop {
            let mut next_ready = None;
            if !drain.is_cancelled() {
                self.dispatch().await?;
                next_ready = self.store.next_ready_in().await?;
            }
            self.refresh_titles().await?;
            tokio::select! {
                // What workers have said is recorded before anything else, the end included.
                biased;
                event = self.broker.receive_event() => self.on_event(event?).await?,
                () = stop.cancelled() => return Ok(()),
                () = drain.cancelled(), if next_ready.is_some() => {}
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command).await?,
                    None => return Ok(()),
                },
                _ = ticks.tick() => self.on_tick().await?,
                () = sleep_or_forever(next_ready) => {}
            }
        }
    }

    pub(crate) fn emit(&self, event: FarmEvent) {
        // Nobody may be watching; the store is the truth.
        drop(self.events.send(event));
    }

    async fn on_command(&mut self, command: Command) -> Result<(), SchedulerError> {
        match command {
            Command::Submit(submission, reply) => {
                let answer = self.submit(&submission).await;
                let accepted = answer.is_ok();
                // The caller may have gone; the title is in the store all the same.
                drop(reply.send(answer));
                if accepted {
                    self.reconcile(&submission.title).await?;
                }
            }
            Command::Cancel(title, reply) => {
                let answer = self.cancel(&title).await;
                drop(reply.send(answer));
            }
        }
        Ok(())
    }

    async fn submit(&mut self, submission: &Submission) -> Result<Title, Failure> {
        if let Some(failure) = self.name_is_held(submission).await? {
            return Err(failure);
        }
        let submitted = self.store.submit(submission).await?;
        self.wants_changed(&submission.title, submitted.stopped).await;
        if submitted.outcome != SubmitOutcome::Unchanged {
            tracing::info!(title = %submission.title, generation = submitted.title.generation, "submitted");
        }
        self.emit(FarmEvent::TitleChanged(Box::new(submitted.title.clone())));
        Ok(submitted.title)
    }

    async fn cancel(&mut self, title: &TitleId) -> Result<(), Failure> {
        let Some(known) = self.store.title(title).await? else {
            return Err(Failure::new(Code::TitleNotFound, format!("no title is called {title}")));
        };
        if known.state.is_final() {
            return Err(Failure::new(
                Code::TitleNotFound,
                format!("title {title} has ended already: it is {}", known.state.as_str()),
            ));
        }
        self.end_title(&known, None).await.map_err(|error| match error {
            SchedulerError::Store(error) => error.into(),
            other => Failure::new(Code::Internal, other.to_string()),
        })
    }

    /// Sends ready tasks as far as slots are free, so that order is decided as late as can be.
    async fn dispatch(&mut self) -> Result<(), SchedulerError> {
        let free = |active: &HashMap<TaskKey, Active>, pool: Pool| {
            let slots = self.options.slots.get(&pool).copied().unwrap_or(0);
            slots.saturating_sub(active.values().filter(|active| active.pool == pool).count())
        };
        if Pool::ALL.into_iter().all(|pool| free(&self.active, pool) == 0) {
            return Ok(());
        }
        let mut ready: Vec<ReadyTask> = self
            .store
            .ready(DISPATCH_LOOKAHEAD)
            .await?
            .into_iter()
            .map(|record| ReadyTask {
                key: record.task.key,
                kind: record.task.spec.kind(),
                pool: record.task.spec.pool(),
                submitted_ms: record.wanted_since_ms.unwrap_or(i64::MAX),
            })
            .collect();
        order(&mut ready);
        for task in ready {
            if free(&self.active, task.pool) == 0 {
                continue;
            }
            let Some(message) = self.store.dispatch(&task.key, self.options.lease).await? else { continue };
            let active = Active {
                fence: message.fence,
                title: message.title.clone(),
                titles: Vec::new(),
                label: message.task.spec.label_with(message.source.as_ref()),
                kind: task.kind,
                pool: task.pool,
                ready_since: Instant::now(),
                started: None,
            };
            if let Err(error) = self.broker.send_task(&message).await {
                // Not sent, so nobody works on it: the attempt does not count.
                self.store.release(&message.fence).await?;
                return Err(error.into());
            }
            self.active.insert(task.key, active);
            self.titles_outdated = true;
        }
        Ok(())
    }
}

async fn sleep_or_forever(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

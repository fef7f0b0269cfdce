//! The scheduler's loop: the only writer of the store.
//!
//! Everything that happens arrives here as a message - a worker's event, a person's command, a tick of the clock -
//! and each is worked off before the next, so that no two decisions are taken on the same state. What is decided
//! is in the store before anyone is told, so a scheduler that dies at any moment is followed by one that carries
//! on from the store.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::Submission;
use reelfarm_model::{Code, Failure, Fence, Pool, TaskKey, Title, TitleId, TitleState};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_priority::Rules;
use reelfarm_priority::estimate::Estimator;
use reelfarm_queue::{Broker, BrokerError, EventBatch};
use reelfarm_store::{Store, StoreError, SubmitOutcome};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempts::{Active, Stopping};
use crate::commands::{explain, wrong_state};
use crate::errands::{Returned, in_time};
use crate::event::{FarmEvent, abridged};
use crate::forecast::Forecasts;
use crate::handle::{Command, Handle};
use crate::name::{self, Claim, Online};
use crate::order::Order;
use crate::policy::FarmPolicies;
use crate::postponed::Postponed;
use crate::recoding::Recoding;
use crate::retry::RetryPolicy;
use crate::survey::Survey;
use crate::workers::Workers;

/// Events that a slow watcher may fall behind before it misses some.
const EVENT_BUFFER: usize = 4096;
/// Workers' reports that are worked off before anything else is looked at: a transaction costs much, a report in it little.
const EVENT_BATCH: usize = 1000;
/// Batches of events that are recorded after the order to stop, and before leases are looked at, as far as they are at hand.
const LAST_BATCHES: usize = 16;

/// What a scheduler needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workers' tools.
    pub tools: ToolVersions,
    /// The QC policies.
    pub policies: FarmPolicies,
    /// Every profile that the farm makes.
    pub profiles: ProfileList,
    /// How long a lease runs from its dispatch and from each heartbeat.
    pub lease: Duration,
    /// When titles are due, and whose the slots are.
    pub order: Rules,
    /// How often failed tasks are tried again.
    pub retry: RetryPolicy,
    /// Whether workers live on when this process dies.
    pub outlived: bool,
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

/// The scheduler.
pub struct Scheduler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) metrics: Metrics,
    pub(crate) options: Options,
    pub(crate) events: broadcast::Sender<FarmEvent>,
    /// Attempts that were told to stop and have not said that they did, with the time at which none of them can be at work
    /// any more.
    pub(crate) stopping: HashMap<Fence, Stopping>,
    /// Titles at whose folders at the origin attempts that an earlier scheduler stopped may still be at work, until then.
    pub(crate) unquiet: HashMap<TitleId, Instant>,
    pub(crate) active: HashMap<TaskKey, Active>,
    /// Whether titles may have come to want attempts under way, or want them no more, since that was last looked at.
    pub(crate) titles_outdated: bool,
    pub(crate) workers: Workers,
    /// What is ready, in order.
    pub(crate) order: Order,
    /// How long tasks took.
    pub(crate) estimates: Estimator,
    /// What is to be expected of titles.
    pub(crate) forecasts: Forecasts,
    /// Whether that is being worked out.
    pub(crate) foreseeing: bool,
    /// Whether titles may have come or changed since that was last begun.
    pub(crate) forecast_outdated: bool,
    /// It is not begun again before: where there is much to foresee, that takes its time, and the loop's processor with it.
    pub(crate) forecast_rests_until: Instant,
    /// The pools of which routes were promised more slots than there are, with the slots promised.
    pub(crate) promised_beyond: BTreeSet<(Pool, u32)>,
    /// Whether something may have come to be dispatched, or a slot may have become free, since that was last looked at.
    pub(crate) dispatch_outdated: bool,
    /// Titles that could not be planned because storage failed.
    pub(crate) postponed: Postponed,
    /// Looks at the storage of titles that are to be planned.
    pub(crate) surveys: HashMap<TitleId, Survey>,
    /// The number of the last of them.
    pub(crate) last_survey: u64,
    /// Tasks that failed for want of something, and are not dispatched until it is known what of their titles is there.
    pub(crate) missing: HashMap<TitleId, BTreeSet<TaskKey>>,
    /// What is done beside the loop.
    pub(crate) errands: JoinSet<Returned>,
    /// Bounds how many surveys look at an origin at a time: those that wait for one that is silent hold up no other.
    pub(crate) survey_turns: HashMap<String, Arc<Semaphore>>,
    /// Attempts whose messages the broker holds, and which may still be in the outbox.
    pub(crate) sent: Vec<Fence>,
    /// It did not confirm what was sent to it, and is left alone until then.
    pub(crate) broker_rests_until: Option<Instant>,
    /// Whether the last batch of events was full: more may be waiting.
    pub(crate) more_to_hear: bool,
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
        let (workers, postponed) = (Workers::default(), Postponed::default());
        let (order, forecasts) = (Order::new(options.order.clone()), Forecasts::default());
        let handle = Handle {
            commands: sender,
            events: events.clone(),
            workers: workers.clone(),
            postponed: postponed.clone(),
            forecasts: forecasts.clone(),
            broker: broker.clone(),
        };
        let scheduler = Self {
            store,
            broker,
            artifacts,
            metrics,
            options,
            events,
            stopping: HashMap::new(),
            unquiet: HashMap::new(),
            active: HashMap::new(),
            titles_outdated: false,
            dispatch_outdated: true,
            order,
            estimates: Estimator::default(),
            forecasts,
            foreseeing: false,
            forecast_outdated: true,
            forecast_rests_until: Instant::now(),
            promised_beyond: BTreeSet::new(),
            postponed,
            surveys: HashMap::new(),
            last_survey: 0,
            missing: HashMap::new(),
            errands: JoinSet::new(),
            survey_turns: HashMap::new(),
            sent: Vec::new(),
            broker_rests_until: None,
            workers,
            more_to_hear: false,
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
        self.take_over().await?;
        // With figures, so that what was late is so all the while.
        self.tell_figures().await?;
        self.metrics.leads();
        for title in self.store.unsettled_titles().await? {
            self.reconcile(&title).await?;
        }
        // Not at once: what workers said while nobody led is heard before anybody is taken for lost.
        let mut ticks = tokio::time::interval_at(
            tokio::time::Instant::now() + self.options.lease / 4,
            self.options.lease / 4,
        );
        let mut last_batches = LAST_BATCHES;
        let mut next_dispatch = None;
        loop {
            // However much workers have to say, people, leases and errands get their turn after each batch of it.
            if let Ok(command) = self.commands.try_recv() {
                self.on_command(command).await?;
                self.dispatch_outdated = true;
            }
            if let Some(returned) = self.errands.try_join_next() {
                self.on_returned(returned).await?;
                self.dispatch_outdated = true;
            }
            if ticks.tick().now_or_never().is_some() {
                self.hear_what_is_at_hand().await?;
                self.on_tick().await?;
                self.dispatch_outdated = true;
            }
            if drain.is_cancelled() {
                next_dispatch = None;
            } else if std::mem::take(&mut self.dispatch_outdated) {
                next_dispatch = self.dispatch().await?.map(|wait| Instant::now() + wait);
            }
            self.refresh_titles().await?;
            tokio::select! {
                // What workers have said is recorded before anything else, the end included.
                biased;
                batch = self.broker.receive_events(EVENT_BATCH), if last_batches > 0 => {
                    last_batches -= usize::from(stop.is_cancelled());
                    self.on_events(batch?).await?;
                }
                () = stop.cancelled() => return self.clear_outbox().await,
                () = drain.cancelled(), if next_dispatch.is_some() => {}
                command = self.commands.recv() => match command {
                    Some(command) => {
                        self.on_command(command).await?;
                        self.dispatch_outdated = true;
                    }
                    None => return Ok(()),
                },
                _ = ticks.tick() => {
                    self.on_tick().await?;
                    self.dispatch_outdated = true;
                }
                Some(returned) = self.errands.join_next() => {
                    self.on_returned(returned).await?;
                    self.dispatch_outdated = true;
                }
                () = until_or_forever(next_dispatch) => self.dispatch_outdated = true,
            }
        }
    }

    pub(crate) fn emit(&self, event: FarmEvent) {
        let event = match event {
            // Many are kept for those who watch slowly.
            FarmEvent::TitleChanged(title) => FarmEvent::TitleChanged(Box::new(abridged(*title))),
            other => other,
        };
        // Nobody may be watching; the store is the truth.
        drop(self.events.send(event));
    }

    /// Workers that went on reporting while this process was held up are heard before their leases are looked at.
    async fn hear_what_is_at_hand(&mut self) -> Result<(), SchedulerError> {
        for _ in 0..LAST_BATCHES {
            let Some(batch) = self.broker.receive_events(EVENT_BATCH).now_or_never() else { break };
            self.on_events(batch?).await?;
        }
        Ok(())
    }

    /// Acknowledged once all of it is in the store: what this process does not come to is delivered again.
    async fn on_events(&mut self, batch: EventBatch) -> Result<(), SchedulerError> {
        self.more_to_hear = batch.events.len() >= EVENT_BATCH;
        self.record(&batch.events).await?;
        if !batch.acknowledge().await? {
            tracing::warn!(
                "the acknowledgement of workers' reports was lost: they come again, and change nothing"
            );
        }
        Ok(())
    }

    async fn on_command(&mut self, command: Command) -> Result<(), SchedulerError> {
        match command {
            Command::Submit(submission, reply) => self.on_submission(*submission, None, reply).await?,
            Command::Cancel(title, reply) => {
                let answer = self.cancel(&title).await;
                drop(reply.send(answer));
            }
            Command::Hold(title, held, reply) => drop(reply.send(self.hold(&title, held).await)),
            Command::RetryTitle(title, reply) => {
                let answer = self.retry_title(&title).await;
                let accepted = answer.is_ok();
                drop(reply.send(answer));
                if accepted {
                    self.reconcile(&title).await?;
                }
            }
            Command::RetryPart(title, again, reply) => self.retry_part(title, again, reply).await,
            Command::Decide(title, wish, reply) => {
                let answer = self.decide(&title, wish).await;
                let accepted = answer.is_ok();
                drop(reply.send(answer));
                if accepted {
                    self.reconcile(&title).await?;
                }
            }
            Command::Drain(worker, reply) => drop(reply.send(self.drain(&worker).await)),
            Command::Expedite(title, wish, reply) => self.begin_expedite(title, wish, reply).await,
            Command::Preview(submission, reply) => self.begin_preview(*submission, reply).await,
            Command::Recode(title, ladder, tools, reply) => {
                match self.recoded(&title, *ladder, tools).await {
                    Ok(Recoding::Submit(submission)) => self.on_submission(*submission, None, reply).await?,
                    Ok(Recoding::Stands(title)) => drop(reply.send(Ok(*title))),
                    Err(failure) => drop(reply.send(Err(failure))),
                }
            }
            Command::Place(title, reply) => {
                let place = self.place_of(&title).await?;
                drop(reply.send(place));
            }
        }
        Ok(())
    }

    /// Takes a submission; `online` is what is online under the name that it wants, where that has been looked up.
    pub(crate) async fn on_submission(
        &mut self,
        submission: Submission,
        online: Option<Result<Online, Failure>>,
        reply: oneshot::Sender<Result<Title, Failure>>,
    ) -> Result<(), SchedulerError> {
        let claim = match online.transpose() {
            Ok(online) => self.claim(&submission, online).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        let answer = match claim {
            Ok(Claim::Free) => self.submit(&submission).await,
            Ok(Claim::Held(failure)) | Err(failure) => Err(failure),
            Ok(Claim::Unclear) => {
                let artifacts = self.artifacts.clone();
                self.errands.spawn(async move {
                    let online =
                        async { Ok(name::online(&artifacts, &submission.title, &submission.origin).await?) };
                    let online = Box::new(in_time(online).await);
                    Returned::NameLookedUp { submission: Box::new(submission), online, reply }
                });
                return Ok(());
            }
        };
        let accepted = answer.is_ok();
        // The caller may have gone; the title is in the store all the same.
        drop(reply.send(answer));
        if accepted {
            self.reconcile(&submission.title).await?;
        }
        Ok(())
    }

    async fn submit(&mut self, submission: &Submission) -> Result<Title, Failure> {
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
            return Err(wrong_state(&known, "cancelled any more"));
        }
        // It is being cancelled, or taken away because it failed: to end it here would leave at the origin what is there.
        if known.state == TitleState::Withdrawing {
            return Ok(());
        }
        self.end_title(&known, None).await.map_err(explain)
    }
}

async fn until_or_forever(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

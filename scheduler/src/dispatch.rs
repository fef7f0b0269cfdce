//! Ready tasks to workers: as many as there are free slots, so that order is decided as late as can be.
//!
//! Promises: what is dispatched is in the store's outbox before it is sent, and stays there until the broker has confirmed
//! it, so a scheduler that dies in between is followed by one that sends it. That the broker has it is recorded a little
//! later, for many at once; until then a scheduler that follows sends it twice, which does no harm. What the broker does not
//! confirm is taken back and does not count; should it have arrived all the same, its fence is no longer valid.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use reelfarm_model::message::{ControlMessage, ORIGIN_GRACE, TaskMessage};
use reelfarm_model::{Fence, Pool, TaskKey, TitleId, WorkerId};
use reelfarm_priority::Capacity;
use reelfarm_store::{AttemptReport, Report};

use crate::attempts::{Active, Stopping};
use crate::errands::{Returned, swept};
use crate::service::{Scheduler, SchedulerError};

/// Messages of the outbox that are sent together.
const OUTBOX_BATCH: usize = 256;
/// How long the staging of attempts may take to be listed.
const STAGING: Duration = Duration::from_secs(5);
/// How long nothing is sent to a broker that has not confirmed.
const BROKER_REST: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Learns what another scheduler, or this one before a restart, left under way, and sends what it had not sent.
    pub(crate) async fn take_over(&mut self) -> Result<(), SchedulerError> {
        self.tell(&[ControlMessage::Introduce]).await;
        // Looked at before it is asked what is under way: see `sweep_all_but`.
        let staged = tokio::time::timeout(STAGING, self.artifacts.staged_attempts()).await;
        let under_way = self.store.under_way().await?;
        self.read_history().await?;
        if self.options.outlived {
            // Before the order is read, which keeps back what works at the origin of these.
            let within = self.options.lease + ORIGIN_GRACE;
            let until = Instant::now() + within;
            let titles = self.store.stopped_at_origin(within).await?;
            self.unquiet.extend(titles.into_iter().map(|title| (title, until)));
        }
        self.read_order().await?;
        let fences: Vec<_> = under_way.iter().map(|attempt| attempt.fence).collect();
        match staged {
            Ok(Ok(staged)) => {
                let artifacts = self.artifacts.clone();
                self.errands.spawn(async move {
                    swept(artifacts.sweep_all_but(&fences, staged).await);
                    Returned::Swept
                });
            }
            Ok(Err(error)) => swept(Err(error)),
            Err(_) => tracing::warn!("the staging does not answer: the next leader sweeps it"),
        }
        for attempt in under_way {
            // Without a title it is one that will be stopped: its slot is free as soon as its worker says so.
            let Some((title, _)) = attempt.titles.first().cloned() else { continue };
            let active = Active {
                fence: attempt.fence,
                title,
                titles: attempt.titles.into_iter().map(|(title, _)| title).collect(),
                label: attempt.task.spec.label(),
                task: attempt.task.clone(),
                source: None,
                kind: attempt.task.spec.kind(),
                pool: attempt.task.spec.pool(),
                ready_since: Instant::now(),
                started: attempt.worker.is_some().then(Instant::now),
                was_taken_over: true,
                worker: attempt.worker,
            };
            let title = active.title.clone();
            self.order.queue.at_work(attempt.fence.task, active.pool, &title);
            self.active.insert(attempt.fence.task, active);
        }
        loop {
            let messages = self.store.unsent(OUTBOX_BATCH).await?;
            if messages.is_empty() {
                return Ok(());
            }
            tracing::info!(messages = messages.len(), "sending what an earlier scheduler had not sent");
            self.send(messages).await?;
            self.store.mark_sent(&std::mem::take(&mut self.sent)).await?;
        }
    }

    /// Sends ready tasks as far as slots are free. Answers how long to wait before more can be sent, as far as time alone
    /// decides that.
    pub(crate) async fn dispatch(&mut self) -> Result<Option<Duration>, SchedulerError> {
        if let Some(rest) =
            self.broker_rests_until.map(|until| until.saturating_duration_since(Instant::now()))
        {
            if !rest.is_zero() {
                return Ok(Some(rest));
            }
            self.broker_rests_until = None;
        }
        self.refresh_order().await?;
        if self.forecast_outdated {
            self.begin_forecast();
        }
        let active = &self.active;
        self.order.queue.retain_at_work(|task| active.contains_key(task));
        let now_ms = self.order.now_ms();
        let decisions = self.order.queue.decide(now_ms, &self.capacity());
        if !decisions.is_empty() {
            let chosen: Vec<TaskKey> = decisions.iter().map(|decision| decision.key).collect();
            let messages = self.store.dispatch_all(&chosen, self.options.lease).await?;
            for message in &messages {
                let ready_since = self.order.taken(&message.fence.task);
                self.active.insert(message.fence.task, active_of(message, ready_since));
            }
            // What the store would not have dispatched any more.
            self.order.tasks.extend(chosen.iter().filter(|task| !self.active.contains_key(task)));
            self.dispatch_outdated |= !self.order.tasks.is_empty();
            self.titles_outdated = true;
            self.send(messages).await?;
        }
        let rest = self.broker_rests_until.map(|until| until.saturating_duration_since(Instant::now()));
        Ok(self.order.next_ready_in().into_iter().chain(rest).min())
    }

    /// Whether an attempt that was stopped may still be at work at a title's folder at the origin.
    pub(crate) fn is_unquiet(&self, title: &TitleId) -> bool {
        let stops_there = |stopping: &Stopping| stopping.at_origin && stopping.title == *title;
        self.unquiet.contains_key(title) || self.stopping.values().any(stops_there)
    }

    /// Titles at whose folders at the origin an attempt that was stopped may still be at work, and until when at most.
    pub(crate) fn unquiet_titles(&self) -> HashMap<TitleId, Instant> {
        let mut titles = self.unquiet.clone();
        for stopping in self.stopping.values().filter(|stopping| stopping.at_origin) {
            let until = titles.entry(stopping.title.clone()).or_insert(stopping.until);
            *until = stopping.until.max(*until);
        }
        titles
    }

    /// Slots of the workers that take tasks, and those of them that no attempt is on its way to or at work in.
    pub(crate) fn capacity(&self) -> BTreeMap<Pool, Capacity> {
        let (mut at_work, mut coming) = (HashMap::<_, usize>::new(), HashMap::<_, usize>::new());
        for active in self.active.values() {
            match &active.worker {
                Some(worker) => *at_work.entry((worker, active.pool)).or_default() += 1,
                None => *coming.entry(active.pool).or_default() += 1,
            }
        }
        let taken = |worker: &WorkerId, pool| at_work.get(&(worker, pool)).copied().unwrap_or(0);
        let mut slots = self.workers.slots(taken);
        for (pool, coming) in coming {
            if let Some(capacity) = slots.get_mut(&pool) {
                capacity.free = capacity.free.saturating_sub(coming);
            }
        }
        slots
    }

    /// Takes out of the outbox what the broker holds. What has ended meanwhile has left it already, which with small tasks is
    /// most of it: hence not at once.
    pub(crate) async fn clear_outbox(&mut self) -> Result<(), SchedulerError> {
        let mut sent = std::mem::take(&mut self.sent);
        sent.retain(|fence| self.active.get(&fence.task).is_some_and(|active| active.fence == *fence));
        if !sent.is_empty() {
            self.store.mark_sent(&sent).await?;
        }
        Ok(())
    }

    async fn send(&mut self, messages: Vec<TaskMessage>) -> Result<(), SchedulerError> {
        self.metrics.outbox_waits(messages.len() as u64);
        let answers = self.broker.send_tasks(&messages).await;
        let (mut sent, mut unsent): (Vec<Fence>, Vec<AttemptReport>) = (Vec::new(), Vec::new());
        for (message, answer) in messages.iter().zip(answers) {
            let fence = message.fence;
            match answer {
                Ok(()) => sent.push(fence),
                Err(error) => {
                    tracing::warn!(title = %message.title, task = %message.task.spec.label_with(message.source.as_ref()), attempt = fence.attempt, %error, "task not sent; it is taken back");
                    if let Some(active) = self.active.remove(&fence.task) {
                        self.order.given_back(fence.task, active.pool, active.ready_since);
                    }
                    self.order.tasks.insert(fence.task);
                    unsent.push(AttemptReport { fence, report: Report::Released });
                }
            }
        }
        self.sent.append(&mut sent);
        if unsent.is_empty() {
            self.metrics.outbox_is_empty();
        } else {
            self.metrics.outbox_waits(unsent.len() as u64);
            self.store.record(&unsent).await?;
            self.broker_rests_until = Some(Instant::now() + BROKER_REST);
        }
        Ok(())
    }
}

fn active_of(message: &TaskMessage, ready_since: Instant) -> Active {
    Active {
        fence: message.fence,
        title: message.title.clone(),
        titles: Vec::new(),
        label: message.task.spec.label_with(message.source.as_ref()),
        task: message.task.clone(),
        source: message.source.clone(),
        kind: message.task.spec.kind(),
        pool: message.task.spec.pool(),
        ready_since,
        started: None,
        was_taken_over: false,
        worker: None,
    }
}

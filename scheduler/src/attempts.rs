//! What becomes of attempts: workers' reports, leases that run out, and attempts that nobody wants any more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reelfarm_model::message::{ControlMessage, ORIGIN_GRACE, WorkerEvent};
use reelfarm_model::{
    AttemptOutcome, Code, Failure, FailureClass, Fence, Pool, Progress, SourceReference, Task, TaskKey,
    TaskKind, TitleId, WorkerId,
};
use reelfarm_store::{AttemptReport, ExpiredAttempt, Recorded, Report, RetryDecision, TitleGeneration};
use reelfarm_telemetry::metrics::AttemptEnd;

use crate::delivered::delivered;
use crate::estimates::learn;
use crate::event::{FarmEvent, TaskResult};
use crate::reconcile::is_about_the_source;
use crate::service::{Scheduler, SchedulerError};

/// An attempt on its way or at work.
pub(crate) struct Active {
    pub(crate) fence: Fence,
    /// The title on whose behalf it was dispatched, for logs.
    pub(crate) title: TitleId,
    /// Those that want it now, in the order of submission.
    pub(crate) titles: Vec<TitleId>,
    pub(crate) label: String,
    pub(crate) task: Task,
    /// Where the source lies, for tasks that read it, where that is known.
    pub(crate) source: Option<SourceReference>,
    pub(crate) kind: TaskKind,
    pub(crate) pool: Pool,
    pub(crate) ready_since: Instant,
    pub(crate) started: Option<Instant>,
    /// Whether it was begun under another scheduler: nobody here knows when.
    pub(crate) was_taken_over: bool,
    /// Who was the first to report its start.
    pub(crate) worker: Option<WorkerId>,
}

/// An attempt that was told to stop.
pub(crate) struct Stopping {
    /// The title that wants it no more.
    pub(crate) title: TitleId,
    /// From then on it cannot be at work any more.
    pub(crate) until: Instant,
    /// Whether it works at the title's folder at the origin.
    pub(crate) at_origin: bool,
}

impl Active {
    fn started_event(&self, title: &TitleId) -> FarmEvent {
        FarmEvent::TaskStarted {
            title: title.clone(),
            task: self.fence.task,
            label: self.label.clone(),
            attempt: self.fence.attempt,
        }
    }
}

/// What is to be done once reports are recorded: each title once.
#[derive(Default)]
struct Next {
    /// With the task that misses something.
    plan_again: BTreeSet<(TitleId, TaskKey)>,
    /// In the order in which it came up.
    reconcile: Vec<TitleId>,
}

impl Next {
    fn reconcile(&mut self, title: &TitleId) {
        if !self.reconcile.contains(title) {
            self.reconcile.push(title.clone());
        }
    }
}

/// A length of time; nothing where clocks disagree about its sign.
fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Whether a title goes on when a task of this kind is done; with all others, tasks alone become ready.
const fn moves_titles_on(kind: TaskKind) -> bool {
    matches!(
        kind,
        TaskKind::Fingerprint
            | TaskKind::Subtitles
            | TaskKind::Qc
            | TaskKind::Trial
            | TaskKind::Publish
            | TaskKind::Withdraw
    )
}

/// Whether tasks of this kind change a title's folder at the origin.
pub(crate) const fn works_at_origin(kind: TaskKind) -> bool {
    matches!(kind, TaskKind::Upload | TaskKind::Publish | TaskKind::Withdraw)
}

impl Scheduler {
    /// Records in one transaction what workers have reported, then acts on what came of it.
    pub(crate) async fn record(&mut self, events: &[WorkerEvent]) -> Result<(), SchedulerError> {
        let mut next = Next::default();
        let (mut reported, mut reports, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for event in events {
            if let Some(fence) = event.fence().filter(|fence| !self.is_the_holders(fence, event)) {
                answers.push(self.refused(event, *fence));
                continue;
            }
            match event {
                WorkerEvent::Report(report) => {
                    self.dispatch_outdated |= self.workers.heard((**report).clone());
                }
                WorkerEvent::Finished { fence, .. } if self.stopping.contains_key(fence) => {
                    self.dispatch_outdated = true;
                    // Told to stop, and now it has: nothing of it counts, but a withdrawal may have waited for it.
                    if let Some(stopping) = self.stopping.remove(fence) {
                        self.active.retain(|_, active| active.fence != *fence);
                        self.order_outdated(&stopping.title);
                        next.reconcile(&stopping.title);
                    }
                }
                WorkerEvent::Started { .. }
                | WorkerEvent::Heartbeat { .. }
                | WorkerEvent::Finished { .. } => {
                    let Some(report) = self.report_of(event).await? else { continue };
                    reported.push(event);
                    reports.push(report);
                }
            }
        }
        if !reports.is_empty() {
            let recorded = self.store.record(&reports).await?;
            // Starts and heartbeats, which are most of what comes, make nothing ready and free no slot.
            self.dispatch_outdated |= recorded.iter().any(|recorded| *recorded != Recorded::UnderWay);
            for ((event, report), recorded) in reported.into_iter().zip(reports).zip(recorded) {
                answers.extend(self.act_on(event, report.report, recorded, &mut next).await?);
            }
        }
        self.tell(&answers).await;
        self.go_on(next).await
    }

    /// Whether an event comes from the worker that has the attempt: the first to report its start. Another that got the
    /// same message knows the same fence, and would end with its own the attempt of the first.
    fn is_the_holders(&mut self, fence: &Fence, event: &WorkerEvent) -> bool {
        let Some(active) = self.active_of(fence) else { return true };
        if let (None, WorkerEvent::Started { worker, .. }) = (&active.worker, event) {
            active.worker = Some(worker.clone());
        }
        active.worker.as_ref().is_none_or(|holder| holder == event.worker())
    }

    /// A worker's event as the store takes it.
    async fn report_of(&self, event: &WorkerEvent) -> Result<Option<AttemptReport>, SchedulerError> {
        let (fence, report) = match event {
            WorkerEvent::Report(_) => return Ok(None),
            WorkerEvent::Started { fence, worker } => (fence, Report::Started { worker: worker.clone() }),
            WorkerEvent::Heartbeat { fence, progress, .. } => {
                (fence, Report::Extended { lease: self.options.lease, progress: *progress })
            }
            WorkerEvent::Finished { fence, outcome, worker } => (
                fence,
                match outcome.clone() {
                    AttemptOutcome::Completed { artifacts, result } => {
                        Report::Completed { artifacts, result }
                    }
                    AttemptOutcome::Released => Report::Released,
                    AttemptOutcome::Failed { failure } => {
                        let retry = self.retry_after(fence, &failure, worker).await?;
                        Report::Failed { failure, retry }
                    }
                },
            ),
        };
        Ok(Some(AttemptReport { fence: *fence, report }))
    }

    /// What follows a failure. What a host could not do counts for nothing where another may do better.
    async fn retry_after(
        &self,
        fence: &Fence,
        failure: &Failure,
        worker: &WorkerId,
    ) -> Result<RetryDecision, SchedulerError> {
        let retry = &self.options.retry;
        let Some(record) = self.store.task(&fence.task).await? else {
            return Ok(retry.after_failure(failure.class, 1));
        };
        let elsewhere =
            failure.code.is_of_the_host() && self.workers.others_take(record.task.spec.pool(), worker);
        Ok(if elsewhere {
            retry.after_host_failure(record.uncounted + 1, record.failures + 1)
        } else if failure.class == FailureClass::Environment {
            retry.after_environment_failure(record.uncounted + 1, record.failures + 1)
        } else {
            retry.after_failure(failure.class, record.failures + 1)
        })
    }

    /// Does what follows from a report, and answers what its worker is told.
    async fn act_on(
        &mut self,
        event: &WorkerEvent,
        report: Report,
        recorded: Recorded,
        next: &mut Next,
    ) -> Result<Option<ControlMessage>, SchedulerError> {
        let Some(fence) = event.fence().copied() else { return Ok(None) };
        match (recorded, event) {
            (Recorded::Refused, _) => return Ok(Some(self.refused(event, fence))),
            (Recorded::UnderWay, WorkerEvent::Heartbeat { worker, beat, progress, .. }) => {
                self.progressed(&fence, *progress);
                return Ok(Some(ControlMessage::Extended { fence, worker: worker.clone(), beat: *beat }));
            }
            (Recorded::UnderWay, _) => self.started(&fence),
            (Recorded::Completed(completed), _) => {
                if let Report::Completed { artifacts, .. } = &report {
                    self.tell_surveys(artifacts.iter().map(|artifact| artifact.key), true);
                }
                self.order.done.push(fence.task);
                let kind = self.active_of(&fence).map(|active| active.kind);
                self.attempt_ended(&fence, &TaskResult::Done);
                if kind.is_none_or(moves_titles_on) {
                    completed.titles.iter().for_each(|(title, _)| next.reconcile(title));
                }
            }
            (Recorded::Failed(failed), _) => {
                if let Report::Failed { failure, retry } = report {
                    self.failed(&fence, failure, retry, failed.titles, next).await?;
                }
            }
            (Recorded::Released, _) => {
                self.order.tasks.insert(fence.task);
                self.attempt_ended(&fence, &TaskResult::Released);
            }
        }
        Ok(None)
    }

    fn started(&mut self, fence: &Fence) {
        let Some(active) = self.active_of(fence) else { return };
        active.started = Some(Instant::now());
        let (pool, waited) = (active.pool, active.ready_since.elapsed());
        let events: Vec<_> = active.titles.iter().map(|title| active.started_event(title)).collect();
        self.metrics.task_started(pool, waited);
        self.emit_all(events);
    }

    fn progressed(&mut self, fence: &Fence, progress: Progress) {
        let Some(active) = self.active_of(fence) else { return };
        let event =
            |title: &TitleId| FarmEvent::TaskProgress { title: title.clone(), task: fence.task, progress };
        let events: Vec<_> = active.titles.iter().map(event).collect();
        self.emit_all(events);
    }

    async fn failed(
        &mut self,
        fence: &Fence,
        failure: Failure,
        retry: RetryDecision,
        mut titles: Vec<TitleGeneration>,
        next: &mut Next,
    ) -> Result<(), SchedulerError> {
        self.order.tasks.insert(fence.task);
        if failure.code == Code::ArtifactMissing && retry != RetryDecision::Never {
            // Their next attempt would find the same artifact missing again.
            next.plan_again.extend(titles.iter().map(|(title, _)| (title.clone(), fence.task)));
        }
        if is_about_the_source(failure.code)
            && let Some(source) = self.store.task(&fence.task).await?.and_then(|record| record.source)
        {
            titles = self.those_of_source_first(titles, &source).await?;
        }
        let result = match retry {
            RetryDecision::After(_) | RetryDecision::Uncounted(_) => TaskResult::WillRetry(failure),
            RetryDecision::Never => TaskResult::Failed(failure),
        };
        self.attempt_ended(fence, &result);
        titles.iter().for_each(|(title, _)| next.reconcile(title));
        Ok(())
    }

    /// Brings forward the titles for which something has changed.
    async fn go_on(&mut self, next: Next) -> Result<(), SchedulerError> {
        for (title, task) in next.plan_again {
            self.plan_again(&title, task).await?;
        }
        for title in next.reconcile {
            self.reconcile(&title).await?;
        }
        Ok(())
    }

    /// Tells workers something. One that is not told learns of it at its next heartbeat, or when its lease ends.
    pub(crate) async fn tell(&self, messages: &[ControlMessage]) {
        if !messages.is_empty()
            && let Err(error) = self.broker.send_controls(messages).await
        {
            tracing::warn!(messages = messages.len(), %error, "workers were not told");
        }
    }

    /// Sorts the titles whose own source an attempt could not read before the others. They end; were they looked at later,
    /// the others would have put the task back to be tried from elsewhere, and the failure would be gone.
    async fn those_of_source_first(
        &self,
        titles: Vec<TitleGeneration>,
        source: &SourceReference,
    ) -> Result<Vec<TitleGeneration>, SchedulerError> {
        let (mut of_source, mut others) = (Vec::new(), Vec::new());
        for (id, generation) in titles {
            let title = self.store.title(&id).await?;
            let has_it = title.is_some_and(|title| delivered(&title.submission).any(|file| file == source));
            if has_it { &mut of_source } else { &mut others }.push((id, generation));
        }
        of_source.append(&mut others);
        Ok(of_source)
    }

    fn attempt_ended(&mut self, fence: &Fence, result: &TaskResult) {
        let Some(active) = self.active.remove(&fence.task) else { return };
        let end = match result {
            TaskResult::Done => AttemptEnd::Completed,
            TaskResult::WillRetry(_) | TaskResult::Failed(_) => AttemptEnd::Failed,
            TaskResult::Released => AttemptEnd::Released,
        };
        self.metrics.attempt_ended(active.kind, end);
        if let (TaskResult::Done, Some(started)) = (result, active.started) {
            self.metrics.task_completed(active.kind, started.elapsed());
            if let Some(worker) = active.worker.as_ref().filter(|_| !active.was_taken_over) {
                let took_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
                learn(&mut self.estimates, &active.task, active.source.as_ref(), worker, took_ms);
            }
        }
        let Active { title, titles, label, .. } = active;
        match result {
            TaskResult::WillRetry(failure) => {
                tracing::warn!(%title, task = %label, attempt = fence.attempt, code = %failure.code, "attempt failed, will try again: {}", failure.message);
            }
            TaskResult::Failed(failure) => {
                tracing::error!(%title, task = %label, attempt = fence.attempt, code = %failure.code, "task failed: {}", failure.message);
            }
            TaskResult::Done | TaskResult::Released => {
                tracing::debug!(%title, task = %label, attempt = fence.attempt, ?end, "attempt ended");
            }
        }
        let event = |title| FarmEvent::TaskFinished {
            title,
            task: fence.task,
            label: label.clone(),
            result: result.clone(),
        };
        self.emit_all(titles.into_iter().map(event));
    }

    /// A report on an attempt that is not the current one changes nothing, and its sender is told to stop.
    fn refused(&self, event: &WorkerEvent, fence: Fence) -> ControlMessage {
        self.metrics.stale_report();
        let worker = event.worker().clone();
        tracing::debug!(task = %fence.task.short(), attempt = fence.attempt, %worker, "stale report refused");
        ControlMessage::Stop { fence, worker: Some(worker) }
    }

    pub(crate) async fn on_tick(&mut self) -> Result<(), SchedulerError> {
        // While much waits to be heard, so may the heartbeat or the end of what looks lost.
        if !self.more_to_hear {
            self.rescue().await?;
        }
        self.clear_outbox().await?;
        let now = Instant::now();
        let over: Vec<_> = self
            .stopping
            .iter()
            .filter(|(_, stopping)| stopping.until <= now)
            .map(|(fence, stopping)| (*fence, stopping.title.clone()))
            .collect();
        let ended: Vec<_> = over.iter().map(|(fence, _)| *fence).collect();
        self.sweep_ended(ended);
        for (fence, title) in over {
            self.stopping.remove(&fence);
            self.active.retain(|_, active| active.fence != fence);
            self.order_outdated(&title);
            self.reconcile(&title).await?;
        }
        let quiet: Vec<_> =
            self.unquiet.iter().filter(|(_, until)| **until <= now).map(|(title, _)| title.clone()).collect();
        for title in quiet {
            self.unquiet.remove(&title);
            self.order_outdated(&title);
            self.reconcile(&title).await?;
        }
        self.take_up_postponed().await?;
        self.audit_order().await?;
        self.begin_forecast();
        self.tell_figures().await
    }

    /// Tells of the farm as it stands.
    pub(crate) async fn tell_figures(&mut self) -> Result<(), SchedulerError> {
        self.tell_of_the_farm();
        let counts = self.store.counts().await?;
        self.metrics.set_titles(counts.titles);
        self.metrics.set_tasks(counts.tasks);
        let waits_ms = counts.asked_ms.map_or(0, |asked_ms| self.order.now_ms() - asked_ms);
        self.metrics.set_review_wait(milliseconds(waits_ms));
        let now_ms = self.order.now_ms();
        let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.metrics.set_clock_offset(here.as_secs_f64() - now_ms as f64 / 1e3);
        Ok(())
    }

    /// Takes back the attempts whose lease has run out.
    async fn rescue(&mut self) -> Result<(), SchedulerError> {
        let expired = self.store.expired().await?;
        let lost = |attempt: &ExpiredAttempt| AttemptReport {
            fence: attempt.fence,
            report: Report::Lost {
                retry: if attempt.started {
                    self.options.retry.after_loss(attempt.losses + 1)
                } else {
                    self.options.retry.after_silence()
                },
            },
        };
        let reports: Vec<_> = expired.iter().map(lost).collect();
        if reports.is_empty() {
            return Ok(());
        }
        let (mut next, mut stops, mut ended) = (Next::default(), Vec::new(), Vec::new());
        for (report, recorded) in reports.iter().zip(self.store.record(&reports).await?) {
            // Otherwise a heartbeat came in meanwhile.
            let Recorded::Failed(lost) = recorded else { continue };
            let fence = report.fence;
            ended.push(fence);
            self.order.tasks.insert(fence.task);
            self.metrics.lease_rescued();
            stops.push(ControlMessage::Stop { fence, worker: None });
            if let Some(active) = self.active.remove(&fence.task) {
                self.metrics.attempt_ended(active.kind, AttemptEnd::Lost);
                tracing::warn!(title = %active.title, task = %active.label, attempt = fence.attempt, "lease expired, the worker is taken for lost");
            }
            if matches!(report.report, Report::Lost { retry: RetryDecision::Never }) {
                lost.titles.iter().for_each(|(title, _)| next.reconcile(title));
            }
        }
        self.tell(&stops).await;
        self.sweep_ended(ended);
        self.go_on(next).await
    }

    /// What a title wants has changed. Tells workers to stop the attempts that nobody wants any more, and remembers to
    /// wait for them.
    pub(crate) async fn wants_changed(&mut self, title: &TitleId, stopped: Vec<Fence>) {
        self.titles_outdated = true;
        self.order_outdated(title);
        // A worker that hears nothing goes on as long as its lease does, and then has that time to clear up.
        let until = Instant::now() + self.options.lease + ORIGIN_GRACE;
        for fence in &stopped {
            let active = self.active.get(&fence.task);
            let at_origin = active.is_none_or(|active| works_at_origin(active.kind));
            self.stopping.insert(*fence, Stopping { title: title.clone(), until, at_origin });
        }
        let stop = |fence| ControlMessage::Stop { fence, worker: None };
        self.tell(&stopped.into_iter().map(stop).collect::<Vec<_>>()).await;
    }

    /// Learns which titles want the attempts under way, where that may have changed. Kept here because there are too many
    /// heartbeats to ask the store at each. Whoever watches a title that has come to share an attempt is told of it.
    pub(crate) async fn refresh_titles(&mut self) -> Result<(), SchedulerError> {
        if !std::mem::take(&mut self.titles_outdated) {
            return Ok(());
        }
        let mut wanted = self.store.wanted_attempts().await?;
        let mut events = Vec::new();
        for (task, active) in &mut self.active {
            let titles = wanted.remove(task).unwrap_or_default();
            if active.started.is_some() {
                let joined = titles.iter().filter(|title| !active.titles.contains(title));
                events.extend(joined.map(|title| active.started_event(title)));
            }
            active.titles = titles;
        }
        self.emit_all(events);
        Ok(())
    }

    fn emit_all(&self, events: impl IntoIterator<Item = FarmEvent>) {
        for event in events {
            self.emit(event);
        }
    }

    fn active_of(&mut self, fence: &Fence) -> Option<&mut Active> {
        self.active.get_mut(&fence.task).filter(|active| active.fence == *fence)
    }
}

//! What becomes of attempts: workers' reports, leases that run out, and attempts that nobody wants any more.

use std::time::Instant;

use reelfarm_model::message::{ControlMessage, WorkerEvent};
use reelfarm_model::{AttemptOutcome, Code, Fence, Pool, SourceReference, TaskKind, TitleId, WorkerId};
use reelfarm_store::{RetryDecision, TitleGeneration};
use reelfarm_telemetry::metrics::AttemptEnd;

use crate::delivered::delivered;
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
    pub(crate) kind: TaskKind,
    pub(crate) pool: Pool,
    pub(crate) ready_since: Instant,
    pub(crate) started: Option<Instant>,
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

impl Scheduler {
    pub(crate) async fn on_event(&mut self, event: WorkerEvent) -> Result<(), SchedulerError> {
        match event {
            WorkerEvent::Started { fence, worker } => {
                if !self.store.started(&fence, &worker).await? {
                    return self.refuse(fence, worker, "started").await;
                }
                if let Some(active) = self.active_of(&fence) {
                    active.started = Some(Instant::now());
                    let (pool, waited) = (active.pool, active.ready_since.elapsed());
                    let events: Vec<_> =
                        active.titles.iter().map(|title| active.started_event(title)).collect();
                    self.metrics.task_started(pool, waited);
                    self.emit_all(events);
                }
            }
            WorkerEvent::Heartbeat { fence, worker, beat, progress } => {
                if !self.store.extend(&fence, self.options.lease, progress).await? {
                    return self.refuse(fence, worker, "heartbeat").await;
                }
                self.broker.send_control(&ControlMessage::Extended { fence, beat }).await?;
                if let Some(active) = self.active_of(&fence) {
                    let event = |title: &TitleId| FarmEvent::TaskProgress {
                        title: title.clone(),
                        task: fence.task,
                        progress,
                    };
                    let events: Vec<_> = active.titles.iter().map(event).collect();
                    self.emit_all(events);
                }
            }
            WorkerEvent::Finished { fence, worker, outcome } => {
                self.on_finished(fence, worker, outcome).await?;
            }
        }
        Ok(())
    }

    async fn on_finished(
        &mut self,
        fence: Fence,
        worker: WorkerId,
        outcome: AttemptOutcome,
    ) -> Result<(), SchedulerError> {
        if let Some((title, _)) = self.stopping.remove(&fence) {
            // Told to stop, and now it has: nothing of it counts, but a withdrawal may have waited for it.
            self.active.retain(|_, active| active.fence != fence);
            return self.reconcile(&title).await;
        }
        // Titles whose next attempt would find the same artifact missing again.
        let mut missing_for = Vec::new();
        let (titles, result) = match outcome {
            AttemptOutcome::Completed { artifacts, result } => {
                match self.store.complete(&fence, &artifacts, result.as_ref()).await? {
                    Some(completed) => (completed.titles, TaskResult::Done),
                    None => return self.refuse(fence, worker, "completed").await,
                }
            }
            AttemptOutcome::Failed { failure } => {
                let Some(record) = self.store.task(&fence.task).await? else {
                    return self.refuse(fence, worker, "failed").await;
                };
                let decision = self.options.retry.after_failure(failure.class, record.failures + 1);
                match self.store.fail(&fence, &failure, decision).await? {
                    Some(failed) => {
                        if failure.code == Code::ArtifactMissing && decision != RetryDecision::Never {
                            missing_for = failed.titles.iter().map(|(title, _)| title.clone()).collect();
                        }
                        let mut titles = failed.titles;
                        if is_about_the_source(failure.code)
                            && let Some(source) = &record.source
                        {
                            titles = self.those_of_source_first(titles, source).await?;
                        }
                        let result = match decision {
                            RetryDecision::After(_) => TaskResult::WillRetry(failure),
                            RetryDecision::Never => TaskResult::Failed(failure),
                        };
                        (titles, result)
                    }
                    None => return self.refuse(fence, worker, "failed").await,
                }
            }
            AttemptOutcome::Released => {
                if !self.store.release(&fence).await? {
                    return self.refuse(fence, worker, "released").await;
                }
                (Vec::new(), TaskResult::Released)
            }
        };
        self.attempt_ended(&fence, &result);
        for title in missing_for {
            self.plan_again(&title).await?;
        }
        for (title, _) in titles {
            self.reconcile(&title).await?;
        }
        Ok(())
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

    /// A report on an attempt that is not the current one: it changes nothing, and its sender is told to stop.
    async fn refuse(
        &mut self,
        fence: Fence,
        worker: WorkerId,
        report: &'static str,
    ) -> Result<(), SchedulerError> {
        self.metrics.stale_report();
        tracing::debug!(task = %fence.task.short(), attempt = fence.attempt, %worker, report, "stale report refused");
        Ok(self.broker.send_control(&ControlMessage::Stop { fence, worker: Some(worker) }).await?)
    }

    pub(crate) async fn on_tick(&mut self) -> Result<(), SchedulerError> {
        for expired in self.store.expired().await? {
            let decision = self.options.retry.after_loss(expired.losses + 1);
            self.metrics.lease_rescued();
            let Some(lost) = self.store.lost(&expired.fence, decision).await? else { continue };
            self.broker.send_control(&ControlMessage::Stop { fence: expired.fence, worker: None }).await?;
            if let Some(active) = self.active.remove(&expired.fence.task) {
                self.metrics.attempt_ended(active.kind, AttemptEnd::Lost);
                tracing::warn!(title = %active.title, task = %active.label, attempt = expired.fence.attempt, "lease expired, the worker is taken for lost");
            }
            if decision == RetryDecision::Never {
                for (title, _) in lost.titles {
                    self.reconcile(&title).await?;
                }
            }
        }
        let now = Instant::now();
        let over: Vec<_> = self
            .stopping
            .iter()
            .filter(|(_, (_, deadline))| *deadline <= now)
            .map(|(fence, (title, _))| (*fence, title.clone()))
            .collect();
        for (fence, title) in over {
            self.stopping.remove(&fence);
            self.active.retain(|_, active| active.fence != fence);
            self.reconcile(&title).await?;
        }
        let counts = self.store.counts().await?;
        self.metrics.set_titles(counts.titles);
        self.metrics.set_tasks(counts.tasks);
        Ok(())
    }

    /// What a title wants has changed. Tells workers to stop the attempts that nobody wants any more, and remembers to
    /// wait for them.
    pub(crate) async fn wants_changed(&mut self, title: &TitleId, stopped: Vec<Fence>) {
        self.titles_outdated = true;
        for fence in stopped {
            self.stopping.insert(fence, (title.clone(), Instant::now() + self.options.lease));
            if let Err(error) = self.broker.send_control(&ControlMessage::Stop { fence, worker: None }).await
            {
                // The worker learns of it at its next heartbeat, which will be refused.
                tracing::warn!(%title, task = %fence.task.short(), %error, "stop not sent");
            }
        }
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

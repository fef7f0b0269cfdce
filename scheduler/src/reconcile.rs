//! Brings a title forward as far as its tasks allow.
//!
//! Written as "look at what is, do what is next" rather than "on this event do that", so the same code carries on
//! after a restart, after a lost message and after a resubmission.

use std::collections::BTreeSet;
use std::time::Instant;

use reelfarm_model::index::Withdrawal;
use reelfarm_model::ladder::Ladder;
use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{
    Code, Digest, Failure, Part, Task, TaskKey, TaskKind, TaskSpec, TaskState, Title, TitleId, TitleState,
};
use reelfarm_store::{PlannedCost, PlannedTask, TaskRecord, TitleChange};
use serde::de::DeserializeOwned;

use crate::cost::after_ms;
use crate::delivered::read_by;
use crate::estimates::expected;
use crate::event::FarmEvent;
use crate::plan::withdraw_task;
use crate::planning::Delivered;
use crate::review::Ruled;
use crate::service::{Scheduler, SchedulerError};
use crate::survey::Found;

/// What looking at a title led to.
pub(crate) enum Step {
    /// Its state changed: look again.
    Again,
    /// It waits for tasks.
    Wait,
}

impl Scheduler {
    /// Does for a title whatever is next, until it waits for tasks or has ended.
    pub(crate) async fn reconcile(&mut self, id: &TitleId) -> Result<(), SchedulerError> {
        while let Some(title) = self.store.title(id).await? {
            if title.state == TitleState::Checking && self.postponed.holds_back(&title, Instant::now()) {
                break;
            }
            let step = match title.state {
                TitleState::Checking => self.check(&title).await?,
                TitleState::Review => self.await_decision(&title).await?,
                TitleState::Preparing => self.prepare(&title).await?,
                TitleState::Withdrawing => self.withdraw(&title).await?,
                TitleState::Published | TitleState::Rejected | TitleState::Failed | TitleState::Cancelled => {
                    Step::Wait
                }
            };
            if matches!(step, Step::Wait) {
                break;
            }
        }
        Ok(())
    }

    /// Fingerprints, then measurements, then the verdict; with that the film's length is known, and its subtitles are made.
    /// All that, before anything is encoded, may end the title; then a person is asked, where the verdict is left to people,
    /// the ladder is fitted to the film, where it asks for that, and the title is planned.
    async fn check(&mut self, title: &Title) -> Result<Step, SchedulerError> {
        let film = self.film_fingerprint_task(&title.submission);
        // Both are asked for before either is waited for, so that all that was delivered is read at once.
        let (film, subtitles) =
            (self.result_of::<Fingerprint>(title, film).await?, self.subtitles(title).await?);
        let (fingerprint, subtitles) = match (film, subtitles) {
            (Ok(Some(fingerprint)), Ok(Some(subtitles))) => (fingerprint, subtitles),
            (Err(failure), _) | (_, Err(failure)) => return self.end(title, Some(failure)).await,
            _ => return Ok(Step::Wait),
        };
        let submission = &title.submission;
        let ladder = match Ladder::parse(&submission.ladder.file, &submission.ladder.text) {
            Ok(ladder) => ladder,
            Err(error) => {
                return self.end(title, Some(Failure::new(Code::LadderInvalid, error.to_string()))).await;
            }
        };
        let report = match self.report(title, &fingerprint, &ladder).await? {
            Ok(Some(report)) => report,
            Ok(None) => return Ok(Step::Wait),
            Err(failure) => return self.end(title, Some(failure)).await,
        };
        let Some(conclusion) = report.conclusion.as_ref() else {
            self.metrics.qc_judged(&report);
            let change = TitleChange {
                source_digest: Some(fingerprint.sha256),
                failure: Some(rejection(&report)),
                report: Some(report),
                ..over(TitleState::Rejected, title.leftovers)
            };
            return self.advance(title, change).await;
        };
        // Before anything is done for its sake that would be in vain.
        let ruled = self.ruled(title, fingerprint.sha256, &report).await?;
        let policy_digest = (!matches!(ruled, Ruled::Unasked)).then(|| self.judged_by(title));
        if let Ruled::Rejected(failure) = ruled {
            self.judged(title, &report);
            let change = TitleChange {
                source_digest: Some(fingerprint.sha256),
                failure: Some(failure),
                report: Some(report),
                policy_digest,
                ..over(TitleState::Rejected, title.leftovers)
            };
            return self.advance(title, change).await;
        }
        let delivered = Delivered {
            title,
            source: fingerprint.sha256,
            conclusion,
            ladder: &ladder,
            subtitles: &subtitles,
        };
        let graph = match self.graph(&delivered) {
            Ok(graph) => graph,
            Err(failure) => return self.end(title, Some(failure)).await,
        };
        match self.subtitles_are_made(title, &graph, &subtitles).await? {
            Ok(true) => {}
            Ok(false) => return Ok(Step::Wait),
            Err(failure) => {
                self.judged(title, &report);
                return self.end(title, Some(failure)).await;
            }
        }
        if matches!(ruled, Ruled::Open) {
            self.judged(title, &report);
            let change = TitleChange {
                to: Some(TitleState::Review),
                source_digest: Some(fingerprint.sha256),
                report: Some(report),
                policy_digest,
                ..TitleChange::default()
            };
            return self.advance(title, change).await;
        }
        let fitted = match self.fitted(title, fingerprint.sha256, conclusion, &ladder).await? {
            Ok(Some(fitted)) => fitted,
            Ok(None) => return Ok(Step::Wait),
            Err(failure) => {
                self.judged(title, &report);
                return self.end(title, Some(failure)).await;
            }
        };
        let delivered = Delivered { conclusion: &fitted, ..delivered };
        let graph = match self.graph(&delivered) {
            Ok(graph) => graph,
            Err(failure) => return self.end(title, Some(failure)).await,
        };
        let found = match self.surveyed(title, &graph).await? {
            None => return Ok(Step::Wait),
            Some(Ok(found)) => found,
            Some(Err(failure)) => return self.unplanned(title, failure).await,
        };
        let Found { online, in_storage } = found;
        if let Some(failure) = self.is_foreign(submission, fingerprint.sha256, online).await? {
            return self.unplanned(title, failure).await;
        }
        let graph = match self.graph_beside(graph, &delivered, &in_storage).await? {
            Ok(graph) => graph,
            Err(failure) => return self.end(title, Some(failure)).await,
        };
        self.plan(title, &graph, &subtitles, in_storage).await?;
        // Not before: a title that waits is looked at again, and its film was judged once.
        self.judged(title, &report);
        let report = QcReport { conclusion: Some(fitted), ..report };
        let change = TitleChange {
            to: Some(TitleState::Preparing),
            source_digest: Some(fingerprint.sha256),
            report: Some(report),
            policy_digest,
            ..TitleChange::default()
        };
        self.advance(title, change).await
    }

    /// Counts a verdict, unless that was done when somebody was asked about it.
    fn judged(&self, title: &Title, report: &QcReport) {
        if !self.was_asked_about(title) {
            self.metrics.qc_judged(report);
        }
    }

    /// Waits for the publication, or ends the title with the first task that failed for good.
    async fn prepare(&mut self, title: &Title) -> Result<Step, SchedulerError> {
        let tasks = self.store.tasks_of(&title.submission.title).await?;
        let failed = tasks.iter().filter(|record| record.state == TaskState::Failed);
        for failed in failed.filter(|failed| !is_superseded(failed, &tasks)) {
            if !self.try_from_own_source(title, failed).await? {
                return self.end(title, Some(failure_of(failed))).await;
            }
        }
        let published =
            tasks.iter().any(|record| publishes_whole(&record.task.spec) && record.state == TaskState::Done);
        if published {
            return self.advance(title, over(TitleState::Published, false)).await;
        }
        Ok(Step::Wait)
    }

    /// Waits until no stopped attempt can still write to the origin, then has what it left there taken away.
    async fn withdraw(&mut self, title: &Title) -> Result<Step, SchedulerError> {
        let id = &title.submission.title;
        if self.is_unquiet(id) {
            return Ok(Step::Wait);
        }
        let task = withdraw_task(title, self.options.profiles.all(), &self.options.tools);
        let record = match self.record_of(title, task, &[]).await? {
            Some(record) if matches!(record.state, TaskState::Done | TaskState::Failed) => record,
            _ => return Ok(Step::Wait),
        };
        let online = self.is_online_all_the_same(title, &record).await?;
        if matches!(online, Some(Part::Whole)) {
            let message = "its publication had taken place before it could be stopped";
            if is_refused_by_a_person(title) {
                tracing::error!(title = %id, "rejected too late, and online: {message}");
            } else {
                tracing::warn!(title = %id, "{message}");
            }
            return self.advance(title, over(TitleState::Published, false)).await;
        }
        let mut failure = title.failure.clone();
        if online.is_some() {
            tracing::warn!(title = %id, "what went first of it is online, and stays");
            if let Some(failure) = &mut failure {
                failure.message.push_str("; what went first of it is online and stays there");
            }
        }
        if record.state == TaskState::Failed {
            let left = failure_of(&record);
            match &mut failure {
                Some(failure) => failure.message.push_str(
                    "; what it had copied to the origin could not be taken away either: the next submission does that",
                ),
                None => failure = Some(left),
            }
        }
        let is_rejected = title.report.as_ref().is_some_and(|report| report.conclusion.is_none())
            || is_refused_by_a_person(title);
        let to = match &failure {
            Some(_) if is_rejected => TitleState::Rejected,
            Some(_) => TitleState::Failed,
            None => TitleState::Cancelled,
        };
        let leftovers = Some(record.state == TaskState::Failed);
        self.advance(title, TitleChange { to: Some(to), failure, leftovers, ..TitleChange::default() }).await
    }

    /// What a withdrawal found online of the very version that was to be withdrawn: the whole, where the attempt that
    /// published it was stopped or lost before it could say so; or what went first. An older version may be gone by then, so
    /// there is no way back.
    async fn is_online_all_the_same(
        &self,
        title: &Title,
        withdrawal: &TaskRecord,
    ) -> Result<Option<Part>, SchedulerError> {
        let found = withdrawal.result.clone().and_then(|found| serde_json::from_value(found).ok());
        let Some(Withdrawal { online: Some(online), .. }) = found else { return Ok(None) };
        let tasks = self.store.tasks_of(&title.submission.title).await?;
        Ok(tasks.iter().find_map(|record| match &record.task.spec {
            TaskSpec::Publish(spec) if record.attempt > 0 && spec.version() == online => {
                Some(if spec.more_follow { Part::First } else { Part::Whole })
            }
            _ => None,
        }))
    }

    /// Ends a title that is under way: failed for `failure`, or cancelled where there is none.
    pub(crate) async fn end_title(
        &mut self,
        title: &Title,
        failure: Option<Failure>,
    ) -> Result<(), SchedulerError> {
        self.end(title, failure).await?;
        self.reconcile(&title.submission.title).await
    }

    pub(crate) async fn end(
        &mut self,
        title: &Title,
        failure: Option<Failure>,
    ) -> Result<Step, SchedulerError> {
        let tasks = self.store.tasks_of(&title.submission.title).await?;
        let leftovers = title.leftovers || tasks.iter().any(has_touched_origin);
        let to = if failure.is_some() { TitleState::Failed } else { TitleState::Cancelled };
        self.advance(title, TitleChange { failure, ..over(to, leftovers) }).await
    }

    async fn advance(&mut self, title: &Title, change: TitleChange) -> Result<Step, SchedulerError> {
        let id = &title.submission.title;
        self.postponed.forget(id);
        self.misses_nothing(id);
        if let Some(advanced) = self.store.advance(id, title.generation, title.state, change).await? {
            self.wants_changed(id, advanced.stopped).await;
        }
        if let Some(changed) = self.store.title(id).await? {
            tracing::info!(title = %id, state = changed.state.as_str(), "title changed");
            self.emit(FarmEvent::TitleChanged(Box::new(changed)));
        }
        Ok(Step::Again)
    }

    /// The record of a task of this title, which is planned where it is not yet.
    pub(crate) async fn record_of(
        &mut self,
        title: &Title,
        task: Task,
        subtitles: &[(SubtitleFile, Digest)],
    ) -> Result<Option<TaskRecord>, SchedulerError> {
        Ok(self.records_of(title, vec![task], subtitles).await?.into_iter().next().flatten())
    }

    /// The records of tasks of this title, which are planned where they are not yet.
    async fn records_of(
        &mut self,
        title: &Title,
        tasks: Vec<Task>,
        subtitles: &[(SubtitleFile, Digest)],
    ) -> Result<Vec<Option<TaskRecord>>, SchedulerError> {
        let id = &title.submission.title;
        let keys: Vec<TaskKey> = tasks.iter().map(|task| task.key).collect();
        let mut records = self.store.tasks_of(id).await?;
        let is_known = |task: &Task| records.iter().any(|record| record.task.key == task.key);
        let unknown = tasks.into_iter().filter(|task| !is_known(task));
        let planned: Vec<PlannedTask> = unknown
            .map(|task| PlannedTask {
                source: read_by(&task.spec, &title.submission, subtitles).cloned(),
                cost: self.cost_before_planning(&task, title),
                task,
                needs: BTreeSet::new(),
                redo: false,
            })
            .collect();
        if !planned.is_empty() {
            if let Some(done) = self.store.plan(id, title.generation, &planned).await? {
                self.wants_changed(id, done.stopped).await;
            }
            records = self.store.tasks_of(id).await?;
        }
        let find = |key: &TaskKey| records.iter().find(|record| record.task.key == *key).cloned();
        Ok(keys.iter().map(find).collect())
    }

    /// What is expected of a task that is done before its title is planned.
    fn cost_before_planning(&self, task: &Task, title: &Title) -> PlannedCost {
        let source = &title.submission.source;
        let expected_ms = expected(&self.estimates, task, Some(source)).expected_ms;
        let is_measured = title.submission.qc_report.is_none();
        PlannedCost {
            expected_ms,
            tail_ms: expected_ms + after_ms(task, source, is_measured),
            part: Part::Whole,
        }
    }

    /// The result of a task whose result the scheduler itself reads: there, not there yet, or failed for good.
    pub(crate) async fn result_of<T: DeserializeOwned>(
        &mut self,
        title: &Title,
        task: Task,
    ) -> Result<Result<Option<T>, Failure>, SchedulerError> {
        let results = self.results_of(title, vec![task]).await?;
        Ok(results.map(|results| results.into_iter().next().flatten()))
    }

    /// The results of several such tasks, in their order; all are planned at once.
    pub(crate) async fn results_of<T: DeserializeOwned>(
        &mut self,
        title: &Title,
        tasks: Vec<Task>,
    ) -> Result<Result<Vec<Option<T>>, Failure>, SchedulerError> {
        let mut results = Vec::with_capacity(tasks.len());
        for record in self.records_of(title, tasks, &[]).await? {
            results.push(match record {
                Some(record) if record.state == TaskState::Failed => {
                    if !self.try_from_own_source(title, &record).await? {
                        return Ok(Err(failure_of(&record)));
                    }
                    None
                }
                Some(record) if record.state == TaskState::Done => match result_in(record) {
                    Ok(result) => Some(result),
                    Err(failure) => return Ok(Err(failure)),
                },
                _ => None,
            });
        }
        Ok(Ok(results))
    }

    /// Puts a task back that failed because of its source, where that was not this title's: equal bytes may lie in
    /// several places, and one that is gone or damaged is no reason to fail a title that was submitted from another.
    pub(crate) async fn try_from_own_source(
        &mut self,
        title: &Title,
        failed: &TaskRecord,
    ) -> Result<bool, SchedulerError> {
        let id = &title.submission.title;
        let about_the_source =
            failed.last_failure.as_ref().is_some_and(|failure| is_about_the_source(failure.code));
        if !about_the_source {
            return Ok(false);
        }
        let subtitles = match &failed.task.spec {
            TaskSpec::Subtitles(_) => self.known_subtitles(title).await?,
            _ => Vec::new(),
        };
        let Some(own) = read_by(&failed.task.spec, &title.submission, &subtitles) else { return Ok(false) };
        if failed.source.as_ref().is_none_or(|source| source == own) {
            return Ok(false);
        }
        tracing::info!(title = %id, task = %failed.task.spec.label(), source = %own.path.display(), "trying again from this title's own source");
        let again = PlannedTask {
            task: failed.task.clone(),
            source: Some(own.clone()),
            needs: failed.needs.clone(),
            redo: false,
            cost: self.cost_before_planning(&failed.task, title),
        };
        let Some(done) = self.store.plan(id, title.generation, &[again]).await? else { return Ok(false) };
        self.wants_changed(id, done.stopped).await;
        Ok(true)
    }
}

/// The result of a task that is done.
fn result_in<T: DeserializeOwned>(record: TaskRecord) -> Result<T, Failure> {
    let label = record.task.spec.label();
    let lost = |message: String| Failure::new(Code::Internal, message);
    let result = record.result.ok_or_else(|| lost(format!("{label} finished without a result")))?;
    serde_json::from_value(result)
        .map_err(|error| lost(format!("the result of {label} cannot be read: {error}")))
}

/// Whether somebody looked at a title and rejected it.
fn is_refused_by_a_person(title: &Title) -> bool {
    title.failure.as_ref().is_some_and(|failure| failure.code == Code::ReviewRejected)
}

/// Whether it is the last step of a title, after which all of it is online.
const fn publishes_whole(spec: &TaskSpec) -> bool {
    matches!(spec, TaskSpec::Publish(spec) if !spec.more_follow)
}

/// Whether a task that failed was planned by an older program, with whose tools no worker is left, and the same was done by
/// newer ones: nothing is lost with it.
fn is_superseded(failed: &TaskRecord, tasks: &[TaskRecord]) -> bool {
    let supersedes = |other: &TaskRecord| {
        other.state == TaskState::Done
            && other.task.key != failed.task.key
            && other.task.spec == failed.task.spec
    };
    tasks.iter().any(supersedes)
}

/// Whether an attempt of a task has worked at its title's folder at the origin.
pub(crate) const fn has_touched_origin(record: &TaskRecord) -> bool {
    matches!(record.task.spec.kind(), TaskKind::Upload | TaskKind::Publish) && record.attempt > 0
}

/// The end of a title, or the way there where something is to be taken away from the origin first.
pub(crate) fn over(end: TitleState, leftovers: bool) -> TitleChange {
    let to = if leftovers { TitleState::Withdrawing } else { end };
    TitleChange { to: Some(to), leftovers: Some(leftovers), ..TitleChange::default() }
}

/// Whether a failure with this code says that the source as it lies there cannot be worked from.
pub(crate) const fn is_about_the_source(code: Code) -> bool {
    matches!(
        code,
        Code::SourceNotFound
            | Code::SourceNotAFile
            | Code::SourceEmpty
            | Code::SourceUnreadable
            | Code::SourceUnreachable
            | Code::SourceChanged
    )
}

pub(crate) fn failure_of(record: &TaskRecord) -> Failure {
    record.last_failure.clone().unwrap_or_else(|| {
        Failure::new(
            Code::WorkerLost,
            format!(
                "{} was given up: its worker was lost {} times (a file that kills its worker, or too little memory)",
                record.task.spec.label_with(record.source.as_ref()),
                record.losses
            ),
        )
    })
}

/// A rejection in one sentence: the first check that rejects, and the codes of the others.
pub(crate) fn rejection(report: &QcReport) -> Failure {
    let mut rejecting = report.checks.iter().filter(|check| check.verdict == Verdict::Reject);
    let Some(first) = rejecting.next() else {
        return Failure::new(Code::Internal, "QC rejected the source without a reason");
    };
    let others: Vec<_> = rejecting.map(|check| check.code.as_str()).collect();
    let others = if others.is_empty() { String::new() } else { format!(", and {}", others.join(", ")) };
    let remedy = if first.remedy.is_empty() { String::new() } else { format!("; {}", first.remedy) };
    Failure::new(
        first.code,
        format!("QC rejects it: {}: {} (accepted: {}){others}{remedy}", first.name, first.value, first.limit),
    )
}

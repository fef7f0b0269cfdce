//! What would be done for a title if it were submitted now: with another ladder, in other profiles, or as it was.
//!
//! Promises: nothing is planned, dispatched or changed. What is told is what a submission of the same would run, as long as
//! neither storage nor the title changes until then. Where a submission would first have the film read or measured anew, because
//! other tools would, the rest is what follows if they find the same as before; where the ladder would first be fitted to it, what
//! follows with the ladder as it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use reelfarm_api::{PlanPreview, PreviewedTask};
use reelfarm_model::qc::Conclusion;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::task::Trial;
use reelfarm_model::title::{Submission, SubtitleFile};
use reelfarm_model::{
    Code, Digest, Failure, Ladder, Measurements, Pool, QcReport, Task, TaskSpec, TaskState, Title,
};
use reelfarm_qc::delivery::Delivery;
use reelfarm_store::TaskRecord;
use tokio::sync::oneshot;

use crate::commands::{explain, wrong_state};
use crate::errands::Returned;
use crate::estimates::expected;
use crate::judgement::{not_computed, taken};
use crate::plan::{Reduction, Step, fingerprint_task, measure_task, reasons, trials};
use crate::planning::Delivered;
use crate::reconcile::rejection;
use crate::review::Ruled;
use crate::service::Scheduler;
use crate::survey::Found;
use crate::trials::fitted;

/// How long storage is looked at for somebody who waits for the plan; a request may take a little longer.
const PATIENCE: Duration = Duration::from_secs(25);

/// A title as it would be submitted, with what is known of it.
pub(crate) struct Previewed {
    title: Title,
    source: Digest,
    conclusion: Conclusion,
    ladder: Ladder,
    subtitles: Vec<(SubtitleFile, Digest)>,
    /// What would be read and measured anew first.
    unknown: Vec<Task>,
}

/// What is known of something that is read or measured, from the task that would do it now or from an earlier one.
struct Learnt<T> {
    found: T,
    /// The task, where it was an earlier one.
    to_do: Option<Task>,
}

impl Previewed {
    fn delivered(&self) -> Delivered<'_> {
        let Self { title, source, conclusion, ladder, subtitles, .. } = self;
        Delivered { title, source: *source, conclusion, ladder, subtitles }
    }
}

impl Scheduler {
    /// Has storage looked at for somebody who wants to see a plan.
    pub(crate) async fn begin_preview(
        &mut self,
        submission: Submission,
        reply: oneshot::Sender<Result<PlanPreview, Failure>>,
    ) {
        let sought = async {
            let previewed = self.previewed(submission).await?;
            let graph = self.graph(&previewed.delivered())?;
            let sought = self.sought(&previewed.title, &graph).await.map_err(explain)?;
            Ok((previewed, sought))
        };
        let (previewed, sought) = match sought.await {
            Ok(found) => found,
            Err(failure) => return drop(reply.send(Err(failure))),
        };
        let (artifacts, turns) = (self.artifacts.clone(), self.survey_turns(sought.origin()));
        self.errands.spawn(async move {
            let look = async {
                // Never closed.
                let _turn = turns.acquire().await;
                sought.look(&artifacts).await
            };
            let found = tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| {
                let Submission { title, origin, .. } = &previewed.title.submission;
                let message = format!(
                    "what lies in storage of {title} was not told in {} s: {origin} or the artifact store is slow; try again \
                     later, or submit the title, which waits for longer",
                    PATIENCE.as_secs()
                );
                Err(Failure::new(Code::OriginUnreachable, message))
            });
            Returned::Previewed { previewed: Box::new(previewed), found: Box::new(found), reply }
        });
    }

    /// Answers with the plan, once it is known what lies in storage.
    pub(crate) async fn on_previewed(
        &self,
        previewed: Previewed,
        found: Result<Found, Failure>,
        reply: oneshot::Sender<Result<PlanPreview, Failure>>,
    ) {
        let preview = match found {
            Ok(found) => self.plan_preview(&previewed, found).await,
            Err(failure) => Err(failure),
        };
        drop(reply.send(preview));
    }

    async fn plan_preview(&self, previewed: &Previewed, found: Found) -> Result<PlanPreview, Failure> {
        let (delivered, submission) = (previewed.delivered(), &previewed.title.submission);
        let graph = self.graph(&delivered)?;
        let graph = self.graph_beside(graph, &delivered, &found.in_storage).await.map_err(explain)??;
        let facts = self.facts(&graph, found.in_storage).await.map_err(explain)?;
        let mut reduction = Reduction::of(&graph, &facts, &self.options.tools);
        let first = |task: &Task| Step { task: task.clone(), needs: BTreeSet::new(), run: true };
        reduction.steps.splice(..0, previewed.unknown.iter().map(first));
        let before = self.store.tasks_of(&submission.title).await?;
        let reasons = reasons(&reduction, &before, &facts.available);
        let mut work_ms: BTreeMap<Pool, i64> = BTreeMap::new();
        let mut tasks = Vec::with_capacity(reduction.steps.len());
        for (step, runs) in reduction.steps.iter().zip(reasons) {
            let expected_ms = expected(&self.estimates, &step.task, Some(&submission.source)).expected_ms;
            if runs.is_some() {
                *work_ms.entry(step.task.spec.pool()).or_default() += expected_ms;
            }
            let (label, kind) = (step.task.spec.label(), step.task.spec.kind());
            tasks.push(PreviewedTask { label, kind, expected_ms, runs });
        }
        let ladder = submission.ladder.file.clone();
        let fitted = previewed.conclusion.fitted.clone();
        let untried = previewed.ladder.per_title.is_some()
            && previewed.unknown.iter().any(|task| matches!(task.spec, TaskSpec::Trial(_)));
        Ok(PlanPreview { title: submission.title.clone(), ladder, fitted, untried, tasks, work_ms })
    }

    async fn previewed(&self, submission: Submission) -> Result<Previewed, Failure> {
        let known = self.known_title(&submission.title).await?;
        let ladder = Ladder::parse(&submission.ladder.file, &submission.ladder.text)
            .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
        let title = Title { submission, ..known };
        let before = self.store.tasks_of(&title.submission.title).await?;
        let unread =
            || wrong_state(&title, "planned for a look: what was delivered has not been read so far");
        let fingerprint = self.film_fingerprint_task(&title.submission);
        let film = self.learnt::<Fingerprint>(fingerprint, &before).await?.ok_or_else(unread)?;
        let mut unknown: Vec<Task> = film.to_do.into_iter().collect();
        let mut subtitles = Vec::new();
        for file in &title.submission.subtitles {
            let task = fingerprint_task(&file.file, false, &self.options.tools);
            let learnt = self.learnt::<Fingerprint>(task, &before).await?.ok_or_else(unread)?;
            unknown.extend(learnt.to_do);
            subtitles.push((file.clone(), learnt.found.sha256));
        }
        let source = film.found.sha256;
        let report = self.foreseen_report(&title, &film.found, &ladder, &before).await?;
        unknown.extend(report.to_do);
        let report = report.found;
        let failure = rejection(&report);
        let ruled = self.ruled(&title, source, &report).await.map_err(explain)?;
        let conclusion = report.conclusion.ok_or(failure)?;
        match ruled {
            Ruled::Unasked | Ruled::Approved => {}
            Ruled::Rejected(failure) => return Err(failure),
            Ruled::Open => {
                let what = "planned for a look: submitted so, it would wait for a person to approve it";
                return Err(wrong_state(&title, what));
            }
        }
        let conclusion = self.foreseen_fit(source, conclusion, &ladder, &mut unknown).await?;
        Ok(Previewed { title, source, conclusion, ladder, subtitles, unknown })
    }

    /// What QC concluded, with the ladder fitted to the film as far as it was tried; trials that would be run are added to
    /// `unknown`.
    async fn foreseen_fit(
        &self,
        source: Digest,
        conclusion: Conclusion,
        ladder: &Ladder,
        unknown: &mut Vec<Task>,
    ) -> Result<Conclusion, Failure> {
        let wanted = trials(source, &conclusion, ladder, &self.options.tools);
        let mut found = VecDeque::new();
        for (_, task) in wanted.iter().flat_map(|rung| &rung.stretches) {
            let trial = self.learnt::<Trial>(task.clone(), &[]).await?;
            if trial.is_none() {
                unknown.push(task.clone());
            }
            found.push_back(trial.map(|learnt| learnt.found));
        }
        let fitted = fitted(&conclusion, ladder, &wanted, || found.pop_front().flatten());
        Ok(fitted.unwrap_or(conclusion))
    }

    /// What QC would say of a title's film for a ladder, from what it measured.
    async fn foreseen_report(
        &self,
        title: &Title,
        film: &Fingerprint,
        ladder: &Ladder,
        before: &[TaskRecord],
    ) -> Result<Learnt<QcReport>, Failure> {
        let submission = &title.submission;
        let policy = self.policy_of(title).policy();
        let delivery = Delivery { found: film, stated: &submission.checksums };
        let complete = |report| delivery.complete(policy, report).map_err(not_computed);
        if let Some(report) = &submission.qc_report {
            let found = complete(taken(report, film.sha256, ladder)?)?;
            return Ok(Learnt { found, to_do: None });
        }
        if let Some(refused) = delivery.refused(policy, ladder).map_err(not_computed)? {
            return Ok(Learnt { found: refused, to_do: None });
        }
        let measure = measure_task(film.sha256, &self.options.tools);
        let measured = self.learnt::<Measurements>(measure, before).await?;
        let measured = measured.ok_or_else(|| {
            wrong_state(
                title,
                "planned for a look: its film has not been measured so far, which a submission does",
            )
        })?;
        let language = submission.audio_language.as_deref();
        let found = complete(reelfarm_qc::evaluate(policy, &measured.found, ladder, language))?;
        Ok(Learnt { found, to_do: measured.to_do })
    }

    /// The result of a task, or of the same task of the title by other tools.
    async fn learnt<T: serde::de::DeserializeOwned>(
        &self,
        task: Task,
        before: &[TaskRecord],
    ) -> Result<Option<Learnt<T>>, Failure> {
        let result = |record: &TaskRecord| {
            let done = record.result.clone().filter(|_| record.state == TaskState::Done);
            done.and_then(|result| serde_json::from_value(result).ok())
        };
        if let Some(found) = self.store.task(&task.key).await?.as_ref().and_then(result) {
            return Ok(Some(Learnt { found, to_do: None }));
        }
        let earlier =
            before.iter().filter(|record| is_same_work(&record.task.spec, &task.spec)).find_map(result);
        Ok(earlier.map(|found| Learnt { found, to_do: Some(task) }))
    }
}

/// Whether two tasks find out the same, whatever the algorithms and tools.
fn is_same_work(one: &TaskSpec, other: &TaskSpec) -> bool {
    match (one, other) {
        (TaskSpec::Fingerprint(one), TaskSpec::Fingerprint(other)) => one.source == other.source,
        (TaskSpec::Qc(one), TaskSpec::Qc(other)) => one == other,
        _ => false,
    }
}

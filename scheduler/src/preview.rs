//! What would be done for a title if it were submitted now: with another ladder, in other profiles, or as it was.
//!
//! Promises: nothing is planned, dispatched or changed. What is told is what a submission of the same would run, as long as
//! neither storage nor the title changes until then.

use std::collections::BTreeMap;

use reelfarm_api::{PlanPreview, PreviewedTask};
use reelfarm_model::qc::Conclusion;
use reelfarm_model::title::{Submission, SubtitleFile};
use reelfarm_model::{Code, Digest, Failure, Ladder, Measurements, Pool, TaskState, Title};
use reelfarm_qc::external;
use tokio::sync::oneshot;

use crate::commands::{explain, wrong_state};
use crate::errands::{Returned, in_time};
use crate::estimates::expected;
use crate::judgement::external_report_invalid;
use crate::plan::{Reduction, measure_task, reasons};
use crate::planning::Delivered;
use crate::reconcile::rejection;
use crate::service::{Scheduler, SchedulerError};
use crate::survey::Found;

/// A title as it would be submitted, with what is known of it.
pub(crate) struct Previewed {
    title: Title,
    source: Digest,
    conclusion: Conclusion,
    ladder: Ladder,
    subtitles: Vec<(SubtitleFile, Digest)>,
}

impl Previewed {
    fn delivered(&self) -> Delivered<'_> {
        let Self { title, source, conclusion, ladder, subtitles } = self;
        Delivered { title, source: *source, conclusion, ladder, subtitles }
    }
}

impl Scheduler {
    /// Has storage looked at for somebody who wants to see a plan.
    pub(crate) async fn begin_preview(
        &mut self,
        submission: Submission,
        reply: oneshot::Sender<Result<PlanPreview, Failure>>,
    ) -> Result<(), SchedulerError> {
        let previewed = match self.previewed(submission).await {
            Ok(previewed) => previewed,
            Err(failure) => {
                drop(reply.send(Err(failure)));
                return Ok(());
            }
        };
        let graph = match self.graph(&previewed.delivered()) {
            Ok(graph) => graph,
            Err(failure) => {
                drop(reply.send(Err(failure)));
                return Ok(());
            }
        };
        let sought = self.sought(&previewed.title, &graph).await?;
        let artifacts = self.artifacts.clone();
        self.errands.spawn(async move {
            let found = Box::new(in_time(sought.look(&artifacts)).await);
            Returned::Previewed { previewed: Box::new(previewed), found, reply }
        });
        Ok(())
    }

    /// Answers with the plan, once it is known what lies in storage.
    pub(crate) async fn on_previewed(
        &self,
        previewed: Previewed,
        found: Result<Found, Failure>,
        reply: oneshot::Sender<Result<PlanPreview, Failure>>,
    ) -> Result<(), SchedulerError> {
        let preview = match found {
            Ok(found) => self.plan_preview(&previewed, found).await,
            Err(failure) => Err(failure),
        };
        drop(reply.send(preview));
        Ok(())
    }

    async fn plan_preview(&self, previewed: &Previewed, found: Found) -> Result<PlanPreview, Failure> {
        let (delivered, submission) = (previewed.delivered(), &previewed.title.submission);
        let graph = self.graph(&delivered)?;
        let graph = self.graph_beside(graph, &delivered, &found.in_storage).await.map_err(explain)??;
        let facts = self.facts(&graph, found.in_storage).await.map_err(explain)?;
        let reduction = Reduction::of(&graph, &facts, &self.options.tools);
        let before = self.store.tasks_of(&submission.title).await?;
        let reasons = reasons(&reduction, &before);
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
        Ok(PlanPreview { title: submission.title.clone(), ladder, tasks, work_ms })
    }

    async fn previewed(&self, submission: Submission) -> Result<Previewed, Failure> {
        let known = self.known_title(&submission.title).await?;
        let Some(source) = known.source_digest else {
            return Err(wrong_state(&known, "planned for a look: its film has not been checked so far"));
        };
        let ladder = Ladder::parse(&submission.ladder.file, &submission.ladder.text)
            .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
        let conclusion = self.concluded(&known, &submission, source, &ladder).await?;
        let title = Title { submission, ..known };
        let subtitles = self.known_subtitles(&title).await.map_err(explain)?;
        Ok(Previewed { title, source, conclusion, ladder, subtitles })
    }

    /// What QC would conclude of a title's film for a ladder, from what it measured.
    async fn concluded(
        &self,
        known: &Title,
        submission: &Submission,
        source: Digest,
        ladder: &Ladder,
    ) -> Result<Conclusion, Failure> {
        let policy = self.policy_of(known).policy();
        let measure = measure_task(source, &self.options.tools);
        let measured = self.store.task(&measure.key).await?.filter(|record| record.state == TaskState::Done);
        let measurements = measured.and_then(|record| record.result);
        let measurements =
            measurements.and_then(|result| serde_json::from_value::<Measurements>(result).ok());
        let report = match (&submission.qc_report, measurements) {
            (Some(report), _) => external::accept((**report).clone(), ladder)
                .map_err(|error| external_report_invalid(&error))?,
            (None, Some(measurements)) => {
                reelfarm_qc::evaluate(policy, &measurements, ladder, submission.audio_language.as_deref())
            }
            (None, None) => {
                let stands =
                    known.report.clone().filter(|_| known.submission.ladder.text == submission.ladder.text);
                stands.ok_or_else(|| {
                    wrong_state(
                        known,
                        "planned for a look with another ladder: its film must be measured again first, which a submission does",
                    )
                })?
            }
        };
        let failure = rejection(&report);
        report.conclusion.ok_or(failure)
    }
}

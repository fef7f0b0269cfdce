//! From what is known of a title to its tasks: at first, again where something that a task builds on is gone, and later where
//! storage cannot be asked. What the tasks are, [`plan`](crate::plan) says; this is what feeds it.

use std::collections::BTreeSet;
use std::time::Instant;

use reelfarm_model::ladder::Ladder;
use reelfarm_model::qc::Conclusion;
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{Code, Digest, Failure, Part, Task, TaskKey, Title, TitleId, TitleState};
use reelfarm_store::{PlannedCost, PlannedTask};

use crate::cost::cost;
use crate::delivered::read_by;
use crate::estimates::expected;
use crate::event::{FarmEvent, PlannedWork};
use crate::plan::{First, Graph, PlanError, PlanInput, Reduction};
use crate::reconcile::Step;
use crate::service::{Scheduler, SchedulerError};
use crate::survey::InStorage;

/// What is known of a title that can be planned.
#[derive(Clone, Copy)]
pub(crate) struct Delivered<'a> {
    pub(crate) title: &'a Title,
    pub(crate) source: Digest,
    pub(crate) conclusion: &'a Conclusion,
    pub(crate) ladder: &'a Ladder,
    pub(crate) subtitles: &'a [(SubtitleFile, Digest)],
}

impl Scheduler {
    /// Has a title that could not be planned looked at again later, where that may help, and ends it otherwise.
    pub(crate) async fn unplanned(
        &mut self,
        title: &Title,
        failure: Failure,
    ) -> Result<Step, SchedulerError> {
        let id = &title.submission.title;
        let tries = self.postponed.tries(title).saturating_add(1);
        let Some(wait) = self.options.retry.after_unplanned(failure.class, tries) else {
            return self.end(title, Some(failure)).await;
        };
        tracing::warn!(title = %id, tries, code = %failure.code, again_in = ?wait, "cannot be planned yet: {}", failure.message);
        self.postponed.postpone(title, tries, Instant::now() + wait, failure);
        Ok(Step::Wait)
    }

    /// Looks again at titles whose wait is over.
    pub(crate) async fn take_up_postponed(&mut self) -> Result<(), SchedulerError> {
        for id in self.postponed.over(Instant::now()) {
            self.plan_under_way(&id).await?;
            self.reconcile(&id).await?;
        }
        Ok(())
    }

    /// All that a title needs, whether or not it is there. Nothing goes first unless `in_parts`.
    fn graph_of(&self, delivered: &Delivered<'_>, in_parts: bool) -> Result<Graph, Failure> {
        let Delivered { title, source, conclusion, ladder, subtitles } = *delivered;
        let submission = &title.submission;
        let facts = &submission.facts;
        let first = First { profiles: &facts.first, up_to: facts.first_up_to };
        let profiles = self
            .options
            .profiles
            .select(&submission.profiles)
            .map_err(|error| Failure::new(Code::UnknownName, error.to_string()))?;
        let input = PlanInput {
            title: &submission.title,
            origin: &submission.origin,
            source,
            conclusion,
            cue_points: &submission.cue_points,
            ladder,
            profiles: &profiles,
            first: (in_parts && !facts.first.is_empty()).then_some(first),
            list: self.options.profiles.all(),
            subtitles,
            protection: submission.protection.as_ref(),
            tools: &self.options.tools,
        };
        Graph::build(&input).map_err(|error| {
            let code = match error {
                PlanError::NoEncoder { .. } => Code::LadderInvalid,
                PlanError::CueBeyondEnd { .. } => Code::FactsContradict,
                _ => Code::Internal,
            };
            Failure::new(code, error.to_string())
        })
    }

    /// All that a title needs, whether or not it is there.
    pub(crate) fn graph(&self, delivered: &Delivered<'_>) -> Result<Graph, Failure> {
        self.graph_of(delivered, true)
    }

    /// The same once it is known what is online. Where that is a whole version, it stays until the next one is whole: what
    /// goes first would take the other profiles, or the upper rungs, from those who watch them.
    pub(crate) async fn graph_beside(
        &self,
        graph: Graph,
        delivered: &Delivered<'_>,
        in_storage: &InStorage,
    ) -> Result<Result<Graph, Failure>, SchedulerError> {
        let goes_first = graph.first_publication().is_some();
        if !goes_first || !in_storage.holds_whole() || self.is_published(&graph, in_storage).await? {
            return Ok(Ok(graph));
        }
        tracing::info!(title = %delivered.title.submission.title, "a whole version is online: nothing goes first");
        Ok(self.graph_of(delivered, false))
    }

    /// Stores what has to be done for a title, as far as it is not done.
    pub(crate) async fn plan(
        &mut self,
        title: &Title,
        graph: &Graph,
        subtitles: &[(SubtitleFile, Digest)],
        in_storage: InStorage,
    ) -> Result<(), SchedulerError> {
        let submission = &title.submission;
        let facts = self.facts(graph, in_storage).await?;
        let reduction = Reduction::of(graph, &facts, &self.options.tools);
        let expected_ms = |task: &Task| expected(&self.estimates, task, Some(&submission.source)).expected_ms;
        let (tails, first_tails) = (reduction.tails(expected_ms), reduction.first_tails(expected_ms));
        let part_of = |task: &TaskKey| match (first_tails.get(task), first_tails.is_empty()) {
            (Some(tail_ms), _) => (Part::First, *tail_ms),
            (None, true) => (Part::Whole, tails.get(task).copied().unwrap_or(0)),
            (None, false) => (Part::Rest, tails.get(task).copied().unwrap_or(0)),
        };
        let planned: Vec<PlannedTask> = reduction
            .steps
            .iter()
            .map(|step| PlannedTask {
                task: step.task.clone(),
                source: read_by(&step.task.spec, submission, subtitles).cloned(),
                needs: step.needs.clone(),
                redo: step.run,
                cost: {
                    let (part, tail_ms) = part_of(&step.task.key);
                    PlannedCost { expected_ms: expected_ms(&step.task), tail_ms, part }
                },
            })
            .collect();
        // Without an answer the title has moved on meanwhile, and so does its caller.
        if let Some(done) = self.store.plan(&submission.title, title.generation, &planned).await? {
            self.wants_changed(&submission.title, done.stopped).await;
            self.emit_plan(title, &reduction);
        }
        Ok(())
    }

    /// Plans a title under way anew, because something that a task of it builds on is gone: what is missing is made again.
    /// Until then the task is not tried.
    pub(crate) async fn plan_again(&mut self, id: &TitleId, task: TaskKey) -> Result<(), SchedulerError> {
        // What an earlier survey found, or is about to find, may be what has gone since.
        self.surveys.remove(id);
        self.missing.entry(id.clone()).or_default().insert(task);
        self.order.tasks.insert(task);
        self.plan_under_way(id).await
    }

    /// Plans a title under way anew of which a task misses something, once it is known what of it is in storage.
    pub(crate) async fn plan_under_way(&mut self, id: &TitleId) -> Result<(), SchedulerError> {
        if !self.missing.contains_key(id) {
            return Ok(());
        }
        self.plan_what_misses(id).await?;
        if !self.surveys.contains_key(id) && !self.postponed.contains(id) {
            self.misses_nothing(id);
        }
        Ok(())
    }

    async fn plan_what_misses(&mut self, id: &TitleId) -> Result<(), SchedulerError> {
        let Some(title) = self.store.title(id).await? else { return Ok(()) };
        if self.postponed.holds_back(&title, Instant::now()) {
            return Ok(());
        }
        let (TitleState::Preparing, Some(source), Some(conclusion)) = (
            title.state,
            title.source_digest,
            title.report.as_ref().and_then(|report| report.conclusion.as_ref()),
        ) else {
            return Ok(());
        };
        let ladder = match Ladder::parse(&title.submission.ladder.file, &title.submission.ladder.text) {
            Ok(ladder) => ladder,
            Err(error) => {
                let failure = Failure::new(Code::LadderInvalid, error.to_string());
                return self.end_title(&title, Some(failure)).await;
            }
        };
        let subtitles = match self.subtitles(&title).await? {
            Ok(Some(subtitles)) => subtitles,
            // Their fingerprints were there when the title was planned first.
            Ok(None) => return Ok(()),
            Err(failure) => return self.end_title(&title, Some(failure)).await,
        };
        let delivered =
            Delivered { title: &title, source, conclusion, ladder: &ladder, subtitles: &subtitles };
        let graph = match self.graph(&delivered) {
            Ok(graph) => graph,
            Err(failure) => return self.end_title(&title, Some(failure)).await,
        };
        match self.surveyed(&title, &graph).await? {
            None => Ok(()),
            Some(Ok(found)) => {
                self.postponed.forget(id);
                let graph = match self.graph_beside(graph, &delivered, &found.in_storage).await? {
                    Ok(graph) => graph,
                    Err(failure) => return self.end_title(&title, Some(failure)).await,
                };
                self.plan(&title, &graph, &subtitles, found.in_storage).await
            }
            Some(Err(failure)) => match self.unplanned(&title, failure).await? {
                Step::Wait => Ok(()),
                Step::Again => self.reconcile(id).await,
            },
        }
    }

    fn emit_plan(&self, title: &Title, reduction: &Reduction) {
        let done: BTreeSet<TaskKey> =
            reduction.steps.iter().filter(|step| !step.run).map(|step| step.task.key).collect();
        let tasks = reduction
            .steps
            .iter()
            .map(|step| PlannedWork {
                task: step.task.key,
                kind: step.task.spec.kind(),
                cost: cost(&step.task),
                done: done.contains(&step.task.key),
            })
            .collect();
        self.emit(FarmEvent::Planned { title: title.submission.title.clone(), tasks });
    }
}

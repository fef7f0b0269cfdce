//! The seam: what a scheduler asks of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::title::Submission;
use reelfarm_model::{
    ArtifactKey, Digest, Failure, Fence, Pool, Progress, ReviewRecord, Standing, TaskKey, Title, TitleId,
    TitleState, WorkerId,
};

use crate::access::Access;
use crate::changes::{Advanced, Planned, PlannedTask, Retried, Reviewed, Submitted, TitleChange};
use crate::error::StoreError;
use crate::records::{
    AttemptRecord, Backlog, Counts, Expedite, ExpediteRecord, Expedited, ExpiredAttempt, FinishedRun, Left,
    ReadyOf, ReadyTask, Ruling, TaskRecord, TitleFilter, UnderWay,
};
use crate::report::{AttemptReport, Completed, Failed, Recorded, Report, RetryDecision};

/// The truth about titles, tasks and attempts.
///
/// Each operation is one transaction: it happens whole or not at all. One scheduler writes, and where there are several,
/// the leader (see [`Leadership`](crate::Leadership)); others may read at the same time. A title *wants* the tasks of its current generation's plan, and whatever unfinished tasks those need,
/// until it is withdrawing or final. A task that no title wants does not stay waiting or ready, and is active only
/// where a title keeps its attempt for a while after a resubmission (see [`submit`](Self::submit)).
///
/// An operation that takes a [`Fence`] acts only where the task's attempt and lease are the fence's and the attempt is
/// still under way; otherwise it changes nothing and says so (`false` or `None`). So reports of a worker that was
/// taken for dead, duplicates, and reports that come late are harmless.
#[async_trait]
pub trait Store: Access {
    /// Takes a submission. An unknown name becomes generation 1, checking. A title that is not final and was submitted
    /// in exactly this way is left as it is. Any other title gets a new generation, checking, without its old
    /// report, failure and digest; the old generation's tasks that no other title wants are cancelled.
    ///
    /// Where the source is the same one, the new generation will probably want much of that again. So attempts that are
    /// under way, but for those that act on the origin, are kept until it leaves checking: what its plan names by then
    /// goes on, the rest is cancelled. A kept attempt that ends without success before is not followed by another.
    ///
    /// # Errors
    /// [`StoreError::Unserialisable`] for a source whose path is not UTF-8; otherwise the database.
    async fn submit(&self, submission: &Submission) -> Result<Submitted, StoreError>;

    /// Adds tasks to what a title wants. Unknown tasks are inserted. Known ones that failed or were cancelled start
    /// afresh (their counts of failures and losses too), and so do done ones with `redo`, whose artifacts are
    /// forgotten; all others are shared as they are.
    ///
    /// Each needs from now on exactly what this plan says, so that nothing of an older plan comes back to life with it.
    /// Only where another title wants it too, its earlier needs stay beside the new ones: that title's order must hold.
    /// Whatever these tasks need, directly or not, and is not done, becomes wanted too, and starts afresh where it had
    /// failed or been cancelled. A task that no plan of this generation names, that is not done, and that nothing
    /// unfinished of the title needs any more, is no longer one of its tasks; it is cancelled where it is unfinished and
    /// no other title wants it.
    ///
    /// `None`, and nothing changed, where the generation is not the title's current one or the title is final.
    ///
    /// # Errors
    /// [`StoreError::UnknownNeed`] where a task needs one that is neither here nor known; otherwise the database.
    async fn plan(
        &self,
        title: &TitleId,
        generation: u64,
        tasks: &[PlannedTask],
    ) -> Result<Option<Planned>, StoreError>;

    /// Changes a title that is in the state `from` of this generation; `None`, and nothing changed, where it is not.
    /// With any change of state it keeps no attempt of an earlier generation any more; where it becomes withdrawing or
    /// final, it wants nothing any more. Its unfinished tasks that no title wants or keeps are then cancelled. (What a
    /// withdrawing title still has to do is planned after this.) One that becomes published has no failure any more, and
    /// is expedited no more, nor is one that becomes cancelled. Of one that goes to review it is noted that somebody is asked
    /// from now on.
    ///
    /// # Errors
    /// [`StoreError::ForbiddenTransition`] where [`TitleState::may_become`] says no, and for a way back to checking,
    /// which is that of [`submit`](Self::submit), [`approve`](Self::approve) and [`recheck`](Self::recheck); otherwise the
    /// database.
    async fn advance(
        &self,
        title: &TitleId,
        generation: u64,
        from: TitleState,
        change: TitleChange,
    ) -> Result<Option<Advanced>, StoreError>;

    /// Holds a title, or lets it go on: nothing is dispatched for the sake of a held one, and what is at work goes on. A
    /// hold ends with the title, not with another submission of its name. Answers the title as it stands then, or
    /// `None`, and nothing changed, where there is none or it is withdrawing or final.
    ///
    /// # Errors
    /// The database.
    async fn hold(&self, title: &TitleId, held: bool) -> Result<Option<Title>, StoreError>;

    /// Has a title go before all others of its route until it is online or cancelled, also where it is submitted anew for that
    /// route, if the route has not expedited as many today as it may.
    ///
    /// # Errors
    /// The database.
    async fn expedite(&self, title: &TitleId, wish: &Expedite) -> Result<Expedited, StoreError>;

    /// The titles that were expedited since then (in milliseconds since 1970 UTC), the latest first; at most `limit`.
    ///
    /// # Errors
    /// The database.
    async fn expedites(&self, since_ms: i64, limit: usize) -> Result<Vec<ExpediteRecord>, StoreError>;

    /// Notes that a person approved a title that is in the state `from` of this generation: one that waits for a decision is
    /// checked again, and one that was rejected is submitted anew, as it was submitted. `None`, and nothing changed, where it
    /// is not in that state.
    ///
    /// # Errors
    /// [`StoreError::ForbiddenTransition`] for any other state; otherwise the database.
    async fn approve(
        &self,
        title: &TitleId,
        generation: u64,
        from: TitleState,
        ruling: &Ruling,
    ) -> Result<Option<Reviewed>, StoreError>;

    /// Notes that a person rejected a title, and changes it as [`advance`](Self::advance) does; `None`, and nothing changed or
    /// noted, where that changes nothing.
    ///
    /// # Errors
    /// As of [`advance`](Self::advance).
    async fn reject(
        &self,
        title: &TitleId,
        generation: u64,
        from: TitleState,
        ruling: &Ruling,
        change: TitleChange,
    ) -> Result<Option<Reviewed>, StoreError>;

    /// Has a title of this generation checked again that waits for a person's decision, because what it was judged by has
    /// changed. `None`, and nothing changed, where it does not wait for one.
    ///
    /// # Errors
    /// The database.
    async fn recheck(&self, title: &TitleId, generation: u64) -> Result<Option<Title>, StoreError>;

    /// What people decided about this title, or about any, the latest first; at most `limit`.
    ///
    /// # Errors
    /// The database.
    async fn reviews(&self, title: Option<&TitleId>, limit: usize) -> Result<Vec<ReviewRecord>, StoreError>;

    /// Submits a title that ended without success (failed, cancelled or rejected) anew, as it was submitted. `None`, and
    /// nothing changed, where there is none or it did not end so.
    ///
    /// # Errors
    /// The database.
    async fn retry_title(&self, title: &TitleId) -> Result<Option<Submitted>, StoreError>;

    /// Has tasks of a title's current generation done again, with all of the title's tasks that need them, directly or
    /// not: those of them that are finished start afresh, their artifacts are forgotten, and one that is in a back-off
    /// may be dispatched at once. Attempts under way go on. A title that is final is submitted anew, as it was
    /// submitted, and has these tasks done again once they are planned; one that waits for a person's decision is checked
    /// again. `None`, and nothing changed, where there is no such title, it is withdrawing, or none of the tasks is one of
    /// its own.
    ///
    /// # Errors
    /// The database.
    async fn retry_tasks(
        &self,
        title: &TitleId,
        tasks: &BTreeSet<TaskKey>,
    ) -> Result<Option<Retried>, StoreError>;

    /// Ready tasks, those in a back-off included, in the order of their keys. One that only held titles want is none.
    ///
    /// # Errors
    /// The database.
    async fn ready(&self, of: ReadyOf<'_>) -> Result<Vec<ReadyTask>, StoreError>;

    /// Everything that is ready and how long titles are, for a scheduler that begins: however much that is, it is read in one
    /// go through what is wanted, and not by a look at each task.
    ///
    /// # Errors
    /// The database.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// What is left of each title that wants anything, by title, part and pool.
    ///
    /// # Errors
    /// The database.
    async fn left(&self) -> Result<Vec<Left>, StoreError>;

    /// How long all tasks take together that are not done and that titles want which are not held, by pool, in milliseconds of
    /// their estimates: each task once, whoever wants it, and of what is at work what is not done.
    ///
    /// # Errors
    /// The database.
    async fn work_left(&self) -> Result<BTreeMap<Pool, i64>, StoreError>;

    /// The tasks that were done last, the latest first; at most `limit`.
    ///
    /// # Errors
    /// The database.
    async fn finished_runs(&self, limit: usize) -> Result<Vec<FinishedRun>, StoreError>;

    /// The database's time, in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// The database.
    async fn now_ms(&self) -> Result<i64, StoreError>;

    /// Starts an attempt at each of these tasks that is ready, not in a back-off, and wanted by a title that is not held:
    /// a new number, a new random lease that runs out after `lease`, and the message in the outbox. Leaves out all
    /// others, and answers the messages in the order of the tasks.
    ///
    /// # Errors
    /// The database.
    async fn dispatch_all(&self, tasks: &[TaskKey], lease: Duration) -> Result<Vec<TaskMessage>, StoreError>;

    /// Messages in the outbox, in the order of planning; at most `limit`. They are those of attempts that are under way
    /// and whose sending is not known: whoever sends one says so with [`mark_sent`](Self::mark_sent), and sends again
    /// what it finds here after a restart. A message goes from the outbox when a worker has started with it, and with its
    /// attempt.
    ///
    /// # Errors
    /// The database.
    async fn unsent(&self, limit: usize) -> Result<Vec<TaskMessage>, StoreError>;

    /// Takes the messages of these attempts out of the outbox: the broker holds them. Those that are not there do not
    /// matter.
    ///
    /// # Errors
    /// The database.
    async fn mark_sent(&self, attempts: &[Fence]) -> Result<(), StoreError>;

    /// Records what happened to attempts, and answers what came of each report. Reports on one task take effect in their
    /// order; those on different tasks are independent of each other.
    ///
    /// # Errors
    /// The database.
    async fn record(&self, reports: &[AttemptReport]) -> Result<Vec<Recorded>, StoreError>;

    /// The attempts whose lease has run out.
    ///
    /// # Errors
    /// The database.
    async fn expired(&self) -> Result<Vec<ExpiredAttempt>, StoreError>;

    /// Releases every attempt. For the start of a farm that lives in one process: whatever was under way died with the
    /// process before it. Answers how many there were.
    ///
    /// # Errors
    /// The database.
    async fn recover(&self) -> Result<usize, StoreError>;

    /// The title of this name.
    ///
    /// # Errors
    /// The database.
    async fn title(&self, title: &TitleId) -> Result<Option<Title>, StoreError>;

    /// Titles that fit a filter, in the order of their names' bytes; at most `limit`. The next page is that after the
    /// last one's name, whatever was submitted or changed meanwhile.
    ///
    /// # Errors
    /// The database.
    async fn titles_by_name(&self, filter: &TitleFilter, limit: usize) -> Result<Vec<Title>, StoreError>;

    /// Where a title's keys come from and what its rights allow, by all its submissions: each that was taken by
    /// [`submit`](Self::submit), and each that [`advance`](Self::advance) took to published. Nothing of either for an
    /// unknown title.
    ///
    /// # Errors
    /// The database.
    async fn standing(&self, title: &TitleId) -> Result<Standing, StoreError>;

    /// Every title, in the order of submission.
    ///
    /// # Errors
    /// The database.
    async fn titles(&self) -> Result<Vec<Title>, StoreError>;

    /// Every title that is not final, in the order of submission.
    ///
    /// # Errors
    /// The database.
    async fn live_titles(&self) -> Result<Vec<Title>, StoreError>;

    /// Those titles that are not final and may have something to be decided, in the order of submission: all but those that
    /// wait for tasks, of which none has failed; of those that are being prepared no publication is done, and those that are
    /// being checked were not planned, which is the moment before they are being prepared. Those that wait for a person are
    /// among them, because they may have been judged by another policy.
    ///
    /// # Errors
    /// The database.
    async fn unsettled_titles(&self) -> Result<Vec<TitleId>, StoreError>;

    /// The tasks of a title's current generation, in the order of planning; empty for an unknown title. Those of a
    /// title that wants nothing any more are still listed.
    ///
    /// # Errors
    /// The database.
    async fn tasks_of(&self, title: &TitleId) -> Result<Vec<TaskRecord>, StoreError>;

    /// The task with this key.
    ///
    /// # Errors
    /// The database.
    async fn task(&self, task: &TaskKey) -> Result<Option<TaskRecord>, StoreError>;

    /// The attempts that are under way, in the order of dispatch: for a scheduler that takes over from another.
    ///
    /// # Errors
    /// The database.
    async fn under_way(&self) -> Result<Vec<UnderWay>, StoreError>;

    /// The titles that want each task that an attempt is under way for, in the order of submission.
    ///
    /// # Errors
    /// The database.
    async fn wanted_attempts(&self) -> Result<BTreeMap<TaskKey, Vec<TitleId>>, StoreError>;

    /// The sources from which a title of this name was put online at `origin`, or began to be, as far as they were ever
    /// read at `path`. Whatever became of the title since, and of the tasks, changes nothing about it.
    ///
    /// # Errors
    /// [`StoreError::Unserialisable`] for a path that is not UTF-8; otherwise the database.
    async fn publications(
        &self,
        title: &TitleId,
        origin: &str,
        path: &Path,
    ) -> Result<BTreeSet<Digest>, StoreError>;

    /// The artifact with this key as it was taken over.
    ///
    /// # Errors
    /// The database.
    async fn artifact(&self, artifact: &ArtifactKey) -> Result<Option<ArtifactRecord>, StoreError>;

    /// A task's attempts, the first at the front. The history survives whatever happens to the task.
    ///
    /// # Errors
    /// The database.
    async fn attempts_of(&self, task: &TaskKey) -> Result<Vec<AttemptRecord>, StoreError>;

    /// The titles at whose folders at the origin an attempt was at work that was stopped less than `within` ago because no
    /// title wanted it any more. Its worker may not have heard of that.
    ///
    /// # Errors
    /// The database.
    async fn stopped_at_origin(&self, within: Duration) -> Result<BTreeSet<TitleId>, StoreError>;

    /// The artifacts that tasks of titles make or made, as far as the titles are not final or became so less than `ended`
    /// ago.
    ///
    /// # Errors
    /// The database.
    async fn referenced_artifacts(&self, ended: Duration) -> Result<BTreeSet<ArtifactKey>, StoreError>;

    /// The sources of titles, and their files of subtitles, as far as the titles are not final or became so less than
    /// `ended` ago.
    ///
    /// # Errors
    /// The database.
    async fn referenced_sources(&self, ended: Duration) -> Result<BTreeSet<PathBuf>, StoreError>;

    /// How many titles and tasks are in each state.
    ///
    /// # Errors
    /// The database.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// [`dispatch_all`](Self::dispatch_all) for one task.
    ///
    /// # Errors
    /// The database.
    async fn dispatch(&self, task: &TaskKey, lease: Duration) -> Result<Option<TaskMessage>, StoreError> {
        Ok(self.dispatch_all(std::slice::from_ref(task), lease).await?.pop())
    }

    /// [`Report::Started`] alone.
    ///
    /// # Errors
    /// The database.
    async fn started(&self, fence: &Fence, worker: &WorkerId) -> Result<bool, StoreError> {
        let recorded = self.record_one(fence, Report::Started { worker: worker.clone() }).await?;
        Ok(!recorded.is_refused())
    }

    /// [`Report::Extended`] alone.
    ///
    /// # Errors
    /// The database.
    async fn extend(&self, fence: &Fence, lease: Duration, progress: Progress) -> Result<bool, StoreError> {
        Ok(!self.record_one(fence, Report::Extended { lease, progress }).await?.is_refused())
    }

    /// [`Report::Completed`] alone; `None` where it was refused.
    ///
    /// # Errors
    /// The database.
    async fn complete(
        &self,
        fence: &Fence,
        artifacts: &[ArtifactRecord],
        result: Option<&serde_json::Value>,
    ) -> Result<Option<Completed>, StoreError> {
        let report = Report::Completed { artifacts: artifacts.to_vec(), result: result.cloned() };
        Ok(match self.record_one(fence, report).await? {
            Recorded::Completed(completed) => Some(completed),
            _ => None,
        })
    }

    /// [`Report::Failed`] alone; `None` where it was refused.
    ///
    /// # Errors
    /// The database.
    async fn fail(
        &self,
        fence: &Fence,
        failure: &Failure,
        retry: RetryDecision,
    ) -> Result<Option<Failed>, StoreError> {
        Ok(match self.record_one(fence, Report::Failed { failure: failure.clone(), retry }).await? {
            Recorded::Failed(failed) => Some(failed),
            _ => None,
        })
    }

    /// [`Report::Released`] alone.
    ///
    /// # Errors
    /// The database.
    async fn release(&self, fence: &Fence) -> Result<bool, StoreError> {
        Ok(!self.record_one(fence, Report::Released).await?.is_refused())
    }

    /// [`Report::Lost`] alone; `None` where it was refused.
    ///
    /// # Errors
    /// The database.
    async fn lost(&self, fence: &Fence, retry: RetryDecision) -> Result<Option<Failed>, StoreError> {
        Ok(match self.record_one(fence, Report::Lost { retry }).await? {
            Recorded::Failed(failed) => Some(failed),
            _ => None,
        })
    }

    /// [`record`](Self::record) for one report.
    ///
    /// # Errors
    /// The database.
    async fn record_one(&self, fence: &Fence, report: Report) -> Result<Recorded, StoreError> {
        let recorded = self.record(&[AttemptReport { fence: *fence, report }]).await?;
        // There is one answer to each report.
        Ok(recorded.into_iter().next().unwrap_or(Recorded::Refused))
    }
}

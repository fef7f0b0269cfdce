//! The operations of a store: the logic and the SQL, written once.
//!
//! This folder is compiled twice, as `sqlite::operations` and as `postgres::operations`. What differs between the two
//! comes from the module above it: `Form`, the store itself; `begin` and `read` of it; and `dialect`, a few fragments
//! of SQL. All else is said in words that both databases understand.

mod attempts;
mod dispatch;
mod endings;
mod expedites;
mod idempotency;
mod leadership;
mod order;
mod planning;
mod queries;
mod retries;
mod reviews;
mod sql;
mod standing;
mod submissions;
mod titles;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::title::Submission;
use reelfarm_model::{
    ArtifactKey, Digest, Fence, Pool, ReviewRecord, Standing, TaskKey, Title, TitleId, TitleState,
};

use super::open::known_schema;
use super::{Form, dialect};
use crate::access::{Access, Answer, Claim, ClaimToken, KeyedRequest, NewToken, TokenRecord};
use crate::changes::{Advanced, Planned, PlannedTask, Retried, Reviewed, Submitted, TitleChange};
use crate::error::StoreError;
use crate::leadership::{Candidate, Election, Leader, Leadership, Term};
use crate::records::{
    AttemptRecord, Backlog, Counts, Expedite, ExpediteRecord, Expedited, ExpiredAttempt, FinishedRun, Left,
    ReadyOf, ReadyTask, Ruling, TaskRecord, TitleFilter, UnderWay,
};
use crate::report::{AttemptReport, Recorded};
use crate::store::Store;

/// A time that comes `by` after `now`, in milliseconds.
fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

/// Runs one of the functions below in a writing transaction, which gets the connection and the time.
macro_rules! write {
    ($store:ident, $action:literal, $operation:path $(, $argument:expr)*) => {
        $store
            .run($action, async {
                let mut transaction = $store.begin().await?;
                let now = leadership::look(&mut transaction, $store.term).await?;
                let answer = $operation(&mut transaction, now $(, $argument)*).await?;
                transaction.commit().await?;
                Ok(answer)
            })
            .await
    };
}

/// Runs one of the functions below that asks one thing.
macro_rules! read {
    ($store:ident, $action:literal, $operation:path $(, $argument:expr)*) => {
        $store
            .run($action, async {
                let mut connection = $store.reader.acquire().await?;
                $operation(&mut connection $(, $argument)*).await
            })
            .await
    };
}

/// Runs one of the functions below that asks several things, all of one commit.
macro_rules! read_together {
    ($store:ident, $action:literal, $operation:path $(, $argument:expr)*) => {
        $store
            .run($action, async {
                let mut transaction = $store.begin_reading().await?;
                $operation(&mut transaction $(, $argument)*).await
            })
            .await
    };
}

#[async_trait]
impl Store for Form {
    async fn submit(&self, submission: &Submission) -> Result<Submitted, StoreError> {
        write!(self, "take a submission", submissions::submit, submission)
    }

    async fn plan(
        &self,
        title: &TitleId,
        generation: u64,
        tasks: &[PlannedTask],
    ) -> Result<Option<Planned>, StoreError> {
        write!(self, "record a plan", planning::plan, title, generation, tasks)
    }

    async fn advance(
        &self,
        title: &TitleId,
        generation: u64,
        from: TitleState,
        change: TitleChange,
    ) -> Result<Option<Advanced>, StoreError> {
        write!(self, "change a title", titles::advance, title, generation, from, &change)
    }

    async fn hold(&self, title: &TitleId, held: bool) -> Result<Option<Title>, StoreError> {
        write!(self, "hold a title", titles::hold, title, held)
    }

    async fn expedite(&self, title: &TitleId, wish: &Expedite) -> Result<Expedited, StoreError> {
        write!(self, "expedite a title", expedites::expedite, title, wish)
    }

    async fn expedites(&self, since_ms: i64, limit: usize) -> Result<Vec<ExpediteRecord>, StoreError> {
        read!(self, "list the titles that were expedited", expedites::expedites, since_ms, limit)
    }

    async fn approve(
        &self,
        title: &TitleId,
        generation: u64,
        from: TitleState,
        ruling: &Ruling,
    ) -> Result<Option<Reviewed>, StoreError> {
        write!(self, "approve a title", reviews::approve, title, generation, from, ruling)
    }

    async fn reject(
        &self,
        title: &TitleId,
        generation: u64,
        from: TitleState,
        ruling: &Ruling,
        change: TitleChange,
    ) -> Result<Option<Reviewed>, StoreError> {
        write!(self, "reject a title", reviews::reject, title, generation, from, ruling, &change)
    }

    async fn recheck(&self, title: &TitleId, generation: u64) -> Result<Option<Title>, StoreError> {
        write!(self, "have a title checked again", reviews::recheck, title, generation)
    }

    async fn reviews(&self, title: Option<&TitleId>, limit: usize) -> Result<Vec<ReviewRecord>, StoreError> {
        read!(self, "list what people decided", reviews::reviews, title, limit)
    }

    async fn retry_title(&self, title: &TitleId) -> Result<Option<Submitted>, StoreError> {
        write!(self, "try a title again", retries::retry_title, title)
    }

    async fn retry_tasks(
        &self,
        title: &TitleId,
        tasks: &BTreeSet<TaskKey>,
    ) -> Result<Option<Retried>, StoreError> {
        write!(self, "try tasks again", retries::retry_tasks, title, tasks)
    }

    async fn ready(&self, of: ReadyOf<'_>) -> Result<Vec<ReadyTask>, StoreError> {
        read!(self, "list the ready tasks", order::ready, of)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.run_long("read the backlog", async {
            let mut transaction = self.begin_reading().await?;
            order::backlog(&mut transaction).await
        })
        .await
    }

    async fn left(&self) -> Result<Vec<Left>, StoreError> {
        read!(self, "look for what is left to do", order::left)
    }

    async fn work_left(&self) -> Result<BTreeMap<Pool, i64>, StoreError> {
        read!(self, "add up what is left to do", order::work_left)
    }

    async fn finished_runs(&self, limit: usize) -> Result<Vec<FinishedRun>, StoreError> {
        read!(self, "look for how long tasks took", order::finished_runs, limit)
    }

    async fn now_ms(&self) -> Result<i64, StoreError> {
        read!(self, "ask for the time", order::now_ms)
    }

    async fn stopped_at_origin(&self, within: Duration) -> Result<BTreeSet<TitleId>, StoreError> {
        read!(self, "look for stopped attempts", queries::stopped_at_origin, within)
    }

    async fn referenced_artifacts(&self, ended: Duration) -> Result<BTreeSet<ArtifactKey>, StoreError> {
        read!(self, "look for what is referred to", queries::referenced_artifacts, ended)
    }

    async fn referenced_sources(&self, ended: Duration) -> Result<BTreeSet<PathBuf>, StoreError> {
        read!(self, "look for the sources that are referred to", queries::referenced_sources, ended)
    }

    async fn dispatch_all(&self, tasks: &[TaskKey], lease: Duration) -> Result<Vec<TaskMessage>, StoreError> {
        write!(self, "dispatch tasks", dispatch::dispatch_all, tasks, lease)
    }

    async fn unsent(&self, limit: usize) -> Result<Vec<TaskMessage>, StoreError> {
        read!(self, "look into the outbox", dispatch::unsent, limit)
    }

    async fn mark_sent(&self, attempts: &[Fence]) -> Result<(), StoreError> {
        write!(self, "mark messages as sent", dispatch::mark_sent, attempts)
    }

    async fn record(&self, reports: &[AttemptReport]) -> Result<Vec<Recorded>, StoreError> {
        write!(self, "record what workers report", attempts::record, reports)
    }

    async fn expired(&self) -> Result<Vec<ExpiredAttempt>, StoreError> {
        read_together!(self, "look for lost attempts", queries::expired)
    }

    async fn recover(&self) -> Result<usize, StoreError> {
        write!(self, "take back the attempts of the last run", endings::recover)
    }

    async fn title(&self, title: &TitleId) -> Result<Option<Title>, StoreError> {
        read!(self, "read a title", queries::title, title)
    }

    async fn standing(&self, title: &TitleId) -> Result<Standing, StoreError> {
        read!(self, "look for what stands for a title", standing::standing, title)
    }

    async fn titles_by_name(&self, filter: &TitleFilter, limit: usize) -> Result<Vec<Title>, StoreError> {
        read!(self, "list titles", queries::titles_by_name, filter, limit)
    }

    async fn titles(&self) -> Result<Vec<Title>, StoreError> {
        read!(self, "list the titles", queries::titles)
    }

    async fn live_titles(&self) -> Result<Vec<Title>, StoreError> {
        read!(self, "list the live titles", queries::live_titles)
    }

    async fn unsettled_titles(&self) -> Result<Vec<TitleId>, StoreError> {
        read!(self, "list the titles of which something is to be decided", order::unsettled_titles)
    }

    async fn tasks_of(&self, title: &TitleId) -> Result<Vec<TaskRecord>, StoreError> {
        read!(self, "list a title's tasks", queries::tasks_of, title)
    }

    async fn task(&self, task: &TaskKey) -> Result<Option<TaskRecord>, StoreError> {
        read!(self, "read a task", queries::task, task)
    }

    async fn under_way(&self) -> Result<Vec<UnderWay>, StoreError> {
        read_together!(self, "list the attempts under way", queries::under_way)
    }

    async fn wanted_attempts(&self) -> Result<BTreeMap<TaskKey, Vec<TitleId>>, StoreError> {
        read!(self, "look for who wants the attempts under way", queries::wanted_attempts)
    }

    async fn publications(
        &self,
        title: &TitleId,
        origin: &str,
        path: &Path,
    ) -> Result<BTreeSet<Digest>, StoreError> {
        read!(self, "look for a title's publications", queries::publications, title, origin, path)
    }

    async fn artifact(&self, artifact: &ArtifactKey) -> Result<Option<ArtifactRecord>, StoreError> {
        read!(self, "read an artifact's record", queries::artifact, artifact)
    }

    async fn attempts_of(&self, task: &TaskKey) -> Result<Vec<AttemptRecord>, StoreError> {
        read!(self, "list a task's attempts", queries::attempts_of, task)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        read_together!(self, "count titles and tasks", queries::counts)
    }
}

#[async_trait]
impl Leadership for Form {
    async fn acquire(
        &self,
        candidate: &Candidate,
        fit: bool,
        lease: Duration,
    ) -> Result<Election, StoreError> {
        write!(self, "ask for the leadership", leadership::acquire, candidate, fit, lease)
    }

    async fn renew(&self, term: Term, lease: Duration) -> Result<bool, StoreError> {
        self.bound_to(term).extend_term(lease).await
    }

    async fn resign(&self, term: Term) -> Result<(), StoreError> {
        self.bound_to(term).extend_term(Duration::ZERO).await.map(drop)
    }

    async fn leader(&self) -> Result<Option<Leader>, StoreError> {
        read_together!(self, "look for the leader", leadership::leader)
    }

    fn under(&self, term: Term) -> Arc<dyn Store> {
        Arc::new(self.bound_to(term))
    }
}

impl Form {
    /// The same store, whose writes are bound to a term.
    fn bound_to(&self, term: Term) -> Self {
        Self { term: Some(term), ..self.clone() }
    }

    async fn extend_term(&self, lease: Duration) -> Result<bool, StoreError> {
        write!(self, "renew the leadership", leadership::extend, lease)
    }
}

#[async_trait]
impl Access for Form {
    async fn add_token(&self, token: &NewToken) -> Result<Option<TokenRecord>, StoreError> {
        write!(self, "add a token", tokens::add, token)
    }

    async fn token(&self, token: &Digest) -> Result<Option<TokenRecord>, StoreError> {
        read!(self, "look for a token", tokens::valid, token)
    }

    async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        read!(self, "list the tokens", tokens::all)
    }

    async fn revoke_token(&self, token: &Digest) -> Result<bool, StoreError> {
        write!(self, "revoke a token", tokens::revoke, token)
    }

    async fn claim(&self, request: &KeyedRequest, limit: Duration) -> Result<Claim, StoreError> {
        write!(self, "claim a request", idempotency::claim, request, limit)
    }

    async fn answer(
        &self,
        request: &KeyedRequest,
        claim: ClaimToken,
        answer: &Answer,
        keep: Duration,
    ) -> Result<bool, StoreError> {
        write!(self, "store an answer", idempotency::answer, request, claim, answer, keep)
    }
}

//! The store of one host: a SQLite file.
//!
//! One connection writes, and every transaction that writes begins with `BEGIN IMMEDIATE`, so within a process writers
//! queue instead of finding the database locked; other processes are waited for. Readers see the last commit
//! (write-ahead log) and never wait. A transaction reads the clock once, after it got the lock, so times never run
//! against the order of the transactions unless the host's clock does.

mod attempts;
mod fault;
mod open;
mod planning;
mod queries;
mod rows;
mod standing;
mod submissions;
#[cfg(test)]
mod tests;
mod titles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::title::Submission;
use reelfarm_model::{
    ArtifactKey, Digest, Failure, Fence, Progress, Standing, TaskKey, Title, TitleId, TitleState, WorkerId,
};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::error::StoreError;
use crate::records::{AttemptRecord, Counts, ExpiredAttempt, TaskRecord};
use crate::store::{
    Advanced, Completed, Failed, Planned, PlannedTask, RetryDecision, Store, Submitted, TitleChange,
};
use fault::Fault;

/// A store in a SQLite file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: String,
    /// One connection, so that writers of this process queue here.
    writer: SqlitePool,
    reader: SqlitePool,
}

impl SqliteStore {
    /// Closes every connection, which also tidies up the write-ahead log. Without it, the next process does that.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<(Transaction<'static, Sqlite>, i64), Fault> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let now = sqlx::query_scalar("SELECT CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)")
            .fetch_one(&mut *transaction)
            .await?;
        Ok((transaction, now))
    }
}

/// Runs one of the functions below this module in a writing transaction, which gets the connection and the time.
macro_rules! write {
    ($store:ident, $action:literal, $operation:path $(, $argument:expr)*) => {{
        let work = async {
            let (mut transaction, now) = $store.begin().await?;
            let answer = $operation(&mut transaction, now $(, $argument)*).await?;
            transaction.commit().await?;
            Ok(answer)
        };
        work.await.map_err(|fault: Fault| fault.explain(&$store.database, $action))
    }};
}

/// Runs one of the functions below this module in a transaction that only reads.
macro_rules! read {
    ($store:ident, $action:literal, $operation:path $(, $argument:expr)*) => {{
        let work = async {
            let mut transaction = $store.reader.begin().await?;
            $operation(&mut transaction $(, $argument)*).await
        };
        work.await.map_err(|fault: Fault| fault.explain(&$store.database, $action))
    }};
}

#[async_trait]
impl Store for SqliteStore {
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

    async fn ready(&self, limit: usize) -> Result<Vec<TaskRecord>, StoreError> {
        read!(self, "list the ready tasks", queries::ready, limit)
    }

    async fn next_ready_in(&self) -> Result<Option<Duration>, StoreError> {
        read!(self, "look for the end of a back-off", queries::next_ready_in)
    }

    async fn dispatch(&self, task: &TaskKey, lease: Duration) -> Result<Option<TaskMessage>, StoreError> {
        write!(self, "dispatch a task", attempts::dispatch, task, lease)
    }

    async fn started(&self, fence: &Fence, worker: &WorkerId) -> Result<bool, StoreError> {
        write!(self, "record the start of an attempt", attempts::started, fence, worker)
    }

    async fn extend(&self, fence: &Fence, lease: Duration, progress: Progress) -> Result<bool, StoreError> {
        write!(self, "record a heartbeat", attempts::extend, fence, lease, progress)
    }

    async fn complete(
        &self,
        fence: &Fence,
        artifacts: &[ArtifactRecord],
        result: Option<&serde_json::Value>,
    ) -> Result<Option<Completed>, StoreError> {
        write!(self, "record a completed attempt", attempts::complete, fence, artifacts, result)
    }

    async fn fail(
        &self,
        fence: &Fence,
        failure: &Failure,
        retry: RetryDecision,
    ) -> Result<Option<Failed>, StoreError> {
        write!(self, "record a failed attempt", attempts::fail, fence, failure, retry)
    }

    async fn release(&self, fence: &Fence) -> Result<bool, StoreError> {
        write!(self, "take back an attempt", attempts::release, fence)
    }

    async fn lost(&self, fence: &Fence, retry: RetryDecision) -> Result<Option<Failed>, StoreError> {
        write!(self, "record a lost attempt", attempts::lost, fence, retry)
    }

    async fn expired(&self) -> Result<Vec<ExpiredAttempt>, StoreError> {
        read!(self, "look for lost attempts", queries::expired)
    }

    async fn recover(&self) -> Result<usize, StoreError> {
        write!(self, "release the attempts of an earlier process", attempts::recover)
    }

    async fn title(&self, title: &TitleId) -> Result<Option<Title>, StoreError> {
        read!(self, "read a title", queries::title, title)
    }

    async fn standing(&self, title: &TitleId) -> Result<Standing, StoreError> {
        read!(self, "look for what stands for a title", standing::standing, title)
    }

    async fn titles(&self) -> Result<Vec<Title>, StoreError> {
        read!(self, "list the titles", queries::titles)
    }

    async fn live_titles(&self) -> Result<Vec<Title>, StoreError> {
        read!(self, "list the live titles", queries::live_titles)
    }

    async fn tasks_of(&self, title: &TitleId) -> Result<Vec<TaskRecord>, StoreError> {
        read!(self, "list a title's tasks", queries::tasks_of, title)
    }

    async fn task(&self, task: &TaskKey) -> Result<Option<TaskRecord>, StoreError> {
        read!(self, "read a task", queries::task, task)
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
        read!(self, "count titles and tasks", queries::counts)
    }
}

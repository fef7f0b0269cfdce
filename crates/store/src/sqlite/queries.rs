//! What is asked of the store without changing it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::{ArtifactKey, Digest, Fence, TaskKey, Title, TitleId};
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::rows::{
    ArtifactRow, AttemptRow, TaskRow, TitleRow, from_generation, from_json, from_text, task_columns, to_json,
    undecodable,
};
use crate::records::{AttemptRecord, Counts, ExpiredAttempt, TaskRecord, TitleGeneration};

/// The clock of the database, where a query that only reads needs it.
macro_rules! now {
    () => {
        "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)"
    };
}

pub(super) async fn title(
    connection: &mut SqliteConnection,
    title: &TitleId,
) -> Result<Option<Title>, Fault> {
    let row: Option<TitleRow> = sqlx::query_as("SELECT * FROM titles WHERE title = $1")
        .bind(title.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(Title::try_from).transpose()
}

pub(super) async fn titles(connection: &mut SqliteConnection) -> Result<Vec<Title>, Fault> {
    let rows: Vec<TitleRow> =
        sqlx::query_as("SELECT * FROM titles ORDER BY submitted_ms, title").fetch_all(connection).await?;
    rows.into_iter().map(Title::try_from).collect()
}

pub(super) async fn live_titles(connection: &mut SqliteConnection) -> Result<Vec<Title>, Fault> {
    Ok(titles(connection).await?.into_iter().filter(|title| !title.state.is_final()).collect())
}

pub(super) async fn ready(connection: &mut SqliteConnection, limit: usize) -> Result<Vec<TaskRecord>, Fault> {
    let rows: Vec<TaskRow> = sqlx::query_as(concat!(
        "SELECT ",
        task_columns!(),
        " FROM tasks WHERE state = 'ready' AND COALESCE(not_before_ms, 0) <= ",
        now!(),
        " ORDER BY place LIMIT $1"
    ))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TaskRecord::try_from).collect()
}

pub(super) async fn next_ready_in(connection: &mut SqliteConnection) -> Result<Option<Duration>, Fault> {
    let wait: Option<i64> = sqlx::query_scalar(concat!(
        "SELECT MIN(not_before_ms) - ",
        now!(),
        " FROM tasks WHERE state = 'ready' AND not_before_ms > ",
        now!()
    ))
    .fetch_one(connection)
    .await?;
    Ok(wait.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or(0))))
}

pub(super) async fn expired(connection: &mut SqliteConnection) -> Result<Vec<ExpiredAttempt>, Fault> {
    let rows: Vec<(String, u32, String, u32, u32)> = sqlx::query_as(concat!(
        "SELECT task, attempt, lease, failures, losses FROM tasks WHERE lease_expires_ms <= ",
        now!(),
        " ORDER BY lease_expires_ms, place"
    ))
    .fetch_all(&mut *connection)
    .await?;
    let mut expired = Vec::with_capacity(rows.len());
    for (task, attempt, lease, failures, losses) in rows {
        let task: TaskKey = from_text("a task's key", &task)?;
        let fence = Fence { task, attempt, lease: from_text("a lease", &lease)? };
        let titles = wanting(connection, &task).await?;
        expired.push(ExpiredAttempt { fence, failures, losses, titles });
    }
    Ok(expired)
}

/// The titles that want a task, in the order of submission.
pub(super) async fn wanting(
    connection: &mut SqliteConnection,
    task: &TaskKey,
) -> Result<Vec<TitleGeneration>, Fault> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT titles.title, titles.generation FROM title_tasks JOIN titles USING (title) \
         WHERE title_tasks.task = $1 AND title_tasks.wanted = 1 ORDER BY titles.submitted_ms, titles.title",
    )
    .bind(task.to_string())
    .fetch_all(connection)
    .await?;
    let titles = rows
        .iter()
        .map(|(title, generation)| Ok((from_text("a title's name", title)?, from_generation(*generation)?)));
    titles.collect()
}

pub(super) async fn wanted_attempts(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<TaskKey, Vec<TitleId>>, Fault> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT tasks.task, titles.title FROM tasks JOIN title_tasks USING (task) JOIN titles USING (title) \
         WHERE tasks.lease IS NOT NULL AND title_tasks.wanted = 1 ORDER BY titles.submitted_ms, titles.title",
    )
    .fetch_all(connection)
    .await?;
    let mut wanted: BTreeMap<TaskKey, Vec<TitleId>> = BTreeMap::new();
    for (task, title) in rows {
        let titles = wanted.entry(from_text("a task's key", &task)?).or_default();
        titles.push(from_text("a title's name", &title)?);
    }
    Ok(wanted)
}

pub(super) async fn publications(
    connection: &mut SqliteConnection,
    title: &TitleId,
    origin: &str,
    path: &Path,
) -> Result<BTreeSet<Digest>, Fault> {
    let digests: Vec<String> = sqlx::query_scalar(
        "WITH published (digest) AS ( \
             SELECT specification ->> '$.spec.source' FROM tasks WHERE kind = 'publish' AND attempt > 0 \
             AND specification ->> '$.spec.title' = $1 AND specification ->> '$.spec.origin' = $2 \
         ) \
         SELECT DISTINCT digest FROM published JOIN tasks ON tasks.result ->> '$.sha256' = digest \
         WHERE tasks.kind = 'fingerprint' AND tasks.specification -> '$.spec.source.path' = json($3)",
    )
    .bind(title.as_str())
    .bind(origin)
    .bind(to_json("a source's path", path)?)
    .fetch_all(connection)
    .await?;
    Ok(digests.iter().map(|digest| from_text("a source's digest", digest)).collect::<Result<_, _>>()?)
}

pub(super) async fn tasks_of(
    connection: &mut SqliteConnection,
    title: &TitleId,
) -> Result<Vec<TaskRecord>, Fault> {
    let rows: Vec<TaskRow> = sqlx::query_as(concat!(
        "SELECT ",
        task_columns!(),
        " FROM title_tasks JOIN tasks ON tasks.task = title_tasks.task WHERE title_tasks.title = $1 ORDER BY tasks.place"
    ))
    .bind(title.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TaskRecord::try_from).collect()
}

pub(super) async fn task(
    connection: &mut SqliteConnection,
    task: &TaskKey,
) -> Result<Option<TaskRecord>, Fault> {
    let row: Option<TaskRow> =
        sqlx::query_as(concat!("SELECT ", task_columns!(), " FROM tasks WHERE task = $1"))
            .bind(task.to_string())
            .fetch_optional(connection)
            .await?;
    row.map(TaskRecord::try_from).transpose()
}

pub(super) async fn artifact(
    connection: &mut SqliteConnection,
    artifact: &ArtifactKey,
) -> Result<Option<ArtifactRecord>, Fault> {
    let row: Option<ArtifactRow> =
        sqlx::query_as("SELECT artifact, digest, size FROM artifacts WHERE artifact = $1")
            .bind(artifact.to_string())
            .fetch_optional(connection)
            .await?;
    row.map(ArtifactRecord::try_from).transpose()
}

pub(super) async fn attempts_of(
    connection: &mut SqliteConnection,
    task: &TaskKey,
) -> Result<Vec<AttemptRecord>, Fault> {
    let rows: Vec<AttemptRow> = sqlx::query_as("SELECT * FROM attempts WHERE task = $1 ORDER BY attempt")
        .bind(task.to_string())
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(AttemptRecord::try_from).collect()
}

pub(super) async fn counts(connection: &mut SqliteConnection) -> Result<Counts, Fault> {
    let mut counts = Counts::default();
    let count = |number: i64| u64::try_from(number).map_err(|error| undecodable("a count", &error));
    let titles: Vec<(String, i64)> = sqlx::query_as("SELECT state, COUNT(*) FROM titles GROUP BY state")
        .fetch_all(&mut *connection)
        .await?;
    for (state, number) in titles {
        counts.titles.insert(from_text("a title's state", &state)?, count(number)?);
    }
    let tasks: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT json_quote(kind), state, COUNT(*) FROM tasks GROUP BY kind, state")
            .fetch_all(connection)
            .await?;
    for (kind, state, number) in tasks {
        let key = (from_json("a task's kind", &kind)?, from_text("a task's state", &state)?);
        counts.tasks.insert(key, count(number)?);
    }
    Ok(counts)
}

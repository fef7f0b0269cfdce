//! Attempts: from dispatch to their end. Whatever a fence is presented for happens in one compare-and-set on task,
//! attempt and lease.

use std::time::Duration;

use reelfarm_model::attempt::{ArtifactRecord, LeaseToken};
use reelfarm_model::message::TaskMessage;
use reelfarm_model::{Code, Failure, Fence, Progress, Task, TaskKey, TitleId, WorkerId};
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::queries::wanting;
use super::rows::{from_json, from_text, idle_state, to_json, to_optional_json};
use super::titles::cancel_unwanted;
use crate::records::AttemptEnd;
use crate::store::{Completed, Failed, RetryDecision};

/// Whether a row of `tasks` is the attempt of the fence in the first three binds, and under way.
macro_rules! held {
    () => {
        "task = $1 AND attempt = $2 AND lease = $3 AND state IN ('dispatched', 'running')"
    };
}

/// What every end of an attempt does to its task.
macro_rules! no_lease {
    () => {
        "lease = NULL, lease_expires_ms = NULL, progress = NULL"
    };
}

fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

/// See [`Store::dispatch`](crate::Store::dispatch).
pub(super) async fn dispatch(
    connection: &mut SqliteConnection,
    now: i64,
    key: &TaskKey,
    lease: Duration,
) -> Result<Option<TaskMessage>, Fault> {
    let ready: Option<(String, Option<String>, u32, String)> = sqlx::query_as(
        "SELECT tasks.specification, tasks.source, tasks.attempt, title_tasks.title \
         FROM tasks JOIN title_tasks ON title_tasks.task = tasks.task AND title_tasks.wanted = 1 \
         JOIN titles ON titles.title = title_tasks.title \
         WHERE tasks.task = $1 AND tasks.state = 'ready' AND COALESCE(tasks.not_before_ms, 0) <= $2 \
         ORDER BY titles.submitted_ms, titles.title LIMIT 1",
    )
    .bind(key.to_string())
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((specification, source, attempt, title)) = ready else { return Ok(None) };
    let task: Task = from_json("a task", &specification)?;
    let source = source.map(|source| from_json("a source", &source)).transpose()?;
    let title: TitleId = from_text("a title's name", &title)?;
    let fence = Fence { task: *key, attempt: attempt + 1, lease: LeaseToken(rand::random()) };

    sqlx::query(
        "UPDATE tasks SET state = 'dispatched', attempt = $2, lease = $3, lease_expires_ms = $4, dispatched_ms = $5, \
         started_ms = NULL, worker = NULL, not_before_ms = NULL WHERE task = $1",
    )
    .bind(key.to_string())
    .bind(fence.attempt)
    .bind(fence.lease.to_string())
    .bind(later(now, lease))
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO attempts (task, attempt, dispatched_ms) VALUES ($1, $2, $3)")
        .bind(key.to_string())
        .bind(fence.attempt)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    Ok(Some(TaskMessage { fence, title, task, source, lease_ms }))
}

/// See [`Store::started`](crate::Store::started).
pub(super) async fn started(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    worker: &WorkerId,
) -> Result<bool, Fault> {
    let newly = sqlx::query(concat!(
        "UPDATE tasks SET state = 'running', worker = $4, started_ms = $5 WHERE state = 'dispatched' AND ",
        held!()
    ))
    .bind(fence.task.to_string())
    .bind(fence.attempt)
    .bind(fence.lease.to_string())
    .bind(&worker.0)
    .bind(now)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if newly == 0 {
        let again: i64 =
            sqlx::query_scalar(concat!("SELECT COUNT(*) FROM tasks WHERE worker = $4 AND ", held!()))
                .bind(fence.task.to_string())
                .bind(fence.attempt)
                .bind(fence.lease.to_string())
                .bind(&worker.0)
                .fetch_one(connection)
                .await?;
        return Ok(again > 0);
    }
    sqlx::query("UPDATE attempts SET worker = $3, started_ms = $4 WHERE task = $1 AND attempt = $2")
        .bind(fence.task.to_string())
        .bind(fence.attempt)
        .bind(&worker.0)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(true)
}

/// See [`Store::extend`](crate::Store::extend).
pub(super) async fn extend(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    lease: Duration,
    progress: Progress,
) -> Result<bool, Fault> {
    let extended =
        sqlx::query(concat!("UPDATE tasks SET lease_expires_ms = $4, progress = $5 WHERE ", held!()))
            .bind(fence.task.to_string())
            .bind(fence.attempt)
            .bind(fence.lease.to_string())
            .bind(later(now, lease))
            .bind(to_json("an attempt's progress", &progress)?)
            .execute(connection)
            .await?
            .rows_affected();
    Ok(extended > 0)
}

/// See [`Store::complete`](crate::Store::complete).
pub(super) async fn complete(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    artifacts: &[ArtifactRecord],
    result: Option<&serde_json::Value>,
) -> Result<Option<Completed>, Fault> {
    let done = sqlx::query(concat!(
        "UPDATE tasks SET state = 'done', result = $4, finished_ms = $5, ",
        no_lease!(),
        " WHERE ",
        held!()
    ))
    .bind(fence.task.to_string())
    .bind(fence.attempt)
    .bind(fence.lease.to_string())
    .bind(to_optional_json("a task's result", result.as_ref())?)
    .bind(now)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if done == 0 {
        return Ok(None);
    }
    end(connection, now, fence, AttemptEnd::Completed, None).await?;
    for artifact in artifacts {
        sqlx::query(
            "INSERT INTO artifacts (artifact, digest, size, task, made_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(artifact.key.to_string())
        .bind(artifact.digest.to_string())
        .bind(i64::try_from(artifact.size).unwrap_or(i64::MAX))
        .bind(fence.task.to_string())
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    let woken = sqlx::query(concat!(
        "UPDATE tasks SET state = 'ready' WHERE state = 'waiting' \
         AND task IN (SELECT task FROM task_needs WHERE need = $1) AND 'ready' = ",
        idle_state!()
    ))
    .bind(fence.task.to_string())
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let titles = wanting(connection, &fence.task).await?;
    Ok(Some(Completed { titles, now_ready: usize::try_from(woken).unwrap_or(usize::MAX) }))
}

/// See [`Store::fail`](crate::Store::fail).
pub(super) async fn fail(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    failure: &Failure,
    retry: RetryDecision,
) -> Result<Option<Failed>, Fault> {
    let counted = sqlx::query(concat!("UPDATE tasks SET failures = failures + 1 WHERE ", held!()))
        .bind(fence.task.to_string())
        .bind(fence.attempt)
        .bind(fence.lease.to_string())
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if counted == 0 {
        return Ok(None);
    }
    give_up_or_retry(connection, now, fence, AttemptEnd::Failed, failure, retry).await.map(Some)
}

/// See [`Store::lost`](crate::Store::lost).
pub(super) async fn lost(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    retry: RetryDecision,
) -> Result<Option<Failed>, Fault> {
    let counted: Option<(String, Option<String>)> = sqlx::query_as(concat!(
        "UPDATE tasks SET losses = losses + 1 WHERE lease_expires_ms <= $4 AND ",
        held!(),
        " RETURNING specification, worker"
    ))
    .bind(fence.task.to_string())
    .bind(fence.attempt)
    .bind(fence.lease.to_string())
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((specification, worker)) = counted else { return Ok(None) };
    let task: Task = from_json("a task", &specification)?;
    let (attempt, label) = (fence.attempt, task.spec.label());
    let failure = Failure::new(
        Code::WorkerLost,
        match worker {
            Some(worker) => {
                format!("the worker {worker} stopped answering during attempt {attempt} at {label}")
            }
            None => format!("no worker reported the start of attempt {attempt} at {label} in time"),
        },
    );
    give_up_or_retry(connection, now, fence, AttemptEnd::Lost, &failure, retry).await.map(Some)
}

/// The end of an attempt that did not succeed and that the fence was found to hold.
async fn give_up_or_retry(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    outcome: AttemptEnd,
    failure: &Failure,
    retry: RetryDecision,
) -> Result<Failed, Fault> {
    let failure = to_json("a failure", failure)?;
    let query = match retry {
        RetryDecision::After(wait) => sqlx::query(concat!(
            "UPDATE tasks SET last_failure = $2, not_before_ms = $3, ",
            no_lease!(),
            ", state = ",
            idle_state!(),
            " WHERE task = $1"
        ))
        .bind(fence.task.to_string())
        .bind(&failure)
        .bind(later(now, wait)),
        RetryDecision::Never => sqlx::query(concat!(
            "UPDATE tasks SET last_failure = $2, finished_ms = $3, ",
            no_lease!(),
            ", state = 'failed' WHERE task = $1"
        ))
        .bind(fence.task.to_string())
        .bind(&failure)
        .bind(now),
    };
    query.execute(&mut *connection).await?;
    end(connection, now, fence, outcome, Some(&failure)).await?;
    cancel_unwanted(connection, now, &[fence.task.to_string()]).await?;
    Ok(Failed { titles: wanting(connection, &fence.task).await? })
}

/// See [`Store::release`](crate::Store::release).
pub(super) async fn release(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
) -> Result<bool, Fault> {
    let released = sqlx::query(concat!(
        "UPDATE tasks SET ",
        no_lease!(),
        ", state = ",
        idle_state!(),
        " WHERE ",
        held!()
    ))
    .bind(fence.task.to_string())
    .bind(fence.attempt)
    .bind(fence.lease.to_string())
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if released == 0 {
        return Ok(false);
    }
    end(connection, now, fence, AttemptEnd::Released, None).await?;
    cancel_unwanted(connection, now, &[fence.task.to_string()]).await?;
    Ok(true)
}

/// See [`Store::recover`](crate::Store::recover).
pub(super) async fn recover(connection: &mut SqliteConnection, now: i64) -> Result<usize, Fault> {
    let active: Vec<(String, u32, String)> =
        sqlx::query_as("SELECT task, attempt, lease FROM tasks WHERE lease IS NOT NULL ORDER BY place")
            .fetch_all(&mut *connection)
            .await?;
    for (task, attempt, lease) in &active {
        let fence = Fence {
            task: from_text("a task's key", task)?,
            attempt: *attempt,
            lease: from_text("a lease", lease)?,
        };
        release(connection, now, &fence).await?;
    }
    Ok(active.len())
}

/// Writes the end of an attempt into the history. Nobody keeps it any more: a task that was under way for its sake alone
/// is not tried again.
async fn end(
    connection: &mut SqliteConnection,
    now: i64,
    fence: &Fence,
    outcome: AttemptEnd,
    failure: Option<&str>,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE attempts SET outcome = $3, failure = $4, finished_ms = $5 WHERE task = $1 AND attempt = $2",
    )
    .bind(fence.task.to_string())
    .bind(fence.attempt)
    .bind(outcome.as_str())
    .bind(failure)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM kept_attempts WHERE task = $1")
        .bind(fence.task.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

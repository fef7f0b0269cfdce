//! Changes of titles, and what happens to tasks that nobody wants any more.

use reelfarm_model::attempt::LeaseToken;
use reelfarm_model::{Fence, TitleId, TitleState};
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::rows::{from_text, to_generation, to_json, to_optional_json};
use super::standing;
use crate::error::StoreError;
use crate::records::AttemptEnd;
use crate::store::{Advanced, TitleChange};

/// See [`Store::advance`](crate::Store::advance).
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    now: i64,
    title: &TitleId,
    generation: u64,
    from: TitleState,
    change: &TitleChange,
) -> Result<Option<Advanced>, Fault> {
    if let Some(to) = change.to
        && (to == TitleState::Checking || !from.may_become(to))
    {
        return Err(StoreError::ForbiddenTransition { title: title.clone(), from, to }.into());
    }
    let changed = sqlx::query(
        "UPDATE titles SET state = COALESCE($4, state), source_digest = COALESCE($5, source_digest), \
         report = COALESCE($6, report), failure = COALESCE($7, failure), changed_ms = $8 \
         WHERE title = $1 AND generation = $2 AND state = $3",
    )
    .bind(title.as_str())
    .bind(to_generation(generation))
    .bind(from.as_str())
    .bind(change.to.map(TitleState::as_str))
    .bind(change.source_digest.map(|digest| digest.to_string()))
    .bind(to_optional_json("a QC report", change.report.as_ref())?)
    .bind(to_optional_json("a failure", change.failure.as_ref())?)
    .bind(now)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if changed == 0 {
        return Ok(None);
    }
    let Some(to) = change.to else { return Ok(Some(Advanced::default())) };
    if to == TitleState::Published {
        standing::publish(connection, title).await?;
    }
    // The generation is planned or over: it is known what it wants of what an earlier one began.
    let mut released = keep_nothing(connection, title).await?;
    if to.is_final() || to == TitleState::Withdrawing {
        released.extend(want_nothing(connection, title).await?);
    }
    let stopped = cancel_unwanted(connection, now, &released).await?;
    Ok(Some(Advanced { stopped }))
}

/// The title wants none of its tasks any more. Answers them.
pub(super) async fn want_nothing(
    connection: &mut SqliteConnection,
    title: &TitleId,
) -> Result<Vec<String>, Fault> {
    let tasks = sqlx::query_scalar("UPDATE title_tasks SET wanted = 0 WHERE title = $1 RETURNING task")
        .bind(title.as_str())
        .fetch_all(connection)
        .await?;
    Ok(tasks)
}

/// The title keeps its attempts that are under way, whatever it wants from now on. Not those that act on the origin:
/// nothing of a generation that is over is to come online.
pub(super) async fn keep_attempts(connection: &mut SqliteConnection, title: &TitleId) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO kept_attempts (title, task) SELECT title, task FROM title_tasks JOIN tasks USING (task) \
         WHERE title = $1 AND wanted = 1 AND lease IS NOT NULL AND kind NOT IN ('upload', 'publish', 'withdraw') \
         ON CONFLICT DO NOTHING",
    )
    .bind(title.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// The title keeps no attempt of an earlier generation any more. Answers their tasks.
pub(super) async fn keep_nothing(
    connection: &mut SqliteConnection,
    title: &TitleId,
) -> Result<Vec<String>, Fault> {
    let tasks = sqlx::query_scalar("DELETE FROM kept_attempts WHERE title = $1 RETURNING task")
        .bind(title.as_str())
        .fetch_all(connection)
        .await?;
    Ok(tasks)
}

/// A row of `tasks` that no title wants, and no title keeps an attempt at.
macro_rules! unwanted {
    () => {
        "NOT EXISTS (SELECT 1 FROM title_tasks w WHERE w.task = tasks.task AND w.wanted = 1) \
         AND NOT EXISTS (SELECT 1 FROM kept_attempts k WHERE k.task = tasks.task)"
    };
}

/// Cancels those of the tasks that no title wants or keeps and that are not finished; answers their attempts.
pub(super) async fn cancel_unwanted(
    connection: &mut SqliteConnection,
    now: i64,
    tasks: &[String],
) -> Result<Vec<Fence>, Fault> {
    let tasks = to_json("task keys", tasks)?;
    let active: Vec<(String, u32, String)> = sqlx::query_as(concat!(
        "SELECT task, attempt, lease FROM tasks WHERE lease IS NOT NULL \
         AND task IN (SELECT value FROM json_each($1)) AND ",
        unwanted!(),
        " ORDER BY place"
    ))
    .bind(&tasks)
    .fetch_all(&mut *connection)
    .await?;
    let mut stopped = Vec::with_capacity(active.len());
    for (task, attempt, lease) in active {
        sqlx::query("UPDATE attempts SET outcome = $3, finished_ms = $4 WHERE task = $1 AND attempt = $2")
            .bind(&task)
            .bind(attempt)
            .bind(AttemptEnd::Cancelled.as_str())
            .bind(now)
            .execute(&mut *connection)
            .await?;
        let lease: LeaseToken = from_text("a lease", &lease)?;
        stopped.push(Fence { task: from_text("a task's key", &task)?, attempt, lease });
    }
    sqlx::query(concat!(
        "UPDATE tasks SET state = 'cancelled', lease = NULL, lease_expires_ms = NULL, progress = NULL, \
         not_before_ms = NULL, finished_ms = $2 \
         WHERE state IN ('waiting', 'ready', 'dispatched', 'running') \
         AND task IN (SELECT value FROM json_each($1)) AND ",
        unwanted!()
    ))
    .bind(&tasks)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    Ok(stopped)
}

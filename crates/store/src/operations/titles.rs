//! Changes of titles, and what happens to tasks that nobody wants any more.

use reelfarm_model::{Fence, Title, TitleId, TitleState};

use super::dialect::{Connection, one_of};
use super::endings::{end, to_fence};
use super::{queries, standing};
use crate::changes::{Advanced, TitleChange};
use crate::error::StoreError;
use crate::fault::Fault;
use crate::records::AttemptEnd;
use crate::rows::{to_generation, to_json, to_optional_json};

/// See [`Store::advance`](crate::Store::advance).
pub(super) async fn advance(
    connection: &mut Connection,
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
         report = COALESCE($6, report), changed_ms = $8, leftovers = COALESCE($9, leftovers), \
         failure = CASE WHEN $4 = 'published' THEN NULL ELSE COALESCE($7, failure) END, \
         policy_digest = CASE WHEN $4 = 'preparing' THEN $10 ELSE COALESCE($10, policy_digest) END, \
         asked_ms = CASE WHEN $4 = 'review' THEN $8 WHEN $4 = 'preparing' AND $10 IS NULL THEN NULL ELSE asked_ms END, \
         expedited_ms = CASE WHEN $4 IN ('published', 'cancelled') THEN NULL ELSE expedited_ms END \
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
    .bind(change.leftovers.map(i16::from))
    .bind(change.policy_digest.map(|digest| digest.to_string()))
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
    // The generation is planned or over, or waits for a person, and nothing of it is to be at work meanwhile: it is known
    // what it wants of what an earlier one began.
    let mut released = keep_nothing(connection, title).await?;
    if to.is_final() || to == TitleState::Withdrawing {
        released.extend(want_nothing(connection, title).await?);
        // What is left to do is to clear up, which nobody meant to hold.
        sqlx::query("UPDATE titles SET held = 0 WHERE title = $1")
            .bind(title.as_str())
            .execute(&mut *connection)
            .await?;
    }
    let stopped = cancel_unwanted(connection, now, &released).await?;
    Ok(Some(Advanced { stopped }))
}

/// See [`Store::hold`](crate::Store::hold).
pub(super) async fn hold(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    held: bool,
) -> Result<Option<Title>, Fault> {
    let known = queries::title(connection, title).await?;
    let Some(known) = known.filter(|title| title.state.is_under_way()) else {
        return Ok(None);
    };
    if known.held == held {
        return Ok(Some(known));
    }
    sqlx::query("UPDATE titles SET held = $2, changed_ms = $3 WHERE title = $1")
        .bind(title.as_str())
        .bind(i16::from(held))
        .bind(now)
        .execute(connection)
        .await?;
    Ok(Some(Title { held, changed_ms: now, ..known }))
}

/// Whether an attempt of a task of the title has worked at its folder at the origin.
pub(super) async fn has_touched_origin(connection: &mut Connection, title: &TitleId) -> Result<bool, Fault> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM title_tasks JOIN tasks USING (task) \
         WHERE title = $1 AND attempt > 0 AND kind IN ('upload', 'publish')",
    )
    .bind(title.as_str())
    .fetch_one(connection)
    .await?;
    Ok(count > 0)
}

/// The title wants none of its tasks any more. Answers them.
pub(super) async fn want_nothing(connection: &mut Connection, title: &TitleId) -> Result<Vec<String>, Fault> {
    let tasks = sqlx::query_scalar("UPDATE title_tasks SET wanted = 0 WHERE title = $1 RETURNING task")
        .bind(title.as_str())
        .fetch_all(connection)
        .await?;
    Ok(tasks)
}

/// The title keeps its attempts that are under way, whatever it wants from now on. Not those that act on the origin:
/// nothing of a generation that is over is to come online.
pub(super) async fn keep_attempts(connection: &mut Connection, title: &TitleId) -> Result<(), Fault> {
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
pub(super) async fn keep_nothing(connection: &mut Connection, title: &TitleId) -> Result<Vec<String>, Fault> {
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
    connection: &mut Connection,
    now: i64,
    tasks: &[String],
) -> Result<Vec<Fence>, Fault> {
    let tasks = to_json("task keys", tasks)?;
    let active: Vec<(String, i64, String)> = sqlx::query_as(concat!(
        "SELECT task, attempt, lease FROM tasks WHERE lease IS NOT NULL AND task ",
        one_of!("$1"),
        " AND ",
        unwanted!(),
        " ORDER BY place"
    ))
    .bind(&tasks)
    .fetch_all(&mut *connection)
    .await?;
    let mut stopped = Vec::with_capacity(active.len());
    for (task, attempt, lease) in active {
        stopped.push(to_fence(&task, attempt, &lease)?);
    }
    if !stopped.is_empty() {
        let ended: Vec<_> = stopped.iter().map(|fence| (*fence, None)).collect();
        end(connection, now, AttemptEnd::Cancelled, &ended).await?;
    }
    sqlx::query(concat!(
        "UPDATE tasks SET state = 'cancelled', lease = NULL, lease_expires_ms = NULL, progress = NULL, \
         not_before_ms = NULL, finished_ms = $2 \
         WHERE state IN ('waiting', 'ready', 'dispatched', 'running') AND task ",
        one_of!("$1"),
        " AND ",
        unwanted!()
    ))
    .bind(&tasks)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    Ok(stopped)
}

//! Dispatch: attempts begin, and their messages lie in the outbox until the broker has them. The outbox is a part of the
//! tasks' rows, so that neither putting a message in nor taking it out is a write of its own.

use std::collections::HashMap;
use std::time::Duration;

use reelfarm_model::attempt::LeaseToken;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::{Fence, TaskKey, TaskSpec};

use super::dialect::{Connection, may_be_lost, one_of, rows};
use super::later;
use super::sql::{given, held, sent};
use crate::fault::Fault;
use crate::rows::{from_count, from_json, from_text, to_json};

/// See [`Store::dispatch_all`](crate::Store::dispatch_all).
pub(super) async fn dispatch_all(
    connection: &mut Connection,
    now: i64,
    tasks: &[TaskKey],
    lease: Duration,
) -> Result<Vec<TaskMessage>, Fault> {
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    let mut messages = Vec::with_capacity(tasks.len());
    let mut ready = ready(connection, now, tasks).await?;
    for key in tasks {
        let Some(row) = ready.remove(&key.to_string()) else { continue };
        let attempt = from_count("an attempt's number", row.attempt)? + 1;
        messages.push(TaskMessage {
            fence: Fence { task: *key, attempt, lease: LeaseToken(rand::random()) },
            title: from_text("a title's name", &row.title)?,
            task: from_json("a task", &row.specification)?,
            source: row.source.map(|source| from_json("a source", &source)).transpose()?,
            lease_ms,
        });
    }
    if messages.is_empty() {
        return Ok(messages);
    }
    let attempts: Vec<_> = messages
        .iter()
        .map(|message| (message.fence.task, message.fence.attempt, message.fence.lease, &message.title))
        .collect();
    let attempts = to_json("attempts", &attempts)?;
    sqlx::query(concat!(
        "UPDATE tasks SET state = 'dispatched', attempt = given.attempt, lease = given.lease, \
         lease_expires_ms = $2, dispatched_ms = $3, unsent_title = given.title, lease_ms = $4, \
         started_ms = NULL, worker = NULL, not_before_ms = NULL FROM ",
        given!(", value ->> 3 AS title"),
        " WHERE tasks.task = given.task"
    ))
    .bind(&attempts)
    .bind(later(now, lease))
    .bind(now)
    // Added to a time later.
    .bind(i64::try_from(lease_ms).unwrap_or(i64::MAX).min(i64::MAX / 4))
    .execute(&mut *connection)
    .await?;
    remember_publications(connection, &messages).await?;
    Ok(messages)
}

#[derive(sqlx::FromRow)]
struct Ready {
    task: String,
    specification: String,
    source: Option<String>,
    attempt: i64,
    /// The title that has wanted it for longest, of those that are not held.
    title: String,
}

async fn ready(
    connection: &mut Connection,
    now: i64,
    tasks: &[TaskKey],
) -> Result<HashMap<String, Ready>, Fault> {
    let rows: Vec<Ready> = sqlx::query_as(concat!(
        "SELECT task, specification, source, attempt, title FROM (\
             SELECT tasks.task, tasks.specification, tasks.source, tasks.attempt, \
             (SELECT titles.title FROM title_tasks JOIN titles USING (title) \
              WHERE title_tasks.task = tasks.task AND title_tasks.wanted = 1 AND titles.held = 0 \
              ORDER BY titles.submitted_ms, titles.title LIMIT 1) AS title \
             FROM tasks WHERE tasks.task ",
        one_of!("$1"),
        " AND tasks.state = 'ready' AND COALESCE(tasks.not_before_ms, 0) <= $2\
         ) AS candidates WHERE title IS NOT NULL"
    ))
    .bind(to_json("task keys", tasks)?)
    .bind(now)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.task.clone(), row)).collect())
}

/// Once a publication has begun, something of it may be online.
async fn remember_publications(connection: &mut Connection, messages: &[TaskMessage]) -> Result<(), Fault> {
    let publications: Vec<_> = messages
        .iter()
        .filter_map(|message| match &message.task.spec {
            TaskSpec::Publish(spec) => Some((&spec.title, &spec.origin, spec.source)),
            _ => None,
        })
        .collect();
    if publications.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!(
        "INSERT INTO publications (title, origin, source) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM ",
        rows!("$1"),
        " WHERE true ON CONFLICT DO NOTHING"
    ))
    .bind(to_json("publications", &publications)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// See [`Store::unsent`](crate::Store::unsent).
pub(super) async fn unsent(connection: &mut Connection, limit: usize) -> Result<Vec<TaskMessage>, Fault> {
    let rows: Vec<Unsent> = sqlx::query_as(
        "SELECT task, attempt, lease, unsent_title AS title, lease_ms, specification, source \
         FROM tasks WHERE lease IS NOT NULL AND unsent_title IS NOT NULL ORDER BY place LIMIT $1",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TaskMessage::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct Unsent {
    task: String,
    attempt: i64,
    lease: String,
    title: String,
    lease_ms: i64,
    specification: String,
    source: Option<String>,
}

impl TryFrom<Unsent> for TaskMessage {
    type Error = Fault;

    fn try_from(row: Unsent) -> Result<Self, Fault> {
        Ok(Self {
            fence: Fence {
                task: from_text("a task's key", &row.task)?,
                attempt: from_count("an attempt's number", row.attempt)?,
                lease: from_text("a lease", &row.lease)?,
            },
            title: from_text("a title's name", &row.title)?,
            task: from_json("a task", &row.specification)?,
            source: row.source.map(|source| from_json("a source", &source)).transpose()?,
            lease_ms: u64::try_from(row.lease_ms).unwrap_or(0),
        })
    }
}

/// See [`Store::mark_sent`](crate::Store::mark_sent).
pub(super) async fn mark_sent(
    connection: &mut Connection,
    _now: i64,
    attempts: &[Fence],
) -> Result<(), Fault> {
    // A mark that is lost with the database's host has the message sent twice, which does no harm.
    may_be_lost(connection).await?;
    let attempts: Vec<_> = attempts.iter().map(|fence| (fence.task, fence.attempt, fence.lease)).collect();
    sqlx::query(concat!(
        "UPDATE tasks SET ",
        sent!(),
        " FROM ",
        given!(""),
        " WHERE unsent_title IS NOT NULL AND ",
        held!()
    ))
    .bind(to_json("attempts", &attempts)?)
    .execute(connection)
    .await?;
    Ok(())
}

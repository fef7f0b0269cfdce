//! How attempts end, and what follows.

use std::collections::HashMap;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{Code, Failure, Fence, Task, TaskKey, TaskKind, TaskSpec};

use super::attempts::{Outcomes, record, to_keys};
use super::dialect::{Connection, one_of, rows};
use super::later;
use super::queries::wanting;
use super::sql::{given, held, idle_state, no_lease};
use super::titles::cancel_unwanted;
use crate::fault::Fault;
use crate::records::AttemptEnd;
use crate::report::{AttemptReport, Completed, Failed, Recorded, Report, RetryDecision};
use crate::rows::{from_count, from_json, from_text, to_json, to_optional_json};

/// An attempt with what it made and its result.
pub(super) type Completion<'a> = (Fence, &'a [ArtifactRecord], Option<&'a serde_json::Value>);

pub(super) async fn complete(
    connection: &mut Connection,
    now: i64,
    completions: &[Completion<'_>],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    if completions.is_empty() {
        return Ok(());
    }
    let mut attempts = Vec::with_capacity(completions.len());
    for (fence, _, result) in completions {
        let result = to_optional_json("a task's result", result.as_ref())?;
        attempts.push((fence.task, fence.attempt, fence.lease, result));
    }
    let done: Vec<(String, String)> = sqlx::query_as(concat!(
        "UPDATE tasks SET state = 'done', result = given.result, finished_ms = $2, ",
        no_lease!(),
        " FROM ",
        given!(", value ->> 3 AS result"),
        " WHERE ",
        held!(),
        " RETURNING tasks.task, tasks.kind"
    ))
    .bind(to_json("attempts", &attempts)?)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let (keys, kinds): (Vec<String>, Vec<String>) = done.into_iter().unzip();
    let done = to_keys(&keys)?;
    let ended: Vec<_> = completions.iter().filter(|(fence, ..)| done.contains(&fence.task)).collect();
    if ended.is_empty() {
        return Ok(());
    }
    let attempts: Vec<_> = ended.iter().map(|(fence, ..)| (*fence, None)).collect();
    end(connection, now, AttemptEnd::Completed, &attempts).await?;
    add_artifacts(connection, now, &ended).await?;
    if kinds.iter().any(|kind| kind == TaskKind::Fingerprint.as_str()) {
        remember_readings(connection, &keys).await?;
    }
    let order: Vec<TaskKey> = ended.iter().map(|(fence, ..)| fence.task).collect();
    let mut woken = wake(connection, &order).await?;
    let mut titles = wanting(connection, &order).await?;
    for task in order {
        let completed = Completed {
            titles: titles.remove(&task).unwrap_or_default(),
            now_ready: woken.remove(&task).unwrap_or(0),
        };
        outcomes.insert(task, Recorded::Completed(completed));
    }
    Ok(())
}

async fn add_artifacts(
    connection: &mut Connection,
    now: i64,
    completions: &[&Completion<'_>],
) -> Result<(), Fault> {
    let artifacts: Vec<_> = completions
        .iter()
        .flat_map(|(fence, artifacts, _)| {
            let size = |artifact: &ArtifactRecord| i64::try_from(artifact.size).unwrap_or(i64::MAX);
            artifacts.iter().map(move |made| (made.key, made.digest, size(made), fence.task))
        })
        .collect();
    if artifacts.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!(
        "INSERT INTO artifacts (artifact, digest, size, task, made_ms) \
         SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, $2 FROM ",
        rows!("$1"),
        " WHERE true ON CONFLICT DO NOTHING"
    ))
    .bind(to_json("artifacts", &artifacts)?)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// From which path a source was read is known for ever.
async fn remember_readings(connection: &mut Connection, tasks: &[String]) -> Result<(), Fault> {
    let read: Vec<(String, Option<String>)> = sqlx::query_as(concat!(
        "SELECT specification, result FROM tasks WHERE kind = 'fingerprint' AND task ",
        one_of!("$1")
    ))
    .bind(to_json("task keys", tasks)?)
    .fetch_all(&mut *connection)
    .await?;
    let mut readings = Vec::with_capacity(read.len());
    for (specification, result) in read {
        let task: Task = from_json("a task", &specification)?;
        let fingerprint = result.and_then(|result| serde_json::from_str::<Fingerprint>(&result).ok());
        // Without a fingerprint for a result, the scheduler fails the title.
        if let (TaskSpec::Fingerprint(spec), Some(fingerprint)) = (task.spec, fingerprint) {
            readings.push((to_json("a source's path", &spec.source.path)?, fingerprint.sha256));
        }
    }
    sqlx::query(concat!(
        "INSERT INTO readings (path, source) SELECT value ->> 0, value ->> 1 FROM ",
        rows!("$1"),
        " WHERE true ON CONFLICT DO NOTHING"
    ))
    .bind(to_json("readings", &readings)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes ready what waited for these tasks alone. Answers how many each of them woke; who waited for several counts for
/// the last.
async fn wake(connection: &mut Connection, done: &[TaskKey]) -> Result<HashMap<TaskKey, usize>, Fault> {
    let needs: Vec<(String, String)> =
        sqlx::query_as(concat!("SELECT task, need FROM task_needs WHERE need ", one_of!("$1")))
            .bind(to_json("task keys", done)?)
            .fetch_all(&mut *connection)
            .await?;
    if needs.is_empty() {
        return Ok(HashMap::new());
    }
    let places: HashMap<String, usize> =
        (0..).zip(done).map(|(place, task)| (task.to_string(), place)).collect();
    let mut last: HashMap<String, usize> = HashMap::new();
    for (task, need) in needs {
        let place = places.get(&need).copied().unwrap_or(0);
        last.entry(task).and_modify(|last| *last = place.max(*last)).or_insert(place);
    }
    let woken: Vec<String> = sqlx::query_scalar(concat!(
        "UPDATE tasks SET state = 'ready' WHERE state = 'waiting' AND task ",
        one_of!("$1"),
        " AND 'ready' = ",
        idle_state!(),
        " RETURNING task"
    ))
    .bind(to_json("task keys", &last.keys().collect::<Vec<_>>())?)
    .fetch_all(connection)
    .await?;
    let mut counts = HashMap::new();
    for place in woken.iter().filter_map(|task| last.get(task)) {
        *counts.entry(done[*place]).or_default() += 1;
    }
    Ok(counts)
}

pub(super) async fn fail(
    connection: &mut Connection,
    now: i64,
    failed: &[(Fence, Failure, RetryDecision)],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    give_up_or_retry(connection, now, AttemptEnd::Failed, failed, outcomes).await
}

pub(super) async fn lose(
    connection: &mut Connection,
    now: i64,
    lost: &[(Fence, RetryDecision)],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    if lost.is_empty() {
        return Ok(());
    }
    let given: Vec<_> = lost.iter().map(|(fence, _)| (fence.task, fence.attempt, fence.lease)).collect();
    let expired: Vec<(String, String, Option<String>)> = sqlx::query_as(concat!(
        "SELECT tasks.task, tasks.specification, tasks.worker FROM tasks JOIN ",
        given!(""),
        " ON tasks.lease_expires_ms <= $2 AND ",
        held!()
    ))
    .bind(to_json("attempts", &given)?)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let mut failed = Vec::with_capacity(expired.len());
    for (task, specification, worker) in expired {
        let task_key: TaskKey = from_text("a task's key", &task)?;
        let task: Task = from_json("a task", &specification)?;
        if let Some((fence, retry)) = lost.iter().find(|(fence, _)| fence.task == task_key) {
            failed.push((*fence, loss(fence, &task, worker.as_deref()), *retry));
        }
    }
    give_up_or_retry(connection, now, AttemptEnd::Lost, &failed, outcomes).await
}

fn loss(fence: &Fence, task: &Task, worker: Option<&str>) -> Failure {
    let (attempt, label) = (fence.attempt, task.spec.label());
    Failure::new(
        Code::WorkerLost,
        match worker {
            Some(worker) => {
                format!("the worker {worker} stopped answering during attempt {attempt} at {label}")
            }
            None => format!("no worker reported the start of attempt {attempt} at {label} in time"),
        },
    )
}

/// Ends attempts that did not succeed. They count as failures or as losses, by how they ended.
async fn give_up_or_retry(
    connection: &mut Connection,
    now: i64,
    outcome: AttemptEnd,
    failed: &[(Fence, Failure, RetryDecision)],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    if failed.is_empty() {
        return Ok(());
    }
    let mut given = Vec::with_capacity(failed.len());
    for (fence, failure, retry) in failed {
        let (not_before, finished) = match retry {
            RetryDecision::After(wait) | RetryDecision::Uncounted(wait) => (Some(later(now, *wait)), None),
            RetryDecision::Never => (None, Some(now)),
        };
        let counts = u8::from(!matches!(retry, RetryDecision::Uncounted(_)));
        let failure = to_json("a failure", failure)?;
        given.push((fence.task, fence.attempt, fence.lease, failure, not_before, finished, counts));
    }
    let counted: Vec<String> = sqlx::query_scalar(concat!(
        "UPDATE tasks SET failures = failures + $2 * given.counts, losses = losses + $3 * given.counts, \
         uncounted = uncounted + $2 * (1 - given.counts), \
         last_failure = given.failure, not_before_ms = given.not_before_ms, finished_ms = given.finished_ms, ",
        no_lease!(),
        ", state = CASE WHEN given.finished_ms IS NULL THEN ",
        idle_state!(),
        " ELSE 'failed' END FROM ",
        given!(
            ", value ->> 3 AS failure, CAST(value ->> 4 AS BIGINT) AS not_before_ms, \
             CAST(value ->> 5 AS BIGINT) AS finished_ms, CAST(value ->> 6 AS BIGINT) AS counts"
        ),
        " WHERE ",
        held!(),
        " RETURNING tasks.task"
    ))
    .bind(to_json("attempts", &given)?)
    .bind(i64::from(outcome == AttemptEnd::Failed))
    .bind(i64::from(outcome == AttemptEnd::Lost))
    .fetch_all(&mut *connection)
    .await?;
    if counted.is_empty() {
        return Ok(());
    }
    let keys = to_keys(&counted)?;
    let ended: Vec<_> = given
        .iter()
        .zip(failed)
        .filter(|(_, (fence, ..))| keys.contains(&fence.task))
        .map(|((_, _, _, failure, ..), (fence, ..))| (*fence, Some(failure.as_str())))
        .collect();
    end(connection, now, outcome, &ended).await?;
    cancel_unwanted(connection, now, &counted).await?;
    let mut titles = wanting(connection, &keys).await?;
    for task in keys {
        let titles = titles.remove(&task).unwrap_or_default();
        outcomes.insert(task, Recorded::Failed(Failed { titles }));
    }
    Ok(())
}

pub(super) async fn release(
    connection: &mut Connection,
    now: i64,
    released: &[Fence],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    if released.is_empty() {
        return Ok(());
    }
    let given: Vec<_> = released.iter().map(|fence| (fence.task, fence.attempt, fence.lease)).collect();
    let counted: Vec<String> = sqlx::query_scalar(concat!(
        "UPDATE tasks SET ",
        no_lease!(),
        ", state = ",
        idle_state!(),
        " FROM ",
        given!(""),
        " WHERE ",
        held!(),
        " RETURNING tasks.task"
    ))
    .bind(to_json("attempts", &given)?)
    .fetch_all(&mut *connection)
    .await?;
    if counted.is_empty() {
        return Ok(());
    }
    let keys = to_keys(&counted)?;
    let ended: Vec<_> =
        released.iter().filter(|fence| keys.contains(&fence.task)).map(|fence| (*fence, None)).collect();
    end(connection, now, AttemptEnd::Released, &ended).await?;
    cancel_unwanted(connection, now, &counted).await?;
    outcomes.extend(keys.into_iter().map(|task| (task, Recorded::Released)));
    Ok(())
}

/// See [`Store::recover`](crate::Store::recover).
pub(super) async fn recover(connection: &mut Connection, now: i64) -> Result<usize, Fault> {
    let active: Vec<(String, i64, String)> =
        sqlx::query_as("SELECT task, attempt, lease FROM tasks WHERE lease IS NOT NULL ORDER BY place")
            .fetch_all(&mut *connection)
            .await?;
    let mut reports = Vec::with_capacity(active.len());
    for (task, attempt, lease) in active {
        let fence = to_fence(&task, attempt, &lease)?;
        reports.push(AttemptReport { fence, report: Report::Released });
    }
    record(connection, now, &reports).await?;
    Ok(reports.len())
}

/// A fence as three columns hold it.
pub(super) fn to_fence(task: &str, attempt: i64, lease: &str) -> Result<Fence, Fault> {
    Ok(Fence {
        task: from_text("a task's key", task)?,
        attempt: from_count("an attempt's number", attempt)?,
        lease: from_text("a lease", lease)?,
    })
}

/// Writes attempts that end into the history, from the rows of their tasks. Nobody keeps them any more: a task that was under
/// way for a keeper's sake alone is not tried again.
pub(super) async fn end(
    connection: &mut Connection,
    now: i64,
    outcome: AttemptEnd,
    ended: &[(Fence, Option<&str>)],
) -> Result<(), Fault> {
    let given: Vec<_> =
        ended.iter().map(|(fence, failure)| (fence.task, fence.attempt, fence.lease, failure)).collect();
    sqlx::query(concat!(
        "INSERT INTO attempts (task, attempt, worker, outcome, failure, dispatched_ms, started_ms, finished_ms) \
         SELECT tasks.task, tasks.attempt, tasks.worker, $2, given.failure, tasks.dispatched_ms, tasks.started_ms, $3 \
         FROM tasks JOIN ",
        given!(", value ->> 3 AS failure"),
        " ON tasks.task = given.task AND tasks.attempt = given.attempt WHERE true \
         ON CONFLICT (task, attempt) DO UPDATE SET worker = excluded.worker, outcome = excluded.outcome, \
         failure = excluded.failure, started_ms = excluded.started_ms, finished_ms = excluded.finished_ms"
    ))
    .bind(to_json("attempts", &given)?)
    .bind(outcome.as_str())
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let tasks: Vec<TaskKey> = ended.iter().map(|(fence, _)| fence.task).collect();
    let tasks = to_json("task keys", &tasks)?;
    sqlx::query(concat!("DELETE FROM kept_attempts WHERE task ", one_of!("$1")))
        .bind(&tasks)
        .execute(connection)
        .await?;
    Ok(())
}

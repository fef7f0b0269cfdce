//! Plans: what a title wants to have done.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::{ArtifactKey, TaskKey, TaskState, TitleId, TitleState};

use super::attempts::to_keys;
use super::dialect::{Connection, one_of, rows};
use super::sql::idle_state;
use super::titles::cancel_unwanted;
use crate::changes::{Planned, PlannedTask};
use crate::error::StoreError;
use crate::fault::Fault;
use crate::rows::{from_text, to_generation, to_json, to_optional_json};

/// See [`Store::plan`](crate::Store::plan).
pub(super) async fn plan(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    generation: u64,
    tasks: &[PlannedTask],
) -> Result<Option<Planned>, Fault> {
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM titles WHERE title = $1 AND generation = $2")
            .bind(title.as_str())
            .bind(to_generation(generation))
            .fetch_optional(&mut *connection)
            .await?;
    let Some(state) = state else { return Ok(None) };
    if from_text::<TitleState>("a title's state", &state)?.is_final() {
        return Ok(None);
    }

    let planned: BTreeSet<TaskKey> = tasks.iter().map(|planned| planned.task.key).collect();
    add(connection, tasks, &planned).await?;
    let redone: Vec<TaskKey> = tasks.iter().filter(|task| task.redo).map(|task| task.task.key).collect();
    let mut changed = planned.clone();
    changed.extend(dependents(connection, &redone).await?);
    want(connection, title, tasks).await?;
    drop_needs(connection, title, &planned).await?;
    // Only now are all tasks of the plan there to be needed.
    add_needs(connection, tasks).await?;
    changed.extend(revive_what_is_needed(connection, &planned).await?);
    want_what_is_needed(connection, &changed).await?;
    let dropped = drop_what_is_not_needed(connection, title.as_str()).await?;
    let stopped = cancel_unwanted(connection, now, &dropped).await?;
    settle(connection, &changed).await?;
    sqlx::query("UPDATE titles SET changed_ms = $2 WHERE title = $1")
        .bind(title.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(Some(Planned { stopped }))
}

/// Inserts tasks, or makes them start afresh where they must.
async fn add(
    connection: &mut Connection,
    tasks: &[PlannedTask],
    planned: &BTreeSet<TaskKey>,
) -> Result<(), Fault> {
    let known = states(connection, planned).await?;
    let last: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(place), 0) FROM tasks").fetch_one(&mut *connection).await?;
    let (mut new, mut afresh, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let mut forgotten: Vec<ArtifactKey> = Vec::new();
    for (place, planned) in (last + 1..).zip(tasks) {
        let task = &planned.task;
        let state = known.get(&task.key).copied();
        let source = to_optional_json("a source's path", planned.source.as_ref())?;
        match state {
            None => {
                let (kind, pool) = (task.spec.kind().as_str(), task.spec.pool().as_str());
                let specification = to_json("a task", task)?;
                new.push((task.key, kind, pool, specification, source, place, planned.cost.expected_ms));
                continue;
            }
            Some(TaskState::Failed | TaskState::Cancelled) => afresh.push((task.key, place)),
            Some(TaskState::Done) if planned.redo => {
                afresh.push((task.key, place));
                forgotten.extend(task.outputs.iter().map(|output| output.key));
            }
            Some(_) => {}
        }
        if source.is_some() && !state.is_some_and(TaskState::is_active) {
            sources.push((task.key, source));
        }
    }
    if !new.is_empty() {
        sqlx::query(concat!(
            "INSERT INTO tasks (task, kind, pool, specification, source, state, place, expected_ms) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, 'waiting', \
             CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT) FROM ",
            rows!("$1"),
            " WHERE true ON CONFLICT DO NOTHING"
        ))
        .bind(to_json("tasks", &new)?)
        .execute(&mut *connection)
        .await?;
    }
    forget(connection, &forgotten).await?;
    reset(connection, &afresh).await?;
    if !sources.is_empty() {
        sqlx::query(concat!(
            "UPDATE tasks SET source = given.source FROM (SELECT value ->> 0 AS task, value ->> 1 AS source FROM ",
            rows!("$1"),
            ") AS given WHERE tasks.task = given.task"
        ))
        .bind(to_json("sources", &sources)?)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// The states of those of the tasks that are known.
pub(super) async fn states(
    connection: &mut Connection,
    tasks: &BTreeSet<TaskKey>,
) -> Result<BTreeMap<TaskKey, TaskState>, Fault> {
    let known: Vec<(String, String)> =
        sqlx::query_as(concat!("SELECT task, state FROM tasks WHERE task ", one_of!("$1")))
            .bind(to_json("task keys", tasks)?)
            .fetch_all(connection)
            .await?;
    let known = known
        .iter()
        .map(|(task, state)| Ok((from_text("a task's key", task)?, from_text("a task's state", state)?)));
    known.collect()
}

/// Forgets that artifacts were taken over.
pub(super) async fn forget(connection: &mut Connection, artifacts: &[ArtifactKey]) -> Result<(), Fault> {
    if artifacts.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!("DELETE FROM artifacts WHERE artifact ", one_of!("$1")))
        .bind(to_json("artifact keys", artifacts)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts finished tasks back to their beginning, each to its new place; only their history and the number of their last
/// attempt stay.
pub(super) async fn reset(connection: &mut Connection, tasks: &[(TaskKey, i64)]) -> Result<(), Fault> {
    if tasks.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!(
        "UPDATE tasks SET state = 'waiting', place = given.place, failures = 0, losses = 0, \
         uncounted = 0, progress = NULL, worker = NULL, last_failure = NULL, not_before_ms = NULL, dispatched_ms = NULL, started_ms = NULL, \
         finished_ms = NULL, result = NULL FROM \
         (SELECT value ->> 0 AS task, CAST(value ->> 1 AS BIGINT) AS place FROM ",
        rows!("$1"),
        ") AS given WHERE tasks.task = given.task"
    ))
    .bind(to_json("tasks", tasks)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what the tasks needed by earlier plans, of this title or of titles that are over. Those that another title
/// wants keep their needs: its order must hold.
async fn drop_needs(
    connection: &mut Connection,
    title: &TitleId,
    tasks: &BTreeSet<TaskKey>,
) -> Result<(), Fault> {
    sqlx::query(concat!(
        "DELETE FROM task_needs WHERE task ",
        one_of!("$2"),
        " AND NOT EXISTS \
         (SELECT 1 FROM title_tasks w WHERE w.task = task_needs.task AND w.wanted = 1 AND w.title <> $1)"
    ))
    .bind(title.as_str())
    .bind(to_json("task keys", tasks)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_needs(connection: &mut Connection, tasks: &[PlannedTask]) -> Result<(), Fault> {
    let needs = || tasks.iter().flat_map(|task| task.needs.iter().map(|need| (task.task.key, *need)));
    let needed: BTreeSet<TaskKey> = needs().map(|(_, need)| need).collect();
    let known = states(connection, &needed).await?;
    if let Some((task, need)) = needs().find(|(_, need)| !known.contains_key(need)) {
        return Err(StoreError::UnknownNeed { task, need }.into());
    }
    sqlx::query(concat!(
        "INSERT INTO task_needs (task, need) SELECT value ->> 0, value ->> 1 FROM ",
        rows!("$1"),
        " WHERE true ON CONFLICT DO NOTHING"
    ))
    .bind(to_json("needs", &needs().collect::<Vec<_>>())?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn want(connection: &mut Connection, title: &TitleId, tasks: &[PlannedTask]) -> Result<(), Fault> {
    let wants: Vec<_> = tasks
        .iter()
        .map(|planned| (planned.task.key, planned.cost.tail_ms, planned.cost.part.as_str()))
        .collect();
    sqlx::query(concat!(
        "INSERT INTO title_tasks (title, task, wanted, planned, tail_ms, part) \
         SELECT $1, value ->> 0, 1, 1, CAST(value ->> 1 AS BIGINT), value ->> 2 FROM ",
        rows!("$2"),
        " WHERE true ON CONFLICT (title, task) DO UPDATE SET wanted = 1, planned = 1, \
         tail_ms = excluded.tail_ms, part = excluded.part"
    ))
    .bind(title.as_str())
    .bind(to_json("task keys", &wants)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// The tasks that need one of these.
pub(super) async fn dependents(
    connection: &mut Connection,
    tasks: &[TaskKey],
) -> Result<Vec<TaskKey>, Fault> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let dependents: Vec<String> =
        sqlx::query_scalar(concat!("SELECT DISTINCT task FROM task_needs WHERE need ", one_of!("$1")))
            .bind(to_json("task keys", tasks)?)
            .fetch_all(connection)
            .await?;
    to_keys(&dependents)
}

/// Whatever the planned tasks still need, directly or not, starts afresh where it had failed or been cancelled: otherwise
/// they would wait for ever. Answers what does.
pub(super) async fn revive_what_is_needed(
    connection: &mut Connection,
    planned: &BTreeSet<TaskKey>,
) -> Result<Vec<TaskKey>, Fault> {
    let given_up: Vec<(String, i64)> = sqlx::query_as(concat!(
        "WITH RECURSIVE needed (task) AS ( \
             SELECT task FROM tasks WHERE task ",
        one_of!("$1"),
        " \
             UNION \
             SELECT task_needs.need FROM needed JOIN tasks USING (task) JOIN task_needs USING (task) \
             WHERE tasks.state <> 'done' \
         ) \
         SELECT task, place FROM needed JOIN tasks USING (task) WHERE state IN ('failed', 'cancelled')"
    ))
    .bind(to_json("task keys", planned)?)
    .fetch_all(&mut *connection)
    .await?;
    let mut afresh = Vec::with_capacity(given_up.len());
    for (task, place) in given_up {
        afresh.push((from_text("a task's key", &task)?, place));
    }
    reset(connection, &afresh).await?;
    Ok(afresh.into_iter().map(|(task, _)| task).collect())
}

/// Every title that wants one of the tasks `changed` comes to want what these need, directly or not, as far as it is
/// not done: otherwise another title could cancel it under them.
pub(super) async fn want_what_is_needed(
    connection: &mut Connection,
    changed: &BTreeSet<TaskKey>,
) -> Result<(), Fault> {
    sqlx::query(concat!(
        "WITH RECURSIVE wants (title, task, tail_ms, part) AS ( \
             SELECT title_tasks.title, title_tasks.task, tail_ms, part FROM title_tasks JOIN tasks USING (task) \
             WHERE wanted = 1 AND tasks.state <> 'done' AND task ", one_of!("$1"), " \
             UNION \
             SELECT wants.title, task_needs.need, wants.tail_ms, wants.part \
             FROM wants JOIN task_needs ON task_needs.task = wants.task \
             JOIN tasks ON tasks.task = task_needs.need WHERE tasks.state <> 'done' \
         ) \
         INSERT INTO title_tasks (title, task, wanted, planned, tail_ms, part) \
         SELECT title, task, 1, 0, MAX(tail_ms), MIN(part) FROM wants WHERE true GROUP BY title, task \
         ON CONFLICT (title, task) DO UPDATE SET wanted = 1"
    ))
    .bind(to_json("task keys", changed)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes from a title the tasks that it wanted only because others needed them, as far as they are not done and nothing
/// unfinished of the title needs them any more. Answers them.
async fn drop_what_is_not_needed(connection: &mut Connection, title: &str) -> Result<Vec<String>, Fault> {
    let dropped = sqlx::query_scalar(
        "WITH RECURSIVE needed (task) AS ( \
             SELECT task FROM title_tasks WHERE title = $1 AND planned = 1 AND wanted = 1 \
             UNION \
             SELECT task_needs.need FROM needed JOIN tasks USING (task) JOIN task_needs USING (task) \
             WHERE tasks.state <> 'done' \
         ) \
         DELETE FROM title_tasks WHERE title = $1 AND planned = 0 AND wanted = 1 \
         AND EXISTS (SELECT 1 FROM tasks t WHERE t.task = title_tasks.task AND t.state <> 'done') \
         AND task NOT IN (SELECT task FROM needed) \
         RETURNING task",
    )
    .bind(title)
    .fetch_all(connection)
    .await?;
    Ok(dropped)
}

/// Sorts tasks that no attempt is under way for into waiting and ready, by whether all that they need is done.
pub(super) async fn settle(connection: &mut Connection, tasks: &BTreeSet<TaskKey>) -> Result<(), Fault> {
    sqlx::query(concat!(
        "UPDATE tasks SET state = ",
        idle_state!(),
        " WHERE state IN ('waiting', 'ready') AND task ",
        one_of!("$1")
    ))
    .bind(to_json("task keys", tasks)?)
    .execute(connection)
    .await?;
    Ok(())
}

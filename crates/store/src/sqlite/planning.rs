//! Plans: what a title wants to have done.

use std::collections::BTreeSet;

use reelfarm_model::{TaskKey, TaskState, TitleId, TitleState};
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::rows::{from_text, to_generation, to_json, to_optional_json};
use super::titles::cancel_unwanted;
use crate::error::StoreError;
use crate::store::{Planned, PlannedTask};

/// See [`Store::plan`](crate::Store::plan).
pub(super) async fn plan(
    connection: &mut SqliteConnection,
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

    let mut place: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(place), 0) FROM tasks").fetch_one(&mut *connection).await?;
    let planned_keys: BTreeSet<TaskKey> = tasks.iter().map(|planned| planned.task.key).collect();
    let mut changed = planned_keys.clone();
    for planned in tasks {
        place += 1;
        add(connection, planned, place).await?;
        if planned.redo {
            changed.extend(dependents(connection, &planned.task.key).await?);
        }
        want(connection, title.as_str(), &planned.task.key.to_string()).await?;
    }
    drop_needs(connection, title.as_str(), &planned_keys).await?;
    // Only now are all tasks of the plan there to be needed.
    for planned in tasks {
        add_needs(connection, planned).await?;
    }
    revive_what_is_needed(connection, &planned_keys, &mut changed).await?;
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

/// Inserts a task, or makes it start afresh where it must.
async fn add(connection: &mut SqliteConnection, planned: &PlannedTask, place: i64) -> Result<(), Fault> {
    let key = planned.task.key.to_string();
    let known: Option<String> = sqlx::query_scalar("SELECT state FROM tasks WHERE task = $1")
        .bind(&key)
        .fetch_optional(&mut *connection)
        .await?;
    let known = known.map(|state| from_text::<TaskState>("a task's state", &state)).transpose()?;
    let source = to_optional_json("a source's path", planned.source.as_ref())?;
    match known {
        None => {
            sqlx::query(
                "INSERT INTO tasks (task, kind, specification, source, state, place) \
                 VALUES ($1, $2, $3, $4, 'waiting', $5)",
            )
            .bind(&key)
            .bind(planned.task.spec.kind().as_str())
            .bind(to_json("a task", &planned.task)?)
            .bind(source)
            .bind(place)
            .execute(&mut *connection)
            .await?;
            return Ok(());
        }
        Some(TaskState::Failed | TaskState::Cancelled) => reset(connection, &key, place).await?,
        Some(TaskState::Done) if planned.redo => {
            for output in &planned.task.outputs {
                sqlx::query("DELETE FROM artifacts WHERE artifact = $1")
                    .bind(output.key.to_string())
                    .execute(&mut *connection)
                    .await?;
            }
            reset(connection, &key, place).await?;
        }
        Some(_) => {}
    }
    if source.is_some() && !known.is_some_and(TaskState::is_active) {
        sqlx::query("UPDATE tasks SET source = $2 WHERE task = $1")
            .bind(&key)
            .bind(source)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Puts a finished task back to its beginning; only its history and the number of its last attempt stay.
async fn reset(connection: &mut SqliteConnection, key: &str, place: i64) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE tasks SET state = 'waiting', place = $2, failures = 0, losses = 0, progress = NULL, worker = NULL, \
         last_failure = NULL, not_before_ms = NULL, dispatched_ms = NULL, started_ms = NULL, finished_ms = NULL, \
         result = NULL WHERE task = $1",
    )
    .bind(key)
    .bind(place)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what the tasks needed by earlier plans, of this title or of titles that are over. Those that another title
/// wants keep their needs: its order must hold.
async fn drop_needs(
    connection: &mut SqliteConnection,
    title: &str,
    tasks: &BTreeSet<TaskKey>,
) -> Result<(), Fault> {
    sqlx::query(
        "DELETE FROM task_needs WHERE task IN (SELECT value FROM json_each($2)) AND NOT EXISTS \
         (SELECT 1 FROM title_tasks w WHERE w.task = task_needs.task AND w.wanted = 1 AND w.title <> $1)",
    )
    .bind(title)
    .bind(to_json("task keys", tasks)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_needs(connection: &mut SqliteConnection, planned: &PlannedTask) -> Result<(), Fault> {
    let needs = to_json("task keys", &planned.needs)?;
    let unknown: Option<String> = sqlx::query_scalar(
        "SELECT value FROM json_each($1) WHERE value NOT IN (SELECT task FROM tasks) LIMIT 1",
    )
    .bind(&needs)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(need) = unknown {
        let need = from_text("a task's key", &need)?;
        return Err(StoreError::UnknownNeed { task: planned.task.key, need }.into());
    }
    sqlx::query(
        "INSERT INTO task_needs (task, need) SELECT $1, value FROM json_each($2) WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(planned.task.key.to_string())
    .bind(&needs)
    .execute(connection)
    .await?;
    Ok(())
}

async fn want(connection: &mut SqliteConnection, title: &str, task: &str) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO title_tasks (title, task, wanted, planned) VALUES ($1, $2, 1, 1) \
         ON CONFLICT DO UPDATE SET wanted = 1, planned = 1",
    )
    .bind(title)
    .bind(task)
    .execute(connection)
    .await?;
    Ok(())
}

async fn dependents(connection: &mut SqliteConnection, task: &TaskKey) -> Result<Vec<TaskKey>, Fault> {
    let dependents: Vec<String> = sqlx::query_scalar("SELECT task FROM task_needs WHERE need = $1")
        .bind(task.to_string())
        .fetch_all(connection)
        .await?;
    Ok(dependents.iter().map(|key| from_text("a task's key", key)).collect::<Result<_, _>>()?)
}

/// Whatever the planned tasks still need, directly or not, starts afresh where it had failed or been cancelled: otherwise
/// they would wait for ever.
async fn revive_what_is_needed(
    connection: &mut SqliteConnection,
    planned: &BTreeSet<TaskKey>,
    changed: &mut BTreeSet<TaskKey>,
) -> Result<(), Fault> {
    let given_up: Vec<(String, i64)> = sqlx::query_as(
        "WITH RECURSIVE needed (task) AS ( \
             SELECT value FROM json_each($1) \
             UNION \
             SELECT task_needs.need FROM needed JOIN tasks USING (task) JOIN task_needs USING (task) \
             WHERE tasks.state <> 'done' \
         ) \
         SELECT task, place FROM needed JOIN tasks USING (task) WHERE state IN ('failed', 'cancelled')",
    )
    .bind(to_json("task keys", planned)?)
    .fetch_all(&mut *connection)
    .await?;
    for (task, place) in given_up {
        reset(connection, &task, place).await?;
        changed.insert(from_text("a task's key", &task)?);
    }
    Ok(())
}

/// Every title that wants one of the tasks `changed` comes to want what these need, directly or not, as far as it is
/// not done: otherwise another title could cancel it under them.
async fn want_what_is_needed(
    connection: &mut SqliteConnection,
    changed: &BTreeSet<TaskKey>,
) -> Result<(), Fault> {
    sqlx::query(
        "WITH RECURSIVE wants (title, task) AS ( \
             SELECT title_tasks.title, title_tasks.task FROM title_tasks JOIN tasks USING (task) \
             WHERE wanted = 1 AND tasks.state <> 'done' AND task IN (SELECT value FROM json_each($1)) \
             UNION \
             SELECT wants.title, task_needs.need FROM wants JOIN task_needs ON task_needs.task = wants.task \
             JOIN tasks ON tasks.task = task_needs.need WHERE tasks.state <> 'done' \
         ) \
         INSERT INTO title_tasks (title, task, wanted, planned) SELECT title, task, 1, 0 FROM wants WHERE true \
         ON CONFLICT DO UPDATE SET wanted = 1",
    )
    .bind(to_json("task keys", changed)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes from a title the tasks that it wanted only because others needed them, as far as they are not done and nothing
/// unfinished of the title needs them any more. Answers them.
async fn drop_what_is_not_needed(
    connection: &mut SqliteConnection,
    title: &str,
) -> Result<Vec<String>, Fault> {
    let dropped = sqlx::query_scalar(
        "WITH RECURSIVE needed (task) AS ( \
             SELECT task FROM title_tasks WHERE title = $1 AND planned = 1 AND wanted = 1 \
             UNION \
             SELECT task_needs.need FROM needed JOIN tasks USING (task) JOIN task_needs USING (task) \
             WHERE tasks.state <> 'done' \
         ) \
         DELETE FROM title_tasks WHERE title = $1 AND planned = 0 AND wanted = 1 \
         AND task IN (SELECT task FROM tasks WHERE state <> 'done') AND task NOT IN (SELECT task FROM needed) \
         RETURNING task",
    )
    .bind(title)
    .fetch_all(connection)
    .await?;
    Ok(dropped)
}

/// Sorts tasks that no attempt is under way for into waiting and ready, by whether all that they need is done.
async fn settle(connection: &mut SqliteConnection, tasks: &BTreeSet<TaskKey>) -> Result<(), Fault> {
    sqlx::query(concat!(
        "UPDATE tasks SET state = ",
        super::rows::idle_state!(),
        " WHERE state IN ('waiting', 'ready') AND task IN (SELECT value FROM json_each($1))"
    ))
    .bind(to_json("task keys", tasks)?)
    .execute(connection)
    .await?;
    Ok(())
}

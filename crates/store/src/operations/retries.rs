//! What an operator has done again.

use std::collections::BTreeSet;

use reelfarm_model::{ArtifactKey, Task, TaskKey, TaskState, TitleId, TitleState};

use super::attempts::to_keys;
use super::dialect::{Connection, one_of};
use super::planning::{dependents, forget, reset, revive_what_is_needed, settle, want_what_is_needed};
use super::titles::cancel_unwanted;
use super::{queries, reviews, submissions};
use crate::changes::{Retried, Submitted};
use crate::fault::Fault;
use crate::rows::{from_json, from_text, to_json};

/// See [`Store::retry_title`](crate::Store::retry_title).
pub(super) async fn retry_title(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
) -> Result<Option<Submitted>, Fault> {
    let known = queries::title(connection, title).await?;
    match known {
        Some(title)
            if matches!(title.state, TitleState::Failed | TitleState::Cancelled | TitleState::Rejected) =>
        {
            submissions::submit(connection, now, &title.submission).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// See [`Store::retry_tasks`](crate::Store::retry_tasks).
pub(super) async fn retry_tasks(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    tasks: &BTreeSet<TaskKey>,
) -> Result<Option<Retried>, Fault> {
    let known = queries::title(connection, title).await?;
    let Some(mut known) = known.filter(|title| title.state != TitleState::Withdrawing) else {
        return Ok(None);
    };
    let again = with_dependents(connection, title, tasks).await?;
    if again.is_empty() {
        return Ok(None);
    }
    if known.state.is_final() {
        known = submissions::submit(connection, now, &known.submission).await?.title;
    } else if known.state == TitleState::Review {
        // What a person was asked may have followed from what is done again.
        known = reviews::check_again(connection, now, known).await?;
    }
    let afresh = start_afresh(connection, &again).await?;
    let mut changed = again;
    let redone: Vec<TaskKey> = afresh.iter().copied().collect();
    changed.extend(dependents(connection, &redone).await?);
    changed.extend(revive_what_is_needed(connection, &changed).await?);
    want_what_is_needed(connection, &changed).await?;
    // Of a title that had ended they are nobody's until it is planned.
    let tasks: Vec<String> = changed.iter().map(TaskKey::to_string).collect();
    cancel_unwanted(connection, now, &tasks).await?;
    settle(connection, &changed).await?;
    Ok(Some(Retried { title: known, tasks: afresh }))
}

/// Those of the tasks that are the title's, and those of the title's that need them, directly or not.
async fn with_dependents(
    connection: &mut Connection,
    title: &TitleId,
    tasks: &BTreeSet<TaskKey>,
) -> Result<BTreeSet<TaskKey>, Fault> {
    let tasks: Vec<String> = sqlx::query_scalar(concat!(
        "WITH RECURSIVE again (task) AS ( \
             SELECT task FROM title_tasks WHERE title = $1 AND task ",
        one_of!("$2"),
        " UNION \
             SELECT task_needs.task FROM again JOIN task_needs ON task_needs.need = again.task \
             JOIN title_tasks ON title_tasks.task = task_needs.task AND title_tasks.title = $1 \
         ) \
         SELECT task FROM again",
    ))
    .bind(title.as_str())
    .bind(to_json("task keys", tasks)?)
    .fetch_all(connection)
    .await?;
    Ok(to_keys(&tasks)?.into_iter().collect())
}

/// Puts those of the tasks that are finished back to their beginning, and ends the back-off of the others. Answers the
/// former.
async fn start_afresh(
    connection: &mut Connection,
    tasks: &BTreeSet<TaskKey>,
) -> Result<BTreeSet<TaskKey>, Fault> {
    let keys = to_json("task keys", tasks)?;
    let known: Vec<(String, String, i64)> =
        sqlx::query_as(concat!("SELECT specification, state, place FROM tasks WHERE task ", one_of!("$1")))
            .bind(&keys)
            .fetch_all(&mut *connection)
            .await?;
    let (mut finished, mut forgotten) = (Vec::new(), Vec::<ArtifactKey>::new());
    for (specification, state, place) in known {
        let task: Task = from_json("a task", &specification)?;
        let state: TaskState = from_text("a task's state", &state)?;
        if matches!(state, TaskState::Done | TaskState::Failed | TaskState::Cancelled) {
            finished.push((task.key, place));
            forgotten.extend(task.outputs.iter().map(|output| output.key));
        }
    }
    forget(connection, &forgotten).await?;
    reset(connection, &finished).await?;
    sqlx::query(concat!(
        "UPDATE tasks SET not_before_ms = NULL WHERE not_before_ms IS NOT NULL AND task ",
        one_of!("$1")
    ))
    .bind(&keys)
    .execute(connection)
    .await?;
    Ok(finished.into_iter().map(|(task, _)| task).collect())
}

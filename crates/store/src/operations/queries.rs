//! What is asked of the store without changing it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::title::Submission;
use reelfarm_model::{ArtifactKey, Digest, Task, TaskKey, TaskState, Title, TitleId, TitleState, WorkerId};

use super::dialect::{Connection, now, one_of, position};
use super::endings::to_fence;
use super::sql::{task_columns, title_columns};
use crate::fault::Fault;
use crate::records::{
    AttemptEnd, AttemptRecord, Counts, ExpiredAttempt, TaskRecord, TitleFilter, TitleGeneration, UnderWay,
};
use crate::rows::{
    ArtifactRow, AttemptRow, TaskRow, TitleRow, from_count, from_generation, from_json, from_name, from_text,
    to_json, to_text, undecodable,
};

pub(super) async fn title(connection: &mut Connection, title: &TitleId) -> Result<Option<Title>, Fault> {
    let row: Option<TitleRow> =
        sqlx::query_as(concat!("SELECT ", title_columns!(), " FROM titles WHERE title = $1"))
            .bind(title.as_str())
            .fetch_optional(connection)
            .await?;
    row.map(Title::try_from).transpose()
}

pub(super) async fn titles(connection: &mut Connection) -> Result<Vec<Title>, Fault> {
    let rows: Vec<TitleRow> =
        sqlx::query_as(concat!("SELECT ", title_columns!(), " FROM titles ORDER BY submitted_ms, title"))
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(Title::try_from).collect()
}

pub(super) async fn live_titles(connection: &mut Connection) -> Result<Vec<Title>, Fault> {
    let live: Vec<_> = TitleState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    let rows: Vec<TitleRow> = sqlx::query_as(concat!(
        "SELECT ",
        title_columns!(),
        " FROM titles WHERE state ",
        one_of!("$1"),
        " ORDER BY submitted_ms, title"
    ))
    .bind(to_json("states", &live)?)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Title::try_from).collect()
}

/// See [`Store::titles_by_name`](crate::Store::titles_by_name).
pub(super) async fn titles_by_name(
    connection: &mut Connection,
    filter: &TitleFilter,
    limit: usize,
) -> Result<Vec<Title>, Fault> {
    let states: Vec<_> = if filter.states.is_empty() {
        TitleState::ALL.into()
    } else {
        filter.states.iter().copied().collect()
    };
    let rows: Vec<TitleRow> = sqlx::query_as(concat!(
        "SELECT ",
        title_columns!(),
        " FROM titles WHERE state ",
        one_of!("$1"),
        " AND title > $2 AND ($3 = '' OR ",
        position!("$3", "title"),
        " = 1) AND ($4 = '' OR ",
        position!("$4", "title"),
        " > 0) ORDER BY titles.title LIMIT $5"
    ))
    .bind(to_json("states", &states)?)
    // Every name is greater than none.
    .bind(filter.after.as_ref().map_or("", TitleId::as_str))
    .bind(to_text(filter.prefix.as_deref().unwrap_or_default()))
    .bind(to_text(filter.part.as_deref().unwrap_or_default()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Title::try_from).collect()
}

pub(super) async fn expired(connection: &mut Connection) -> Result<Vec<ExpiredAttempt>, Fault> {
    let rows: Vec<(String, i64, String, String, i64, i64)> = sqlx::query_as(concat!(
        "SELECT task, attempt, lease, state, failures, losses FROM tasks WHERE lease_expires_ms <= ",
        now!(),
        " AND lease IS NOT NULL ORDER BY lease_expires_ms, place"
    ))
    .fetch_all(&mut *connection)
    .await?;
    let mut expired = Vec::with_capacity(rows.len());
    for (task, attempt, lease, state, failures, losses) in rows {
        expired.push(ExpiredAttempt {
            fence: to_fence(&task, attempt, &lease)?,
            started: state == TaskState::Running.as_str(),
            failures: from_count("a number of failures", failures)?,
            losses: from_count("a number of losses", losses)?,
            titles: Vec::new(),
        });
    }
    let tasks: Vec<TaskKey> = expired.iter().map(|attempt| attempt.fence.task).collect();
    let mut titles = wanting(connection, &tasks).await?;
    for attempt in &mut expired {
        attempt.titles = titles.remove(&attempt.fence.task).unwrap_or_default();
    }
    Ok(expired)
}

/// See [`Store::stopped_at_origin`](crate::Store::stopped_at_origin).
pub(super) async fn stopped_at_origin(
    connection: &mut Connection,
    within: Duration,
) -> Result<BTreeSet<TitleId>, Fault> {
    let tasks: Vec<String> = sqlx::query_scalar(concat!(
        "SELECT specification FROM tasks WHERE task IN (SELECT task FROM attempts \
         WHERE outcome = $1 AND finished_ms > ",
        now!(),
        " - $2)"
    ))
    .bind(AttemptEnd::Cancelled.as_str())
    .bind(i64::try_from(within.as_millis()).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut titles = BTreeSet::new();
    for task in tasks {
        let task: Task = from_json("a task", &task)?;
        titles.extend(task.spec.title_at_origin().cloned());
    }
    Ok(titles)
}

/// See [`Store::referenced_artifacts`](crate::Store::referenced_artifacts).
pub(super) async fn referenced_artifacts(
    connection: &mut Connection,
    ended: Duration,
) -> Result<BTreeSet<ArtifactKey>, Fault> {
    let live: Vec<_> = TitleState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    let tasks: Vec<String> = sqlx::query_scalar(concat!(
        "SELECT specification FROM tasks WHERE task IN (SELECT title_tasks.task FROM title_tasks \
         JOIN titles USING (title) WHERE titles.changed_ms > ",
        now!(),
        " - $2 OR titles.state ",
        one_of!("$1"),
        ")"
    ))
    .bind(to_json("states", &live)?)
    .bind(i64::try_from(ended.as_millis()).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut artifacts = BTreeSet::new();
    for task in tasks {
        let task: Task = from_json("a task", &task)?;
        artifacts.extend(task.outputs.iter().map(|output| output.key));
        // What a task reads may be of a task that no plan names any more.
        artifacts.extend(task.spec.inputs());
    }
    Ok(artifacts)
}

/// See [`Store::referenced_sources`](crate::Store::referenced_sources).
pub(super) async fn referenced_sources(
    connection: &mut Connection,
    ended: Duration,
) -> Result<BTreeSet<PathBuf>, Fault> {
    let live: Vec<_> = TitleState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    let submissions: Vec<String> = sqlx::query_scalar(concat!(
        "SELECT submission FROM titles WHERE changed_ms > ",
        now!(),
        " - $2 OR state ",
        one_of!("$1")
    ))
    .bind(to_json("states", &live)?)
    .bind(i64::try_from(ended.as_millis()).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut sources = BTreeSet::new();
    for submission in submissions {
        let submission: Submission = from_json("a submission", &submission)?;
        sources.extend(submission.subtitles.into_iter().map(|subtitles| subtitles.file.path));
        sources.insert(submission.source.path);
    }
    Ok(sources)
}

/// The titles that want each of the tasks, in the order of submission.
pub(super) async fn wanting(
    connection: &mut Connection,
    tasks: &[TaskKey],
) -> Result<HashMap<TaskKey, Vec<TitleGeneration>>, Fault> {
    let mut wanting: HashMap<TaskKey, Vec<TitleGeneration>> = HashMap::new();
    if tasks.is_empty() {
        return Ok(wanting);
    }
    let rows: Vec<(String, String, i64)> = sqlx::query_as(concat!(
        "SELECT title_tasks.task, titles.title, titles.generation FROM title_tasks JOIN titles USING (title) \
         WHERE title_tasks.wanted = 1 AND title_tasks.task ",
        one_of!("$1"),
        " ORDER BY titles.submitted_ms, titles.title"
    ))
    .bind(to_json("task keys", tasks)?)
    .fetch_all(connection)
    .await?;
    for (task, title, generation) in rows {
        let titles = wanting.entry(from_text("a task's key", &task)?).or_default();
        titles.push((from_text("a title's name", &title)?, from_generation(generation)?));
    }
    Ok(wanting)
}

pub(super) async fn under_way(connection: &mut Connection) -> Result<Vec<UnderWay>, Fault> {
    let rows: Vec<(String, i64, String, String, Option<String>)> = sqlx::query_as(
        "SELECT task, attempt, lease, specification, CASE WHEN state = 'running' THEN worker END FROM tasks \
         WHERE lease IS NOT NULL ORDER BY dispatched_ms, place",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut under_way = Vec::with_capacity(rows.len());
    for (task, attempt, lease, specification, worker) in rows {
        under_way.push(UnderWay {
            fence: to_fence(&task, attempt, &lease)?,
            task: from_json("a task", &specification)?,
            worker: worker.map(WorkerId),
            titles: Vec::new(),
        });
    }
    let tasks: Vec<TaskKey> = under_way.iter().map(|attempt| attempt.fence.task).collect();
    let mut titles = wanting(connection, &tasks).await?;
    for attempt in &mut under_way {
        attempt.titles = titles.remove(&attempt.fence.task).unwrap_or_default();
    }
    Ok(under_way)
}

pub(super) async fn wanted_attempts(
    connection: &mut Connection,
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
    connection: &mut Connection,
    title: &TitleId,
    origin: &str,
    path: &Path,
) -> Result<BTreeSet<Digest>, Fault> {
    let digests: Vec<String> = sqlx::query_scalar(
        "SELECT source FROM publications JOIN readings USING (source) \
         WHERE title = $1 AND origin = $2 AND path = $3",
    )
    .bind(title.as_str())
    .bind(origin)
    .bind(to_json("a source's path", path)?)
    .fetch_all(connection)
    .await?;
    Ok(digests.iter().map(|digest| from_text("a source's digest", digest)).collect::<Result<_, _>>()?)
}

pub(super) async fn tasks_of(connection: &mut Connection, title: &TitleId) -> Result<Vec<TaskRecord>, Fault> {
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

pub(super) async fn task(connection: &mut Connection, task: &TaskKey) -> Result<Option<TaskRecord>, Fault> {
    let row: Option<TaskRow> =
        sqlx::query_as(concat!("SELECT ", task_columns!(), " FROM tasks WHERE task = $1"))
            .bind(task.to_string())
            .fetch_optional(connection)
            .await?;
    row.map(TaskRecord::try_from).transpose()
}

pub(super) async fn artifact(
    connection: &mut Connection,
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
    connection: &mut Connection,
    task: &TaskKey,
) -> Result<Vec<AttemptRecord>, Fault> {
    // The one that is under way is in its task's row, and comes into the history when it ends.
    let rows: Vec<AttemptRow> = sqlx::query_as(
        "SELECT attempt, worker, outcome, failure, dispatched_ms, started_ms, finished_ms FROM attempts \
         WHERE task = $1 AND outcome IS NOT NULL UNION ALL \
         SELECT attempt, worker, CAST(NULL AS TEXT), CAST(NULL AS TEXT), dispatched_ms, started_ms, \
         CAST(NULL AS BIGINT) FROM tasks WHERE task = $1 AND lease IS NOT NULL ORDER BY attempt",
    )
    .bind(task.to_string())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(AttemptRecord::try_from).collect()
}

pub(super) async fn counts(connection: &mut Connection) -> Result<Counts, Fault> {
    let mut counts = Counts::default();
    let count = |number: i64| u64::try_from(number).map_err(|error| undecodable("a count", &error));
    let titles: Vec<(String, i64)> = sqlx::query_as("SELECT state, COUNT(*) FROM titles GROUP BY state")
        .fetch_all(&mut *connection)
        .await?;
    for (state, number) in titles {
        counts.titles.insert(from_text("a title's state", &state)?, count(number)?);
    }
    counts.asked_ms = sqlx::query_scalar("SELECT MIN(asked_ms) FROM titles WHERE state = $1")
        .bind(TitleState::Review.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let tasks: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT kind, state, COUNT(*) FROM tasks GROUP BY kind, state")
            .fetch_all(connection)
            .await?;
    for (kind, state, number) in tasks {
        let key = (from_name("a task's kind", &kind)?, from_text("a task's state", &state)?);
        counts.tasks.insert(key, count(number)?);
    }
    Ok(counts)
}

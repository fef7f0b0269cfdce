//! What a scheduler asks to order its work: which tasks are ready, what is left to do, how long tasks took.

use std::collections::BTreeMap;
use std::time::Duration;

use reelfarm_model::{Progress, TitleId, WorkerId};

use super::dialect::{Connection, now, one_of};
use crate::fault::Fault;
use crate::records::{AtWork, FinishedRun, Left, ReadyOf, ReadyTask, Wanted};
use crate::rows::{from_json, from_name, from_text, to_json};

/// See [`Store::unsettled_titles`](crate::Store::unsettled_titles).
pub(super) async fn unsettled_titles(connection: &mut Connection) -> Result<Vec<TitleId>, Fault> {
    let titles: Vec<String> = sqlx::query_scalar(
        "SELECT title FROM titles WHERE state = 'withdrawing' OR (state = 'preparing' AND EXISTS \
         (SELECT 1 FROM title_tasks JOIN tasks USING (task) WHERE title_tasks.title = titles.title \
         AND (tasks.state = 'failed' OR (tasks.state = 'done' AND tasks.kind = 'publish')))) \
         OR (state = 'checking' AND (NOT EXISTS (SELECT 1 FROM title_tasks JOIN tasks USING (task) \
         WHERE title_tasks.title = titles.title AND wanted = 1 AND tasks.state NOT IN ('done', 'failed', 'cancelled')) \
         OR EXISTS (SELECT 1 FROM title_tasks JOIN tasks USING (task) \
         WHERE title_tasks.title = titles.title AND wanted = 1 \
         AND (tasks.state = 'failed' OR tasks.kind NOT IN ('fingerprint', 'qc', 'subtitles'))))) \
         ORDER BY submitted_ms, title",
    )
    .fetch_all(connection)
    .await?;
    Ok(titles.iter().map(|title| from_text("a title's name", title)).collect::<Result<_, _>>()?)
}

/// The ready tasks among those of a list, a sub-query of keys, with who wants them.
macro_rules! ready_among {
    ($tasks:expr) => {
        concat!(
            "SELECT tasks.task, tasks.kind, tasks.pool, COALESCE(tasks.not_before_ms, 0) - ",
            now!(),
            " AS wait_ms, titles.title, title_tasks.tail_ms, title_tasks.part \
             FROM tasks JOIN title_tasks ON title_tasks.task = tasks.task AND title_tasks.wanted = 1 \
             JOIN titles ON titles.title = title_tasks.title AND titles.held = 0 \
             WHERE tasks.state = 'ready' AND tasks.task IN (",
            $tasks,
            ") ORDER BY tasks.task, titles.submitted_ms, titles.title"
        )
    };
}

#[derive(sqlx::FromRow)]
struct ReadyRow {
    task: String,
    kind: String,
    pool: String,
    wait_ms: i64,
    title: String,
    tail_ms: i64,
    part: String,
}

/// See [`Store::ready`](crate::Store::ready).
pub(super) async fn ready(connection: &mut Connection, of: ReadyOf<'_>) -> Result<Vec<ReadyTask>, Fault> {
    let query = match of {
        ReadyOf::Titles(titles) => sqlx::query_as(ready_among!(concat!(
            "SELECT task FROM title_tasks WHERE wanted = 1 AND title ",
            one_of!("$1")
        )))
        .bind(to_json("titles", titles)?),
        ReadyOf::Tasks(tasks) => {
            sqlx::query_as(ready_among!(concat!("SELECT task FROM tasks WHERE task ", one_of!("$1"))))
                .bind(to_json("task keys", tasks)?)
        }
        ReadyOf::Needing(tasks) => {
            sqlx::query_as(ready_among!(concat!("SELECT task FROM task_needs WHERE need ", one_of!("$1"))))
                .bind(to_json("task keys", tasks)?)
        }
        // Every key is greater than none.
        ReadyOf::All { after, limit } => sqlx::query_as(ready_among!(
            "SELECT task FROM tasks WHERE state = 'ready' AND task > $1 AND EXISTS \
             (SELECT 1 FROM title_tasks w JOIN titles t ON t.title = w.title \
             WHERE w.task = tasks.task AND w.wanted = 1 AND t.held = 0) ORDER BY task LIMIT $2"
        ))
        .bind(after.map(|task| task.to_string()).unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX)),
    };
    let rows: Vec<ReadyRow> = query.fetch_all(connection).await?;
    let mut tasks: Vec<ReadyTask> = Vec::new();
    for row in rows {
        let task = from_text("a task's key", &row.task)?;
        let wanted = Wanted {
            title: from_text("a title's name", &row.title)?,
            tail_ms: row.tail_ms,
            part: from_name("a part of a title", &row.part)?,
        };
        match tasks.last_mut().filter(|last| last.task == task) {
            Some(last) => last.wants.push(wanted),
            None => tasks.push(ReadyTask {
                task,
                kind: from_name("a task's kind", &row.kind)?,
                pool: from_name("a pool", &row.pool)?,
                wait: Duration::from_millis(u64::try_from(row.wait_ms).unwrap_or(0)),
                wants: vec![wanted],
            }),
        }
    }
    Ok(tasks)
}

/// See [`Store::paths`](crate::Store::paths).
pub(super) async fn paths(connection: &mut Connection) -> Result<BTreeMap<TitleId, i64>, Fault> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT title_tasks.title, MAX(CASE WHEN title_tasks.part = 'rest' OR (titles.state = 'preparing' \
         AND tasks.kind IN ('fingerprint', 'qc', 'subtitles')) THEN 0 ELSE title_tasks.tail_ms END) \
         FROM title_tasks JOIN tasks USING (task) JOIN titles USING (title) WHERE title_tasks.wanted = 1 \
         GROUP BY title_tasks.title",
    )
    .fetch_all(connection)
    .await?;
    let paths = rows.into_iter().map(|(title, path)| Ok((from_text("a title's name", &title)?, path)));
    paths.collect()
}

#[derive(sqlx::FromRow)]
struct LeftRow {
    title: String,
    part: String,
    pool: String,
    work_ms: i64,
    path_ms: i64,
    is_active: i64,
    started_ms: Option<i64>,
    progress: Option<String>,
}

/// See [`Store::left`](crate::Store::left).
pub(super) async fn left(connection: &mut Connection) -> Result<Vec<Left>, Fault> {
    let rows: Vec<LeftRow> = sqlx::query_as(
        "SELECT title_tasks.title, title_tasks.part, tasks.pool, CAST(SUM(tasks.expected_ms) AS BIGINT) AS work_ms, \
         MAX(title_tasks.tail_ms) AS path_ms, CAST(0 AS BIGINT) AS is_active, CAST(NULL AS BIGINT) AS started_ms, \
         CAST(NULL AS TEXT) AS progress FROM title_tasks JOIN tasks USING (task) \
         WHERE title_tasks.wanted = 1 AND tasks.state IN ('waiting', 'ready') \
         GROUP BY title_tasks.title, title_tasks.part, tasks.pool UNION ALL \
         SELECT title_tasks.title, title_tasks.part, tasks.pool, tasks.expected_ms, title_tasks.tail_ms, \
         CAST(1 AS BIGINT), tasks.started_ms, tasks.progress FROM title_tasks JOIN tasks USING (task) \
         WHERE title_tasks.wanted = 1 AND tasks.lease IS NOT NULL ORDER BY title, part, pool, path_ms",
    )
    .fetch_all(connection)
    .await?;
    let left = rows.into_iter().map(|row| {
        let at_work = if row.is_active == 0 {
            None
        } else {
            let progress = row.progress.as_deref();
            let progress: Option<Progress> =
                progress.map(|text| from_json("an attempt's progress", text)).transpose()?;
            Some(AtWork { started_ms: row.started_ms, fraction: progress.unwrap_or_default().fraction })
        };
        Ok(Left {
            title: from_text("a title's name", &row.title)?,
            part: from_name("a part of a title", &row.part)?,
            pool: from_name("a pool", &row.pool)?,
            work_ms: row.work_ms,
            path_ms: row.path_ms,
            at_work,
        })
    });
    left.collect()
}

/// See [`Store::finished_runs`](crate::Store::finished_runs).
pub(super) async fn finished_runs(
    connection: &mut Connection,
    limit: usize,
) -> Result<Vec<FinishedRun>, Fault> {
    let rows: Vec<(String, Option<String>, String, i64, i64)> = sqlx::query_as(
        "SELECT tasks.specification, tasks.source, attempts.worker, attempts.finished_ms - attempts.started_ms, \
         attempts.finished_ms \
         FROM attempts JOIN tasks USING (task) WHERE attempts.outcome = 'completed' \
         AND attempts.started_ms IS NOT NULL AND attempts.worker IS NOT NULL \
         ORDER BY attempts.finished_ms DESC LIMIT $1",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let runs = rows.into_iter().map(|(task, source, worker, took_ms, finished_ms)| {
        let source = source.map(|source| from_json("a source", &source)).transpose()?;
        let task = from_json("a task", &task)?;
        Ok(FinishedRun { task, source, worker: WorkerId(worker), took_ms, finished_ms })
    });
    runs.collect()
}

/// See [`Store::now_ms`](crate::Store::now_ms).
pub(super) async fn now_ms(connection: &mut Connection) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar(concat!("SELECT ", now!())).fetch_one(connection).await?)
}

//! What a scheduler asks to order its work: which tasks are ready, what is left to do, how long tasks took.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use reelfarm_model::{Part, Pool, Progress, TaskKey, TitleId, TitleState, WorkerId};

use super::dialect::{Connection, may_take_long, now, one_of};
use crate::fault::Fault;
use crate::records::{AtWork, Backlog, FinishedRun, Left, ReadyOf, ReadyTask, Wanted};
use crate::rows::{from_json, from_name, from_text, to_json};

/// See [`Store::unsettled_titles`](crate::Store::unsettled_titles).
pub(super) async fn unsettled_titles(connection: &mut Connection) -> Result<Vec<TitleId>, Fault> {
    let titles: Vec<String> = sqlx::query_scalar(
        // The first list is word for word as the index `tasks_deciding` has it, or that is not used.
        "SELECT title FROM titles WHERE state IN ('review', 'withdrawing') OR (state = 'preparing' AND title IN \
         (SELECT title_tasks.title FROM tasks CROSS JOIN title_tasks WHERE title_tasks.task = tasks.task \
         AND title_tasks.wanted = 1 \
         AND (tasks.state = 'failed' OR (tasks.state = 'done' AND tasks.kind = 'publish')))) \
         OR (state = 'checking' AND (NOT EXISTS (SELECT 1 FROM title_tasks JOIN tasks USING (task) \
         WHERE title_tasks.title = titles.title AND wanted = 1 AND tasks.state NOT IN ('done', 'failed', 'cancelled')) \
         OR EXISTS (SELECT 1 FROM title_tasks JOIN tasks USING (task) \
         WHERE title_tasks.title = titles.title AND wanted = 1 \
         AND (tasks.state = 'failed' OR tasks.kind NOT IN ('fingerprint', 'qc', 'trial', 'subtitles'))))) \
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

/// What is left of a back-off.
fn to_wait(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
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
                wait: to_wait(row.wait_ms),
                wants: vec![wanted],
            }),
        }
    }
    Ok(tasks)
}

/// What a title wants of a task.
#[derive(sqlx::FromRow)]
struct WantRow {
    title: String,
    task: String,
    tail_ms: i64,
    part: String,
    state: String,
    held: i64,
    submitted_ms: i64,
}

/// A title that wants something.
struct WantingTitle {
    submitted_ms: i64,
    path_ms: i64,
}

/// See [`Store::backlog`](crate::Store::backlog). The lists are joined here, because a database would look up each task by its
/// key, and keys are digests: those of a million tasks lie all over the file.
pub(super) async fn backlog(connection: &mut Connection) -> Result<Backlog, Fault> {
    may_take_long(connection).await?;
    let mut ready = all_ready(connection).await?;
    // Back-offs run on while the rest is read.
    let read = Instant::now();
    // Word for word as the index `tasks_before_the_plan` has it, or that is not used.
    let before_the_plan: Vec<String> = sqlx::query_scalar(
        "SELECT title_tasks.task FROM tasks CROSS JOIN title_tasks WHERE title_tasks.task = tasks.task \
         AND title_tasks.wanted = 1 AND tasks.kind IN ('fingerprint', 'qc', 'trial', 'subtitles')",
    )
    .fetch_all(&mut *connection)
    .await?;
    let before_the_plan: HashSet<String> = before_the_plan.into_iter().collect();
    let mut titles: BTreeMap<TitleId, WantingTitle> = BTreeMap::new();
    let mut rows = sqlx::query_as::<_, WantRow>(
        "SELECT titles.title, title_tasks.task, title_tasks.tail_ms, title_tasks.part, titles.state, \
         CAST(titles.held AS BIGINT) AS held, titles.submitted_ms FROM titles CROSS JOIN title_tasks \
         WHERE titles.state IN ('checking', 'review', 'preparing', 'withdrawing') AND title_tasks.title = titles.title \
         AND title_tasks.wanted = 1",
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let id: TitleId = from_text("a title's name", &row.title)?;
        let part = from_name("a part of a title", &row.part)?;
        let is_past = row.state == TitleState::Preparing.as_str() && before_the_plan.contains(&row.task);
        let title =
            titles.entry(id.clone()).or_insert(WantingTitle { submitted_ms: row.submitted_ms, path_ms: 0 });
        if part != Part::Rest && !is_past {
            title.path_ms = title.path_ms.max(row.tail_ms);
        }
        let task: TaskKey = from_text("a task's key", &row.task)?;
        if let Some(ready) = ready.get_mut(&task).filter(|_| row.held == 0) {
            ready.wants.push(Wanted { title: id, tail_ms: row.tail_ms, part });
        }
    }
    let submitted = |title: &TitleId| titles.get(title).map(|title| title.submitted_ms);
    let mut wanted = Vec::with_capacity(ready.len());
    let passed = read.elapsed();
    for mut task in ready.into_values().filter(|task| !task.wants.is_empty()) {
        task.wants.sort_by(|a, b| (submitted(&a.title), &a.title).cmp(&(submitted(&b.title), &b.title)));
        task.wait = task.wait.saturating_sub(passed);
        wanted.push(task);
    }
    Ok(Backlog { ready: wanted, paths: titles.into_iter().map(|(id, title)| (id, title.path_ms)).collect() })
}

/// All tasks that are ready, without who wants them.
async fn all_ready(connection: &mut Connection) -> Result<HashMap<TaskKey, ReadyTask>, Fault> {
    let mut rows = sqlx::query_as::<_, (String, String, String, i64)>(concat!(
        "SELECT task, kind, pool, COALESCE(not_before_ms, 0) - ",
        now!(),
        " FROM tasks WHERE state = 'ready'"
    ))
    .fetch(connection);
    let mut ready = HashMap::new();
    // Most tasks are wanted by one title, and a vector that grows by itself takes room for four.
    while let Some((task, kind, pool, wait_ms)) = rows.try_next().await? {
        let task = from_text("a task's key", &task)?;
        let (kind, pool) = (from_name("a task's kind", &kind)?, from_name("a pool", &pool)?);
        ready.insert(
            task,
            ReadyTask { task, kind, pool, wait: to_wait(wait_ms), wants: Vec::with_capacity(1) },
        );
    }
    Ok(ready)
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

/// See [`Store::work_left`](crate::Store::work_left).
pub(super) async fn work_left(connection: &mut Connection) -> Result<BTreeMap<Pool, i64>, Fault> {
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
        "SELECT pool, CAST(SUM(expected_ms) AS BIGINT), CAST(NULL AS TEXT) FROM tasks \
         WHERE state IN ('waiting', 'ready') AND task IN (SELECT title_tasks.task FROM title_tasks JOIN titles USING (title) \
         WHERE title_tasks.wanted = 1 AND titles.held = 0) GROUP BY pool UNION ALL \
         SELECT pool, expected_ms, progress FROM tasks WHERE lease IS NOT NULL",
    )
    .fetch_all(connection)
    .await?;
    let mut left = BTreeMap::new();
    for (pool, expected_ms, progress) in rows {
        let progress =
            progress.map(|text| from_json::<Progress>("an attempt's progress", &text)).transpose()?;
        let done = progress.unwrap_or_default().fraction.clamp(0.0, 1.0);
        let left_ms = (expected_ms as f64 * (1.0 - done)).round() as i64;
        *left.entry(from_name("a pool", &pool)?).or_default() += left_ms;
    }
    Ok(left)
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

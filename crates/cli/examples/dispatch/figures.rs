//! What was measured, by the clock of the database.

use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

use crate::Fault;

/// All figures.
#[derive(Default, Serialize)]
pub(crate) struct Figures {
    /// Of chains, the warm-up left out.
    pub(crate) chains: Vec<Round>,
    /// Of whole titles.
    pub(crate) titles: Vec<Round>,
    /// From the moment at which the task before it is recorded as done to that at which a task is recorded as started, in
    /// milliseconds.
    pub(crate) waits_ms: Vec<i64>,
    pub(crate) memory: Vec<Memory>,
    /// With the crowd, of chains.
    pub(crate) crowd: Vec<Round>,
}

/// Tasks a second.
#[derive(Serialize)]
pub(crate) struct Round {
    pub(crate) tasks: usize,
    pub(crate) raw: f64,
    /// By one client, as the scheduler is one.
    pub(crate) raw_alone: f64,
    pub(crate) whole_loop: f64,
}

/// Resident memory in bytes.
#[derive(Serialize)]
pub(crate) struct Memory {
    pub(crate) when: &'static str,
    pub(crate) scheduler: u64,
    pub(crate) broker: u64,
}

/// Tasks a second, from the first dispatch to the last end. Each task must have been done at its first attempt.
pub(crate) async fn rate(database: &str, tasks: usize) -> Result<f64, Fault> {
    let mut connection = PgConnection::connect(database).await?;
    let (attempts, completed, milliseconds): (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE outcome = 'completed'), MAX(finished_ms) - MIN(dispatched_ms) \
         FROM attempts",
    )
    .fetch_one(&mut connection)
    .await?;
    let tasks = i64::try_from(tasks)?;
    if (attempts, completed) != (tasks, tasks) {
        return Err(format!("{tasks} tasks took {attempts} attempts, of which {completed} completed").into());
    }
    Ok(tasks as f64 * 1000.0 / milliseconds as f64)
}

/// How long each task of a chain waited to be started.
pub(crate) async fn waits(database: &str) -> Result<Vec<i64>, Fault> {
    let mut connection = PgConnection::connect(database).await?;
    let waits = "SELECT tasks.started_ms - needed.finished_ms FROM task_needs JOIN tasks USING (task) \
         JOIN tasks AS needed ON needed.task = task_needs.need ORDER BY tasks.place";
    Ok(sqlx::query_scalar(waits).fetch_all(&mut connection).await?)
}

/// Tasks that are not done.
pub(crate) async fn unfinished(database: &mut PgConnection) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM tasks WHERE state <> 'done'").fetch_one(database).await?)
}

//! What is reported about attempts. Each report takes effect by one compare-and-set on task, attempt and lease; many are
//! worked off in as many statements as one.

use std::collections::HashMap;
use std::time::Duration;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::{Failure, Fence, Progress, TaskKey, WorkerId};

use super::dialect::Connection;
use super::sql::{given, held, sent};
use super::{endings, later};
use crate::fault::Fault;
use crate::report::{AttemptReport, Recorded, Report, RetryDecision};
use crate::rows::{from_text, to_json, to_text};

/// What came of the reports of a round.
pub(super) type Outcomes = HashMap<TaskKey, Recorded>;

/// Reports of which no two are about one task, sorted by what they say.
#[derive(Default)]
struct Round<'a> {
    started: Vec<(Fence, &'a WorkerId)>,
    extended: Vec<(Fence, Duration, Progress)>,
    completed: Vec<(Fence, &'a [ArtifactRecord], Option<&'a serde_json::Value>)>,
    failed: Vec<(Fence, Failure, RetryDecision)>,
    released: Vec<Fence>,
    lost: Vec<(Fence, RetryDecision)>,
}

/// See [`Store::record`](crate::Store::record).
pub(super) async fn record(
    connection: &mut Connection,
    now: i64,
    reports: &[AttemptReport],
) -> Result<Vec<Recorded>, Fault> {
    let mut recorded = vec![Recorded::Refused; reports.len()];
    for indices in rounds(reports) {
        let mut round = Round::default();
        for index in &indices {
            round.add(&reports[*index]);
        }
        let mut outcomes = Outcomes::new();
        start(connection, now, &round.started, &mut outcomes).await?;
        extend(connection, now, &round.extended, &mut outcomes).await?;
        endings::complete(connection, now, &round.completed, &mut outcomes).await?;
        endings::fail(connection, now, &round.failed, &mut outcomes).await?;
        endings::release(connection, now, &round.released, &mut outcomes).await?;
        endings::lose(connection, now, &round.lost, &mut outcomes).await?;
        for index in indices {
            if let Some(outcome) = outcomes.remove(&reports[index].fence.task) {
                recorded[index] = outcome;
            }
        }
    }
    Ok(recorded)
}

/// The first report on each task, then the second on each, and so on.
fn rounds(reports: &[AttemptReport]) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut seen: HashMap<TaskKey, usize> = HashMap::new();
    for (index, report) in reports.iter().enumerate() {
        let round = seen.entry(report.fence.task).and_modify(|round| *round += 1).or_default();
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(index);
    }
    rounds
}

impl<'a> Round<'a> {
    fn add(&mut self, report: &'a AttemptReport) {
        let fence = report.fence;
        match &report.report {
            Report::Started { worker } => self.started.push((fence, worker)),
            Report::Extended { lease, progress } => self.extended.push((fence, *lease, *progress)),
            Report::Completed { artifacts, result } => {
                self.completed.push((fence, artifacts, result.as_ref()));
            }
            Report::Failed { failure, retry } => self.failed.push((fence, failure.clone(), *retry)),
            Report::Released => self.released.push(fence),
            Report::Lost { retry } => self.lost.push((fence, *retry)),
        }
    }
}

/// The keys of tasks as the database answers them.
pub(super) fn to_keys(tasks: &[String]) -> Result<Vec<TaskKey>, Fault> {
    Ok(tasks.iter().map(|task| from_text("a task's key", task)).collect::<Result<_, _>>()?)
}

/// When the lease of an attempt ends that is reported as started at `$2`. A heartbeat may have come before and have moved it
/// further.
macro_rules! renewed {
    () => {
        "CASE WHEN $2 + tasks.lease_ms > tasks.lease_expires_ms THEN $2 + tasks.lease_ms \
         ELSE tasks.lease_expires_ms END"
    };
}

async fn start(
    connection: &mut Connection,
    now: i64,
    started: &[(Fence, &WorkerId)],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    if started.is_empty() {
        return Ok(());
    }
    let given: Vec<_> = started
        .iter()
        .map(|(fence, worker)| (fence.task, fence.attempt, fence.lease, to_text(&worker.0)))
        .collect();
    let newly: Vec<String> = sqlx::query_scalar(concat!(
        "UPDATE tasks SET state = 'running', worker = given.worker, started_ms = $2, \
         lease_expires_ms = ",
        renewed!(),
        ", ",
        sent!(),
        " FROM ",
        given!(", value ->> 3 AS worker"),
        " WHERE tasks.state = 'dispatched' AND ",
        held!(),
        " RETURNING tasks.task"
    ))
    .bind(to_json("attempts", &given)?)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let newly = to_keys(&newly)?;
    outcomes.extend(newly.iter().map(|task| (*task, Recorded::UnderWay)));
    let again: Vec<_> = given.into_iter().filter(|(task, ..)| !outcomes.contains_key(task)).collect();
    if !again.is_empty() {
        let again: Vec<String> = sqlx::query_scalar(concat!(
            "UPDATE tasks SET lease_expires_ms = ",
            renewed!(),
            " FROM ",
            given!(", value ->> 3 AS worker"),
            " WHERE tasks.worker = given.worker AND ",
            held!(),
            " RETURNING tasks.task"
        ))
        .bind(to_json("attempts", &again)?)
        .bind(now)
        .fetch_all(connection)
        .await?;
        outcomes.extend(to_keys(&again)?.into_iter().map(|task| (task, Recorded::UnderWay)));
    }
    Ok(())
}

async fn extend(
    connection: &mut Connection,
    now: i64,
    extended: &[(Fence, Duration, Progress)],
    outcomes: &mut Outcomes,
) -> Result<(), Fault> {
    if extended.is_empty() {
        return Ok(());
    }
    let mut given = Vec::with_capacity(extended.len());
    for (fence, lease, progress) in extended {
        let progress = to_json("an attempt's progress", progress)?;
        given.push((fence.task, fence.attempt, fence.lease, later(now, *lease), progress));
    }
    let extended: Vec<String> = sqlx::query_scalar(concat!(
        "UPDATE tasks SET lease_expires_ms = given.expires_ms, progress = given.progress FROM ",
        given!(", CAST(value ->> 3 AS BIGINT) AS expires_ms, value ->> 4 AS progress"),
        " WHERE ",
        held!(),
        " RETURNING tasks.task"
    ))
    .bind(to_json("attempts", &given)?)
    .fetch_all(connection)
    .await?;
    outcomes.extend(to_keys(&extended)?.into_iter().map(|task| (task, Recorded::UnderWay)));
    Ok(())
}

//! Where a title stands, from the store.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use reelfarm_api::{AttemptEnd, AttemptStatus, LeaderView, PoolSlots, Standing, TaskStatus, TitleStatus};
use reelfarm_model::message::WorkerReport;
use reelfarm_model::{Pool, Title};
use reelfarm_store::{AttemptRecord, Store, StoreError, TaskRecord};

/// A title with its tasks, their attempts, what people decided about it, and what it waits for.
///
/// # Errors
/// The database.
pub async fn status_of(
    store: &dyn Store,
    title: Title,
    leader: LeaderView,
) -> Result<TitleStatus, StoreError> {
    let mut tasks = Vec::new();
    for record in store.tasks_of(&title.submission.title).await? {
        let attempts = store.attempts_of(&record.task.key).await?;
        tasks.push(task_status(record, attempts));
    }
    let reviews = store.reviews(Some(&title.submission.title), usize::MAX).await?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let standing = Standing::of(&title, &tasks, leader, now_ms);
    Ok(TitleStatus { title, standing, reviews, tasks })
}

/// The slots of those workers that take tasks, by pool.
pub(super) fn slots(workers: &[WorkerReport]) -> BTreeMap<Pool, PoolSlots> {
    let mut slots: BTreeMap<Pool, PoolSlots> = BTreeMap::new();
    for worker in workers.iter().filter(|worker| worker.takes_tasks()) {
        for (pool, of_worker) in &worker.pools {
            let sum = slots.entry(*pool).or_default();
            sum.total = sum.total.saturating_add(of_worker.total);
            sum.busy = sum.busy.saturating_add(of_worker.busy);
        }
    }
    slots
}

fn task_status(record: TaskRecord, attempts: Vec<AttemptRecord>) -> TaskStatus {
    TaskStatus {
        label: record.task.spec.label_with(record.source.as_ref()),
        task: record.task,
        source: record.source,
        state: record.state,
        attempt: record.attempt,
        failures: record.failures,
        losses: record.losses,
        progress: record.progress,
        worker: record.worker,
        last_failure: record.last_failure,
        not_before_ms: record.not_before_ms,
        dispatched_ms: record.dispatched_ms,
        started_ms: record.started_ms,
        finished_ms: record.finished_ms,
        result: record.result,
        wanted_since_ms: record.wanted_since_ms,
        needs: record.needs,
        attempts: attempts.into_iter().map(attempt_status).collect(),
    }
}

fn attempt_status(record: AttemptRecord) -> AttemptStatus {
    use reelfarm_store::AttemptEnd as End;
    AttemptStatus {
        attempt: record.attempt,
        worker: record.worker,
        outcome: record.outcome.map(|end| match end {
            End::Completed => AttemptEnd::Completed,
            End::Failed => AttemptEnd::Failed,
            End::Released => AttemptEnd::Released,
            End::Lost => AttemptEnd::Lost,
            End::Cancelled => AttemptEnd::Cancelled,
        }),
        failure: record.failure,
        dispatched_ms: record.dispatched_ms,
        started_ms: record.started_ms,
        finished_ms: record.finished_ms,
    }
}

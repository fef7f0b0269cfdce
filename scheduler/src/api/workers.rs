//! Workers and queues, as the leader sees them now.

use axum::Json;
use axum::extract::Extension;
use axum::http::StatusCode;
use reelfarm_api::{PoolStatus, Problem, WorkerPhase, WorkerSlots, WorkerStatus};
use reelfarm_model::message::{self, WorkerReport};
use reelfarm_model::{Code, Pool, WorkerId};

use super::extract::Path;
use super::problem::Refusal;
use super::status::slots;
use crate::handle::Handle;

/// Lists the workers that have been heard of lately.
#[utoipa::path(get, path = "/workers", operation_id = "listWorkers", tag = "workers", responses(
    (status = 200, description = "The workers.", body = Vec<WorkerStatus>),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(Extension(handle): Extension<Handle>) -> Json<Vec<WorkerStatus>> {
    Json(handle.workers().into_iter().map(worker_status).collect())
}

/// Lists the pools with their slots and what waits at the broker.
#[utoipa::path(get, path = "/queues", operation_id = "listQueues", tag = "workers", responses(
    (status = 200, description = "The pools.", body = Vec<PoolStatus>),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn queues(Extension(handle): Extension<Handle>) -> Result<Json<Vec<PoolStatus>>, Refusal> {
    let backlog = handle.backlog().await.map_err(|error| {
        tracing::warn!(%error, "the broker does not tell what waits");
        let message = "the broker cannot be reached; try again in a few seconds";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::FarmUnreachable, message)
    })?;
    let workers = handle.workers();
    let slots = slots(&workers);
    let status = |pool: Pool| {
        let serves = |worker: &&WorkerReport| worker.takes_tasks() && worker.pools.contains_key(&pool);
        let (slots, queue) =
            (slots.get(&pool).copied().unwrap_or_default(), backlog.get(&pool).copied().unwrap_or_default());
        PoolStatus {
            pool,
            workers: u32::try_from(workers.iter().filter(serves).count()).unwrap_or(u32::MAX),
            slots: slots.total,
            busy: slots.busy,
            waiting: queue.waiting as u64,
            receivers: queue.receivers as u64,
        }
    };
    Ok(Json(Pool::ALL.into_iter().map(status).collect()))
}

/// Has a worker take no more tasks, finish those that it has, and end.
#[utoipa::path(post, path = "/workers/{worker}/drain", operation_id = "drainWorker", tag = "workers", params(
    ("worker" = String, Path, description = "The worker's name."),
), responses(
    (status = 202, description = "It was told."),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn drain(
    Extension(handle): Extension<Handle>,
    Path(worker): Path<String>,
) -> Result<StatusCode, Refusal> {
    handle.drain(WorkerId(worker)).await?;
    Ok(StatusCode::ACCEPTED)
}

fn worker_status(report: WorkerReport) -> WorkerStatus {
    let of_pool =
        |(pool, slots): (Pool, message::Slots)| (pool, WorkerSlots { total: slots.total, busy: slots.busy });
    WorkerStatus {
        worker: report.worker,
        phase: match report.phase {
            message::WorkerPhase::Serving => WorkerPhase::Serving,
            message::WorkerPhase::Draining => WorkerPhase::Draining,
            message::WorkerPhase::Gone => WorkerPhase::Gone,
        },
        host: report.host,
        version: report.version,
        pools: report.pools.into_iter().map(of_pool).collect(),
        tools: report.tools,
        capabilities: report.capabilities,
        processors: report.processors,
        speed: report.speed,
        free_disk: report.free_disk,
        resting: report.resting,
    }
}

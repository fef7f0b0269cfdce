//! What a worker says about itself: at its start, from time to time, and as its farewell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_model::message::{FORMAT, WorkerEvent, WorkerPhase, WorkerReport};
use reelfarm_queue::BrokerError;
use tokio_util::sync::CancellationToken;

use crate::runtime::Running;

/// How often a worker says that it is there.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a worker that has ended tries to say so.
const FAREWELL: Duration = Duration::from_secs(5);

/// Sends reports until `ended`, and the farewell then.
pub(crate) async fn run(running: Arc<Running>, ended: CancellationToken) -> Result<(), BrokerError> {
    // One that nobody hears of gets no tasks.
    let _ends_the_worker = running.stop.clone().drop_guard();
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        let phase = tokio::select! {
            biased;
            () = ended.cancelled() => break,
            _ = ticks.tick() => phase(&running),
            () = running.asked.notified() => phase(&running),
            // Said at once when it takes tasks again.
            () = running.rest.over(), if running.rest.why().is_some() => phase(&running),
            // Said at once.
            () = running.drain.cancelled(), if phase(&running) == WorkerPhase::Serving => WorkerPhase::Draining,
        };
        tokio::select! {
            () = ended.cancelled() => break,
            () = send(&running, phase) => {}
        }
    }
    if tokio::time::timeout(FAREWELL, send(&running, WorkerPhase::Gone)).await.is_err() {
        tracing::warn!("the farewell was not sent in time");
    }
    Ok(())
}

fn phase(running: &Running) -> WorkerPhase {
    if running.stop.is_cancelled() || running.drain.is_cancelled() {
        WorkerPhase::Draining
    } else {
        WorkerPhase::Serving
    }
}

/// Says at once what the worker is.
pub(crate) async fn now(running: &Running) {
    send(running, phase(running)).await;
}

async fn send(running: &Running, phase: WorkerPhase) {
    let worker = &running.worker;
    let disk = worker.artifacts.disk().await;
    if let Some(disk) = disk {
        worker.metrics.set_disk(disk.free, disk.size);
    }
    let link = worker.broker.link();
    worker.metrics.set_broker_connected(link.is_up());
    let health = worker.metrics.health();
    health.set("broker", link.trouble().map(str::to_owned));
    health.set("host", running.rest.why());
    let ends = (phase != WorkerPhase::Serving).then(|| "it takes no more tasks".to_owned());
    health.set("worker", ends);
    let report = WorkerReport {
        worker: worker.id.clone(),
        phase,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT,
        pools: running.state.slots(),
        tools: worker.tools.clone(),
        capabilities: BTreeSet::new(),
        processors: std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
        speed: running.state.speed(),
        free_disk: disk.map(|disk| disk.free),
        resting: running.rest.why(),
    };
    if let Err(error) = worker.broker.send_event(&WorkerEvent::Report(Box::new(report))).await {
        tracing::warn!(%error, "the worker's report was not sent");
    }
}

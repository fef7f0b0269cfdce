//! `reelfarm worker`: takes tasks from the broker and runs them on this host.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_model::{Code, Failure, Pool, WorkerId};
use reelfarm_queue::{Broker, Role};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::Worker;
use tokio_util::sync::CancellationToken;

use crate::arguments::WorkerArguments;
use crate::config::Project;
use crate::distributed::broker_failure;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::signals::Signals;
use crate::{distributed, farm, tools};

/// How often an attempt says how far it is. Thousands of them do, and the leader answers each.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Serves until a signal: the first drains - no more tasks are taken, those at work are finished - within the limit;
/// then, or at a second signal, what is at work is handed back.
pub async fn run(verb: WorkerArguments, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let id = WorkerId(verb.name.clone().unwrap_or_else(distributed::name_of_this_process));
    let packager = tools::packager(&project);
    let versions = tools::versions(&packager).await?;
    let state = project.state(verb.state.state.as_ref());
    let keys = tokio::task::block_in_place(|| {
        project.drm.shared_secret(&state)?;
        project.drm.keys(&state, verb.keys.as_deref())
    })?;
    let artifacts = tokio::task::block_in_place(|| verb.artifacts.open(&state))?;
    // What a killed worker left in a folder of its own; in a shared one others are at work, and the scheduler sees to it.
    artifacts.sweep_staging().await?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let server = super::serve_metrics(verb.metrics_addr, &metrics, printer).await?;
    let broker: Arc<dyn Broker> = verb.broker.connect(Role::Worker, &id.0, &metrics).await?;
    let slots = farm::slots(&verb.pools, verb.slots);
    printer.line(&format!("worker {id}: {}", shown(&slots)));
    let encode_threads = farm::encode_threads(&slots);
    let worker = Worker {
        id,
        slots,
        broker,
        artifacts,
        media: tools::media_process(),
        encode_threads,
        packager,
        keys: keys.ring,
        disk_floor: verb.artifacts.disk_floor(),
        heartbeat: HEARTBEAT,
        tools: versions,
        metrics,
    };
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let mut running = tokio::spawn(worker.run(drain.clone(), stop.clone()));
    let limit = Duration::from_secs(verb.drain_limit);
    let mut exit = Exit::Done;
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended,
            signal = signals.next() => {
                if drain.is_cancelled() {
                    printer.line("handing back what is at work");
                    stop.cancel();
                } else {
                    printer.line(&format!("draining: no more tasks, at most {} s for those at work; a second signal hands them back at once", verb.drain_limit));
                    drain.cancel();
                    let stop = stop.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(limit).await;
                        stop.cancel();
                    });
                }
                exit = signal;
            }
        }
    };
    if let Some(server) = server {
        server.stop().await;
    }
    match ended {
        Ok(Ok(())) => Ok(exit),
        Ok(Err(error)) => Err(broker_failure(&error)),
        Err(error) => Err(Failure::new(Code::Internal, format!("the worker died: {error}"))),
    }
}

fn shown(slots: &HashMap<Pool, usize>) -> String {
    let of_pool = |pool: Pool| slots.get(&pool).map(|count| format!("{count} × {}", pool.as_str()));
    Pool::ALL.into_iter().filter_map(of_pool).collect::<Vec<_>>().join(", ")
}

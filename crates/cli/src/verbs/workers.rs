//! `reelfarm workers`, `queues` and `drain`: who works for a farm, and what waits for them.

use clap::Args;
use reelfarm_api::{PoolStatus, WorkerStatus};
use reelfarm_model::Failure;
use reqwest::Method;

use crate::arguments::Json;
use crate::client::FarmArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

/// `reelfarm workers` and `queues`.
#[derive(Debug, Args)]
pub struct Workers {
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm drain`.
#[derive(Debug, Args)]
pub struct Drain {
    /// The worker, as `reelfarm workers` names it.
    #[arg(value_name = "WORKER")]
    pub worker: String,
    #[command(flatten)]
    pub farm: FarmArguments,
}

/// Lists the workers.
pub async fn workers(verb: Workers, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let workers: Vec<WorkerStatus> = client.get(&["workers"], &()).await?;
    if verb.json.json {
        printer.json(&workers);
        return Ok(Exit::Done);
    }
    if workers.is_empty() {
        printer.line("no worker has been heard of lately; `reelfarm worker` starts one");
    }
    for worker in &workers {
        let pools = worker.pools.iter();
        let pools: Vec<_> =
            pools.map(|(pool, slots)| format!("{} {}/{}", pool.as_str(), slots.busy, slots.total)).collect();
        let resting = worker.resting.as_deref();
        let phase = resting.map_or(worker.phase.as_str(), |_| "resting");
        let line = format!("{:<40} {phase:<9} {}  {}", worker.worker.0, worker.host, pools.join(", "));
        printer.data(line.trim_end());
        if let Some(why) = resting {
            printer.data(&format!("  {why}"));
        }
    }
    Ok(Exit::Done)
}

/// Lists the pools.
pub async fn queues(verb: Workers, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let pools: Vec<PoolStatus> = client.get(&["queues"], &()).await?;
    if verb.json.json {
        printer.json(&pools);
        return Ok(Exit::Done);
    }
    printer.line("pool      workers  slots  busy  waiting");
    for pool in &pools {
        let PoolStatus { workers, slots, busy, waiting, .. } = pool;
        printer.data(&format!("{:<9} {workers:>7}  {slots:>5}  {busy:>4}  {waiting:>7}", pool.pool.as_str()));
    }
    Ok(Exit::Done)
}

/// Tells a worker to end once its tasks are done.
pub async fn drain(verb: Drain, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    client.command(Method::POST, &["workers", &verb.worker, "drain"]).await?;
    printer.line(&format!("{} takes no more tasks, and ends once those that it has are done", verb.worker));
    Ok(Exit::Done)
}

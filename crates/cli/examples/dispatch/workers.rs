//! The workers' process: real ones, with a link to RabbitMQ each, whose work is to do nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::{Failure, Pool, WorkerId};
use reelfarm_queue::{RabbitMqBroker, RabbitMqOptions, Role};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::{Attempt, Made, Runtime, Work};
use tokio_util::sync::CancellationToken;

use crate::children::{say, until_input_ends};
use crate::{Fault, titles};

/// Links that are made at once.
const CONNECTING: usize = 8;

/// Answers at once.
struct NoOp;

#[async_trait]
impl Work for NoOp {
    async fn make(&self, attempt: Attempt) -> Result<Made, Failure> {
        Ok(titles::made(&attempt.message.task))
    }
}

/// Serves until the standard input ends. Says `connected` once all have their links.
pub(crate) async fn run(broker: &str, state: &Path, count: usize, slots: usize) -> Result<(), Fault> {
    let artifacts = ArtifactStore::open(state)?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))?;
    let connect = async |number: usize| -> Result<Runtime, Fault> {
        let id = WorkerId(format!("worker-{}-{number}", std::process::id()));
        let options = RabbitMqOptions::new(broker, Role::Worker, id.0.clone())?;
        Ok(Runtime {
            id,
            slots: Pool::ALL.map(|pool| (pool, slots)).into(),
            broker: Arc::new(RabbitMqBroker::connect(options).await?),
            artifacts: artifacts.clone(),
            disk_floor: 0,
            heartbeat: Duration::from_secs(2),
            tools: titles::tools(),
            metrics: metrics.clone(),
            work: Arc::new(NoOp),
        })
    };
    let mut connecting =
        std::pin::pin!(futures::stream::iter(0..count).map(connect).buffer_unordered(CONNECTING));
    while let Some(worker) = connecting.next().await {
        tokio::spawn(worker?.run(CancellationToken::new(), CancellationToken::new()));
    }
    say("connected")?;
    until_input_ends().await;
    // As if they were killed: none of them has anything to hand back.
    std::process::exit(0)
}

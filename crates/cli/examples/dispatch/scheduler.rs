//! The scheduler's process: it leads as `reelfarm scheduler` does, without the API.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::ArtifactStore;
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_priority::Rules;
use reelfarm_queue::{RabbitMqBroker, RabbitMqOptions, Role};
use reelfarm_scheduler::api::FolderUploads;
use reelfarm_scheduler::housekeeping::{Housekeeping, Retention};
use reelfarm_scheduler::leader::{Leader, Standby};
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmPolicy, Options};
use reelfarm_store::{Candidate, PostgresStore};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::children::{say, until_input_ends};
use crate::{Fault, titles};

/// How often the number of known workers is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Leads until the standard input ends, and says how many workers it knows: `workers N`.
pub(crate) async fn run(database: &str, broker: &str, state: &Path) -> Result<(), Fault> {
    let store = Arc::new(PostgresStore::open(database).await?);
    let broker = RabbitMqBroker::connect(RabbitMqOptions::new(broker, Role::Scheduler, "scheduler")?).await?;
    let (artifacts, metrics) = (ArtifactStore::open(state)?, Metrics::new(env!("CARGO_PKG_VERSION"))?);
    let housekeeping = Housekeeping {
        store: store.clone(),
        artifacts: artifacts.clone(),
        uploads: Arc::new(FolderUploads::open(&state.join("uploads"), 0)?),
        metrics: metrics.clone(),
        retention: Retention::default(),
    };
    let standby = Standby {
        leadership: store.clone(),
        candidate: Candidate { holder: "scheduler".into(), address: "http://127.0.0.1".into() },
        lease: Duration::from_secs(15),
        broker: Arc::new(broker),
        artifacts,
        metrics,
        housekeeping,
        options: Options {
            tools: titles::tools(),
            policies: FarmPolicy::parse("qc.toml", reelfarm_qc::BUILT_IN)?.into(),
            profiles: ProfileList::parse("profiles.toml", BUILT_IN)?,
            lease: Duration::from_secs(60),
            order: Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN)?,
            retry: RetryPolicy::default(),
            outlived: true,
        },
    };
    let (leader, led) = watch::channel(Leader::Nobody);
    let stop = CancellationToken::new();
    let leading = tokio::spawn(standby.run(leader, stop.clone()));
    tokio::select! {
        () = until_input_ends() => {}
        said = tell(led) => said?,
    }
    stop.cancel();
    leading.await?;
    store.close().await;
    Ok(())
}

async fn tell(led: watch::Receiver<Leader>) -> Result<(), Fault> {
    let mut known = None;
    loop {
        let workers = match &*led.borrow() {
            Leader::Here(handle) => Some(handle.workers().len()),
            Leader::At(_) | Leader::Nobody => None,
        };
        if let Some(workers) = workers.filter(|_| workers != known) {
            say(&format!("workers {workers}"))?;
            known = Some(workers);
        }
        tokio::time::sleep(LOOK).await;
    }
}

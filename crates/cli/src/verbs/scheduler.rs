//! `reelfarm scheduler`: one of the schedulers of a farm of many hosts. One of them leads, the others stand by.

use std::sync::Arc;
use std::time::Duration;

use reelfarm_model::{Code, Failure};
use reelfarm_queue::{Broker, Role};
use reelfarm_scheduler::Options;
use reelfarm_scheduler::leader::{Leader, Standby};
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_store::Candidate;
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::arguments::SchedulerArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::signals::Signals;
use crate::{distributed, tools};

/// Takes part until a signal.
pub async fn run(verb: SchedulerArguments, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let holder = distributed::name_of_this_process();
    let state = project.state(verb.state.state.as_ref());
    let versions = tools::versions(&tools::packager(&project)).await?;
    let (policy, profiles) = (super::policy(&project)?, super::profile_list(&project)?);
    let artifacts = tokio::task::block_in_place(|| verb.artifacts.open(&state))?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let server = super::serve_metrics(verb.metrics_addr, &metrics, printer).await?;
    let store = verb.database.open().await?;
    let broker: Arc<dyn Broker> = verb.broker.connect(Role::Scheduler, &holder).await?;
    let address = verb.advertise.clone().unwrap_or_else(|| format!("http://{}", verb.listen));
    let standby = Standby {
        leadership: store.clone(),
        candidate: Candidate { holder: holder.clone(), address },
        lease: Duration::from_secs(verb.leader_lease),
        broker,
        artifacts,
        metrics,
        options: Options {
            tools: versions,
            policy,
            profiles,
            lease: Duration::from_secs(verb.lease),
            retry: RetryPolicy::default(),
        },
    };
    let (leader, mut led) = watch::channel(Leader::Nobody);
    let stop = CancellationToken::new();
    let taking_part = tokio::spawn(standby.run(leader, stop.clone()));
    printer.line(&format!("scheduler {holder}"));
    let exit = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            changed = led.changed() => {
                if changed.is_err() {
                    break Exit::Failed;
                }
                match &*led.borrow_and_update() {
                    Leader::Here(_) => printer.line("this scheduler leads"),
                    Leader::At(address) => printer.line(&format!("standing by; the leader is at {address}")),
                    Leader::Nobody => printer.line("nobody leads"),
                }
            }
        }
    };
    stop.cancel();
    // A second signal ends it at once; the store takes that as it takes a crash.
    tokio::select! {
        ended = taking_part => if let Err(error) = ended {
            return Err(Failure::new(Code::Internal, format!("the scheduler died: {error}")));
        },
        _ = signals.next() => {}
    }
    if let Some(server) = server {
        server.stop().await;
    }
    store.close().await;
    Ok(exit)
}

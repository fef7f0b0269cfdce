//! The embedded farm: store, broker, scheduler and worker in one process, over one state folder.

use std::collections::HashMap;
use std::fs::TryLockError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::{ArtifactStore, S3Access};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::{Code, Failure, Pool, WorkerId};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_queue::{Broker, InProcessBroker};
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmPolicies, Handle, Options, Scheduler, SchedulerError};
use reelfarm_store::{SqliteStore, Store};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::{EncodeThreads, Worker};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Project;
use crate::drm::Keys;
use crate::policies::policies;
use crate::{memory, tools};

/// The database's file in the state folder.
pub const DATABASE_FILE: &str = "reelfarm.db";

/// How long a worker's lease runs. Scheduler and worker share a process, so it ends only where that process hangs.
const LEASE: Duration = Duration::from_secs(60);

/// Often enough for a progress line. Here a report costs next to nothing.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// A running farm.
pub struct Farm {
    /// Talks to its scheduler.
    pub handle: Handle,
    /// Its store, for reading.
    pub store: Arc<dyn Store>,
    /// Who gives its titles their keys.
    pub keys: Keys,
    /// The tools that it works with.
    pub tools: ToolVersions,
    /// The QC policies that it judges by.
    pub policies: FarmPolicies,
    /// `None` once it has ended; so is the worker.
    scheduler: Option<JoinHandle<Result<(), SchedulerError>>>,
    worker: Option<JoinHandle<Result<(), reelfarm_queue::BrokerError>>>,
    drain: CancellationToken,
    stop: CancellationToken,
    /// Held for as long as the farm runs: one farm a state folder.
    _lock: fs_err::File,
}

impl Farm {
    /// Starts a farm over a state folder, and carries on what is under way there.
    ///
    /// # Errors
    /// The folder cannot be used, or another farm uses it; a tool is missing.
    pub async fn start(
        state: &Path,
        project: &Project,
        profiles: ProfileList,
        keys_file: Option<&Path>,
        slots: HashMap<Pool, usize>,
        metrics: Metrics,
    ) -> Result<Self, Failure> {
        let lock = lock(state)?;
        let order = project.order_rules()?;
        let policies = policies(project, &order)?;
        let packager = tools::packager(project);
        let versions = tools::versions(&packager).await?;
        let keys = tokio::task::block_in_place(|| project.drm.keys(state, keys_file))?;
        let store = SqliteStore::open(&state.join(DATABASE_FILE)).await?;
        let artifacts = ArtifactStore::open(state)?.with_origins(origins()?);
        // The lock says that no other process works here: what looks under way was cut off, and staging is litter.
        let swept = artifacts.sweep_staging().await?;
        let recovered = store.recover().await?;
        tracing::info!(recovered, swept, state = %state.display(), "farm starts");

        let store: Arc<dyn Store> = Arc::new(store);
        let broker: Arc<dyn Broker> = Arc::new(InProcessBroker::new(Pool::ALL));
        let options = Options {
            tools: versions.clone(),
            policies: policies.clone(),
            profiles,
            lease: LEASE,
            order,
            retry: RetryPolicy::default(),
            outlived: false,
        };
        let (scheduler, handle) =
            Scheduler::new(store.clone(), broker.clone(), artifacts.clone(), metrics.clone(), options);
        let encode_threads = encode_threads(&slots);
        let worker = Worker {
            id: WorkerId(format!("embedded-{}", std::process::id())),
            slots,
            broker,
            artifacts,
            media: tools::media_process(),
            encode_threads,
            packager,
            keys: keys.ring.clone(),
            // A task that finds no room fails and says so, where a worker that waited for room would wait for ever.
            disk_floor: 0,
            heartbeat: HEARTBEAT,
            tools: versions.clone(),
            metrics,
        };
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        Ok(Self {
            handle,
            scheduler: Some(tokio::spawn(scheduler.run(drain.clone(), stop.clone()))),
            worker: Some(tokio::spawn(worker.run(CancellationToken::new(), drain.clone()))),
            store,
            keys,
            tools: versions,
            policies,
            drain,
            stop,
            _lock: lock,
        })
    }

    /// Waits until the scheduler or the worker ends by itself, which happens only when something is broken. Says so
    /// once: afterwards it waits for ever.
    pub async fn broken(&mut self) -> Failure {
        let (Some(scheduler), Some(worker)) = (&mut self.scheduler, &mut self.worker) else {
            return std::future::pending().await;
        };
        let failure = tokio::select! {
            ended = scheduler => {
                self.scheduler = None;
                match ended {
                    Ok(Ok(())) => Failure::new(Code::Internal, "the scheduler ended"),
                    Ok(Err(SchedulerError::Store(error))) => error.into(),
                    Ok(Err(error)) => Failure::new(Code::Internal, format!("the scheduler cannot go on: {error}")),
                    Err(error) => Failure::new(Code::Internal, format!("the scheduler died: {error}")),
                }
            }
            ended = worker => {
                self.worker = None;
                Failure::new(Code::Internal, match ended {
                    Ok(Ok(())) => "the worker ended".to_owned(),
                    Ok(Err(error)) => format!("the worker cannot go on: {error}"),
                    Err(error) => format!("the worker died: {error}"),
                })
            }
        };
        failure
    }

    /// Stops cleanly: the worker ends its child processes and hands its attempts back, the scheduler records it.
    pub async fn stop(self) {
        self.drain.cancel();
        if let Some(worker) = self.worker
            && let Err(error) = worker.await
        {
            tracing::error!(%error, "the worker did not end cleanly");
        }
        self.stop.cancel();
        if let Some(scheduler) = self.scheduler {
            match scheduler.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the scheduler did not end cleanly"),
                Err(error) => tracing::error!(%error, "the scheduler did not end cleanly"),
            }
        }
        // A task that was sent and reached no slot any more: nobody else will say that it was handed back.
        if let Err(error) = self.store.recover().await {
            tracing::error!(%error, "attempts were not handed back; the next start does it");
        }
    }
}

/// How origins in buckets are reached, as the environment says.
///
/// # Errors
/// A variable cannot be used.
pub fn origins() -> Result<S3Access, Failure> {
    Ok(S3Access::from_variables(Some("ORIGIN"), |name| std::env::var(name).ok())?)
}

/// Takes a state folder for this process, for as long as the answer is kept.
///
/// # Errors
/// The folder cannot be used, or another process has it.
pub fn lock(state: &Path) -> Result<fs_err::File, Failure> {
    let unusable = |error: std::io::Error| {
        Failure::new(
            Code::StateUnreachable,
            format!(
                "the state folder {} cannot be used: {error}; give another with --state",
                state.display()
            ),
        )
    };
    // The packager's command line cannot name such a path; better said now than after the encodes.
    if std::path::absolute(state).map_err(unusable)?.to_string_lossy().contains(',') {
        return Err(unusable(std::io::Error::other(
            "its path has a comma, which Shaka Packager cannot take",
        )));
    }
    fs_err::create_dir_all(state).map_err(unusable)?;
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(state.join("lock"))
        .map_err(unusable)?;
    match file.file().try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            Code::StateBusy,
            format!(
                "another reelfarm works in {}; wait for it to end, or give another folder with --state",
                state.display()
            ),
        )),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Slots of these pools: as many of each as are asked for, otherwise as many as fit this machine.
pub fn slots(pools: &[Pool], asked: Option<u16>) -> HashMap<Pool, usize> {
    let fitting = fitting_slots(processors(), memory::available());
    let count = |pool: &Pool| asked.map(usize::from).or_else(|| fitting.get(pool).copied()).unwrap_or(1);
    pools.iter().map(|pool| (*pool, count(pool))).collect()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The encoders that encodes run at once, so that those of all slots together are as many as the processors.
pub fn encode_threads(slots: &HashMap<Pool, usize>) -> EncodeThreads {
    EncodeThreads::new(processors(), slots.get(&Pool::Cpu).copied().unwrap_or(1))
}

/// Memory that an encode takes, of the default ladder from HD, and that everything else does (docs/encoding.md).
const ENCODE_BYTES: u64 = 1 << 30;

/// Slots by pool for a machine of this many processors: an encode for each, of one thread, because chunks of a film are as many
/// as there are processors, and encoders side by side that do not wait for one another get the most out of these. Fewer where
/// there is not the memory for so many; two where there is one processor, so that it never waits for a disk.
fn fitting_slots(processors: usize, memory_bytes: Option<u64>) -> HashMap<Pool, usize> {
    let remembered = memory_bytes.map_or(usize::MAX, |bytes| {
        usize::try_from((bytes / ENCODE_BYTES).saturating_sub(1)).unwrap_or(usize::MAX)
    });
    HashMap::from([
        (Pool::Cpu, processors.max(2).min(remembered.max(1))),
        (Pool::Package, (processors / 2).max(2)),
        (Pool::Light, processors.max(2)),
    ])
}

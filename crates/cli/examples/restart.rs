//! How long a scheduler takes to begin over a great backlog, for `scripts/bench restart`: titles of 50 routes with tasks that
//! are ready, in SQLite and in PostgreSQL; measured from the start of the loop to the first task in a worker's hands.

#![expect(clippy::print_stdout, reason = "a measurement")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::message::{FORMAT, Slots, WorkerEvent, WorkerPhase, WorkerReport};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::UploadSpec;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{
    ArtifactKey, ContentKind, Digest, Facts, Part, Pool, SourceReference, Task, TaskSpec, TitleState,
    WorkerId,
};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_priority::{Route, Rules};
use reelfarm_queue::{Broker as _, InProcessBroker};
use reelfarm_scheduler::plan::fingerprint_task;
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmPolicy, Options, Scheduler};
use reelfarm_store::{PlannedCost, PlannedTask, PostgresStore, SqliteStore, Store, TitleChange};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_test_servers::postgres::Postgres;
use tokio_util::sync::CancellationToken;

/// Whatever goes wrong ends the benchmark.
type Fault = Box<dyn Error + Send + Sync>;

const ROUTES: usize = 50;
const TASKS_OF_A_TITLE: usize = 200;
const LADDER: &str = include_str!("../../../ladders/default.toml");
/// A restart that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Parser)]
struct Arguments {
    /// Ready tasks.
    #[arg(long, default_value_t = 1_000_000)]
    tasks: usize,
    /// Titles beside them that are not looked at yet, each with one ready task.
    #[arg(long, default_value_t = 10_000)]
    checking: usize,
    /// Titles that ended, with as many tasks as the planned ones.
    #[arg(long, default_value_t = 1_000)]
    ended: usize,
    /// Starts over each database.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    println!(
        "| store | ready tasks of planned titles | new titles | ended titles | to plan them, s | to begin, s (each start) |"
    );
    println!("|---|---|---|---|---|---|");
    let database = folder.path().join("farm.db");
    let sqlite: Arc<dyn Store> = Arc::new(SqliteStore::open(&database).await?);
    measure("SQLite", sqlite, &arguments, folder.path()).await?;
    let mut servers = Postgres::start().await?;
    let url = servers.create_database().await?;
    let postgres: Arc<dyn Store> = Arc::new(PostgresStore::open(&url).await?);
    measure("PostgreSQL", postgres, &arguments, folder.path()).await?;
    servers.stop().await?;
    Ok(())
}

async fn measure(
    name: &str,
    store: Arc<dyn Store>,
    arguments: &Arguments,
    state: &Path,
) -> Result<(), Fault> {
    let start = Instant::now();
    for number in 0..arguments.tasks / TASKS_OF_A_TITLE {
        plan(&*store, number).await?;
    }
    for number in 0..arguments.ended {
        let number = 2_000_000 + number;
        plan(&*store, number).await?;
        let change = TitleChange { to: Some(TitleState::Cancelled), ..TitleChange::default() };
        let id = format!("title-{number}").parse()?;
        store.advance(&id, 1, TitleState::Preparing, change).await?.ok_or("a title that does not end")?;
    }
    for number in 0..arguments.checking {
        let submission = submission(1_000_000 + number)?;
        let title = store.submit(&submission).await?.title;
        let task = fingerprint_task(&submission.source, false, &tools());
        let source = Some(submission.source.clone());
        let planned =
            PlannedTask { task, source, needs: BTreeSet::new(), redo: false, cost: PlannedCost::default() };
        store.plan(&submission.title, title.generation, &[planned]).await?.ok_or("a new title")?;
    }
    let planning = start.elapsed();
    let mut times = Vec::new();
    for _ in 0..arguments.runs {
        times.push(format!("{:.1}", begin(store.clone(), state).await?.as_secs_f64()));
    }
    println!(
        "| {name} | {} | {} | {} | {:.0} | {} |",
        arguments.tasks,
        arguments.checking,
        arguments.ended,
        planning.as_secs_f64(),
        times.join(", ")
    );
    Ok(())
}

/// Starts a scheduler, and waits until a task comes.
async fn begin(store: Arc<dyn Store>, state: &Path) -> Result<Duration, Fault> {
    store.recover().await?;
    let broker = Arc::new(InProcessBroker::new(Pool::ALL));
    let options = Options {
        tools: tools(),
        policies: FarmPolicy::parse("qc.toml", reelfarm_qc::BUILT_IN)?.into(),
        profiles: ProfileList::parse("profiles.toml", BUILT_IN)?,
        lease: Duration::from_secs(600),
        order: rules()?,
        retry: RetryPolicy::default(),
        outlived: false,
    };
    let (scheduler, _handle) =
        Scheduler::new(store, broker.clone(), ArtifactStore::open(state)?, Metrics::new("bench")?, options);
    broker.send_event(&WorkerEvent::Report(Box::new(worker()))).await?;
    let stop = CancellationToken::new();
    let start = Instant::now();
    let mut running = tokio::spawn(scheduler.run(CancellationToken::new(), stop.clone()));
    let first = tokio::time::timeout(PATIENCE, broker.receive_task(Pool::Light));
    tokio::select! {
        ended = &mut running => return Err(format!("the scheduler ended: {:?}", ended?).into()),
        task = first => drop(task??),
    }
    let took = start.elapsed();
    stop.cancel();
    running.await??;
    Ok(took)
}

async fn plan(store: &dyn Store, number: usize) -> Result<(), Fault> {
    let submission = submission(number)?;
    let title = store.submit(&submission).await?.title;
    let planned: Vec<PlannedTask> = (0..TASKS_OF_A_TITLE)
        .map(|task| {
            let spec = TaskSpec::Upload(UploadSpec {
                origin: submission.origin.clone(),
                title: submission.title.clone(),
                media_path: format!("media/{task}"),
                media: ArtifactKey(Digest::of(b"media")),
            });
            let cost = PlannedCost { expected_ms: 60_000, tail_ms: 60_000 * task as i64, part: Part::Whole };
            PlannedTask {
                task: Task::new(spec, &tools()),
                source: None,
                needs: BTreeSet::new(),
                redo: false,
                cost,
            }
        })
        .collect();
    let id = &submission.title;
    store.plan(id, title.generation, &planned).await?.ok_or("a new title that cannot be planned")?;
    let change = TitleChange { to: Some(TitleState::Preparing), ..TitleChange::default() };
    store
        .advance(id, title.generation, TitleState::Checking, change)
        .await?
        .ok_or("a new title that is not checked")?;
    Ok(())
}

fn submission(number: usize) -> Result<Submission, Fault> {
    let kind = ContentKind::ALL[number % ContentKind::ALL.len()];
    let is_dated = !matches!(kind, ContentKind::Library | ContentKind::Recode);
    let required_by =
        is_dated.then(|| chrono::Utc::now() + chrono::TimeDelta::minutes(number as i64 % 5_000));
    let facts = Facts {
        kind,
        required_by,
        route: Some(format!("route-{}", number % ROUTES).parse()?),
        ..Facts::default()
    };
    Ok(Submission {
        title: format!("title-{number}").parse()?,
        source: SourceReference {
            path: format!("/films/title-{number}.mov").into(),
            size: 10_000_000_000,
            modified_ns: 1,
            etag: None,
        },
        ladder: LadderText { file: "default.toml".into(), text: LADDER.to_owned() },
        profiles: ProfileList::parse("profiles.toml", BUILT_IN)?.all().iter().map(|p| p.id.clone()).collect(),
        audio_language: None,
        subtitles: Vec::new(),
        checksums: Vec::new(),
        qc_report: None,
        protection: None,
        rights: Default::default(),
        facts,
        cue_points: Vec::new(),
        origin: "/origin".into(),
        tools: tools(),
    })
}

fn rules() -> Result<Rules, Fault> {
    let shipped = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN)?;
    let route = |number: usize| -> Result<Route, Fault> {
        Ok(Route {
            name: format!("route-{number}").parse()?,
            share_percent: 2,
            minimum: BTreeMap::new(),
            expedites_per_day: 1,
        })
    };
    Ok(shipped.with_routes("bench", (0..ROUTES).map(route).collect::<Result<_, _>>()?)?)
}

fn tools() -> ToolVersions {
    ToolVersions::default().with_recipes()
}

fn worker() -> WorkerReport {
    WorkerReport {
        worker: WorkerId("bench".into()),
        phase: WorkerPhase::Serving,
        host: "here".into(),
        version: "bench".into(),
        format: FORMAT,
        pools: Pool::ALL.map(|pool| (pool, Slots { total: 1, busy: 0 })).into(),
        tools: tools(),
        capabilities: BTreeSet::new(),
        processors: 2,
        speed: BTreeMap::new(),
        free_disk: None,
        resting: None,
    }
}

//! A whole farm of processes: a real PostgreSQL, a real RabbitMQ, schedulers and workers of the real program.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use reelfarm_model::{Title, TitleState};
use reelfarm_store::{PostgresStore, Store as _};
use reelfarm_test_servers::postgres::Postgres;
use reelfarm_test_servers::proxy::Proxy;
use reelfarm_test_servers::rabbitmq::{RabbitMq, User};
use serde_json::Value;

use crate::site::{Process, Site};
use crate::support::{clips, describe};

/// The only virtual host.
pub(crate) const VIRTUAL_HOST: &str = "reelfarm";
/// Files with the broker's URL for schedulers and for workers.
pub(crate) const SCHEDULER_URL: &str = "scheduler-url";
pub(crate) const WORKER_URL: &str = "worker-url";
/// Below the ports of the schedulers' APIs.
const API_PORT: u16 = 8180;
/// Nothing that these tests wait for takes as long; a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// Seconds of an attempt's lease: short, so that what is lost is followed soon.
pub(crate) const LEASE: u64 = 4;
/// Seconds of the leadership's lease.
pub(crate) const LEADER_LEASE: u64 = 2;

/// A farm, in a folder of its own. Everything ends with it.
pub(crate) struct Farm {
    pub(crate) postgres: Postgres,
    pub(crate) broker: RabbitMq,
    pub(crate) site: Site,
    pub(crate) processes: BTreeMap<String, Process>,
    /// How many schedulers were ever started.
    pub(crate) schedulers: u16,
    pub(crate) store: PostgresStore,
    /// Variables of processes that are started from now on, in place of what they would have.
    pub(crate) variables: BTreeMap<&'static str, OsString>,
    /// Seconds of an attempt's lease, for schedulers that are started from now on.
    pub(crate) lease: u64,
}

impl Farm {
    /// A database and a broker, and no process of the farm yet.
    pub(crate) async fn servers() -> Self {
        let (postgres, broker) = tokio::join!(Postgres::start(), RabbitMq::start_with(&[VIRTUAL_HOST]));
        let (postgres, broker) = (postgres.unwrap(), broker.unwrap());
        // The first to open it makes the tables; afterwards it only looks.
        let store = PostgresStore::open(&postgres.url()).await.unwrap();
        let site = Site::new();
        site.secret("master-secret", &format!("1:{}", "5a".repeat(32)));
        site.secret("database-url", &postgres.url());
        site.secret(SCHEDULER_URL, &broker.url(User::Scheduler, VIRTUAL_HOST));
        site.secret(WORKER_URL, &broker.url(User::Worker, VIRTUAL_HOST));
        let (processes, variables) = (BTreeMap::new(), BTreeMap::new());
        Self { postgres, broker, site, processes, schedulers: 0, store, variables, lease: LEASE }
    }

    /// The same with a scheduler and two workers, ready for titles.
    pub(crate) async fn start() -> Self {
        let mut farm = Self::servers().await;
        farm.scheduler("scheduler-1").await;
        farm.worker("worker-1");
        farm.worker("worker-2");
        farm
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.site.path(name)
    }

    /// The address of the API of the `number`-th scheduler, counted from 1. No other process uses the broker's address, so
    /// a scheduler finds its port free however often it is started.
    pub(crate) fn api(&self, number: u16) -> SocketAddr {
        (self.broker.address().ip(), API_PORT + number).into()
    }

    /// Starts a scheduler, and waits until its API answers.
    pub(crate) async fn scheduler(&mut self, name: &str) {
        self.launch_scheduler(name);
        self.answers(name).await;
    }

    /// Waits until a scheduler's API answers.
    pub(crate) async fn answers(&mut self, name: &str) {
        let address = self.processes[name].address.unwrap();
        self.until(&format!("{name} answers"), async |farm| {
            farm.ended(name);
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
    }

    /// Starts a scheduler.
    pub(crate) fn launch_scheduler(&mut self, name: &str) {
        self.schedulers += 1;
        let address = self.api(self.schedulers);
        let command = self.site.scheduler_command(name, address, SCHEDULER_URL, self.lease);
        self.launch(name, command, Some(address));
    }

    /// The same through a proxy to the broker.
    pub(crate) async fn scheduler_through(&mut self, name: &str, proxy: &Proxy) {
        let file = format!("{name}-url");
        self.site.secret(&file, &self.broker.url_through(proxy.address(), User::Scheduler, VIRTUAL_HOST));
        self.variables.insert("REELFARM_BROKER_URL_FILE", self.path(&file).into());
        self.scheduler(name).await;
        self.variables.remove("REELFARM_BROKER_URL_FILE");
    }

    /// Starts a worker for all pools.
    pub(crate) fn worker(&mut self, name: &str) {
        self.launch(name, self.site.worker_command(name, name, WORKER_URL), None);
    }

    /// Starts a worker that reaches the broker through a proxy.
    pub(crate) fn worker_through(&mut self, name: &str, proxy: &Proxy) {
        let file = format!("{name}-url");
        self.site.secret(&file, &self.broker.url_through(proxy.address(), User::Worker, VIRTUAL_HOST));
        self.launch(name, self.site.worker_command(name, name, &file), None);
    }

    /// Starts a process of the farm, with the variables that are set.
    pub(crate) fn launch(&mut self, name: &str, mut command: Command, address: Option<SocketAddr>) {
        command.envs(&self.variables);
        self.processes.insert(name.to_owned(), self.site.launch(name, command, address));
    }

    /// The processes of the farm by their ids.
    pub(crate) fn ids(&self) -> BTreeSet<u32> {
        self.processes.values().map(Process::id).collect()
    }

    pub(crate) fn process(&self, name: &str) -> &Process {
        &self.processes[name]
    }

    /// Waits for the end of a process that is about to end.
    pub(crate) async fn end_of(&mut self, name: &str) -> std::process::ExitStatus {
        self.processes.remove(name).unwrap().end().await
    }

    /// Kills a process as a power cut would.
    pub(crate) async fn kill(&mut self, name: &str) {
        self.processes.remove(name).unwrap().kill().await;
    }

    fn ended(&mut self, name: &str) {
        let process = self.processes.get_mut(name).unwrap();
        let ended = process.ended();
        assert!(ended.is_none(), "{name} ended: {ended:?}\n{}", process.log());
    }

    /// Polls until something is so.
    pub(crate) async fn until(&mut self, what: &str, mut so: impl AsyncFnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !so(self).await {
            if start.elapsed() > PATIENCE {
                let logs: String = self
                    .processes
                    .iter()
                    .map(|(name, process)| format!("--- {name}\n{}", process.tail()))
                    .collect();
                panic!("waited in vain until {what}\n{logs}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A clip as a source that all hosts see.
    pub(crate) fn film(&self, name: &str, seconds: u32) -> PathBuf {
        let path = self.path("films").join(format!("{name}.mp4"));
        clips::film(&path, seconds);
        path
    }

    /// Runs a verb against the farm's API, by way of this scheduler.
    pub(crate) fn ask(&self, scheduler: &str, arguments: &[&str]) -> Output {
        self.command(scheduler, arguments).output().unwrap()
    }

    /// The command that does it.
    pub(crate) fn command(&self, scheduler: &str, arguments: &[&str]) -> Command {
        self.site.command(self.processes[scheduler].address.unwrap(), arguments)
    }

    /// The same, which must succeed; answers what it printed as JSON.
    pub(crate) fn json(&self, scheduler: &str, arguments: &[&str]) -> Value {
        let output = self.ask(scheduler, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", describe(&output));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", describe(&output)))
    }

    /// Submits a film of so many seconds in these profiles. It is encoded in one piece, so that a fault hits a known task.
    pub(crate) fn submit(&self, scheduler: &str, title: &str, seconds: u32, profiles: &str) {
        let film = self.film(title, seconds);
        let film = film.to_string_lossy();
        let ladder = format!("chunk_seconds = 600\n{}", include_str!("../../ladders/fast.toml"));
        fs_err::write(self.path("whole.toml"), ladder).unwrap();
        self.json(scheduler, &["submit", &film, "--ladder", "whole.toml", "--profiles", profiles, "--json"]);
    }

    pub(crate) async fn title(&self, title: &str) -> Option<Title> {
        // While the database is away nothing is known.
        self.store.title(&title.parse().unwrap()).await.ok().flatten()
    }

    /// Waits until a title is in a state.
    pub(crate) async fn reaches(&mut self, title: &str, state: TitleState) {
        self.until(&format!("{title} is {}", state.as_str()), async |farm| {
            let Some(found) = farm.title(title).await else { return false };
            let is_wrong_end = found.state.is_final() && found.state != state;
            assert!(!is_wrong_end, "{title} is {}: {:?}", found.state.as_str(), found.failure);
            found.state == state
        })
        .await;
    }

    /// Waits until an attempt of such a task is at work, and answers whose.
    pub(crate) async fn at_work(&mut self, title: &str, label: &str) -> String {
        let mut worker = None;
        self.until(&format!("{label} of {title} is at work"), async |farm| {
            let tasks = farm.store.tasks_of(&title.parse().unwrap()).await.unwrap_or_default();
            let at_work = tasks.into_iter().find(|record| {
                record.task.spec.label().starts_with(label)
                    && record.state == reelfarm_model::TaskState::Running
                    && record.started_ms.is_some()
            });
            worker = at_work.and_then(|record| record.worker).map(|worker| worker.0);
            worker.is_some()
        })
        .await;
        worker.unwrap()
    }
}

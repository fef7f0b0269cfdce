//! A whole farm of processes: a real PostgreSQL, a real RabbitMQ, schedulers and workers of the real program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reelfarm_model::{Title, TitleState};
use reelfarm_store::{PostgresStore, Store as _};
use reelfarm_test_servers::postgres::Postgres;
use reelfarm_test_servers::proxy::Proxy;
use reelfarm_test_servers::rabbitmq::{RabbitMq, User};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::support::{clips, describe, packager};

/// The only virtual host.
pub(crate) const VIRTUAL_HOST: &str = "reelfarm";
/// Nothing that these tests wait for takes as long; a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Seconds of an attempt's lease: short, so that what is lost is followed soon.
pub(crate) const LEASE: u64 = 4;
/// Seconds of the leadership's lease.
pub(crate) const LEADER_LEASE: u64 = 2;

/// A farm, in a folder of its own. Everything ends with it.
pub(crate) struct Farm {
    pub(crate) postgres: Postgres,
    pub(crate) broker: RabbitMq,
    pub(crate) folder: tempfile::TempDir,
    processes: BTreeMap<String, Process>,
    pub(crate) store: PostgresStore,
    /// Variables of processes that are started from now on, in place of what they would have.
    pub(crate) variables: BTreeMap<&'static str, OsString>,
    /// Seconds of an attempt's lease, for schedulers that are started from now on.
    pub(crate) lease: u64,
}

/// A scheduler or a worker.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// A scheduler's API.
    address: Option<SocketAddr>,
}

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process takes no other signal.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Farm {
    /// A database and a broker, and no process of the farm yet.
    pub(crate) async fn servers() -> Self {
        let (postgres, broker) = tokio::join!(Postgres::start(), RabbitMq::start_with(&[VIRTUAL_HOST]));
        let (postgres, broker) = (postgres.unwrap(), broker.unwrap());
        let folder = tempfile::tempdir().unwrap();
        // The first to open it makes the tables; afterwards it only looks.
        let store = PostgresStore::open(&postgres.url()).await.unwrap();
        let (processes, variables) = (BTreeMap::new(), BTreeMap::new());
        let farm = Self { postgres, broker, folder, processes, store, variables, lease: LEASE };
        farm.secret("master-secret", &format!("1:{}", "5a".repeat(32)));
        farm.secret("database-url", &farm.postgres.url());
        farm.secret("scheduler-url", &farm.broker.url(User::Scheduler, VIRTUAL_HOST));
        farm.secret("worker-url", &farm.broker.url(User::Worker, VIRTUAL_HOST));
        for name in ["artifacts", "films", "origin"] {
            fs_err::create_dir(farm.path(name)).unwrap();
        }
        farm
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
        self.folder.path().join(name)
    }

    /// Writes a file that its owner alone may read.
    pub(crate) fn secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::write(self.path(name), format!("{text}\n")).unwrap();
        fs_err::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// `reelfarm` with these arguments and no setting of the person who runs the tests.
    pub(crate) fn reelfarm(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reelfarm"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REELFARM_") {
                command.env_remove(name);
            }
        }
        command.env("REELFARM_PACKAGER", packager()).env("NO_COLOR", "1").env("RUST_BACKTRACE", "1");
        command.env("REELFARM_MASTER_SECRET_FILE", self.path("master-secret"));
        command.env("REELFARM_ORIGIN", self.path("origin"));
        command.env("REELFARM_LOG", "info");
        // However little room the machine has that runs the tests.
        command.env("REELFARM_DISK_FLOOR_GIB", "0");
        command
    }

    pub(crate) fn launch(&mut self, name: &str, mut command: Command, address: Option<SocketAddr>) {
        let log = self.path(&format!("{name}.log"));
        let file = fs_err::OpenOptions::new().create(true).append(true).open(&log).unwrap().into_parts().0;
        command
            .env("REELFARM_STATE", self.path(&format!("state-{name}")))
            .env("REELFARM_ARTIFACTS", self.path("artifacts"))
            .envs(&self.variables);
        let child = command.stdout(Stdio::null()).stderr(Stdio::from(file)).spawn().unwrap();
        self.processes.insert(name.to_owned(), Process { child, log, address });
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
        // Free at this moment, and nobody else's: the address is this process's own.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = self.reelfarm(&["scheduler", "--listen", &address.to_string()]);
        command.args(["--lease", &self.lease.to_string(), "--leader-lease", &LEADER_LEASE.to_string()]);
        command.env("REELFARM_DATABASE_URL_FILE", self.path("database-url"));
        command.env("REELFARM_BROKER_URL_FILE", self.path("scheduler-url"));
        command.env("REELFARM_ADMIN_TOKEN_FILE", self.path("admin-token"));
        command.env("REELFARM_SOURCES", self.path("films"));
        self.launch(name, command, Some(address));
    }

    /// The same through a proxy to the broker.
    pub(crate) async fn scheduler_through(&mut self, name: &str, proxy: &Proxy) {
        let file = format!("{name}-url");
        self.secret(&file, &self.broker.url_through(proxy.address(), User::Scheduler, VIRTUAL_HOST));
        self.variables.insert("REELFARM_BROKER_URL_FILE", self.path(&file).into());
        self.scheduler(name).await;
        self.variables.remove("REELFARM_BROKER_URL_FILE");
    }

    /// Starts a worker for all pools.
    pub(crate) fn worker(&mut self, name: &str) {
        self.worker_with_broker(name, &self.path("worker-url").to_string_lossy());
    }

    /// Starts a worker that reaches the broker through a proxy.
    pub(crate) fn worker_through(&mut self, name: &str, proxy: &Proxy) {
        let file = format!("{name}-url");
        self.secret(&file, &self.broker.url_through(proxy.address(), User::Worker, VIRTUAL_HOST));
        self.worker_with_broker(name, &self.path(&file).to_string_lossy());
    }

    fn worker_with_broker(&mut self, name: &str, url_file: &str) {
        let command = self.worker_command(name, url_file);
        self.launch(name, command, None);
    }

    /// The command of a worker.
    pub(crate) fn worker_command(&self, name: &str, url_file: &str) -> Command {
        let mut command = self.reelfarm(&["worker", "--name", name, "--drain-limit", "60"]);
        command.env("REELFARM_SLOTS", "1").env("REELFARM_BROKER_URL_FILE", url_file);
        command
    }

    pub(crate) fn process(&self, name: &str) -> &Process {
        &self.processes[name]
    }

    /// Waits for the end of a process that is about to end.
    pub(crate) async fn end_of(&mut self, name: &str) -> std::process::ExitStatus {
        let start = Instant::now();
        loop {
            let process = self.processes.get_mut(name).unwrap();
            if let Some(status) = process.child.try_wait().unwrap() {
                self.processes.remove(name);
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{name} does not end: {}", self.processes[name].log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills a process as a power cut would.
    pub(crate) async fn kill(&mut self, name: &str) {
        self.process(name).signal(Signal::KILL);
        self.end_of(name).await;
    }

    fn ended(&mut self, name: &str) {
        let process = self.processes.get_mut(name).unwrap();
        let ended = process.child.try_wait().unwrap();
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
                    .map(|(name, process)| format!("--- {name}\n{}", tail(&process.log())))
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
        let address = self.processes[scheduler].address.unwrap();
        let mut command = self.reelfarm(arguments);
        command.env("REELFARM_FARM", format!("http://{address}"));
        command.env("REELFARM_TOKEN_FILE", self.path("admin-token"));
        command
    }

    /// The same, which must succeed; answers what it printed as JSON.
    pub(crate) fn json(&self, scheduler: &str, arguments: &[&str]) -> Value {
        let output = self.ask(scheduler, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", describe(&output));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", describe(&output)))
    }

    /// Submits a film of so many seconds in these profiles.
    pub(crate) fn submit(&self, scheduler: &str, title: &str, seconds: u32, profiles: &str) {
        let film = self.film(title, seconds);
        let film = film.to_string_lossy();
        self.json(scheduler, &["submit", &film, "--ladder", "fast", "--profiles", profiles, "--json"]);
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

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

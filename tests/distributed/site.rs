//! The folder of a farm, and the processes of the real program that run in it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::farm::{LEADER_LEASE, PATIENCE};
use crate::support::packager;

/// What a killed worker left in staging is litter after so many seconds. No attempt of these tests is as long without a
/// write.
pub(crate) const COLLECT_AFTER: u64 = 30;

/// A farm's folder: settings, secrets, sources, artifacts, the origin and logs. Cheap to clone; it is removed with the last
/// clone.
#[derive(Clone)]
pub(crate) struct Site(Arc<tempfile::TempDir>);

/// A scheduler or a worker.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// A scheduler's API.
    pub(crate) address: Option<SocketAddr>,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end of a process that is about to end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{} does not end: {}", self.log.display(), self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it as a power cut would.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process takes no other signal.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self(Arc::new(tempfile::tempdir().unwrap()));
        for name in ["artifacts", "films", "origin"] {
            fs_err::create_dir(site.path(name)).unwrap();
        }
        site
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Leaves the folder where it is, with all that the processes have logged.
    pub(crate) fn keep(&self) {
        std::mem::forget(Arc::clone(&self.0));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn secret(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), format!("{text}\n")).unwrap();
        fs_err::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// `reelfarm` with these arguments and no setting of the person who runs the tests.
    pub(crate) fn reelfarm(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reelfarm"));
        command.args(arguments).current_dir(self.folder()).stdin(Stdio::null());
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

    /// Runs a verb against the farm's API at this address.
    pub(crate) fn ask(&self, address: SocketAddr, arguments: &[&str]) -> Output {
        self.command(address, arguments).output().unwrap()
    }

    /// The command that does it.
    pub(crate) fn command(&self, address: SocketAddr, arguments: &[&str]) -> Command {
        let mut command = self.reelfarm(arguments);
        command.env("REELFARM_FARM", format!("http://{address}"));
        command.env("REELFARM_TOKEN_FILE", self.path("admin-token"));
        command
    }

    /// The command of a scheduler whose API will be at this address. `broker_url` names a file.
    pub(crate) fn scheduler_command(
        &self,
        host: &str,
        address: SocketAddr,
        broker_url: &str,
        lease: u64,
    ) -> Command {
        let mut command = self.of_host(host, &["scheduler", "--listen", &address.to_string()], broker_url);
        command.args(["--lease", &lease.to_string(), "--leader-lease", &LEADER_LEASE.to_string()]);
        command.args(["--collect-after", &COLLECT_AFTER.to_string()]);
        command.env("REELFARM_DATABASE_URL_FILE", self.path("database-url"));
        command.env("REELFARM_ADMIN_TOKEN_FILE", self.path("admin-token"));
        command.env("REELFARM_SOURCES", self.path("films"));
        command
    }

    /// The command of a worker for all pools, of this name, on a host that may have had other workers before.
    pub(crate) fn worker_command(&self, host: &str, name: &str, broker_url: &str) -> Command {
        let mut command = self.of_host(host, &["worker", "--name", name, "--drain-limit", "60"], broker_url);
        command.env("REELFARM_SLOTS", "1");
        command
    }

    fn of_host(&self, host: &str, arguments: &[&str], broker_url: &str) -> Command {
        let mut command = self.reelfarm(arguments);
        command
            .env("REELFARM_BROKER_URL_FILE", self.path(broker_url))
            .env("REELFARM_STATE", self.path(&format!("state-{host}")))
            .env("REELFARM_ARTIFACTS", self.path("artifacts"));
        command
    }

    /// Starts a process of a host.
    pub(crate) fn launch(&self, host: &str, mut command: Command, address: Option<SocketAddr>) -> Process {
        let log = self.path(&format!("{host}.log"));
        let file = fs_err::OpenOptions::new().create(true).append(true).open(&log).unwrap().into_parts().0;
        let child = command.stdout(Stdio::null()).stderr(Stdio::from(file)).spawn().unwrap();
        Process { child, log, address }
    }

    /// The processes that run in this folder or were told of it, directly or by whoever started them: what each was
    /// called with, by its id.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let folder = self.folder().to_str().unwrap().as_bytes();
        let mut found = Vec::new();
        for entry in fs_err::read_dir("/proc").unwrap().flatten() {
            let Ok(process) = entry.file_name().to_string_lossy().parse() else { continue };
            let of = |name: &str| fs_err::read(entry.path().join(name)).unwrap_or_default();
            let command = of("cmdline");
            let stands_in = fs_err::read_link(entry.path().join("cwd")).unwrap_or_default();
            let names = |bytes: &[u8]| bytes.windows(folder.len()).any(|window| window == folder);
            let is_ours = stands_in.starts_with(self.folder()) || names(&command) || names(&of("environ"));
            if is_ours {
                found.push((process, String::from_utf8_lossy(&command).replace('\0', " ")));
            }
        }
        found
    }
}

//! PostgreSQL, the real one: version 15 or newer, as Debian's package `postgresql` installs it.
//!
//! Promises: a server has a folder and a port of its own, and listens on 127.0.0.1 and on a socket in its folder; it
//! takes connections when [`Postgres::start`] returns. It keeps what it was told to keep (`fsync` is on) unless it is
//! asked to be fast. [`stop`](Postgres::stop), [`kill`](Postgres::kill) and [`restart`](Postgres::restart) leave folder
//! and port as they are. Dropping it ends every process of it and removes the folder, and so does the end of the test
//! process, however that ends. PostgreSQL refuses to run as root: where the tests do, it runs as `postgres` or `nobody`.

mod account;
mod process;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use account::Account;
use process::Process;
use tempfile::TempDir;

/// The owner of every server.
const USER: &str = "reelfarm";
/// Below the ports that the kernel gives to outgoing connections, so that a restarted server finds its own still free.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Ports that are tried until one is free.
const TRIES: usize = 8;
const OLDEST_VERSION: u32 = 15;

/// A server could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It is not installed.
    #[error(
        "there is no PostgreSQL {OLDEST_VERSION} or newer under /usr/lib/postgresql: apt-get install postgresql"
    )]
    NotInstalled,
    /// Something about processes or files failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A program of PostgreSQL ended with an error.
    #[error("{program} failed: {said}")]
    Refused {
        /// Which one.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
}

impl PostgresError {
    fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    account: Account,
    // Before the folder, which is removed once nothing uses it any more.
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    settings: Vec<&'static str>,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts a server that loses nothing it has confirmed, as in production.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub async fn start() -> Result<Self, PostgresError> {
        Self::with_settings(Vec::new()).await
    }

    /// Starts a server that trades durability for speed: for tests in which it does not go down.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub async fn start_fast() -> Result<Self, PostgresError> {
        Self::with_settings(vec!["fsync=off", "synchronous_commit=off", "full_page_writes=off"]).await
    }

    async fn with_settings(settings: Vec<&'static str>) -> Result<Self, PostgresError> {
        let programs = installed()?;
        let account = Account::find().map_err(PostgresError::io("find a user to run PostgreSQL as"))?;
        let folder = tempfile::Builder::new()
            .prefix("reelfarm-postgres-")
            .tempdir()
            .map_err(PostgresError::io("make a folder for PostgreSQL"))?;
        account.own(folder.path()).map_err(PostgresError::io("give PostgreSQL its folder"))?;
        let mut server = Self {
            programs,
            account,
            process: None,
            folder,
            port: 0,
            settings,
            databases: AtomicU32::new(0),
        };
        server.initialise().await?;
        for _ in 1..TRIES {
            server.port = rand::random_range(PORTS);
            if server.launch().await.is_ok() {
                return Ok(server);
            }
        }
        server.port = rand::random_range(PORTS);
        server.launch().await?;
        Ok(server)
    }

    /// The server's first database, as a URL with a TCP address.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The folder with the socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an empty database and answers its URL.
    ///
    /// # Errors
    /// The server is not up.
    pub async fn create_database(&self) -> Result<String, PostgresError> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        Ok(self.url_of(&name))
    }

    /// Runs a statement as the server's owner, in its first database.
    ///
    /// # Errors
    /// The server is not up, or refuses the statement.
    pub async fn execute(&self, statement: &str) -> Result<(), PostgresError> {
        self.execute_in(&self.url(), statement).await
    }

    /// Runs a statement as the server's owner, in one of its databases.
    ///
    /// # Errors
    /// The server is not up, or refuses the statement.
    pub async fn execute_in(&self, url: &str, statement: &str) -> Result<(), PostgresError> {
        self.query_in(url, statement).await.map(drop)
    }

    /// Runs a query as the server's owner, in its first database. Answers its rows: their columns as text.
    ///
    /// # Errors
    /// The server is not up, or refuses the query.
    pub async fn query(&self, query: &str) -> Result<Vec<Vec<String>>, PostgresError> {
        self.query_in(&self.url(), query).await
    }

    async fn query_in(&self, url: &str, query: &str) -> Result<Vec<Vec<String>>, PostgresError> {
        let mut psql = tokio::process::Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator", "\t"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--command", query, url]);
        let rows = output("psql", psql).await?;
        Ok(rows.lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect())
    }

    /// Whether the server has been started and not stopped or killed since.
    pub const fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Shuts the server down in an orderly way: its clients are disconnected.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub async fn stop(&mut self) -> Result<(), PostgresError> {
        match self.process.take() {
            Some(process) => process.stop().await.map_err(PostgresError::io("stop PostgreSQL")),
            None => Ok(()),
        }
    }

    /// Kills the server with SIGKILL: the next start has to recover from its log.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub async fn kill(&mut self) -> Result<(), PostgresError> {
        match self.process.take() {
            Some(process) => process.kill().await.map_err(PostgresError::io("kill PostgreSQL")),
            None => Ok(()),
        }
    }

    /// Stops every process of the server where it stands (SIGSTOP): connections stay open, and nobody answers.
    ///
    /// # Errors
    /// A signal could not be sent.
    pub fn pause(&self) -> Result<(), PostgresError> {
        match &self.process {
            Some(process) => process.pause().map_err(PostgresError::io("pause PostgreSQL")),
            None => Ok(()),
        }
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// A signal could not be sent.
    pub fn resume(&self) -> Result<(), PostgresError> {
        match &self.process {
            Some(process) => process.resume().map_err(PostgresError::io("resume PostgreSQL")),
            None => Ok(()),
        }
    }

    /// Starts the server again, on the same folder and port, after it was stopped or killed.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_again(&mut self) -> Result<(), PostgresError> {
        if self.process.is_some() { Ok(()) } else { self.launch().await }
    }

    /// Stops the server and starts it again, on the same folder and port.
    ///
    /// # Errors
    /// It cannot be stopped, or does not start.
    pub async fn restart(&mut self) -> Result<(), PostgresError> {
        self.stop().await?;
        self.launch().await
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn initialise(&self) -> Result<(), PostgresError> {
        let mut arguments: Vec<OsString> =
            ["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
                .map(OsString::from)
                .into();
        arguments.extend(["--no-instructions".into(), "--pgdata".into(), self.data().into_os_string()]);
        let mut initdb = self.account.command(&self.programs.join("initdb"), &arguments);
        initdb.current_dir(self.folder.path());
        output("initdb", initdb.into()).await.map(drop)
    }

    async fn launch(&mut self) -> Result<(), PostgresError> {
        let folder = self.folder.path();
        let port = format!("port={}", self.port);
        let sockets = format!("unix_socket_directories={}", folder.display());
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data().into_os_string()];
        let settings = ["listen_addresses=127.0.0.1", "lc_messages=C", "max_connections=200"];
        for setting in settings.into_iter().chain([port.as_str(), &sockets]).chain(self.settings.clone()) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let command = self.account.arguments(&self.programs.join("postgres"), &arguments);
        self.process = Some(Process::start(command, folder, &self.data()).await?);
        Ok(())
    }
}

/// The folder with the programs of the newest PostgreSQL.
fn installed() -> Result<PathBuf, PostgresError> {
    let versions = fs_err::read_dir("/usr/lib/postgresql").map_err(|_| PostgresError::NotInstalled)?;
    versions
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(version, programs)| *version >= OLDEST_VERSION && programs.join("postgres").exists())
        .max()
        .map(|(_, programs)| programs)
        .ok_or(PostgresError::NotInstalled)
}

/// Runs a program to its end, and answers what it printed.
async fn output(
    program: &'static str,
    mut command: tokio::process::Command,
) -> Result<String, PostgresError> {
    let output = command.output().await.map_err(PostgresError::io("run a program of PostgreSQL"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(PostgresError::Refused { program, said: String::from_utf8_lossy(&output.stderr).into_owned() })
}

#[cfg(test)]
mod tests;

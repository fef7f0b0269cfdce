//! RabbitMQ, the real one: 3.10 or newer, as Debian's package `rabbitmq-server` installs it.
//!
//! Promises: a broker has a folder, a loopback address, a node name, a port mapper (epmd) and an Erlang cookie of its own,
//! and takes connections when [`RabbitMq::start`] returns. It has three users in every virtual host: an administrator,
//! and a scheduler and a worker with the permissions of `crates/queue/definitions.json`.
//! [`stop`](RabbitMq::stop), [`kill`](RabbitMq::kill) and [`restart`](RabbitMq::restart) leave folder and address as they
//! are. Dropping it ends every process of it and removes the folder, and so does the end of the test process, however
//! that ends. It runs as whoever runs the tests, root included.

mod definitions;
mod keeper;
mod process;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use keeper::Keeper;
use process::Process;

/// The scripts themselves: those in /usr/sbin insist on the user `rabbitmq` and on /var/lib/rabbitmq.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
const PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;
/// Half of the port numbers for epmd, which insists on 127.0.0.1 too: below those that the kernel gives to outgoing
/// connections. The odd port above an epmd's is for its node's distribution, which RabbitMQ wants to be free on every
/// address.
const MAPPER_PORTS: std::ops::Range<u16> = 5_000..10_000;
/// Ports that are tried until one is free.
const TRIES: usize = 8;
/// How often a channel looks for deliveries that were not acknowledged in time, in milliseconds; a minute by default.
const CHANNEL_TICK_MS: u32 = 500;

/// A broker could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum RabbitMqError {
    /// It is not installed.
    #[error("there is no RabbitMQ in {PROGRAMS}: apt-get install rabbitmq-server")]
    NotInstalled,
    /// Something about processes or files failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A program of RabbitMQ ended with an error, or before it was ready.
    #[error("{program} failed: {said}")]
    Refused {
        /// Which one.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
}

impl RabbitMqError {
    fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

/// Who connects to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// May do everything in every virtual host.
    Administrator,
    /// The scheduler of the farm.
    Scheduler,
    /// Its workers.
    Worker,
}

impl User {
    /// Every user.
    pub const ALL: [User; 3] = [Self::Administrator, Self::Scheduler, Self::Worker];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Scheduler => "reelfarm-scheduler",
            Self::Worker => "reelfarm-worker",
        }
    }

    /// The password, with characters that mean something in a URL.
    pub const fn password(self) -> &'static str {
        match self {
            Self::Administrator => "administrator@secret",
            Self::Scheduler => "scheduler/secret",
            Self::Worker => "worker:secret",
        }
    }
}

/// A running broker.
#[derive(Debug)]
pub struct RabbitMq {
    // In the order in which they are to end: the keeper ends whatever is left, and removes the folder.
    node: Option<Process>,
    _mapper: Process,
    keeper: Keeper,
    address: Ipv4Addr,
    mapper_port: u16,
    certificate: String,
}

impl RabbitMq {
    /// The virtual host that [`start`](Self::start) makes.
    pub const VIRTUAL_HOST: &'static str = "reelfarm";

    /// Starts a broker with one virtual host.
    ///
    /// # Errors
    /// RabbitMQ is not installed, or does not start.
    pub async fn start() -> Result<Self, RabbitMqError> {
        Self::start_with(&[Self::VIRTUAL_HOST]).await
    }

    /// Starts a broker with these virtual hosts: starting a broker takes seconds, so tests that do not harm it share one.
    ///
    /// # Errors
    /// RabbitMQ is not installed, or does not start.
    pub async fn start_with(virtual_hosts: &[&str]) -> Result<Self, RabbitMqError> {
        if !Path::new(PROGRAMS).join("rabbitmq-server").exists() {
            return Err(RabbitMqError::NotInstalled);
        }
        let keeper = Keeper::start()?;
        let address = own_address();
        let (mapper, mapper_port) = start_mapper(&keeper, address).await?;
        let identity = rcgen::generate_simple_self_signed([address.to_string()]);
        let identity = identity.map_err(io::Error::other).map_err(RabbitMqError::io("make a certificate"))?;
        let certificate = identity.cert.pem();
        let mut broker = Self { node: None, _mapper: mapper, keeper, address, mapper_port, certificate };
        broker
            .configure(virtual_hosts, &identity.signing_key.serialize_pem())
            .map_err(RabbitMqError::io("configure RabbitMQ"))?;
        broker.launch().await?;
        Ok(broker)
    }

    /// Where it takes connections.
    pub fn address(&self) -> SocketAddr {
        (self.address, PORT).into()
    }

    /// The URL of a virtual host for a user.
    pub fn url(&self, user: User, virtual_host: &str) -> String {
        self.url_through(self.address(), user, virtual_host)
    }

    /// The same by way of another address, such as a [`Proxy`](crate::proxy::Proxy)'s.
    pub fn url_through(&self, address: SocketAddr, user: User, virtual_host: &str) -> String {
        let password = percent_encoded(user.password());
        format!("amqp://{}:{password}@{address}/{}", user.name(), percent_encoded(virtual_host))
    }

    /// The URL of a virtual host for a user, over TLS with a [certificate](Self::certificate) that nobody else trusts.
    pub fn tls_url(&self, user: User, virtual_host: &str) -> String {
        let plain = self.url_through((self.address, TLS_PORT).into(), user, virtual_host);
        plain.replacen("amqp", "amqps", 1)
    }

    /// The certificate that it shows, in PEM form: for its address, and signed by itself.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Whether it has been started and not stopped or killed since.
    pub const fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Shuts the broker down in an orderly way: its clients are told.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub async fn stop(&mut self) -> Result<(), RabbitMqError> {
        match self.node.take() {
            Some(node) => node.stop().await.map_err(RabbitMqError::io("stop RabbitMQ")),
            None => Ok(()),
        }
    }

    /// Kills the broker with SIGKILL.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub async fn kill(&mut self) -> Result<(), RabbitMqError> {
        match self.node.take() {
            Some(node) => node.kill().await.map_err(RabbitMqError::io("kill RabbitMQ")),
            None => Ok(()),
        }
    }

    /// Starts the broker again, on the same folder and address, after it was stopped or killed.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_again(&mut self) -> Result<(), RabbitMqError> {
        if self.is_up() { Ok(()) } else { self.launch().await }
    }

    /// Stops the broker and starts it again, on the same folder and address.
    ///
    /// # Errors
    /// It cannot be stopped, or does not start.
    pub async fn restart(&mut self) -> Result<(), RabbitMqError> {
        self.stop().await?;
        self.launch().await
    }

    /// Stops the broker where it stands (SIGSTOP): connections stay open, and nobody answers.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub fn pause(&self) -> Result<(), RabbitMqError> {
        self.node.as_ref().map_or(Ok(()), Process::pause).map_err(RabbitMqError::io("pause RabbitMQ"))
    }

    /// Lets a paused broker go on.
    ///
    /// # Errors
    /// The signal could not be sent.
    pub fn resume(&self) -> Result<(), RabbitMqError> {
        self.node.as_ref().map_or(Ok(()), Process::resume).map_err(RabbitMqError::io("resume RabbitMQ"))
    }

    /// Takes all messages that wait out of a queue.
    ///
    /// # Errors
    /// There is no such queue, or the broker is not up.
    pub async fn purge(&self, virtual_host: &str, queue: &str) -> Result<(), RabbitMqError> {
        self.control(&["purge_queue", "--vhost", virtual_host, queue]).await.map(drop)
    }

    /// Closes every connection, as an administrator may.
    ///
    /// # Errors
    /// The broker is not up.
    pub async fn close_connections(&self) -> Result<(), RabbitMqError> {
        self.control(&["close_all_connections", "--global", "closed by a test"]).await.map(drop)
    }

    /// Sets how long a delivery may stay unacknowledged before its channel is closed; for channels opened from now on.
    ///
    /// # Errors
    /// The broker is not up.
    pub async fn set_consumer_timeout(&self, timeout: Duration) -> Result<(), RabbitMqError> {
        let statement = format!("application:set_env(rabbit, consumer_timeout, {}).", timeout.as_millis());
        self.control(&["eval", &statement]).await.map(drop)
    }

    /// Runs `rabbitmqctl` and answers what it printed.
    ///
    /// # Errors
    /// It failed.
    pub async fn control(&self, arguments: &[&str]) -> Result<String, RabbitMqError> {
        let mut command = tokio::process::Command::new(Path::new(PROGRAMS).join("rabbitmqctl"));
        command.args(["--quiet", "--longnames", "--node", &self.node_name()]).args(arguments);
        command.envs(self.environment()).kill_on_drop(true);
        let output = command.output().await.map_err(RabbitMqError::io("run rabbitmqctl"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(RabbitMqError::Refused {
            program: "rabbitmqctl",
            said: String::from_utf8_lossy(&said).into_owned(),
        })
    }

    fn node_name(&self) -> String {
        format!("rabbit@{}", self.address)
    }

    fn configure(&self, virtual_hosts: &[&str], key: &str) -> io::Result<()> {
        let folder = self.keeper.folder();
        let definitions = folder.join("definitions.json");
        fs_err::write(&definitions, definitions::for_tests(virtual_hosts)?)?;
        let (certificate, key_file) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs_err::write(&certificate, &self.certificate)?;
        fs_err::write(&key_file, key)?;
        let address = self.address.to_string();
        // Erlang's terms and not `rabbitmq.conf`, whose translation takes another second of every start.
        let settings = format!(
            "[{{rabbit, [{{tcp_listeners, [{{{address:?}, {PORT}}}]}}, {{ssl_listeners, [{{{address:?}, {TLS_PORT}}}]}}, \
             {{ssl_options, [{{certfile, {certificate:?}}}, {{keyfile, {key_file:?}}}]}}, {{loopback_users, []}}, \
             {{load_definitions, {definitions:?}}}, {{channel_tick_interval, {CHANNEL_TICK_MS}}}]}}].\n",
        );
        fs_err::write(folder.join("advanced.config"), settings)?;
        fs_err::write(folder.join("enabled_plugins"), "[].\n")?;
        let cookie = folder.join(".erlang.cookie");
        fs_err::write(&cookie, format!("{:032x}", rand::random::<u128>()))?;
        fs_err::set_permissions(&cookie, std::os::unix::fs::PermissionsExt::from_mode(0o400))
    }

    async fn launch(&mut self) -> Result<(), RabbitMqError> {
        let mut command = self.keeper.command("node", &Path::new(PROGRAMS).join("rabbitmq-server"));
        command.envs(self.environment());
        self.node = Some(Process::start("rabbitmq-server", command, " completed with ").await?);
        Ok(())
    }

    /// What keeps this broker apart from every other and from the system's own.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let folder = self.keeper.folder();
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        vec![
            ("HOME", path("")),
            ("RABBITMQ_NODENAME", self.node_name()),
            ("RABBITMQ_USE_LONGNAME", "true".into()),
            ("RABBITMQ_CONF_ENV_FILE", path("none")),
            ("RABBITMQ_CONFIG_FILE", path("none")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", path("mnesia")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_LOGS", "-".into()),
            // Erlang's threads would rather spin than sleep, and everything else runs on the same few cores.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none".into()),
            ("RABBITMQ_DIST_PORT", (self.mapper_port + 1).to_string()),
            // The script becomes the node instead of standing beside it.
            ("RUNNING_UNDER_SYSTEMD", "true".into()),
            ("ERL_EPMD_PORT", self.mapper_port.to_string()),
            ("ERL_EPMD_ADDRESS", self.address.to_string()),
            ("ERL_CRASH_DUMP_SECONDS", "0".into()),
            (
                "ERL_FLAGS",
                format!("-start_epmd false -kernel inet_dist_use_interface {{{}}}", {
                    self.address.to_string().replace('.', ",")
                }),
            ),
        ]
    }
}

/// A loopback address that no other process of this machine uses, so that a restarted broker finds its port still free. A
/// process has four of them.
fn own_address() -> Ipv4Addr {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() << 2) | (STARTED.fetch_add(1, Ordering::Relaxed) & 3);
    Ipv4Addr::from_bits((127 << 24) | (number & 0x00ff_ffff))
}

/// Starts Erlang's port mapper, which RabbitMQ's node and its tools find each other by.
async fn start_mapper(keeper: &Keeper, address: Ipv4Addr) -> Result<(Process, u16), RabbitMqError> {
    let mut tries = 1;
    loop {
        let port = 2 * rand::random_range(MAPPER_PORTS);
        let mut command = keeper.command("epmd", Path::new("epmd"));
        // With -d it stays in the foreground and says when it is ready.
        command.args(["-d", "-port", &port.to_string(), "-address", &address.to_string()]);
        match Process::start("epmd", command, "epmd running").await {
            Ok(mapper) => return Ok((mapper, port)),
            Err(_) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests;

//! What the roles of a distributed farm connect to: database, broker and artifacts.
//!
//! URLs with passwords come from files alone, so that no process list and no environment shows them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use reelfarm_artifacts::{ArtifactStore, CacheSettings, Location, StorageSettings};
use reelfarm_model::{Code, Failure};
use reelfarm_queue::{BrokerError, RabbitMqBroker, RabbitMqOptions, Role};
use reelfarm_store::PostgresStore;
use reelfarm_telemetry::metrics::Metrics;

/// Bytes of copies of artifacts that a worker keeps for later, where nothing else is said.
const CACHE_LIMIT_GIB: u64 = 100;
/// What stays free on the disk that work is written to, where nothing else is said.
const DISK_FLOOR_GIB: u64 = 10;

/// The broker of a farm.
#[derive(Clone, Debug, Args)]
pub struct BrokerArguments {
    /// A file with RabbitMQ's URL, such as amqp://worker:PASSWORD@rabbit:5672/reelfarm.
    #[arg(long, env = "REELFARM_BROKER_URL_FILE", value_name = "FILE")]
    pub broker_url_file: PathBuf,
    /// Authorities that RabbitMQ's certificate is held against, beside the system's, in PEM.
    #[arg(long, env = "REELFARM_BROKER_AUTHORITY_FILE", value_name = "FILE")]
    pub broker_authority_file: Option<PathBuf>,
}

/// The database of a farm.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArguments {
    /// A file with PostgreSQL's URL, such as postgres://reelfarm:PASSWORD@db:5432/reelfarm.
    #[arg(long, env = "REELFARM_DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: PathBuf,
}

/// The artifacts of a farm.
#[derive(Clone, Debug, Args)]
pub struct ArtifactArguments {
    /// Where artifacts lie: a folder that all hosts share, or s3://BUCKET/PREFIX.
    #[arg(long, env = "REELFARM_ARTIFACTS", value_name = "FOLDER|URL")]
    pub artifacts: String,
    /// A folder of this process alone, for copies of artifacts from a bucket [default: cache in the state folder].
    #[arg(long, env = "REELFARM_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// GiB of copies that may be kept there.
    #[arg(long, env = "REELFARM_CACHE_GIB", value_name = "GIB", default_value_t = CACHE_LIMIT_GIB)]
    pub cache_gib: u64,
    /// GiB that have to be free on the disk that work is written to: with less, no task is taken and nothing is copied.
    #[arg(long, env = "REELFARM_DISK_FLOOR_GIB", value_name = "GIB", default_value_t = DISK_FLOOR_GIB)]
    pub disk_floor_gib: u64,
}

impl DatabaseArguments {
    /// The store, brought up to this program's schema.
    ///
    /// # Errors
    /// The file cannot be read, or the database not be used.
    pub async fn open(&self) -> Result<Arc<PostgresStore>, Failure> {
        let url = secret_line(&self.database_url_file)?;
        Ok(Arc::new(PostgresStore::open(&url).await?))
    }
}

impl BrokerArguments {
    /// The broker, connected.
    ///
    /// # Errors
    /// The file cannot be read, or the broker not be used.
    pub async fn connect(
        &self,
        role: Role,
        name: &str,
        metrics: &Metrics,
    ) -> Result<Arc<RabbitMqBroker>, Failure> {
        let url = secret_line(&self.broker_url_file)?;
        let mut options = RabbitMqOptions::new(&url, role, name).map_err(|error| {
            Failure::new(
                Code::SettingsInvalid,
                format!("{} holds no broker's URL: {error}", self.broker_url_file.display()),
            )
        })?;
        if let Some(file) = &self.broker_authority_file {
            let certificates = fs_err::read_to_string(file)
                .map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))?;
            options.certificates = Some(certificates);
        }
        let metrics = metrics.clone();
        options.on_not_understood = Arc::new(move || metrics.message_not_understood());
        Ok(Arc::new(RabbitMqBroker::connect(options).await.map_err(|error| broker_failure(&error))?))
    }
}

impl ArtifactArguments {
    /// Bytes that have to be free on the disk that work is written to.
    pub const fn disk_floor(&self) -> u64 {
        self.disk_floor_gib << 30
    }

    /// The folder for uploads where the artifacts lie in a folder.
    pub fn uploads(&self, state: &Path) -> PathBuf {
        match Location::parse(&self.artifacts) {
            Ok(Location::Folder(folder)) => folder.join("uploads"),
            _ => state.join("uploads"),
        }
    }

    /// The artifact store. Blocks, shortly.
    ///
    /// # Errors
    /// The place or its settings cannot be used.
    pub fn open(&self, state: &Path) -> Result<ArtifactStore, Failure> {
        let refuse = |reason: String| Failure::new(Code::SettingsInvalid, format!("--artifacts: {reason}"));
        let place = Location::parse(&self.artifacts).map_err(|error| refuse(error.to_string()))?;
        let folder = self.cache.clone().unwrap_or_else(|| state.join("cache"));
        let cache = CacheSettings { folder, limit: self.cache_gib << 30, floor: self.disk_floor() };
        let settings = StorageSettings::from_variables(place, true, cache, |name| std::env::var(name).ok())
            .map_err(|error| refuse(error.to_string()))?;
        Ok(ArtifactStore::connect(&settings)?)
    }
}

/// A broker's error for people, whose code says who can mend it.
pub fn broker_failure(error: &BrokerError) -> Failure {
    Failure::new(Code::BrokerUnreachable, error.to_string())
}

/// The one line of a file that holds a secret.
fn secret_line(file: &Path) -> Result<String, Failure> {
    let text = fs_err::read_to_string(file)
        .map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))?;
    let line = text.trim();
    if line.is_empty() || line.contains('\n') {
        let message = format!("{} should hold one line, the URL", file.display());
        return Err(Failure::new(Code::SettingsInvalid, message));
    }
    Ok(line.to_owned())
}

/// A name that no other process has, nor this one after a restart.
pub fn name_of_this_process() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let started =
        fs_err::metadata(Path::new("/proc/self")).ok().and_then(|metadata| metadata.modified().ok());
    let started = started
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_millis());
    format!("{host}-{}-{started}", std::process::id())
}

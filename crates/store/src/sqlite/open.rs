//! Opening the file: connections, and bringing the schema up to date.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::{SqliteStore, fault};
use crate::error::StoreError;
use crate::fault::Fault;

/// How long another process may keep the database locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read at the same time.
const READERS: u32 = 4;
/// Pages that a connection keeps in memory, in KiB, once it has read them; 80 MiB for all of them. Keys are digests, so look-ups
/// go all over the file, and with SQLite's own 2,000 KiB nearly each would be a system call.
const CACHE_KIB: u32 = 16_384;
/// Rows that may wait for whoever asked before the thread that reads them pauses.
const ROWS: usize = 1_000;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The newest schema that this program knows.
pub(super) fn known_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

impl SqliteStore {
    /// Opens the database for a scheduler. The file, and the folder that it lies in, are made where they are missing,
    /// and a schema of an older reelfarm is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`], [`StoreError::Corrupt`], [`StoreError::Locked`], [`StoreError::Full`] or
    /// [`StoreError::Unreachable`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_waiting(path, BUSY_TIMEOUT).await
    }

    /// The same, with another limit to how long another process may keep the database locked.
    pub(super) async fn open_waiting(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let database = path.display().to_string();
        let work = async {
            if let Some(folder) = path.parent() {
                fs_err::tokio::create_dir_all(folder).await.map_err(sqlx::Error::Io)?;
            }
            let options = options(path)
                .busy_timeout(busy_timeout)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal);
            let writer = SqlitePoolOptions::new()
                .max_connections(1)
                .after_release(|connection, _| Box::pin(is_usable(connection)))
                .connect_with(options)
                .await?;
            let (found, known) = (schema(&writer).await?, known_schema());
            if found > known {
                return Err(Fault::NewerSchema { found, known });
            }
            MIGRATIONS.run(&writer).await.map_err(|error| match error {
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error,
                error => error.into(),
            })?;
            let reader = reader(path).await?;
            Ok(Self { database: database.clone(), writer, reader, term: None })
        };
        work.await.map_err(|fault: Fault| fault::explain(fault, &database, "open it"))
    }

    /// Opens the database for reading alone, while a scheduler may be writing it. Operations that write fail.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no file; [`StoreError::OlderSchema`]; otherwise as [`open`](Self::open).
    pub async fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let database = path.display().to_string();
        let work = async {
            let there = fs_err::tokio::try_exists(path).await.map_err(sqlx::Error::Io)?;
            if !there {
                return Err(StoreError::Missing { database: database.clone() }.into());
            }
            let reader = reader(path).await?;
            let found = schema(&reader).await?;
            let known = known_schema();
            if found > known {
                return Err(Fault::NewerSchema { found, known });
            }
            if found < known {
                return Err(StoreError::OlderSchema { database: database.clone(), found, known }.into());
            }
            Ok(Self { database: database.clone(), writer: reader.clone(), reader, term: None })
        };
        work.await.map_err(|fault: Fault| fault::explain(fault, &database, "open it"))
    }
}

/// Whether a connection may be used for another transaction. Where SQLite itself rolls a transaction back, as it does
/// when the disk is full, sqlx goes on counting it as open, and no other could begin on this connection: it is closed.
async fn is_usable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The answer comes after whatever was still under way.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .row_buffer_size(ROWS)
}

async fn reader(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new().max_connections(READERS).connect_with(options(path).read_only(true)).await
}

/// The number of the schema in the database; 0 where it has none.
async fn schema(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(pool)
            .await?;
    if tables == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(pool).await
}

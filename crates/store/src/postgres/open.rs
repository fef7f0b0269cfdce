//! Opening the database: connections, and bringing the schema up to date.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::{Limits, PostgresStore, fault};
use crate::error::StoreError;
use crate::fault::Fault;

/// One writes while what the last one used is looked after.
const WRITERS: u32 = 2;
/// Connections that read at the same time.
const READERS: u32 = 8;
/// A connection for writing that was used this lately is not asked whether it is there: its transaction is begun anew where
/// it turns out to be gone. What reads has no such beginning, and always asks.
const FRESH: Duration = Duration::from_millis(100);
/// How long a connection that comes back may take to show that it is in order.
const CHECK: Duration = Duration::from_secs(2);
/// How long a change of the tables may take.
const CHANGE: Duration = Duration::from_secs(3600);

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The newest schema that this program knows.
pub(super) fn known_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

impl PostgresStore {
    /// Opens the database of a URL (`postgres://user:password@host:port/database?sslmode=verify-full`) for a scheduler. A
    /// schema of an older reelfarm is brought up to date, by one of those who find it so.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`], [`StoreError::Missing`] where there is no such database, [`StoreError::Unreachable`],
    /// or [`StoreError::Query`] for a URL that is none and for whatever else the database refuses.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, Limits::default()).await
    }

    /// The same, with limits of one's own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(url: &str, limits: Limits) -> Result<Self, StoreError> {
        let store = Self::connect(url, limits)?;
        let work = async {
            let found = schema(&store.writer).await?;
            if found > known_schema() {
                return Err(Fault::NewerSchema { found, known: known_schema() });
            }
            Ok(found)
        };
        let found = store.run("open it", work).await?;
        if found < known_schema() {
            store.bring_up_to_date().await?;
        }
        Ok(store)
    }

    /// Changes the tables, or waits while another scheduler does. On a large farm that takes longer than any operation may.
    async fn bring_up_to_date(&self) -> Result<(), StoreError> {
        let patient = self.writer.connect_options().as_ref().clone();
        let patient = patient.options([("lock_timeout", "0"), ("statement_timeout", "0")]);
        let work = async {
            let connection = PgPoolOptions::new().max_connections(1).connect_with(patient).await?;
            MIGRATIONS.run(&connection).await.map_err(|error| match error {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
                error => error.into(),
            })?;
            connection.close().await;
            Ok(())
        };
        let changed = match tokio::time::timeout(CHANGE, work).await {
            Ok(changed) => changed,
            Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
        };
        changed.map_err(|error| fault::explain(error.into(), &self.database, "bring it up to date"))
    }

    /// Opens the database for reading alone. Operations that write fail.
    ///
    /// # Errors
    /// [`StoreError::OlderSchema`]; otherwise as [`open`](Self::open).
    pub async fn open_read_only(url: &str) -> Result<Self, StoreError> {
        let mut store = Self::connect(url, Limits::default())?;
        store.writer = store.reader.clone();
        let work = async {
            let (found, known) = (schema(&store.reader).await?, known_schema());
            match found.cmp(&known) {
                std::cmp::Ordering::Greater => Err(Fault::NewerSchema { found, known }),
                std::cmp::Ordering::Less => {
                    Err(StoreError::OlderSchema { database: store.database.clone(), found, known }.into())
                }
                std::cmp::Ordering::Equal => Ok(()),
            }
        };
        store.run("open it", work).await?;
        Ok(store)
    }

    /// A store that connects when it is first used.
    fn connect(url: &str, limits: Limits) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url).map_err(|source| StoreError::Query {
            // It may hold a password.
            database: "whose URL was given".to_owned(),
            action: "understand where the database is",
            source,
        })?;
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        let options = options.application_name("reelfarm").options([
            ("lock_timeout", milliseconds(limits.lock)),
            ("statement_timeout", milliseconds(limits.statement)),
            ("idle_in_transaction_session_timeout", milliseconds(limits.idle)),
        ]);
        let database = format!(
            "postgres://{}@{}:{}/{}",
            options.get_username(),
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        );
        // What is written is found by its key. The planner does not know how few rows a bind names, and would now and then
        // rather read a whole table than look each of them up.
        let writing = options.clone().options([("enable_hashjoin", "off"), ("enable_mergejoin", "off")]);
        let reading = options.clone().options([("default_transaction_read_only", "on")]);
        Ok(Self {
            database,
            writer: pool(writing, WRITERS, limits, FRESH),
            reader: pool(reading, READERS, limits, Duration::ZERO),
            limits,
            term: None,
        })
    }
}

fn pool(options: PgConnectOptions, connections: u32, limits: Limits, fresh: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(limits.connect)
        // Asking a connection whether it is there costs as much as a statement.
        .test_before_acquire(false)
        .before_acquire(move |connection, used| {
            Box::pin(async move {
                if used.idle_for > fresh {
                    check(connection).await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                check(connection).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Has a connection finish whatever was under way, such as the rollback of an operation that was given up. One that does
/// not answer would otherwise be waited for as long as the network does.
async fn check(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(CHECK, connection.ping()).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

/// The number of the schema in the database; 0 where it has none.
async fn schema(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let table: Option<String> =
        sqlx::query_scalar("SELECT CAST(to_regclass('_sqlx_migrations') AS TEXT)").fetch_one(pool).await?;
    if table.is_none() {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(pool).await
}

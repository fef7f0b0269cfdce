//! The store of many hosts: a PostgreSQL database, version 15 or newer.
//!
//! Transactions that write take one advisory lock first, so they happen one after the other, as on SQLite; each statement
//! after that sees all that was committed before. There is one writer anyway, the leader, but for the moments in which
//! two believe that they lead. Readers take no lock and see one commit throughout. A transaction reads the clock once,
//! after it got the lock, so times never run against the order of the transactions unless the host's clock does.
//!
//! Nothing waits for ever: connecting, the lock, each statement, and each operation as a whole have their limits
//! ([`Limits`]). The server ends a transaction whose client says nothing, so a writer that was paused in the midst of one
//! does not keep the lock. A connection that was lost, or that does not answer, is closed and replaced: after a restart
//! of the database the store goes on by itself, and operations in between are
//! [`Unreachable`](crate::StoreError::Unreachable).

mod dialect;
mod fault;
mod limits;
mod open;
#[allow(clippy::duplicate_mod)] // compiled once for each database: see there
#[path = "operations/mod.rs"]
mod operations;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

pub use limits::Limits;
use sqlx::{PgPool, Postgres, Transaction};

use crate::error::StoreError;
use crate::fault::Fault;
use crate::leadership::Term;

/// The name of the store for the operations.
use PostgresStore as Form;

/// The lock of whoever writes: a number that nobody else takes in a database of reelfarm's own ("reelfarm" in ASCII).
const WRITING: i64 = 0x7265_656c_6661_726d;

/// How often a transaction is begun anew because its connection turns out to be gone.
const ANEW: usize = 2;

/// A store in a PostgreSQL database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    database: String,
    writer: PgPool,
    reader: PgPool,
    limits: Limits,
    /// The term that writes are bound to.
    term: Option<Term>,
}

impl PostgresStore {
    /// Closes every connection.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, Fault> {
        let mut transaction = begun(&self.writer, "BEGIN").await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITING).execute(&mut *transaction).await?;
        Ok(transaction)
    }

    async fn begin_reading(&self) -> Result<Transaction<'static, Postgres>, Fault> {
        begun(&self.reader, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    async fn run<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        self.run_within(self.limits.operation, action, work).await
    }

    /// The same for what grows with the farm, and is not done often.
    async fn run_long<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        self.run_within(self.limits.long, action, work).await
    }

    async fn run_within<T>(
        &self,
        limit: Duration,
        action: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        let answer = match tokio::time::timeout(limit, work).await {
            Ok(answer) => answer,
            Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()).into()),
        };
        answer.map_err(|fault| fault::explain(fault, &self.database, action))
    }
}

/// Begins a transaction in a task of its own, which goes on when nobody waits for it any more.
///
/// sqlx (0.9) rolls back what it has seen begin. An operation that is given up while the server's answer to `BEGIN` is on
/// its way would leave the transaction open on a connection that goes back to the pool, and whatever is read there next
/// would be read in it: as of that moment, for as long as anybody reads.
async fn begun(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>, Fault> {
    let pool = pool.clone();
    let begin = async move {
        // A connection that was used just now is not asked whether it is still there, and nothing was done on it yet.
        for _ in 0..ANEW {
            match pool.begin_with(statement).await {
                Err(error) if fault::is_gone(&error) => {}
                begun => return begun,
            }
        }
        pool.begin_with(statement).await
    };
    match tokio::spawn(begin).await {
        Ok(begun) => Ok(begun?),
        Err(error) => Err(sqlx::Error::Io(io::Error::other(error)).into()),
    }
}

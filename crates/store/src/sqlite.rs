//! The store of one host: a SQLite file.
//!
//! One connection writes, and every transaction that writes begins with `BEGIN IMMEDIATE`, so within a process writers
//! queue instead of finding the database locked; other processes are waited for. Readers see the last commit
//! (write-ahead log) and never wait. A transaction reads the clock once, after it got the lock, so times never run
//! against the order of the transactions unless the host's clock does.

mod dialect;
mod fault;
mod open;
#[allow(clippy::duplicate_mod)] // compiled once for each database: see there
#[path = "operations/mod.rs"]
mod operations;
#[cfg(test)]
mod tests;

use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::error::StoreError;
use crate::fault::Fault;
use crate::leadership::Term;

/// The name of the store for the operations.
use SqliteStore as Form;

/// A store in a SQLite file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: String,
    /// One connection, so that writers of this process queue here.
    writer: SqlitePool,
    reader: SqlitePool,
    /// The term that writes are bound to.
    term: Option<Term>,
}

impl SqliteStore {
    /// Closes every connection, which also tidies up the write-ahead log. Without it, the next process does that.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Fault> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn begin_reading(&self) -> Result<Transaction<'static, Sqlite>, Fault> {
        Ok(self.reader.begin().await?)
    }

    async fn run<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        work.await.map_err(|fault| fault::explain(fault, &self.database, action))
    }

    /// The same: nothing limits how long an operation takes.
    async fn run_long<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        self.run(action, work).await
    }
}

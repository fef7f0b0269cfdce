//! What stops an operation, before it is known which one it was.

use std::io;

use crate::error::StoreError;
use crate::leadership::Term;

#[derive(Debug)]
pub(crate) enum Fault {
    Database(sqlx::Error),
    Store(StoreError),
    /// The database has a schema that this program does not know.
    NewerSchema {
        found: i64,
        known: i64,
    },
    /// The term of whoever writes is over.
    TermOver(Term),
}

impl Fault {
    /// The error, where it is not the database's own, which each database explains in its way.
    pub(crate) fn explain(self, database: &str, action: &'static str) -> Result<StoreError, sqlx::Error> {
        match self {
            Self::Database(error) => Err(error),
            Self::Store(error) => Ok(error),
            Self::NewerSchema { found, known } => {
                Ok(StoreError::NewerSchema { database: database.to_owned(), found, known })
            }
            Self::TermOver(term) => Ok(StoreError::NoLongerLeader { term, action }),
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether the database could not be reached, rather than that it said no. A certificate that is not trusted says no.
pub(crate) fn is_lost_connection(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Io(error) = error {
        return error.kind() != io::ErrorKind::InvalidData;
    }
    matches!(
        error,
        sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}

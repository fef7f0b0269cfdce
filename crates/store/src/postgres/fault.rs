//! From what PostgreSQL says to what people are told.

use std::io;

use crate::error::StoreError;
use crate::fault::{Fault, is_lost_connection};

/// Whether the server, or somebody on the way, has ended the connection that a statement was sent on.
pub(super) fn is_gone(error: &sqlx::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    if let sqlx::Error::Io(error) = error {
        return matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof);
    }
    // admin_shutdown, crash_shutdown: PostgreSQL 15, appendix A.
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "57P01" | "57P02"))
}

pub(super) fn explain(fault: Fault, database: &str, action: &'static str) -> StoreError {
    let source = match fault.explain(database, action) {
        Ok(error) => return error,
        Err(source) => source,
    };
    let database = database.to_owned();
    if is_lost_connection(&source) {
        return StoreError::Unreachable { database, action, source };
    }
    let said = source.as_database_error();
    let code = said.and_then(|error| error.code()).unwrap_or_default().into_owned();
    // SQLSTATE: a class of two characters, then what exactly. PostgreSQL 15, appendix A.
    match (code.get(..2).unwrap_or_default(), code.as_str()) {
        // lock_not_available, serialization_failure, deadlock_detected
        (_, "55P03" | "40001" | "40P01") => StoreError::Locked { database, action },
        (_, "53100") => StoreError::Full { database, action },
        // invalid_catalog_name
        (_, "3D000") => StoreError::Missing { database },
        // Connection exceptions; too few resources; shutting down, starting, or a statement's limit; a transaction that
        // said nothing for too long.
        ("08" | "53" | "57", _) | (_, "25P03") => StoreError::Unreachable { database, action, source },
        // data_corrupted, index_corrupted
        (_, "XX001" | "XX002") => {
            let detail = said.map(|error| error.message().to_owned()).unwrap_or_default();
            StoreError::Corrupt { database, action, detail }
        }
        _ => StoreError::Query { database, action, source },
    }
}

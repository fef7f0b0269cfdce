//! From what SQLite says to what people are told.

use sqlx::error::DatabaseError;

use crate::error::StoreError;
use crate::fault::{Fault, is_lost_connection};

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;
const NOT_A_DATABASE: u32 = 26;

pub(super) fn explain(fault: Fault, database: &str, action: &'static str) -> StoreError {
    let source = match fault.explain(database, action) {
        Ok(error) => return error,
        Err(source) => source,
    };
    let database = database.to_owned();
    let said = source.as_database_error();
    match said.and_then(primary_code) {
        Some(BUSY | LOCKED) => StoreError::Locked { database, action },
        Some(FULL) => StoreError::Full { database, action },
        Some(CORRUPT | NOT_A_DATABASE) => {
            let detail = said.map(|error| error.message().to_owned()).unwrap_or_default();
            StoreError::Corrupt { database, action, detail }
        }
        Some(CANNOT_OPEN) => StoreError::Unreachable { database, action, source },
        None if is_lost_connection(&source) => StoreError::Unreachable { database, action, source },
        _ => StoreError::Query { database, action, source },
    }
}

fn primary_code(error: &dyn DatabaseError) -> Option<u32> {
    error.code()?.parse::<u32>().ok().map(|extended| extended & 0xff)
}

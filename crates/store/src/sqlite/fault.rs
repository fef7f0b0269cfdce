//! From what SQLite says to what people are told.

use sqlx::error::DatabaseError;

use crate::error::StoreError;

/// What stops an operation, before it is known which one it was.
pub(super) enum Fault {
    Database(sqlx::Error),
    Store(StoreError),
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

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const NOT_A_DATABASE: u32 = 26;

impl Fault {
    pub(super) fn explain(self, database: &str, action: &'static str) -> StoreError {
        let source = match self {
            Self::Database(source) => source,
            Self::Store(error) => return error,
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
            _ => StoreError::Unreachable { database, action, source },
        }
    }
}

fn primary_code(error: &dyn DatabaseError) -> Option<u32> {
    error.code()?.parse::<u32>().ok().map(|extended| extended & 0xff)
}

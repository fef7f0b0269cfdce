//! What can go wrong with a store, in sentences that say what to do.

use reelfarm_model::{Code, Failure, TitleId, TitleState, key::TaskKey};

use crate::leadership::Term;

/// A store could not do what was asked, and nothing was changed. (After [`Unreachable`](StoreError::Unreachable) it may
/// have been: the answer was lost. All operations may be done again.)
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not exist.
    #[error("there is no database at {database}: nothing was ever submitted here")]
    Missing {
        /// The database: a path or a URL without its secrets.
        database: String,
    },
    /// The database cannot be reached: it is down, restarting, or does not answer in time. May be tried again.
    #[error("cannot {action}: the database {database} cannot be reached: {source}")]
    Unreachable {
        /// The database: a path or a URL without its secrets.
        database: String,
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The database refuses: a wrong password, a missing right, a table that is not as this program knows it.
    #[error("cannot {action} in the database {database}: {source}")]
    Query {
        /// The database: a path or a URL without its secrets.
        database: String,
        /// What was being done, such as `record a completed attempt`.
        action: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// Another process held the database for longer than the farm waits. May be tried again.
    #[error("cannot {action}: another process keeps the database {database} locked; stop it and try again")]
    Locked {
        /// The database.
        database: String,
        /// What was being done.
        action: &'static str,
    },
    /// The disk that the database is on is full.
    #[error("cannot {action}: the disk with the database {database} is full")]
    Full {
        /// The database.
        database: String,
        /// What was being done.
        action: &'static str,
    },
    /// The file is no database or is damaged.
    #[error(
        "cannot {action}: {database} is damaged or no database ({detail}); move the state folder away and submit again"
    )]
    Corrupt {
        /// The database.
        database: String,
        /// What was being done.
        action: &'static str,
        /// What the database said.
        detail: String,
    },
    /// A newer reelfarm wrote the database.
    #[error(
        "the database {database} has schema {found}, and this reelfarm knows schemas up to {known}: use the newer reelfarm that wrote it"
    )]
    NewerSchema {
        /// The database.
        database: String,
        /// The schema's number in the database.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// An older reelfarm wrote the database, and whoever only reads does not bring it up to date.
    #[error(
        "the database {database} has schema {found}, and this reelfarm needs {known}: start its scheduler (or `reelfarm run`) once, which updates it"
    )]
    OlderSchema {
        /// The database.
        database: String,
        /// The schema's number in the database; 0 where it has none.
        found: i64,
        /// The number that this program needs.
        known: i64,
    },
    /// Whoever writes under this term leads no more: another does, or the lease ran out.
    #[error("cannot {action}: the leadership of term {term} is over")]
    NoLongerLeader {
        /// The term.
        term: Term,
        /// What was being done.
        action: &'static str,
    },
    /// A request came under an idempotency key that stands for another request.
    #[error("the idempotency key {key:?} was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A title may not go from one state to another.
    #[error("the title {title} may not go from {} to {}", from.as_str(), to.as_str())]
    ForbiddenTransition {
        /// The title.
        title: TitleId,
        /// Where it stands.
        from: TitleState,
        /// Where it was to go.
        to: TitleState,
    },
    /// A planned task needs one that is neither planned with it nor known.
    #[error("the task {task} needs the task {need}, which nobody planned")]
    UnknownNeed {
        /// The task.
        task: TaskKey,
        /// What it needs.
        need: TaskKey,
    },
    /// A value has no form that the database can hold, such as a source's path that is not UTF-8.
    #[error("cannot write {what} to the database: {source}")]
    Unserialisable {
        /// What was to be written.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A row holds something that this program does not understand.
    #[error("the database holds {what} that cannot be read: {detail}")]
    Undecodable {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl StoreError {
    /// Whether the same may succeed later, without anybody's help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Locked { .. })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::ForbiddenTransition { .. }
            | StoreError::UnknownNeed { .. }
            | StoreError::KeyReused { .. } => Code::Internal,
            StoreError::Full { .. } => Code::DiskFull,
            StoreError::Unserialisable { .. } => Code::SourceUnreadable,
            _ => Code::StateUnreachable,
        };
        Failure::new(code, error.to_string())
    }
}

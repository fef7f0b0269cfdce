//! How long things may take.

use std::time::Duration;

/// How long a store waits for its database before it says that it cannot be reached, or is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For another writer's transaction. Keep it above `idle`, or a paused writer is an error for all others.
    pub lock: Duration,
    /// For one statement, the lock's included.
    pub statement: Duration,
    /// For the next statement of a transaction; then the server ends it.
    pub idle: Duration,
    /// For an operation as a whole, measured here: also where nothing comes back from the network any more.
    pub operation: Duration,
    /// For one that reads all that is to be done, which grows with the farm.
    pub long: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            lock: Duration::from_secs(10),
            statement: Duration::from_secs(20),
            idle: Duration::from_secs(5),
            operation: Duration::from_secs(30),
            long: Duration::from_secs(300),
        }
    }
}

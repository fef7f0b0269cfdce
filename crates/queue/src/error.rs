//! What can go wrong with a broker.

use reelfarm_model::task::Pool;

/// A broker could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nobody serves this pool: a message to it would lie for ever.
    #[error("the broker has no queue for the pool {}", pool.as_str())]
    Unroutable {
        /// The pool.
        pool: Pool,
    },
    /// The broker cannot be reached, or did not confirm in time.
    #[error("the broker could not {action}")]
    Unreachable {
        /// What it was to do, such as `take a task message`.
        action: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

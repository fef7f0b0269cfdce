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
    /// The broker refused, and would again: credentials, permissions, or a queue that was declared in another way.
    #[error("the broker refuses to {action}")]
    Refused {
        /// What it was to do.
        action: &'static str,
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A task message is of a newer format than this program reads. It was put back once, for a worker that reads it; then
    /// it goes where all goes that nobody understands.
    #[error("this program is older than the farm's schedulers")]
    Outdated(#[source] reelfarm_model::message::MessageError),
    /// A message has no form that can be sent.
    #[error("a message cannot be sent")]
    Unsendable(#[from] reelfarm_model::message::MessageError),
}

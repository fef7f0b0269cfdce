//! One task in the hands of one receiver, until it is acknowledged or put back.

use async_trait::async_trait;
use reelfarm_model::message::TaskMessage;

use crate::error::BrokerError;

/// How an implementation takes an acknowledgement. Dropping it unused puts the message back.
#[async_trait]
pub trait Acknowledger: Send + Sync {
    /// Takes the message out of the queue for good; `false` where the channel that delivered it is gone, so that it
    /// will be delivered again.
    ///
    /// # Errors
    /// The broker cannot be reached.
    async fn acknowledge(self: Box<Self>) -> Result<bool, BrokerError>;
}

/// A task that was delivered. Dropped without [`acknowledge`](Self::acknowledge), it is put back and delivered again,
/// to this receiver or another.
pub struct Delivery {
    /// The message.
    pub message: TaskMessage,
    acknowledger: Box<dyn Acknowledger>,
}

impl Delivery {
    /// A delivery of `message`; for implementations of [`Broker`](crate::Broker).
    pub fn new(message: TaskMessage, acknowledger: Box<dyn Acknowledger>) -> Self {
        Self { message, acknowledger }
    }

    /// Takes the message out of the queue: as soon as the attempt is recorded as started, not when it ends, because
    /// brokers give up on deliveries that stay open for long. `false`: the channel that delivered it is gone, and it
    /// will be delivered again.
    ///
    /// # Errors
    /// The broker cannot be reached; the message will be delivered again.
    pub async fn acknowledge(self) -> Result<bool, BrokerError> {
        self.acknowledger.acknowledge().await
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}

//! What is in the hands of one receiver, until it is acknowledged or put back.

use async_trait::async_trait;
use reelfarm_model::message::{TaskMessage, WorkerEvent};

use crate::error::BrokerError;

/// How an implementation takes an acknowledgement. Dropping it unused puts back what was delivered.
#[async_trait]
pub trait Acknowledger: Send + Sync {
    /// Takes what was delivered out of the queue for good; `false` where the channel that delivered it is gone, so that it
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

/// Events that were delivered, the oldest first, and at least one. Dropped without [`acknowledge`](Self::acknowledge),
/// they are put back and come again.
pub struct EventBatch {
    /// The events.
    pub events: Vec<WorkerEvent>,
    acknowledger: Box<dyn Acknowledger>,
}

impl EventBatch {
    /// A batch of `events`; for implementations of [`Broker`](crate::Broker).
    pub fn new(events: Vec<WorkerEvent>, acknowledger: Box<dyn Acknowledger>) -> Self {
        Self { events, acknowledger }
    }

    /// Takes the events out of the queue: once what they say is recorded. `false`: the channel that delivered them is
    /// gone, and they will be delivered again.
    ///
    /// # Errors
    /// The broker cannot be reached; the events will be delivered again.
    pub async fn acknowledge(self) -> Result<bool, BrokerError> {
        self.acknowledger.acknowledge().await
    }
}

impl std::fmt::Debug for EventBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventBatch").field("events", &self.events).finish_non_exhaustive()
    }
}

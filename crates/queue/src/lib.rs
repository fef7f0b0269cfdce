//! The broker: the bell between the scheduler and the workers. All state and the whole backlog live in the store;
//! a message that is lost, doubled or late costs time, never correctness.
//!
//! Promises: [`Broker`] is the one seam; [`InProcessBroker`] is its form for one process, [`RabbitMqBroker`] the one for
//! many hosts. Every form passes the suite in `conformance` (a feature of this crate).

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod control;
mod delivery;
mod error;
mod event_buffer;
mod in_process;
mod link;
mod mailbox;
pub mod rabbitmq;
mod task_queue;

use std::collections::BTreeMap;

use async_trait::async_trait;
use reelfarm_model::WorkerId;
use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent};
use reelfarm_model::task::Pool;

pub use control::{ControlSource, ControlStream};
pub use delivery::{Acknowledger, Delivery, EventBatch};
pub use error::BrokerError;
pub use in_process::InProcessBroker;
pub use link::LinkState;
pub use rabbitmq::{RabbitMqBroker, RabbitMqOptions, Role};

/// What lies in the queue of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Task messages that nobody has received.
    pub waiting: usize,
    /// Receivers that wait for one: free slots.
    pub receivers: usize,
}

/// Carries tasks to workers, events to the scheduler, and control messages to workers.
///
/// Delivery is at least once, tasks in no promised order; fences make that harmless. A message that cannot be decoded is
/// the implementation's matter: it logs it and takes it out of the queue, and no receiver sees it.
///
/// Where the broker is another process: `receive_…` and `subscribe_control` wait for as long as it cannot be reached, and
/// say so in the log; `send_…` and `backlog` give up after a while that the implementation states.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Sends one attempt to the queue of its pool. Once this returns, the broker holds the message.
    ///
    /// # Errors
    /// [`BrokerError::Unroutable`] where the pool has no queue; [`BrokerError::Unreachable`] where the broker did not
    /// confirm. The message may have arrived all the same in the second case.
    async fn send_task(&self, message: &TaskMessage) -> Result<(), BrokerError> {
        let answers = self.send_tasks(std::slice::from_ref(message)).await;
        answers.into_iter().collect()
    }

    /// Sends several attempts without waiting for each, and answers for each, in the order of `messages`, what
    /// [`send_task`](Self::send_task) would.
    async fn send_tasks(&self, messages: &[TaskMessage]) -> Vec<Result<(), BrokerError>>;

    /// Waits for a task of this pool. Call it only while a slot is free: what is delivered is taken from all others.
    ///
    /// Cancel-safe: a call that is dropped takes nothing. A [`Delivery`] that is dropped without being acknowledged
    /// is put back and delivered again.
    ///
    /// # Errors
    /// [`BrokerError::Unroutable`] where the pool has no queue; [`BrokerError::Unreachable`] where the broker is gone for
    /// good; [`BrokerError::Refused`] where this is not allowed.
    async fn receive_task(&self, pool: Pool) -> Result<Delivery, BrokerError>;

    /// Sends an event to the scheduler. Once this returns, the broker holds it. It waits while the scheduler is far
    /// behind. A call that is dropped may have sent the event or not.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker did not confirm. The event may have arrived all the same.
    async fn send_event(&self, event: &WorkerEvent) -> Result<(), BrokerError>;

    /// Waits for events: at least one, and at most `limit` of those at hand. For the one scheduler: two receivers would
    /// share the events among them. Events of one sender come in the order in which they were sent, and each comes again
    /// until its batch is acknowledged.
    ///
    /// There is one batch at a time: while one is neither acknowledged nor dropped, this waits. Cancel-safe: a call that
    /// is dropped takes nothing.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker is gone for good; [`BrokerError::Refused`] where this is not allowed.
    async fn receive_events(&self, limit: usize) -> Result<EventBatch, BrokerError>;

    /// Sends a message to its [recipient](ControlMessage::recipient), or to every worker that is subscribed at this
    /// moment. It waits for no worker, and a worker that is not there misses it.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker did not confirm.
    async fn send_control(&self, message: &ControlMessage) -> Result<(), BrokerError> {
        self.send_controls(std::slice::from_ref(message)).await
    }

    /// Sends several control messages without waiting for each.
    ///
    /// # Errors
    /// As [`send_control`](Self::send_control), for the first that failed.
    async fn send_controls(&self, messages: &[ControlMessage]) -> Result<(), BrokerError>;

    /// Subscribes to the control messages for this worker and for all: all that are sent after this returns.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker is gone for good; [`BrokerError::Refused`] where this is not allowed.
    async fn subscribe_control(&self, worker: &WorkerId) -> Result<ControlStream, BrokerError>;

    /// What lies in the queue of each pool, and how many wait for it.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker did not answer.
    async fn backlog(&self) -> Result<BTreeMap<Pool, Backlog>, BrokerError>;

    /// Whether the broker can be reached at this moment, as far as is known.
    fn link(&self) -> LinkState;
}

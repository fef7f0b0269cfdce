//! The broker: the bell between the scheduler and the workers. All state and the whole backlog live in the store;
//! a message that is lost, doubled or late costs time, never correctness.
//!
//! Promises: [`Broker`] is the one seam; [`InProcessBroker`] is its form for one process. Every form passes the suite
//! in `conformance` (a feature of this crate).

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod control;
mod delivery;
mod error;
mod in_process;
mod mailbox;
mod task_queue;

use async_trait::async_trait;
use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent};
use reelfarm_model::task::Pool;

pub use control::{ControlSource, ControlStream};
pub use delivery::{Acknowledger, Delivery};
pub use error::BrokerError;
pub use in_process::InProcessBroker;

/// Carries tasks to workers, events to the scheduler, and control messages to all workers.
///
/// Delivery is at least once, in no promised order; fences make that harmless. A message that cannot be decoded is
/// the implementation's matter: it logs it and takes it out of the queue, and no receiver sees it.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Sends one attempt to the queue of its pool. Once this returns, the broker holds the message.
    ///
    /// # Errors
    /// [`BrokerError::Unroutable`] where the pool has no queue; [`BrokerError::Unreachable`] where the broker did not
    /// confirm. The message may have arrived all the same in the second case.
    async fn send_task(&self, message: &TaskMessage) -> Result<(), BrokerError>;

    /// Waits for a task of this pool. Call it only while a slot is free: what is delivered is taken from all others.
    ///
    /// Cancel-safe: a call that is dropped takes nothing. A [`Delivery`] that is dropped without being acknowledged
    /// is put back and delivered again.
    ///
    /// # Errors
    /// [`BrokerError::Unroutable`] where the pool has no queue; [`BrokerError::Unreachable`] where the broker is gone.
    async fn receive_task(&self, pool: Pool) -> Result<Delivery, BrokerError>;

    /// Sends an event to the scheduler. Once this returns, the broker holds it. It waits while the scheduler is far
    /// behind; a call that is dropped while it waits has sent nothing.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker did not confirm.
    async fn send_event(&self, event: &WorkerEvent) -> Result<(), BrokerError>;

    /// Waits for the next event. For the one scheduler: two receivers would share the events among them. Events of
    /// one sender arrive in the order in which they were sent. Cancel-safe: a call that is dropped takes nothing.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker is gone.
    async fn receive_event(&self) -> Result<WorkerEvent, BrokerError>;

    /// Sends a message to every worker that is subscribed at this moment. It waits for no worker.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker did not confirm.
    async fn send_control(&self, message: &ControlMessage) -> Result<(), BrokerError>;

    /// Subscribes to the control messages: all that are sent after this returns.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where the broker is gone.
    async fn subscribe_control(&self) -> Result<ControlStream, BrokerError>;
}

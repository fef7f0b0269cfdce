//! The broker of many hosts: RabbitMQ 3.10 or newer, over AMQP 0-9-1.
//!
//! # What lies in RabbitMQ
//! Everything in one virtual host, declared by the scheduler at every connection; docs/rabbitmq.md is the operator's page.
//!
//! | name | what | holds |
//! |---|---|---|
//! | `reelfarm.tasks` | direct exchange; the routing key is the pool | |
//! | `reelfarm.tasks.<pool>` | durable classic queue, dead letters to `reelfarm.dead` | task messages, persistent |
//! | `reelfarm.events` | direct exchange, and the durable classic queue bound to it, dead letters to `reelfarm.dead` | workers' reports; heartbeats are transient, the rest persistent |
//! | `reelfarm.control` | direct exchange; the routing key is `worker.<id>`, or `all` | |
//! | `reelfarm.control.<random>` | a worker's own queue, exclusive, bound with both keys | control messages, transient |
//! | `reelfarm.dead` | fan-out exchange, and the durable classic queue bound to it, 10,000 messages at most | what could not be decoded, for people |
//!
//! Classic queues, because the window of messages is shallow, a task's loss costs one lease, and a slot that begins or
//! ends to wait costs them nothing, where a quorum queue writes each into its replicated log. Control messages are routed
//! to the one worker that they are for: with a thousand workers, answers to heartbeats that go to all would be a million
//! messages a second.
//!
//! # Promises
//! - A message that was confirmed survives a restart of RabbitMQ, whether orderly or not.
//! - A slot that is free holds at most one message, and one that is not holds none. A slot costs a channel, not a
//!   connection; a broker object has two connections, so that one that RabbitMQ blocks for lack of memory or disk blocks
//!   publishing alone.
//! - Every wait on RabbitMQ has a limit of our own. A link that does not answer in time is taken for broken.
//! - A broken link is made anew with back-off and jitter, and from nothing. lapin can recover connections by itself; it is
//!   not asked to, because it would put a control stream back together without telling of the gap, gives up after a
//!   number of tries, and can wait for ever on a link that swallows everything.
//! - Errors and logs name the broker without user and password.

mod address;
mod backoff;
mod connection;
mod control;
mod events;
mod link;
mod options;
mod publisher;
mod tasks;
mod topology;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use reelfarm_model::WorkerId;
use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent, encode};
use reelfarm_model::task::Pool;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::control::ControlStream;
use crate::delivery::{Delivery, EventBatch};
use crate::error::BrokerError;
use crate::link::LinkState;
use crate::{Backlog, Broker};
use events::Events;
use link::Link;
use publisher::{Message, Publisher};
use tasks::Tasks;

pub use address::{BrokerAddress, InvalidBrokerUrl};
pub use options::{RabbitMqOptions, Role};

/// A farm's broker in RabbitMQ.
pub struct RabbitMqBroker {
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    publisher: Publisher,
    tasks: BTreeMap<Pool, Arc<Tasks>>,
    events: Arc<Events>,
    end: CancellationToken,
    _end_with_this: DropGuard,
}

impl RabbitMqBroker {
    /// Connects, and declares what lies in RabbitMQ where the role is the scheduler's. It tries once, so that what is
    /// wrong is told at once; from then on a broken link is made anew for as long as this lives.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where nobody answers in time; [`BrokerError::Refused`] where RabbitMQ refuses user,
    /// password, virtual host, or what is to be declared.
    pub async fn connect(options: RabbitMqOptions) -> Result<Self, BrokerError> {
        let options = Arc::new(options);
        let end = CancellationToken::new();
        // Should the second fail, the first ends with the guard.
        let end_with_this = end.clone().drop_guard();
        let publishing = Link::start(Arc::clone(&options), "publishing", true, end.clone()).await?;
        let consuming = Link::start(Arc::clone(&options), "consuming", false, end.clone()).await?;
        let tasks = Pool::ALL.map(|pool| (pool, Tasks::new(pool, Arc::clone(&consuming), end.clone())));
        Ok(Self {
            publisher: Publisher::start(Arc::clone(&publishing)),
            tasks: tasks.into(),
            events: Events::new(Arc::clone(&consuming), end.clone()),
            publishing,
            consuming,
            end,
            _end_with_this: end_with_this,
        })
    }

    /// Closes both connections in an orderly way, and waits until they are. What was received and not acknowledged is
    /// put back.
    pub async fn close(&self) {
        self.end.cancel();
        self.publishing.wait_for_end().await;
        self.consuming.wait_for_end().await;
    }

    async fn publish(&self, message: Message) -> Result<(), BrokerError> {
        self.publisher.publish(message).await
    }

    async fn send_one_task(&self, message: &TaskMessage) -> Result<(), BrokerError> {
        self.publish(Message::task(message.pool(), encode(message)?)).await
    }
}

#[async_trait]
impl Broker for RabbitMqBroker {
    async fn send_tasks(&self, messages: &[TaskMessage]) -> Vec<Result<(), BrokerError>> {
        join_all(messages.iter().map(|message| self.send_one_task(message))).await
    }

    async fn receive_task(&self, pool: Pool) -> Result<Delivery, BrokerError> {
        let tasks = self.tasks.get(&pool).ok_or(BrokerError::Unroutable { pool })?;
        tasks.receive().await
    }

    async fn send_event(&self, event: &WorkerEvent) -> Result<(), BrokerError> {
        let transient = matches!(event, WorkerEvent::Heartbeat { .. });
        self.publish(Message::event(encode(event)?, transient)).await
    }

    async fn receive_events(&self, limit: usize) -> Result<EventBatch, BrokerError> {
        self.events.receive(limit).await
    }

    async fn send_controls(&self, messages: &[ControlMessage]) -> Result<(), BrokerError> {
        let send = async |message: &ControlMessage| {
            self.publish(Message::control(message.recipient(), encode(message)?)).await
        };
        join_all(messages.iter().map(send)).await.into_iter().collect()
    }

    async fn subscribe_control(&self, worker: &WorkerId) -> Result<ControlStream, BrokerError> {
        control::subscribe(&self.consuming, worker).await
    }

    async fn backlog(&self) -> Result<BTreeMap<Pool, Backlog>, BrokerError> {
        topology::backlog(&self.consuming).await
    }

    fn link(&self) -> LinkState {
        let states = [self.publishing.state(), self.consuming.state()];
        let [publishing, consuming] = states;
        if matches!(consuming, LinkState::Down { .. }) { consuming } else { publishing }
    }
}

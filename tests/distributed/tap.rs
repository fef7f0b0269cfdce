//! The broker behind the farm's back: what passes, put in again or made up, by an administrator.

use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reelfarm_model::Pool;
use reelfarm_model::message::{TaskMessage, decode};
use reelfarm_test_servers::rabbitmq::User;

use crate::farm::{Farm, PATIENCE, VIRTUAL_HOST};

/// The exchange of tasks.
pub(crate) const TASKS: &str = "reelfarm.tasks";
/// Where messages go that nobody understood.
pub(crate) const DEAD: &str = "reelfarm.dead";

/// An administrator's connection.
pub(crate) struct Tap {
    _connection: Connection,
    channel: Channel,
    /// The queue with a copy of every task message.
    copies: String,
}

impl Tap {
    /// Gets copies from now on. A scheduler must have declared what lies in the broker.
    pub(crate) async fn start(farm: &Farm) -> Self {
        let tap = Self::without_copies(farm).await;
        for pool in Pool::ALL {
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            let (queue, key) = (tap.copies.as_str().into(), pool.as_str().into());
            tap.channel.queue_bind(queue, TASKS.into(), key, options, arguments).await.unwrap();
        }
        tap
    }

    /// Gets none, so that a message may reach no queue at all.
    pub(crate) async fn without_copies(farm: &Farm) -> Self {
        let url = farm.broker.url(User::Administrator, VIRTUAL_HOST);
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        let copies = queue.name().to_string();
        Self { _connection: connection, channel, copies }
    }

    /// Waits for the next copy of a message about such a task.
    pub(crate) async fn copy_of(&self, label: &str) -> (TaskMessage, Vec<u8>) {
        let next = async {
            loop {
                let Some(copy) = self.take(&self.copies).await else {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                };
                if let Ok(message) = decode::<TaskMessage>(&copy.delivery.data)
                    && message.task.spec.label().starts_with(label)
                {
                    return (message, copy.delivery.data.clone());
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, next).await;
        found.unwrap_or_else(|_| panic!("no message about {label} passed"))
    }

    /// Takes a message out of a queue, where there is one.
    pub(crate) async fn take(&self, queue: &str) -> Option<BasicGetMessage> {
        self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap()
    }

    /// Sends bytes to an exchange; they are in a queue once this returns.
    pub(crate) async fn send(&self, exchange: &str, key: &str, body: &[u8]) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default();
        let sent = self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        let confirmation = sent.unwrap().await.unwrap();
        assert!(confirmation.take_message().is_none(), "it reached no queue");
    }

    /// Deletes a queue with all that lies in it.
    pub(crate) async fn delete(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// Messages that lie in a queue and are in nobody's hands.
    pub(crate) async fn waiting(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        declared.unwrap().message_count()
    }
}

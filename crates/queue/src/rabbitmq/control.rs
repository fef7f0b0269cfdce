//! A worker's subscription to control messages.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use lapin::Consumer;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use reelfarm_model::WorkerId;
use reelfarm_model::message::{ControlMessage, decode};
use tokio::task::AbortHandle;

use super::link::{Link, LinkChannel};
use super::topology;
use crate::control::{ControlSource, ControlStream};
use crate::error::BrokerError;
use crate::mailbox::Mailbox;

/// Makes a queue of its own and subscribes to it. It waits for as long as the link is down or no scheduler has declared
/// the exchange.
pub(super) async fn subscribe(link: &Link, worker: &WorkerId) -> Result<ControlStream, BrokerError> {
    let mut pauses = link.pauses();
    loop {
        let channel = link.channel().await?;
        let error = match link.answer(consume(&channel, worker)).await {
            Ok(consumer) => {
                let mailbox = Arc::new(Mailbox::default());
                let reading = tokio::spawn(read(consumer, channel, Arc::clone(&mailbox))).abort_handle();
                return Ok(ControlStream::new(Box::new(Subscription { mailbox, reading })));
            }
            Err(error) => error,
        };
        link.after(&channel, error, "let this worker subscribe", &mut pauses).await?;
    }
}

async fn consume(channel: &LinkChannel, worker: &WorkerId) -> lapin::Result<Consumer> {
    let (channel, queue) = (&channel.inner, topology::control_queue());
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.clone(), options, FieldTable::default()).await?;
    for key in [topology::worker_key(worker), topology::ALL_WORKERS.into()] {
        let options = QueueBindOptions::default();
        channel
            .queue_bind(queue.clone(), topology::CONTROL.into(), key, options, FieldTable::default())
            .await?;
    }
    // Nothing to acknowledge: what is lost with the connection ends the stream.
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue, "".into(), options, FieldTable::default()).await
}

/// Moves messages into the mailbox, which forgets those that others supersede, so that a reader that lags fills no memory.
async fn read(mut consumer: Consumer, _channel: LinkChannel, mailbox: Arc<Mailbox>) {
    while let Some(Ok(delivery)) = consumer.next().await {
        match decode::<ControlMessage>(&delivery.data) {
            Ok(message) => mailbox.put(&message),
            Err(error) => tracing::error!(%error, "a control message was not understood"),
        }
    }
    // Whatever ended it: better subscribed anew than a message missed unseen.
    mailbox.close();
}

struct Subscription {
    mailbox: Arc<Mailbox>,
    reading: AbortHandle,
}

#[async_trait]
impl ControlSource for Subscription {
    async fn next(&mut self) -> Option<ControlMessage> {
        self.mailbox.take().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

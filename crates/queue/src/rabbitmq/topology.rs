//! The names of what lies in RabbitMQ, how it is declared, and how it is looked at. The table is in the module above.

use std::collections::BTreeMap;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};
use reelfarm_model::WorkerId;
use reelfarm_model::key::Digest;
use reelfarm_model::task::Pool;

use super::connection::ConnectError;
use super::link::Link;
use crate::Backlog;
use crate::error::BrokerError;

pub(super) const TASKS: &str = "reelfarm.tasks";
pub(super) const EVENTS: &str = "reelfarm.events";
pub(super) const CONTROL: &str = "reelfarm.control";
pub(super) const DEAD: &str = "reelfarm.dead";
/// The routing key of what is for every worker.
pub(super) const ALL_WORKERS: &str = "all";

/// Dead letters that are kept; the oldest go first.
const DEAD_LETTERS: i32 = 10_000;
/// Bytes of a routing key.
const LONGEST_KEY: usize = 255;

/// The queue of a pool.
pub(super) fn task_queue(pool: Pool) -> ShortString {
    format!("{TASKS}.{}", pool.as_str()).into()
}

/// The routing key of what is for one worker.
pub(super) fn worker_key(worker: &WorkerId) -> ShortString {
    let key = format!("worker.{worker}");
    if key.len() > LONGEST_KEY { format!("worker.{}", Digest::of(worker.0.as_bytes())) } else { key }.into()
}

/// A new name for a worker's own queue.
pub(super) fn control_queue() -> ShortString {
    format!("{CONTROL}.{:032x}", rand::random::<u128>()).into()
}

/// Declares everything, on a channel of its own.
pub(super) async fn declare_on(connection: &Connection) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    declare(&channel).await?;
    channel.close(200, "declared".into()).await
}

/// Declares everything. What is there already stays as it is.
pub(super) async fn declare(channel: &Channel) -> lapin::Result<()> {
    for (exchange, kind) in [
        (TASKS, ExchangeKind::Direct),
        (EVENTS, ExchangeKind::Direct),
        (CONTROL, ExchangeKind::Direct),
        (DEAD, ExchangeKind::Fanout),
    ] {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await?;
    }
    let mut bounded = FieldTable::default();
    bounded.insert("x-max-length".into(), AMQPValue::LongInt(DEAD_LETTERS));
    queue(channel, DEAD.into(), DEAD, "", bounded).await?;
    let mut with_dead_letters = FieldTable::default();
    with_dead_letters.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(DEAD.into()));
    queue(channel, EVENTS.into(), EVENTS, "", with_dead_letters.clone()).await?;
    for pool in Pool::ALL {
        queue(channel, task_queue(pool), TASKS, pool.as_str(), with_dead_letters.clone()).await?;
    }
    Ok(())
}

async fn queue(
    channel: &Channel,
    name: ShortString,
    exchange: &str,
    routing_key: &str,
    arguments: FieldTable,
) -> lapin::Result<()> {
    channel.queue_declare(name.clone(), QueueDeclareOptions::durable(), arguments).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind(name, exchange.into(), routing_key.into(), options, FieldTable::default()).await
}

/// What lies in each pool's queue. Where a pool has no queue, nothing.
pub(super) async fn backlog(link: &Link) -> Result<BTreeMap<Pool, Backlog>, BrokerError> {
    const ACTION: &str = "tell what lies in its queues";
    let looking = async {
        let mut backlog = BTreeMap::new();
        for pool in Pool::ALL {
            // A channel each: that of a queue that is not there is closed.
            let channel = link.channel().await?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let declared = channel.inner.queue_declare(task_queue(pool), options, FieldTable::default());
            let found = match declared.await {
                Ok(queue) => Backlog {
                    waiting: queue.message_count() as usize,
                    receivers: queue.consumer_count() as usize,
                },
                Err(error) if is_not_found(&error) => Backlog::default(),
                Err(error) => return Err(link.unreachable(ACTION, &error)),
            };
            backlog.insert(pool, found);
        }
        Ok(backlog)
    };
    let limit = link.options().answer_timeout;
    match tokio::time::timeout(limit, looking).await {
        Ok(backlog) => backlog,
        Err(_) => Err(link.unreachable(ACTION, &ConnectError::Timeout(limit))),
    }
}

/// Whether RabbitMQ says that there is no such queue or exchange.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    is_soft(error, &lapin::protocol::AMQPSoftError::NOTFOUND)
}

/// Whether RabbitMQ says that this user may not do this, or that what is there is of another kind.
pub(super) fn is_refusal(error: &lapin::Error) -> bool {
    use lapin::protocol::AMQPSoftError::{ACCESSREFUSED, PRECONDITIONFAILED};
    is_soft(error, &ACCESSREFUSED) || is_soft(error, &PRECONDITIONFAILED)
}

fn is_soft(error: &lapin::Error, expected: &lapin::protocol::AMQPSoftError) -> bool {
    let lapin::ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(error.kind(), lapin::protocol::AMQPErrorKind::Soft(soft) if soft == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_a_key_however_long_its_name() {
        assert_eq!(worker_key(&WorkerId("host-7".into())).as_str(), "worker.host-7");
        let (one, other) = (WorkerId("é".repeat(200)), WorkerId("é".repeat(201)));
        assert!(worker_key(&one).as_str().len() <= LONGEST_KEY);
        assert_ne!(worker_key(&one), worker_key(&other));
    }
}

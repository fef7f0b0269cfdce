//! Brokers with short times, and a client of AMQP to look behind them.

use std::net::SocketAddr;
use std::time::Duration;

use lapin::{Channel, Connection, ConnectionProperties};
use reelfarm_model::TaskKey;
use reelfarm_model::task::Pool;
use reelfarm_queue::rabbitmq::{RabbitMqOptions, Role};
use reelfarm_queue::{Broker as _, Delivery, RabbitMqBroker};
use reelfarm_test_servers::rabbitmq::RabbitMq;

pub(crate) use reelfarm_test_servers::rabbitmq::User;

/// Nothing that a case does takes as long; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn in_time<T>(case: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, case).await.unwrap()
}

pub(crate) fn options(url: &str, role: Role) -> RabbitMqOptions {
    let mut options = RabbitMqOptions::new(url, role, "test").unwrap();
    options.answer_timeout = Duration::from_secs(3);
    options.confirm_timeout = Duration::from_secs(2);
    options.send_timeout = Duration::from_secs(40);
    options.heartbeat = Duration::from_secs(2);
    options.longest_pause = Duration::from_millis(500);
    options
}

pub(crate) async fn administrator(server: &RabbitMq, virtual_host: &str) -> RabbitMqBroker {
    connect(&server.url(User::Administrator, virtual_host), Role::Scheduler).await
}

pub(crate) async fn scheduler(server: &RabbitMq, virtual_host: &str) -> RabbitMqBroker {
    connect(&server.url(User::Scheduler, virtual_host), Role::Scheduler).await
}

pub(crate) async fn worker(server: &RabbitMq, virtual_host: &str) -> RabbitMqBroker {
    connect(&server.url(User::Worker, virtual_host), Role::Worker).await
}

pub(crate) async fn through(
    address: SocketAddr,
    server: &RabbitMq,
    user: User,
    virtual_host: &str,
) -> RabbitMqBroker {
    let role = if user == User::Worker { Role::Worker } else { Role::Scheduler };
    connect(&server.url_through(address, user, virtual_host), role).await
}

async fn connect(url: &str, role: Role) -> RabbitMqBroker {
    RabbitMqBroker::connect(options(url, role)).await.unwrap()
}

/// A connection of a user's that knows nothing of farms.
pub(crate) struct Client(Connection);

impl Client {
    pub(crate) async fn connect(server: &RabbitMq, user: User, virtual_host: &str) -> Self {
        let url = server.url(user, virtual_host);
        Self(Connection::connect(&url, ConnectionProperties::default()).await.unwrap())
    }

    /// A new channel: RabbitMQ closes one that does what it may not.
    pub(crate) async fn channel(&self) -> Channel {
        self.0.create_channel().await.unwrap()
    }
}

pub(crate) async fn receive(broker: &RabbitMqBroker, pool: Pool) -> Delivery {
    broker.receive_task(pool).await.unwrap()
}

pub(crate) async fn take(broker: &RabbitMqBroker, pool: Pool) -> TaskKey {
    let delivery = receive(broker, pool).await;
    let key = delivery.message.fence.task;
    assert!(delivery.acknowledge().await.unwrap());
    key
}

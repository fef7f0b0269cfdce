//! PostgreSQL and RabbitMQ of the benchmark's own, which keep what they confirm, as in production.

use reelfarm_test_servers::postgres::Postgres;
use reelfarm_test_servers::rabbitmq::{RabbitMq, User};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Fault;
use crate::children::memory;

/// Both servers.
pub(crate) struct Servers {
    pub(crate) postgres: Postgres,
    rabbitmq: RabbitMq,
    broker_process: u32,
}

impl Servers {
    pub(crate) async fn start() -> Result<Self, Fault> {
        // Each worker has two connections, and RabbitMQ has the other ends.
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
        let rabbitmq = RabbitMq::start().await?;
        let said = rabbitmq.control(&["eval", "os:getpid()."]).await?;
        let broker_process = said.trim().trim_matches('"').parse()?;
        Ok(Self { postgres: Postgres::start().await?, rabbitmq, broker_process })
    }

    pub(crate) fn broker_url(&self, user: User) -> String {
        self.rabbitmq.url(user, RabbitMq::VIRTUAL_HOST)
    }

    /// Resident memory of RabbitMQ in bytes.
    pub(crate) fn broker_memory(&self) -> Result<u64, Fault> {
        memory(self.broker_process)
    }
}

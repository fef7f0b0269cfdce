//! Connections: how many there are, and what is said of those that cannot be made.

use std::sync::Arc;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use reelfarm_model::task::Pool;
use reelfarm_queue::conformance::task_message;
use reelfarm_queue::rabbitmq::Role;
use reelfarm_queue::{Broker as _, BrokerError, RabbitMqBroker};
use reelfarm_test_servers::rabbitmq::RabbitMq;

use crate::support::{Client, User, options, scheduler, take, worker};

pub(crate) async fn slots_cost_no_connections(server: &mut RabbitMq, case: &str) {
    const SLOTS: u32 = 100;
    let scheduler = scheduler(server, case).await;
    let worker = Arc::new(worker(server, case).await);
    let slots: Vec<_> = (0..SLOTS)
        .map(|_| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { take(&worker, Pool::Light).await })
        })
        .collect();
    while scheduler.backlog().await.unwrap()[&Pool::Light].receivers < SLOTS as usize {
        tokio::task::yield_now().await;
    }
    let connections = server.control(&["list_connections", "vhost", "user"]).await.unwrap();
    let of_worker = format!("{case}\t{}", User::Worker.name());
    assert_eq!(connections.lines().filter(|line| **line == of_worker).count(), 2, "{connections}");
    let messages: Vec<_> = (0..SLOTS).map(|number| task_message(Pool::Light, number)).collect();
    assert!(scheduler.send_tasks(&messages).await.iter().all(Result::is_ok));
    for slot in slots {
        slot.await.unwrap();
    }
    // A slot that is at work consumes nothing.
    scheduler.send_task(&messages[0]).await.unwrap();
    while scheduler.backlog().await.unwrap()[&Pool::Light].receivers > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scheduler.backlog().await.unwrap()[&Pool::Light].waiting, 1);
}

pub(crate) async fn tls_is_spoken_to_a_broker_that_is_trusted_alone(server: &mut RabbitMq, case: &str) {
    let mut trusting = options(&server.tls_url(User::Scheduler, case), Role::Scheduler);
    let strange = trusting.clone();
    trusting.certificates = Some(server.certificate().to_owned());
    let broker = RabbitMqBroker::connect(trusting).await.unwrap();
    let message = task_message(Pool::Cpu, 1);
    broker.send_task(&message).await.unwrap();
    assert_eq!(broker.backlog().await.unwrap()[&Pool::Cpu].waiting, 1);
    let Err(error) = RabbitMqBroker::connect(strange).await else { panic!("nobody knows this certificate") };
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("amqps://127.") && source.contains("UnknownIssuer"), "{source}");
}

pub(crate) async fn a_queue_that_was_declared_in_another_way_is_told(server: &mut RabbitMq, case: &str) {
    let channel = Client::connect(server, User::Administrator, case).await.channel().await;
    let (name, options_of_queue) = ("reelfarm.events".into(), QueueDeclareOptions::durable());
    channel.queue_declare(name, options_of_queue, FieldTable::default()).await.unwrap();
    let url = server.url(User::Scheduler, case);
    let Err(error) = RabbitMqBroker::connect(options(&url, Role::Scheduler)).await else {
        panic!("it differs")
    };
    assert!(matches!(error, BrokerError::Refused { .. }), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("PRECONDITION_FAILED") && source.contains("reelfarm.events"), "{source}");
}

pub(crate) async fn what_is_wrong_with_a_connection_is_told_without_the_password(
    server: &mut RabbitMq,
    case: &str,
) {
    let right = server.url(User::Worker, case);
    let wrong_password = right.replace("secret", "s3cret");
    let wrong_host = server.url(User::Worker, "there-is-none");
    let nobody = server.url_through("127.0.0.1:1".parse().unwrap(), User::Worker, case);
    for (url, refused, part) in [
        (&wrong_password, true, "ACCESS_REFUSED"),
        (&wrong_host, true, "there-is-none"),
        (&nobody, false, "Connection refused"),
    ] {
        let Err(error) = RabbitMqBroker::connect(options(url, Role::Worker)).await else { panic!("{url}") };
        assert_eq!(matches!(error, BrokerError::Refused { .. }), refused, "{error:?}");
        assert_eq!(matches!(error, BrokerError::Unreachable { .. }), !refused, "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.starts_with("amqp://127.") && source.contains(part), "{source}");
        let all = format!("{error} {error:?} {source}");
        assert!(!all.contains("cret"), "{all}");
    }
}

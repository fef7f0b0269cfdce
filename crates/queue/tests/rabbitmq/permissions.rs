//! What RabbitMQ lets each user do, with the permissions that operators import.

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use reelfarm_model::WorkerId;
use reelfarm_model::message::{ControlMessage, encode};
use reelfarm_model::task::Pool;
use reelfarm_queue::conformance::{event, task_message};
use reelfarm_queue::{Broker as _, BrokerError};
use reelfarm_test_servers::rabbitmq::RabbitMq;

use crate::support::{Client, User, scheduler, take, worker};

fn drain() -> ControlMessage {
    ControlMessage::Drain { worker: WorkerId("one".into()) }
}

pub(crate) async fn a_worker_may_do_its_work_and_no_more(server: &mut RabbitMq, case: &str) {
    let scheduler = scheduler(server, case).await;
    let worker = worker(server, case).await;
    let message = task_message(Pool::Cpu, 1);
    let mut control = worker.subscribe_control(&WorkerId("one".into())).await.unwrap();
    scheduler.send_task(&message).await.unwrap();
    scheduler.send_control(&drain()).await.unwrap();
    assert_eq!(take(&worker, Pool::Cpu).await, message.fence.task);
    assert_eq!(control.next().await.unwrap(), drain());
    worker.send_event(&event(1)).await.unwrap();
    assert_eq!(scheduler.receive_events(9).await.unwrap().events, [event(1)]);

    let refused = worker.send_task(&message).await.unwrap_err();
    assert!(matches!(refused, BrokerError::Refused { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), "the broker refuses to take a task message");
    // Among many, each is answered for.
    let (many, one) = (vec![message; 20], event(3));
    let (refused, sent) = tokio::join!(worker.send_tasks(&many), worker.send_event(&one));
    assert!(refused.iter().all(|answer| matches!(answer, Err(BrokerError::Refused { .. }))), "{refused:?}");
    sent.unwrap();
    let refused = worker.send_control(&drain()).await.unwrap_err();
    assert!(matches!(refused, BrokerError::Refused { .. }), "{refused:?}");
    let refused = worker.receive_events(9).await.unwrap_err();
    assert!(matches!(refused, BrokerError::Refused { .. }), "{refused:?}");
    assert_eq!(scheduler.backlog().await.unwrap()[&Pool::Cpu].waiting, 0);
    // None of that has cost it what it may do.
    worker.send_event(&event(2)).await.unwrap();

    the_ways_around(&Client::connect(server, User::Worker, case).await).await;
    assert_eq!(scheduler.backlog().await.unwrap()[&Pool::Cpu].waiting, 0);
}

/// What a worker that has been taken over might try.
async fn the_ways_around(client: &Client) {
    for (exchange, key) in [
        ("reelfarm.tasks", "cpu"),
        ("", "reelfarm.tasks.cpu"),
        ("amq.direct", "cpu"),
        ("reelfarm.control", "all"),
        ("reelfarm.dead", ""),
    ] {
        assert_refused(publish(&client.channel().await, exchange, key).await, exchange);
    }
    for queue in ["reelfarm.events", "reelfarm.dead"] {
        let channel = client.channel().await;
        let options = BasicConsumeOptions::default();
        assert_refused(
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await,
            queue,
        );
    }
    for queue in ["reelfarm.tasks.cpu", "reelfarm.tasks.own", "reelfarm.events", "own", "amq.gen-own"] {
        let channel = client.channel().await;
        let options = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
        assert_refused(channel.queue_declare(queue.into(), options, FieldTable::default()).await, queue);
        let channel = client.channel().await;
        assert_refused(channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await, queue);
    }
    // A queue of its own, from which tasks would fall into the others'.
    for (exchange, key) in [("reelfarm.tasks", "cpu"), ("", "reelfarm.tasks.cpu")] {
        let channel = client.channel().await;
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(exchange.into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(key.into()));
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        assert_refused(
            channel.queue_declare("reelfarm.control.own".into(), options, arguments).await,
            exchange,
        );
    }
    // One that listens to what is not for it.
    for exchange in ["reelfarm.tasks", "reelfarm.events"] {
        let channel = client.channel().await;
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = "reelfarm.control.own";
        channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        let options = QueueBindOptions::default();
        let bound =
            channel.queue_bind(queue.into(), exchange.into(), "cpu".into(), options, FieldTable::default());
        assert_refused(bound.await, exchange);
    }
}

async fn publish(channel: &Channel, exchange: &str, key: &str) -> lapin::Result<lapin::Confirmation> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let body = encode(&task_message(Pool::Cpu, 9)).unwrap();
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    channel.basic_publish(exchange.into(), key.into(), options, &body, properties).await?.await
}

fn assert_refused<T>(result: lapin::Result<T>, what: &str) {
    let Err(error) = result else { panic!("{what}: allowed") };
    let error = error.to_string();
    assert!(error.contains("ACCESS_REFUSED"), "{what}: {error}");
}

pub(crate) async fn a_scheduler_may_do_its_work(server: &mut RabbitMq, case: &str) {
    let scheduler = scheduler(server, case).await;
    for pool in Pool::ALL {
        scheduler.send_task(&task_message(pool, 1)).await.unwrap();
    }
    scheduler.send_control(&drain()).await.unwrap();
    assert!(scheduler.backlog().await.unwrap().values().all(|backlog| backlog.waiting == 1));
    let client = Client::connect(server, User::Scheduler, case).await;
    for queue in ["own", "reelfarm", "reelfarm.other", "xreelfarm.tasks"] {
        let channel = client.channel().await;
        let options = QueueDeclareOptions::durable();
        assert_refused(channel.queue_declare(queue.into(), options, FieldTable::default()).await, queue);
    }
}

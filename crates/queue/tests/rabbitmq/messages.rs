//! What becomes of messages that are in the way, in doubt, or in nobody's hands.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions,
};
use lapin::types::AMQPValue;
use reelfarm_model::message::encode;
use reelfarm_model::task::Pool;
use reelfarm_queue::conformance::{event, task_message};
use reelfarm_queue::{Backlog, Broker as _, BrokerError};
use reelfarm_test_servers::rabbitmq::RabbitMq;

use crate::support::{Client, User, administrator, receive, scheduler, take, worker};

/// Whether a future is still waiting for something.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())).await
}

pub(crate) async fn a_worker_waits_for_the_first_scheduler(server: &mut RabbitMq, case: &str) {
    let worker = Arc::new(worker(server, case).await);
    let receiving = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { take(&worker, Pool::Light).await }
    });
    let reporting = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { worker.send_event(&event(4)).await }
    });
    assert_eq!(worker.backlog().await.unwrap()[&Pool::Light], Backlog::default());
    let scheduler = scheduler(server, case).await;
    let message = task_message(Pool::Light, 5);
    scheduler.send_task(&message).await.unwrap();
    assert_eq!(receiving.await.unwrap(), message.fence.task);
    reporting.await.unwrap().unwrap();
    assert_eq!(scheduler.receive_events(1).await.unwrap().events, [event(4)]);
}

pub(crate) async fn a_missing_queue_is_told_and_made_again(server: &mut RabbitMq, case: &str) {
    let scheduler = scheduler(server, case).await;
    let worker = Arc::new(worker(server, case).await);
    let client = Client::connect(server, User::Administrator, case).await;
    let delete = async |queue: &str| {
        let channel = client.channel().await;
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    };
    // A worker that waits there, and goes on waiting when the queue goes.
    let waiting = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { take(&worker, Pool::Cpu).await }
    });
    while scheduler.backlog().await.unwrap()[&Pool::Cpu].receivers == 0 {
        tokio::task::yield_now().await;
    }
    delete("reelfarm.tasks.cpu").await;
    let messages: Vec<_> = (0..60).map(|number| task_message(Pool::ALL[number % 3], number as u32)).collect();
    let answers = scheduler.send_tasks(&messages).await;
    let first = messages.iter().position(|message| message.pool() == Pool::Cpu).unwrap();
    assert!(
        matches!(answers[first], Err(BrokerError::Unroutable { pool: Pool::Cpu })),
        "{:?}",
        answers[first]
    );
    // The queue may be there again for the last of them. Each is answered for as it was, and no other for it.
    let mut arrived = BTreeSet::new();
    for (message, answer) in messages.iter().zip(&answers) {
        match answer {
            Err(BrokerError::Unroutable { pool: Pool::Cpu }) if message.pool() == Pool::Cpu => {}
            Ok(()) if message.pool() == Pool::Cpu => {
                arrived.insert(message.fence.task);
            }
            answer => assert!(answer.is_ok(), "{answer:?}"),
        }
    }
    let message = task_message(Pool::Cpu, 100);
    scheduler.send_task(&message).await.unwrap();
    arrived.insert(message.fence.task);
    assert!(arrived.remove(&waiting.await.unwrap()));
    while !arrived.is_empty() {
        assert!(arrived.remove(&take(&worker, Pool::Cpu).await));
    }
    assert_eq!(scheduler.backlog().await.unwrap()[&Pool::Cpu].waiting, 0);

    // Events wait for their queue as well.
    worker.send_event(&event(1)).await.unwrap();
    let batch = scheduler.receive_events(1).await.unwrap();
    assert!(batch.acknowledge().await.unwrap());
    delete("reelfarm.events").await;
    let second = event(2);
    let (sent, batch) = tokio::join!(worker.send_event(&second), scheduler.receive_events(1));
    sent.unwrap();
    assert_eq!(batch.unwrap().events, [second]);
}

pub(crate) async fn what_is_not_understood_goes_to_the_dead_letters_and_nobody_sees_it(
    server: &mut RabbitMq,
    case: &str,
) {
    let scheduler = scheduler(server, case).await;
    let worker = worker(server, case).await;
    let client = Client::connect(server, User::Administrator, case).await;
    let channel = client.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let older = br#"{"format":0,"message":{}}"#.as_slice();
    let misplaced = encode(&event(1)).unwrap();
    let bodies = [b"\xff\x00".as_slice(), b"", older, &misplaced];
    for body in bodies {
        for (exchange, key) in [("reelfarm.tasks", "cpu"), ("reelfarm.events", "")] {
            if exchange == "reelfarm.events" && body == misplaced {
                continue;
            }
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let properties = BasicProperties::default();
            channel
                .basic_publish(exchange.into(), key.into(), options, body, properties)
                .await
                .unwrap()
                .await
                .unwrap();
        }
    }
    let message = task_message(Pool::Cpu, 3);
    scheduler.send_task(&message).await.unwrap();
    worker.send_event(&event(3)).await.unwrap();
    assert_eq!(take(&worker, Pool::Cpu).await, message.fence.task);
    let batch = scheduler.receive_events(100).await.unwrap();
    assert_eq!(batch.events, [event(3)]);
    assert!(batch.acknowledge().await.unwrap());

    let mut dead = BTreeSet::new();
    while dead.len() < 7 {
        let options = BasicGetOptions::default();
        let Some(letter) = channel.basic_get("reelfarm.dead".into(), options).await.unwrap() else {
            continue;
        };
        letter.delivery.ack(BasicAckOptions::default()).await.unwrap();
        let headers = letter.delivery.properties.headers().clone().unwrap();
        let header = |name: &str| match headers.inner().get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(header("x-first-death-reason"), "rejected");
        let of_events = header("x-first-death-queue") == "reelfarm.events";
        assert!(dead.insert((of_events, letter.delivery.data.clone())), "twice");
    }
    assert!(channel.basic_get("reelfarm.dead".into(), BasicGetOptions::default()).await.unwrap().is_none());
    assert!(dead.contains(&(false, older.to_vec())) && dead.contains(&(true, older.to_vec())));
    assert!(dead.contains(&(false, misplaced)));
}

pub(crate) async fn a_newer_message_is_left_to_one_other_receiver_and_told(
    server: &mut RabbitMq,
    case: &str,
) {
    let scheduler = scheduler(server, case).await;
    let (old, older) = (worker(server, case).await, worker(server, case).await);
    let client = Client::connect(server, User::Administrator, case).await;
    let channel = client.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let newer = br#"{"format":3,"message":{}}"#.as_slice();
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = channel.basic_publish("reelfarm.tasks".into(), "cpu".into(), options, newer, properties).await;
    sent.unwrap().await.unwrap();
    for (worker, waiting) in [(&old, 1), (&older, 0)] {
        let error = worker.receive_task(Pool::Cpu).await.unwrap_err();
        assert!(matches!(error, BrokerError::Outdated(_)), "{error:?}");
        while scheduler.backlog().await.unwrap()[&Pool::Cpu].waiting != waiting {
            tokio::task::yield_now().await;
        }
    }
    while channel.basic_get("reelfarm.dead".into(), BasicGetOptions::default()).await.unwrap().is_none() {}
    // Who was told may ask again.
    let message = task_message(Pool::Cpu, 3);
    scheduler.send_task(&message).await.unwrap();
    assert_eq!(take(&old, Pool::Cpu).await, message.fence.task);
}

pub(crate) async fn a_purged_queue_loses_messages_and_nothing_else(server: &mut RabbitMq, case: &str) {
    let broker = administrator(server, case).await;
    for number in 0..3 {
        broker.send_task(&task_message(Pool::Cpu, number)).await.unwrap();
    }
    let held = receive(&broker, Pool::Cpu).await;
    server.purge(case, "reelfarm.tasks.cpu").await.unwrap();
    assert_eq!(broker.backlog().await.unwrap()[&Pool::Cpu].waiting, 0);
    let mut next = pin!(broker.receive_task(Pool::Cpu));
    assert!(is_pending(&mut next).await);
    let message = task_message(Pool::Cpu, 9);
    broker.send_task(&message).await.unwrap();
    let delivery = next.await.unwrap();
    assert_eq!(delivery.message, message);
    assert!(delivery.acknowledge().await.unwrap());
    // What was in somebody's hands is not purged.
    drop(held);
    assert_eq!(take(&broker, Pool::Cpu).await, task_message(Pool::Cpu, 0).fence.task);
}

pub(crate) async fn a_delivery_that_is_held_too_long_goes_to_another(server: &mut RabbitMq, case: &str) {
    server.set_consumer_timeout(Duration::from_millis(500)).await.unwrap();
    let broker = administrator(server, case).await;
    let message = task_message(Pool::Package, 1);
    broker.send_task(&message).await.unwrap();
    let held = receive(&broker, Pool::Package).await;
    let again = receive(&broker, Pool::Package).await;
    assert_eq!(again.message, message);
    assert!(again.acknowledge().await.unwrap());
    assert!(!held.acknowledge().await.unwrap(), "its channel was closed");
    assert_eq!(broker.backlog().await.unwrap()[&Pool::Package], Backlog::default());
}

pub(crate) async fn what_was_delivered_comes_again_where_the_acknowledgement_was_lost(
    server: &mut RabbitMq,
    case: &str,
) {
    let broker = administrator(server, case).await;
    let message = task_message(Pool::Cpu, 1);
    broker.send_task(&message).await.unwrap();
    for number in 0..3 {
        broker.send_event(&event(number)).await.unwrap();
    }
    let held = receive(&broker, Pool::Cpu).await;
    let events = broker.receive_events(2).await.unwrap();
    server.close_connections().await.unwrap();
    let again = receive(&broker, Pool::Cpu).await;
    assert_eq!(again.message, held.message);
    assert!(!held.acknowledge().await.unwrap());
    assert!(again.acknowledge().await.unwrap());
    assert!(!events.acknowledge().await.unwrap());
    let mut received = Vec::new();
    while received.len() < 3 {
        let batch = broker.receive_events(100).await.unwrap();
        received.extend(batch.events.iter().cloned());
        assert!(batch.acknowledge().await.unwrap());
    }
    assert_eq!(received, [event(0), event(1), event(2)]);
}

pub(crate) async fn a_scheduler_that_asks_no_more_holds_no_events_back(server: &mut RabbitMq, case: &str) {
    let (leader, stand_by) = (scheduler(server, case).await, scheduler(server, case).await);
    for number in 0..5 {
        leader.send_event(&event(number)).await.unwrap();
    }
    let batch = leader.receive_events(1).await.unwrap();
    assert_eq!(batch.events, [event(0)]);
    assert!(batch.acknowledge().await.unwrap());
    let mut received = Vec::new();
    while received.len() < 4 {
        let batch = stand_by.receive_events(100).await.unwrap();
        received.extend(batch.events.iter().cloned());
        assert!(batch.acknowledge().await.unwrap());
    }
    assert_eq!(received, (1..5).map(event).collect::<Vec<_>>());
    // And it may be asked again.
    stand_by.close().await;
    leader.send_event(&event(5)).await.unwrap();
    assert_eq!(leader.receive_events(100).await.unwrap().events, [event(5)]);
}

pub(crate) async fn a_broker_that_is_closed_puts_back_what_it_holds(server: &mut RabbitMq, case: &str) {
    let (first, second) = (Arc::new(administrator(server, case).await), administrator(server, case).await);
    let message = task_message(Pool::Cpu, 1);
    first.send_task(&message).await.unwrap();
    first.send_event(&event(1)).await.unwrap();
    let held = receive(&first, Pool::Cpu).await;
    let events = first.receive_events(9).await.unwrap();
    let waiting = tokio::spawn({
        let first = Arc::clone(&first);
        async move { first.receive_task(Pool::Light).await }
    });
    first.close().await;
    assert!(waiting.await.unwrap().is_err());
    assert!(first.send_task(&message).await.is_err() && first.receive_events(1).await.is_err());
    assert_eq!(take(&second, Pool::Cpu).await, message.fence.task);
    assert_eq!(second.receive_events(9).await.unwrap().events, events.events);
    assert!(!matches!(held.acknowledge().await, Ok(true)));
    assert!(!matches!(events.acknowledge().await, Ok(true)));
    assert!(!first.link().is_up() && second.link().is_up());
}

//! RabbitMQ and the link to it break in every way, under load. What was confirmed arrives.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reelfarm_model::message::ControlMessage;
use reelfarm_model::task::Pool;
use reelfarm_model::{TaskKey, WorkerId};
use reelfarm_queue::conformance::{event, task_message};
use reelfarm_queue::rabbitmq::Role;
use reelfarm_queue::{Broker as _, BrokerError, LinkState, RabbitMqBroker};
use reelfarm_test_servers::proxy::Proxy;
use reelfarm_test_servers::rabbitmq::RabbitMq;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{User, options, receive, scheduler, take, through, worker};

/// A sender and receivers that never rest. Every other message lies in a queue that nobody receives from until the end: what
/// was confirmed must be there whether it was on its way or lay still.
struct Load {
    worker: Arc<RabbitMqBroker>,
    stop: Arc<AtomicBool>,
    sending: JoinHandle<BTreeSet<TaskKey>>,
    confirmed: watch::Receiver<usize>,
    receiving: Vec<JoinHandle<()>>,
    received: Arc<watch::Sender<BTreeSet<TaskKey>>>,
}

impl Load {
    const RECEIVERS: usize = 4;
    const BATCH: u32 = 20;

    fn start(scheduler: Arc<RabbitMqBroker>, worker: Arc<RabbitMqBroker>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (count, confirmed) = watch::channel(0);
        let received = Arc::new(watch::Sender::new(BTreeSet::new()));
        let sending = tokio::spawn(send(scheduler, Arc::clone(&stop), count));
        let mut load = Self { worker, stop, sending, confirmed, receiving: Vec::new(), received };
        load.receive_from(Pool::Cpu);
        load
    }

    fn receive_from(&mut self, pool: Pool) {
        for _ in 0..Self::RECEIVERS {
            let (worker, received) = (Arc::clone(&self.worker), Arc::clone(&self.received));
            self.receiving.push(tokio::spawn(async move {
                loop {
                    let delivery = receive(&worker, pool).await;
                    let key = delivery.message.fence.task;
                    // Lost or not: it came.
                    let _ = delivery.acknowledge().await;
                    received.send_if_modified(|received| received.insert(key));
                }
            }));
        }
    }

    /// Waits until so many more messages were confirmed.
    async fn goes_on(&mut self, more: usize) {
        let goal = *self.confirmed.borrow() + more;
        self.confirmed.wait_for(|confirmed| *confirmed >= goal).await.unwrap();
    }

    /// Stops sending, and waits until all that was confirmed has come.
    async fn lost_nothing(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.receive_from(Pool::Package);
        let confirmed = self.sending.await.unwrap();
        let mut received = self.received.subscribe();
        received.wait_for(|received| confirmed.is_subset(received)).await.unwrap();
        self.receiving.iter().for_each(JoinHandle::abort);
        confirmed.len()
    }
}

async fn send(
    scheduler: Arc<RabbitMqBroker>,
    stop: Arc<AtomicBool>,
    count: watch::Sender<usize>,
) -> BTreeSet<TaskKey> {
    let (mut confirmed, mut number) = (BTreeSet::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let pool = |number| if number % 2 == 0 { Pool::Cpu } else { Pool::Package };
        let messages: Vec<_> =
            (number..number + Load::BATCH).map(|number| task_message(pool(number), number)).collect();
        number += Load::BATCH;
        for (message, answer) in messages.iter().zip(scheduler.send_tasks(&messages).await) {
            if answer.is_ok() {
                confirmed.insert(message.fence.task);
            }
        }
        count.send_replace(confirmed.len());
    }
    confirmed
}

async fn pair(server: &RabbitMq, case: &str) -> (Arc<RabbitMqBroker>, Arc<RabbitMqBroker>) {
    (Arc::new(scheduler(server, case).await), Arc::new(worker(server, case).await))
}

pub(crate) async fn a_restart_under_load_loses_nothing(server: &mut RabbitMq, case: &str) {
    let (scheduler, worker) = pair(server, case).await;
    let mut load = Load::start(scheduler, worker);
    load.goes_on(200).await;
    server.restart().await.unwrap();
    load.goes_on(200).await;
    println!("  {} confirmed, none lost", load.lost_nothing().await);
}

pub(crate) async fn a_kill_under_load_loses_nothing(server: &mut RabbitMq, case: &str) {
    let (scheduler, worker) = pair(server, case).await;
    let mut load = Load::start(scheduler, worker);
    load.goes_on(200).await;
    server.kill().await.unwrap();
    server.start_again().await.unwrap();
    load.goes_on(200).await;
    println!("  {} confirmed, none lost", load.lost_nothing().await);
}

pub(crate) async fn whoever_waits_survives_a_broker_that_is_gone_for_a_while(
    server: &mut RabbitMq,
    case: &str,
) {
    let (scheduler, worker) = pair(server, case).await;
    let name = WorkerId("one".into());
    let mut control = worker.subscribe_control(&name).await.unwrap();
    let task = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { take(&worker, Pool::Light).await }
    });
    let events = tokio::spawn({
        let scheduler = Arc::clone(&scheduler);
        async move { scheduler.receive_events(1).await.unwrap().events.clone() }
    });
    assert_eq!((scheduler.link(), worker.link()), (LinkState::Up, LinkState::Up));
    server.kill().await.unwrap();
    assert_eq!(control.next().await, None, "a gap is told");
    while !matches!(scheduler.link(), LinkState::Down { .. }) {
        tokio::task::yield_now().await;
    }
    let resubscribed = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { worker.subscribe_control(&name).await.unwrap() }
    });
    server.start_again().await.unwrap();
    let message = task_message(Pool::Light, 1);
    scheduler.send_task(&message).await.unwrap();
    worker.send_event(&event(7)).await.unwrap();
    assert_eq!(task.await.unwrap(), message.fence.task);
    assert_eq!(events.await.unwrap(), [event(7)]);
    let mut control = resubscribed.await.unwrap();
    let drain = ControlMessage::Drain { worker: WorkerId("one".into()) };
    scheduler.send_control(&drain).await.unwrap();
    assert_eq!(control.next().await, Some(drain));
    assert_eq!((scheduler.link(), worker.link()), (LinkState::Up, LinkState::Up));
}

pub(crate) async fn a_link_that_is_cut_again_and_again_loses_nothing(server: &mut RabbitMq, case: &str) {
    let proxy = Proxy::start(server.address()).await.unwrap();
    let scheduler = Arc::new(through(proxy.address(), server, User::Scheduler, case).await);
    let worker = Arc::new(through(proxy.address(), server, User::Worker, case).await);
    let mut load = Load::start(scheduler, worker);
    for round in 0..10 {
        load.goes_on(40).await;
        let taken = proxy.taken();
        if round % 3 == 0 {
            proxy.refuse();
        }
        proxy.cut();
        proxy.wait_until_idle().await;
        proxy.heal();
        proxy.wait_until_taken(taken + 4).await;
    }
    load.goes_on(40).await;
    println!("  {} confirmed, none lost", load.lost_nothing().await);
}

pub(crate) async fn a_stalled_link_is_given_up_in_time_and_made_anew(server: &mut RabbitMq, case: &str) {
    let proxy = Proxy::start(server.address()).await.unwrap();
    let mut options = options(&server.url_through(proxy.address(), User::Scheduler, case), Role::Scheduler);
    options.confirm_timeout = Duration::from_millis(500);
    options.answer_timeout = Duration::from_millis(500);
    options.send_timeout = Duration::from_secs(2);
    let scheduler = Arc::new(RabbitMqBroker::connect(options).await.unwrap());
    let worker = Arc::new(through(proxy.address(), server, User::Worker, case).await);
    let task = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { take(&worker, Pool::Cpu).await }
    });
    while scheduler.backlog().await.unwrap()[&Pool::Cpu].receivers == 0 {
        tokio::task::yield_now().await;
    }
    proxy.stall();
    let begun = Instant::now();
    let error = scheduler.send_task(&task_message(Pool::Cpu, 1)).await.unwrap_err();
    assert!(matches!(error, BrokerError::Unreachable { action: "take a task message", .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(scheduler.backlog().await.is_err());
    assert!(matches!(scheduler.link(), LinkState::Down { .. }));
    let sending = tokio::spawn({
        let scheduler = Arc::clone(&scheduler);
        async move { while scheduler.send_task(&task_message(Pool::Cpu, 2)).await.is_err() {} }
    });
    proxy.heal();
    sending.await.unwrap();
    // The first may have arrived all the same.
    let first = task.await.unwrap();
    assert!([1, 2].map(|number| task_message(Pool::Cpu, number).fence.task).contains(&first));
}

pub(crate) async fn a_slow_link_is_slow(server: &mut RabbitMq, case: &str) {
    let proxy = Proxy::start(server.address()).await.unwrap();
    let scheduler = through(proxy.address(), server, User::Scheduler, case).await;
    let worker = through(proxy.address(), server, User::Worker, case).await;
    proxy.slow(Duration::from_millis(100));
    let messages: Vec<_> = (0..50).map(|number| task_message(Pool::Light, number)).collect();
    let begun = Instant::now();
    assert!(scheduler.send_tasks(&messages).await.iter().all(Result::is_ok));
    assert!(begun.elapsed() >= Duration::from_millis(200), "once there and back");
    assert!(begun.elapsed() < Duration::from_secs(5), "not once a message: {:?}", begun.elapsed());
    for message in &messages[..3] {
        assert_eq!(take(&worker, Pool::Light).await, message.fence.task);
    }
    assert_eq!(proxy.taken(), 4, "no link was given up");
}

pub(crate) async fn a_broker_that_stands_still_is_given_up_in_time(server: &mut RabbitMq, case: &str) {
    let (scheduler, worker) = pair(server, case).await;
    let mut control = worker.subscribe_control(&WorkerId("one".into())).await.unwrap();
    let task = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { take(&worker, Pool::Cpu).await }
    });
    server.pause().unwrap();
    // Heartbeats alone tell it: nothing is sent.
    assert_eq!(control.next().await, None);
    while !matches!(worker.link(), LinkState::Down { .. }) {
        tokio::task::yield_now().await;
    }
    server.resume().unwrap();
    let message = task_message(Pool::Cpu, 1);
    scheduler.send_task(&message).await.unwrap();
    assert_eq!(task.await.unwrap(), message.fence.task);
}

pub(crate) async fn a_broker_that_is_short_of_memory_is_waited_for(server: &mut RabbitMq, case: &str) {
    let (scheduler, worker) = pair(server, case).await;
    let earlier = task_message(Pool::Light, 1);
    scheduler.send_task(&earlier).await.unwrap();
    server.control(&["set_vm_memory_high_watermark", "0.0000001"]).await.unwrap();
    let message = task_message(Pool::Cpu, 2);
    let sending = tokio::spawn({
        let (scheduler, message) = (Arc::clone(&scheduler), message.clone());
        async move { scheduler.send_task(&message).await }
    });
    while !matches!(scheduler.link(), LinkState::Blocked { .. }) {
        tokio::task::yield_now().await;
    }
    // What is there is received all the same.
    assert_eq!(take(&worker, Pool::Light).await, earlier.fence.task);
    assert!(!sending.is_finished());
    server.control(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
    sending.await.unwrap().unwrap();
    assert_eq!(take(&worker, Pool::Cpu).await, message.fence.task);
    assert_eq!(scheduler.link(), LinkState::Up);
}

//! What every form of the broker must do, as cases that any [`Broker`] can be put through.
//!
//! [`broker_conformance!`](crate::broker_conformance) makes a test of each case. A case gets a broker that serves
//! every pool and whose queues are empty; nothing in a case depends on how long anything takes.
#![allow(clippy::expect_used, clippy::panic)] // these are tests, in a place where other crates can reach them

use std::collections::BTreeSet;
use std::sync::Arc;

use reelfarm_model::attempt::{AttemptOutcome, Fence, LeaseToken, Progress, WorkerId};
use reelfarm_model::key::{Digest, TaskKey};
use reelfarm_model::message::{
    ControlMessage, FORMAT, Slots, TaskMessage, WorkerEvent, WorkerPhase, WorkerReport,
};
use reelfarm_model::profile::{MediaFormat, MediaSetId};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{PackageSpec, Pool, QcSpec, Task, TaskKind, TaskSpec, WithdrawSpec};

use crate::{Backlog, Broker, ControlStream, Delivery, EventBatch};

/// Puts a broker through every case. `broker_conformance!(factory)` makes a test of each, where `factory` is an async
/// function that gives a fresh broker serving every pool. Where a broker costs much to start, one test does it all:
/// `broker_conformance!(names)` is the cases' names, and `broker_conformance!(in_turn factory)` runs them, where the
/// factory is given the case's name.
#[macro_export]
macro_rules! broker_conformance {
    (names) => { $crate::broker_conformance!(@cases names) };
    (in_turn $factory:expr) => { $crate::broker_conformance!(@cases in_turn $factory) };
    ($factory:path) => { $crate::broker_conformance! { @cases tests $factory } };
    (@cases $how:ident $($factory:tt)*) => {
        $crate::broker_conformance! { @$how [$($factory)*]
            a_task_reaches_its_own_pool,
            tasks_sent_together_all_arrive,
            a_dropped_delivery_comes_again,
            an_acknowledged_delivery_does_not_come_again,
            a_cancelled_receive_takes_nothing,
            receivers_share_the_tasks_of_a_pool,
            the_backlog_counts_messages_and_receivers,
            events_of_one_sender_keep_their_order,
            a_batch_holds_what_is_at_hand_up_to_its_limit,
            events_come_again_until_they_are_acknowledged,
            a_cancelled_receive_of_events_takes_nothing,
            control_messages_reach_every_subscriber,
            a_control_message_reaches_its_recipient_alone,
            a_lagging_subscriber_gets_every_stop,
            a_cancelled_wait_for_control_takes_nothing,
        }
    };
    (@names [] $($case:ident,)*) => { [$(stringify!($case)),*] };
    (@in_turn [$factory:expr] $($case:ident,)*) => {
        $(
            println!("{}", stringify!($case));
            $crate::conformance::$case(std::sync::Arc::new($factory(stringify!($case)).await)).await;
        )*
    };
    (@tests [$factory:path] $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::conformance::$case(std::sync::Arc::new($factory().await)).await;
            }
        )*
    };
}

/// A message about a task of this pool; messages with different numbers are about different tasks.
pub fn task_message(pool: Pool, number: u32) -> TaskMessage {
    let source = Digest::of(&number.to_be_bytes());
    let title = "a-title".parse().expect("a title's name");
    let spec = match pool {
        Pool::Cpu => TaskSpec::Qc(QcSpec { source }),
        Pool::Package => TaskSpec::Package(PackageSpec {
            media_set: MediaSetId(format!("set-{number}")),
            encryption: None,
            base: None,
            format: MediaFormat::Cmaf,
            segment_seconds: Some(2),
            video: Vec::new(),
            audio: Vec::new(),
        }),
        Pool::Light => TaskSpec::Withdraw(WithdrawSpec {
            profiles: Vec::new(),
            origin: "/origin".to_owned(),
            title: "a-title".parse().expect("a title's name"),
            generation: u64::from(number),
        }),
    };
    let task = Task::new(spec, &ToolVersions::default());
    TaskMessage { fence: fence(task.key, number), title, task, source: None, lease_ms: 1000 }
}

fn fence(task: TaskKey, number: u32) -> Fence {
    Fence { task, attempt: 1, lease: LeaseToken(u128::from(number)) }
}

fn numbered_fence(number: u32) -> Fence {
    fence(TaskKey(Digest::of(&number.to_be_bytes())), number)
}

fn worker() -> WorkerId {
    WorkerId("worker-1".to_owned())
}

/// A heartbeat of an attempt; those with different numbers are different.
pub fn event(number: u32) -> WorkerEvent {
    WorkerEvent::Heartbeat {
        fence: numbered_fence(0),
        worker: worker(),
        beat: u64::from(number),
        progress: Progress::default(),
    }
}

async fn send_tasks(broker: &impl Broker, pool: Pool, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        broker.send_task(&task_message(pool, number)).await.expect("the task is sent");
    }
}

async fn receive_task(broker: &impl Broker, pool: Pool) -> Delivery {
    broker.receive_task(pool).await.expect("a task is delivered")
}

async fn acknowledge(delivery: Delivery) -> TaskKey {
    let key = delivery.message.fence.task;
    assert!(delivery.acknowledge().await.expect("the acknowledgement is taken"), "the channel is there");
    key
}

fn keys(pool: Pool, numbers: impl IntoIterator<Item = u32>) -> BTreeSet<TaskKey> {
    numbers.into_iter().map(|number| task_message(pool, number).fence.task).collect()
}

/// A task is delivered whole, to a receiver of its own pool.
pub async fn a_task_reaches_its_own_pool<B: Broker>(broker: Arc<B>) {
    for (number, pool) in (0..).zip(Pool::ALL) {
        send_tasks(&*broker, pool, [number]).await;
    }
    for (number, pool) in [(2, Pool::ALL[2]), (0, Pool::ALL[0]), (1, Pool::ALL[1])] {
        let delivery = receive_task(&*broker, pool).await;
        assert_eq!(delivery.message, task_message(pool, number));
        acknowledge(delivery).await;
    }
}

/// Each of many tasks that are sent at once is answered for, and arrives.
pub async fn tasks_sent_together_all_arrive<B: Broker>(broker: Arc<B>) {
    const TASKS: u32 = 300;
    let messages: Vec<_> =
        (0..TASKS).map(|number| task_message(Pool::ALL[number as usize % 3], number)).collect();
    let answers = broker.send_tasks(&messages).await;
    assert_eq!(answers.len(), messages.len());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut missing: BTreeSet<_> = messages.iter().map(|message| message.fence.task).collect();
    for message in &messages {
        assert!(missing.remove(&acknowledge(receive_task(&*broker, message.pool()).await).await));
    }
    assert!(broker.send_tasks(&[]).await.is_empty());
}

/// Nothing is lost with a receiver that dies before it acknowledges.
pub async fn a_dropped_delivery_comes_again<B: Broker>(broker: Arc<B>) {
    send_tasks(&*broker, Pool::Cpu, [7]).await;
    for _ in 0..3 {
        drop(receive_task(&*broker, Pool::Cpu).await);
    }
    let delivery = receive_task(&*broker, Pool::Cpu).await;
    assert_eq!(delivery.message, task_message(Pool::Cpu, 7));
    acknowledge(delivery).await;
}

/// What is acknowledged is out of the queue: the next delivery is the next task.
pub async fn an_acknowledged_delivery_does_not_come_again<B: Broker>(broker: Arc<B>) {
    send_tasks(&*broker, Pool::Cpu, [1]).await;
    acknowledge(receive_task(&*broker, Pool::Cpu).await).await;
    send_tasks(&*broker, Pool::Cpu, [2]).await;
    let delivery = receive_task(&*broker, Pool::Cpu).await;
    assert_eq!(delivery.message, task_message(Pool::Cpu, 2));
    acknowledge(delivery).await;
}

/// A worker may give up waiting at any moment, and still every task is delivered.
pub async fn a_cancelled_receive_takes_nothing<B: Broker>(broker: Arc<B>) {
    const TASKS: u32 = 50;
    let sender = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move {
            for number in 0..TASKS {
                send_tasks(&*broker, Pool::Cpu, [number]).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut waiting = keys(Pool::Cpu, 0..TASKS);
    while !waiting.is_empty() {
        tokio::select! {
            biased;
            delivery = broker.receive_task(Pool::Cpu) => {
                waiting.remove(&acknowledge(delivery.expect("a task is delivered")).await);
            }
            () = tokio::task::yield_now() => {}
        }
    }
    sender.await.expect("the sender ends");
}

/// Several receivers of a pool get each task once.
pub async fn receivers_share_the_tasks_of_a_pool<B: Broker>(broker: Arc<B>) {
    const RECEIVERS: u32 = 4;
    const EACH: u32 = 10;
    let receivers: Vec<_> = (0..RECEIVERS)
        .map(|_| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                let mut received = Vec::new();
                for _ in 0..EACH {
                    received.push(acknowledge(receive_task(&*broker, Pool::Light).await).await);
                }
                received
            })
        })
        .collect();
    send_tasks(&*broker, Pool::Light, 0..RECEIVERS * EACH).await;
    let mut received = BTreeSet::new();
    for receiver in receivers {
        for key in receiver.await.expect("the receiver ends") {
            assert!(received.insert(key), "delivered twice");
        }
    }
    assert_eq!(received, keys(Pool::Light, 0..RECEIVERS * EACH));
}

/// A scheduler can see what lies in its workers' queues, and who waits there.
pub async fn the_backlog_counts_messages_and_receivers<B: Broker>(broker: Arc<B>) {
    send_tasks(&*broker, Pool::Cpu, 0..3).await;
    let backlog = broker.backlog().await.expect("the broker answers");
    assert_eq!(backlog.keys().copied().collect::<Vec<_>>(), Pool::ALL);
    assert_eq!(backlog[&Pool::Cpu], Backlog { waiting: 3, receivers: 0 });
    assert_eq!(backlog[&Pool::Light], Backlog::default());
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move { acknowledge(receive_task(&*broker, Pool::Light).await).await })
        })
        .collect();
    while broker.backlog().await.expect("the broker answers")[&Pool::Light].receivers < 2 {
        tokio::task::yield_now().await;
    }
    send_tasks(&*broker, Pool::Light, 0..2).await;
    for receiver in receivers {
        receiver.await.expect("the receiver ends");
    }
    while broker.backlog().await.expect("the broker answers")[&Pool::Light] != Backlog::default() {
        tokio::task::yield_now().await;
    }
}

async fn receive_events(broker: &impl Broker, limit: usize) -> EventBatch {
    let batch = broker.receive_events(limit).await.expect("events come");
    assert!((1..=limit).contains(&batch.events.len()), "{}", batch.events.len());
    batch
}

/// Acknowledges batches until so many events have come.
async fn take_events(broker: &impl Broker, count: usize) -> Vec<WorkerEvent> {
    let mut received = Vec::new();
    while received.len() < count {
        let batch = receive_events(broker, count - received.len()).await;
        received.extend(batch.events.iter().cloned());
        assert!(batch.acknowledge().await.expect("the acknowledgement is taken"), "the channel is there");
    }
    received
}

/// A worker's report, start, heartbeats and end arrive in that order, and whole.
pub async fn events_of_one_sender_keep_their_order<B: Broker>(broker: Arc<B>) {
    let fence = numbered_fence(3);
    let report = WorkerReport {
        worker: worker(),
        phase: WorkerPhase::Serving,
        host: "host".into(),
        version: "0.1.0".into(),
        format: FORMAT,
        pools: Pool::ALL.map(|pool| (pool, Slots { total: 3, busy: 1 })).into(),
        tools: ToolVersions::default().with_recipes(),
        capabilities: ["nvenc".to_owned()].into(),
        processors: 8,
        speed: [(TaskKind::EncodeVideo, 2.5)].into(),
        free_disk: Some(1 << 40),
        resting: None,
    };
    let sent = [
        WorkerEvent::Report(Box::new(report)),
        WorkerEvent::Started { fence, worker: worker() },
        WorkerEvent::Heartbeat {
            fence,
            worker: worker(),
            beat: 1,
            progress: Progress { fraction: 0.25, frames_per_second: 80.5, speed: 3.25 },
        },
        WorkerEvent::Finished { fence, worker: worker(), outcome: AttemptOutcome::Released },
    ];
    for event in &sent {
        broker.send_event(event).await.expect("the event is sent");
    }
    assert_eq!(take_events(&*broker, sent.len()).await, sent);
}

/// A batch is never larger than asked for, and nothing waits for a batch to be full.
pub async fn a_batch_holds_what_is_at_hand_up_to_its_limit<B: Broker>(broker: Arc<B>) {
    for number in 0..5 {
        broker.send_event(&event(number)).await.expect("the event is sent");
    }
    let mut received = Vec::new();
    while received.len() < 5 {
        let batch = receive_events(&*broker, 2).await;
        received.extend(batch.events.iter().cloned());
        batch.acknowledge().await.expect("the acknowledgement is taken");
    }
    assert_eq!(received, (0..5).map(event).collect::<Vec<_>>());
    broker.send_event(&event(5)).await.expect("the event is sent");
    assert_eq!(receive_events(&*broker, 1000).await.events, [event(5)]);
}

/// A scheduler that dies before it has recorded a batch costs no event, and what comes again comes in order.
pub async fn events_come_again_until_they_are_acknowledged<B: Broker>(broker: Arc<B>) {
    for number in 0..6 {
        broker.send_event(&event(number)).await.expect("the event is sent");
    }
    for limit in [1, 3, 100] {
        let batch = receive_events(&*broker, limit).await;
        assert_eq!(batch.events[0], event(0));
        drop(batch);
    }
    let first = receive_events(&*broker, 1).await;
    assert_eq!(first.events, [event(0)]);
    assert!(first.acknowledge().await.expect("the acknowledgement is taken"));
    assert_eq!(take_events(&*broker, 5).await, (1..6).map(event).collect::<Vec<_>>());
    broker.send_event(&event(6)).await.expect("the event is sent");
    assert_eq!(take_events(&*broker, 1).await, [event(6)]);
}

/// A scheduler may turn to something else while it waits for events, and loses none.
pub async fn a_cancelled_receive_of_events_takes_nothing<B: Broker>(broker: Arc<B>) {
    const EVENTS: u32 = 50;
    let sender = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move {
            for number in 0..EVENTS {
                broker.send_event(&event(number)).await.expect("the event is sent");
                tokio::task::yield_now().await;
            }
        }
    });
    let mut received = Vec::new();
    while received.len() < EVENTS as usize {
        tokio::select! {
            biased;
            batch = broker.receive_events(7) => {
                let batch = batch.expect("events come");
                received.extend(batch.events.iter().cloned());
                batch.acknowledge().await.expect("the acknowledgement is taken");
            }
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(received, (0..EVENTS).map(event).collect::<Vec<_>>());
    sender.await.expect("the sender ends");
}

async fn subscribe(broker: &impl Broker) -> ControlStream {
    subscribe_as(broker, &worker()).await
}

async fn subscribe_as(broker: &impl Broker, worker: &WorkerId) -> ControlStream {
    broker.subscribe_control(worker).await.expect("the subscription is made")
}

async fn next(stream: &mut ControlStream) -> ControlMessage {
    stream.next().await.expect("the connection is there")
}

/// Every subscriber gets every message that is sent after it subscribed.
pub async fn control_messages_reach_every_subscriber<B: Broker>(broker: Arc<B>) {
    let mut early = subscribe(&*broker).await;
    let first = ControlMessage::Extended { fence: numbered_fence(1), worker: worker(), beat: 4 };
    broker.send_control(&first).await.expect("the message is sent");
    assert_eq!(next(&mut early).await, first);

    let mut late = subscribe(&*broker).await;
    let second = ControlMessage::Stop { fence: numbered_fence(2), worker: None };
    broker.send_control(&second).await.expect("the message is sent");
    assert_eq!(next(&mut early).await, second);
    assert_eq!(next(&mut late).await, second);
}

/// What is for one worker reaches no other, however strange its name.
pub async fn a_control_message_reaches_its_recipient_alone<B: Broker>(broker: Arc<B>) {
    let names = ["one", "all", "a name/with.dots#*&é"].map(|name| WorkerId(name.to_owned()));
    let mut streams = Vec::new();
    for name in &names {
        streams.push(subscribe_as(&*broker, name).await);
    }
    let mut messages: Vec<_> =
        names.iter().map(|name| ControlMessage::Drain { worker: name.clone() }).collect();
    let last = ControlMessage::Stop { fence: numbered_fence(1), worker: None };
    messages.push(last.clone());
    broker.send_controls(&messages).await.expect("the messages are sent");
    for (stream, message) in streams.iter_mut().zip(&messages) {
        assert_eq!(&next(stream).await, message);
        assert_eq!(next(stream).await, last);
    }
}

/// However far a subscriber lags: a stop is not lost in a flood of other messages.
pub async fn a_lagging_subscriber_gets_every_stop<B: Broker>(broker: Arc<B>) {
    const STOPS: u32 = 40;
    let mut stream = subscribe(&*broker).await;
    for round in 0..100 {
        for number in STOPS..STOPS + 20 {
            let extended =
                ControlMessage::Extended { fence: numbered_fence(number), worker: worker(), beat: round };
            broker.send_control(&extended).await.expect("the message is sent");
        }
        if round < u64::from(STOPS) {
            let fence = numbered_fence(u32::try_from(round).expect("a small number"));
            broker
                .send_control(&ControlMessage::Stop { fence, worker: None })
                .await
                .expect("the message is sent");
        }
    }
    let mut waiting: BTreeSet<_> = (0..STOPS).map(|number| numbered_fence(number).task).collect();
    while !waiting.is_empty() {
        if let ControlMessage::Stop { fence, .. } = next(&mut stream).await {
            waiting.remove(&fence.task);
        }
    }
}

/// A worker may turn to something else while it waits for control messages, and loses none.
pub async fn a_cancelled_wait_for_control_takes_nothing<B: Broker>(broker: Arc<B>) {
    const STOPS: u32 = 50;
    let mut stream = subscribe(&*broker).await;
    let sender = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move {
            for number in 0..STOPS {
                let stop = ControlMessage::Stop { fence: numbered_fence(number), worker: None };
                broker.send_control(&stop).await.expect("the message is sent");
                tokio::task::yield_now().await;
            }
        }
    });
    let mut received = BTreeSet::new();
    while received.len() < STOPS as usize {
        tokio::select! {
            biased;
            message = stream.next() => {
                let ControlMessage::Stop { fence, .. } = message.expect("the connection is there") else {
                    panic!("nobody sent this");
                };
                received.insert(fence.task);
            }
            () = tokio::task::yield_now() => {}
        }
    }
    sender.await.expect("the sender ends");
}

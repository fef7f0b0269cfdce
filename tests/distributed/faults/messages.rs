//! Messages that are lost, come twice, reach no queue, or mean nothing.

use std::time::Duration;

use super::{PROFILES, SECONDS, encoding, takes_a_new_title, task};
use crate::farm::Farm;
use crate::tap::{DEAD, TASKS, Tap};

const REFUSED: &str = "reelfarm_stale_reports_total";

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_purged_are_sent_again() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    farm.worker("worker-1");
    farm.until("the worker is known", async |farm| {
        farm.json("scheduler-1", &["workers", "--json"]).as_array().is_some_and(|workers| !workers.is_empty())
    })
    .await;
    // Its slots count for a while yet, so the message is sent, and nobody takes it.
    farm.kill("worker-1").await;
    farm.submit("scheduler-1", "film", 4, PROFILES);
    let queue = "reelfarm.tasks.light";
    farm.until("a message lies in the queue", async |farm| farm.queued().await.get(queue) > Some(&0)).await;
    farm.broker.control(&["purge_queue", "-p", "reelfarm", queue]).await.unwrap();
    farm.worker("worker-2");
    farm.judge(&["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_twice_is_worked_on_once() {
    let mut farm = Farm::servers().await;
    farm.with_metrics();
    farm.scheduler("scheduler-1").await;
    let tap = Tap::start(&farm).await;
    farm.worker("worker-1");
    farm.worker("worker-2");
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    let worker = farm.at_work("film", "encode-video").await;
    let (message, bytes) = tap.copy_of("encode-video").await;
    tap.send(TASKS, message.pool().as_str(), &bytes).await;
    farm.until("the other worker's start is refused", async |farm| {
        farm.metric("scheduler-1", REFUSED).await > 0.0
    })
    .await;
    farm.judge(&["film"]).await;
    let encode = task(&farm, "film", "encode-video").await;
    assert_eq!((encode.attempt, encode.failures, encode.losses), (1, 0, 0));
    assert_eq!(encode.worker.map(|worker| worker.0), Some(worker));

    // And once more after all is done.
    let refused = farm.metric("scheduler-1", REFUSED).await;
    tap.send(TASKS, message.pool().as_str(), &bytes).await;
    farm.until("it is refused", async |farm| farm.metric("scheduler-1", REFUSED).await > refused).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
    assert_eq!(task(&farm, "film", "encode-video").await.attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_twice_to_one_worker_does_not_end_the_first() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    let tap = Tap::start(&farm).await;
    farm.variables.insert("REELFARM_SLOTS", "3".into());
    farm.worker("worker-1");
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.at_work("film", "encode-video").await;
    let (message, bytes) = tap.copy_of("encode-video").await;
    tap.send(TASKS, message.pool().as_str(), &bytes).await;
    farm.until("the worker says so", async |farm| farm.process("worker-1").log().contains("delivered twice"))
        .await;
    farm.judge(&["film"]).await;
    let encode = task(&farm, "film", "encode-video").await;
    assert_eq!((encode.attempt, encode.failures, encode.losses), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_that_were_deleted_are_declared_again_and_what_waits_is_sent() {
    let (mut farm, _) = encoding().await;
    let tap = Tap::without_copies(&farm).await;
    for pool in ["cpu", "package", "light"] {
        tap.delete(&format!("reelfarm.tasks.{pool}")).await;
    }
    farm.judge(&["film"]).await;
    let log = farm.process("scheduler-1").log();
    assert!(log.contains("a queue is missing, declaring all"), "{log}");
    assert_eq!(task(&farm, "film", "encode-video").await.attempt, 1, "it went on meanwhile");
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_may_take_longer_than_the_broker_lets_a_delivery_be_held() {
    const LIMIT: Duration = Duration::from_secs(1);
    let mut farm = Farm::servers().await;
    farm.broker.set_consumer_timeout(LIMIT).await.unwrap();
    farm.scheduler("scheduler-1").await;
    farm.worker("worker-1");
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.judge(&["film"]).await;
    let encode = task(&farm, "film", "encode-video").await;
    assert_eq!((encode.attempt, encode.failures, encode.losses), (1, 0, 0));
    let took = encode.finished_ms.unwrap() - encode.started_ms.unwrap();
    assert!(took > 2 * LIMIT.as_millis() as i64, "it took {took} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_understands_is_counted_and_set_aside_and_everybody_lives_on() {
    let mut farm = Farm::servers().await;
    farm.with_metrics();
    farm.scheduler("scheduler-1").await;
    let tap = Tap::start(&farm).await;
    farm.worker("worker-1");
    for body in
        [b"\xff\x00".as_slice(), b"", br#"{"format":0,"message":{}}"#, br#"{"format":2,"message":{}}"#]
    {
        tap.send(TASKS, "light", body).await;
        tap.send("reelfarm.events", "", body).await;
    }
    farm.until("all of it is set aside", async |_| tap.waiting(DEAD).await == 8).await;
    for process in ["scheduler-1", "worker-1"] {
        assert_eq!(farm.metric(process, "reelfarm_messages_not_understood_total").await, 4.0, "{process}");
    }
    while tap.take(DEAD).await.is_some() {}
    farm.submit("scheduler-1", "film", 4, PROFILES);
    farm.judge(&["film"]).await;
}

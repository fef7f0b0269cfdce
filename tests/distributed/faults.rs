//! Each fault is injected while a title is being made; the farm must be whole afterwards and take a new title.

use std::time::Duration;

use reelfarm_model::TitleState;
use reelfarm_store::Store as _;
use reelfarm_test_servers::proxy::Proxy;
use rustix::process::Signal;

use crate::farm::{Farm, LEADER_LEASE, LEASE};

const PROFILES: &str = "dash-clr-2s,hls-fp-4s";
/// Long enough to encode that a fault hits in the midst of it.
const SECONDS: u32 = 20;

/// A title in the midst of its encode.
async fn encoding() -> (Farm, String) {
    let mut farm = Farm::start().await;
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    let worker = farm.at_work("film", "encode-video").await;
    (farm, worker)
}

/// How often the encode was dispatched.
async fn encodes(farm: &Farm) -> u32 {
    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    tasks.iter().find(|record| record.task.spec.label() == "encode-video").unwrap().attempt
}

async fn takes_a_new_title(farm: &mut Farm, scheduler: &str, others: &[&str]) {
    farm.submit(scheduler, "next", 4, "mp4-clr");
    let all: Vec<_> = others.iter().copied().chain(["next"]).collect();
    farm.judge(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_midst_of_an_encode_is_followed_by_another() {
    let (mut farm, worker) = encoding().await;
    farm.kill(&worker).await;
    farm.judge(&["film"]).await;
    assert_eq!(encodes(&farm).await, 2);
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_paused_past_its_lease_changes_nothing_when_it_wakes() {
    let (mut farm, worker) = encoding().await;
    farm.process(&worker).signal(Signal::STOP);
    farm.until("its lease is over and the task is another's", async |farm| encodes(farm).await == 2).await;
    farm.process(&worker).signal(Signal::CONT);
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_finishes_what_it_has() {
    let (mut farm, worker) = encoding().await;
    farm.process(&worker).signal(Signal::TERM);
    let status = farm.end_of(&worker).await;
    assert_eq!(status.code(), Some(143));
    farm.judge(&["film"]).await;
    assert_eq!(encodes(&farm).await, 1, "it was finished, and not begun again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_twice_hands_back_and_the_attempt_does_not_count() {
    let (mut farm, worker) = encoding().await;
    farm.process(&worker).signal(Signal::TERM);
    farm.until("it drains", async |farm| farm.process(&worker).log().contains("draining")).await;
    farm.process(&worker).signal(Signal::TERM);
    assert_eq!(farm.end_of(&worker).await.code(), Some(143));
    farm.judge(&["film"]).await;
    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    let encode = tasks.iter().find(|record| record.task.spec.label() == "encode-video").unwrap();
    assert_eq!((encode.attempt, encode.failures, encode.losses), (2, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_by_a_stand_by() {
    let (mut farm, _) = encoding().await;
    farm.scheduler("scheduler-2").await;
    farm.kill("scheduler-1").await;
    farm.judge(&["film"]).await;
    assert_eq!(encodes(&farm).await, 1, "the encode goes on through it");
    takes_a_new_title(&mut farm, "scheduler-2", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_paused_past_its_term_changes_nothing_when_it_wakes() {
    let (mut farm, _) = encoding().await;
    farm.scheduler("scheduler-2").await;
    farm.process("scheduler-1").signal(Signal::STOP);
    farm.until("the other leads", async |farm| {
        farm.process("scheduler-2").log().contains("this scheduler leads")
    })
    .await;
    farm.process("scheduler-1").signal(Signal::CONT);
    farm.until("it stands by", async |farm| farm.process("scheduler-1").log().contains("standing by")).await;
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_restarted_and_killed_costs_time_alone() {
    let (mut farm, _) = encoding().await;
    farm.broker.restart().await.unwrap();
    farm.submit("scheduler-1", "second", 4, "mp4-clr");
    farm.broker.kill().await.unwrap();
    farm.broker.start_again().await.unwrap();
    farm.judge(&["film", "second"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film", "second"]).await;
}

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
    farm.until("a message lies in the queue", async |farm| farm.queued().await.get(queue) == Some(&1)).await;
    farm.broker.control(&["purge_queue", "-p", "reelfarm", queue]).await.unwrap();
    farm.worker("worker-2");
    farm.judge(&["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restarted_and_one_gone_beyond_every_lease_cost_time_alone() {
    let (mut farm, _) = encoding().await;
    farm.postgres.restart().await.unwrap();
    farm.at_work("film", "").await;
    farm.postgres.kill().await.unwrap();
    tokio::time::sleep(Duration::from_secs(LEASE + LEADER_LEASE)).await;
    farm.postgres.start_again().await.unwrap();
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_cut_or_stalled_in_the_midst_of_a_task_costs_time_alone() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    let proxy = Proxy::start(farm.broker.address()).await.unwrap();
    farm.worker_through("worker-1", &proxy);
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.at_work("film", "encode-video").await;
    proxy.cut();
    farm.at_work("film", "encode-video").await;
    proxy.stall();
    // Its lease ends meanwhile, and it stops by its own clock.
    farm.until("the task is taken back", async |farm| {
        let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
        tasks.iter().any(|record| record.losses > 0)
    })
    .await;
    proxy.heal();
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_cancelled_while_it_is_made_leaves_nothing() {
    let (mut farm, _) = encoding().await;
    farm.json("scheduler-1", &["cancel", "film", "--json"]);
    farm.reaches("film", TitleState::Cancelled).await;
    farm.until("no attempt is left", async |farm| {
        farm.store.under_way().await.is_ok_and(|attempts| attempts.is_empty())
    })
    .await;
    assert!(!farm.path("origin").join("film").join("index.json").exists());
    // What was made is used by the next submission.
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.judge(&["film"]).await;
}

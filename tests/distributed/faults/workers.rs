//! Workers and their children that die, hang, are slow to die, or are told to end.

use reelfarm_model::message::FORMAT;
use reelfarm_model::{Code, TitleState};
use reelfarm_store::Store as _;
use rustix::process::{Pid, Signal, kill_process};

use super::{PROFILES, SECONDS, encodes, encoding, takes_a_new_title, task};
use crate::farm::Farm;
use crate::support::{describe, media_processes};
use crate::tap::{DEAD, TASKS, Tap};

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
async fn a_task_that_kills_every_worker_is_given_up_with_its_reason_and_others_go_on() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    farm.variables.insert("REELFARM_POOLS", "package,light".into());
    farm.worker("helper");
    // Each runs one task of its pool and nothing else, so that nothing but that dies with it.
    farm.variables.insert("REELFARM_POOLS", "cpu".into());
    farm.worker("worker-1");
    farm.worker("worker-2");
    farm.submit("scheduler-1", "poison", SECONDS, "mp4-clr");
    farm.submit("scheduler-1", "film", 4, PROFILES);
    for loss in 1..=5 {
        let worker = farm.at_work("poison", "encode-video").await;
        farm.kill(&worker).await;
        farm.worker(&worker);
        farm.until("the loss is noticed", async |farm| {
            task(farm, "poison", "encode-video").await.losses == loss
        })
        .await;
    }
    farm.reaches("poison", TitleState::Failed).await;
    let said = farm.ask("scheduler-1", &["status", "poison"]);
    let words = String::from_utf8_lossy(&said.stdout);
    assert!(words.contains("RF-WRK-001") && words.contains("stopped answering"), "{}", describe(&said));
    farm.reaches("film", TitleState::Published).await;
    farm.json("scheduler-1", &["retry", "poison", "--json"]);
    farm.judge(&["film", "poison"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_is_killed_costs_an_attempt_and_one_that_always_is_the_title() {
    let (mut farm, worker) = encoding().await;
    kill_media(&mut farm, &worker).await;
    farm.judge(&["film"]).await;
    let encode = task(&farm, "film", "encode-video").await;
    assert_eq!((encode.attempt, encode.failures, encode.losses), (2, 1, 0));

    farm.submit("scheduler-1", "cursed", SECONDS + 1, "mp4-clr");
    for failures in 1..=3 {
        let worker = farm.at_work("cursed", "encode-video").await;
        kill_media(&mut farm, &worker).await;
        farm.until("the failure is counted", async |farm| {
            task(farm, "cursed", "encode-video").await.failures == failures
        })
        .await;
    }
    farm.reaches("cursed", TitleState::Failed).await;
    let failure = farm.title("cursed").await.unwrap().failure.unwrap();
    assert_eq!(failure.code, Code::EncodeCrashed, "{failure}");
    assert!(!farm.path("origin").join("cursed").exists(), "nothing of it is at the origin");
    farm.json("scheduler-1", &["retry", "cursed", "--json"]);
    farm.judge(&["film", "cursed"]).await;
}

/// Kills the media process of a worker that encodes, as the kernel does when memory is short.
async fn kill_media(farm: &mut Farm, worker: &str) {
    let mut media = Vec::new();
    farm.until("a media process works", async |farm| {
        media = media_processes(farm.process(worker).id());
        !media.is_empty()
    })
    .await;
    for process in media {
        let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        // Another that has ended by itself meanwhile is none to wait for.
        let _ = kill_process(process, Signal::KILL);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_an_older_version_leaves_newer_tasks_to_others_and_rests() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    let tap = Tap::start(&farm).await;
    farm.worker("worker-1");
    let newer = format!(r#"{{"format":{},"message":{{"task":{{"kind":"sublimate"}}}}}}"#, FORMAT + 1);
    tap.send(TASKS, "light", newer.as_bytes()).await;
    farm.until("it rests", async |farm| {
        let workers = farm.json("scheduler-1", &["workers", "--json"]);
        let resting = workers[0]["resting"].as_str().unwrap_or_default();
        resting.contains("older than the farm's schedulers")
    })
    .await;
    // It got the message twice, and nobody else is there.
    farm.until("the message is set aside", async |_| tap.waiting(DEAD).await == 1).await;
    assert!(tap.take(DEAD).await.is_some());
    // It is the only worker: titles wait for the end of its rest, and no attempt is spent.
    farm.submit("scheduler-1", "film", 4, PROFILES);
    farm.judge(&["film"]).await;
    for record in farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap() {
        assert_eq!((record.failures, record.losses), (0, 0), "{}", record.task.spec.label());
    }
}

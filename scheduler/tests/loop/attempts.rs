//! Attempts: late, silent, doubled, failed and handed back.

use reelfarm_model::message::{ControlMessage, WorkerEvent};
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{AttemptOutcome, Code, Digest, Pool, Progress, TitleState};
use reelfarm_store::Store as _;

use crate::farm::{Farm, SHORT_LEASE, completed, fingerprint, measurements, played};

#[tokio::test]
async fn a_zombies_late_result_changes_nothing_and_it_is_told_to_stop() {
    let mut farm = Farm::start_with_short_leases().await;
    farm.submit().await;
    let first = farm.receive(Pool::Light).await;
    farm.start_attempt(first.fence).await;
    // Silence: the lease runs out, and the task is given to another.
    let second = farm.receive(Pool::Light).await;
    assert_eq!((second.task.key, second.fence.attempt), (first.task.key, 2));
    assert_eq!(farm.next_control().await, ControlMessage::Stop { fence: first.fence, worker: None });
    farm.start_attempt(second.fence).await;
    let wrong = Fingerprint { sha256: Digest::of(b"zombie"), md5: "f".repeat(32), sha1: None, size: 1 };
    farm.finish(first.fence, completed(&first, Some(serde_json::to_value(wrong).unwrap()))).await;
    assert_eq!(
        farm.next_control().await,
        ControlMessage::Stop { fence: first.fence, worker: Some(played()) }
    );
    farm.finish(second.fence, completed(&second, Some(fingerprint()))).await;
    let qc = farm.receive(Pool::Cpu).await;
    farm.complete(&qc, Some(serde_json::to_value(measurements()).unwrap())).await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert_eq!(title.source_digest, Some(Digest::of(b"film")));
    assert_eq!(farm.outcomes(&first).await, [Some("lost"), Some("completed")]);
}

#[tokio::test]
async fn heartbeats_keep_a_lease_beyond_its_length() {
    let mut farm = Farm::start_with_short_leases().await;
    farm.submit().await;
    let message = farm.receive(Pool::Light).await;
    farm.start_attempt(message.fence).await;
    let start = std::time::Instant::now();
    let mut beat = 0;
    while start.elapsed() < SHORT_LEASE * 2 {
        beat += 1;
        farm.say(WorkerEvent::Heartbeat {
            fence: message.fence,
            worker: played(),
            beat,
            progress: Progress::default(),
        })
        .await;
        let answer = farm.next_control().await;
        assert_eq!(answer, ControlMessage::Extended { fence: message.fence, worker: played(), beat });
    }
    assert_eq!(farm.outcomes(&message).await, [None], "one attempt, still open");
}

#[tokio::test]
async fn a_second_report_of_the_same_end_changes_nothing() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let message = farm.receive(Pool::Light).await;
    farm.complete(&message, Some(fingerprint())).await;
    farm.finish(message.fence, completed(&message, Some(fingerprint()))).await;
    assert_eq!(
        farm.next_control().await,
        ControlMessage::Stop { fence: message.fence, worker: Some(played()) }
    );
    assert_eq!(farm.outcomes(&message).await, [Some("completed")]);
}

#[tokio::test]
async fn a_transient_failure_is_tried_three_times_and_then_fails_the_title() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    for attempt in 1..=3 {
        let message = farm.receive(Pool::Light).await;
        assert_eq!(message.fence.attempt, attempt);
        farm.fail(&message, Code::Internal).await;
    }
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::Internal);
}

#[tokio::test]
async fn a_permanent_failure_fails_the_title_at_once() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let message = farm.receive(Pool::Light).await;
    farm.fail(&message, Code::SourceChanged).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::SourceChanged);
    assert_eq!(farm.outcomes(&message).await, [Some("failed")]);
}

#[tokio::test]
async fn a_released_attempt_costs_nothing() {
    let farm = Farm::start().await;
    farm.submit().await;
    for _ in 0..5 {
        let message = farm.receive(Pool::Light).await;
        farm.start_attempt(message.fence).await;
        farm.finish(message.fence, AttemptOutcome::Released).await;
    }
    let message = farm.receive(Pool::Light).await;
    let record = farm.store.task(&message.task.key).await.unwrap().unwrap();
    assert_eq!((record.failures, record.losses), (0, 0));
}

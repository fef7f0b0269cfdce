//! Titles that are submitted again while they are under way.

use reelfarm_model::message::ControlMessage;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{AttemptOutcome, Digest, Measurements, TaskKind, TitleState};

use crate::farm::{Farm, measurements, played};

/// Hours of encoding are not begun again because the operator wants one profile more.
#[tokio::test]
async fn an_encode_goes_on_through_a_submission_with_other_profiles() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.start_attempt(encode.fence).await;
    let profiles = vec!["dash-clr-2s".to_owned(), "mp4-clr".to_owned()];
    let again = farm.handle.submit(Submission { profiles, ..farm.submission() }).await.unwrap();
    assert_eq!((again.generation, again.state), (2, TitleState::Checking));
    farm.beat(encode.fence).await;
    let answer = farm.next_control().await;
    assert_eq!(
        answer,
        ControlMessage::Extended { fence: encode.fence, worker: played(), beat: 1 },
        "nobody told it to stop"
    );
    farm.complete(&encode, None).await;
    farm.play_to_the_end().await;
    let title = farm.title_reaches(TitleState::Published).await;
    assert_eq!(title.generation, 2);
    assert_eq!(farm.outcomes(&encode).await, [Some("completed")]);
}

#[tokio::test]
async fn nothing_works_at_the_origin_beside_a_publication_that_was_stopped() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let old = farm.play_until(TaskKind::Publish).await;
    farm.start_attempt(old.fence).await;
    let again = Submission { profiles: vec!["dash-clr-2s".to_owned()], ..farm.submission() };
    farm.handle.submit(again).await.unwrap();
    // Slots are free, so whatever else is ready comes at once.
    while !farm.is_ready(TaskKind::Upload).await {
        if let Some(message) = farm.receive_soon().await {
            assert!(!message.task.spec.acts_on_origin(), "{}", message.task.spec.label());
            farm.play(&message).await;
        }
    }
    farm.finish(old.fence, AttemptOutcome::Released).await;
    farm.play_to_the_end().await;
    assert_eq!(farm.title_reaches(TitleState::Published).await.generation, 2);
}

/// A title that was copied to the origin in part when another delivery of it came.
async fn replaced_while_it_was_copied(farm: &mut Farm) {
    farm.submit().await;
    let upload = farm.play_until(TaskKind::Upload).await;
    farm.start_attempt(upload.fence).await;
    let mut delivered = farm.submission();
    delivered.source.modified_ns += 1;
    assert!(farm.handle.submit(delivered).await.unwrap().leftovers);
    farm.finish(upload.fence, AttemptOutcome::Released).await;
}

async fn is_withdrawn(farm: &mut Farm, end: TitleState) {
    let withdraw = farm.play_until(TaskKind::Withdraw).await;
    farm.complete(&withdraw, None).await;
    assert!(!farm.title_reaches(end).await.leftovers);
}

#[tokio::test]
async fn what_was_copied_of_a_delivery_that_another_replaced_is_taken_away_when_that_is_cancelled() {
    let mut farm = Farm::start().await;
    replaced_while_it_was_copied(&mut farm).await;
    farm.handle.cancel("film".parse().unwrap()).await.unwrap();
    is_withdrawn(&mut farm, TitleState::Cancelled).await;
}

#[tokio::test]
async fn what_was_copied_of_a_delivery_that_another_replaced_is_taken_away_when_that_is_rejected() {
    let mut farm = Farm::start().await;
    replaced_while_it_was_copied(&mut farm).await;
    let read = farm.play_until(TaskKind::Fingerprint).await;
    let other =
        Fingerprint { sha256: Digest::of(b"other"), md5: "1".repeat(32), sha1: None, size: 10_000_000 };
    farm.complete(&read, Some(serde_json::to_value(other).unwrap())).await;
    let measure = farm.play_until(TaskKind::Qc).await;
    let without_a_picture = Measurements { video: Vec::new(), ..measurements() };
    farm.complete(&measure, Some(serde_json::to_value(without_a_picture).unwrap())).await;
    is_withdrawn(&mut farm, TitleState::Rejected).await;
}

#[tokio::test]
async fn an_encode_that_the_new_plan_does_not_name_is_stopped() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.start_attempt(encode.fence).await;
    let ladder = farm.submission().ladder;
    let changed = ladder.text.replace("\"superfast\"", "\"veryfast\"");
    assert_ne!(changed, ladder.text);
    let ladder = LadderText { text: changed, ..ladder };
    farm.handle.submit(Submission { ladder, ..farm.submission() }).await.unwrap();
    assert_eq!(farm.next_control().await, ControlMessage::Stop { fence: encode.fence, worker: None });
    let other = farm.play_until(TaskKind::EncodeVideo).await;
    assert_ne!(other.task.key, encode.task.key);
    farm.complete(&other, None).await;
    farm.play_to_the_end().await;
    assert_eq!(farm.title_reaches(TitleState::Published).await.generation, 2);
    assert_eq!(farm.outcomes(&encode).await, [Some("cancelled")]);
}

#[tokio::test]
async fn a_new_delivery_stops_the_encode_of_the_old_one_at_once() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.start_attempt(encode.fence).await;
    let mut delivered = farm.submission();
    delivered.source.modified_ns += 1;
    farm.handle.submit(delivered).await.unwrap();
    // Before anything is known of the new file.
    assert_eq!(farm.next_control().await, ControlMessage::Stop { fence: encode.fence, worker: None });
    assert_eq!(farm.outcomes(&encode).await, [Some("cancelled")]);
}

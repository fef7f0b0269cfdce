//! What goes first of a title, as the loop sees it.

use reelfarm_model::index::{Version, Withdrawal};
use reelfarm_model::message::TaskMessage;
use reelfarm_model::title::Submission;
use reelfarm_model::{AttemptOutcome, Code, Digest, Facts, Part, TaskKind, TaskSpec, TitleState};
use reelfarm_store::{ReadyOf, Store as _};

use crate::farm::Farm;

fn submission(farm: &Farm) -> Submission {
    let profiles = ["dash-clr-2s", "hls-clr-2s", "mp4-clr", "ts-clr-2s"].map(str::to_owned).to_vec();
    let facts = Facts { first: vec!["mp4-clr".to_owned()], ..Facts::default() };
    Submission { profiles, facts, ..farm.submission() }
}

fn is_first(message: &TaskMessage) -> bool {
    matches!(&message.task.spec, TaskSpec::Publish(spec) if spec.more_follow)
}

/// Plays until what goes first is published; answers what it published.
async fn play_first(farm: &Farm) -> Version {
    let publish = farm.play_until(TaskKind::Publish).await;
    assert!(is_first(&publish), "{:?}", publish.task.spec);
    farm.complete(&publish, Some(serde_json::to_value(Digest::of(b"first")).unwrap())).await;
    let TaskSpec::Publish(spec) = publish.task.spec else { panic!("a publication") };
    assert_eq!(spec.version().keys().collect::<Vec<_>>(), ["mp4-clr"]);
    spec.version()
}

#[tokio::test]
async fn a_title_is_published_when_all_of_it_is_and_not_when_a_part_is() {
    let mut farm = Farm::start().await;
    let title = farm.handle.submit(submission(&farm)).await.unwrap().submission.title;
    play_first(&farm).await;
    let next = farm.play_until(TaskKind::Publish).await;
    assert!(!is_first(&next));
    assert_eq!(farm.store.title(&title).await.unwrap().unwrap().state, TitleState::Preparing);
    farm.complete(&next, Some(serde_json::to_value(Digest::of(b"whole")).unwrap())).await;
    farm.title_reaches(TitleState::Published).await;
}

#[tokio::test]
async fn the_rest_waits_while_anything_that_goes_first_is_ready() {
    let farm = Farm::start().await;
    farm.handle.submit(submission(&farm)).await.unwrap();
    farm.offers(1).await;
    // One slot of each pool: whatever comes from a pool is what goes first, as long as that pool has such.
    let encode = farm.play_until(TaskKind::Package).await;
    let ready = farm.store.ready(ReadyOf::All { after: None, limit: 99 }).await.unwrap();
    let parts: Vec<Part> = ready.iter().map(|task| task.wants[0].part).collect();
    assert!(!parts.is_empty() && parts.iter().all(|part| *part == Part::Rest), "{parts:?}");
    let TaskSpec::Package(spec) = &encode.task.spec else { panic!("{:?}", encode.task.spec) };
    assert!(spec.media_set.0.starts_with("prog"), "{}", spec.media_set);
}

#[tokio::test]
async fn what_went_first_stays_when_the_rest_fails_and_that_is_said() {
    let mut farm = Farm::start().await;
    farm.handle.submit(submission(&farm)).await.unwrap();
    let online = play_first(&farm).await;
    let mut upload = farm.play_until(TaskKind::Upload).await;
    for _ in 0..2 {
        farm.fail(&upload, Code::OriginFull).await;
        upload = loop {
            let again = farm.play_until(TaskKind::Upload).await;
            if again.task.key == upload.task.key {
                break again;
            }
            farm.play(&again).await;
        };
    }
    farm.fail(&upload, Code::OriginFull).await;
    let withdraw = farm.play_until(TaskKind::Withdraw).await;
    let found = Withdrawal { files: 3, online: Some(online) };
    farm.complete(&withdraw, Some(serde_json::to_value(found).unwrap())).await;
    let failure = farm.title_reaches(TitleState::Failed).await.failure.unwrap();
    assert_eq!(failure.code, Code::OriginFull);
    assert!(failure.message.contains("what went first of it is online and stays there"), "{failure}");
}

#[tokio::test]
async fn a_cancelled_title_is_cancelled_though_what_went_first_is_online() {
    let mut farm = Farm::start().await;
    let title = farm.handle.submit(submission(&farm)).await.unwrap().submission.title;
    let online = play_first(&farm).await;
    let upload = farm.play_until(TaskKind::Upload).await;
    farm.start_attempt(upload.fence).await;
    farm.handle.cancel(title).await.unwrap();
    farm.title_reaches(TitleState::Withdrawing).await;
    farm.finish(upload.fence, AttemptOutcome::Released).await;
    let withdraw = farm.play_until(TaskKind::Withdraw).await;
    let found = Withdrawal { files: 0, online: Some(online) };
    farm.complete(&withdraw, Some(serde_json::to_value(found).unwrap())).await;
    farm.title_reaches(TitleState::Cancelled).await;
}

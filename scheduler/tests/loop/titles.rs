//! Titles from their submission to their end.

use reelfarm_artifacts::{S3Access, S3Credentials, Secret};
use reelfarm_model::index::{Version, Withdrawal};
use reelfarm_model::message::ControlMessage;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::{
    AttemptOutcome, Code, Digest, FailureClass, Pool, TaskKind, TaskSpec, TaskState, TitleId, TitleState,
};
use reelfarm_store::Store as _;

use crate::farm::{Farm, PATIENCE, completed, played};

#[tokio::test]
async fn a_title_whose_tasks_all_complete_is_published() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    farm.play_to_the_end().await;
    let title = farm.title_reaches(TitleState::Published).await;
    assert_eq!(title.source_digest, Some(Digest::of(b"film")));
    assert!(title.report.is_some_and(|report| report.conclusion.is_some()));
}

#[tokio::test]
async fn what_a_cancelled_title_copied_is_taken_away_once_its_last_attempt_has_stopped() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let upload = farm.play_until(TaskKind::Upload).await;
    farm.start_attempt(upload.fence).await;
    let id: TitleId = "film".parse().unwrap();
    farm.handle.cancel(id.clone()).await.unwrap();
    farm.title_reaches(TitleState::Withdrawing).await;
    let tasks = farm.store.tasks_of(&id).await.unwrap();
    let withdraws = |kind: TaskKind| kind == TaskKind::Withdraw;
    assert!(!tasks.iter().any(|record| withdraws(record.task.spec.kind())), "the upload may still write");
    // Whoever cancels it again does not end it before its files are gone.
    farm.handle.cancel(id.clone()).await.unwrap();
    let title = farm.store.title(&id).await.unwrap().unwrap();
    assert_eq!(title.state, TitleState::Withdrawing);
    while farm.next_control().await != (ControlMessage::Stop { fence: upload.fence, worker: None }) {}
    farm.finish(upload.fence, AttemptOutcome::Released).await;
    let withdraw = farm.receive(Pool::Light).await;
    assert_eq!(withdraw.task.spec.kind(), TaskKind::Withdraw);
    farm.complete(&withdraw, None).await;
    farm.title_reaches(TitleState::Cancelled).await;
}

/// The attempt that publishes is stopped, and the withdrawal finds this version online, or another one.
async fn cancelled_while_it_is_published(is_this_version: bool, end: TitleState) {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let publish = farm.play_until(TaskKind::Publish).await;
    farm.start_attempt(publish.fence).await;
    farm.handle.cancel("film".parse().unwrap()).await.unwrap();
    farm.title_reaches(TitleState::Withdrawing).await;
    farm.finish(publish.fence, AttemptOutcome::Released).await;
    let withdraw = farm.receive(Pool::Light).await;
    assert_eq!(withdraw.task.spec.kind(), TaskKind::Withdraw);
    let TaskSpec::Publish(spec) = publish.task.spec else { panic!("{:?}", publish.task.spec) };
    let older = Version::from([("mp4-clr".to_owned(), Digest::of(b"older"))]);
    let online = Some(if is_this_version { spec.version() } else { older });
    let result = serde_json::to_value(Withdrawal { files: 0, online }).unwrap();
    farm.complete(&withdraw, Some(result)).await;
    farm.title_reaches(end).await;
}

#[tokio::test]
async fn a_cancellation_after_the_publication_has_taken_place_is_too_late_and_an_older_version_is_none() {
    cancelled_while_it_is_published(true, TitleState::Published).await;
    cancelled_while_it_is_published(false, TitleState::Cancelled).await;
}

#[tokio::test]
async fn a_failed_copy_fails_the_title_after_its_files_are_taken_away() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let mut upload = farm.play_until(TaskKind::Upload).await;
    for _ in 0..2 {
        farm.fail(&upload, Code::OriginFull).await;
        upload = farm.receive(Pool::Light).await;
    }
    farm.fail(&upload, Code::OriginFull).await;
    let withdraw = farm.receive(Pool::Light).await;
    assert_eq!(withdraw.task.spec.kind(), TaskKind::Withdraw);
    farm.complete(&withdraw, None).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::OriginFull);
}

#[tokio::test]
async fn a_measurement_that_no_worker_of_a_newer_program_can_make_costs_no_title() {
    let mut older = ToolVersions::default().with_recipes();
    older.0.insert(ToolVersions::QC_RECIPE.to_owned(), "0".to_owned());
    let farm = Farm::start_with_tools(older).await;
    farm.submit().await;
    let begun = farm.play_until(TaskKind::Qc).await;
    farm.start_attempt(begun.fence).await;
    let (mut farm, _) = farm.restart().await;
    let (mut failed, mut played) = (0, 0);
    while failed < 3 || played == 0 {
        let message = farm.receive(Pool::Cpu).await;
        if message.task.key == begun.task.key {
            farm.fail(&message, Code::ToolMismatch).await;
            failed += 1;
        } else {
            played += usize::from(message.task.spec == begun.task.spec);
            farm.play(&message).await;
        }
    }
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
    let record = farm.store.task(&begun.task.key).await.unwrap().unwrap();
    assert_eq!(record.state, TaskState::Failed);
}

/// A title comes to be planned while its origin is a file.
async fn judged_without_an_origin(farm: &Farm) -> TitleId {
    let id = farm.submit().await.submission.title;
    let qc = farm.play_until(TaskKind::Qc).await;
    fs_err::write(farm.submission().origin, "not a folder").unwrap();
    farm.play(&qc).await;
    id
}

#[tokio::test]
async fn a_title_waits_for_an_origin_that_cannot_be_reached_while_it_is_planned() {
    let mut farm = Farm::start_patient().await;
    let id = judged_without_an_origin(&farm).await;
    let title = farm.store.title(&id).await.unwrap().unwrap();
    let why = loop {
        match farm.handle.postponed(&title) {
            Some(why) => break why,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(why.class, FailureClass::Environment);
    assert_eq!(farm.store.title(&id).await.unwrap().unwrap().state, TitleState::Checking);
    fs_err::remove_file(farm.submission().origin).unwrap();
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
    assert_eq!(farm.handle.postponed(&title), None);
}

#[tokio::test]
async fn where_a_person_waits_an_origin_that_cannot_be_reached_fails_the_title() {
    let mut farm = Farm::start().await;
    judged_without_an_origin(&farm).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().class, FailureClass::Environment);
}

/// A bucket takes connections and never answers. Nothing but the titles that go there waits for it.
#[tokio::test]
async fn an_origin_that_is_silent_holds_up_its_own_titles_alone() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut access = S3Access::new();
    access.endpoint = Some(format!("http://{}", silent.local_addr().unwrap()));
    access.path_style = true;
    access.credentials = Some(S3Credentials {
        access_key_id: "id".into(),
        secret_access_key: Secret::new("secret"),
        session_token: None,
    });
    let mut farm = Farm::start_with_buckets(access).await;
    // More than are looked at together.
    for number in 0..20 {
        let mut waits = farm.submission_of(&format!("waits-{number}"));
        waits.origin = "s3://bucket/online".to_owned();
        farm.handle.submit(waits).await.unwrap();
    }
    let qc = farm.play_until(TaskKind::Qc).await;
    farm.play(&qc).await;
    let asked = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap();
    farm.submit().await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.start_attempt(encode.fence).await;
    farm.beat(encode.fence).await;
    let answer = ControlMessage::Extended { fence: encode.fence, worker: played(), beat: 1 };
    while farm.next_control().await != answer {}
    farm.finish(encode.fence, completed(&encode, None)).await;
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
    let waits = farm.store.title(&"waits-0".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(waits.state, TitleState::Checking);
    drop(asked);
}

#[tokio::test]
async fn a_task_that_misses_an_artifact_is_tried_again_once_that_is_made_again() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let package = farm.play_until(TaskKind::Package).await;
    // Nothing that was played lies among the artifacts.
    farm.fail(&package, Code::ArtifactMissing).await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    assert_eq!(encode.fence.attempt, 2);
    farm.play(&encode).await;
    let again = farm.play_until(TaskKind::Package).await;
    assert_eq!((again.task.key, again.fence.attempt), (package.task.key, 2));
    farm.play(&again).await;
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
}

/// The task is not tried while nobody knows what it misses, however long that takes.
#[tokio::test]
async fn a_task_that_misses_an_artifact_waits_for_storage_that_cannot_be_asked() {
    let mut farm = Farm::start_patient().await;
    let id = farm.submit().await.submission.title;
    let package = farm.play_until(TaskKind::Package).await;
    let origin = farm.submission().origin;
    fs_err::remove_dir_all(&origin).unwrap();
    fs_err::write(&origin, "not a folder").unwrap();
    farm.fail(&package, Code::ArtifactMissing).await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    while farm.handle.postponed(&title).is_none() {
        tokio::task::yield_now().await;
    }
    fs_err::remove_file(&origin).unwrap();
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.play(&encode).await;
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
    let failures = farm.store.attempts_of(&package.task.key).await.unwrap();
    assert_eq!(failures.iter().filter(|attempt| attempt.failure.is_some()).count(), 1);
    assert_eq!(farm.handle.postponed(&farm.store.title(&id).await.unwrap().unwrap()), None);
}

#[tokio::test]
async fn a_title_name_in_use_is_refused_to_another_source() {
    let farm = Farm::start().await;
    farm.submit().await;
    let mut other = farm.submission();
    other.source.path = "/elsewhere/film.mp4".into();
    let refused = farm.handle.submit(other).await.unwrap_err();
    assert_eq!(refused.code, Code::TitleNameTaken);
    assert_eq!(farm.submit().await.generation, 1, "the same submission again changes nothing");
}

#[tokio::test]
async fn a_scheduler_that_starts_again_carries_on_from_the_store() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let fingerprint = farm.receive(Pool::Light).await;
    farm.complete(&fingerprint, Some(crate::farm::fingerprint())).await;
    let qc = farm.receive(Pool::Cpu).await;
    farm.start_attempt(qc.fence).await;
    farm.beat(qc.fence).await;
    assert_eq!(
        farm.next_control().await,
        ControlMessage::Extended { fence: qc.fence, worker: played(), beat: 1 }
    );
    let (mut farm, recovered) = farm.restart().await;
    assert_eq!(recovered, 1);
    farm.play_to_the_end().await;
    let title = farm.title_reaches(TitleState::Published).await;
    assert_eq!((title.generation, title.source_digest), (1, Some(Digest::of(b"film"))));
    assert_eq!(farm.outcomes(&fingerprint).await, [Some("completed")], "what was done is not done again");
    assert_eq!(farm.outcomes(&qc).await, [Some("released"), Some("completed")]);
    let record = farm.store.task(&qc.task.key).await.unwrap().unwrap();
    assert_eq!((record.failures, record.losses), (0, 0));
}

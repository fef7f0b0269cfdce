//! Titles that share tasks, because they are made from equal bytes.

use reelfarm_model::message::TaskMessage;
use reelfarm_model::{Code, Pool, TaskKey, TaskKind, TitleState};
use reelfarm_scheduler::FarmEvent;
use reelfarm_store::Store as _;

use crate::farm::{Farm, fingerprint, measurements};

/// Which title is told what of a task.
async fn next_about(farm: &mut Farm, task: TaskKey) -> (String, &'static str) {
    loop {
        let (title, about, what) = match farm.next_event().await {
            FarmEvent::TaskStarted { title, task, .. } => (title, task, "started"),
            FarmEvent::TaskProgress { title, task, .. } => (title, task, "went on"),
            FarmEvent::TaskFinished { title, task, .. } => (title, task, "finished"),
            FarmEvent::TitleChanged(_) | FarmEvent::Planned { .. } | FarmEvent::RiskChanged { .. } => {
                continue;
            }
        };
        if about == task {
            return (title.to_string(), what);
        }
    }
}

#[tokio::test]
async fn what_happens_to_a_shared_task_is_told_of_every_title_that_wants_it() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let first = farm.receive(Pool::Light).await;
    farm.complete(&first, Some(fingerprint())).await;
    let qc = farm.receive(Pool::Cpu).await;
    farm.start_attempt(qc.fence).await;
    assert_eq!(next_about(&mut farm, qc.task.key).await, ("film".to_owned(), "started"));

    farm.handle.submit(farm.submission_of("copy")).await.unwrap();
    let second = farm.receive(Pool::Light).await;
    assert_ne!(second.task.key, first.task.key);
    farm.complete(&second, Some(fingerprint())).await;
    assert_eq!(next_about(&mut farm, qc.task.key).await, ("copy".to_owned(), "started"), "it joins");
    farm.beat(qc.fence).await;
    farm.complete(&qc, Some(serde_json::to_value(measurements()).unwrap())).await;
    for what in ["went on", "started", "finished"] {
        for title in ["film", "copy"] {
            assert_eq!(next_about(&mut farm, qc.task.key).await, (title.to_owned(), what));
        }
    }
}

#[tokio::test]
async fn a_title_that_is_cancelled_hears_no_more_of_what_the_others_still_want() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    farm.handle.submit(farm.submission_of("copy")).await.unwrap();
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    while farm.wanting(&encode).await != ["film", "copy"] {
        if let Some(message) = farm.receive_soon().await {
            farm.play(&message).await;
        }
    }
    farm.start_attempt(encode.fence).await;
    farm.handle.cancel("film".parse().unwrap()).await.unwrap();
    farm.beat(encode.fence).await;
    while next_about(&mut farm, encode.task.key).await != ("copy".to_owned(), "went on") {}
}

/// Submits two titles that are made from equal bytes, and plays both as far as the encode that they share, which began
/// before the second came.
async fn two_at_their_encode(farm: &mut Farm) -> TaskMessage {
    farm.submit().await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.start_attempt(encode.fence).await;
    farm.handle.submit(farm.submission_of("copy")).await.unwrap();
    let second = farm.play_until(TaskKind::Fingerprint).await;
    farm.complete(&second, Some(fingerprint())).await;
    farm.reaches("copy", TitleState::Preparing).await;
    assert_eq!(path(&encode), "/films/film.mp4");
    encode
}

fn path(message: &TaskMessage) -> &str {
    message.source.as_ref().unwrap().path.to_str().unwrap()
}

async fn fails_with(farm: &mut Farm, name: &str, code: Code) {
    let title = farm.reaches(name, TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, code);
}

#[tokio::test]
async fn of_two_equal_files_the_loss_of_one_fails_its_own_title_alone() {
    let mut farm = Farm::start().await;
    let encode = two_at_their_encode(&mut farm).await;
    farm.fail(&encode, Code::SourceNotFound).await;
    fails_with(&mut farm, "film", Code::SourceNotFound).await;
    let again = farm.play_until(TaskKind::EncodeVideo).await;
    assert_eq!((again.task.key, again.fence.attempt), (encode.task.key, 2));
    assert_eq!(path(&again), "/films/copy.mp4");
    farm.complete(&again, None).await;
    farm.play_to_the_end().await;
    farm.reaches("copy", TitleState::Published).await;
}

#[tokio::test]
async fn the_loss_of_both_files_fails_both_titles() {
    let mut farm = Farm::start().await;
    let encode = two_at_their_encode(&mut farm).await;
    farm.fail(&encode, Code::SourceChanged).await;
    fails_with(&mut farm, "film", Code::SourceChanged).await;
    let again = farm.play_until(TaskKind::EncodeVideo).await;
    farm.fail(&again, Code::SourceNotFound).await;
    fails_with(&mut farm, "copy", Code::SourceNotFound).await;
    assert_eq!(farm.outcomes(&encode).await, [Some("failed"), Some("failed")]);
}

/// A file that cannot be read now may be readable in a moment: it has its attempts, and so has the other.
#[tokio::test]
async fn an_unreadable_file_has_its_attempts_before_the_other_is_read() {
    let mut farm = Farm::start().await;
    let mut encode = two_at_their_encode(&mut farm).await;
    for attempt in 2..=4 {
        farm.fail(&encode, Code::SourceUnreachable).await;
        encode = farm.play_until(TaskKind::EncodeVideo).await;
        assert_eq!(encode.fence.attempt, attempt);
    }
    fails_with(&mut farm, "film", Code::SourceUnreachable).await;
    assert_eq!(path(&encode), "/films/copy.mp4");
    farm.fail(&encode, Code::SourceUnreadable).await;
    let again = farm.play_until(TaskKind::EncodeVideo).await;
    farm.complete(&again, None).await;
    farm.play_to_the_end().await;
    farm.reaches("copy", TitleState::Published).await;
}

#[tokio::test]
async fn what_is_not_the_sources_fault_fails_every_title_that_needs_it() {
    let mut farm = Farm::start().await;
    let encode = two_at_their_encode(&mut farm).await;
    farm.fail(&encode, Code::EncodeFrameCount).await;
    fails_with(&mut farm, "film", Code::EncodeFrameCount).await;
    fails_with(&mut farm, "copy", Code::EncodeFrameCount).await;
}

/// The title that was submitted last is the one whose file is read.
#[tokio::test]
async fn of_two_equal_files_of_subtitles_the_loss_of_one_fails_its_own_title_alone() {
    let mut farm = Farm::start().await;
    for name in ["first", "second"] {
        farm.handle.submit(farm.submission_with_subtitles(name)).await.unwrap();
    }
    let mut fingerprints = Vec::new();
    for _ in 0..4 {
        fingerprints.push(farm.receive(Pool::Light).await);
    }
    let (of_first, of_second): (Vec<_>, Vec<_>) =
        fingerprints.iter().partition(|message| path(message).starts_with("/films/first."));
    for message in of_second {
        farm.complete(message, Some(fingerprint())).await;
    }
    let subtitles = farm.play_until(TaskKind::Subtitles).await;
    assert_eq!(path(&subtitles), "/films/second.en.srt");
    farm.start_attempt(subtitles.fence).await;
    for message in of_first {
        farm.complete(message, Some(fingerprint())).await;
    }
    while next_about(&mut farm, subtitles.task.key).await != ("first".to_owned(), "started") {}
    farm.fail(&subtitles, Code::SourceNotFound).await;
    fails_with(&mut farm, "second", Code::SourceNotFound).await;
    let again = farm.play_until(TaskKind::Subtitles).await;
    assert_eq!((again.task.key, again.fence.attempt), (subtitles.task.key, 2));
    assert_eq!(path(&again), "/films/first.en.srt");
    farm.complete(&again, None).await;
    farm.play_to_the_end().await;
    farm.reaches("first", TitleState::Published).await;
}

/// Nobody looks for what was missed: the scheduler of these tests looks around only after minutes.
#[tokio::test]
async fn a_ready_task_that_one_title_gives_up_is_done_for_the_other() {
    let farm = Farm::start().await;
    for name in ["film", "copy"] {
        farm.handle.submit(farm.submission_of(name)).await.unwrap();
    }
    let qc = farm.play_until(TaskKind::Qc).await;
    while farm.wanting(&qc).await.len() < 2 {
        if let Some(message) = farm.receive_soon().await {
            farm.play(&message).await;
        }
    }
    farm.offers(0).await;
    farm.play(&qc).await;
    for name in ["film", "copy"] {
        let title = name.parse().unwrap();
        while farm.store.title(&title).await.unwrap().unwrap().state != TitleState::Preparing {
            tokio::task::yield_now().await;
        }
    }
    // Made from another file, it wants other tasks, and those of before are still ready.
    let mut other = farm.submission_of("film");
    other.source.size += 1;
    farm.handle.submit(other).await.unwrap();
    farm.offers(2).await;
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    assert_eq!(farm.wanting(&encode).await, ["copy"]);
}

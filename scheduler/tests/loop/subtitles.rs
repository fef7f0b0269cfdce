//! Files of subtitles are checked with the film, before anything is encoded.

use reelfarm_model::{Code, Pool, TaskKind, TitleState};
use reelfarm_store::Store as _;

use crate::farm::{Farm, measurements};

/// Plays the film to the end of its QC; what comes then is the making of its subtitles.
async fn checked(farm: &Farm) -> reelfarm_model::message::TaskMessage {
    farm.handle.submit(farm.submission_with_subtitles("film")).await.unwrap();
    let qc = farm.play_until(TaskKind::Qc).await;
    farm.complete(&qc, Some(serde_json::to_value(measurements()).unwrap())).await;
    let subtitles = farm.receive(Pool::Light).await;
    assert_eq!(subtitles.task.spec.kind(), TaskKind::Subtitles);
    assert_eq!(subtitles.source.as_ref().unwrap().path.to_str(), Some("/films/film.en.srt"));
    assert!(!has_encodes(farm).await, "nothing is encoded yet");
    subtitles
}

async fn has_encodes(farm: &Farm) -> bool {
    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    tasks.iter().any(|record| record.task.spec.kind() == TaskKind::EncodeVideo)
}

#[tokio::test]
async fn subtitles_that_do_not_fit_the_film_end_it_before_anything_is_encoded() {
    let mut farm = Farm::start().await;
    let subtitles = checked(&farm).await;
    farm.fail(&subtitles, Code::SubtitlesForeign).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::SubtitlesForeign);
    assert!(!has_encodes(&farm).await);
}

#[tokio::test]
async fn subtitles_that_fit_let_the_film_be_encoded() {
    let mut farm = Farm::start().await;
    let subtitles = checked(&farm).await;
    farm.complete(&subtitles, None).await;
    farm.title_reaches(TitleState::Preparing).await;
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
}

#[tokio::test]
async fn a_file_of_subtitles_that_is_gone_ends_the_title_before_its_film_is_measured() {
    let mut farm = Farm::start().await;
    farm.handle.submit(farm.submission_with_subtitles("film")).await.unwrap();
    let fingerprints = [farm.receive(Pool::Light).await, farm.receive(Pool::Light).await];
    let is_of_side_file =
        |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "srt");
    for fingerprint in fingerprints.iter().filter(|task| is_of_side_file(&task.source.as_ref().unwrap().path))
    {
        farm.fail(fingerprint, Code::SourceNotFound).await;
    }
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::SourceNotFound);
}

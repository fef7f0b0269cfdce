//! Titles that QC leaves to people.

use reelfarm_api::Prospect;
use reelfarm_model::message::ControlMessage;
use reelfarm_model::qc::Verdict;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::Submission;
use reelfarm_model::{
    AttemptOutcome, Code, Decision, Digest, Failure, Pool, TaskKind, Title, TitleId, TitleState,
};
use reelfarm_scheduler::FarmEvent;
use reelfarm_scheduler::review::DecisionWish;
use reelfarm_store::Store as _;

use crate::farm::{Farm, PATIENCE};

const ASKED: &str = "missing_language_verdict = \"human\"";

/// The farm's own policy, but that somebody has to say which language a film is in.
fn policy() -> String {
    let policy = reelfarm_qc::BUILT_IN.replace("missing_language_verdict = \"warn\"", ASKED);
    assert!(policy.contains(ASKED));
    policy
}

/// A farm whose workers find no language in any film.
async fn farm() -> Farm {
    let mut farm = Farm::start_with_policy(&policy()).await;
    farm.measured.audio[0].language = None;
    farm
}

fn film() -> TitleId {
    "film".parse().unwrap()
}

/// Plays a title to the end of its QC.
async fn checked(farm: &Farm) {
    for pool in [Pool::Light, Pool::Cpu] {
        let message = farm.receive(pool).await;
        farm.play(&message).await;
    }
}

/// A title that waits for a person.
async fn waits(farm: &mut Farm) -> Title {
    farm.submit().await;
    checked(farm).await;
    farm.title_reaches(TitleState::Review).await
}

fn wish(decision: Decision, why: &str) -> DecisionWish {
    DecisionWish {
        decision,
        why: Some(why.to_owned()),
        asked_ms: None,
        reviewer: Some("night desk".to_owned()),
    }
}

async fn approve(farm: &Farm) -> Result<Title, Failure> {
    farm.handle.decide(film(), wish(Decision::Approved, "it is in Basque")).await
}

async fn reject(farm: &Farm) -> Result<Title, Failure> {
    farm.handle.decide(film(), wish(Decision::Rejected, "nobody knows it")).await
}

/// How often people decided about the film.
async fn decisions(farm: &Farm) -> usize {
    farm.store.reviews(Some(&film()), usize::MAX).await.unwrap().len()
}

async fn now(farm: &Farm) -> Title {
    farm.store.title(&film()).await.unwrap().unwrap()
}

/// The film is over, in the words of the person who rejected it.
fn is_rejected(title: &Title) {
    assert_eq!(title.state, TitleState::Rejected);
    let failure = title.failure.as_ref().unwrap();
    assert_eq!(failure.code, Code::ReviewRejected);
    assert_eq!(failure.message, "night desk rejected it: nobody knows it");
}

/// The next of the events about the film that says how it stands.
async fn next_state(farm: &mut Farm) -> TitleState {
    loop {
        if let FarmEvent::TitleChanged(title) = farm.next_event().await {
            return title.state;
        }
    }
}

/// Another delivery of the film, with other bytes, to the end of its QC.
async fn another_delivery(farm: &Farm) {
    let mut delivered = farm.submission();
    delivered.source.modified_ns += 1;
    farm.handle.submit(delivered).await.unwrap();
    let read = farm.play_until(TaskKind::Fingerprint).await;
    let other =
        Fingerprint { sha256: Digest::of(b"other"), md5: "1".repeat(32), sha1: None, size: 10_000_000 };
    farm.complete(&read, Some(serde_json::to_value(other).unwrap())).await;
    let measure = farm.play_until(TaskKind::Qc).await;
    farm.play(&measure).await;
}

#[tokio::test]
async fn nothing_is_made_of_a_title_until_somebody_has_decided() {
    let mut farm = farm().await;
    let title = waits(&mut farm).await;
    let report = title.report.clone().unwrap();
    assert_eq!(report.verdict, Verdict::Human);
    let asked: Vec<_> = report.checks.iter().filter(|check| check.verdict == Verdict::Human).collect();
    assert!(matches!(asked.as_slice(), [check] if check.code == Code::QcAudioLanguage), "{asked:?}");
    assert!(title.review.is_some_and(|review| review.asked_ms.is_some()));
    assert_eq!(title.source_digest, Some(Digest::of(b"film")));
    assert!(farm.receive_soon().await.is_none(), "nothing of it runs");
    let kinds: Vec<_> =
        farm.store.tasks_of(&film()).await.unwrap().iter().map(|record| record.task.spec.kind()).collect();
    assert_eq!(kinds, [TaskKind::Fingerprint, TaskKind::Qc], "nothing is planned");
    let foreseen = async {
        let prospect = || Some(farm.handle.forecasts().get(&film())?.foreseen.prospect());
        // What changed is foreseen when slots are dealt out the next time.
        for slots in 5.. {
            if prospect() == Some(Prospect::Review) {
                break;
            }
            farm.offers(slots).await;
        }
    };
    tokio::time::timeout(PATIENCE, foreseen).await.unwrap();
    // Submitted in the same way it waits on, and a scheduler that starts anew finds it so.
    assert_eq!(farm.submit().await, title);
    let (farm, _) = farm.restart_with_policy(&policy()).await;
    assert!(farm.receive_soon().await.is_none());
    assert_eq!(now(&farm).await, title);
    assert_eq!(decisions(&farm).await, 0);
}

#[tokio::test]
async fn an_approved_title_is_made_and_to_approve_it_twice_is_to_approve_it_once() {
    let mut farm = farm().await;
    let asked = waits(&mut farm).await.review;
    let approved = approve(&farm).await.unwrap();
    assert_eq!((approved.state, approved.generation), (TitleState::Checking, 1));
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert_eq!(title.review, asked);
    assert_eq!(approve(&farm).await.unwrap().state, TitleState::Preparing);
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
    assert_eq!(approve(&farm).await.unwrap().state, TitleState::Published);
    assert_eq!(reject(&farm).await.unwrap_err().code, Code::TitleStateWrong, "it is online");
    let [record] = farm.store.reviews(None, 9).await.unwrap().try_into().unwrap();
    assert_eq!((record.decision, record.generation), (Decision::Approved, 1));
    assert_eq!(record.reviewer.as_deref(), Some("night desk"));
    assert_eq!(record.why.as_deref(), Some("it is in Basque"));
    assert_eq!((record.source_digest, record.policy.as_str()), (Digest::of(b"film"), "default"));
    assert_eq!(record.questions.iter().map(|asked| asked.code).collect::<Vec<_>>(), [Code::QcAudioLanguage]);

    // The same bytes with other profiles: nobody is asked again.
    let profiles = vec!["dash-clr-2s".to_owned()];
    farm.handle.submit(Submission { profiles, ..farm.submission() }).await.unwrap();
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert_eq!(title.generation, 2);
    assert_eq!(title.review.unwrap().asked_ms, None);
    assert_eq!(decisions(&farm).await, 1);
}

#[tokio::test]
async fn a_rejected_source_is_rejected_again_in_the_same_words_without_asking() {
    let mut farm = farm().await;
    waits(&mut farm).await;
    is_rejected(&reject(&farm).await.unwrap());
    is_rejected(&reject(&farm).await.unwrap());
    assert_eq!(decisions(&farm).await, 1, "to reject it twice is to reject it once");
    is_rejected(&farm.title_reaches(TitleState::Rejected).await);
    for generation in 2..4 {
        let submitted = match generation {
            2 => farm.submit().await,
            _ => farm.handle.retry_title(film()).await.unwrap(),
        };
        assert_eq!((submitted.generation, submitted.state), (generation, TitleState::Checking));
        while next_state(&mut farm).await == TitleState::Checking {}
        is_rejected(&now(&farm).await);
    }
    assert!(farm.receive_soon().await.is_none());
    assert_eq!(decisions(&farm).await, 1);
    // Other bytes are judged by themselves.
    another_delivery(&farm).await;
    let asked = farm.title_reaches(TitleState::Review).await;
    assert_eq!(asked.source_digest, Some(Digest::of(b"other")));
    // With the language there is nothing to ask about, in the film that was rejected either.
    let named = Submission { audio_language: Some("eu".to_owned()), ..farm.submission() };
    farm.handle.submit(named).await.unwrap();
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert_eq!((title.source_digest, title.review), (Some(Digest::of(b"film")), None));
}

#[tokio::test]
async fn another_policy_asks_anew() {
    let mut farm = farm().await;
    waits(&mut farm).await;
    approve(&farm).await.unwrap();
    farm.title_reaches(TitleState::Preparing).await;
    let other = format!("# other words\n{}", policy());
    let (mut farm, _) = farm.restart_with_policy(&other).await;
    let profiles = vec!["dash-clr-2s".to_owned()];
    farm.handle.submit(Submission { profiles, ..farm.submission() }).await.unwrap();
    let asked = farm.title_reaches(TitleState::Review).await;
    assert_eq!(asked.review.unwrap().policy_digest, Digest::of(other.as_bytes()));
    // What waits is judged by the policy of a scheduler that starts: here one that asks, and one that does not.
    let (mut farm, _) = farm.restart_with_policy(&policy()).await;
    farm.title_reaches(TitleState::Preparing).await;
    another_delivery(&farm).await;
    farm.title_reaches(TitleState::Review).await;
    let (mut farm, _) = farm.restart().await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert_eq!(title.report.unwrap().verdict, Verdict::Warn);
    assert_eq!(decisions(&farm).await, 1);
}

#[tokio::test]
async fn a_mistake_can_be_mended_until_the_title_is_online() {
    let mut farm = farm().await;
    waits(&mut farm).await;
    approve(&farm).await.unwrap();
    let encode = farm.play_until(TaskKind::EncodeVideo).await;
    farm.start_attempt(encode.fence).await;
    is_rejected(&reject(&farm).await.unwrap());
    while farm.next_control().await != (ControlMessage::Stop { fence: encode.fence, worker: None }) {}
    assert_eq!(farm.outcomes(&encode).await, [Some("cancelled")]);
    let again = approve(&farm).await.unwrap();
    assert_eq!((again.generation, again.state), (2, TitleState::Checking));
    farm.finish(encode.fence, AttemptOutcome::Released).await;
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Rejected).await;
    assert_eq!(farm.title_reaches(TitleState::Published).await.generation, 2);
    let taken: Vec<_> = farm.store.reviews(Some(&film()), 9).await.unwrap();
    let taken: Vec<_> = taken.iter().map(|record| (record.generation, record.decision)).collect();
    assert_eq!(taken, [(2, Decision::Approved), (1, Decision::Rejected), (1, Decision::Approved)]);
}

#[tokio::test]
async fn what_a_rejected_title_has_copied_is_taken_away() {
    let mut farm = farm().await;
    waits(&mut farm).await;
    approve(&farm).await.unwrap();
    let upload = farm.play_until(TaskKind::Upload).await;
    farm.start_attempt(upload.fence).await;
    assert_eq!(reject(&farm).await.unwrap().state, TitleState::Withdrawing);
    assert_eq!(reject(&farm).await.unwrap().state, TitleState::Withdrawing);
    farm.finish(upload.fence, AttemptOutcome::Released).await;
    let withdraw = farm.play_until(TaskKind::Withdraw).await;
    farm.complete(&withdraw, None).await;
    is_rejected(&farm.title_reaches(TitleState::Rejected).await);
}

#[tokio::test]
async fn a_title_that_waits_for_a_person_can_be_held_and_cancelled() {
    let mut farm = farm().await;
    waits(&mut farm).await;
    assert!(farm.handle.hold(film(), true).await.unwrap().held);
    let approved = approve(&farm).await.unwrap();
    assert!(approved.held);
    farm.title_reaches(TitleState::Preparing).await;
    assert!(farm.receive_soon().await.is_none(), "it is held");
    farm.handle.hold(film(), false).await.unwrap();
    another_delivery(&farm).await;
    farm.title_reaches(TitleState::Review).await;
    farm.handle.cancel(film()).await.unwrap();
    farm.title_reaches(TitleState::Cancelled).await;
    assert_eq!(approve(&farm).await.unwrap_err().code, Code::TitleStateWrong);
    farm.handle.retry_title(film()).await.unwrap();
    farm.title_reaches(TitleState::Review).await;
}

#[tokio::test]
async fn nobody_is_asked_about_a_title_that_comes_to_nothing_anyway() {
    let mut farm = farm().await;
    farm.handle.submit(farm.submission_with_subtitles("film")).await.unwrap();
    let qc = farm.play_until(TaskKind::Qc).await;
    farm.play(&qc).await;
    let subtitles = farm.play_until(TaskKind::Subtitles).await;
    farm.fail(&subtitles, Code::SubtitlesForeign).await;
    let mut states = Vec::new();
    while states.last() != Some(&TitleState::Failed) {
        states.push(next_state(&mut farm).await);
    }
    assert!(!states.contains(&TitleState::Review), "{states:?}");
}

#[tokio::test]
async fn what_cannot_be_decided_is_refused_and_changes_nothing() {
    let mut farm = farm().await;
    assert_eq!(approve(&farm).await.unwrap_err().code, Code::TitleNotFound);
    farm.submit().await;
    let refused = approve(&farm).await.unwrap_err();
    assert_eq!(refused.code, Code::TitleStateWrong);
    assert!(refused.message.contains("is checking and cannot be approved"), "{refused}");
    checked(&farm).await;
    let title = farm.title_reaches(TitleState::Review).await;
    let asked_ms = title.review.unwrap().asked_ms;
    let decide = async |wish: DecisionWish| farm.handle.decide(film(), wish).await.unwrap_err().code;
    let silent = DecisionWish { why: None, ..wish(Decision::Rejected, "") };
    assert_eq!(decide(silent).await, Code::RequestInvalid);
    for why in ["", "two\nlines", &"x".repeat(201)] {
        assert_eq!(decide(wish(Decision::Approved, why)).await, Code::RequestInvalid);
    }
    let outdated = DecisionWish { asked_ms: Some(7), ..wish(Decision::Approved, "a look at it") };
    assert_eq!(decide(outdated).await, Code::ReviewOutdated);
    assert_eq!(now(&farm).await, title);
    assert_eq!(decisions(&farm).await, 0);
    let this = DecisionWish { asked_ms, ..wish(Decision::Approved, "a look at it") };
    assert_eq!(farm.handle.decide(film(), this).await.unwrap().state, TitleState::Checking);
    let wrong = farm.handle.retry_title(film()).await.unwrap_err();
    assert_eq!(wrong.code, Code::TitleStateWrong);
}

#[tokio::test]
async fn a_measurement_that_is_made_again_asks_again() {
    let mut farm = farm().await;
    let first = waits(&mut farm).await;
    let tasks = farm.store.tasks_of(&film()).await.unwrap();
    let qc = tasks.iter().find(|record| record.task.spec.kind() == TaskKind::Qc).unwrap().task.key;
    let again = reelfarm_scheduler::Again::Task(qc);
    let retried = farm.handle.retry_part(film(), again).await.unwrap();
    assert_eq!((retried.title.state, retried.title.generation), (TitleState::Checking, 1));
    let measure = farm.play_until(TaskKind::Qc).await;
    let first_ms = first.review.unwrap().asked_ms;
    while Some(farm.store.now_ms().await.unwrap()) <= first_ms {}
    farm.play(&measure).await;
    let second = farm.title_reaches(TitleState::Review).await;
    assert!(second.review.unwrap().asked_ms > first_ms);
    // What was found otherwise asks for nothing.
    farm.handle.retry_part(film(), reelfarm_scheduler::Again::Task(qc)).await.unwrap();
    farm.measured.audio[0].language = Some("eus".to_owned());
    let measure = farm.play_until(TaskKind::Qc).await;
    farm.play(&measure).await;
    farm.title_reaches(TitleState::Preparing).await;
}

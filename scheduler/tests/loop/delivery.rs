//! What is delivered with a film: its checksums, and a QC report that somebody else made.

use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::Submission;
use reelfarm_model::{
    Checksum, ChecksumAlgorithm, Code, Decision, Digest, Ladder, Pool, StatedChecksum, TaskKind, TaskSpec,
    TitleState,
};
use reelfarm_qc::Policy;
use reelfarm_qc::delivery::Delivery;
use reelfarm_scheduler::review::DecisionWish;
use reelfarm_store::Store as _;

use crate::farm::{Farm, measurements};

/// What the farm's worker finds of every film, and SHA-1 with it.
fn found() -> Fingerprint {
    Fingerprint {
        sha256: Digest::of(b"film"),
        md5: "0".repeat(32),
        sha1: Some("1".repeat(40)),
        size: 10_000_000,
    }
}

/// A checksum that the film has.
fn right(algorithm: ChecksumAlgorithm) -> StatedChecksum {
    let checksum = Checksum::new(algorithm, &found().value(algorithm).unwrap()).unwrap();
    StatedChecksum { checksum, stated_in: format!("film.mp4.{}", algorithm.as_str()) }
}

fn wrong(algorithm: ChecksumAlgorithm) -> StatedChecksum {
    let checksum = Checksum::new(algorithm, &"f".repeat(algorithm.digits())).unwrap();
    StatedChecksum { checksum, ..right(algorithm) }
}

fn with(farm: &Farm, checksums: Vec<StatedChecksum>) -> Submission {
    Submission { checksums, ..farm.submission() }
}

/// The film's report as another farm made it.
fn report() -> QcReport {
    let policy = Policy::parse("qc.toml", reelfarm_qc::BUILT_IN).unwrap();
    let ladder = Ladder::parse("fast.toml", include_str!("../../../ladders/fast.toml")).unwrap();
    let report = reelfarm_qc::evaluate(&policy, &measurements(), &ladder, None);
    QcReport { policy: "elsewhere".to_owned(), source_sha256: Some(found().sha256), ..report }
}

/// A report that leaves it to a person that the film has no checksum.
fn report_that_asks() -> QcReport {
    let policy = Policy::parse("qc.toml", &policy_that_asks()).unwrap();
    let report = Delivery { found: &found(), stated: &[] }.complete(&policy, report()).unwrap();
    assert_eq!(report.verdict, Verdict::Human);
    report
}

/// The farm's own policy, but that it leaves films without a checksum to people.
fn policy_that_asks() -> String {
    let open = "required = false\nmissing_verdict = \"warn\"";
    let asks = reelfarm_qc::BUILT_IN.replace(open, "required = true\nmissing_verdict = \"human\"");
    assert_ne!(asks, reelfarm_qc::BUILT_IN);
    asks
}

fn external(farm: &Farm, report: QcReport) -> Submission {
    Submission { qc_report: Some(Box::new(report)), ..farm.submission() }
}

/// The kinds of the title's tasks.
async fn kinds(farm: &Farm) -> Vec<TaskKind> {
    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    tasks.iter().map(|record| record.task.spec.kind()).collect()
}

async fn decide(farm: &Farm, decision: Decision) {
    let why = Some("it was agreed by telephone".to_owned());
    let wish = DecisionWish { decision, why, asked_ms: None, reviewer: None };
    farm.handle.decide("film".parse().unwrap(), wish).await.unwrap();
}

#[tokio::test]
async fn a_film_that_has_its_checksums_is_made_and_its_report_says_so() {
    let mut farm = Farm::start().await;
    farm.handle.submit(with(&farm, ChecksumAlgorithm::ALL.map(right).into())).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    assert!(matches!(&read.task.spec, TaskSpec::Fingerprint(spec) if spec.sha1), "{:?}", read.task.spec);
    farm.complete(&read, Some(serde_json::to_value(found()).unwrap())).await;
    let qc = farm.receive(Pool::Cpu).await;
    farm.play(&qc).await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    let report = title.report.unwrap();
    assert_eq!((report.checks[0].code, report.checks[0].verdict), (Code::QcChecksum, Verdict::Pass));
    assert_eq!((report.source_sha256, report.external), (Some(found().sha256), false));
}

#[tokio::test]
async fn a_film_that_is_not_what_was_sent_is_rejected_without_being_measured() {
    let mut farm = Farm::start().await;
    farm.handle.submit(with(&farm, vec![wrong(ChecksumAlgorithm::Md5)])).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    farm.play(&read).await;
    let title = farm.title_reaches(TitleState::Rejected).await;
    let failure = title.failure.unwrap();
    assert_eq!(failure.code, Code::QcChecksum);
    for part in [&"0".repeat(32), &"f".repeat(32), "film.mp4.md5", "sent again"] {
        assert!(failure.message.contains(part), "{failure}");
    }
    assert_eq!(kinds(&farm).await, [TaskKind::Fingerprint]);
    // The right one, by another algorithm that was read all the same: nothing is read anew.
    farm.handle.submit(with(&farm, vec![right(ChecksumAlgorithm::Sha256)])).await.unwrap();
    let qc = farm.receive(Pool::Cpu).await;
    assert_eq!(qc.task.spec.kind(), TaskKind::Qc);
    farm.play(&qc).await;
    farm.title_reaches(TitleState::Preparing).await;
}

#[tokio::test]
async fn digests_of_before_do_not_stand_for_an_algorithm_that_was_not_asked_for() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    farm.play_until(TaskKind::EncodeVideo).await;
    farm.title_reaches(TitleState::Preparing).await;
    farm.handle.submit(with(&farm, vec![wrong(ChecksumAlgorithm::Sha1)])).await.unwrap();
    let read = farm.play_until(TaskKind::Fingerprint).await;
    assert!(matches!(&read.task.spec, TaskSpec::Fingerprint(spec) if spec.sha1));
    farm.complete(&read, Some(serde_json::to_value(found()).unwrap())).await;
    let title = farm.title_reaches(TitleState::Rejected).await;
    assert_eq!(title.failure.unwrap().code, Code::QcChecksum);
}

#[tokio::test]
async fn a_policy_can_ask_for_a_checksum() {
    let mut farm = Farm::start_with_policy(&policy_that_asks()).await;
    farm.submit().await;
    for pool in [Pool::Light, Pool::Cpu] {
        let message = farm.receive(pool).await;
        farm.play(&message).await;
    }
    let title = farm.title_reaches(TitleState::Review).await;
    assert_eq!(title.report.unwrap().checks[0].verdict, Verdict::Human);
    farm.handle.submit(with(&farm, vec![right(ChecksumAlgorithm::Md5)])).await.unwrap();
    farm.title_reaches(TitleState::Preparing).await;
}

#[tokio::test]
async fn an_external_report_takes_the_place_of_the_farms_own() {
    let mut farm = Farm::start().await;
    farm.handle.submit(external(&farm, report())).await.unwrap();
    farm.play_to_the_end().await;
    let title = farm.title_reaches(TitleState::Published).await;
    let report = title.report.unwrap();
    assert_eq!((report.external, report.policy.as_str()), (true, "elsewhere"));
    assert_eq!(report.conclusion, self::report().conclusion);
    let kinds = kinds(&farm).await;
    assert!(!kinds.contains(&TaskKind::Qc) && kinds.contains(&TaskKind::EncodeVideo), "{kinds:?}");
}

#[tokio::test]
async fn an_external_report_on_other_bytes_is_refused() {
    let mut farm = Farm::start().await;
    let foreign = QcReport { source_sha256: Some(Digest::of(b"other")), ..report() };
    farm.handle.submit(external(&farm, foreign)).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    farm.play(&read).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    let failure = title.failure.unwrap();
    assert_eq!(failure.code, Code::ExternalReportForeign);
    for digest in [found().sha256, Digest::of(b"other")] {
        assert!(failure.message.contains(&digest.to_string()), "{failure}");
    }
    assert_eq!(kinds(&farm).await, [TaskKind::Fingerprint]);
    // Without it the farm looks for itself.
    farm.submit().await;
    assert_eq!(farm.receive(Pool::Cpu).await.task.spec.kind(), TaskKind::Qc);
}

#[tokio::test]
async fn an_external_report_that_does_not_fit_the_title_is_refused_wherever_it_came_in() {
    let mut farm = Farm::start().await;
    let odd = QcReport { ladder: "best".to_owned(), ..report() };
    farm.handle.submit(external(&farm, odd)).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    farm.play(&read).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::ExternalReportInvalid);
}

#[tokio::test]
async fn an_external_report_rejects_as_the_farms_own_does() {
    let mut farm = Farm::start().await;
    let mut rejects = report();
    rejects.checks[0].verdict = Verdict::Reject;
    (rejects.verdict, rejects.conclusion) = (Verdict::Reject, None);
    let code = rejects.checks[0].code;
    farm.handle.submit(external(&farm, rejects)).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    farm.play(&read).await;
    let title = farm.title_reaches(TitleState::Rejected).await;
    assert_eq!(title.failure.unwrap().code, code);
    // So does a checksum that the film does not have, whatever the report says.
    let differs = Submission { checksums: vec![wrong(ChecksumAlgorithm::Md5)], ..external(&farm, report()) };
    farm.handle.submit(differs).await.unwrap();
    let title = farm.title_reaches(TitleState::Rejected).await;
    assert_eq!(title.failure.unwrap().code, Code::QcChecksum);
    assert!(title.report.unwrap().external);
}

#[tokio::test]
async fn what_an_external_report_leaves_to_people_is_asked_once_whatever_the_farms_policy() {
    let mut farm = Farm::start().await;
    farm.handle.submit(external(&farm, report_that_asks())).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    farm.play(&read).await;
    let heard = farm.title_reaches(TitleState::Review).await;
    assert_eq!(heard.submission.qc_report, None, "events leave it out");
    let asked = farm.store.title(&"film".parse().unwrap()).await.unwrap().unwrap();
    assert!(asked.submission.qc_report.is_some());
    // Another policy of the farm's changes nothing of what is asked.
    let (mut farm, _) = farm.restart_with_policy(&policy_that_asks()).await;
    assert!(farm.receive_soon().await.is_none());
    let now = farm.store.title(&"film".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(now, asked);
    decide(&farm, Decision::Approved).await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert!(title.report.unwrap().external);
    // Another report asks anew.
    let another = QcReport { policy: "a third".to_owned(), ..report_that_asks() };
    farm.handle.submit(external(&farm, another)).await.unwrap();
    farm.title_reaches(TitleState::Review).await;
}

#[tokio::test]
async fn a_checksum_that_the_farm_asks_for_beside_an_external_report_is_a_question_of_its_policy() {
    let mut farm = Farm::start_with_policy(&policy_that_asks()).await;
    farm.handle.submit(external(&farm, report())).await.unwrap();
    let read = farm.receive(Pool::Light).await;
    farm.play(&read).await;
    farm.title_reaches(TitleState::Review).await;
    let (mut farm, _) = farm.restart().await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert!(title.report.unwrap().external);
}

#[tokio::test]
async fn an_external_report_that_asks_nothing_does_not_take_a_rejection_back() {
    let mut farm = Farm::start_with_policy(&policy_that_asks()).await;
    farm.submit().await;
    for pool in [Pool::Light, Pool::Cpu] {
        let message = farm.receive(pool).await;
        farm.play(&message).await;
    }
    farm.title_reaches(TitleState::Review).await;
    decide(&farm, Decision::Rejected).await;
    farm.title_reaches(TitleState::Rejected).await;
    let passing = Submission { checksums: vec![right(ChecksumAlgorithm::Md5)], ..external(&farm, report()) };
    farm.handle.submit(passing).await.unwrap();
    let asked = farm.title_reaches(TitleState::Review).await;
    assert_ne!(asked.report.unwrap().verdict, Verdict::Human, "the report asks nothing");
    decide(&farm, Decision::Approved).await;
    farm.title_reaches(TitleState::Preparing).await;
}

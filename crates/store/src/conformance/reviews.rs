//! Titles that QC leaves to people, and what these decide.

use std::collections::BTreeSet;

use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::{
    Code, Decision, Digest, Failure, Question, Review, ReviewRecord, TaskState, Title, TitleId, TitleState,
};

use super::fixtures::{
    LONG, dispatch, failure, finish, hold, key, planned, reprofiled, start, state, submission, submit,
    submit_and_plan, title, to,
};
use crate::changes::TitleChange;
use crate::error::StoreError;
use crate::records::{Expedite, Expedited, Ruling};
use crate::report::RetryDecision;
use crate::store::Store;

fn policy() -> Digest {
    Digest::of(b"policy")
}

fn ruling(why: &str) -> Ruling {
    Ruling {
        reviewer: Some("night desk".to_owned()),
        why: Some(why.to_owned()),
        source_digest: Digest::of(b"film"),
        policy: "default".to_owned(),
        policy_digest: policy(),
        questions: BTreeSet::from([Question { code: Code::QcAudioLanguage, name: "language \0".to_owned() }]),
    }
}

fn asking() -> TitleChange {
    let report = QcReport {
        schema: 1,
        source_sha256: None,
        external: false,
        policy: "default".to_owned(),
        ladder: "default".to_owned(),
        verdict: Verdict::Human,
        checks: Vec::new(),
        conclusion: None,
    };
    TitleChange {
        source_digest: Some(Digest::of(b"film")),
        report: Some(report),
        policy_digest: Some(policy()),
        ..to(TitleState::Review)
    }
}

fn rejecting() -> TitleChange {
    let failure = Failure::new(Code::ReviewRejected, "night desk rejected it");
    TitleChange { failure: Some(failure), ..to(TitleState::Rejected) }
}

async fn now<S: Store>(store: &S, title: &TitleId) -> Title {
    store.title(title).await.expect("asked").expect("known")
}

/// Has a title of the first generation wait for a person.
async fn ask<S: Store>(store: &S, title: &TitleId) {
    let asked = store.advance(title, 1, TitleState::Checking, asking()).await;
    asked.expect("asked").expect("changed");
}

async fn decided<S: Store>(store: &S, title: &str) -> Vec<ReviewRecord> {
    store.reviews(Some(&super::fixtures::title(title)), usize::MAX).await.expect("asked")
}

/// It is told by which policy it was judged, and since when somebody is asked; nothing of it is at work meanwhile.
pub async fn a_title_that_waits_for_a_person_says_since_when<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let kept = start(store, 1).await;
    // The same source with other profiles: the attempt goes on until it is known whether it is wanted.
    store.submit(&reprofiled(submission("film", 0), 1)).await.expect("submitted");
    let before = store.now_ms().await.expect("asked");
    assert_eq!(store.counts().await.expect("asked").asked_ms, None);
    let advanced = store.advance(&film, 2, TitleState::Checking, asking()).await.expect("asked");
    assert_eq!(advanced.expect("changed").stopped, [kept]);
    let waits = now(store, &film).await;
    let asked_ms = waits.review.and_then(|review| review.asked_ms).expect("somebody is asked");
    assert!(before <= asked_ms && asked_ms <= store.now_ms().await.expect("asked"));
    assert_eq!(
        (waits.state, waits.review.map(|review| review.policy_digest)),
        (TitleState::Review, Some(policy()))
    );
    assert_eq!(waits.report.map(|report| report.verdict), Some(Verdict::Human));
    assert_eq!(store.live_titles().await.expect("asked").len(), 1);
    // The longest wait is counted, and holding it begins no other.
    submit(store, "later").await;
    ask(store, &title("later")).await;
    hold(store, &film, true).await;
    let counts = store.counts().await.expect("asked");
    assert_eq!((counts.asked_ms, counts.titles[&TitleState::Review]), (Some(asked_ms), 2));
    // The same submission leaves it waiting, and another begins anew.
    let same = store.submit(&reprofiled(submission("film", 0), 1)).await.expect("submitted");
    assert_eq!(same.title, now(store, &film).await);
    let other = store.submit(&submission("film", 0)).await.expect("submitted");
    assert_eq!((other.title.state, other.title.review, other.title.held), (TitleState::Checking, None, true));
    assert_eq!(now(store, &film).await, other.title);
}

/// It may be held, and may be expedited for when it goes on.
pub async fn a_title_that_waits_for_a_person_may_be_steered<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    ask(store, &film).await;
    hold(store, &film, true).await;
    hold(store, &film, false).await;
    let wish = Expedite { route: "main".into(), per_day: 1, requester: None, why: "tonight".into() };
    assert!(matches!(store.expedite(&film, &wish).await.expect("asked"), Expedited::Done(_)));
    let advanced = store.advance(&film, 1, TitleState::Review, to(TitleState::Cancelled)).await;
    assert!(advanced.expect("asked").is_some());
    assert_eq!(now(store, &film).await.expedited_ms, None);
}

/// The generation is the same, and so is what was found of it.
pub async fn an_approved_title_is_checked_again<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    finish(store, 1).await;
    ask(store, &film).await;
    let waits = now(store, &film).await;
    let approved = store.approve(&film, 1, TitleState::Review, &ruling("a \0 night scene")).await;
    let approved = approved.expect("asked").expect("it waited");
    assert_eq!(approved.stopped, []);
    assert_eq!(approved.title, now(store, &film).await);
    assert_eq!(
        approved.title,
        Title { state: TitleState::Checking, changed_ms: approved.title.changed_ms, ..waits.clone() }
    );
    assert_eq!(state(store, 1).await, TaskState::Done);
    let [record] = decided(store, "film").await.try_into().expect("one decision");
    assert_eq!(
        record,
        ReviewRecord {
            title: film.clone(),
            number: 1,
            decided_ms: record.decided_ms,
            generation: 1,
            decision: Decision::Approved,
            reviewer: Some("night desk".to_owned()),
            why: record.why.clone(),
            source_digest: Digest::of(b"film"),
            policy: "default".to_owned(),
            policy_digest: policy(),
            questions: ruling("").questions,
        }
    );
    assert!(record.why.is_some_and(|why| why.ends_with(" night scene")));
    assert!(record.decided_ms >= waits.review.and_then(|review| review.asked_ms).expect("asked"));
    // That it was asked about stays with the submission, and nobody is waited for any more.
    let change = TitleChange { policy_digest: Some(policy()), ..to(TitleState::Preparing) };
    store.advance(&film, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    assert_eq!(now(store, &film).await.review, waits.review);
    assert_eq!(store.counts().await.expect("asked").asked_ms, None);
}

/// Whoever rejects a title that was approved has it stopped.
pub async fn a_rejected_title_is_over<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let change = TitleChange { policy_digest: Some(policy()), ..to(TitleState::Preparing) };
    store.advance(&film, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    let unasked = now(store, &film).await.review;
    assert_eq!(unasked, Some(Review { policy_digest: policy(), asked_ms: None }));
    let running = start(store, 1).await;
    let rejected = store.reject(&film, 1, TitleState::Preparing, &ruling("a logo"), rejecting()).await;
    let rejected = rejected.expect("asked").expect("it was being prepared");
    assert_eq!(rejected.stopped, [running]);
    assert_eq!(rejected.title, now(store, &film).await);
    assert_eq!(rejected.title.state, TitleState::Rejected);
    assert_eq!(rejected.title.failure, rejecting().failure);
    assert_eq!((state(store, 1).await, state(store, 2).await), (TaskState::Cancelled, TaskState::Cancelled));
    let [record] = decided(store, "film").await.try_into().expect("one decision");
    assert_eq!((record.decision, record.why.as_deref()), (Decision::Rejected, Some("a logo")));
    // One that left something at the origin has that taken away first.
    let left = submit(store, "left").await;
    ask(store, &left).await;
    let change =
        TitleChange { leftovers: Some(true), failure: Some(failure("a")), ..to(TitleState::Withdrawing) };
    let rejected = store.reject(&left, 1, TitleState::Review, &ruling("a logo"), change).await;
    assert_eq!(rejected.expect("asked").expect("it waited").title.state, TitleState::Withdrawing);
}

/// A mistake can be mended: the title begins anew, and the approval is that of the new submission.
pub async fn an_approval_of_a_rejected_title_submits_it_anew<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    ask(store, &film).await;
    store
        .reject(&film, 1, TitleState::Review, &ruling("a"), rejecting())
        .await
        .expect("asked")
        .expect("it waited");
    let approved = store.approve(&film, 1, TitleState::Rejected, &ruling("b")).await.expect("asked");
    let approved = approved.expect("it was rejected").title;
    assert_eq!((approved.generation, approved.state), (2, TitleState::Checking));
    assert_eq!((approved.failure.clone(), approved.review), (None, None));
    assert_eq!(approved, now(store, &film).await);
    let records = decided(store, "film").await;
    let told: Vec<_> =
        records.iter().map(|record| (record.number, record.generation, record.decision)).collect();
    assert_eq!(told, [(2, 2, Decision::Approved), (1, 1, Decision::Rejected)]);
}

/// Two who decide at a time do not both do so, and what does not wait for a decision gets none.
pub async fn a_decision_needs_the_right_generation_and_state<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let (approve, reject) = (ruling("a"), ruling("b"));
    ask(store, &film).await;
    let before = now(store, &film).await;
    for (name, generation) in [("film", 2), ("film", 0), ("nobody", 1)] {
        let (title, from) = (title(name), TitleState::Review);
        assert_eq!(store.approve(&title, generation, from, &approve).await.expect("asked"), None);
        assert_eq!(store.reject(&title, generation, from, &reject, rejecting()).await.expect("asked"), None);
        assert_eq!(store.recheck(&title, generation).await.expect("asked"), None);
    }
    assert_eq!(store.approve(&film, 1, TitleState::Rejected, &approve).await.expect("asked"), None);
    for from in TitleState::ALL {
        if !matches!(from, TitleState::Review | TitleState::Rejected) {
            let refused = store.approve(&film, 1, from, &approve).await.expect_err("refused");
            assert!(matches!(refused, StoreError::ForbiddenTransition { .. }), "{from:?}");
        }
    }
    let change = to(TitleState::Published);
    let refused = store.reject(&film, 1, TitleState::Review, &reject, change).await.expect_err("refused");
    assert!(matches!(refused, StoreError::ForbiddenTransition { .. }), "{refused}");
    assert_eq!(now(store, &film).await, before);
    assert_eq!(decided(store, "film").await, []);
    assert!(store.approve(&film, 1, TitleState::Review, &approve).await.expect("asked").is_some());
    let late = store.reject(&film, 1, TitleState::Review, &reject, rejecting()).await;
    assert_eq!(late.expect("asked"), None, "somebody else was first");
    assert_eq!(decided(store, "film").await.len(), 1);
}

/// What people decided is kept, whatever becomes of the titles.
pub async fn decisions_are_listed_the_latest_first<S: Store>(store: &S) {
    for name in ["a", "b"] {
        submit(store, name).await;
        ask(store, &title(name)).await;
    }
    store.approve(&title("a"), 1, TitleState::Review, &ruling("a")).await.expect("asked").expect("it waited");
    let before = store.now_ms().await.expect("asked");
    while store.now_ms().await.expect("asked") <= before {}
    let anonymous = Ruling { reviewer: None, why: None, ..ruling("") };
    store
        .reject(&title("b"), 1, TitleState::Review, &anonymous, rejecting())
        .await
        .expect("asked")
        .expect("it waited");
    store.submit(&submission("b", 1)).await.expect("submitted");
    let all = store.reviews(None, usize::MAX).await.expect("asked");
    let told: Vec<_> = all.iter().map(|record| (record.title.as_str(), record.decision)).collect();
    assert_eq!(told, [("b", Decision::Rejected), ("a", Decision::Approved)]);
    assert_eq!((all[0].reviewer.as_deref(), all[0].why.as_deref()), (None, None));
    assert_eq!(store.reviews(None, 1).await.expect("asked"), all[..1]);
    assert_eq!(decided(store, "b").await, all[..1]);
    assert_eq!(decided(store, "nobody").await, []);
}

/// What was judged by what has changed is judged again, and nobody has decided.
pub async fn a_title_that_waits_for_a_person_is_checked_again_where_something_changed<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    finish(store, 1).await;
    ask(store, &film).await;
    let rechecked = store.recheck(&film, 1).await.expect("asked").expect("it waited");
    assert_eq!((rechecked.state, rechecked.generation), (TitleState::Checking, 1));
    assert_eq!(rechecked, now(store, &film).await);
    assert_eq!(store.recheck(&film, 1).await.expect("asked"), None, "it waits for nobody");
    // What asks nothing of it leaves no trace of what did.
    let unasked = submit(store, "unasked").await;
    ask(store, &unasked).await;
    store.recheck(&unasked, 1).await.expect("asked").expect("it waited");
    let change = to(TitleState::Preparing);
    store.advance(&unasked, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    assert_eq!(now(store, &unasked).await.review, None);
    ask(store, &film).await;
    // A task that is done again may change what was asked.
    let retried = store.retry_tasks(&film, &[key(1)].into()).await.expect("asked").expect("one of its tasks");
    assert_eq!((retried.title.state, retried.title.generation), (TitleState::Checking, 1));
    assert_eq!(retried.title, now(store, &film).await);
    dispatch(store, 1, LONG).await;
    assert_eq!(decided(store, "film").await, []);
}

/// Titles as QC and people leave them, with a failure of one's task: what an older program cannot read all of.
pub async fn what_an_older_program_knows_nothing_of<S: Store>(store: &S) {
    submit(store, "asked").await;
    ask(store, &title("asked")).await;
    for (name, ends) in [("made", false), ("online", true)] {
        let film = submit(store, name).await;
        ask(store, &film).await;
        let approved = store.approve(&film, 1, TitleState::Review, &ruling("a")).await;
        approved.expect("asked").expect("it waited");
        let planned = TitleChange { to: Some(TitleState::Preparing), ..asking() };
        store.advance(&film, 1, TitleState::Checking, planned).await.expect("asked").expect("changed");
        if ends {
            let published = store.advance(&film, 1, TitleState::Preparing, to(TitleState::Published)).await;
            published.expect("asked").expect("changed");
        }
    }
    let refused = submit(store, "refused").await;
    ask(store, &refused).await;
    let rejected = store.reject(&refused, 1, TitleState::Review, &ruling("a"), rejecting()).await;
    rejected.expect("asked").expect("it waited");
    let failed = submit_and_plan(store, "failed", &[planned(1, &[])]).await;
    let fence = start(store, 1).await;
    let otherwise = Failure::new(Code::EncodeNotAsReported, "another film");
    let ended = store.fail(&fence, &otherwise, RetryDecision::Never).await;
    ended.expect("asked").expect("it was under way");
    let change = TitleChange { failure: Some(otherwise), ..to(TitleState::Failed) };
    store.advance(&failed, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    let older = submit(store, "older").await;
    let change = TitleChange { failure: Some(failure("older")), ..to(TitleState::Failed) };
    store.advance(&older, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
}

/// The state of each of those titles after the way down, whether it has a report, and its failure's code.
const AS_AN_OLDER_PROGRAM_READS: [(&str, &str, bool, Option<&str>); 6] = [
    ("asked", "checking", false, None),
    ("failed", "failed", false, Some("RF-INT-001")),
    ("made", "checking", false, None),
    ("older", "failed", false, Some("RF-ENC-001")),
    ("online", "published", false, None),
    ("refused", "rejected", false, Some("RF-INT-001")),
];

/// A title's name, state, report and failure, as its row holds them.
pub type TitleRow = (String, String, Option<String>, Option<String>);

/// Those titles after the way down, in the order of their names, with the failures that the rows of tasks and of attempts hold.
pub fn are_read_by_an_older_program(titles: &[TitleRow], failures: [Vec<String>; 2]) {
    let code = |failure: &str| {
        let failure: serde_json::Value = serde_json::from_str(failure).expect("a failure");
        failure["code"].as_str().expect("a code").to_owned()
    };
    let read: Vec<_> = titles
        .iter()
        .map(|(title, state, report, failure)| {
            (&**title, &**state, report.is_some(), failure.as_deref().map(code))
        })
        .collect();
    let expected = AS_AN_OLDER_PROGRAM_READS
        .map(|(title, state, has_report, code)| (title, state, has_report, code.map(str::to_owned)));
    assert_eq!(read, expected);
    for failures in failures {
        assert_eq!(failures.iter().map(|failure| code(failure)).collect::<Vec<_>>(), ["RF-INT-001"]);
        assert!(failures[0].contains("another film"), "{}", failures[0]);
    }
}

//! Changes of titles, and what becomes of their tasks.

use std::collections::BTreeSet;

use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::{Code, Digest, Failure, TaskState, TitleState};

use super::fixtures::{
    LONG, dispatch, failure, finish, planned, ready, record, start, state, submit, submit_and_plan, title, to,
};
use crate::changes::TitleChange;
use crate::error::StoreError;
use crate::records::AttemptEnd;
use crate::store::Store;

/// Two who change a title do not undo each other's change.
pub async fn a_change_needs_the_right_generation_and_state<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let before = store.title(&film).await.expect("asked");
    for (title, generation, from) in [
        (title("film"), 2, TitleState::Checking),
        (title("film"), 1, TitleState::Preparing),
        (title("other"), 1, TitleState::Checking),
    ] {
        let change = to(TitleState::Failed);
        assert_eq!(store.advance(&title, generation, from, change).await.expect("asked"), None);
    }
    assert_eq!(store.title(&film).await.expect("asked"), before);
    assert!(
        store
            .advance(&film, 1, TitleState::Checking, to(TitleState::Preparing))
            .await
            .expect("asked")
            .is_some()
    );
    assert!(
        store
            .advance(&film, 1, TitleState::Checking, to(TitleState::Preparing))
            .await
            .expect("asked")
            .is_none()
    );
}

/// The state machine is the model's; the way back to the beginning is a submission's alone.
pub async fn forbidden_transitions_are_errors<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    for from in TitleState::ALL {
        for next in TitleState::ALL {
            if from.may_become(next) && next != TitleState::Checking {
                continue;
            }
            let refused = store.advance(&film, 1, from, to(next)).await.expect_err("refused");
            assert!(matches!(refused, StoreError::ForbiddenTransition { .. }), "{from:?} {next:?}");
        }
    }
    assert_eq!(store.title(&film).await.expect("asked").map(|title| title.state), Some(TitleState::Checking));
}

/// A change sets what it names.
pub async fn what_a_change_leaves_out_stays<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let report = QcReport {
        schema: 1,
        source_sha256: None,
        external: false,
        policy: "default".to_owned(),
        ladder: "default".to_owned(),
        verdict: Verdict::Pass,
        checks: Vec::new(),
        conclusion: None,
    };
    let digest = Digest::of(b"film");
    for change in [
        TitleChange { source_digest: Some(digest), ..TitleChange::default() },
        TitleChange { report: Some(report.clone()), ..TitleChange::default() },
        TitleChange { failure: Some(failure("a")), ..TitleChange::default() },
        to(TitleState::Preparing),
    ] {
        store.advance(&film, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    }
    let found = store.title(&film).await.expect("asked").expect("known");
    assert_eq!(found.state, TitleState::Preparing);
    assert_eq!(found.source_digest, Some(digest));
    assert_eq!(found.report, Some(report));
    assert_eq!(found.failure, Some(failure("a")));
    assert!(found.changed_ms >= found.submitted_ms);
}

/// Nothing runs on for a title that is over, and what was done stays done.
pub async fn a_title_that_gives_up_stops_its_attempts<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[]), planned(3, &[]), planned(4, &[]), planned(5, &[2])];
    let film = submit_and_plan(store, "film", &plan).await;
    finish(store, 1).await;
    let dispatched = dispatch(store, 2, LONG).await.fence;
    let running = start(store, 3).await;
    let advanced = store
        .advance(&film, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(
        advanced.stopped.iter().map(|fence| fence.task).collect::<BTreeSet<_>>(),
        [dispatched.task, running.task].into()
    );
    assert!(advanced.stopped.contains(&dispatched) && advanced.stopped.contains(&running));
    assert_eq!(state(store, 1).await, TaskState::Done);
    for number in 2..=5 {
        assert_eq!(state(store, number).await, TaskState::Cancelled);
    }
    let history = store.attempts_of(&running.task).await.expect("asked");
    assert_eq!(history[0].outcome, Some(AttemptEnd::Cancelled));
    assert!(record(store, 3).await.finished_ms.is_some());
    assert_eq!(
        store.tasks_of(&film).await.expect("asked").len(),
        5,
        "what was planned can still be looked at"
    );
}

/// A title that fails does not take another's work along.
pub async fn what_another_title_wants_goes_on<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[1])]).await;
    submit_and_plan(store, "two", &[planned(1, &[]), planned(3, &[1])]).await;
    let shared = start(store, 1).await;
    let advanced = store.advance(&one, 1, TitleState::Checking, to(TitleState::Failed)).await.expect("asked");
    assert_eq!(advanced.expect("changed").stopped, []);
    assert_eq!(state(store, 1).await, TaskState::Running);
    assert_eq!(state(store, 2).await, TaskState::Cancelled);
    let completed = store.complete(&shared, &[], None).await.expect("asked").expect("current");
    assert_eq!(completed.titles, [(title("two"), 1)]);
    assert_eq!(state(store, 3).await, TaskState::Ready);
}

/// A title that takes its files away wants no encoding, even while it is not final yet.
pub async fn a_withdrawing_title_keeps_nothing_alive<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(1, &[])]).await;
    for next in [TitleState::Preparing, TitleState::Withdrawing] {
        let from = store.title(&one).await.expect("asked").expect("known").state;
        store.advance(&one, 1, from, to(next)).await.expect("asked").expect("changed");
    }
    assert_eq!(state(store, 1).await, TaskState::Ready, "the other title wants it");
    store
        .advance(&two, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(state(store, 1).await, TaskState::Cancelled);
}

/// What there still is to do for a withdrawing title is done.
pub async fn a_withdrawing_title_may_plan_its_withdrawal<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    for (from, next) in
        [(TitleState::Checking, TitleState::Preparing), (TitleState::Preparing, TitleState::Withdrawing)]
    {
        store.advance(&film, 1, from, to(next)).await.expect("asked").expect("changed");
    }
    assert!(store.plan(&film, 1, &[planned(9, &[])]).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [super::fixtures::key(9)]);
    let fence = start(store, 9).await;
    let completed = store.complete(&fence, &[], None).await.expect("asked").expect("current");
    assert_eq!(completed.titles, [(film.clone(), 1)]);
    let change = to(TitleState::Failed);
    assert!(store.advance(&film, 1, TitleState::Withdrawing, change).await.expect("asked").is_some());
}

/// One whose publication turns out to have taken place is published, whatever it was withdrawn for.
pub async fn a_withdrawing_title_that_is_online_is_published_and_its_failure_forgotten<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let failed =
        TitleChange { failure: Some(Failure::new(Code::WorkerLost, "lost")), ..to(TitleState::Withdrawing) };
    for (from, change) in [(TitleState::Checking, to(TitleState::Preparing)), (TitleState::Preparing, failed)]
    {
        store.advance(&film, 1, from, change).await.expect("asked").expect("changed");
    }
    assert!(store.title(&film).await.expect("asked").expect("known").failure.is_some());
    let change = to(TitleState::Published);
    store.advance(&film, 1, TitleState::Withdrawing, change).await.expect("asked").expect("changed");
    let found = store.title(&film).await.expect("asked").expect("known");
    assert_eq!((found.state, found.failure), (TitleState::Published, None));
}

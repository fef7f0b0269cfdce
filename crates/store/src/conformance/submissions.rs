//! Submissions.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use reelfarm_model::{Digest, TaskState, TitleState};

use super::fixtures::{dispatch, failure, planned, state, submission, submit, submit_and_plan, title, to};
use crate::changes::{SubmitOutcome, TitleChange};
use crate::error::StoreError;
use crate::store::Store;

/// A first submission.
pub async fn an_unknown_name_becomes_generation_one<S: Store>(store: &S) {
    let submitted = store.submit(&submission("film", 0)).await.expect("submitted");
    assert_eq!(submitted.outcome, SubmitOutcome::Created);
    assert_eq!(submitted.stopped, []);
    assert_eq!(submitted.title.generation, 1);
    assert_eq!(submitted.title.state, TitleState::Checking);
    assert_eq!(submitted.title.submission, submission("film", 0));
    assert!(submitted.title.submitted_ms > 1_700_000_000_000, "a time of this age, in milliseconds");
    assert_eq!(store.title(&title("film")).await.expect("asked"), Some(submitted.title));
    assert_eq!(store.title(&title("other")).await.expect("asked"), None);
}

/// An operator who submits twice interrupts nothing.
pub async fn the_same_submission_of_a_live_title_changes_nothing<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    dispatch(store, 1, super::fixtures::LONG).await;
    let before = store.title(&film).await.expect("asked");
    let again = store.submit(&submission("film", 0)).await.expect("submitted");
    assert_eq!(again.outcome, SubmitOutcome::Unchanged);
    assert_eq!(again.stopped, []);
    assert_eq!(Some(again.title), before);
    assert_eq!(state(store, 1).await, TaskState::Dispatched);
}

/// Who submits a title while an earlier submission is being taken away wants it made.
pub async fn the_same_submission_of_a_title_that_is_withdrawing_starts_a_new_generation<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    for (from, next) in
        [(TitleState::Checking, TitleState::Preparing), (TitleState::Preparing, TitleState::Withdrawing)]
    {
        store.advance(&film, 1, from, to(next)).await.expect("asked").expect("changed");
    }
    let again = store.submit(&submission("film", 0)).await.expect("submitted");
    assert_eq!((again.outcome, again.title.generation), (SubmitOutcome::Reopened, 2));
    assert_eq!(again.title.state, TitleState::Checking);
}

/// A corrected submission replaces the one that is under way.
pub async fn a_different_submission_starts_a_new_generation<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    let fence = dispatch(store, 1, super::fixtures::LONG).await.fence;
    let again = store.submit(&submission("film", 1)).await.expect("submitted");
    assert_eq!(again.outcome, SubmitOutcome::Reopened);
    assert_eq!(again.title.generation, 2);
    assert_eq!(again.title.submission, submission("film", 1));
    assert_eq!(again.stopped, [fence]);
    assert_eq!(state(store, 1).await, TaskState::Cancelled);
    assert_eq!(state(store, 2).await, TaskState::Cancelled);
    assert_eq!(store.tasks_of(&film).await.expect("asked"), []);
}

/// A title that ended begins again with a clean sheet.
pub async fn a_final_title_is_reopened_without_its_old_conclusions<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let change = TitleChange {
        to: Some(TitleState::Failed),
        source_digest: Some(Digest::of(b"film")),
        failure: Some(failure("it broke")),
        ..TitleChange::default()
    };
    store.advance(&film, 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    assert_eq!(store.live_titles().await.expect("asked"), []);

    let again = store.submit(&submission("film", 0)).await.expect("submitted");
    assert_eq!(again.outcome, SubmitOutcome::Reopened);
    let reopened = store.title(&film).await.expect("asked").expect("known");
    assert_eq!(reopened, again.title);
    assert_eq!((reopened.generation, reopened.state), (2, TitleState::Checking));
    assert_eq!((reopened.source_digest, reopened.report, reopened.failure), (None, None, None));
    assert!(
        store
            .advance(&film, 1, TitleState::Checking, to(TitleState::Cancelled))
            .await
            .expect("asked")
            .is_none()
    );
}

/// A file name in bytes that are no UTF-8 is an error that names the path, not a mangled path.
pub async fn a_path_that_is_not_text_is_refused<S: Store>(store: &S) {
    let mut hostile = submission("film", 0);
    hostile.source.path = OsStr::from_bytes(b"/sources/\xff.mov").into();
    let refused = store.submit(&hostile).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Unserialisable { .. }), "{refused}");
    assert_eq!(store.titles().await.expect("asked"), []);
}

/// Lists do not jump about.
pub async fn titles_are_listed_in_the_order_of_submission<S: Store>(store: &S) {
    for name in ["a", "b", "c"] {
        submit(store, name).await;
    }
    store.advance(&title("b"), 1, TitleState::Checking, to(TitleState::Cancelled)).await.expect("asked");
    let names = |titles: Vec<reelfarm_model::Title>| -> Vec<_> {
        titles.into_iter().map(|title| title.submission.title.to_string()).collect()
    };
    assert_eq!(names(store.titles().await.expect("asked")), ["a", "b", "c"]);
    assert_eq!(names(store.live_titles().await.expect("asked")), ["a", "c"]);
}

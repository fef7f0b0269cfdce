//! What operators do: hold, try again, list.

use std::collections::BTreeSet;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::{Digest, TaskState, TitleState};

use super::fixtures::{
    LONG, back_off, dispatch, failure, finish, hold, key, keys, planned, ready, record, start, state,
    submission, submit, submit_and_plan, task, title, to,
};
use crate::changes::SubmitOutcome;
use crate::records::TitleFilter;
use crate::report::RetryDecision;
use crate::store::Store;

/// What is at work goes on, and nothing new begins.
pub async fn a_held_title_is_not_dispatched<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[1])]).await;
    let running = start(store, 1).await;
    let failed = start(store, 2).await;
    store.fail(&failed, &failure("a"), RetryDecision::After(LONG)).await.expect("asked").expect("current");
    hold(store, &film, true).await;
    hold(store, &film, true).await;
    assert!(store.complete(&running, &[], None).await.expect("asked").is_some());
    assert_eq!(state(store, 3).await, TaskState::Ready);
    assert_eq!(ready(store).await, []);
    assert_eq!(store.dispatch(&key(3), LONG).await.expect("asked"), None);
    assert_eq!(back_off(store, 2).await, None, "nothing comes out of a back-off to run");
    hold(store, &film, false).await;
    assert_eq!(ready(store).await, [key(3)]);
    assert!(back_off(store, 2).await.is_some());
    dispatch(store, 3, LONG).await;
}

/// Another title's work is not held with it, and is done in that title's name.
pub async fn what_another_title_wants_is_not_held<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(1, &[])]).await;
    hold(store, &one, true).await;
    assert_eq!(dispatch(store, 1, LONG).await.title, two);
}

/// A hold survives a correction, and ends with the title: what is then left to do is to clear up.
pub async fn a_hold_ends_with_the_title<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    hold(store, &film, true).await;
    let corrected = store.submit(&submission("film", 1)).await.expect("submitted");
    assert!(corrected.title.held);
    assert!(store.title(&film).await.expect("asked").expect("known").held);
    for (from, next) in
        [(TitleState::Checking, TitleState::Preparing), (TitleState::Preparing, TitleState::Withdrawing)]
    {
        store.advance(&film, 2, from, to(next)).await.expect("asked").expect("changed");
    }
    assert!(!store.title(&film).await.expect("asked").expect("known").held);
    assert_eq!(store.hold(&film, true).await.expect("asked"), None, "withdrawing");
    assert!(store.plan(&film, 2, &[planned(2, &[])]).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [key(2)]);
    store
        .advance(&film, 2, TitleState::Withdrawing, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(store.hold(&film, true).await.expect("asked"), None, "final");
    assert_eq!(store.hold(&title("other"), true).await.expect("asked"), None, "unknown");
}

/// A title that ended without success begins again as it was.
pub async fn a_title_is_tried_again_as_it_was_submitted<S: Store>(store: &S) {
    for (number, end) in (1..).zip([TitleState::Failed, TitleState::Cancelled, TitleState::Rejected]) {
        let film = submit_and_plan(store, &format!("film-{number}"), &[planned(number, &[])]).await;
        assert_eq!(store.retry_title(&film).await.expect("asked"), None, "under way");
        store.advance(&film, 1, TitleState::Checking, to(end)).await.expect("asked").expect("changed");
        let again = store.retry_title(&film).await.expect("asked").expect("begins again");
        assert_eq!(again.outcome, SubmitOutcome::Reopened);
        assert_eq!((again.title.generation, again.title.state), (2, TitleState::Checking));
        assert_eq!(again.title.submission, submission(film.as_str(), 0));
    }
    let film = submit(store, "film").await;
    for (from, next) in
        [(TitleState::Checking, TitleState::Preparing), (TitleState::Preparing, TitleState::Published)]
    {
        store.advance(&film, 1, from, to(next)).await.expect("asked").expect("changed");
    }
    assert_eq!(store.retry_title(&film).await.expect("asked"), None, "published");
    assert_eq!(store.retry_title(&title("other")).await.expect("asked"), None, "unknown");
}

fn made(number: u32) -> ArtifactRecord {
    ArtifactRecord { key: task(number).outputs[0].key, digest: Digest::of(&[1]), size: 1 }
}

async fn make(store: &impl Store, number: u32) {
    let fence = start(store, number).await;
    store.complete(&fence, &[made(number)], None).await.expect("asked").expect("current");
}

/// One rendition is made again, and what was packaged from it; its neighbour is not.
pub async fn a_task_is_done_again_with_what_depends_on_it<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[]), planned(3, &[1]), planned(4, &[3]), planned(5, &[4])];
    let film = submit_and_plan(store, "film", &plan).await;
    for number in [1, 2, 3] {
        make(store, number).await;
    }
    let running = start(store, 4).await;
    let again = store.retry_tasks(&film, &[key(1)].into()).await.expect("asked").expect("one of its tasks");
    assert_eq!(again.tasks, keys(&[1, 3]));
    assert_eq!(again.title.generation, 1);
    assert_eq!(ready(store).await, [key(1)]);
    assert_eq!((state(store, 2).await, state(store, 3).await), (TaskState::Done, TaskState::Waiting));
    for (number, known) in [(1, false), (2, true), (3, false)] {
        assert_eq!(store.artifact(&made(number).key).await.expect("asked").is_some(), known, "{number}");
    }
    assert!(store.complete(&running, &[], None).await.expect("asked").is_some(), "under way goes on");
    make(store, 1).await;
    make(store, 3).await;
    assert_eq!(record(store, 1).await.attempt, 2);
    assert_eq!(ready(store).await, [key(5)]);
}

/// A failed task starts afresh with its counts, one in a back-off does not wait any longer.
pub async fn a_failed_task_and_one_in_a_back_off_are_tried_at_once<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[1])]).await;
    let fence = start(store, 1).await;
    store.fail(&fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    let fence = start(store, 2).await;
    store.fail(&fence, &failure("a"), RetryDecision::After(LONG)).await.expect("asked").expect("current");
    let again = store.retry_tasks(&film, &[key(1)].into()).await.expect("asked").expect("one of its tasks");
    assert_eq!(again.tasks, keys(&[1]));
    assert_eq!((record(store, 1).await.failures, record(store, 1).await.last_failure), (0, None));
    assert_eq!(ready(store).await, [key(1)]);
    let again = store.retry_tasks(&film, &[key(2)].into()).await.expect("asked").expect("one of its tasks");
    assert_eq!((again.tasks, record(store, 2).await.failures), (keys(&[]), 1));
    assert_eq!(ready(store).await, [key(1), key(2)]);
}

/// A published title opens again; what its new plan names of the tasks is done again, and nothing else.
pub async fn a_task_of_a_final_title_is_done_again_once_it_is_planned<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[1]), planned(3, &[])];
    let film = submit_and_plan(store, "film", &plan).await;
    submit_and_plan(store, "sharing", &[planned(3, &[])]).await;
    for number in [1, 2, 3] {
        make(store, number).await;
    }
    for (from, next) in
        [(TitleState::Checking, TitleState::Preparing), (TitleState::Preparing, TitleState::Published)]
    {
        store.advance(&film, 1, from, to(next)).await.expect("asked").expect("changed");
    }
    let again = store.retry_tasks(&film, &[key(1)].into()).await.expect("asked").expect("one of its tasks");
    assert_eq!((again.title.generation, again.title.state), (2, TitleState::Checking));
    assert_eq!(again.tasks, keys(&[1, 2]));
    assert_eq!((state(store, 1).await, state(store, 2).await), (TaskState::Cancelled, TaskState::Cancelled));
    assert_eq!(state(store, 3).await, TaskState::Done);
    assert_eq!(ready(store).await, [], "nobody wants it yet");
    assert!(store.plan(&film, 2, &plan).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [key(1)]);
    finish(store, 1).await;
    assert_eq!(ready(store).await, [key(2)]);
}

/// What is no task of the title is not touched.
pub async fn only_a_titles_own_task_is_tried_again<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(2, &[1])]).await;
    finish(store, 1).await;
    assert_eq!(store.retry_tasks(&one, &[key(2)].into()).await.expect("asked"), None);
    assert_eq!(store.retry_tasks(&title("other"), &[key(1)].into()).await.expect("asked"), None);
    assert_eq!(store.retry_tasks(&one, &[key(7)].into()).await.expect("asked"), None);
    assert_eq!(state(store, 1).await, TaskState::Done);
    // Who needs it waits for it again, and wants it, whoever asked.
    store.retry_tasks(&one, &[key(1)].into()).await.expect("asked").expect("one of its tasks");
    assert_eq!((state(store, 1).await, state(store, 2).await), (TaskState::Ready, TaskState::Waiting));
    assert_eq!(store.tasks_of(&two).await.expect("asked").len(), 2);
    store
        .advance(&one, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(state(store, 1).await, TaskState::Ready);
    // Not while the origin is cleared up.
    for next in [TitleState::Preparing, TitleState::Withdrawing] {
        let from = store.title(&two).await.expect("asked").expect("known").state;
        store.advance(&two, 1, from, to(next)).await.expect("asked").expect("changed");
    }
    assert_eq!(store.retry_tasks(&two, &[key(2)].into()).await.expect("asked"), None);
}

/// Pages follow each other whatever happens between them, and every filter narrows.
pub async fn titles_are_listed_by_name_in_pages<S: Store>(store: &S) {
    for name in ["b", "a", "Z", "a-2", "a_3", "a.1", "B"] {
        submit(store, name).await;
    }
    store.advance(&title("a-2"), 1, TitleState::Checking, to(TitleState::Failed)).await.expect("asked");
    let names = async |filter: TitleFilter, limit: usize| -> Vec<String> {
        let found = store.titles_by_name(&filter, limit).await.expect("asked");
        found.into_iter().map(|title| title.submission.title.to_string()).collect()
    };
    // By bytes, in whichever language the database is.
    let all = ["B", "Z", "a", "a-2", "a.1", "a_3", "b"];
    let everything = TitleFilter::default();
    assert_eq!(names(everything.clone(), 100).await, all);
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = names(TitleFilter { after: after.clone(), ..everything.clone() }, 3).await;
        let Some(last) = page.last() else { break };
        after = Some(title(last));
        pages.push(page);
        // A title that comes meanwhile moves no other from one page to the next.
        if pages.len() == 1 {
            submit(store, "A").await;
        }
    }
    assert_eq!(pages, [vec!["B", "Z", "a"], vec!["a-2", "a.1", "a_3"], vec!["b"]]);

    let states = BTreeSet::from([TitleState::Failed, TitleState::Published]);
    assert_eq!(names(TitleFilter { states, ..everything.clone() }, 100).await, ["a-2"]);
    let prefix = |text: &str| TitleFilter { prefix: Some(text.to_owned()), ..TitleFilter::default() };
    assert_eq!(names(prefix("a"), 100).await, ["a", "a-2", "a.1", "a_3"]);
    // Nothing in a filter means anything but itself.
    assert_eq!(names(prefix("a_"), 100).await, ["a_3"]);
    assert_eq!(names(prefix("%"), 100).await, [""; 0]);
    assert_eq!(names(prefix("a\0"), 100).await, [""; 0]);
    let part = |text: &str| TitleFilter { part: Some(text.to_owned()), ..TitleFilter::default() };
    assert_eq!(names(part("2"), 100).await, ["a-2"]);
    assert_eq!(names(part("'; DROP TABLE titles; --"), 100).await, [""; 0]);
    assert_eq!(names(everything, 0).await, [""; 0]);
}

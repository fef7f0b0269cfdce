//! Plans.

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{FingerprintSpec, Task, TaskSpec};
use reelfarm_model::{TaskState, TitleState};

use super::fixtures::{
    LONG, NONE, failure, finish, key, keys, picture, planned, ready, record, redone, source, start, state,
    submission, submit, submit_and_plan, title, to, unconditional, worker,
};
use crate::changes::PlannedTask;
use crate::error::StoreError;
use crate::report::RetryDecision;
use crate::store::Store;

/// A graph is worked off from its roots.
pub async fn a_task_is_ready_once_all_it_needs_is_done<S: Store>(store: &S) {
    // The order within a plan does not matter.
    let film = submit_and_plan(store, "film", &[planned(3, &[1, 2]), planned(1, &[]), planned(2, &[])]).await;
    assert_eq!(ready(store).await, [key(1), key(2)]);
    assert_eq!(record(store, 3).await.needs, keys(&[1, 2]));
    finish(store, 1).await;
    assert_eq!(state(store, 3).await, TaskState::Waiting);
    let fence = start(store, 2).await;
    let completed = store.complete(&fence, &[], None).await.expect("asked").expect("current");
    assert_eq!((completed.titles, completed.now_ready), (vec![(film.clone(), 1)], 1));
    assert_eq!(ready(store).await, [key(3)]);
    // What is planned later builds on what is done.
    assert!(store.plan(&film, 1, &[planned(4, &[1, 2])]).await.expect("asked").is_some());
    assert_eq!(state(store, 4).await, TaskState::Ready);
}

/// Equal work is done once.
pub async fn two_titles_share_a_task<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[planned(1, &[])]).await;
    let fence = start(store, 1).await;
    submit_and_plan(store, "two", &[planned(1, &[]), planned(2, &[1])]).await;
    assert_eq!(state(store, 1).await, TaskState::Running);
    let completed =
        store.complete(&fence, &[], None).await.expect("asked").expect("still the current attempt");
    assert_eq!(completed.titles, [(title("one"), 1), (title("two"), 1)]);
    assert_eq!(completed.now_ready, 1);
    submit_and_plan(store, "three", &[planned(1, &[])]).await;
    assert_eq!(state(store, 1).await, TaskState::Done);
    assert_eq!(store.attempts_of(&key(1)).await.expect("asked").len(), 1);
}

/// A scheduler that does not know whether its plan was recorded plans again.
pub async fn planning_again_changes_nothing<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[1]), planned(3, &[]), planned(4, &[3])];
    let film = submit_and_plan(store, "film", &plan).await;
    finish(store, 1).await;
    let fence = start(store, 3).await;
    let before = store.tasks_of(&film).await.expect("asked");
    assert!(store.plan(&film, 1, &plan).await.expect("asked").is_some());
    assert_eq!(store.tasks_of(&film).await.expect("asked"), before);
    assert!(store.complete(&fence, &[], None).await.expect("asked").is_some());
}

/// A plan that comes late changes nothing.
pub async fn an_old_generation_cannot_plan<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    store.submit(&submission("film", 1)).await.expect("submitted");
    assert!(store.plan(&film, 1, &[planned(1, &[])]).await.expect("asked").is_none());
    assert!(store.plan(&film, 3, &[planned(1, &[])]).await.expect("asked").is_none());
    assert!(store.plan(&title("other"), 1, &[planned(1, &[])]).await.expect("asked").is_none());
    assert_eq!(store.task(&key(1)).await.expect("asked"), None);
    assert!(store.plan(&film, 2, &[planned(1, &[])]).await.expect("asked").is_some());
}

/// A title that was cancelled meanwhile gets no new work.
pub async fn a_final_title_cannot_plan<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    store
        .advance(&film, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert!(store.plan(&film, 1, &[planned(1, &[])]).await.expect("asked").is_none());
    assert_eq!(store.task(&key(1)).await.expect("asked"), None);
}

/// A task that waits for what nobody makes would wait for ever.
pub async fn an_unknown_need_is_an_error_and_nothing_is_planned<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let refused = store.plan(&film, 1, &[planned(1, &[]), planned(2, &[1, 7])]).await.expect_err("refused");
    assert!(
        matches!(refused, StoreError::UnknownNeed { task, need } if task == key(2) && need == key(7)),
        "{refused}"
    );
    assert_eq!(store.tasks_of(&film).await.expect("asked"), []);
    assert_eq!(store.task(&key(1)).await.expect("asked"), None);
}

/// A new submission is a new chance, with all its attempts.
pub async fn a_failed_task_starts_afresh_when_it_is_planned_again<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = start(store, 1).await;
    store.fail(&fence, &failure("a"), RetryDecision::After(NONE)).await.expect("asked").expect("current");
    let lost = store.dispatch(&key(1), NONE).await.expect("asked").expect("ready").fence;
    store.lost(&lost, RetryDecision::Never).await.expect("asked").expect("current");
    let failed = record(store, 1).await;
    assert_eq!((failed.state, failed.failures, failed.losses), (TaskState::Failed, 1, 1));

    store
        .advance(&film, 1, TitleState::Checking, to(TitleState::Failed))
        .await
        .expect("asked")
        .expect("changed");
    store.submit(&submission("film", 0)).await.expect("submitted");
    assert!(store.plan(&film, 2, &[planned(1, &[])]).await.expect("asked").is_some());
    let afresh = record(store, 1).await;
    assert_eq!((afresh.state, afresh.failures, afresh.losses), (TaskState::Ready, 0, 0));
    assert_eq!((afresh.last_failure, afresh.finished_ms, afresh.worker), (None, None, None));
    assert_eq!(start(store, 1).await.attempt, 3, "numbers are not used again");
    assert_eq!(store.attempts_of(&key(1)).await.expect("asked").len(), 3, "the history stays");
}

/// Resubmitting a finished title runs no task; a lost artifact is made again.
pub async fn a_done_task_is_shared_and_redone_only_if_asked<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    finish(store, 1).await;
    let before = picture(store, &[1]).await;
    assert!(store.plan(&film, 1, &[planned(1, &[])]).await.expect("asked").is_some());
    assert_eq!(ready(store).await, []);
    assert_eq!(
        picture(store, &[1]).await.lines().next(),
        before.lines().next(),
        "nothing about the task changed"
    );
    assert!(store.plan(&film, 1, &[redone(1, &[])]).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [key(1)]);
    assert_eq!(start(store, 1).await.attempt, 2);
    // To be redone and under way already: it is shared.
    assert!(store.plan(&film, 1, &[redone(1, &[])]).await.expect("asked").is_some());
    assert_eq!(state(store, 1).await, TaskState::Running);
}

/// A task never starts while something that it needs is being made again.
pub async fn a_redone_task_makes_its_dependents_wait_again<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1]), planned(3, &[1])]).await;
    finish(store, 1).await;
    let running = start(store, 3).await;
    assert_eq!(ready(store).await, [key(2)]);
    assert!(store.plan(&film, 1, &[redone(1, &[])]).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [key(1)]);
    assert_eq!(state(store, 2).await, TaskState::Waiting);
    // Put back while what it needs is not there, an attempt does not make the task ready.
    assert!(store.release(&running).await.expect("asked"));
    assert_eq!(state(store, 3).await, TaskState::Waiting);
    finish(store, 1).await;
    assert_eq!(ready(store).await, [key(2), key(3)]);
}

/// A title that waits for what another had made again does not wait in vain when that one gives up.
pub async fn a_redone_task_is_wanted_by_all_that_wait_for_it<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[planned(1, &[])]).await;
    finish(store, 1).await;
    let two = submit_and_plan(store, "two", &[planned(2, &[1])]).await;
    assert!(store.plan(&title("one"), 1, &[redone(1, &[])]).await.expect("asked").is_some());
    store
        .advance(&title("one"), 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    finish(store, 1).await;
    assert_eq!(state(store, 2).await, TaskState::Ready);
    assert_eq!(store.tasks_of(&two).await.expect("asked").len(), 2);
}

/// Whoever wants a task wants what it waits for, also where only another title planned that.
pub async fn what_a_task_needs_is_wanted_with_it<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[1]), planned(3, &[2])]).await;
    let two = submit_and_plan(store, "two", &[planned(4, &[3])]).await;
    assert_eq!(store.tasks_of(&two).await.expect("asked").len(), 4);
    store
        .advance(&one, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    for number in 1..=4 {
        finish(store, number).await;
    }
    // Also where it was cancelled before.
    let three = submit_and_plan(store, "three", &[planned(5, &[]), planned(6, &[5])]).await;
    store
        .advance(&three, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    submit_and_plan(store, "four", &[planned(7, &[6])]).await;
    assert_eq!(ready(store).await, [key(5)]);
}

/// A plan that names a task alone does not leave it waiting for one that was given up.
pub async fn what_a_planned_task_needs_starts_afresh_with_it<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[1]), planned(3, &[2])];
    let film = submit_and_plan(store, "film", &plan).await;
    let fence = start(store, 1).await;
    store.fail(&fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    assert!(store.plan(&film, 1, &plan[2..]).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [key(1)]);
    assert_eq!(record(store, 1).await.failures, 0);
}

/// Equal bytes lie in two places: the next attempt reads where the latest plan says, and what is known of an attempt
/// stays true.
pub async fn the_latest_plan_says_where_the_next_attempt_finds_the_source<S: Store>(store: &S) {
    let from = |variant| PlannedTask { source: Some(source(variant)), ..planned(1, &[]) };
    submit_and_plan(store, "one", &[from(7)]).await;
    submit_and_plan(store, "two", &[from(8)]).await;
    let message = store.dispatch(&key(1), LONG).await.expect("asked").expect("ready");
    assert_eq!(message.source, Some(source(8)));
    submit_and_plan(store, "three", &[from(9)]).await;
    assert_eq!(record(store, 1).await.source, Some(source(8)), "under way");
    store.fail(&message.fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    assert_eq!(record(store, 1).await.source, Some(source(8)), "the attempt that failed");
    assert!(store.plan(&title("three"), 1, &[from(9)]).await.expect("asked").is_some());
    let message = store.dispatch(&key(1), LONG).await.expect("asked").expect("starts afresh");
    assert_eq!(message.source, Some(source(9)));
}

/// A title's tasks are listed as they were planned.
pub async fn tasks_are_listed_in_the_order_of_planning<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(5, &[]), planned(2, &[])]).await;
    submit_and_plan(store, "two", &[planned(9, &[]), planned(1, &[])]).await;
    let listed = store.tasks_of(&one).await.expect("asked");
    assert_eq!(listed.iter().map(|record| record.task.key).collect::<Vec<_>>(), [key(5), key(2)]);
}

/// A task with a source, numbers beyond 64 bits' half, and a result comes back as it was.
pub async fn every_kind_of_structure_survives_the_database<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let task = Task::new(
        TaskSpec::Fingerprint(FingerprintSpec::new(source(1))),
        &ToolVersions([("ffmpeg".to_owned(), "5.1".to_owned())].into()),
    );
    let entry = PlannedTask { source: Some(source(1)), ..unconditional(task.clone()) };
    assert!(store.plan(&film, 1, &[entry]).await.expect("asked").is_some());
    let message = store.dispatch(&task.key, LONG).await.expect("asked").expect("ready");
    assert_eq!((message.task, message.source), (task.clone(), Some(source(1))));
    assert_eq!((message.title, message.lease_ms), (film, 3_600_000));
    assert!(store.started(&message.fence, &worker("w")).await.expect("asked"));
    let result = serde_json::json!({"size": u64::MAX, "rate": 23.976, "name": "ä \" \u{0}", "none": null});
    store.complete(&message.fence, &[], Some(&result)).await.expect("asked").expect("current");
    let found = store.task(&task.key).await.expect("asked").expect("known");
    assert_eq!((found.task, found.result), (task, Some(result)));
}

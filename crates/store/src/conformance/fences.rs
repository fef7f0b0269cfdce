//! Fences: reports of attempts that are not current change nothing, whatever they say and however they come to be late.

use reelfarm_model::attempt::LeaseToken;
use reelfarm_model::{Fence, TaskState, TitleState};

use super::fixtures::{
    LONG, NONE, dispatch, failure, key, planned, refused_everywhere, start, state, submit_and_plan, to,
    worker,
};
use crate::report::RetryDecision;
use crate::store::Store;

/// A zombie whose task was given to another worker.
pub async fn a_stale_attempt_changes_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let stale = start(store, 1).await;
    store.fail(&stale, &failure("a"), RetryDecision::After(NONE)).await.expect("asked").expect("current");
    refused_everywhere(store, &stale, &[1]).await;
    let current = start(store, 1).await;
    refused_everywhere(store, &stale, &[1]).await;
    assert!(store.complete(&current, &[], None).await.expect("asked").is_some());
    refused_everywhere(store, &stale, &[1]).await;
}

/// The number alone is not enough, nor is the lease alone.
pub async fn a_wrong_lease_changes_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let current = start(store, 1).await;
    let other = start(store, 2).await;
    for wrong in [
        Fence { lease: LeaseToken(current.lease.0 ^ 1), ..current },
        Fence { lease: other.lease, ..current },
        Fence { attempt: current.attempt + 1, ..current },
        Fence { task: other.task, ..current },
    ] {
        refused_everywhere(store, &wrong, &[1, 2]).await;
    }
    assert!(store.complete(&current, &[], None).await.expect("asked").is_some());
}

/// A worker that handed its task back and goes on all the same.
pub async fn a_released_attempt_changes_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let released = start(store, 1).await;
    assert!(store.release(&released).await.expect("asked"));
    refused_everywhere(store, &released, &[1]).await;
    dispatch(store, 1, LONG).await;
    refused_everywhere(store, &released, &[1]).await;
}

/// A worker that outlived its farm.
pub async fn an_attempt_from_before_a_recovery_changes_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let running = start(store, 1).await;
    let dispatched = dispatch(store, 2, LONG).await.fence;
    store.recover().await.expect("asked");
    refused_everywhere(store, &running, &[1, 2]).await;
    refused_everywhere(store, &dispatched, &[1, 2]).await;
}

/// A completion that crosses a cancellation; also after the task was wanted again.
pub async fn a_cancelled_attempt_changes_nothing<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    let cancelled = start(store, 1).await;
    store
        .advance(&film, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    refused_everywhere(store, &cancelled, &[1, 2]).await;
    submit_and_plan(store, "other", &[planned(1, &[])]).await;
    assert_eq!(state(store, 1).await, TaskState::Ready);
    refused_everywhere(store, &cancelled, &[1, 2]).await;
    start(store, 1).await;
    refused_everywhere(store, &cancelled, &[1, 2]).await;
}

/// A worker that was paused past its lease and wakes up.
pub async fn a_lost_attempt_changes_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let lost = dispatch(store, 1, NONE).await.fence;
    store.lost(&lost, RetryDecision::After(NONE)).await.expect("asked").expect("current");
    refused_everywhere(store, &lost, &[1]).await;
    start(store, 1).await;
    refused_everywhere(store, &lost, &[1]).await;
}

/// An event that the broker delivers twice.
pub async fn a_second_completion_changes_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    let fence = start(store, 1).await;
    let first = store.complete(&fence, &[], None).await.expect("asked").expect("current");
    assert_eq!(first.now_ready, 1);
    refused_everywhere(store, &fence, &[1, 2]).await;
}

/// A message that the broker delivers twice: one worker has the attempt.
pub async fn a_second_worker_with_the_same_message_is_refused<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = dispatch(store, 1, LONG).await.fence;
    assert!(store.started(&fence, &worker("first")).await.expect("asked"));
    assert!(!store.started(&fence, &worker("second")).await.expect("asked"));
    assert!(store.started(&fence, &worker("first")).await.expect("asked"), "said again");
    let history = store.attempts_of(&key(1)).await.expect("asked");
    assert_eq!(history[0].worker, Some(worker("first")));
}

/// A report about a task that nobody ever planned.
pub async fn an_unknown_task_changes_nothing<S: Store>(store: &S) {
    let fence = Fence { task: key(77), attempt: 1, lease: LeaseToken(1) };
    refused_everywhere(store, &fence, &[]).await;
    assert_eq!(store.attempts_of(&key(77)).await.expect("asked"), []);
}

/// Reports of one attempt that arrive together do not add up.
pub async fn of_many_reports_at_once_one_counts<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    let fence = start(store, 1).await;
    let error = failure("late");
    let (completed, failed, released, again) = tokio::join!(
        store.complete(&fence, &[], None),
        store.fail(&fence, &error, RetryDecision::After(NONE)),
        store.release(&fence),
        store.complete(&fence, &[], None),
    );
    let counted = [
        completed.expect("asked").is_some(),
        failed.expect("asked").is_some(),
        released.expect("asked"),
        again.expect("asked").is_some(),
    ];
    assert_eq!(counted.into_iter().filter(|counted| *counted).count(), 1, "{counted:?}");
    let ended = store.attempts_of(&key(1)).await.expect("asked");
    assert_eq!(ended.len(), 1);
    assert!(ended[0].outcome.is_some());
}

//! What a task needs when a later plan says otherwise.

use reelfarm_model::{TaskState, TitleState};

use super::fixtures::{
    failure, finish, key, keys, planned, ready, record, start, state, submission, submit, submit_and_plan,
    title, to,
};
use crate::changes::{Planned, PlannedTask};
use crate::records::AttemptEnd;
use crate::report::RetryDecision;
use crate::store::Store;

/// Fails a task for good, and with it the title of the first generation that wants it.
async fn fail_with_its_title<S: Store>(store: &S, name: &str, number: u32) {
    let fence = start(store, number).await;
    store.fail(&fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    end(store, name).await;
}

/// Ends a title of the first generation.
async fn end<S: Store>(store: &S, name: &str) {
    let ended = store.advance(&title(name), 1, TitleState::Checking, to(TitleState::Failed)).await;
    ended.expect("asked").expect("changed");
}

/// Submits a title again, differently, and plans its second generation.
async fn plan_again<S: Store>(store: &S, name: &str, tasks: &[PlannedTask]) -> Planned {
    store.submit(&submission(name, 1)).await.expect("submitted");
    store.plan(&title(name), 2, tasks).await.expect("asked").expect("planned")
}

/// The latest plan is the one that holds, whether it adds needs or takes some away.
pub async fn a_second_plan_says_anew_what_is_needed<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    for (needs, expected) in [
        (&[1][..], TaskState::Waiting),
        (&[1, 3], TaskState::Waiting),
        (&[3], TaskState::Waiting),
        (&[], TaskState::Ready),
    ] {
        assert!(store.plan(&film, 1, &[planned(2, needs)]).await.expect("asked").is_some());
        assert_eq!(record(store, 2).await.needs, keys(needs));
        assert_eq!(state(store, 2).await, expected);
    }
    // Named by a plan of this generation, what is not needed any more is to be done all the same.
    assert_eq!(ready(store).await, [key(1), key(2), key(3)]);
}

/// An upload that waited for the verification of a profile that failed does not bring it back once the title is
/// submitted without that profile.
pub async fn a_dropped_need_is_not_revived<S: Store>(store: &S) {
    let (package, verify, dropped_verify, upload) = (1, 2, 3, 4);
    let plan = [
        planned(package, &[]),
        planned(verify, &[package]),
        planned(dropped_verify, &[package]),
        planned(upload, &[verify, dropped_verify]),
    ];
    let film = submit_and_plan(store, "film", &plan).await;
    finish(store, package).await;
    finish(store, verify).await;
    fail_with_its_title(store, "film", dropped_verify).await;

    let plan = [planned(package, &[]), planned(verify, &[package]), planned(upload, &[verify])];
    assert_eq!(plan_again(store, "film", &plan).await, Planned::default());
    assert_eq!(record(store, upload).await.needs, keys(&[verify]));
    assert_eq!(ready(store).await, [key(upload)]);
    assert_eq!(state(store, dropped_verify).await, TaskState::Failed);
    assert_eq!(store.tasks_of(&film).await.expect("asked").len(), plan.len());
}

/// A package that is the same after a change of the ladder waits for the new encode alone.
pub async fn an_old_encode_does_not_come_back_with_an_unchanged_package<S: Store>(store: &S) {
    let (old_encode, new_encode, package) = (1, 2, 3);
    let film =
        submit_and_plan(store, "film", &[planned(old_encode, &[]), planned(package, &[old_encode])]).await;
    let stopped = start(store, old_encode).await;
    let submitted = store.submit(&submission("film", 1)).await.expect("submitted");
    assert_eq!(submitted.stopped, [stopped]);

    let plan = [planned(new_encode, &[]), planned(package, &[new_encode])];
    assert!(store.plan(&film, 2, &plan).await.expect("asked").is_some());
    assert_eq!(ready(store).await, [key(new_encode)]);
    assert_eq!(state(store, old_encode).await, TaskState::Cancelled);
    finish(store, new_encode).await;
    assert_eq!(ready(store).await, [key(package)]);
}

/// The order of a title that goes on is not another's to change.
pub async fn a_shared_task_keeps_the_other_titles_needs<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[planned(1, &[]), planned(3, &[1])]).await;
    let two = submit_and_plan(store, "two", &[planned(2, &[]), planned(3, &[2])]).await;
    assert_eq!(record(store, 3).await.needs, keys(&[1, 2]));
    finish(store, 2).await;
    assert_eq!(state(store, 3).await, TaskState::Waiting);
    assert_eq!(store.tasks_of(&two).await.expect("asked").len(), 3, "the other's need is wanted too");

    // Of a title that is over nothing has to hold.
    end(store, "one").await;
    assert_eq!(state(store, 1).await, TaskState::Ready, "the title that is left waits for it");
    assert_eq!(
        store.plan(&two, 1, &[planned(3, &[2])]).await.expect("asked"),
        Some(Planned::default()),
        "nothing was under way"
    );
    assert_eq!(record(store, 3).await.needs, keys(&[2]));
    assert_eq!(ready(store).await, [key(3)]);
}

/// What a title wanted only for the sake of a need that is dropped stops, and cannot fail the title any more.
pub async fn what_only_a_dropped_need_kept_wanted_is_cancelled<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[1]), planned(3, &[2])]).await;
    let two = submit_and_plan(store, "two", &[planned(3, &[])]).await;
    end(store, "one").await;
    let running = start(store, 1).await;
    let replanned = store.plan(&two, 1, &[planned(3, &[])]).await.expect("asked").expect("planned");
    assert_eq!(replanned.stopped, [running]);
    assert_eq!(state(store, 1).await, TaskState::Cancelled);
    assert_eq!(state(store, 2).await, TaskState::Cancelled);
    assert_eq!(store.attempts_of(&key(1)).await.expect("asked")[0].outcome, Some(AttemptEnd::Cancelled));
    assert_eq!(store.tasks_of(&two).await.expect("asked"), [record(store, 3).await]);
    assert_eq!(ready(store).await, [key(3)]);
}

/// What one title does not need any more goes on for the others, and for the title's other tasks.
pub async fn a_dropped_need_goes_on_where_it_is_still_needed<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[]), planned(3, &[1, 2])]).await;
    let two = submit_and_plan(store, "two", &[planned(3, &[]), planned(4, &[2])]).await;
    submit_and_plan(store, "three", &[planned(1, &[])]).await;
    end(store, "one").await;
    let (first, second) = (start(store, 1).await, start(store, 2).await);
    let replanned = store.plan(&two, 1, &[planned(3, &[])]).await.expect("asked").expect("planned");
    assert_eq!(replanned.stopped, []);
    let completed = store.complete(&first, &[], None).await.expect("asked").expect("goes on");
    assert_eq!(completed.titles, [(title("three"), 1)]);
    let completed = store.complete(&second, &[], None).await.expect("asked").expect("goes on");
    assert_eq!(completed.titles, [(two, 1)]);
    assert_eq!(ready(store).await, [key(3), key(4)]);
}

/// A plan that reaches a task in the middle of an attempt leaves the attempt alone; put back, the task waits for what
/// the plan says.
pub async fn a_plan_does_not_disturb_an_attempt<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let plan = [planned(1, &[]), planned(2, &[1]), planned(3, &[])];
    assert!(store.plan(&film, 1, &plan).await.expect("asked").is_some());
    finish(store, 1).await;
    let running = start(store, 2).await;
    let replanned = store.plan(&film, 1, &[planned(2, &[3])]).await.expect("asked");
    assert_eq!(replanned, Some(Planned::default()));
    assert_eq!(state(store, 2).await, TaskState::Running);
    assert!(store.release(&running).await.expect("asked"));
    assert_eq!(state(store, 2).await, TaskState::Waiting);
    finish(store, 3).await;
    assert_eq!(ready(store).await, [key(2)]);
}

//! Attempts that go on while a title that was submitted again, from the same source, is planned anew.

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{Task, TaskSpec, UploadSpec};
use reelfarm_model::{ArtifactKey, Digest, Fence, TaskState, TitleId, TitleState};

use super::fixtures::{
    LONG, dispatch, failure, keys, planned, record, refused_everywhere, reprofiled, start, state, submission,
    submit_and_plan, title, to, unconditional,
};
use crate::changes::SubmitOutcome;
use crate::records::AttemptEnd;
use crate::report::RetryDecision;
use crate::store::Store;

/// Submits a title again from the same source; answers the attempts that are to stop.
async fn resubmit<S: Store>(store: &S, name: &str, profiles: u32) -> Vec<Fence> {
    let again = store.submit(&reprofiled(submission(name, 0), profiles)).await.expect("submitted");
    assert_eq!(again.outcome, SubmitOutcome::Reopened);
    again.stopped
}

/// Puts a title of the second generation into another state; answers the attempts that are to stop.
async fn leave_checking<S: Store>(store: &S, title: &TitleId, state: TitleState) -> Vec<Fence> {
    let advanced = store.advance(title, 2, TitleState::Checking, to(state)).await;
    advanced.expect("asked").expect("changed").stopped
}

/// An encode of hours is not begun again because the operator wants one profile more.
pub async fn what_the_new_generation_wants_too_goes_on_and_the_rest_is_cancelled<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[]), planned(3, &[]), planned(4, &[1])];
    let film = submit_and_plan(store, "film", &plan).await;
    let (running, dispatched) = (start(store, 1).await, dispatch(store, 2, LONG).await.fence);
    assert_eq!(resubmit(store, "film", 1).await, []);
    assert_eq!(state(store, 1).await, TaskState::Running);
    assert_eq!(state(store, 2).await, TaskState::Dispatched);
    assert_eq!(state(store, 3).await, TaskState::Cancelled, "what has not begun loses nothing");
    assert_eq!(state(store, 4).await, TaskState::Cancelled);
    assert_eq!(store.tasks_of(&film).await.expect("asked"), [], "nothing is planned yet");

    assert!(store.plan(&film, 2, &[planned(1, &[]), planned(5, &[1])]).await.expect("asked").is_some());
    assert_eq!(state(store, 2).await, TaskState::Dispatched, "until the state says that the plan is whole");
    assert_eq!(leave_checking(store, &film, TitleState::Preparing).await, [dispatched]);
    assert_eq!(state(store, 2).await, TaskState::Cancelled);
    refused_everywhere(store, &dispatched, &[1, 2]).await;
    let completed = store.complete(&running, &[], None).await.expect("asked").expect("goes on");
    assert_eq!((completed.titles, completed.now_ready), (vec![(film, 2)], 1));
    assert_eq!(record(store, 1).await.attempt, 1);
}

/// A resubmission that is rejected, fails or is cancelled wants nothing of it.
pub async fn a_generation_that_ends_keeps_nothing<S: Store>(store: &S) {
    for (number, end) in (1..).zip([TitleState::Rejected, TitleState::Failed, TitleState::Cancelled]) {
        let film = submit_and_plan(store, &format!("film-{number}"), &[planned(number, &[])]).await;
        let fence = start(store, number).await;
        assert_eq!(resubmit(store, film.as_str(), 1).await, []);
        assert_eq!(leave_checking(store, &film, end).await, [fence]);
        assert_eq!(state(store, number).await, TaskState::Cancelled);
        let history = store.attempts_of(&fence.task).await.expect("asked");
        assert_eq!(history[0].outcome, Some(AttemptEnd::Cancelled));
    }
}

/// Other bytes need other tasks, and a third submission lets go of what the second kept.
pub async fn another_source_keeps_nothing<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = start(store, 1).await;
    assert_eq!(resubmit(store, "film", 1).await, []);
    assert_eq!(resubmit(store, "film", 2).await, [], "and still the same source");
    let again = store.submit(&submission("film", 1)).await.expect("submitted");
    assert_eq!(again.stopped, [fence]);
    assert_eq!(state(store, 1).await, TaskState::Cancelled);
}

/// A generation that is over comes online no more, and takes nothing away under the next.
pub async fn what_acts_on_the_origin_is_stopped_at_once<S: Store>(store: &S) {
    let spec = UploadSpec {
        origin: "/origin".to_owned(),
        title: title("film"),
        media_path: "media/cmaf-clear-2s/0".to_owned(),
        media: ArtifactKey(Digest::of(b"media")),
    };
    let upload = Task::new(TaskSpec::Upload(spec), &ToolVersions::default());
    let entry = unconditional(upload.clone());
    submit_and_plan(store, "film", &[planned(1, &[]), entry]).await;
    start(store, 1).await;
    let uploading = store.dispatch(&upload.key, LONG).await.expect("asked").expect("ready").fence;
    assert_eq!(resubmit(store, "film", 1).await, [uploading]);
    assert_eq!(state(store, 1).await, TaskState::Running);
    let stopped = store.task(&upload.key).await.expect("asked").expect("known");
    assert_eq!(stopped.state, TaskState::Cancelled);
}

/// Whether there is to be another attempt is for the new plan to say.
pub async fn a_kept_attempt_that_is_handed_back_is_not_followed_by_another<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let (released, failed) = (start(store, 1).await, start(store, 2).await);
    assert_eq!(resubmit(store, "film", 1).await, []);
    assert!(store.release(&released).await.expect("asked"));
    let given_back = store.fail(&failed, &failure("a"), RetryDecision::After(LONG)).await.expect("asked");
    assert_eq!(given_back.expect("current").titles, [], "the title has nothing to do with it any more");
    for (number, outcome) in [(1, AttemptEnd::Released), (2, AttemptEnd::Failed)] {
        let ended = record(store, number).await;
        assert_eq!((ended.state, ended.not_before_ms), (TaskState::Cancelled, None));
        assert!(ended.finished_ms.is_some());
        let history = store.attempts_of(&ended.task.key).await.expect("asked");
        assert_eq!(history[0].outcome, Some(outcome));
    }
    assert!(store.plan(&film, 2, &[planned(1, &[])]).await.expect("asked").is_some());
    assert_eq!(state(store, 1).await, TaskState::Ready);
    assert_eq!(leave_checking(store, &film, TitleState::Preparing).await, []);
    assert_eq!(start(store, 1).await.attempt, 2);
}

/// What was made meanwhile is there for the plan.
pub async fn a_kept_attempt_that_completes_is_done<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = start(store, 1).await;
    resubmit(store, "film", 1).await;
    let completed = store.complete(&fence, &[], None).await.expect("asked").expect("current");
    assert_eq!(completed.titles, []);
    assert!(store.plan(&film, 2, &[planned(1, &[]), planned(2, &[1])]).await.expect("asked").is_some());
    assert_eq!(leave_checking(store, &film, TitleState::Preparing).await, []);
    assert_eq!(state(store, 1).await, TaskState::Done);
    assert_eq!(state(store, 2).await, TaskState::Ready);
}

/// One title's plan decides for that title alone.
pub async fn what_two_titles_keep_goes_on_until_both_are_planned<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(1, &[])]).await;
    let fence = start(store, 1).await;
    assert_eq!(resubmit(store, "one", 1).await, []);
    assert_eq!(resubmit(store, "two", 1).await, []);
    assert_eq!(leave_checking(store, &one, TitleState::Preparing).await, []);
    assert_eq!(state(store, 1).await, TaskState::Running);
    assert_eq!(leave_checking(store, &two, TitleState::Preparing).await, [fence]);
    let live = store.wanted_attempts().await.expect("asked");
    assert!(live.keys().all(|task| !keys(&[1]).contains(task)));
}

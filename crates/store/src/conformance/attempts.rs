//! Attempts, from dispatch to their end.

use std::collections::BTreeSet;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{Task, TaskSpec, UploadSpec};
use reelfarm_model::{ArtifactKey, Code, Digest, Progress, TaskKind, TaskState, TitleState};

use super::fixtures::{
    LONG, NONE, back_off, dispatch, failure, finish, key, planned, ready, record, refused_everywhere, start,
    state, submission, submit, submit_and_plan, title, to, unconditional, worker,
};
use crate::records::{AttemptEnd, Counts, ExpiredAttempt};
use crate::report::RetryDecision;
use crate::store::Store;

/// The life of an attempt that goes well, as it is seen from outside.
pub async fn an_attempt_runs_from_dispatch_to_done<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let message = dispatch(store, 1, LONG).await;
    assert_eq!((message.fence.task, message.fence.attempt, &message.title), (key(1), 1, &film));
    let dispatched = record(store, 1).await;
    assert_eq!((dispatched.state, dispatched.attempt), (TaskState::Dispatched, 1));
    assert!(dispatched.dispatched_ms.is_some() && dispatched.started_ms.is_none());

    assert!(store.started(&message.fence, &worker("w")).await.expect("asked"));
    let progress = Progress { fraction: 0.5, frames_per_second: 81.25, speed: 3.5 };
    assert!(store.extend(&message.fence, LONG, progress).await.expect("asked"));
    let running = record(store, 1).await;
    assert_eq!((running.state, running.progress), (TaskState::Running, progress));
    assert_eq!((running.worker, running.finished_ms), (Some(worker("w")), None));
    assert!(running.started_ms >= running.dispatched_ms);
    assert_eq!(store.attempts_of(&key(1)).await.expect("asked")[0].outcome, None);

    let made = ArtifactRecord { key: ArtifactKey(Digest::of(b"a")), digest: Digest::of(b"b"), size: 1 << 41 };
    let result = serde_json::json!({"frames": 250});
    let completed =
        store.complete(&message.fence, std::slice::from_ref(&made), Some(&result)).await.expect("asked");
    assert_eq!(completed.expect("current").titles, [(film, 1)]);
    let done = record(store, 1).await;
    assert_eq!(
        (done.state, done.result, done.progress),
        (TaskState::Done, Some(result), Progress::default())
    );
    assert!(done.finished_ms >= done.started_ms);
    assert_eq!(store.artifact(&made.key).await.expect("asked"), Some(made));
    assert_eq!(store.artifact(&ArtifactKey(Digest::of(b"z"))).await.expect("asked"), None);
    let history = store.attempts_of(&key(1)).await.expect("asked");
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].attempt, history[0].outcome), (1, Some(AttemptEnd::Completed)));
    assert_eq!(history[0].worker, Some(worker("w")));
}

/// Nothing is dispatched twice, or before its time.
pub async fn only_a_ready_task_is_dispatched<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    assert_eq!(store.dispatch(&key(2), LONG).await.expect("asked"), None, "waiting");
    assert_eq!(store.dispatch(&key(3), LONG).await.expect("asked"), None, "unknown");
    let fence = dispatch(store, 1, LONG).await.fence;
    assert_eq!(store.dispatch(&key(1), LONG).await.expect("asked"), None, "dispatched");
    store.started(&fence, &worker("w")).await.expect("asked");
    assert_eq!(store.dispatch(&key(1), LONG).await.expect("asked"), None, "running");
    store.complete(&fence, &[], None).await.expect("asked");
    assert_eq!(store.dispatch(&key(1), LONG).await.expect("asked"), None, "done");
}

/// A failure is counted, kept, and tried again after its back-off, not before.
pub async fn a_failed_attempt_waits_for_its_back_off<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let first = start(store, 1).await;
    let failed = store.fail(&first, &failure("one"), RetryDecision::After(NONE)).await.expect("asked");
    assert_eq!(failed.expect("current").titles, [(title("film"), 1)]);
    assert_eq!(ready(store).await, [key(1)]);

    let second = start(store, 1).await;
    assert_ne!(second.lease, first.lease);
    store.fail(&second, &failure("two"), RetryDecision::After(LONG)).await.expect("asked").expect("current");
    assert_eq!(ready(store).await, []);
    assert_eq!(store.dispatch(&key(1), LONG).await.expect("asked"), None);
    let wait = back_off(store, 1).await.expect("it is in a back-off");
    assert!(wait <= LONG && wait > LONG / 2, "{wait:?}");
    let waiting = record(store, 1).await;
    assert_eq!((waiting.state, waiting.failures, waiting.attempt), (TaskState::Ready, 2, 2));
    assert_eq!(waiting.last_failure, Some(failure("two")));
    let history = store.attempts_of(&key(1)).await.expect("asked");
    let failures: Vec<_> = history.into_iter().map(|attempt| (attempt.outcome, attempt.failure)).collect();
    assert_eq!(
        failures,
        [(Some(AttemptEnd::Failed), Some(failure("one"))), (Some(AttemptEnd::Failed), Some(failure("two")))]
    );
}

/// A worker that has not heard that its attempt was stopped may still write.
pub async fn who_was_stopped_at_the_origin_is_known_for_a_while<S: Store>(store: &S) {
    let upload = |name: &str| {
        let media = ArtifactKey(Digest::of(name.as_bytes()));
        let spec =
            UploadSpec { origin: "/origin".into(), title: title(name), media_path: "media/x".into(), media };
        let task = Task::new(TaskSpec::Upload(spec), &ToolVersions::default());
        unconditional(task)
    };
    let film = submit_and_plan(store, "film", &[planned(1, &[]), upload("film")]).await;
    submit_and_plan(store, "other", &[upload("other")]).await;
    start(store, 1).await;
    for name in ["film", "other"] {
        store.dispatch(&upload(name).task.key, LONG).await.expect("asked").expect("ready");
    }
    assert_eq!(store.stopped_at_origin(LONG).await.expect("asked"), BTreeSet::new());
    let over = to(TitleState::Cancelled);
    store.advance(&film, 1, TitleState::Checking, over).await.expect("asked").expect("changed");
    assert_eq!(store.stopped_at_origin(LONG).await.expect("asked"), BTreeSet::from([film]));
    assert_eq!(store.stopped_at_origin(NONE).await.expect("asked"), BTreeSet::new());
}

/// What a title is made of is referred to until the title has been over for a while.
pub async fn artifacts_are_referred_to_until_their_titles_are_over<S: Store>(store: &S) {
    let output = |number| planned(number, &[]).task.outputs.into_iter().map(|output| output.key);
    let of = |numbers: &[u32]| numbers.iter().copied().flat_map(output).collect();
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    submit_and_plan(store, "other", &[planned(2, &[]), planned(3, &[])]).await;
    assert_eq!(store.referenced_artifacts(NONE).await.expect("asked"), of(&[1, 2, 3]));
    let over = to(TitleState::Cancelled);
    store.advance(&film, 1, TitleState::Checking, over).await.expect("asked").expect("changed");
    assert_eq!(store.referenced_artifacts(LONG).await.expect("asked"), of(&[1, 2, 3]));
    assert_eq!(store.referenced_artifacts(NONE).await.expect("asked"), of(&[2, 3]));

    let sources = |ended| async move { store.referenced_sources(ended).await.expect("asked") };
    let source = |name| submission(name, 0).source.path;
    assert_eq!(sources(LONG).await, [source("film"), source("other")].into());
    assert_eq!(sources(NONE).await, [source("other")].into());
}

/// What is given up is given up, and what needs it does not start.
pub async fn a_task_that_failed_for_good_stays_failed<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[1])]).await;
    let fence = start(store, 1).await;
    store.fail(&fence, &failure("broken"), RetryDecision::Never).await.expect("asked").expect("current");
    let failed = record(store, 1).await;
    assert_eq!((failed.state, failed.failures), (TaskState::Failed, 1));
    assert!(failed.finished_ms.is_some());
    assert_eq!(state(store, 2).await, TaskState::Waiting);
    assert_eq!(ready(store).await, []);
    refused_everywhere(store, &fence, &[1, 2]).await;
}

/// A drained worker's tasks go back without blame.
pub async fn a_released_attempt_does_not_count_and_its_number_is_gone<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let first = start(store, 1).await;
    assert!(store.release(&first).await.expect("asked"));
    let released = record(store, 1).await;
    assert_eq!((released.state, released.failures, released.losses), (TaskState::Ready, 0, 0));
    assert_eq!(released.last_failure, None);
    assert_eq!(dispatch(store, 1, LONG).await.fence.attempt, 2);
    let history = store.attempts_of(&key(1)).await.expect("asked");
    assert_eq!(history[0].outcome, Some(AttemptEnd::Released));
    assert_eq!(history[1].outcome, None);
}

/// A heartbeat may be heard before the start that was sent before it.
pub async fn a_start_that_is_heard_after_a_heartbeat_does_not_shorten_the_lease<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = dispatch(store, 1, NONE).await.fence;
    assert!(store.extend(&fence, LONG, Progress::default()).await.expect("asked"));
    assert!(store.started(&fence, &worker("w")).await.expect("asked"));
    assert_eq!(store.expired().await.expect("asked"), []);
}

/// A worker that died is noticed by its silence.
pub async fn a_lease_that_ran_out_is_found_and_counted<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let alive = start(store, 2).await;
    let silent = dispatch(store, 1, NONE).await.fence;
    assert!(store.started(&silent, &worker("w")).await.expect("asked"));
    let titles = vec![(title("film"), 1)];
    assert_eq!(
        store.expired().await.expect("asked"),
        [ExpiredAttempt { fence: silent, started: true, failures: 0, losses: 0, titles: titles.clone() }]
    );
    assert_eq!(store.lost(&alive, RetryDecision::Never).await.expect("asked"), None, "its lease runs");
    let lost = store.lost(&silent, RetryDecision::After(NONE)).await.expect("asked");
    assert_eq!(lost.expect("current").titles, titles);
    assert_eq!(store.expired().await.expect("asked"), []);
    let again = record(store, 1).await;
    assert_eq!((again.state, again.failures, again.losses), (TaskState::Ready, 0, 1));
    let failure = again.last_failure.expect("kept");
    assert_eq!(failure.code, Code::WorkerLost);
    assert!(failure.message.contains("worker w"), "{failure}");
    let history = store.attempts_of(&key(1)).await.expect("asked");
    assert_eq!(history[0].outcome, Some(AttemptEnd::Lost));

    let unheard = dispatch(store, 1, NONE).await.fence;
    assert!(store.expired().await.expect("asked").iter().all(|attempt| !attempt.started));
    store.lost(&unheard, RetryDecision::After(NONE)).await.expect("asked").expect("current");
    let failure = record(store, 1).await.last_failure.expect("kept");
    assert!(failure.message.starts_with("no worker reported the start of attempt 2"), "{failure}");
}

/// Some failures and losses say nothing about the task: they are kept, and not counted.
pub async fn a_failure_or_a_loss_may_be_uncounted<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let full = start(store, 1).await;
    store
        .fail(&full, &failure("full"), RetryDecision::Uncounted(NONE))
        .await
        .expect("asked")
        .expect("current");
    let unheard = dispatch(store, 2, NONE).await.fence;
    store.lost(&unheard, RetryDecision::Uncounted(LONG)).await.expect("asked").expect("current");
    assert_eq!(ready(store).await, [key(1)], "the other waits");
    let history = [(1, AttemptEnd::Failed), (2, AttemptEnd::Lost)];
    for (number, end) in history {
        let again = record(store, number).await;
        assert_eq!((again.state, again.failures, again.losses), (TaskState::Ready, 0, 0));
        assert!(again.last_failure.is_some());
        assert_eq!(again.uncounted, u32::from(end == AttemptEnd::Failed));
        let history = store.attempts_of(&key(number)).await.expect("asked");
        assert_eq!(history[0].outcome, Some(end));
        assert!(history[0].failure.is_some());
    }
    refused_everywhere(store, &full, &[1, 2]).await;
}

/// Between looking for lost attempts and acting on them, a heartbeat may come.
pub async fn a_heartbeat_saves_an_attempt_from_being_lost<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = dispatch(store, 1, NONE).await.fence;
    assert_eq!(store.expired().await.expect("asked").len(), 1);
    assert!(store.extend(&fence, LONG, Progress::default()).await.expect("asked"));
    assert_eq!(store.expired().await.expect("asked"), []);
    assert_eq!(store.lost(&fence, RetryDecision::Never).await.expect("asked"), None);
    assert!(store.complete(&fence, &[], None).await.expect("asked").is_some());
}

/// A task that kills its workers is given up.
pub async fn a_lost_attempt_may_be_the_last<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = dispatch(store, 1, NONE).await.fence;
    store.lost(&fence, RetryDecision::Never).await.expect("asked").expect("current");
    let failed = record(store, 1).await;
    assert_eq!((failed.state, failed.losses), (TaskState::Failed, 1));
    assert_eq!(failed.last_failure.expect("kept").code, Code::WorkerLost);
    assert_eq!(ready(store).await, []);
}

/// A farm that starts again takes its own unfinished work up.
pub async fn recovery_releases_every_attempt<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    finish(store, 3).await;
    dispatch(store, 1, LONG).await;
    start(store, 2).await;
    assert_eq!(store.recover().await.expect("asked"), 2);
    assert_eq!(store.recover().await.expect("asked"), 0);
    assert_eq!(ready(store).await, [key(1), key(2)]);
    for number in [1, 2] {
        let record = record(store, number).await;
        assert_eq!((record.failures, record.losses), (0, 0));
        let history = store.attempts_of(&key(number)).await.expect("asked");
        assert_eq!(history[0].outcome, Some(AttemptEnd::Released));
    }
    assert_eq!(state(store, 3).await, TaskState::Done);
}

/// An artifact is immutable; one that is to be made again is forgotten first.
pub async fn of_two_records_of_an_artifact_the_first_stays<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[])]).await;
    let output = super::fixtures::task(1).outputs[0].key;
    let record = |content: &[u8]| ArtifactRecord { key: output, digest: Digest::of(content), size: 1 };
    for (number, content) in [(1, b"first"), (2, b"other")] {
        let fence = start(store, number).await;
        store.complete(&fence, &[record(content)], None).await.expect("asked").expect("current");
        assert_eq!(store.artifact(&output).await.expect("asked"), Some(record(b"first")));
    }
    assert!(store.plan(&film, 1, &[super::fixtures::redone(1, &[])]).await.expect("asked").is_some());
    assert_eq!(store.artifact(&output).await.expect("asked"), None);
    let fence = start(store, 1).await;
    store.complete(&fence, &[record(b"again")], None).await.expect("asked").expect("current");
    assert_eq!(store.artifact(&output).await.expect("asked"), Some(record(b"again")));
}

/// Logs name the title that has waited longest.
pub async fn an_attempt_is_dispatched_for_the_title_that_came_first<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(1, &[])]).await;
    let message = dispatch(store, 1, LONG).await;
    assert_eq!(message.title, one);
    assert!(store.release(&message.fence).await.expect("asked"));
    store
        .advance(&one, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(dispatch(store, 1, LONG).await.title, two);
}

/// Progress is everybody's who waits for it.
pub async fn who_wants_the_attempts_under_way_is_known<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(1, &[]), planned(3, &[])]).await;
    assert_eq!(store.wanted_attempts().await.expect("asked"), [].into());
    start(store, 1).await;
    dispatch(store, 2, LONG).await;
    let wanted = [(key(1), vec![one.clone(), two.clone()]), (key(2), vec![one.clone()])];
    assert_eq!(store.wanted_attempts().await.expect("asked"), wanted.into());
    store
        .advance(&one, 1, TitleState::Checking, to(TitleState::Failed))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(store.wanted_attempts().await.expect("asked"), [(key(1), vec![two])].into());
}

/// A scheduler that takes over knows nothing of them.
pub async fn attempts_under_way_are_listed_whole<S: Store>(store: &S) {
    let one = submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    let two = submit_and_plan(store, "two", &[planned(2, &[])]).await;
    assert_eq!(store.under_way().await.expect("asked"), []);
    let first = dispatch(store, 2, LONG).await;
    let second = start(store, 1).await;
    let found = store.under_way().await.expect("asked");
    let shown: Vec<_> = found.iter().map(|attempt| (attempt.fence, attempt.worker.clone())).collect();
    assert_eq!(shown, [(first.fence, None), (second, Some(worker("w")))]);
    assert_eq!(found[0].task, first.task);
    assert_eq!(found[0].titles, [(one.clone(), 1), (two, 1)]);
    assert_eq!(found[1].titles, [(one, 1)]);
    store.release(&first.fence).await.expect("asked");
    assert_eq!(store.under_way().await.expect("asked").len(), 1);
}

/// The numbers that metrics show.
pub async fn counts_cover_titles_and_tasks<S: Store>(store: &S) {
    assert_eq!(store.counts().await.expect("asked"), Counts::default());
    submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[1]), planned(3, &[])]).await;
    submit(store, "two").await;
    store
        .advance(&title("two"), 1, TitleState::Checking, to(TitleState::Rejected))
        .await
        .expect("asked")
        .expect("changed");
    start(store, 3).await;
    let counts = store.counts().await.expect("asked");
    assert_eq!(counts.titles, [(TitleState::Checking, 1), (TitleState::Rejected, 1)].into());
    assert_eq!(
        counts.tasks,
        [
            ((TaskKind::Qc, TaskState::Waiting), 1),
            ((TaskKind::Qc, TaskState::Ready), 1),
            ((TaskKind::Qc, TaskState::Running), 1)
        ]
        .into()
    );
}

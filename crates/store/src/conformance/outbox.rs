//! The outbox, and reports and dispatches of many at once.

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::{ArtifactKey, Digest, Fence, Progress, TaskKey, TaskState, TitleState};

use super::fixtures::{
    LONG, NONE, dispatch, failure, finish, key, planned, ready, record, start, state, submit_and_plan, title,
    to, worker,
};
use crate::records::AttemptEnd;
use crate::report::{AttemptReport, Completed, Failed, Recorded, Report, RetryDecision};
use crate::store::Store;

async fn unsent(store: &impl Store) -> Vec<TaskMessage> {
    store.unsent(usize::MAX).await.expect("asked")
}

/// A scheduler that died between its commit and the broker's confirmation is followed by one that finds the message.
pub async fn a_dispatched_message_is_unsent_until_it_is_marked<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    assert_eq!(unsent(store).await, []);
    // In the order of planning, not of dispatch.
    let (second, first) = (dispatch(store, 2, LONG).await, dispatch(store, 1, LONG).await);
    assert_eq!(unsent(store).await, [first.clone(), second.clone()]);
    assert_eq!(store.unsent(1).await.expect("asked"), std::slice::from_ref(&first));
    store.mark_sent(&[second.fence]).await.expect("asked");
    assert_eq!(unsent(store).await, std::slice::from_ref(&first));
    store.mark_sent(&[second.fence, first.fence]).await.expect("marking twice does no harm");
    assert_eq!(unsent(store).await, []);
    assert_eq!(state(store, 1).await, TaskState::Dispatched);
}

/// What nobody waits for any more is not sent.
pub async fn a_message_goes_with_its_attempt<S: Store>(store: &S) {
    let plan: Vec<_> = (1..=7).map(|number| planned(number, &[])).collect();
    let film = submit_and_plan(store, "film", &plan).await;
    let fences = {
        let mut fences = Vec::new();
        for number in 1..=6 {
            let lease = if number == 5 { NONE } else { LONG };
            fences.push(dispatch(store, number, lease).await.fence);
        }
        fences
    };
    store.complete(&fences[0], &[], None).await.expect("asked").expect("current");
    store.fail(&fences[1], &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    store.fail(&fences[2], &failure("a"), RetryDecision::After(LONG)).await.expect("asked").expect("current");
    assert!(store.release(&fences[3]).await.expect("asked"));
    store.lost(&fences[4], RetryDecision::Never).await.expect("asked").expect("current");
    let left: Vec<_> = unsent(store).await.into_iter().map(|message| message.fence).collect();
    assert_eq!(left, [fences[5]]);
    // A worker that started has the message, whatever the broker confirmed.
    let last = dispatch(store, 7, LONG).await.fence;
    assert!(store.started(&fences[5], &worker("w")).await.expect("asked"));
    let left: Vec<_> = unsent(store).await.into_iter().map(|message| message.fence).collect();
    assert_eq!(left, [last]);
    store
        .advance(&film, 1, TitleState::Checking, to(TitleState::Cancelled))
        .await
        .expect("asked")
        .expect("changed");
    assert_eq!(unsent(store).await, []);
}

/// To say that an old attempt's message was sent says nothing about the new one's.
pub async fn an_old_attempts_message_is_not_the_new_ones<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let old = dispatch(store, 1, LONG).await.fence;
    assert!(store.release(&old).await.expect("asked"));
    let new = dispatch(store, 1, LONG).await;
    store.mark_sent(&[old]).await.expect("asked");
    assert_eq!(unsent(store).await, [new]);
    assert_eq!(store.recover().await.expect("asked"), 1);
    assert_eq!(unsent(store).await, []);
}

/// Many at once are as many alone, in the order that was asked for.
pub async fn many_are_dispatched_at_once<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[]), planned(3, &[1]), planned(4, &[])];
    submit_and_plan(store, "film", &plan).await;
    finish(store, 4).await;
    let asked = [key(2), key(3), key(9), key(1), key(4), key(2)];
    let messages = store.dispatch_all(&asked, LONG).await.expect("asked");
    assert_eq!(messages.iter().map(|message| message.fence.task).collect::<Vec<_>>(), [key(2), key(1)]);
    assert_ne!(messages[0].fence.lease, messages[1].fence.lease);
    let by_planning: Vec<_> = messages.iter().rev().cloned().collect();
    assert_eq!(unsent(store).await, by_planning);
    for message in &messages {
        let found = store.task(&message.fence.task).await.expect("asked").expect("known");
        assert_eq!((found.state, found.attempt), (TaskState::Dispatched, 1));
        assert_eq!(store.attempts_of(&message.fence.task).await.expect("asked").len(), 1);
    }
    assert_eq!(store.dispatch_all(&[], LONG).await.expect("asked"), []);
    assert_eq!(store.dispatch_all(&asked, LONG).await.expect("asked"), []);
}

fn report(fence: &Fence, report: Report) -> AttemptReport {
    AttemptReport { fence: *fence, report }
}

fn started(fence: &Fence, name: &str) -> AttemptReport {
    report(fence, Report::Started { worker: worker(name) })
}

fn completed(fence: &Fence, artifacts: &[ArtifactRecord]) -> AttemptReport {
    report(fence, Report::Completed { artifacts: artifacts.to_vec(), result: None })
}

/// Reports on one task take effect one after the other, and what one of them decides holds for the next.
pub async fn reports_on_one_task_keep_their_order<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    let fence = dispatch(store, 1, LONG).await.fence;
    let progress = Progress { fraction: 0.5, ..Progress::default() };
    let reports = [
        started(&fence, "first"),
        started(&fence, "second"),
        report(&fence, Report::Extended { lease: LONG, progress }),
        started(&fence, "first"),
        completed(&fence, &[]),
        report(&fence, Report::Failed { failure: failure("late"), retry: RetryDecision::Never }),
        report(&fence, Report::Released),
    ];
    let recorded = store.record(&reports).await.expect("asked");
    let titles = vec![(title("film"), 1)];
    assert_eq!(
        recorded,
        [
            Recorded::UnderWay,
            Recorded::Refused,
            Recorded::UnderWay,
            Recorded::UnderWay,
            Recorded::Completed(Completed { titles, now_ready: 0 }),
            Recorded::Refused,
            Recorded::Refused,
        ]
    );
    let done = record(store, 1).await;
    assert_eq!((done.state, done.failures, done.worker), (TaskState::Done, 0, Some(worker("first"))));
    assert_eq!(store.record(&[]).await.expect("asked"), []);
}

/// One call, every kind of report, each on a task of its own and one on none.
pub async fn reports_of_every_kind_take_effect_together<S: Store>(store: &S) {
    let plan: Vec<_> = (1..=6).map(|number| planned(number, &[])).collect();
    submit_and_plan(store, "film", &plan).await;
    let mut fences = Vec::new();
    for number in 1..=6 {
        fences.push(dispatch(store, number, if number == 6 { NONE } else { LONG }).await.fence);
    }
    let made = ArtifactRecord { key: ArtifactKey(Digest::of(b"a")), digest: Digest::of(b"b"), size: 7 };
    let unknown = Fence { task: key(77), ..fences[0] };
    let progress = Progress { fraction: 0.25, ..Progress::default() };
    let reports = [
        report(&fences[5], Report::Lost { retry: RetryDecision::After(NONE) }),
        report(&unknown, Report::Released),
        started(&fences[0], "w"),
        report(&fences[1], Report::Extended { lease: LONG, progress }),
        completed(&fences[2], std::slice::from_ref(&made)),
        report(&fences[3], Report::Failed { failure: failure("a"), retry: RetryDecision::Never }),
        report(&fences[4], Report::Released),
        report(&fences[4], Report::Lost { retry: RetryDecision::Never }),
    ];
    let recorded = store.record(&reports).await.expect("asked");
    let titles = vec![(title("film"), 1)];
    let failed = Recorded::Failed(Failed { titles: titles.clone() });
    assert_eq!(
        recorded,
        [
            failed.clone(),
            Recorded::Refused,
            Recorded::UnderWay,
            Recorded::UnderWay,
            Recorded::Completed(Completed { titles, now_ready: 0 }),
            failed,
            Recorded::Released,
            Recorded::Refused,
        ]
    );
    let states = [
        TaskState::Running,
        TaskState::Dispatched,
        TaskState::Done,
        TaskState::Failed,
        TaskState::Ready,
        TaskState::Ready,
    ];
    for (number, expected) in (1..).zip(states) {
        assert_eq!(state(store, number).await, expected, "task {number}");
    }
    assert_eq!(record(store, 2).await.progress, progress);
    assert_eq!(store.artifact(&made.key).await.expect("asked"), Some(made));
    assert_eq!((record(store, 4).await.failures, record(store, 6).await.losses), (1, 1));
    let ends = [
        (3, AttemptEnd::Completed),
        (4, AttemptEnd::Failed),
        (5, AttemptEnd::Released),
        (6, AttemptEnd::Lost),
    ];
    for (number, end) in ends {
        let history = store.attempts_of(&key(number)).await.expect("asked");
        assert_eq!(history[0].outcome, Some(end), "task {number}");
    }
}

/// Who waited for several is woken by the last of them, once.
pub async fn what_waits_for_several_is_woken_once<S: Store>(store: &S) {
    let plan = [planned(1, &[]), planned(2, &[]), planned(3, &[1, 2]), planned(4, &[1]), planned(5, &[3])];
    submit_and_plan(store, "film", &plan).await;
    let (one, two) = (start(store, 1).await, start(store, 2).await);
    let recorded = store.record(&[completed(&one, &[]), completed(&two, &[])]).await.expect("asked");
    let woken: Vec<_> = recorded
        .iter()
        .map(|recorded| match recorded {
            Recorded::Completed(completed) => completed.now_ready,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(woken, [1, 1]);
    assert_eq!(ready(store).await, [key(3), key(4)]);
}

/// As many as a farm has slots.
pub async fn thousands_of_tasks_go_through_at_once<S: Store>(store: &S) {
    const MANY: u32 = 2000;
    let plan: Vec<_> = (0..MANY).map(|number| planned(number, &[])).collect();
    submit_and_plan(store, "film", &plan).await;
    let tasks: Vec<TaskKey> = ready(store).await;
    assert_eq!(tasks.len(), MANY as usize);
    let messages = store.dispatch_all(&tasks, LONG).await.expect("asked");
    let fences: Vec<Fence> = messages.iter().map(|message| message.fence).collect();
    store.mark_sent(&fences).await.expect("asked");
    let starts = fences.iter().map(|fence| started(fence, "w"));
    let ends = fences.iter().map(|fence| completed(fence, &[]));
    let recorded = store.record(&starts.chain(ends).collect::<Vec<_>>()).await.expect("asked");
    assert!(recorded.iter().all(|recorded| !recorded.is_refused()));
    let counts = store.counts().await.expect("asked");
    assert_eq!(
        counts.tasks.into_iter().collect::<Vec<_>>(),
        [((reelfarm_model::TaskKind::Qc, TaskState::Done), 2000)]
    );
}

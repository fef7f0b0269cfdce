//! Random histories: whatever is asked of a store, in whatever order, it stays in step with the model, and
//! - a task is done only once, unless it was asked to be redone;
//! - a task is ready only while everything that it needs is done, and never waits for one that was cancelled;
//! - nothing is waiting, ready or under way that no title wants, but for attempts kept from an earlier generation;
//! - no two attempts at a task share a number, and numbers rise;
//! - only the fence of the attempt that is under way acts;
//! - the outbox holds the messages of the attempts under way that no worker has started, and of no other.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reelfarm_model::attempt::LeaseToken;
use reelfarm_model::{Digest, Fence, Progress, TaskKey, TaskState, TitleId, TitleState};

use super::fixtures::{LONG, NONE, failure, key, planned, reprofiled, submission, title, worker};
use super::model::{Model, Retry, Span, Wish};
use crate::changes::{PlannedTask, SubmitOutcome};
use crate::error::StoreError;
use crate::records::Ruling;
use crate::report::RetryDecision;
use crate::store::Store;

const TASKS: u32 = 6;
const TITLES: u32 = 3;

/// What each task needs of those with smaller numbers.
type Graph = Vec<BTreeSet<u32>>;

/// Plans do not agree about what a task needs: each takes one of these.
const GRAPHS: usize = 2;

#[derive(Clone, Debug)]
enum Operation {
    Submit {
        title: u32,
        wish: Wish,
    },
    /// Some tasks, and what they need by one of the graphs; those to redo.
    Plan {
        title: u32,
        graph: usize,
        tasks: BTreeSet<u32>,
        redo: BTreeSet<u32>,
        stale: bool,
    },
    Advance {
        title: u32,
        from: Option<TitleState>,
        to: TitleState,
    },
    Dispatch {
        task: u32,
        lease: Span,
    },
    Report {
        fence: Which,
        report: Report,
    },
    Recover,
    Hold {
        title: u32,
        held: bool,
    },
    /// Approves one that waits for a person, or one that was rejected.
    Approve {
        title: u32,
        waits: bool,
    },
    /// Rejects one in this state, which has it go to that state.
    Reject {
        title: u32,
        from: Option<TitleState>,
        to: TitleState,
    },
    Recheck {
        title: u32,
    },
    RetryTitle {
        title: u32,
    },
    RetryTask {
        title: u32,
        task: u32,
    },
}

/// Which of all the fences there ever were, and whether it is tampered with.
#[derive(Clone, Debug)]
struct Which {
    index: prop::sample::Index,
    tampered: bool,
}

#[derive(Clone, Debug)]
enum Report {
    Started { worker: u32 },
    Extended { lease: Span },
    Completed,
    Failed { retry: Retry },
    Released,
    Lost { retry: Retry },
}

/// Puts stores that `factory` gives through so many random histories. Runs on the calling thread, which must not be one of an
/// asynchronous runtime.
pub fn check<S: Store, K, F: Future<Output = (S, K)>>(cases: u32, factory: impl Fn() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let history = (prop::collection::vec(graph(), GRAPHS), prop::collection::vec(operation(), 1..60));
    TestRunner::new(config)
        .run(&history, |(graphs, operations)| {
            runtime.block_on(async {
                let (store, _kept) = factory().await;
                History { store: &store, graphs: &graphs, model: Model::default(), fences: Vec::new() }
                    .run(&operations)
                    .await;
            });
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

fn graph() -> impl Strategy<Value = Graph> {
    let needs = |number: u32| prop::collection::btree_set(0..number.max(1), 0..3.min(number as usize + 1));
    (0..TASKS)
        .map(move |number| {
            needs(number).prop_map(move |needs| if number == 0 { BTreeSet::new() } else { needs })
        })
        .collect::<Vec<_>>()
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![Just(Span::None), Just(Span::Long)]
}

fn retry() -> impl Strategy<Value = Retry> {
    (prop::option::of(span()), prop::bool::weighted(0.7))
        .prop_map(|(after, counts)| Retry { after, counts: counts || after.is_none() })
}

fn operation() -> impl Strategy<Value = Operation> {
    let some_tasks = || prop::collection::btree_set(0..TASKS, 0..TASKS as usize);
    let some_state = || prop::sample::select(&TitleState::ALL[..]);
    let report = prop_oneof![
        3 => (0..2_u32).prop_map(|worker| Report::Started { worker }),
        2 => span().prop_map(|lease| Report::Extended { lease }),
        5 => Just(Report::Completed),
        2 => retry().prop_map(|retry| Report::Failed { retry }),
        1 => Just(Report::Released),
        2 => retry().prop_map(|retry| Report::Lost { retry }),
    ];
    let wish = || (0..2_u32, 0..3_u32).prop_map(|(source, profiles)| Wish { source, profiles });
    let which = (any::<prop::sample::Index>(), prop::bool::weighted(0.1))
        .prop_map(|(index, tampered)| Which { index, tampered });
    prop_oneof![
        2 => (0..TITLES, wish()).prop_map(|(title, wish)| Operation::Submit { title, wish }),
        4 => (0..TITLES, 0..GRAPHS, some_tasks(), some_tasks(), prop::bool::weighted(0.1)).prop_map(
            |(title, graph, tasks, redo, stale)| Operation::Plan { title, graph, tasks, redo, stale }
        ),
        2 => (0..TITLES, prop::option::weighted(0.2, some_state()), some_state())
            .prop_map(|(title, from, to)| Operation::Advance { title, from, to }),
        8 => (0..TASKS, span()).prop_map(|(task, lease)| Operation::Dispatch { task, lease }),
        12 => (which, report).prop_map(|(fence, report)| Operation::Report { fence, report }),
        1 => Just(Operation::Recover),
        1 => (0..TITLES, any::<bool>()).prop_map(|(title, held)| Operation::Hold { title, held }),
        1 => (0..TITLES, any::<bool>()).prop_map(|(title, waits)| Operation::Approve { title, waits }),
        1 => (0..TITLES, prop::option::weighted(0.2, some_state()), some_state())
            .prop_map(|(title, from, to)| Operation::Reject { title, from, to }),
        1 => (0..TITLES).prop_map(|title| Operation::Recheck { title }),
        1 => (0..TITLES).prop_map(|title| Operation::RetryTitle { title }),
        2 => (0..TITLES, 0..TASKS).prop_map(|(title, task)| Operation::RetryTask { title, task }),
    ]
}

struct History<'a, S> {
    store: &'a S,
    graphs: &'a [Graph],
    model: Model,
    fences: Vec<Fence>,
}

fn name(number: u32) -> TitleId {
    title(&format!("title-{number}"))
}

const fn length(span: Span) -> Duration {
    match span {
        Span::None => NONE,
        Span::Long => LONG,
    }
}

fn decision(retry: Retry) -> RetryDecision {
    match (retry.after, retry.counts) {
        (None, _) => RetryDecision::Never,
        (Some(span), true) => RetryDecision::After(length(span)),
        (Some(span), false) => RetryDecision::Uncounted(length(span)),
    }
}

fn ruling() -> Ruling {
    Ruling {
        reviewer: None,
        why: None,
        source_digest: Digest::of(b"film"),
        policy: "default".to_owned(),
        policy_digest: Digest::of(b"policy"),
        questions: BTreeSet::new(),
    }
}

fn tasks_of_fences(fences: &[Fence]) -> BTreeSet<TaskKey> {
    fences.iter().map(|fence| fence.task).collect()
}

fn keys(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<TaskKey> {
    numbers.into_iter().map(key).collect()
}

impl<S: Store> History<'_, S> {
    async fn run(mut self, operations: &[Operation]) {
        for operation in operations {
            self.apply(operation).await;
            self.compare().await;
        }
    }

    async fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Submit { title, wish } => self.submit(*title, *wish).await,
            Operation::Plan { title, graph, tasks, redo, stale } => {
                self.plan(*title, *graph, tasks, redo, *stale).await;
            }
            Operation::Advance { title, from, to } => self.advance(*title, *from, *to).await,
            Operation::Dispatch { task, lease } => self.dispatch(*task, *lease).await,
            Operation::Report { fence, report } => self.report(fence, report).await,
            Operation::Recover => {
                assert_eq!(self.store.recover().await.expect("asked"), self.model.recover());
            }
            Operation::Hold { title, held } => {
                let after = self.store.hold(&name(*title), *held).await.expect("asked");
                assert_eq!(after.is_some(), self.model.hold(*title, *held));
            }
            Operation::Approve { title, waits } => {
                let from = if *waits { TitleState::Review } else { TitleState::Rejected };
                let generation = self.model.titles.get(title).map_or(1, |title| title.generation);
                let approved = self.store.approve(&name(*title), generation, from, &ruling()).await;
                assert_eq!(approved.expect("asked").is_some(), self.model.approve(*title, from));
            }
            Operation::Reject { title, from, to } => self.reject(*title, *from, *to).await,
            Operation::Recheck { title } => {
                let generation = self.model.titles.get(title).map_or(1, |title| title.generation);
                let rechecked = self.store.recheck(&name(*title), generation).await.expect("asked");
                assert_eq!(rechecked.is_some(), self.model.recheck(*title));
            }
            Operation::RetryTitle { title } => {
                let again = self.store.retry_title(&name(*title)).await.expect("asked");
                assert_eq!(again.is_some(), self.model.retry_title(*title));
            }
            Operation::RetryTask { title, task } => {
                let again = self.store.retry_tasks(&name(*title), &[key(*task)].into()).await.expect("asked");
                let expected = self.model.retry_task(*title, *task);
                assert_eq!(again.map(|again| again.tasks), expected.map(keys));
            }
        }
    }

    async fn submit(&mut self, title: u32, wish: Wish) {
        let submission = reprofiled(submission(name(title).as_str(), wish.source), wish.profiles);
        let submitted = self.store.submit(&submission).await.expect("submitted");
        let was_known = self.model.titles.contains_key(&title);
        let stopped = self.model.submit(title, wish);
        let expected = match (&stopped, was_known) {
            (None, _) => SubmitOutcome::Unchanged,
            (Some(_), true) => SubmitOutcome::Reopened,
            (Some(_), false) => SubmitOutcome::Created,
        };
        assert_eq!(submitted.outcome, expected);
        assert_eq!(tasks_of_fences(&submitted.stopped), keys(stopped.unwrap_or_default()));
    }

    async fn plan(
        &mut self,
        title: u32,
        graph: usize,
        tasks: &BTreeSet<u32>,
        redo: &BTreeSet<u32>,
        stale: bool,
    ) {
        let graph = &self.graphs[graph];
        let mut closed = tasks.clone();
        // What is needed is named with the plan or known from an earlier one: both must do.
        for number in (0..TASKS).rev() {
            if closed.contains(&number) {
                closed.extend(
                    graph[number as usize].iter().filter(|need| !self.model.tasks.contains_key(need)),
                );
            }
        }
        let plan: Vec<(u32, BTreeSet<u32>, bool)> = closed
            .iter()
            .rev()
            .map(|number| (*number, graph[*number as usize].clone(), redo.contains(number)))
            .collect();
        let entries: Vec<_> = plan
            .iter()
            .map(|(number, needs, redo)| {
                let needs: Vec<u32> = needs.iter().copied().collect();
                PlannedTask { redo: *redo, ..planned(*number, &needs) }
            })
            .collect();
        let generation = self.model.titles.get(&title).map_or(1, |title| title.generation);
        let generation = if stale { generation - 1 } else { generation };
        let planned = self.store.plan(&name(title), generation, &entries).await.expect("planned");
        let stopped = planned.map(|planned| tasks_of_fences(&planned.stopped));
        let expected = if stale { None } else { self.model.plan(title, &plan) };
        assert_eq!(stopped, expected.map(keys));
    }

    async fn reject(&mut self, title: u32, from: Option<TitleState>, to: TitleState) {
        let known = self.model.titles.get(&title);
        let from = from.or(known.map(|title| title.state)).unwrap_or(TitleState::Review);
        let generation = known.map_or(1, |title| title.generation);
        let change = super::fixtures::to(to);
        let rejected = self.store.reject(&name(title), generation, from, &ruling(), change).await;
        if to == TitleState::Checking || !from.may_become(to) {
            assert!(matches!(rejected, Err(StoreError::ForbiddenTransition { .. })), "{rejected:?}");
            return;
        }
        let stopped = rejected.expect("asked").map(|rejected| tasks_of_fences(&rejected.stopped));
        assert_eq!(stopped, self.model.advance(title, from, to).map(keys));
    }

    async fn advance(&mut self, title: u32, from: Option<TitleState>, to: TitleState) {
        let known = self.model.titles.get(&title);
        let from = from.or(known.map(|title| title.state)).unwrap_or(TitleState::Checking);
        let generation = known.map_or(1, |title| title.generation);
        let advanced = self.store.advance(&name(title), generation, from, super::fixtures::to(to)).await;
        if to == TitleState::Checking || !from.may_become(to) {
            assert!(matches!(advanced, Err(StoreError::ForbiddenTransition { .. })), "{advanced:?}");
            return;
        }
        let stopped = advanced.expect("asked").map(|advanced| tasks_of_fences(&advanced.stopped));
        assert_eq!(stopped, self.model.advance(title, from, to).map(keys));
    }

    async fn dispatch(&mut self, task: u32, lease: Span) {
        let message = self.store.dispatch(&key(task), length(lease)).await.expect("asked");
        assert_eq!(message.is_some(), self.model.ready().contains(&task));
        let Some(message) = message else { return };
        assert_eq!(message.fence.attempt, self.model.tasks[&task].attempt + 1);
        assert!(self.model.wanting(task).iter().any(|title| name(*title) == message.title));
        self.model.dispatch(task, message.fence, lease);
        self.fences.push(message.fence);
    }

    async fn report(&mut self, which: &Which, report: &Report) {
        if self.fences.is_empty() {
            return;
        }
        let mut fence = *which.index.get(&self.fences);
        if which.tampered {
            fence.lease = LeaseToken(!fence.lease.0);
        }
        let wanting = self.model.holding(&fence).map(|task| self.model.wanting(task)).unwrap_or_default();
        let titles =
            |titles: Vec<(TitleId, u64)>| titles.into_iter().map(|(title, _)| title).collect::<BTreeSet<_>>();
        let expected: BTreeSet<TitleId> = wanting.into_iter().map(name).collect();
        let (store, model) = (self.store, &mut self.model);
        match report {
            Report::Started { worker: by } => {
                let started = store.started(&fence, &worker(&by.to_string())).await.expect("asked");
                assert_eq!(started, model.started(&fence, *by));
            }
            Report::Extended { lease } => {
                let extended =
                    store.extend(&fence, length(*lease), Progress::default()).await.expect("asked");
                assert_eq!(extended, model.extend(&fence, *lease));
            }
            Report::Completed => {
                let completed = store.complete(&fence, &[], None).await.expect("asked");
                assert_eq!(completed.as_ref().map(|completed| completed.now_ready), model.complete(&fence));
                assert_eq!(completed.map(|completed| titles(completed.titles)).unwrap_or_default(), expected);
            }
            Report::Failed { retry } => {
                let failed = store.fail(&fence, &failure("a"), decision(*retry)).await.expect("asked");
                assert_eq!(failed.is_some(), model.fail(&fence, *retry));
                assert_eq!(failed.map(|failed| titles(failed.titles)).unwrap_or_default(), expected);
            }
            Report::Released => {
                assert_eq!(store.release(&fence).await.expect("asked"), model.release(&fence));
            }
            Report::Lost { retry } => {
                let lost = store.lost(&fence, decision(*retry)).await.expect("asked");
                assert_eq!(lost.is_some(), model.lose(&fence, *retry));
                assert!(lost.is_none_or(|lost| titles(lost.titles) == expected));
            }
        }
    }

    /// The store says what the model says, and neither breaks a rule.
    async fn compare(&self) {
        let (store, model) = (self.store, &self.model);
        for number in 0..TASKS {
            let found = store.task(&key(number)).await.expect("asked");
            let Some(expected) = model.tasks.get(&number) else {
                assert_eq!(found, None);
                continue;
            };
            let found = found.expect("known");
            assert_eq!(found.state, expected.state, "task {number}");
            assert_eq!(
                (found.attempt, found.failures, found.losses, found.uncounted),
                (expected.attempt, expected.failures, expected.losses, expected.uncounted)
            );
            assert_eq!(found.needs, keys(expected.needs.iter().copied()));
            assert!(expected.completions <= 1, "task {number} was done twice");
            if found.state == TaskState::Ready {
                for need in &expected.needs {
                    assert_eq!(model.tasks[need].state, TaskState::Done, "{number} is ready without {need}");
                }
            }
            if found.state == TaskState::Waiting {
                for need in &expected.needs {
                    let state = model.tasks[need].state;
                    assert_ne!(state, TaskState::Cancelled, "{number} waits for {need}, which nobody does");
                }
            }
            let is_finished =
                matches!(found.state, TaskState::Done | TaskState::Failed | TaskState::Cancelled);
            let is_kept = found.state.is_active() && model.is_kept(number);
            let is_wanted = !model.wanting(number).is_empty();
            assert!(is_finished || is_kept || is_wanted, "nobody wants task {number}");
            let history = store.attempts_of(&key(number)).await.expect("asked");
            assert_eq!(
                history.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(),
                (1..=expected.attempt).collect::<Vec<_>>()
            );
            let ends: Vec<_> =
                history.iter().map(|attempt| attempt.outcome.map(|end| end.as_str())).collect();
            assert_eq!(ends, expected.history);
        }
        let wanted = store.wanted_attempts().await.expect("asked");
        for number in 0..TASKS {
            let active = model.tasks.get(&number).is_some_and(|task| task.state.is_active());
            let titles = wanted.get(&key(number)).cloned().unwrap_or_default();
            let expected = if active { model.wanting(number) } else { BTreeSet::new() };
            assert_eq!(titles.into_iter().collect::<BTreeSet<_>>(), expected.into_iter().map(name).collect());
        }
        let ready = super::fixtures::ready(store).await;
        assert_eq!(ready.into_iter().collect::<BTreeSet<_>>(), keys(model.ready()));
        let unsent = store.unsent(usize::MAX).await.expect("asked");
        let under_way = model
            .tasks
            .values()
            .filter_map(|task| task.current.as_ref())
            .filter(|(_, _, worker)| worker.is_none());
        assert_eq!(
            unsent.iter().map(|message| message.fence.task).collect::<BTreeSet<_>>(),
            under_way.map(|(fence, ..)| fence.task).collect(),
            "every message lies in the outbox until its attempt is started or over"
        );
        let expired = store.expired().await.expect("asked");
        assert_eq!(
            expired.iter().map(|attempt| attempt.fence.task).collect::<BTreeSet<_>>(),
            keys(model.expired())
        );
        for (number, expected) in &model.titles {
            let found = store.title(&name(*number)).await.expect("asked").expect("known");
            assert_eq!(
                (found.generation, found.state, found.held),
                (expected.generation, expected.state, expected.held)
            );
            let tasks = store.tasks_of(&name(*number)).await.expect("asked");
            assert_eq!(
                tasks.into_iter().map(|record| record.task.key).collect::<BTreeSet<_>>(),
                keys(expected.tasks.keys().copied())
            );
        }
    }
}

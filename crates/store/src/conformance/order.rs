//! What a scheduler puts ready tasks in order by.

use std::collections::BTreeMap;
use std::time::Duration;

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{FingerprintSpec, UploadSpec};
use reelfarm_model::{ArtifactKey, Digest, Part, Pool, Progress, Task, TaskSpec, TitleState};

use super::fixtures::{
    EVERYTHING, back_off, failure, finish, hold, key, planned, source, start, submit, submit_and_plan, title,
    unconditional, worker,
};
use super::publications::{complete, publish};
use crate::changes::{PlannedCost, PlannedTask, TitleChange};
use crate::records::{Backlog, Expedite, Expedited, Left, ReadyOf, Wanted};
use crate::report::RetryDecision;
use crate::store::Store;

fn costly(number: u32, needs: &[u32], expected_ms: i64, tail_ms: i64, part: Part) -> PlannedTask {
    PlannedTask { cost: PlannedCost { expected_ms, tail_ms, part }, ..planned(number, needs) }
}

/// A task of a plan, which comes after those before the plan.
fn upload(name: &str) -> PlannedTask {
    let spec = TaskSpec::Upload(UploadSpec {
        origin: "/origin".to_owned(),
        title: title(name),
        media_path: "media/x".to_owned(),
        media: ArtifactKey(Digest::of(b"media")),
    });
    unconditional(Task::new(spec, &ToolVersions::default()))
}

fn wanted(name: &str, tail_ms: i64, part: Part) -> Wanted {
    Wanted { title: title(name), tail_ms, part }
}

/// Each title has its own way from a task to its end; what the task takes is the task's.
pub async fn who_wants_a_ready_task_is_known_with_what_follows_for_each<S: Store>(store: &S) {
    submit_and_plan(
        store,
        "one",
        &[costly(1, &[], 70, 500, Part::First), costly(2, &[1], 30, 40, Part::Whole)],
    )
    .await;
    submit_and_plan(store, "two", &[costly(1, &[], 99, 900, Part::Whole)]).await;
    let ready = store.ready(EVERYTHING).await.expect("asked");
    assert_eq!(ready.len(), 1, "the other waits");
    assert_eq!((ready[0].task, ready[0].pool), (key(1), Pool::Cpu));
    assert_eq!(ready[0].wants, [wanted("one", 500, Part::First), wanted("two", 900, Part::Whole)]);
    let paths = BTreeMap::from([(title("one"), 500), (title("two"), 900)]);
    assert_eq!(store.backlog().await.expect("asked"), Backlog { ready, paths: paths.clone() });
    hold(store, &title("one"), true).await;
    let ready = store.ready(EVERYTHING).await.expect("asked");
    assert_eq!(ready[0].wants, [wanted("two", 900, Part::Whole)], "the other is held");
    assert_eq!(store.backlog().await.expect("asked"), Backlog { ready, paths });
    hold(store, &title("two"), true).await;
    assert_eq!(store.backlog().await.expect("asked").ready, [], "both are");
    hold(store, &title("two"), false).await;
    finish(store, 1).await;
    assert_eq!(
        store.ready(EVERYTHING).await.expect("asked"),
        [],
        "what is ready now is the held one's alone"
    );
}

/// A later plan knows better.
pub async fn a_new_plan_changes_what_is_expected<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[costly(1, &[], 70, 500, Part::Whole)]).await;
    assert!(store.plan(&film, 1, &[costly(1, &[], 99, 200, Part::First)]).await.expect("asked").is_some());
    let ready = store.ready(EVERYTHING).await.expect("asked");
    assert_eq!(ready[0].wants, [wanted("film", 200, Part::First)]);
}

/// What a plan needs and does not name is as urgent as what needs it.
pub async fn what_is_needed_has_the_tail_of_what_needs_it<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[costly(1, &[], 1, 90, Part::Whole), costly(2, &[1], 1, 80, Part::Whole)])
        .await;
    submit_and_plan(store, "two", &[costly(2, &[], 1, 700, Part::First)]).await;
    let ready = store.ready(ReadyOf::Titles(&[title("two")])).await.expect("asked");
    assert_eq!(ready[0].task, key(1));
    assert_eq!(ready[0].wants, [wanted("one", 90, Part::Whole), wanted("two", 700, Part::First)]);
}

/// Few of many are asked for.
pub async fn ready_tasks_are_found_by_title_by_need_and_by_pages<S: Store>(store: &S) {
    submit_and_plan(store, "one", &[planned(1, &[]), planned(2, &[1]), planned(3, &[1])]).await;
    submit_and_plan(store, "two", &[planned(4, &[]), planned(5, &[])]).await;
    submit(store, "three").await;
    let of = async |of: ReadyOf<'_>| -> Vec<_> {
        store.ready(of).await.expect("asked").into_iter().map(|ready| ready.task).collect()
    };
    assert_eq!(of(ReadyOf::Titles(&[title("one"), title("three")])).await, [key(1)]);
    assert_eq!(of(ReadyOf::Titles(&[])).await, []);
    assert_eq!(of(ReadyOf::Tasks(&[key(2), key(4), key(9)])).await, [key(4)]);
    assert_eq!(of(ReadyOf::Needing(&[key(1)])).await, []);
    finish(store, 1).await;
    let mut needing = [key(2), key(3)];
    needing.sort_unstable();
    assert_eq!(of(ReadyOf::Needing(&[key(1)])).await, needing);
    let mut all = [key(2), key(3), key(4), key(5)];
    all.sort_unstable();
    assert_eq!(of(ReadyOf::All { after: None, limit: 3 }).await, all[..3]);
    assert_eq!(of(ReadyOf::All { after: Some(all[2]), limit: 3 }).await, all[3..]);
    assert_eq!(of(ReadyOf::All { after: Some(all[3]), limit: 3 }).await, []);
    // A page is as long as it may be, whatever is held between.
    hold(store, &title("one"), true).await;
    let mut not_held = [key(4), key(5)];
    not_held.sort_unstable();
    assert_eq!(of(ReadyOf::All { after: None, limit: 2 }).await, not_held);
    assert_eq!(of(ReadyOf::All { after: Some(not_held[0]), limit: 2 }).await, not_held[1..]);
}

/// What is in a back-off is listed with what is left of it.
pub async fn a_back_off_is_told<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[])]).await;
    assert_eq!(back_off(store, 1).await, Some(Duration::ZERO));
    let fence = start(store, 1).await;
    assert_eq!(back_off(store, 1).await, None, "it is at work");
    let hour = Duration::from_secs(3600);
    store.fail(&fence, &failure("a"), RetryDecision::After(hour)).await.expect("asked").expect("current");
    let wait = back_off(store, 1).await.expect("it is ready");
    assert!(wait <= hour && wait > hour / 2, "{wait:?}");
    let backlog = store.backlog().await.expect("asked");
    assert!(backlog.ready[0].wait <= hour && backlog.ready[0].wait > hour / 2, "{backlog:?}");
}

/// The scheduler's deadlines are by the same clock as everything else.
pub async fn the_clock_goes_on<S: Store>(store: &S) {
    let before = store.now_ms().await.expect("asked");
    submit(store, "film").await;
    let after = store.now_ms().await.expect("asked");
    let submitted = store.title(&title("film")).await.expect("asked").expect("known").submitted_ms;
    assert!(before <= submitted && submitted <= after, "{before} {submitted} {after}");
}

/// What is done is not left, and what two titles want is left of both.
pub async fn what_is_left_of_titles_is_added_up<S: Store>(store: &S) {
    let of_one = [
        costly(1, &[], 70, 500, Part::Whole),
        costly(2, &[1], 30, 400, Part::Whole),
        costly(3, &[2], 5, 90, Part::Whole),
    ];
    submit_and_plan(store, "one", &of_one).await;
    submit_and_plan(store, "two", &[costly(2, &[1], 99, 300, Part::Whole)]).await;
    let left = |name: &str, work_ms, path_ms| Left {
        title: title(name),
        part: Part::Whole,
        pool: Pool::Cpu,
        work_ms,
        path_ms,
        at_work: None,
    };
    assert_eq!(store.left().await.expect("asked"), [left("one", 105, 500), left("two", 100, 300)]);
    let of_farm = async || store.work_left().await.expect("asked").remove(&Pool::Cpu).unwrap_or(0);
    assert_eq!(of_farm().await, 105, "each task once, whoever wants it");
    store.hold(&title("one"), true).await.expect("asked");
    assert_eq!(of_farm().await, 100, "what the other wants");
    store.hold(&title("two"), true).await.expect("asked");
    assert_eq!(of_farm().await, 0);
    for name in ["one", "two"] {
        store.hold(&title(name), false).await.expect("asked");
    }
    finish(store, 1).await;
    assert_eq!(store.left().await.expect("asked"), [left("one", 35, 400), left("two", 30, 300)]);
    finish(store, 2).await;
    let fence = start(store, 3).await;
    let progress = Progress { fraction: 0.25, ..Progress::default() };
    assert!(store.extend(&fence, Duration::from_secs(60), progress).await.expect("asked"));
    assert_eq!(of_farm().await, 4, "what is not done of what is at work");
    let left = store.left().await.expect("asked");
    let [of_one] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((of_one.title.as_str(), of_one.work_ms, of_one.path_ms), ("one", 5, 90));
    let at_work = of_one.at_work.expect("somebody is at work on it");
    assert_eq!((at_work.fraction, at_work.started_ms.is_some()), (0.25, true));
    store.complete(&fence, &[], None).await.expect("asked").expect("current");
    assert_eq!(store.left().await.expect("asked"), []);
    assert_eq!(of_farm().await, 0);
}

/// A title's deadline is for what goes first; what follows is added up apart from it.
pub async fn what_goes_first_has_a_path_of_its_own<S: Store>(store: &S) {
    let tasks = [
        costly(1, &[], 10, 60, Part::First),
        costly(2, &[1], 50, 50, Part::First),
        costly(3, &[1, 2], 700, 700, Part::Rest),
    ];
    submit_and_plan(store, "film", &tasks).await;
    let backlog = store.backlog().await.expect("asked");
    assert_eq!(backlog.paths, BTreeMap::from([(title("film"), 60)]));
    let left = |part, work_ms, path_ms| Left {
        title: title("film"),
        part,
        pool: Pool::Cpu,
        work_ms,
        path_ms,
        at_work: None,
    };
    assert_eq!(store.left().await.expect("asked"), [left(Part::First, 60, 60), left(Part::Rest, 700, 700)]);
    finish(store, 1).await;
    finish(store, 2).await;
    assert_eq!(store.left().await.expect("asked"), [left(Part::Rest, 700, 700)]);
}

/// Before a title is planned its length is guessed, and what was looked at for that is no part of the plan.
pub async fn what_comes_before_the_plan_counts_until_it_is_there<S: Store>(store: &S) {
    let spec = TaskSpec::Fingerprint(FingerprintSpec::new(source(1)));
    let guessed = PlannedCost { expected_ms: 5, tail_ms: 900, part: Part::Whole };
    let fingerprint =
        PlannedTask { cost: guessed, ..unconditional(Task::new(spec, &ToolVersions::default())) };
    submit_and_plan(store, "film", &[fingerprint]).await;
    let path = async || store.backlog().await.expect("asked").paths[&title("film")];
    assert_eq!(path().await, 900);
    let cost = PlannedCost { expected_ms: 5, tail_ms: 60, part: Part::Whole };
    let plan = [PlannedTask { cost, ..upload("film") }];
    assert!(store.plan(&title("film"), 1, &plan).await.expect("asked").is_some());
    assert_eq!(path().await, 900, "that it was planned was not noted yet");
    let change = TitleChange { to: Some(TitleState::Preparing), ..TitleChange::default() };
    store.advance(&title("film"), 1, TitleState::Checking, change).await.expect("asked").expect("current");
    assert_eq!(path().await, 60);
}

/// A scheduler that starts looks at those alone of which something is to be decided.
pub async fn titles_that_wait_for_tasks_are_settled<S: Store>(store: &S) {
    for (name, number) in [("checking", 1), ("waits", 2), ("fails", 3), ("ends", 4)] {
        submit_and_plan(store, name, &[planned(number, &[])]).await;
    }
    let to = async |name: &str, from, to| {
        let change = TitleChange { to: Some(to), ..TitleChange::default() };
        assert!(store.advance(&title(name), 1, from, change).await.expect("asked").is_some());
    };
    for name in ["waits", "fails", "ends"] {
        to(name, TitleState::Checking, TitleState::Preparing).await;
    }
    let unsettled = async || store.unsettled_titles().await.expect("asked");
    assert_eq!(unsettled().await, [], "all wait for tasks");
    assert!(store.plan(&title("checking"), 1, &[upload("checking")]).await.expect("asked").is_some());
    assert_eq!(unsettled().await, [title("checking")], "it was planned, and that was not noted any more");
    submit(store, "new").await;
    assert_eq!(unsettled().await, [title("checking"), title("new")]);
    to("new", TitleState::Checking, TitleState::Review).await;
    assert_eq!(
        unsettled().await,
        [title("checking"), title("new")],
        "it may have been judged by another policy"
    );
    finish(store, 1).await;
    assert_eq!(unsettled().await, [title("checking"), title("new")]);
    finish(store, 2).await;
    assert_eq!(unsettled().await, [title("checking"), title("new")], "it is no publication");
    let fence = start(store, 3).await;
    store.fail(&fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    to("ends", TitleState::Preparing, TitleState::Withdrawing).await;
    assert_eq!(unsettled().await, [title("checking"), title("fails"), title("ends"), title("new")]);
    to("ends", TitleState::Withdrawing, TitleState::Cancelled).await;
    assert_eq!(unsettled().await, [title("checking"), title("fails"), title("new")]);
    to("fails", TitleState::Preparing, TitleState::Failed).await;
    assert_eq!(unsettled().await, [title("checking"), title("new")], "what failed is of one that has ended");
    let publication = publish("/origin", Digest::of(b"film"));
    let plan = std::slice::from_ref(&publication);
    assert!(store.plan(&title("waits"), 1, plan).await.expect("asked").is_some());
    assert_eq!(unsettled().await, [title("checking"), title("new")], "it is not published yet");
    complete(store, &publication.task.key, &serde_json::Value::Null).await;
    assert_eq!(unsettled().await, [title("checking"), title("waits"), title("new")]);
}

fn wish(route: &str, per_day: u32, why: &str) -> Expedite {
    Expedite { route: route.into(), per_day, requester: Some("night desk".into()), why: why.into() }
}

/// What a route may expedite a day is spent, by itself, and each title costs once.
pub async fn a_route_expedites_no_more_a_day_than_it_may<S: Store>(store: &S) {
    for name in ["one", "two", "three"] {
        submit_and_plan(store, name, &[]).await;
    }
    let two_a_day = wish("content", 2, "the \0 moderator names it tonight");
    let Expedited::Done(one) = store.expedite(&title("one"), &two_a_day).await.expect("asked") else {
        panic!("there is a budget")
    };
    assert_eq!(store.title(&title("one")).await.expect("asked"), Some(one.clone()));
    assert!(one.expedited_ms.is_some());
    assert_eq!(
        store.expedite(&title("one"), &two_a_day).await.expect("asked"),
        Expedited::Before(one.clone()),
        "and nothing is spent"
    );
    assert!(matches!(store.expedite(&title("two"), &two_a_day).await.expect("asked"), Expedited::Done(_)));
    let three = title("three");
    assert_eq!(store.expedite(&three, &two_a_day).await.expect("asked"), Expedited::Spent { used: 2 });
    assert_eq!(store.title(&three).await.expect("asked").expect("known").expedited_ms, None);
    let other = wish("ads", 1, "sold");
    assert!(matches!(store.expedite(&three, &other).await.expect("asked"), Expedited::Done(_)));
    assert_eq!(store.expedite(&title("nobody"), &other).await.expect("asked"), Expedited::NotUnderWay);

    let all = store.expedites(0, 9).await.expect("asked");
    let mut routes: Vec<_> =
        all.iter().map(|record| (record.title.as_str(), record.route.as_str())).collect();
    routes.sort_unstable();
    assert_eq!(routes, [("one", "content"), ("three", "ads"), ("two", "content")]);
    let of_one = all.iter().find(|record| record.title == title("one")).expect("listed");
    assert_eq!(Some(of_one.expedited_ms), one.expedited_ms);
    assert_eq!(of_one.requester.as_deref(), Some("night desk"));
    assert!(of_one.why.ends_with("moderator names it tonight"), "{}", of_one.why);
    assert_eq!(store.expedites(0, 1).await.expect("asked").len(), 1);
    let now_ms = store.now_ms().await.expect("asked");
    assert_eq!(store.expedites(now_ms + 60_000, 9).await.expect("asked"), []);
}

/// What is cancelled, or goes to another department, is not first any more: nobody there paid for it.
pub async fn an_expedite_is_lost_with_a_cancellation_and_with_another_route<S: Store>(store: &S) {
    let expedited =
        async |name: &str| store.title(&title(name)).await.expect("asked").expect("known").expedited_ms;
    for name in ["moves", "stops"] {
        submit_and_plan(store, name, &[]).await;
        store.expedite(&title(name), &wish("content", 9, "tonight")).await.expect("asked");
        assert!(expedited(name).await.is_some());
    }
    let known = store.title(&title("moves")).await.expect("asked").expect("known");
    let mut submission = known.submission;
    submission.profiles = vec!["another".to_owned()];
    store.submit(&submission).await.expect("submitted");
    assert!(expedited("moves").await.is_some(), "it is the same department's");
    submission.facts.route = Some("ads".parse().expect("a route"));
    store.submit(&submission).await.expect("submitted");
    assert_eq!(expedited("moves").await, None);
    let change = TitleChange { to: Some(TitleState::Cancelled), ..TitleChange::default() };
    store.advance(&title("stops"), 1, TitleState::Checking, change).await.expect("asked").expect("changed");
    assert_eq!(expedited("stops").await, None);
}

/// A deadline that follows from the arrival is not moved by who submits a title again; another film is another arrival, and so
/// is one that was online already.
pub async fn a_title_arrives_once<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[]).await;
    let title_now = async || store.title(&film).await.expect("asked").expect("known");
    let first = title_now().await;
    assert_eq!(first.arrived_ms, first.submitted_ms);
    let later = async || {
        let before = store.now_ms().await.expect("asked");
        while store.now_ms().await.expect("asked") <= before {}
    };
    later().await;
    let mut submission = first.submission.clone();
    submission.profiles = vec!["another".to_owned()];
    store.submit(&submission).await.expect("submitted");
    let again = title_now().await;
    assert!(again.submitted_ms > first.submitted_ms);
    assert_eq!(again.arrived_ms, first.arrived_ms);
    let to = async |from, to| {
        let change = TitleChange { to: Some(to), ..TitleChange::default() };
        let generation = title_now().await.generation;
        assert!(store.advance(&film, generation, from, change).await.expect("asked").is_some());
    };
    to(TitleState::Checking, TitleState::Failed).await;
    assert!(store.retry_title(&film).await.expect("asked").is_some());
    assert_eq!(title_now().await.arrived_ms, first.arrived_ms, "that it failed is no new arrival");
    to(TitleState::Checking, TitleState::Preparing).await;
    to(TitleState::Preparing, TitleState::Published).await;
    store.submit(&submission).await.expect("submitted");
    let after = title_now().await;
    assert_eq!(after.arrived_ms, after.submitted_ms);
    later().await;
    submission.source = source(7);
    store.submit(&submission).await.expect("submitted");
    let other = title_now().await;
    assert!(other.arrived_ms > after.arrived_ms && other.arrived_ms == other.submitted_ms);
}

/// Who had to correct a submission does not pay twice; who submits it again once it is online does.
pub async fn an_expedite_lasts_until_the_title_is_online<S: Store>(store: &S) {
    let film = submit_and_plan(store, "film", &[]).await;
    store.expedite(&film, &wish("content", 1, "tonight")).await.expect("asked");
    let expedited = async || store.title(&film).await.expect("asked").expect("known").expedited_ms.is_some();
    let go = async |generation, from, to| {
        let change = TitleChange { to: Some(to), ..TitleChange::default() };
        assert!(store.advance(&film, generation, from, change).await.expect("asked").is_some());
    };
    go(1, TitleState::Checking, TitleState::Failed).await;
    assert!(store.retry_title(&film).await.expect("asked").is_some());
    assert!(expedited().await);
    go(2, TitleState::Checking, TitleState::Preparing).await;
    go(2, TitleState::Preparing, TitleState::Published).await;
    assert!(!expedited().await);
    assert_eq!(
        store.expedite(&film, &wish("content", 9, "again")).await.expect("asked"),
        Expedited::NotUnderWay
    );
}

/// Attempts that did not end well say nothing about how long a task takes.
pub async fn how_long_tasks_took_is_known_afterwards<S: Store>(store: &S) {
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[])]).await;
    finish(store, 1).await;
    let fence = start(store, 2).await;
    store.fail(&fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    finish(store, 3).await;
    let runs = store.finished_runs(9).await.expect("asked");
    let mut done: Vec<_> = runs.iter().map(|run| run.task.key).collect();
    done.sort_unstable();
    let mut expected = [key(1), key(3)];
    expected.sort_unstable();
    assert_eq!(done, expected);
    for run in &runs {
        assert_eq!((&run.worker, run.took_ms < 60_000, run.took_ms >= 0), (&worker("w"), true, true));
        assert!(run.source.is_some());
    }
    assert_eq!(store.finished_runs(1).await.expect("asked").len(), 1);
}

//! Real workers make real films, and afterwards each decision of the scheduler is held against what the policy - the code that
//! the simulator runs - says of the state that it was taken in.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::{ContentKind, Facts, Part, Pool, TaskKey, TaskKind, TaskState, TitleId};
use reelfarm_priority::{Capacity, Queue, ReadyTask, TitleOrder, Want, due};
use reelfarm_store::{Scope, Store as _};
use sqlx::Connection as _;

use crate::command_line::Person;
use crate::farm::{Farm, Wish, order_rules};
use crate::support::clips;

/// What became ready within so many milliseconds before a decision the scheduler may not have known of.
const MARGIN_MS: i64 = 400;
/// Slots that the farm's worker has of each pool: with one, nearly each decision has a choice.
const SLOTS: usize = 1;

/// A task as it was done.
struct Done {
    key: TaskKey,
    kind: TaskKind,
    pool: Pool,
    needs: BTreeSet<TaskKey>,
    dispatched_ms: i64,
    finished_ms: i64,
    wants: Vec<Want<TitleId>>,
}

/// A title as it was made.
struct Made {
    facts: Facts,
    arrived_ms: i64,
    online_ms: i64,
}

/// The films with their lengths in seconds, in the order of their submission: what is due comes after what is not. No two are
/// equal, or they would share tasks.
const FILMS: [(&str, ContentKind, u32); 7] = [
    ("library-1", ContentKind::Library, 4),
    ("recode-1", ContentKind::Recode, 3),
    ("library-2", ContentKind::Library, 6),
    ("recode-2", ContentKind::Recode, 2),
    ("library-3", ContentKind::Library, 5),
    ("spot", ContentKind::Advertisement, 1),
    ("catch-up", ContentKind::CatchUp, 7),
];

async fn made(farm: &Farm) -> (BTreeMap<TitleId, Made>, Vec<Done>) {
    let url = format!("sqlite://{}?mode=ro", farm.path("farm.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let wants: Vec<(String, String, i64, String)> =
        sqlx::query_as("SELECT task, title, tail_ms, part FROM title_tasks")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let mut wanted: BTreeMap<String, Vec<Want<TitleId>>> = BTreeMap::new();
    for (task, title, tail_ms, part) in wants {
        let part: Part = serde_json::from_value(part.into()).unwrap();
        wanted.entry(task).or_default().push(Want { title: title.parse().unwrap(), tail_ms, part });
    }
    let (mut titles, mut tasks) = (BTreeMap::new(), BTreeMap::new());
    for title in farm.store.titles().await.unwrap() {
        let id = title.submission.title.clone();
        let made = Made {
            facts: title.submission.facts.clone(),
            arrived_ms: title.arrived_ms,
            online_ms: title.changed_ms,
        };
        for record in farm.store.tasks_of(&id).await.unwrap() {
            assert_eq!((record.state, record.attempt), (TaskState::Done, 1), "{}", record.task.spec.label());
            let done = Done {
                key: record.task.key,
                kind: record.task.spec.kind(),
                pool: record.task.spec.pool(),
                needs: record.needs,
                dispatched_ms: record.dispatched_ms.unwrap(),
                finished_ms: record.finished_ms.unwrap(),
                wants: wanted[&record.task.key.to_string()].clone(),
            };
            tasks.insert(done.key, done);
        }
        titles.insert(id, made);
    }
    (titles, tasks.into_values().collect())
}

const fn is_before_the_plan(kind: TaskKind) -> bool {
    matches!(kind, TaskKind::Fingerprint | TaskKind::Qc)
}

/// Whether a title was planned for certain at a moment: something of its plan had begun.
fn is_planned(tasks: &[Done], title: &TitleId, at_ms: i64) -> bool {
    tasks.iter().any(|task| {
        !is_before_the_plan(task.kind) && task.wants[0].title == *title && task.dispatched_ms < at_ms
    })
}

/// Whether a task was ready for certain at a moment.
fn was_ready(tasks: &[Done], titles: &BTreeMap<TitleId, Made>, task: &Done, at_ms: i64) -> bool {
    let known_ms = at_ms - MARGIN_MS;
    let title = &task.wants[0].title;
    let ended = |kind: TaskKind| {
        let of_title = tasks.iter().filter(|other| other.kind == kind && other.wants[0].title == *title);
        of_title.map(|other| other.finished_ms).max().is_some_and(|ended_ms| ended_ms <= known_ms)
    };
    let needs_are_met = tasks
        .iter()
        .filter(|other| task.needs.contains(&other.key))
        .all(|other| other.finished_ms <= known_ms);
    needs_are_met
        && match task.kind {
            TaskKind::Fingerprint => titles[title].arrived_ms <= known_ms,
            TaskKind::Qc => ended(TaskKind::Fingerprint),
            _ => is_planned(tasks, title, known_ms),
        }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_real_workers_were_given_is_what_the_policy_says() {
    let farm = Farm::start_with(Wish { worker: true, slots: SLOTS, ..Wish::default() }).await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    // All are made before the first is submitted, so that they wait together.
    let films = FILMS
        .map(|(name, kind, seconds)| (clips::film(&farm.path(&format!("films/{name}.mp4")), seconds), kind));
    for (film, kind) in films {
        let arguments =
            ["submit", film.to_str().unwrap(), "--profiles", "*-clr-2s,mp4-clr", "--kind", kind.as_str()];
        assert!(person.run(&arguments).await.status.success());
    }
    for (name, ..) in FILMS {
        assert_eq!(person.json(&["watch", name]).await["titles"][0]["state"], "published", "{name}");
    }
    let (titles, tasks) = made(&farm).await;
    farm.stop().await;

    let rules = order_rules();
    let (mut decisions, mut contested) = (0, 0);
    for chosen in &tasks {
        let at_ms = chosen.dispatched_ms;
        let mut queue: Queue<TitleId, TaskKey> = Queue::new(rules.clone());
        for (id, title) in titles.iter().filter(|(_, title)| title.online_ms > at_ms) {
            let planned = is_planned(&tasks, id, at_ms + 1);
            let path_ms = tasks
                .iter()
                .filter(|task| task.wants[0].title == *id && is_before_the_plan(task.kind) != planned)
                .map(|task| task.wants[0].tail_ms)
                .max();
            let order = TitleOrder {
                route: 0,
                kind: title.facts.kind,
                submitted_ms: title.arrived_ms,
                required_by_ms: due(&rules, &title.facts, &[], title.arrived_ms).unwrap().required_by_ms,
                path_ms: path_ms.unwrap(),
                expedited_ms: None,
            };
            queue.set_title(id.clone(), order, at_ms);
        }
        let others: Vec<&Done> = tasks
            .iter()
            .filter(|task| task.pool == chosen.pool && task.dispatched_ms > at_ms)
            .filter(|task| was_ready(&tasks, &titles, task, at_ms))
            .collect();
        for task in others.iter().copied().chain([chosen]) {
            let (key, pool, wants) = (task.key, task.pool, task.wants.clone());
            queue.put(ReadyTask { key, pool, not_before_ms: at_ms, wants }, at_ms);
        }
        for task in &tasks {
            let is_at_work = task.dispatched_ms < at_ms && task.finished_ms > at_ms;
            if task.pool == chosen.pool && is_at_work && task.key != chosen.key {
                queue.at_work(task.key, task.pool, &task.wants[0].title);
            }
        }
        let slots = BTreeMap::from([(chosen.pool, Capacity { total: SLOTS, free: 1 })]);
        let decided = queue.decide(at_ms, &slots);
        let name = |key: TaskKey| {
            let task = tasks.iter().find(|task| task.key == key).unwrap();
            format!("{} of {}", task.kind.as_str(), task.wants[0].title)
        };
        assert_eq!(name(decided[0].key), name(chosen.key), "at {at_ms}, {} others were ready", others.len());
        decisions += 1;
        contested += usize::from(!others.is_empty());
    }
    // How many there are depends on the machine: where packaging keeps up with the encodes, only these wait.
    assert!(decisions > 100 && contested >= 20, "{contested} of {decisions} decisions had a choice");
}

//! The scheduler decides as the simulator does: a day is simulated, and the scheduler is taken through it step by step, with
//! its store, its broker and a real worker, whose tasks end when the simulated ones do. After each end the worker must be at
//! the very tasks that the simulator is at.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::profile::{MediaFormat, MediaSetId};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{PackageSpec, QcSpec, SubtitlesSpec};
use reelfarm_model::title::Submission;
use reelfarm_model::{
    ArtifactKey, Digest, Facts, Failure, Part, Pool, Task, TaskKey, TaskSpec, TitleId, TitleState, WorkerId,
};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_priority::Rules;
use reelfarm_queue::InProcessBroker;
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmPolicy, Handle, Options, Scheduler};
use reelfarm_simulation::draw::DrawnTask;
use reelfarm_simulation::{Contender, Drawn, Start, Workload, draw, simulate};
use reelfarm_store::{PlannedCost, PlannedTask, SqliteStore, Store as _, TitleChange};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::{Attempt, Made, Runtime, Work};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::farm::{PATIENCE, submission_in};

/// Titles of every kind in three departments, all there at once, on few slots. All is over within minutes, which are
/// milliseconds for the deadlines: no title changes its band meanwhile, so the clock decides nothing.
const DAY: &str = r#"
name = "A day of minutes"
about = ""
seed = 3
estimate_error = 0.3
inflation_percent = 0

[work]
fingerprint = 0.05
qc = 0.1
encode = 1.5
audio = 0.1
package = 0.2
verify = 0.3
upload = 0.2
chunk_min = 0.1
media_sets = 3
overhead_min = 0.01

[[host]]
count = 1
slots = { cpu = 4, package = 2, light = 2 }

[[route]]
name = "content"
share_percent = 50
minimum = { cpu = 1 }

[[route]]
name = "advertising"
share_percent = 20
minimum = { cpu = 1, package = 1, light = 1 }

[[route]]
name = "archive"
share_percent = 30

[[titles]]
kind = "recode"
route = "archive"
count = 2
first_min = 0
batch = 2
film_min = [0.2, 0.4]
level = 1

[[titles]]
kind = "library"
route = "archive"
count = 3
first_min = 0
batch = 3
film_min = [0.2, 0.4]
level = 1

[[titles]]
kind = "library"
route = "content"
count = 2
first_min = 0
batch = 2
film_min = [0.2, 0.4]
level = 1

[[titles]]
kind = "premiere"
route = "content"
count = 2
first_min = 0
batch = 2
film_min = [0.2, 0.4]
air_after_min = [90, 600]
level = 1

[[titles]]
kind = "catch-up"
route = "content"
count = 3
first_min = 0
batch = 3
film_min = [0.2, 0.4]
level = 1

[[titles]]
kind = "advertisement"
route = "advertising"
count = 2
first_min = 0
batch = 2
film_min = [0.1, 0.2]
level = 1
"#;

/// What tells a task from others: those of a title, a pool and a tail are alike.
type Class = (u32, Pool, i64);

/// The worker's hands: each attempt is at work until it is let go.
#[derive(Default)]
struct Hands {
    classes: HashMap<TaskKey, Class>,
    at_work: Mutex<Vec<(Class, oneshot::Sender<()>)>>,
    changed: Notify,
}

#[async_trait]
impl Work for Hands {
    async fn make(&self, attempt: Attempt) -> Result<Made, Failure> {
        let task = &attempt.message.task;
        let (sender, done) = oneshot::channel();
        self.at_work.lock().unwrap().push((self.classes[&task.key], sender));
        self.changed.notify_one();
        done.await.unwrap();
        let record = |key| ArtifactRecord { key, digest: Digest::of(b""), size: 0 };
        let artifacts = task.outputs.iter().map(|output| record(output.key)).collect();
        Ok(Made { artifacts, result: None })
    }
}

impl Hands {
    fn are_at(&self) -> Vec<Class> {
        let mut classes: Vec<_> = self.at_work.lock().unwrap().iter().map(|(class, _)| *class).collect();
        classes.sort_unstable();
        classes
    }

    async fn come_to(&self, expected: &[Class], step: &str) {
        let coming = async {
            while self.are_at() != expected {
                self.changed.notified().await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, coming).await;
        assert!(came.is_ok(), "{step}: the worker is at {:?}, the simulator at {expected:?}", self.are_at());
    }

    fn let_go(&self, class: Class) {
        let mut at_work = self.at_work.lock().unwrap();
        let place = at_work.iter().position(|(other, _)| *other == class).unwrap();
        at_work.remove(place).1.send(()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_decides_as_the_simulator_does() {
    let workload = Workload::parse("day", DAY).unwrap();
    let shipped = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
    let rules = workload.rules("day", &shipped).unwrap();
    let drawn = draw::draw("day", &workload, &rules).unwrap();
    let tasks: Vec<Vec<DrawnTask>> = drawn.titles.iter().map(|title| title.tasks(&workload)).collect();
    let starts = simulate(&workload, &rules, &drawn, Contender::Ours).starts;
    let ends: BTreeSet<i64> = starts.iter().map(|start| start.ends_ms).collect();
    assert_eq!(ends.len(), starts.len(), "two tasks end at once: the order of their reports would be chance");
    let class = |start: &Start| {
        let task = &tasks[start.title as usize][start.place as usize];
        (start.title, task.pool, task.tail_ms)
    };

    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("farm.db")).await.unwrap());
    let classes = prepare(&store, &drawn, &tasks, folder.path()).await;
    let hands = Arc::new(Hands { classes, ..Hands::default() });
    let stop = CancellationToken::new();
    // Without anybody who could command it, a scheduler ends.
    let _handle = start(&store, rules, hands.clone(), folder.path(), &stop);

    for (step, now_ms) in std::iter::once(0).chain(ends).enumerate() {
        for ended in starts.iter().filter(|start| start.ends_ms == now_ms) {
            hands.let_go(class(ended));
        }
        let now = starts.iter().filter(|start| start.begins_ms <= now_ms && start.ends_ms > now_ms);
        let mut expected: Vec<Class> = now.map(class).collect();
        expected.sort_unstable();
        hands.come_to(&expected, &format!("step {step}, {now_ms} ms")).await;
    }
    assert_eq!(starts.len(), tasks.iter().map(Vec::len).sum::<usize>());
    stop.cancel();
}

/// Puts the drawn titles into the store as they are once they are planned. Answers which task is which.
async fn prepare(
    store: &SqliteStore,
    drawn: &Drawn,
    tasks: &[Vec<DrawnTask>],
    folder: &std::path::Path,
) -> HashMap<TaskKey, Class> {
    let base_ms = store.now_ms().await.unwrap();
    let routes = ["content", "advertising", "archive"];
    let mut classes = HashMap::new();
    for (number, (title, tasks)) in (0..).zip(drawn.titles.iter().zip(tasks)) {
        let name = format!("title-{number:03}");
        let facts = Facts {
            kind: title.kind,
            route: Some(routes[title.route].parse().unwrap()),
            required_by: title.required_by_ms.and_then(|due| DateTime::from_timestamp_millis(base_ms + due)),
            ..Facts::default()
        };
        let submission = Submission { facts, ..submission_in(folder, &name) };
        let id = submission.title.clone();
        store.submit(&submission).await.unwrap();
        let mut planned: Vec<PlannedTask> = Vec::new();
        for (place, drawn) in tasks.iter().enumerate() {
            let task = Task::new(spec(drawn.pool, &id, place), &ToolVersions::default());
            classes.insert(task.key, (number, drawn.pool, drawn.tail_ms));
            planned.push(PlannedTask {
                task,
                source: None,
                needs: drawn.needs.iter().map(|need| planned[*need as usize].task.key).collect(),
                redo: false,
                cost: PlannedCost {
                    expected_ms: drawn.estimate_ms,
                    tail_ms: drawn.tail_ms,
                    part: Part::Whole,
                },
            });
        }
        store.plan(&id, 1, &planned).await.unwrap().unwrap();
        let change = TitleChange {
            to: Some(TitleState::Preparing),
            source_digest: Some(Digest::of(name.as_bytes())),
            ..TitleChange::default()
        };
        store.advance(&id, 1, TitleState::Checking, change).await.unwrap().unwrap();
    }
    classes
}

/// Some task of a pool; those of different titles and places differ.
fn spec(pool: Pool, title: &TitleId, place: usize) -> TaskSpec {
    let digest = Digest::of(format!("{title} {place}").as_bytes());
    match pool {
        Pool::Cpu => TaskSpec::Qc(QcSpec { source: digest }),
        Pool::Package => TaskSpec::Package(PackageSpec {
            media_set: MediaSetId(format!("set-{place}")),
            format: MediaFormat::Cmaf,
            segment_seconds: Some(2),
            video: Vec::new(),
            audio: Vec::new(),
            encryption: None,
            base: Some(ArtifactKey(digest)),
        }),
        Pool::Light => TaskSpec::Subtitles(SubtitlesSpec { source: digest, duration_ms: 1 }),
    }
}

/// Starts a scheduler over the store, and a worker with the slots of the workload's one host.
fn start(
    store: &Arc<SqliteStore>,
    rules: Rules,
    hands: Arc<Hands>,
    folder: &std::path::Path,
    stop: &CancellationToken,
) -> Handle {
    let broker = Arc::new(InProcessBroker::new(Pool::ALL));
    let artifacts = ArtifactStore::open(folder).unwrap();
    let metrics = Metrics::new("test").unwrap();
    let options = Options {
        tools: ToolVersions::default(),
        policies: FarmPolicy::parse("qc.toml", reelfarm_qc::BUILT_IN).unwrap().into(),
        profiles: ProfileList::parse("profiles.toml", BUILT_IN).unwrap(),
        lease: Duration::from_secs(600),
        order: rules,
        retry: RetryPolicy::default(),
        outlived: false,
    };
    let (scheduler, handle) =
        Scheduler::new(store.clone(), broker.clone(), artifacts.clone(), metrics.clone(), options);
    let worker = Runtime {
        id: WorkerId("worker".into()),
        slots: HashMap::from([(Pool::Cpu, 4), (Pool::Package, 2), (Pool::Light, 2)]),
        broker,
        artifacts,
        disk_floor: 0,
        heartbeat: Duration::from_secs(5),
        tools: ToolVersions::default(),
        metrics,
        work: hands,
    };
    tokio::spawn(scheduler.run(CancellationToken::new(), stop.clone()));
    tokio::spawn(worker.run(CancellationToken::new(), stop.clone()));
    handle
}

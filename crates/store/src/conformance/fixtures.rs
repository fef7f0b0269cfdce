//! Titles and tasks to put a store through its paces with.

use std::collections::BTreeSet;
use std::time::Duration;

use reelfarm_model::ladder::{Rung, VideoCodec};
use reelfarm_model::message::TaskMessage;
use reelfarm_model::qc::VideoConclusion;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{AssembleVideoSpec, Chunk, DecodingStart, QcSpec, RungSpec, TaskSpec, TrialSpec};
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{
    Code, Digest, Facts, Failure, Fence, Progress, Rights, SourceReference, Task, TaskKey, TaskState,
    TitleId, TitleState, WorkerId,
};

use crate::changes::{PlannedCost, PlannedTask, SubmitOutcome, TitleChange};
use crate::records::{ReadyOf, ReadyTask, TaskRecord};
use crate::report::RetryDecision;
use crate::store::Store;

/// A lease or back-off that does not run out during a test.
pub const LONG: Duration = Duration::from_secs(3600);
/// A lease or back-off that has run out as soon as it begins.
pub const NONE: Duration = Duration::ZERO;

/// A title's name.
pub fn title(name: &str) -> TitleId {
    name.parse().expect("a title's name")
}

/// A submission; those of one name with different variants differ.
pub fn submission(name: &str, variant: u32) -> Submission {
    Submission {
        title: title(name),
        source: source(variant),
        ladder: LadderText { file: "default.toml".to_owned(), text: "name = \"default\"".to_owned() },
        profiles: vec!["dash-clr-2s".to_owned()],
        audio_language: Some("en".to_owned()),
        subtitles: Vec::new(),
        checksums: Vec::new(),
        qc_report: None,
        protection: None,
        rights: Rights::default(),
        facts: Facts::default(),
        cue_points: Vec::new(),
        origin: "/origin".to_owned(),
        tools: ToolVersions::default(),
    }
}

/// The same submission with other profiles; those with different variants differ.
pub fn reprofiled(submission: Submission, variant: u32) -> Submission {
    Submission { profiles: vec![format!("profile-{variant}")], ..submission }
}

/// Where a source lies.
pub fn source(variant: u32) -> SourceReference {
    SourceReference {
        path: format!("/sources/film-{variant}.mov").into(),
        size: 1 << 40,
        modified_ns: 1_700_000_000_123_456_789,
        etag: None,
    }
}

/// All ready tasks.
pub const EVERYTHING: ReadyOf<'static> = ReadyOf::All { after: None, limit: usize::MAX };
/// No test uses as many numbers of tasks.
const MANY: u32 = 2000;

/// A task; those with different numbers differ.
pub fn task(number: u32) -> Task {
    let source = Digest::of(&number.to_be_bytes());
    Task::new(TaskSpec::Qc(QcSpec { source }), &ToolVersions::default())
}

/// A plan's entries for tasks of kinds that programs before chunks and trials do not know, and one that needs both.
pub fn of_newer_kinds() -> Vec<PlannedTask> {
    let rung = RungSpec {
        width: 640,
        height: 360,
        gop_frames: 50,
        rung: Rung {
            name: "360p".to_owned(),
            codec: VideoCodec::H264,
            width: 640,
            height: 360,
            min_source_kbps: 1,
            crf: 23,
            maxrate_kbps: 800,
            bufsize_kbps: 1600,
            preset: "medium".to_owned(),
            profile: "main".to_owned(),
        },
    };
    let video = VideoConclusion {
        stream: 0,
        frame_rate: 25,
        frame_count: 100,
        width: 640,
        height: 360,
        rotation: 0,
        deinterlace: false,
        field_order: None,
        matrix: "bt709".to_owned(),
        full_range: false,
    };
    let trial = TrialSpec {
        source: Digest::of(b"film"),
        video,
        rung: rung.clone(),
        crfs: vec![18, 22],
        stretch: Chunk { first_frame: 0, frame_count: 100, decoding: DecodingStart::default() },
        shown_width: 640,
        shown_height: 360,
    };
    let assemble = AssembleVideoSpec { rung, frame_rate: 25, chunks: Vec::new() };
    let newer = [TaskSpec::Trial(trial), TaskSpec::AssembleVideo(assemble)];
    let newer = newer.map(|spec| Task::new(spec, &ToolVersions::default()));
    let needs = newer.iter().map(|task| task.key).collect();
    newer.into_iter().map(unconditional).chain([PlannedTask { needs, ..planned(1, &[]) }]).collect()
}

/// The key of [`task`].
pub fn key(number: u32) -> TaskKey {
    task(number).key
}

/// A plan's entry for a task that needs nothing and reads no source.
pub fn unconditional(task: Task) -> PlannedTask {
    PlannedTask { task, source: None, needs: BTreeSet::new(), redo: false, cost: PlannedCost::default() }
}

/// A plan's entry for [`task`].
pub fn planned(number: u32, needs: &[u32]) -> PlannedTask {
    let needs = needs.iter().map(|need| key(*need)).collect();
    PlannedTask { source: Some(source(number)), needs, ..unconditional(task(number)) }
}

/// The same entry, to be done again.
pub fn redone(number: u32, needs: &[u32]) -> PlannedTask {
    PlannedTask { redo: true, ..planned(number, needs) }
}

/// A worker's name.
pub fn worker(name: &str) -> WorkerId {
    WorkerId(name.to_owned())
}

/// A failure.
pub fn failure(message: &str) -> Failure {
    Failure::new(Code::EncodeFailed, message).with_log("the end of the log")
}

/// A change to a state alone.
pub fn to(state: TitleState) -> TitleChange {
    TitleChange { to: Some(state), ..TitleChange::default() }
}

/// Submits a title that is not known yet.
pub async fn submit(store: &impl Store, name: &str) -> TitleId {
    let submitted = store.submit(&submission(name, 0)).await.expect("submitted");
    assert_eq!(submitted.outcome, SubmitOutcome::Created);
    title(name)
}

/// Submits a title and plans tasks for its first generation.
pub async fn submit_and_plan(store: &impl Store, name: &str, tasks: &[PlannedTask]) -> TitleId {
    let title = submit(store, name).await;
    assert!(store.plan(&title, 1, tasks).await.expect("planned").is_some());
    title
}

/// Holds a title that is under way, or lets it go on.
pub async fn hold(store: &impl Store, title: &TitleId, held: bool) {
    let after = store.hold(title, held).await.expect("asked").expect("under way");
    assert_eq!(after.held, held);
    assert_eq!(store.title(title).await.expect("asked"), Some(after));
}

/// Dispatches a task that must be ready.
pub async fn dispatch(store: &impl Store, number: u32, lease: Duration) -> TaskMessage {
    store.dispatch(&key(number), lease).await.expect("asked").expect("the task is ready")
}

/// Dispatches a task that must be ready, and has a worker start it.
pub async fn start(store: &impl Store, number: u32) -> Fence {
    let fence = dispatch(store, number, LONG).await.fence;
    assert!(store.started(&fence, &worker("w")).await.expect("asked"));
    fence
}

/// Takes a ready task to its end.
pub async fn finish(store: &impl Store, number: u32) {
    let fence = start(store, number).await;
    assert!(store.complete(&fence, &[], None).await.expect("asked").is_some());
}

/// The record of a task that must be known.
pub async fn record(store: &impl Store, number: u32) -> TaskRecord {
    store.task(&key(number)).await.expect("asked").expect("the task is known")
}

/// The state of a task that must be known.
pub async fn state(store: &impl Store, number: u32) -> TaskState {
    record(store, number).await.state
}

/// The keys of the tasks that may be dispatched, in the order of their numbers.
pub async fn ready(store: &impl Store) -> Vec<TaskKey> {
    let ready = store.ready(EVERYTHING).await.expect("asked");
    let mut backlog = store.backlog().await.expect("asked").ready;
    backlog.sort_by_key(|ready| ready.task);
    // Back-offs run on between the two.
    let at_rest = |ready: &ReadyTask| ReadyTask { wait: Duration::ZERO, ..ready.clone() };
    let (listed, read): (Vec<_>, Vec<_>) =
        (ready.iter().map(at_rest).collect(), backlog.iter().map(at_rest).collect());
    assert_eq!(listed, read, "what is ready, and the backlog");
    let ready: BTreeSet<_> =
        ready.into_iter().filter(|ready| ready.wait.is_zero()).map(|ready| ready.task).collect();
    (0..MANY).map(key).filter(|key| ready.contains(key)).collect()
}

/// How long the back-off of a ready task runs yet.
pub async fn back_off(store: &impl Store, number: u32) -> Option<Duration> {
    let ready = store.ready(EVERYTHING).await.expect("asked");
    ready.into_iter().find(|ready| ready.task == key(number)).map(|ready| ready.wait)
}

/// Keys of tasks, as a set.
pub fn keys(numbers: &[u32]) -> BTreeSet<TaskKey> {
    numbers.iter().map(|number| key(*number)).collect()
}

/// Everything that a store says about some tasks and their attempts: for seeing that nothing changed.
pub async fn picture(store: &impl Store, tasks: &[u32]) -> String {
    let mut picture = String::new();
    for number in tasks {
        let attempts = store.attempts_of(&key(*number)).await.expect("asked");
        picture += &format!("{:?}\n{attempts:?}\n", store.task(&key(*number)).await.expect("asked"));
    }
    picture + &format!("{:?}", store.titles().await.expect("asked"))
}

/// Presents a fence in every way there is, and sees that nothing comes of it.
pub async fn refused_everywhere(store: &impl Store, fence: &Fence, tasks: &[u32]) {
    let before = picture(store, tasks).await;
    assert!(!store.started(fence, &worker("zombie")).await.expect("asked"), "started");
    let progress = Progress { fraction: 0.9, ..Progress::default() };
    assert!(!store.extend(fence, LONG, progress).await.expect("asked"), "extended");
    let result = serde_json::json!("late");
    assert_eq!(store.complete(fence, &[], Some(&result)).await.expect("asked"), None, "completed");
    for retry in [RetryDecision::Never, RetryDecision::After(NONE)] {
        assert_eq!(store.fail(fence, &failure("late"), retry).await.expect("asked"), None, "failed");
        assert_eq!(store.lost(fence, retry).await.expect("asked"), None, "lost");
    }
    assert!(!store.release(fence).await.expect("asked"), "released");
    assert_eq!(picture(store, tasks).await, before);
}

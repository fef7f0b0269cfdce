//! The scheduler's loop over a real store and the in-process broker. The worker's side is played by the tests, message
//! by message, because a real worker cannot be made to be late, silent or twice on demand.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::measurement::{AudioMeasurement, Colour, GridFit, Ratio, VideoMeasurement};
use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{
    AttemptOutcome, Code, Digest, Failure, Fence, Measurements, Pool, Progress, SourceReference, TaskKind,
    Title, TitleId, TitleState, WorkerId,
};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_qc::Policy;
use reelfarm_queue::{Broker, ControlStream, InProcessBroker};
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmEvent, Handle, Options, Scheduler};
use reelfarm_store::{SqliteStore, Store};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Nothing that these tests wait for takes as long; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(2);

struct Farm {
    broker: Arc<InProcessBroker>,
    store: Arc<SqliteStore>,
    handle: Handle,
    events: broadcast::Receiver<FarmEvent>,
    control: ControlStream,
    folder: tempfile::TempDir,
}

impl Farm {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("farm.db")).await.unwrap());
        let broker = Arc::new(InProcessBroker::new(Pool::ALL));
        let control = broker.subscribe_control().await.unwrap();
        let options = Options {
            tools: ToolVersions::default().with_recipes(),
            policy: Policy::parse("qc.toml", reelfarm_qc::BUILT_IN).unwrap(),
            profiles: ProfileList::parse("profiles.toml", BUILT_IN).unwrap(),
            lease: LEASE,
            retry: RetryPolicy {
                transient_backoff: Duration::from_millis(10),
                environment_backoff: Duration::from_millis(10),
                ..RetryPolicy::default()
            },
            slots: HashMap::from(Pool::ALL.map(|pool| (pool, 4))),
        };
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        let metrics = Metrics::new("test").unwrap();
        let (scheduler, handle) = Scheduler::new(store.clone(), broker.clone(), artifacts, metrics, options);
        let events = handle.subscribe();
        let never = CancellationToken::new();
        tokio::spawn(scheduler.run(never.clone(), never));
        Self { broker, store, handle, events, control, folder }
    }

    fn submission(&self) -> Submission {
        Submission {
            title: "film".parse().unwrap(),
            source: SourceReference { path: "/films/film.mp4".into(), size: 10_000_000, modified_ns: 1 },
            ladder: LadderText {
                file: "fast.toml".into(),
                text: include_str!("../../ladders/fast.toml").to_owned(),
            },
            profiles: vec!["mp4-clr".to_owned()],
            audio_language: None,
            origin: self.folder.path().join("origin").to_string_lossy().into_owned(),
            tools: ToolVersions::default().with_recipes(),
        }
    }

    async fn submit(&self) -> Title {
        self.handle.submit(self.submission()).await.unwrap()
    }

    /// The next task of a pool, received and acknowledged as a worker does.
    async fn receive(&self, pool: Pool) -> TaskMessage {
        let delivery = tokio::time::timeout(PATIENCE, self.broker.receive_task(pool)).await.unwrap().unwrap();
        let message = delivery.message.clone();
        assert!(delivery.acknowledge().await.unwrap());
        message
    }

    async fn say(&self, event: WorkerEvent) {
        self.broker.send_event(&event).await.unwrap();
    }

    async fn start_attempt(&self, fence: Fence) {
        self.say(WorkerEvent::Started { fence, worker: played() }).await;
    }

    async fn finish(&self, fence: Fence, outcome: AttemptOutcome) {
        self.say(WorkerEvent::Finished { fence, worker: played(), outcome }).await;
    }

    async fn complete(&self, message: &TaskMessage, result: Option<serde_json::Value>) {
        self.start_attempt(message.fence).await;
        self.finish(message.fence, completed(message, result)).await;
    }

    async fn fail(&self, message: &TaskMessage, code: Code) {
        self.start_attempt(message.fence).await;
        self.finish(message.fence, AttemptOutcome::Failed { failure: Failure::new(code, "played") }).await;
    }

    async fn next_control(&mut self) -> ControlMessage {
        tokio::time::timeout(PATIENCE, self.control.next()).await.unwrap().unwrap()
    }

    async fn title_reaches(&mut self, state: TitleState) -> Title {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap();
            if let FarmEvent::TitleChanged(title) = event {
                if title.state == state {
                    return *title;
                }
                assert!(
                    !title.state.is_final(),
                    "{:?} instead of {state:?}: {:?}",
                    title.state,
                    title.failure
                );
            }
        }
    }

    /// Plays every task until the first of `kind`, which is returned unanswered.
    async fn play_until(&self, kind: TaskKind) -> TaskMessage {
        loop {
            let delivery = tokio::select! {
                delivery = self.broker.receive_task(Pool::Light) => delivery,
                delivery = self.broker.receive_task(Pool::Cpu) => delivery,
                delivery = self.broker.receive_task(Pool::Package) => delivery,
                () = tokio::time::sleep(PATIENCE) => panic!("no task of kind {kind:?} came"),
            };
            let delivery = delivery.unwrap();
            let message = delivery.message.clone();
            assert!(delivery.acknowledge().await.unwrap());
            if message.task.spec.kind() == kind {
                return message;
            }
            let result = match message.task.spec.kind() {
                TaskKind::Fingerprint => Some(fingerprint()),
                TaskKind::Qc => Some(serde_json::to_value(measurements()).unwrap()),
                _ => None,
            };
            self.complete(&message, result).await;
        }
    }

    async fn outcomes(&self, message: &TaskMessage) -> Vec<Option<&'static str>> {
        let attempts = self.store.attempts_of(&message.task.key).await.unwrap();
        attempts.iter().map(|attempt| attempt.outcome.map(|outcome| outcome.as_str())).collect()
    }
}

fn played() -> WorkerId {
    WorkerId("played".into())
}

fn completed(message: &TaskMessage, result: Option<serde_json::Value>) -> AttemptOutcome {
    let artifacts = message
        .task
        .outputs
        .iter()
        .map(|output| ArtifactRecord { key: output.key, digest: Digest::of(b"played"), size: 1 })
        .collect();
    AttemptOutcome::Completed { artifacts, result }
}

fn fingerprint() -> serde_json::Value {
    let fingerprint = Fingerprint { sha256: Digest::of(b"film"), md5: "0".repeat(32), size: 10_000_000 };
    serde_json::to_value(fingerprint).unwrap()
}

/// Ten seconds of 1280x720 at 25 frames a second with stereo sound in English.
fn measurements() -> Measurements {
    Measurements {
        size: 10_000_000,
        open_error: None,
        container: "mov,mp4,m4a,3gp,3g2,mj2".into(),
        header_duration: Some(10.0),
        video: vec![VideoMeasurement {
            index: 0,
            codec: "h264".into(),
            width: 1280,
            height: 720,
            sample_aspect: Ratio::new(1, 1),
            rotation: 0,
            pixel_format: "yuv420p".into(),
            bit_depth: 8,
            header_frame_rate: Ratio::new(25, 1),
            average_frame_rate: Ratio::new(25, 1),
            time_base: Ratio::new(1, 12800),
            header_frames: Some(250),
            frames: 250,
            first_time: 0.0,
            last_time: 9.96,
            missing_times: 0,
            backward_times: 0,
            grid: vec![GridFit { rate: Ratio::new(25, 1), largest_deviation: 0.0 }],
            intervals: vec![],
            interlaced_frames: 0,
            top_field_first_frames: 0,
            format_changes: 0,
            decode_errors: 0,
            first_decode_error: None,
            bytes: 9_000_000,
            key_frames: 5,
            longest_key_frame_distance: 2.0,
            colour: Colour {
                range: "tv".into(),
                primaries: "bt709".into(),
                transfer: "bt709".into(),
                matrix: "bt709".into(),
            },
        }],
        audio: vec![AudioMeasurement {
            index: 1,
            codec: "aac".into(),
            sample_rate: 48_000,
            channels: 2,
            layout: "stereo".into(),
            language: Some("eng".into()),
            samples: 480_000,
            first_time: 0.0,
            end_time: 10.0,
            peak_dbfs: Some(-3.0),
            decode_errors: 0,
            bytes: 160_000,
        }],
        other: vec![],
        read_errors: 0,
        error_lines: vec![],
    }
}

#[tokio::test]
async fn a_title_whose_tasks_all_complete_is_published() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let publish = farm.play_until(TaskKind::Publish).await;
    farm.complete(&publish, Some(serde_json::to_value(Digest::of(b"index")).unwrap())).await;
    let title = farm.title_reaches(TitleState::Published).await;
    assert_eq!(title.source_digest, Some(Digest::of(b"film")));
    assert!(title.report.is_some_and(|report| report.conclusion.is_some()));
}

#[tokio::test]
async fn a_zombies_late_result_changes_nothing_and_it_is_told_to_stop() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let first = farm.receive(Pool::Light).await;
    farm.start_attempt(first.fence).await;
    // Silence: the lease runs out, and the task is given to another.
    let second = farm.receive(Pool::Light).await;
    assert_eq!((second.task.key, second.fence.attempt), (first.task.key, 2));
    assert_eq!(farm.next_control().await, ControlMessage::Stop { fence: first.fence, worker: None });
    farm.start_attempt(second.fence).await;
    let wrong = Fingerprint { sha256: Digest::of(b"zombie"), md5: "f".repeat(32), size: 1 };
    farm.finish(first.fence, completed(&first, Some(serde_json::to_value(wrong).unwrap()))).await;
    assert_eq!(
        farm.next_control().await,
        ControlMessage::Stop { fence: first.fence, worker: Some(played()) }
    );
    farm.finish(second.fence, completed(&second, Some(fingerprint()))).await;
    let qc = farm.receive(Pool::Cpu).await;
    farm.complete(&qc, Some(serde_json::to_value(measurements()).unwrap())).await;
    let title = farm.title_reaches(TitleState::Preparing).await;
    assert_eq!(title.source_digest, Some(Digest::of(b"film")));
    assert_eq!(farm.outcomes(&first).await, [Some("lost"), Some("completed")]);
}

#[tokio::test]
async fn heartbeats_keep_a_lease_beyond_its_length() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let message = farm.receive(Pool::Light).await;
    farm.start_attempt(message.fence).await;
    let start = std::time::Instant::now();
    let mut beat = 0;
    while start.elapsed() < LEASE * 2 {
        beat += 1;
        farm.say(WorkerEvent::Heartbeat {
            fence: message.fence,
            worker: played(),
            beat,
            progress: Progress::default(),
        })
        .await;
        let answer = farm.next_control().await;
        assert_eq!(answer, ControlMessage::Extended { fence: message.fence, beat });
    }
    assert_eq!(farm.outcomes(&message).await, [None], "one attempt, still open");
}

#[tokio::test]
async fn a_second_report_of_the_same_end_changes_nothing() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let message = farm.receive(Pool::Light).await;
    farm.complete(&message, Some(fingerprint())).await;
    farm.finish(message.fence, completed(&message, Some(fingerprint()))).await;
    assert_eq!(
        farm.next_control().await,
        ControlMessage::Stop { fence: message.fence, worker: Some(played()) }
    );
    assert_eq!(farm.outcomes(&message).await, [Some("completed")]);
}

#[tokio::test]
async fn a_transient_failure_is_tried_three_times_and_then_fails_the_title() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    for attempt in 1..=3 {
        let message = farm.receive(Pool::Light).await;
        assert_eq!(message.fence.attempt, attempt);
        farm.fail(&message, Code::Internal).await;
    }
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::Internal);
}

#[tokio::test]
async fn a_permanent_failure_fails_the_title_at_once() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let message = farm.receive(Pool::Light).await;
    farm.fail(&message, Code::SourceChanged).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::SourceChanged);
    assert_eq!(farm.outcomes(&message).await, [Some("failed")]);
}

#[tokio::test]
async fn a_released_attempt_costs_nothing() {
    let farm = Farm::start().await;
    farm.submit().await;
    for _ in 0..5 {
        let message = farm.receive(Pool::Light).await;
        farm.start_attempt(message.fence).await;
        farm.finish(message.fence, AttemptOutcome::Released).await;
    }
    let message = farm.receive(Pool::Light).await;
    let record = farm.store.task(&message.task.key).await.unwrap().unwrap();
    assert_eq!((record.failures, record.losses), (0, 0));
}

#[tokio::test]
async fn what_a_cancelled_title_copied_is_taken_away_once_its_last_attempt_has_stopped() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let upload = farm.play_until(TaskKind::Upload).await;
    farm.start_attempt(upload.fence).await;
    let id: TitleId = "film".parse().unwrap();
    farm.handle.cancel(id.clone()).await.unwrap();
    farm.title_reaches(TitleState::Withdrawing).await;
    let tasks = farm.store.tasks_of(&id).await.unwrap();
    let withdraws = |kind: TaskKind| kind == TaskKind::Withdraw;
    assert!(!tasks.iter().any(|record| withdraws(record.task.spec.kind())), "the upload may still write");
    while farm.next_control().await != (ControlMessage::Stop { fence: upload.fence, worker: None }) {}
    farm.finish(upload.fence, AttemptOutcome::Released).await;
    let withdraw = farm.receive(Pool::Light).await;
    assert_eq!(withdraw.task.spec.kind(), TaskKind::Withdraw);
    farm.complete(&withdraw, None).await;
    farm.title_reaches(TitleState::Cancelled).await;
}

#[tokio::test]
async fn a_failed_copy_fails_the_title_after_its_files_are_taken_away() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let mut upload = farm.play_until(TaskKind::Upload).await;
    for _ in 0..2 {
        farm.fail(&upload, Code::OriginFull).await;
        upload = farm.receive(Pool::Light).await;
    }
    farm.fail(&upload, Code::OriginFull).await;
    let withdraw = farm.receive(Pool::Light).await;
    assert_eq!(withdraw.task.spec.kind(), TaskKind::Withdraw);
    farm.complete(&withdraw, None).await;
    let title = farm.title_reaches(TitleState::Failed).await;
    assert_eq!(title.failure.unwrap().code, Code::OriginFull);
}

#[tokio::test]
async fn a_title_name_in_use_is_refused_to_another_source() {
    let farm = Farm::start().await;
    farm.submit().await;
    let mut other = farm.submission();
    other.source.path = "/elsewhere/film.mp4".into();
    let refused = farm.handle.submit(other).await.unwrap_err();
    assert_eq!(refused.code, Code::TitleNameTaken);
    assert_eq!(farm.submit().await.generation, 1, "the same submission again changes nothing");
}

#[tokio::test]
async fn a_scheduler_that_starts_again_carries_on_from_the_store() {
    let farm = Farm::start().await;
    farm.submit().await;
    let qc = farm.play_until(TaskKind::Qc).await;
    farm.start_attempt(qc.fence).await;
    // Another scheduler over the same file, as after a restart: what was under way is handed back.
    let store = Arc::new(SqliteStore::open(&farm.folder.path().join("farm.db")).await.unwrap());
    assert_eq!(store.recover().await.unwrap(), 1);
    let again = store.ready(10).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].task.key, qc.task.key);
    assert_eq!((again[0].failures, again[0].losses), (0, 0));
}

//! A scheduler to play with: the test is its workers, message by message.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::{ArtifactStore, S3Access};
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::measurement::sampled::HdrMetadata;
use reelfarm_model::measurement::{AudioMeasurement, Colour, Curve, GridFit, Ratio, Spans, VideoMeasurement};
use reelfarm_model::message::{
    ControlMessage, FORMAT, Slots, TaskMessage, WorkerEvent, WorkerPhase, WorkerReport,
};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::subtitles::SubtitlePurpose;
use reelfarm_model::title::{LadderText, Submission, SubtitleFile};
use reelfarm_model::{
    AttemptOutcome, Code, Digest, Failure, Fence, Measurements, Pool, Progress, SourceReference, TaskKind,
    Title, TitleState, WorkerId,
};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_priority::Rules;
use reelfarm_queue::{Broker, ControlStream, InProcessBroker};
use reelfarm_scheduler::api::FolderUploads;
use reelfarm_scheduler::housekeeping::{Housekeeping, Retention};
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmEvent, FarmPolicies, FarmPolicy, Handle, Options, Scheduler, SchedulerError};
use reelfarm_store::{ReadyOf, SqliteStore, Store};
use reelfarm_telemetry::metrics::Metrics;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing that these tests wait for takes as long; a hang is a failure.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// A lease that does not run out during a test. Nor does the scheduler look around by itself, which it does four times in it:
/// what is not done when it is due is not done in time.
const LEASE: Duration = Duration::from_secs(600);
/// A lease that does.
pub(super) const SHORT_LEASE: Duration = Duration::from_secs(2);

pub(super) struct Farm {
    broker: Arc<InProcessBroker>,
    pub(super) store: Arc<SqliteStore>,
    pub(super) handle: Handle,
    events: broadcast::Receiver<FarmEvent>,
    control: ControlStream,
    folder: tempfile::TempDir,
    scheduler: JoinHandle<Result<(), SchedulerError>>,
    stop: CancellationToken,
    /// What workers measure of every film.
    pub(super) measured: Measurements,
}

impl Farm {
    pub(super) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), LEASE, 0).await
    }

    /// One that reaches buckets in this way.
    pub(super) async fn start_with_buckets(access: S3Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap().with_origins(access);
        Self::start_over(folder, artifacts, LEASE, 0, order(), policy()).await
    }

    /// One with another QC policy.
    pub(super) async fn start_with_policy(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        Self::start_over(folder, artifacts, LEASE, 0, order(), parsed(policy)).await
    }

    /// One with other rules of order, and QC policies for its routes.
    pub(super) async fn start_with_policies(rules: Rules, policies: FarmPolicies) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        Self::start_over(folder, artifacts, LEASE, 0, rules, policies).await
    }

    /// One with other rules of order.
    pub(super) async fn start_with_rules(rules: Rules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        Self::start_over(folder, artifacts, LEASE, 0, rules, policy()).await
    }

    /// One of a program whose recipes are these.
    pub(super) async fn start_with_tools(tools: ToolVersions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        let options = Options { tools, ..options(LEASE, 0, order(), policy().into()) };
        Self::start_with_options(folder, artifacts, options).await
    }

    pub(super) async fn start_with_short_leases() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), SHORT_LEASE, 0).await
    }

    /// One that waits for its storage as a farm of many hosts does.
    pub(super) async fn start_patient() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), SHORT_LEASE, 20).await
    }

    /// Starts a farm over the state folder of another that has stopped, or over an empty one.
    async fn start_in(folder: tempfile::TempDir, lease: Duration, environment_limit: u32) -> Self {
        let artifacts = ArtifactStore::open(folder.path()).unwrap();
        Self::start_over(folder, artifacts, lease, environment_limit, order(), policy()).await
    }

    async fn start_over(
        folder: tempfile::TempDir,
        artifacts: ArtifactStore,
        lease: Duration,
        environment_limit: u32,
        order: Rules,
        policies: impl Into<FarmPolicies>,
    ) -> Self {
        let options = options(lease, environment_limit, order, policies.into());
        Self::start_with_options(folder, artifacts, options).await
    }

    async fn start_with_options(
        folder: tempfile::TempDir,
        artifacts: ArtifactStore,
        options: Options,
    ) -> Self {
        let store = Arc::new(SqliteStore::open(&folder.path().join("farm.db")).await.unwrap());
        let broker = Arc::new(InProcessBroker::new(Pool::ALL));
        let mut control = broker.subscribe_control(&played()).await.unwrap();
        let metrics = Metrics::new("test").unwrap();
        let (scheduler, handle) = Scheduler::new(store.clone(), broker.clone(), artifacts, metrics, options);
        let events = handle.subscribe();
        broker.send_event(&offer(4)).await.unwrap();
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let scheduler = tokio::spawn(scheduler.run(drain, stop.clone()));
        assert_eq!(control.next().await, Some(ControlMessage::Introduce));
        let measured = measurements();
        Self { broker, store, handle, events, control, folder, scheduler, stop, measured }
    }

    /// Ends the farm, and starts another over its state folder as a new process does. Answers how many attempts were
    /// under way.
    pub(super) async fn restart(self) -> (Self, usize) {
        self.restart_with_policy(reelfarm_qc::BUILT_IN).await
    }

    /// The same with another QC policy.
    pub(super) async fn restart_with_policy(self, policy: &str) -> (Self, usize) {
        self.restart_with_policies(order(), parsed(policy).into()).await
    }

    /// The same with other rules of order, and QC policies for its routes.
    pub(super) async fn restart_with_policies(self, rules: Rules, policies: FarmPolicies) -> (Self, usize) {
        self.stop.cancel();
        self.scheduler.await.unwrap().unwrap();
        let database = self.folder.path().join("farm.db");
        let recovered = SqliteStore::open(&database).await.unwrap().recover().await.unwrap();
        let artifacts = ArtifactStore::open(self.folder.path()).unwrap();
        let farm = Self::start_over(self.folder, artifacts, LEASE, 0, rules, policies).await;
        (Self { measured: self.measured, ..farm }, recovered)
    }

    pub(super) fn artifacts(&self) -> ArtifactStore {
        ArtifactStore::open(self.folder.path()).unwrap()
    }

    pub(super) fn housekeeping(&self, retention: Retention) -> Housekeeping {
        let uploads = FolderUploads::open(&self.folder.path().join("uploads"), 1000).unwrap();
        Housekeeping {
            store: self.store.clone(),
            artifacts: self.artifacts(),
            uploads: Arc::new(uploads),
            metrics: Metrics::new("test").unwrap(),
            retention,
        }
    }

    pub(super) fn submission(&self) -> Submission {
        self.submission_of("film")
    }

    /// All these titles are made from equal bytes.
    pub(super) fn submission_of(&self, name: &str) -> Submission {
        submission_in(self.folder.path(), name)
    }

    /// The same with subtitles in English, whose bytes are equal as well.
    pub(super) fn submission_with_subtitles(&self, name: &str) -> Submission {
        let file = SourceReference {
            path: format!("/films/{name}.en.srt").into(),
            size: 1_000,
            modified_ns: 1,
            etag: None,
        };
        let subtitles = SubtitleFile { file, language: "en".into(), purpose: SubtitlePurpose::Dialogue };
        Submission {
            subtitles: vec![subtitles],
            profiles: vec!["dash-clr-2s".to_owned()],
            ..self.submission_of(name)
        }
    }

    /// The worker has so many slots of each pool from now on.
    pub(super) async fn offers(&self, slots: u32) {
        self.say(offer(slots)).await;
        let heard = || self.handle.workers().iter().any(|worker| worker.pools[&Pool::Light].total == slots);
        let hearing = async {
            while !heard() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.unwrap();
    }

    pub(super) async fn submit(&self) -> Title {
        self.handle.submit(self.submission()).await.unwrap()
    }

    /// The next task of a pool, received and acknowledged as a worker does.
    pub(super) async fn receive(&self, pool: Pool) -> TaskMessage {
        let delivery = tokio::time::timeout(PATIENCE, self.broker.receive_task(pool)).await.unwrap().unwrap();
        let message = delivery.message.clone();
        assert!(delivery.acknowledge().await.unwrap());
        message
    }

    pub(super) async fn say(&self, event: WorkerEvent) {
        self.broker.send_event(&event).await.unwrap();
    }

    pub(super) async fn start_attempt(&self, fence: Fence) {
        self.say(WorkerEvent::Started { fence, worker: played() }).await;
    }

    pub(super) async fn finish(&self, fence: Fence, outcome: AttemptOutcome) {
        self.say(WorkerEvent::Finished { fence, worker: played(), outcome }).await;
    }

    pub(super) async fn complete(&self, message: &TaskMessage, result: Option<serde_json::Value>) {
        self.start_attempt(message.fence).await;
        self.finish(message.fence, completed(message, result)).await;
    }

    pub(super) async fn fail(&self, message: &TaskMessage, code: Code) {
        self.start_attempt(message.fence).await;
        self.finish(message.fence, AttemptOutcome::Failed { failure: Failure::new(code, "played") }).await;
    }

    /// A heartbeat of the attempt, half-way through.
    pub(super) async fn beat(&self, fence: Fence) {
        let progress = Progress { fraction: 0.5, ..Progress::default() };
        self.say(WorkerEvent::Heartbeat { fence, worker: played(), beat: 1, progress }).await;
    }

    pub(super) async fn next_control(&mut self) -> ControlMessage {
        tokio::time::timeout(PATIENCE, self.control.next()).await.unwrap().unwrap()
    }

    pub(super) async fn next_event(&mut self) -> FarmEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap()
    }

    pub(super) async fn title_reaches(&mut self, state: TitleState) -> Title {
        self.reaches("film", state).await
    }

    pub(super) async fn reaches(&mut self, name: &str, state: TitleState) -> Title {
        loop {
            if let FarmEvent::TitleChanged(title) = self.next_event().await
                && title.submission.title.as_str() == name
            {
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

    /// The next task of any pool, received and acknowledged; `None` where none comes for a moment.
    pub(super) async fn receive_soon(&self) -> Option<TaskMessage> {
        self.receive_within(Duration::from_millis(20)).await
    }

    async fn receive_within(&self, patience: Duration) -> Option<TaskMessage> {
        let delivery = tokio::select! {
            delivery = self.broker.receive_task(Pool::Light) => delivery,
            delivery = self.broker.receive_task(Pool::Cpu) => delivery,
            delivery = self.broker.receive_task(Pool::Package) => delivery,
            () = tokio::time::sleep(patience) => return None,
        };
        let delivery = delivery.unwrap();
        let message = delivery.message.clone();
        assert!(delivery.acknowledge().await.unwrap());
        Some(message)
    }

    /// Whether a task of this kind is ready and was not sent.
    pub(super) async fn is_ready(&self, kind: TaskKind) -> bool {
        let ready = self.store.ready(ReadyOf::All { after: None, limit: usize::MAX }).await.unwrap();
        ready.iter().any(|task| task.kind == kind && task.wait.is_zero())
    }

    /// Does what a task wants done.
    pub(super) async fn play(&self, message: &TaskMessage) {
        let result = match message.task.spec.kind() {
            TaskKind::Fingerprint => Some(fingerprint()),
            TaskKind::Qc => Some(serde_json::to_value(&self.measured).unwrap()),
            _ => None,
        };
        self.complete(message, result).await;
    }

    /// Plays every task until the first of `kind`, which is returned unanswered.
    pub(super) async fn play_until(&self, kind: TaskKind) -> TaskMessage {
        loop {
            let Some(message) = self.receive_within(PATIENCE).await else {
                panic!("no task of kind {kind:?} came");
            };
            if message.task.spec.kind() == kind {
                return message;
            }
            self.play(&message).await;
        }
    }

    /// Plays every task from here to the publication of a title, and that as well.
    pub(super) async fn play_to_the_end(&self) {
        let publish = self.play_until(TaskKind::Publish).await;
        self.complete(&publish, Some(serde_json::to_value(Digest::of(b"index")).unwrap())).await;
    }

    /// The titles that want the task of this attempt, which is under way.
    pub(super) async fn wanting(&self, message: &TaskMessage) -> Vec<String> {
        let mut wanted = self.store.wanted_attempts().await.unwrap();
        let titles = wanted.remove(&message.task.key).unwrap_or_default();
        titles.iter().map(ToString::to_string).collect()
    }

    pub(super) async fn outcomes(&self, message: &TaskMessage) -> Vec<Option<&'static str>> {
        let attempts = self.store.attempts_of(&message.task.key).await.unwrap();
        attempts.iter().map(|attempt| attempt.outcome.map(|outcome| outcome.as_str())).collect()
    }
}

fn options(lease: Duration, environment_limit: u32, order: Rules, policies: FarmPolicies) -> Options {
    Options {
        tools: ToolVersions::default().with_recipes(),
        policies,
        profiles: ProfileList::parse("profiles.toml", BUILT_IN).unwrap(),
        lease,
        order,
        retry: RetryPolicy {
            transient_backoff: Duration::from_millis(10),
            environment_backoff: Duration::from_millis(10),
            environment_limit,
            ..RetryPolicy::default()
        },
        outlived: false,
    }
}

/// A film that was delivered to a farm in this folder.
pub(super) fn submission_in(folder: &Path, name: &str) -> Submission {
    Submission {
        title: name.parse().unwrap(),
        source: SourceReference {
            path: format!("/films/{name}.mp4").into(),
            size: 10_000_000,
            modified_ns: 1,
            etag: None,
        },
        ladder: LadderText {
            file: "fast.toml".into(),
            text: include_str!("../../../ladders/fast.toml").to_owned(),
        },
        profiles: vec!["mp4-clr".to_owned()],
        audio_language: None,
        subtitles: Vec::new(),
        checksums: Vec::new(),
        qc_report: None,
        protection: None,
        rights: Default::default(),
        facts: Default::default(),
        cue_points: Vec::new(),
        origin: folder.join("origin").to_string_lossy().into_owned(),
        tools: ToolVersions::default().with_recipes(),
    }
}

fn policy() -> FarmPolicy {
    parsed(reelfarm_qc::BUILT_IN)
}

fn parsed(policy: &str) -> FarmPolicy {
    FarmPolicy::parse("qc.toml", policy).unwrap()
}

fn order() -> Rules {
    Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap()
}

fn offer(slots: u32) -> WorkerEvent {
    WorkerEvent::Report(Box::new(WorkerReport {
        worker: played(),
        phase: WorkerPhase::Serving,
        host: "here".into(),
        version: "test".into(),
        format: FORMAT,
        pools: Pool::ALL.map(|pool| (pool, Slots { total: slots, busy: 0 })).into(),
        tools: ToolVersions::default().with_recipes(),
        capabilities: BTreeSet::new(),
        processors: 4,
        speed: BTreeMap::new(),
        free_disk: None,
        resting: None,
    }))
}

pub(super) fn played() -> WorkerId {
    WorkerId("played".into())
}

pub(super) fn completed(message: &TaskMessage, result: Option<serde_json::Value>) -> AttemptOutcome {
    let artifacts = message
        .task
        .outputs
        .iter()
        .map(|output| ArtifactRecord { key: output.key, digest: Digest::of(b"played"), size: 1 })
        .collect();
    AttemptOutcome::Completed { artifacts, result }
}

pub(super) fn fingerprint() -> serde_json::Value {
    let fingerprint =
        Fingerprint { sha256: Digest::of(b"film"), md5: "0".repeat(32), sha1: None, size: 10_000_000 };
    serde_json::to_value(fingerprint).unwrap()
}

/// Ten seconds of 1280x720 at 25 frames a second with stereo sound in English.
pub(super) fn measurements() -> Measurements {
    Measurements {
        size: 10_000_000,
        open_error: None,
        container: "mov,mp4,m4a,3gp,3g2,mj2".into(),
        header_duration: Some(10.0),
        header_end: None,
        video: vec![VideoMeasurement {
            index: 0,
            codec: "h264".into(),
            width: 1280,
            height: 720,
            sample_aspect: Ratio::new(1, 1),
            codec_sample_aspect: None,
            header_size: None,
            rotation: 0,
            pixel_format: "yuv420p".into(),
            bit_depth: 8,
            header_frame_rate: Ratio::new(25, 1),
            average_frame_rate: Ratio::new(25, 1),
            codec_frame_rate: None,
            time_base: Ratio::new(1, 12800),
            header_frames: Some(250),
            frames: 250,
            first_time: 0.0,
            last_time: 9.96,
            missing_times: 0,
            backward_times: 0,
            first_backward_time: None,
            grid: vec![GridFit { rate: Ratio::new(25, 1), largest_deviation: 0.0 }],
            mean_deviation: Some(0.0),
            intervals: vec![],
            interlaced_frames: 0,
            top_field_first_frames: 0,
            format_changes: 0,
            first_format_change: None,
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
            hdr: HdrMetadata::default(),
            key_frame_times: vec![],
            leading_pictures: 0,
            first_packet_time: None,
            edit_list: None,
            bitrate: Curve::default(),
            gaps: Spans::default(),
            picture: None,
            fields: None,
            detail: None,
            blockiness: None,
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
            first_decode_error: None,
            bytes: 160_000,
            sound: None,
            header_sample_rate: None,
            header_channels: None,
            continuity: None,
        }],
        combined: vec![],
        subtitles: vec![],
        other: vec![],
        read_errors: 0,
        error_lines: vec![],
    }
}

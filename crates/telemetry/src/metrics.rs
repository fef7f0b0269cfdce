//! The farm's metrics, as methods whose arguments are the model's types, so that a label can only take the
//! values that its type has.
//!
//! Promises: nothing here fails after [`Metrics::new`], and nothing but [`Metrics::to_text`] blocks, which looks at the host; every
//! series whose labels are known exists from the start with the value 0, so that a rate over the first event is right.

mod farm;
mod registration;
mod specification;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus::{
    Counter, GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Registry, TextEncoder,
};
use reelfarm_model::qc::Verdict;
use reelfarm_model::{Pool, QcReport, TaskKind, TaskState, TitleState};

pub use farm::WorkersSeen;
pub use registration::MetricsError;
pub use specification::{MetricSpecification, MetricType, SPECIFICATION};

use crate::health::Health;
use crate::usage::Usage;

/// How an attempt ended, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// All outputs were taken over.
    Completed,
    /// The worker reported a failure.
    Failed,
    /// The worker handed it back unfinished.
    Released,
    /// Its lease expired without a word.
    Lost,
}

impl AttemptEnd {
    const ALL: [Self; 4] = [Self::Completed, Self::Failed, Self::Released, Self::Lost];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}

/// Whether titles will be on time.
const RISKS: [&str; 8] = ["late", "unserved", "at-risk", "review", "held", "unknown", "on-time", "undated"];

/// All metrics of one process. Clones share the same values.
#[derive(Clone, Debug)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    health: Health,
    titles: IntGaugeVec,
    title_deadlines: IntGaugeVec,
    review_wait: IntGaugeVec,
    slots_promised_beyond: IntGaugeVec,
    tasks: IntGaugeVec,
    task_duration: HistogramVec,
    task_wait: HistogramVec,
    attempts: IntCounterVec,
    stale_reports: IntCounter,
    lease_rescues: IntCounter,
    not_understood: IntCounter,
    encode_speed: HistogramVec,
    encoded_frames: IntCounter,
    worker_slots: IntGaugeVec,
    collected: IntCounter,
    origin_written: IntCounter,
    origin_mismatches: IntCounter,
    qc_verdicts: IntCounterVec,
    qc_rejections: IntCounterVec,
    profiles_verified: IntCounterVec,
    media_sets_packaged: IntCounterVec,
    leader: IntGaugeVec,
    title_laxity: GaugeVec,
    backlog: GaugeVec,
    oldest_ready: GaugeVec,
    pool_slots: IntGaugeVec,
    workers: IntGaugeVec,
    heartbeat_age: GaugeVec,
    workers_lost: IntCounter,
    outbox: IntGaugeVec,
    outbox_age: GaugeVec,
    /// How many messages wait for the broker, and since when.
    standing_outbox: Mutex<Option<(u64, Instant)>>,
    /// Routes of which laxity is told.
    told_routes: Mutex<BTreeSet<String>>,
    /// What was used when somebody asked last.
    usage: Mutex<Usage>,
    clock_offset: GaugeVec,
    broker_connected: IntGaugeVec,
    disk_free: IntGaugeVec,
    disk_size: IntGaugeVec,
    cpu: Counter,
    memory: IntGaugeVec,
}

impl Metrics {
    /// Whether the process is ready, told at the same place.
    pub fn health(&self) -> &Health {
        &self.shared.health
    }

    /// Replaces the counts of titles; a state that is not named has none.
    pub fn set_titles(&self, counts: impl IntoIterator<Item = (TitleState, u64)>) {
        let counts: BTreeMap<_, _> = counts.into_iter().collect();
        for state in TitleState::ALL {
            let count = counts.get(&state).copied().unwrap_or(0);
            self.shared.titles.with_label_values(&[state.as_str()]).set(signed(count));
        }
    }

    /// Replaces the counts of titles by whether they will be on time, each risk by its name.
    pub fn set_risks(&self, counts: impl IntoIterator<Item = (&'static str, u64)>) {
        for (risk, count) in counts {
            self.shared.title_deadlines.with_label_values(&[risk]).set(signed(count));
        }
    }

    /// Replaces how long the title has waited that has waited for a person's decision the longest; nothing where none does.
    pub fn set_review_wait(&self, wait: Duration) {
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        self.shared.review_wait.with_label_values::<&str>(&[]).set(seconds);
    }

    /// Replaces how many slots of each pool were promised that there are not; none of a pool that is not named.
    pub fn set_slots_promised_beyond(&self, missing: impl IntoIterator<Item = (Pool, u32)>) {
        let missing: BTreeMap<_, _> = missing.into_iter().collect();
        for pool in Pool::ALL {
            let slots = missing.get(&pool).copied().unwrap_or(0);
            self.shared.slots_promised_beyond.with_label_values(&[pool.as_str()]).set(i64::from(slots));
        }
    }

    /// Replaces the counts of tasks; a pair that is not named has none.
    pub fn set_tasks(&self, counts: impl IntoIterator<Item = ((TaskKind, TaskState), u64)>) {
        let counts: BTreeMap<_, _> = counts.into_iter().collect();
        for kind in TaskKind::ALL {
            for state in TaskState::ALL {
                let count = counts.get(&(kind, state)).copied().unwrap_or(0);
                self.shared.tasks.with_label_values(&[kind.as_str(), state.as_str()]).set(signed(count));
            }
        }
    }

    /// A worker of this pool started a task that had been ready for `wait`.
    pub fn task_started(&self, pool: Pool, wait: Duration) {
        self.shared.task_wait.with_label_values(&[pool.as_str()]).observe(wait.as_secs_f64());
    }

    /// An attempt ended.
    pub fn attempt_ended(&self, kind: TaskKind, end: AttemptEnd) {
        self.shared.attempts.with_label_values(&[kind.as_str(), end.as_str()]).inc();
    }

    /// A task completed; its last attempt took `duration`. The attempt itself is counted by
    /// [`attempt_ended`](Self::attempt_ended).
    pub fn task_completed(&self, kind: TaskKind, duration: Duration) {
        self.shared.task_duration.with_label_values(&[kind.as_str()]).observe(duration.as_secs_f64());
    }

    /// A worker's report came too late to change anything.
    pub fn stale_report(&self) {
        self.shared.stale_reports.inc();
    }

    /// A task was taken back from a worker whose lease had expired.
    pub fn lease_rescued(&self) {
        self.shared.lease_rescues.inc();
    }

    /// A message from the broker could not be read.
    pub fn message_not_understood(&self) {
        self.shared.not_understood.inc();
    }

    /// A pool of this process has `total` slots, `busy` of them with a task.
    pub fn set_slots(&self, pool: Pool, total: usize, busy: usize) {
        for (usage, slots) in [("total", total), ("busy", busy)] {
            let slots = i64::try_from(slots).unwrap_or(i64::MAX);
            self.shared.worker_slots.with_label_values(&[pool.as_str(), usage]).set(slots);
        }
    }

    /// So many bytes were taken away that nobody needs any more.
    pub fn collected(&self, bytes: u64) {
        self.shared.collected.inc_by(bytes);
    }

    /// An upload or a publication succeeded, and wrote so many bytes to the origin.
    pub fn origin_written(&self, bytes: u64) {
        self.shared.origin_written.inc_by(bytes);
    }

    /// A file at the origin was not what had been sent.
    pub fn origin_mismatch(&self) {
        self.shared.origin_mismatches.inc();
    }

    /// QC judged a source: counts the verdict, and each check that rejects.
    pub fn qc_judged(&self, report: &QcReport) {
        self.shared.qc_verdicts.with_label_values(&[report.verdict.as_str()]).inc();
        for check in report.checks.iter().filter(|check| check.verdict == Verdict::Reject) {
            self.shared.qc_rejections.with_label_values(&[check.code.as_str()]).inc();
        }
    }

    /// Everything in Prometheus's text format, version 0.0.4.
    ///
    /// # Errors
    /// A value cannot be written as text.
    pub fn to_text(&self) -> Result<String, MetricsError> {
        self.see_usage();
        self.see_outbox();
        TextEncoder::new().encode_to_string(&self.shared.registry.gather()).map_err(MetricsError::Encode)
    }
}

/// A count as a gauge takes it.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use reelfarm_model::ladder::VideoCodec;
    use reelfarm_model::profile::MediaFormat;
    use reelfarm_model::qc::Check;
    use reelfarm_model::task::RungSpec;
    use reelfarm_model::{Code, Rung};

    use super::*;

    fn rung(lines: u32) -> RungSpec {
        RungSpec {
            width: lines * 16 / 9,
            height: lines,
            gop_frames: 50,
            rung: Rung {
                name: format!("{lines}p"),
                codec: VideoCodec::H264,
                width: lines * 16 / 9,
                height: lines,
                min_source_kbps: 1,
                crf: 23,
                maxrate_kbps: 1000,
                bufsize_kbps: 2000,
                preset: "medium".into(),
                profile: "high".into(),
            },
        }
    }

    fn metrics() -> Metrics {
        Metrics::new("1.2.3").unwrap()
    }

    fn value(metrics: &Metrics, series: &str) -> f64 {
        let text = metrics.to_text().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no series {series} in\n{text}")).parse().unwrap()
    }

    #[test]
    fn the_registry_exposes_exactly_the_specification() {
        let metrics = metrics();
        // Of these there is no series before there is something to tell.
        metrics.set_clock_offset(0.0);
        metrics.set_laxity([("standard".to_owned(), 60.0)]);
        metrics.profile_verified("dash-clr-2s", true);
        let exposed: BTreeSet<_> = metrics
            .shared
            .registry
            .gather()
            .iter()
            .map(|family| {
                let labels: BTreeSet<_> = family
                    .get_metric()
                    .iter()
                    .flat_map(|metric| metric.get_label())
                    .map(|label| label.name().to_owned())
                    .collect();
                let metric_type = format!("{:?}", family.get_field_type()).to_lowercase();
                (family.name().to_owned(), metric_type, labels, family.help().to_owned())
            })
            .collect();
        let specified: BTreeSet<_> = SPECIFICATION
            .iter()
            .map(|metric| {
                let labels = metric.labels.iter().map(|&label| label.to_owned()).collect();
                let metric_type = metric.metric_type.as_str().to_owned();
                (metric.name.to_owned(), metric_type, labels, metric.help.to_owned())
            })
            .collect();
        assert_eq!(exposed, specified);
        assert_eq!(specified.len(), SPECIFICATION.len(), "a metric is listed twice");
    }

    #[test]
    fn names_follow_the_convention_of_prometheus() {
        for metric in SPECIFICATION {
            assert!(metric.name.starts_with("reelfarm_"), "{}", metric.name);
            let is_counter = matches!(metric.metric_type, MetricType::Counter);
            assert_eq!(metric.name.ends_with("_total"), is_counter, "{}", metric.name);
            if let MetricType::Histogram { buckets } = metric.metric_type {
                assert!(buckets.is_sorted(), "{}", metric.name);
            }
        }
    }

    #[test]
    fn counts_that_are_no_longer_named_fall_to_zero() {
        let metrics = metrics();
        metrics.set_tasks([((TaskKind::Qc, TaskState::Ready), 3), ((TaskKind::Verify, TaskState::Done), 1)]);
        metrics.set_titles([(TitleState::Checking, 2)]);
        assert_eq!(value(&metrics, r#"reelfarm_tasks{kind="qc",state="ready"}"#), 3.0);
        assert_eq!(value(&metrics, r#"reelfarm_titles{state="checking"}"#), 2.0);
        metrics.set_tasks([((TaskKind::Qc, TaskState::Running), 3)]);
        metrics.set_titles([(TitleState::Published, 2)]);
        assert_eq!(value(&metrics, r#"reelfarm_tasks{kind="qc",state="ready"}"#), 0.0);
        assert_eq!(value(&metrics, r#"reelfarm_tasks{kind="qc",state="running"}"#), 3.0);
        assert_eq!(value(&metrics, r#"reelfarm_tasks{kind="verify",state="done"}"#), 0.0);
        assert_eq!(value(&metrics, r#"reelfarm_titles{state="checking"}"#), 0.0);
    }

    #[test]
    fn clones_count_together_and_each_event_moves_its_own_series() {
        let metrics = metrics();
        let clone = metrics.clone();
        clone.task_started(Pool::Cpu, Duration::from_millis(1500));
        clone.task_completed(TaskKind::EncodeVideo, Duration::from_secs(90));
        clone.attempt_ended(TaskKind::EncodeVideo, AttemptEnd::Completed);
        clone.attempt_ended(TaskKind::EncodeVideo, AttemptEnd::Lost);
        clone.stale_report();
        clone.lease_rescued();
        clone.message_not_understood();
        clone.video_encoded(&[rung(1080), rung(360)], 375, 2.5);
        // A wide picture of the size class that its width has; an upright one too.
        clone.video_encoded(&[rung(360), RungSpec { width: 1280, height: 534, ..rung(534) }], 0, 1.0);
        clone.video_encoded(&[RungSpec { width: 720, height: 1280, ..rung(720) }], 0, 2.0);
        clone.media_set_packaged(MediaFormat::Smooth);
        clone.set_disk(1 << 30, 2 << 30);
        clone.set_broker_connected(true);
        clone.set_slots(Pool::Cpu, 2, 1);
        clone.set_review_wait(Duration::from_millis(7_900));
        clone.origin_written(4096);
        clone.origin_mismatch();
        clone.profile_verified("hls-clr-2s", true);
        clone.profile_verified("hls-clr-2s", false);
        for (series, expected) in [
            (r#"reelfarm_build_info{version="1.2.3"}"#, 1.0),
            (r#"reelfarm_task_wait_seconds_sum{pool="cpu"}"#, 1.5),
            (r#"reelfarm_task_duration_seconds_bucket{kind="encode-video",le="60"}"#, 0.0),
            (r#"reelfarm_task_duration_seconds_bucket{kind="encode-video",le="120"}"#, 1.0),
            (r#"reelfarm_attempts_total{kind="encode-video",outcome="completed"}"#, 1.0),
            (r#"reelfarm_attempts_total{kind="encode-video",outcome="lost"}"#, 1.0),
            (r#"reelfarm_attempts_total{kind="encode-video",outcome="failed"}"#, 0.0),
            ("reelfarm_stale_reports_total", 1.0),
            ("reelfarm_lease_rescues_total", 1.0),
            ("reelfarm_messages_not_understood_total", 1.0),
            ("reelfarm_encoded_frames_total", 750.0),
            (r#"reelfarm_encode_speed_ratio_sum{codec="h264",size="full-hd"}"#, 2.5),
            (r#"reelfarm_encode_speed_ratio_sum{codec="h264",size="sd"}"#, 0.0),
            (r#"reelfarm_encode_speed_ratio_sum{codec="h264",size="hd"}"#, 3.0),
            (r#"reelfarm_media_sets_packaged_total{format="smooth"}"#, 1.0),
            (r#"reelfarm_media_sets_packaged_total{format="cmaf"}"#, 0.0),
            ("reelfarm_disk_free_bytes", 1_073_741_824.0),
            ("reelfarm_disk_size_bytes", 2_147_483_648.0),
            ("reelfarm_broker_connected", 1.0),
            (r#"reelfarm_worker_slots{pool="cpu",use="total"}"#, 2.0),
            (r#"reelfarm_worker_slots{pool="cpu",use="busy"}"#, 1.0),
            (r#"reelfarm_worker_slots{pool="light",use="total"}"#, 0.0),
            ("reelfarm_review_wait_seconds", 7.0),
            ("reelfarm_origin_written_bytes_total", 4096.0),
            ("reelfarm_origin_md5_mismatches_total", 1.0),
            (r#"reelfarm_profiles_verified_total{outcome="passed",profile="hls-clr-2s"}"#, 1.0),
            (r#"reelfarm_profiles_verified_total{outcome="failed",profile="hls-clr-2s"}"#, 1.0),
        ] {
            assert_eq!(value(&metrics, series), expected, "{series}");
        }
    }

    #[test]
    fn who_stands_by_has_no_figures_of_the_farm_and_keeps_its_counts() {
        let metrics = metrics();
        metrics.leads();
        metrics.set_titles([(TitleState::Preparing, 3)]);
        metrics.set_backlog([(Pool::Cpu, 5_400_000)]);
        metrics.set_oldest_ready([(Pool::Cpu, Duration::from_secs(40))]);
        metrics.set_laxity([("sport".to_owned(), -30.0)]);
        metrics.set_pool_slots([(Pool::Cpu, (8, 3))]);
        metrics.set_workers(WorkersSeen { serving: 4, lost: 2, ..WorkersSeen::default() });
        metrics.outbox_waits(5);
        metrics.set_clock_offset(0.5);
        let figures = [
            ("reelfarm_leader", 1.0),
            (r#"reelfarm_titles{state="preparing"}"#, 3.0),
            (r#"reelfarm_backlog_slot_hours{pool="cpu"}"#, 1.5),
            (r#"reelfarm_oldest_ready_task_seconds{pool="cpu"}"#, 40.0),
            (r#"reelfarm_pool_slots{pool="cpu",use="busy"}"#, 3.0),
            (r#"reelfarm_workers{phase="serving"}"#, 4.0),
            ("reelfarm_outbox_messages", 5.0),
        ];
        for (series, expected) in figures {
            assert_eq!(value(&metrics, series), expected, "{series}");
        }
        assert_eq!(value(&metrics, r#"reelfarm_title_laxity_seconds{route="sport"}"#), -30.0);
        metrics.stands_by();
        for (series, _) in figures {
            assert_eq!(value(&metrics, series), 0.0, "{series}");
        }
        let page = metrics.to_text().unwrap();
        assert!(!page.contains("reelfarm_title_laxity_seconds{"), "{page}");
        assert!(!page.contains("\nreelfarm_clock_offset_seconds "), "nobody looked: {page}");
        assert_eq!(value(&metrics, "reelfarm_workers_lost_total"), 2.0, "what happened has happened");
    }

    #[test]
    fn a_rejected_source_counts_once_and_each_of_its_rejecting_checks() {
        let check = |code, verdict| Check {
            code,
            name: String::new(),
            verdict,
            value: String::new(),
            limit: String::new(),
            remedy: String::new(),
            places: Vec::new(),
        };
        let metrics = metrics();
        metrics.qc_judged(&QcReport {
            schema: 1,
            source_sha256: None,
            external: false,
            policy: "default".into(),
            ladder: "default".into(),
            verdict: Verdict::Reject,
            checks: vec![
                check(Code::QcAudioMissing, Verdict::Reject),
                check(Code::QcFrameRateFractional, Verdict::Reject),
                check(Code::QcBitrate, Verdict::Warn),
            ],
            conclusion: None,
        });
        for (series, expected) in [
            (r#"reelfarm_qc_verdicts_total{verdict="reject"}"#, 1.0),
            (r#"reelfarm_qc_verdicts_total{verdict="pass"}"#, 0.0),
            (r#"reelfarm_qc_rejections_total{code="RF-QC-008"}"#, 1.0),
            (r#"reelfarm_qc_rejections_total{code="RF-QC-004"}"#, 1.0),
            (r#"reelfarm_qc_rejections_total{code="RF-QC-010"}"#, 0.0),
        ] {
            assert_eq!(value(&metrics, series), expected, "{series}");
        }
    }

    #[test]
    fn the_outbox_ages_until_all_is_sent() {
        let metrics = metrics();
        let age = || value(&metrics, "reelfarm_outbox_age_seconds");
        assert_eq!(age(), 0.0);
        metrics.outbox_waits(3);
        let first = age();
        metrics.outbox_waits(2);
        assert!(age() > first, "it is as old as what could not be sent first");
        assert_eq!(value(&metrics, "reelfarm_outbox_messages"), 2.0);
        metrics.outbox_is_empty();
        assert_eq!((age(), value(&metrics, "reelfarm_outbox_messages")), (0.0, 0.0));
    }

    #[test]
    fn routes_whose_titles_have_no_deadline_any_more_are_told_no_more() {
        let metrics = metrics();
        let routes = |routes: &[(&str, f64)]| {
            metrics.set_laxity(routes.iter().map(|(route, seconds)| ((*route).to_owned(), *seconds)));
            let page = metrics.to_text().unwrap();
            page.lines().filter(|line| line.starts_with("reelfarm_title_laxity_seconds{")).count()
        };
        assert_eq!(routes(&[("sport", 5.0), ("news", -2.0)]), 2);
        assert_eq!(routes(&[("news", 3.0)]), 1);
        assert_eq!(value(&metrics, r#"reelfarm_title_laxity_seconds{route="news"}"#), 3.0);
    }

    #[test]
    fn two_farms_in_one_process_do_not_share_counts() {
        let (one, other) = (metrics(), metrics());
        one.stale_report();
        assert_eq!(value(&other, "reelfarm_stale_reports_total"), 0.0);
    }
}

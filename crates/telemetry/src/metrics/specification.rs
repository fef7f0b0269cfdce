//! Every metric with its name, type, labels and meaning. The registry is built from this table and
//! `docs/metrics.md` is written from it, so neither can say something else.

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct MetricSpecification {
    /// `reelfarm_<thing>_<unit>`, with `_total` for a counter.
    pub name: &'static str,
    /// Its type.
    pub metric_type: MetricType,
    /// The labels, each with few values.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

/// The types of metrics that Prometheus knows and the farm uses.
#[derive(Clone, Copy, Debug)]
pub enum MetricType {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram {
        /// Upper bounds of the buckets, in the metric's unit; the one without a bound is added.
        buckets: &'static [f64],
    },
}

impl MetricType {
    /// The name in Prometheus's text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram { .. } => "histogram",
        }
    }
}

/// From a manifest that takes milliseconds to an encode that takes hours.
const TASK_SECONDS: &[f64] =
    &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0];

/// Below 1 the farm falls behind a live programme.
const SPEED_RATIOS: &[f64] = &[0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricSpecification {
    MetricSpecification { name, metric_type: MetricType::Counter, labels, help }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricSpecification {
    MetricSpecification { name, metric_type: MetricType::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    buckets: &'static [f64],
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricSpecification {
    MetricSpecification { name, metric_type: MetricType::Histogram { buckets }, labels, help }
}

pub(super) const BUILD_INFO: MetricSpecification =
    gauge("reelfarm_build_info", &["version"], "Always 1; the label says which version runs.");
pub(super) const TITLES: MetricSpecification =
    gauge("reelfarm_titles", &["state"], "Titles in the store, by state.");
pub(super) const TASKS: MetricSpecification =
    gauge("reelfarm_tasks", &["kind", "state"], "Tasks in the store, by kind and state.");
pub(super) const TITLE_DEADLINES: MetricSpecification = gauge(
    "reelfarm_title_deadlines",
    &["risk"],
    "Titles under way, by whether they will be on time: late, at-risk, on-time or undated; unserved where no worker serves a pool that they need, review where a person has to decide, held, or unknown where they are new.",
);
pub(super) const REVIEW_WAIT: MetricSpecification = gauge(
    "reelfarm_review_wait_seconds",
    &[],
    "How long the title has waited that has waited for a person's decision the longest; 0 where none does.",
);
pub(super) const SLOTS_PROMISED_BEYOND: MetricSpecification = gauge(
    "reelfarm_slots_promised_beyond",
    &["pool"],
    "Slots that the rules promise to routes as their minimum beyond those that there are.",
);
pub(super) const TASK_DURATION: MetricSpecification = histogram(
    "reelfarm_task_duration_seconds",
    TASK_SECONDS,
    &["kind"],
    "Time from the start to the completion of a task's completed attempt.",
);
pub(super) const TASK_WAIT: MetricSpecification = histogram(
    "reelfarm_task_wait_seconds",
    TASK_SECONDS,
    &["pool"],
    "Time from when a task became ready, or its scheduler came to lead, to when a worker started it.",
);
pub(super) const ATTEMPTS: MetricSpecification = counter(
    "reelfarm_attempts_total",
    &["kind", "outcome"],
    "Attempts that ended: completed, failed, released (handed back unfinished) or lost (the lease expired).",
);
pub(super) const STALE_REPORTS: MetricSpecification = counter(
    "reelfarm_stale_reports_total",
    &[],
    "Reports from workers refused because their attempt or lease was no longer the current one.",
);
pub(super) const LEASE_RESCUES: MetricSpecification = counter(
    "reelfarm_lease_rescues_total",
    &[],
    "Tasks taken back because the lease of their attempt expired.",
);
pub(super) const NOT_UNDERSTOOD: MetricSpecification = counter(
    "reelfarm_messages_not_understood_total",
    &[],
    "Messages from the broker that could not be read: damaged, or of another version's format.",
);
pub(super) const ENCODE_SPEED: MetricSpecification = histogram(
    "reelfarm_encode_speed_ratio",
    SPEED_RATIOS,
    &["codec", "size"],
    "Seconds of film per second of work for each completed video encode, all of its rungs together, by the codec and size of the largest: sd up to 576 lines of 16:9, hd up to 720, full-hd up to 1080, uhd beyond.",
);
pub(super) const ENCODED_FRAMES: MetricSpecification = counter(
    "reelfarm_encoded_frames_total",
    &[],
    "Frames encoded, each rung's counted by itself, in completed video encodes.",
);
pub(super) const WORKER_SLOTS: MetricSpecification = gauge(
    "reelfarm_worker_slots",
    &["pool", "use"],
    "Slots of this process's workers: total is how many there are, busy how many of those are running a task.",
);
pub(super) const COLLECTED: MetricSpecification = counter(
    "reelfarm_collected_bytes_total",
    &[],
    "Bytes of artifacts and unfinished work that were taken away because nobody needs them any more.",
);
pub(super) const ORIGIN_WRITTEN: MetricSpecification = counter(
    "reelfarm_origin_written_bytes_total",
    &[],
    "Bytes written to the origin by uploads and publications that succeeded; files found there as they should be count nothing.",
);
pub(super) const ORIGIN_MISMATCHES: MetricSpecification = counter(
    "reelfarm_origin_md5_mismatches_total",
    &[],
    "Files whose MD5, read back from the origin, was not that of the bytes sent.",
);
pub(super) const QC_VERDICTS: MetricSpecification =
    counter("reelfarm_qc_verdicts_total", &["verdict"], "Sources checked, by verdict.");
pub(super) const QC_REJECTIONS: MetricSpecification = counter(
    "reelfarm_qc_rejections_total",
    &["code"],
    "Checks that rejected a source, by code; one source can count under several.",
);
pub(super) const PROFILES_VERIFIED: MetricSpecification = counter(
    "reelfarm_profiles_verified_total",
    &["profile", "outcome"],
    "Profiles read back: passed or failed. A profile is there from the first time on that it was.",
);
pub(super) const MEDIA_SETS_PACKAGED: MetricSpecification = counter(
    "reelfarm_media_sets_packaged_total",
    &["format"],
    "Media sets that were packaged, by the layout of their files.",
);
pub(super) const LEADER: MetricSpecification = gauge(
    "reelfarm_leader",
    &[],
    "1 in the scheduler that leads the farm, 0 in all other processes. Figures of the whole farm are the leader's; elsewhere they are 0.",
);
pub(super) const TITLE_LAXITY: MetricSpecification = gauge(
    "reelfarm_title_laxity_seconds",
    &["route"],
    "The least time to spare until its deadline of a title of the route, as things stand; negative where one will be late, absent where none has a deadline.",
);
pub(super) const BACKLOG: MetricSpecification = gauge(
    "reelfarm_backlog_slot_hours",
    &["pool"],
    "Work that is left to do, in hours of one slot: of all tasks that titles want which are not held. Before a title is planned that is its QC alone.",
);
pub(super) const OLDEST_READY: MetricSpecification = gauge(
    "reelfarm_oldest_ready_task_seconds",
    &["pool"],
    "How long the task has been ready that no worker has started and that has waited the longest, since this scheduler leads at most; 0 where none waits.",
);
pub(super) const POOL_SLOTS: MetricSpecification = gauge(
    "reelfarm_pool_slots",
    &["pool", "use"],
    "Slots of all workers that take tasks: total is how many there are, busy how many of those are promised or at work.",
);
pub(super) const WORKERS: MetricSpecification = gauge(
    "reelfarm_workers",
    &["phase"],
    "Workers that the farm hears of: serving, resting (its host could not do what was asked of it) or draining.",
);
pub(super) const HEARTBEAT_AGE: MetricSpecification = gauge(
    "reelfarm_worker_heartbeat_age_seconds",
    &[],
    "How long ago the worker was heard of that has been silent the longest; after a minute it counts as lost.",
);
pub(super) const WORKERS_LOST: MetricSpecification =
    counter("reelfarm_workers_lost_total", &[], "Workers that fell silent without a farewell.");
pub(super) const OUTBOX: MetricSpecification = gauge(
    "reelfarm_outbox_messages",
    &[],
    "Task messages that are stored, and that the broker has not taken yet.",
);
pub(super) const OUTBOX_AGE: MetricSpecification = gauge(
    "reelfarm_outbox_age_seconds",
    &[],
    "For how long the broker has not taken all of them; 0 where it has.",
);
pub(super) const CLOCK_OFFSET: MetricSpecification = gauge(
    "reelfarm_clock_offset_seconds",
    &[],
    "The clock of the leading scheduler's host less the database's, by which leases and deadlines are judged; absent elsewhere.",
);
pub(super) const BROKER_CONNECTED: MetricSpecification = gauge(
    "reelfarm_broker_connected",
    &[],
    "1 while messages pass to and from the broker, 0 while they do not.",
);
pub(super) const DISK_FREE: MetricSpecification =
    gauge("reelfarm_disk_free_bytes", &[], "Bytes free on the disk that the worker stages its work on.");
pub(super) const DISK_SIZE: MetricSpecification =
    gauge("reelfarm_disk_size_bytes", &[], "The size of that disk.");
pub(super) const CPU: MetricSpecification = counter(
    "reelfarm_cpu_seconds_total",
    &[],
    "Processor time of this process and its children, those that have ended among them.",
);
pub(super) const MEMORY: MetricSpecification = gauge(
    "reelfarm_memory_bytes",
    &[],
    "Resident memory of this process and its children, what they share counted for each.",
);

/// Every metric that the farm exposes, and no other.
pub const SPECIFICATION: &[MetricSpecification] = &[
    BUILD_INFO,
    LEADER,
    TITLES,
    TITLE_DEADLINES,
    TITLE_LAXITY,
    REVIEW_WAIT,
    SLOTS_PROMISED_BEYOND,
    TASKS,
    BACKLOG,
    OLDEST_READY,
    TASK_DURATION,
    TASK_WAIT,
    ATTEMPTS,
    STALE_REPORTS,
    LEASE_RESCUES,
    NOT_UNDERSTOOD,
    OUTBOX,
    OUTBOX_AGE,
    BROKER_CONNECTED,
    CLOCK_OFFSET,
    POOL_SLOTS,
    WORKERS,
    HEARTBEAT_AGE,
    WORKERS_LOST,
    ENCODE_SPEED,
    ENCODED_FRAMES,
    WORKER_SLOTS,
    DISK_FREE,
    DISK_SIZE,
    CPU,
    MEMORY,
    COLLECTED,
    ORIGIN_WRITTEN,
    ORIGIN_MISMATCHES,
    QC_VERDICTS,
    QC_REJECTIONS,
    MEDIA_SETS_PACKAGED,
    PROFILES_VERIFIED,
];

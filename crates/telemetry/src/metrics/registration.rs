//! Builds the metrics from their specification into a registry of their own.

use std::sync::{Arc, Mutex};

use prometheus::core::Collector;
use prometheus::{Counter, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};
use prometheus::{Opts, Registry};
use reelfarm_model::qc::Verdict;
use reelfarm_model::{Code, Pool, TaskKind, TaskState, TitleState};

use super::farm::PHASES;
use super::specification::{self as spec, MetricSpecification, MetricType};
use super::work::{CODECS, FORMATS, SIZES, codec_name, format_name};
use super::{AttemptEnd, Metrics, RISKS, Shared};
use crate::health::Health;

/// Metrics cannot be set up or read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The registry refuses a metric: its name or labels are not what Prometheus allows, or it is there already.
    #[error("metric {name} cannot be registered")]
    Register {
        /// The metric.
        name: &'static str,
        /// What the registry says.
        source: prometheus::Error,
    },
    /// A value cannot be written as text.
    #[error("the metrics cannot be written as text")]
    Encode(#[source] prometheus::Error),
}

impl Metrics {
    /// All metrics, at 0, in a registry of their own. `version` is the program's, for `reelfarm_build_info`.
    ///
    /// # Errors
    /// The registry refuses a metric.
    pub fn new(version: &str) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let build_info = registry.gauges(&spec::BUILD_INFO)?;
        build_info.with_label_values(&[version]).set(1);
        let shared = Shared {
            titles: registry.gauges(&spec::TITLES)?,
            title_deadlines: registry.gauges(&spec::TITLE_DEADLINES)?,
            review_wait: registry.gauges(&spec::REVIEW_WAIT)?,
            slots_promised_beyond: registry.gauges(&spec::SLOTS_PROMISED_BEYOND)?,
            tasks: registry.gauges(&spec::TASKS)?,
            task_duration: registry.histograms(&spec::TASK_DURATION)?,
            task_wait: registry.histograms(&spec::TASK_WAIT)?,
            attempts: registry.counters(&spec::ATTEMPTS)?,
            stale_reports: registry.counter(&spec::STALE_REPORTS)?,
            lease_rescues: registry.counter(&spec::LEASE_RESCUES)?,
            not_understood: registry.counter(&spec::NOT_UNDERSTOOD)?,
            encode_speed: registry.histograms(&spec::ENCODE_SPEED)?,
            encoded_frames: registry.counter(&spec::ENCODED_FRAMES)?,
            worker_slots: registry.gauges(&spec::WORKER_SLOTS)?,
            collected: registry.counter(&spec::COLLECTED)?,
            origin_written: registry.counter(&spec::ORIGIN_WRITTEN)?,
            origin_mismatches: registry.counter(&spec::ORIGIN_MISMATCHES)?,
            qc_verdicts: registry.counters(&spec::QC_VERDICTS)?,
            qc_rejections: registry.counters(&spec::QC_REJECTIONS)?,
            profiles_verified: registry.counters(&spec::PROFILES_VERIFIED)?,
            media_sets_packaged: registry.counters(&spec::MEDIA_SETS_PACKAGED)?,
            leader: registry.gauges(&spec::LEADER)?,
            title_laxity: registry.measures(&spec::TITLE_LAXITY)?,
            backlog: registry.measures(&spec::BACKLOG)?,
            oldest_ready: registry.measures(&spec::OLDEST_READY)?,
            pool_slots: registry.gauges(&spec::POOL_SLOTS)?,
            workers: registry.gauges(&spec::WORKERS)?,
            heartbeat_age: registry.measures(&spec::HEARTBEAT_AGE)?,
            workers_lost: registry.counter(&spec::WORKERS_LOST)?,
            outbox: registry.gauges(&spec::OUTBOX)?,
            outbox_age: registry.measures(&spec::OUTBOX_AGE)?,
            clock_offset: registry.measures(&spec::CLOCK_OFFSET)?,
            broker_connected: registry.gauges(&spec::BROKER_CONNECTED)?,
            disk_free: registry.gauges(&spec::DISK_FREE)?,
            disk_size: registry.gauges(&spec::DISK_SIZE)?,
            cpu: registry.seconds(&spec::CPU)?,
            memory: registry.gauges(&spec::MEMORY)?,
            health: Health::default(),
            standing_outbox: Mutex::default(),
            told_routes: Mutex::default(),
            usage: Mutex::default(),
            registry,
        };
        shared.create_every_series();
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl Shared {
    /// Asking for a series creates it.
    fn create_every_series(&self) {
        for state in TitleState::ALL {
            self.titles.with_label_values(&[state.as_str()]);
        }
        for risk in RISKS {
            self.title_deadlines.with_label_values(&[risk]);
        }
        self.review_wait.with_label_values::<&str>(&[]);
        for kind in TaskKind::ALL.map(TaskKind::as_str) {
            for state in TaskState::ALL {
                self.tasks.with_label_values(&[kind, state.as_str()]);
            }
            for end in AttemptEnd::ALL {
                self.attempts.with_label_values(&[kind, end.as_str()]);
            }
            self.task_duration.with_label_values(&[kind]);
        }
        for pool in Pool::ALL.map(Pool::as_str) {
            self.task_wait.with_label_values(&[pool]);
            self.slots_promised_beyond.with_label_values(&[pool]);
            self.worker_slots.with_label_values(&[pool, "total"]);
            self.worker_slots.with_label_values(&[pool, "busy"]);
        }
        for verdict in Verdict::ALL {
            self.qc_verdicts.with_label_values(&[verdict.as_str()]);
        }
        for code in Code::ALL.iter().map(|code| code.as_str()).filter(|code| code.starts_with("RF-QC-")) {
            self.qc_rejections.with_label_values(&[code]);
        }
        for format in FORMATS {
            self.media_sets_packaged.with_label_values(&[format_name(format)]);
        }
        for codec in CODECS {
            for size in SIZES {
                self.encode_speed.with_label_values(&[codec_name(codec), size]);
            }
        }
        for gauge in [
            &self.leader,
            &self.outbox,
            &self.broker_connected,
            &self.disk_free,
            &self.disk_size,
            &self.memory,
        ] {
            gauge.with_label_values::<&str>(&[]);
        }
        for measure in [&self.heartbeat_age, &self.outbox_age] {
            measure.with_label_values::<&str>(&[]);
        }
        for pool in Pool::ALL.map(Pool::as_str) {
            self.backlog.with_label_values(&[pool]);
            self.oldest_ready.with_label_values(&[pool]);
            self.pool_slots.with_label_values(&[pool, "total"]);
            self.pool_slots.with_label_values(&[pool, "busy"]);
        }
        for phase in PHASES {
            self.workers.with_label_values(&[phase]);
        }
    }
}

/// Makes a metric from its specification and registers it.
trait Register {
    fn add<C, M>(&self, metric: &MetricSpecification, make: M) -> Result<C, MetricsError>
    where
        C: Collector + Clone + 'static,
        M: FnOnce(Opts) -> prometheus::Result<C>;

    fn gauges(&self, metric: &MetricSpecification) -> Result<IntGaugeVec, MetricsError> {
        self.add(metric, |opts| IntGaugeVec::new(opts, metric.labels))
    }

    fn measures(&self, metric: &MetricSpecification) -> Result<GaugeVec, MetricsError> {
        self.add(metric, |opts| GaugeVec::new(opts, metric.labels))
    }

    fn seconds(&self, metric: &MetricSpecification) -> Result<Counter, MetricsError> {
        self.add(metric, Counter::with_opts)
    }

    fn counters(&self, metric: &MetricSpecification) -> Result<IntCounterVec, MetricsError> {
        self.add(metric, |opts| IntCounterVec::new(opts, metric.labels))
    }

    fn counter(&self, metric: &MetricSpecification) -> Result<IntCounter, MetricsError> {
        self.add(metric, IntCounter::with_opts)
    }

    fn histograms(&self, metric: &MetricSpecification) -> Result<HistogramVec, MetricsError> {
        self.add(metric, |opts| HistogramVec::new(with_buckets(opts, metric), metric.labels))
    }
}

impl Register for Registry {
    fn add<C, M>(&self, metric: &MetricSpecification, make: M) -> Result<C, MetricsError>
    where
        C: Collector + Clone + 'static,
        M: FnOnce(Opts) -> prometheus::Result<C>,
    {
        let refused = |source| MetricsError::Register { name: metric.name, source };
        let collector = make(Opts::new(metric.name, metric.help)).map_err(refused)?;
        self.register(Box::new(collector.clone())).map_err(refused)?;
        Ok(collector)
    }
}

fn with_buckets(opts: Opts, metric: &MetricSpecification) -> HistogramOpts {
    let opts = HistogramOpts::from(opts);
    match metric.metric_type {
        MetricType::Histogram { buckets } => opts.buckets(buckets.to_vec()),
        MetricType::Counter | MetricType::Gauge => opts,
    }
}

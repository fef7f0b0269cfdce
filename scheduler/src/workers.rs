//! The workers that have said that they are there. Kept in memory alone: each says so again before long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reelfarm_model::message::{WorkerPhase, WorkerReport};
use reelfarm_model::{Pool, WorkerId};
use reelfarm_priority::Capacity;
use reelfarm_telemetry::metrics::WorkersSeen;

/// A worker that has said nothing for so long is taken for gone: several times the interval of its reports.
const SILENCE: Duration = Duration::from_secs(60);

/// The last report of each worker.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Mutex<Reports>>);

#[derive(Default)]
struct Reports {
    of: BTreeMap<WorkerId, (WorkerReport, Instant)>,
    /// Workers that fell silent without a farewell, since somebody asked.
    lost: u64,
}

impl Workers {
    /// Takes in a report, and answers whether it changes what the worker takes.
    pub(crate) fn heard(&self, report: WorkerReport) -> bool {
        self.heard_at(report, Instant::now())
    }

    pub(crate) fn known(&self) -> Vec<WorkerReport> {
        self.known_at(Instant::now())
    }

    /// The slots of those that take tasks, by pool, where `taken` says how many of a worker's are not free.
    pub(crate) fn slots(&self, taken: impl Fn(&WorkerId, Pool) -> usize) -> BTreeMap<Pool, Capacity> {
        let (now, mut slots) = (Instant::now(), BTreeMap::<Pool, Capacity>::new());
        // Asked for at each dispatch, so nothing of a thousand reports is copied.
        for (report, _) in
            self.reports().of.values().filter(|(_, heard)| now.duration_since(*heard) < SILENCE)
        {
            for (pool, total) in offer(report) {
                let of_pool = slots.entry(pool).or_default();
                of_pool.total += total as usize;
                of_pool.free += (total as usize).saturating_sub(taken(&report.worker, pool));
            }
        }
        slots
    }

    /// Whether any worker but this one takes tasks of a pool.
    pub(crate) fn others_take(&self, pool: Pool, worker: &WorkerId) -> bool {
        self.known()
            .iter()
            .any(|other| other.worker != *worker && other.takes_tasks() && other.pools.contains_key(&pool))
    }

    fn heard_at(&self, report: WorkerReport, now: Instant) -> bool {
        let workers = &mut self.reports().of;
        let offered: Vec<_> = offer(&report).collect();
        let before = if report.phase == WorkerPhase::Gone {
            workers.remove(&report.worker)
        } else {
            workers.insert(report.worker.clone(), (report, now))
        };
        // One that was silent for so long that it counted for nothing is as good as new.
        let before = before.filter(|(_, heard)| now.duration_since(*heard) < SILENCE);
        before.is_none_or(|(report, _)| !offer(&report).eq(offered))
    }

    fn known_at(&self, now: Instant) -> Vec<WorkerReport> {
        let mut reports = self.reports();
        reports.forget_silent(now);
        reports.of.values().map(|(report, _)| report.clone()).collect()
    }

    /// What there is to tell of workers; those that were lost are told once.
    pub(crate) fn seen(&self) -> WorkersSeen {
        self.seen_at(Instant::now())
    }

    fn seen_at(&self, now: Instant) -> WorkersSeen {
        let mut reports = self.reports();
        reports.forget_silent(now);
        let mut seen = WorkersSeen { lost: std::mem::take(&mut reports.lost), ..WorkersSeen::default() };
        for (report, heard) in reports.of.values() {
            seen.silent_for = now.saturating_duration_since(*heard).max(seen.silent_for);
            let count = match report.phase {
                WorkerPhase::Serving if report.resting.is_some() => &mut seen.resting,
                WorkerPhase::Serving => &mut seen.serving,
                WorkerPhase::Draining | WorkerPhase::Gone => &mut seen.draining,
            };
            *count += 1;
        }
        seen
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reports {
    fn forget_silent(&mut self, now: Instant) {
        let before = self.of.len();
        self.of.retain(|_, (_, heard)| now.saturating_duration_since(*heard) < SILENCE);
        self.lost += (before - self.of.len()) as u64;
    }
}

/// The slots that a worker offers, by pool.
fn offer(report: &WorkerReport) -> impl Iterator<Item = (Pool, u32)> {
    let serves = report.takes_tasks();
    report.pools.iter().filter(move |_| serves).map(|(pool, slots)| (*pool, slots.total))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::message::{FORMAT, Slots};
    use reelfarm_model::recipe::ToolVersions;

    use super::*;

    fn report(name: &str, phase: WorkerPhase) -> WorkerReport {
        WorkerReport {
            worker: WorkerId(name.into()),
            phase,
            host: "host".into(),
            version: "0".into(),
            format: FORMAT,
            pools: BTreeMap::new(),
            tools: ToolVersions::default(),
            capabilities: Default::default(),
            processors: 1,
            speed: BTreeMap::new(),
            free_disk: None,
            resting: None,
        }
    }

    #[test]
    fn a_worker_is_known_until_its_farewell_or_a_long_silence() {
        let (workers, now) = (Workers::default(), Instant::now());
        for name in ["a", "b", "c"] {
            workers.heard_at(report(name, WorkerPhase::Serving), now);
        }
        workers.heard_at(report("a", WorkerPhase::Draining), now + SILENCE / 2);
        workers.heard_at(report("b", WorkerPhase::Gone), now);
        assert_eq!(
            workers.known_at(now + SILENCE / 2),
            [report("a", WorkerPhase::Draining), report("c", WorkerPhase::Serving)]
        );
        assert_eq!(workers.known_at(now + SILENCE), [report("a", WorkerPhase::Draining)]);
    }

    #[test]
    fn a_worker_that_falls_silent_is_lost_once_and_one_that_says_farewell_is_not() {
        let (workers, now) = (Workers::default(), Instant::now());
        let resting = WorkerReport { resting: Some("no disk".into()), ..report("b", WorkerPhase::Serving) };
        for (report, after) in [
            (report("a", WorkerPhase::Serving), 0),
            (resting, 1),
            (report("c", WorkerPhase::Draining), 1),
            (report("d", WorkerPhase::Serving), 0),
            (report("d", WorkerPhase::Gone), 1),
        ] {
            workers.heard_at(report, now + SILENCE * after / 2);
        }
        let silent_for = SILENCE / 2;
        let seen = WorkersSeen { serving: 1, resting: 1, draining: 1, silent_for, lost: 0 };
        assert_eq!(workers.seen_at(now + SILENCE / 2), seen);
        assert_eq!(workers.seen_at(now + SILENCE), WorkersSeen { serving: 0, lost: 1, ..seen });
        assert_eq!(workers.seen_at(now + SILENCE), WorkersSeen { serving: 0, ..seen }, "it is told once");
    }

    #[test]
    fn slots_are_those_of_workers_that_take_tasks() {
        let workers = Workers::default();
        let of_cpu = |name: &str, phase, resting: Option<&str>| WorkerReport {
            pools: BTreeMap::from([(Pool::Cpu, Slots { total: 2, busy: 0 })]),
            resting: resting.map(str::to_owned),
            ..report(name, phase)
        };
        workers.heard(of_cpu("a", WorkerPhase::Serving, None));
        workers.heard(of_cpu("b", WorkerPhase::Serving, Some("the disk is full")));
        workers.heard(of_cpu("c", WorkerPhase::Draining, None));
        let free = |taken: &[(&str, usize)]| {
            let of = |worker: &WorkerId, _| {
                taken.iter().filter(|(name, _)| *name == worker.0).map(|(_, taken)| taken).sum()
            };
            workers.slots(of)[&Pool::Cpu].free
        };
        assert_eq!((free(&[]), free(&[("a", 1)]), free(&[("a", 3)])), (2, 1, 0));
        assert_eq!(
            free(&[("b", 2), ("c", 2)]),
            2,
            "what others are at work on takes no slot of those that count"
        );
        let takes = |pool, but: &str| workers.others_take(pool, &WorkerId(but.into()));
        assert!(takes(Pool::Cpu, "b") && !takes(Pool::Cpu, "a") && !takes(Pool::Light, "b"));
    }

    #[test]
    fn a_report_counts_as_news_where_it_changes_what_the_worker_takes() {
        let (workers, now) = (Workers::default(), Instant::now());
        let with = |phase, total, busy| WorkerReport {
            pools: BTreeMap::from([(Pool::Cpu, Slots { total, busy })]),
            ..report("a", phase)
        };
        let heard = |report, after| workers.heard_at(report, now + SILENCE * after / 2);
        assert!(heard(with(WorkerPhase::Serving, 2, 0), 0));
        assert!(!heard(with(WorkerPhase::Serving, 2, 1), 1), "the scheduler knows itself what is busy");
        assert!(heard(with(WorkerPhase::Serving, 3, 1), 2));
        assert!(heard(with(WorkerPhase::Draining, 3, 1), 3));
        assert!(heard(with(WorkerPhase::Serving, 3, 1), 4));
        assert!(heard(with(WorkerPhase::Serving, 3, 1), 6), "it counted for gone meanwhile");
        assert_eq!(workers.known_at(now + SILENCE * 3).len(), 1);
    }
}

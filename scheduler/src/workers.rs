//! The workers that have said that they are there. Kept in memory alone: each says so again before long.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reelfarm_model::message::{WorkerPhase, WorkerReport};
use reelfarm_model::{Pool, WorkerId};

/// A worker that has said nothing for so long is taken for gone: several times the interval of its reports.
const SILENCE: Duration = Duration::from_secs(60);

/// The last report of each worker.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Mutex<BTreeMap<WorkerId, (WorkerReport, Instant)>>>);

impl Workers {
    pub(crate) fn heard(&self, report: WorkerReport) {
        self.heard_at(report, Instant::now());
    }

    pub(crate) fn known(&self) -> Vec<WorkerReport> {
        self.known_at(Instant::now())
    }

    /// The slots of those that take tasks, by pool.
    pub(crate) fn slots(&self) -> HashMap<Pool, usize> {
        let mut slots = HashMap::new();
        for report in self.known().into_iter().filter(WorkerReport::takes_tasks) {
            for (pool, of_pool) in report.pools {
                *slots.entry(pool).or_default() += of_pool.total as usize;
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

    fn heard_at(&self, report: WorkerReport, now: Instant) {
        if report.phase == WorkerPhase::Gone {
            self.workers().remove(&report.worker);
        } else {
            self.workers().insert(report.worker.clone(), (report, now));
        }
    }

    fn known_at(&self, now: Instant) -> Vec<WorkerReport> {
        let mut workers = self.workers();
        workers.retain(|_, (_, heard)| now.duration_since(*heard) < SILENCE);
        workers.values().map(|(report, _)| report.clone()).collect()
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<WorkerId, (WorkerReport, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        assert_eq!(workers.slots(), HashMap::from([(Pool::Cpu, 2)]));
        let takes = |pool, but: &str| workers.others_take(pool, &WorkerId(but.into()));
        assert!(takes(Pool::Cpu, "b") && !takes(Pool::Cpu, "a") && !takes(Pool::Light, "b"));
    }
}

//! Figures of the whole farm, which its leading scheduler alone has.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use reelfarm_model::Pool;

use super::{Metrics, RISKS, signed};

/// What workers are at, by the names that their label has.
pub(super) const PHASES: [&str; 3] = ["serving", "resting", "draining"];

/// The workers that a scheduler has heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkersSeen {
    /// Those that take tasks.
    pub serving: u64,
    /// Those that would, and set themselves aside for a while.
    pub resting: u64,
    /// Those that take no more.
    pub draining: u64,
    /// How long ago the one was heard that has been silent the longest.
    pub silent_for: Duration,
    /// Those that fell silent without a farewell since this was asked last.
    pub lost: u64,
}

impl Metrics {
    /// This process leads the farm from now on.
    pub fn leads(&self) {
        self.shared.leader.with_label_values::<&str>(&[]).set(1);
    }

    /// This process does not lead the farm: it has no figures of it, and none of before may be taken for some.
    pub fn stands_by(&self) {
        self.shared.leader.with_label_values::<&str>(&[]).set(0);
        self.set_titles([]);
        self.set_tasks([]);
        self.set_risks(RISKS.map(|risk| (risk, 0)));
        self.set_review_wait(Duration::ZERO);
        self.set_slots_promised_beyond([]);
        self.set_laxity([]);
        self.set_backlog([]);
        self.set_oldest_ready([]);
        self.set_pool_slots([]);
        self.set_workers(WorkersSeen::default());
        self.outbox_is_empty();
        // Nobody looked at it here.
        self.shared.clock_offset.reset();
    }

    /// Replaces the least time to spare of each route's titles, in seconds; a route that is not named has no deadline.
    pub fn set_laxity(&self, routes: impl IntoIterator<Item = (String, f64)>) {
        let mut told = self.shared.told_routes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *told);
        for (route, seconds) in routes {
            self.shared.title_laxity.with_label_values(&[&route]).set(seconds);
            gone.remove(&route);
            told.insert(route);
        }
        for route in gone {
            // It is there: it was told before.
            drop(self.shared.title_laxity.remove_label_values(&[&route]));
        }
    }

    /// Replaces the work that is left, in milliseconds of a slot; none in a pool that is not named.
    pub fn set_backlog(&self, left_ms: impl IntoIterator<Item = (Pool, i64)>) {
        let left_ms: BTreeMap<_, _> = left_ms.into_iter().collect();
        for pool in Pool::ALL {
            let hours = left_ms.get(&pool).copied().unwrap_or(0) as f64 / 3_600_000.0;
            self.shared.backlog.with_label_values(&[pool.as_str()]).set(hours);
        }
    }

    /// Replaces how long the oldest ready task of each pool has waited; nothing in a pool that is not named.
    pub fn set_oldest_ready(&self, waits: impl IntoIterator<Item = (Pool, Duration)>) {
        let waits: BTreeMap<_, _> = waits.into_iter().collect();
        for pool in Pool::ALL {
            let wait = waits.get(&pool).copied().unwrap_or_default();
            self.shared.oldest_ready.with_label_values(&[pool.as_str()]).set(wait.as_secs_f64());
        }
    }

    /// Replaces the slots of all workers that take tasks, as total and busy; none in a pool that is not named.
    pub fn set_pool_slots(&self, slots: impl IntoIterator<Item = (Pool, (usize, usize))>) {
        let slots: BTreeMap<_, _> = slots.into_iter().collect();
        for pool in Pool::ALL {
            let (total, busy) = slots.get(&pool).copied().unwrap_or_default();
            for (usage, count) in [("total", total), ("busy", busy)] {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                self.shared.pool_slots.with_label_values(&[pool.as_str(), usage]).set(count);
            }
        }
    }

    /// Replaces what is known of workers, and counts those that were lost.
    pub fn set_workers(&self, seen: WorkersSeen) {
        for (phase, count) in PHASES.into_iter().zip([seen.serving, seen.resting, seen.draining]) {
            self.shared.workers.with_label_values(&[phase]).set(signed(count));
        }
        self.shared.heartbeat_age.with_label_values::<&str>(&[]).set(seen.silent_for.as_secs_f64());
        self.shared.workers_lost.inc_by(seen.lost);
    }

    /// So many messages are about to be sent, or could not be: from the first of these on the outbox stands, until
    /// [`outbox_is_empty`](Self::outbox_is_empty).
    pub fn outbox_waits(&self, messages: u64) {
        let mut outbox = self.shared.standing_outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let since = outbox.map_or_else(Instant::now, |(_, since)| since);
        *outbox = Some((messages, since));
    }

    /// The broker has all messages.
    pub fn outbox_is_empty(&self) {
        *self.shared.standing_outbox.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Tells of the outbox as it stands when somebody asks: whoever sends may wait for the broker all the while.
    pub(super) fn see_outbox(&self) {
        let outbox = *self.shared.standing_outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let (messages, age) = outbox.map_or((0, Duration::ZERO), |(count, since)| (count, since.elapsed()));
        self.shared.outbox.with_label_values::<&str>(&[]).set(signed(messages));
        self.shared.outbox_age.with_label_values::<&str>(&[]).set(age.as_secs_f64());
    }

    /// Replaces by how much the leading scheduler's clock is ahead of the database's, in seconds.
    pub fn set_clock_offset(&self, seconds: f64) {
        self.shared.clock_offset.with_label_values::<&str>(&[]).set(seconds);
    }
}

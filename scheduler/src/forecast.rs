//! When titles will be online: worked out again and again beside the loop, from what the store says is left of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reelfarm_api::{Prospect, TitleForecast};
use reelfarm_model::{Pool, TitleId};
use reelfarm_priority::Capacity;
use reelfarm_store::StoreError;

use crate::errands::Returned;
use crate::event::FarmEvent;
use crate::outlook::{Known, Situation};
use crate::service::{Scheduler, SchedulerError};

/// What is to be expected of the titles that are under way, as far as it is known. Kept in memory alone: a scheduler that
/// follows works it out anew.
#[derive(Clone, Default)]
pub(crate) struct Forecasts(Arc<Mutex<BTreeMap<TitleId, TitleForecast>>>);

impl Forecasts {
    pub(crate) fn of(&self, title: &TitleId) -> Option<TitleForecast> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(title).cloned()
    }

    pub(crate) fn all(&self) -> BTreeMap<TitleId, TitleForecast> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, all: BTreeMap<TitleId, TitleForecast>) -> BTreeMap<TitleId, TitleForecast> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), all)
    }
}

/// What a look ahead found.
pub(crate) struct LookAhead {
    /// The work that is left, by pool, in milliseconds of a slot.
    backlog_ms: BTreeMap<Pool, i64>,
    /// What is to be expected of each title that is not final.
    forecasts: BTreeMap<TitleId, TitleForecast>,
}

/// The least time to spare of each route's titles, in seconds.
fn laxity<'a>(forecasts: impl Iterator<Item = &'a TitleForecast>) -> BTreeMap<String, f64> {
    let mut least: BTreeMap<String, f64> = BTreeMap::new();
    for forecast in forecasts {
        let (Some(due_ms), Some(outlook)) = (forecast.required_by_ms, forecast.foreseen.outlook) else {
            continue;
        };
        let spare = (due_ms - outlook.expected_ms) as f64 / 1e3;
        least
            .entry(forecast.route.to_string())
            .and_modify(|least| *least = least.min(spare))
            .or_insert(spare);
    }
    least
}

/// How long nothing is foreseen after a look ahead, at least, and as a multiple of how long the look took.
const REST: Duration = Duration::from_secs(1);
const REST_FACTOR: u32 = 10;

impl Scheduler {
    /// What a look ahead is made from beside the store.
    pub(crate) fn known(&self) -> Known {
        Known {
            rules: self.order.queue.rules().clone(),
            slots: self.capacity().into_iter().map(|(pool, capacity)| (pool, capacity.total)).collect(),
            estimates: self.estimates.clone(),
            titles: self.order.known.clone(),
            now_ms: self.order.now_ms(),
        }
    }

    /// Begins to work out what is to be expected, unless that is under way or was done just now.
    pub(crate) fn begin_forecast(&mut self) {
        if self.foreseeing || Instant::now() < self.forecast_rests_until {
            return;
        }
        (self.foreseeing, self.forecast_outdated) = (true, false);
        self.tell_of_the_farm();
        self.check_promises();
        let (store, known) = (self.store.clone(), self.known());
        self.errands.spawn(async move {
            let start = Instant::now();
            let look = async {
                let situation = Situation::read(&*store, known).await?;
                let backlog_ms = store.work_left().await?;
                Ok(LookAhead { backlog_ms, forecasts: situation.foresee(&*store).await? })
            };
            let foreseen = look.await;
            Returned::Foreseen { foreseen, took: start.elapsed() }
        });
    }

    /// Tells of workers, and of how long tasks wait for them.
    pub(crate) fn tell_of_the_farm(&mut self) {
        let slots = |(pool, of): (Pool, Capacity)| (pool, (of.total, of.total.saturating_sub(of.free)));
        self.metrics.set_pool_slots(self.capacity().into_iter().map(slots));
        self.metrics.set_workers(self.workers.seen());
        let unstarted = self.active.values().filter(|active| active.started.is_none());
        let mut longest = self.order.longest_waits();
        for active in unstarted {
            let waits = longest.entry(active.pool).or_default();
            *waits = active.ready_since.elapsed().max(*waits);
        }
        self.metrics.set_oldest_ready(longest);
    }

    /// Says so where routes were promised more slots of a pool than there are.
    fn check_promises(&mut self) {
        let slots: BTreeMap<Pool, u32> = self
            .capacity()
            .into_iter()
            .map(|(pool, capacity)| (pool, u32::try_from(capacity.total).unwrap_or(u32::MAX)))
            .collect();
        let beyond: BTreeSet<_> = self.order.queue.rules().promised_beyond(&slots).into_iter().collect();
        for (pool, promised) in beyond.difference(&self.promised_beyond) {
            let there = slots.get(pool).copied().unwrap_or(0);
            tracing::warn!(
                pool = pool.as_str(),
                promised,
                there,
                "routes are promised more slots than there are"
            );
        }
        self.metrics.set_slots_promised_beyond(
            beyond.iter().map(|(pool, promised)| {
                (*pool, promised.saturating_sub(slots.get(pool).copied().unwrap_or(0)))
            }),
        );
        self.promised_beyond = beyond;
    }

    /// Takes in what is to be expected; who watches is told of titles for which it is better or worse than before.
    pub(crate) fn on_foreseen(
        &mut self,
        foreseen: Result<LookAhead, StoreError>,
        took: Duration,
    ) -> Result<(), SchedulerError> {
        self.foreseeing = false;
        self.forecast_rests_until = Instant::now() + (took * REST_FACTOR).max(REST);
        let LookAhead { backlog_ms, forecasts } = foreseen?;
        self.metrics.set_backlog(backlog_ms);
        self.metrics.set_laxity(laxity(forecasts.values()));
        let mut counts: BTreeMap<Prospect, u64> = BTreeMap::new();
        for forecast in forecasts.values() {
            *counts.entry(forecast.foreseen.prospect()).or_default() += 1;
        }
        let of = |prospect: Prospect| counts.get(&prospect).copied().unwrap_or(0);
        self.metrics.set_risks(Prospect::ALL.map(|prospect| (prospect.as_str(), of(prospect))));
        let before = self.forecasts.replace(forecasts.clone());
        for (title, TitleForecast { foreseen, .. }) in forecasts {
            let prospect = foreseen.prospect();
            let is_bad = prospect.is_bad();
            let changed = match before.get(&title) {
                Some(before) => before.foreseen.prospect() != prospect,
                None => is_bad,
            };
            if !changed {
                continue;
            }
            if is_bad {
                let (prospect, remedies) = (prospect.as_str(), foreseen.remedies.len());
                let expected_ms = foreseen.outlook.map(|outlook| outlook.expected_ms);
                let unserved = foreseen.unserved.iter().map(|pool| pool.as_str()).collect::<Vec<_>>();
                tracing::warn!(%title, prospect, expected_ms, ?unserved, remedies, "a title will not be online in time as things stand");
            }
            self.emit(FarmEvent::RiskChanged { title, foreseen });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_api::{Foreseen, Outlook, Risk};
    use reelfarm_model::ContentKind;

    use super::*;

    #[test]
    fn laxity_is_that_of_the_title_with_the_least_to_spare_on_each_route() {
        let forecast = |route: &str, due_ms: Option<i64>, expected_ms: Option<i64>| TitleForecast {
            title: "film".parse().unwrap(),
            kind: ContentKind::Library,
            required_by_ms: due_ms,
            route: route.parse().unwrap(),
            foreseen: Foreseen {
                outlook: expected_ms.map(|expected_ms| Outlook {
                    expected_ms,
                    first_ms: None,
                    most_ms: expected_ms,
                    risk: Risk::OnTime,
                }),
                ..Foreseen::default()
            },
        };
        let all = [
            forecast("news", Some(10_000), Some(4_000)),
            forecast("news", Some(10_000), Some(12_500)),
            forecast("sport", Some(90_000), Some(30_000)),
            forecast("ads", None, Some(1)),
            forecast("films", Some(1), None),
        ];
        let expected = [("news".to_owned(), -2.5), ("sport".to_owned(), 60.0)];
        assert_eq!(laxity(all.iter()), expected.into());
    }
}

//! The farm as it stands, for a look ahead: what is left of each title, and what would come of changes. It is read from the
//! store beside the loop; what follows from it is pure.

use std::collections::BTreeMap;

use reelfarm_api::{Foreseen, Outlook, Remedy, TitleForecast};
use reelfarm_model::{Part, Pool, Task, TaskKind, TitleId, TitleState};
use reelfarm_priority::estimate::Estimator;
use reelfarm_priority::{Rest, Risk, Rules, forecast, remedies};
use reelfarm_store::{AtWork, Left, Store, StoreError};

use crate::estimates::expected;
use crate::fewer::Fewer;
use crate::order::Brief;

/// Titles in danger for which remedies are looked for at a time, the most urgent first: nobody reads more, and each costs
/// some forecasts.
const HELPED: usize = 8;
/// The part of a task from which on its own pace says more of what is left of it than what was expected.
const OWN_PACE: f64 = 0.1;
/// What is left at least, in tenths of what was expected, of a task that has not said how far it is.
const LEAST_LEFT: i64 = 10;

/// What a look ahead is made from beside the store.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) rules: Rules,
    pub(crate) slots: BTreeMap<Pool, usize>,
    pub(crate) estimates: Estimator,
    /// The titles that are not final.
    pub(crate) titles: BTreeMap<TitleId, Brief>,
    pub(crate) now_ms: i64,
}

/// The titles that are under way, with what is left of them.
pub(crate) struct Situation {
    known: Known,
    rests: Vec<Rest<TitleId>>,
}

/// What remedies depend on, of titles that need one.
#[derive(Default)]
struct Means {
    /// The places of these titles.
    endangered: Vec<usize>,
    /// What would be left of them if a part went first.
    fewer: BTreeMap<TitleId, Fewer>,
    /// Titles that routes have expedited today.
    expedited_today: BTreeMap<String, u32>,
}

impl Situation {
    /// How things stand.
    pub(crate) async fn read(store: &dyn Store, known: Known) -> Result<Self, StoreError> {
        let mut left: BTreeMap<TitleId, Vec<Left>> = BTreeMap::new();
        for of_pool in store.left().await? {
            left.entry(of_pool.title.clone()).or_default().push(of_pool);
        }
        let encode = known.estimates.estimate(TaskKind::EncodeVideo, "", None, 1_000_000);
        let spread = encode.most_ms as f64 / encode.expected_ms.max(1) as f64;
        let mut rests = Vec::new();
        for (id, title) in known.titles.iter().filter(|(_, title)| is_foreseen(title)) {
            let left = left.remove(id).unwrap_or_default();
            rests.extend(rests_of(known.now_ms, id, title, &left, spread));
        }
        Ok(Self { known, rests })
    }

    /// What is to be expected of each title that is not final.
    pub(crate) async fn foresee(
        self,
        store: &dyn Store,
    ) -> Result<BTreeMap<TitleId, TitleForecast>, StoreError> {
        let (situation, outlooks) = beside(move || {
            let outlooks = self.flow();
            (self, outlooks)
        })
        .await;
        let means = situation.means(store, &outlooks).await?;
        Ok(beside(move || situation.forecasts(&outlooks, &means)).await)
    }

    /// The same without remedies. It may take seconds where there are thousands of titles.
    pub(crate) fn outlooks(&self) -> BTreeMap<TitleId, TitleForecast> {
        self.forecasts(&self.flow(), &Means::default())
    }

    fn flow(&self) -> Vec<Option<reelfarm_priority::Outlook>> {
        forecast(&self.known.rules, &self.rests, &self.known.slots, self.known.now_ms)
    }

    /// Reads what remedies depend on.
    async fn means(
        &self,
        store: &dyn Store,
        outlooks: &[Option<reelfarm_priority::Outlook>],
    ) -> Result<Means, StoreError> {
        let mut means = Means { endangered: self.endangered(outlooks), ..Means::default() };
        if means.endangered.is_empty() {
            return Ok(means);
        }
        let now_ms = self.known.now_ms;
        for expedited in store.expedites(now_ms - now_ms.rem_euclid(DAY_MS), usize::MAX).await? {
            *means.expedited_today.entry(expedited.route).or_default() += 1;
        }
        for id in means.endangered.iter().map(|place| &self.rests[*place].title) {
            let Some(title) = self.known.titles.get(id).filter(|title| title.state == TitleState::Preparing)
            else {
                continue;
            };
            let cost = |task: &Task| expected(&self.known.estimates, task, Some(&title.source)).expected_ms;
            let fewer = Fewer::of(&store.tasks_of(id).await?, cost);
            means.fewer.extend(fewer.map(|fewer| (id.clone(), fewer)));
        }
        Ok(means)
    }

    /// The places of the titles that will be late or may be, those that are due first at the front.
    fn endangered(&self, outlooks: &[Option<reelfarm_priority::Outlook>]) -> Vec<usize> {
        let mut places: Vec<usize> = outlooks
            .iter()
            .enumerate()
            .filter(|(_, outlook)| outlook.is_some_and(|o| matches!(o.risk, Risk::Late | Risk::AtRisk)))
            .map(|(place, _)| place)
            // For what is late already nothing can be done any more.
            .filter(|place| self.rests[*place].order.required_by_ms > Some(self.known.now_ms))
            .collect();
        places.sort_by_key(|place| (self.rests[*place].order.required_by_ms, *place));
        places.truncate(HELPED);
        places
    }

    fn forecasts(
        &self,
        outlooks: &[Option<reelfarm_priority::Outlook>],
        means: &Means,
    ) -> BTreeMap<TitleId, TitleForecast> {
        let Known { rules, slots, titles, .. } = &self.known;
        let unforeseen = titles.iter().map(|(id, title)| {
            let forecast = TitleForecast {
                title: id.clone(),
                kind: title.order.kind,
                required_by_ms: title.order.required_by_ms,
                route: rules.routes[title.order.route].name.clone(),
                foreseen: Foreseen {
                    held: title.is_held,
                    review: title.state == TitleState::Review,
                    ..Foreseen::default()
                },
            };
            (id.clone(), forecast)
        });
        let mut forecasts: BTreeMap<TitleId, TitleForecast> = unforeseen.collect();
        for (rest, outlook) in self.rests.iter().zip(outlooks) {
            let Some(forecast) = forecasts.get_mut(&rest.title) else { continue };
            let of_title = &mut forecast.foreseen;
            let has_slots = |pool: &Pool| slots.get(pool).is_some_and(|slots| *slots > 0);
            let needed = rest.work_ms.iter().filter(|(_, work_ms)| **work_ms > 0).map(|(pool, _)| *pool);
            of_title.unserved.extend(needed.filter(|pool| !has_slots(pool)));
            of_title.outlook = match (of_title.outlook, outlook) {
                // What goes first stands before the rest.
                (Some(first), Some(rest)) => Some(Outlook {
                    first_ms: Some(first.expected_ms),
                    expected_ms: first.expected_ms.max(rest.expected_ms),
                    most_ms: first.most_ms.max(rest.most_ms),
                    risk: first.risk,
                }),
                (None, Some(outlook)) if of_title.unserved.is_empty() => Some(outlook_of(*outlook)),
                _ => None,
            };
        }
        for place in &means.endangered {
            if let Some(forecast) = forecasts.get_mut(&self.rests[*place].title) {
                forecast.foreseen.remedies = self.remedies(*place, means);
            }
        }
        forecasts
    }

    fn remedies(&self, place: usize, means: &Means) -> Vec<Remedy> {
        let Known { rules, slots, now_ms, .. } = &self.known;
        let rest = &self.rests[place];
        let fewer = means.fewer.get(&rest.title);
        let first = fewer.map(|fewer| Rest {
            part: Part::First,
            path_ms: fewer.path_ms,
            work_ms: fewer.work_ms.clone(),
            ..rest.clone()
        });
        let route = &rules.routes[rest.order.route];
        let spent = means.expedited_today.get(route.name.as_str()).copied().unwrap_or(0);
        let found = remedies(rules, &self.rests, place, first.as_ref(), slots, *now_ms);
        found
            .into_iter()
            .filter_map(|(remedy, outlook)| {
                use reelfarm_priority::Remedy as Found;
                let outlook = outlook_of(outlook);
                match remedy {
                    Found::Expedite => {
                        let left = route.expedites_per_day.checked_sub(spent).filter(|left| *left > 0)?;
                        Some(Remedy::Expedite { left, outlook })
                    }
                    Found::MoreSlots { pool, slots } => {
                        Some(Remedy::MoreSlots { pool, slots: u32::try_from(slots).ok()?, outlook })
                    }
                    Found::GoFirst => {
                        let Fewer { profiles, up_to, .. } = fewer?;
                        Some(Remedy::GoFirst { profiles: profiles.clone(), up_to: *up_to, outlook })
                    }
                }
            })
            .collect()
    }

    /// How things would stand if a title went before all others of its route.
    pub(crate) fn with_expedited(&self, title: &TitleId) -> Self {
        let mut rests = self.rests.clone();
        for rest in rests.iter_mut().filter(|rest| rest.title == *title) {
            rest.order.expedited_ms = Some(self.known.now_ms);
        }
        Self { known: self.known.clone(), rests }
    }
}

/// Whether anything is expected of a title: not where it waits for somebody, to release it or to decide about it.
fn is_foreseen(title: &Brief) -> bool {
    !title.is_held && matches!(title.state, TitleState::Checking | TitleState::Preparing)
}

/// Works something out that takes long on a thread of its own: the loop's is not held up.
pub(crate) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Told as if it had happened here.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Milliseconds of a day of UTC.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What is left of the parts of a title, what goes first at the front.
fn rests_of(now_ms: i64, id: &TitleId, title: &Brief, left: &[Left], spread: f64) -> Vec<Rest<TitleId>> {
    let mut parts: BTreeMap<Part, (i64, BTreeMap<Pool, i64>)> = BTreeMap::new();
    for left in left {
        let done_ms = left.at_work.map_or(0, |at_work| left.work_ms - left_of(left.work_ms, at_work, now_ms));
        let (path_ms, work_ms) = parts.entry(left.part).or_default();
        *path_ms = (*path_ms).max(left.path_ms - done_ms);
        *work_ms.entry(left.pool).or_default() += left.work_ms - done_ms;
    }
    if title.state == TitleState::Checking {
        // What it will want is not planned yet; a guess at its length is all that is known.
        for (path_ms, work_ms) in parts.values_mut() {
            let known_ms: i64 = work_ms.values().sum();
            *work_ms.entry(Pool::Cpu).or_default() += (*path_ms - known_ms).max(0);
        }
    }
    let rest = |(part, (path_ms, work_ms))| Rest {
        title: id.clone(),
        order: title.order,
        part,
        path_ms,
        work_ms,
        spread,
    };
    parts.into_iter().map(rest).collect()
}

/// What is left of a task at work that was expected to take so long, in milliseconds.
fn left_of(expected_ms: i64, at_work: AtWork, now_ms: i64) -> i64 {
    let Some(started_ms) = at_work.started_ms else { return expected_ms };
    let (passed_ms, fraction) = ((now_ms - started_ms).max(0), at_work.fraction.clamp(0.0, 1.0));
    if fraction >= OWN_PACE {
        return (passed_ms as f64 * (1.0 - fraction) / fraction).round() as i64;
    }
    (expected_ms - passed_ms).max(expected_ms / LEAST_LEFT)
}

/// An outlook as clients see it.
const fn outlook_of(outlook: reelfarm_priority::Outlook) -> Outlook {
    use reelfarm_api::Risk as Seen;
    Outlook {
        expected_ms: outlook.expected_ms,
        most_ms: outlook.most_ms,
        first_ms: None,
        risk: match outlook.risk {
            Risk::Late => Seen::Late,
            Risk::AtRisk => Seen::AtRisk,
            Risk::OnTime => Seen::OnTime,
            Risk::Undated => Seen::Undated,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_task_follows_from_its_own_pace_once_it_has_one() {
        let left = |started_ms, fraction| left_of(1_000, AtWork { started_ms, fraction }, 10_000);
        assert_eq!(left(None, 0.0), 1_000, "nobody has begun");
        assert_eq!(left(Some(9_700), 0.0), 700);
        assert_eq!(left(Some(1_000), 0.0), 100, "it takes longer than expected, and nobody knows how long");
        assert_eq!(left(Some(8_000), 0.5), 2_000);
        assert_eq!(left(Some(8_000), 1.0), 0);
    }
}

//! When titles will be online, and which of them will be late.
//!
//! The titles that are under way are let flow through the slots, each no faster than its critical path allows and no faster
//! than the slots that it gets: from its route's minimum, from its route's share, and from what others leave, on the same
//! grounds and in the same order as tasks get them. That is coarser than the simulator, which goes task by task, and takes
//! milliseconds for hundreds of titles and seconds for ten thousand.
//!
//! Promises: pure; no title is done before its critical path is; nothing is done that there are no slots for.

use std::collections::BTreeMap;

use reelfarm_model::Pool;
use reelfarm_model::facts::Part;

use crate::queue::TitleOrder;
use crate::rules::Rules;
use crate::urgency::{Band, urgency};

/// What is left of a title.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest<T> {
    /// The title.
    pub title: T,
    /// What its place follows from.
    pub order: TitleOrder,
    /// The part of the title that this is. The deadline is not that of the rest.
    pub part: Part,
    /// What is left of its critical path, in milliseconds.
    pub path_ms: i64,
    /// What is left to do, in milliseconds of slots, by pool.
    pub work_ms: BTreeMap<Pool, i64>,
    /// What 90 of 100 such titles take, as a multiple of what is expected: at least 1.
    pub spread: f64,
}

/// Whether a title will be on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// It is expected to be late, or is so already.
    Late,
    /// It is expected to be on time, and would be late if it and what goes before it took as long as one in ten such things does.
    AtRisk,
    /// It will be on time.
    OnTime,
    /// It has no deadline.
    Undated,
}

/// When a title will be online, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// As often sooner as later.
    pub expected_ms: i64,
    /// By then if it and what goes before it take as long as one in ten such things does.
    pub most_ms: i64,
    /// Whether it will be on time.
    pub risk: Risk,
}

/// Titles that get nothing and are looked at one after the other before the rest are taken to get nothing either.
const IN_VAIN: usize = 256;
/// A moment, as a part of the time that has passed: the further away, the less exact need a forecast be.
const MOMENT: f64 = 0.005;
/// The grounds in their order, each with whether it is that of urgent titles alone, or of the others; see
/// [`Claim`](crate::Claim).
const GROUNDS: [(Ground, Option<bool>); 5] = [
    (Ground::Minimum, None),
    (Ground::Share, Some(true)),
    (Ground::Any, Some(true)),
    (Ground::Share, Some(false)),
    (Ground::Any, None),
];
/// Less of a slot than this is none.
const NOTHING: f64 = 1e-6;

/// The outlook of each title, in the order of `rests`; `None` where it needs a pool that has no slots.
pub fn forecast<T: Clone + Ord>(
    rules: &Rules,
    rests: &[Rest<T>],
    slots: &BTreeMap<Pool, usize>,
    now_ms: i64,
) -> Vec<Option<Outlook>> {
    let order = in_order(rules, rests, now_ms);
    let slots: BTreeMap<Pool, f64> = slots.iter().map(|(pool, slots)| (*pool, *slots as f64)).collect();
    let band = |place: usize| {
        let rest = &rests[place];
        urgency(rules, &rest.order, rest.part, rest.path_ms, now_ms).band
    };
    let order: Vec<(usize, Band)> = order.into_iter().map(|place| (place, band(place))).collect();
    let expected = flow(rules, rests, &order, &slots, |_| 1.0);
    // A title may take long; that all of those before it do as well is less likely, the more of them there are.
    let most = flow(rules, rests, &order, &slots, |rest| rest.spread.max(1.0));
    let outlooks = rests.iter().zip(expected).zip(most).map(|((rest, expected), most)| {
        let expected_ms = now_ms + to_ms(expected?);
        let most_ms = (now_ms + to_ms(most?)).max(expected_ms);
        let due_ms = rest.order.required_by_ms.filter(|_| rest.part != Part::Rest);
        let risk = match due_ms {
            None => Risk::Undated,
            Some(due_ms) if expected_ms > due_ms => Risk::Late,
            Some(due_ms) if most_ms > due_ms => Risk::AtRisk,
            Some(_) => Risk::OnTime,
        };
        Some(Outlook { expected_ms, most_ms, risk })
    });
    outlooks.collect()
}

/// The places of titles in `rests`, in their order.
pub(crate) fn in_order<T: Clone + Ord>(rules: &Rules, rests: &[Rest<T>], now_ms: i64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rests.len()).collect();
    order.sort_by_cached_key(|place| {
        let rest = &rests[*place];
        let urgency = urgency(rules, &rest.order, rest.part, rest.path_ms, now_ms);
        (urgency.band, urgency.moment_ms, urgency.then_ms, rest.title.clone(), rest.part)
    });
    order
}

/// Slots that are left, and those that routes have of them.
struct Free<'a> {
    rules: &'a Rules,
    slots: &'a BTreeMap<Pool, f64>,
    left: BTreeMap<Pool, f64>,
    /// By route.
    used: Vec<BTreeMap<Pool, f64>>,
}

/// On what ground titles get slots: see [`Claim`](crate::Claim).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    Minimum,
    Share,
    Any,
}

impl Free<'_> {
    /// How many slots of a pool a route may have yet.
    fn room(&self, ground: Ground, route: usize, pool: Pool) -> f64 {
        let left = self.left.get(&pool).copied().unwrap_or(0.0);
        let used = self.used[route].get(&pool).copied().unwrap_or(0.0);
        let rule = &self.rules.routes[route];
        match ground {
            Ground::Minimum => left.min(f64::from(rule.minimum(pool)) - used),
            Ground::Share => {
                let slots = self.slots.get(&pool).copied().unwrap_or(0.0);
                left.min(f64::from(rule.share_percent) / 100.0 * slots - used)
            }
            Ground::Any => left,
        }
    }

    fn take(&mut self, route: usize, pool: Pool, slots: f64) {
        *self.left.entry(pool).or_default() -= slots;
        *self.used[route].entry(pool).or_default() += slots;
    }
}

/// After how many milliseconds each title is done.
fn flow<T>(
    rules: &Rules,
    rests: &[Rest<T>],
    order: &[(usize, Band)],
    slots: &BTreeMap<Pool, f64>,
    longer: impl Fn(&Rest<T>) -> f64,
) -> Vec<Option<f64>> {
    let mut done: Vec<Option<f64>> = vec![None; rests.len()];
    // How much of each title is left: 1 to 0.
    let mut left = vec![1.0f64; rests.len()];
    let has_slots = |rest: &Rest<T>| {
        rest.work_ms
            .iter()
            .all(|(pool, work)| *work <= 0 || slots.get(pool).is_some_and(|slots| *slots > 0.0))
    };
    let mut waiting: Vec<(usize, Band)> =
        order.iter().copied().filter(|(place, _)| has_slots(&rests[*place])).collect();
    // Slots that each title has, of those with which it would go as fast as it can.
    let mut speeds = vec![0.0f64; rests.len()];
    let mut now = 0.0;
    while !waiting.is_empty() {
        let mut free =
            Free { rules, slots, left: slots.clone(), used: vec![BTreeMap::new(); rules.routes.len()] };
        let mut flowing: Vec<usize> = Vec::new();
        for (ground, urgent) in GROUNDS {
            let mut in_vain = 0;
            for (place, band) in &waiting {
                let rest = &rests[*place];
                let is_meant = match (ground, urgent) {
                    (Ground::Any, None) => true,
                    (_, None) => *band != Band::Recode,
                    (_, Some(urgent)) => *band != Band::Recode && band.is_urgent() == urgent,
                };
                if !is_meant || speeds[*place] >= 1.0 {
                    continue;
                }
                let whole_ms = rest.path_ms.max(1) as f64 * longer(rest);
                let rates = || {
                    let needed = rest.work_ms.iter().filter(|(_, work)| **work > 0);
                    needed.map(|(pool, work)| (*pool, *work as f64 * longer(rest) / whole_ms))
                };
                let most = 1.0 - speeds[*place];
                let more = rates()
                    .map(|(pool, rate)| free.room(ground, rest.order.route, pool).max(0.0) / rate)
                    .fold(most, f64::min);
                let widest = rates().map(|(_, rate)| rate).fold(0.0, f64::max);
                if more * widest < NOTHING && widest > 0.0 {
                    in_vain += 1;
                    if in_vain >= IN_VAIN {
                        break;
                    }
                    continue;
                }
                in_vain = 0;
                for (pool, rate) in rates() {
                    free.take(rest.order.route, pool, more * rate);
                }
                if speeds[*place] == 0.0 {
                    flowing.push(*place);
                }
                speeds[*place] += more;
            }
        }
        let pace = |place: usize, speeds: &[f64]| {
            speeds[place] / (rests[place].path_ms.max(1) as f64 * longer(&rests[place]))
        };
        let next = flowing.iter().map(|place| left[*place] / pace(*place, &speeds)).min_by(f64::total_cmp);
        let Some(next) = next else { break };
        // Slots that become free within a moment are taken to do so together.
        let step = next.max(now * MOMENT);
        for place in flowing {
            let pace = pace(place, &speeds);
            let ends_after = left[place] / pace;
            if ends_after <= step * (1.0 + NOTHING) {
                done[place] = Some(now + ends_after);
            }
            left[place] -= pace * step;
            speeds[place] = 0.0;
        }
        now += step;
        waiting.retain(|(place, _)| done[*place].is_none());
    }
    done
}

fn to_ms(time: f64) -> i64 {
    time.ceil() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reelfarm_model::facts::ContentKind;

    use super::*;
    use crate::rules::BUILT_IN;

    const NOW: i64 = 1_000_000_000;
    const MINUTE: i64 = 60_000;

    fn rules() -> Rules {
        Rules::parse("order.toml", BUILT_IN).unwrap()
    }

    /// A title with some minutes of path and of work in the pool `cpu`, due after others.
    fn rest(title: u32, path: i64, work: i64, due: Option<i64>) -> Rest<u32> {
        let order = TitleOrder {
            route: 0,
            kind: if due.is_some() { ContentKind::CatchUp } else { ContentKind::Library },
            submitted_ms: NOW - 1_000 + i64::from(title),
            required_by_ms: due.map(|due| NOW + due * MINUTE),
            path_ms: path * MINUTE,
            expedited_ms: None,
        };
        let work_ms = BTreeMap::from([(Pool::Cpu, work * MINUTE)]);
        Rest { title, order, part: Part::Whole, path_ms: path * MINUTE, work_ms, spread: 1.5 }
    }

    fn minutes(rests: &[Rest<u32>], slots: usize) -> Vec<i64> {
        let outlooks = forecast(&rules(), rests, &BTreeMap::from([(Pool::Cpu, slots)]), NOW);
        outlooks.into_iter().map(|outlook| (outlook.unwrap().expected_ms - NOW).div_euclid(MINUTE)).collect()
    }

    #[test]
    fn a_title_alone_takes_its_path_or_as_long_as_the_slots_take() {
        assert_eq!(minutes(&[rest(1, 10, 40, None)], 8), [10]);
        assert_eq!(minutes(&[rest(1, 10, 40, None)], 2), [20]);
    }

    #[test]
    fn the_first_in_order_goes_first_and_the_others_use_what_it_leaves() {
        assert_eq!(minutes(&[rest(1, 10, 20, None), rest(2, 10, 20, None)], 2), [10, 20]);
        assert_eq!(minutes(&[rest(1, 10, 20, None), rest(2, 10, 20, None)], 3), [10, 15]);
        assert_eq!(minutes(&[rest(1, 10, 20, None), rest(2, 10, 20, Some(30))], 2), [20, 10]);
    }

    #[test]
    fn what_has_no_slots_is_not_foreseen_and_holds_up_nobody() {
        let outlooks = forecast(&rules(), &[rest(1, 10, 20, None)], &BTreeMap::from([(Pool::Light, 3)]), NOW);
        assert_eq!(outlooks, [None]);
        let light = Rest { work_ms: BTreeMap::from([(Pool::Light, MINUTE)]), ..rest(2, 1, 0, None) };
        let outlooks =
            forecast(&rules(), &[rest(1, 10, 20, None), light], &BTreeMap::from([(Pool::Light, 3)]), NOW);
        assert_eq!(outlooks[1].unwrap().expected_ms, NOW + MINUTE);
    }

    #[test]
    fn the_risk_follows_from_the_deadline() {
        let risk = |due| {
            let slots = BTreeMap::from([(Pool::Cpu, 8)]);
            forecast(&rules(), &[rest(1, 10, 40, due)], &slots, NOW)[0].unwrap().risk
        };
        // Ten minutes are expected, fifteen at most.
        assert_eq!(
            [risk(Some(9)), risk(Some(12)), risk(Some(16)), risk(None)],
            [Risk::Late, Risk::AtRisk, Risk::OnTime, Risk::Undated]
        );
    }

    /// A route's share is its own, however much another has to do, and what it leaves is lent.
    #[test]
    fn a_route_has_its_share_and_what_others_leave() {
        let route = |name: &str, share| format!("[[route]]\nname = \"{name}\"\nshare_percent = {share}\n");
        let kinds = BUILT_IN.split("[[route]]").next().unwrap();
        let text = format!("{kinds}{}{}", route("archive", 40), route("content", 60));
        let rules = Rules::parse("order.toml", &text).unwrap();
        let mut rests: Vec<_> = (0..50).map(|title| rest(title, 10, 100, None)).collect();
        let slots = BTreeMap::from([(Pool::Cpu, 10)]);
        let last = |rests: &[Rest<u32>]| {
            let outlooks = forecast(&rules, rests, &slots, NOW);
            (outlooks.last().unwrap().unwrap().expected_ms - NOW) / MINUTE
        };
        assert!((480..=510).contains(&last(&rests)), "alone it has all slots: {}", last(&rests));
        rests.push(rest(50, 10, 60, None));
        rests[50].order.route = 1;
        assert_eq!(last(&rests), 10, "six slots of ten for ten minutes, whatever waits elsewhere");
        rests[50].work_ms = BTreeMap::from([(Pool::Cpu, 100 * MINUTE)]);
        assert!((10..=17).contains(&last(&rests)), "{}", last(&rests));
    }

    proptest! {
        #[test]
        fn no_title_is_done_before_its_path_nor_more_than_there_are_slots_for(
            drawn in prop::collection::vec((1..60i64, 0..200i64, prop::option::of(-60..600i64)), 1..30),
            slots in 1..20usize,
        ) {
            let rests: Vec<_> = (0..).zip(&drawn).map(|(title, (path, work, due))| rest(title, *path, *work, *due)).collect();
            let of = |slots| forecast(&rules(), &rests, &BTreeMap::from([(Pool::Cpu, slots)]), NOW);
            let outlooks = of(slots);
            let total: i64 = rests.iter().map(|rest| rest.work_ms[&Pool::Cpu]).sum();
            let last = outlooks.iter().flatten().map(|outlook| outlook.expected_ms).max().unwrap();
            prop_assert!(last - NOW >= total / slots as i64 - 1, "more was done than there are slots for");
            for (rest, outlook) in rests.iter().zip(&outlooks) {
                let outlook = outlook.unwrap();
                prop_assert!(outlook.expected_ms >= NOW + rest.path_ms - 1);
                prop_assert!(outlook.most_ms >= outlook.expected_ms);
            }
            let last_with_more = of(slots * 2).into_iter().flatten().map(|outlook| outlook.expected_ms).max().unwrap();
            prop_assert!(last_with_more <= last + 1);
        }
    }
}

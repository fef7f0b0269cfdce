//! What would prevent that a title is late: each way is tried in the forecast.
//!
//! Promises: pure; only what helps is named, with what would come of it.

use std::collections::BTreeMap;

use reelfarm_model::Pool;

use crate::forecast::{Outlook, Rest, Risk, forecast, in_order};
use crate::rules::Rules;

/// Something that somebody could do for a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Have it go before all others of its route.
    Expedite,
    /// Have a part of it go first.
    GoFirst,
    /// Give a pool so many more slots.
    MoreSlots {
        /// The pool.
        pool: Pool,
        /// How many.
        slots: usize,
    },
}

/// What would help a title among others, and what would come of it. `place` is its place in `rests`, and `first` what would
/// be left of it if a part of it went first. Nothing helps a title that is not in danger.
pub fn remedies<T: Clone + Ord>(
    rules: &Rules,
    rests: &[Rest<T>],
    place: usize,
    first: Option<&Rest<T>>,
    slots: &BTreeMap<Pool, usize>,
    now_ms: i64,
) -> Vec<(Remedy, Outlook)> {
    let Some(title) = rests.get(place) else { return Vec::new() };
    let of = |changed: Rest<T>, slots: &BTreeMap<Pool, usize>| -> Option<Outlook> {
        let mut rests = rests.to_vec();
        rests[place] = changed;
        // Of those that come after it by then, none takes anything from it but what its route's share does not cover.
        let order = in_order(rules, &rests, now_ms);
        let until = order.iter().position(|other| *other == place)?;
        let ahead: Vec<Rest<T>> = order[..=until].iter().map(|other| rests[*other].clone()).collect();
        forecast(rules, &ahead, slots, now_ms).pop().flatten()
    };
    let Some(before) = of(title.clone(), slots) else { return Vec::new() };
    if !matches!(before.risk, Risk::Late | Risk::AtRisk) {
        return Vec::new();
    }
    let helps = |outlook: &Outlook| outlook.risk > before.risk;
    let mut found = Vec::new();
    if title.order.expedited_ms.is_none() {
        let mut expedited = title.clone();
        expedited.order.expedited_ms = Some(now_ms);
        found.extend(of(expedited, slots).filter(helps).map(|outlook| (Remedy::Expedite, outlook)));
    }
    if let Some(first) = first {
        found.extend(of(first.clone(), slots).filter(helps).map(|outlook| (Remedy::GoFirst, outlook)));
    }
    for pool in title.work_ms.iter().filter(|(_, work_ms)| **work_ms > 0).map(|(pool, _)| *pool) {
        let total = slots.get(&pool).copied().unwrap_or(0);
        let more =
            std::iter::successors(Some(1), |more| Some(more * 2)).take_while(|more| *more <= total.max(4));
        let helped = more.into_iter().find_map(|more| {
            let mut slots = slots.clone();
            *slots.entry(pool).or_default() += more;
            of(title.clone(), &slots)
                .filter(helps)
                .map(|outlook| (Remedy::MoreSlots { pool, slots: more }, outlook))
        });
        found.extend(helped);
    }
    found
}

#[cfg(test)]
mod tests {
    use reelfarm_model::facts::{ContentKind, Part};

    use super::*;
    use crate::queue::TitleOrder;
    use crate::rules::BUILT_IN;

    const NOW: i64 = 1_000_000_000;
    const MINUTE: i64 = 60_000;

    /// A catch-up title that is due after so many minutes, and takes twenty minutes of two slots.
    fn rest(title: u32, due: i64) -> Rest<u32> {
        let order = TitleOrder {
            route: 0,
            kind: ContentKind::CatchUp,
            submitted_ms: NOW - 1_000 + i64::from(title),
            required_by_ms: Some(NOW + due * MINUTE),
            path_ms: 20 * MINUTE,
            expedited_ms: None,
        };
        let work_ms = BTreeMap::from([(Pool::Cpu, 40 * MINUTE), (Pool::Light, MINUTE)]);
        Rest { title, order, part: Part::Whole, path_ms: 20 * MINUTE, work_ms, spread: 1.1 }
    }

    fn of(rests: &[Rest<u32>], place: usize, first: Option<&Rest<u32>>, cpu: usize) -> Vec<Remedy> {
        let rules = Rules::parse("order.toml", BUILT_IN).unwrap();
        let slots = BTreeMap::from([(Pool::Cpu, cpu), (Pool::Light, 4)]);
        let found = remedies(&rules, rests, place, first, &slots, NOW);
        assert!(found.iter().all(|(_, outlook)| matches!(outlook.risk, Risk::AtRisk | Risk::OnTime)));
        found.into_iter().map(|(remedy, _)| remedy).collect()
    }

    #[test]
    fn what_waits_behind_another_is_helped_by_going_before_it_or_beside_it() {
        let rests = [rest(1, 25), rest(2, 28)];
        assert_eq!(of(&rests, 0, None, 2), [], "it is on time");
        let beside = Remedy::MoreSlots { pool: Pool::Cpu, slots: 2 };
        assert_eq!(of(&rests, 1, None, 2), [Remedy::Expedite, beside]);
    }

    #[test]
    fn what_takes_longer_than_there_is_time_is_helped_by_less_alone() {
        let rests = [rest(1, 12)];
        assert_eq!(of(&rests, 0, None, 8), []);
        let work_ms = BTreeMap::from([(Pool::Cpu, 10 * MINUTE)]);
        let first =
            |due| Rest { part: Part::First, path_ms: 5 * MINUTE, work_ms: work_ms.clone(), ..rest(1, due) };
        assert_eq!(of(&rests, 0, Some(&first(12)), 8), [Remedy::GoFirst]);
        assert_eq!(of(&[rest(1, -5)], 0, Some(&first(-5)), 8), [], "its time is over");
    }

    #[test]
    fn a_title_that_no_worker_serves_has_no_outlook_that_could_be_better() {
        assert_eq!(of(&[rest(1, 12)], 0, None, 0), []);
    }
}

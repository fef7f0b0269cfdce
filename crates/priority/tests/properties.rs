//! What the policy promises, whatever comes: see the crate's page.

#![allow(clippy::unwrap_used)]

#[path = "properties/state.rs"]
mod state;

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use reelfarm_model::Pool;
use reelfarm_model::facts::{ContentKind, Part};
use reelfarm_priority::{Band, Capacity, Claim, Decision, Queue, ReadyTask, TitleOrder, Want};

use state::{HOUR_MS, MINUTE_MS, State, rules, states, states_with};

/// What a decision was taken on.
struct Before<'a> {
    /// The tasks of the pool that were ready and out of their back-off.
    ready: &'a HashSet<u32>,
    /// The slots of each route in the pool.
    busy: &'a [u32],
}

/// Works off a state, in rounds after each of which some tasks go on, and hands each decision and what was ready and busy
/// before it to `check`.
fn work_off(state: &State, mut check: impl FnMut(&Before<'_>, &Decision<u32, u32>)) {
    let mut queue = state.queue(state.tasks.iter());
    let mut waiting: HashSet<u32> = state.tasks.iter().map(|task| task.key).collect();
    let mut now_ms = state.now_ms;
    let mut at_work: Vec<Decision<u32, u32>> = Vec::new();
    let mut round = 0;
    while !waiting.is_empty() {
        // Every third goes on for another round: slots are taken back one by one.
        round += 1;
        at_work.retain(|decision| {
            let goes_on = (decision.key + round) % 3 == 0;
            if !goes_on {
                queue.ended(&decision.key);
            }
            goes_on
        });
        let mut slots = state.slots();
        for (pool, capacity) in &mut slots {
            capacity.free -= at_work.iter().filter(|decision| decision.pool == *pool).count();
        }
        let decisions = queue.decide(now_ms, &slots);
        for (pool, capacity) in &slots {
            let mut ready: HashSet<u32> = waiting
                .iter()
                .copied()
                .filter(|key| state.task(*key).pool == *pool && state.task(*key).not_before_ms <= now_ms)
                .collect();
            let mut busy = vec![0; state.routes.len()];
            for working in at_work.iter().filter(|decision| decision.pool == *pool) {
                busy[working.route] += u32::from(working.band != Band::Recode);
            }
            let of_pool: Vec<_> = decisions.iter().filter(|decision| decision.pool == *pool).collect();
            assert_eq!(of_pool.len(), capacity.free.min(ready.len()), "a slot is free while a task is ready");
            for decision in of_pool {
                check(&Before { ready: &ready, busy: &busy }, decision);
                assert!(ready.remove(&decision.key), "decided twice, too early, or never put");
                busy[decision.route] += u32::from(decision.band != Band::Recode);
            }
        }
        waiting.retain(|key| !decisions.iter().any(|decision| decision.key == *key));
        at_work.extend(decisions);
        now_ms += 7 * MINUTE_MS;
    }
}

proptest! {
    #[test]
    fn no_slot_stays_free_while_a_task_is_ready(state in states_with(3)) {
        work_off(&state, |_, _| {});
    }

    #[test]
    fn a_route_never_loses_its_minimum_while_it_has_work(state in states()) {
        work_off(&state, |Before { ready, busy }, decision| {
            let below = |route: usize| {
                busy[route] < state.routes[route].1
                    && ready.iter().any(|key| {
                        !state.is_recode(*key) && state.titles_of(*key).any(|title| title.route == route)
                    })
            };
            let any = (0..state.routes.len()).any(below);
            assert_eq!(any, below(decision.route), "{decision:?}");
            assert_eq!(any, decision.claim == Claim::Minimum, "{decision:?}");
        });
    }

    #[test]
    fn a_recode_starts_only_where_nothing_else_can(state in states_with(3)) {
        work_off(&state, |Before { ready, .. }, decision| {
            assert_eq!(decision.band == Band::Recode, state.is_recode(decision.key), "{decision:?}");
            if decision.band == Band::Recode {
                assert!(ready.iter().all(|key| state.is_recode(*key)));
            }
        });
    }

    #[test]
    fn equal_states_give_equal_decisions_however_they_came_about(state in states_with(3), seed in any::<u64>()) {
        let slots = state.slots();
        let expected = state.queue(state.tasks.iter()).decide(state.now_ms, &slots);
        let mut shuffled: Vec<_> = state.tasks.iter().collect();
        shuffled.sort_by_key(|task| (u64::from(task.key) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut queue = state.queue(shuffled.iter().copied());
        // Put again, changed and changed back, taken away and put again: all that matters is what is so at the end.
        for task in shuffled.iter().take(3) {
            queue.remove(&task.key);
            queue.put((*task).clone(), state.now_ms - HOUR_MS);
        }
        for (title, order) in &state.titles {
            queue.set_title(*title, TitleOrder { expedited_ms: Some(1), ..*order }, state.now_ms);
            queue.set_title(*title, *order, state.now_ms);
        }
        prop_assert_eq!(queue.decide(state.now_ms, &slots), expected);
    }

    #[test]
    fn nothing_waits_for_ever_whatever_else_comes(
        state in states(),
        victim_route in any::<prop::sample::Index>(),
        flood in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8), 1..6),
    ) {
        let routes = state.routes.len();
        let minimum: u32 = state.routes.iter().map(|(_, minimum)| minimum).sum();
        // Else all slots are promised, and nothing is left for routes without a minimum.
        prop_assume!((minimum as usize) < state.slots);
        let mut queue = state.queue(state.tasks.iter());
        let (mut now_ms, victim, mut next) = (state.now_ms, 1_000_000, 2_000_000);
        let order = |route, kind, required_by_ms, submitted_ms| TitleOrder {
            route, kind, submitted_ms, required_by_ms, path_ms: HOUR_MS, expedited_ms: None,
        };
        queue.set_title(victim, order(victim_route.index(routes), ContentKind::Library, None, now_ms), now_ms);
        let put = |queue: &mut Queue<u32, u32>, key: u32, now_ms| {
            let wants = vec![Want { title: key, tail_ms: HOUR_MS, part: Part::Whole }];
            queue.put(ReadyTask { key, pool: Pool::Cpu, not_before_ms: now_ms, wants }, now_ms);
        };
        put(&mut queue, victim, now_ms);
        let rules = rules(&state.routes);
        now_ms += i64::from(rules.kind(ContentKind::Library).patience_min) * MINUTE_MS;
        // What was ready before it may go first.
        let bound = (state.tasks.len() + 1) * rules.patience_turn as usize * state.slots;
        let slots = state.slots();
        let (mut at_work, mut starts) = (Vec::new(), 0);
        loop {
            for (route, kind) in flood.iter().cycle().take(state.slots * 2) {
                let kind = [ContentKind::CatchForward, ContentKind::Advertisement, ContentKind::Library][*kind as usize];
                let due = (kind != ContentKind::Library).then_some(now_ms + 90 * MINUTE_MS);
                queue.set_title(next, order(route.index(routes), kind, due, now_ms), now_ms);
                put(&mut queue, next, now_ms);
                next += 1;
            }
            for key in at_work.drain(..) {
                queue.ended(&key);
            }
            let decisions = queue.decide(now_ms, &slots);
            if decisions.iter().any(|decision| decision.key == victim) {
                break;
            }
            starts += decisions.iter().filter(|decision| decision.pool == Pool::Cpu).count();
            prop_assert!(starts <= bound, "{starts} starts, and it waits still");
            at_work.extend(decisions.into_iter().map(|decision| decision.key));
            now_ms += MINUTE_MS;
        }
    }

    #[test]
    fn slots_are_counted_for_those_that_have_them(state in states_with(3)) {
        let mut queue = state.queue(state.tasks.iter());
        let decisions = queue.decide(state.now_ms, &state.slots());
        let count = |pool: Pool, route: usize| {
            let of_both = decisions.iter().filter(|d| d.pool == pool && d.route == route);
            of_both.filter(|d| d.band != Band::Recode).count() as u32
        };
        for (pool, route) in [Pool::Cpu, Pool::Light].into_iter().flat_map(|pool| (0..state.routes.len()).map(move |route| (pool, route))) {
            prop_assert_eq!(queue.busy(pool, route), count(pool, route));
        }
        for decision in &decisions {
            queue.ended(&decision.key);
            queue.ended(&decision.key);
        }
        prop_assert!((0..state.routes.len()).all(|route| queue.busy(Pool::Cpu, route) == 0));
    }

    #[test]
    fn titles_that_are_forgotten_leave_nothing(state in states_with(3)) {
        let mut queue = state.queue(state.tasks.iter());
        for title in state.titles.keys() {
            queue.forget_title(title, state.now_ms);
        }
        prop_assert!(queue.is_empty());
        prop_assert_eq!(queue.next_ready_ms(), None);
        let slots = BTreeMap::from([(Pool::Cpu, Capacity { total: 9, free: 9 })]);
        prop_assert_eq!(queue.decide(state.now_ms, &slots), []);
    }
}

/// A thousand titles come to be pressed in one pool, and before they all are in their places, a task of another pool comes
/// out of its back-off: it is not passed over.
#[test]
fn what_changes_in_one_pool_holds_up_none_of_another() {
    let rules = rules(&[(100, 0)]);
    let mut queue: Queue<u32, u32> = Queue::new(rules);
    let now_ms = 10_000 * HOUR_MS;
    let order = TitleOrder {
        route: 0,
        kind: ContentKind::CatchUp,
        submitted_ms: now_ms,
        required_by_ms: Some(now_ms + 3 * HOUR_MS),
        path_ms: HOUR_MS,
        expedited_ms: None,
    };
    let put = |queue: &mut Queue<u32, u32>, key: u32, pool, not_before_ms| {
        queue.set_title(key, order, now_ms);
        let wants = vec![Want { title: key, tail_ms: HOUR_MS, part: Part::Whole }];
        queue.put(ReadyTask { key, pool, not_before_ms, wants }, now_ms);
    };
    for key in 0..1_000 {
        put(&mut queue, key, Pool::Light, now_ms + i64::from(key));
    }
    let later_ms = now_ms + 2 * HOUR_MS;
    put(&mut queue, 1_000, Pool::Cpu, later_ms);
    let slots = BTreeMap::from([(Pool::Cpu, Capacity { total: 1, free: 1 })]);
    let decided: Vec<u32> = queue.decide(later_ms, &slots).into_iter().map(|decision| decision.key).collect();
    assert_eq!(decided, [1_000]);
}

/// One start in so many, and not more, is given to patience.
#[test]
fn patience_has_its_turns_and_no_more() {
    for routes in [vec![(100, 0)], vec![(50, 0), (50, 0)], vec![(50, 1), (50, 1)]] {
        let rules = rules(&routes);
        let turn = rules.patience_turn as usize;
        let mut queue: Queue<u32, u32> = Queue::new(rules);
        let now_ms = 10_000 * HOUR_MS;
        let mut put = |key: u32, kind, submitted_ms, required_by_ms| {
            let route = key as usize % routes.len();
            let order = TitleOrder {
                route,
                kind,
                submitted_ms,
                required_by_ms,
                path_ms: HOUR_MS,
                expedited_ms: None,
            };
            queue.set_title(key, order, now_ms);
            let wants = vec![Want { title: key, tail_ms: HOUR_MS, part: Part::Whole }];
            queue.put(ReadyTask { key, pool: Pool::Cpu, not_before_ms: now_ms, wants }, now_ms);
        };
        for key in 0..400 {
            put(key, ContentKind::CatchUp, now_ms, Some(now_ms + 90 * MINUTE_MS));
            put(1_000 + key, ContentKind::Library, now_ms - 20_000 * MINUTE_MS, None);
        }
        let slots = BTreeMap::from([(Pool::Cpu, Capacity { total: 8, free: 1 })]);
        let mut patient = 0;
        for _ in 0..turn * 20 {
            let decision = queue.decide(now_ms, &slots).remove(0);
            patient += usize::from(decision.key >= 1_000);
            queue.ended(&decision.key);
        }
        assert!((19..=21).contains(&patient), "{routes:?}: {patient} of {}", turn * 20);
    }
}

//! What no policy can do better, not even one that knows the future: how many titles must be late, because in some stretch
//! of time there is more work that must be done within it than the slots can do.

use std::collections::BTreeMap;

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;
use reelfarm_priority::Rules;

use crate::MINUTE_MS;
use crate::draw::Drawn;
use crate::window::{Window, shortest_ms, window};
use crate::workload::Workload;

/// Stretches of time are tried from so many moments to so many.
const MOMENTS: usize = 150;

/// How many titles of each kind must be late whatever the policy. Those with a soft deadline are given up before those with
/// a hard one.
pub fn must_be_late(workload: &Workload, rules: &Rules, drawn: &Drawn) -> BTreeMap<ContentKind, usize> {
    let mut late: BTreeMap<ContentKind, usize> = BTreeMap::new();
    let mut fit = Vec::new();
    for title in &drawn.titles {
        let Some(due_ms) = title.required_by_ms else { continue };
        let tasks = title.tasks(workload);
        if due_ms - title.arrives_ms < shortest_ms(&tasks) {
            *late.entry(title.kind).or_default() += 1;
        } else {
            let windows = Pool::ALL.map(|pool| window(&tasks, pool, title.arrives_ms, due_ms));
            fit.push(Dated { kind: title.kind, windows });
        }
    }
    let (hard, soft): (Vec<Dated>, Vec<Dated>) = fit.iter().partition(|title| rules.kind(title.kind).hard);
    let of_hard = crowded_out(workload, &hard);
    let of_all = crowded_out(workload, &fit);
    attribute(&mut late, &hard, of_hard);
    attribute(&mut late, &soft, of_all.saturating_sub(of_hard));
    late
}

/// A title with a deadline that it could meet alone.
#[derive(Clone, Copy)]
struct Dated {
    kind: ContentKind,
    /// In the order of [`Pool::ALL`].
    windows: [Option<Window>; Pool::ALL.len()],
}

/// Spreads what must be late over the kinds by their numbers: how many must be is a bound, and which they are is anybody's
/// choice.
fn attribute(late: &mut BTreeMap<ContentKind, usize>, titles: &[Dated], how_many: usize) {
    let mut left = how_many;
    for kind in ContentKind::ALL {
        let of_kind = titles.iter().filter(|title| title.kind == kind).count();
        let share = (how_many * of_kind).checked_div(titles.len()).unwrap_or(0).min(left);
        if share > 0 {
            *late.entry(kind).or_default() += share;
            left -= share;
        }
    }
}

/// The most titles that have no room in any one stretch of time and pool.
fn crowded_out(workload: &Workload, titles: &[Dated]) -> usize {
    let of = |(place, pool)| {
        let windows: Vec<Window> = titles.iter().filter_map(|title| title.windows[place]).collect();
        crowded_out_of(workload, pool, &windows)
    };
    Pool::ALL.into_iter().enumerate().map(of).max().unwrap_or(0)
}

fn crowded_out_of(workload: &Workload, pool: Pool, windows: &[Window]) -> usize {
    let begins = moments(windows.iter().map(|window| window.from_ms).collect());
    let ends = moments(windows.iter().map(|window| window.to_ms).collect());
    let mut most = 0;
    for begin in &begins {
        for end in ends.iter().filter(|end| *end > begin) {
            let within = windows.iter().filter(|window| window.from_ms >= *begin && window.to_ms <= *end);
            let mut work: Vec<i64> = within.map(|window| window.work_ms).collect();
            let mut room = capacity_ms(workload, pool, *begin, *end);
            if work.iter().sum::<i64>() <= room {
                continue;
            }
            // As many as can be, which are the smallest.
            work.sort_unstable();
            let fit = work.iter().take_while(|work| {
                room -= **work;
                room >= 0
            });
            most = most.max(work.len() - fit.count());
        }
    }
    most
}

/// So many of them as are tried, the first and the last included.
fn moments(mut all: Vec<i64>) -> Vec<i64> {
    all.sort_unstable();
    all.dedup();
    let step = all.len().div_ceil(MOMENTS).max(1);
    let last = all.last().copied();
    let mut tried: Vec<i64> = all.into_iter().step_by(step).collect();
    tried.extend(last);
    tried
}

/// Milliseconds of slots of a pool from one moment to another.
pub(crate) fn capacity_ms(workload: &Workload, pool: Pool, from_ms: i64, to_ms: i64) -> i64 {
    let each = workload.host.iter().flat_map(|hosts| {
        let slots = hosts.slots.get(&pool).copied().map_or(0, i64::from);
        std::iter::repeat_n(slots, hosts.count as usize)
    });
    let slots: Vec<i64> = each.collect();
    let mut capacity = slots.iter().sum::<i64>() * (to_ms - from_ms);
    for loss in &workload.loss {
        let lost_ms = (loss.at_min * MINUTE_MS as f64) as i64;
        let back_ms = loss.back_min.map_or(i64::MAX, |back| lost_ms + (back * MINUTE_MS as f64) as i64);
        let overlap_ms = (to_ms.min(back_ms) - from_ms.max(lost_ms)).max(0);
        capacity -= overlap_ms * slots.iter().take(loss.hosts as usize).sum::<i64>();
    }
    capacity.max(0)
}

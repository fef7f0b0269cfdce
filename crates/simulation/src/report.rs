//! What came of a day under each policy, side by side.

mod text;

use std::collections::BTreeMap;

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;
use reelfarm_priority::Rules;
use serde::Serialize;

use crate::MINUTE_MS;
use crate::bound::{capacity_ms, must_be_late};
use crate::draw::{Drawn, DrawnTitle};
use crate::engine::{BUCKET_MS, Outcome};
use crate::orders::Contender;
use crate::workload::Workload;

/// A day under several policies.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The workload's name.
    pub name: String,
    /// What it is to show.
    pub about: String,
    /// Slots of the fleet, by pool.
    pub slots: BTreeMap<Pool, u32>,
    /// Titles, by kind.
    pub titles: BTreeMap<ContentKind, usize>,
    /// The greatest part of the titles with a deadline, by kind, that any policy could have had on time, in percent.
    pub could_be_on_time_percent: BTreeMap<ContentKind, f64>,
    /// What came of it.
    pub policies: Vec<PolicyReport>,
}

/// A day under one policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyReport {
    /// The policy.
    pub policy: Contender,
    /// Its titles, by kind.
    pub kinds: BTreeMap<ContentKind, KindReport>,
    /// Slots at work while there was work for all of them, by pool, in percent.
    pub used_while_work_waits_percent: BTreeMap<Pool, f64>,
    /// The longest that a task was ready before it began, by kind, in minutes.
    pub longest_wait_min: BTreeMap<ContentKind, f64>,
    /// The longest that a task of a title with a deadline was ready before it got a slot in which a recode had been at work,
    /// in minutes: the price of not stopping what has begun.
    pub behind_recode_min: f64,
    /// Work that was lost with hosts, in minutes of a slot.
    pub lost_min: f64,
    /// How much longer the recode took than it takes with all that the other titles left of the slots, in percent; absent
    /// where there is none.
    pub recode_beyond_left_percent: Option<f64>,
}

/// Titles of a kind under a policy. Times in minutes.
#[derive(Clone, Debug, Serialize)]
pub struct KindReport {
    /// How many there are.
    pub titles: usize,
    /// Those that were online in time, in percent; absent where they have no deadline.
    pub on_time_percent: Option<f64>,
    /// How late they were: the median, and what 95 and 99 of 100 stayed below. Absent where they have no deadline.
    pub late_min: Option<[f64; 3]>,
    /// From arrival to being online: the median, and what 95 and 99 of 100 stayed below.
    pub online_after_min: [f64; 3],
}

impl Report {
    /// Puts what came of a day together.
    pub fn new(workload: &Workload, rules: &Rules, drawn: &Drawn, outcomes: &[(Contender, Outcome)]) -> Self {
        let mut titles: BTreeMap<ContentKind, usize> = BTreeMap::new();
        let mut dated: BTreeMap<ContentKind, usize> = BTreeMap::new();
        for title in &drawn.titles {
            *titles.entry(title.kind).or_default() += 1;
            *dated.entry(title.kind).or_default() += usize::from(title.required_by_ms.is_some());
        }
        let late = must_be_late(workload, rules, drawn);
        let could = dated.into_iter().filter(|(_, dated)| *dated > 0).map(|(kind, dated)| {
            let late = late.get(&kind).copied().unwrap_or(0);
            (kind, percent(dated.saturating_sub(late), dated))
        });
        Self {
            name: workload.name.clone(),
            about: workload.about.clone(),
            slots: workload.slots(),
            titles,
            could_be_on_time_percent: could.collect(),
            policies: outcomes
                .iter()
                .map(|(policy, outcome)| PolicyReport::new(workload, drawn, *policy, outcome))
                .collect(),
        }
    }

    /// Tables that a person reads.
    pub fn text(&self) -> String {
        text::of(self)
    }
}

impl PolicyReport {
    fn new(workload: &Workload, drawn: &Drawn, policy: Contender, outcome: &Outcome) -> Self {
        let minutes = |ms: i64| ms as f64 / MINUTE_MS as f64;
        let kinds = ContentKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, KindReport::new(drawn, outcome, kind)?)));
        Self {
            policy,
            kinds: kinds.collect(),
            used_while_work_waits_percent: outcome
                .usage
                .while_work_waits
                .iter()
                .map(|(pool, used)| (*pool, used * 100.0))
                .collect(),
            longest_wait_min: outcome
                .longest_wait_ms
                .iter()
                .map(|(kind, ms)| (*kind, minutes(*ms)))
                .collect(),
            behind_recode_min: minutes(outcome.behind_recode_ms),
            lost_min: minutes(outcome.lost_ms),
            recode_beyond_left_percent: recode_beyond_left(workload, drawn, outcome),
        }
    }
}

impl KindReport {
    fn new(drawn: &Drawn, outcome: &Outcome, kind: ContentKind) -> Option<Self> {
        let of_kind =
            || drawn.titles.iter().zip(&outcome.online_ms).filter(move |(title, _)| title.kind == kind);
        let mut after: Vec<i64> = of_kind().map(|(title, online_ms)| online_ms - title.arrives_ms).collect();
        let mut late: Vec<i64> = of_kind()
            .filter_map(|(title, online_ms)| Some((online_ms - title.required_by_ms?).max(0)))
            .collect();
        let on_time = late.iter().filter(|late_ms| **late_ms == 0).count();
        Some(Self {
            titles: after.len(),
            on_time_percent: (!late.is_empty()).then(|| percent(on_time, late.len())),
            online_after_min: quantiles(&mut after)?,
            late_min: quantiles(&mut late),
        })
    }
}

/// The median and what 95 and 99 of 100 stay below, in minutes; `None` of nothing.
fn quantiles(values: &mut [i64]) -> Option<[f64; 3]> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    // The smallest value that so many of 100 do not exceed.
    let at = |percent: usize| values[((values.len() * percent).div_ceil(100)).saturating_sub(1).min(last)];
    Some([50, 95, 99].map(|percent| at(percent) as f64 / MINUTE_MS as f64))
}

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// With the slots that the others left, the recode would have been done at a certain moment: how far beyond it was.
fn recode_beyond_left(workload: &Workload, drawn: &Drawn, outcome: &Outcome) -> Option<f64> {
    let recodes =
        || drawn.titles.iter().zip(&outcome.online_ms).filter(|(title, _)| title.kind == ContentKind::Recode);
    let arrived_ms = recodes().map(|(title, _)| title.arrives_ms).min()?;
    let done_ms = recodes().map(|(_, online_ms)| *online_ms).max()?;
    let mut left_ms: f64 = recodes().map(|(title, _)| cpu_work_ms(title, workload)).sum::<i64>() as f64;
    let timeline = &outcome.usage.timeline;
    let mut at_ms = arrived_ms;
    while left_ms > 0.0 && at_ms < done_ms {
        let step = (at_ms / BUCKET_MS) as usize;
        let until_ms = (step as i64 + 1) * BUCKET_MS;
        let others = timeline.iter().filter(|(kind, _)| **kind != ContentKind::Recode);
        let others: f64 = others.filter_map(|(_, steps)| steps.get(step)).sum();
        let capacity = capacity_ms(workload, Pool::Cpu, at_ms, until_ms) as f64;
        let free = capacity - others * (until_ms - at_ms) as f64;
        if free >= left_ms {
            at_ms += (left_ms / free * (until_ms - at_ms) as f64) as i64;
            left_ms = 0.0;
        } else {
            left_ms -= free.max(0.0);
            at_ms = until_ms;
        }
    }
    Some((done_ms - at_ms) as f64 * 100.0 / (at_ms - arrived_ms).max(1) as f64)
}

fn cpu_work_ms(title: &DrawnTitle, workload: &Workload) -> i64 {
    title.tasks(workload).iter().filter(|task| task.pool == Pool::Cpu).map(|task| task.takes_ms).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_so_many_do_not_exceed() {
        let minutes =
            |values: &[i64]| quantiles(&mut values.iter().map(|value| value * MINUTE_MS).collect::<Vec<_>>());
        assert_eq!(minutes(&[]), None);
        assert_eq!(minutes(&[7]), Some([7.0, 7.0, 7.0]));
        let hundred: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(minutes(&hundred), Some([50.0, 95.0, 99.0]));
        assert_eq!(minutes(&[3, 1, 2]), Some([2.0, 3.0, 3.0]));
    }
}

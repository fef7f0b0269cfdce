//! What the slots were used for.

use std::collections::BTreeMap;

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;

use crate::MINUTE_MS;

/// Use of the slots over a day.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// The share of a pool's slots that were at work while there was work for all of them, 0 to 1: unfinished tasks of live
    /// titles, ready or not. A pool for which that never was so is absent.
    pub while_work_waits: BTreeMap<Pool, f64>,
    /// Slots at work on each kind of title in the pool `cpu`, on average over each [`BUCKET_MS`] from the start of the day.
    pub timeline: BTreeMap<ContentKind, Vec<f64>>,
    /// The slots that the pool `cpu` had, in the same steps.
    pub slots: Vec<f64>,
}

/// The steps of [`Usage::timeline`], in milliseconds.
pub const BUCKET_MS: i64 = 10 * MINUTE_MS;

pub(super) struct UsageMeter {
    slots: BTreeMap<Pool, u32>,
    since_ms: i64,
    unfinished: BTreeMap<Pool, u32>,
    busy: BTreeMap<Pool, u32>,
    /// Used and offered while work waited, in milliseconds of slots.
    used: BTreeMap<Pool, (i64, i64)>,
    usage: Usage,
}

impl UsageMeter {
    pub(super) fn new(slots: BTreeMap<Pool, u32>) -> Self {
        let (unfinished, busy, used) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { slots, since_ms: 0, unfinished, busy, used, usage: Usage::default() }
    }

    /// Hosts went or came.
    pub(super) fn slots(&mut self, slots: BTreeMap<Pool, u32>, now_ms: i64) {
        self.advance(now_ms);
        self.slots = slots;
    }

    pub(super) fn planned(&mut self, pool: Pool, now_ms: i64) {
        self.advance(now_ms);
        *self.unfinished.entry(pool).or_default() += 1;
    }

    pub(super) fn began(&mut self, pool: Pool, now_ms: i64) {
        self.advance(now_ms);
        *self.busy.entry(pool).or_default() += 1;
    }

    pub(super) fn ended(&mut self, pool: Pool, kind: ContentKind, begun_ms: i64, now_ms: i64, done: bool) {
        self.advance(now_ms);
        *self.busy.entry(pool).or_default() -= 1;
        *self.unfinished.entry(pool).or_default() -= u32::from(done);
        if pool == Pool::Cpu {
            spread(self.usage.timeline.entry(kind).or_default(), begun_ms, now_ms, 1.0);
        }
    }

    pub(super) fn finish(mut self) -> Usage {
        let last_ms = self.since_ms;
        self.advance(last_ms);
        let share = |(used, offered): (i64, i64)| used as f64 / offered as f64;
        let used = std::mem::take(&mut self.used).into_iter().filter(|(_, (_, offered))| *offered > 0);
        self.usage.while_work_waits = used.map(|(pool, used)| (pool, share(used))).collect();
        self.usage
    }

    fn advance(&mut self, now_ms: i64) {
        let passed_ms = now_ms - self.since_ms;
        if passed_ms == 0 {
            return;
        }
        for (pool, slots) in &self.slots {
            let busy = self.busy.get(pool).copied().unwrap_or(0).min(*slots);
            if *slots > 0 && self.unfinished.get(pool).is_some_and(|unfinished| unfinished >= slots) {
                let (used, offered) = self.used.entry(*pool).or_default();
                *used += i64::from(busy) * passed_ms;
                *offered += i64::from(*slots) * passed_ms;
            }
        }
        let cpu = self.slots.get(&Pool::Cpu).copied().unwrap_or(0);
        spread(&mut self.usage.slots, self.since_ms, now_ms, f64::from(cpu));
        self.since_ms = now_ms;
    }
}

/// Adds what was so from one moment to another to the steps that these touch.
fn spread(steps: &mut Vec<f64>, from_ms: i64, to_ms: i64, what: f64) {
    let mut from_ms = from_ms;
    while from_ms < to_ms {
        let step = (from_ms / BUCKET_MS) as usize;
        let until_ms = to_ms.min((step as i64 + 1) * BUCKET_MS);
        if steps.len() <= step {
            steps.resize(step + 1, 0.0);
        }
        steps[step] += what * (until_ms - from_ms) as f64 / BUCKET_MS as f64;
        from_ms = until_ms;
    }
}

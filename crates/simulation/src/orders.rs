//! The policies that are compared: the farm's own, and those that others use.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use reelfarm_model::{Part, Pool};
use reelfarm_priority::{Capacity, Queue, ReadyTask, Rules, TitleOrder, Want};
use serde::Serialize;

use crate::draw::DrawnTitle;

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// The farm's: the very code that the scheduler runs.
    Ours,
    /// First come, first served.
    Fifo,
    /// Levels that people type in, as far as they are honest.
    Static,
    /// Levels that people type in, where nearly everything is urgent.
    StaticInflated,
    /// The earliest deadline first.
    Edf,
}

impl Contender {
    /// Every policy.
    pub const ALL: [Contender; 5] = [Self::Ours, Self::Fifo, Self::Static, Self::StaticInflated, Self::Edf];

    /// The name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Fifo => "fifo",
            Self::Static => "static",
            Self::StaticInflated => "static-inflated",
            Self::Edf => "edf",
        }
    }
}

/// A text names no policy.
#[derive(Debug, thiserror::Error)]
#[error("the policies are ours, fifo, static, static-inflated and edf, not {0:?}")]
pub struct UnknownPolicy(pub String);

impl FromStr for Contender {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| UnknownPolicy(text.to_owned()))
    }
}

/// A task that became ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) task: u32,
    pub(crate) title: u32,
    pub(crate) pool: Pool,
    pub(crate) tail_ms: i64,
}

/// What a policy is told, and asked.
pub(crate) enum Order {
    Ours(Box<Queue<u32, u32>>),
    Simple(Simple),
}

impl Order {
    pub(crate) fn new(contender: Contender, rules: &Rules) -> Self {
        match contender {
            Contender::Ours => Self::Ours(Box::new(Queue::new(rules.clone()))),
            _ => Self::Simple(Simple { contender, keys: HashMap::new(), waiting: BTreeMap::new() }),
        }
    }

    pub(crate) fn arrived(&mut self, title: u32, drawn: &DrawnTitle, path_ms: i64, now_ms: i64) {
        match self {
            Self::Ours(queue) => {
                let order = TitleOrder {
                    route: drawn.route,
                    kind: drawn.kind,
                    submitted_ms: drawn.arrives_ms,
                    required_by_ms: drawn.required_by_ms,
                    path_ms,
                    expedited_ms: None,
                };
                queue.set_title(title, order, now_ms);
            }
            Self::Simple(simple) => {
                let key = match simple.contender {
                    Contender::Static => -i64::from(drawn.level),
                    Contender::StaticInflated => -i64::from(drawn.inflated_level),
                    Contender::Edf => drawn.required_by_ms.unwrap_or(i64::MAX),
                    Contender::Ours | Contender::Fifo => 0,
                };
                simple.keys.insert(title, (key, drawn.arrives_ms));
            }
        }
    }

    pub(crate) fn ready(&mut self, ready: Ready, now_ms: i64) {
        match self {
            Self::Ours(queue) => {
                let wants = vec![Want { title: ready.title, tail_ms: ready.tail_ms, part: Part::Whole }];
                queue.put(
                    ReadyTask { key: ready.task, pool: ready.pool, not_before_ms: now_ms, wants },
                    now_ms,
                );
            }
            Self::Simple(simple) => simple.ready(ready),
        }
    }

    pub(crate) fn ended(&mut self, task: u32) {
        if let Self::Ours(queue) = self {
            queue.ended(&task);
        }
    }

    pub(crate) fn finished(&mut self, title: u32, now_ms: i64) {
        match self {
            Self::Ours(queue) => queue.forget_title(&title, now_ms),
            Self::Simple(simple) => drop(simple.keys.remove(&title)),
        }
    }

    pub(crate) fn decide(&mut self, now_ms: i64, slots: &BTreeMap<Pool, Capacity>) -> Vec<u32> {
        match self {
            Self::Ours(queue) => {
                queue.decide(now_ms, slots).into_iter().map(|decision| decision.key).collect()
            }
            Self::Simple(simple) => simple.decide(slots),
        }
    }
}

/// One line for each pool. Titles stand in it by a key, then by arrival; a title's own tasks go by the longest way to its
/// end, as with the farm's policy, so that what differs is the order of titles.
pub(crate) struct Simple {
    contender: Contender,
    keys: HashMap<u32, (i64, i64)>,
    waiting: BTreeMap<Pool, BTreeSet<Place>>,
}

/// Key, arrival, title, tail (the longest first) and task.
type Place = (i64, i64, u32, i64, u32);

impl Simple {
    fn ready(&mut self, ready: Ready) {
        let (key, arrived) = self.keys.get(&ready.title).copied().unwrap_or_default();
        let line = self.waiting.entry(ready.pool).or_default();
        line.insert((key, arrived, ready.title, -ready.tail_ms, ready.task));
    }

    fn decide(&mut self, slots: &BTreeMap<Pool, Capacity>) -> Vec<u32> {
        let mut decisions = Vec::new();
        for (pool, capacity) in slots {
            let Some(line) = self.waiting.get_mut(pool) else { continue };
            let chosen = (0..capacity.free).map_while(|_| line.pop_first());
            decisions.extend(chosen.map(|(.., task)| task));
        }
        decisions
    }
}

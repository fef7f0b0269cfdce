//! The tasks that are ready, in order, and who has the slots.

mod choose;
mod line;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use reelfarm_model::Pool;
use reelfarm_model::facts::{ContentKind, Part};

pub use choose::Claim;

use crate::rules::{MINUTE_MS, Rules};
use crate::urgency::{Band, urgency};
use line::{Line, Rank};

/// Tasks that are put into another band, or out of their back-off, before a decision, so that a great many that come to be pressed at one moment do
/// not hold it up. The rest follow with the next decisions.
const MOVES: usize = 256;

/// What a title's place in the order follows from. Times are milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TitleOrder {
    /// Its route, by its place in [`Rules::routes`].
    pub route: usize,
    /// For what it is made.
    pub kind: ContentKind,
    /// When it was submitted.
    pub submitted_ms: i64,
    /// When it must be online.
    pub required_by_ms: Option<i64>,
    /// The estimated length of its whole critical path, in milliseconds; that of what goes first, where something does.
    pub path_ms: i64,
    /// When somebody expedited it.
    pub expedited_ms: Option<i64>,
}

/// What a title wants of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want<T> {
    /// The title.
    pub title: T,
    /// What is left of the critical path of its part from the start of this task on, in milliseconds.
    pub tail_ms: i64,
    /// The part of the title that needs it.
    pub part: Part,
}

/// A task that may be dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyTask<T, K> {
    /// The task.
    pub key: K,
    /// Its pool.
    pub pool: Pool,
    /// It is not chosen before, in milliseconds since 1970 UTC: the end of its back-off.
    pub not_before_ms: i64,
    /// The titles that want it and are not held.
    pub wants: Vec<Want<T>>,
}

/// Slots of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// All of those that take tasks.
    pub total: usize,
    /// Those that are free.
    pub free: usize,
}

/// A task that goes next, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<T, K> {
    /// The task.
    pub key: K,
    /// Its pool.
    pub pool: Pool,
    /// The title for whose sake.
    pub title: T,
    /// The route whose slot it takes, by its place in [`Rules::routes`].
    pub route: usize,
    /// How urgent it is.
    pub band: Band,
    /// On what ground the route gets the slot.
    pub claim: Claim,
}

/// The ready tasks, and how the slots are divided among the routes.
///
/// Memory is some 650 bytes a task with a key of 32 bytes (`scripts/bench policy`); a decision costs a few look-ups in
/// sorted sets for each route.
#[derive(Clone, Debug)]
pub struct Queue<T, K> {
    rules: Rules,
    titles: HashMap<T, TitleEntry<K>>,
    tasks: HashMap<K, TaskEntry<T, K>>,
    /// By pool, then by route.
    lines: BTreeMap<Pool, Vec<Line<T, K>>>,
    /// When tasks change their band or run out of patience.
    changes: BTreeSet<(i64, K)>,
    /// When tasks come out of their back-off.
    resting: BTreeSet<(i64, K)>,
    at_work: HashMap<K, AtWork>,
    /// Starts in a pool that were not on the ground of a minimum, since the last that was given to patience.
    turns: BTreeMap<Pool, u32>,
}

#[derive(Clone, Debug)]
struct TitleEntry<K> {
    order: TitleOrder,
    tasks: BTreeSet<K>,
}

#[derive(Clone, Debug)]
struct TaskEntry<T, K> {
    pool: Pool,
    not_before_ms: i64,
    wants: Vec<Want<T>>,
    /// None in a back-off.
    place: Option<Place<T, K>>,
    changes_ms: Option<i64>,
}

/// Where a task stands in line.
#[derive(Clone, Debug)]
struct Place<T, K> {
    route: usize,
    rank: Rank<T, K>,
    /// Since when its title has been there, where that is longer than its patience.
    impatient_since_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct AtWork {
    pool: Pool,
    route: usize,
    /// A recode has no claim to slots, and takes none away from those that have.
    counts: bool,
}

impl<T: Clone + Ord + Hash, K: Copy + Ord + Hash> Queue<T, K> {
    /// An empty queue.
    pub fn new(rules: Rules) -> Self {
        let routes = rules.routes.len();
        let lines = Pool::ALL.into_iter().map(|pool| (pool, vec![Line::default(); routes])).collect();
        Self {
            rules,
            titles: HashMap::new(),
            tasks: HashMap::new(),
            lines,
            changes: BTreeSet::new(),
            resting: BTreeSet::new(),
            at_work: HashMap::new(),
            turns: BTreeMap::new(),
        }
    }

    /// The rules.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The number of tasks that wait.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task waits.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// A title's facts, new or changed. Its tasks change their places with it.
    pub fn set_title(&mut self, title: T, order: TitleOrder, now_ms: i64) {
        let tasks = match self.titles.get_mut(&title) {
            Some(entry) if entry.order == order => return,
            Some(entry) => {
                entry.order = order;
                entry.tasks.iter().copied().collect()
            }
            None => {
                self.titles.insert(title, TitleEntry { order, tasks: BTreeSet::new() });
                Vec::new()
            }
        };
        for task in tasks {
            self.settle(task, now_ms);
        }
    }

    /// A title's facts, where it is known.
    pub fn title(&self, title: &T) -> Option<&TitleOrder> {
        self.titles.get(title).map(|entry| &entry.order)
    }

    /// A title wants nothing any more. Tasks that others want too stay for their sake.
    pub fn forget_title(&mut self, title: &T, now_ms: i64) {
        let Some(entry) = self.titles.remove(title) else { return };
        for key in entry.tasks {
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            task.wants.retain(|want| want.title != *title);
            if task.wants.is_empty() {
                self.remove(&key);
            } else {
                self.settle(key, now_ms);
            }
        }
    }

    /// The tasks of a title that wait here, in the order of their keys.
    pub fn tasks_of(&self, title: &T) -> impl Iterator<Item = K> + '_ {
        self.titles.get(title).into_iter().flat_map(|entry| entry.tasks.iter().copied())
    }

    /// A task that may be dispatched. What was known of it before is replaced. Wants of titles that are not known count for
    /// nothing, and a task that no known title wants is not taken.
    pub fn put(&mut self, task: ReadyTask<T, K>, now_ms: i64) {
        self.remove(&task.key);
        let wants: Vec<_> =
            task.wants.into_iter().filter(|want| self.titles.contains_key(&want.title)).collect();
        if wants.is_empty() {
            return;
        }
        for want in &wants {
            if let Some(title) = self.titles.get_mut(&want.title) {
                title.tasks.insert(task.key);
            }
        }
        let entry = TaskEntry {
            pool: task.pool,
            not_before_ms: task.not_before_ms,
            wants,
            place: None,
            changes_ms: None,
        };
        self.tasks.insert(task.key, entry);
        self.settle(task.key, now_ms);
    }

    /// A task that may be dispatched no more.
    pub fn remove(&mut self, key: &K) {
        self.leave(key);
        let Some(task) = self.tasks.remove(key) else { return };
        for want in &task.wants {
            if let Some(title) = self.titles.get_mut(&want.title) {
                title.tasks.remove(key);
            }
        }
    }

    /// A task that is at work already, for the sake of a title: its slot counts for the title's route.
    pub fn at_work(&mut self, key: K, pool: Pool, title: &T) {
        self.remove(&key);
        let order = self.titles.get(title).map(|entry| entry.order);
        let route = order.map_or(0, |order| order.route);
        let counts = order.is_none_or(|order| order.kind != ContentKind::Recode);
        self.begin(key, AtWork { pool, route, counts });
    }

    /// A task whose slot is free again, however it ended.
    pub fn ended(&mut self, key: &K) {
        let Some(work) = self.at_work.remove(key) else { return };
        if let Some(line) = self.line(work.pool, work.route) {
            line.busy -= u32::from(work.counts);
        }
    }

    /// Which tasks go next, in this order: as many as slots are free. They are at work from then on, until they
    /// [ended](Self::ended).
    pub fn decide(&mut self, now_ms: i64, slots: &BTreeMap<Pool, Capacity>) -> Vec<Decision<T, K>> {
        let mut decisions = Vec::new();
        for (pool, capacity) in slots {
            for _ in 0..capacity.free {
                self.follow_the_clock(now_ms);
                // What came out of its back-off is not passed over because much else changed at the same time.
                while self.is_behind(now_ms) && !self.has_work(*pool) {
                    self.follow_the_clock(now_ms);
                }
                let Some(decision) = self.choose(*pool, capacity.total) else { break };
                self.remove(&decision.key);
                let counts = decision.band != Band::Recode;
                self.begin(decision.key, AtWork { pool: *pool, route: decision.route, counts });
                decisions.push(decision);
            }
        }
        decisions
    }

    /// When the next task comes out of its back-off: from then on there may be something to decide though nothing happened.
    pub fn next_ready_ms(&self) -> Option<i64> {
        self.resting.first().map(|(moment, _)| *moment)
    }

    /// Whether a task waits here or is at work.
    pub fn knows(&self, key: &K) -> bool {
        self.tasks.contains_key(key) || self.at_work.contains_key(key)
    }

    /// Tasks at work that the caller knows to have ended have.
    pub fn retain_at_work(&mut self, is_at_work: impl Fn(&K) -> bool) {
        let ended: Vec<K> = self.at_work.keys().filter(|key| !is_at_work(key)).copied().collect();
        for key in &ended {
            self.ended(key);
        }
    }

    /// How urgent a waiting task is, and how many tasks of its route and pool stand before it; no more than `limit` are
    /// counted. `None` for one that does not wait here, and for one in a back-off.
    pub fn standing(&self, key: &K, limit: usize) -> Option<(Band, usize)> {
        let task = self.tasks.get(key)?;
        let place = task.place.as_ref()?;
        let line = self.lines.get(&task.pool)?.get(place.route)?;
        Some((place.rank.band, line.before(&place.rank, limit)))
    }

    /// The slots of a pool at which tasks of a route are at work; recodes do not count.
    pub fn busy(&self, pool: Pool, route: usize) -> u32 {
        self.lines.get(&pool).and_then(|lines| lines.get(route)).map_or(0, |line| line.busy)
    }

    fn begin(&mut self, key: K, work: AtWork) {
        self.ended(&key);
        if let Some(line) = self.line(work.pool, work.route) {
            line.busy += u32::from(work.counts);
            self.at_work.insert(key, work);
        }
    }

    fn line(&mut self, pool: Pool, route: usize) -> Option<&mut Line<T, K>> {
        self.lines.get_mut(&pool).and_then(|lines| lines.get_mut(route))
    }

    fn follow_the_clock(&mut self, now_ms: i64) {
        for _ in 0..MOVES {
            match self.resting.first().copied() {
                Some((moment_ms, key)) if moment_ms <= now_ms => self.settle(key, now_ms),
                _ => break,
            }
        }
        for _ in 0..MOVES {
            match self.changes.first().copied() {
                Some((moment_ms, key)) if moment_ms <= now_ms => self.settle(key, now_ms),
                _ => break,
            }
        }
    }

    /// Whether a task is out of its back-off and stands in no line yet.
    fn is_behind(&self, now_ms: i64) -> bool {
        self.resting.first().is_some_and(|(moment_ms, _)| *moment_ms <= now_ms)
    }

    /// Whether a task that is no recode's waits for a pool.
    fn has_work(&self, pool: Pool) -> bool {
        let lines = self.lines.get(&pool).into_iter().flatten();
        lines.filter_map(|line| line.waiting.first()).any(|head| head.band != Band::Recode)
    }

    /// Puts a task where it belongs now.
    fn settle(&mut self, key: K, now_ms: i64) {
        self.leave(&key);
        let Some(task) = self.tasks.get(&key) else { return };
        if task.not_before_ms > now_ms {
            self.resting.insert((task.not_before_ms, key));
            return;
        }
        let mut changes_ms: Option<i64> = None;
        let mut best: Option<(usize, Rank<T, K>, &TitleOrder)> = None;
        for want in &task.wants {
            let Some(title) = self.titles.get(&want.title) else { continue };
            let order = &title.order;
            let urgency = urgency(&self.rules, order, want.part, want.tail_ms, now_ms);
            changes_ms = changes_ms.into_iter().chain(urgency.changes_ms).min();
            let rank = Rank {
                band: urgency.band,
                moment_ms: urgency.moment_ms,
                then_ms: urgency.then_ms,
                title: want.title.clone(),
                part: want.part,
                tail_ms: std::cmp::Reverse(want.tail_ms),
                key,
            };
            if best.as_ref().is_none_or(|(_, best, _)| rank < *best) {
                best = Some((order.route, rank, order));
            }
        }
        let Some((route, rank, order)) = best else { return };
        let (pool, since_ms) = (task.pool, order.submitted_ms);
        let mut impatient_since_ms = None;
        if rank.band != Band::Recode {
            let ends_ms = since_ms + i64::from(self.rules.kind(order.kind).patience_min) * MINUTE_MS;
            if ends_ms <= now_ms {
                impatient_since_ms = Some(since_ms);
            } else {
                changes_ms = changes_ms.into_iter().chain([ends_ms]).min();
            }
        }
        if let Some(line) = self.line(pool, route) {
            line.join(rank.clone(), impatient_since_ms);
        }
        self.changes.extend(changes_ms.map(|changes_ms| (changes_ms, key)));
        if let Some(task) = self.tasks.get_mut(&key) {
            task.place = Some(Place { route, rank, impatient_since_ms });
            task.changes_ms = changes_ms;
        }
    }

    /// Takes a task out of its line, and out of the list of changes.
    fn leave(&mut self, key: &K) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        let (pool, not_before_ms) = (task.pool, task.not_before_ms);
        let (place, changes_ms) = (task.place.take(), task.changes_ms.take());
        self.resting.remove(&(not_before_ms, *key));
        if let Some(moment_ms) = changes_ms {
            self.changes.remove(&(moment_ms, *key));
        }
        if let Some(place) = place
            && let Some(line) = self.line(pool, place.route)
        {
            line.leave(&place.rank, place.impatient_since_ms);
        }
    }
}

//! The simulator: arrivals, ends of tasks and losses of hosts, one after another, with a policy that decides at each.

mod fleet;
mod usage;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;
use reelfarm_priority::Rules;
use slab::Slab;

use crate::MINUTE_MS;
use crate::draw::{Drawn, DrawnTask, DrawnTitle};
use crate::orders::{Contender, Order, Ready};
use crate::workload::Workload;
use fleet::{Fleet, Slot};
use usage::UsageMeter;
pub use usage::{BUCKET_MS, Usage};

/// How long it takes until a lost host's tasks are given to others: a lease.
const LEASE_MS: i64 = MINUTE_MS;

/// What came of a day.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// When the first task of each title began, in the same order.
    pub begun_ms: Vec<i64>,
    /// When each title was online, in milliseconds from the start of the day; in the order of the drawn titles.
    pub online_ms: Vec<i64>,
    /// What the slots were used for.
    pub usage: Usage,
    /// The longest that a task of a kind was ready before it began, in milliseconds.
    pub longest_wait_ms: BTreeMap<ContentKind, i64>,
    /// The longest that a task of a title with a deadline was ready before it got a slot in which a recode had been at work.
    pub behind_recode_ms: i64,
    /// Work that was lost with hosts, in milliseconds of slots.
    pub lost_ms: i64,
    /// The tasks in the order in which they began, each once, at its first attempt.
    pub starts: Vec<Start>,
}

/// The beginning of a task. Times are milliseconds from the start of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its title, by its place among the drawn titles.
    pub title: u32,
    /// Its place among the title's tasks.
    pub place: u32,
    /// When it began.
    pub begins_ms: i64,
    /// When it ends, unless its host is lost before.
    pub ends_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Back { hosts: u32 },
    Lost { hosts: u32 },
    Ended { task: u32, attempt: u32 },
    LeaseOver { task: u32, attempt: u32 },
    Arrives { title: u32 },
}

/// A title that is not online yet.
struct Live {
    drawn: Vec<DrawnTask>,
    /// Their numbers, in the same order.
    numbers: Vec<u32>,
    left: u32,
}

/// A task of a live title.
struct Task {
    title: u32,
    place: u32,
    pool: Pool,
    tail_ms: i64,
    takes_ms: i64,
    needs_left: u32,
    ready_ms: i64,
    attempt: u32,
    slot: Option<Slot>,
    begun_ms: i64,
}

struct Farm<'a> {
    workload: &'a Workload,
    titles: &'a [DrawnTitle],
    order: Order,
    fleet: Fleet,
    live: BTreeMap<u32, Live>,
    tasks: Slab<Task>,
    events: BinaryHeap<Reverse<(i64, Event)>>,
    meter: UsageMeter,
    outcome: Outcome,
}

/// Runs a day to its end with a policy.
pub fn simulate(workload: &Workload, rules: &Rules, drawn: &Drawn, contender: Contender) -> Outcome {
    let fleet = Fleet::new(&workload.host);
    let mut farm = Farm {
        workload,
        titles: &drawn.titles,
        order: Order::new(contender, rules),
        meter: UsageMeter::new(fleet.slots()),
        fleet,
        live: BTreeMap::new(),
        tasks: Slab::new(),
        events: BinaryHeap::new(),
        outcome: Outcome {
            begun_ms: vec![i64::MAX; drawn.titles.len()],
            online_ms: vec![i64::MAX; drawn.titles.len()],
            usage: Usage::default(),
            longest_wait_ms: BTreeMap::new(),
            behind_recode_ms: 0,
            lost_ms: 0,
            starts: Vec::new(),
        },
    };
    for (title, drawn) in (0..).zip(&drawn.titles) {
        farm.events.push(Reverse((drawn.arrives_ms, Event::Arrives { title })));
    }
    for loss in &workload.loss {
        let at_ms = (loss.at_min * MINUTE_MS as f64) as i64;
        farm.events.push(Reverse((at_ms, Event::Lost { hosts: loss.hosts })));
        if let Some(back_min) = loss.back_min {
            let back_ms = at_ms + (back_min * MINUTE_MS as f64) as i64;
            farm.events.push(Reverse((back_ms, Event::Back { hosts: loss.hosts })));
        }
    }
    farm.run();
    farm.outcome.usage = farm.meter.finish();
    farm.outcome
}

impl Farm<'_> {
    fn run(&mut self) {
        while let Some(Reverse((now_ms, event))) = self.events.pop() {
            self.happens(event, now_ms);
            // All that happens at a moment is known before it is decided what goes next.
            while let Some(Reverse((_, event))) =
                self.events.peek().filter(|next| next.0.0 == now_ms).copied()
            {
                self.events.pop();
                self.happens(event, now_ms);
            }
            for task in self.order.decide(now_ms, &self.fleet.capacity()) {
                self.begin(task, now_ms);
            }
        }
    }

    fn happens(&mut self, event: Event, now_ms: i64) {
        match event {
            Event::Arrives { title } => self.arrives(title, now_ms),
            Event::Ended { task, attempt } if self.is_current(task, attempt) => self.ended(task, now_ms),
            Event::LeaseOver { task, attempt } if self.is_current(task, attempt) => self.again(task, now_ms),
            Event::Ended { .. } | Event::LeaseOver { .. } => {}
            Event::Lost { hosts } => self.lose(hosts, now_ms),
            Event::Back { hosts } => {
                self.fleet.back(hosts);
                self.meter.slots(self.fleet.slots(), now_ms);
            }
        }
    }

    fn is_current(&self, task: u32, attempt: u32) -> bool {
        self.tasks.get(task as usize).is_some_and(|task| task.attempt == attempt)
    }

    fn arrives(&mut self, title: u32, now_ms: i64) {
        let of_day = &self.titles[title as usize];
        let drawn = of_day.tasks(self.workload);
        let path_ms = drawn.iter().map(|task| task.tail_ms).max().unwrap_or(0);
        self.order.arrived(title, of_day, path_ms, now_ms);
        let mut numbers = Vec::with_capacity(drawn.len());
        for (place, task) in (0..).zip(&drawn) {
            self.meter.planned(task.pool, now_ms);
            let task = Task {
                title,
                place,
                pool: task.pool,
                tail_ms: task.tail_ms,
                takes_ms: task.takes_ms,
                needs_left: task.needs.len() as u32,
                ready_ms: now_ms,
                attempt: 0,
                slot: None,
                begun_ms: 0,
            };
            numbers.push(self.tasks.insert(task) as u32);
        }
        let ready: Vec<u32> = drawn
            .iter()
            .zip(&numbers)
            .filter(|(task, _)| task.needs.is_empty())
            .map(|(_, number)| *number)
            .collect();
        self.live.insert(title, Live { left: drawn.len() as u32, drawn, numbers });
        for task in ready {
            self.ready(task, now_ms);
        }
    }

    fn ready(&mut self, number: u32, now_ms: i64) {
        let Some(task) = self.tasks.get_mut(number as usize) else { return };
        task.ready_ms = now_ms;
        let ready = Ready { task: number, title: task.title, pool: task.pool, tail_ms: task.tail_ms };
        self.order.ready(ready, now_ms);
    }

    fn begin(&mut self, number: u32, now_ms: i64) {
        let Some(task) = self.tasks.get_mut(number as usize) else { return };
        let title = &self.titles[task.title as usize];
        let Some((slot, kind_before)) = self.fleet.take(task.pool, title.kind) else { return };
        task.attempt += 1;
        task.slot = Some(slot);
        task.begun_ms = now_ms;
        let ends_ms = now_ms + task.takes_ms;
        self.events.push(Reverse((ends_ms, Event::Ended { task: number, attempt: task.attempt })));
        let waited_ms = now_ms - task.ready_ms;
        let longest = self.outcome.longest_wait_ms.entry(title.kind).or_default();
        *longest = waited_ms.max(*longest);
        if kind_before == Some(ContentKind::Recode) && title.required_by_ms.is_some() {
            self.outcome.behind_recode_ms = waited_ms.max(self.outcome.behind_recode_ms);
        }
        if task.attempt == 1 {
            let Task { title, place, .. } = *task;
            self.outcome.starts.push(Start { title, place, begins_ms: now_ms, ends_ms });
        }
        let begun_ms = &mut self.outcome.begun_ms[task.title as usize];
        *begun_ms = now_ms.min(*begun_ms);
        self.meter.began(task.pool, now_ms);
    }

    fn ended(&mut self, number: u32, now_ms: i64) {
        let Some(task) = self.tasks.try_remove(number as usize) else { return };
        let kind = self.titles[task.title as usize].kind;
        if let Some(slot) = task.slot {
            self.fleet.free(slot);
        }
        self.order.ended(number);
        self.meter.ended(task.pool, kind, task.begun_ms, now_ms, true);
        let Some(live) = self.live.get_mut(&task.title) else { return };
        live.left -= 1;
        if live.left == 0 {
            self.live.remove(&task.title);
            self.order.finished(task.title, now_ms);
            self.outcome.online_ms[task.title as usize] = now_ms;
            return;
        }
        // Those that need it come after it.
        let later = live.drawn.iter().zip(&live.numbers).skip(task.place as usize + 1);
        let needing = later.filter(|(drawn, _)| drawn.needs.contains(&task.place));
        let mut ready = Vec::new();
        for (_, number) in needing {
            let Some(waiting) = self.tasks.get_mut(*number as usize) else { continue };
            waiting.needs_left -= 1;
            if waiting.needs_left == 0 {
                ready.push(*number);
            }
        }
        for number in ready {
            self.ready(number, now_ms);
        }
    }

    fn lose(&mut self, hosts: u32, now_ms: i64) {
        let lost = self.fleet.lose(hosts);
        let at_work = |task: &Task| task.slot.is_some_and(|slot| lost.contains(&slot.host));
        for (number, task) in self.tasks.iter_mut().filter(|(_, task)| at_work(task)) {
            // Its end is not heard of.
            task.attempt += 1;
            let over = Event::LeaseOver { task: number as u32, attempt: task.attempt };
            self.events.push(Reverse((now_ms + LEASE_MS, over)));
        }
        self.meter.slots(self.fleet.slots(), now_ms);
    }

    /// A lost task's lease has run out.
    fn again(&mut self, number: u32, now_ms: i64) {
        let Some(task) = self.tasks.get_mut(number as usize) else { return };
        let kind = self.titles[task.title as usize].kind;
        self.outcome.lost_ms += now_ms - task.begun_ms;
        task.slot = None;
        self.meter.ended(task.pool, kind, task.begun_ms, now_ms, false);
        self.order.ended(number);
        self.ready(number, now_ms);
    }
}

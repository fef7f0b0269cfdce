//! States to try the policy on: routes, titles of all kinds, tasks that several of them may want.

use std::collections::BTreeMap;

use proptest::prelude::*;
use reelfarm_model::Pool;
use reelfarm_model::facts::{ContentKind, Part};
use reelfarm_priority::{Capacity, Queue, ReadyTask, Rules, TitleOrder, Want};

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
const NOW_MS: i64 = 10_000 * HOUR_MS;

#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Share in percent and minimum of each.
    pub(crate) routes: Vec<(u32, u32)>,
    pub(crate) slots: usize,
    pub(crate) titles: BTreeMap<u32, TitleOrder>,
    pub(crate) tasks: Vec<ReadyTask<u32, u32>>,
    pub(crate) now_ms: i64,
}

impl State {
    pub(crate) fn queue<'a>(&self, tasks: impl Iterator<Item = &'a ReadyTask<u32, u32>>) -> Queue<u32, u32> {
        let mut queue = Queue::new(rules(&self.routes));
        for (title, order) in &self.titles {
            queue.set_title(*title, *order, self.now_ms);
        }
        for task in tasks {
            queue.put(task.clone(), self.now_ms);
        }
        queue
    }

    pub(crate) fn task(&self, key: u32) -> &ReadyTask<u32, u32> {
        self.tasks.iter().find(|known| known.key == key).unwrap()
    }

    /// The titles that want a task.
    pub(crate) fn titles_of(&self, task: u32) -> impl Iterator<Item = &TitleOrder> {
        self.task(task).wants.iter().map(|want| &self.titles[&want.title])
    }

    /// Whether nothing but recodes wants a task.
    pub(crate) fn is_recode(&self, task: u32) -> bool {
        self.titles_of(task).all(|title| title.kind == ContentKind::Recode)
    }

    pub(crate) fn slots(&self) -> BTreeMap<Pool, Capacity> {
        let capacity = Capacity { total: self.slots, free: self.slots };
        BTreeMap::from([(Pool::Cpu, capacity), (Pool::Light, capacity)])
    }
}

pub(crate) fn rules(routes: &[(u32, u32)]) -> Rules {
    let shipped = reelfarm_priority::rules::BUILT_IN;
    let mut text = shipped.split("[[route]]").next().unwrap().to_owned();
    for (number, (share, minimum)) in routes.iter().enumerate() {
        text += &format!(
            "[[route]]\nname = \"r{number}\"\nshare_percent = {share}\n\
             minimum = {{ cpu = {minimum}, light = {minimum} }}\n"
        );
    }
    Rules::parse("generated", &text).unwrap()
}

fn orders(routes: usize) -> impl Strategy<Value = TitleOrder> {
    let kind = prop::sample::select(ContentKind::ALL.to_vec());
    let due = -300..2_000i64;
    (0..routes, kind, 0..20_000i64, due, 1..200i64, prop::bool::weighted(0.1)).prop_map(
        |(route, kind, age, due, path, expedited)| TitleOrder {
            route,
            kind,
            submitted_ms: NOW_MS - age * MINUTE_MS,
            required_by_ms: (!matches!(kind, ContentKind::Library | ContentKind::Recode))
                .then_some(NOW_MS + due * MINUTE_MS),
            path_ms: path * MINUTE_MS,
            expedited_ms: expedited.then_some(NOW_MS - age),
        },
    )
}

/// One to four routes whose shares are 100 together.
fn routes() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((1..100u32, 0..3u32), 1..5).prop_map(|drawn| {
        let together: u32 = drawn.iter().map(|(weight, _)| weight).sum();
        let mut routes: Vec<_> =
            drawn.iter().map(|(weight, minimum)| (weight * 100 / together, *minimum)).collect();
        let missing = 100 - routes.iter().map(|(share, _)| share).sum::<u32>();
        routes[0].0 += missing;
        routes
    })
}

/// States in which each task is wanted by one title.
pub(crate) fn states() -> impl Strategy<Value = State> {
    states_with(1)
}

/// States in which up to so many titles want a task; in two pools, some in a back-off.
pub(crate) fn states_with(most_wants: usize) -> impl Strategy<Value = State> {
    (routes(), 1..10usize).prop_flat_map(move |(routes, slots)| {
        let titles = prop::collection::vec(orders(routes.len()), 1..12);
        (titles, Just(routes), Just(slots)).prop_flat_map(move |(titles, routes, slots)| {
            let part = prop::sample::select(Part::ALL.to_vec());
            let want = (0..titles.len() as u32, 0..100i64, part);
            let wants = prop::collection::vec(want, 1..=most_wants);
            let age = prop_oneof![4 => 0..20_000i64, 1 => -60..0i64];
            let task = (wants, prop::sample::select(vec![Pool::Cpu, Pool::Light]), age);
            prop::collection::vec(task, 0..40).prop_map(move |drawn| {
                let tasks = drawn.into_iter().zip(0..).map(|((mut wants, pool, age), key)| {
                    wants.sort_by_key(|(title, ..)| *title);
                    wants.dedup_by_key(|(title, ..)| *title);
                    let wants = wants.into_iter();
                    ReadyTask {
                        key,
                        pool,
                        not_before_ms: NOW_MS - age * MINUTE_MS,
                        wants: wants
                            .map(|(title, tail, part)| Want { title, tail_ms: tail * MINUTE_MS, part })
                            .collect(),
                    }
                });
                State {
                    routes: routes.clone(),
                    slots,
                    titles: titles.iter().copied().enumerate().map(|(n, order)| (n as u32, order)).collect(),
                    tasks: tasks.collect(),
                    now_ms: NOW_MS,
                }
            })
        })
    })
}

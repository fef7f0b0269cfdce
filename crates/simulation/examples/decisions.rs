//! What a decision costs, and what the queue weighs, from a thousand ready tasks to a million: `scripts/bench policy`.
//!
//! The tasks are of titles of all kinds over 50 routes, with keys of 32 bytes as tasks have. A decision is timed as the
//! scheduler makes one: a slot becomes free, a task is chosen for it, and another becomes ready, so that the backlog stays as
//! large as it is; meanwhile the clock goes on, so that tasks change their bands.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that ends at the first thing that is wrong"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plotters::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reelfarm_model::facts::ContentKind;
use reelfarm_model::{Digest, Part, Pool, TaskKey};
use reelfarm_priority::{Capacity, Queue, ReadyTask, Route, Rules, TitleOrder, Want};

const ROUTES: usize = 50;
const SLOTS: usize = 1_000;
const TASKS_OF_A_TITLE: usize = 10;
const DECISIONS: usize = 20_000;
const MINUTE_MS: i64 = 60_000;

struct Measured {
    tasks: usize,
    fill: Duration,
    bytes_a_task: f64,
    /// Median, 99 of 100, and the longest.
    decision: [Duration; 3],
}

struct Load {
    random: StdRng,
    queue: Queue<Arc<str>, TaskKey>,
    now_ms: i64,
    tasks: usize,
}

fn main() {
    let svg = std::env::args().skip_while(|argument| argument != "--svg").nth(1);
    println!(
        "{:>9} {:>9} {:>12} {:>12} {:>12} {:>12}",
        "tasks", "fill, s", "bytes a task", "median, us", "99 %, us", "longest, us"
    );
    let mut all = Vec::new();
    for tasks in [1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000] {
        let measured = measure(tasks);
        let [half, most, longest] = measured.decision.map(|time| time.as_secs_f64() * 1e6);
        println!(
            "{tasks:>9} {:>9.2} {:>12.0} {half:>12.1} {most:>12.1} {longest:>12.1}",
            measured.fill.as_secs_f64(),
            measured.bytes_a_task
        );
        all.push(measured);
    }
    if let Some(path) = svg {
        plot(&path, &all);
    }
}

fn measure(tasks: usize) -> Measured {
    let before = resident();
    let mut load = Load {
        random: StdRng::seed_from_u64(1),
        queue: Queue::new(rules()),
        now_ms: 1_000_000 * MINUTE_MS,
        tasks: 0,
    };
    let start = Instant::now();
    while load.queue.len() < tasks {
        load.title();
    }
    let fill = start.elapsed();
    let bytes_a_task = resident().saturating_sub(before) as f64 / tasks as f64;
    let slots = |free| BTreeMap::from([(Pool::Cpu, Capacity { total: SLOTS, free })]);
    let mut at_work: Vec<TaskKey> = load
        .queue
        .decide(load.now_ms, &slots(SLOTS.min(tasks / 2)))
        .into_iter()
        .map(|decision| decision.key)
        .collect();
    let mut times: Vec<Duration> = (0..DECISIONS)
        .map(|_| {
            if load.queue.len() < tasks {
                load.title();
            }
            // A busy farm: a decision every 20 ms.
            load.now_ms += 20;
            let done = load.random.random_range(0..at_work.len());
            let start = Instant::now();
            load.queue.ended(&at_work[done]);
            let decision = load.queue.decide(load.now_ms, &slots(1)).pop().unwrap();
            let took = start.elapsed();
            at_work[done] = decision.key;
            took
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    Measured { tasks, fill, bytes_a_task, decision: [at(50), at(99), at(100)] }
}

impl Load {
    fn title(&mut self) {
        let kind = ContentKind::ALL[self.random.random_range(0..ContentKind::ALL.len())];
        let submitted_ms = self.now_ms - self.random.random_range(0..20_000) * MINUTE_MS;
        let dated = !matches!(kind, ContentKind::Library | ContentKind::Recode);
        let path_ms = self.random.random_range(10..200) * MINUTE_MS;
        let due_ms = self.now_ms + self.random.random_range(-100..5_000) * MINUTE_MS;
        let order = TitleOrder {
            route: self.random.random_range(0..ROUTES),
            kind,
            submitted_ms,
            required_by_ms: dated.then_some(due_ms),
            path_ms,
            expedited_ms: self.random.random_bool(0.001).then_some(self.now_ms),
        };
        let title: Arc<str> = format!("title-{:09}", self.tasks).into();
        self.queue.set_title(title.clone(), order, self.now_ms);
        for _ in 0..TASKS_OF_A_TITLE {
            self.tasks += 1;
            let tail_ms = self.random.random_range(1..=path_ms);
            let task = ReadyTask {
                key: TaskKey(Digest::of(&self.tasks.to_le_bytes())),
                pool: Pool::Cpu,
                not_before_ms: submitted_ms,
                wants: vec![Want { title: title.clone(), tail_ms, part: Part::Whole }],
            };
            self.queue.put(task, self.now_ms);
        }
    }
}

fn rules() -> Rules {
    let shipped = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
    let route = |number: usize| Route {
        name: format!("route-{number}").parse().unwrap(),
        share_percent: 2,
        minimum: BTreeMap::from([(Pool::Cpu, 5)]),
        expedites_per_day: 1,
    };
    shipped.with_routes("bench", (0..ROUTES).map(route).collect()).unwrap()
}

/// Memory of this process that is resident, in bytes (proc_pid_statm(5)).
fn resident() -> u64 {
    let statm = fs_err::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The decision against the logarithm of the backlog: what grows like the logarithm is a straight line.
fn plot(path: &str, all: &[Measured]) {
    let root = SVGBackend::new(path, (760, 380)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let highest = all.iter().map(|measured| measured.decision[1].as_secs_f64() * 1e6).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .caption("a decision, in microseconds, by ready tasks", ("sans-serif", 16))
        .margin(14)
        .x_label_area_size(34)
        .y_label_area_size(50)
        .build_cartesian_2d((900.0..1_200_000.0).log_scale(), 0.0..highest * 1.1)
        .unwrap();
    chart
        .configure_mesh()
        .x_label_formatter(&|tasks| format!("{tasks:.0}"))
        .light_line_style(TRANSPARENT)
        .draw()
        .unwrap();
    for (place, name, colour) in
        [(0, "median", RGBColor(0, 114, 178)), (1, "99 of 100", RGBColor(213, 94, 0))]
    {
        let points = || {
            all.iter().map(|measured| (measured.tasks as f64, measured.decision[place].as_secs_f64() * 1e6))
        };
        chart.draw_series([PathElement::new(points().collect::<Vec<_>>(), colour.stroke_width(2))]).unwrap();
        chart.draw_series(points().map(|point| Circle::new(point, 4, colour.filled()))).unwrap();
        let (tasks, time) = points().next_back().unwrap();
        chart
            .draw_series([Text::new(name, (tasks / 3.0, time + highest * 0.05), ("sans-serif", 13))])
            .unwrap();
    }
    root.present().unwrap();
}

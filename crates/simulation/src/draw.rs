//! One day of a workload, drawn with its seed: every title, when it comes, what is true of it, and what it will take.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reelfarm_model::Pool;
use reelfarm_model::facts::{ContentKind, Facts};
use reelfarm_priority::{Rules, due};

use crate::MINUTE_MS;
use crate::workload::{Titles, Work, Workload, WorkloadError};

/// A day: its titles in the order of arrival.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The titles.
    pub titles: Vec<DrawnTitle>,
}

/// A title of a day. Times are milliseconds from the start of the day.
#[derive(Clone, Debug)]
pub struct DrawnTitle {
    /// For what it is made.
    pub kind: ContentKind,
    /// Whose it is.
    pub route: usize,
    /// When it is submitted.
    pub arrives_ms: i64,
    /// When it must be online.
    pub required_by_ms: Option<i64>,
    /// The level that people gave it.
    pub level: u32,
    /// The level that they give it where everything is urgent.
    pub inflated_level: u32,
    film_min: f64,
    seed: u64,
}

/// A task of a title: it comes after those that it needs.
#[derive(Clone, Debug)]
pub struct DrawnTask {
    /// Its pool.
    pub pool: Pool,
    /// How long it is expected to take.
    pub estimate_ms: i64,
    /// How long it takes.
    pub takes_ms: i64,
    /// The tasks that must be done before, by their places.
    pub needs: Vec<u32>,
    /// The estimated length of the critical path from its start to the end of the title.
    pub tail_ms: i64,
}

impl DrawnTitle {
    /// What must be done for it. Drawn anew each time, and the same each time: a day may have millions of tasks.
    pub fn tasks(&self, workload: &Workload) -> Vec<DrawnTask> {
        let mut random = StdRng::seed_from_u64(self.seed);
        tasks(&workload.work, self.film_min, workload.estimate_error, &mut random)
    }
}

/// Draws a day.
///
/// # Errors
/// What is true of a title cannot be.
pub fn draw(file: &str, workload: &Workload, rules: &Rules) -> Result<Drawn, WorkloadError> {
    let mut random = StdRng::seed_from_u64(workload.seed);
    let highest = workload.titles.iter().map(|titles| titles.level).max().unwrap_or(0);
    let lowest = workload.titles.iter().map(|titles| titles.level).min().unwrap_or(0);
    let mut titles = Vec::new();
    for group in &workload.titles {
        for number in 0..group.count {
            let arrives_ms = to_ms(group.first_min + f64::from(number / group.batch) * group.every_min);
            let inflated = group.level > lowest && random.random_range(0..100) < workload.inflation_percent;
            let required_by_ms = required_by(file, rules, group, arrives_ms, &mut random)?;
            let film_min = between(group.film_min, &mut random);
            titles.push(DrawnTitle {
                film_min,
                seed: random.random(),
                kind: group.kind,
                route: rules.route(Some(&group.route)).unwrap_or(0),
                arrives_ms,
                required_by_ms,
                level: group.level,
                inflated_level: if inflated { highest } else { group.level },
            });
        }
    }
    titles.sort_by_key(|title| title.arrives_ms);
    Ok(Drawn { titles })
}

fn required_by(
    file: &str,
    rules: &Rules,
    group: &Titles,
    arrives_ms: i64,
    random: &mut StdRng,
) -> Result<Option<i64>, WorkloadError> {
    let air_ms = group.air_after_min.map(|range| arrives_ms + to_ms(between(range, random)));
    let facts = Facts {
        kind: group.kind,
        // A day begins in 1970: only distances matter.
        air_at: air_ms.and_then(chrono::DateTime::from_timestamp_millis),
        route: Some(group.route.clone()),
        ..Facts::default()
    };
    let contradiction = |reason| WorkloadError::Contradiction { file: file.to_owned(), reason };
    Ok(due(rules, &facts, &[], arrives_ms).map_err(|error| contradiction(error.to_string()))?.required_by_ms)
}

/// The tasks of a title, as the farm plans them.
fn tasks(work: &Work, film_min: f64, error: f64, random: &mut StdRng) -> Vec<DrawnTask> {
    let mut tasks: Vec<DrawnTask> = Vec::new();
    let mut add = |pool, minutes: f64, needs: Vec<u32>| {
        let estimate = minutes + work.overhead_min;
        let task = DrawnTask {
            pool,
            estimate_ms: to_ms(estimate).max(1),
            takes_ms: to_ms(estimate * (error * normal(random)).exp()).max(1),
            needs,
            tail_ms: 0,
        };
        tasks.push(task);
        tasks.len() as u32 - 1
    };
    let fingerprint = add(Pool::Light, work.fingerprint * film_min, Vec::new());
    let qc = add(Pool::Cpu, work.qc * film_min, vec![fingerprint]);
    let chunks = (film_min / work.chunk_min).ceil().max(1.0) as u32;
    let chunk = film_min / f64::from(chunks) * work.encode;
    let mut encoded: Vec<u32> = (0..chunks).map(|_| add(Pool::Cpu, chunk, vec![qc])).collect();
    encoded.push(add(Pool::Cpu, work.audio * film_min, vec![qc]));
    let packaged: Vec<u32> =
        (0..work.media_sets).map(|_| add(Pool::Package, work.package * film_min, encoded.clone())).collect();
    let verified: Vec<u32> =
        packaged.iter().map(|set| add(Pool::Light, work.verify * film_min, vec![*set])).collect();
    let uploaded: Vec<u32> =
        packaged.iter().map(|_| add(Pool::Light, work.upload * film_min, verified.clone())).collect();
    add(Pool::Light, 0.0, uploaded);
    for task in (0..tasks.len()).rev() {
        // Those that need it come after it, and have raised this to the longest of their tails.
        tasks[task].tail_ms += tasks[task].estimate_ms;
        let tail_ms = tasks[task].tail_ms;
        for need in tasks[task].needs.clone() {
            let need = &mut tasks[need as usize].tail_ms;
            *need = tail_ms.max(*need);
        }
    }
    tasks
}

fn between([from, to]: [f64; 2], random: &mut StdRng) -> f64 {
    from + (to - from) * random.random::<f64>()
}

/// A number of the standard normal distribution (Box and Muller).
fn normal(random: &mut StdRng) -> f64 {
    let (radius, angle) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn to_ms(minutes: f64) -> i64 {
    (minutes * MINUTE_MS as f64).round() as i64
}

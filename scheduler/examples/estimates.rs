//! How good the estimates of tasks were in a real farm: `estimates DATABASE [SKIPPED]`. Each run is estimated from those alone
//! that had ended when it began, as the scheduler does; the first `SKIPPED` of them, 50 where nothing is said, are history.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that ends at the first thing that is wrong"
)]

use std::collections::BTreeMap;

use reelfarm_priority::estimate::Estimator;
use reelfarm_scheduler::estimates::{expected, learn};
use reelfarm_store::{FinishedRun, SqliteStore, Store as _};

/// One estimate and what came of it, in milliseconds.
#[derive(Clone, Copy)]
struct Judged {
    expected_ms: i64,
    most_ms: i64,
    took_ms: i64,
}

fn row(name: &str, judged: &[Judged]) -> String {
    let mut errors: Vec<f64> = judged
        .iter()
        .map(|one| (one.expected_ms - one.took_ms).abs() as f64 / one.took_ms.max(1) as f64 * 100.0)
        .collect();
    errors.sort_by(f64::total_cmp);
    let held = judged.iter().filter(|one| one.took_ms <= one.most_ms).count();
    let share = held as f64 / judged.len() as f64 * 100.0;
    let mut took: Vec<i64> = judged.iter().map(|one| one.took_ms).collect();
    took.sort_unstable();
    let whole_ms: i64 = took.iter().sum();
    format!(
        "| {name} | {} | {} | {:.1} | {:.1} | {share:.1} |",
        judged.len(),
        took[took.len() / 2],
        whole_ms as f64 / 1e3,
        errors[errors.len() / 2]
    )
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().unwrap();
    let skipped: usize = arguments.next().map_or(50, |text| text.parse().unwrap());
    let store = SqliteStore::open_read_only(database.as_ref()).await.unwrap();
    let mut runs = store.finished_runs(usize::MAX).await.unwrap();
    runs.sort_by_key(|run| run.finished_ms - run.took_ms);
    let mut ended: Vec<&FinishedRun> = runs.iter().collect();
    ended.sort_by_key(|run| run.finished_ms);
    let (mut estimator, mut learned) = (Estimator::default(), 0);
    let mut kinds: BTreeMap<&str, Vec<Judged>> = BTreeMap::new();
    let mut all = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let begun_ms = run.finished_ms - run.took_ms;
        while let Some(before) = ended.get(learned).filter(|before| before.finished_ms <= begun_ms) {
            learn(&mut estimator, &before.task, before.source.as_ref(), &before.worker, before.took_ms);
            learned += 1;
        }
        if place < skipped {
            continue;
        }
        let estimate = expected(&estimator, &run.task, run.source.as_ref());
        let judged =
            Judged { expected_ms: estimate.expected_ms, most_ms: estimate.most_ms, took_ms: run.took_ms };
        kinds.entry(run.task.spec.kind().as_str()).or_default().push(judged);
        all.push(judged);
    }
    println!("| task | runs | median, ms | together, s | median error, % | below the predicted p90, % |");
    println!("|---|---|---|---|---|---|");
    for (kind, judged) in &kinds {
        println!("{}", row(kind, judged));
    }
    println!("{}", row("**all**", &all));
}

//! How soon a film of two hours is online on farms of 1 to 256 workers of one thread: `scripts/bench scale`.
//!
//! `scale NAME=MINUTES… [--svg FILE]`, with the minutes of a worker that a minute of film takes, by the names of
//! [`Work`](reelfarm_simulation::workload::Work).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that ends at the first thing that is wrong"
)]

use std::collections::BTreeMap;

use plotters::prelude::*;
use reelfarm_model::Pool;
use reelfarm_priority::Rules;
use reelfarm_simulation::draw::draw;
use reelfarm_simulation::workload::Hosts;
use reelfarm_simulation::{Contender, Workload, simulate};

const FILM_MINUTES: u32 = 120;
const CHUNK_MINUTES: f64 = 0.5;
const WORKERS: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

struct Point {
    workers: u32,
    /// Until the film is encoded, and until it is online, from its submission.
    encoded_min: f64,
    online_min: f64,
}

/// The minutes of a point, beside the first one.
type Line = fn(&Point, &Point) -> f64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let svg = arguments.iter().skip_while(|argument| *argument != "--svg").nth(1);
    let work: BTreeMap<&str, f64> = arguments
        .iter()
        .filter_map(|argument| argument.split_once('='))
        .map(|(name, minutes)| (name, minutes.parse().unwrap()))
        .collect();
    let points = WORKERS.map(|workers| point(&work, workers));
    println!("A film of {FILM_MINUTES} minutes in chunks of half a minute, simulated:\n");
    println!(
        "| workers | encoded after, min | online after, min | of one worker's | of the ideal |\n|---|---|---|---|---|"
    );
    let first = &points[0];
    for Point { workers, encoded_min, online_min } in &points {
        let gain = first.online_min / online_min;
        println!(
            "| {workers} | {encoded_min:.1} | {online_min:.1} | {gain:.1} | {:.0} % |",
            gain / f64::from(*workers) * 100.0
        );
    }
    if let Some(path) = svg {
        plot(path, &points);
    }
}

fn point(work: &BTreeMap<&str, f64>, workers: u32) -> Point {
    let text = format!(
        "name = \"scale\"\nabout = \"\"\nseed = 1\nestimate_error = 0\ninflation_percent = 0\n\
         [work]\nfingerprint = {}\nqc = {}\nencode = {}\naudio = {}\npackage = {}\nverify = {}\nupload = {}\n\
         chunk_min = {CHUNK_MINUTES}\nmedia_sets = 1\noverhead_min = 0\n\
         [[host]]\ncount = 1\nslots = {{ cpu = 1, package = 1, light = 1 }}\n\
         [[route]]\nname = \"content\"\nshare_percent = 100\nminimum = {{ cpu = 0, package = 0, light = 0 }}\n\
         [[titles]]\nkind = \"library\"\nroute = \"content\"\ncount = 1\nfirst_min = 0\n\
         film_min = [{FILM_MINUTES}, {FILM_MINUTES}]\nlevel = 1\n",
        work["fingerprint"],
        work["qc"],
        work["encode"],
        work["audio"],
        work["package"],
        work["verify"],
        work["upload"]
    );
    let mut workload = Workload::parse("scale", &text).unwrap();
    let of_each = [Pool::Cpu, Pool::Package, Pool::Light].map(|pool| (pool, 1));
    workload.host = vec![Hosts { count: workers, slots: of_each.into() }];
    let shipped = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
    let rules = workload.rules("scale", &shipped).unwrap();
    let drawn = draw("scale", &workload, &rules).unwrap();
    let outcome = simulate(&workload, &rules, &drawn, Contender::Ours);
    let tasks = drawn.titles[0].tasks(&workload);
    let encodes = outcome.starts.iter().filter(|start| tasks[start.place as usize].pool == Pool::Cpu);
    let minutes = |ms: i64| ms as f64 / 60_000.0;
    Point {
        workers,
        encoded_min: minutes(encodes.map(|start| start.ends_ms).max().unwrap()),
        online_min: minutes(outcome.online_ms[0]),
    }
}

fn plot(path: &str, points: &[Point]) {
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let most = points[0].online_min * 1.3;
    let least = points.last().unwrap().encoded_min / 2.0;
    let mut chart = ChartBuilder::on(&root)
        .caption("A film of two hours", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((1f64..256.0).log_scale().base(2.0), (least..most).log_scale())
        .unwrap();
    chart.configure_mesh().x_desc("workers of one thread").y_desc("minutes").draw().unwrap();
    let x = |point: &Point| f64::from(point.workers);
    let lines: [(&str, RGBColor, Line); 3] = [
        ("online", BLUE, |point, _| point.online_min),
        ("encoded", RED, |point, _| point.encoded_min),
        ("a share for each worker, and nothing else", RGBColor(150, 150, 150), |point, first| {
            first.online_min / f64::from(point.workers)
        }),
    ];
    for (name, colour, y) in lines {
        let line: Vec<_> = points.iter().map(|point| (x(point), y(point, &points[0]))).collect();
        chart
            .draw_series([PathElement::new(line, colour)])
            .unwrap()
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw().unwrap();
    root.present().unwrap();
}

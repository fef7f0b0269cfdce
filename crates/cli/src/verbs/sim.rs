//! `reelfarm sim`: a day on a farm under the scheduler's own rules and under others, without a farm.

use std::path::{Path, PathBuf};

use clap::Args;
use reelfarm_model::{Code, Failure};
use reelfarm_simulation::shipped::{self, WORKLOADS};
use reelfarm_simulation::{Contender, Outcome, Report, Workload, draw, picture, simulate, timeline};

use crate::arguments::Json;
use crate::config::{Project, order_rules};
use crate::exit::Exit;
use crate::printer::Printer;

/// `reelfarm sim`.
#[derive(Debug, Args)]
pub struct Sim {
    /// A workload that comes with the program, or the path of a workload file. Without it, those that come with the program
    /// are listed.
    #[arg(value_name = "WORKLOAD")]
    pub workload: Option<String>,
    /// The policies to compare: ours, fifo, static, static-inflated, edf [default: all].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub policy: Vec<Contender>,
    /// A file of rules in place of the farm's own (`order` of reelfarm.toml, or those that come with the program). Its routes
    /// are not used: a workload has its own.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// The same day on a farm so many times as large, with as many times the titles.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub scale: u32,
    /// Another day of the same workload [default: the workload's].
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Write a picture (SVG) to this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Show as well how each title with a deadline fared, under the first of the policies.
    #[arg(long, conflicts_with = "json")]
    pub timeline: bool,
    #[command(flatten)]
    pub json: Json,
}

/// Runs a workload under each policy.
pub async fn run(verb: Sim, printer: &Printer) -> Result<Exit, Failure> {
    let Some(name) = &verb.workload else {
        list(&verb, printer)?;
        return Ok(Exit::Done);
    };
    let (file, mut workload) = workload(name)?;
    workload.seed = verb.seed.unwrap_or(workload.seed);
    let workload = workload.scaled(verb.scale);
    let rules = match &verb.rules {
        Some(path) => order_rules(Some(path))?,
        None => Project::load()?.order_rules()?,
    };
    let policies = if verb.policy.is_empty() { Contender::ALL.to_vec() } else { verb.policy.clone() };
    let (report, days, lines) = tokio::task::spawn_blocking(move || {
        let rules = workload.rules(&file, &rules).map_err(refused)?;
        let drawn = draw::draw(&file, &workload, &rules).map_err(refused)?;
        let day = |policy| (policy, simulate(&workload, &rules, &drawn, policy));
        let days: Vec<(Contender, Outcome)> = policies.into_iter().map(day).collect();
        let lines = days.first().map(|(policy, outcome)| timeline::timeline(&drawn, *policy, outcome));
        Ok::<_, Failure>((Report::new(&workload, &rules, &drawn, &days), days, lines))
    })
    .await
    .map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
    if let Some(path) = &verb.svg {
        draw_to(path, &report, &days)?;
        printer.line(&format!("{} is the picture", path.display()));
    }
    if verb.json.json {
        printer.json(&report);
        return Ok(Exit::Done);
    }
    printer.data(&report.text());
    if let Some(lines) = lines.filter(|_| verb.timeline) {
        printer.data(&format!("\n{lines}"));
    }
    Ok(Exit::Done)
}

fn list(verb: &Sim, printer: &Printer) -> Result<(), Failure> {
    let all: Result<Vec<_>, Failure> =
        WORKLOADS.iter().map(|(name, _)| Ok((*name, workload(name)?.1))).collect();
    let all = all?;
    if verb.json.json {
        let named = |(name, workload): &(&str, Workload)| serde_json::json!({ "name": name, "about": workload.about });
        printer.json(&all.iter().map(named).collect::<Vec<_>>());
        return Ok(());
    }
    for (name, workload) in &all {
        printer.data(&format!("{name:<14} {}", workload.about));
    }
    Ok(())
}

/// A workload by name or file, with what errors call it.
fn workload(name: &str) -> Result<(String, Workload), Failure> {
    let (file, text) = if name.contains('/') || name.ends_with(".toml") {
        let text = fs_err::read_to_string(name)
            .map_err(|error| Failure::new(Code::WorkloadInvalid, error.to_string()))?;
        (name.to_owned(), text)
    } else {
        let text = shipped::text(name).ok_or_else(|| {
            let names: Vec<_> = WORKLOADS.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            Failure::new(
                Code::UnknownName,
                format!(
                    "no workload is called {name:?}; there are {names}, or name a workload file (*.toml)"
                ),
            )
        })?;
        (format!("{name}.toml"), text.to_owned())
    };
    let workload = Workload::parse(&file, &text).map_err(refused)?;
    Ok((file, workload))
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::WorkloadInvalid, error.to_string())
}

fn draw_to(path: &Path, report: &Report, days: &[(Contender, Outcome)]) -> Result<(), Failure> {
    let svg =
        picture::picture(report, days).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    fs_err::write(path, svg).map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))
}

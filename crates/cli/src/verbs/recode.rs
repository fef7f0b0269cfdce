//! `reelfarm recode`: a changed ladder over all titles that were made with it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use reelfarm_api::{LadderRequest, ListQuery, PlanPreview, PlanRequest, RecodeRequest, TitlePage};
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{Code, Failure, Ladder, Pool, Title, TitleState};
use reelfarm_scheduler::api::recoded;
use reelfarm_telemetry::metrics::Metrics;
use serde::Serialize;

use super::plan::{idle_farm, summary, time};
use super::watch::{End, Watch};
use super::{report, submit};
use crate::arguments::{Json, State};
use crate::client::{Client, FarmArguments};
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::{self, Farm};
use crate::printer::Printer;
use crate::signals::Signals;

/// Titles that are asked for at once.
const PAGE: u32 = 1000;

/// `reelfarm recode`.
#[derive(Debug, Args)]
pub struct Recode {
    /// Only these titles [default: all that are online and were made with a ladder of that name].
    #[arg(value_name = "TITLE")]
    pub titles: Vec<String>,
    /// The ladder as it is now: a name, or the path of a ladder file here.
    #[arg(long, value_name = "NAME")]
    pub ladder: String,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Content keys for titles that got theirs from such a file; without a farm behind the call.
    #[arg(long, env = "REELFARM_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// How many tasks of each pool at once; without a farm behind the call [default: what fits the processors].
    #[arg(long, env = "REELFARM_SLOTS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub slots: Option<u16>,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// What would be done for a title, or that it was submitted.
#[derive(Serialize)]
struct Line {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanPreview>,
    /// Whether it was submitted.
    submitted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// Recodes what the ladder changes, or shows what that would be.
pub async fn run(verb: Recode, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    match verb.farm.connect(&project)? {
        Some(client) => at_farm(&verb, &client, printer).await,
        None => here(verb, &project, printer).await,
    }
}

async fn at_farm(verb: &Recode, client: &Client, printer: &Printer) -> Result<Exit, Failure> {
    let ladder = submit::ladder(&verb.ladder)?;
    // The farm's ladders are known by the names that they have themselves.
    let name = match &ladder {
        LadderRequest::Name(name) => name.clone(),
        LadderRequest::Text(text) => ladder_name(&verb.ladder, text)?,
    };
    let mut lines = Vec::new();
    for title in chosen(online_at(client).await?, verb, &name)? {
        let id = title.submission.title.as_str();
        let request = PlanRequest { ladder: Some(ladder.clone()), ..PlanRequest::default() };
        let planned: Result<PlanPreview, Failure> = client.post(&["titles", id, "plan"], &request).await;
        let mut line = Line { title: id.to_owned(), plan: None, submitted: false, failure: None };
        match planned {
            Ok(plan) if !verb.dry_run && plan.to_run().next().is_some() => {
                let request = RecodeRequest { ladder: ladder.clone() };
                match client.post::<Title>(&["titles", id, "recode"], &request).await {
                    Ok(_) => line.submitted = true,
                    Err(failure) => line.failure = Some(failure),
                }
                line.plan = Some(plan);
            }
            Ok(plan) => line.plan = Some(plan),
            Err(failure) => line.failure = Some(failure),
        }
        lines.push(line);
    }
    Ok(print(&lines, verb, printer))
}

async fn online_at(client: &Client) -> Result<Vec<Title>, Failure> {
    let mut query = ListQuery {
        state: Some(TitleState::Published.as_str().to_owned()),
        prefix: None,
        contains: None,
        limit: Some(PAGE),
        cursor: None,
    };
    let mut titles = Vec::new();
    loop {
        let mut page: TitlePage = client.get(&["titles"], &query).await?;
        titles.append(&mut page.titles);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(titles),
        }
    }
}

async fn here(verb: Recode, project: &Project, printer: &Printer) -> Result<Exit, Failure> {
    let (text, ladder) = project.ladder(Some(&verb.ladder))?;
    let Some(farm) = idle_farm(project, &verb.state).await? else {
        let message =
            "no title has been made here yet; `reelfarm run FILE` makes one, --state names another folder";
        return Err(Failure::new(Code::TitleNotFound, message));
    };
    let planned = planned_here(&verb, &farm, &text, &ladder.name).await;
    farm.stop().await;
    let (lines, submissions) = planned?;
    if verb.dry_run || submissions.is_empty() {
        return Ok(print(&lines, &verb, printer));
    }
    make(&verb, project, submissions, printer).await
}

/// What would be done, and the submissions by which it is.
async fn planned_here(
    verb: &Recode,
    farm: &Farm,
    ladder: &LadderText,
    name: &str,
) -> Result<(Vec<Line>, Vec<Submission>), Failure> {
    let mut online = farm.store.titles().await?;
    online.retain(|title| title.state == TitleState::Published);
    let (mut lines, mut submissions) = (Vec::new(), Vec::new());
    for title in chosen(online, verb, name)? {
        let id = title.submission.title.to_string();
        let submission = Submission { ladder: ladder.clone(), tools: farm.tools.clone(), ..recoded(title)? };
        let mut line = Line { title: id, plan: None, submitted: false, failure: None };
        match farm.handle.preview(submission.clone()).await {
            Ok(plan) => {
                if plan.to_run().next().is_some() {
                    submissions.push(submission);
                }
                line.plan = Some(plan);
            }
            Err(failure) => line.failure = Some(failure),
        }
        lines.push(line);
    }
    Ok((lines, submissions))
}

/// Makes titles anew in this process, as `reelfarm run` makes them.
async fn make(
    verb: &Recode,
    project: &Project,
    submissions: Vec<Submission>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let state = project.state(verb.state.state.as_ref());
    let (profiles, slots) = (super::profile_list(project)?, farm::slots(&Pool::ALL, verb.slots));
    let mut farm = Farm::start(&state, project, profiles, verb.keys.as_deref(), slots, metrics).await?;
    let mut watch = Watch::new(&farm, printer);
    for submission in submissions {
        watch.submit(&farm, submission.source.path.clone(), submission).await;
    }
    let mut end = watch.until_all_have_ended(&mut farm, &mut signals).await;
    if let End::Signal(_) = end {
        printer.line("stopping; a second signal ends at once. Run the same command again to go on.");
    }
    tokio::select! {
        () = farm.stop() => {}
        exit = signals.next() => end = End::Signal(exit),
    }
    let outcomes = watch.into_outcomes();
    report::print(&outcomes, verb.json.json, verb.state.state.as_deref(), printer);
    let exit = outcomes.iter().map(report::Outcome::exit).fold(Exit::Done, Exit::worst);
    Ok(match end {
        End::Finished => exit,
        End::Signal(signal) => signal,
        End::Broken(failure) => {
            printer.failure(None, &failure);
            exit.worst(Exit::of(&failure))
        }
    })
}

/// The titles to look at: those that are named, or all that were made with a ladder of this name.
fn chosen(online: Vec<Title>, verb: &Recode, name: &str) -> Result<Vec<Title>, Failure> {
    let is_named = |title: &Title| verb.titles.iter().any(|named| named == title.submission.title.as_str());
    if let Some(missing) = verb
        .titles
        .iter()
        .find(|named| !online.iter().any(|title| title.submission.title.as_str() == **named))
    {
        let message = format!(
            "no title called {missing} is online; `reelfarm status {missing}` says where it stands, and `reelfarm submit` with \
             --ladder makes what is not online yet"
        );
        return Err(Failure::new(Code::TitleNotFound, message));
    }
    let was_made_with = |title: &Title| {
        let LadderText { file, text } = &title.submission.ladder;
        Ladder::parse(file, text).is_ok_and(|ladder| ladder.name == name)
    };
    let is_chosen =
        |title: &Title| if verb.titles.is_empty() { was_made_with(title) } else { is_named(title) };
    Ok(online.into_iter().filter(is_chosen).collect())
}

fn ladder_name(file: &str, text: &str) -> Result<String, Failure> {
    let ladder = Ladder::parse(file, text);
    ladder.map(|ladder| ladder.name).map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))
}

fn print(lines: &[Line], verb: &Recode, printer: &Printer) -> Exit {
    if verb.json.json {
        printer.json(&lines);
    }
    let mut exit = Exit::Done;
    for line in lines {
        if let Some(failure) = &line.failure {
            printer.failure(Some(&line.title), failure);
            exit = exit.worst(Exit::of(failure));
        } else if let (Some(plan), false) = (&line.plan, verb.json.json) {
            let submitted = if line.submitted { "submitted; " } else { "" };
            printer.data(&format!("{:<32} {submitted}{}", line.title, summary(plan)));
        }
    }
    if !verb.json.json {
        printer.line(&total(lines, &verb.ladder));
    }
    exit
}

fn total(lines: &[Line], ladder: &str) -> String {
    if lines.is_empty() {
        return format!("no title that is online was made with the ladder {ladder}");
    }
    let plans = || lines.iter().filter_map(|line| line.plan.as_ref());
    let changed = plans().filter(|plan| plan.to_run().next().is_some()).count();
    let mut work_ms: BTreeMap<Pool, i64> = BTreeMap::new();
    for (pool, ms) in plans().flat_map(|plan| &plan.work_ms) {
        *work_ms.entry(*pool).or_default() += ms;
    }
    let work: Vec<_> =
        work_ms.iter().map(|(pool, ms)| format!("{} of {}", time(*ms), pool.as_str())).collect();
    let kept = plans().count() - changed;
    if changed == 0 {
        return format!("none of {kept} titles would change");
    }
    format!("{changed} of {} titles would change: {}", changed + kept, work.join(", "))
}

//! `reelfarm recode`: a changed ladder over all titles that were made with it.
//!
//! Promises: what was told of a title was done; a call that was stopped is taken up by the same call again, because titles on
//! their way to the ladder are among those that it looks at.

mod tally;

use std::path::{Path, PathBuf};

use clap::Args;
use futures::{StreamExt as _, stream};
use reelfarm_api::{
    LadderRequest, ListQuery, PlanPreview, PlanRequest, RecodeRequest, TitlePage, TitleStatus,
};
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{Code, Failure, Ladder, Pool, Title, TitleState};
use reelfarm_scheduler::Recoding;
use reelfarm_telemetry::metrics::Metrics;

use self::tally::{Line, State as LineState, Tally, Work};
use super::plan::idle_farm;
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
const PAGE: u32 = 200;
/// Titles of which storage is looked at at a time.
const AT_ONCE: usize = 4;

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
    #[arg(long, env = "REELFARM_KEYS_FILE", value_name = "FILE")]
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
    let mut signals = listen()?;
    let mut tally = Tally::new(printer, verb.json.json);
    let ended = tokio::select! {
        ended = all_at_farm(verb, client, &ladder, &mut tally) => ended.map(|()| None),
        exit = signals.next() => Ok(Some(exit)),
    };
    let ended = match ended {
        // What was done is told; where nothing was, the failure alone is.
        Err(failure) if tally.is_empty() => return Err(failure),
        ended => ended,
    };
    let exit = tally.end(&verb.ladder);
    match ended? {
        None => Ok(exit),
        Some(signal) => {
            printer.line("stopped; what was submitted goes on, and the same command goes on with the rest");
            Ok(signal)
        }
    }
}

/// Looks at all titles that are chosen, a page at a time.
///
/// # Errors
/// The farm cannot be reached, or does not let this caller; what cannot be done of a title goes into the tally.
async fn all_at_farm(
    verb: &Recode,
    client: &Client,
    ladder: &LadderRequest,
    tally: &mut Tally<'_>,
) -> Result<(), Failure> {
    // The farm's ladders are known by the names that they have themselves.
    let name = match ladder {
        LadderRequest::Name(name) => name.clone(),
        LadderRequest::Text(text) => ladder_name(&verb.ladder, text)?,
    };
    for named in &verb.titles {
        let line = match client.get::<TitleStatus>(&["titles", named], &()).await {
            Ok(status) if Recoding::is_open_to(&status.title) => {
                one_at_farm(verb, client, ladder, status.title).await?
            }
            Ok(_) => Line::refused(named, not_online(named)),
            Err(failure) if failure.code == Code::TitleNotFound => Line::refused(named, not_online(named)),
            Err(failure) => of_one(named, failure)?,
        };
        tally.take(line);
    }
    let mut query = ListQuery { state: None, prefix: None, contains: None, limit: Some(PAGE), cursor: None };
    while verb.titles.is_empty() {
        let page: TitlePage = client.get(&["titles"], &query).await?;
        let chosen = recodable(page.titles, &name, tally);
        let mut looks =
            stream::iter(chosen).map(|title| one_at_farm(verb, client, ladder, title)).buffered(AT_ONCE);
        while let Some(line) = looks.next().await {
            tally.take(line?);
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok(())
}

async fn one_at_farm(
    verb: &Recode,
    client: &Client,
    ladder: &LadderRequest,
    title: Title,
) -> Result<Line, Failure> {
    let id = title.submission.title.as_str();
    let request = PlanRequest { ladder: Some(ladder.clone()), ..PlanRequest::default() };
    let planned: Result<PlanPreview, Failure> = client.post(&["titles", id, "plan"], &request).await;
    let line = planned_line(&title, planned, verb.dry_run);
    if verb.dry_run || !matches!(line.state, LineState::WouldChange | LineState::UnderWay) {
        return line.failure.clone().map_or(Ok(line), |failure| of_one(id, failure));
    }
    let request = RecodeRequest { ladder: ladder.clone() };
    match client.post::<Title>(&["titles", id, "recode"], &request).await {
        Ok(taken) if taken.generation == title.generation => Ok(Line { state: LineState::UnderWay, ..line }),
        Ok(_) => Ok(Line { state: LineState::Submitted, ..line }),
        Err(failure) => of_one(id, failure),
    }
}

/// A title of which this failed, unless nothing else would succeed either.
fn of_one(title: &str, failure: Failure) -> Result<Line, Failure> {
    match failure.code {
        Code::FarmUnreachable | Code::TokenRefused | Code::ScopeTooSmall => Err(failure),
        _ => Ok(Line::refused(title, failure)),
    }
}

async fn here(verb: Recode, project: &Project, printer: &Printer) -> Result<Exit, Failure> {
    let (text, ladder) = project.ladder(Some(&verb.ladder))?;
    let Some(farm) = idle_farm(project, &verb.state, verb.keys.as_deref()).await? else {
        let message =
            "no title has been made here yet; `reelfarm run FILE` makes one, --state names another folder";
        return Err(Failure::new(Code::TitleNotFound, message));
    };
    let mut tally = Tally::new(printer, verb.json.json);
    let planned = planned_here(&verb, &farm, &text, &ladder.name, &mut tally).await;
    farm.stop().await;
    let planned = planned?;
    if verb.dry_run || planned.iter().all(|title| title.submission.is_none()) {
        planned.into_iter().for_each(|title| tally.take(title.line));
        return Ok(tally.end(&verb.ladder));
    }
    make(&verb, project, planned, printer).await
}

/// What becomes of a title, with the submission by which it does; there is none where it cannot be recoded, or stays as it is.
struct Planned {
    line: Line,
    submission: Option<Submission>,
}

async fn planned_here(
    verb: &Recode,
    farm: &Farm,
    ladder: &LadderText,
    name: &str,
    tally: &mut Tally<'_>,
) -> Result<Vec<Planned>, Failure> {
    let mut titles = farm.store.titles().await?;
    let mut planned = Vec::new();
    let chosen = if verb.titles.is_empty() {
        recodable(titles, name, tally)
    } else {
        titles.retain(|title| {
            let is_named = verb.titles.iter().any(|named| named == title.submission.title.as_str());
            is_named && Recoding::is_open_to(title)
        });
        let is_there =
            |named: &&String| titles.iter().any(|title| title.submission.title.as_str() == **named);
        let missing = verb.titles.iter().filter(|named| !is_there(named));
        planned.extend(
            missing.map(|named| Planned { line: Line::refused(named, not_online(named)), submission: None }),
        );
        titles
    };
    for title in chosen {
        let submission = match Recoding::of(title.clone(), ladder.clone(), farm.tools.clone())? {
            Recoding::Submit(submission) => *submission,
            Recoding::Stands(title) => title.submission,
        };
        let line = planned_line(&title, farm.handle.preview(submission.clone()).await, verb.dry_run);
        let stays = matches!(line.state, LineState::Unchanged | LineState::Refused);
        planned.push(Planned { line, submission: (!stays).then_some(submission) });
    }
    Ok(planned)
}

/// Makes titles anew in this process, as `reelfarm run` makes them.
async fn make(
    verb: &Recode,
    project: &Project,
    planned: Vec<Planned>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut signals = listen()?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let state = project.state(verb.state.state.as_ref());
    let (profiles, slots) = (super::profile_list(project)?, farm::slots(&Pool::ALL, verb.slots));
    let mut farm = Farm::start(&state, project, profiles, verb.keys.as_deref(), slots, metrics).await?;
    let mut watch = Watch::new(&farm, printer);
    let mut outcomes = Vec::new();
    for Planned { line, submission } in planned {
        match (submission, line.failure) {
            (Some(submission), _) => {
                watch.submit(&farm, submission.source.path.clone(), submission).await;
            }
            (None, Some(failure)) => {
                printer.failure(Some(&line.title), &failure);
                outcomes.push(report::Outcome::refused(Path::new(""), Some(line.title), failure));
            }
            (None, None) => printer.line(&format!("{}: nothing would run", line.title)),
        }
    }
    let mut end = watch.until_all_have_ended(&mut farm, &mut signals).await;
    if let End::Signal(_) = end {
        printer.line("stopping; a second signal ends at once. Run the same command again to go on.");
    }
    tokio::select! {
        () = farm.stop() => {}
        exit = signals.next() => end = End::Signal(exit),
    }
    outcomes.extend(watch.into_outcomes());
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

fn listen() -> Result<Signals, Failure> {
    Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))
}

/// Those of some titles that were made with a ladder of this name and can be recoded.
fn recodable(titles: Vec<Title>, name: &str, tally: &mut Tally<'_>) -> Vec<Title> {
    let was_made_with = |title: &Title| {
        let LadderText { file, text } = &title.submission.ladder;
        Ladder::parse(file, text).is_ok_and(|ladder| ladder.name == name)
    };
    let (recodable, left): (Vec<_>, Vec<_>) =
        titles.into_iter().filter(was_made_with).partition(Recoding::is_open_to);
    left.into_iter().for_each(|title| tally.leave(title.submission.title));
    recodable
}

/// What becomes of a title by its plan, before anything is submitted.
fn planned_line(title: &Title, planned: Result<PlanPreview, Failure>, dry_run: bool) -> Line {
    let id = title.submission.title.to_string();
    let is_online = title.state == TitleState::Published;
    let changes =
        if is_online || title.state.is_final() { LineState::WouldChange } else { LineState::UnderWay };
    match planned {
        Ok(plan) => {
            let work = Work::of(&plan);
            let state = if work.is_nothing() && is_online { LineState::Unchanged } else { changes };
            Line { title: id, state, work: Some(work), failure: None }
        }
        // A submission waits for longer than a look, and does what the look would have told.
        Err(failure) if failure.code == Code::OriginUnreachable && !dry_run => {
            Line { title: id, state: changes, work: None, failure: Some(failure) }
        }
        Err(failure) => Line::refused(&id, failure),
    }
}

fn not_online(title: &str) -> Failure {
    let message = format!(
        "no title called {title} is online; `reelfarm status {title}` says where it stands, and `reelfarm submit` with --ladder \
         makes what is not online yet"
    );
    Failure::new(Code::TitleNotFound, message)
}

fn ladder_name(file: &str, text: &str) -> Result<String, Failure> {
    let ladder = Ladder::parse(file, text);
    ladder.map(|ladder| ladder.name).map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))
}

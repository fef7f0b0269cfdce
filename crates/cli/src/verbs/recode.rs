//! `reelfarm recode`: a changed ladder over all titles that were made with it.
//!
//! Promises: what was told of a title was done; a call that was stopped is taken up by the same call again, because titles on
//! their way to the ladder are among those that it looks at.

mod tally;

use std::path::PathBuf;

use clap::Args;
use futures::{StreamExt as _, stream};
use reelfarm_api::{
    LadderRequest, ListQuery, PlanPreview, PlanRequest, RecodeRequest, TitlePage, TitleStatus,
};
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{Code, ContentKind, Failure, Ladder, Pool, Title, TitleState};
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
            Ok(status) if standing(&status.title) == Standing::Recodable => {
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
    let Planned { submissions, refused } = planned?;
    if verb.dry_run || submissions.is_empty() {
        return Ok(tally.end(&verb.ladder));
    }
    make(&verb, project, submissions, refused, printer).await
}

/// What is to be submitted, and what cannot be.
#[derive(Default)]
struct Planned {
    submissions: Vec<Submission>,
    refused: Vec<(Submission, Failure)>,
}

async fn planned_here(
    verb: &Recode,
    farm: &Farm,
    ladder: &LadderText,
    name: &str,
    tally: &mut Tally<'_>,
) -> Result<Planned, Failure> {
    let titles = farm.store.titles().await?;
    let chosen = if verb.titles.is_empty() {
        recodable(titles, name, tally)
    } else {
        let is_named = |title: &&Title, named: &str| {
            title.submission.title.as_str() == named && standing(title) == Standing::Recodable
        };
        for named in &verb.titles {
            if !titles.iter().any(|title| is_named(&title, named)) {
                tally.take(Line::refused(named, not_online(named)));
            }
        }
        let is_chosen = |title: &&Title| verb.titles.iter().any(|named| is_named(title, named));
        titles.iter().filter(is_chosen).cloned().collect()
    };
    let mut planned = Planned::default();
    for title in chosen {
        let id = title.submission.title.to_string();
        let submission = match Recoding::of(title.clone(), ladder.clone(), farm.tools.clone()) {
            Ok(Recoding::Submit(submission)) => *submission,
            Ok(Recoding::Stands(title)) => title.submission,
            Err(failure) => {
                tally.take(Line::refused(&id, failure));
                continue;
            }
        };
        let line = planned_line(&title, farm.handle.preview(submission.clone()).await, verb.dry_run);
        match (line.state, &line.failure) {
            (LineState::Refused, Some(failure)) => planned.refused.push((submission, failure.clone())),
            (LineState::Unchanged, _) => {}
            _ => planned.submissions.push(submission),
        }
        // What is made is told as it is made.
        if verb.dry_run || matches!(line.state, LineState::Unchanged) {
            tally.take(line);
        }
    }
    if planned.submissions.is_empty() && !verb.dry_run {
        for (submission, failure) in planned.refused.drain(..) {
            tally.take(Line::refused(submission.title.as_str(), failure));
        }
    }
    Ok(planned)
}

/// Makes titles anew in this process, as `reelfarm run` makes them.
async fn make(
    verb: &Recode,
    project: &Project,
    submissions: Vec<Submission>,
    refused: Vec<(Submission, Failure)>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut signals = listen()?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let state = project.state(verb.state.state.as_ref());
    let (profiles, slots) = (super::profile_list(project)?, farm::slots(&Pool::ALL, verb.slots));
    let mut farm = Farm::start(&state, project, profiles, verb.keys.as_deref(), slots, metrics).await?;
    let mut watch = Watch::new(&farm, printer);
    for (submission, failure) in refused {
        watch.refuse(&submission.source.path, &submission.title, failure);
    }
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

fn listen() -> Result<Signals, Failure> {
    Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))
}

/// Whether a title can be recoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is online, or was recoded and has not come to that.
    Recodable,
    /// It is not online.
    NotOnline,
}

fn standing(title: &Title) -> Standing {
    let was_online =
        title.submission.facts.kind == ContentKind::Recode && title.state != TitleState::Withdrawing;
    if title.state == TitleState::Published || was_online { Standing::Recodable } else { Standing::NotOnline }
}

/// Those of some titles that were made with a ladder of this name and can be recoded.
fn recodable(titles: Vec<Title>, name: &str, tally: &mut Tally<'_>) -> Vec<Title> {
    let was_made_with = |title: &Title| {
        let LadderText { file, text } = &title.submission.ladder;
        Ladder::parse(file, text).is_ok_and(|ladder| ladder.name == name)
    };
    let (recodable, left): (Vec<_>, Vec<_>) =
        titles.into_iter().filter(was_made_with).partition(|title| standing(title) == Standing::Recodable);
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

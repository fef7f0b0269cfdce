//! `reelfarm run`: files to a finished origin in this one process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reelfarm_artifacts::Origin;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{Code, Failure, Title, TitleId};
use reelfarm_scheduler::FarmEvent;
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_telemetry::server;
use reelfarm_workers::source::source_reference;
use tokio::sync::broadcast::{self, error::RecvError};

use super::report::Outcome;
use crate::arguments::Run;
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::Farm;
use crate::printer::Printer;
use crate::progress::Display;
use crate::signals::Signals;

/// What is asked of every title of the call.
struct Wish {
    ladder: LadderText,
    profiles: Vec<String>,
    audio_language: Option<String>,
    origin: String,
}

/// Runs the call to its end or to a signal.
pub async fn run(verb: Run, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let (ladder, _) = project.ladder(verb.ladder.as_deref())?;
    let profiles = super::profile_list(&project)?;
    let all = || vec!["all".to_owned()];
    let patterns = verb.profiles.clone().or_else(|| project.profiles.clone()).unwrap_or_else(all);
    let selected =
        profiles.select(&patterns).map_err(|error| Failure::new(Code::UnknownName, error.to_string()))?;
    let wish = Wish {
        ladder,
        profiles: selected.into_iter().map(|profile| profile.id).collect(),
        audio_language: verb.audio_lang.clone().or_else(|| project.audio_lang.clone()),
        origin: project.origin(verb.origin.as_deref())?,
    };
    let policy = super::policy(&project)?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;

    let (accepted, refused) = look_at(&verb.files, printer).await?;
    let mut outcomes: BTreeMap<PathBuf, Outcome> =
        refused.into_iter().map(|outcome| (outcome.source.clone(), outcome)).collect();
    if !accepted.is_empty() {
        Origin::open(&wish.origin)?;
        let server = match verb.metrics_addr {
            Some(address) => Some(
                server::serve(metrics.clone(), address)
                    .await
                    .map_err(|error| Failure::new(Code::Internal, error.to_string()))?,
            ),
            None => None,
        };
        if let Some(server) = &server {
            printer.line(&format!("metrics at http://{}/metrics", server.address()));
        }
        let state = project.state(verb.state.state.as_ref());
        let mut farm = Farm::start(&state, &project, policy, profiles, metrics).await?;
        let (made, signal) = make(&mut farm, accepted, &wish, &mut signals, printer).await?;
        if signal.is_some() {
            printer.line("stopping; a second signal ends at once. Run the same command again to go on.");
        }
        tokio::select! {
            () = farm.stop() => {}
            exit = signals.next() => return Ok(exit),
        }
        if let Some(server) = server {
            server.stop().await;
        }
        outcomes.extend(made.into_iter().map(|outcome| (outcome.source.clone(), outcome)));
        if let Some(exit) = signal {
            report(&verb, outcomes, printer);
            return Ok(exit);
        }
    }
    Ok(report(&verb, outcomes, printer))
}

/// Looks at the files before anything starts: what can be submitted, and what cannot and why.
async fn look_at(
    files: &[PathBuf],
    printer: &Printer,
) -> Result<(Vec<(PathBuf, Submitted)>, Vec<Outcome>), Failure> {
    let files = files.to_vec();
    let looked = tokio::task::spawn_blocking(move || {
        let mut names: BTreeMap<TitleId, PathBuf> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut accepted = Vec::new();
        let mut refused = Vec::new();
        for file in files {
            if !seen.insert(file.clone()) {
                continue;
            }
            match look(&file, &names) {
                Ok(submitted) => {
                    names.insert(submitted.title.clone(), file.clone());
                    accepted.push((file, submitted));
                }
                Err((title, failure)) => refused.push(Outcome::refused(&file, title, failure)),
            }
        }
        (accepted, refused)
    })
    .await
    .map_err(|error| Failure::new(Code::Internal, format!("the files cannot be looked at: {error}")))?;
    for outcome in &looked.1 {
        if let Some(failure) = &outcome.failure {
            printer.failure(outcome.title.as_deref(), failure);
        }
    }
    Ok(looked)
}

/// A file that can be submitted.
struct Submitted {
    title: TitleId,
    source: reelfarm_model::SourceReference,
}

fn look(file: &Path, names: &BTreeMap<TitleId, PathBuf>) -> Result<Submitted, (Option<String>, Failure)> {
    let source = source_reference(file).map_err(|failure| (None, failure))?;
    let stem = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let title = TitleId::from_file_stem(&stem).map_err(|_| {
        let message = format!(
            "the name of {} has no letter or digit to make a title name of; rename the file",
            file.display()
        );
        (None, Failure::new(Code::TitleNameInvalid, message))
    })?;
    if let Some(first) = names.get(&title) {
        let message = format!(
            "{} and {} would both be the title {title}; rename one of them (only the first is made now)",
            first.display(),
            file.display()
        );
        return Err((Some(title.to_string()), Failure::new(Code::TitleNameTaken, message)));
    }
    Ok(Submitted { title, source })
}

/// Submits the titles and waits until all have ended, or for a signal.
async fn make(
    farm: &mut Farm,
    accepted: Vec<(PathBuf, Submitted)>,
    wish: &Wish,
    signals: &mut Signals,
    printer: &Printer,
) -> Result<(Vec<Outcome>, Option<Exit>), Failure> {
    let mut events = farm.handle.subscribe();
    let titles: Vec<_> = accepted.iter().map(|(_, submitted)| submitted.title.clone()).collect();
    let mut display = Display::new(printer, &titles);
    let mut outcomes = Vec::new();
    let mut waiting: BTreeMap<TitleId, (PathBuf, Title)> = BTreeMap::new();
    for (file, submitted) in accepted {
        let submission = Submission {
            title: submitted.title.clone(),
            source: submitted.source,
            ladder: wish.ladder.clone(),
            profiles: wish.profiles.clone(),
            audio_language: wish.audio_language.clone(),
            origin: wish.origin.clone(),
        };
        match farm.handle.submit(submission).await {
            Ok(title) => drop(waiting.insert(submitted.title, (file, title))),
            Err(failure) => {
                printer.failure(Some(submitted.title.as_str()), &failure);
                outcomes.push(Outcome::refused(&file, Some(submitted.title.to_string()), failure));
            }
        }
    }
    let mut signal = None;
    while !waiting.is_empty() && signal.is_none() {
        tokio::select! {
            event = next_event(&mut events) => {
                display.on_event(&event);
                if let FarmEvent::TitleChanged(title) = event {
                    on_title(*title, &mut waiting, &mut outcomes, printer);
                }
            }
            exit = signals.next() => signal = Some(exit),
            failure = farm.broken() => {
                display.end();
                return Err(failure);
            }
        }
    }
    display.end();
    outcomes.extend(waiting.into_values().map(|(file, title)| Outcome::of(&file, &title)));
    Ok((outcomes, signal))
}

fn on_title(
    title: Title,
    waiting: &mut BTreeMap<TitleId, (PathBuf, Title)>,
    outcomes: &mut Vec<Outcome>,
    printer: &Printer,
) {
    let Some((_, known)) = waiting.get_mut(&title.submission.title) else { return };
    // An event from before this call's submission says nothing about it.
    if title.generation < known.generation {
        return;
    }
    *known = title;
    if !known.state.is_final() {
        return;
    }
    if let Some(failure) = &known.failure {
        printer.failure(Some(known.submission.title.as_str()), failure);
    }
    let id = known.submission.title.clone();
    if let Some((file, title)) = waiting.remove(&id) {
        outcomes.push(Outcome::of(&file, &title));
    }
}

async fn next_event(events: &mut broadcast::Receiver<FarmEvent>) -> FarmEvent {
    loop {
        match events.recv().await {
            Ok(event) => return event,
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "progress events missed"),
            // The scheduler is gone; whoever waits for it says so.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Prints what the call came to, in the order of the files; returns the exit code.
fn report(verb: &Run, mut outcomes: BTreeMap<PathBuf, Outcome>, printer: &Printer) -> Exit {
    let in_order: Vec<Outcome> = verb.files.iter().filter_map(|file| outcomes.remove(file)).collect();
    if verb.json.json {
        printer.json(&serde_json::json!({ "titles": in_order }));
    } else {
        for outcome in &in_order {
            let name = outcome.title.clone().unwrap_or_else(|| outcome.source.display().to_string());
            let place = outcome.origin.clone().unwrap_or_default();
            printer.data(format!("{name}  {}  {place}", outcome.state).trim_end());
            for finding in outcome.findings.iter().filter(|_| outcome.failure.is_none()) {
                printer.line(&format!("  note: {} ({})", finding.text, finding.code));
            }
        }
    }
    in_order.iter().map(Outcome::exit).fold(Exit::Done, Exit::worst)
}

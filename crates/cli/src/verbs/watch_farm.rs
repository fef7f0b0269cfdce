//! `reelfarm watch`: the progress of titles at a farm, until they have ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use reelfarm_model::{Code, Failure, TitleId};

use super::report::{self, Outcome};
use crate::arguments::Json;
use crate::client::{FarmArguments, follow};
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::signals::Signals;

/// `reelfarm watch`.
#[derive(Debug, Args)]
pub struct WatchFarm {
    /// The titles.
    #[arg(required = true, value_name = "TITLE")]
    pub titles: Vec<String>,
    /// Watch for so many seconds at most; the exit code is 6 where titles have not ended by then.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// Watches until all have ended, or for a signal or the time.
pub async fn run(verb: WatchFarm, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let name = |text: &String| text.parse::<TitleId>().map_err(|_| unknown(text));
    let titles = verb.titles.iter().map(name).collect::<Result<BTreeSet<_>, _>>()?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let limit = verb.timeout.map(Duration::from_secs);
    let followed = follow(&client, &titles, limit, &mut signals, printer).await?;
    for (id, title) in &followed.titles {
        if let Some(failure) = &title.failure {
            printer.failure(Some(id.as_str()), failure);
        }
    }
    let source = |title: &reelfarm_model::Title| title.submission.source.path.clone();
    let outcomes: Vec<_> =
        followed.titles.values().map(|title| Outcome::at_farm(Path::new(&source(title)), title)).collect();
    report::print(&outcomes, verb.json.json, None, printer);
    let exit = outcomes.iter().map(|outcome| outcome.exit_at_farm(true)).fold(Exit::Done, Exit::worst);
    Ok(followed.end.map_or(exit, |end| end.worst(exit)))
}

/// There is no such title.
pub(super) fn unknown(name: &str) -> Failure {
    Failure::new(Code::TitleNotFound, format!("no title is called {name:?} here; `reelfarm list` shows all"))
}

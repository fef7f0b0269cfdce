//! `reelfarm report`: QC's report on a title, at a farm or in a state folder, as a table, as JSON, or as a page.

use std::path::PathBuf;

use clap::Args;
use reelfarm_api::TitleStatus;
use reelfarm_model::{Failure, Title};
use reelfarm_qc::page::{Extras, page};
use reelfarm_scheduler::api::{measurements_of, report_of, target_lufs};
use reelfarm_store::{SqliteStore, Store as _};
use reelfarm_workers::source::source_reference;

use super::list::open;
use super::outputs::{self, Outputs};
use super::thumbnails::thumbnails;
use super::watch_farm::unknown;
use crate::arguments::{Json, State};
use crate::client::{Client, FarmArguments};
use crate::config::Project;
use crate::exit::Exit;
use crate::policies::policy_for;
use crate::printer::Printer;

/// `reelfarm report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The title.
    #[arg(value_name = "TITLE")]
    pub title: String,
    /// Write the report to this file as well, as a page for a browser (HTML).
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// Where the title is.
enum Place {
    Farm(Box<Client>),
    Here(SqliteStore),
}

impl Place {
    async fn title(&self, name: &str) -> Result<Title, Failure> {
        match self {
            Self::Farm(client) => {
                let status: TitleStatus = client.get(&["titles", name], &()).await?;
                Ok(status.title)
            }
            Self::Here(store) => {
                let id = name.parse().map_err(|_| unknown(name))?;
                store.title(&id).await?.ok_or_else(|| unknown(name))
            }
        }
    }

    async fn page(&self, title: &Title, project: &Project, printer: &Printer) -> Result<String, Failure> {
        match self {
            Self::Farm(client) => client.text(&["titles", title.submission.title.as_str(), "report"]).await,
            Self::Here(store) => page_of(store, title, project, printer).await,
        }
    }
}

/// Shows the report, and writes its page where that is asked for.
pub async fn run(verb: Report, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let outputs = Outputs { report: verb.out, measurements: None };
    let place = match verb.farm.connect(&project)? {
        Some(client) => Place::Farm(Box::new(client)),
        None => Place::Here(open(&verb.state).await?.ok_or_else(|| unknown(&verb.title))?),
    };
    let title = place.title(&verb.title).await?;
    let report = report_of(&title)?;
    // The film may lie on this machine, by the very name that is given.
    outputs.check(&title.submission.source.path)?;
    let html = match &outputs.report {
        Some(_) => Some(place.page(&title, &project, printer).await?),
        None => None,
    };
    if verb.json.json {
        printer.json(report);
    } else {
        let source = title.submission.source.path.display().to_string();
        printer.data(&reelfarm_qc::render(report, &source, printer.colours_stdout()));
    }
    if let Some((path, html)) = outputs.report.zip(html) {
        super::blocking(move || outputs::write(&path, &html)).await?;
    }
    Ok(Exit::Done)
}

/// The page of a title of a state folder.
async fn page_of(
    store: &SqliteStore,
    title: &Title,
    project: &Project,
    printer: &Printer,
) -> Result<String, Failure> {
    let report = report_of(title)?;
    let measurements = measurements_of(store, title).await?;
    let source = &title.submission.source;
    let pictures = match &measurements {
        Some(measurements) if is_unchanged(title).await => {
            thumbnails(&source.path, report, measurements, printer).await
        }
        _ => Vec::new(),
    };
    // The page is whole without a line across its curves: no reason to refuse it.
    let policy = policy_for(project, &title.submission.facts).ok();
    let target_lufs = policy.and_then(|policy| target_lufs(report, policy.policy()));
    let extras = Extras { pictures: &pictures, target_lufs };
    Ok(page(report, measurements.as_ref(), &source.path.display().to_string(), extras))
}

/// Whether the source still lies where it did, as it was submitted: a picture of another film would mislead.
async fn is_unchanged(title: &Title) -> bool {
    let submitted = title.submission.source.clone();
    let look = move || source_reference(&submitted.path).map(|found| found == submitted);
    super::blocking(look).await.unwrap_or(false)
}

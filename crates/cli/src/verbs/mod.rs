//! The verbs: one module each.

pub mod child;

mod completions;
mod delivered;
mod doctor;
pub mod eta;
pub mod expedite;
mod explain;
pub mod facts;
mod fitted;
mod ladders;
mod list;
mod outputs;
pub mod plan;
mod policies;
mod probe;
mod profiles;
mod qc;
pub mod qc_report;
pub mod recode;
mod report;
pub mod review;
mod run;
mod scheduler;
pub mod sim;
mod status;
pub mod steer;
pub mod submit;
mod thumbnails;
pub mod token;
mod watch;
pub mod watch_farm;
mod worker;
pub mod workers;

use std::net::SocketAddr;
use std::path::Path;

use reelfarm_model::{Code, Failure};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_telemetry::logging::{self, LogFormat, LogOptions};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_telemetry::server::{self, Server};

use crate::arguments::{Arguments, LogStyle, Verb};
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::side_files::{self, SideFiles};

/// Runs the verb of a command line.
pub async fn run(arguments: Arguments, printer: &Printer) -> Exit {
    let format = match arguments.log_format {
        LogStyle::Pretty => LogFormat::Pretty,
        LogStyle::Json => LogFormat::Json,
    };
    if let Err(error) =
        logging::init(LogOptions::new(format, arguments.log).with_writer(printer.log_writer()))
    {
        printer.error(&error.to_string());
        return Exit::Usage;
    }
    let result = match arguments.verb {
        Verb::Run(verb) => run::run(verb, printer).await,
        Verb::Qc(verb) => qc::run(verb, printer).await,
        Verb::Probe(verb) => probe::run(verb, printer).await,
        Verb::Status(verb) => status::run(verb, printer).await,
        Verb::Report(verb) => qc_report::run(verb, printer).await,
        Verb::List(verb) => list::run(verb, printer).await,
        Verb::Submit(verb) => submit::run(verb, printer).await,
        Verb::Watch(verb) => watch_farm::run(verb, printer).await,
        Verb::Cancel(verb) => steer::run(verb, "cancel", printer).await,
        Verb::Retry(verb) => steer::retry(verb, printer).await,
        Verb::Plan(verb) => plan::run(verb, printer).await,
        Verb::Recode(verb) => recode::run(verb, printer).await,
        Verb::Eta(verb) => eta::run(verb, printer).await,
        Verb::Expedite(verb) => expedite::run(verb, printer).await,
        Verb::Approve(verb) => review::approve(verb, printer).await,
        Verb::Reject(verb) => review::reject(verb, printer).await,
        Verb::Reviews(verb) => review::reviews(verb, printer).await,
        Verb::Hold(verb) => steer::run(verb, "hold", printer).await,
        Verb::Release(verb) => steer::run(verb, "release", printer).await,
        Verb::Workers(verb) => workers::workers(verb, printer).await,
        Verb::Queues(verb) => workers::queues(verb, printer).await,
        Verb::Drain(verb) => workers::drain(verb, printer).await,
        Verb::Token(verb) => token::run(verb, printer).await,
        Verb::Explain(verb) => Ok(explain::run(&verb, printer)),
        Verb::Doctor(verb) => doctor::run(verb, printer).await,
        Verb::Profiles(json) => profiles::run(json, printer),
        Verb::Ladders(verb) => ladders::run(&verb, printer),
        Verb::Policies(verb) => policies::run(&verb, printer),
        Verb::Scheduler(verb) => scheduler::run(verb, printer).await,
        Verb::Worker(verb) => worker::run(verb, printer).await,
        Verb::Sim(verb) => sim::run(verb, printer).await,
        Verb::Completions(verb) => Ok(completions::run(&verb, printer)),
        Verb::MediaChild(_) | Verb::Leash(_) => Ok(Exit::Usage),
    };
    result.unwrap_or_else(|failure| {
        printer.failure(None, &failure);
        Exit::of(&failure)
    })
}

/// Runs what waits for a disk beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new(Code::Internal, format!("the work was broken off: {error}")))?
}

/// The language of audio tracks that state none, checked before anything is made of it.
fn audio_language(flag: Option<&str>, project: &Project) -> Result<Option<String>, Failure> {
    let Some(language) = flag.or(project.audio_lang.as_deref()) else { return Ok(None) };
    reelfarm_qc::language::parse(language)
        .map_err(|error| Failure::new(Code::UnknownName, format!("--audio-lang: {error}")))
}

/// Serves the metrics, where an address is asked for.
async fn serve_metrics(
    address: Option<SocketAddr>,
    metrics: &Metrics,
    printer: &Printer,
) -> Result<Option<Server>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let server = server::serve(metrics.clone(), address)
        .await
        .map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))?;
    printer.line(&format!("metrics at http://{}/metrics", server.address()));
    Ok(Some(server))
}

/// What lies beside a film, unless its files of subtitles are to be left aside. It blocks.
fn side_files(film: &Path, are_wanted: bool) -> Result<SideFiles, Failure> {
    if are_wanted { side_files::side_files(film) } else { Ok(SideFiles::default()) }
}

/// The profile list: the project's own, or the one that comes with the farm.
fn profile_list(project: &Project) -> Result<ProfileList, Failure> {
    use reelfarm_model::Code::ProfilesInvalid;
    let (file, text) = match &project.profile_list {
        Some(path) => {
            let text = fs_err::read_to_string(path)
                .map_err(|error| Failure::new(ProfilesInvalid, error.to_string()))?;
            (path.display().to_string(), text)
        }
        None => ("ladders/profiles.toml".to_owned(), reelfarm_packaging::profiles::BUILT_IN.to_owned()),
    };
    ProfileList::parse(&file, &text).map_err(|error| Failure::new(ProfilesInvalid, error.to_string()))
}

//! `reelfarm qc`: the farm's own check of a file, without a farm.

use reelfarm_media::child::Request;
use reelfarm_model::qc::Verdict;
use reelfarm_model::{Code, Failure, Measurements};
use reelfarm_workers::source::source_reference;

use crate::arguments::Qc;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::tools;

/// Checks the file and prints the report.
pub async fn run(verb: Qc, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let (_, ladder) = project.ladder(verb.ladder.as_deref())?;
    let policy = super::policy(&project)?;
    let language = super::audio_language(verb.audio_lang.as_deref(), &project)?;
    let measurements = measure(&verb.file).await?;
    let report = reelfarm_qc::evaluate(&policy, &measurements, &ladder, language.as_deref());
    if verb.json.json {
        printer.json(&report);
    } else {
        let name = verb.file.display().to_string();
        printer.data(&reelfarm_qc::render(&report, &name, printer.colours_stdout()));
    }
    Ok(if report.verdict == Verdict::Reject { Exit::Failed } else { Exit::Done })
}

/// The measurements of a file, made in a media process as the farm's workers do.
pub async fn measure(file: &std::path::Path) -> Result<Measurements, Failure> {
    let looked_at = file.to_owned();
    let source = tokio::task::spawn_blocking(move || source_reference(&looked_at))
        .await
        .map_err(|error| Failure::new(Code::Internal, format!("the file cannot be looked at: {error}")))??;
    let request = Request::Measure { path: source.path };
    let measured = tools::media_process().run(&request, |_| {}).await?;
    serde_json::from_value(measured)
        .map_err(|error| Failure::new(Code::Internal, format!("the measurements cannot be read: {error}")))
}

//! `reelfarm qc`: the farm's own check of a delivery, without a farm.

use std::path::PathBuf;

use reelfarm_media::child::Request;
use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{Code, Failure, Measurements};
use reelfarm_workers::source::source_reference;
use serde::Serialize;

use crate::arguments::Qc;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::side_files::{SideFiles, Taken, fits};
use crate::tools;

/// What scripts read: the film's report, and what there is to say of its subtitles.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    report: QcReport,
    /// The files of subtitles that would go with it.
    subtitles: Vec<Taken>,
    /// Why it would be refused though the film itself passes.
    failure: Option<Failure>,
}

/// Checks the film and the subtitles beside it, and prints the report.
pub async fn run(verb: Qc, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let (_, ladder) = project.ladder(verb.ladder.as_deref())?;
    let policy = super::policy(&project)?;
    let language = super::audio_language(verb.audio_lang.as_deref(), &project)?;
    let measurements = measure(&verb.file).await?;
    let report = reelfarm_qc::evaluate(&policy, &measurements, &ladder, language.as_deref());
    let has_subtitles = !(verb.subtitles.no_subtitles || project.no_subtitles);
    let duration_ms = report.conclusion.as_ref().map(|conclusion| conclusion.video.duration_ms());
    let beside = side_files(verb.file.clone(), has_subtitles, duration_ms).await;
    let (SideFiles { taken, not_taken }, failure) = match beside {
        Ok(beside) => (beside, None),
        Err(failure) => (SideFiles::default(), Some(failure)),
    };
    for sentence in not_taken {
        printer.line(&sentence);
    }
    if let Some(failure) = &failure {
        printer.failure(None, failure);
    }
    let is_accepted = report.verdict != Verdict::Reject && failure.is_none();
    if verb.json.json {
        printer.json(&Checked { report, subtitles: taken.iter().map(Taken::of).collect(), failure });
    } else {
        let name = verb.file.display().to_string();
        printer.data(&reelfarm_qc::render(&report, &name, printer.colours_stdout()));
        for SubtitleFile { file, language, purpose } in &taken {
            let file = file.path.display();
            printer.line(&format!("subtitles in {language} ({}) from {file}", purpose.as_str()));
        }
    }
    Ok(if is_accepted { Exit::Done } else { Exit::Failed })
}

/// What lies beside the film, held against its length where that is known.
async fn side_files(film: PathBuf, are_wanted: bool, duration_ms: Option<u64>) -> Result<SideFiles, Failure> {
    let looked = tokio::task::spawn_blocking(move || {
        let beside = super::side_files(&film, are_wanted)?;
        if let Some(duration_ms) = duration_ms {
            beside.taken.iter().try_for_each(|file| fits(file, duration_ms))?;
        }
        Ok(beside)
    });
    looked.await.map_err(|error| {
        Failure::new(Code::Internal, format!("the files beside the film cannot be looked at: {error}"))
    })?
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

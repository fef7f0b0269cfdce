//! `reelfarm qc`: the farm's own check of a delivery, without a farm; or of what was measured of one before.

mod film;
mod stored;

use std::path::{Path, PathBuf};

use reelfarm_model::qc::{QcReport, Verdict};
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{ChecksumAlgorithm, Code, Facts, Failure, StatedChecksum};
use reelfarm_qc::delivery::Delivery;
use reelfarm_qc::page::{Extras, page};
use serde::Serialize;

pub use self::film::measure;
use self::stored::Stored;
use super::delivered;
use super::outputs::{self, Outputs};
use super::thumbnails::thumbnails;
use super::{audio_language, blocking};
use crate::arguments::{Checksums, Qc};
use crate::config::Project;
use crate::exit::Exit;
use crate::policies;
use crate::printer::Printer;
use crate::side_files::{self, SideFiles, Taken, fits};

/// What scripts read: the film's report, and what there is to say of what lies beside it.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    report: QcReport,
    /// The files of subtitles that would go with it.
    subtitles: Vec<Taken>,
    /// Why it would be refused though the film itself passes.
    failure: Option<Failure>,
}

/// Checks the film and what lies beside it, and prints the report.
pub async fn run(verb: Qc, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let (_, ladder) = project.ladder(verb.ladder.as_deref())?;
    let judge = match &verb.policy {
        Some(reference) => policies::policy(reference)?,
        None => policies::policy_for(&project, &Facts { route: verb.route, ..Facts::default() })?,
    };
    let policy = judge.policy();
    let language = audio_language(verb.audio_lang.as_deref(), &project)?;
    let outputs = Outputs { report: verb.report, measurements: verb.measurements };
    let (checksums, unread) = match checksums(verb.file.as_deref(), &verb.checksums).await {
        Ok(found) => (found, None),
        // That they cannot be read says nothing of what is in the film.
        Err(failure) => (side_files::Checksums::default(), Some(failure)),
    };
    let (stored, found) = measured(verb.file.as_deref(), verb.replay, &checksums.stated, &outputs).await?;
    let report = reelfarm_qc::evaluate(policy, &stored.measurements, &ladder, language.as_deref());
    let report = QcReport { source_sha256: stored.sha256, ..report };
    let report = match &found {
        Some(found) if unread.is_none() => Delivery { found, stated: &checksums.stated }
            .complete(policy, report)
            .map_err(|error| Failure::new(Code::Internal, error.to_string()))?,
        _ => report,
    };
    // Of a film that is not there, nothing lies beside it either.
    let has_subtitles = !(verb.subtitles.no_subtitles || project.no_subtitles) && verb.file.is_some();
    let duration_ms = report.conclusion.as_ref().map(|conclusion| conclusion.video.duration_ms());
    let film = verb.file;
    let beside = side_files(film.clone().unwrap_or_default(), has_subtitles, duration_ms).await;
    let (SideFiles { taken, not_taken }, failure) = match beside {
        Ok(beside) => (beside, unread),
        Err(failure) => (SideFiles::default(), Some(unread.unwrap_or(failure))),
    };
    for sentence in [not_taken, checksums.not_taken].concat() {
        printer.line(&sentence);
    }
    if let Some(failure) = &failure {
        printer.failure(None, failure);
    }
    let is_accepted = matches!(report.verdict, Verdict::Pass | Verdict::Warn) && failure.is_none();
    let html = match &outputs.report {
        Some(_) => {
            let pictures = match &film {
                Some(film) => thumbnails(film, &report, &stored.measurements, printer).await,
                None => Vec::new(),
            };
            let extras = Extras { pictures: &pictures, target_lufs: Some(policy.loudness.target_lufs) };
            Some(page(&report, Some(&stored.measurements), &stored.source, extras))
        }
        None => None,
    };
    if verb.json.json {
        printer.json(&Checked { report, subtitles: taken.iter().map(Taken::of).collect(), failure });
    } else {
        printer.data(&reelfarm_qc::render(&report, &stored.source, printer.colours_stdout()));
        for SubtitleFile { file, language, purpose } in &taken {
            let file = file.path.display();
            printer.line(&format!("subtitles in {language} ({}) from {file}", purpose.as_str()));
        }
    }
    // After the report was printed: a full disk does not take away what hours of measuring found.
    write(outputs, html, stored).await?;
    Ok(if is_accepted { Exit::Done } else { Exit::Failed })
}

/// The checksums that the film is to have.
async fn checksums(film: Option<&Path>, wanted: &Checksums) -> Result<side_files::Checksums, Failure> {
    let Some(film) = film.map(Path::to_owned) else { return Ok(side_files::Checksums::default()) };
    let wanted = wanted.clone();
    blocking(move || delivered::checksums(&film, &wanted)).await
}

/// What is measured of the film, or was before, and the digests of one that is there. The command line has one of the two.
async fn measured(
    file: Option<&Path>,
    replay: Option<PathBuf>,
    stated: &[StatedChecksum],
    outputs: &Outputs,
) -> Result<(Stored, Option<Fingerprint>), Failure> {
    match (file, replay) {
        (Some(file), _) => {
            outputs.check(file)?;
            let with_sha1 = stated.iter().any(|one| one.checksum.algorithm() == ChecksumAlgorithm::Sha1);
            let (measurements, found) = film::read(file, with_sha1).await?;
            let stored = Stored::new(file.display().to_string(), found.sha256, measurements);
            Ok((stored, Some(found)))
        }
        (None, Some(stored)) => {
            outputs.check(&stored)?;
            Ok((blocking(move || Stored::read(&stored)).await?, None))
        }
        (None, None) => Err(Failure::new(Code::SettingsInvalid, "there is no FILE to check")),
    }
}

/// Writes what is asked for.
async fn write(outputs: Outputs, html: Option<String>, stored: Stored) -> Result<(), Failure> {
    blocking(move || {
        if let Some((path, html)) = outputs.report.zip(html) {
            outputs::write(&path, &html)?;
        }
        if let Some(path) = outputs.measurements {
            outputs::write(&path, &stored.text()?)?;
        }
        Ok(())
    })
    .await
}

/// What lies beside the film, held against its length where that is known.
async fn side_files(film: PathBuf, are_wanted: bool, duration_ms: Option<u64>) -> Result<SideFiles, Failure> {
    blocking(move || {
        let beside = super::side_files(&film, are_wanted)?;
        if let Some(duration_ms) = duration_ms {
            beside.taken.iter().try_for_each(|file| fits(file, duration_ms))?;
        }
        Ok(beside)
    })
    .await
}

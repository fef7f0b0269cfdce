//! What was delivered with films beside subtitles: checksums, and QC reports that were made elsewhere.

use std::io::{self, Read as _};
use std::path::Path;

use reelfarm_model::cue::{self, CuePoint};
use reelfarm_model::{Code, Failure, QcReport, StatedChecksum};
use reelfarm_qc::external::{self, ExternalReportError, LARGEST};
use reelfarm_scheduler::external_report_invalid;

use crate::arguments::{Checksums, Cues};
use crate::printer::Printer;
use crate::side_files;

/// More than any file of cue points has.
const MOST_CUE_BYTES: u64 = 1 << 20;
/// Where a checksum is stated that the command line names.
const NAMED: &str = "--checksum";

/// Refuses what is said of one file where there are several.
///
/// # Errors
/// It is said of several files.
pub fn is_of_one_file(
    files: usize,
    wanted: &Checksums,
    qc_report: Option<&Path>,
    cues: &Cues,
) -> Result<(), Failure> {
    let said = [
        (!wanted.checksum.is_empty(), NAMED),
        (qc_report.is_some(), "--qc-report"),
        (!cues.cue.is_empty(), "--cue"),
        (cues.cues.is_some(), "--cues"),
    ];
    if let Some((_, flag)) = said.into_iter().find(|(is_said, _)| *is_said && files > 1) {
        let message = format!("{flag} is of one file, and there are several; name them one by one");
        return Err(Failure::new(Code::SettingsInvalid, message));
    }
    Ok(())
}

/// The checksums that a film is to have: those that are named, otherwise those that lie beside it. It blocks.
///
/// # Errors
/// A file beside it is called like one of checksums and is none.
pub fn checksums(film: &Path, wanted: &Checksums) -> Result<side_files::Checksums, Failure> {
    if !wanted.checksum.is_empty() {
        let named = wanted.checksum.iter().cloned();
        let stated = named.map(|checksum| StatedChecksum { checksum, stated_in: NAMED.to_owned() }).collect();
        return Ok(side_files::Checksums { stated, not_taken: Vec::new() });
    }
    if wanted.no_checksum { Ok(side_files::Checksums::default()) } else { side_files::checksums(film) }
}

/// Says which checksums a title's film will be compared with.
pub fn say(title: &str, stated: &[StatedChecksum], printer: &Printer) {
    for StatedChecksum { checksum, stated_in } in stated {
        printer.line(&format!("{title}: {} checksum from {stated_in}", checksum.algorithm().as_str()));
    }
}

/// All cue points that are said of a film, in order, each once. It blocks.
///
/// # Errors
/// Their file is not there or can't be read, or a line of it is no cue point.
pub fn cue_points(wanted: &Cues) -> Result<Vec<CuePoint>, Failure> {
    let mut all = wanted.cue.clone();
    let refused = |message: String| Failure::new(Code::SettingsInvalid, message);
    if let Some(path) = &wanted.cues {
        let refused = |message: String| refused(format!("cue points: {}: {message}", path.display()));
        let mut text = String::new();
        let read =
            fs_err::File::open(path).and_then(|file| file.take(MOST_CUE_BYTES + 1).read_to_string(&mut text));
        read.map_err(|error| refused(error.to_string()))?;
        if text.len() as u64 > MOST_CUE_BYTES {
            return Err(refused(format!(
                "it has more than {MOST_CUE_BYTES} bytes; leave out what is no cue point"
            )));
        }
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let cue = line.parse().map_err(|error| refused(format!("line {number}: {error}")))?;
                all.push(cue);
            }
        }
    }
    cue::in_order(all).map_err(|error| refused(error.to_string()))
}

/// Reads a QC report that was made elsewhere. It blocks.
///
/// # Errors
/// The file is not there or can't be read, or is no such report.
pub fn external_report(path: &Path) -> Result<QcReport, Failure> {
    let mut bytes = Vec::new();
    let read =
        fs_err::File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Code::SourceNotFound, format!("there is no QC report at {}", path.display()))
        }
        _ => Failure::new(Code::ExternalReportInvalid, error.to_string()),
    })?;
    external::read(&bytes).map_err(|error| refused(path, &error))
}

/// The refusal of a report that this file holds.
pub fn refused(path: &Path, error: &ExternalReportError) -> Failure {
    let failure = external_report_invalid(error);
    Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
}

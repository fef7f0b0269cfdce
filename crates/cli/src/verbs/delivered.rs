//! What was delivered with films beside subtitles: checksums, and QC reports that were made elsewhere.

use std::io::{self, Read as _};
use std::path::Path;

use reelfarm_model::{Code, Failure, QcReport, StatedChecksum};
use reelfarm_qc::external::{self, ExternalReportError, LARGEST};
use reelfarm_scheduler::external_report_invalid;

use crate::arguments::Checksums;
use crate::printer::Printer;
use crate::side_files;

/// Where a checksum is stated that the command line names.
const NAMED: &str = "--checksum";

/// Refuses what is said of one file where there are several.
///
/// # Errors
/// It is said of several files.
pub fn is_of_one_file(files: usize, wanted: &Checksums, qc_report: Option<&Path>) -> Result<(), Failure> {
    let flag = match (wanted.checksum.is_empty(), qc_report) {
        (false, _) => NAMED,
        (true, Some(_)) => "--qc-report",
        (true, None) => return Ok(()),
    };
    if files > 1 {
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

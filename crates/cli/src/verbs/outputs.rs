//! Files that `reelfarm qc` and `reelfarm report` write: looked at before hours of measuring, written after them, and never
//! over what was read.

use std::path::{Path, PathBuf};

use reelfarm_model::{Code, Failure};

/// Where to write what.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// The page.
    pub(super) report: Option<PathBuf>,
    /// The measurements.
    pub(super) measurements: Option<PathBuf>,
}

impl Outputs {
    /// Whether they can be written as far as that can be told, and would not overwrite each other or `input`. It blocks.
    ///
    /// # Errors
    /// They can't, or would.
    pub(super) fn check(&self, input: &Path) -> Result<(), Failure> {
        let input = fs_err::canonicalize(input).ok();
        let mut seen: Vec<PathBuf> = Vec::new();
        for path in [&self.report, &self.measurements].into_iter().flatten() {
            let shown = path.display();
            let whole =
                whole(path).map_err(|error| refused(format!("{shown} cannot be written: {error}")))?;
            if Some(&whole) == input.as_ref() {
                return Err(refused(format!("{shown} is what is judged, and would be overwritten")));
            }
            if whole.is_dir() {
                return Err(refused(format!("{shown} cannot be written: it is a folder")));
            }
            if seen.contains(&whole) {
                return Err(refused(format!("{shown} cannot be both --report and --measurements")));
            }
            seen.push(whole);
        }
        Ok(())
    }
}

/// The path without links in it, whether there is a file or only the folder for it.
fn whole(path: &Path) -> std::io::Result<PathBuf> {
    if let Ok(there) = fs_err::canonicalize(path) {
        return Ok(there);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs_err::canonicalize(folder)?.join(path.file_name().unwrap_or_default()))
}

/// Writes a file. It blocks.
///
/// # Errors
/// It can't be written.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs_err::write(path, text).map_err(|error| refused(error.to_string()))
}

fn refused(message: String) -> Failure {
    Failure::new(Code::SettingsInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over_what_is_read_or_where_nothing_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs_err::write(path("film.mov"), "film").unwrap();
        std::os::unix::fs::symlink(path("film.mov"), path("link")).unwrap();
        let check = |report: &str, measurements: &str| {
            let outputs = Outputs { report: Some(path(report)), measurements: Some(path(measurements)) };
            outputs.check(&path("film.mov")).map_err(|failure| failure.message)
        };
        assert_eq!(check("r.html", "m.json"), Ok(()));
        for (report, measurements, reason) in [
            ("film.mov", "m.json", "would be overwritten"),
            ("r.html", "link", "would be overwritten"),
            ("none/r.html", "m.json", "cannot be written"),
            (".", "m.json", "it is a folder"),
            ("same", "./same", "cannot be both"),
        ] {
            let message = check(report, measurements).unwrap_err();
            assert!(message.contains(reason), "{message}");
        }
    }
}

//! What can be wrong.

use std::path::{Path, PathBuf};

use reelfarm_model::{Code, Failure};

use crate::malformed::Malformed;

/// A Smooth Streaming media set could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SmoothError {
    /// A file of the CMAF media set cannot be read.
    #[error("cannot read the CMAF media set: {0}")]
    Read(#[source] std::io::Error),
    /// The output cannot be written.
    #[error("cannot write the Smooth Streaming media set: {0}")]
    Write(#[source] std::io::Error),
    /// A file of the CMAF media set is not as it was planned.
    #[error("{}: {malformed}", file.display())]
    Media {
        /// The file.
        file: PathBuf,
        /// Which box is wrong, and how.
        #[source]
        malformed: Malformed,
    },
    /// The tracks cannot stand together in one client manifest.
    #[error("no client manifest can be written: {0}")]
    Manifest(String),
}

impl SmoothError {
    /// A fault in a file's bytes.
    pub(super) fn media(file: &Path) -> impl FnOnce(Malformed) -> Self {
        move |malformed| Self::Media { file: file.to_owned(), malformed }
    }
}

impl From<SmoothError> for Failure {
    fn from(error: SmoothError) -> Self {
        use std::io::ErrorKind;

        let code = match &error {
            SmoothError::Read(cause) | SmoothError::Write(cause)
                if matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                Code::DiskFull
            }
            SmoothError::Read(cause) if cause.kind() == ErrorKind::NotFound => Code::ArtifactMissing,
            SmoothError::Read(_) | SmoothError::Write(_) => Code::StateUnreachable,
            SmoothError::Media { .. } => Code::PackagerFailed,
            SmoothError::Manifest(_) => Code::ManifestFailed,
        };
        Self::new(code, format!("Smooth Streaming: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use reelfarm_model::FailureClass;

    use super::*;

    #[test]
    fn every_fault_has_the_code_that_decides_on_retry() {
        let malformed = Malformed::new("moof/traf/trun", "it is cut");
        for (error, code, class) in [
            (SmoothError::Read(ErrorKind::NotFound.into()), Code::ArtifactMissing, FailureClass::Transient),
            (
                SmoothError::Read(ErrorKind::PermissionDenied.into()),
                Code::StateUnreachable,
                FailureClass::Environment,
            ),
            (SmoothError::Write(Error::from_raw_os_error(28)), Code::DiskFull, FailureClass::Environment),
            (
                SmoothError::Write(ErrorKind::NotFound.into()),
                Code::StateUnreachable,
                FailureClass::Environment,
            ),
            (
                SmoothError::media(Path::new("video-720p/3.m4s"))(malformed),
                Code::PackagerFailed,
                FailureClass::Transient,
            ),
            (SmoothError::Manifest("no video".into()), Code::ManifestFailed, FailureClass::Permanent),
        ] {
            let words = error.to_string();
            let failure = Failure::from(error);
            assert_eq!((failure.code, failure.class), (code, class), "{failure}");
            assert!(failure.message.ends_with(&words), "{failure}");
        }
    }

    #[test]
    fn a_fault_in_a_file_names_the_file_and_the_box() {
        let error =
            SmoothError::media(Path::new("set/video-720p/3.m4s"))(Malformed::new("moof/traf", "two of it"));
        assert_eq!(error.to_string(), "set/video-720p/3.m4s: moof/traf: two of it");
    }
}

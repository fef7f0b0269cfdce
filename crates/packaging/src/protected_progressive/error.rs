//! What can be wrong.

use std::path::{Path, PathBuf};

use reelfarm_model::{Code, Failure};

use crate::malformed::Malformed;

/// A progressive file could not be protected.
#[derive(Debug, thiserror::Error)]
pub enum ProtectError {
    /// The clear file cannot be read.
    #[error("cannot read the clear file: {0}")]
    Read(#[source] std::io::Error),
    /// The output cannot be written.
    #[error("cannot write the protected file: {0}")]
    Write(#[source] std::io::Error),
    /// The clear file is not what the farm's muxer writes.
    #[error("{}: {malformed}", file.display())]
    Source {
        /// The file.
        file: PathBuf,
        /// Which box is wrong, and how.
        #[source]
        malformed: Malformed,
    },
    /// Keys, initialisation vectors or `pssh` boxes do not fit the file or one another.
    #[error("the protection does not fit {}: {reason}", file.display())]
    Protection {
        /// The clear file.
        file: PathBuf,
        /// What does not fit; it holds no part of a key.
        reason: String,
    },
}

/// A fault before the file's name is put to it.
#[derive(Debug)]
pub(super) enum Fault {
    Read(std::io::Error),
    Write(std::io::Error),
    Malformed(Malformed),
    Protection(String),
}

impl Fault {
    /// The error for the clear file of this name.
    pub(super) fn of(self, file: &Path) -> ProtectError {
        let file = file.to_owned();
        match self {
            Self::Read(cause) => ProtectError::Read(cause),
            Self::Write(cause) => ProtectError::Write(cause),
            Self::Malformed(malformed) => ProtectError::Source { file, malformed },
            Self::Protection(reason) => ProtectError::Protection { file, reason },
        }
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<ProtectError> for Failure {
    fn from(error: ProtectError) -> Self {
        use std::io::ErrorKind;

        let code = match &error {
            ProtectError::Read(cause) | ProtectError::Write(cause)
                if matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                Code::DiskFull
            }
            ProtectError::Read(cause) if cause.kind() == ErrorKind::NotFound => Code::ArtifactMissing,
            ProtectError::Read(_) | ProtectError::Write(_) => Code::StateUnreachable,
            // Both files and keys come from the farm itself.
            ProtectError::Source { .. } | ProtectError::Protection { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn every_fault_has_the_code_that_decides_on_retry() {
        let file = Path::new("set/progressive.mp4");
        for (error, code) in [
            (ProtectError::Read(ErrorKind::NotFound.into()), Code::ArtifactMissing),
            (ProtectError::Read(ErrorKind::PermissionDenied.into()), Code::StateUnreachable),
            (ProtectError::Write(Error::from_raw_os_error(28)), Code::DiskFull),
            (ProtectError::Write(ErrorKind::NotFound.into()), Code::StateUnreachable),
            (Fault::from(Malformed::new("moov", "it is cut")).of(file), Code::Internal),
            (Fault::Protection("a key is missing".into()).of(file), Code::Internal),
        ] {
            let words = error.to_string();
            let failure = Failure::from(error);
            assert_eq!((failure.code, failure.message), (code, words));
        }
    }

    #[test]
    fn a_fault_in_a_file_names_the_file_and_the_box() {
        let error = Fault::from(Malformed::new("moov/trak 1", "two of it")).of(Path::new("a.mp4"));
        assert_eq!(error.to_string(), "a.mp4: moov/trak 1: two of it");
    }
}

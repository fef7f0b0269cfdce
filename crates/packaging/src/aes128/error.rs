//! What can be wrong.

use std::path::PathBuf;

use reelfarm_model::{Code, Failure};

/// A media set could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// A file of the clear media set cannot be read.
    #[error("cannot read the clear media set: {0}")]
    Read(#[source] std::io::Error),
    /// The output cannot be written.
    #[error("cannot write the encrypted media set: {0}")]
    Write(#[source] std::io::Error),
    /// The clear media set is not one of MPEG-TS segments with a playlist for every track.
    #[error("{}: {reason}", file.display())]
    MediaSet {
        /// The file or folder.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<EncryptError> for Failure {
    fn from(error: EncryptError) -> Self {
        use std::io::ErrorKind;

        let code = match &error {
            EncryptError::Read(cause) | EncryptError::Write(cause)
                if matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                Code::DiskFull
            }
            EncryptError::Read(cause) if cause.kind() == ErrorKind::NotFound => Code::ArtifactMissing,
            EncryptError::Read(_) | EncryptError::Write(_) => Code::StateUnreachable,
            EncryptError::MediaSet { .. } => Code::PackagerFailed,
        };
        Self::new(code, format!("AES-128: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn every_fault_has_the_code_that_decides_on_retry() {
        let media_set = EncryptError::MediaSet { file: "set".into(), reason: "no segments".into() };
        for (error, code) in [
            (EncryptError::Read(ErrorKind::NotFound.into()), Code::ArtifactMissing),
            (EncryptError::Read(ErrorKind::PermissionDenied.into()), Code::StateUnreachable),
            (EncryptError::Write(Error::from_raw_os_error(28)), Code::DiskFull),
            (EncryptError::Write(ErrorKind::NotFound.into()), Code::StateUnreachable),
            (media_set, Code::PackagerFailed),
        ] {
            let words = error.to_string();
            let failure = Failure::from(error);
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.ends_with(&words), "{failure}");
        }
    }
}

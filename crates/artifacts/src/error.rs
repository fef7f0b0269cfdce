//! What can go wrong with artifacts.

use std::io;
use std::path::PathBuf;

use reelfarm_model::{Code, Failure};
use rustix::io::Errno;

/// An artifact could not be made, taken over or found.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The disk of the state folder is full, or its quota is used up.
    #[error("the disk of the state folder is full: {0}")]
    DiskFull(io::Error),
    /// The state folder cannot be used; the error names the path.
    #[error("the state folder cannot be used: {0}")]
    Io(io::Error),
    /// A folder is not fit to become an artifact: the task that made it is at fault.
    #[error("the folder {} cannot become an artifact: {reason}", folder.display())]
    Unfit {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl From<io::Error> for ArtifactError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull(error) } else { Self::Io(error) }
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        let code = match error {
            ArtifactError::DiskFull(_) => Code::DiskFull,
            ArtifactError::Io(_) => Code::StateUnreachable,
            ArtifactError::Unfit { .. } => Code::Internal,
        };
        Failure::new(code, error.to_string())
    }
}

/// Whether there is no room left (ENOSPC, EDQUOT).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether the disk cannot give the bytes (EIO). The error must be the system's own: `fs_err` hides its number.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

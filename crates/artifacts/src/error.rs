//! What can go wrong with artifacts.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use reelfarm_model::{Code, Failure};
use rustix::io::Errno;

use crate::bucket::InvalidAccess;
use crate::location::InvalidLocation;

/// An artifact could not be made, taken over or found.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The disk of the state folder is full, or its quota is used up.
    #[error("the disk of the state folder is full: {0}")]
    DiskFull(io::Error),
    /// The state folder cannot be used; the error names the path.
    #[error("the state folder cannot be used: {0}")]
    Io(io::Error),
    /// The object store with the artifacts cannot be used.
    #[error("cannot {action} {path} at the artifact store {store}: {source}")]
    Unreachable {
        /// The store, as `s3://bucket/prefix`.
        store: String,
        /// What was being done: `open`, `read`, `write`, `list` or `remove`.
        action: &'static str,
        /// What it was done to, as a path from the bucket's root; empty for the store itself.
        path: String,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A text names no place for artifacts.
    #[error(transparent)]
    Location(#[from] InvalidLocation),
    /// Another process uses the cache's folder.
    #[error("another process uses the cache {}", folder.display())]
    CacheBusy {
        /// The folder.
        folder: PathBuf,
    },
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
            ArtifactError::Io(_) | ArtifactError::Unreachable { .. } => Code::StateUnreachable,
            ArtifactError::Location(_) => Code::SettingsInvalid,
            ArtifactError::CacheBusy { .. } => Code::StateBusy,
            ArtifactError::Unfit { .. } => Code::Internal,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<InvalidAccess> for Failure {
    fn from(error: InvalidAccess) -> Self {
        Failure::new(Code::SettingsInvalid, error.to_string())
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

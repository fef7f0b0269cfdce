//! Where one attempt works until its outputs are taken over.

use std::path::{Path, PathBuf};

use crate::blocking::blocking;
use crate::error::ArtifactError;
use crate::folder;

/// A folder for one attempt, empty at first. It is removed with everything in it when this value is dropped; what was
/// taken over has left it by then.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
}

impl Staging {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder without blocking the asynchronous runtime, as dropping does where much is left in it.
    ///
    /// # Errors
    /// Something in it cannot be removed; [`sweep_staging`](crate::ArtifactStore::sweep_staging) tries again.
    pub async fn discard(self) -> Result<(), ArtifactError> {
        blocking(move || Ok(folder::remove_all(&self.path)?)).await
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = folder::remove_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "a staging folder was left behind");
        }
    }
}

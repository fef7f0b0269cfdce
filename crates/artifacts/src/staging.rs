//! Where one attempt works until its outputs are taken over.

use std::path::{Path, PathBuf};

use reelfarm_model::Fence;

use crate::blocking::blocking;
use crate::error::ArtifactError;
use crate::folder;

/// What lay in the staging of attempts at one moment.
#[derive(Debug, Default)]
pub struct StagedAttempts(pub(crate) Vec<(String, PathBuf)>);

/// The name of an attempt's folder.
pub(crate) fn name_of(fence: &Fence) -> String {
    format!("{}-{}-{}", fence.task.short(), fence.attempt, fence.lease)
}

/// The part of a folder's name that is [`name_of`] its attempt; `None` where it is no attempt's. A number may follow.
pub(crate) fn attempt_in(name: &str) -> Option<&str> {
    let mut parts = name.splitn(4, '-');
    let (task, attempt, lease) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = attempt.parse::<u32>().is_ok();
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = is_hexadecimal(task) && is_number && lease.len() == 32 && is_hexadecimal(lease);
    fits.then(|| &name[..task.len() + attempt.len() + lease.len() + 2])
}

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

#[cfg(test)]
mod tests {
    use reelfarm_model::attempt::LeaseToken;
    use reelfarm_model::{Digest, TaskKey};

    use super::*;

    #[test]
    fn folders_of_attempts_are_known_by_their_names() {
        let fence = Fence { task: TaskKey(Digest::of(b"task")), attempt: 12, lease: LeaseToken(7) };
        let name = name_of(&fence);
        assert_eq!(attempt_in(&name), Some(name.as_str()));
        assert_eq!(attempt_in(&format!("{name}-2")), Some(name.as_str()));
        for other in ["clock", "removed-0123456789ab", "damaged-0123456789ab-2", "", "a-1-b", "--"] {
            assert_eq!(attempt_in(other), None, "{other}");
        }
    }
}

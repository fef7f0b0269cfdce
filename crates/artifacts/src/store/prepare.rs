//! What has to be known of a folder before it can become an artifact.

use std::path::Path;

use crate::artifact::{ArtifactFile, LIST_NAME};
use crate::error::ArtifactError;
use crate::folder::{self, Tree};
use crate::hashing::digest_files;

/// Refuses a folder, without links in its path, that does not lie below `staging`.
pub(super) fn must_lie_in(folder: &Path, staging: &Path) -> Result<(), ArtifactError> {
    if folder == staging || !folder.starts_with(staging) {
        return Err(unfit(folder, "it does not lie in a staging folder"));
    }
    Ok(())
}

/// Digests the files of a folder that is to become an artifact. Blocks.
pub(super) fn prepare(folder: &Path) -> Result<(Vec<ArtifactFile>, Tree), ArtifactError> {
    let tree = folder::walk(folder)?;
    if let Some(other) = tree.others.first() {
        return Err(unfit(folder, &format!("{} is no plain file with a UTF-8 name", other.display())));
    }
    if tree.files.is_empty() {
        return Err(unfit(folder, "it holds no file"));
    }
    if tree.files.iter().any(|(path, _)| path == LIST_NAME) {
        return Err(unfit(
            folder,
            &format!("a file is called {LIST_NAME}, as the list of its files will be"),
        ));
    }
    Ok((digest_files(folder, &tree.files)?, tree))
}

fn unfit(folder: &Path, reason: &str) -> ArtifactError {
    ArtifactError::Unfit { folder: folder.to_owned(), reason: reason.to_owned() }
}

//! Files that a publication replaces, and how they are set back where it fails.

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use reelfarm_model::TitleId;

use super::path::file_path;
use super::{Origin, OriginError};

/// One small file that a publication writes.
pub(super) struct Replacement {
    /// From the title's folder.
    pub(super) path: String,
    /// From the origin's root.
    pub(super) location: Path,
    pub(super) new: Vec<u8>,
    /// What is to be there again where the publication fails; `None` for nothing.
    pub(super) old: Option<Vec<u8>>,
}

impl Origin {
    /// Reads what lies where a file is to be written. `is_online` says whether the version that is online has it.
    pub(super) async fn replacement(
        &self,
        title: &TitleId,
        path: String,
        new: Vec<u8>,
        is_online: bool,
    ) -> Result<Replacement, OriginError> {
        let location = file_path(title, &path)?;
        let found = self.bytes_at(&location).await?;
        Ok(Replacement { path, location, new, old: found.filter(|_| is_online) })
    }

    /// Sets back what was begun to be replaced, in the same order, so that the index is the last again. Answers
    /// `error`, with what could not be set back.
    pub(super) async fn set_back(
        &self,
        title: &TitleId,
        begun: &[&Replacement],
        error: OriginError,
    ) -> OriginError {
        let mut paths = Vec::new();
        for replacement in begun {
            if let Err(error) = self.set_one_back(replacement).await {
                tracing::error!(%title, path = %replacement.path, %error, "could not be set back");
                paths.push(replacement.path.clone());
            }
        }
        if paths.is_empty() {
            return error;
        }
        OriginError::NotSetBack { title: title.clone(), paths, source: Box::new(error) }
    }

    async fn set_one_back(&self, replacement: &Replacement) -> Result<(), OriginError> {
        let Replacement { location, old, .. } = replacement;
        // An origin that takes no writes has mostly kept the old bytes, and needs none.
        let found = self.bytes_at(location).await?;
        match old {
            _ if found == *old => Ok(()),
            Some(old) => self.put_proven(old.clone(), location).await,
            None => self.remove_file(location).await,
        }
    }

    /// A small file's bytes; `None` where it is not there.
    pub(super) async fn bytes_at(&self, location: &Path) -> Result<Option<Vec<u8>>, OriginError> {
        self.refuse_links(location).await?;
        let got = match self.store.get(location).await {
            Ok(got) => got.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        got.map(|bytes| Some(bytes.to_vec())).map_err(|source| self.failed("read", location, source))
    }
}

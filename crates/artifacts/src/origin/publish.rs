//! Putting a title online, and reading what is online.

use reelfarm_model::index::Index;
use reelfarm_model::{Digest, TitleId};

use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::path::file_path;
use super::{Audit, INDEX_NAME, Origin, OriginError};
use crate::hashing::md5_of;

impl Origin {
    /// Writes the manifests and reads them back; sees that everything that `index` names is there; writes `index.json`,
    /// which replaces the old one in one step; and removes the title's files that the new index does not name. Answers
    /// the digest of `index.json`'s bytes. Doing it again does no harm.
    ///
    /// Manifests have the same paths in every generation, so between the first manifest and the index a player of the
    /// old generation may get the new one: both are whole, as the old media set is removed only at the end.
    ///
    /// # Errors
    /// [`OriginError::Inconsistent`] where `index` is another title's or does not name a manifest as it is;
    /// [`OriginError::Missing`] where something that it names is not there; [`OriginError::Mismatch`] where a file read
    /// back is not what was written; [`OriginError::Full`]; [`OriginError::Unreachable`]; [`OriginError::BadPath`].
    /// The old index stays in force. (That old files cannot be removed is logged, and is no error: the title is online.)
    pub async fn publish(
        &self,
        title: &TitleId,
        manifests: Vec<(String, Vec<u8>)>,
        index: &Index,
    ) -> Result<Digest, OriginError> {
        let inconsistent = |detail| OriginError::Inconsistent { title: title.clone(), detail };
        if index.title != *title {
            return Err(inconsistent(format!("it is the index of {}", index.title)));
        }
        if index.files.iter().any(|file| file.path == INDEX_NAME) {
            return Err(inconsistent(format!("{INDEX_NAME} names itself")));
        }
        let mut locations = Vec::with_capacity(manifests.len());
        for (path, bytes) in &manifests {
            locations.push(file_path(title, path)?);
            let (size, md5) = (bytes.len() as u64, md5_of(bytes));
            if !index.files.iter().any(|file| file.path == *path && file.size == size && file.md5 == md5) {
                return Err(inconsistent(format!("it does not name {path} with {size} bytes and MD5 {md5}")));
            }
        }
        let text = serde_json::to_vec_pretty(index).map_err(|error| inconsistent(error.to_string()))?;

        for ((_, bytes), location) in manifests.into_iter().zip(&locations) {
            self.put_proven(bytes, location).await?;
        }
        let Audit { missing, resized, .. } = self.compare(title, index).await?;
        if let Some(path) = missing.into_iter().chain(resized).next() {
            return Err(OriginError::Missing { origin: self.name.to_string(), title: title.clone(), path });
        }
        let digest = Digest::of(&text);
        self.put_proven(text, &file_path(title, INDEX_NAME)?).await?;

        let named = index.files.iter().map(|file| file.path.clone()).chain([INDEX_NAME.to_owned()]).collect();
        match self.remove_others(title, named).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(%title, files, "removed files of older generations from the origin"),
            Err(error) => {
                tracing::warn!(%title, %error, "files of older generations were left at the origin");
            }
        }
        Ok(digest)
    }

    /// The title's published index, with the digest of its bytes; `None` where nothing is published.
    ///
    /// # Errors
    /// [`OriginError::IndexDamaged`] where there is one that cannot be read; [`OriginError::Unreachable`].
    pub async fn index(&self, title: &TitleId) -> Result<Option<(Index, Digest)>, OriginError> {
        let location = file_path(title, INDEX_NAME)?;
        self.refuse_links(&location).await?;
        let got = match self.store.get(&location).await {
            Ok(got) => got.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        let bytes = got.map_err(|source| self.failed("read", &location, source))?;
        let damaged = |detail| OriginError::IndexDamaged {
            origin: self.name.to_string(),
            title: title.clone(),
            detail,
        };
        let index: Index = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if index.title != *title {
            return Err(damaged(format!("it is the index of {}", index.title)));
        }
        Ok(Some((index, Digest::of(&bytes))))
    }

    /// Writes a small file and reads it back.
    async fn put_proven(&self, bytes: Vec<u8>, to: &Path) -> Result<(), OriginError> {
        self.refuse_links(to).await?;
        let sent = md5_of(&bytes);
        self.put(bytes, to).await?;
        let size = self.size_of(to).await?.unwrap_or(0);
        let found = self.md5_at(to, size, |_| {}).await?;
        if found == sent { Ok(()) } else { Err(self.mismatch(to, sent, found)) }
    }

    pub(super) fn mismatch(&self, at: &Path, sent: String, found: String) -> OriginError {
        OriginError::Mismatch { origin: self.name.to_string(), path: at.to_string(), sent, found }
    }
}

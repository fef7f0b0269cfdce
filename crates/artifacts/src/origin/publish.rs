//! Putting a title online, and reading what is online.

use reelfarm_model::index::Index;
use reelfarm_model::{Digest, TitleId};

use object_store::path::Path;

use super::ownership::Sweep;
use super::path::file_path;
use super::set_back::Replacement;
use super::{INDEX_NAME, Origin, OriginError};
use crate::hashing::md5_of;

/// What a publication did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The digest of the bytes of `index.json`.
    pub index: Digest,
    /// Bytes that were written: manifests and index.
    pub written: u64,
}

impl Origin {
    /// Writes the manifests and reads them back; sees that everything that `index` names is there; writes `index.json`,
    /// which replaces the old one in one step; and removes what is the farm's in the title's folder and not named by
    /// the new index (not media where more profiles follow: theirs are on the way). Doing it again does no harm.
    ///
    /// Manifests have the same paths in every generation, so between the first manifest and the index a player of the
    /// old generation may get the new one: both are whole, as the old media set is removed only at the end. On an error
    /// the old manifests are set back, and the old version plays on.
    ///
    /// # Errors
    /// [`OriginError::Inconsistent`] where `index` is another title's or does not name a manifest as it is;
    /// [`OriginError::Missing`] where something that it names is not there; [`OriginError::Mismatch`] where a file read
    /// back is not what was written; [`OriginError::Full`]; [`OriginError::Unreachable`]; [`OriginError::BadPath`].
    /// The old version stays in force; where that failed too, [`OriginError::NotSetBack`] says of which files. (That
    /// old files cannot be removed is logged, and is no error: the title is online, and the next publication or withdrawal
    /// removes them.)
    pub async fn publish(
        &self,
        title: &TitleId,
        manifests: Vec<(String, Vec<u8>)>,
        index: &Index,
    ) -> Result<Published, OriginError> {
        let inconsistent = |detail| OriginError::Inconsistent { title: title.clone(), detail };
        if index.title != *title {
            return Err(inconsistent(format!("it is the index of {}", index.title)));
        }
        if index.files.iter().any(|file| file.path == INDEX_NAME) {
            return Err(inconsistent(format!("{INDEX_NAME} names itself")));
        }
        for (path, bytes) in &manifests {
            file_path(title, path)?;
            let (size, md5) = (bytes.len() as u64, md5_of(bytes));
            if !index.files.iter().any(|file| file.path == *path && file.size == size && file.md5 == md5) {
                return Err(inconsistent(format!("it does not name {path} with {size} bytes and MD5 {md5}")));
            }
        }
        let text = serde_json::to_vec_pretty(index).map_err(|error| inconsistent(error.to_string()))?;

        let old = match self.index(title).await {
            Ok(found) => Ok(found.map(|(index, _)| index)),
            Err(error @ OriginError::IndexDamaged { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        // Nobody knows what a damaged index names.
        let is_online = |path: &str| match &old {
            Ok(Some(old)) => old.files.iter().any(|file| file.path == path),
            Ok(None) => false,
            Err(_) => true,
        };
        let mut replacements = Vec::with_capacity(manifests.len());
        for (path, bytes) in manifests {
            let is_online = is_online(&path);
            replacements.push(self.replacement(title, path, bytes, is_online).await?);
        }
        let digest = Digest::of(&text);
        let index_file = self.replacement(title, INDEX_NAME.to_owned(), text, true).await?;
        let written = replacements.iter().chain([&index_file]).map(|file| file.new.len() as u64).sum();
        let note = match &old {
            Ok(Some(old)) => self.note_of_superseded(title, old, index).await?,
            _ => None,
        };
        let last: Vec<_> = note.into_iter().chain([index_file]).collect();
        let mut begun = Vec::with_capacity(replacements.len() + last.len());
        if let Err(error) = self.replace(title, &replacements, index, &last, &mut begun).await {
            return Err(self.set_back(title, &begun, error).await);
        }

        let sweep = Sweep::default().but_for(index);
        let sweep = if index.more_follow { sweep.but_for_media() } else { sweep };
        let sweep = old.iter().flatten().fold(sweep, Sweep::and_of);
        match self.sweep_with_noted(title, sweep).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(%title, files, "removed files of older generations from the origin"),
            Err(error) => {
                tracing::warn!(%title, %error, "files of older generations were left at the origin");
            }
        }
        Ok(Published { index: digest, written })
    }

    /// Writes the manifests, and `last`, whose end is the index, where all that it names is there; notes in `begun` what it
    /// began to write.
    async fn replace<'a>(
        &self,
        title: &TitleId,
        manifests: &'a [Replacement],
        index: &Index,
        last: &'a [Replacement],
        begun: &mut Vec<&'a Replacement>,
    ) -> Result<(), OriginError> {
        for manifest in manifests {
            begun.push(manifest);
            self.put_proven(manifest.new.clone(), &manifest.location).await?;
        }
        if let Some(path) = self.compare(title, index).await?.damaged().next() {
            let (origin, path) = (self.name.to_string(), path.clone());
            return Err(OriginError::Missing { origin, title: title.clone(), path });
        }
        for file in last {
            begun.push(file);
            self.put_proven(file.new.clone(), &file.location).await?;
        }
        Ok(())
    }

    /// The title's published index, with the digest of its bytes; `None` where nothing is published.
    ///
    /// # Errors
    /// [`OriginError::IndexDamaged`] where there is one that cannot be read; [`OriginError::Unreachable`].
    pub async fn index(&self, title: &TitleId) -> Result<Option<(Index, Digest)>, OriginError> {
        let location = file_path(title, INDEX_NAME)?;
        let Some(bytes) = self.bytes_at(&location).await? else { return Ok(None) };
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
    pub(super) async fn put_proven(&self, bytes: Vec<u8>, to: &Path) -> Result<(), OriginError> {
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

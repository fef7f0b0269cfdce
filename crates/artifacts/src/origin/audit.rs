//! Whether what is online of a title is still whole.

use reelfarm_model::index::Index;
use reelfarm_model::{Digest, TitleId};

use super::ownership::is_media;
use super::path::file_path;
use super::{Origin, OriginError};

/// What a look at a title's files found: media by names and sizes alone, manifests by their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The digest of the published index; `None` where there is none, or none that can be read.
    pub index: Option<Digest>,
    /// Files that the index names and that are not there, from the title's folder.
    pub missing: Vec<String>,
    /// Files that the index names and that have another size, from the title's folder.
    pub resized: Vec<String>,
    /// Manifests that have the size that the index names and other bytes, from the title's folder.
    pub changed: Vec<String>,
}

impl Audit {
    /// Whether a published index names nothing but what is there.
    pub const fn is_whole(&self) -> bool {
        self.index.is_some() && self.missing.is_empty() && self.resized.is_empty() && self.changed.is_empty()
    }

    /// The files that are not as the index says, from the title's folder.
    pub(super) fn damaged(&self) -> impl Iterator<Item = &String> {
        self.missing.iter().chain(&self.resized).chain(&self.changed)
    }
}

impl Origin {
    /// Compares the published index with a listing, and reads the manifests. It reads no media, so a changed byte in
    /// them is not seen.
    ///
    /// # Errors
    /// [`OriginError::Unreachable`]; [`OriginError::BadPath`] where the index names what cannot be a file of the title.
    pub async fn audit(&self, title: &TitleId) -> Result<Audit, OriginError> {
        let (index, digest) = match self.index(title).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Audit::default()),
            Err(error @ OriginError::IndexDamaged { .. }) => {
                tracing::warn!(%title, %error, "counted as not published");
                return Ok(Audit::default());
            }
            Err(error) => return Err(error),
        };
        Ok(Audit { index: Some(digest), ..self.compare(title, &index).await? })
    }

    /// What of `index`, published or not, is not there as it says.
    pub(super) async fn compare(&self, title: &TitleId, index: &Index) -> Result<Audit, OriginError> {
        let mut audit = Audit::default();
        let listing = self.listing(title).await?;
        for file in &index.files {
            match listing.get(&file.path) {
                None => audit.missing.push(file.path.clone()),
                Some(size) if *size != file.size => audit.resized.push(file.path.clone()),
                Some(_) if is_media(&file.path) => {}
                Some(size) => {
                    let location = file_path(title, &file.path)?;
                    self.refuse_links(&location).await?;
                    if self.md5_at(&location, *size, |_| {}).await? != file.md5 {
                        audit.changed.push(file.path.clone());
                    }
                }
            }
        }
        Ok(audit)
    }
}

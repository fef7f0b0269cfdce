//! Whether what is online of a title is still whole.

use reelfarm_model::index::Index;
use reelfarm_model::{Digest, TitleId};

use super::{Origin, OriginError};

/// What a look at a title's files found, by names and sizes alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The digest of the published index; `None` where there is none, or none that can be read.
    pub index: Option<Digest>,
    /// Files that the index names and that are not there, from the title's folder.
    pub missing: Vec<String>,
    /// Files that the index names and that have another size, from the title's folder.
    pub resized: Vec<String>,
}

impl Audit {
    /// Whether a published index names nothing but what is there.
    pub const fn is_whole(&self) -> bool {
        self.index.is_some() && self.missing.is_empty() && self.resized.is_empty()
    }
}

impl Origin {
    /// Compares the published index with a listing. It reads no media, so a changed byte is not seen.
    ///
    /// # Errors
    /// [`OriginError::Unreachable`].
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
                Some(_) => {}
            }
        }
        Ok(audit)
    }
}

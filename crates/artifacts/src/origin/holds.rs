//! Whether what a receipt speaks of is still at the origin.

use reelfarm_model::TitleId;

use super::{Origin, OriginError, Receipt};

impl Origin {
    /// Compares a receipt with a listing, by names and sizes alone.
    ///
    /// # Errors
    /// [`OriginError::Unreachable`].
    pub async fn holds(&self, title: &TitleId, receipt: &Receipt) -> Result<bool, OriginError> {
        let listing = self.listing(title).await?;
        Ok(receipt.files.iter().all(|file| listing.get(&file.path) == Some(&file.size)))
    }
}

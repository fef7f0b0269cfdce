//! Whether what receipts speak of is still at the origin.

use reelfarm_model::TitleId;

use super::{Origin, OriginError, Receipt};

impl Origin {
    /// Compares receipts of a title with one listing, by names and sizes alone; answers of each whether it is all there.
    ///
    /// # Errors
    /// [`OriginError::Unreachable`].
    pub async fn holds(&self, title: &TitleId, receipts: &[Receipt]) -> Result<Vec<bool>, OriginError> {
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let listing = self.listing(title).await?;
        let is_there =
            |receipt: &Receipt| receipt.files.iter().all(|file| listing.get(&file.path) == Some(&file.size));
        Ok(receipts.iter().map(is_there).collect())
    }
}

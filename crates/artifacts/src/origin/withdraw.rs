//! Taking away what is not online.

use reelfarm_model::TitleId;

use super::{INDEX_NAME, Origin, OriginError};

impl Origin {
    /// Removes every file of the title that its published index does not name; everything, the folder included, where
    /// nothing is published. Answers how many files went.
    ///
    /// # Errors
    /// [`OriginError::IndexDamaged`] where an index cannot be read: what it names must not be touched;
    /// [`OriginError::Unreachable`].
    pub async fn withdraw(&self, title: &TitleId) -> Result<u64, OriginError> {
        let keep = match self.index(title).await? {
            Some((index, _)) => {
                index.files.into_iter().map(|file| file.path).chain([INDEX_NAME.to_owned()]).collect()
            }
            None => Default::default(),
        };
        self.remove_others(title, keep).await
    }
}

//! Taking away what is not online.

use reelfarm_model::TitleId;

use super::ownership::{Sweep, is_media};
use super::path::title_folder;
use super::{Origin, OriginError};

impl Origin {
    /// Removes what is the farm's of the title and not named by its published index: media sets, the manifests of the
    /// profiles in `profile_ids` and in the index, and what was being written when a process died. Where nothing is
    /// published that is all that the farm wrote, and the folder goes as well, unless somebody else's files are in it:
    /// those are never touched. Answers how many files went.
    ///
    /// Where a published manifest is not as the index says, a publication died between the two, and that manifest may
    /// play media that the index does not name: then all media stay, and the next publication takes them.
    ///
    /// # Errors
    /// [`OriginError::IndexDamaged`] where an index cannot be read: what it names must not be touched;
    /// [`OriginError::Unreachable`]; [`OriginError::BadPath`] where the index names what cannot be a file of the title.
    pub async fn withdraw(&self, title: &TitleId, profile_ids: &[String]) -> Result<u64, OriginError> {
        self.give_up_uploads(&title_folder(title)).await?;
        let mut sweep = Sweep::of_profiles(profile_ids.iter().cloned());
        if let Some((index, _)) = self.index(title).await? {
            sweep = sweep.but_for(&index);
            let audit = self.compare(title, &index).await?;
            if let Some(manifest) = audit.damaged().find(|path| !is_media(path)) {
                tracing::warn!(%title, %manifest, "a manifest is not as its index says: all media stay");
                sweep = sweep.but_for_media();
            }
        }
        self.sweep_with_noted(title, sweep).await
    }
}

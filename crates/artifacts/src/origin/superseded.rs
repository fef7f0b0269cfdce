//! What a publication takes the place of, noted at the origin before the new index is there. Once it is, nothing else says
//! what the old one named; so where the removal is cut off or fails, whoever publishes or withdraws the title next finds the
//! note and does it.
//!
//! Media need no note: a media set's folder is the farm's by its name alone.

use std::collections::BTreeSet;

use reelfarm_model::TitleId;
use reelfarm_model::index::Index;
use serde::{Deserialize, Serialize};

use super::ownership::{Sweep, is_media};
use super::path::file_path;
use super::set_back::Replacement;
use super::{Origin, OriginError};

/// The note's name within the title's folder. It is there only while something is to be removed.
const NOTE_NAME: &str = "superseded.json";

/// What a note says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Superseded {
    /// Profiles that are online no more, by id.
    pub(super) profiles: BTreeSet<String>,
    /// Files that the index names no more, from the title's folder.
    pub(super) files: BTreeSet<String>,
}

impl Superseded {
    /// What `old` has and `new` has not.
    fn by(old: &Index, new: &Index) -> Self {
        let profiles = |index: &Index| index.profiles.iter().map(|profile| profile.id.clone()).collect();
        let files = |index: &Index| -> BTreeSet<String> {
            index.files.iter().map(|file| file.path.clone()).filter(|path| !is_media(path)).collect()
        };
        let (had, has): (BTreeSet<String>, BTreeSet<String>) = (profiles(old), profiles(new));
        Self { profiles: &had - &has, files: &files(old) - &files(new) }
    }

    fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.files.is_empty()
    }
}

impl Origin {
    /// The note of what `new` takes the place of, beside what an earlier note says; `None` where there is nothing to note,
    /// or nowhere.
    pub(super) async fn note_of_superseded(
        &self,
        title: &TitleId,
        old: &Index,
        new: &Index,
    ) -> Result<Option<Replacement>, OriginError> {
        let Superseded { profiles, files } = Superseded::by(old, new);
        let earlier = self.superseded(title).await?;
        let mut note = earlier.clone().unwrap_or_default();
        note.profiles.extend(profiles);
        note.files.extend(files);
        if note.is_empty() || earlier.as_ref() == Some(&note) {
            return Ok(None);
        }
        let text = serde_json::to_vec(&note)
            .map_err(|error| OriginError::Inconsistent { title: title.clone(), detail: error.to_string() })?;
        let replacement = self.replacement(title, NOTE_NAME.to_owned(), text, true).await?;
        if earlier.is_none() && replacement.old.is_some() {
            tracing::warn!(%title, "{NOTE_NAME} is somebody else's: what this publication replaces is not noted");
            return Ok(None);
        }
        Ok(Some(replacement))
    }

    /// Removes what `sweep` takes and what a note says, and the note last. Answers how many files went, without it.
    pub(super) async fn sweep_with_noted(&self, title: &TitleId, sweep: Sweep) -> Result<u64, OriginError> {
        let Some(noted) = self.superseded(title).await? else { return self.sweep(title, sweep).await };
        let removed = self.sweep(title, sweep.and_superseded(&noted)).await?;
        self.sweep(title, Sweep::of_file(NOTE_NAME)).await?;
        Ok(removed)
    }

    /// The note, where there is one of the farm's.
    async fn superseded(&self, title: &TitleId) -> Result<Option<Superseded>, OriginError> {
        let bytes = self.bytes_at(&file_path(title, NOTE_NAME)?).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

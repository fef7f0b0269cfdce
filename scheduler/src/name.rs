//! Whose a title's name is: in this farm, and at the origin, where other farms put their titles too.
//!
//! Promises: what is online under a name is replaced only from the same bytes, or from the file that this farm put it
//! online from before. How often a title was submitted proves nothing.

use std::path::Path;

use reelfarm_artifacts::{ArtifactStore, OriginError};
use reelfarm_model::index::Index;
use reelfarm_model::title::Submission;
use reelfarm_model::{Code, Digest, Failure, TitleId, TitleState};
use reelfarm_store::StoreError;

use crate::service::Scheduler;

/// What is online under a title's name.
pub(crate) enum Online {
    Nothing,
    /// This.
    There(Box<Index>),
    /// Something whose index says no more what it was made from.
    Damaged(OriginError),
}

/// Whether a submission can have the name that it wants.
pub(crate) enum Claim {
    Free,
    Held(Failure),
    /// It depends on what is online under it.
    Unclear,
}

impl Scheduler {
    /// Whether a submission can have its name; not where a title of this farm has it that was made from another file.
    /// `online` is what is online under the name, where that has been looked up.
    pub(crate) async fn claim(
        &self,
        submission: &Submission,
        online: Option<Online>,
    ) -> Result<Claim, StoreError> {
        let Submission { title: id, source, origin, .. } = submission;
        let Some(known) = self.store.title(id).await? else { return Ok(Claim::Free) };
        let holder = &known.submission.source.path;
        if *holder == source.path {
            return Ok(Claim::Free);
        }
        let is_held = !known.state.is_final()
            || known.state == TitleState::Published
            || match online {
                None => return Ok(Claim::Unclear),
                // What another farm put there is judged once it is known whether it was made from the same bytes.
                Some(online) => self.is_own(&online, id, origin, holder).await?,
            };
        if !is_held {
            return Ok(Claim::Free);
        }
        Ok(Claim::Held(Failure::new(
            Code::TitleNameTaken,
            format!(
                "the title name {id} belongs to {}; rename {} to submit it as another title",
                holder.display(),
                source.path.display(),
            ),
        )))
    }

    /// Why a title, made from the source with this digest, must not take the place of what is online: that was made from
    /// another source, and not by this farm from the same file.
    pub(crate) async fn is_foreign(
        &self,
        submission: &Submission,
        digest: Digest,
        online: Online,
    ) -> Result<Option<Failure>, StoreError> {
        let Submission { title: id, source, origin, .. } = submission;
        let is_same = match &online {
            Online::Nothing => true,
            Online::There(index) => index.source == digest,
            Online::Damaged(_) => false,
        };
        if is_same || self.is_own(&online, id, origin, &source.path).await? {
            return Ok(None);
        }
        Ok(Some(match online {
            Online::Damaged(error) => error.into(),
            Online::Nothing | Online::There(_) => Failure::new(
                Code::TitleNameTaken,
                format!(
                    "{origin} has a title {id} already, made from another source; rename the file, or give another --origin or the --state folder that made it"
                ),
            ),
        }))
    }

    /// Whether this farm put there what is online, from the file at `path`.
    async fn is_own(
        &self,
        online: &Online,
        title: &TitleId,
        origin: &str,
        path: &Path,
    ) -> Result<bool, StoreError> {
        Ok(match online {
            Online::Nothing => false,
            Online::There(index) => {
                self.store.publications(title, origin, path).await?.contains(&index.source)
            }
            Online::Damaged(_) => !self.store.publications(title, origin, path).await?.is_empty(),
        })
    }
}

/// Looks up what is online under a title's name.
pub(crate) async fn online(
    artifacts: &ArtifactStore,
    title: &TitleId,
    origin: &str,
) -> Result<Online, OriginError> {
    match artifacts.origin(origin).await?.index(title).await {
        Ok(None) => Ok(Online::Nothing),
        Ok(Some((index, _))) => Ok(Online::There(Box::new(index))),
        Err(error @ OriginError::IndexDamaged { .. }) => Ok(Online::Damaged(error)),
        Err(error) => Err(error),
    }
}

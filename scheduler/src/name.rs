//! Whose a title's name is: in this farm, and at the origin, where other farms put their titles too.
//!
//! Promises: what is online under a name is replaced only from the same bytes, or from the file that this farm put it
//! online from before. How often a title was submitted proves nothing.

use std::path::Path;

use reelfarm_artifacts::{ArtifactStore, OriginError};
use reelfarm_model::title::Submission;
use reelfarm_model::{Code, Digest, Failure, TitleId, TitleState};
use reelfarm_store::StoreError;

use crate::service::Scheduler;

/// What is online under a title's name.
enum Online {
    Nothing,
    /// Made from the source with this digest.
    From(Digest),
    /// Something whose index says no more what it was made from.
    Damaged(OriginError),
}

impl Scheduler {
    /// Why a submission cannot have its name: a title of this farm has it that was made from another file.
    pub(crate) async fn name_is_held(&self, submission: &Submission) -> Result<Option<Failure>, Failure> {
        let Submission { title: id, source, origin, .. } = submission;
        let Some(known) = self.store.title(id).await? else { return Ok(None) };
        let holder = &known.submission.source.path;
        if *holder == source.path {
            return Ok(None);
        }
        // What another farm put there is judged once it is known whether it was made from the same bytes.
        let held = !known.state.is_final()
            || known.state == TitleState::Published
            || self.is_own(&online(&self.artifacts, id, origin).await?, id, origin, holder).await?;
        Ok(held.then(|| {
            Failure::new(
                Code::TitleNameTaken,
                format!(
                    "the title name {id} belongs to {}; rename {} to submit it as another title",
                    holder.display(),
                    source.path.display(),
                ),
            )
        }))
    }

    /// Why a title, made from the source with this digest, must not go online: the origin has one of its name that was
    /// made from another source, and not by this farm from the same file.
    pub(crate) async fn foreign_title_at_origin(
        &self,
        submission: &Submission,
        digest: Digest,
    ) -> Result<Option<Failure>, StoreError> {
        let Submission { title: id, source, origin, .. } = submission;
        let online = match online(&self.artifacts, id, origin).await {
            Ok(Online::From(source)) if source == digest => return Ok(None),
            Ok(Online::Nothing) => return Ok(None),
            Ok(online) => online,
            Err(error) => return Ok(Some(error.into())),
        };
        if self.is_own(&online, id, origin, &source.path).await? {
            return Ok(None);
        }
        Ok(Some(match online {
            Online::Damaged(error) => error.into(),
            Online::Nothing | Online::From(_) => Failure::new(
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
            Online::From(source) => self.store.publications(title, origin, path).await?.contains(source),
            Online::Damaged(_) => !self.store.publications(title, origin, path).await?.is_empty(),
        })
    }
}

async fn online(artifacts: &ArtifactStore, title: &TitleId, origin: &str) -> Result<Online, OriginError> {
    match artifacts.origin(origin)?.index(title).await {
        Ok(None) => Ok(Online::Nothing),
        Ok(Some((index, _))) => Ok(Online::From(index.source)),
        Err(error @ OriginError::IndexDamaged { .. }) => Ok(Online::Damaged(error)),
        Err(error) => Err(error),
    }
}

//! Taking away uploads that nobody carries on, or refers to any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStore as _, ObjectStoreExt as _};
use reelfarm_model::Digest;

use super::{FOLDER, SourceUploads};
use crate::bucket::{CLOCK, Upload};
use crate::error::ArtifactError;

impl SourceUploads {
    /// Removes uploads to which nothing was added, and that nobody asked for as a source, for so long by the bucket's clock. Of
    /// those whose bytes are all there, not what is `referenced`. Answers how many.
    ///
    /// # Errors
    /// The bucket cannot be used.
    pub async fn collect(
        &self,
        age: Duration,
        referenced: &BTreeSet<PathBuf>,
    ) -> Result<usize, ArtifactError> {
        let folder = self.bucket.at(FOLDER);
        let now = self.bucket.now().await.map_err(|error| self.failed("ask the time of", &folder, error))?;
        let Some(limit) = TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)) else {
            return Ok(0);
        };
        let mut removed = 0;
        for (upload, objects) in self.stored().await? {
            let bucket = &self.bucket.location.bucket;
            let is_referenced = |object: &ObjectMeta| {
                referenced.contains(&PathBuf::from(format!("s3://{bucket}/{}", object.location)))
            };
            if objects.iter().any(|object| object.last_modified > limit || is_referenced(object)) {
                continue;
            }
            match self.collect_one(&upload, &objects, limit).await {
                Ok(was_removed) => removed += usize::from(was_removed),
                // One that cannot be removed keeps no other.
                Err(error) => {
                    tracing::warn!(%upload, %error, "an upload that nobody carries on was not removed");
                }
            }
        }
        self.collect_clocks(limit).await?;
        Ok(removed + self.collect_unnoted(limit).await?)
    }

    /// What the bucket has, by uploads.
    async fn stored(&self) -> Result<BTreeMap<Digest, Vec<ObjectMeta>>, ArtifactError> {
        let folder = self.bucket.at(FOLDER);
        let listed = self.bucket.s3.list(Some(&folder)).try_collect().await;
        let objects: Vec<ObjectMeta> = listed.map_err(|error| self.failed("list", &folder, error))?;
        let mut uploads: BTreeMap<Digest, Vec<ObjectMeta>> = BTreeMap::new();
        for object in objects {
            let upload = object.location.parts().rev().nth(1).and_then(|part| part.as_ref().parse().ok());
            if let Some(upload) = upload {
                uploads.entry(upload).or_default().push(object);
            }
        }
        Ok(uploads)
    }

    async fn collect_one(
        &self,
        upload: &Digest,
        objects: &[ObjectMeta],
        limit: DateTime<Utc>,
    ) -> Result<bool, ArtifactError> {
        let begun = self.read(upload).await?.map(|note| self.begun(upload, &note));
        if let Some(begun) = &begun
            && self.last_sent(begun).await? > limit
        {
            return Ok(false);
        }
        // Looked at last: somebody may have asked for it since it was listed.
        let at = self.note(upload);
        match self.bucket.s3.head(&at).await {
            Ok(note) if note.last_modified > limit => return Ok(false),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(self.failed("read", &at, error)),
        }
        if let Some(begun) = begun {
            self.give_up(&begun).await?;
            // The note goes before the object: what is left of an upload that was removed in part is none.
            self.forget(upload, &begun.id).await?;
        }
        if self.read(upload).await?.is_some() {
            // Somebody asked for it, or began it anew, in this very moment.
            return Ok(false);
        }
        for ObjectMeta { location: at, .. } in
            objects.iter().filter(|object| object.location != self.note(upload))
        {
            self.bucket.remove(at).await.map_err(|error| self.failed("remove", at, error))?;
        }
        Ok(true)
    }

    /// When the last part came of what is not whole yet.
    async fn last_sent(&self, begun: &Upload) -> Result<DateTime<Utc>, ArtifactError> {
        let parts = self.bucket.parts(begun).await;
        let parts = parts.map_err(|error| self.failed("list", &begun.at, error))?.unwrap_or_default();
        Ok(parts.iter().filter_map(|part| part.sent).fold(begun.begun, Ord::max))
    }

    /// Gives up what was begun, and whose note was never made or is gone, as far as the store lists such uploads.
    async fn collect_unnoted(&self, limit: DateTime<Utc>) -> Result<usize, ArtifactError> {
        let folder = self.bucket.at(FOLDER);
        let begun = self.bucket.uploads(&format!("{folder}/")).await;
        let mut removed = 0;
        for upload in begun.map_err(|error| self.failed("list", &folder, error))? {
            let named = upload.at.parts().rev().nth(1).and_then(|part| part.as_ref().parse::<Digest>().ok());
            let note = match named {
                Some(digest) => self.read(&digest).await?,
                None => None,
            };
            if note.is_some_and(|note| note.id == upload.id) || self.last_sent(&upload).await? > limit {
                continue;
            }
            match self.give_up(&upload).await {
                Ok(()) => removed += 1,
                Err(error) => tracing::warn!(at = %upload.at, %error, "what was begun was not given up"),
            }
        }
        Ok(removed)
    }

    /// Removes what processes left that died while they asked for the time.
    async fn collect_clocks(&self, limit: DateTime<Utc>) -> Result<(), ArtifactError> {
        let folder = self.bucket.at(CLOCK);
        let listed = self.bucket.s3.list(Some(&folder)).try_collect().await;
        let objects: Vec<ObjectMeta> = listed.map_err(|error| self.failed("list", &folder, error))?;
        for ObjectMeta { location: at, .. } in objects.iter().filter(|object| object.last_modified < limit) {
            self.bucket.remove(at).await.map_err(|error| self.failed("remove", at, error))?;
        }
        Ok(())
    }
}

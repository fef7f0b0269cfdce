//! Taking away uploads that nobody carries on, or refers to any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use futures::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStore as _};
use reelfarm_model::Digest;

use super::{FOLDER, SourceUploads, size_in};
use crate::error::ArtifactError;

impl SourceUploads {
    /// Removes uploads to which nothing was added, and that nobody asked for, for so long by the bucket's clock. Of those
    /// whose bytes are all there, not what is `referenced`. Answers how many.
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
        let listed = self.bucket.s3.list(Some(&folder)).try_collect().await;
        let objects: Vec<ObjectMeta> = listed.map_err(|error| self.failed("list", &folder, error))?;
        let mut uploads: BTreeMap<Digest, Vec<ObjectMeta>> = BTreeMap::new();
        for object in objects {
            let upload = object.location.parts().rev().nth(1).and_then(|part| part.as_ref().parse().ok());
            if let Some(upload) = upload {
                uploads.entry(upload).or_default().push(object);
            }
        }
        let mut removed = 0;
        for mut objects in uploads.into_values() {
            let bucket = &self.bucket.location.bucket;
            let is_referenced = |object: &ObjectMeta| {
                referenced.contains(&PathBuf::from(format!("s3://{bucket}/{}", object.location)))
            };
            if objects.iter().any(|object| object.last_modified > limit || is_referenced(object)) {
                continue;
            }
            // The note goes first: what is left of one that was removed in part is no source.
            objects.sort_by_key(|object| size_in(&object.location).is_some());
            for ObjectMeta { location: at, .. } in &objects {
                self.bucket.remove(at).await.map_err(|error| self.failed("remove", at, error))?;
            }
            removed += 1;
        }
        let begun = self.bucket.uploads(&format!("{folder}/")).await;
        for upload in begun.map_err(|error| self.failed("list", &folder, error))? {
            let parts = self.bucket.parts(&upload).await;
            let parts = parts.map_err(|error| self.failed("list", &upload.at, error))?.unwrap_or_default();
            let last = parts.iter().filter_map(|part| part.sent).fold(upload.begun, Ord::max);
            if last <= limit {
                let given_up = self.bucket.give_up(&upload).await;
                given_up.map_err(|error| self.failed("remove", &upload.at, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

//! Collection in a bucket.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStore as _};
use reelfarm_model::ArtifactKey;

use super::Objects;
use crate::error::ArtifactError;
use crate::store::collect::{Collection, Rule, key_of};

impl Objects {
    /// See [`ArtifactStore::collect`](crate::ArtifactStore::collect).
    pub(in crate::store) async fn collect(&self, rule: &Rule<'_>) -> Result<Collection, ArtifactError> {
        let mut collection = Collection::default();
        let age = TimeDelta::from_std(rule.age).ok();
        let now = self.bucket.now().await;
        let now = now.map_err(|error| self.failed("ask the time of", &self.bucket.at("clock"), error))?;
        let Some(limit) = age.and_then(|age| now.checked_sub_signed(age)) else { return Ok(collection) };
        self.collect_uploads(limit, rule, &mut collection).await?;
        // Before the lists: what is put meanwhile is then named by one.
        let mut data = self.data().await?;
        let mut staying = BTreeSet::new();
        for object in self.list("artifacts").await? {
            let name = object.location.filename().and_then(|name| name.strip_suffix(".json"));
            let Some(key) = name.and_then(key_of) else { continue };
            if rule.referenced.contains(&key) || object.last_modified > limit {
                staying.insert(key);
            } else {
                self.collect_artifact(key, data.get_mut(&key), rule, &mut collection).await?;
            }
        }
        for (key, objects) in data {
            // One object of an artifact that stays needs no look: it is the one that its list names.
            if staying.contains(&key) && objects.len() == 1 {
                continue;
            }
            self.collect_unnamed(key, &objects, limit, rule, &mut collection).await?;
        }
        Ok(collection)
    }

    /// Takes an artifact, and its bytes out of `objects`.
    async fn collect_artifact(
        &self,
        key: ArtifactKey,
        objects: Option<&mut Vec<ObjectMeta>>,
        rule: &Rule<'_>,
        collection: &mut Collection,
    ) -> Result<(), ArtifactError> {
        let manifest = self.manifest(key).await?;
        let named = manifest.as_ref().map(|manifest| self.data_at(key, &manifest.data));
        if let Some(objects) = objects {
            let before: u64 = objects.iter().map(|object| object.size).sum();
            objects.retain(|object| Some(&object.location) != named.as_ref());
            collection.bytes += before - objects.iter().map(|object| object.size).sum::<u64>();
        }
        collection.artifacts.insert(key);
        match manifest {
            _ if rule.dry_run => Ok(()),
            Some(manifest) => self.take_away(key, &manifest).await,
            None => self.remove(key).await,
        }
    }

    /// Takes bytes of an artifact that its list does not name, or that has none.
    async fn collect_unnamed(
        &self,
        key: ArtifactKey,
        objects: &[ObjectMeta],
        limit: DateTime<Utc>,
        rule: &Rule<'_>,
        collection: &mut Collection,
    ) -> Result<(), ArtifactError> {
        for object in objects.iter().filter(|object| object.last_modified <= limit) {
            // Looked at last: it may have been taken over meanwhile.
            let named = self.manifest(key).await?.map(|manifest| self.data_at(key, &manifest.data));
            if named.as_ref() == Some(&object.location) {
                continue;
            }
            collection.bytes += object.size;
            collection.unfinished += 1;
            if !rule.dry_run {
                let at = &object.location;
                self.bucket.remove(at).await.map_err(|error| self.failed("remove", at, error))?;
            }
        }
        Ok(())
    }

    async fn collect_uploads(
        &self,
        limit: DateTime<Utc>,
        rule: &Rule<'_>,
        collection: &mut Collection,
    ) -> Result<(), ArtifactError> {
        let folder = self.bucket.at("data");
        let uploads = self.bucket.uploads(&format!("{folder}/")).await;
        let uploads = uploads.map_err(|error| self.failed("list", &folder, error))?;
        for upload in uploads.iter().filter(|upload| upload.begun <= limit) {
            collection.unfinished += 1;
            if !rule.dry_run {
                let given_up = self.bucket.give_up(upload).await;
                given_up.map_err(|error| self.failed("remove", &upload.at, error))?;
            }
        }
        Ok(())
    }

    /// The objects with bytes, by the artifacts that they are meant for.
    async fn data(&self) -> Result<BTreeMap<ArtifactKey, Vec<ObjectMeta>>, ArtifactError> {
        let mut data: BTreeMap<ArtifactKey, Vec<ObjectMeta>> = BTreeMap::new();
        for object in self.list("data").await? {
            let key = object.location.parts().rev().nth(1).and_then(|part| key_of(part.as_ref()));
            if let Some(key) = key {
                data.entry(key).or_default().push(object);
            }
        }
        Ok(data)
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, ArtifactError> {
        let at = self.bucket.at(folder);
        self.bucket.s3.list(Some(&at)).try_collect().await.map_err(|error| self.failed("list", &at, error))
    }
}

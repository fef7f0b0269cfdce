//! The object form: artifacts lie in a bucket, and copies of them on this host.
//!
//! `PREFIX/artifacts/<key>.json` is the list of an artifact's files and names the object with their bytes,
//! `PREFIX/data/<key>/<digest of the list>-<random>`. That one is written first, under a name that nobody else writes;
//! putting the list where there is none yet (`If-None-Match: *`) is the take-over, so the first of several wins. What no
//! list names is seen by nobody.

mod collect;
mod download;
mod upload;

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload};
use reelfarm_model::ArtifactKey;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::folders::{Depth, Look, look};
use super::prepare::{must_lie_in, prepare};
use crate::artifact::{Artifact, FileList};
use crate::blocking::blocking;
use crate::bucket::Bucket;
use crate::cache::Cache;
use crate::error::ArtifactError;
use crate::folder;

/// Memory for bytes on their way, in MiB, of all transfers of this process together.
const MEMORY: u32 = 128;
/// How often a take-over goes on over a damaged artifact of the same key before it is given up.
const TRIES: usize = 4;

/// The artifacts of a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) bucket: Bucket,
    pub(super) cache: Cache,
    memory: Arc<Semaphore>,
}

/// What the object of a list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The name of the object with the bytes, below `data/<key>/`.
    pub(super) data: String,
    #[serde(flatten)]
    list: FileList,
}

/// What lies where an artifact should be.
enum Found {
    Absent,
    Whole(Manifest),
    /// With what is known of it and what speaks against it.
    Damaged(Option<Manifest>, String),
}

/// What fetching an artifact's bytes came to.
enum Fetched {
    Whole(Artifact),
    Damaged(String),
}

impl Objects {
    pub(super) fn new(bucket: Bucket, cache: Cache) -> Self {
        Self { bucket, cache, memory: Arc::new(Semaphore::new(MEMORY as usize)) }
    }

    /// See [`ArtifactStore::find`](super::ArtifactStore::find).
    pub(super) async fn find(&self, key: ArtifactKey) -> Result<Option<FileList>, ArtifactError> {
        match self.look(key).await? {
            Found::Absent => Ok(None),
            Found::Whole(manifest) => Ok(Some(manifest.list)),
            Found::Damaged(manifest, fault) => {
                self.set_aside(key, manifest.as_ref(), &fault).await?;
                Ok(None)
            }
        }
    }

    /// See [`ArtifactStore::get`](super::ArtifactStore::get).
    pub(super) async fn get(&self, key: ArtifactKey) -> Result<Option<Artifact>, ArtifactError> {
        Ok(self.get_or_hear(key).await?.map(|(artifact, _)| artifact))
    }

    /// See [`ArtifactStore::get_intact`](super::ArtifactStore::get_intact).
    pub(super) async fn get_intact(
        &self,
        key: ArtifactKey,
        stop: &CancellationToken,
    ) -> Result<Option<Artifact>, ArtifactError> {
        // A copy that has just been fetched was read; one that has lain here may have gone bad.
        let Some((artifact, is_fresh)) = self.get_or_hear(key).await? else { return Ok(None) };
        if is_fresh {
            return Ok(Some(artifact));
        }
        let (place, depth) = (artifact.folder.clone(), Depth::Bytes(stop.clone()));
        match blocking(move || Ok::<_, ArtifactError>(look(&place, key, &depth)?)).await? {
            Look::Whole(_) => Ok(Some(artifact)),
            Look::Absent | Look::Damaged(_) => {
                tracing::warn!(artifact = %key, "a copy was damaged and is fetched again");
                self.cache.forget(&copy_name(&artifact)).await?;
                self.get(key).await
            }
        }
    }

    /// The artifact, and whether its bytes came just now.
    async fn get_or_hear(&self, key: ArtifactKey) -> Result<Option<(Artifact, bool)>, ArtifactError> {
        // Sizes are looked at where the bytes are fetched: reading fewer than there should be says the same.
        let at = self.list_at(key);
        let manifest = match self.read(key, &at).await? {
            Found::Absent => return Ok(None),
            Found::Whole(manifest) => manifest,
            Found::Damaged(manifest, fault) => {
                self.set_aside(key, manifest.as_ref(), &fault).await?;
                return Ok(None);
            }
        };
        let name = name_of(&manifest.list);
        let copy = |hold| Artifact::in_cache(hold, manifest.list.clone());
        if let Some(hold) = self.cache.hold(&name).await? {
            return Ok(Some((copy(hold), false)));
        }
        let _turn = self.cache.turn(&name).await;
        if let Some(hold) = self.cache.hold(&name).await? {
            return Ok(Some((copy(hold), true)));
        }
        match self.fetch(&manifest).await? {
            Fetched::Whole(artifact) => Ok(Some((artifact, true))),
            Fetched::Damaged(fault) => {
                self.set_aside(key, Some(&manifest), &fault).await?;
                Ok(None)
            }
        }
    }

    /// See [`ArtifactStore::take_over`](super::ArtifactStore::take_over).
    pub(super) async fn take_over(
        &self,
        key: ArtifactKey,
        from: &FilePath,
    ) -> Result<Artifact, ArtifactError> {
        let (from, staging) = (from.to_owned(), self.cache.staging_folder().to_owned());
        let from = blocking(move || {
            let from = fs_err::canonicalize(from)?;
            must_lie_in(&from, &staging)?;
            Ok::<_, ArtifactError>(from)
        })
        .await?;
        if self.find(key).await?.is_some()
            && let Some(artifact) = self.get(key).await?
        {
            return self.instead_of(&from, artifact).await;
        }
        let folder = from.clone();
        let (files, _) = blocking(move || prepare(&folder)).await?;
        let list = FileList::new(key, files);
        for _ in 0..TRIES {
            let data = self.upload(&from, &list).await?;
            let manifest = Manifest { data, list: list.clone() };
            match self.commit(key, &manifest).await? {
                None => return self.adopt(&from, list).await,
                Some(first) if first.list == list => {
                    // Of equal bytes, mine need not be fetched.
                    self.withdraw(key, &manifest, &first).await?;
                    return self.adopt(&from, first.list).await;
                }
                Some(first) => {
                    self.withdraw(key, &manifest, &first).await?;
                    if let Some(artifact) = self.get(key).await? {
                        return self.instead_of(&from, artifact).await;
                    }
                }
            }
        }
        Err(self.failed("write", &self.list_at(key), "what others put there was damaged each time"))
    }

    /// Makes a list the artifact's; answers the one that is there already.
    async fn commit(&self, key: ArtifactKey, manifest: &Manifest) -> Result<Option<Manifest>, ArtifactError> {
        let at = self.list_at(key);
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| self.failed("write", &at, error))?;
        for _ in 0..TRIES {
            match self.bucket.s3.put_opts(&at, PutPayload::from(text.clone()), PutMode::Create.into()).await {
                Ok(_) => return Ok(None),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                }
                Err(error) => return Err(self.failed("write", &at, error)),
            }
            match self.look(key).await? {
                // Put by a try of this very request whose answer was lost.
                Found::Whole(first) if first == *manifest => return Ok(None),
                Found::Whole(first) => return Ok(Some(first)),
                Found::Absent => {}
                Found::Damaged(first, fault) => self.set_aside(key, first.as_ref(), &fault).await?,
            }
        }
        Err(self.failed("write", &at, "others put there and removed what they put"))
    }

    /// Removes bytes that were uploaded for nothing, unless the list that came first names them.
    async fn withdraw(
        &self,
        key: ArtifactKey,
        mine: &Manifest,
        first: &Manifest,
    ) -> Result<(), ArtifactError> {
        if mine.data == first.data {
            return Ok(());
        }
        let at = self.data_at(key, &mine.data);
        self.bucket.remove(&at).await.map_err(|error| self.failed("remove", &at, error))
    }

    /// Takes the folder that was uploaded in as the copy of this host.
    async fn adopt(&self, from: &FilePath, list: FileList) -> Result<Artifact, ArtifactError> {
        let (folder, written) = (from.to_owned(), list.clone());
        blocking(move || Ok::<_, ArtifactError>(written.write(&folder)?)).await?;
        let hold = self.cache.admit(&name_of(&list), from, list.record.size, None).await?;
        Ok(Artifact::in_cache(hold, list))
    }

    async fn instead_of(&self, from: &FilePath, artifact: Artifact) -> Result<Artifact, ArtifactError> {
        let from = from.to_owned();
        blocking(move || Ok::<_, ArtifactError>(folder::remove_all(&from)?)).await?;
        Ok(artifact)
    }

    /// See [`ArtifactStore::remove`](super::ArtifactStore::remove).
    pub(super) async fn remove(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        let at = self.list_at(key);
        match self.read(key, &at).await? {
            Found::Absent => Ok(()),
            Found::Whole(manifest) | Found::Damaged(Some(manifest), _) => {
                self.take_away(key, &manifest).await
            }
            Found::Damaged(None, _) => {
                self.bucket.remove(&at).await.map_err(|error| self.failed("remove", &at, error))
            }
        }
    }

    /// Takes a damaged artifact away, unless it has been made anew meanwhile.
    async fn set_aside(
        &self,
        key: ArtifactKey,
        manifest: Option<&Manifest>,
        fault: &str,
    ) -> Result<(), ArtifactError> {
        let at = self.list_at(key);
        match (self.read(key, &at).await?, manifest) {
            (Found::Whole(now) | Found::Damaged(Some(now), _), Some(then)) if now.data == then.data => {
                tracing::warn!(artifact = %key, fault, "an artifact was damaged and is removed");
                self.take_away(key, &now).await
            }
            (Found::Damaged(None, _), None) => {
                tracing::warn!(artifact = %key, fault, "an artifact's list was damaged and is removed");
                self.bucket.remove(&at).await.map_err(|error| self.failed("remove", &at, error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the list, and then the bytes: so the artifact disappears whole.
    pub(super) async fn take_away(&self, key: ArtifactKey, manifest: &Manifest) -> Result<(), ArtifactError> {
        for at in [self.list_at(key), self.data_at(key, &manifest.data)] {
            self.bucket.remove(&at).await.map_err(|error| self.failed("remove", &at, error))?;
        }
        Ok(self.cache.forget(&name_of(&manifest.list)).await?)
    }

    /// Looks at the list, and at the size of the bytes.
    async fn look(&self, key: ArtifactKey) -> Result<Found, ArtifactError> {
        let found = self.read(key, &self.list_at(key)).await?;
        let Found::Whole(manifest) = found else { return Ok(found) };
        let at = self.data_at(key, &manifest.data);
        let size = self.bucket.size_of(&at).await.map_err(|error| self.failed("read", &at, error))?;
        if size == Some(manifest.list.record.size) {
            return Ok(Found::Whole(manifest));
        }
        let fault = format!("its bytes are {size:?} and not {}", manifest.list.record.size);
        Ok(Found::Damaged(Some(manifest), fault))
    }

    /// Reads the list alone.
    pub(super) async fn manifest(&self, key: ArtifactKey) -> Result<Option<Manifest>, ArtifactError> {
        match self.read(key, &self.list_at(key)).await? {
            Found::Whole(manifest) | Found::Damaged(Some(manifest), _) => Ok(Some(manifest)),
            Found::Absent | Found::Damaged(None, _) => Ok(None),
        }
    }

    async fn read(&self, key: ArtifactKey, at: &Path) -> Result<Found, ArtifactError> {
        let got = match self.bucket.s3.get(at).await {
            Ok(got) => got.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(Found::Absent),
            Err(error) => Err(error),
        };
        let text = got.map_err(|error| self.failed("read", at, error))?;
        let manifest: Manifest = match serde_json::from_slice(&text) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Found::Damaged(None, format!("its list cannot be read: {error}"))),
        };
        if manifest.data.is_empty() || manifest.data.contains('/') {
            return Ok(Found::Damaged(None, format!("its list names {:?} as its bytes", manifest.data)));
        }
        Ok(match manifest.list.fault(key) {
            None => Found::Whole(manifest),
            Some(fault) => Found::Damaged(Some(manifest), fault),
        })
    }

    pub(super) fn list_at(&self, key: ArtifactKey) -> Path {
        self.bucket.at(&format!("artifacts/{key}.json"))
    }

    pub(super) fn data_at(&self, key: ArtifactKey, data: &str) -> Path {
        self.bucket.at(&format!("data/{key}/{data}"))
    }

    pub(super) fn failed(
        &self,
        action: &'static str,
        at: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ArtifactError {
        let (store, path) = (self.bucket.location.to_string(), at.to_string());
        ArtifactError::Unreachable { store, action, path, source: source.into() }
    }
}

/// What a copy of this artifact is called: made anew with other bytes it is another.
fn name_of(list: &FileList) -> String {
    format!("{}-{}", list.record.key, list.record.digest)
}

fn copy_name(artifact: &Artifact) -> String {
    format!("{}-{}", artifact.record.key, artifact.record.digest)
}

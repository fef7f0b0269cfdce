//! Sources that people send, into the bucket of the artifacts: part by part, carried on where they were cut off.
//!
//! `uploads/<SHA-256>/<size>` is the object with the bytes, and while they come the multipart upload to it.
//! `uploads/<SHA-256>/upload.json` is a note that is made first: of several that begin at the same moment one makes it, and the
//! others carry on that one's upload. Once the object was compared with the digest, it says so, and which object that was. What
//! comes is kept in whole parts: of a request that is cut off, what came after the last of them is lost.
//!
//! Promises: nothing is a source before every byte of it was compared with the digest that names it: while it came, where one
//! process saw all of it, and read back from the bucket otherwise. Two senders do not mix their bytes: an object is made of
//! the parts that its maker named by their ETags. Nothing rests on a store's listings of uploads, which
//! not every store has for more than one name: where there are some, they serve to collect what no note speaks of.

mod append;
mod collect;
mod compare;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload};
use reelfarm_model::{Digest, SourceReference};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::bucket::{Bucket, Part, Upload};
use crate::error::ArtifactError;
use compare::Comparison;

/// The folder of all uploads, below the artifacts' prefix.
pub(crate) const FOLDER: &str = "uploads";
const NOTE: &str = "upload.json";
const MIB: u64 = 1024 * 1024;
/// Bytes of a part of anything but the largest films: few enough that also a slow sender has one kept in time.
const PART: u64 = 8 * MIB;
/// A bucket takes 10,000.
const MOST_PARTS: u64 = 9_000;

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceUpload {
    /// Bytes that are there.
    pub received: u64,
    /// Bytes that it will have.
    pub size: u64,
    /// Whether it is a source: all bytes are there, and have the digest that names it.
    pub complete: bool,
    /// Bytes of a part: what is kept of a request is a multiple of it, or all that was missing.
    pub part: u64,
}

/// An upload was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceUploadError {
    /// Somebody else sends it at this moment, or it is being compared with its digest.
    #[error("the upload is being sent, or compared with its digest, at this moment")]
    Busy,
    /// What was sent does not follow on what is there.
    #[error("{received} bytes are there, and what was sent begins at {offset}")]
    Gap {
        /// Bytes that are there.
        received: u64,
        /// Where those that were sent belong.
        offset: u64,
    },
    /// It was begun with another size, or more bytes came than it has.
    #[error("the upload has {size} bytes, and {claimed} do not fit that")]
    Size {
        /// Its size.
        size: u64,
        /// What was claimed or sent.
        claimed: u64,
    },
    /// Its bytes do not have the digest that names it. They were thrown away.
    #[error("the bytes have the SHA-256 {found}")]
    Digest {
        /// What they have.
        found: Digest,
    },
    /// All of it is there and is being compared with its digest, which takes a while.
    #[error("all of the upload is there, and is being compared with its digest")]
    Comparing,
    /// The sender's connection broke. The whole parts that had come by then are kept.
    #[error("the upload was cut off: {0}")]
    Cut(io::Error),
    /// The bucket cannot be used.
    #[error(transparent)]
    Store(#[from] ArtifactError),
}

/// The uploads in a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SourceUploads {
    bucket: Bucket,
    least_part: u64,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Uploads that somebody sends at this moment.
    sending: Mutex<HashSet<Digest>>,
    /// What was hashed of uploads that are not whole yet.
    hashed: Mutex<HashMap<Digest, Hashed>>,
    /// The right to read an upload back.
    reading: Reading,
    /// Uploads that are being compared with their digest.
    comparing: Mutex<HashMap<Digest, Comparison>>,
}

/// How many uploads are read back at a time: each takes some tens of MiB, and all the bandwidth that there is.
const AT_ONCE: usize = 2;

struct Reading(Semaphore);

// The default of a semaphore lets nobody pass.
impl Default for Reading {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// The hash of the first parts of an upload, which are known by their ETags.
struct Hashed {
    upload: String,
    etags: Vec<String>,
    sha256: Sha256,
}

/// What the bucket has of an upload.
enum Found {
    Nothing,
    /// The parts from the first on without a gap.
    Coming {
        upload: Upload,
        size: u64,
        parts: Vec<Part>,
    },
    /// All bytes, which were not compared.
    Whole(Note),
    Verified(Note, ObjectMeta),
}

impl Note {
    fn found(self, object: ObjectMeta) -> Found {
        if self.verified.is_some() && is_equal(&self.verified, &object.e_tag) {
            Found::Verified(self, object)
        } else {
            Found::Whole(self)
        }
    }
}

/// What `upload.json` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    size: u64,
    /// The multipart upload.
    id: String,
    /// The ETag of the object, once that was compared.
    verified: Option<String>,
}

/// Bytes of a part of an upload of this size; the same for the same size, so that an upload can be carried on.
const fn part_size(size: u64, least: u64) -> u64 {
    let mut part = least;
    while size.div_ceil(part) > MOST_PARTS {
        part *= 2;
    }
    part
}

impl SourceUploads {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket, least_part: PART, state: Arc::default() }
    }

    /// The same with parts of at least so many bytes. A bucket wants 5 MiB.
    #[must_use]
    pub fn with_parts_of(self, bytes: u64) -> Self {
        Self { least_part: bytes, ..self }
    }

    /// How far an upload is; `None` where it was never begun.
    ///
    /// # Errors
    /// The bucket cannot be used.
    pub async fn status(&self, upload: &Digest) -> Result<Option<SourceUpload>, ArtifactError> {
        let status = |received, size, complete| SourceUpload {
            received,
            size,
            complete,
            part: part_size(size, self.least_part),
        };
        Ok(match self.find(upload).await? {
            Found::Nothing => None,
            Found::Coming { size, parts, .. } => Some(status(bytes_of(&parts), size, false)),
            Found::Whole(Note { size, .. }) => Some(status(size, size, false)),
            Found::Verified(_, object) => Some(status(object.size, object.size, true)),
        })
    }

    /// The source that a complete upload is. Whoever asks is about to refer to it: its age counts from now.
    ///
    /// # Errors
    /// The bucket cannot be used.
    pub async fn source(&self, upload: &Digest) -> Result<Option<SourceReference>, ArtifactError> {
        let Found::Verified(note, _) = self.find(upload).await? else { return Ok(None) };
        self.write(upload, &note).await?;
        // Looked at again: it may have been collected in this very moment.
        let Found::Verified(_, object) = self.find(upload).await? else { return Ok(None) };
        Ok(Some(SourceReference {
            path: format!("s3://{}/{}", self.bucket.location.bucket, object.location).into(),
            size: object.size,
            modified_ns: object.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX),
            etag: object.e_tag,
        }))
    }

    async fn find(&self, upload: &Digest) -> Result<Found, ArtifactError> {
        let Some(note) = self.read(upload).await? else { return Ok(Found::Nothing) };
        if let Some(object) = self.object(upload, note.size).await? {
            return Ok(note.found(object));
        }
        let begun = self.begun(upload, &note);
        let parts = self.bucket.parts(&begun).await;
        let Some(mut parts) = parts.map_err(|error| self.failed("list", &begun.at, error))? else {
            // It was completed just now, or given up.
            if let Some(object) = self.object(upload, note.size).await? {
                return Ok(note.found(object));
            }
            self.forget(upload, &note.id).await?;
            return Ok(Found::Nothing);
        };
        parts.sort_by_key(|part| part.index);
        let parts = parts.into_iter().enumerate().take_while(|(index, part)| *index == part.index);
        Ok(Found::Coming { upload: begun, size: note.size, parts: parts.map(|(_, part)| part).collect() })
    }

    fn begun(&self, upload: &Digest, note: &Note) -> Upload {
        Upload { at: self.at(upload, note.size), id: note.id.clone(), begun: chrono::DateTime::UNIX_EPOCH }
    }

    async fn read(&self, upload: &Digest) -> Result<Option<Note>, ArtifactError> {
        let at = self.note(upload);
        let text = match self.bucket.s3.get(&at).await {
            Ok(got) => got.bytes().await.map_err(|error| self.failed("read", &at, error))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", &at, error)),
        };
        match serde_json::from_slice(&text) {
            Ok(note) => Ok(Some(note)),
            // It says nothing, and would stand in the way of another.
            Err(error) => {
                tracing::warn!(%at, %error, "a note on an upload cannot be read; it is removed");
                self.bucket.remove(&at).await.map_err(|error| self.failed("remove", &at, error))?;
                Ok(None)
            }
        }
    }

    /// Makes the first note of an upload; `false` where there is one.
    async fn note_begun(&self, upload: &Digest, note: &Note) -> Result<bool, ArtifactError> {
        let (at, text) = (self.note(upload), self.text(upload, note)?);
        match self.bucket.s3.put_opts(&at, text, PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(error) => Err(self.failed("write", &at, error)),
        }
    }

    async fn note_verified(&self, upload: &Digest, object: &ObjectMeta) -> Result<(), ArtifactError> {
        let id = self.read(upload).await?.map(|note| note.id).unwrap_or_default();
        self.write(upload, &Note { size: object.size, id, verified: object.e_tag.clone() }).await
    }

    async fn write(&self, upload: &Digest, note: &Note) -> Result<(), ArtifactError> {
        let (at, text) = (self.note(upload), self.text(upload, note)?);
        let put = self.bucket.s3.put(&at, text).await;
        put.map(drop).map_err(|error| self.failed("write", &at, error))
    }

    fn text(&self, upload: &Digest, note: &Note) -> Result<PutPayload, ArtifactError> {
        let text = serde_json::to_vec(note);
        text.map(PutPayload::from).map_err(|error| self.failed("write", &self.note(upload), error))
    }

    /// Removes the note of the upload that was begun as `id`: what else is there of it is nothing without it. The note of
    /// another, which somebody has begun meanwhile, stays.
    async fn forget(&self, upload: &Digest, id: &str) -> Result<(), ArtifactError> {
        let at = self.note(upload);
        if self.read(upload).await?.is_none_or(|note| note.id != id) {
            return Ok(());
        }
        self.bucket.remove(&at).await.map_err(|error| self.failed("remove", &at, error))
    }

    /// The object that has just been made, which has to be there in its size.
    async fn object(&self, upload: &Digest, size: u64) -> Result<Option<ObjectMeta>, ArtifactError> {
        let at = self.at(upload, size);
        match self.bucket.s3.head(&at).await {
            Ok(object) => Ok(Some(object).filter(|object| object.size == size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", &at, error)),
        }
    }

    fn at(&self, upload: &Digest, size: u64) -> Path {
        self.bucket.at(&format!("{FOLDER}/{upload}/{size}"))
    }

    fn note(&self, upload: &Digest) -> Path {
        self.bucket.at(&format!("{FOLDER}/{upload}/{NOTE}"))
    }

    fn failed(
        &self,
        action: &'static str,
        at: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ArtifactError {
        let (store, path) = (self.bucket.location.to_string(), at.to_string());
        ArtifactError::Unreachable { store, action, path, source: source.into() }
    }
}

/// Whether ETags are the same: their quotation marks may differ by who tells them.
fn is_equal<'a>(
    one: impl IntoIterator<Item = &'a String>,
    other: impl IntoIterator<Item = &'a String>,
) -> bool {
    let bare = |etag: &'a String| etag.trim_matches('"');
    one.into_iter().map(bare).eq(other.into_iter().map(bare))
}

fn bytes_of(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.size).sum()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_what_a_bucket_takes() {
        for (size, part) in [(1, 8), (72_000 * MIB, 8), (72_001 * MIB, 16), (2 << 40, 256)] {
            assert_eq!(part_size(size, PART), part * MIB, "{size}");
            assert!(size.div_ceil(part_size(size, PART)) <= MOST_PARTS, "{size}");
        }
    }
}

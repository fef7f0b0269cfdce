//! Comparing an upload with the digest that names it, by reading it back. That may take longer than anybody waits for an
//! answer, so it goes on by itself; whoever asks again meanwhile is told so.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _};
use reelfarm_model::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::{SourceUpload, SourceUploadError, SourceUploads, locked};
use crate::blocking::blocking;
use crate::error::ArtifactError;

/// Bytes that are asked for at once.
const RANGE: u64 = 8 * 1024 * 1024;
/// Ranges that are under way at once.
const RANGES_AT_ONCE: usize = 4;
/// How long a sender waits for the end of a comparison.
const PATIENCE: Duration = Duration::from_secs(20);

/// A comparison that is under way; `None` until it has ended.
pub(super) type Comparison = watch::Receiver<Option<Outcome>>;

/// How a comparison ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Same,
    Other(Digest),
    /// Why it could not be done. It is tried again by whoever asks next.
    Failed(String),
}

/// A comparison that is under way. However it ends, another can begin then.
struct Over<'a> {
    uploads: &'a SourceUploads,
    digest: Digest,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        locked(&self.uploads.state.comparing).remove(&self.digest);
    }
}

impl SourceUploads {
    /// Has the object with all bytes compared, and waits for that a while.
    pub(super) async fn compare(
        &self,
        digest: &Digest,
        size: u64,
    ) -> Result<SourceUpload, SourceUploadError> {
        let mut comparison = self.comparison(digest, size);
        let ended = tokio::time::timeout(PATIENCE, comparison.wait_for(Option::is_some)).await;
        let outcome = ended.ok().and_then(Result::ok).and_then(|outcome| outcome.clone());
        match outcome {
            Some(Outcome::Same) => Ok(self.told(size, size, true)),
            Some(Outcome::Other(found)) => Err(SourceUploadError::Digest { found }),
            Some(Outcome::Failed(reason)) => Err(self.failed("read", &self.at(digest, size), reason).into()),
            None => Err(SourceUploadError::Comparing),
        }
    }

    fn comparison(&self, digest: &Digest, size: u64) -> Comparison {
        let mut under_way = locked(&self.state.comparing);
        if let Some(comparison) = under_way.get(digest) {
            return comparison.clone();
        }
        let (told, comparison) = watch::channel(None);
        under_way.insert(*digest, comparison.clone());
        let (this, digest) = (self.clone(), *digest);
        tokio::spawn(async move {
            let over = Over { uploads: &this, digest };
            // Never closed, so that it is only waited for.
            let _turn = this.state.reading.0.acquire().await;
            let outcome = this.read_back(&digest, size).await.unwrap_or_else(|error| {
                tracing::warn!(upload = %digest, %error, "an upload was not compared with its digest");
                Outcome::Failed(error.to_string())
            });
            // Before it is told, so that whoever hears of it finds what came of it.
            drop(over);
            told.send_replace(Some(outcome));
        });
        comparison
    }

    async fn read_back(&self, digest: &Digest, size: u64) -> Result<Outcome, ArtifactError> {
        let Some(object) = self.object(digest, size).await? else {
            return Ok(Outcome::Failed("it is not there any more".to_owned()));
        };
        let found = self.digest_of(&object).await?;
        if found == *digest {
            self.note_verified(digest, &object).await?;
            return Ok(Outcome::Same);
        }
        let at = &object.location;
        let now = self.object(digest, size).await?;
        if now.is_some_and(|now| now.e_tag == object.e_tag) {
            if let Some(note) = self.read(digest).await? {
                self.forget(digest, &note.id).await?;
            }
            self.bucket.remove(at).await.map_err(|error| self.failed("remove", at, error))?;
        }
        Ok(Outcome::Other(found))
    }

    async fn digest_of(&self, object: &ObjectMeta) -> Result<Digest, ArtifactError> {
        let at = &object.location;
        let reading = (0..object.size).step_by(RANGE as usize).map(|start| {
            let options = GetOptions {
                range: Some(GetRange::Bounded(start..object.size.min(start + RANGE))),
                if_match: object.e_tag.clone(),
                ..GetOptions::default()
            };
            async move { self.bucket.s3.get_opts(at, options).await?.bytes().await }
        });
        // Boxed: otherwise the compiler cannot see that a caller's future is Send.
        let mut read = futures::stream::iter(reading).buffered(RANGES_AT_ONCE).boxed();
        let mut sha256 = Sha256::new();
        while let Some(bytes) = read.try_next().await.map_err(|error| self.failed("read", at, error))? {
            sha256 = blocking(move || Ok::<_, ArtifactError>(sha256.chain_update(&bytes))).await?;
        }
        Ok(Digest::from_bytes(sha256.finalize().into()))
    }
}

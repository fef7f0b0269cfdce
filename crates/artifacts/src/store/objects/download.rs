//! The bytes of an artifact out of the bucket, range by range, and every file compared with its digest.

use std::path::Path as FilePath;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use tokio::sync::SemaphorePermit;

use super::{Fetched, MEMORY, Manifest, Objects, name_of};
use crate::artifact::Artifact;
use crate::blocking::blocking;
use crate::error::ArtifactError;
use crate::hashing::digest_files;
use crate::store::pack::{Pack, ranges};

/// Bytes that are asked for at once.
const RANGE: u64 = 8 * 1024 * 1024;
/// Ranges of one artifact that are under way at once.
const AT_ONCE: usize = 4;
/// How often bytes are fetched that arrive wrong: what was changed on its way comes right the next time.
const TRIES: usize = 2;

impl Objects {
    /// Fetches a copy. Whoever calls it has the turn to.
    pub(super) async fn fetch(&self, manifest: &Manifest) -> Result<Fetched, ArtifactError> {
        let list = &manifest.list;
        let room = self.cache.reserve(list.record.size).await?;
        let mut fault = String::new();
        for _ in 0..TRIES {
            let staging = self.cache.staging(&format!("fetch-{}", list.record.key.short()))?;
            if !self.fetch_into(manifest, staging.path()).await? {
                return Ok(Fetched::Damaged("its bytes are gone or too few".to_owned()));
            }
            let (folder, expected) = (staging.path().to_owned(), list.clone());
            let wrong = blocking(move || {
                let named: Vec<_> =
                    expected.files.iter().map(|file| (file.path.clone(), file.size)).collect();
                let found = digest_files(&folder, &named)?;
                let wrong = expected.files.iter().zip(found).find(|(expected, found)| *expected != found);
                expected.write(&folder)?;
                Ok::<_, ArtifactError>(wrong.map(|(file, _)| file.path.clone()))
            })
            .await?;
            match wrong {
                None => {
                    let name = name_of(list);
                    let hold = self.cache.admit(&name, staging.path(), list.record.size, Some(room)).await?;
                    return Ok(Fetched::Whole(Artifact::in_cache(hold, list.clone())));
                }
                Some(path) => {
                    tracing::warn!(artifact = %list.record.key, path, "bytes of an artifact arrived changed");
                    fault = format!("{path} has other bytes than were taken over");
                }
            }
            staging.discard().await?;
        }
        Ok(Fetched::Damaged(fault))
    }

    /// Whether all bytes came, whatever they are.
    async fn fetch_into(&self, manifest: &Manifest, folder: &FilePath) -> Result<bool, ArtifactError> {
        let list = &manifest.list;
        let at = self.data_at(list.record.key, &manifest.data);
        let pack = Pack::new(folder.to_owned(), &list.files);
        let new = pack.clone();
        blocking(move || Ok::<_, ArtifactError>(new.create()?)).await?;
        let fetching = ranges(pack.size(), RANGE).map(|range| {
            let (pack, at) = (pack.clone(), &at);
            async move {
                let length = range.end - range.start;
                let _memory = self.memory(length).await?;
                let bytes = match self.bucket.s3.get_range(at, range.clone()).await {
                    Ok(bytes) if bytes.len() as u64 == length => bytes,
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(false),
                    Err(error) => {
                        // A range beyond the end is refused by the store: then its object is too short.
                        let size = self.bucket.size_of(at).await;
                        let is_short = matches!(size, Ok(size) if size != Some(pack.size()));
                        return if is_short { Ok(false) } else { Err(self.failed("read", at, error)) };
                    }
                };
                blocking(move || Ok::<_, ArtifactError>(pack.write(range.start, &bytes)?)).await?;
                Ok(true)
            }
        });
        let mut came = futures::stream::iter(fetching).buffer_unordered(AT_ONCE);
        while let Some(one) = came.try_next().await? {
            if !one {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Memory for so many bytes on their way.
    pub(super) async fn memory(&self, bytes: u64) -> Result<SemaphorePermit<'_>, ArtifactError> {
        let wanted = u32::try_from(bytes.div_ceil(1024 * 1024)).unwrap_or(MEMORY).clamp(1, MEMORY);
        self.memory
            .acquire_many(wanted)
            .await
            .map_err(|error| self.failed("read", &self.bucket.at(""), error))
    }
}

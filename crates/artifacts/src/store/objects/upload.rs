//! The bytes of an artifact into the bucket, part by part; an upload that died is carried on.

use std::path::Path as FilePath;

use futures::{StreamExt as _, TryStreamExt as _};
use md5::{Digest as _, Md5};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _, ObjectStoreExt as _, PutPayload};

use super::{Objects, TRIES};
use crate::artifact::FileList;
use crate::blocking::blocking;
use crate::bucket::{Part, Upload};
use crate::error::ArtifactError;
use crate::store::pack::{Pack, ranges};

const MIB: u64 = 1024 * 1024;
/// Bytes of a part. A bucket wants at least 5 MiB.
const PART: u64 = 8 * MIB;
/// A bucket takes 10,000.
const MOST_PARTS: u64 = 9_000;
/// Parts of one artifact that are under way at once.
const AT_ONCE: usize = 4;

/// Bytes of a part of an object of this size. The same for the same size, so that an upload can be carried on.
const fn part_size(size: u64) -> u64 {
    let least = size.div_ceil(MOST_PARTS).div_ceil(MIB) * MIB;
    if least > PART { least } else { PART }
}

/// Why parts cannot be sent.
enum SendError {
    /// There is no such upload (any more): it was completed or given up by another.
    Gone,
    Failed(ArtifactError),
}

impl Objects {
    /// Gets the bytes of these files, which lie in `from`, into an object of their own; answers its name. One that an
    /// attempt with equal bytes completed and did not take over is used, and one that such an attempt began is carried on:
    /// parts are kept whose MD5 the store has.
    pub(super) async fn upload(&self, from: &FilePath, list: &FileList) -> Result<String, ArtifactError> {
        let key = list.record.key;
        let beginning = format!("{}-", list.record.digest);
        let folder = self.bucket.at(&format!("data/{key}"));
        let pack = Pack::new(from.to_owned(), &list.files);
        let name = |at: &Path| at.filename().unwrap_or_default().to_owned();
        for _ in 0..TRIES {
            if let Some(whole) = self.completed(&folder, &beginning, pack.size()).await? {
                return Ok(name(&whole));
            }
            let new = || self.data_at(key, &format!("{beginning}{:032x}", rand::random::<u128>()));
            if pack.size() <= PART {
                let at = new();
                self.put_whole(&pack, &at).await?;
                return Ok(name(&at));
            }
            let start = format!("{folder}/{beginning}");
            let begun =
                self.bucket.uploads(&start).await.map_err(|error| self.failed("list", &folder, error))?;
            let upload = match begun.into_iter().max_by_key(|upload| upload.begun) {
                Some(upload) => upload,
                None => self.begin(new()).await?,
            };
            match self.send(&pack, &upload).await {
                Ok(()) => return Ok(name(&upload.at)),
                Err(SendError::Gone) => {}
                Err(SendError::Failed(error)) => return Err(error),
            }
        }
        Err(self.failed("write", &folder, "the upload was ended by others each time"))
    }

    /// An object of this size whose name begins so, in `folder`.
    async fn completed(
        &self,
        folder: &Path,
        beginning: &str,
        size: u64,
    ) -> Result<Option<Path>, ArtifactError> {
        let objects: Vec<ObjectMeta> = self
            .bucket
            .s3
            .list(Some(folder))
            .try_collect()
            .await
            .map_err(|error| self.failed("list", folder, error))?;
        let fits = |object: &ObjectMeta| {
            object.size == size && object.location.filename().is_some_and(|name| name.starts_with(beginning))
        };
        Ok(objects
            .into_iter()
            .filter(fits)
            .max_by_key(|object| object.last_modified)
            .map(|object| object.location))
    }

    async fn put_whole(&self, pack: &Pack, at: &Path) -> Result<(), ArtifactError> {
        let _memory = self.memory(pack.size()).await?;
        let pack = pack.clone();
        let bytes = blocking(move || Ok::<_, ArtifactError>(pack.read(0..pack.size())?)).await?;
        self.bucket
            .s3
            .put(at, PutPayload::from(bytes))
            .await
            .map_err(|error| self.failed("write", at, error))?;
        Ok(())
    }

    async fn begin(&self, at: Path) -> Result<Upload, ArtifactError> {
        let id =
            self.bucket.s3.create_multipart(&at).await.map_err(|error| self.failed("write", &at, error))?;
        Ok(Upload { at, id, begun: chrono::DateTime::UNIX_EPOCH })
    }

    /// Sends what the store lacks of an upload, and completes it.
    async fn send(&self, pack: &Pack, upload: &Upload) -> Result<(), SendError> {
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => SendError::Gone,
            error => SendError::Failed(self.failed("write", &upload.at, error)),
        };
        let Some(there) = self.bucket.parts(upload).await.map_err(failed)? else {
            return Err(SendError::Gone);
        };
        let part_size = part_size(pack.size());
        let sending = ranges(pack.size(), part_size).enumerate().map(|(index, range)| {
            let there = there.iter().find(|part| part.index == index).cloned();
            let pack = pack.clone();
            async move {
                let _memory = self.memory(range.end - range.start).await.map_err(SendError::Failed)?;
                let (bytes, md5) = blocking(move || {
                    let bytes = pack.read(range)?;
                    let md5 = hex::encode(Md5::digest(&bytes));
                    Ok::<_, ArtifactError>((bytes, md5))
                })
                .await
                .map_err(SendError::Failed)?;
                if let Some(part) = there
                    && is_same(&part, bytes.len() as u64, &md5)
                {
                    return Ok(PartId { content_id: part.etag });
                }
                let payload = PutPayload::from(bytes);
                self.bucket.s3.put_part(&upload.at, &upload.id, index, payload).await.map_err(failed)
            }
        });
        let parts: Vec<PartId> = futures::stream::iter(sending).buffered(AT_ONCE).try_collect().await?;
        match self.bucket.s3.complete_multipart(&upload.at, &upload.id, parts).await {
            Ok(_) => {}
            // Another carried on the same one, or an answer was lost: what counts is what is there.
            Err(error) => match self.bucket.size_of(&upload.at).await {
                Ok(Some(size)) if size == pack.size() => {}
                _ => return Err(failed(error)),
            },
        }
        let size = self.bucket.size_of(&upload.at).await.map_err(failed)?;
        if size == Some(pack.size()) {
            return Ok(());
        }
        let reason = format!("the store has {size:?} bytes of {}", pack.size());
        Err(SendError::Failed(self.failed("write", &upload.at, reason)))
    }
}

/// Whether the store has these bytes as a part. Where its ETags are no MD5s it is sent again.
fn is_same(part: &Part, size: u64, md5: &str) -> bool {
    part.size == size && part.etag.trim_matches('"').eq_ignore_ascii_case(md5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_what_a_bucket_takes() {
        for (size, expected) in
            [(0, PART), (PART, PART), (70 << 30, PART), (100 << 30, 12 * MIB), (5 << 40, 583 * MIB)]
        {
            assert_eq!(part_size(size), expected, "{size}");
            assert!(size.div_ceil(part_size(size)) <= MOST_PARTS, "{size}");
        }
    }
}

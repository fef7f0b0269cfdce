//! Uploads in the bucket of the artifacts, which every host reaches.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use reelfarm_api::UploadStatus;
use reelfarm_artifacts::{SourceUpload, SourceUploadError, SourceUploads};
use reelfarm_model::Digest;

use super::{Sent, UploadBody, UploadError, Uploads};

/// Uploads in a bucket.
#[derive(Clone, Debug)]
pub struct BucketUploads {
    uploads: SourceUploads,
    largest: u64,
}

impl BucketUploads {
    /// Takes uploads of at most `largest` bytes.
    pub const fn new(uploads: SourceUploads, largest: u64) -> Self {
        Self { uploads, largest }
    }
}

fn status(upload: &Digest, found: SourceUpload) -> UploadStatus {
    let SourceUpload { received, size, complete, part } = found;
    UploadStatus { upload: *upload, received, size, complete, part }
}

fn explain(upload: &Digest, error: SourceUploadError) -> UploadError {
    match error {
        SourceUploadError::Busy => UploadError::Busy(*upload),
        SourceUploadError::Comparing => UploadError::Comparing(*upload),
        SourceUploadError::Gap { received, offset } => UploadError::Gap { received, offset },
        SourceUploadError::Size { size, claimed } => UploadError::Size { size, claimed },
        SourceUploadError::Digest { found } => UploadError::Digest { found },
        SourceUploadError::Cut(error) => UploadError::Cut(error),
        SourceUploadError::Store(error) => UploadError::Store(error),
    }
}

#[async_trait]
impl Uploads for BucketUploads {
    async fn status(&self, upload: &Digest) -> Result<Option<UploadStatus>, UploadError> {
        let found = self.uploads.status(upload).await.map_err(UploadError::Store)?;
        Ok(found.map(|found| status(upload, found)))
    }

    async fn append(
        &self,
        upload: &Digest,
        size: u64,
        offset: u64,
        bytes: UploadBody,
    ) -> Result<UploadStatus, UploadError> {
        if size > self.largest {
            return Err(UploadError::TooLarge { size, largest: self.largest });
        }
        let appended = self.uploads.append(upload, size, offset, bytes).await;
        appended.map(|found| status(upload, found)).map_err(|error| explain(upload, error))
    }

    async fn sent(&self, upload: &Digest) -> Result<Option<Sent>, UploadError> {
        let source = self.uploads.source(upload).await.map_err(UploadError::Store)?;
        Ok(source.map(Sent::Object))
    }

    async fn collect(&self, age: Duration, referenced: BTreeSet<PathBuf>) -> Result<usize, UploadError> {
        self.uploads.collect(age, &referenced).await.map_err(UploadError::Store)
    }
}

//! A media set to the origin: written, and every byte read back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{FutureExt as _, StreamExt as _};
use object_store::path::Path;
use reelfarm_model::TitleId;
use reelfarm_model::index::IndexFile;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::path::file_path;
use super::transfer::SendError;
use super::{Origin, OriginError};
use crate::artifact::{Artifact, ArtifactFile};

/// Files that are under way at once: enough to hide the waiting for each, few enough to hold little memory.
const AT_ONCE: usize = 4;

/// What of a media set is at the origin: the proof that an upload leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Where the media set lies, from the title's folder.
    pub media_path: String,
    /// Its files, by their paths from the title's folder, in the order of their paths.
    pub files: Vec<IndexFile>,
}

/// What an upload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The proof of what is at the origin now.
    pub receipt: Receipt,
    /// Bytes that were written for it. Files that were left as they were have none.
    pub written: u64,
}

impl Origin {
    /// Copies the files of `artifact` that `include` names (by their paths in the artifact) to `media_path` in the
    /// title's folder, and reads every byte back. Files that are there already with the right size and MD5 are left.
    ///
    /// `on_progress` is told how much is done and how much there is to do, in bytes; each byte counts once when it is
    /// written and once when it is read back.
    ///
    /// Once `stop` is cancelled no further file is begun, and those under way are brought to an end.
    ///
    /// On an error, what this call wrote is removed again. Dropped before it ends, it may leave files behind; they are
    /// harmless, as no index names them, and where `media_path` is `media/<set>/<12 hexadecimal digits>` they go with the
    /// next [`publish`](Self::publish) or [`withdraw`](Self::withdraw).
    ///
    /// # Errors
    /// [`OriginError::Mismatch`] where a file read back is not what was sent; [`OriginError::ArtifactDamaged`] where the
    /// artifact is not what its list says; [`OriginError::Full`]; [`OriginError::Unreachable`];
    /// [`OriginError::BadPath`] for names that an origin does not take; [`OriginError::Stopped`].
    pub async fn upload(
        &self,
        title: &TitleId,
        media_path: &str,
        artifact: &Artifact,
        include: impl Fn(&str) -> bool + Send,
        on_progress: impl Fn(u64, u64) + Send + Sync,
        stop: &CancellationToken,
    ) -> Result<Uploaded, OriginError> {
        let mut jobs = Vec::new();
        for file in artifact.files.iter().filter(|file| include(&file.path)) {
            let path = format!("{media_path}/{}", file.path);
            jobs.push(Job { file, location: file_path(title, &path)?, path });
        }
        // Of this media set, as another may be on its way at the same time.
        self.give_up_uploads(&file_path(title, media_path)?).await?;
        let batch = Batch {
            origin: self,
            artifact,
            done: AtomicU64::new(0),
            total: jobs.iter().map(|job| 2 * job.file.size).sum(),
            on_progress,
            stop,
            failed: AtomicBool::new(false),
            written: Mutex::default(),
        };
        // Nothing under way is dropped on an error: it would go on in the background and write after the cleaning up.
        // Boxed: otherwise the compiler cannot see that a caller's future is Send.
        let copies: Vec<_> = jobs.iter().map(|job| batch.copy(job).boxed()).collect();
        let results: Vec<_> = futures::stream::iter(copies).buffer_unordered(AT_ONCE).collect().await;
        let settled = match results.into_iter().find_map(Result::err) {
            None if stop.is_cancelled() => Err(OriginError::Stopped),
            None => self.settle().await,
            Some(error) => Err(error),
        };
        if let Err(error) = settled {
            batch.remove_written().await;
            return Err(error);
        }

        let written = batch.written().iter().map(|job| job.file.size).sum();
        let mut files: Vec<_> = jobs
            .iter()
            .map(|job| IndexFile { path: job.path.clone(), size: job.file.size, md5: job.file.md5.clone() })
            .collect();
        files.sort();
        Ok(Uploaded { receipt: Receipt { media_path: media_path.to_owned(), files }, written })
    }
}

struct Job<'a> {
    file: &'a ArtifactFile,
    /// From the title's folder.
    path: String,
    /// From the origin's root.
    location: Path,
}

struct Batch<'a, P> {
    origin: &'a Origin,
    artifact: &'a Artifact,
    done: AtomicU64,
    total: u64,
    on_progress: P,
    stop: &'a CancellationToken,
    failed: AtomicBool,
    /// What was begun to be written.
    written: Mutex<Vec<&'a Job<'a>>>,
}

impl<'a, P: Fn(u64, u64) + Send + Sync> Batch<'a, P> {
    async fn copy(&self, job: &'a Job<'a>) -> Result<(), OriginError> {
        if self.failed.load(Ordering::Relaxed) || self.stop.is_cancelled() {
            return Ok(());
        }
        let result = self.copy_one(job).await;
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    async fn copy_one(&self, job: &'a Job<'a>) -> Result<(), OriginError> {
        let Job { file, location, .. } = job;
        self.origin.refuse_links(location).await?;
        if self.origin.size_of(location).await? == Some(file.size) {
            let found = self.origin.md5_at(location, file.size, |_| {}).await?;
            if found == file.md5 {
                self.advance(2 * file.size);
                return Ok(());
            }
        }
        self.written().push(job);
        let source = self.artifact.path_of(file);
        let on_bytes = |bytes| self.advance(bytes);
        let sent = match self.origin.send(&source, file.size, location, on_bytes, self.stop).await {
            // What is removed in a moment need not be read back: the whole upload ends as stopped.
            Ok(_) if self.stop.is_cancelled() => return Ok(()),
            Err(SendError::Stopped) => return Ok(()),
            Ok(md5) => md5,
            Err(SendError::Source(error)) => return Err(self.damaged(file, error.to_string())),
            Err(SendError::Origin(error)) => return Err(error),
        };
        if sent != file.md5 {
            return Err(self.damaged(file, format!("its MD5 is {sent}, and it was {}", file.md5)));
        }
        let size = self.origin.size_of(location).await?.unwrap_or(0);
        let found = self.origin.md5_at(location, size, |bytes| self.advance(bytes)).await?;
        if found == sent { Ok(()) } else { Err(self.origin.mismatch(location, sent, found)) }
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.on_progress)(done, self.total);
    }

    fn damaged(&self, file: &ArtifactFile, detail: String) -> OriginError {
        OriginError::ArtifactDamaged {
            artifact: self.artifact.key.to_string(),
            path: file.path.clone(),
            detail,
        }
    }

    fn written(&self) -> MutexGuard<'_, Vec<&'a Job<'a>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn remove_written(&self) {
        let written = std::mem::take(&mut *self.written());
        for job in written {
            if let Err(error) = self.origin.remove_file(&job.location).await {
                tracing::warn!(%error, "a file of a failed upload was left at the origin");
            }
        }
    }
}

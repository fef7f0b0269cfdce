//! Uploads in a folder that all schedulers see.
//!
//! `<digest>.<size>.part` is one that is on its way: its length is what has come. `<digest>` is one that is complete,
//! and gets its name in one step once its bytes were compared with the digest and are on the disk.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{FileTimes, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::StreamExt as _;
use reelfarm_api::UploadStatus;
use reelfarm_model::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{Sent, UploadBody, UploadError, Uploads};

const PART: &str = "part";
/// Pieces of a body that wait for the disk.
const PIECES: usize = 16;
/// Unfinished uploads whose hash is remembered.
const REMEMBERED: usize = 1024;

/// Uploads in a folder.
#[derive(Clone)]
pub struct FolderUploads {
    folder: PathBuf,
    largest: u64,
    hashed: Arc<Mutex<HashMap<Digest, Hashed>>>,
}

/// What was hashed of an upload so far: otherwise each request would read all that came before it.
struct Hashed {
    received: u64,
    hasher: Sha256,
    /// The file, and when it was last written, as this process left it: another scheduler may have been at it since.
    left: Option<(u64, SystemTime)>,
}

impl fmt::Debug for FolderUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, largest, hashed: _ } = self;
        f.debug_struct("FolderUploads")
            .field("folder", folder)
            .field("largest", largest)
            .finish_non_exhaustive()
    }
}

impl FolderUploads {
    /// Takes uploads of at most `largest` bytes into `folder`, which is made where it is missing. Blocks, shortly.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path, largest: u64) -> io::Result<Self> {
        fs_err::create_dir_all(folder)?;
        Ok(Self { folder: fs_err::canonicalize(folder)?, largest, hashed: Arc::default() })
    }

    fn complete(&self, upload: &Digest) -> PathBuf {
        self.folder.join(upload.to_string())
    }

    fn part(&self, upload: &Digest, size: u64) -> PathBuf {
        self.folder.join(format!("{upload}.{size}.{PART}"))
    }

    /// The hash of what is there, from memory or from the disk, and the file at its end.
    fn hashed_up_to(&self, upload: &Digest, received: u64, file: &mut fs_err::File) -> io::Result<Hashed> {
        let known = self.hashed.lock().unwrap_or_else(PoisonError::into_inner).remove(upload);
        let found = Some(written(file)?);
        match known.filter(|known| known.received == received && known.left == found) {
            Some(known) => {
                file.seek(SeekFrom::End(0))?;
                Ok(known)
            }
            None => Ok(Hashed { received, hasher: hash(file)?, left: None }),
        }
    }

    fn remember(&self, upload: &Digest, file: &fs_err::File, hashed: Hashed) {
        let hashed = Hashed { left: written(file).ok(), ..hashed };
        let mut known = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            // Whichever: it is hashed again where it goes on.
            known.clear();
        }
        known.insert(*upload, hashed);
    }

    fn look(&self, upload: &Digest) -> io::Result<Option<UploadStatus>> {
        match fs_err::File::open(self.complete(upload)) {
            Ok(file) => {
                // Whoever asks is about to refer to it. When it was written stays: a source with another time is another one.
                // Where this is not allowed, the file's age has to do.
                drop(file.file().set_times(FileTimes::new().set_accessed(SystemTime::now())));
                let size = file.metadata()?.len();
                return Ok(Some(UploadStatus {
                    upload: *upload,
                    received: size,
                    size,
                    complete: true,
                    part: 1,
                }));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let start = format!("{upload}.");
        for entry in fs_err::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let size = name.to_str().and_then(|name| name.strip_prefix(&start)?.strip_suffix(".part"));
            if let Some(size) = size.and_then(|size| size.parse().ok()) {
                let received = entry.metadata()?.len();
                return Ok(Some(UploadStatus { upload: *upload, received, size, complete: false, part: 1 }));
            }
        }
        Ok(None)
    }

    /// Writes what comes until the sender has gone. Blocks.
    fn write(
        &self,
        upload: &Digest,
        size: u64,
        offset: u64,
        mut pieces: mpsc::Receiver<io::Result<axum::body::Bytes>>,
    ) -> Result<UploadStatus, UploadError> {
        if size > self.largest {
            return Err(UploadError::TooLarge { size, largest: self.largest });
        }
        match self.look(upload).map_err(disk)? {
            Some(known) if known.size != size => {
                return Err(UploadError::Size { size: known.size, claimed: size });
            }
            Some(known) if known.complete => return Ok(known),
            Some(known) if known.received != offset => {
                return Err(UploadError::Gap { received: known.received, offset });
            }
            None if offset != 0 => return Err(UploadError::Gap { received: 0, offset }),
            _ => {}
        }
        let path = self.part(upload, size);
        let mut file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(disk)?;
        match file.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(UploadError::Busy(*upload)),
            Err(TryLockError::Error(error)) => return Err(disk(error)),
        }
        // Known only under the lock: another sender may have been at it, or have finished.
        let received = file.metadata().map_err(disk)?.len();
        if received != offset {
            return Err(UploadError::Gap { received, offset });
        }
        let mut hashed = self.hashed_up_to(upload, received, &mut file).map_err(disk)?;
        let mut cut = None;
        while let Some(piece) = pieces.blocking_recv() {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    cut = Some(error);
                    break;
                }
            };
            let claimed = hashed.received + piece.len() as u64;
            if claimed > size {
                file.file().set_len(offset).map_err(disk)?;
                return Err(UploadError::Size { size, claimed });
            }
            file.write_all(&piece).map_err(disk)?;
            hashed.hasher.update(&piece);
            hashed.received = claimed;
        }
        let received = hashed.received;
        let status = UploadStatus { upload: *upload, received, size, complete: received == size, part: 1 };
        if !status.complete {
            self.remember(upload, &file, hashed);
            return cut.map_or(Ok(status), |error| Err(UploadError::Cut(error)));
        }
        let found = Digest::from_bytes(hashed.hasher.finalize().into());
        if found != *upload {
            fs_err::remove_file(&path).map_err(disk)?;
            return Err(UploadError::Digest { found });
        }
        file.sync_all().map_err(disk)?;
        fs_err::rename(&path, self.complete(upload)).map_err(disk)?;
        fs_err::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(disk)?;
        Ok(status)
    }
}

#[async_trait]
impl Uploads for FolderUploads {
    async fn status(&self, upload: &Digest) -> Result<Option<UploadStatus>, UploadError> {
        let (this, upload) = (self.clone(), *upload);
        let looked = tokio::task::spawn_blocking(move || this.look(&upload)).await;
        looked.map_err(|error| disk(io::Error::other(error)))?.map_err(disk)
    }

    async fn append(
        &self,
        upload: &Digest,
        size: u64,
        offset: u64,
        mut bytes: UploadBody,
    ) -> Result<UploadStatus, UploadError> {
        let (sender, pieces) = mpsc::channel(PIECES);
        let (this, upload) = (self.clone(), *upload);
        let writing = tokio::task::spawn_blocking(move || this.write(&upload, size, offset, pieces));
        while let Some(piece) = bytes.next().await {
            // Refused already: why, the writer says.
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        writing.await.map_err(|error| disk(io::Error::other(error)))?
    }

    async fn sent(&self, upload: &Digest) -> Result<Option<Sent>, UploadError> {
        let status = self.status(upload).await?;
        Ok(status.filter(|status| status.complete).map(|_| Sent::File(self.complete(upload))))
    }

    async fn collect(&self, age: Duration, referenced: BTreeSet<PathBuf>) -> Result<usize, UploadError> {
        let folder = self.folder.clone();
        // By their names: another scheduler may know the folder by another path.
        let name = |source: &PathBuf| source.file_name().and_then(|name| name.to_str()?.parse().ok());
        let referenced: BTreeSet<Digest> = referenced.iter().filter_map(name).collect();
        let collected = tokio::task::spawn_blocking(move || {
            let mut removed = 0;
            for entry in fs_err::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name();
                // The rest is not the farm's.
                let Some(upload) = name.to_str().and_then(upload_of) else { continue };
                if referenced.contains(&upload) && !is_part(&entry.path()) {
                    continue;
                }
                match remove_old(&entry.path(), age) {
                    Ok(is_removed) => removed += usize::from(is_removed),
                    Err(error) => tracing::warn!(%upload, %error, "an old upload was not removed"),
                }
            }
            Ok(removed)
        });
        collected.await.map_err(|error| disk(io::Error::other(error)))?.map_err(disk)
    }
}

/// The upload whose file, or the beginning of it, has this name.
fn upload_of(name: &str) -> Option<Digest> {
    let (upload, rest) = name.split_once('.').unwrap_or((name, ""));
    let is_ours =
        rest.is_empty() || rest.strip_suffix(".part").is_some_and(|size| size.parse::<u64>().is_ok());
    upload.parse().ok().filter(|_| is_ours)
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == PART)
}

/// Removes a file that nobody has written or asked for in so long. Answers whether it did.
fn remove_old(path: &Path, age: Duration) -> io::Result<bool> {
    let metadata = fs_err::symlink_metadata(path)?;
    let used = metadata.modified()?.max(metadata.accessed()?);
    let is_old = SystemTime::now().duration_since(used).is_ok_and(|passed| passed >= age);
    if is_old {
        fs_err::remove_file(path)?;
    }
    Ok(is_old)
}

/// Which file it is, and when it was last written.
fn written(file: &fs_err::File) -> io::Result<(u64, SystemTime)> {
    let metadata = file.metadata()?;
    Ok((metadata.ino(), metadata.modified()?))
}

fn hash(file: &mut fs_err::File) -> io::Result<Sha256> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn disk(error: io::Error) -> UploadError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => UploadError::Full(error),
        _ => UploadError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    fn body(pieces: &[&'static [u8]]) -> UploadBody {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        futures::stream::iter(pieces).boxed()
    }

    fn cut(piece: &'static [u8]) -> UploadBody {
        let broken = Err(io::Error::other("gone"));
        futures::stream::iter([Ok(Bytes::from_static(piece)), broken]).boxed()
    }

    fn uploads() -> (tempfile::TempDir, FolderUploads) {
        let folder = tempfile::tempdir().unwrap();
        let uploads = FolderUploads::open(&folder.path().join("uploads"), 100).unwrap();
        (folder, uploads)
    }

    async fn file(uploads: &FolderUploads, upload: &Digest) -> Option<PathBuf> {
        match uploads.sent(upload).await.unwrap()? {
            Sent::File(file) => Some(file),
            Sent::Object(object) => panic!("{object:?}"),
        }
    }

    #[tokio::test]
    async fn an_upload_that_was_cut_off_is_carried_on_where_it_was() {
        let (_folder, uploads) = uploads();
        let name = Digest::of(b"the whole reel");
        assert_eq!(uploads.status(&name).await.unwrap(), None);
        let broken = uploads.append(&name, 14, 0, cut(b"the ")).await.unwrap_err();
        assert!(matches!(broken, UploadError::Cut(_)));
        assert_eq!(uploads.status(&name).await.unwrap().unwrap().received, 4);
        let gap = uploads.append(&name, 14, 0, body(&[b"the "])).await.unwrap_err();
        assert!(matches!(gap, UploadError::Gap { received: 4, offset: 0 }));
        assert!(!uploads.append(&name, 14, 4, body(&[b"who", b"le"])).await.unwrap().complete);
        assert_eq!(uploads.sent(&name).await.unwrap(), None);
        assert!(uploads.append(&name, 14, 9, body(&[b" reel"])).await.unwrap().complete);
        let file = file(&uploads, &name).await.unwrap();
        assert_eq!(fs_err::read(file).unwrap(), b"the whole reel");
        // Sent once more by somebody who does not know.
        assert!(uploads.append(&name, 14, 0, body(&[b"the whole reel"])).await.unwrap().complete);
    }

    #[tokio::test]
    async fn an_upload_goes_on_through_another_scheduler_whatever_the_first_remembers() {
        let (folder, first) = uploads();
        let second = FolderUploads::open(&folder.path().join("uploads"), 100).unwrap();
        let name = Digest::of(b"reel");
        first.append(&name, 4, 0, body(&[b"RE"])).await.unwrap();
        // The sender had sent the wrong file, and begins anew through the other.
        assert!(matches!(
            second.append(&name, 4, 2, body(&[b"EL"])).await.unwrap_err(),
            UploadError::Digest { .. }
        ));
        second.append(&name, 4, 0, body(&[b"re"])).await.unwrap();
        assert!(first.append(&name, 4, 2, body(&[b"el"])).await.unwrap().complete);
    }

    #[tokio::test]
    async fn bytes_that_are_wrong_or_too_many_change_nothing() {
        let (folder, uploads) = uploads();
        let name = Digest::of(b"reel");
        let error = uploads.append(&name, 4, 0, body(&[b"real"])).await.unwrap_err();
        assert!(matches!(error, UploadError::Digest { .. }), "{error}");
        assert_eq!(uploads.status(&name).await.unwrap(), None);
        uploads.append(&name, 4, 0, body(&[b"re"])).await.unwrap();
        for (size, offset, error) in [(4, 2, "do not fit"), (5, 2, "do not fit"), (4, 1, "not bytes from 1")]
        {
            let refused = uploads.append(&name, size, offset, body(&[b"e", b"l and more"])).await;
            assert!(refused.unwrap_err().to_string().contains(error), "{size} {offset}");
            assert_eq!(uploads.status(&name).await.unwrap().unwrap().received, 2);
        }
        let large = uploads.append(&Digest::of(b""), 101, 0, body(&[])).await.unwrap_err();
        assert!(matches!(large, UploadError::TooLarge { largest: 100, .. }));
        assert_eq!(fs_err::read_dir(folder.path().join("uploads")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn two_senders_of_one_upload_do_not_mix_their_bytes() {
        let (_folder, uploads) = uploads();
        let name = Digest::of(b"reel");
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
        let slow = futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let first = tokio::spawn({
            let uploads = uploads.clone();
            async move { uploads.append(&name, 4, 0, slow.boxed()).await }
        });
        // Taken, and so the lock is held: the channels between here and the disk hold fewer pieces than this.
        for _ in 0..=PIECES + 2 {
            sender.send(Ok(Bytes::new())).await.unwrap();
        }
        let second = uploads.append(&name, 4, 0, body(&[b"reel"])).await.unwrap_err();
        assert!(matches!(second, UploadError::Busy(_)), "{second}");
        sender.send(Ok(Bytes::from_static(b"reel"))).await.unwrap();
        drop(sender);
        assert!(first.await.unwrap().unwrap().complete);
    }

    #[tokio::test]
    async fn what_was_never_finished_or_is_referred_to_no_more_is_taken_away_after_a_while() {
        let (_folder, uploads) = uploads();
        let (part, whole) = (Digest::of(b"reel"), Digest::of(b"film"));
        uploads.append(&part, 4, 0, body(&[b"re"])).await.unwrap();
        uploads.append(&whole, 4, 0, body(&[b"film"])).await.unwrap();
        let file = file(&uploads, &whole).await.unwrap();
        let collect = async |age, referenced: &[&PathBuf]| {
            uploads.collect(age, referenced.iter().copied().cloned().collect()).await.unwrap()
        };
        // Somebody else's.
        fs_err::create_dir(file.with_file_name(Digest::of(b"folder").to_string())).unwrap();
        fs_err::write(file.with_file_name("notes.part"), b"mine").unwrap();
        assert_eq!(collect(Duration::from_secs(3600), &[]).await, 0);
        assert_eq!(collect(Duration::ZERO, &[&file]).await, 1);
        assert_eq!(uploads.status(&part).await.unwrap(), None);
        assert!(uploads.status(&whole).await.unwrap().unwrap().complete);
        // Asked for long ago: then nobody is about to refer to it.
        let long_ago = SystemTime::now() - Duration::from_secs(7200);
        let age = |file: &PathBuf| {
            let times = FileTimes::new().set_accessed(long_ago).set_modified(long_ago);
            fs_err::File::open(file).unwrap().file().set_times(times).unwrap();
        };
        age(&file);
        uploads.sent(&whole).await.unwrap();
        assert_eq!(fs_err::metadata(&file).unwrap().modified().unwrap(), long_ago);
        assert_eq!(collect(Duration::from_secs(3600), &[]).await, 0);
        age(&file);
        assert_eq!(collect(Duration::from_secs(3600), &[]).await, 1);
        assert_eq!(uploads.sent(&whole).await.unwrap(), None);
    }
}

//! The artifacts of one state folder.
//!
//! `STATE/artifacts/<key>/` holds the files of an artifact and their list; `STATE/staging/` holds what is not finished.
//! Both are on one file system, so that taking over is one rename.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reelfarm_model::{ArtifactKey, Fence};
use tokio_util::sync::CancellationToken;

use crate::artifact::{Artifact, ArtifactFile, FileList, LIST_NAME};
use crate::blocking::blocking;
use crate::error::{ArtifactError, is_unreadable};
use crate::folder;
use crate::hashing::{digest_files, sha256_of};
use crate::staging::Staging;

/// The artifacts under one state folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    folders: Arc<Folders>,
}

#[derive(Debug)]
struct Folders {
    artifacts: PathBuf,
    staging: PathBuf,
    setting_aside: Mutex<()>,
}

impl ArtifactStore {
    /// The artifacts under the state folder `root`, which is made where it is missing. Blocks, shortly.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, ArtifactError> {
        fs_err::create_dir_all(root)?;
        // Links resolved once, so that paths can be compared later.
        let root = fs_err::canonicalize(root)?;
        let folders = Folders {
            artifacts: root.join("artifacts"),
            staging: root.join("staging"),
            setting_aside: Mutex::default(),
        };
        fs_err::create_dir_all(&folders.artifacts)?;
        fs_err::create_dir_all(&folders.staging)?;
        Ok(Self { folders: Arc::new(folders) })
    }

    /// A fresh, empty folder for an attempt, named after it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn staging(&self, fence: &Fence) -> Result<Staging, ArtifactError> {
        let name = format!("{}-{}-{}", fence.task.short(), fence.attempt, fence.lease);
        Ok(Staging::new(folder::make_fresh(&self.folders.staging, &name)?))
    }

    /// Makes `folder`, which lies in a [`Staging`], the artifact `key`: digests every file, gets everything onto the
    /// disk, and renames the folder into place. Where the artifact is there already, that one stays and is answered,
    /// and `folder` is removed. Whenever the process dies, the artifact is there whole or not at all.
    ///
    /// # Errors
    /// [`ArtifactError::Unfit`] where `folder` is empty, holds a link or another thing that is no plain file, or lies
    /// elsewhere; [`ArtifactError::DiskFull`]; [`ArtifactError::Io`].
    pub async fn take_over(&self, key: ArtifactKey, folder: &Path) -> Result<Artifact, ArtifactError> {
        let (folders, folder) = (Arc::clone(&self.folders), folder.to_owned());
        blocking(move || folders.take_over(key, &folder)).await
    }

    /// The artifact, if it is there and whole: every file that its list names has the size that the list says. One that
    /// is damaged is logged and set aside, so that it can be made again.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn get(&self, key: ArtifactKey) -> Result<Option<Artifact>, ArtifactError> {
        let folders = Arc::clone(&self.folders);
        blocking(move || folders.get(key, &Depth::Sizes)).await
    }

    /// The artifact, if it is there and intact: as [`get`](Self::get), but every byte of it is read, and every file has
    /// the SHA-256 that the list says. A file that the disk cannot read any more is damage too. Takes as long as the
    /// disk takes to read it; dropped before its end, it reads no further.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn get_intact(&self, key: ArtifactKey) -> Result<Option<Artifact>, ArtifactError> {
        let stop = CancellationToken::new();
        let _stops_when_dropped = stop.clone().drop_guard();
        let folders = Arc::clone(&self.folders);
        blocking(move || folders.get(key, &Depth::Bytes(stop))).await
    }

    /// Removes the artifact; nothing there is fine. It disappears whole.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        let folders = Arc::clone(&self.folders);
        blocking(move || {
            if let Some(aside) = folders.set_aside(key, "removed")? {
                folder::remove_all(&aside)?;
            }
            Ok(())
        })
        .await
    }

    /// Removes everything in staging: what attempts of an earlier process left, and damaged artifacts. Only at the
    /// start, while nobody works here. Answers how many folders there were.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub async fn sweep_staging(&self) -> Result<usize, ArtifactError> {
        let folders = Arc::clone(&self.folders);
        blocking(move || {
            let mut removed = 0;
            for entry in fs_err::read_dir(&folders.staging)? {
                folder::remove_all(&entry?.path())?;
                removed += 1;
            }
            Ok(removed)
        })
        .await
    }
}

impl Folders {
    fn of(&self, key: ArtifactKey) -> PathBuf {
        self.artifacts.join(key.to_string())
    }

    fn take_over(&self, key: ArtifactKey, folder: &Path) -> Result<Artifact, ArtifactError> {
        let folder = fs_err::canonicalize(folder)?;
        if folder == self.staging || !folder.starts_with(&self.staging) {
            return Err(unfit(&folder, "it does not lie in a staging folder"));
        }
        if let Some(artifact) = self.get(key, &Depth::Sizes)? {
            folder::remove_all(&folder)?;
            return Ok(artifact);
        }
        let list = FileList::new(key, self.prepare(&folder)?);
        let text = serde_json::to_vec_pretty(&list).map_err(io::Error::other)?;
        let list_path = folder.join(LIST_NAME);
        if let Err(error) = folder::write_durably(&list_path, &text) {
            // Half a list would keep the folder from being taken over once there is room again.
            folder::remove_all(&list_path)?;
            return Err(error.into());
        }
        folder::sync(&folder)?;
        let place = self.of(key);
        loop {
            match fs_err::rename(&folder, &place) {
                Ok(()) => break,
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(error.into()),
            }
            // Another attempt came first. If what it left is damaged, looking at it clears the place.
            if let Some(artifact) = self.get(key, &Depth::Sizes)? {
                folder::remove_all(&folder)?;
                return Ok(artifact);
            }
        }
        folder::sync(&self.artifacts)?;
        Ok(Artifact { key, folder: place, record: list.record, files: list.files })
    }

    /// Digests the files and gets them, and the folders that hold them, onto the disk.
    fn prepare(&self, folder: &Path) -> Result<Vec<ArtifactFile>, ArtifactError> {
        let tree = folder::walk(folder)?;
        if let Some(other) = tree.others.first() {
            return Err(unfit(folder, &format!("{} is no plain file with a UTF-8 name", other.display())));
        }
        if tree.files.is_empty() {
            return Err(unfit(folder, "it holds no file"));
        }
        if tree.files.iter().any(|(path, _)| path == LIST_NAME) {
            return Err(unfit(
                folder,
                &format!("a file is called {LIST_NAME}, as the list of its files will be"),
            ));
        }
        let files = digest_files(folder, &tree.files)?;
        folder::sync_tree(folder, &tree)?;
        Ok(files)
    }

    fn get(&self, key: ArtifactKey, depth: &Depth) -> Result<Option<Artifact>, ArtifactError> {
        let folder = self.of(key);
        let found =
            |list: FileList| Artifact { key, folder: folder.clone(), record: list.record, files: list.files };
        match look(&folder, key, depth)? {
            Look::Absent => return Ok(None),
            Look::Whole(list) => return Ok(Some(found(list))),
            Look::Damaged(_) => {}
        }
        // Two who see the same damage must not set aside what the first of them has made anew: look again, alone.
        let _alone = self.setting_aside.lock().unwrap_or_else(PoisonError::into_inner);
        match look(&folder, key, depth)? {
            Look::Absent => Ok(None),
            Look::Whole(list) => Ok(Some(found(list))),
            Look::Damaged(fault) => {
                let aside = self.set_aside(key, "damaged")?;
                tracing::warn!(artifact = %key, fault, ?aside, "an artifact was damaged and is set aside");
                Ok(None)
            }
        }
    }

    /// Moves an artifact out of sight, into staging; `None` where it is not there.
    fn set_aside(&self, key: ArtifactKey, why: &str) -> io::Result<Option<PathBuf>> {
        // A rename replaces an empty folder, so making one first reserves the name.
        let aside = folder::make_fresh(&self.staging, &format!("{why}-{}", key.short()))?;
        match fs_err::rename(self.of(key), &aside) {
            Ok(()) => Ok(Some(aside)),
            Err(error) => {
                folder::remove_all(&aside)?;
                if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
            }
        }
    }
}

/// How closely an artifact is looked at.
enum Depth {
    /// The list, and the sizes of the files.
    Sizes,
    /// Every byte, unless stopped.
    Bytes(CancellationToken),
}

/// What lies where an artifact should be.
enum Look {
    Absent,
    Whole(FileList),
    Damaged(String),
}

fn look(folder: &Path, key: ArtifactKey, depth: &Depth) -> io::Result<Look> {
    if !fs_err::exists(folder)? {
        return Ok(Look::Absent);
    }
    let text = match fs_err::read(folder.join(LIST_NAME)) {
        Ok(text) => text,
        Err(error) if is_missing(&error) => return Ok(Look::Damaged(format!("{LIST_NAME} is missing"))),
        Err(error) => return Err(error),
    };
    let list: FileList = match serde_json::from_slice(&text) {
        Ok(list) => list,
        Err(error) => return Ok(Look::Damaged(format!("{LIST_NAME} cannot be read: {error}"))),
    };
    if let Some(fault) = list.fault(key) {
        return Ok(Look::Damaged(fault));
    }
    for file in &list.files {
        match fs_err::symlink_metadata(folder.join(&file.path)) {
            Ok(metadata) if metadata.is_file() && metadata.len() == file.size => {}
            Ok(metadata) => {
                let found = metadata.len();
                return Ok(Look::Damaged(format!("{} has {found} bytes, not {}", file.path, file.size)));
            }
            Err(error) if is_missing(&error) => {
                return Ok(Look::Damaged(format!("{} is missing", file.path)));
            }
            Err(error) => return Err(error),
        }
    }
    if let Depth::Bytes(stop) = depth {
        for file in &list.files {
            if let Some(fault) = fault_in(folder, file, stop)? {
                return Ok(Look::Damaged(fault));
            }
        }
    }
    Ok(Look::Whole(list))
}

/// What speaks against the bytes of a file, if anything does.
fn fault_in(folder: &Path, file: &ArtifactFile, stop: &CancellationToken) -> io::Result<Option<String>> {
    let bytes = match fs_err::File::open(folder.join(&file.path)) {
        Ok(bytes) => bytes.into_file(),
        Err(error) if is_missing(&error) => return Ok(Some(format!("{} is missing", file.path))),
        Err(error) => return Err(error),
    };
    match sha256_of(bytes, stop) {
        Ok(found) if found == file.sha256 => Ok(None),
        Ok(found) => Ok(Some(format!("{} has SHA-256 {found}, not {}", file.path, file.sha256))),
        Err(error) if is_unreadable(&error) => Ok(Some(format!("{} cannot be read: {error}", file.path))),
        Err(error) => {
            let path = folder.join(&file.path);
            Err(io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display())))
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

fn unfit(folder: &Path, reason: &str) -> ArtifactError {
    ArtifactError::Unfit { folder: folder.to_owned(), reason: reason.to_owned() }
}

//! The folder form: artifacts lie where they were made, and nothing is copied.
//!
//! `ROOT/artifacts/<key>/` holds the files of an artifact and their list; `ROOT/staging/` holds what is not finished. Both
//! are on one file system, so that taking over is one rename.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reelfarm_model::ArtifactKey;
use tokio_util::sync::CancellationToken;

use super::prepare::{must_lie_in, prepare};
use crate::artifact::{Artifact, ArtifactFile, FileList, LIST_NAME};
use crate::error::{ArtifactError, is_unreadable};
use crate::folder;
use crate::hashing::sha256_of;

#[derive(Debug)]
pub(super) struct Folders {
    pub(super) artifacts: PathBuf,
    pub(super) staging: PathBuf,
    /// Whether other processes work here too.
    pub(super) shared: bool,
    /// Taken by who sets something aside. Where other processes work here too, the file says so to them.
    setting_aside: Mutex<Option<fs_err::File>>,
}

impl Folders {
    pub(super) fn open(root: &Path, shared: bool) -> io::Result<Arc<Self>> {
        fs_err::create_dir_all(root)?;
        // Links resolved once, so that paths can be compared later.
        let root = fs_err::canonicalize(root)?;
        let (artifacts, staging) = (root.join("artifacts"), root.join("staging"));
        fs_err::create_dir_all(&artifacts)?;
        fs_err::create_dir_all(&staging)?;
        let open = || {
            fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(root.join("lock-aside"))
        };
        let setting_aside = Mutex::new(shared.then(open).transpose()?);
        Ok(Arc::new(Self { artifacts, staging, shared, setting_aside }))
    }

    fn of(&self, key: ArtifactKey) -> PathBuf {
        self.artifacts.join(key.to_string())
    }

    /// See [`ArtifactStore::take_over`](super::ArtifactStore::take_over).
    pub(super) fn take_over(&self, key: ArtifactKey, folder: &Path) -> Result<Artifact, ArtifactError> {
        let folder = fs_err::canonicalize(folder)?;
        must_lie_in(&folder, &self.staging)?;
        if let Some(artifact) = self.get(key, &Depth::Sizes)? {
            folder::remove_all(&folder)?;
            return Ok(artifact);
        }
        let (files, tree) = prepare(&folder)?;
        folder::sync_tree(&folder, &tree)?;
        let list = FileList::new(key, files);
        list.write(&folder)?;
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
        Ok(Artifact::in_folder(place, list))
    }

    /// See [`ArtifactStore::get`](super::ArtifactStore::get).
    pub(super) fn get(&self, key: ArtifactKey, depth: &Depth) -> Result<Option<Artifact>, ArtifactError> {
        let folder = self.of(key);
        let found = |list: FileList| Artifact::in_folder(folder.clone(), list);
        match look(&folder, key, depth)? {
            Look::Absent => return Ok(None),
            Look::Whole(list) => return Ok(Some(found(list))),
            Look::Damaged(_) => {}
        }
        // Two who see the same damage must not set aside what the first of them has made anew: look again, alone.
        let alone = self.setting_aside.lock().unwrap_or_else(PoisonError::into_inner);
        let _alone_of_all = alone.as_ref().map(FileLock::take).transpose()?;
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

    /// See [`ArtifactStore::remove`](super::ArtifactStore::remove).
    pub(super) fn remove(&self, key: ArtifactKey) -> io::Result<()> {
        match self.set_aside(key, "removed")? {
            Some(aside) => folder::remove_all(&aside),
            None => Ok(()),
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
pub(super) enum Depth {
    /// The list, and the sizes of the files.
    Sizes,
    /// Every byte, unless stopped.
    Bytes(CancellationToken),
}

/// What lies where an artifact should be.
pub(super) enum Look {
    Absent,
    Whole(FileList),
    Damaged(String),
}

pub(super) fn look(folder: &Path, key: ArtifactKey, depth: &Depth) -> io::Result<Look> {
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

/// A lock that other processes see, until it is dropped.
struct FileLock<'a>(&'a fs_err::File);

impl<'a> FileLock<'a> {
    fn take(file: &'a fs_err::File) -> io::Result<Self> {
        file.file().lock().map(|()| Self(file))
    }
}

impl Drop for FileLock<'_> {
    fn drop(&mut self) {
        // It ends with the process at the latest.
        drop(self.0.file().unlock());
    }
}

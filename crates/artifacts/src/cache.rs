//! A folder of this host with copies of what lies in an object store: programs read paths.
//!
//! `ROOT/kept/<name>~<number>/` holds one thing each, `ROOT/staging/` what is not finished, and `ROOT/partial/` what is
//! fetched so slowly that the next process should go on with it; all are on one file system, so that taking in is one
//! rename.
//!
//! Promises: what is there is whole; what somebody holds is not removed; things go when room is needed, the longest
//! unused first; nothing is fetched while less than the floor would stay free on the disk. The limit is one for what is
//! kept for later: where all is in use it may be exceeded, as far as the floor lets it. One process uses a folder.

mod shelf;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::OwnedMutexGuard;

use crate::blocking::blocking;
use crate::error::ArtifactError;
use crate::folder;
use crate::staging::Staging;
use shelf::Shelf;

/// Where copies are kept, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The folder, which is made where it is missing.
    pub folder: PathBuf,
    /// Bytes that may be kept for later.
    pub limit: u64,
    /// Bytes that stay free on the folder's disk.
    pub floor: u64,
}

/// The copies of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kept: PathBuf,
    staging: PathBuf,
    partial: PathBuf,
    limit: u64,
    floor: u64,
    shelf: Mutex<Shelf>,
    /// Bytes that are being fetched.
    reserved: AtomicU64,
    /// Numbers that no folder has yet.
    next: AtomicU64,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    /// Held for as long as the cache is in use.
    _lock: fs_err::File,
}

/// A copy that stays where it is for as long as this is held.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    cache: Arc<Inner>,
    name: String,
}

impl Hold {
    /// The folder with the copy.
    pub(crate) fn folder(&self) -> PathBuf {
        self.held.cache.kept.join(&self.held.name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.cache.shelf().release(&self.name) {
            self.cache.discard([self.name.clone()]);
        }
    }
}

/// Room for what is being fetched.
#[derive(Debug)]
pub(crate) struct Room {
    cache: Arc<Inner>,
    bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.cache.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Cache {
    /// Opens a cache and looks at what it has. Blocks, shortly.
    ///
    /// # Errors
    /// [`ArtifactError::CacheBusy`] where another process uses it; the folder cannot be used.
    pub(crate) fn open(settings: &CacheSettings) -> Result<Self, ArtifactError> {
        fs_err::create_dir_all(&settings.folder)?;
        let root = fs_err::canonicalize(&settings.folder)?;
        let lock =
            fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(root.join("lock"))?;
        match lock.file().try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(ArtifactError::CacheBusy { folder: root }),
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let (kept, staging, partial) = (root.join("kept"), root.join("staging"), root.join("partial"));
        for folder in [&kept, &staging, &partial] {
            fs_err::create_dir_all(folder)?;
        }
        // The lock says that nobody else works here: it is what an earlier process left.
        for entry in fs_err::read_dir(&staging)? {
            folder::remove_all(&entry?.path())?;
        }
        forget_old(&partial)?;
        let (shelf, next) = stock(&kept)?;
        let inner = Inner {
            kept,
            staging,
            partial,
            limit: settings.limit,
            floor: settings.floor,
            shelf: Mutex::new(shelf),
            reserved: AtomicU64::new(0),
            next: AtomicU64::new(next),
            turns: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where unfinished things lie.
    pub(crate) fn staging_folder(&self) -> &Path {
        &self.inner.staging
    }

    /// Where files lie that are fetched over several processes' lives. The one of a name belongs to who has its turn.
    pub(crate) fn partial_folder(&self) -> &Path {
        &self.inner.partial
    }

    /// A fresh, empty folder on the same file system.
    pub(crate) fn staging(&self, name: &str) -> io::Result<Staging> {
        Ok(Staging::new(folder::make_fresh(&self.inner.staging, name)?))
    }

    /// Waits until nobody else fetches the thing of this name. What is returned keeps others waiting.
    pub(crate) async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.inner.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            if let Some(turn) = turns.get(name).and_then(Weak::upgrade) {
                turn
            } else {
                let turn = Arc::default();
                turns.insert(name.to_owned(), Arc::downgrade(&turn));
                turn
            }
        };
        turn.lock_owned().await
    }

    /// Holds the copy of this name, if there is one.
    pub(crate) async fn hold(&self, name: &str) -> io::Result<Option<Hold>> {
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        blocking(move || Ok(inner.hold(&name))).await
    }

    /// Makes room for something of this size, and keeps it until what is returned is dropped.
    ///
    /// # Errors
    /// [`ArtifactError::DiskFull`] where less than the floor would stay free, with everything removed that may be.
    pub(crate) async fn reserve(&self, bytes: u64) -> Result<Room, ArtifactError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || Inner::reserve(&inner, bytes)).await
    }

    /// Takes in the folder `from`, which lies in [`staging`](Self::staging), as the copy of this name. It is on the disk
    /// before it is seen. Where it was fetched, `room` is what was kept for it.
    pub(crate) async fn admit(
        &self,
        name: &str,
        from: &Path,
        size: u64,
        room: Option<Room>,
    ) -> Result<Hold, ArtifactError> {
        let (inner, name, from) = (Arc::clone(&self.inner), name.to_owned(), from.to_owned());
        blocking(move || Inner::admit(&inner, &name, &from, size, room)).await
    }

    /// Removes the copy of this name; who holds it keeps it.
    pub(crate) async fn forget(&self, name: &str) -> io::Result<()> {
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        blocking(move || {
            let gone = inner.shelf().forget(&name);
            inner.discard(gone);
            Ok(())
        })
        .await
    }
}

impl Inner {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(self: &Arc<Self>, name: &str) -> Option<Hold> {
        let folder = self.shelf().hold(name)?;
        // So that the next process knows what was used last. Where it cannot be noted, nothing is lost but that.
        if let Ok(file) = fs_err::File::open(self.kept.join(&folder)) {
            drop(file.set_modified(SystemTime::now()));
        }
        Some(Hold { held: Arc::new(Held { cache: Arc::clone(self), name: folder }) })
    }

    fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Room, ArtifactError> {
        let coming = self.reserved.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let room = Room { cache: Arc::clone(self), bytes };
        self.keep_within_limit(coming);
        let needed = self.floor.saturating_add(coming);
        loop {
            let free = folder::disk(&self.kept)?.free;
            let Some(lacking) = needed.checked_sub(free).filter(|lacking| *lacking > 0) else {
                return Ok(room);
            };
            let gone = self.shelf().make_room(lacking);
            if gone.is_empty() {
                let why = format!(
                    "{} has {free} bytes free, {coming} are to be fetched, and {} are to stay free",
                    self.kept.display(),
                    self.floor
                );
                return Err(ArtifactError::DiskFull(io::Error::new(io::ErrorKind::StorageFull, why)));
            }
            self.discard(gone);
        }
    }

    fn keep_within_limit(&self, coming: u64) {
        let gone = {
            let mut shelf = self.shelf();
            let over = shelf.total().saturating_add(coming).saturating_sub(self.limit);
            shelf.make_room(over)
        };
        self.discard(gone);
    }

    fn admit(
        self: &Arc<Self>,
        name: &str,
        from: &Path,
        size: u64,
        room: Option<Room>,
    ) -> Result<Hold, ArtifactError> {
        folder::sync_tree(from, &folder::walk(from)?)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let called = format!("{name}~{number}");
        fs_err::rename(from, self.kept.join(&called))?;
        let (gone, hold) = {
            let mut shelf = self.shelf();
            let gone = shelf.insert(name, &called, size);
            // Held at once, so that it cannot go before its maker has it.
            let held = shelf.hold(name).unwrap_or(called);
            (gone, Hold { held: Arc::new(Held { cache: Arc::clone(self), name: held }) })
        };
        self.discard(gone);
        // From here on it counts as what is kept.
        drop(room);
        self.keep_within_limit(self.reserved.load(Ordering::Relaxed));
        Ok(hold)
    }

    /// Removes what is off the shelf. What cannot be removed is taken in again at the next start.
    fn discard(&self, folders: impl IntoIterator<Item = String>) {
        for name in folders {
            if let Err(error) = folder::remove_all(&self.kept.join(&name)) {
                tracing::warn!(copy = name, %error, "a copy was left in the cache's folder");
            }
        }
    }
}

/// How long half a file waits for somebody who goes on with it.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

fn forget_old(partial: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(partial)? {
        let path = entry?.path();
        let modified = fs_err::metadata(&path)?.modified()?;
        if modified.elapsed().is_ok_and(|age| age > PATIENCE) {
            folder::remove_all(&path)?;
        }
    }
    Ok(())
}

/// What a cache's folder has, the longest unused first, and the first number that nothing in it has.
fn stock(kept: &Path) -> io::Result<(Shelf, u64)> {
    let mut found = Vec::new();
    let mut next = 1;
    for entry in fs_err::read_dir(kept)? {
        let path = entry?.path();
        let called = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let number =
            called.rsplit_once('~').and_then(|(name, number)| Some((name, number.parse::<u64>().ok()?)));
        let Some((name, number)) = number else {
            folder::remove_all(&path)?;
            continue;
        };
        next = next.max(number.saturating_add(1));
        let size = folder::walk(&path)?.files.iter().map(|(_, size)| size).sum();
        found.push((fs_err::metadata(&path)?.modified()?, number, name.to_owned(), called, size));
    }
    found.sort();
    let mut shelf = Shelf::default();
    for (_, _, name, called, size) in found {
        // Only where a process died between taking in and removing.
        if let Some(gone) = shelf.insert(&name, &called, size) {
            folder::remove_all(&kept.join(gone))?;
        }
    }
    Ok((shelf, next))
}

#[cfg(test)]
mod tests;

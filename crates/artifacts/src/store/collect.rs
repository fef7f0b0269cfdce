//! Taking away what nobody needs any more: artifacts that nothing refers to, and what died before it was finished.
//!
//! Ages are those that the store itself tells, by its own clock: a host whose clock is wrong removes nothing too early.

use std::collections::BTreeSet;
use std::io;
use std::path::Path as FilePath;
use std::time::{Duration, SystemTime};

use reelfarm_model::{ArtifactKey, Digest};

use super::folders::Folders;
use super::{ArtifactStore, Form};
use crate::artifact::LIST_NAME;
use crate::blocking::blocking;
use crate::error::ArtifactError;
use crate::folder::{self, Tree};

/// What a collection removed, or would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Artifacts.
    pub artifacts: BTreeSet<ArtifactKey>,
    /// Things that were never finished: staging folders, bytes that no artifact names, uploads.
    pub unfinished: usize,
    /// Bytes of all that. What is in uploads is not known, and not counted.
    pub bytes: u64,
}

/// What to take.
pub(super) struct Rule<'a> {
    /// Artifacts that stay; all of them where it is `None`.
    pub(super) referenced: Option<&'a BTreeSet<ArtifactKey>>,
    pub(super) age: Duration,
    pub(super) dry_run: bool,
}

impl Rule<'_> {
    pub(super) fn keeps(&self, key: &ArtifactKey) -> bool {
        self.referenced.is_none_or(|referenced| referenced.contains(key))
    }
}

impl ArtifactStore {
    /// Removes artifacts that are not among `referenced`, and what attempts left that died; of both only what is older than
    /// `age`, counted from when it was taken over or last written. `dry_run` removes nothing and answers the same.
    ///
    /// Running workers are not disturbed as long as `age` is longer than any attempt runs: a day is. An artifact that
    /// becomes referenced while this runs may go all the same; it is then made again.
    ///
    /// # Errors
    /// The folder or the bucket cannot be listed, or something cannot be removed.
    pub async fn collect(
        &self,
        referenced: &BTreeSet<ArtifactKey>,
        age: Duration,
        dry_run: bool,
    ) -> Result<Collection, ArtifactError> {
        match &self.form {
            Form::Folder(folders) => {
                let (folders, referenced) = (folders.clone(), referenced.clone());
                blocking(move || {
                    let rule = Rule { referenced: Some(&referenced), age, dry_run };
                    Ok(folders.collect(&rule)?)
                })
                .await
            }
            Form::Bucket(objects) => {
                objects.collect(&Rule { referenced: Some(referenced), age, dry_run }).await
            }
        }
    }

    /// Removes what attempts left that died, and no artifact: what [`collect`](Self::collect) calls unfinished, where it is
    /// older than `age`.
    ///
    /// # Errors
    /// As of [`collect`](Self::collect).
    pub async fn collect_unfinished(&self, age: Duration) -> Result<Collection, ArtifactError> {
        let rule = Rule { referenced: None, age, dry_run: false };
        match &self.form {
            Form::Folder(folders) => {
                let folders = folders.clone();
                blocking(move || Ok(folders.collect(&rule)?)).await
            }
            Form::Bucket(objects) => objects.collect(&rule).await,
        }
    }
}

impl Folders {
    fn collect(&self, rule: &Rule<'_>) -> io::Result<Collection> {
        let mut collection = Collection::default();
        // A folder made now has the time of the host that keeps the files.
        let probe = folder::make_fresh(&self.staging, "clock")?;
        let now = fs_err::metadata(&probe)?.modified();
        fs_err::remove_dir(&probe)?;
        let Some(limit) = now?.checked_sub(rule.age) else { return Ok(collection) };
        for entry in fs_err::read_dir(&self.artifacts)? {
            let path = entry?.path();
            let Some(key) = path.file_name().and_then(|name| name.to_str()).and_then(key_of) else {
                continue;
            };
            if rule.keeps(&key) {
                continue;
            }
            let Some(taken_over) = modified(&path.join(LIST_NAME))?.or(modified(&path)?) else { continue };
            if taken_over <= limit {
                collection.bytes += size_of(&path)?;
                collection.artifacts.insert(key);
                if !rule.dry_run {
                    self.remove(key)?;
                }
            }
        }
        for entry in fs_err::read_dir(&self.staging)? {
            let path = entry?.path();
            if newest(&path)?.is_some_and(|written| written <= limit) {
                collection.bytes += size_of(&path)?;
                collection.unfinished += 1;
                if !rule.dry_run {
                    folder::remove_all(&path)?;
                }
            }
        }
        Ok(collection)
    }
}

/// When this was last changed; `None` where it is not there.
fn modified(path: &FilePath) -> io::Result<Option<SystemTime>> {
    match fs_err::symlink_metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// When anything in this was last changed.
fn newest(path: &FilePath) -> io::Result<Option<SystemTime>> {
    let mut newest = modified(path)?;
    let tree = tree(path)?;
    let files = tree.files.iter().map(|(file, _)| path.join(file));
    for place in files.chain(tree.folders.iter().cloned()).chain(tree.others.iter().cloned()) {
        newest = newest.max(modified(&place)?);
    }
    Ok(newest)
}

/// What a folder holds; a file holds itself.
fn tree(path: &FilePath) -> io::Result<Tree> {
    let metadata = fs_err::symlink_metadata(path)?;
    if metadata.is_dir() {
        return folder::walk(path);
    }
    Ok(Tree { files: vec![(String::new(), metadata.len())], ..Tree::default() })
}

fn size_of(path: &FilePath) -> io::Result<u64> {
    Ok(tree(path)?.files.iter().map(|(_, size)| size).sum())
}

/// The artifact that this is the name of.
pub(super) fn key_of(name: &str) -> Option<ArtifactKey> {
    name.parse::<Digest>().ok().map(ArtifactKey)
}

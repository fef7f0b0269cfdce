//! Folders of plain files: what lies in them, getting it onto the disk, and taking it away.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What a folder tree holds.
#[derive(Default)]
pub(crate) struct Tree {
    /// Regular files, by their path from the folder, with `/`.
    pub(crate) files: Vec<(String, u64)>,
    /// Folders below the folder, each after the one that holds it.
    pub(crate) folders: Vec<PathBuf>,
    /// Everything else (links, sockets, names that are not UTF-8).
    pub(crate) others: Vec<PathBuf>,
}

/// Walks a folder without following links. A folder that is not there is empty.
pub(crate) fn walk(root: &Path) -> io::Result<Tree> {
    let mut tree = Tree::default();
    let mut waiting = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = waiting.pop() {
        let entries = match fs_err::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let metadata = match fs_err::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                // Taken away by another while we walk.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match entry.file_name().to_str() {
                Some(name) if metadata.is_dir() => {
                    waiting.push((path.clone(), format!("{prefix}{name}/")));
                    tree.folders.push(path);
                }
                Some(name) if metadata.is_file() => {
                    tree.files.push((format!("{prefix}{name}"), metadata.len()));
                }
                _ => tree.others.push(path),
            }
        }
    }
    tree.files.sort();
    Ok(tree)
}

/// Writes a new file and gets it onto the disk.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs_err::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gets a file's bytes, or a folder's entries, onto the disk.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    fs_err::File::open(path)?.sync_all()
}

/// Files from which on one call for the whole file system is quicker than one for each: it took a quarter of a second where
/// 1,500 calls took 8, and what other work has waiting there goes to the disk sooner or later anyway.
const MANY: usize = 16;

/// Gets everything that `tree`, the content of `folder`, holds onto the disk.
pub(crate) fn sync_tree(folder: &Path, tree: &Tree) -> io::Result<()> {
    if tree.files.len() >= MANY {
        return sync_file_system(folder);
    }
    tree.files
        .iter()
        .map(|(path, _)| folder.join(path))
        .chain(tree.folders.iter().cloned())
        .try_for_each(|path| sync(&path))
}

/// Gets everything onto the disk that was written to the file system that `path` lies on (Linux, syncfs(2)).
pub(crate) fn sync_file_system(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fs_err::File::open(path)?)?)
}

/// Removes whatever lies at `path`; nothing there is fine.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    let removed = match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a new folder in `parent`, called `name` or, where that is taken, `name-2`, `name-3`, ….
pub(crate) fn make_fresh(parent: &Path, name: &str) -> io::Result<PathBuf> {
    let mut path = parent.join(name);
    let mut number = 1;
    loop {
        match fs_err::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                path.set_file_name(OsStr::new(&format!("{name}-{number}")));
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
}

/// The room on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What may still be written by who is not root.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// The file system that `path` lies on.
pub(crate) fn disk(path: &Path) -> io::Result<Disk> {
    let statistics = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(statistics.f_frsize);
    Ok(Disk { free: bytes(statistics.f_bavail), size: bytes(statistics.f_blocks) })
}

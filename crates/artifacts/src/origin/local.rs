//! What only an origin that is a folder needs.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::ownership::Sweep;
use crate::folder;

/// Makes the origin's folder and sees that it can be written; answers its path without links.
pub(super) fn prepare(folder: &Path) -> io::Result<PathBuf> {
    fs_err::create_dir_all(folder)?;
    let folder = fs_err::canonicalize(folder)?;
    rustix::fs::access(&folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
    Ok(folder)
}

/// Refuses a place that is reached through a link: it may lie outside the origin.
pub(super) fn refuse_links(root: &Path, location: &str) -> io::Result<()> {
    let mut place = root.to_owned();
    for segment in location.split('/') {
        place.push(segment);
        match fs_err::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(io::Error::other(format!("{} is a symbolic link", place.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes the files below `folder` that `sweep` takes (by their path from it), and the folders that are empty then,
/// `folder` included. So it also takes what listings through `object_store` do not show: files that were being written
/// when a process died, and links (never what they lead to). Answers how many files went.
pub(super) fn sweep(folder: &Path, sweep: &Sweep) -> io::Result<u64> {
    let tree = folder::walk(folder)?;
    let mut removed = 0;
    let files = tree.files.iter().filter(|(path, _)| sweep.takes(path)).map(|(path, _)| folder.join(path));
    let others = tree.others.iter().filter(|path| sweep.takes(&from(folder, path))).cloned();
    for file in files.chain(others) {
        folder::remove_all(&file)?;
        removed += 1;
    }
    let empty = tree.folders.iter().rev().filter(|path| sweep.takes_folder(&from(folder, path)));
    for empty in empty.map(PathBuf::as_path).chain([folder]) {
        match fs_err::remove_dir(empty) {
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(removed)
}

/// The path of `place` from `folder`, which holds it. What is not UTF-8 in it has no name of the farm's anyway.
fn from<'a>(folder: &Path, place: &'a Path) -> Cow<'a, str> {
    place.strip_prefix(folder).unwrap_or(place).to_string_lossy()
}

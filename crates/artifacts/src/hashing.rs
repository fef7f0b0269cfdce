//! The two digests that every file has: SHA-256 for the farm, MD5 because deliveries and origins state it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use md5::Md5;
use reelfarm_model::Digest;
use sha2::{Digest as _, Sha256};

use crate::artifact::ArtifactFile;

/// Bytes read at once.
const BLOCK: usize = 256 * 1024;
/// Files that are worked on at once.
const AT_ONCE: usize = 4;

/// Digests files below `folder`, which are named by their paths from it, several at a time. In the order of the paths.
pub(crate) fn digest_files(folder: &Path, files: &[(String, u64)]) -> io::Result<Vec<ArtifactFile>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut digested = Vec::new();
        while let Some((path, _)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            match digest_file(folder, path) {
                Ok(file) => digested.push(file),
                Err(error) => {
                    // Nobody needs to begin another.
                    next.store(files.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(digested)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE.min(files.len())).map(|_| scope.spawn(work)).collect();
        let mut digested = Vec::with_capacity(files.len());
        for worker in workers {
            digested.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        digested.sort();
        Ok(digested)
    })
}

fn digest_file(folder: &Path, path: &str) -> io::Result<ArtifactFile> {
    let (size, sha256, md5) = digest(fs_err::File::open(folder.join(path))?)?;
    Ok(ArtifactFile { path: path.to_owned(), size, sha256, md5 })
}

/// Size, SHA-256 and MD5 of all that `file` gives.
fn digest(mut file: impl Read) -> io::Result<(u64, Digest, String)> {
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    let mut block = vec![0; BLOCK];
    let mut size = 0;
    loop {
        let read = match file.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha256.update(&block[..read]);
        md5.update(&block[..read]);
        size += read as u64;
    }
    Ok((size, Digest::from_bytes(sha256.finalize().into()), hex::encode(md5.finalize())))
}

/// The MD5 of bytes in memory, in lower-case hexadecimal.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<(String, u64)> {
        (0..count).map(|number| (format!("{number:03}"), 0)).collect()
    }

    #[test]
    fn many_files_come_out_in_the_order_of_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 3, 100] {
            let files = names(count);
            for (name, _) in &files {
                fs_err::write(folder.path().join(name), name).unwrap();
            }
            let digested = digest_files(folder.path(), &files).unwrap();
            assert_eq!(digested.len(), count);
            for ((name, _), file) in files.iter().zip(digested) {
                assert_eq!((&file.path, file.size), (name, 3));
                assert_eq!((file.sha256, file.md5), (Digest::of(name.as_bytes()), md5_of(name.as_bytes())));
            }
        }
    }

    #[test]
    fn an_error_of_one_file_is_the_error_of_all() {
        let folder = tempfile::tempdir().unwrap();
        for missing in ["000", "050", "099"] {
            for (name, _) in names(100) {
                fs_err::write(folder.path().join(name), "x").unwrap();
            }
            fs_err::remove_file(folder.path().join(missing)).unwrap();
            let error = digest_files(folder.path(), &names(100)).unwrap_err();
            assert!(error.to_string().contains(missing), "{error}");
        }
    }
}

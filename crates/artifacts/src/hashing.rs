//! The two digests that every file has: SHA-256 for the farm, MD5 because deliveries and origins state it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use md5::Md5;
use reelfarm_model::Digest;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

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
fn digest(file: impl Read) -> io::Result<(u64, Digest, String)> {
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    let size = read_blocks(file, |block| {
        sha256.update(block);
        md5.update(block);
        Ok(())
    })?;
    Ok((size, Digest::from_bytes(sha256.finalize().into()), hex::encode(md5.finalize())))
}

/// The SHA-256 of all that `file` gives, unless `stop` is cancelled before its end.
pub(crate) fn sha256_of(file: impl Read, stop: &CancellationToken) -> io::Result<Digest> {
    let mut sha256 = Sha256::new();
    read_blocks(file, |block| {
        if stop.is_cancelled() {
            return Err(io::Error::other("the reading was stopped before its end"));
        }
        sha256.update(block);
        Ok(())
    })?;
    Ok(Digest::from_bytes(sha256.finalize().into()))
}

/// Reads to the end, block by block; answers how many bytes there were.
fn read_blocks(mut file: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut size = 0;
    loop {
        let read = match file.read(&mut block) {
            Ok(0) => return Ok(size),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        each(&block[..read])?;
        size += read as u64;
    }
}

/// The MD5 of bytes in memory, in lower-case hexadecimal.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_unreadable;

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

    #[test]
    fn a_reading_that_is_stopped_reads_no_further() {
        /// Bytes without end.
        struct Endless<'a>(&'a CancellationToken, u32);
        impl Read for Endless<'_> {
            fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
                self.1 += 1;
                if self.1 == 3 {
                    self.0.cancel();
                }
                assert!(self.1 <= 3, "it reads on");
                Ok(block.len())
            }
        }
        let stop = CancellationToken::new();
        let error = sha256_of(Endless(&stop, 0), &stop).unwrap_err();
        assert!(error.to_string().contains("stopped"), "{error}");
    }

    #[test]
    fn bytes_that_the_disk_cannot_give_are_told_from_other_errors() {
        // Where no memory is, Linux gives the error that a bad sector gives.
        let memory = fs_err::File::open("/proc/self/mem").unwrap().into_file();
        assert!(is_unreadable(&sha256_of(memory, &CancellationToken::new()).unwrap_err()));
        let folder = fs_err::File::open("/proc/self").unwrap().into_file();
        assert!(!is_unreadable(&sha256_of(folder, &CancellationToken::new()).unwrap_err()));
    }
}

//! The two digests that every file has: SHA-256 for the farm, MD5 because deliveries and origins state it.

use std::io::{self, Read};
use std::path::Path;

use md5::Md5;
use reelfarm_model::Digest;
use sha2::{Digest as _, Sha256};

/// Bytes read at once.
const BLOCK: usize = 256 * 1024;

/// A file's size and digests, from one pass.
pub(crate) struct FileDigests {
    pub(crate) size: u64,
    pub(crate) sha256: Digest,
    pub(crate) md5: String,
}

/// Reads a whole file.
pub(crate) fn digest_file(path: &Path) -> io::Result<FileDigests> {
    let mut file = fs_err::File::open(path)?;
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
    Ok(FileDigests {
        size,
        sha256: Digest::from_bytes(sha256.finalize().into()),
        md5: hex::encode(md5.finalize()),
    })
}

/// The MD5 of bytes in memory, in lower-case hexadecimal.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

//! The digests of a delivered file: what names it in the farm, and what deliveries state of it.

use std::io::Read as _;
use std::path::Path;

use md5::Md5;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{Code, Digest, Failure};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

/// Bytes read at once.
const BUFFER: usize = 1 << 20;

/// The digests of every byte of a file, from one reading of it. Blocking: it reads all of it, unless `abandoned` is
/// cancelled. `on_progress` hears now and then which share of it was read.
///
/// # Errors
/// The file cannot be read, or the reading was stopped.
pub fn fingerprint(
    path: &Path,
    with_sha1: bool,
    abandoned: &CancellationToken,
    on_progress: impl Fn(f64),
) -> Result<Fingerprint, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(Code::SourceUnreadable, error.to_string());
    let mut file = fs_err::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0_u64);
    let mut sha1 = with_sha1.then(Sha1::new);
    let mut buffer = vec![0; BUFFER];
    loop {
        if abandoned.is_cancelled() {
            return Err(Failure::new(Code::Internal, "the fingerprint was stopped"));
        }
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        sha256.update(&buffer[..count]);
        md5.update(&buffer[..count]);
        if let Some(sha1) = &mut sha1 {
            sha1.update(&buffer[..count]);
        }
        size += count as u64;
        if size % (64 << 20) < BUFFER as u64 {
            on_progress(size as f64 / length.max(1) as f64);
        }
    }
    Ok(Fingerprint {
        sha256: Digest::from_bytes(sha256.finalize().into()),
        md5: hex::encode(md5.finalize()),
        sha1: sha1.map(|sha1| hex::encode(sha1.finalize())),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_standards_and_sha1_only_where_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs_err::write(&path, b"abc").unwrap();
        let of = |with_sha1| fingerprint(&path, with_sha1, &CancellationToken::new(), |_| {}).unwrap();
        // RFC 1321, A.5; FIPS 180-4's examples.
        assert_eq!(of(false).md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of(false).sha256, Digest::of(b"abc"));
        assert_eq!(of(false).sha1, None);
        assert_eq!(of(true).sha1.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(Fingerprint { sha1: None, ..of(true) }, of(false));
    }

    #[test]
    fn a_file_larger_than_a_buffer_is_read_to_its_end_and_a_stopped_reading_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let bytes: Vec<u8> = (0..BUFFER * 2 + 17).map(|at| (at % 251) as u8).collect();
        fs_err::write(&path, &bytes).unwrap();
        let stop = CancellationToken::new();
        let found = fingerprint(&path, true, &stop, |_| {}).unwrap();
        assert_eq!((found.size, found.sha256), (bytes.len() as u64, Digest::of(&bytes)));
        assert_eq!(found.sha1, Some(hex::encode(Sha1::digest(&bytes))));
        stop.cancel();
        assert_eq!(fingerprint(&path, true, &stop, |_| {}).unwrap_err().code, Code::Internal);
    }
}

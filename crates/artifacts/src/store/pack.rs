//! The files of an artifact as one run of bytes, one file after the other: what an object holds of it. So thousands of
//! small files cost no more requests than one large one.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::artifact::ArtifactFile;

/// Files below a folder, in their order.
#[derive(Clone, Debug)]
pub(super) struct Pack {
    folder: PathBuf,
    /// Paths from the folder, and where each file begins in the run.
    files: Vec<(String, u64)>,
    size: u64,
}

/// A stretch of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// The file's place in the order.
    file: usize,
    /// Where it begins in the file.
    start: u64,
    length: u64,
}

impl Pack {
    pub(super) fn new(folder: PathBuf, listed: &[ArtifactFile]) -> Self {
        let mut size = 0;
        let mut files = Vec::with_capacity(listed.len());
        for file in listed {
            files.push((file.path.clone(), size));
            size += file.size;
        }
        Self { folder, files, size }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// The stretches that make up a range of the run.
    fn pieces(&self, range: Range<u64>) -> Vec<Piece> {
        // The last file that begins at or before the range; empty ones before it begin there too.
        let first = self.files.partition_point(|(_, start)| *start <= range.start).saturating_sub(1);
        let mut pieces = Vec::new();
        for (file, (_, begin)) in self.files.iter().enumerate().skip(first) {
            let end = self.files.get(file + 1).map_or(self.size, |(_, next)| *next);
            let (from, to) = (range.start.max(*begin), range.end.min(end));
            if from < to {
                pieces.push(Piece { file, start: from - begin, length: to - from });
            }
            if end >= range.end {
                break;
            }
        }
        pieces
    }

    /// Reads a range. Blocks.
    ///
    /// # Errors
    /// A file cannot be read, or has become shorter.
    pub(super) fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
        let mut rest = bytes.as_mut_slice();
        for piece in self.pieces(range) {
            let (part, after) = rest.split_at_mut(usize::try_from(piece.length).map_err(io::Error::other)?);
            let path = self.folder.join(&self.files[piece.file].0);
            let file = fs_err::File::open(&path)?;
            file.file().read_exact_at(part, piece.start).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
            })?;
            rest = after;
        }
        Ok(bytes)
    }

    /// Makes the files, empty so far, and the folders that hold them. Blocks.
    ///
    /// # Errors
    /// One cannot be made.
    pub(super) fn create(&self) -> io::Result<()> {
        for (path, _) in &self.files {
            let place = self.folder.join(path);
            if let Some(parent) = place.parent() {
                fs_err::create_dir_all(parent)?;
            }
            fs_err::OpenOptions::new().create_new(true).write(true).open(&place)?;
        }
        Ok(())
    }

    /// Writes what begins at `start` of the run. Blocks.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn write(&self, start: u64, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        for piece in self.pieces(start..start + bytes.len() as u64) {
            let (part, after) = rest.split_at(usize::try_from(piece.length).map_err(io::Error::other)?);
            let path = self.folder.join(&self.files[piece.file].0);
            let file = fs_err::OpenOptions::new().write(true).open(&path)?;
            file.file().write_all_at(part, piece.start).map_err(|error| {
                // The kind stays: it says whether the disk is full.
                io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
            })?;
            rest = after;
        }
        Ok(())
    }
}

/// The ranges of `step` bytes, the last one shorter, that make up `size`.
pub(super) fn ranges(size: u64, step: u64) -> impl Iterator<Item = Range<u64>> {
    (0..size.div_ceil(step)).map(move |number| number * step..size.min((number + 1) * step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reelfarm_model::Digest;

    use super::*;

    fn pack(folder: &std::path::Path, sizes: &[u64]) -> Pack {
        let listed: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(number, size)| ArtifactFile {
                path: format!("{}/{number}", number % 2),
                size: *size,
                sha256: Digest::of(b""),
                md5: String::new(),
            })
            .collect();
        Pack::new(folder.to_owned(), &listed)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_in_ranges_of_one_size_is_read_in_ranges_of_another(
            sizes in prop::collection::vec(prop_oneof![Just(0_u64), 1..40_u64], 0..8),
            (write, read) in (1..30_u64, 1..30_u64),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let pack = pack(folder.path(), &sizes);
            prop_assert_eq!(pack.size(), sizes.iter().sum::<u64>());
            let bytes: Vec<u8> = (0..pack.size()).map(|number| number as u8).collect();
            pack.create().unwrap();
            let mut backwards: Vec<_> = ranges(pack.size(), write).collect();
            backwards.reverse();
            for range in backwards {
                pack.write(range.start, &bytes[range.start as usize..range.end as usize]).unwrap();
            }
            let mut begin = 0;
            for (number, size) in sizes.iter().enumerate() {
                let found = fs_err::read(folder.path().join(format!("{}/{number}", number % 2))).unwrap();
                prop_assert_eq!(&found, &bytes[begin..begin + *size as usize]);
                begin += *size as usize;
            }
            let mut found = Vec::new();
            for range in ranges(pack.size(), read) {
                found.extend(pack.read(range).unwrap());
            }
            prop_assert_eq!(found, bytes);
        }
    }

    #[test]
    fn a_file_that_became_shorter_or_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let pack = pack(folder.path(), &[10, 10]);
        pack.create().unwrap();
        pack.write(0, &[1; 20]).unwrap();
        fs_err::write(folder.path().join("1/1"), [1; 9]).unwrap();
        assert_eq!(pack.read(0..10).unwrap(), [1; 10]);
        assert!(pack.read(5..20).unwrap_err().to_string().contains("1/1"));
        fs_err::remove_file(folder.path().join("0/0")).unwrap();
        assert!(pack.read(0..1).unwrap_err().to_string().contains("0/0"));
    }
}

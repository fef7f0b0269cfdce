//! Encrypts a progressive MP4 file by the scheme cenc (ISO/IEC 23001-7): AES-CTR over the slices of pictures and over whole
//! frames of sound. FFmpeg could do it, but begins every track with the same initialisation vector, or with a random one.
//!
//! Promises: equal inputs give equal bytes; samples keep their order, sizes and times; no key stream is used twice within
//! the file, and no byte of a slice's data or of sound stays clear but what is left at a slice's end, less than a block;
//! memory is bounded by the header's limit and one sample, whatever the file's size; a file that is not what the farm's
//! muxer writes is refused with the name of the box.

mod auxiliary;
mod encrypt;
mod error;
mod header;
mod picture;
mod rewrite;
mod sample_table;
mod source;

#[cfg(test)]
mod film;

use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use reelfarm_drm::ContentKey;
use reelfarm_model::Progress;

use self::encrypt::Report;
use self::error::Fault;
pub use self::error::ProtectError;
use self::header::Track;
use self::rewrite::ProtectedTrack;
use self::sample_table::in_file_order;
use self::source::Source;
use crate::readback::boxes::boxes;

/// Bytes that are read and written at a time.
const BUFFER: usize = 1 << 18;

/// What encrypts one track.
#[derive(Clone, Copy, Debug)]
pub struct TrackProtection<'a> {
    /// The key.
    pub key: &'a ContentKey,
    /// The initialisation vector of the first sample; those of the others count up from it. It must follow from a name
    /// that no other output uses ([`ContentKey::initialization_vector`]): one key stream over different bytes gives
    /// both away.
    pub vector: [u8; 8],
}

/// Encrypts the clear file at `input`, whose header stands before its media, into `output`. `tracks` holds an entry for
/// each track in the order of the file; `pssh` holds whole boxes (ISO/IEC 23001-7 clause 8.1), which go into the header.
///
/// The fraction of the progress is the share of the bytes that are read: pictures are read twice, because their parts
/// are listed before them.
///
/// # Errors
/// See [`ProtectError`]; the output is then of no use.
pub fn protect(
    input: &Path,
    output: &Path,
    tracks: &[TrackProtection<'_>],
    pssh: &[Vec<u8>],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), ProtectError> {
    let mut run = || {
        let file = fs_err::File::open(input).map_err(Fault::Read)?;
        let length = file.metadata().map_err(Fault::Read)?.len();
        let created = fs_err::File::create(output).map_err(Fault::Write)?;
        let mut output = BufWriter::with_capacity(BUFFER, created);
        protect_stream(file, length, &mut output, tracks, pssh, on_progress)?;
        output.flush().map_err(Fault::Write)
    };
    run().map_err(|fault| fault.of(input))
}

fn protect_stream(
    file: impl Read + Seek,
    length: u64,
    output: &mut impl Write,
    protections: &[TrackProtection<'_>],
    pssh: &[Vec<u8>],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), Fault> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    let source = Source::open(&mut file, length)?;
    let mut tracks = header::tracks(&source.moov, &source.media)?;
    check(protections, &tracks, pssh).map_err(Fault::Protection)?;
    let tables: Vec<_> = tracks.iter().map(|track| &track.samples).collect();
    let chunks = in_file_order(&tables, &source.media)?;
    let mut report = Report::new(&tracks, on_progress);

    let to_media = SeekFrom::Start(source.media.start);
    file.seek(to_media).map_err(Fault::Read)?;
    let auxiliary = encrypt::describe(&mut file, &mut tracks, protections, &chunks, &mut report)?;
    let protected: Vec<_> = tracks
        .iter()
        .zip(protections)
        .zip(&auxiliary)
        .map(|((track, protection), auxiliary)| ProtectedTrack { track, key: protection.key, auxiliary })
        .collect();
    output.write_all(&rewrite::file_header(&source, &protected, pssh)?).map_err(Fault::Write)?;
    file.seek(to_media).map_err(Fault::Read)?;
    encrypt::encrypt(&mut file, output, &protected, &chunks, &mut report)
}

/// Whether keys, vectors and `pssh` boxes fit the tracks and one another.
fn check(protections: &[TrackProtection<'_>], tracks: &[Track], pssh: &[Vec<u8>]) -> Result<(), String> {
    if protections.len() != tracks.len() {
        return Err(format!("it has {} tracks, there are keys for {}", tracks.len(), protections.len()));
    }
    for (second, b) in protections.iter().enumerate() {
        for (first, a) in protections[..second].iter().enumerate() {
            let numbers = format!("tracks {} and {}", first + 1, second + 1);
            if (a.key.id == b.key.id) != (a.key.key == b.key.key) {
                return Err(format!("{numbers} have one key under two ids, or two keys under one"));
            }
            let (from, to) = (u64::from_be_bytes(a.vector), u64::from_be_bytes(b.vector));
            let apart = to.wrapping_sub(from) >= tracks[first].samples.len() as u64
                && from.wrapping_sub(to) >= tracks[second].samples.len() as u64;
            if a.key.id == b.key.id && !apart {
                return Err(format!("{numbers} would use one key stream"));
            }
        }
    }
    for (index, bytes) in pssh.iter().enumerate() {
        let mut found = boxes(bytes);
        let only = matches!((found.next(), found.next()), (Some(Ok(only)), None) if only.kind == *b"pssh");
        // A size of 0 would reach to the end of the header.
        if !only || bytes[..4] == [0; 4] {
            return Err(format!("pssh {} is not one such box", index + 1));
        }
    }
    Ok(())
}

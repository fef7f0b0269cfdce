//! MP4 files with a sample table (ISO/IEC 14496-12 8.5, 8.6, 8.7): encoded renditions and progressive outputs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::boxes::{Cursor, Header, find, required};
use super::encryption::auxiliary::Auxiliary;
use super::encryption::decryptor::Decryptor;
use super::encryption::{Decryption, Encryption};
use super::movie::{self, System, TrackHeader, tracks};
use super::samples::access_unit;
use super::{MOST_UNITS, ReadError, Track};

/// The largest header that is read: that of a day of many tracks stays below it.
const LARGEST_MOOV: u64 = 256 << 20;

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) struct Movie {
    /// Its tracks, each with the language that its header states (ISO 639-2).
    pub(crate) tracks: Vec<(Track, [u8; 3])>,
    /// Whether the header stands before the media, so that the file plays while it downloads.
    pub(crate) fast_start: bool,
    /// What was found of every track's encryption; `None` for tracks that are read as they are.
    pub(crate) encryption: Vec<Option<Encryption>>,
    /// The DRM systems that the file itself speaks to, in boxes `pssh`.
    pub(crate) systems: BTreeSet<System>,
}

/// Reads the clear file at `path`.
pub(crate) fn read(path: &Path) -> Result<Movie, ReadError> {
    open(path, Decryption::Clear)
}

/// Reads the file at `path`, all of whose tracks are opened so.
pub(crate) fn open(path: &Path, decryption: Decryption<'_>) -> Result<Movie, ReadError> {
    let file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    read_from(file, length, decryption)
}

/// Reads a file of `length` bytes.
pub(crate) fn read_from(
    file: impl Read + Seek,
    length: u64,
    decryption: Decryption<'_>,
) -> Result<Movie, ReadError> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut moov = None;
    let mut first_media = None;
    let mut at = 0;
    while at < length {
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; Header::LONGEST];
        let there = (length - at).min(Header::LONGEST as u64) as usize;
        file.read_exact(&mut bytes[..there])?;
        let header = Header::parse(&bytes[..there], length - at)?;
        match &header.kind {
            b"moov" if moov.is_none() => {
                let size = header.size - header.header;
                if size > LARGEST_MOOV {
                    return Err(ReadError::new(format!("the header states {size} bytes")));
                }
                file.seek(SeekFrom::Start(at + header.header))?;
                let mut body = vec![0; size as usize];
                file.read_exact(&mut body)?;
                moov = Some((at, body));
            }
            b"moov" => return Err(ReadError::new("the file has two headers")),
            b"moof" => return Err(ReadError::new("the file is fragmented")),
            b"mdat" if first_media.is_none() => first_media = Some(at),
            _ => {}
        }
        at += header.size;
    }
    let (header_at, moov) = moov.ok_or_else(|| ReadError::new("the file has no header"))?;
    let fast_start = first_media.is_some_and(|media| header_at < media);
    let mut movie =
        Movie { tracks: Vec::new(), fast_start, encryption: Vec::new(), systems: movie::systems(&moov)? };
    for track in tracks(&moov)? {
        let mut decryptor = Decryptor::of(&track, decryption)?;
        let read = read_track(&mut file, length, &track, decryptor.as_mut())?;
        movie.tracks.push((read, track.language));
        movie.encryption.push(decryptor.map(|decryptor| decryptor.found().clone()));
    }
    Ok(movie)
}

fn read_track(
    file: &mut BufReader<impl Read + Seek>,
    length: u64,
    header: &TrackHeader<'_>,
    mut decryptor: Option<&mut Decryptor>,
) -> Result<Track, ReadError> {
    let table = header.sample_table;
    let sizes = sizes(required(table, b"stsz")?, length)?;
    let offsets = offsets(table, &sizes)?;
    let durations = run_lengths(required(table, b"stts")?, sizes.len(), "decoding times")?;
    let compositions = match find(table, b"ctts")? {
        None => vec![0; sizes.len()],
        // Version 0 has unsigned offsets (8.6.1.3), yet writers put negative ones there; those of version 1 are signed.
        Some(ctts) => run_lengths(ctts, sizes.len(), "composition times")?,
    };
    let sync = sync_samples(table)?;
    let auxiliary = decryptor.as_ref().map(|decryptor| {
        Auxiliary::parse(table, Some(header.whole), decryptor.protection(), |offset, size| {
            if offset.checked_add(size as u64).is_none_or(|end| end > length) {
                return Err(ReadError::new("the offset lies outside the file"));
            }
            let mut bytes = vec![0; size];
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)?;
            Ok(Cow::Owned(bytes))
        })
    });
    let mut auxiliary = auxiliary.transpose()?;
    let mut units = Vec::with_capacity(sizes.len());
    let mut time = 0i64;
    let mut bytes = Vec::new();
    let mut position = file.stream_position()?;
    for (index, (&size, &offset)) in sizes.iter().zip(&offsets).enumerate() {
        let end = offset.checked_add(u64::from(size)).filter(|end| *end <= length);
        let end = end.ok_or_else(|| ReadError::new(format!("sample {} lies outside the file", index + 1)))?;
        // Relative, so that a step to the next chunk of an interleaved file keeps what is buffered.
        file.seek_relative(offset.cast_signed() - position.cast_signed())?;
        bytes.resize(size as usize, 0);
        file.read_exact(&mut bytes)?;
        position = end;
        let composition = i64::from(compositions[index] as i32);
        let is_sync = sync.as_ref().is_none_or(|sync| sync.contains(&(index as u32 + 1)));
        let at = |error: ReadError| ReadError::new(format!("sample {}: {error}", index + 1));
        let sample = match (&mut decryptor, &mut auxiliary) {
            (Some(decryptor), Some(auxiliary)) => {
                let entry = auxiliary.next().map_err(at)?;
                decryptor.open(&bytes, &entry).map_err(at)?
            }
            _ => &bytes,
        };
        let composed = time.saturating_add(composition);
        units.push(access_unit(header, sample, composed, durations[index], is_sync).map_err(at)?);
        time = time.saturating_add(i64::from(durations[index]));
    }
    auxiliary.map_or(Ok(()), |auxiliary| auxiliary.finish())?;
    Ok(Track { timescale: header.timescale, codec: header.codec.clone(), units })
}

/// `stsz` (8.7.3.2).
fn sizes(stsz: &[u8], file_length: u64) -> Result<Vec<u32>, ReadError> {
    let mut cursor = Cursor::new(stsz);
    cursor.full_box()?;
    let common = cursor.u32()?;
    let count = cursor.u32()? as usize;
    let fits = if common == 0 {
        cursor.rest().len() / 4 >= count
    } else {
        count as u64 <= file_length / u64::from(common)
    };
    if count > MOST_UNITS || !fits {
        return Err(ReadError::new(format!("the file states {count} samples")));
    }
    if common != 0 {
        return Ok(vec![common; count]);
    }
    (0..count).map(|_| cursor.u32()).collect()
}

/// `stss` (8.6.2): the sync samples, counted from 1, or `None` where every sample is one.
fn sync_samples(table: &[u8]) -> Result<Option<BTreeSet<u32>>, ReadError> {
    let Some(stss) = find(table, b"stss")? else { return Ok(None) };
    let mut cursor = Cursor::new(stss);
    cursor.full_box()?;
    (0..cursor.u32()?).map(|_| cursor.u32()).collect::<Result<_, _>>().map(Some)
}

/// The values of a table of run lengths (`stts`, `ctts`; 8.6.1), one for each sample.
fn run_lengths(table: &[u8], samples: usize, what: &str) -> Result<Vec<u32>, ReadError> {
    let mut cursor = Cursor::new(table);
    cursor.full_box()?;
    let mut values = Vec::with_capacity(samples);
    for _ in 0..cursor.u32()? {
        let (count, value) = (cursor.u32()? as usize, cursor.u32()?);
        if count > samples - values.len() {
            return Err(ReadError::new(format!("there are more {what} than samples")));
        }
        values.resize(values.len() + count, value);
    }
    if values.len() != samples {
        return Err(ReadError::new(format!("there are {} {what} for {samples} samples", values.len())));
    }
    Ok(values)
}

/// Where every sample begins: `stsc` and `stco` or `co64` (8.7.4, 8.7.5).
fn offsets(table: &[u8], sizes: &[u32]) -> Result<Vec<u64>, ReadError> {
    let (chunks, version) = match find(table, b"stco")? {
        Some(chunks) => (chunks, 0),
        None => (required(table, b"co64")?, 1),
    };
    let mut chunks = Cursor::new(chunks);
    chunks.full_box()?;
    let chunk_count = chunks.u32()?;
    let mut runs = Cursor::new(required(table, b"stsc")?);
    runs.full_box()?;
    let run_count = runs.u32()?;
    let mut next_run = if run_count > 0 { Some((runs.u32()?, runs.u32()?, runs.u32()?)) } else { None };
    let mut left = run_count.saturating_sub(1);

    let mut offsets = Vec::with_capacity(sizes.len());
    let mut samples_per_chunk = 0;
    for chunk in 1..=chunk_count {
        if let Some((_, samples, _)) = next_run.filter(|(first, ..)| *first == chunk) {
            samples_per_chunk = samples;
            next_run = None;
            if left > 0 {
                left -= 1;
                next_run = Some((runs.u32()?, runs.u32()?, runs.u32()?));
            }
        }
        let mut offset = chunks.by_version(version)?;
        for _ in 0..samples_per_chunk {
            let size = sizes
                .get(offsets.len())
                .ok_or_else(|| ReadError::new("the chunks hold more samples than there are"))?;
            offsets.push(offset);
            offset = offset.saturating_add(u64::from(*size));
        }
    }
    if offsets.len() != sizes.len() {
        return Err(ReadError::new(format!("the chunks hold {} of {} samples", offsets.len(), sizes.len())));
    }
    Ok(offsets)
}

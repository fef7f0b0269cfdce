//! The header of an ISO base media file (`moov`, ISO/IEC 14496-12 8.2): what its tracks are and how their times map to
//! the presentation.

use std::collections::BTreeSet;

use reelfarm_model::KeyId;

use super::boxes::{Cursor, boxes, find, name, required};
use super::encryption::protection::{Protection, protection};
use super::{Codec, ReadError, adts};

/// A DRM system that a box `pssh` speaks to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct System {
    /// Its UUID.
    pub(crate) id: [u8; 16],
    /// The keys that the box lists, which those of version 0 do not.
    pub(crate) key_ids: Vec<KeyId>,
}

/// Bytes of a video sample entry before its boxes (12.1.3).
const VIDEO_FIELDS: usize = 78;
/// Bytes of an audio sample entry before its boxes (12.2.3).
const AUDIO_FIELDS: usize = 28;

/// A track as the header describes it.
#[derive(Clone, Debug)]
pub(crate) struct TrackHeader<'a> {
    /// Its number in the file.
    pub(crate) id: u32,
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// What decodes it.
    pub(crate) codec: Codec,
    /// Bytes of the length before each NAL unit; 0 for sound.
    pub(crate) nal_length_size: usize,
    /// What the edit list adds to media times to give presentation times, in ticks.
    pub(crate) shift: i64,
    /// The language that the header states (ISO 639-2).
    pub(crate) language: [u8; 3],
    /// The content of its box `trak`.
    pub(crate) whole: &'a [u8],
    /// Its sample table (`stbl`).
    pub(crate) sample_table: &'a [u8],
    /// How its samples are encrypted; `None` for a clear track.
    pub(crate) protection: Option<Protection>,
    /// What fragments leave out (`trex`); zero in a file without fragments.
    pub(crate) defaults: SampleDefaults,
}

/// Duration, size and flags of samples that do not state their own (8.8.3).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SampleDefaults {
    /// In ticks.
    pub(crate) duration: u32,
    /// In bytes.
    pub(crate) size: u32,
    /// Sample flags (8.8.3.1).
    pub(crate) flags: u32,
}

/// The tracks of a `moov` box's body.
pub(crate) fn tracks(moov: &[u8]) -> Result<Vec<TrackHeader<'_>>, ReadError> {
    let mut cursor = Cursor::new(required(moov, b"mvhd")?);
    let (version, _) = cursor.full_box()?;
    cursor.by_version(version)?;
    cursor.by_version(version)?;
    let movie_timescale = cursor.u32()?;

    let mut tracks = Vec::new();
    for found in boxes(moov) {
        let found = found?;
        if found.kind == *b"trak" {
            tracks.push(track(found.body, movie_timescale)?);
        }
    }
    if let Some(extends) = find(moov, b"mvex")? {
        for found in boxes(extends) {
            let found = found?;
            if found.kind == *b"trex" {
                let mut cursor = Cursor::new(found.body);
                cursor.full_box()?;
                let id = cursor.u32()?;
                cursor.u32()?;
                let defaults =
                    SampleDefaults { duration: cursor.u32()?, size: cursor.u32()?, flags: cursor.u32()? };
                if let Some(track) = tracks.iter_mut().find(|track: &&mut TrackHeader<'_>| track.id == id) {
                    track.defaults = defaults;
                }
            }
        }
    }
    Ok(tracks)
}

/// What boxes `pssh` among these tell DRM systems (ISO/IEC 23001-7 clause 8.1).
pub(crate) fn systems(children: &[u8]) -> Result<BTreeSet<System>, ReadError> {
    let mut systems = BTreeSet::new();
    for found in boxes(children) {
        let found = found?;
        if found.kind == *b"pssh" {
            systems.insert(system(found.body).map_err(|error| error.of_box(b"pssh"))?);
        }
    }
    Ok(systems)
}

fn system(pssh: &[u8]) -> Result<System, ReadError> {
    let mut cursor = Cursor::new(pssh);
    let (version, _) = cursor.full_box()?;
    let id = cursor.array()?;
    let mut key_ids = Vec::new();
    if version > 0 {
        for _ in 0..cursor.u32()? {
            key_ids.push(KeyId(cursor.array()?));
        }
    }
    Ok(System { id, key_ids })
}

fn track(trak: &[u8], movie_timescale: u32) -> Result<TrackHeader<'_>, ReadError> {
    let mut cursor = Cursor::new(required(trak, b"tkhd")?);
    let (version, _) = cursor.full_box()?;
    cursor.by_version(version)?;
    cursor.by_version(version)?;
    let id = cursor.u32()?;

    let mdia = required(trak, b"mdia")?;
    let mut cursor = Cursor::new(required(mdia, b"mdhd")?);
    let (version, _) = cursor.full_box()?;
    cursor.by_version(version)?;
    cursor.by_version(version)?;
    let timescale = cursor.u32()?;
    cursor.by_version(version)?;
    let packed = cursor.u16()?;
    // Three letters of five bits each (8.4.2.3).
    let letter = |shift: u32| (packed >> shift & 0x1F) as u8 + 0x60;
    let language = [letter(10), letter(5), letter(0)];
    if timescale == 0 {
        return Err(ReadError::new("a track has no time scale"));
    }

    let sample_table = required(required(mdia, b"minf")?, b"stbl")?;
    let (codec, nal_length_size, protection) = sample_entry(required(sample_table, b"stsd")?)?;
    let shift = match find(trak, b"edts")? {
        None => 0,
        Some(edits) => edit_shift(required(edits, b"elst")?, timescale, movie_timescale)?,
    };
    let defaults = SampleDefaults::default();
    Ok(TrackHeader {
        id,
        timescale,
        codec,
        nal_length_size,
        shift,
        language,
        whole: trak,
        sample_table,
        protection,
        defaults,
    })
}

/// What an edit list (8.6.6) adds to media times: it may delay the track by an empty edit and begin within the media,
/// and do nothing else.
fn edit_shift(elst: &[u8], timescale: u32, movie_timescale: u32) -> Result<i64, ReadError> {
    let mut cursor = Cursor::new(elst);
    let (version, _) = cursor.full_box()?;
    let count = cursor.u32()?;
    let mut delay = 0;
    let mut begins = None;
    for _ in 0..count {
        let duration = cursor.by_version(version)?;
        let time = cursor.by_version(version)?;
        let time = if version == 0 { i64::from(time as u32 as i32) } else { time as i64 };
        let rate = cursor.u32()?;
        match (begins, time) {
            (None, -1) => {
                let ticks = u128::from(duration) * u128::from(timescale) / u128::from(movie_timescale.max(1));
                delay = i64::try_from(ticks).map_err(|_| ReadError::new("an empty edit is too long"))?;
            }
            (None, 0..) if rate == 0x0001_0000 => begins = Some(time),
            _ => return Err(ReadError::new("the edit list does more than delay and trim")),
        }
    }
    delay
        .checked_sub(begins.unwrap_or(0))
        .ok_or_else(|| ReadError::new("the edit list's times are out of range"))
}

/// What decodes a track, the bytes of its NAL units' lengths, and how it is encrypted.
type SampleEntry = (Codec, usize, Option<Protection>);

fn sample_entry(stsd: &[u8]) -> Result<SampleEntry, ReadError> {
    let mut cursor = Cursor::new(stsd);
    cursor.full_box()?;
    let count = cursor.u32()?;
    let entry = boxes(cursor.rest()).next().filter(|_| count == 1);
    let entry = entry.ok_or_else(|| ReadError::new(format!("a track has {count} sample entries")))??;
    let (kind, protection) = match &entry.kind {
        // A protected entry keeps the fields and boxes of the original one (ISO/IEC 14496-12 8.12.1).
        b"encv" => original(entry.body, VIDEO_FIELDS, &[b"avc1", b"hvc1"])?,
        b"enca" => original(entry.body, AUDIO_FIELDS, &[b"mp4a"])?,
        kind => (*kind, None),
    };
    match &kind {
        b"avc1" => avc_entry(entry.body).map(|(codec, size)| (codec, size, protection)),
        b"hvc1" => hevc_entry(entry.body).map(|(codec, size)| (codec, size, protection)),
        b"mp4a" => aac_entry(entry.body).map(|codec| (codec, 0, protection)),
        kind => Err(ReadError::new(format!("sample entry {} is not used by any rendition", name(*kind)))),
    }
}

/// The original format and the protection of a protected entry whose boxes follow `fields` bytes.
fn original(
    body: &[u8],
    fields: usize,
    expected: &[&[u8; 4]],
) -> Result<([u8; 4], Option<Protection>), ReadError> {
    let mut cursor = Cursor::new(body);
    cursor.take(fields)?;
    let (format, protection) = protection(cursor.rest())?;
    if !expected.contains(&&format) {
        let expected: Vec<_> = expected.iter().map(|expected| name(**expected).to_string()).collect();
        let (format, expected) = (name(format), expected.join(" or "));
        return Err(
            ReadError::new(format!("the original format is {format}, not {expected}")).of_box(b"frma")
        );
    }
    Ok((format, Some(protection)))
}

/// Width and height of a `VisualSampleEntry` (ISO/IEC 14496-12 12.1.3), and its box of this name.
fn visual_entry<'a>(body: &'a [u8], configuration: &[u8; 4]) -> Result<((u32, u32), Cursor<'a>), ReadError> {
    let mut cursor = Cursor::new(body);
    cursor.take(24)?;
    let size = (u32::from(cursor.u16()?), u32::from(cursor.u16()?));
    cursor.take(VIDEO_FIELDS - 28)?;
    Ok((size, Cursor::new(required(cursor.rest(), configuration)?)))
}

/// `HEVCSampleEntry` (ISO/IEC 14496-15 8.4.1), with all parameter sets in its configuration (8.3.3.1), as its name promises.
fn hevc_entry(body: &[u8]) -> Result<(Codec, usize), ReadError> {
    let (size, mut configuration) = visual_entry(body, b"hvcC")?;
    configuration.take(1)?;
    let profile = configuration.array()?;
    // Segmentation, parallelism, sampling of chroma, depths, mean frame rate.
    configuration.take(8)?;
    let nal_length_size = usize::from(configuration.u8()? & 0b11) + 1;
    let mut parameter_sets = Vec::new();
    for _ in 0..configuration.u8()? {
        configuration.take(1)?;
        for _ in 0..configuration.u16()? {
            let length = usize::from(configuration.u16()?);
            parameter_sets.push(configuration.take(length)?.to_vec());
        }
    }
    parameter_sets.sort();
    parameter_sets.dedup();
    Ok((Codec::Hevc { size, profile, parameter_sets }, nal_length_size))
}

/// `AVCSampleEntry` (ISO/IEC 14496-15 5.4.2).
fn avc_entry(body: &[u8]) -> Result<(Codec, usize), ReadError> {
    let (size, mut configuration) = visual_entry(body, b"avcC")?;
    configuration.take(4)?;
    let nal_length_size = usize::from(configuration.u8()? & 0b11) + 1;
    let mut parameter_sets = Vec::new();
    // Sequence parameter sets are counted in five bits, picture parameter sets in eight.
    for mask in [0x1F, 0xFF] {
        for _ in 0..configuration.u8()? & mask {
            let length = usize::from(configuration.u16()?);
            parameter_sets.push(configuration.take(length)?.to_vec());
        }
    }
    parameter_sets.sort();
    parameter_sets.dedup();
    Ok((Codec::Avc { size: Some(size), parameter_sets }, nal_length_size))
}

/// `MP4AudioSampleEntry` (ISO/IEC 14496-14 5.6) with the `AudioSpecificConfig` in it.
fn aac_entry(body: &[u8]) -> Result<Codec, ReadError> {
    const ES: u8 = 0x03;
    const DECODER_CONFIG: u8 = 0x04;
    const DECODER_SPECIFIC: u8 = 0x05;

    let mut cursor = Cursor::new(body);
    cursor.take(AUDIO_FIELDS)?;
    let mut esds = Cursor::new(required(cursor.rest(), b"esds")?);
    esds.full_box()?;
    let mut stream = Cursor::new(descriptor(&mut esds, ES)?);
    stream.u16()?;
    let flags = stream.u8()?;
    if flags & 0xE0 != 0 {
        return Err(ReadError::new("the elementary stream descriptor has parts that no rendition uses"));
    }
    let mut decoder = Cursor::new(descriptor(&mut stream, DECODER_CONFIG)?);
    decoder.take(13)?;
    let specific = descriptor(&mut decoder, DECODER_SPECIFIC)?;
    audio_specific_config(specific)
}

/// The `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1) of AAC-LC.
pub(crate) fn audio_specific_config(bytes: &[u8]) -> Result<Codec, ReadError> {
    let [first, second, ..] = bytes else {
        return Err(ReadError::new("the AudioSpecificConfig is cut"));
    };
    let object_type = first >> 3;
    if object_type != adts::AAC_LC {
        return Err(ReadError::new(format!("audio object type {object_type} is not AAC-LC")));
    }
    Ok(Codec::Aac {
        sample_rate: adts::sample_rate((first & 0b111) << 1 | second >> 7)?,
        channels: adts::channels(second >> 3 & 0x0F)?,
    })
}

/// The body of the next descriptor, which must have this tag (ISO/IEC 14496-1 8.3.3).
fn descriptor<'a>(cursor: &mut Cursor<'a>, tag: u8) -> Result<&'a [u8], ReadError> {
    let found = cursor.u8()?;
    if found != tag {
        return Err(ReadError::new(format!("descriptor {found:#04x} stands where {tag:#04x} should")));
    }
    let mut length = 0usize;
    for _ in 0..4 {
        let byte = cursor.u8()?;
        length = length << 7 | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    cursor.take(length)
}

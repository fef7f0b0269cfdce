//! Movie fragments (ISO/IEC 14496-12 8.8): the segments of CMAF and of single files with a segment index.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::boxes::{Cursor, boxes, find, name, required};
use super::encryption::auxiliary::Auxiliary;
use super::encryption::decryptor::Decryptor;
use super::encryption::{Decryption, Encryption};
use super::movie::{self, SampleDefaults, SystemId, TrackHeader, tracks};
use super::samples::access_unit;
use super::{AccessUnit, MOST_UNITS, ReadError};

/// Reads the segments of one track in order.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    track: TrackHeader<'a>,
    decryptor: Option<Decryptor>,
    systems: BTreeSet<SystemId>,
}

/// What a fragment's runs of samples are read with.
struct Run<'r, 'a> {
    segment: &'r [u8],
    /// Where the fragment begins in the segment.
    start: usize,
    defaults: SampleDefaults,
    auxiliary: Option<Auxiliary<'a>>,
}

impl<'a> Reader<'a> {
    /// A reader of the fragments of the only track of an initialisation segment.
    pub(crate) fn new(initialization: &'a [u8], decryption: Decryption<'_>) -> Result<Self, ReadError> {
        let moov = required(initialization, b"moov")?;
        let mut tracks = tracks(moov)?;
        let track = match (tracks.pop(), tracks.len()) {
            (Some(track), 0) => track,
            (_, more) => return Err(ReadError::new(format!("the file has {more} tracks besides one"))),
        };
        let mut systems = movie::systems(moov)?;
        systems.extend(movie::systems(initialization)?);
        let decryptor = Decryptor::of(&track, decryption)?;
        Ok(Self { track, decryptor, systems })
    }

    /// The track, as the initialisation segment describes it.
    pub(crate) const fn track(&self) -> &TrackHeader<'a> {
        &self.track
    }

    /// What was found of the track's encryption so far.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.decryptor.as_ref().map(Decryptor::found)
    }

    /// The DRM systems that boxes `pssh` speak to in the initialisation segment and in the segments so far.
    pub(crate) const fn systems(&self) -> &BTreeSet<SystemId> {
        &self.systems
    }

    /// The access units of a segment in decoding order: one or more fragments.
    pub(crate) fn segment(&mut self, bytes: &[u8]) -> Result<Vec<AccessUnit>, ReadError> {
        let mut units = Vec::new();
        // Where the fragment before ended, in decoding time.
        let mut ended = None;
        for found in boxes(bytes) {
            let found = found?;
            match &found.kind {
                b"moof" => ended = Some(self.fragment(bytes, found.start, found.body, ended, &mut units)?),
                b"styp" | b"mdat" | b"sidx" | b"free" => {}
                kind => return Err(ReadError::new(format!("box {} stands in a segment", name(*kind)))),
            }
        }
        if units.is_empty() {
            return Err(ReadError::new("the segment holds no sample"));
        }
        Ok(units)
    }

    fn fragment(
        &mut self,
        segment: &[u8],
        start: usize,
        moof: &[u8],
        ended: Option<u64>,
        units: &mut Vec<AccessUnit>,
    ) -> Result<u64, ReadError> {
        self.systems.extend(movie::systems(moof)?);
        let traf = required(moof, b"traf")?;
        let defaults = track_defaults(&self.track, required(traf, b"tfhd")?)?;
        let mut cursor = Cursor::new(required(traf, b"tfdt")?);
        let (version, _) = cursor.full_box()?;
        let mut time = cursor.by_version(version)?;
        if ended.is_some_and(|ended| ended != time) {
            return Err(ReadError::new("a fragment does not begin where the one before ended"));
        }
        let auxiliary = self.decryptor.as_ref().map(|decryptor| {
            Auxiliary::parse(traf, None, decryptor.protection(), |offset, length| {
                usize::try_from(offset)
                    .ok()
                    .and_then(|offset| start.checked_add(offset))
                    .and_then(|at| segment.get(at..)?.get(..length))
                    .map(Cow::Borrowed)
                    .ok_or_else(|| ReadError::new("the offset lies outside the segment"))
            })
        });
        let mut run = Run { segment, start, defaults, auxiliary: auxiliary.transpose()? };
        for found in boxes(traf) {
            let found = found?;
            if found.kind == *b"trun" {
                time = self.run(&mut run, found.body, time, units)?;
            }
        }
        run.auxiliary.map_or(Ok(()), |auxiliary| auxiliary.finish())?;
        Ok(time)
    }

    /// `trun` (8.8.8). Gives the decoding time at its end.
    fn run(
        &mut self,
        run: &mut Run<'_, '_>,
        trun: &[u8],
        mut time: u64,
        units: &mut Vec<AccessUnit>,
    ) -> Result<u64, ReadError> {
        const DATA_OFFSET: u32 = 0x1;
        const FIRST_FLAGS: u32 = 0x4;
        const DURATION: u32 = 0x100;
        const SIZE: u32 = 0x200;
        const FLAGS: u32 = 0x400;
        const COMPOSITION: u32 = 0x800;
        const IS_NON_SYNC: u32 = 0x1_0000;

        let mut cursor = Cursor::new(trun);
        let (version, flags) = cursor.full_box()?;
        let count = cursor.u32()? as usize;
        if units.len().saturating_add(count) > MOST_UNITS {
            return Err(ReadError::new(format!("a fragment states {count} samples")));
        }
        if flags & DATA_OFFSET == 0 {
            return Err(ReadError::new("a run of samples does not say where its data is"));
        }
        let offset = cursor.u32()? as usize;
        let mut first_flags = if flags & FIRST_FLAGS != 0 { Some(cursor.u32()?) } else { None };
        let mut data = Cursor::new(
            run.start
                .checked_add(offset)
                .and_then(|at| run.segment.get(at..))
                .ok_or_else(|| ReadError::new("a run's data lies outside the segment"))?,
        );
        for _ in 0..count {
            let duration = if flags & DURATION != 0 { cursor.u32()? } else { run.defaults.duration };
            let size = if flags & SIZE != 0 { cursor.u32()? } else { run.defaults.size };
            let own_flags = if flags & FLAGS != 0 { Some(cursor.u32()?) } else { None };
            let sample_flags = first_flags.take().or(own_flags).unwrap_or(run.defaults.flags);
            let composition = match (flags & COMPOSITION != 0, version) {
                (false, _) => 0,
                (true, 0) => i64::from(cursor.u32()?),
                (true, _) => i64::from(cursor.u32()? as i32),
            };
            if size == 0 {
                return Err(ReadError::new("a sample is empty"));
            }
            let composed = i64::try_from(time).ok().and_then(|time| time.checked_add(composition));
            let composed = composed.ok_or_else(|| ReadError::new("a time is out of range"))?;
            let is_sync = sample_flags & IS_NON_SYNC == 0;
            let sample = data.take(size as usize)?;
            let sample = match (&mut self.decryptor, &mut run.auxiliary) {
                (Some(decryptor), Some(auxiliary)) => decryptor.open(sample, &auxiliary.next()?)?,
                _ => sample,
            };
            units.push(access_unit(&self.track, sample, composed, duration, is_sync)?);
            time = time.saturating_add(u64::from(duration));
        }
        Ok(time)
    }
}

/// `tfhd` (8.8.7).
fn track_defaults(track: &TrackHeader<'_>, tfhd: &[u8]) -> Result<SampleDefaults, ReadError> {
    const BASE_DATA_OFFSET: u32 = 0x1;
    const DESCRIPTION_INDEX: u32 = 0x2;
    const DURATION: u32 = 0x8;
    const SIZE: u32 = 0x10;
    const FLAGS: u32 = 0x20;
    const BASE_IS_MOOF: u32 = 0x02_0000;

    let mut cursor = Cursor::new(tfhd);
    let (_, flags) = cursor.full_box()?;
    let id = cursor.u32()?;
    if id != track.id {
        return Err(ReadError::new(format!("a fragment is of track {id}, not {}", track.id)));
    }
    if flags & BASE_DATA_OFFSET != 0 || flags & BASE_IS_MOOF == 0 {
        return Err(ReadError::new("a fragment's data is not relative to it (CMAF 7.5.19)"));
    }
    if flags & DESCRIPTION_INDEX != 0 {
        cursor.u32()?;
    }
    Ok(SampleDefaults {
        duration: if flags & DURATION != 0 { cursor.u32()? } else { track.defaults.duration },
        size: if flags & SIZE != 0 { cursor.u32()? } else { track.defaults.size },
        flags: if flags & FLAGS != 0 { cursor.u32()? } else { track.defaults.flags },
    })
}

/// A segment index (8.16.3) of a file whose media follows it directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentIndex {
    /// Ticks a second of its times.
    pub(crate) timescale: u32,
    /// Presentation time of the first segment.
    pub(crate) earliest: u64,
    /// Bytes between the index and the first segment.
    pub(crate) first_offset: u64,
    /// Size in bytes and duration in ticks of every segment.
    pub(crate) segments: Vec<(u32, u32)>,
}

/// Reads a segment index with a reference to every segment, each said to begin with a stream access point.
pub(crate) fn segment_index(bytes: &[u8]) -> Result<SegmentIndex, ReadError> {
    let sidx = find(bytes, b"sidx")?.ok_or_else(|| ReadError::new("there is no segment index"))?;
    let mut cursor = Cursor::new(sidx);
    let (version, _) = cursor.full_box()?;
    cursor.u32()?;
    let timescale = cursor.u32()?;
    let earliest = cursor.by_version(version)?;
    let first_offset = cursor.by_version(version)?;
    cursor.u16()?;
    let count = cursor.u16()?;
    let mut segments = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let size = cursor.u32()?;
        let duration = cursor.u32()?;
        let access_point = cursor.u32()?;
        if size >> 31 != 0 {
            return Err(ReadError::new("the segment index refers to another one"));
        }
        if access_point >> 31 == 0 {
            return Err(ReadError::new(
                "the segment index names a segment without an access point at its start",
            ));
        }
        segments.push((size, duration));
    }
    if !cursor.is_empty() {
        return Err(ReadError::new("the segment index has a rest"));
    }
    Ok(SegmentIndex { timescale, earliest, first_offset, segments })
}

//! Movie fragments (ISO/IEC 14496-12 8.8): the segments of CMAF and of single files with a segment index.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::boxes::{Cursor, boxes, find, name, required};
use super::encryption::auxiliary::Auxiliary;
use super::encryption::decryptor::Decryptor;
use super::encryption::{Decryption, Encryption};
use super::movie::{self, SampleDefaults, System, TrackHeader, tracks};
use super::run::{FragmentHeader, Run};
use super::samples::access_unit;
use super::{AccessUnit, MOST_UNITS, ReadError};

/// Reads the segments of one track in order.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    track: TrackHeader<'a>,
    decryptor: Option<Decryptor>,
    systems: BTreeSet<System>,
}

/// What a fragment's runs of samples are read with.
struct Context<'r, 'a> {
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
    pub(crate) const fn systems(&self) -> &BTreeSet<System> {
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
        let mut context = Context { segment, start, defaults, auxiliary: auxiliary.transpose()? };
        for found in boxes(traf) {
            let found = found?;
            if found.kind == *b"trun" {
                time =
                    self.run(&mut context, found.body, time, units).map_err(|error| error.of_box(b"trun"))?;
            }
        }
        context.auxiliary.map_or(Ok(()), |auxiliary| auxiliary.finish())?;
        Ok(time)
    }

    /// `trun` (8.8.8). Gives the decoding time at its end.
    fn run(
        &mut self,
        context: &mut Context<'_, '_>,
        trun: &[u8],
        mut time: u64,
        units: &mut Vec<AccessUnit>,
    ) -> Result<u64, ReadError> {
        let mut run = Run::parse(trun, context.defaults)?;
        if units.len().saturating_add(run.left()) > MOST_UNITS {
            return Err(ReadError::new(format!("it states {} samples", run.left())));
        }
        let data = context.start.checked_add(run.data_offset as usize);
        let data = data.and_then(|at| context.segment.get(at..));
        let mut data = Cursor::new(data.ok_or_else(|| ReadError::new("its data lies outside the segment"))?);
        for found in run.by_ref() {
            let found = found?;
            let composed = i64::try_from(time).ok().and_then(|time| time.checked_add(found.composition));
            let composed = composed.ok_or_else(|| ReadError::new("a time is out of range"))?;
            let sample = data.take(found.size as usize)?;
            let sample = match (&mut self.decryptor, &mut context.auxiliary) {
                (Some(decryptor), Some(auxiliary)) => decryptor.open(sample, &auxiliary.next()?)?,
                _ => sample,
            };
            let is_sync = found.is_marked_sync();
            units.push(access_unit(&self.track, sample, composed, found.duration, is_sync)?);
            time = time.saturating_add(u64::from(found.duration));
        }
        run.finish().map(|()| time)
    }
}

/// `tfhd` (8.8.7).
fn track_defaults(track: &TrackHeader<'_>, tfhd: &[u8]) -> Result<SampleDefaults, ReadError> {
    let header = FragmentHeader::parse(tfhd, track.defaults)?;
    if header.track != track.id {
        return Err(ReadError::new(format!("a fragment is of track {}, not {}", header.track, track.id)));
    }
    if !header.base_is_moof {
        return Err(ReadError::new("a fragment's data is not relative to it (CMAF 7.5.19)"));
    }
    Ok(header.defaults)
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

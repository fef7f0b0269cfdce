//! Segments of one track, whatever their layout.

use super::movie::TrackHeader;
use super::{AccessUnit, Codec, ReadError, fragments, ts};

/// Reads the segments of one track in order.
#[derive(Clone, Debug)]
pub(crate) enum SegmentReader<'a> {
    /// Fragments of an ISO base media file.
    Fragments(TrackHeader<'a>),
    /// MPEG-TS.
    TransportStream(ts::Reader),
}

impl<'a> SegmentReader<'a> {
    /// A reader of the segments that this initialisation segment belongs to, or of segments that need none.
    pub(crate) fn new(initialization: Option<&'a [u8]>) -> Result<Self, ReadError> {
        match initialization {
            Some(bytes) => fragments::initialization(bytes).map(Self::Fragments),
            None => Ok(Self::TransportStream(ts::Reader::default())),
        }
    }

    /// Ticks a second of the units' times.
    pub(crate) const fn timescale(&self) -> u32 {
        match self {
            Self::Fragments(track) => track.timescale,
            Self::TransportStream(_) => ts::TIMESCALE,
        }
    }

    /// What decodes the segments read so far.
    pub(crate) const fn codec(&self) -> Option<&Codec> {
        match self {
            Self::Fragments(track) => Some(&track.codec),
            Self::TransportStream(reader) => reader.codec(),
        }
    }

    /// The access units of the next segment in decoding order.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Vec<AccessUnit>, ReadError> {
        match self {
            Self::Fragments(track) => fragments::segment(track, bytes),
            Self::TransportStream(reader) => reader.segment(bytes),
        }
    }

    /// When the presentation of a segment's units begins and ends, in ticks. `frame` is the duration of units that
    /// state none. What an edit list trims away is not presented; MPEG-TS has none and presents every unit.
    pub(crate) fn span(&self, units: &[AccessUnit], frame: u32) -> (i64, i64) {
        let end_of = |unit: &AccessUnit| {
            let duration = if unit.duration == 0 { frame } else { unit.duration };
            unit.pts.saturating_add(i64::from(duration))
        };
        let start = units.iter().map(|unit| unit.pts).min().unwrap_or(0);
        let end = units.iter().map(end_of).max().unwrap_or(0);
        match self {
            Self::Fragments(_) => (start.max(0), end.max(0)),
            Self::TransportStream(_) => (start, end),
        }
    }
}

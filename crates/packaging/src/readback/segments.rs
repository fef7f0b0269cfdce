//! Segments of one track, whatever their layout and encryption.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::encryption::{Decryption, Encryption};
use super::movie::System;
use super::{AccessUnit, Codec, ReadError, fragments, ts};

/// Reads the segments of one track in order.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a track, and none is ever moved about")]
pub(crate) enum SegmentReader<'a> {
    /// Fragments of an ISO base media file.
    Fragments(fragments::Reader<'a>),
    /// MPEG-TS.
    TransportStream(ts::Reader),
}

impl<'a> SegmentReader<'a> {
    /// A reader of the segments that this initialisation segment belongs to, or of segments that need none, which are
    /// opened with `decryption`.
    pub(crate) fn opening(
        initialization: Option<&'a [u8]>,
        decryption: Decryption<'_>,
    ) -> Result<Self, ReadError> {
        match initialization {
            Some(bytes) => fragments::Reader::new(bytes, decryption).map(Self::Fragments),
            None => ts::Reader::new(decryption).map(Self::TransportStream),
        }
    }

    /// Ticks a second of the units' times.
    pub(crate) const fn timescale(&self) -> u32 {
        match self {
            Self::Fragments(reader) => reader.track().timescale,
            Self::TransportStream(_) => ts::TIMESCALE,
        }
    }

    /// What decodes the segments read so far.
    pub(crate) const fn codec(&self) -> Option<&Codec> {
        match self {
            Self::Fragments(reader) => Some(&reader.track().codec),
            Self::TransportStream(reader) => reader.codec(),
        }
    }

    /// What was found of the encryption of the segments read so far; `None` where they are read as they are.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        match self {
            Self::Fragments(reader) => reader.encryption(),
            Self::TransportStream(reader) => reader.encryption(),
        }
    }

    /// The DRM systems that the media themselves speak to, in boxes `pssh`. The farm leaves that to manifests.
    pub(crate) fn systems(&self) -> Cow<'_, BTreeSet<System>> {
        match self {
            Self::Fragments(reader) => Cow::Borrowed(reader.systems()),
            Self::TransportStream(_) => Cow::Owned(BTreeSet::new()),
        }
    }

    /// The access units of the next segment in decoding order.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Vec<AccessUnit>, ReadError> {
        match self {
            Self::Fragments(reader) => reader.segment(bytes),
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

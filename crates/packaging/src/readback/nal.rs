//! NAL units of H.264 (ITU-T H.264 7.3.1, annex B) and HEVC (ITU-T H.265 7.3.1, 7.4.2.2), and the hash of a picture's slices.

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3;

use super::ReadError;

/// Which codec's NAL units they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    /// H.264.
    #[default]
    Avc,
    /// HEVC.
    Hevc,
}

/// What a NAL unit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A part of a picture.
    Slice {
        /// Of one with which decoding can begin, and after which nothing looks back beyond it.
        idr: bool,
    },
    /// What all pictures share.
    ParameterSet,
    /// Anything else.
    Other,
}

impl Coding {
    fn kind(self, unit: &[u8]) -> Kind {
        let Some(header) = unit.first() else { return Kind::Other };
        match self {
            // Table 7-1 of ITU-T H.264.
            Self::Avc => match header & 0x1F {
                5 => Kind::Slice { idr: true },
                1..=4 => Kind::Slice { idr: false },
                7 | 8 => Kind::ParameterSet,
                _ => Kind::Other,
            },
            // Table 7-1 of ITU-T H.265.
            Self::Hevc => match header >> 1 & 0x3F {
                19 | 20 => Kind::Slice { idr: true },
                0..=31 => Kind::Slice { idr: false },
                32..=34 => Kind::ParameterSet,
                _ => Kind::Other,
            },
        }
    }

    /// Whether a NAL unit holds a part of a picture.
    pub(crate) fn is_slice(self, unit: &[u8]) -> bool {
        matches!(self.kind(unit), Kind::Slice { .. })
    }
}

/// Where the NAL units are that have a length before each (ISO/IEC 14496-15 5.3.3), without the lengths.
pub(crate) fn units_by_length(
    bytes: &[u8],
    length_size: usize,
) -> impl Iterator<Item = Result<Range<usize>, ReadError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let read = match rest.split_at_checked(length_size) {
            None => Err(ReadError::new("a NAL unit's length is cut")),
            Some((length, tail)) => {
                let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
                if length > tail.len() {
                    let left = tail.len();
                    Err(ReadError::new(format!("a NAL unit states {length} bytes, {left} are left")))
                } else {
                    Ok(at + length_size..at + length_size + length)
                }
            }
        };
        at = read.as_ref().map_or(bytes.len(), |unit| unit.end);
        Some(read)
    })
}

/// The NAL units that have a start code before each (annex B), with the zeros that belong to the next one.
pub(crate) fn units_by_start_code(bytes: &[u8]) -> Result<impl Iterator<Item = &[u8]>, ReadError> {
    let starts: Vec<usize> =
        bytes.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(at, _)| at).collect();
    if starts.first().is_none_or(|first| bytes[..*first].iter().any(|byte| *byte != 0)) {
        return Err(ReadError::new("a picture does not begin with a start code"));
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]).collect::<Vec<_>>();
    Ok(starts.into_iter().zip(ends).map(|(start, end)| &bytes[start + 3..end]))
}

/// Zeros after a NAL unit belong to the next start code (B.1.2), and no NAL unit ends in one (7.4.1).
pub(crate) fn without_trailing_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &unit[..end]
}

/// A picture's slices, whatever else came with them.
#[derive(Clone, Default)]
pub(crate) struct Picture {
    coding: Coding,
    hash: Xxh3,
    slices: u32,
    idr_slices: u32,
    parameter_sets: Vec<Vec<u8>>,
}

impl Picture {
    /// A picture from NAL units with a length before each (ISO/IEC 14496-15 5.3.3).
    pub(crate) fn from_lengths(coding: Coding, bytes: &[u8], length_size: usize) -> Result<Self, ReadError> {
        let mut picture = Self { coding, ..Self::default() };
        for unit in units_by_length(bytes, length_size) {
            picture.push(&bytes[unit?]);
        }
        picture.complete()
    }

    /// A picture of H.264 from NAL units with start codes (annex B).
    pub(crate) fn from_start_codes(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut picture = Self::default();
        for unit in units_by_start_code(bytes)? {
            picture.push(unit);
        }
        picture.complete()
    }

    /// A picture of H.264 from its NAL units.
    pub(crate) fn from_units(units: &[Vec<u8>]) -> Result<Self, ReadError> {
        let mut picture = Self::default();
        for unit in units {
            picture.push(unit);
        }
        picture.complete()
    }

    fn push(&mut self, unit: &[u8]) {
        let unit = without_trailing_zeros(unit);
        match self.coding.kind(unit) {
            Kind::Slice { idr } => {
                self.hash.update(&(unit.len() as u64).to_le_bytes());
                self.hash.update(unit);
                self.slices += 1;
                self.idr_slices += u32::from(idr);
            }
            Kind::ParameterSet => self.parameter_sets.push(unit.to_vec()),
            Kind::Other => {}
        }
    }

    fn complete(self) -> Result<Self, ReadError> {
        if self.slices == 0 {
            return Err(ReadError::new("an access unit holds no slice of a picture"));
        }
        if self.idr_slices != 0 && self.idr_slices != self.slices {
            return Err(ReadError::new("an access unit mixes slices of an IDR picture with others"));
        }
        Ok(self)
    }

    /// Whether the picture is an IDR.
    pub(crate) const fn is_idr(&self) -> bool {
        self.idr_slices != 0
    }

    /// The hash of its slices.
    pub(crate) fn payload(&self) -> u128 {
        self.hash.digest128()
    }

    /// The parameter sets that came with it.
    pub(crate) fn parameter_sets(&self) -> &[Vec<u8>] {
        &self.parameter_sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_one_hash_in_both_forms() {
        let lengths =
            Picture::from_lengths(Coding::Avc, b"\0\0\0\x02\x06x\0\0\0\x03\x65\x01\x02", 4).unwrap();
        let codes = Picture::from_start_codes(
            b"\0\0\0\x01\x09\xF0\0\0\0\x01\x67s\0\0\x01\x68p\0\0\x01\x65\x01\x02\0\0",
        )
        .unwrap();
        assert!(lengths.is_idr() && codes.is_idr());
        assert_eq!(lengths.payload(), codes.payload());
        assert_eq!(codes.parameter_sets(), [b"\x67s".to_vec(), b"\x68p".to_vec()]);
        let other = Picture::from_lengths(Coding::Avc, b"\0\0\0\x03\x65\x01\x03", 4).unwrap();
        assert_ne!(lengths.payload(), other.payload());
        let moved = Picture::from_lengths(Coding::Avc, b"\0\0\0\x02\x65\x01\0\0\0\x02\x65\x02", 4).unwrap();
        let joined = Picture::from_lengths(Coding::Avc, b"\0\0\0\x01\x65\0\0\0\x03\x65\x01\x02", 4).unwrap();
        assert_ne!(moved.payload(), joined.payload());
    }

    #[test]
    fn pictures_of_hevc_are_told_by_their_own_types() {
        let picture = |unit: &[u8]| {
            let sample = [&(unit.len() as u32).to_be_bytes()[..], unit].concat();
            Picture::from_lengths(Coding::Hevc, &sample, 4)
        };
        for (header, idr) in [(0x02, false), (0x26, true), (0x28, true), (0x2A, false)] {
            assert_eq!(picture(&[header, 1, 0x80]).unwrap().is_idr(), idr, "{header:#x}");
        }
        for header in [0x40, 0x42, 0x44, 0x4E] {
            assert!(picture(&[header, 1, 0x80]).is_err(), "{header:#x}");
        }
        assert!(
            Coding::Hevc.is_slice(&[0x26, 1])
                && !Coding::Hevc.is_slice(&[0x42, 1])
                && !Coding::Hevc.is_slice(&[])
        );
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in [
            &b""[..],
            b"\0\0\0\x02\x06x",
            b"\0\0\0\x09\x65",
            b"\0\0\0\x01\x65\0\0",
            b"\0\0\0\x01\x65\0\0\0\x01\x41",
        ] {
            assert!(Picture::from_lengths(Coding::Avc, bytes, 4).is_err(), "{bytes:?}");
        }
        for bytes in [&b""[..], b"\x65\x01", b"x\0\0\x01\x65", b"\0\0\x01\x09\xF0"] {
            assert!(Picture::from_start_codes(bytes).is_err(), "{bytes:?}");
        }
    }
}

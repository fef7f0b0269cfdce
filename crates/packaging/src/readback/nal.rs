//! NAL units of H.264 (ITU-T H.264 7.3.1, annex B) and the hash of a picture's slices.

use xxhash_rust::xxh3::Xxh3;

use super::ReadError;

const NON_IDR_SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;

/// A picture's slices, whatever else came with them.
#[derive(Clone, Default)]
pub(crate) struct Picture {
    hash: Xxh3,
    slices: u32,
    idr_slices: u32,
    parameter_sets: Vec<Vec<u8>>,
}

impl Picture {
    /// A picture from NAL units with a length before each (ISO/IEC 14496-15 5.3.3).
    pub(crate) fn from_lengths(bytes: &[u8], length_size: usize) -> Result<Self, ReadError> {
        let mut picture = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (length, tail) = rest
                .split_at_checked(length_size)
                .ok_or_else(|| ReadError::new("a NAL unit's length is cut"))?;
            let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            let (unit, tail) = tail.split_at_checked(length).ok_or_else(|| {
                ReadError::new(format!("a NAL unit states {length} bytes, {} are left", tail.len()))
            })?;
            picture.push(unit);
            rest = tail;
        }
        picture.complete()
    }

    /// A picture from NAL units with start codes (annex B).
    pub(crate) fn from_start_codes(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut picture = Self::default();
        let starts: Vec<usize> =
            bytes.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(at, _)| at).collect();
        if starts.first().is_none_or(|first| bytes[..*first].iter().any(|byte| *byte != 0)) {
            return Err(ReadError::new("a picture does not begin with a start code"));
        }
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).copied().unwrap_or(bytes.len());
            picture.push(&bytes[start + 3..end]);
        }
        picture.complete()
    }

    fn push(&mut self, unit: &[u8]) {
        // Zeros after a NAL unit belong to the next start code (B.1.2), and no NAL unit ends in one (7.4.1).
        let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let unit = &unit[..end];
        match unit.first().map(|header| header & 0x1F) {
            Some(kind @ NON_IDR_SLICE..=IDR_SLICE) => {
                self.hash.update(&(unit.len() as u64).to_le_bytes());
                self.hash.update(unit);
                self.slices += 1;
                self.idr_slices += u32::from(kind == IDR_SLICE);
            }
            Some(SEQUENCE_PARAMETERS | PICTURE_PARAMETERS) => self.parameter_sets.push(unit.to_vec()),
            _ => {}
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
        let lengths = Picture::from_lengths(b"\0\0\0\x02\x06x\0\0\0\x03\x65\x01\x02", 4).unwrap();
        let codes = Picture::from_start_codes(
            b"\0\0\0\x01\x09\xF0\0\0\0\x01\x67s\0\0\x01\x68p\0\0\x01\x65\x01\x02\0\0",
        )
        .unwrap();
        assert!(lengths.is_idr() && codes.is_idr());
        assert_eq!(lengths.payload(), codes.payload());
        assert_eq!(codes.parameter_sets(), [b"\x67s".to_vec(), b"\x68p".to_vec()]);
        let other = Picture::from_lengths(b"\0\0\0\x03\x65\x01\x03", 4).unwrap();
        assert_ne!(lengths.payload(), other.payload());
        let moved = Picture::from_lengths(b"\0\0\0\x02\x65\x01\0\0\0\x02\x65\x02", 4).unwrap();
        let joined = Picture::from_lengths(b"\0\0\0\x01\x65\0\0\0\x03\x65\x01\x02", 4).unwrap();
        assert_ne!(moved.payload(), joined.payload());
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
            assert!(Picture::from_lengths(bytes, 4).is_err(), "{bytes:?}");
        }
        for bytes in [&b""[..], b"\x65\x01", b"x\0\0\x01\x65", b"\0\0\x01\x09\xF0"] {
            assert!(Picture::from_start_codes(bytes).is_err(), "{bytes:?}");
        }
    }
}

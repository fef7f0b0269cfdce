//! Which bytes of a picture of H.264 are encrypted (ISO/IEC 23001-7 clause 9.5.2): the data of its slices in whole
//! blocks. Lengths, NAL unit headers, slice headers and everything that is no slice stay clear, as players with
//! protected decoders need it, and so does what is left at a slice's end, less than a block. Shaka Packager divides
//! pictures in the same way.

use h264_reader::Context;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::slice::SliceHeader;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::nal::{NalHeader, UnitType};
use h264_reader::rbsp::{BitReader, ByteReader};

use crate::readback::boxes::Cursor;

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// Clear bytes, then encrypted ones (7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subsample {
    pub(super) clear: u16,
    pub(super) protected: u32,
}

/// Divides the pictures of one track, in decoding order.
pub(super) struct PictureDivider {
    /// The parameter sets so far, which say how slice headers are to be read.
    parameter_sets: Context,
    /// Bytes of the length before each NAL unit.
    length_size: usize,
}

impl std::fmt::Debug for PictureDivider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PictureDivider").field("length_size", &self.length_size).finish_non_exhaustive()
    }
}

impl PictureDivider {
    /// A divider for pictures that `avcC` describes (ISO/IEC 14496-15 5.3.3.1).
    pub(super) fn new(configuration: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor::new(configuration);
        let mut divider = Self { parameter_sets: Context::new(), length_size: 0 };
        divider.configure(&mut cursor)?;
        Ok(divider)
    }

    fn configure(&mut self, cursor: &mut Cursor<'_>) -> Result<(), String> {
        let cut = |error: crate::readback::ReadError| error.0;
        cursor.take(4).map_err(cut)?;
        self.length_size = usize::from(cursor.u8().map_err(cut)? & 0b11) + 1;
        // Sequence parameter sets are counted in five bits, picture parameter sets in eight.
        for mask in [0x1F, 0xFF] {
            for _ in 0..cursor.u8().map_err(cut)? & mask {
                let length = usize::from(cursor.u16().map_err(cut)?);
                let unit = cursor.take(length).map_err(cut)?;
                if self.clear_bytes(unit)? != unit.len() {
                    return Err("it holds a slice".to_owned());
                }
            }
        }
        Ok(())
    }

    /// The parts of a picture.
    pub(super) fn divide(&mut self, picture: &[u8]) -> Result<Vec<Subsample>, String> {
        let mut parts = Parts::default();
        let mut rest = picture;
        while !rest.is_empty() {
            let (length, tail) =
                rest.split_at_checked(self.length_size).ok_or("a NAL unit's length is cut")?;
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let (unit, tail) = tail
                .split_at_checked(length)
                .ok_or_else(|| format!("a NAL unit states {length} bytes, {} are left", tail.len()))?;
            let clear = self.clear_bytes(unit)?;
            parts.push(self.length_size + clear, unit.len() - clear);
            rest = tail;
        }
        Ok(parts.complete())
    }

    /// How many bytes at the beginning of a NAL unit stay clear. Takes note of parameter sets.
    fn clear_bytes(&mut self, unit: &[u8]) -> Result<usize, String> {
        let Some(header) = unit.first() else { return Ok(0) };
        let header = NalHeader::new(*header).map_err(|_| "a NAL unit has its forbidden bit set")?;
        let body = || BitReader::new(ByteReader::skipping_h264_header(unit));
        match header.nal_unit_type() {
            UnitType::SliceLayerWithoutPartitioningIdr | UnitType::SliceLayerWithoutPartitioningNonIdr => {
                let mut bits = body();
                SliceHeader::from_bits(&self.parameter_sets, &mut bits, header, None)
                    .map_err(|error| format!("a slice header cannot be read: {error:?}"))?;
                // Bytes are taken one at a time: the last that was taken holds the header's last bit.
                Ok(unit.len() - bits.into_reader().reader().len())
            }
            UnitType::SeqParameterSet => {
                let set = SeqParameterSet::from_bits(body());
                let set =
                    set.map_err(|error| format!("a sequence parameter set cannot be read: {error:?}"))?;
                self.parameter_sets.put_seq_param_set(set);
                Ok(unit.len())
            }
            UnitType::PicParameterSet => {
                let set = PicParameterSet::from_bits(&self.parameter_sets, body());
                let set =
                    set.map_err(|error| format!("a picture parameter set cannot be read: {error:?}"))?;
                self.parameter_sets.put_pic_param_set(set);
                Ok(unit.len())
            }
            UnitType::SEI
            | UnitType::AccessUnitDelimiter
            | UnitType::EndOfSeq
            | UnitType::EndOfStream
            | UnitType::FillerData => Ok(unit.len()),
            // Anything else may hold parts of pictures, which must not stay clear.
            other => Err(format!("NAL units of type {} are used by no rendition", other.id())),
        }
    }
}

/// Collects what stays clear until something to encrypt follows.
#[derive(Default)]
struct Parts {
    subsamples: Vec<Subsample>,
    clear: usize,
}

impl Parts {
    fn push(&mut self, clear: usize, data: usize) {
        self.clear += clear;
        let protected = data - data % BLOCK;
        if protected > 0 {
            self.flush(protected);
        }
        self.clear += data % BLOCK;
    }

    fn flush(&mut self, protected: usize) {
        const MOST: usize = u16::MAX as usize;

        while self.clear > MOST {
            self.subsamples.push(Subsample { clear: u16::MAX, protected: 0 });
            self.clear -= MOST;
        }
        self.subsamples.push(Subsample { clear: self.clear as u16, protected: protected as u32 });
        self.clear = 0;
    }

    fn complete(mut self) -> Vec<Subsample> {
        if self.clear > 0 {
            self.flush(0);
        }
        self.subsamples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(clear: u16, protected: u32) -> Subsample {
        Subsample { clear, protected }
    }

    #[test]
    fn whole_blocks_are_protected_and_the_rest_joins_what_follows() {
        for (units, expected) in [
            (&[(10, 15)][..], &[part(25, 0)][..]),
            (&[(10, 16)], &[part(10, 16)]),
            (&[(10, 33)], &[part(10, 32), part(1, 0)]),
            (&[(30, 0), (10, 33), (9, 40)], &[part(40, 32), part(10, 32), part(8, 0)]),
            (&[(65_535, 16)], &[part(65_535, 16)]),
            (&[(65_536, 16)], &[part(65_535, 0), part(1, 16)]),
            (&[(200_000, 0)], &[part(65_535, 0), part(65_535, 0), part(65_535, 0), part(3_395, 0)]),
            (&[], &[]),
        ] {
            let mut parts = Parts::default();
            units.iter().for_each(|(clear, data)| parts.push(*clear, *data));
            assert_eq!(parts.complete(), expected, "{units:?}");
        }
    }

    #[test]
    fn what_may_hold_pictures_in_another_way_is_refused() {
        let mut divider = PictureDivider::new(b"\x01\x64\0\x1F\xFF\xE0\0").unwrap();
        let unit = |kind: u8| [&[0, 0, 0, 3, kind][..], b"xy"].concat();
        // Supplemental information, delimiters and filler data.
        for clear in [6, 9, 10, 11, 12] {
            assert_eq!(divider.divide(&unit(clear)).unwrap(), [part(7, 0)]);
        }
        assert_eq!(divider.divide(b"\0\0\0\0").unwrap(), [part(4, 0)]);
        // Data partitions, auxiliary pictures, further layers, and what nobody has defined.
        for refused in [0, 2, 3, 4, 14, 15, 19, 20, 21, 24, 31] {
            let error = divider.divide(&unit(refused)).unwrap_err();
            assert_eq!(error, format!("NAL units of type {refused} are used by no rendition"));
        }
        // Slices and parameter sets that nothing is known of, and a forbidden bit.
        for refused in [1, 5, 7, 8, 0x86] {
            assert!(divider.divide(&unit(refused)).is_err(), "{refused}");
        }
        for cut in [&b"\0\0\0"[..], b"\0\0\0\x03\x06x", b"\xFF\xFF\xFF\xFF\x06"] {
            assert!(divider.divide(cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn a_configuration_that_is_cut_or_odd_is_refused() {
        for bad in [
            &b""[..],
            b"\x01\x64\0\x1F\xFF",
            b"\x01\x64\0\x1F\xFF\xE1\0\x09\x67",
            b"\x01\x64\0\x1F\xFF\xE1\0\0",
            b"\x01\x64\0\x1F\xFF\xE1\0\x02\x65x\0",
            b"\x01\x64\0\x1F\xFF\xE1\0\x02\x67x\0",
        ] {
            assert!(PictureDivider::new(bad).is_err(), "{bad:?}");
        }
    }
}

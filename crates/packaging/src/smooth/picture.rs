//! What a coded picture depends on and what depends on it, from the headers of its NAL units, which no encryption hides:
//! devices use it to play fast, to drop pictures when they are late, and to find where to begin.

use crate::malformed::Malformed;
use crate::readback::nal;

/// Dependencies of a sample, as `sdtp` and sample flags state them (ISO/IEC 14496-12 8.6.4 and 8.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    /// Whether decoding can begin here: an IDR picture.
    pub(super) is_sync: bool,
    /// Whether it is decoded without other pictures.
    pub(super) is_independent: bool,
    /// Whether no other picture needs it.
    pub(super) is_disposable: bool,
}

impl Dependency {
    /// Of the picture in a sample whose NAL units have lengths of `length_size` bytes before them: by its first slice,
    /// since all slices of the farm's pictures are of one type.
    pub(super) fn of_picture(sample: &[u8], length_size: usize) -> Result<Self, Malformed> {
        let mut found = None;
        // All of them, so that a wrong length behind the slice is no device's to find.
        for unit in nal::units_by_length(sample, length_size) {
            let unit = &sample[unit.map_err(Malformed::at("mdat"))?];
            found = found.or_else(|| Self::of_slice(unit));
        }
        found.ok_or_else(|| Malformed::new("mdat", "a sample holds no slice of a picture"))
    }

    /// Of a NAL unit (ITU-T H.264 7.3.1), if it is a slice.
    fn of_slice(unit: &[u8]) -> Option<Self> {
        const IDR_SLICE: u8 = 5;
        // `first_mb_in_slice` 0 and `slice_type` 7, "all slices of this picture are I", as Exp-Golomb codes: 1 0001000.
        const ALL_INTRA: u8 = 0x88;

        let [header, slice, ..] = unit else { return None };
        if !nal::Coding::Avc.is_slice(unit) {
            return None;
        }
        let is_sync = header & 0x1F == IDR_SLICE;
        let is_independent = is_sync || *slice == ALL_INTRA;
        Some(Self { is_sync, is_independent, is_disposable: header & 0x60 == 0 })
    }

    /// The byte of the picture in `sdtp`.
    pub(super) const fn to_byte(self) -> u8 {
        const NO_REDUNDANT_CODING: u8 = 2;
        let depends_on = if self.is_independent { 2 } else { 1 };
        let is_depended_on = if self.is_disposable { 2 } else { 1 };
        depends_on << 4 | is_depended_on << 2 | NO_REDUNDANT_CODING
    }

    /// The same as sample flags.
    pub(super) const fn to_flags(self) -> u32 {
        (self.to_byte() as u32) << 20 | if self.is_sync { 0 } else { 0x1_0000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_those_of_the_first_slice() {
        for (sample, byte, flags) in [
            // An IDR picture behind a delimiter and SEI.
            (&b"\0\0\0\x02\x09\xF0\0\0\0\x02\x06x\0\0\0\x02\x65\x88"[..], 0x26, 0x0260_0000),
            // An I picture in the middle, P, B that others need, B that none needs.
            (b"\0\0\0\x02\x41\x88", 0x26, 0x0261_0000),
            (b"\0\0\0\x02\x41\x9A", 0x16, 0x0161_0000),
            (b"\0\0\0\x02\x41\x9E", 0x16, 0x0161_0000),
            (b"\0\0\0\x02\x01\x9E", 0x1A, 0x01A1_0000),
        ] {
            let found = Dependency::of_picture(sample, 4).unwrap();
            assert_eq!((found.to_byte(), found.to_flags()), (byte, flags), "{sample:?}");
        }
        assert!(Dependency::of_picture(b"\x02\x65\x88", 1).unwrap().is_sync);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for sample in
            [&b""[..], b"\0\0", b"\0\0\0\x09\x65\x88", b"\0\0\0\x02\x06x", b"\0\0\0\x01\x65", b"\0\0\0\0"]
        {
            assert!(Dependency::of_picture(sample, 4).is_err(), "{sample:?}");
        }
        let cut_behind_the_slice = b"\0\0\0\x02\x65\x88\0\0\0\x09\x41\x9A";
        assert!(Dependency::of_picture(cut_behind_the_slice, 4).is_err());
    }
}

//! One component of a picture, as a decoder leaves it in memory.

/// Luma, or one component of chroma.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    samples: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
    bit_depth: u32,
}

/// A row of samples.
pub(super) enum Row<'a> {
    /// Of 8 bits.
    Bytes(&'a [u8]),
    /// Of more, little-endian.
    Words(&'a [[u8; 2]]),
}

impl<'a> Plane<'a> {
    /// A component of `width` by `height` samples whose rows begin `stride` bytes apart. Samples of 8 bits are one byte
    /// each; those of 9 to 16 bits are two, little-endian, with the value in the low bits.
    ///
    /// `None` where there are no samples, the bit depth is another one, or the buffer is too short.
    pub fn new(
        samples: &'a [u8],
        stride: usize,
        width: usize,
        height: usize,
        bit_depth: u32,
    ) -> Option<Self> {
        let sample = match bit_depth {
            8 => 1,
            9..=16 => 2,
            _ => return None,
        };
        let row = width.checked_mul(sample)?;
        let least = height.checked_sub(1)?.checked_mul(stride)?.checked_add(row)?;
        (width > 0 && stride >= row && samples.len() >= least).then_some(Self {
            samples,
            stride,
            width,
            height,
            bit_depth,
        })
    }

    /// Samples in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Bits of a sample.
    pub(super) fn bit_depth(&self) -> u32 {
        self.bit_depth
    }

    /// A row; an empty one where there is none.
    pub(super) fn row(&self, y: usize) -> Row<'a> {
        let start = y.saturating_mul(self.stride);
        let bytes = |length: usize| self.samples.get(start..start.saturating_add(length)).unwrap_or_default();
        if self.bit_depth == 8 {
            Row::Bytes(bytes(self.width))
        } else {
            Row::Words(bytes(self.width.saturating_mul(2)).as_chunks().0)
        }
    }

    /// Writes a row, reduced to 8 bits a sample.
    pub(super) fn copy_row(&self, y: usize, into: &mut [u8]) {
        match self.row(y) {
            Row::Bytes(row) => {
                for (into, sample) in into.iter_mut().zip(row) {
                    *into = *sample;
                }
            }
            Row::Words(row) => {
                let shift = self.bit_depth.saturating_sub(8);
                for (into, sample) in into.iter_mut().zip(row) {
                    *into = u16::from_le_bytes(*sample).wrapping_shr(shift) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_must_hold_what_is_said_of_it() {
        let samples = [0; 100];
        for (stride, width, height, bit_depth, fits) in [
            (10, 10, 10, 8, true),
            (12, 10, 8, 8, true),
            (10, 5, 10, 10, true),
            // The last row needs no more than its samples.
            (30, 10, 4, 8, true),
            (30, 10, 5, 8, false),
            (10, 10, 11, 8, false),
            (9, 10, 2, 8, false),
            (10, 10, 5, 10, false),
            (10, 0, 5, 8, false),
            (10, 10, 0, 8, false),
            (10, 10, 10, 7, false),
            (10, 5, 10, 17, false),
            (usize::MAX, 10, 3, 8, false),
            (usize::MAX, usize::MAX, 1, 16, false),
        ] {
            let plane = Plane::new(&samples, stride, width, height, bit_depth);
            assert_eq!(plane.is_some(), fits, "{stride} {width} {height} {bit_depth}");
        }
    }

    #[test]
    fn rows_are_reduced_to_eight_bits() {
        let samples: Vec<u8> = [64u16, 502, 940, 1023].into_iter().flat_map(u16::to_le_bytes).collect();
        let plane = Plane::new(&samples, 4, 2, 2, 10).unwrap();
        let mut row = [0; 2];
        plane.copy_row(1, &mut row);
        assert_eq!(row, [235, 255]);
        plane.copy_row(2, &mut row);
        assert_eq!(row, [235, 255], "a row that is not there");
    }
}

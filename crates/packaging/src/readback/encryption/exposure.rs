//! Whether a sample lies open further than its format needs.

use std::ops::Range;

use super::super::ReadError;
use super::super::nal::{Coding, units_by_length};

/// The most bytes of a slice that may lie open. The length, the header of the NAL unit and that of the slice must, and
/// the rest of their last block may; with the references and weights that encoders use they stay far below this.
pub(crate) const OPEN_SLICE: usize = 128;

/// Whether more of a picture's slices lies open than their headers. `protected` are the protected ranges of `sample` in
/// order.
///
/// # Errors
/// Where protection reaches into a NAL unit's length or header no player finds its way (ISO/IEC 23001-7 clause 9.5.2).
pub(crate) fn of_picture(
    coding: Coding,
    sample: &[u8],
    length_size: usize,
    protected: &[Range<usize>],
) -> Result<bool, ReadError> {
    let mut protected = protected.iter().peekable();
    let mut is_exposed = false;
    for unit in units_by_length(sample, length_size) {
        let unit = unit?;
        let mut open = length_size + unit.len();
        while let Some(range) = protected.next_if(|range| range.start < unit.end) {
            if range.start <= unit.start || range.end > unit.end {
                return Err(ReadError::new("a NAL unit's length or header is encrypted").of_box(b"senc"));
            }
            open -= range.len();
        }
        is_exposed |= open > OPEN_SLICE && coding.is_slice(&sample[unit]);
    }
    Ok(is_exposed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Supplemental information of 200 bytes, then a slice of 300.
    fn sample() -> Vec<u8> {
        let unit = |header: u8, size: usize| {
            [&(size as u32).to_be_bytes()[..], &[header], &vec![9; size - 1]].concat()
        };
        [unit(0x06, 200), unit(0x65, 300)].concat()
    }

    #[test]
    fn slices_and_nothing_else_must_be_encrypted() {
        let slice = 204;
        let size = sample().len();
        for (protected, expected) in [
            (&[(slice + OPEN_SLICE, size)][..], Some(false)),
            (&[(slice + OPEN_SLICE + 1, size)], Some(true)),
            (&[(slice + 16, slice + 32), (slice + 144, size)], Some(false)),
            (&[(5, 100), (slice + 5, size)], Some(false)),
            (&[(5, 100)], Some(true)),
            (&[], Some(true)),
            (&[(slice + 4, size)], None),
            (&[(slice, size)], None),
            (&[(100, size)], None),
        ] {
            let ranges: Vec<_> = protected.iter().map(|(start, end)| *start..*end).collect();
            assert_eq!(of_picture(Coding::Avc, &sample(), 4, &ranges).ok(), expected, "{protected:?}");
        }
    }
}

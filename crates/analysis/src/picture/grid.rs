//! The means of blocks of 8x8 samples: the only look at every sample of luma.
//!
//! A mean is kept in 64ths of a step of 8 bits, whatever the bit depth, so that the sum of a block of 8-bit samples is its
//! mean as it stands.

use super::plane::{Plane, Row};

/// Samples along each side of a block.
pub(super) const BLOCK: usize = 8;

/// A step of 8 bits in the unit of the means.
const STEP: f64 = 64.0;

/// The means of a picture's blocks. Those at the right and at the bottom may cover fewer samples.
#[derive(Debug)]
pub(super) struct BlockGrid {
    columns: usize,
    means: Vec<u16>,
    width: usize,
    height: usize,
    /// Sums of each column of samples over one row of blocks.
    sums: Vec<u16>,
}

impl BlockGrid {
    /// For pictures of so many samples.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
        Self { columns, means: vec![0; columns * rows], width, height, sums: vec![0; columns * BLOCK] }
    }

    /// Takes the means of a picture of that size.
    pub(super) fn measure(&mut self, luma: &Plane<'_>) {
        // Deeper samples are reduced to 10 bits: the sum of 64 of those just fits.
        let (left, right) = (10u32.saturating_sub(luma.bit_depth()), luma.bit_depth().saturating_sub(10));
        let deep = if luma.bit_depth() == 8 { 0 } else { 2 };
        let last_width = self.width - (self.columns - 1) * BLOCK;
        for (band, means) in self.means.chunks_exact_mut(self.columns).enumerate() {
            let first = band * BLOCK;
            let rows = BLOCK.min(self.height - first);
            self.sums.fill(0);
            for y in first..first + rows {
                match luma.row(y) {
                    Row::Bytes(row) => add_bytes(&mut self.sums, row),
                    Row::Words(row) => add_words(&mut self.sums, row, left, right),
                }
            }
            for (mean, sums) in means.iter_mut().zip(self.sums.as_chunks::<BLOCK>().0) {
                *mean = sums.iter().fold(0u16, |total, sum| total.wrapping_add(*sum));
            }
            if rows < BLOCK {
                means.iter_mut().for_each(|mean| *mean = of_part(*mean, rows));
            }
            if last_width < BLOCK
                && let Some(mean) = means.last_mut()
            {
                *mean = of_part(*mean, last_width);
            }
            means.iter_mut().for_each(|mean| *mean >>= deep);
        }
    }

    /// Blocks in a row.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The means, row by row.
    pub(super) fn means(&self) -> &[u16] {
        &self.means
    }
}

fn add_bytes(sums: &mut [u16], row: &[u8]) {
    for (sum, sample) in sums.iter_mut().zip(row) {
        *sum = sum.wrapping_add(u16::from(*sample));
    }
}

fn add_words(sums: &mut [u16], row: &[[u8; 2]], left: u32, right: u32) {
    for (sum, sample) in sums.iter_mut().zip(row) {
        let sample = u16::from_le_bytes(*sample).wrapping_shl(left).wrapping_shr(right) & 1023;
        *sum = sum.wrapping_add(sample);
    }
}

/// The mean of a block of which only `samples` of eight along one side are there, from the sum that took the others as 0.
fn of_part(mean: u16, samples: usize) -> u16 {
    (usize::from(mean) * BLOCK / samples.max(1)).min(usize::from(u16::MAX)) as u16
}

/// Where black and white lie, in the unit of the means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    black: f64,
    white: f64,
}

impl Levels {
    /// Of luma. Narrow range is 16 to 235 in steps of 8 bits at any depth; full range is all there are (ITU-R BT.2100-2,
    /// table 9).
    pub(super) fn new(bit_depth: u32, full_range: bool) -> Self {
        if full_range {
            let steps = 2f64.powi(bit_depth as i32 - 8);
            Self { black: 0.0, white: STEP * (256.0 - 1.0 / steps) }
        } else {
            Self { black: STEP * 16.0, white: STEP * 235.0 }
        }
    }

    /// The mean that is a share of the nominal range.
    pub(super) fn at(self, share: f64) -> u16 {
        (self.black + share * (self.white - self.black)).round() as u16
    }

    /// The share of the nominal range that a mean is.
    pub(super) fn share(self, mean: f64) -> f64 {
        (mean - self.black) / (self.white - self.black)
    }

    /// What is a share of the nominal range, in steps of 8 bits.
    pub(super) fn in_steps(self, share: f64) -> f64 {
        f64::from(self.at(share)) / STEP
    }

    /// How many steps of 8 bits the nominal range has.
    pub(super) fn steps(self) -> f64 {
        (self.white - self.black) / STEP
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn black_and_white_are_the_ends_of_the_range() {
        for (bit_depth, full_range, black, white) in
            [(8, false, 16, 235), (10, false, 64, 940), (8, true, 0, 255), (12, true, 0, 4095)]
        {
            let levels = Levels::new(bit_depth, full_range);
            for (sample, share) in [(black, 0.0), (white, 1.0)] {
                let samples: Vec<u8> = match bit_depth {
                    8 => vec![sample as u8; 64],
                    _ => (0..64).flat_map(|_| (sample as u16).to_le_bytes()).collect(),
                };
                let mut grid = BlockGrid::new(8, 8);
                grid.measure(&Plane::new(&samples, samples.len() / 8, 8, 8, bit_depth).unwrap());
                let found = levels.share(f64::from(grid.means()[0]));
                // 4095 is reduced to 1023.
                assert!((found - share).abs() < 1e-3, "{bit_depth} {full_range}: {found}");
                assert!(levels.at(share).abs_diff(grid.means()[0]) <= 12);
            }
        }
    }

    proptest! {
        /// Odd sizes, strides and depths: each block's mean is that of the samples it covers.
        #[test]
        fn means_are_those_of_the_samples(
            width in 1usize..40,
            height in 1usize..40,
            extra in 0usize..5,
            bit_depth in 8u32..=16,
            seed in any::<u64>(),
        ) {
            let mut random = crate::picture::synthetic::Random(seed);
            let stride = width + extra;
            let levels: Vec<u16> =
                (0..stride * height).map(|_| (random.next() & ((1 << bit_depth) - 1)) as u16).collect();
            let samples: Vec<u8> = match bit_depth {
                8 => levels.iter().map(|level| *level as u8).collect(),
                _ => levels.iter().flat_map(|level| level.to_le_bytes()).collect(),
            };
            let sample = samples.len() / levels.len();
            let mut grid = BlockGrid::new(width, height);
            grid.measure(&Plane::new(&samples, stride * sample, width, height, bit_depth).unwrap());
            for (index, mean) in grid.means().iter().enumerate() {
                let (left, top) = (index % grid.columns() * BLOCK, index / grid.columns() * BLOCK);
                let mut covered = Vec::new();
                for y in top..(top + BLOCK).min(height) {
                    covered.extend(levels[y * stride..][left..(left + BLOCK).min(width)].iter().map(|l| f64::from(*l)));
                }
                let expected = covered.iter().sum::<f64>() / covered.len() as f64 * 64.0 / 2f64.powi(bit_depth as i32 - 8);
                // Reduction to 10 bits and roundings lose up to a quarter of a step.
                prop_assert!((f64::from(*mean) - expected).abs() <= 24.0, "{} {}", mean, expected);
            }
        }
    }
}

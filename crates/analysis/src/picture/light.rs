//! From luma to light, by a display of ITU-R BT.1886 whose black is 0 and whose white is 200 cd/m².
//!
//! The guidance on flashes gives its limits in cd/m² for such a display (ITU-R BT.1702-3, Annex 1; Ofcom, guidance note on
//! flashing images, Annex 1). A block's luminance is taken from its luma alone: exact for grey, near enough otherwise.

use super::flash::ChangeLimits;
use super::grid::{BlockGrid, Levels};

/// Of white, in cd/m².
const PEAK: f64 = 200.0;
/// The exponent of the display (ITU-R BT.1886, Annex 1).
const GAMMA: f64 = 2.4;
/// Luminance is kept in hundredths of a cd/m².
const PER_CANDELA: f64 = 100.0;
/// What makes a flash: at least 20 cd/m² between two states of which the darker is below 160 cd/m² (ITU-R BT.1702-3,
/// Annex 1).
pub(super) const GENERAL_FLASH: ChangeLimits =
    ChangeLimits { least: (20.0 * PER_CANDELA) as i16, darker_below: (160.0 * PER_CANDELA) as i16 };

/// How many steps of means have an entry of their own: quarters of a step of 8 bits.
const ENTRIES: usize = 1024;
/// Means in an entry.
const MEANS: u16 = 16;

/// Linear light, 0 to 1, of a component from 0 to 1.
pub(super) fn linear(component: f64) -> f64 {
    component.max(0.0).powf(GAMMA)
}

/// The luminance of a picture's blocks.
#[derive(Debug)]
pub(super) struct Luminances {
    by_mean: Vec<i16>,
    blocks: Vec<i16>,
}

impl Luminances {
    /// For so many blocks, of pictures with that nominal range.
    pub(super) fn new(blocks: usize, levels: Levels) -> Self {
        let luminance = |entry: usize| {
            let middle = (entry as f64 + 0.5) * f64::from(MEANS);
            (linear(levels.share(middle)) * PEAK * PER_CANDELA).min(f64::from(i16::MAX)) as i16
        };
        Self { by_mean: (0..ENTRIES).map(luminance).collect(), blocks: vec![0; blocks] }
    }

    /// Of each block, in hundredths of a cd/m².
    pub(super) fn of(&mut self, grid: &BlockGrid) -> &[i16] {
        for (luminance, mean) in self.blocks.iter_mut().zip(grid.means()) {
            *luminance = self.by_mean.get(usize::from(mean / MEANS)).copied().unwrap_or(i16::MAX);
        }
        &self.blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::plane::Plane;

    #[test]
    fn white_is_two_hundred_candela() {
        for (bit_depth, full_range, level, candela) in [
            (8, false, 16, 0.0),
            (8, false, 235, 200.0),
            (8, true, 255, 200.0),
            (10, false, 940, 200.0),
            (10, true, 1023, 200.0),
            // Half of the signal is 0.5 to the power of 2.4 of the light.
            (10, false, 502, 37.9),
        ] {
            let samples: Vec<u8> = match bit_depth {
                8 => vec![level as u8],
                _ => (level as u16).to_le_bytes().to_vec(),
            };
            let mut grid = BlockGrid::new(1, 1);
            grid.measure(&Plane::new(&samples, samples.len(), 1, 1, bit_depth).unwrap());
            let found = Luminances::new(1, Levels::new(bit_depth, full_range)).of(&grid).to_vec();
            assert!(
                (f64::from(found[0]) / PER_CANDELA - candela).abs() < 0.5,
                "{bit_depth} {level}: {found:?}"
            );
        }
    }
}

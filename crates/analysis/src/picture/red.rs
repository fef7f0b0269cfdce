//! Flashes of saturated red, which are dangerous at any luminance.
//!
//! By the working definition of WCAG 2.1 ("general flash and red flash thresholds"): a pair of opposing changes by more than
//! 20 of (R - G - B) x 320 in linear light, where a state involved is at least 80 % red. The definition of WCAG 2.2, by
//! chromaticity, finds flashes between saturated colours that this one does not. Area and rate are those of other flashes.
//!
//! Luma is that of the blocks of 8x8 samples; chroma is read on one row in each row of blocks.

use super::flash::{ChangeLimits, Edges, FlashMeter};
use super::grid::{BLOCK, BlockGrid, Levels};
use super::light::linear;
use super::plane::{Plane, Row};

/// How luma is made up from red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601-7: standard definition.
    Bt601,
    /// ITU-R BT.709-6.
    #[default]
    Bt709,
}

impl Matrix {
    /// The shares of red and of blue.
    fn red_and_blue(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
        }
    }
}

/// What (R - G - B) is multiplied by (WCAG 2.1), and in what part of that it is kept.
const FACTOR: f32 = 320.0 * 100.0;
/// What makes a red flash: more than 20, however dark.
const RED_FLASH: ChangeLimits = ChangeLimits { least: 20 * 100 + 1, darker_below: i16::MAX };
/// The share of red in the light of a saturated red.
const SATURATED: f32 = 0.8;
/// Below that red difference (C_R of ITU-R BT.709-6, -0.5 to 0.5) a block is not looked at: the palest and darkest saturated
/// red that can make a flash has 0.077.
const LEAST_DIFFERENCE: f32 = 0.05;
/// Unless so much of the picture has been a saturated red lately, none can have flashed.
const LEAST_AREA: f64 = 0.2;
/// Entries of the table of linear light.
const ENTRIES: usize = 1024;

/// Follows the red in pictures of one size.
#[derive(Debug)]
pub(super) struct RedMeter {
    matrix: Matrix,
    full_range: bool,
    linear: Vec<f32>,
    /// How red each block is, and was in the picture before.
    redness: Vec<i16>,
    before: Vec<i16>,
    /// Frames since each block was a saturated red.
    saturated_age: Vec<u8>,
    /// Frames since much of the picture was.
    much_age: u32,
    flashes: FlashMeter,
    begun: bool,
    asleep: bool,
    red_row: Vec<f32>,
    blue_row: Vec<f32>,
}

impl RedMeter {
    /// For pictures with the blocks of a grid.
    pub(super) fn new(grid: &BlockGrid, matrix: Matrix, full_range: bool) -> Self {
        let (blocks, columns) = (grid.means().len(), grid.columns());
        Self {
            matrix,
            full_range,
            linear: (0..ENTRIES).map(|entry| linear(entry as f64 / (ENTRIES - 1) as f64) as f32).collect(),
            redness: vec![0; blocks],
            before: vec![0; blocks],
            saturated_age: vec![u8::MAX; blocks],
            much_age: u32::MAX,
            flashes: FlashMeter::new(columns, RED_FLASH),
            begun: false,
            asleep: true,
            red_row: vec![0.0; columns],
            blue_row: vec![0.0; columns],
        }
    }

    /// Takes in a picture, its luma by `grid` and `levels`, at so many frames a second. `size` is that of luma.
    pub(super) fn push(
        &mut self,
        grid: &BlockGrid,
        levels: Levels,
        size: (usize, usize),
        (blue, red): (&Plane<'_>, &Plane<'_>),
        rate: f64,
    ) -> Edges {
        std::mem::swap(&mut self.before, &mut self.redness);
        let saturated = self.measure(grid, levels, size, blue, red);
        if !self.begun {
            self.before.clone_from(&self.redness);
            self.begun = true;
        }
        let much = saturated as f64 > grid.means().len() as f64 * LEAST_AREA;
        self.much_age = if much { 0 } else { self.much_age.saturating_add(1) };
        if f64::from(self.much_age) > rate {
            self.asleep = true;
            return Edges::default();
        }
        if self.asleep {
            self.flashes.begin(&self.before);
            self.asleep = false;
        }
        let ages = &self.saturated_age;
        let lately = |index: usize| ages.get(index).is_some_and(|age| f64::from(*age) <= rate);
        self.flashes.push(&self.redness, rate, lately)
    }

    /// How red each block is. How many are a saturated red?
    fn measure(
        &mut self,
        grid: &BlockGrid,
        levels: Levels,
        size: (usize, usize),
        blue: &Plane<'_>,
        red: &Plane<'_>,
    ) -> u32 {
        let columns = grid.columns();
        let (of_red, of_blue) = self.matrix.red_and_blue();
        let of_green = 1.0 - of_red - of_blue;
        let linear = |component: f32| {
            let entry = (component * (ENTRIES - 1) as f32) as usize;
            self.linear.get(entry.min(ENTRIES - 1)).copied().unwrap_or(1.0)
        };
        let mut count = 0;
        let rows = grid
            .means()
            .chunks(columns)
            .zip(self.redness.chunks_mut(columns))
            .zip(self.saturated_age.chunks_mut(columns));
        for (row, ((means, redness), ages)) in rows.enumerate() {
            redness.fill(0);
            ages.iter_mut().for_each(|age| *age = age.saturating_add(1));
            let y = row * BLOCK + BLOCK / 2;
            read_row(red, size, y, self.full_range, &mut self.red_row);
            if !self.red_row.iter().any(|difference| *difference >= LEAST_DIFFERENCE) {
                continue;
            }
            read_row(blue, size, y, self.full_range, &mut self.blue_row);
            let differences = self.red_row.iter().zip(&self.blue_row);
            for (((mean, redness), age), (&red, &blue)) in
                means.iter().zip(redness).zip(ages).zip(differences)
            {
                if red < LEAST_DIFFERENCE {
                    continue;
                }
                let luma = levels.share(f64::from(*mean)) as f32;
                let (red, blue) = (luma + 2.0 * (1.0 - of_red) * red, luma + 2.0 * (1.0 - of_blue) * blue);
                let green = (luma - of_red * red - of_blue * blue) / of_green;
                let (red, green, blue) = (linear(red), linear(green), linear(blue));
                *redness = ((red - green - blue) * FACTOR).max(0.0) as i16;
                if red > 0.0 && red >= SATURATED * (red + green + blue) {
                    *age = 0;
                    count += 1;
                }
            }
        }
        count
    }
}

/// The colour differences of a row of blocks, from the row of chroma that lies in luma's row `y`.
fn read_row(chroma: &Plane<'_>, size: (usize, usize), y: usize, full_range: bool, into: &mut [f32]) {
    let samples = |luma: usize, chroma: usize| ((luma + chroma / 2) / chroma.max(1)).clamp(1, BLOCK);
    let (across, down) = (samples(size.0, chroma.width()), samples(size.1, chroma.height()));
    let row = chroma.row((y / down).min(chroma.height() - 1));
    let deep = 2f32.powi(chroma.bit_depth() as i32 - 8);
    let range = if full_range { 256.0 * deep - 1.0 } else { 224.0 * deep };
    let difference = |sum: u32, samples: usize| (sum as f32 / samples as f32 - 128.0 * deep) / range;
    match row {
        Row::Bytes(row) => {
            for (into, samples) in into.iter_mut().zip(row.chunks(BLOCK / across)) {
                *into = difference(samples.iter().map(|sample| u32::from(*sample)).sum(), samples.len());
            }
        }
        Row::Words(row) => {
            for (into, samples) in into.iter_mut().zip(row.chunks(BLOCK / across)) {
                let sum = samples.iter().map(|sample| u32::from(u16::from_le_bytes(*sample))).sum();
                *into = difference(sum, samples.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges that a film of plain colours brings, given as red, green and blue components, 0 to 1.
    fn edges(colours: &[[f64; 3]], frames: usize, chroma: (usize, usize)) -> (usize, usize) {
        let (width, height) = (64, 48);
        let mut grid = BlockGrid::new(width, height);
        let mut meter = RedMeter::new(&grid, Matrix::Bt709, false);
        let (mut rises, mut falls) = (0, 0);
        for frame in 0..frames {
            let [red, green, blue] = colours[frame % colours.len()];
            let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            let byte = |value: f64| value.round() as u8;
            let lumas = vec![byte(16.0 + 219.0 * luma); width * height];
            let of_blue = vec![byte(128.0 + 224.0 * (blue - luma) / 1.8556); chroma.0 * chroma.1];
            let of_red = vec![byte(128.0 + 224.0 * (red - luma) / 1.5748); chroma.0 * chroma.1];
            let plane = |samples| Plane::new(samples, chroma.0, chroma.0, chroma.1, 8).unwrap();
            grid.measure(&Plane::new(&lumas, width, width, height, 8).unwrap());
            let found = meter.push(
                &grid,
                Levels::new(8, false),
                (width, height),
                (&plane(&of_blue), &plane(&of_red)),
                25.0,
            );
            rises += usize::from(found.rises);
            falls += usize::from(found.falls);
        }
        (rises, falls)
    }

    #[test]
    fn red_flashes_against_any_other_colour() {
        const RED: [f64; 3] = [0.9, 0.1, 0.1];
        for other in [[0.0; 3], [0.1, 0.1, 0.9], [0.36, 0.36, 0.36], [1.0; 3]] {
            for chroma in [(64, 48), (32, 48), (32, 24), (16, 48), (16, 12)] {
                let colours = [other, other, other, RED, RED, RED];
                assert_eq!(edges(&colours, 25, chroma), (4, 4), "{other:?} {chroma:?}");
            }
        }
    }

    #[test]
    fn what_is_not_saturated_or_hardly_changes_does_not() {
        for (one, other) in [
            // Pink and skin, against black.
            ([0.9, 0.6, 0.6], [0.0; 3]),
            ([0.8, 0.6, 0.5], [0.0; 3]),
            // A dark red: (R - G - B) x 320 is 18.
            ([0.3, 0.0, 0.0], [0.0; 3]),
            // Red light that flickers a little.
            ([0.90, 0.1, 0.1], [0.88, 0.1, 0.1]),
            ([0.1, 0.9, 0.1], [0.1, 0.1, 0.9]),
        ] {
            assert_eq!(
                edges(&[one, one, one, other, other, other], 50, (32, 24)),
                (0, 0),
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn the_first_flash_counts_after_a_time_without_red() {
        let mut colours = vec![[0.3; 3]; 100];
        for (frame, colour) in colours.iter_mut().enumerate().skip(60).take(24) {
            if frame % 6 < 3 {
                *colour = [0.9, 0.1, 0.1];
            }
        }
        assert_eq!(edges(&colours, 100, (32, 24)), (4, 4));
    }
}

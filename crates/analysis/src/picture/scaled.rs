//! Traces of scaling: was the picture made of fewer lines.
//!
//! A line that was made up between two others is smoother than one that lay on a line of the original. Where a picture was
//! scaled up from `n` lines, that comes and goes `n` times over its height, and is found there in the spectrum of how rough
//! its lines are, however much detail there is and whatever is at the other places (Gallagher, "Detection of linear and
//! cubic interpolation in JPEG compressed images", 2005). Grain that was added later and good compression leave it.
//!
//! Scaling by two makes up all lines alike, but not the steps between them, which are looked at then. Blocks of a codec
//! leave steps as well, which come back every fourth and eighth line too.
//!
//! Not found: scaling by whole factors other than two and three, and by factors whose beat is that of a codec's blocks, a
//! number of eighths; scaling to several sizes in turn; and what compression has left nothing of.

use super::plane::Plane;

/// Larger differences count as that much, in steps of 8 bits: an outline is no roughness.
const MOST: u32 = 32;
/// Added to the mean roughness of a line before its logarithm is taken, in steps of 8 bits: what rounding leaves.
const ROUNDING: f64 = 0.5;
/// How far around a line the median is taken that it is held against, in lines.
const AROUND: usize = 12;
/// Most that a line may deviate from it, as a logarithm.
const MOST_DEVIATION: f64 = 0.5;
/// Frequencies beside the one in question that are left out, and how far those reach that it is held against; in cycles
/// over the picture.
const BESIDE: std::ops::RangeInclusive<i32> = 3..=40;
/// Where blocks of eight lines and of four show besides in every second line, in cycles a line.
const BLOCKS: [f64; 3] = [0.125, 0.25, 0.375];
/// Fewer lines tell nothing.
const LEAST_LINES: usize = 240;

/// Gathers how rough the lines of a film's pictures are.
#[derive(Clone, Debug, Default)]
pub struct ScalingMeter {
    /// The sum over all pictures of each line's mean roughness.
    lines: Vec<f64>,
    /// The same of the step between each line and the one before.
    steps: Vec<f64>,
    pictures: u32,
}

impl ScalingMeter {
    /// Takes in a picture. One of another size than the first is left out.
    pub fn picture(&mut self, luma: &Plane<'_>) {
        let (width, height) = (luma.width(), luma.height());
        if self.pictures == 0 {
            (self.lines, self.steps) = (vec![0.0; height], vec![0.0; height]);
        }
        if self.lines.len() != height {
            return;
        }
        self.pictures += 1;
        let mut rows = [(); 3].map(|()| vec![0u8; width]);
        for y in 0..height {
            rows.rotate_left(1);
            let [above, line, below] = &mut rows;
            luma.copy_row(y, below);
            let Some(row) = y.checked_sub(1) else { continue };
            let columns = above.iter().zip(&*line).zip(&*below);
            let (roughness, step) =
                columns.fold((0u32, 0u32), |(roughness, step), ((above, sample), below)| {
                    let between = u32::from(*above) + u32::from(*below);
                    let rough = between.abs_diff(2 * u32::from(*sample)).min(MOST);
                    (
                        roughness.wrapping_add(rough),
                        step.wrapping_add(u32::from(below.abs_diff(*sample)).min(MOST)),
                    )
                });
            for (sums, place, found) in [(&mut self.lines, row, roughness), (&mut self.steps, y, step)] {
                if let Some(sum) = sums.get_mut(place) {
                    *sum += f64::from(found) / width as f64;
                }
            }
        }
    }

    /// How strong the traces are of a scaling from `height` lines, where the whole picture, of which the lines that were
    /// taken in are a part, has `whole`: as many times as strong as what chance leaves beside them. `None` where there are
    /// too few lines to tell.
    pub fn strength(&self, whole: u32, height: u32) -> Option<f64> {
        if self.lines.len() < LEAST_LINES || self.pictures == 0 || height == 0 || height >= whole {
            return None;
        }
        let is_half = 2 * u64::from(height) == u64::from(whole);
        let deviations = self.deviations(if is_half { &self.steps } else { &self.lines });
        let cycle = 1.0 / deviations.len() as f64;
        // Of an even beat and one that is faster by a line, only the lower frequency can be seen.
        let share = f64::from(height) / f64::from(whole);
        let frequency = share.min(1.0 - share);
        let beside = |cycles: i32| frequency + f64::from(cycles) * cycle;
        let mut others: Vec<f64> = BESIDE
            .flat_map(|cycles| [beside(cycles), beside(-cycles)])
            .filter(|frequency| (0.05..=0.5).contains(frequency))
            .map(|frequency| magnitude(&deviations, frequency))
            .collect();
        others.sort_unstable_by(f64::total_cmp);
        let usual = others.get(others.len() / 2).copied().filter(|usual| *usual > 0.0)?;
        let of_blocks = BLOCKS.iter().filter(|_| is_half).map(|frequency| magnitude(&deviations, *frequency));
        Some(magnitude(&deviations, frequency) / of_blocks.fold(usual, f64::max))
    }

    /// By how much each line is rougher than those around it, as a logarithm.
    fn deviations(&self, lines: &[f64]) -> Vec<f64> {
        let pictures = f64::from(self.pictures);
        let logarithms: Vec<f64> = lines.iter().map(|sum| (sum / pictures + ROUNDING).ln()).collect();
        // The first and the last line have no neighbour on one side.
        let inner = logarithms.get(1..logarithms.len().saturating_sub(1)).unwrap_or_default();
        let around = |line: usize| {
            let from = line.saturating_sub(AROUND);
            let mut around: Vec<f64> =
                inner.iter().skip(from).take(line + AROUND + 1 - from).copied().collect();
            around.sort_unstable_by(f64::total_cmp);
            around.get(around.len() / 2).copied().unwrap_or_default()
        };
        let deviation =
            |(line, value): (usize, &f64)| (value - around(line)).clamp(-MOST_DEVIATION, MOST_DEVIATION);
        inner.iter().enumerate().map(deviation).collect()
    }
}

/// How much of a frequency there is, in cycles a line, under a window that is soft at its ends (Hann's).
fn magnitude(lines: &[f64], frequency: f64) -> f64 {
    let turn = std::f64::consts::TAU;
    let length = lines.len() as f64;
    let (real, imaginary) = lines.iter().enumerate().fold((0.0, 0.0), |(real, imaginary), (line, value)| {
        let window = 0.5 - 0.5 * (turn * (line as f64 + 0.5) / length).cos();
        let (sine, cosine) = (turn * frequency * line as f64).sin_cos();
        (real + window * value * cosine, imaginary + window * value * sine)
    });
    f64::hypot(real, imaginary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::synthetic::{Random, noise};

    const WIDTH: usize = 64;

    /// Strengths of traces of some heights in pictures of so many lines.
    fn strengths(whole: u32, heights: &[u32], luma: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
        let mut meter = ScalingMeter::default();
        for picture in 0..3 {
            let lines = (0..whole as usize).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
            let samples: Vec<u8> = lines.map(|(x, y)| luma(picture, x, y).round() as u8).collect();
            meter.picture(&Plane::new(&samples, WIDTH, WIDTH, whole as usize, 8).unwrap());
        }
        heights.iter().map(|height| meter.strength(whole, *height).unwrap()).collect()
    }

    /// Fine texture over soft shapes.
    fn texture(picture: usize, x: usize, y: usize) -> f64 {
        80.0 + 40.0 * noise(picture, x, y) + 30.0 * (y as f64 / 7.3 + x as f64 / 11.0).sin()
    }

    /// The same of fewer lines, scaled up: each line lies between two.
    fn scaled(from: u32, whole: u32, picture: usize, x: usize, y: usize) -> f64 {
        let place = (y as f64 + 0.5) * f64::from(from) / f64::from(whole) - 0.5;
        let (line, part) = (place.floor(), place - place.floor());
        let at = |line: f64| texture(picture, x, line.max(0.0) as usize);
        at(line) * (1.0 - part) + at(line + 1.0) * part
    }

    #[test]
    fn the_height_that_a_picture_was_scaled_up_from_leaves_traces() {
        for (whole, heights) in [(1_080, [720, 576, 480]), (720, [576, 480, 360]), (2_160, [1_080, 720, 480])]
        {
            for from in heights {
                let found = strengths(whole, &heights, |picture, x, y| scaled(from, whole, picture, x, y));
                // Overtones may fall on another height.
                let strongest = heights.iter().zip(&found).max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
                assert!(*strongest.0 == from && *strongest.1 > 20.0, "{whole} from {from}: {found:?}");
            }
        }
    }

    #[test]
    fn what_was_not_scaled_leaves_none() {
        let blocks = |x: usize, y: usize| 20.0 * Random((x / 8 * 977 + y / 8) as u64).uniform();
        for (name, found) in [
            ("texture", strengths(1_080, &[720, 576, 480], texture)),
            ("grain", strengths(1_080, &[720, 576, 480], |picture, x, y| 90.0 + 60.0 * noise(picture, x, y))),
            ("one grey", strengths(1_080, &[720], |_, x, y| 90.0 + ((x + y) % 7 / 6) as f64)),
            (
                "blocks",
                strengths(1_080, &[720, 576, 480], |picture, x, y| texture(picture, x, y) + blocks(x, y)),
            ),
        ] {
            assert!(found.iter().all(|strength| *strength < 8.0), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_part_of_the_picture_is_enough() {
        let mut meter = ScalingMeter::default();
        let samples: Vec<u8> = (4..1_076)
            .flat_map(|y| (0..WIDTH).map(move |x| scaled(480, 1_080, 0, x, y).round() as u8))
            .collect();
        meter.picture(&Plane::new(&samples, WIDTH, WIDTH, 1_072, 8).unwrap());
        assert!(meter.strength(1_080, 480).unwrap() > 15.0);
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        let mut meter = ScalingMeter::default();
        assert_eq!(meter.strength(1_080, 480), None);
        let samples = vec![90; WIDTH * 480];
        meter.picture(&Plane::new(&samples, WIDTH, WIDTH, 480, 8).unwrap());
        // Of another size.
        meter.picture(&Plane::new(&samples, WIDTH, WIDTH, 200, 8).unwrap());
        assert_eq!(meter.strength(480, 360), None, "one grey has no roughness at all");
        assert_eq!((meter.strength(480, 480), meter.strength(480, 0)), (None, None));
        let mut meter = ScalingMeter::default();
        meter.picture(&Plane::new(&samples, WIDTH, WIDTH, 200, 8).unwrap());
        assert_eq!(meter.strength(200, 100), None);
    }
}

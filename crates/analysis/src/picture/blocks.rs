//! How far the edges of a codec's blocks stand out.
//!
//! Codecs work on blocks whose edges lie 8 samples apart, or a multiple of that; where they lose too much, there are steps
//! at those edges. A step counts by what it exceeds the steps beside it, lest slopes and grain count. In each direction there
//! are eight sets of places that can be edges, each with its median: an object's outline, a test card and a caption have few
//! lines, and a codec's blocks are everywhere. The set that stands out most is held against the third of the others: where
//! blocks of 4 samples were coded there is a second one like it, and where a picture was scaled up by two there are four.
//!
//! FFmpeg's `blockdetect` takes the largest of three steps at an edge and the mean of single ones elsewhere, and tries every
//! distance from 3 to 24: it finds 1.7 in grain, 3.5 in a test card, and 2 where a codec's blocks can be seen.
//!
//! Not found: blocks that were scaled along with the picture, and those of single places in an otherwise good picture.

use super::plane::Plane;

/// How far the edges of blocks are apart, in samples.
const PERIOD: usize = 8;
/// Fewer samples on a side have too few edges.
const LEAST_SIDE: usize = 4 * PERIOD;
/// Larger steps count as that much, in steps of 8 bits: they are outlines.
const MOST: u32 = 8;
/// A step of 8 bits is what rounding leaves anywhere: edges are not seen that are lower.
const ROUNDING: f64 = 1.0;

/// How far the edges of blocks stand out of a picture's luma: 1 where not at all, 2 where steps at the edges exceed what is
/// beside them by twice as much as elsewhere, rounding to 8 bits apart. `None` of pictures that are too small to tell.
pub fn blockiness(luma: &Plane<'_>) -> Option<f64> {
    let (width, height) = (luma.width(), luma.height());
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return None;
    }
    let (mut across, mut down) = (vec![0u32; width], vec![0u32; height]);
    let mut rows = [(); 4].map(|()| vec![0u8; width]);
    for y in 0..height {
        rows.rotate_left(1);
        let [above, upper, lower, below] = &mut rows;
        luma.copy_row(y, below);
        for (sum, four) in across.iter_mut().skip(1).zip(below.windows(4)) {
            if let [before, one, other, after] = *four {
                *sum = sum.wrapping_add(excess(before, one, other, after));
            }
        }
        // The step between the two rows before the last one.
        if let Some(sum) = y.checked_sub(2).filter(|_| y >= 3).and_then(|row| down.get_mut(row)) {
            let columns = above.iter().zip(&*upper).zip(lower.iter().zip(&*below));
            *sum = columns.fold(0, |sum, ((above, upper), (lower, below))| {
                sum.wrapping_add(excess(*above, *upper, *lower, *below))
            });
        }
    }
    Some((stands_out(&across, height) * stands_out(&down, width)).sqrt())
}

/// By how much the step in the middle exceeds the mean of those beside it, in halves of a step of 8 bits.
fn excess(before: u8, one: u8, other: u8, after: u8) -> u32 {
    let beside = u32::from(before.abs_diff(one)) + u32::from(other.abs_diff(after));
    (2 * u32::from(one.abs_diff(other))).saturating_sub(beside).min(2 * MOST)
}

/// How far the edges stand out in one direction, from the sums over so many samples at each place.
fn stands_out(sums: &[u32], samples: usize) -> f64 {
    let inner = 2..sums.len().saturating_sub(3);
    let median_of = |phase: usize| {
        let places =
            sums.iter().enumerate().filter(|(place, _)| inner.contains(place) && place % PERIOD == phase);
        let mut found: Vec<u32> = places.map(|(_, sum)| *sum).collect();
        found.sort_unstable();
        let median = found.get(found.len() / 2).copied().unwrap_or_default();
        f64::from(median) / (2 * samples.max(1)) as f64 + ROUNDING
    };
    let mut medians: Vec<f64> = (0..PERIOD).map(median_of).collect();
    medians.sort_unstable_by(|a, b| b.total_cmp(a));
    if let [at_edges, _, _, elsewhere, ..] = medians.as_slice() { at_edges / elsewhere } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::synthetic::{Random, noise};

    const SIZE: (usize, usize) = (320, 180);

    fn of(luma: impl Fn(usize, usize) -> f64) -> f64 {
        let (width, height) = SIZE;
        let samples: Vec<u8> =
            (0..width * height).map(|place| luma(place % width, place / width).round() as u8).collect();
        blockiness(&Plane::new(&samples, width, width, height, 8).unwrap()).unwrap()
    }

    /// A grey of its own for each square of so many samples, up to `most` apart.
    fn square(side: usize, most: f64, x: usize, y: usize) -> f64 {
        let seed = (x / side * 1_009 + y / side) as u64;
        most * Random(seed).uniform()
    }

    #[test]
    fn blocks_are_seen_wherever_they_begin() {
        for (side, offset) in [(8, 0), (8, 3), (16, 0), (16, 13)] {
            let found = of(|x, y| 100.0 + square(side, 24.0, x + offset, y + offset) + 2.0 * noise(0, x, y));
            assert!(found > 2.0, "{side} {offset}: {found}");
        }
    }

    #[test]
    fn what_has_no_blocks_shows_none() {
        let wave = |x: usize, y: usize| 100.0 + 40.0 * (x as f64 / 9.0).sin() * (y as f64 / 7.0).cos();
        let lines = |x: usize, _: usize| if x.is_multiple_of(40) { 220.0 } else { 30.0 };
        for (name, found) in [
            ("one grey", of(|_, _| 90.0)),
            ("fine grain", of(|x, y| 100.0 + 4.0 * noise(0, x, y))),
            ("coarse grain", of(|x, y| 60.0 + 100.0 * noise(0, x, y))),
            ("soft waves", of(wave)),
            ("waves with grain", of(|x, y| wave(x, y) + 6.0 * noise(0, x, y))),
            ("a slope", of(|x, y| (x + y) as f64 / 3.0)),
            ("lines of a test card", of(|x, y| lines(x, y) + lines(y, x) / 4.0)),
            ("squares of another size", of(|x, y| 100.0 + square(20, 60.0, x, y))),
        ] {
            assert!(found < 1.3, "{name}: {found}");
        }
        let by_rounding = of(|x, y| 100.0 + square(8, 1.0, x, y).round());
        assert!(by_rounding < 1.6, "steps of one: {by_rounding}");
    }

    #[test]
    fn steps_of_a_picture_that_was_scaled_up_are_no_blocks() {
        let texture = |x: i64, y: i64| 60.0 * noise(0, x.max(0) as usize, y.max(0) as usize);
        let doubled = of(|x, y| {
            let place = |at: usize| (at as f64 + 0.5) / 2.0 - 0.5;
            let ((left, top), (right, down)) = ((place(x).floor(), place(y).floor()), (place(x), place(y)));
            let (across, along) = (right - left, down - top);
            let row = |y: f64| {
                texture(left as i64, y as i64) * (1.0 - across) + texture(left as i64 + 1, y as i64) * across
            };
            80.0 + row(top) * (1.0 - along) + row(top + 1.0) * along
        });
        assert!(doubled < 1.2, "{doubled}");
    }

    #[test]
    fn stronger_blocks_are_more_and_grain_hides_them() {
        let blocks =
            |most: f64, grain: f64| of(|x, y| 100.0 + square(8, most, x, y) + grain * noise(0, x, y));
        assert!(blocks(24.0, 0.0) > blocks(12.0, 0.0) && blocks(12.0, 0.0) > blocks(4.0, 0.0));
        assert!(blocks(12.0, 0.0) > 1.5 * blocks(12.0, 30.0));
    }

    proptest! {
        #[test]
        fn any_picture_has_a_number(width in 1usize..80, height in 1usize..80, seed in any::<u64>()) {
            let mut random = Random(seed);
            let samples: Vec<u8> = (0..width * height).map(|_| random.next() as u8).collect();
            let found = blockiness(&Plane::new(&samples, width, width, height, 8).unwrap());
            prop_assert_eq!(found.is_some(), width >= LEAST_SIDE && height >= LEAST_SIDE);
            prop_assert!(found.is_none_or(|found| (1.0..=1.0 + f64::from(MOST)).contains(&found)));
        }
    }
}

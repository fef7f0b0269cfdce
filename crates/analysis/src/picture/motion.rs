//! How pictures differ from those before: on about 270 rows of each, in 8 bits, by cells of a few dozen samples a side.
//!
//! Two things are compared with: the picture before, and the one since which the picture stands still. Against the latter
//! slow fades, pans and zooms add up, which from one picture to the next are less than noise. Rows are taken from both
//! fields by turns, so that these can be compared each on its own.

use super::plane::Plane;

/// Rows that are compared, about.
const ROWS: usize = 270;
/// Cells along each side of the picture, about: one in 576 of its area.
const CELLS: (usize, usize) = (32, 18);
/// Cells are so many samples wide, or a multiple: that many are compared at once.
const LANES: usize = 16;
/// The share of the cells that make up what is busiest.
const BUSIEST: usize = 16;

/// By how much two pictures differ: means of absolute differences, as shares of the nominal range of luma.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Of the whole picture.
    pub(super) mean: f64,
    /// Of the cell with the largest one.
    pub(super) largest: f64,
    /// Of the sixteenth of the cells with the largest ones: what moves shows, however small, and noise that covers
    /// the whole picture does not outweigh it.
    pub(super) busiest: f64,
    /// The same of the upper field alone, and of the lower.
    pub(super) busiest_of_fields: [f64; 2],
}

/// Whether a picture stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// It does not.
    Moves,
    /// As the anchor does.
    Still,
    /// It shows the same as the anchor, which was coded otherwise: it is compared with from now on.
    CodedAnew,
}

/// What a picture is compared with.
#[derive(Clone, Copy)]
enum Other {
    Previous,
    Anchor,
    FirstStill,
}

/// Compares pictures of one size.
#[derive(Debug)]
pub(super) struct MotionMeter {
    width: usize,
    first: usize,
    step: usize,
    cell_width: usize,
    cell_rows: usize,
    current: Vec<u8>,
    previous: Vec<u8>,
    /// The picture since which the picture stands still, unless that is the previous one.
    anchor: Vec<u8>,
    anchored: bool,
    /// The picture with which the stretch began in which the picture stands still.
    first_still: Vec<u8>,
    begun: bool,
    /// Sums of absolute differences in rows of the upper field, and in those of the lower.
    fields: [Vec<u32>; 2],
    /// In both.
    cells: Vec<u32>,
}

impl MotionMeter {
    /// For pictures of so many samples.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let step = (height / ROWS).max(1);
        let first = step / 2;
        let rows = (height - first).div_ceil(step);
        let cell_width = width.div_ceil(CELLS.0).next_multiple_of(LANES);
        let cell_rows = rows.div_ceil(CELLS.1);
        let samples = vec![0; rows * width];
        let cells = vec![0; width.div_ceil(cell_width) * rows.div_ceil(cell_rows)];
        Self {
            width,
            first,
            step,
            cell_width,
            cell_rows,
            previous: samples.clone(),
            anchor: samples.clone(),
            first_still: samples.clone(),
            current: samples,
            anchored: false,
            begun: false,
            fields: [cells.clone(), cells.clone()],
            cells,
        }
    }

    /// Takes in a picture of that size.
    pub(super) fn load(&mut self, luma: &Plane<'_>) {
        let (first, step) = (self.first, self.step);
        for (row, into) in self.current.chunks_exact_mut(self.width).enumerate() {
            luma.copy_row(place(first, step, row), into);
        }
    }

    /// The rows that were taken in, with their places in the picture.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let (first, step) = (self.first, self.step);
        let rows = self.current.chunks_exact(self.width).enumerate();
        rows.map(move |(row, samples)| (place(first, step, row), samples))
    }

    /// How the picture differs from the previous one, if there is one, and from the one since which it stands still.
    /// `steps` of 8 bits are the nominal range.
    pub(super) fn compare(&mut self, steps: f64) -> Option<(Difference, Difference)> {
        if !self.begun {
            return None;
        }
        let to_previous = self.difference_to(Other::Previous, steps);
        let to_anchor = if self.anchored { self.difference_to(Other::Anchor, steps) } else { to_previous };
        Some((to_previous, to_anchor))
    }

    /// How the picture differs from the one with which the stretch began in which the picture stands still.
    pub(super) fn compare_with_first_still(&mut self, steps: f64) -> Difference {
        self.difference_to(Other::FirstStill, steps)
    }

    fn difference_to(&mut self, other: Other, steps: f64) -> Difference {
        let (cell_width, cell_samples) = (self.cell_width, self.cell_width * self.cell_rows);
        let (band, columns) = (self.width * self.cell_rows, self.width.div_ceil(self.cell_width));
        let other = match other {
            Other::Previous => &self.previous,
            Other::Anchor => &self.anchor,
            Other::FirstStill => &self.first_still,
        };
        let [upper, lower] = &mut self.fields;
        upper.fill(0);
        lower.fill(0);
        let bands = self.current.chunks(band).zip(other.chunks(band));
        let cells = upper.chunks_exact_mut(columns).zip(lower.chunks_exact_mut(columns));
        // Rows are of either field by turns.
        let mut is_lower = self.first % 2 == 1;
        for ((ours, theirs), (upper, lower)) in bands.zip(cells) {
            for (ours, theirs) in ours.chunks_exact(self.width).zip(theirs.chunks_exact(self.width)) {
                let pieces = ours.chunks(cell_width).zip(theirs.chunks(cell_width));
                let cells = if is_lower { &mut *lower } else { &mut *upper };
                for (cell, (ours, theirs)) in cells.iter_mut().zip(pieces) {
                    *cell = cell.wrapping_add(absolute_difference(ours, theirs));
                }
                is_lower = !is_lower;
            }
        }
        for (cell, (upper, lower)) in self.cells.iter_mut().zip(upper.iter().zip(lower.iter())) {
            *cell = upper.wrapping_add(*lower);
        }
        let whole = difference(&mut self.cells, self.current.len(), cell_samples, steps);
        let of_field = |cells: &mut [u32]| busiest(cells, cell_samples.div_ceil(2), steps);
        Difference { busiest_of_fields: [of_field(upper), of_field(lower)], ..whole }
    }

    /// Makes the picture the previous one, given whether it stands still since the one it was compared with.
    pub(super) fn advance(&mut self, stand: Stand) {
        match stand {
            Stand::Still if !self.anchored => {
                std::mem::swap(&mut self.anchor, &mut self.previous);
                self.first_still.clone_from(&self.anchor);
            }
            Stand::CodedAnew => self.anchor.clone_from(&self.current),
            Stand::Still | Stand::Moves => {}
        }
        self.anchored = stand != Stand::Moves;
        self.begun = true;
        std::mem::swap(&mut self.previous, &mut self.current);
    }
}

fn absolute_difference(ours: &[u8], theirs: &[u8]) -> u32 {
    let pairs = ours.iter().zip(theirs);
    pairs.fold(0u32, |sum, (ours, theirs)| sum.wrapping_add(u32::from(ours.abs_diff(*theirs))))
}

/// The means of sums; cells at the edges count as if they were whole, lest a sliver of noise be the largest.
fn difference(cells: &mut [u32], samples: usize, cell_samples: usize, steps: f64) -> Difference {
    let share = |sum: u64, samples: usize| sum as f64 / samples.max(1) as f64 / steps;
    let mean = share(cells.iter().map(|cell| u64::from(*cell)).sum(), samples);
    let largest = share(u64::from(cells.iter().copied().max().unwrap_or_default()), cell_samples);
    let busiest = busiest(cells, cell_samples, steps);
    Difference { mean, largest, busiest, ..Difference::default() }
}

/// The mean of the cells with the largest sums, which it sorts to the end.
fn busiest(cells: &mut [u32], cell_samples: usize, steps: f64) -> f64 {
    let count = (cells.len() / BUSIEST).max(1);
    let rest = cells.len().saturating_sub(count);
    if rest > 0 {
        cells.select_nth_unstable(rest);
    }
    let sum: u64 = cells.iter().skip(rest).map(|cell| u64::from(*cell)).sum();
    sum as f64 / (cell_samples * count).max(1) as f64 / steps
}

/// The row of the picture that is taken in as the `row`-th: of the other field than the one before it.
fn place(first: usize, step: usize, row: usize) -> usize {
    let shift = if step.is_multiple_of(2) { row % 2 } else { 0 };
    first + row * step - shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::synthetic::Random;

    fn meter_with(
        frames: &[&[u8]],
        width: usize,
        height: usize,
    ) -> (MotionMeter, Option<(Difference, Difference)>) {
        let mut meter = MotionMeter::new(width, height);
        let mut found = None;
        for frame in frames {
            meter.load(&Plane::new(frame, width, width, height, 8).unwrap());
            found = meter.compare(200.0);
            let is_still = found.is_some_and(|(_, anchor)| anchor.mean < 0.001);
            meter.advance(if is_still { Stand::Still } else { Stand::Moves });
        }
        (meter, found)
    }

    #[test]
    fn the_first_picture_has_none_to_differ_from() {
        assert!(meter_with(&[&[7; 64 * 64]], 64, 64).1.is_none());
        assert_eq!(meter_with(&[&[7; 1], &[7; 1]], 1, 1).1.unwrap().0, Difference::default());
    }

    #[test]
    fn a_small_change_is_large_in_its_cell() {
        let mut random = Random(1);
        let before: Vec<u8> = (0..640 * 360).map(|_| (random.next() % 200) as u8).collect();
        let mut after = before.clone();
        for y in 100..140 {
            for x in 200..264 {
                after[y * 640 + x] += 20;
            }
        }
        let (to_previous, _) = meter_with(&[&before, &after], 640, 360).1.unwrap();
        let share = 64.0 * 40.0 / (640.0 * 360.0);
        assert!((to_previous.mean - share * 0.1).abs() < 1e-6, "{to_previous:?}");
        assert!((to_previous.largest - 0.1).abs() < 1e-6, "{to_previous:?}");
        assert!((to_previous.busiest - 0.1 * share * 16.0).abs() < 0.01, "{to_previous:?}");
    }

    #[test]
    fn slow_changes_add_up_against_the_anchor() {
        let frames: Vec<Vec<u8>> = (0..6u8)
            .map(|frame| {
                (0..64 * 64).map(|sample: u32| 50 + u8::from(sample % 50 < u32::from(frame))).collect()
            })
            .collect();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        // Each differs from the one before by 0.02 steps; the limit above is 0.2.
        let (meter, found) = meter_with(&frames, 64, 64);
        let (to_previous, to_anchor) = found.unwrap();
        assert!((to_previous.mean - 0.0001).abs() < 1e-5, "{to_previous:?}");
        assert!((to_anchor.mean - 0.0005).abs() < 1e-5, "{to_anchor:?}");
        assert!(meter.anchored);
    }
}

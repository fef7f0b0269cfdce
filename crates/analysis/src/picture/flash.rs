//! Flashes: changes up and down again that a large part of the picture makes together.
//!
//! Each block is followed on its own. A change is what adds up between a turning point and the next, however many frames it
//! takes. Blocks that change together make an edge; edges of the same direction are counted in `flash_rate`.
//!
//! Movement changes blocks too, at any contrast and rate. Three things tell it from flashes: in most parts of the picture
//! about as many blocks rise as fall, those that change together did not turn together before, and it goes on, where between
//! flashes of one direction there is a moment of rest.
//!
//! It is a screening: neither regular patterns nor sequences of more than five seconds are judged, and chains of flashes
//! each over another part of the picture are not found.

use std::collections::VecDeque;

/// The share of the picture that flashes: more than it (ITU-R BT.1702-3, Annex 1; Ofcom, guidance note on flashing images,
/// Annex 1; WCAG 2.1).
const AREA: f64 = 0.25;
/// Changes that far apart are made together, in seconds: brighter parts of a picture that fades pass the limit earlier.
const TOGETHER: f64 = 0.08;
/// The most frames that is.
const MOST_TOGETHER: usize = 8;
/// Parts of the picture along each side in which rising and falling blocks are weighed against each other.
const PARTS: usize = 8;
/// By how much those must outweigh the others whose change counts.
const OUTWEIGH: u32 = 3;
/// In a moment of rest fewer blocks change than that part of those that make an edge.
const REST: f64 = 0.25;
/// An age that is not counted further: it is longer ago, or never was.
const LONG_AGO: u8 = u8::MAX;
/// There was no edge.
const NEVER: Since = Since { frames: LONG_AGO, fewest: 0 };

/// What counts as a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangeLimits {
    /// By how much a block must rise or fall.
    pub(super) least: i16,
    /// How dark the darker one must be: below that.
    pub(super) darker_below: i16,
}

/// Edges of flashes that a picture brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edges {
    /// A large part rose together.
    pub(super) rises: bool,
    /// A large part fell together.
    pub(super) falls: bool,
}

/// Follows the blocks of pictures of one size.
#[derive(Debug)]
pub(super) struct FlashMeter {
    limits: ChangeLimits,
    columns: usize,
    blocks: Option<Blocks>,
    /// How many blocks rose and fell in the last few frames.
    recent: VecDeque<(u32, u32)>,
    /// What was since the last edges.
    since_rise: Since,
    since_fall: Since,
}

/// What was since an edge.
#[derive(Clone, Copy, Debug)]
struct Since {
    frames: u8,
    /// The fewest blocks that changed in its direction in one of them.
    fewest: u32,
}

#[derive(Debug)]
struct Blocks {
    /// The furthest since the last change: the highest where that was a rise, the lowest, negated, where it was a fall.
    furthest: Vec<i16>,
    /// -1 where the last change was a fall, 0 where it was a rise.
    fell: Vec<i16>,
    /// Frames since the last rise.
    rise_age: Vec<u8>,
    /// Frames since the last fall.
    fall_age: Vec<u8>,
}

impl FlashMeter {
    /// For pictures with so many blocks in a row.
    pub(super) fn new(columns: usize, limits: ChangeLimits) -> Self {
        let recent = VecDeque::with_capacity(MOST_TOGETHER + 2);
        Self { limits, columns, blocks: None, recent, since_rise: NEVER, since_fall: NEVER }
    }

    /// Begins anew, as if all blocks had long had these values.
    pub(super) fn begin(&mut self, values: &[i16]) {
        self.blocks = Some(Blocks::new(values));
        self.recent.clear();
        (self.since_rise, self.since_fall) = (NEVER, NEVER);
    }

    /// Takes in the values of a picture's blocks, at so many frames a second. Changes of a block count where `involved` says
    /// so of its index.
    pub(super) fn push(&mut self, values: &[i16], rate: f64, involved: impl Fn(usize) -> bool) -> Edges {
        let Some(blocks) = &mut self.blocks else {
            self.begin(values);
            return Edges::default();
        };
        let (rises, falls) = blocks.follow(values, self.limits, self.columns);
        let together = ((TOGETHER * rate).round() as usize).clamp(1, MOST_TOGETHER);
        let second = (rate.round() as usize).clamp(1, usize::from(LONG_AGO) - 1);
        self.recent.push_back((rises, falls));
        while self.recent.len() > together + 1 {
            self.recent.pop_front();
        }
        self.since_rise.pass(rises);
        self.since_fall.pass(falls);
        let least = values.len() as f64 * AREA;
        let view = View { columns: self.columns, together, second, least };
        let Blocks { rise_age, fall_age, .. } = blocks;
        let brings = |count: fn(&(u32, u32)) -> u32, since: Since, ages: &[u8], opposite: &[u8]| {
            let counts = || self.recent.iter().map(count);
            f64::from(counts().sum::<u32>()) > least
                && f64::from(since.fewest) < f64::from(counts().max().unwrap_or_default()) * REST
                && view.is_edge(ages, opposite, since.frames, &involved)
        };
        let edges = Edges {
            rises: brings(|counts| counts.0, self.since_rise, rise_age, fall_age),
            falls: brings(|counts| counts.1, self.since_fall, fall_age, rise_age),
        };
        if edges.rises {
            self.since_rise = Since::NOW;
        }
        if edges.falls {
            self.since_fall = Since::NOW;
        }
        edges
    }
}

impl Since {
    const NOW: Self = Self { frames: 0, fewest: u32::MAX };

    /// Another frame, in which so many blocks changed.
    fn pass(&mut self, changed: u32) {
        self.frames = self.frames.saturating_add(1);
        self.fewest = self.fewest.min(changed);
    }
}

impl Blocks {
    /// As if all had fallen to these values long ago.
    fn new(values: &[i16]) -> Self {
        let ages = vec![LONG_AGO; values.len()];
        Self {
            furthest: values.iter().map(|value| -value).collect(),
            fell: vec![-1; values.len()],
            rise_age: ages.clone(),
            fall_age: ages,
        }
    }

    /// Follows the blocks by one frame, and counts those that rose and those that fell.
    fn follow(&mut self, values: &[i16], limits: ChangeLimits, columns: usize) -> (u32, u32) {
        let mut total = (0, 0);
        let rows = values
            .chunks(columns)
            .zip(self.furthest.chunks_mut(columns))
            .zip(self.fell.chunks_mut(columns))
            .zip(self.rise_age.chunks_mut(columns))
            .zip(self.fall_age.chunks_mut(columns));
        for ((((values, furthest), fell), rise_age), fall_age) in rows {
            let (rises, falls) = follow_row(values, furthest, fell, rise_age, fall_age, limits);
            total = (total.0 + u32::from(rises), total.1 + u32::from(falls));
        }
        total
    }
}

/// Without branches, so that eight are followed at once. Values are 0 to 32767, so nothing overflows.
fn follow_row(
    values: &[i16],
    furthest: &mut [i16],
    fell: &mut [i16],
    rise_age: &mut [u8],
    fall_age: &mut [u8],
    limits: ChangeLimits,
) -> (u16, u16) {
    let negated_where = |mask: i16, value: i16| (value ^ mask).wrapping_sub(mask);
    let (mut rises, mut falls) = (0u16, 0u16);
    let blocks = values.iter().zip(furthest).zip(fell).zip(rise_age).zip(fall_age);
    for ((((&value, furthest), fell), rise_age), fall_age) in blocks {
        let towards = negated_where(*fell, value);
        let turning = (*furthest).max(towards);
        let darker = negated_where(*fell, turning).min(value);
        let changes = (turning.wrapping_sub(towards) >= limits.least) & (darker < limits.darker_below);
        let (rose_now, fell_now) = (changes & (*fell != 0), changes & (*fell == 0));
        *furthest = if changes { towards.wrapping_neg() } else { turning };
        *fell ^= if changes { -1 } else { 0 };
        *rise_age = if rose_now { 0 } else { rise_age.saturating_add(1) };
        *fall_age = if fell_now { 0 } else { fall_age.saturating_add(1) };
        rises = rises.wrapping_add(u16::from(rose_now));
        falls = falls.wrapping_add(u16::from(fell_now));
    }
    (rises, falls)
}

/// How a picture's changes are looked at.
struct View {
    columns: usize,
    /// Frames that changes may lie apart which are made together.
    together: usize,
    /// Frames in a second.
    second: usize,
    /// Blocks of which there must be more.
    least: f64,
}

impl View {
    /// Whether there is an edge, given the ages of changes in its direction, of those in the other, and of the last edge in
    /// its direction.
    fn is_edge(
        &self,
        ages: &[u8],
        opposite: &[u8],
        since_last: u8,
        involved: impl Fn(usize) -> bool,
    ) -> bool {
        // The ages of the opposite changes of those blocks that make the edge.
        let mut turned = [0u32; LONG_AGO as usize + 1];
        let is_fresh = |age: u8, other: u8| usize::from(age) <= self.together && age < other;
        let rows = ages.len().div_ceil(self.columns);
        let part = |index: usize, size: usize| index * size / PARTS..(index + 1) * size / PARTS;
        for (down, across) in (0..PARTS * PARTS).map(|index| (index / PARTS, index % PARTS)) {
            let across = part(across, self.columns);
            let blocks = part(down, rows)
                .flat_map(|row| across.clone().map(move |column| row * self.columns + column));
            let of_part = blocks
                .filter(|index| involved(*index))
                .filter_map(|index| Some((ages.get(index)?, opposite.get(index)?)));
            let (mut ours, mut others) = (0u32, 0u32);
            for (&age, &other) in of_part.clone() {
                ours += u32::from(is_fresh(age, other));
                others += u32::from(is_fresh(other, age));
            }
            if ours < OUTWEIGH * others {
                continue;
            }
            for (_, other) in of_part.filter(|(age, other)| is_fresh(**age, **other)) {
                if let Some(count) = turned.get_mut(usize::from(*other)) {
                    *count += 1;
                }
            }
        }
        // Those that turned after the last edge, or have been at rest: what turned before it belongs to it.
        let recent =
            turned.get(..=self.second.min(usize::from(since_last).saturating_sub(1))).unwrap_or_default();
        let at_once = recent.windows((self.together + 1).min(recent.len())).map(|ages| ages.iter().sum());
        let rested = turned.iter().skip(self.second + 1).sum();
        let rested = if usize::from(since_last) > self.second { rested } else { 0 };
        f64::from(at_once.max().unwrap_or(0u32).max(rested)) > self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ChangeLimits = ChangeLimits { least: 2_000, darker_below: 16_000 };
    const COLUMNS: usize = 40;
    const ROWS: usize = 25;

    /// The frames with rises and with falls among values of blocks over time.
    fn edges(
        rate: f64,
        frames: usize,
        value: impl Fn(usize, usize, usize) -> f64,
    ) -> (Vec<usize>, Vec<usize>) {
        let mut meter = FlashMeter::new(COLUMNS, LIMITS);
        let (mut rises, mut falls) = (Vec::new(), Vec::new());
        for frame in 0..frames {
            let values: Vec<i16> = (0..COLUMNS * ROWS)
                .map(|index| (value(frame, index % COLUMNS, index / COLUMNS) * 100.0) as i16)
                .collect();
            let found = meter.push(&values, rate, |_| true);
            rises.extend(found.rises.then_some(frame));
            falls.extend(found.falls.then_some(frame));
        }
        (rises, falls)
    }

    /// On for so many frames of so many.
    fn strobe(frame: usize, on: usize, period: usize) -> bool {
        frame % period >= period - on
    }

    #[test]
    fn levels_and_area_have_limits() {
        for (low, high, columns, found) in [
            (10.0, 30.1, COLUMNS, true),
            (10.0, 29.9, COLUMNS, false),
            (159.0, 190.0, COLUMNS, true),
            (160.1, 199.0, COLUMNS, false),
            (10.0, 100.0, 11, true),
            (10.0, 100.0, 10, false),
        ] {
            let (rises, falls) =
                edges(25.0, 50, |frame, x, _| if x < columns && strobe(frame, 3, 6) { high } else { low });
            let expected = |first: usize| if found { (first..50).step_by(6).collect() } else { Vec::new() };
            assert_eq!(rises, expected(3), "{low} {high} {columns}");
            assert_eq!(falls, expected(6), "{low} {high} {columns}");
        }
    }

    #[test]
    fn each_flash_counts_once_at_any_rate() {
        for (rate, on, period) in
            [(25.0, 1, 2), (25.0, 1, 5), (24.0, 3, 4), (60.0, 1, 2), (60.0, 10, 20), (50.0, 2, 12)]
        {
            let (rises, falls) =
                edges(rate, 4 * period + 1, |frame, _, _| if strobe(frame, on, period) { 90.0 } else { 5.0 });
            assert_eq!((rises.len(), falls.len()), (4, 4), "{rate} {on} {period}: {rises:?} {falls:?}");
        }
    }

    #[test]
    fn a_flash_may_take_several_frames() {
        // Bright parts pass the limit earlier than dark ones.
        let (rises, falls) = edges(50.0, 60, |frame, x, _| {
            let phase = (frame % 12) as f64 / 6.0;
            (30.0 + 5.0 * x as f64 / 10.0) * (1.0 - (phase - 1.0).abs())
        });
        assert_eq!((rises.len(), falls.len()), (5, 5), "{rises:?} {falls:?}");
    }

    #[test]
    fn slow_changes_are_one_edge() {
        let (rises, falls) = edges(25.0, 250, |frame, _, _| frame as f64 * 0.6);
        assert_eq!((rises.len(), falls.len()), (1, 0), "a fade");
        let (rises, falls) =
            edges(25.0, 250, |frame, x, y| 100.0 + ((frame * 7 + x * 3 + y * 5) % 19) as f64);
        assert_eq!((rises.len(), falls.len()), (0, 0), "noise below the limit");
    }

    #[test]
    fn halves_that_take_turns_flash() {
        let (rises, falls) =
            edges(25.0, 49, |frame, x, _| if (x < COLUMNS / 2) == strobe(frame, 3, 6) { 90.0 } else { 5.0 });
        assert!((7..=9).contains(&rises.len()) && (7..=9).contains(&falls.len()), "{rises:?} {falls:?}");
    }

    #[test]
    fn stripes_that_pass_do_not_flash() {
        for (width, speed) in [(2, 1), (4, 1), (4, 2), (6, 2), (5, 2), (3, 1)] {
            let (rises, falls) =
                edges(
                    25.0,
                    100,
                    |frame, x, _| {
                        if ((x + frame * speed) / width).is_multiple_of(2) { 90.0 } else { 5.0 }
                    },
                );
            assert!(rises.len() <= 1 && falls.len() <= 1, "{width} {speed}: {rises:?} {falls:?}");
        }
    }

    #[test]
    fn what_is_not_involved_does_not_count() {
        let mut meter = FlashMeter::new(COLUMNS, LIMITS);
        for frame in 0..20 {
            let values = vec![if strobe(frame, 3, 6) { 9_000 } else { 0 }; COLUMNS * ROWS];
            assert_eq!(meter.push(&values, 25.0, |index| index % COLUMNS < 10), Edges::default());
        }
    }

    #[test]
    fn grids_of_any_size_are_followed() {
        for blocks in [1, 3, 64] {
            let mut meter = FlashMeter::new(1, LIMITS);
            let found: Vec<Edges> =
                (0..4i16).map(|frame| meter.push(&vec![frame % 2 * 9_000; blocks], 25.0, |_| true)).collect();
            assert_eq!(found.iter().filter(|edges| edges.rises).count(), 2, "{blocks}");
        }
    }
}

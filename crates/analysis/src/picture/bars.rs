//! Letter- and pillar-boxes: black margins around the picture.
//!
//! A dark scene looks like a bar, so one picture proves little. Two things are gathered: how wide the margins are that
//! hardly any bright picture ever enters, and which margins end in a sharp straight edge, which scenes do not have.

use reelfarm_model::measurement::picture::{ActiveArea, Bars, Margins};

use super::plane::Plane;

/// How often a picture is read, in seconds.
const INTERVAL: f64 = 0.5;
/// How much of a picture must not be dark for it to be read: black margins of three quarters of it are still found, and
/// credits over black are left out.
const LEAST_LIT: f64 = 0.25;
/// What is brighter than that is no bar, as a share of the nominal range: 11 steps of 8 bits. Coding noise stays below it.
pub(super) const BAR: f64 = 0.05;
/// Samples whose mean is looked at: single bright ones are noise.
const STRIP: usize = 16;
/// How far inside an edge its sharpness is judged: scaling blurs about so many samples.
const INSIDE: usize = 3;
/// Readings that may show something in a margin.
const EXCEPTIONS: f64 = 0.005;
/// Margins that differ by no more are one, in samples.
const ALIKE: u32 = 4;
/// Margins that are told apart before the rarest is forgotten.
const KEPT: usize = 64;
/// Areas that are reported.
const REPORTED: usize = 4;

/// Reads pictures of one size.
#[derive(Debug)]
pub(super) struct BarsMeter {
    width: usize,
    height: usize,
    /// Means up to it are black, in steps of 8 bits.
    limit: u32,
    last: Option<f64>,
    judged_seconds: f64,
    /// How often each margin was that wide: top, bottom, left, right.
    counts: [Vec<u32>; 4],
    areas: Vec<ActiveArea>,
    line: Vec<u8>,
    columns: Columns,
}

/// Strips of columns.
#[derive(Debug)]
struct Columns {
    sums: Vec<u16>,
    /// How many strips of each column are not black.
    bright: Vec<u16>,
    strips: u16,
}

/// A margin of one side, and whether its edge is sharp.
type Margin = (usize, bool);

impl BarsMeter {
    /// For pictures of so many samples. `limit` is what may be black, in steps of 8 bits.
    pub(super) fn new(width: usize, height: usize, limit: f64) -> Self {
        let counts = [height, height, width, width].map(|most| vec![0; most + 1]);
        let columns = Columns { sums: vec![0; width], bright: vec![0; width], strips: 0 };
        let (line, areas) = (vec![0; width], Vec::new());
        Self {
            width,
            height,
            limit: limit as u32,
            last: None,
            judged_seconds: 0.0,
            counts,
            areas,
            line,
            columns,
        }
    }

    /// Reads a picture if it is time to and it is bright enough: `dark` is the share of it that is dark. `rows` are some of
    /// its rows in 8 bits, with their places.
    pub(super) fn push<'a>(
        &mut self,
        time: f64,
        dark: f64,
        luma: &Plane<'_>,
        rows: impl Iterator<Item = (usize, &'a [u8])>,
    ) {
        let passed = self.last.map_or(INTERVAL, |last| time - last);
        if passed < INTERVAL - 1e-6 {
            return;
        }
        self.last = Some(time);
        if dark > 1.0 - LEAST_LIT {
            return;
        }
        let Some(top) = self.edge(luma, Some) else { return };
        let last = self.height - 1;
        let Some(bottom) = self.edge(luma, |y| last.checked_sub(y)) else { return };
        let inside = top.0..self.height.saturating_sub(bottom.0);
        self.columns.read(rows.filter(|(y, _)| inside.contains(y)).map(|(_, row)| row), self.limit);
        let Some(left) = self.columns.edge(Some) else { return };
        let last = self.width - 1;
        let Some(right) = self.columns.edge(|x| last.checked_sub(x)) else { return };
        // A gap in the film is not brighter than the picture before it.
        self.count([top, bottom, left, right], passed.min(2.0 * INTERVAL));
    }

    /// The margin of lines; `None` where all are black.
    fn edge(&mut self, luma: &Plane<'_>, line: impl Fn(usize) -> Option<usize>) -> Option<Margin> {
        let limit = self.limit;
        let mut bright = |y: usize| {
            luma.copy_row(y, &mut self.line);
            self.line.chunks(STRIP).filter(|strip| is_bright(strip, limit)).count()
        };
        let margin = (0..self.height).find(|&from_edge| line(from_edge).is_some_and(|y| bright(y) > 0))?;
        let inside = line(margin + INSIDE).filter(|y| *y < self.height).map_or(0, &mut bright);
        Some((margin, inside * 2 >= self.width.div_ceil(STRIP)))
    }

    fn count(&mut self, margins: [Margin; 4], seconds: f64) {
        self.judged_seconds += seconds;
        for (counts, (margin, _)) in self.counts.iter_mut().zip(margins) {
            if let Some(count) = counts.get_mut(margin) {
                *count += 1;
            }
        }
        let even = margins.map(|(margin, _)| (margin / 2 * 2) as u32);
        if even.iter().zip(margins).any(|(even, (_, sharp))| *even > 0 && !sharp) {
            return;
        }
        let [top, bottom, left, right] = even;
        let margins = Margins { top, bottom, left, right };
        if let Some(area) = self.areas.iter_mut().find(|area| area.margins == margins) {
            area.seconds += seconds;
            return;
        }
        if self.areas.len() >= KEPT {
            self.areas.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
            self.areas.pop();
        }
        self.areas.push(ActiveArea { margins, seconds });
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Bars {
        let [top, bottom, left, right] = self.counts.map(|counts| usual(&counts));
        self.areas.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let mut areas: Vec<ActiveArea> = Vec::new();
        for area in self.areas {
            match areas.iter_mut().find(|kept| are_alike(kept.margins, area.margins)) {
                Some(kept) => kept.seconds += area.seconds,
                None => areas.push(area),
            }
        }
        areas.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        areas.truncate(REPORTED);
        Bars {
            width: self.width as u32,
            height: self.height as u32,
            judged_seconds: self.judged_seconds,
            margins: Margins { top, bottom, left, right },
            areas,
        }
    }
}

impl Columns {
    fn read<'a>(&mut self, rows: impl Iterator<Item = &'a [u8]>, limit: u32) {
        self.bright.fill(0);
        self.strips = 0;
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            self.sums.fill(0);
            let mut count = 0;
            for row in rows.by_ref().take(STRIP) {
                count += 1;
                for (sum, sample) in self.sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(u16::from(*sample));
                }
            }
            let most = (limit * count) as u16;
            for (bright, sum) in self.bright.iter_mut().zip(&self.sums) {
                *bright = bright.wrapping_add(u16::from(*sum > most));
            }
            self.strips += 1;
        }
    }

    /// The margin of columns; `None` where all are black.
    fn edge(&self, column: impl Fn(usize) -> Option<usize>) -> Option<Margin> {
        let bright = |from_edge: usize| {
            column(from_edge).and_then(|x| self.bright.get(x)).copied().unwrap_or_default()
        };
        let margin = (0..self.bright.len()).find(|&from_edge| bright(from_edge) > 0)?;
        Some((margin, bright(margin + INSIDE).saturating_mul(2) >= self.strips))
    }
}

fn is_bright(strip: &[u8], limit: u32) -> bool {
    strip.iter().map(|sample| u32::from(*sample)).sum::<u32>() > limit * strip.len() as u32
}

/// The margin that all but a few readings have at least.
fn usual(counts: &[u32]) -> u32 {
    let allowed = (counts.iter().map(|count| u64::from(*count)).sum::<u64>() as f64 * EXCEPTIONS) as u64;
    let mut narrower = 0;
    let margin = counts.iter().position(|count| {
        narrower += u64::from(*count);
        narrower > allowed
    });
    margin.unwrap_or_default() as u32
}

fn are_alike(ours: Margins, theirs: Margins) -> bool {
    let sides = |of: Margins| [of.top, of.bottom, of.left, of.right];
    sides(ours).iter().zip(sides(theirs)).all(|(ours, theirs)| ours.abs_diff(theirs) <= ALIKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (320, 180);

    /// A picture that is grey inside margins and black outside, as the meter is to see it.
    fn push(meter: &mut BarsMeter, time: f64, margins: Margins, level: impl Fn(usize, usize) -> u8) {
        let (width, height) = SIZE;
        let inside = |at: usize, before: u32, after: u32, size: usize| {
            at >= before as usize && at < size - after as usize
        };
        let mut samples = vec![16u8; width * height];
        for (y, row) in samples.chunks_mut(width).enumerate() {
            for (x, sample) in row.iter_mut().enumerate() {
                if inside(y, margins.top, margins.bottom, height)
                    && inside(x, margins.left, margins.right, width)
                {
                    *sample = level(x, y);
                }
            }
        }
        let luma = Plane::new(&samples, width, width, height, 8).unwrap();
        meter.push(time, 0.3, &luma, samples.chunks(width).enumerate());
    }

    fn meter() -> BarsMeter {
        BarsMeter::new(SIZE.0, SIZE.1, 27.0)
    }

    fn letterbox(lines: u32) -> Margins {
        Margins { top: lines, bottom: lines, left: 0, right: 0 }
    }

    #[test]
    fn margins_are_exact() {
        for margins in [
            Margins::default(),
            letterbox(22),
            Margins { top: 0, bottom: 0, left: 40, right: 38 },
            Margins { top: 8, bottom: 30, left: 16, right: 2 },
        ] {
            let mut meter = meter();
            for frame in 0..100 {
                push(&mut meter, f64::from(frame) * 0.04, margins, |_, _| 120);
            }
            let found = meter.finish();
            assert_eq!(found.margins, margins);
            assert_eq!(found.areas.len(), 1);
            assert_eq!(found.areas[0].margins, margins);
            assert!((found.judged_seconds - 4.0).abs() < 0.6, "{found:?}");
        }
    }

    #[test]
    fn bars_in_half_of_the_film_are_two_areas() {
        let mut meter = meter();
        for reading in 0..100u32 {
            let margins = letterbox(if reading < 40 { 22 } else { 0 });
            push(&mut meter, f64::from(reading) * 0.5, margins, |_, _| 120);
        }
        let found = meter.finish();
        assert_eq!(found.margins, Margins::default());
        let areas: Vec<(u32, f64)> =
            found.areas.iter().map(|area| (area.margins.top, area.seconds)).collect();
        assert_eq!(areas, [(0, 30.0), (22, 20.0)]);
    }

    #[test]
    fn a_dark_background_has_no_sharp_edge() {
        let mut meter = meter();
        // A spot of light on a stage.
        let spot = |x: usize, y: usize| {
            let distance = (x as f64 - 160.0).hypot(y as f64 - 90.0);
            (16.0 + 200.0 * (-(distance / 30.0).powi(2)).exp()) as u8
        };
        for reading in 0..100 {
            push(&mut meter, f64::from(reading) * 0.5, Margins::default(), spot);
        }
        let found = meter.finish();
        assert!(found.margins.left > 20, "{found:?}");
        assert_eq!(found.areas, []);
    }

    #[test]
    fn few_exceptions_are_forgiven() {
        for (exceptions, top) in [(5, 22), (6, 0)] {
            let mut meter = meter();
            for reading in 0..1_000 {
                let margins = letterbox(if reading < exceptions { 0 } else { 22 });
                push(&mut meter, f64::from(reading) * 0.5, margins, |_, _| 120);
            }
            assert_eq!(meter.finish().margins.top, top, "{exceptions}");
        }
    }

    #[test]
    fn areas_of_any_number_are_kept_few() {
        let mut meter = meter();
        for reading in 0..2_000u32 {
            let lines = if reading.is_multiple_of(2) { 22 } else { reading % 80 };
            push(&mut meter, f64::from(reading) * 0.5, letterbox(lines), |_, _| 120);
        }
        assert!(meter.areas.len() <= KEPT);
        let found = meter.finish();
        assert_eq!(found.areas.len(), REPORTED);
        assert!(found.areas[0].margins.top.abs_diff(22) <= ALIKE);
    }

    #[test]
    fn black_and_tiny_pictures_are_no_trouble() {
        let mut meter = meter();
        push(&mut meter, 0.0, Margins::default(), |_, _| 16);
        assert_eq!(meter.finish(), Bars { width: 320, height: 180, ..Bars::default() });
        let mut meter = BarsMeter::new(1, 1, 27.0);
        meter.push(0.0, 0.0, &Plane::new(&[200], 1, 1, 1, 8).unwrap(), [(0, [200u8].as_slice())].into_iter());
        assert_eq!(meter.finish().margins, Margins::default());
    }
}

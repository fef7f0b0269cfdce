//! Films made of numbers, for tests.

use reelfarm_model::measurement::picture::PictureMeasurement;

use super::{Matrix, PictureFormat, PictureMeter, Plane};

/// Numbers that look random and are the same each time (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators").
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A number from 0 to 1 for each sample of each picture.
pub(super) fn noise(picture: usize, x: usize, y: usize) -> f64 {
    Random((picture as u64) << 40 | (x as u64) << 20 | y as u64).uniform()
}

/// Moving texture with a little grain: luma of a sample, as a share of the nominal range.
pub(super) fn scene(picture: usize, x: usize, y: usize) -> f64 {
    let (across, down) = ((x + 3 * picture) as f64 / 5.0, (y + picture) as f64 / 4.0);
    0.4 + 0.15 * across.sin() * down.cos() + 0.02 * noise(picture, x, y)
}

/// What a coder leaves where a picture is repeated: one sample in twenty is a step of 8 bits off.
pub(super) fn coded(frame: usize, x: usize, y: usize) -> f64 {
    if noise(frame + 1_000_000, x, y) < 0.05 { 1.0 / 219.0 } else { 0.0 }
}

/// The luma whose luminance is so many cd/m².
pub(super) fn of_candela(candela: f64) -> f64 {
    (candela / 200.0).powf(1.0 / 2.4)
}

/// How a film is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Film {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bit_depth: u32,
    pub(super) full_range: bool,
    pub(super) rate: f64,
    /// Bytes between rows beyond their samples.
    pub(super) padding: usize,
}

pub(super) const FILM: Film =
    Film { width: 320, height: 180, bit_depth: 8, full_range: false, rate: 25.0, padding: 0 };

impl Film {
    pub(super) fn meter(&self) -> PictureMeter {
        let (full_range, frame_rate) = (self.full_range, Some(self.rate));
        PictureMeter::new(PictureFormat { full_range, matrix: Matrix::Bt709, frame_rate })
    }

    /// Measures so many frames whose luma is given for each sample, as a share of the nominal range.
    pub(super) fn measure(
        &self,
        frames: usize,
        luma: impl Fn(usize, usize, usize) -> f64,
    ) -> PictureMeasurement {
        let mut meter = self.meter();
        for frame in 0..frames {
            self.push(&mut meter, frame as f64 / self.rate, |x, y| luma(frame, x, y));
        }
        meter.finish()
    }

    /// Gives a meter a picture.
    pub(super) fn push(&self, meter: &mut PictureMeter, time: f64, luma: impl Fn(usize, usize) -> f64) {
        let samples = self.samples(luma);
        meter.frame(time, &self.plane(&samples), None);
    }

    pub(super) fn plane<'a>(&self, samples: &'a [u8]) -> Plane<'a> {
        let stride = samples.len() / self.height;
        Plane::new(samples, stride, self.width, self.height, self.bit_depth).unwrap()
    }

    pub(super) fn samples(&self, luma: impl Fn(usize, usize) -> f64) -> Vec<u8> {
        let deep = 2f64.powi(self.bit_depth as i32 - 8);
        let most = 256.0 * deep - 1.0;
        let (black, white) = if self.full_range { (0.0, most) } else { (16.0 * deep, 235.0 * deep) };
        let mut samples = Vec::new();
        for y in 0..self.height {
            for x in 0..self.width {
                let sample = (black + (white - black) * luma(x, y)).round().clamp(0.0, most) as u16;
                let bytes = sample.to_le_bytes();
                samples.extend(&bytes[..if self.bit_depth == 8 { 1 } else { 2 }]);
            }
            samples.extend(std::iter::repeat_n(0xaa, self.padding));
        }
        samples
    }
}

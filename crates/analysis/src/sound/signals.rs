//! Sounds to test with.

use std::f64::consts::TAU;

use reelfarm_model::measurement::sound::{Position, SoundMeasurement};

use super::SoundMeter;

/// The amplitude of a level in decibels; none of −∞.
pub(super) fn amplitude(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 20.0)
}

/// A sine wave; the phase is in degrees.
pub(super) fn sine(sample_rate: u32, hertz: f64, amplitude: f64, seconds: f64, phase: f64) -> Vec<f32> {
    let rate = f64::from(sample_rate);
    (0..(seconds * rate).round() as u64)
        .map(|index| (amplitude * (TAU * hertz * index as f64 / rate + phase.to_radians()).sin()) as f32)
        .collect()
}

/// White noise up to an amplitude, the same each time (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators").
pub(super) fn noise(seed: u64, amplitude: f32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0xd134_2543_de82_ef95);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| amplitude * next()).collect()
}

/// The same, so many times as strong.
pub(super) fn scaled(samples: &[f32], factor: f32) -> Vec<f32> {
    samples.iter().map(|sample| factor * sample).collect()
}

/// What is measured of samples that come in one block.
pub(super) fn measured(sample_rate: u32, positions: &[Position], planes: &[&[f32]]) -> SoundMeasurement {
    let mut meter = SoundMeter::new(sample_rate, positions, 0.0);
    meter.samples(planes);
    meter.finish()
}

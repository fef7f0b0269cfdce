//! The EBU's minimum requirements for meters, made from their descriptions: EBU Tech 3341 (version 4, 2023), table 1, and
//! EBU Tech 3342 (version 4, 2023), table 1. Left out are those that are recordings of programmes: Tech 3341 cases 7 and 8,
//! Tech 3342 cases 5 and 6.

use std::f64::consts::{PI, TAU};

use reelfarm_model::measurement::sound::Position::{BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight};
use reelfarm_model::measurement::sound::SoundMeasurement;

use super::signals::{amplitude, measured};

/// The rates that films have.
const RATES: [u32; 2] = [44_100, 48_000];
/// A level that is no sound.
const NONE: f64 = f64::NEG_INFINITY;

/// A tone of 1 kHz, for so many seconds at each level.
fn tone(rate: u32, parts: &[(f64, f64)]) -> Vec<f32> {
    let mut samples: Vec<f32> = Vec::new();
    let mut end = 0.0;
    for (seconds, level) in parts {
        end += seconds * f64::from(rate);
        let amplitude = amplitude(*level);
        for index in samples.len()..end.round() as usize {
            samples.push((amplitude * (TAU * 1_000.0 * index as f64 / f64::from(rate)).sin()) as f32);
        }
    }
    samples
}

/// The tone in phase in both channels of a stereo track.
fn stereo(rate: u32, parts: &[(f64, f64)]) -> SoundMeasurement {
    let samples = tone(rate, parts);
    measured(rate, &[FrontLeft, FrontRight], &[&samples, &samples])
}

fn assert_near(found: Option<f64>, expected: f64, tolerance: f64, case: &str) {
    let found = found.unwrap_or_else(|| panic!("{case}: nothing instead of {expected}"));
    assert!((found - expected).abs() <= tolerance, "{case}: {found} instead of {expected}");
}

#[test]
fn integrated_loudness_in_tech_3341_cases_1_to_5() {
    for rate in RATES {
        for (case, parts, expected) in [
            (1, &[(20.0, -23.0)][..], -23.0),
            (2, &[(20.0, -33.0)], -33.0),
            (3, &[(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)], -23.0),
            (4, &[(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)], -23.0),
            (5, &[(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)], -23.0),
        ] {
            let loudness = stereo(rate, parts).loudness;
            let case = format!("case {case} at {rate} Hz");
            assert_near(loudness.integrated_lufs, expected, 0.1, &case);
            if parts.len() == 1 {
                assert_near(loudness.maximum_momentary_lufs, expected, 0.1, &case);
                assert_near(loudness.maximum_short_term_lufs, expected, 0.1, &case);
            }
        }
    }
}

#[test]
fn integrated_loudness_of_five_channels_in_tech_3341_case_6() {
    for rate in RATES {
        let [front, centre, surround] = [-28.0, -24.0, -30.0].map(|level| tone(rate, &[(20.0, level)]));
        let found = measured(
            rate,
            &[FrontLeft, FrontRight, FrontCentre, BackLeft, BackRight],
            &[&front, &front, &centre, &surround, &surround],
        );
        assert_near(found.loudness.integrated_lufs, -23.0, 0.1, &format!("case 6 at {rate} Hz"));
    }
}

#[test]
fn short_term_loudness_in_tech_3341_cases_9_to_11() {
    for rate in RATES {
        let repeated = [(1.34, -20.0), (1.66, -30.0)].repeat(5);
        for value in stereo(rate, &repeated).short_term.values.iter().skip(30) {
            assert_near(value.map(f64::from), -23.0, 0.1, "case 9");
        }
        let mut rising = Vec::new();
        for segment in 0..20 {
            let silence = f64::from(segment) * 0.15;
            let parts = [(silence, NONE), (3.0, -23.0), (1.0, NONE)];
            let found = stereo(rate, &parts).loudness.maximum_short_term_lufs;
            assert_near(found, -23.0, 0.1, &format!("case 10, segment {segment} at {rate} Hz"));
            rising.extend([(silence, NONE), (3.0, -38.0 + f64::from(segment)), (3.0 - silence, NONE)]);
        }
        assert_rising(&stereo(rate, &rising).short_term.values, 60, "case 11");
    }
}

#[test]
fn momentary_loudness_in_tech_3341_cases_12_to_14() {
    for rate in RATES {
        let repeated = [(0.18, -20.0), (0.22, -30.0)].repeat(25);
        for value in stereo(rate, &repeated).momentary.values.iter().skip(10) {
            assert_near(value.map(f64::from), -23.0, 0.1, "case 12");
        }
        let mut rising = Vec::new();
        for segment in 0..20 {
            let silence = f64::from(segment) * 0.02;
            let parts = [(silence, NONE), (0.4, -23.0), (1.0, NONE)];
            let found = stereo(rate, &parts).loudness.maximum_momentary_lufs;
            assert_near(found, -23.0, 0.1, &format!("case 13, segment {segment} at {rate} Hz"));
            rising.extend([(silence, NONE), (0.4, -38.0 + f64::from(segment)), (0.4 - silence, NONE)]);
        }
        assert_rising(&stereo(rate, &rising).momentary.values, 8, "case 14");
    }
}

/// The maximum so far is −38 after the first segment and rises by 1 with each.
fn assert_rising(values: &[Option<f32>], buckets_a_segment: usize, case: &str) {
    for segment in 0..20 {
        let so_far =
            values.iter().take((segment + 1) * buckets_a_segment).flatten().copied().reduce(f32::max);
        assert_near(
            so_far.map(f64::from),
            -38.0 + segment as f64,
            0.1,
            &format!("{case}, segment {segment}"),
        );
    }
}

/// Fades in and out over 10 ms.
fn tapered(rate: u32, samples: &mut [f64]) {
    let (count, fade) = (samples.len(), rate as usize / 100);
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample *= (index.min(count - 1 - index) as f64 / fade as f64).min(1.0);
    }
}

fn true_peak(rate: u32, samples: &[f64]) -> Option<f64> {
    let samples: Vec<f32> = samples.iter().map(|sample| *sample as f32).collect();
    measured(rate, &[FrontLeft, FrontRight], &[&samples, &samples]).loudness.true_peak_dbtp
}

/// From 0.4 dB too low to 0.2 dB too high.
fn assert_true_peak(found: Option<f64>, expected: f64, case: &str) {
    assert_near(found, expected - 0.1, 0.3, case);
}

#[test]
fn true_peak_of_tones_in_tech_3341_cases_15_to_19() {
    for rate in [32_000, 44_100, 48_000, 96_000] {
        for (case, divisor, amplitude, phase, expected) in [
            (15, 4.0, 0.5, 0.0_f64, -6.0),
            (16, 4.0, 0.5, 45.0, -6.0),
            (17, 6.0, 0.5, 60.0, -6.0),
            (18, 8.0, 0.5, 67.5, -6.0),
            (19, 4.0, 1.41, 45.0, 3.0),
        ] {
            let sample = |index| amplitude * (TAU * f64::from(index) / divisor + phase.to_radians()).sin();
            let mut samples: Vec<f64> = (0..rate).map(sample).collect();
            tapered(rate, &mut samples);
            assert_true_peak(true_peak(rate, &samples), expected, &format!("case {case} at {rate} Hz"));
        }
    }
}

/// A tone at a sixth of the rate with a single period of one at a quarter and twice as strong, continuous in phase, at four
/// times the rate.
fn burst(rate: u32) -> Vec<f64> {
    // A whole number of the tone's 24 samples.
    let start = rate as usize / 60 * 24;
    let mut samples: Vec<f64> = (0..2 * start)
        .map(|index| match index {
            _ if index < start => 0.5 * (TAU * index as f64 / 24.0).sin(),
            _ if index < start + 16 => (TAU * (index - start) as f64 / 16.0).sin(),
            _ => 0.5 * (TAU * (index - start - 16) as f64 / 24.0).sin(),
        })
        .collect();
    tapered(4 * rate, &mut samples);
    samples
}

/// Every fourth sample from `offset` on, of what is below half the rate after that: a sinc of 1025 taps in a Blackman
/// window.
fn downsampled(samples: &[f64], offset: usize) -> Vec<f64> {
    let reach = 512_i32;
    let taps: Vec<f64> = (-reach..=reach)
        .map(|tap| {
            let (place, turn) = (f64::from(tap) / 4.0, PI * f64::from(tap) / f64::from(reach));
            let sinc = if tap == 0 { 1.0 } else { (PI * place).sin() / (PI * place) };
            0.25 * sinc * (0.42 + 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
        })
        .collect();
    let padding = vec![0.0; reach as usize];
    let padded = [&padding[..], samples, &padding].concat();
    padded
        .windows(taps.len())
        .skip(offset)
        .step_by(4)
        .map(|window| window.iter().zip(&taps).map(|(sample, tap)| sample * tap).sum())
        .collect()
}

#[test]
fn true_peak_between_samples_in_tech_3341_cases_20_to_23() {
    for rate in RATES {
        let burst = burst(rate);
        for offset in 0..4 {
            let found = true_peak(rate, &downsampled(&burst, offset));
            assert_true_peak(found, 0.0, &format!("case {} at {rate} Hz", 20 + offset));
        }
    }
}

#[test]
fn loudness_range_in_tech_3342_cases_1_to_4() {
    for rate in RATES {
        for (case, levels, expected) in [
            (1, &[-20.0, -30.0][..], 10.0),
            (2, &[-20.0, -15.0], 5.0),
            (3, &[-40.0, -20.0], 20.0),
            (4, &[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
        ] {
            let parts: Vec<_> = levels.iter().map(|level| (20.0, *level)).collect();
            let found = stereo(rate, &parts).loudness.range_lu;
            assert_near(found, expected, 1.0, &format!("case {case} at {rate} Hz"));
        }
    }
}

//! Loudness and true peak against FFmpeg's own meter, the filter `ebur128`.
//!
//! FFmpeg counts one value less below the ends of the loudness range than EBU Tech 3342 does (rank `0.1 n + 0.5`, rounded
//! down, where 3.1 has `0.1 (n - 1) + 1`, rounded). In a minute that is nothing; in 20 s, one of 171 values, it may be more
//! than 0.1 LU.
// Helpers of tests, not only the tests themselves, may unwrap.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::process::Command;

use reelfarm_analysis::sound::{SoundMeter, combined};
use reelfarm_model::measurement::sound::Position::{
    self, BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, Mono, SideLeft, SideRight,
};

/// Places of the loudspeakers, in the order of their bits in a WAVE file's channel mask.
const MASK_BITS: [(Position, u32); 8] = [
    (FrontLeft, 0),
    (FrontRight, 1),
    (FrontCentre, 2),
    (LowFrequency, 3),
    (BackLeft, 4),
    (BackRight, 5),
    (SideLeft, 9),
    (SideRight, 10),
];

/// A sound file to be.
struct Programme {
    name: &'static str,
    rate: u32,
    /// In the order of a WAVE file.
    positions: &'static [Position],
    planes: Vec<Vec<f32>>,
}

/// What a meter says: LUFS, LU and dBTP. The maximums are those in steps of 100 ms.
#[derive(Debug)]
struct Reading {
    integrated: f64,
    range: f64,
    maximum_momentary: f64,
    maximum_short_term: f64,
    true_peak: f64,
}

/// Noise that falls off towards high frequencies as programmes do, at a level that changes with time, and a tone.
fn sound(rate: u32, seed: u64, levels: &[f64]) -> Vec<f32> {
    let mut state = seed;
    let mut low = 0.0_f64;
    (0..levels.len() * 2 * rate as usize)
        .map(|index| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let white = (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0;
            low += 0.15 * (white - low);
            let seconds = index as f64 / f64::from(rate);
            let tone = (std::f64::consts::TAU * 330.0 * (seed + 1) as f64 * seconds).sin();
            // Quarter notes: louder and softer within each level.
            let beat = if (seconds * 2.0).fract() < 0.6 { 1.0 } else { 0.3 };
            let level = levels[(seconds / 2.0) as usize % levels.len()];
            (10.0_f64.powf(level / 20.0) * beat * (1.2 * low + 0.25 * tone)) as f32
        })
        .collect()
}

fn programmes() -> Vec<Programme> {
    let film = [
        -30.0, -28.0, -40.0, -12.0, -10.0, -26.0, -24.0, -60.0, -80.0, -22.0, -31.0, -6.0, -18.0, -35.0,
        -27.0,
    ];
    let even = [-20.0, -21.0, -19.0, -20.0, -22.0, -20.0, -19.0, -20.0, -21.0, -20.0].repeat(3);
    let made = |name, rate, positions: &'static [Position], levels: &[f64]| Programme {
        name,
        rate,
        positions,
        planes: (0..positions.len() as u64).map(|channel| sound(rate, channel + 1, levels)).collect(),
    };
    let stereo: &[Position] = &[FrontLeft, FrontRight];
    let mut loud = made("stereo beyond full scale", 48_000, stereo, &even);
    loud.planes.iter_mut().flatten().for_each(|sample| *sample = (*sample * 30.0).clamp(-1.0, 1.0));
    vec![
        made("stereo", 48_000, stereo, &film),
        made("even stereo", 44_100, stereo, &even),
        made("mono", 44_100, &[Mono], &film),
        made("stereo at 96 kHz", 96_000, stereo, &film),
        made("stereo at 22.05 kHz", 22_050, stereo, &film),
        made("5.1", 48_000, &[FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight], &film),
        made(
            "5.1 (side)",
            48_000,
            &[FrontLeft, FrontRight, FrontCentre, LowFrequency, SideLeft, SideRight],
            &film,
        ),
        loud,
    ]
}

/// A WAVE file of 32-bit floating point (Microsoft, Multiple Channel Audio Data and WAVE Files).
fn wave(programme: &Programme) -> Vec<u8> {
    let channels = programme.positions.len() as u16;
    let samples = programme.planes[0].len();
    let frame = u32::from(channels) * 4;
    let mask: u32 = MASK_BITS
        .iter()
        .filter(|(position, _)| programme.positions.contains(position))
        .map(|(_, bit)| 1 << bit)
        .sum();
    let mask = if mask == 0 { 1 << 2 } else { mask };
    let mut format = Vec::new();
    format.extend(0xfffe_u16.to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(programme.rate.to_le_bytes());
    format.extend((programme.rate * frame).to_le_bytes());
    format.extend((frame as u16).to_le_bytes());
    format.extend(32_u16.to_le_bytes());
    format.extend(22_u16.to_le_bytes());
    format.extend(32_u16.to_le_bytes());
    format.extend(mask.to_le_bytes());
    // KSDATAFORMAT_SUBTYPE_IEEE_FLOAT.
    format.extend(3_u16.to_le_bytes());
    format.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    let data_size = samples as u32 * frame;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((4 + 8 + format.len() as u32 + 8 + data_size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend((format.len() as u32).to_le_bytes());
    file.extend(format);
    file.extend(b"data");
    file.extend(data_size.to_le_bytes());
    for index in 0..samples {
        for plane in &programme.planes {
            file.extend(plane[index].to_le_bytes());
        }
    }
    file
}

fn by_ffmpeg(programme: &Programme) -> Reading {
    let mut file = tempfile::Builder::new().suffix(".wav").tempfile().unwrap();
    file.write_all(&wave(programme)).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-nostats", "-i"])
        .arg(file.path())
        // As verbose lines the values for each 100 ms are not among the messages; as metadata they go to standard output.
        .args(["-filter:a", "ebur128=peak=true:metadata=1:framelog=verbose,ametadata=mode=print:file=-"])
        .args(["-f", "null", "-"])
        .output()
        .expect("this test needs the program ffmpeg; install it (apt-get install ffmpeg)");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    // The summary has one decimal, the metadata three; those of the last step are of the whole.
    let steps = String::from_utf8_lossy(&output.stdout);
    let values = |name: &str| -> Vec<f64> {
        let found: Vec<_> = steps
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
            .collect();
        assert!(!found.is_empty(), "no {name} in {steps}");
        found
    };
    let last = |name: &str| *values(name).last().unwrap();
    let largest = |name: &str| values(name).into_iter().fold(f64::NEG_INFINITY, f64::max);
    let (_, summary) = text.rsplit_once("True peak:").expect("FFmpeg's ebur128 writes a summary");
    let peak = summary.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Reading {
        integrated: last("lavfi.r128.I"),
        range: last("lavfi.r128.LRA"),
        maximum_momentary: largest("lavfi.r128.M"),
        maximum_short_term: largest("lavfi.r128.S"),
        true_peak: peak.unwrap_or_else(|| panic!("no peak in {summary}")),
    }
}

fn by_us(programme: &Programme) -> Reading {
    let mut meter = SoundMeter::new(programme.rate, programme.positions, 0.0);
    let planes: Vec<&[f32]> = programme.planes.iter().map(|plane| &plane[..]).collect();
    meter.samples(&planes);
    let loudness = meter.finish().loudness;
    // Of the track alone: its maximums in steps of 100 ms instead of 10.
    let stepped = combined(&[(&meter, Mono)]);
    assert!(stepped.maximum_momentary_lufs <= loudness.maximum_momentary_lufs.map(|lufs| lufs + 1e-4));
    assert!(stepped.maximum_short_term_lufs <= loudness.maximum_short_term_lufs.map(|lufs| lufs + 1e-4));
    Reading {
        integrated: loudness.integrated_lufs.unwrap(),
        range: loudness.range_lu.unwrap(),
        maximum_momentary: stepped.maximum_momentary_lufs.unwrap(),
        maximum_short_term: stepped.maximum_short_term_lufs.unwrap(),
        true_peak: loudness.true_peak_dbtp.unwrap(),
    }
}

#[test]
fn ffmpeg_measures_the_same() {
    for programme in programmes() {
        let (ours, theirs) = (by_us(&programme), by_ffmpeg(&programme));
        let name = programme.name;
        println!("{name}: {ours:?}; FFmpeg: {theirs:?}");
        // Clipped sound is full of what lies close below half the rate, and there the filters that find what is between
        // samples differ; four times the rate leaves up to 0.7 dB open (ITU-R BS.1770-5, annex 2, attachment 1).
        let of_peak = if theirs.true_peak > 0.0 { 0.7 } else { 0.2 };
        for (value, ours, theirs, tolerance) in [
            ("integrated", ours.integrated, theirs.integrated, 0.1),
            ("range", ours.range, theirs.range, 0.1),
            ("momentary", ours.maximum_momentary, theirs.maximum_momentary, 0.1),
            ("short-term", ours.maximum_short_term, theirs.maximum_short_term, 0.1),
            ("true peak", ours.true_peak, theirs.true_peak, of_peak),
        ] {
            assert!((ours - theirs).abs() <= tolerance, "{name}: {value} {ours}, FFmpeg {theirs}");
        }
    }
}

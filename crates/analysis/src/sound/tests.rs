use ebur128::{Channel, EbuR128, Mode};
use proptest::prelude::*;
use reelfarm_model::measurement::Spans;
use reelfarm_model::measurement::sound::Position::{
    BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, Mono, Other,
};

use super::signals::{amplitude, measured, noise, scaled, sine};
use super::*;

const RATE: u32 = 48_000;

fn mono(samples: &[f32]) -> SoundMeasurement {
    measured(RATE, &[Mono], &[samples])
}

fn assert_near(found: Option<f64>, expected: f64, tolerance: f64, name: &str) {
    assert!(
        found.is_some_and(|found| (found - expected).abs() <= tolerance),
        "{name}: {found:?}, not {expected}"
    );
}

/// The one stretch, its ends as near as asked for.
fn assert_one(found: &Spans, start: f64, end: f64, tolerance: f64) {
    assert_eq!((found.count, found.first.len()), (1, 1), "{found:?}");
    let span = found.first[0];
    assert!((span.start - start).abs() < tolerance && (span.end - end).abs() < tolerance, "{span:?}");
}

#[test]
fn levels_of_a_tone() {
    let sound = mono(&sine(RATE, 997.0, 0.5, 10.0, 0.0));
    let channel = &sound.channels[0];
    assert_near(channel.peak_dbfs, -6.02, 0.01, "peak");
    assert_near(channel.true_peak_dbtp, -6.02, 0.05, "true peak");
    assert_near(channel.rms_dbfs, -9.03, 0.01, "root mean square");
    assert_near(sound.loudness.integrated_lufs, -9.03, 0.05, "integrated");
    assert_near(sound.loudness.range_lu, 0.0, 0.01, "range");
    assert!(channel.dc_offset.abs() < 1e-4, "{}", channel.dc_offset);
    assert_eq!((sound.samples, channel.position, channel.not_finite), (480_000, Mono, 0));
    assert_eq!(sound.pair, None);
}

#[test]
fn loudness_is_the_same_at_all_rates() {
    for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000, 384_000] {
        let sound = measured(rate, &[Mono], &[&sine(rate, 440.0, 0.5, 5.0, 0.0)]);
        // At the lowest rates half the rate is not far above the filter's shelf, which bends it.
        let tolerance = if rate < 22_050 { 0.25 } else { 0.05 };
        assert_near(sound.loudness.integrated_lufs, -9.71, tolerance, &format!("at {rate} Hz"));
        assert_near(sound.loudness.maximum_short_term_lufs, -9.71, tolerance, &format!("at {rate} Hz"));
        assert_near(sound.loudness.true_peak_dbtp, -6.02, 0.1, &format!("at {rate} Hz"));
    }
    for rate in [0, 1, 50, 7_999, 400_000] {
        let sound = measured(rate, &[Mono], &[&noise(1, 0.5, 100_000)]);
        assert_eq!(sound.loudness, ProgrammeLoudness::default(), "at {rate} Hz");
        assert_near(sound.channels[0].peak_dbfs, -6.02, 0.01, &format!("at {rate} Hz"));
    }
}

#[test]
fn an_offset_is_found_in_its_channel() {
    let clean = noise(1, 0.3, 480_000);
    let offset: Vec<f32> = clean.iter().map(|sample| sample + 0.02).collect();
    let sound = measured(RATE, &[FrontLeft, FrontRight], &[&clean, &offset]);
    let offsets: Vec<f64> = sound.channels.iter().map(|channel| channel.dc_offset).collect();
    assert!(offsets[0].abs() < 1e-3 && (offsets[1] - 0.02).abs() < 1e-3, "{offsets:?}");
}

#[test]
fn clipping_is_found_in_its_channel_and_place() {
    let clean = scaled(&noise(1, 1.0, 480_000), 0.9);
    let mut clipped = clean.clone();
    // Across the end of a slot.
    clipped[240_000 - 20..240_000 + 30].fill(-1.0);
    let sound = measured(RATE, &[FrontLeft, FrontRight], &[&clean, &clipped]);
    assert_eq!((sound.channels[0].clipped.count, sound.channels[0].longest_clipped_run), (0, 0));
    assert_one(&sound.channels[1].clipped, 4.999_58, 5.000_63, 0.000_05);
    assert_eq!(sound.channels[1].longest_clipped_run, 50);
}

#[test]
fn what_is_loud_is_not_clipped() {
    for (name, samples) in [
        ("a tone to full scale", sine(RATE, 997.0, 1.0, 1.0, 0.0)),
        ("a low one", sine(RATE, 62.0, 1.0, 1.0, 0.0)),
        (
            "a square wave below",
            sine(RATE, 100.0, 1.0, 1.0, 0.0).iter().map(|s| 0.999 * s.signum()).collect(),
        ),
        ("noise to full scale", noise(1, 1.0, 480_000)),
    ] {
        assert_eq!(mono(&samples).channels[0].clipped.count, 0, "{name}");
    }
}

#[test]
fn silence_is_found_in_its_channel_and_place() {
    let left = {
        let mut left = noise(1, 0.3, 10 * 48_000);
        left[2 * 48_000..6 * 48_000].fill(0.000_5);
        left
    };
    let right = {
        let mut right = noise(2, 0.3, 10 * 48_000);
        right[5 * 48_000..7 * 48_000].fill(0.0);
        right
    };
    let sound = measured(RATE, &[FrontLeft, FrontRight], &[&left, &right]);
    assert_one(&sound.channels[0].silence, 2.0, 6.0, 0.02);
    assert_one(&sound.channels[1].silence, 5.0, 7.0, 0.02);
    assert_one(&sound.silence, 5.0, 6.0, 0.02);
    assert_one(&mono(&vec![0.0; 48_000 * 3]).silence, 0.0, 3.0, 1e-9);
}

#[test]
fn what_is_quiet_or_pauses_is_not_silent() {
    let quiet = noise(1, 0.002, 480_000);
    let mut pause = noise(1, 0.3, 480_000);
    pause[100_000..123_000].fill(0.0);
    for (name, samples) in [("quiet", quiet), ("a pause of 0.48 s", pause)] {
        let sound = mono(&samples);
        assert_eq!((sound.silence.count, sound.channels[0].silence.count), (0, 0), "{name}");
    }
}

#[test]
fn the_first_true_peak_above_the_permitted_maximum_is_told() {
    let mut samples = sine(RATE, 997.0, 0.5, 10.0, 0.0);
    assert_eq!(mono(&samples).true_peak_exceeded, None);
    // Between samples: each of them is at 0.7.
    for (sample, peak) in
        samples[5 * 48_000..6 * 48_000].iter_mut().zip(sine(RATE, 12_000.0, 0.99, 1.0, 45.0))
    {
        *sample = peak;
    }
    let sound = mono(&samples);
    assert_near(sound.true_peak_exceeded, 5.0, 0.011, "first");
    assert_near(sound.loudness.true_peak_dbtp, -0.09, 0.4, "overall");
    assert_near(sound.channels[0].peak_dbfs, -3.0, 0.2, "sample peak");
}

#[test]
fn times_count_from_the_start() {
    let mut samples = noise(1, 0.3, 3 * 48_000);
    samples[48_000..2 * 48_000].fill(0.0);
    samples[120_000..120_010].fill(1.0);
    let mut meter = SoundMeter::new(RATE, &[Mono, Mono], 3_600.0);
    meter.samples(&[&samples, &samples]);
    let sound = meter.finish();
    assert_one(&sound.silence, 3_601.0, 3_602.0, 0.02);
    assert_one(&sound.channels[0].clipped, 3_602.5, 3_602.500_2, 0.001);
    assert_near(sound.true_peak_exceeded, 3_602.5, 0.011, "true peak");
    assert_eq!((sound.momentary.start, sound.short_term.start), (3_600.0, 3_600.0));
    assert_eq!(sound.momentary.values.len(), 30);
}

#[test]
fn channels_beyond_the_64th_are_counted() {
    let samples = noise(1, 0.3, 4_800);
    let sound = measured(RATE, &[Other; 70], &[&samples[..]; 70]);
    assert_eq!((sound.channels.len(), sound.ignored_channels, sound.samples), (64, 6, 4_800));
}

#[test]
fn missing_samples_are_silent_and_odd_ones_left_out() {
    let samples = noise(1, 0.3, 9_600);
    let of = |channels: &[Position], planes: &[&[f32]]| measured(RATE, channels, planes);
    assert_eq!(of(&[Mono], &[&samples, &samples[..10]]), mono(&samples));
    assert_eq!(of(&[Mono, Mono], &[&samples, &samples[..960]]).samples, 960);
    let one = of(&[FrontLeft, FrontRight], &[&samples]);
    assert_eq!((one.samples, one.channels[1].peak_dbfs), (9_600, None));
    assert!(one.channels[0].peak_dbfs.is_some());
}

#[test]
fn nothing_gives_a_measurement_as_well() {
    let cases: [(&[Position], &[&[f32]]); 4] =
        [(&[], &[]), (&[], &[&[0.5, 0.5]]), (&[Mono], &[]), (&[Mono], &[&[]])];
    for (channels, planes) in cases {
        let sound = measured(RATE, channels, planes);
        assert_eq!((sound.samples, sound.loudness), (0, ProgrammeLoudness::default()));
        assert_eq!((sound.silence.count, sound.momentary.values.len()), (0, 0));
    }
    assert_eq!(combined(&[]), ProgrammeLoudness::default());
}

#[test]
fn finishing_twice_makes_no_difference() {
    let mut meter = SoundMeter::new(RATE, &[Mono], 0.0);
    meter.samples(&[&noise(1, 1.5, 100_001)]);
    let first = meter.finish();
    assert_eq!(meter.finish(), first);
    assert_eq!(first.samples, 100_001);
}

/// Six channels of 20 s that are loud at different times.
fn surround() -> ([Position; 6], Vec<Vec<f32>>) {
    let positions = [FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight];
    let planes = (0..6_u64)
        .map(|channel| {
            let mut samples = noise(channel + 1, 0.5, 20 * 48_000);
            for (second, samples) in samples.chunks_mut(48_000).enumerate() {
                let level = -6.0 * ((second as u64 * (channel + 2)) % 7) as f64;
                samples.iter_mut().for_each(|sample| *sample *= amplitude(level) as f32);
            }
            samples
        })
        .collect();
    (positions, planes)
}

#[test]
fn mono_tracks_are_as_loud_as_the_track_that_they_make() {
    let (positions, planes) = surround();
    let planes: Vec<&[f32]> = planes.iter().map(|plane| &plane[..]).collect();
    let joint = measured(RATE, &positions, &planes).loudness;
    let meters: Vec<SoundMeter> = planes
        .iter()
        .map(|plane| {
            let mut meter = SoundMeter::new(RATE, &[Mono], 0.0);
            meter.samples(&[plane]);
            meter.finish();
            meter
        })
        .collect();
    let together = combined(&meters.iter().zip(positions).collect::<Vec<_>>());
    assert_near(together.integrated_lufs, joint.integrated_lufs.unwrap(), 1e-4, "integrated");
    assert_near(together.range_lu, joint.range_lu.unwrap(), 1e-4, "range");
    assert_near(together.maximum_momentary_lufs, joint.maximum_momentary_lufs.unwrap(), 0.2, "momentary");
    assert_near(together.maximum_short_term_lufs, joint.maximum_short_term_lufs.unwrap(), 0.1, "short-term");
    assert_eq!(together.true_peak_dbtp, joint.true_peak_dbtp);

    // The crate's own measurement of the six.
    let mut meter = EbuR128::new(6, RATE, Mode::I).unwrap();
    let map = [
        Channel::Left,
        Channel::Right,
        Channel::Center,
        Channel::Unused,
        Channel::LeftSurround,
        Channel::RightSurround,
    ];
    meter.set_channel_map(&map).unwrap();
    meter.add_frames_planar_f32(&planes).unwrap();
    assert_near(together.integrated_lufs, meter.loudness_global().unwrap(), 1e-4, "by the crate");
    // And it matters that they are taken together.
    assert!(
        (combined(&[(&meters[0], Mono)]).integrated_lufs.unwrap() - joint.integrated_lufs.unwrap()).abs()
            > 1.0
    );
}

#[test]
fn a_track_that_begins_later_counts_in_its_place() {
    let samples = noise(1, 0.3, 10 * 48_000);
    let meters = [0.0, 5.0].map(|start: f64| {
        let mut meter = SoundMeter::new(RATE, &[Mono], start);
        meter.samples(&[&samples[(start * 48_000.0) as usize..]]);
        meter.finish();
        meter
    });
    let together = combined(&[(&meters[0], FrontLeft), (&meters[1], FrontRight)]);
    let mut late = samples.clone();
    late[..5 * 48_000].fill(0.0);
    let joint = measured(RATE, &[FrontLeft, FrontRight], &[&samples, &late]).loudness;
    assert_near(together.integrated_lufs, joint.integrated_lufs.unwrap(), 0.01, "integrated");
}

#[test]
fn a_meter_can_be_handed_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<SoundMeter>();
}

/// Sound with all that is looked for in it.
fn eventful(seed: u64, count: usize) -> Vec<f32> {
    let mut samples = noise(seed, 1.4, count);
    for (index, samples) in samples.chunks_mut(700).enumerate() {
        match (index as u64 + seed) % 9 {
            0 => samples.fill(1.0),
            1..=6 => samples.iter_mut().for_each(|sample| *sample *= 0.000_6),
            7 => samples[index % samples.len()] = f32::NAN,
            _ => {}
        }
    }
    samples
}

fn any_sample() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.5_f32..1.5,
        1 => any::<f32>(),
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_make_no_difference(
        seed in 0_u64..1_000,
        cuts in prop::collection::vec(0_usize..30_000, 0..40),
    ) {
        let planes = [eventful(seed, 30_000), eventful(seed + 1, 30_000)];
        let positions = [FrontLeft, FrontRight];
        let whole = measured(8_000, &positions, &[&planes[0], &planes[1]]);
        let mut cuts = cuts;
        cuts.extend([0, 30_000]);
        cuts.sort_unstable();
        let mut meter = SoundMeter::new(8_000, &positions, 0.0);
        for ends in cuts.windows(2) {
            meter.samples(&[&planes[0][ends[0]..ends[1]], &planes[1][ends[0]..ends[1]]]);
        }
        prop_assert_eq!(meter.finish(), whole);
    }

    #[test]
    fn any_samples_give_finite_numbers(
        pattern in prop::collection::vec(any_sample(), 1..200),
        rate in prop_oneof![8_000_u32..400_000, any::<u32>()],
        channels in 0_usize..5,
        count in 0_usize..60_000,
        start in any::<f64>(),
    ) {
        let samples: Vec<f32> = pattern.iter().copied().cycle().take(count).collect();
        let planes: Vec<&[f32]> = (0..channels).map(|channel| &samples[channel.min(count)..]).collect();
        let positions = [FrontLeft, FrontRight, LowFrequency, BackLeft];
        let mut meter = SoundMeter::new(rate, &positions[..channels.min(4)], start);
        meter.samples(&planes);
        let sound = meter.finish();
        let shown = format!("{sound:?} {:?}", combined(&[(&meter, Mono), (&meter, BackLeft)]));
        prop_assert!(!shown.contains("NaN") && !shown.contains("inf"), "{}", shown);
        let of_each = samples.iter().filter(|sample| !sample.is_finite()).count() as u64;
        for channel in &sound.channels {
            prop_assert!(channel.not_finite <= of_each);
            prop_assert!(channel.peak_dbfs <= channel.true_peak_dbtp || channel.true_peak_dbtp.is_none());
            let most = channel.peak_dbfs.map(|peak| peak + 1e-6);
            prop_assert!(channel.rms_dbfs.is_none() || channel.rms_dbfs <= most);
        }
    }
}

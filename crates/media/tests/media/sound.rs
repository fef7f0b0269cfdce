//! Measurements of what the sound of tracks holds, on clips that are made to hold it.

use std::path::Path;

use reelfarm_model::measurement::sound::{Position, Side, SoundMeasurement};
use reelfarm_model::measurement::{AudioMeasurement, Spans};

use crate::support::{Workspace, measured, real_clip};

fn audio_of(path: &Path) -> AudioMeasurement {
    let mut measurements = measured(path);
    assert_eq!(measurements.audio.len(), 1, "{}", path.display());
    measurements.audio.remove(0)
}

/// A track of these expressions, a channel each, in 24 bits.
fn sound_of(workspace: &Workspace, seconds: f64, channels: &[&str]) -> SoundMeasurement {
    let source =
        format!("-f lavfi -i aevalsrc=exprs='{}':s=48000:d={seconds} -c:a pcm_s24le", channels.join("|"));
    audio_of(&workspace.make("sound.wav", &source)).sound.unwrap()
}

fn assert_span(found: &Spans, start: f64, end: f64) {
    let [span] = found.first.as_slice() else { panic!("{found:?}") };
    assert!((span.start - start).abs() < 0.1 && (span.end - end).abs() < 0.1, "{found:?}");
}

const SINE: &str = "0.1*sin(2*PI*440*t)";

#[test]
fn silence_is_found_in_every_sample_format() {
    let workspace = Workspace::new();
    for (name, codec) in [
        ("8.wav", "pcm_u8"),
        ("16.wav", "pcm_s16le"),
        ("24.wav", "pcm_s24le"),
        ("32.wav", "pcm_s32le"),
        ("float.wav", "pcm_f32le"),
        ("double.wav", "pcm_f64le"),
        ("sixteen.flac", "flac -sample_fmt s16"),
        ("planar.mkv", "ac3"),
        ("aac.mp4", "aac"),
        ("mp2.mkv", "mp2"),
        ("opus.mkv", "libopus"),
    ] {
        let source = workspace.make(
            name,
            &format!(
                "-f lavfi -i sine=f=440:r=48000:d=5,volume=6dB \
                 -af volume=0:enable='between(t,2,2.99)',pan=stereo|c0=c0|c1=c0 -c:a {codec}"
            ),
        );
        let audio = audio_of(&source);
        let sound = audio.sound.unwrap();
        assert_span(&sound.silence, 2.0, 3.0);
        assert_span(&sound.channels[1].silence, 2.0, 3.0);
        let positions: Vec<_> = sound.channels.iter().map(|channel| channel.position).collect();
        assert_eq!(positions, [Position::FrontLeft, Position::FrontRight], "{name}");
        assert_eq!((sound.samples, sound.ignored_channels), (audio.samples, 0), "{name}");
        // A quarter of full scale.
        let peak = sound.channels[0].peak_dbfs.unwrap();
        assert!(
            (peak + 12.04).abs() < 0.5 && (audio.peak_dbfs.unwrap() - peak).abs() < 0.5,
            "{name}: {peak}"
        );
        assert!(sound.pair.as_ref().is_some_and(|pair| pair.is_dual_mono()), "{name}: {:?}", sound.pair);
    }
}

#[test]
fn a_tone_is_as_loud_as_the_standard_says() {
    let workspace = Workspace::new();
    // EBU Tech 3341, case 1: 1 kHz in both channels, peaks at -23 dBFS.
    let tone = "0.0707946*sin(2*PI*1000*t)";
    let sound = sound_of(&workspace, 10.0, &[tone, tone]);
    let loudness = sound.loudness;
    assert!((loudness.integrated_lufs.unwrap() + 23.0).abs() < 0.1, "{loudness:?}");
    assert!((loudness.true_peak_dbtp.unwrap() + 23.0).abs() < 0.2, "{loudness:?}");
    assert!((loudness.maximum_short_term_lufs.unwrap() + 23.0).abs() < 0.1, "{loudness:?}");
    assert!(loudness.range_lu.unwrap() < 0.1 && sound.true_peak_exceeded.is_none());
    assert!(sound.short_term.values.iter().flatten().any(|level| (level + 23.0).abs() < 0.1));
}

#[test]
fn what_is_wrong_with_channels_is_found_in_the_right_one() {
    let workspace = Workspace::new();
    let clipped = sound_of(&workspace, 3.0, &["min(1,max(-1,4*sin(2*PI*440*t)))", SINE]);
    assert!(clipped.channels[0].clipped.count > 1_000 && clipped.channels[0].longest_clipped_run > 10);
    assert_eq!(clipped.channels[1].clipped.count, 0);
    assert!(clipped.true_peak_exceeded.is_some_and(|at| at < 0.02));

    let offset = sound_of(&workspace, 3.0, &[SINE, "0.05+0.1*sin(2*PI*440*t)"]);
    assert!(offset.channels[0].dc_offset.abs() < 1e-4 && (offset.channels[1].dc_offset - 0.05).abs() < 1e-4);

    let inverted = sound_of(&workspace, 3.0, &[SINE, "-0.1*sin(2*PI*440*t)"]).pair.unwrap();
    assert!(
        !inverted.is_dual_mono()
            && inverted.correlation.unwrap() < -0.99
            && inverted.out_of_phase.seconds > 2.5,
        "{inverted:?}"
    );

    let twice = sound_of(&workspace, 3.0, &[SINE, SINE]).pair.unwrap();
    assert!(twice.is_dual_mono() && twice.out_of_phase.count == 0);

    let one = sound_of(&workspace, 3.0, &["0", SINE]).pair.unwrap();
    assert_eq!(one.only, Some(Side::Right));
}

#[test]
fn surround_channels_are_told_by_the_layout() {
    use Position::{
        BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, SideLeft, SideRight,
    };
    let workspace = Workspace::new();
    for (layout, expected) in [
        ("5.1", vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight]),
        ("5.1(side)", vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, SideLeft, SideRight]),
        (
            "7.1",
            vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight, SideLeft, SideRight],
        ),
    ] {
        let source = workspace.make(
            "surround.flac",
            &format!("-f lavfi -i anoisesrc=r=48000:a=0.1:d=1:c=pink -af aformat=channel_layouts={layout} -c:a flac"),
        );
        let sound = audio_of(&source).sound.unwrap();
        let positions: Vec<_> = sound.channels.iter().map(|channel| channel.position).collect();
        assert_eq!(positions, expected, "{layout}");
    }
}

#[test]
fn eight_mono_tracks_are_measured_as_stereo_and_as_surround() {
    let workspace = Workspace::new();
    let maps = "-map 0:a ".repeat(8);
    let source = workspace.make(
        "mono.mov",
        &format!(
            "-f lavfi -i aevalsrc=exprs=0.0707946*sin(2*PI*1000*t):s=48000:d=6 {maps} -c:a pcm_s24le \
             -metadata:s:a language=eng"
        ),
    );
    let measurements = measured(&source);
    assert_eq!(measurements.audio.len(), 8);
    let tracks: Vec<Vec<u32>> = measurements
        .combined
        .iter()
        .map(|combined| combined.tracks.iter().map(|(index, _)| *index).collect())
        .collect();
    assert_eq!(tracks, [vec![0, 1], vec![0, 1, 2, 3, 4, 5], vec![6, 7]]);
    let loudness: Vec<_> =
        measurements.combined.iter().map(|combined| combined.loudness.integrated_lufs.unwrap()).collect();
    // Three in front count once, LFE not at all, two behind 1.41 times: 5.82 channels beside 2.
    for (found, expected) in loudness.iter().zip([-23.0, -23.0 + 10.0 * (5.82f64 / 2.0).log10(), -23.0]) {
        assert!((found - expected).abs() < 0.1, "{loudness:?}");
    }
    // The first two are compared, and the last two; six of them are compared by the first two.
    let pairs: Vec<_> =
        measurements.combined.iter().map(|combined| combined.pair.as_ref().unwrap()).collect();
    assert!(pairs.iter().all(|pair| pair.is_dual_mono() && pair.correlation.unwrap() > 0.999), "{pairs:?}");
    let alone = measurements.audio[0].sound.as_ref().unwrap().loudness.integrated_lufs.unwrap();
    assert!((alone + 26.0).abs() < 0.1, "{alone}");
}

#[test]
fn a_change_of_channels_and_rate_in_the_middle_does_no_harm() {
    let workspace = Workspace::new();
    let mut bytes = Vec::new();
    for (name, rate, channels, start) in
        [("a.ts", 48_000, 2, 0), ("b.ts", 44_100, 1, 2), ("c.ts", 48_000, 2, 4)]
    {
        let part = workspace.make(
            name,
            &format!("-f lavfi -i sine=r={rate}:d=2 -ac {channels} -c:a mp2 -output_ts_offset {start}"),
        );
        bytes.extend(fs_err::read(part).unwrap());
    }
    let whole = workspace.path("whole.ts");
    fs_err::write(&whole, bytes).unwrap();
    let audio = audio_of(&whole);
    let sound = audio.sound.unwrap();
    assert!(audio.samples > 270_000, "{}", audio.samples);
    assert!(sound.samples > 90_000 && sound.samples < 100_000, "{}", sound.samples);
    assert_eq!(sound.channels.len(), 2);
}

#[test]
fn damage_to_sound_has_its_time() {
    let workspace = Workspace::new();
    let whole = workspace.make("whole.mkv", "-f lavfi -i anoisesrc=r=48000:d=6:a=0.2:seed=1 -c:a flac");
    let mut bytes = fs_err::read(&whole).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 20_000);
    for byte in bytes[from..to].iter_mut().step_by(50) {
        *byte ^= 0x5a;
    }
    let damaged = workspace.path("damaged.mkv");
    fs_err::write(&damaged, bytes).unwrap();
    let first = audio_of(&damaged);
    assert!(first.decode_errors > 0, "{first:?}");
    let at = first.first_decode_error.unwrap();
    assert!((2.0..4.0).contains(&at), "{at}");
    assert_eq!(audio_of(&damaged), first);
}

#[test]
fn real_clips_hold_nothing_absurd() {
    for name in ["bigbuckbunny.mp4", "car-detection.mp4", "svt_8mono_720p50.mp4"] {
        let measurements = measured(&real_clip(name));
        for audio in &measurements.audio {
            let sound = audio.sound.as_ref().unwrap();
            assert_eq!(
                (sound.samples, sound.channels.len()),
                (audio.samples, audio.channels as usize),
                "{name}"
            );
            let loudness = sound.loudness.integrated_lufs;
            assert!(loudness.is_none_or(|lufs| lufs > -70.0 && lufs < 0.0), "{name}: {loudness:?}");
            let peaks = sound.channels.iter().filter_map(|channel| channel.peak_dbfs);
            let loudest = peaks.reduce(f64::max);
            assert_eq!(loudest.is_some(), audio.peak_dbfs.is_some(), "{name}");
            if let (Some(loudest), Some(peak)) = (loudest, audio.peak_dbfs) {
                assert!((loudest - peak).abs() < 1e-3 && peak < 3.0, "{name}: {loudest} {peak}");
            }
            assert!(
                sound
                    .channels
                    .iter()
                    .all(|channel| channel.dc_offset.abs() < 0.05 && channel.not_finite == 0)
            );
        }
        let sets = measurements.combined.len();
        assert_eq!(sets, if name.starts_with("svt") { 3 } else { 0 }, "{name}");
    }
}

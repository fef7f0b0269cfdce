//! Loudness and true peak through the whole measurement: what the EBU's documents say of their test signals, and what FFmpeg's
//! own meter, the filter `ebur128`, says of the same files.
//!
//! The signals are made from their descriptions in EBU Tech 3341 (version 4, 2023), table 1, and EBU Tech 3342 (version 4,
//! 2023), table 1. Those that need many files, or samples beside FFmpeg's sources, are tried on the meter alone
//! (`crates/analysis/src/sound/ebu.rs`); Tech 3341 cases 7 and 8, and Tech 3342 cases 5 and 6, are recordings of programmes that
//! only the EBU has.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_model::measurement::AudioMeasurement;
use reelfarm_model::measurement::sound::SoundMeasurement;

use super::film::{amplitude, source, tone};
use crate::judge::{Clips, measured};
use crate::support::{clips, tool};

/// How far loudness may lie from FFmpeg's and from the EBU's, in LU.
const LOUDNESS: f64 = 0.1;
/// How far a true peak may lie from FFmpeg's, in dB: it writes one decimal, of a peak that it finds at 192 kHz.
const TRUE_PEAK: f64 = 0.2 + 0.05;
/// FFmpeg's integrated loudness where there is none.
const NONE: f64 = -70.0;

/// FFmpeg takes the value before the one at which EBU Tech 3342 (3.1) has the range begin and end. From so many seconds on that is
/// no matter; below, the range is that of the short-term loudness that FFmpeg's meter shows.
const LONG: f64 = 60.0;
/// Values before three seconds are full.
const FILLING: usize = 29;

/// What FFmpeg's meter says of a track.
#[derive(Debug)]
struct Reading {
    integrated: f64,
    range: f64,
    momentary: f64,
    short_term: f64,
    true_peak: f64,
}

/// Each value of one kind that FFmpeg's meter states, one for each 100 ms from `start` seconds on.
fn values(text: &str, name: &str) -> Vec<f64> {
    let key = format!("lavfi.r128.{name}=");
    text.lines().filter_map(|line| line.strip_prefix(&key)).map(|value| value.parse().unwrap()).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The loudness range of short-term values (EBU Tech 3342, 3.1).
fn range(short_term: &[f64]) -> f64 {
    let power = |level: f64| 10.0_f64.powf(level / 10.0);
    let mut passed: Vec<f64> =
        short_term.iter().copied().skip(FILLING).filter(|level| *level > NONE).collect();
    let gate = 10.0 * (passed.iter().copied().map(power).sum::<f64>() / passed.len() as f64).log10() - 20.0;
    passed.retain(|level| *level > gate);
    passed.sort_by(f64::total_cmp);
    let at = |share: f64| passed[((passed.len() - 1) as f64 * share).round() as usize];
    if passed.is_empty() { 0.0 } else { at(0.95) - at(0.1) }
}

fn metadata(path: &Path, stream: u32, start: f64) -> String {
    let filter =
        format!("atrim=start={start},ebur128=metadata=1:framelog=verbose,ametadata=mode=print:file=-");
    tool(Command::new("ffmpeg").args(["-v", "quiet", "-i"]).arg(path).args([
        "-map",
        &format!("0:{stream}"),
        "-af",
        &filter,
        "-f",
        "null",
        "-",
    ]))
}

fn by_ffmpeg(path: &Path, stream: u32) -> Reading {
    let text = metadata(path, stream, 0.0);
    let last = |name: &str| values(&text, name).last().copied().unwrap();
    let peaks = Command::new("ffmpeg")
        .args(["-nostdin", "-nostats", "-i"])
        .arg(path)
        .args([
            "-map",
            &format!("0:{stream}"),
            "-af",
            "ebur128=peak=true:framelog=verbose",
            "-f",
            "null",
            "-",
        ])
        .output()
        .unwrap();
    let peaks = String::from_utf8_lossy(&peaks.stderr).into_owned();
    let peak = peaks.rsplit_once("Peak:").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap();
    let short_term = values(&text, "S");
    let seconds = short_term.len() as f64 / 10.0;
    Reading {
        integrated: last("I"),
        range: if seconds < LONG { range(&short_term) } else { last("LRA") },
        momentary: largest(&values(&text, "M")),
        short_term: largest(&short_term),
        true_peak: peak.parse().unwrap(),
    }
}

/// The largest value that FFmpeg's meter shows wherever its steps of 100 ms begin: ours are of 10 ms.
fn by_ffmpeg_anywhere(path: &Path, stream: u32, name: &str) -> f64 {
    let shifted = |step: u32| largest(&values(&metadata(path, stream, f64::from(step) / 100.0), name));
    (0..10).map(shifted).fold(f64::NEG_INFINITY, f64::max)
}

fn sound(track: &AudioMeasurement) -> &SoundMeasurement {
    track.sound.as_ref().unwrap()
}

/// Holds each track of a file against FFmpeg's meter.
fn assert_agrees(name: &str, path: &Path) {
    for track in &measured(path).audio {
        let ours = &sound(track).loudness;
        let theirs = by_ffmpeg(path, track.index);
        let name = format!("{name}, stream {}", track.index);
        println!("{name}: {ours:?}; {theirs:?}");
        let near = |what: &str, found: Option<f64>, expected: f64, tolerance: f64, none: f64| {
            let is_near = match found {
                Some(found) => (found - expected).abs() <= tolerance,
                None => expected <= none,
            };
            assert!(is_near, "{name}: {what} {found:?}, by FFmpeg {expected}: {ours:?}; {theirs:?}");
        };
        near("integrated", ours.integrated_lufs, theirs.integrated, LOUDNESS, NONE);
        near("range", ours.range_lu, theirs.range, LOUDNESS, 0.0);
        near("true peak", ours.true_peak_dbtp, theirs.true_peak, TRUE_PEAK, f64::NEG_INFINITY);
        for (kind, found, expected) in [
            ("M", ours.maximum_momentary_lufs, theirs.momentary),
            ("S", ours.maximum_short_term_lufs, theirs.short_term),
        ] {
            // Nothing is said below what 16 bits hold.
            let Some(found) = found else {
                assert!(expected < -99.9, "{name}: {kind} {expected} by FFmpeg");
                continue;
            };
            assert!(found >= expected - LOUDNESS, "{name}: {kind} {found}, by FFmpeg {expected}");
            let most = if found <= expected + LOUDNESS {
                expected
            } else {
                by_ffmpeg_anywhere(path, track.index, kind)
            };
            assert!(found <= most + LOUDNESS, "{name}: {kind} {found}, by FFmpeg {most} at most");
        }
    }
}

/// A file of 24 bits with these channels.
fn wave(clips: &Clips, channels: &[String], seconds: f64) -> PathBuf {
    clips.make("programme.wav", &format!("{} -c:a pcm_s24le", source(channels, seconds)))
}

/// The tone, for so many seconds at each level in dBFS.
fn tones(parts: &[(f64, f64)]) -> (String, f64) {
    let mut end = 0.0;
    let level: Vec<String> = parts
        .iter()
        .map(|(seconds, dbfs)| {
            let start = end;
            end += seconds;
            format!("{:.7}*gte(t,{start})*lt(t,{end})", amplitude(*dbfs))
        })
        .collect();
    (format!("({})*sin(2*PI*1000*t)", level.join("+")), end)
}

fn assert_near(case: &str, found: Option<f64>, expected: f64, tolerance: f64) {
    assert!(
        found.is_some_and(|found| (found - expected).abs() <= tolerance),
        "{case}: {found:?}, not {expected}"
    );
}

#[test]
fn programmes_of_tech_3341_have_their_loudness() {
    let clips = Clips::new();
    for (case, parts) in [
        ("case 1", &[(20.0, -23.0)][..]),
        ("case 2", &[(20.0, -33.0)]),
        ("case 3", &[(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)]),
        ("case 4", &[(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)]),
        ("case 5", &[(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)]),
    ] {
        let (tone, seconds) = tones(parts);
        let path = wave(&clips, &[tone.clone(), tone], seconds);
        let expected = if case == "case 2" { -33.0 } else { -23.0 };
        let found = measured(&path).audio.remove(0).sound.unwrap().loudness;
        assert_near(case, found.integrated_lufs, expected, LOUDNESS);
        assert_agrees(case, &path);
    }
    let [front, centre, surround] = [-28.0, -24.0, -30.0].map(|level| tone(level, 0.0));
    let path = wave(&clips, &[front.clone(), front, centre, surround.clone(), surround], 20.0);
    let found = measured(&path).audio.remove(0).sound.unwrap().loudness;
    assert_near("case 6", found.integrated_lufs, -23.0, LOUDNESS);
    assert_agrees("case 6", &path);
}

#[test]
fn momentary_and_short_term_loudness_of_tech_3341_stand_still() {
    let clips = Clips::new();
    let (short, seconds) = tones(&[(1.34, -20.0), (1.66, -30.0)].repeat(5));
    let path = wave(&clips, &[short.clone(), short], seconds);
    for value in sound(&measured(&path).audio[0]).short_term.values.iter().skip(30) {
        assert_near("case 9", value.map(f64::from), -23.0, LOUDNESS);
    }
    assert_agrees("case 9", &path);
    let (momentary, seconds) = tones(&[(0.18, -20.0), (0.22, -30.0)].repeat(25));
    let path = wave(&clips, &[momentary.clone(), momentary], seconds);
    for value in sound(&measured(&path).audio[0]).momentary.values.iter().skip(10) {
        assert_near("case 12", value.map(f64::from), -23.0, LOUDNESS);
    }
    assert_agrees("case 12", &path);
}

/// From 0.2 dB too high to 0.4 dB too low.
#[test]
fn true_peaks_of_tech_3341_are_found() {
    let clips = Clips::new();
    for (case, peak, divisor, degrees, expected) in [
        ("case 15", 0.5, 4, 0.0, -6.0),
        ("case 16", 0.5, 4, 45.0, -6.0),
        ("case 17", 0.5, 6, 60.0, -6.0),
        ("case 18", 0.5, 8, 67.5, -6.0),
        ("case 19", 1.41, 4, 45.0, 3.0),
    ] {
        // Faded in and out over 10 ms.
        let fade = "min(1,min(t,1-t)/0.01)";
        let wave_form = format!("{peak}*{fade}*sin(2*PI*(n/{divisor}+{degrees}/360))");
        let path = wave(&clips, &[wave_form.clone(), wave_form], 1.0);
        let found = measured(&path).audio.remove(0).sound.unwrap().loudness.true_peak_dbtp.unwrap();
        assert!(found <= expected + 0.2 && found >= expected - 0.4, "{case}: {found}, not {expected}");
        assert_agrees(case, &path);
    }
}

#[test]
fn programmes_of_tech_3342_have_their_loudness_range() {
    let clips = Clips::new();
    for (case, levels, expected) in [
        ("case 1", &[-20.0, -30.0][..], 10.0),
        ("case 2", &[-20.0, -15.0], 5.0),
        ("case 3", &[-40.0, -20.0], 20.0),
        ("case 4", &[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ] {
        let parts: Vec<_> = levels.iter().map(|level| (20.0, *level)).collect();
        let (tone, seconds) = tones(&parts);
        let path = wave(&clips, &[tone.clone(), tone], seconds);
        let found = measured(&path).audio.remove(0).sound.unwrap().loudness;
        assert_near(case, found.range_lu, expected, 1.0);
        assert_agrees(case, &path);
    }
}

/// Pink noise whose level wanders and jumps, at several rates, in several layouts and codecs.
#[test]
fn ffmpeg_measures_the_same_of_noise() {
    let clips = Clips::new();
    let wandering = "volume=volume='0.05+0.9*pow(abs(sin(t*0.7)),6)+0.4*lt(mod(t,5),0.3)':eval=frame";
    for (name, rate, channels, layout, codec) in [
        ("stereo.wav", 48_000, 2, "stereo", "pcm_s16le"),
        ("mono.wav", 44_100, 1, "mono", "pcm_s24le"),
        ("surround.mov", 48_000, 6, "5.1(side)", "pcm_s24le"),
        ("fast.flac", 96_000, 2, "stereo", "flac"),
        ("slow.wav", 32_000, 2, "stereo", "pcm_f32le"),
        ("coded.mp4", 48_000, 2, "stereo", "aac"),
    ] {
        let inputs: String = (1..=channels)
            .map(|seed| format!("-f lavfi -i anoisesrc=c=pink:r={rate}:seed={seed}:a=0.7:d=60 "))
            .collect();
        let merged: String = (0..channels).map(|input| format!("[{input}]")).collect();
        let merge = if channels == 1 { "anull".to_owned() } else { format!("amerge=inputs={channels}") };
        let path = clips.make(
            name,
            &format!(
                "{inputs} -filter_complex {merged}{merge},{wandering},aformat=channel_layouts={layout} -c:a {codec}"
            ),
        );
        assert_agrees(name, &path);
    }
}

#[test]
fn ffmpeg_measures_the_same_of_real_clips() {
    for name in ["bigbuckbunny.mp4", "car-detection.mp4", "svt_8mono_720p50.mp4"] {
        assert_agrees(name, &clips::real(name));
    }
}

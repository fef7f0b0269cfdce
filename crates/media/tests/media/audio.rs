//! Audio renditions.

use std::path::{Path, PathBuf};

use reelfarm_media::{MediaError, encode_audio};
use reelfarm_model::ladder::ChannelLayout::{Stereo, Surround51};
use reelfarm_model::qc::AudioSource;
use reelfarm_model::task::AudioRenditionSpec;

use crate::support::{Workspace, audio_spec, decode, probe, real_clip, rendition};

const VIDEO: &str = "-c:v libx264 -preset ultrafast";

fn track(stream: u32) -> AudioSource {
    AudioSource::Track { stream }
}

fn encode(
    workspace: &Workspace,
    source: &Path,
    frames: u64,
    renditions: Vec<AudioRenditionSpec>,
) -> Vec<PathBuf> {
    let outputs: Vec<_> =
        (0..renditions.len()).map(|index| workspace.path(&format!("rendition-{index}.mp4"))).collect();
    encode_audio(source, &audio_spec(25, frames, renditions), &outputs, &mut |_| ()).unwrap();
    outputs
}

/// Samples as a player plays them, one list a channel.
fn played(path: &Path, channels: usize) -> Vec<Vec<f32>> {
    let bytes = decode(path, "-f f32le");
    let samples: Vec<f32> =
        bytes.as_chunks::<4>().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect();
    (0..channels).map(|channel| samples.iter().skip(channel).step_by(channels).copied().collect()).collect()
}

/// The amplitude of a steady sine in the middle of the samples.
fn amplitude(samples: &[f32]) -> f64 {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let power = middle.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / middle.len() as f64;
    (2.0 * power).sqrt()
}

/// The time of the first sample that is loud.
fn onset(samples: &[f32]) -> f64 {
    samples.iter().position(|sample| sample.abs() > 0.2).unwrap() as f64 / 48_000.0
}

fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, not {expected}");
}

#[test]
fn sound_stays_in_step_with_the_picture_and_ends_with_it() {
    // A burst one second after the audio track begins; when that is after the first picture varies.
    let burst = "aevalsrc=if(between(t\\,1\\,1.2)\\,0.8*sin(2*PI*1000*t)\\,0):s=44100:d=3";
    let picture = "testsrc2=s=160x96:r=25:d=4";
    for (name, source, expected) in [
        ("together.mp4", format!("-f lavfi -i {picture} -f lavfi -i {burst} {VIDEO} -c:a aac"), 1.0),
        (
            "late-sound.mp4",
            format!("-f lavfi -i {picture} -itsoffset 0.5 -f lavfi -i {burst} {VIDEO} -c:a aac"),
            1.5,
        ),
        (
            "late-sound.ts",
            format!("-f lavfi -i {picture} -itsoffset 0.5 -f lavfi -i {burst} {VIDEO} -bf 2 -c:a mp2"),
            1.5,
        ),
        (
            "late-picture.mkv",
            format!("-itsoffset 0.4 -f lavfi -i {picture} -f lavfi -i {burst} {VIDEO} -c:a pcm_s16le"),
            0.6,
        ),
        (
            "far.ts",
            format!("-f lavfi -i {picture} -f lavfi -i {burst} {VIDEO} -c:a mp2 -output_ts_offset 5000"),
            1.0,
        ),
    ] {
        let workspace = Workspace::new();
        let source = workspace.make(name, &source);
        let outputs = encode(&workspace, &source, 100, vec![rendition(Stereo, track(1))]);
        let samples = played(&outputs[0], 2);
        // Far less than an AAC frame (21 ms): the sources' own clocks tick up to a millisecond apart.
        assert_near(onset(&samples[0]), expected, 0.003, name);
        let duration: f64 = probe(&outputs[0], "-show_entries stream=duration")[0].parse().unwrap();
        assert_near(duration, 4.0, 1.0 / 48_000.0, name);
        assert!(
            (192_000..192_000 + 1024).contains(&samples[0].len()),
            "{name}: {} samples",
            samples[0].len()
        );
        assert_eq!(
            probe(&outputs[0], "-show_entries stream=codec_name,profile,sample_rate,channels"),
            ["aac,LC,48000,2"]
        );
    }
}

#[test]
fn sound_longer_than_the_picture_is_cut_to_the_sample() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "long.mp4",
        &format!("-f lavfi -i testsrc2=s=160x96:r=25:d=1 -f lavfi -i sine=r=48000:d=5 {VIDEO} -c:a aac"),
    );
    let outputs = encode(&workspace, &source, 25, vec![rendition(Stereo, track(1))]);
    let duration: f64 = probe(&outputs[0], "-show_entries stream=duration")[0].parse().unwrap();
    assert_near(duration, 1.0, 1.0 / 48_000.0, "duration");
}

#[test]
fn a_gap_in_the_sound_stays_a_gap() {
    let workspace = Workspace::new();
    // A second of sound is missing in the middle; what follows must not move forward.
    let source = workspace.make(
        "gap.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=160x96:r=25:d=4 -f lavfi -i aevalsrc=if(gte(t\\,3)\\,0.8*sin(2*PI*1000*t)\\,0):s=48000:d=4 \
             -af aselect='not(between(t,1,2))' {VIDEO} -c:a pcm_s16le"
        ),
    );
    let outputs = encode(&workspace, &source, 100, vec![rendition(Stereo, track(1))]);
    assert_near(onset(&played(&outputs[0], 2)[0]), 3.0, 0.003, "the sound after the gap");
}

/// The amplitude of the steady sine in each channel: FL FR FC LFE BL BR.
const AMPLITUDES: [f64; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

fn sine(amplitude: f64) -> String {
    format!("-f lavfi -i aevalsrc={amplitude}*sin(2*PI*100*t):s=48000:d=2")
}

fn mixed_down(front: f64, centre: f64, back: f64) -> f64 {
    let share = std::f64::consts::FRAC_1_SQRT_2;
    (front + share * centre + share * back) / (1.0 + 2.0 * share)
}

#[test]
fn six_mono_tracks_become_surround_in_order_and_mix_down_without_clipping() {
    let workspace = Workspace::new();
    let sines: String = AMPLITUDES.iter().map(|amplitude| sine(*amplitude) + " ").collect();
    let maps: String = (0..=6).map(|input| format!("-map {input} ")).collect();
    let source = workspace.make(
        "mono.mov",
        &format!("-f lavfi -i testsrc2=s=160x96:r=25:d=2 {sines} {maps} {VIDEO} -c:a pcm_s24le"),
    );
    let from = AudioSource::MonoTracks { streams: (1..=6).collect() };
    let outputs =
        encode(&workspace, &source, 50, vec![rendition(Surround51, from.clone()), rendition(Stereo, from)]);
    assert_eq!(probe(&outputs[0], "-show_entries stream=channel_layout"), ["5.1"]);
    for (channel, (samples, expected)) in played(&outputs[0], 6).iter().zip(AMPLITUDES).enumerate() {
        assert_near(amplitude(samples), expected, 0.02, &format!("channel {channel}"));
    }
    let stereo = played(&outputs[1], 2);
    assert_near(amplitude(&stereo[0]), mixed_down(0.1, 0.3, 0.5), 0.01, "left");
    assert_near(amplitude(&stereo[1]), mixed_down(0.2, 0.3, 0.6), 0.01, "right");
}

#[test]
fn surround_tracks_keep_their_order_in_either_form() {
    for layout in ["5.1", "5.1(side)"] {
        let workspace = Workspace::new();
        let sines: String = AMPLITUDES.iter().map(|amplitude| sine(*amplitude) + " ").collect();
        let backs = if layout == "5.1" { ["BL", "BR"] } else { ["SL", "SR"] };
        let source = workspace.make(
            "surround.mkv",
            &format!(
                "-f lavfi -i testsrc2=s=160x96:r=25:d=2 {sines} -filter_complex \
                 [1:a][2:a][3:a][4:a][5:a][6:a]join=inputs=6:channel_layout={layout}:map=0.0-FL|1.0-FR|2.0-FC|3.0-LFE|4.0-{}|5.0-{}[a] \
                 -map 0 -map [a] {VIDEO} -c:a flac",
                backs[0], backs[1]
            ),
        );
        let outputs = encode(
            &workspace,
            &source,
            50,
            vec![rendition(Surround51, track(1)), rendition(Stereo, track(1))],
        );
        for (channel, (samples, expected)) in played(&outputs[0], 6).iter().zip(AMPLITUDES).enumerate() {
            assert_near(amplitude(samples), expected, 0.02, &format!("{layout}, channel {channel}"));
        }
        let stereo = played(&outputs[1], 2);
        assert_near(amplitude(&stereo[0]), mixed_down(0.1, 0.3, 0.5), 0.01, layout);
    }
}

#[test]
fn loud_surround_does_not_clip_in_stereo() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "loud.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i aevalsrc=0.9*sin(2*PI*100*t):s=48000:d=2 \
             -filter_complex [1:a]pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0[a] -map 0 -map [a] {VIDEO} -c:a pcm_s16le"
        ),
    );
    let outputs = encode(&workspace, &source, 50, vec![rendition(Stereo, track(1))]);
    assert_near(amplitude(&played(&outputs[0], 2)[0]), 0.9, 0.02, "every channel loud at once");
}

#[test]
fn mono_goes_to_both_sides_as_it_is() {
    let workspace = Workspace::new();
    let source = workspace
        .make("mono.mp4", &format!("-f lavfi -i testsrc2=s=160x96:r=25:d=2 {} {VIDEO} -c:a aac", sine(0.5)));
    let outputs = encode(&workspace, &source, 50, vec![rendition(Stereo, track(1))]);
    for samples in played(&outputs[0], 2) {
        assert_near(amplitude(&samples), 0.5, 0.01, "a side");
    }
}

#[test]
fn a_track_that_ends_early_ends_in_silence() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "early.mov",
        &format!(
            "-f lavfi -i testsrc2=s=160x96:r=25:d=2 {} -f lavfi -i aevalsrc=0.5*sin(2*PI*100*t):s=48000:d=0.5 -map 0 -map 1 -map 2 {VIDEO} -c:a pcm_s16le",
            sine(0.5)
        ),
    );
    let from = AudioSource::MonoTracks { streams: vec![1, 2] };
    let outputs = encode(&workspace, &source, 50, vec![rendition(Stereo, from)]);
    let sides = played(&outputs[0], 2);
    assert_near(amplitude(&sides[0]), 0.5, 0.02, "the whole track");
    assert_near(amplitude(&sides[1]), 0.0, 0.02, "the short track");
}

#[test]
fn a_real_film_with_eight_mono_tracks_becomes_surround_and_stereo() {
    let workspace = Workspace::new();
    let source = real_clip("svt_8mono_720p50.mp4");
    let surround = AudioSource::MonoTracks { streams: (1..=6).collect() };
    let pair = AudioSource::MonoTracks { streams: vec![7, 8] };
    let renditions =
        vec![rendition(Surround51, surround.clone()), rendition(Stereo, surround), rendition(Stereo, pair)];
    let outputs: Vec<_> = ["a.mp4", "b.mp4", "c.mp4"].map(|name| workspace.path(name)).into();
    let spec = audio_spec(50, 500, renditions);
    encode_audio(&source, &spec, &outputs, &mut |_| ()).unwrap();
    let again: Vec<_> = ["d.mp4", "e.mp4", "f.mp4"].map(|name| workspace.path(name)).into();
    encode_audio(&source, &spec, &again, &mut |_| ()).unwrap();
    for (output, again) in outputs.iter().zip(&again) {
        let duration: f64 = probe(output, "-show_entries stream=duration")[0].parse().unwrap();
        assert_near(duration, 10.0, 1.0 / 48_000.0, "duration");
        assert!(
            fs_err::read(output).unwrap() == fs_err::read(again).unwrap(),
            "a second run gives other bytes"
        );
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let workspace = Workspace::new();
    let source = workspace
        .make("mono.mp4", &format!("-f lavfi -i testsrc2=s=160x96:r=25:d=1 {} {VIDEO} -c:a aac", sine(0.5)));
    let attempt = |from, layout| {
        let spec = audio_spec(25, 25, vec![rendition(layout, from)]);
        encode_audio(&source, &spec, &[workspace.path("a.mp4")], &mut |_| ()).unwrap_err()
    };
    assert!(matches!(attempt(track(1), Surround51), MediaError::Unsupported(_)));
    assert!(matches!(attempt(track(0), Stereo), MediaError::Track { stream: 0, .. }));
    assert!(matches!(attempt(track(9), Stereo), MediaError::Track { stream: 9, .. }));
}

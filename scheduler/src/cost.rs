//! Rough costs of tasks, by their specifications alone: for the share of a title that is done, and for the order of titles
//! until it is known from the farm's own history how long such tasks take. Pure.
//!
//! The constants were read off runs on a two-core x86-64 machine (docs/benchmarks.md). Being wrong by half makes a progress
//! bar uneven; order follows from their sums, which are compared with the hours until a title is due.

use reelfarm_model::ladder::VideoCodec;
use reelfarm_model::task::{EncodeVideoSpec, PackageSpec, TrialSpec};
use reelfarm_model::{Rung, SourceReference, Task, TaskKind, TaskSpec};

/// Picture elements a second that one processor decodes and scales.
const DECODE_RATE: f64 = 150e6;
/// Picture elements a second that one processor scales and compares.
const COMPARE_RATE: f64 = 100e6;
/// Seconds of sound that one processor encodes in a second.
const AUDIO_SPEED: f64 = 60.0;
/// Seconds of one rendition that packaging, reading back or copying gets through in a second.
const PACKAGE_SPEED: f64 = 400.0;
/// What starting any task costs.
const START: f64 = 0.05;
/// Bytes of a source that one processor hashes in a second.
const HASH_RATE: f64 = 400e6;
/// Bytes of a source that one processor decodes and measures in a second: HD at 8 Mb/s some ten times as fast as it plays.
const MEASURE_RATE: f64 = 10e6;
/// How long a title takes from QC on for each byte of its source, in seconds, before QC has said how long it plays: HD at 8
/// Mb/s in the time in which it plays, as the default ladder takes on two processors.
const REST_OF_A_BYTE: f64 = 1e-6;

/// How long a task takes that reads this source, in milliseconds; nothing where it reads one that is not known.
pub fn cost_ms(task: &Task, source: Option<&SourceReference>) -> i64 {
    let reading = match (task.spec.kind(), source) {
        (TaskKind::Fingerprint, Some(source)) => source.size as f64 / HASH_RATE,
        (TaskKind::Qc, Some(source)) => source.size as f64 / MEASURE_RATE,
        (TaskKind::Fingerprint | TaskKind::Qc, None) => return 0,
        _ => 0.0,
    };
    ((cost(task) + reading) * 1e3).round() as i64
}

/// Samples of a picture of HD.
const HD_SAMPLES: f64 = 1920.0 * 1080.0;

/// What is left of a title's critical path after a task that is done before the title is planned, in milliseconds: guessed
/// from the size of the source. After a withdrawal there is nothing. `is_measured` is whether the farm measures the source.
pub fn after_ms(task: &Task, source: &SourceReference, is_measured: bool) -> i64 {
    let rest = (source.size as f64 * REST_OF_A_BYTE * 1e3).round() as i64;
    if let TaskSpec::Trial(TrialSpec { video, .. }) = &task.spec {
        // Its length is known, and HD takes about as long as it plays.
        let pictures = f64::from(video.width) * f64::from(video.height) / HD_SAMPLES;
        return (video.duration_ms() as f64 * pictures).round() as i64;
    }
    match task.spec.kind() {
        TaskKind::Withdraw => 0,
        TaskKind::Fingerprint | TaskKind::Subtitles if is_measured => {
            (source.size as f64 / MEASURE_RATE * 1e3).round() as i64 + rest
        }
        _ => rest,
    }
}

/// The estimated work of a task in seconds of one processor.
pub fn cost(task: &Task) -> f64 {
    START
        + match &task.spec {
            TaskSpec::EncodeVideo(spec) => encode_video(spec),
            TaskSpec::Trial(spec) => trial(spec),
            TaskSpec::AssembleVideo(spec) => {
                spec.frame_count() as f64 / f64::from(spec.frame_rate.max(1)) / PACKAGE_SPEED
            }
            TaskSpec::EncodeAudio(spec) => {
                let seconds = spec.frame_count as f64 / f64::from(spec.frame_rate.max(1));
                seconds * spec.renditions.len() as f64 / AUDIO_SPEED
            }
            TaskSpec::Package(spec) => package(spec),
            TaskSpec::Verify(spec) => package(&spec.package),
            TaskSpec::Fingerprint(_)
            | TaskSpec::Qc(_)
            | TaskSpec::Subtitles(_)
            | TaskSpec::Keys(_)
            | TaskSpec::Manifest(_)
            | TaskSpec::Upload(_)
            | TaskSpec::Publish(_)
            | TaskSpec::Withdraw(_) => 0.0,
        }
}

fn encode_video(spec: &EncodeVideoSpec) -> f64 {
    let before = spec.chunk.map_or(0, |chunk| chunk.first_frame.saturating_sub(chunk.decoding.key_frame));
    let frames = spec.frame_count() as f64;
    let source = f64::from(spec.video.width) * f64::from(spec.video.height);
    let encode: f64 = spec
        .rungs
        .iter()
        .map(|rung| f64::from(rung.width) * f64::from(rung.height) / encode_rate(&rung.rung))
        .sum();
    (frames + before as f64) * source / DECODE_RATE + frames * encode
}

/// Of each CRF an encode of the stretch, and twice its decode for those that are encoded at once.
fn trial(spec: &TrialSpec) -> f64 {
    let before = spec.stretch.first_frame.saturating_sub(spec.stretch.decoding.key_frame);
    let frames = spec.stretch.frame_count as f64;
    let source = f64::from(spec.video.width) * f64::from(spec.video.height);
    let shown = f64::from(spec.shown_width) * f64::from(spec.shown_height);
    let encode = f64::from(spec.rung.width) * f64::from(spec.rung.height) / encode_rate(&spec.rung.rung);
    let of_each = encode + shown / COMPARE_RATE;
    let decodes = 2.0 * spec.crfs.len().div_ceil(spec.at_once()) as f64;
    decodes * (frames + before as f64) * source / DECODE_RATE + frames * spec.crfs.len() as f64 * of_each
}

/// How much more a picture takes x265 than x264 at the same preset.
const HEVC_FACTOR: f64 = 5.0;

/// Picture elements a second that one thread of a rung's encoder encodes.
fn encode_rate(rung: &Rung) -> f64 {
    let x264 = match rung.preset.as_str() {
        "ultrafast" => 220e6,
        "superfast" => 140e6,
        "veryfast" => 80e6,
        "faster" => 50e6,
        "fast" => 38e6,
        "medium" => 30e6,
        "slow" => 18e6,
        "slower" => 8e6,
        _ => 4e6,
    };
    match rung.codec {
        VideoCodec::H264 => x264,
        VideoCodec::Hevc => x264 / HEVC_FACTOR,
    }
}

fn package(spec: &PackageSpec) -> f64 {
    let seconds =
        spec.video.first().map_or(0.0, |video| video.frame_count as f64 / f64::from(video.frame_rate.max(1)));
    seconds * (spec.video.len() + spec.audio.len()) as f64 / PACKAGE_SPEED
}

//! Rough costs of tasks, for the share of a title that is done. Pure; only ratios matter.
//!
//! The constants were read off runs on a two-core x86-64 machine (docs/benchmarks.md); being wrong by half makes a
//! progress bar uneven and nothing else.

use reelfarm_model::task::{EncodeVideoSpec, PackageSpec};
use reelfarm_model::{Task, TaskSpec};

/// Picture elements a second that one processor decodes and scales.
const DECODE_RATE: f64 = 150e6;
/// Seconds of sound that one processor encodes in a second.
const AUDIO_SPEED: f64 = 60.0;
/// Seconds of one rendition that packaging, reading back or copying gets through in a second.
const PACKAGE_SPEED: f64 = 400.0;
/// What starting any task costs.
const START: f64 = 0.05;

/// The estimated work of a task in seconds of one processor.
pub fn cost(task: &Task) -> f64 {
    START
        + match &task.spec {
            TaskSpec::EncodeVideo(spec) => encode_video(spec),
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
    let frames = spec.video.frame_count as f64;
    let source = f64::from(spec.video.width) * f64::from(spec.video.height);
    let encode: f64 = spec
        .rungs
        .iter()
        .map(|rung| f64::from(rung.width) * f64::from(rung.height) / encode_rate(&rung.rung.preset))
        .sum();
    frames * (source / DECODE_RATE + encode)
}

/// Picture elements a second that one thread of x264 encodes.
fn encode_rate(preset: &str) -> f64 {
    match preset {
        "ultrafast" => 220e6,
        "superfast" => 140e6,
        "veryfast" => 80e6,
        "faster" => 50e6,
        "fast" => 38e6,
        "medium" => 30e6,
        "slow" => 18e6,
        "slower" => 8e6,
        _ => 4e6,
    }
}

fn package(spec: &PackageSpec) -> f64 {
    let seconds =
        spec.video.first().map_or(0.0, |video| video.frame_count as f64 / f64::from(video.frame_rate.max(1)));
    seconds * (spec.video.len() + spec.audio.len()) as f64 / PACKAGE_SPEED
}

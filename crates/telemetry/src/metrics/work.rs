//! What workers do, and what their hosts have.

use std::sync::PoisonError;

use reelfarm_model::ladder::VideoCodec;
use reelfarm_model::profile::MediaFormat;
use reelfarm_model::task::RungSpec;

use super::{Metrics, signed};
use crate::usage::usage;

pub(super) const FORMATS: [MediaFormat; 5] = [
    MediaFormat::Cmaf,
    MediaFormat::SingleFile,
    MediaFormat::Ts,
    MediaFormat::Smooth,
    MediaFormat::Progressive,
];
pub(super) const CODECS: [VideoCodec; 2] = [VideoCodec::H264, VideoCodec::Hevc];
pub(super) const SIZES: [&str; 4] = ["sd", "hd", "full-hd", "uhd"];

pub(super) const fn codec_name(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "h264",
        VideoCodec::Hevc => "hevc",
    }
}

pub(super) const fn format_name(format: MediaFormat) -> &'static str {
    match format {
        MediaFormat::Cmaf => "cmaf",
        MediaFormat::SingleFile => "single-file",
        MediaFormat::Ts => "ts",
        MediaFormat::Smooth => "smooth",
        MediaFormat::Progressive => "progressive",
    }
}

/// The class of a picture's size, upright or not.
fn size(rung: &RungSpec) -> &'static str {
    let (long, short) = (rung.width.max(rung.height), rung.width.min(rung.height));
    // Wide pictures have fewer lines than others of their size.
    match short.max(long * 9 / 16) {
        0..=576 => "sd",
        577..=720 => "hd",
        721..=1080 => "full-hd",
        _ => "uhd",
    }
}

impl Metrics {
    /// A video encode completed: of these rungs, with so many frames each, at `speed` seconds of film per
    /// second of work.
    pub fn video_encoded(&self, rungs: &[RungSpec], frames: u64, speed: f64) {
        self.shared.encoded_frames.inc_by(frames.saturating_mul(rungs.len() as u64));
        let largest = rungs.iter().max_by_key(|rung| u64::from(rung.width) * u64::from(rung.height));
        if let Some(largest) = largest {
            let labels = [codec_name(largest.rung.codec), size(largest)];
            self.shared.encode_speed.with_label_values(&labels).observe(speed);
        }
    }

    /// A media set was packaged.
    pub fn media_set_packaged(&self, format: MediaFormat) {
        self.shared.media_sets_packaged.with_label_values(&[format_name(format)]).inc();
    }

    /// A profile is about to be read back: its counts are there, so that the first is an increase.
    pub fn profile_to_verify(&self, profile: &str) {
        for outcome in ["passed", "failed"] {
            self.shared.profiles_verified.with_label_values(&[profile, outcome]);
        }
    }

    /// A profile was read back.
    pub fn profile_verified(&self, profile: &str, passed: bool) {
        let outcome = if passed { "passed" } else { "failed" };
        self.shared.profiles_verified.with_label_values(&[profile, outcome]).inc();
    }

    /// Replaces the bytes of the disk that work is staged on: free, and in all.
    pub fn set_disk(&self, free: u64, size: u64) {
        self.shared.disk_free.with_label_values::<&str>(&[]).set(signed(free));
        self.shared.disk_size.with_label_values::<&str>(&[]).set(signed(size));
    }

    /// Replaces whether messages pass to and from the broker.
    pub fn set_broker_connected(&self, is_connected: bool) {
        self.shared.broker_connected.with_label_values::<&str>(&[]).set(i64::from(is_connected));
    }

    /// Takes in what this process uses, at the time at which somebody asks.
    pub(super) fn see_usage(&self) {
        let Some(usage) = usage() else { return };
        let mut before = self.shared.usage.lock().unwrap_or_else(PoisonError::into_inner);
        // The time of a child that has ended is nobody's for a moment, and lost where somebody else buries it.
        self.shared.cpu.inc_by((usage.cpu_seconds - before.cpu_seconds).max(0.0));
        *before = usage;
        self.shared.memory.with_label_values::<&str>(&[]).set(signed(usage.memory_bytes));
    }
}

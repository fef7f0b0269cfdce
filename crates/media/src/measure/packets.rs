//! What the packets of a video track tell before they are decoded.

use ffmpeg_next::Packet;
use reelfarm_model::measurement::{Ratio, VideoMeasurement};

use super::bitrate::BitrateRecorder;
use crate::ffmpeg::track;

/// Key frames of which all times are kept.
const KEPT_KEY_FRAMES: usize = 20_000;
/// Where there are more, the last one in each so many seconds is kept: chunks start that far apart.
const CHUNK_STEP: f64 = 2.0;
/// No more than that, however long the file goes on: those of 27 hours.
const MOST_KEY_FRAMES: usize = 50_000;
/// Clocks round: a key frame so little after a step is the one that the step wants, in seconds.
const ROUNDING: f64 = 0.002;

/// Gathers what packets tell.
pub(super) struct PacketFacts {
    time_base: Ratio,
    bytes: u64,
    key_frames: u64,
    key_frame_times: Vec<f64>,
    /// Whether only some of the key frames are kept.
    is_thinned: bool,
    last_key_time: Option<i64>,
    longest_key_frame_distance: f64,
    leading_pictures: u64,
    first_time: Option<f64>,
    bitrate: BitrateRecorder,
}

impl PacketFacts {
    /// Of packets whose times are in units of `time_base`.
    pub(super) fn new(time_base: Ratio) -> Self {
        Self {
            time_base,
            bytes: 0,
            key_frames: 0,
            key_frame_times: Vec::new(),
            is_thinned: false,
            last_key_time: None,
            longest_key_frame_distance: 0.0,
            leading_pictures: 0,
            first_time: None,
            bitrate: BitrateRecorder::default(),
        }
    }

    /// Takes in a packet, and gives the time from which on it is shown, in seconds.
    pub(super) fn packet(&mut self, packet: &Packet) -> Option<f64> {
        let ticks = packet.pts().or(packet.dts());
        let time = ticks.map(|ticks| self.seconds(ticks));
        let bytes = packet.size() as u64;
        self.bytes += bytes;
        self.bitrate.push(time, self.seconds(packet.duration()), bytes);
        if packet.is_key() {
            self.key_frame(ticks);
        } else if self.last_key_time > packet.pts() && packet.pts().is_some() {
            self.leading_pictures += 1;
        }
        // A decoder that starts may drop pictures before and behind the first key frame; times may go back later on.
        if self.key_frames < 2 && !track::is_hidden(packet) {
            let shown = packet.pts().map(|ticks| self.seconds(ticks));
            self.first_time = self.first_time.into_iter().chain(shown).reduce(f64::min);
        }
        time
    }

    fn key_frame(&mut self, ticks: Option<i64>) {
        self.key_frames += 1;
        let Some(ticks) = ticks else { return };
        if let Some(last) = self.last_key_time.replace(ticks) {
            let distance = self.seconds(ticks.saturating_sub(last));
            self.longest_key_frame_distance = self.longest_key_frame_distance.max(distance);
        }
        // To a millionth, so that they are written with as many digits as they have.
        let time = (self.seconds(ticks) * 1e6).round() / 1e6;
        if self.is_thinned {
            self.keep_last_of_step(time);
        } else {
            self.key_frame_times.push(time);
            if self.key_frame_times.len() > KEPT_KEY_FRAMES {
                self.is_thinned = true;
                for time in std::mem::take(&mut self.key_frame_times) {
                    self.keep_last_of_step(time);
                }
            }
        }
    }

    /// Keeps a key frame in place of the one before, if that is in the same step. The first one stays, and a film without an end
    /// does not grow the list without one.
    fn keep_last_of_step(&mut self, time: f64) {
        let first = self.key_frame_times.first().copied().unwrap_or(time);
        let step = |time: f64| ((time - first - ROUNDING) / CHUNK_STEP).ceil();
        let count = self.key_frame_times.len();
        match self.key_frame_times.last_mut() {
            Some(last) if step(*last) == step(time) && *last != first => *last = time,
            _ if count < MOST_KEY_FRAMES => self.key_frame_times.push(time),
            _ => {}
        }
    }

    fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 * self.time_base.value().unwrap_or(0.0)
    }

    /// The measurement with what the packets told.
    pub(super) fn finish(self, measurement: VideoMeasurement) -> VideoMeasurement {
        VideoMeasurement {
            bytes: self.bytes,
            key_frames: self.key_frames,
            key_frame_times: self.key_frame_times,
            longest_key_frame_distance: self.longest_key_frame_distance,
            leading_pictures: self.leading_pictures,
            first_packet_time: self.first_time,
            bitrate: self.bitrate.finish(),
            ..measurement
        }
    }
}

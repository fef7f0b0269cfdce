//! Measuring a video track.

use ffmpeg_next::{Packet, Stream, frame};
use reelfarm_model::measurement::{Ratio, VideoMeasurement};

use super::grid::FrameTimes;
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::frame::{is_damaged, take};
use crate::ffmpeg::track;

/// Gathers a [`VideoMeasurement`].
pub(super) struct VideoMeter {
    decoder: Option<Decoder>,
    facts: FrameFacts,
    measurement: VideoMeasurement,
    last_key_time: Option<i64>,
}

/// What the decoded frames tell.
struct FrameFacts {
    times: FrameTimes,
    format: Option<(u32, u32, ffmpeg_next::format::Pixel)>,
    format_changes: u64,
    interlaced: u64,
    top_field_first: u64,
    errors: u64,
    first_error: Option<f64>,
}

impl VideoMeter {
    /// A meter for a track; without a decoder it counts packets only.
    pub(super) fn new(stream: &Stream, decoder: Option<Decoder>) -> Self {
        let facts = track::video(stream);
        let time_base = track::ratio(stream.time_base());
        let measurement = VideoMeasurement {
            index: u32::try_from(stream.index()).unwrap_or(u32::MAX),
            codec: track::codec_name(stream),
            width: facts.width,
            height: facts.height,
            sample_aspect: facts.sample_aspect,
            rotation: facts.rotation,
            pixel_format: facts.pixel_format,
            bit_depth: facts.bit_depth,
            header_frame_rate: track::ratio(stream.rate()),
            average_frame_rate: track::ratio(stream.avg_frame_rate()),
            time_base,
            header_frames: u64::try_from(stream.frames()).ok().filter(|frames| *frames > 0),
            frames: 0,
            first_time: 0.0,
            last_time: 0.0,
            missing_times: 0,
            backward_times: 0,
            grid: Vec::new(),
            intervals: Vec::new(),
            interlaced_frames: 0,
            top_field_first_frames: 0,
            format_changes: 0,
            decode_errors: 0,
            first_decode_error: None,
            bytes: 0,
            key_frames: 0,
            longest_key_frame_distance: 0.0,
            colour: facts.colour,
        };
        let facts = FrameFacts {
            times: FrameTimes::new(time_base),
            format: None,
            format_changes: 0,
            interlaced: 0,
            top_field_first: 0,
            errors: 0,
            first_error: None,
        };
        Self { decoder, facts, measurement, last_key_time: None }
    }

    /// Takes in a packet.
    pub(super) fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        self.measurement.bytes += packet.size() as u64;
        let time = packet.pts().or(packet.dts());
        if packet.is_key() {
            self.measurement.key_frames += 1;
            if let (Some(last), Some(time)) = (self.last_key_time, time) {
                let distance = seconds(time.saturating_sub(last), self.measurement.time_base);
                self.measurement.longest_key_frame_distance =
                    self.measurement.longest_key_frame_distance.max(distance);
            }
            self.last_key_time = time.or(self.last_key_time);
        }
        self.decode(Some(packet), time)
    }

    /// Takes in the end.
    pub(super) fn end(&mut self) -> Result<(), MediaError> {
        self.decode(None, None)
    }

    fn decode(&mut self, packet: Option<&Packet>, time: Option<i64>) -> Result<(), MediaError> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let time = time.map(|time| seconds(time, self.measurement.time_base));
        decoder.decode(packet, |decoded| {
            match decoded {
                Decoded::Frame(frame) => self.facts.frame(&take(frame).into()),
                Decoded::Error => self.facts.error(time),
            }
            Ok(())
        })
    }

    /// Frames so far.
    pub(super) fn frames(&self) -> u64 {
        self.facts.times.frames()
    }

    /// Errors so far.
    pub(super) fn decode_errors(&self) -> u64 {
        self.facts.errors
    }

    /// Seconds of the track decoded so far.
    pub(super) fn seconds(&self) -> f64 {
        self.facts.times.last_time() - self.facts.times.first_time()
    }

    /// The measurement.
    pub(super) fn finish(self) -> VideoMeasurement {
        let FrameFacts { times, format: _, format_changes, interlaced, top_field_first, errors, first_error } =
            self.facts;
        VideoMeasurement {
            frames: times.frames(),
            first_time: times.first_time(),
            last_time: times.last_time(),
            missing_times: times.missing(),
            backward_times: times.backward(),
            grid: times.fits(),
            intervals: times.intervals(),
            interlaced_frames: interlaced,
            top_field_first_frames: top_field_first,
            format_changes,
            decode_errors: errors,
            first_decode_error: first_error,
            ..self.measurement
        }
    }
}

impl FrameFacts {
    fn frame(&mut self, frame: &frame::Video) {
        self.times.push(frame.timestamp());
        let format = (frame.width(), frame.height(), frame.format());
        if self.format.replace(format).is_some_and(|before| before != format) {
            self.format_changes += 1;
        }
        if frame.is_interlaced() {
            self.interlaced += 1;
            self.top_field_first += u64::from(frame.is_top_first());
        }
        if is_damaged(frame) {
            self.error(frame.timestamp().map(|_| self.times.last_time()));
        }
    }

    fn error(&mut self, time: Option<f64>) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = time.or_else(|| (self.times.frames() > 0).then(|| self.times.last_time()));
        }
    }
}

fn seconds(ticks: i64, time_base: Ratio) -> f64 {
    ticks as f64 * time_base.value().unwrap_or(0.0)
}

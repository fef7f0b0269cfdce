//! Measuring an audio track.

use ffmpeg_next::{Frame, Packet, Stream};
use reelfarm_model::measurement::AudioMeasurement;

use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::{frame, track};

/// Gathers an [`AudioMeasurement`].
pub(super) struct AudioMeter {
    decoder: Option<Decoder>,
    measurement: AudioMeasurement,
    tick: f64,
    started: bool,
    peak: f64,
}

impl AudioMeter {
    /// A meter for a track; without a decoder it counts packets only.
    pub(super) fn new(stream: &Stream, decoder: Option<Decoder>) -> Self {
        let facts = track::audio(stream);
        let measurement = AudioMeasurement {
            index: u32::try_from(stream.index()).unwrap_or(u32::MAX),
            codec: track::codec_name(stream),
            sample_rate: facts.sample_rate,
            channels: facts.channels,
            layout: facts.layout,
            language: track::language(stream),
            samples: 0,
            first_time: 0.0,
            end_time: 0.0,
            peak_dbfs: None,
            decode_errors: 0,
            bytes: 0,
        };
        let tick = track::ratio(stream.time_base()).value().unwrap_or(0.0);
        Self { decoder, measurement, tick, started: false, peak: 0.0 }
    }

    /// Takes in a packet.
    pub(super) fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        self.measurement.bytes += packet.size() as u64;
        self.decode(Some(packet))
    }

    /// Takes in the end.
    pub(super) fn end(&mut self) -> Result<(), MediaError> {
        self.decode(None)
    }

    fn decode(&mut self, packet: Option<&Packet>) -> Result<(), MediaError> {
        let Some(mut decoder) = self.decoder.take() else { return Ok(()) };
        let result = decoder.decode(packet, |decoded| {
            match decoded {
                Decoded::Frame(frame) => self.frame(frame),
                Decoded::Error => self.measurement.decode_errors += 1,
            }
            Ok(())
        });
        self.decoder = Some(decoder);
        result
    }

    fn frame(&mut self, frame: &Frame) {
        let samples = frame::sample_count(frame);
        let rate = frame::sample_rate(frame).max(1);
        // A frame without a time follows the one before.
        let time = frame.timestamp().map_or(self.measurement.end_time, |ticks| ticks as f64 * self.tick);
        if !self.started {
            self.started = true;
            self.measurement.first_time = time;
        }
        self.measurement.samples += samples;
        self.measurement.end_time = time + samples as f64 / f64::from(rate);
        self.measurement.decode_errors += u64::from(frame::is_damaged(frame));
        self.peak = self.peak.max(frame::peak(frame));
    }

    /// Errors so far.
    pub(super) fn decode_errors(&self) -> u64 {
        self.measurement.decode_errors
    }

    /// Seconds of the track decoded so far.
    pub(super) fn seconds(&self) -> f64 {
        self.measurement.end_time - self.measurement.first_time
    }

    /// The measurement.
    pub(super) fn finish(self) -> AudioMeasurement {
        let peak_dbfs = (self.peak > 0.0).then(|| 20.0 * self.peak.log10());
        AudioMeasurement { peak_dbfs, ..self.measurement }
    }
}

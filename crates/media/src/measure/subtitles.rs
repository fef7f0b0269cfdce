//! Measuring a track of subtitles: what its packets tell, without decoding.

use ffmpeg_next::{Packet, Stream};
use reelfarm_model::measurement::{Span, Spans, SubtitleMeasurement};

use super::spans;
use crate::ffmpeg::track;

/// Gathers a [`SubtitleMeasurement`].
pub(super) struct SubtitleMeter {
    measurement: SubtitleMeasurement,
    tick: f64,
    /// When the last event so far ends, in ticks.
    end: Option<i64>,
}

impl SubtitleMeter {
    /// A meter for a track.
    pub(super) fn new(stream: &Stream) -> Self {
        let measurement = SubtitleMeasurement {
            index: u32::try_from(stream.index()).unwrap_or(u32::MAX),
            codec: track::codec_name(stream),
            language: track::language(stream),
            events: 0,
            overlaps: Spans::default(),
            end_time: 0.0,
        };
        let tick = track::ratio(stream.time_base()).value().unwrap_or(0.0);
        Self { measurement, tick, end: None }
    }

    /// Takes in a packet.
    pub(super) fn packet(&mut self, packet: &Packet) {
        // MP4 has no time without a sample: between texts lie some without any, of two bytes for the length.
        if self.measurement.codec == "mov_text" && packet.size() <= 2 {
            return;
        }
        self.measurement.events += 1;
        if let Some(start) = packet.pts().or(packet.dts()) {
            self.event(start, packet.duration());
        }
    }

    fn event(&mut self, start: i64, duration: i64) {
        let end = start.saturating_add(duration.max(0));
        // Where start and duration are rounded each by itself, they miss the next event's start by a tick.
        if let Some(before) = self.end.filter(|before| start.saturating_add(1) < *before) {
            let seconds = |ticks: i64| ticks as f64 * self.tick;
            let both = Span { start: seconds(start), end: seconds(before.min(end)) };
            spans::add(&mut self.measurement.overlaps, both);
        }
        self.end = Some(self.end.map_or(end, |before| before.max(end)));
    }

    /// The measurement.
    pub(super) fn finish(self) -> SubtitleMeasurement {
        let end_time = self.end.map_or(0.0, |end| end as f64 * self.tick);
        SubtitleMeasurement { end_time, ..self.measurement }
    }
}

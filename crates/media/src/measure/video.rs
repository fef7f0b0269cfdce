//! Measuring a video track.

use ffmpeg_next::frame::side_data::Type as SideData;
use ffmpeg_next::{Packet, Stream, frame};
use reelfarm_model::measurement::sampled::HdrMetadata;
use reelfarm_model::measurement::{Curve, Ratio, Spans, VideoMeasurement};

use super::gaps::Gaps;
use super::grid::FrameTimes;
use super::packets::PacketFacts;
use super::pictures::PicturesMeter;
use super::untimed::Untimed;
use super::work;
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::frame::{is_damaged, take};
use crate::ffmpeg::log;
use crate::ffmpeg::track::{self, Header};

/// Frames that are searched for what a stream says of high dynamic range: it stands with each key frame.
const HDR_FRAMES: u64 = 25;

/// Gathers a [`VideoMeasurement`].
pub(super) struct VideoMeter {
    decoder: Option<Decoder>,
    packets: PacketFacts,
    facts: FrameFacts,
    pictures: PicturesMeter,
    measurement: VideoMeasurement,
    /// The pictures that packets asked for, whether any came of them or not.
    asked: u64,
}

/// What the decoded frames tell.
struct FrameFacts {
    untimed: Untimed,
    times: FrameTimes,
    gaps: Gaps,
    hdr: HdrMetadata,
    format: Option<(u32, u32, ffmpeg_next::format::Pixel)>,
    format_changes: u64,
    first_format_change: Option<f64>,
    /// Of all pictures so far.
    work: u64,
    interlaced: u64,
    top_field_first: u64,
    errors: u64,
    first_error: Option<f64>,
}

impl VideoMeter {
    /// A meter for a track in a container, by FFmpeg's name; without a decoder it counts packets only.
    pub(super) fn new(container: &str, header: Header, stream: &Stream, decoder: Option<Decoder>) -> Self {
        let facts = track::video(stream);
        let time_base = track::ratio(stream.time_base());
        let measurement = VideoMeasurement {
            index: u32::try_from(stream.index()).unwrap_or(u32::MAX),
            codec: track::codec_name(stream),
            width: facts.width,
            height: facts.height,
            header_size: header.size,
            sample_aspect: facts.sample_aspect,
            codec_sample_aspect: facts.codec_sample_aspect,
            rotation: facts.rotation,
            pixel_format: facts.pixel_format,
            bit_depth: facts.bit_depth,
            header_frame_rate: track::ratio(stream.rate()),
            average_frame_rate: track::ratio(stream.avg_frame_rate()),
            codec_frame_rate: None,
            time_base,
            header_frames: u64::try_from(stream.frames()).ok().filter(|frames| *frames > 0),
            frames: 0,
            first_time: 0.0,
            last_time: 0.0,
            missing_times: 0,
            backward_times: 0,
            first_backward_time: None,
            grid: Vec::new(),
            mean_deviation: None,
            intervals: Vec::new(),
            interlaced_frames: 0,
            top_field_first_frames: 0,
            format_changes: 0,
            first_format_change: None,
            decode_errors: 0,
            first_decode_error: None,
            bytes: 0,
            key_frames: 0,
            longest_key_frame_distance: 0.0,
            colour: facts.colour,
            hdr: HdrMetadata::default(),
            key_frame_times: Vec::new(),
            leading_pictures: 0,
            first_packet_time: None,
            edit_list: None,
            bitrate: Curve::default(),
            gaps: Spans::default(),
            picture: None,
            fields: None,
            detail: None,
            blockiness: None,
        };
        let facts = FrameFacts {
            untimed: Untimed::new(container, time_base),
            times: FrameTimes::new(time_base),
            gaps: Gaps::new(time_base),
            hdr: track::hdr(stream),
            format: None,
            format_changes: 0,
            first_format_change: None,
            work: 0,
            interlaced: 0,
            top_field_first: 0,
            errors: 0,
            first_error: None,
        };
        // The rate by the header's count of frames first: the other one may be that of fields, or of the clock.
        let pictures = PicturesMeter::new([measurement.average_frame_rate, measurement.header_frame_rate]);
        Self { decoder, packets: PacketFacts::new(time_base), facts, pictures, measurement, asked: 0 }
    }

    /// Takes in a packet.
    pub(super) fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        let time = self.packets.packet(packet);
        self.decode(Some(packet), time)?;
        // Decoded first, so that it is known how large its picture is.
        if let Some(decoder) = &self.decoder {
            let (width, height) = decoder.picture_size();
            self.asked = self.asked.saturating_add(work::picture(width, height));
        }
        Ok(())
    }

    /// Takes in the end.
    pub(super) fn end(&mut self) -> Result<(), MediaError> {
        self.decode(None, None)
    }

    fn decode(&mut self, packet: Option<&Packet>, time: Option<f64>) -> Result<(), MediaError> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let time_base = self.measurement.time_base;
        let before = (log::wrong_checksums(), self.facts.errors);
        decoder.decode(packet, |decoded| {
            match decoded {
                Decoded::Frame(frame) => {
                    let frame: frame::Video = take(frame).into();
                    let time = self.facts.frame(&frame).map(|ticks| seconds(ticks, time_base));
                    log::aside(|| self.pictures.frame(time, frame));
                }
                Decoded::Error => self.facts.error(time),
            }
            Ok(())
        })?;
        // FFV1's decoder shows what it has and says no more of it.
        if log::wrong_checksums() > before.0 && self.facts.errors == before.1 {
            self.facts.error(time);
        }
        Ok(())
    }

    /// Frames so far.
    pub(super) fn frames(&self) -> u64 {
        self.facts.times.frames()
    }

    /// Errors so far.
    pub(super) fn decode_errors(&self) -> u64 {
        self.facts.errors
    }

    /// The work that the pictures made so far. Those that are never shown make it as well; of two packets one may be the
    /// second field of a picture.
    pub(super) fn work(&self) -> u64 {
        self.facts.work.max(self.asked / 2).saturating_add(work::changes(self.facts.format_changes))
    }

    /// Seconds of the track decoded so far.
    pub(super) fn seconds(&self) -> f64 {
        self.facts.times.last_time() - self.facts.times.first_time()
    }

    /// The measurement.
    pub(super) fn finish(self) -> VideoMeasurement {
        let FrameFacts { times, gaps, hdr, interlaced, top_field_first, errors, first_error, .. } =
            self.facts;
        let (format_changes, first_format_change) =
            (self.facts.format_changes, self.facts.first_format_change);
        // What a codec states at its head may be another size than that of the pictures.
        let decoded = self.facts.format.map(|(width, height, _)| (width, height));
        let (width, height) = decoded.unwrap_or((self.measurement.width, self.measurement.height));
        let measurement = VideoMeasurement {
            width,
            height,
            frames: times.frames(),
            first_time: times.first_time(),
            last_time: times.last_time(),
            missing_times: times.missing(),
            backward_times: times.backward(),
            first_backward_time: times.first_backward(),
            codec_frame_rate: self.decoder.as_ref().and_then(Decoder::stated_frame_rate),
            grid: times.fits(),
            mean_deviation: times.mean_deviation(),
            intervals: times.intervals(),
            gaps: gaps.finish(),
            hdr,
            interlaced_frames: interlaced,
            top_field_first_frames: top_field_first,
            format_changes,
            first_format_change,
            decode_errors: errors,
            first_decode_error: first_error,
            ..self.measurement
        };
        let pictures = self.pictures;
        log::aside(|| pictures.finish(self.packets.finish(measurement)))
    }
}

impl FrameFacts {
    /// Takes in a frame and gives its time, in ticks.
    fn frame(&mut self, frame: &frame::Video) -> Option<i64> {
        if self.times.frames() < HDR_FRAMES {
            self.look_for_hdr(frame);
        }
        self.work = self.work.saturating_add(work::picture(frame.width(), frame.height()));
        let time = self.untimed.time(frame.timestamp(), frame.packet().duration);
        self.times.push(time);
        if let Some(time) = time {
            self.gaps.push(time);
        }
        let format = (frame.width(), frame.height(), frame.format());
        if self.format.replace(format).is_some_and(|before| before != format) {
            self.format_changes += 1;
            self.first_format_change.get_or_insert_with(|| self.times.last_time());
        }
        if frame.is_interlaced() {
            self.interlaced += 1;
            self.top_field_first += u64::from(frame.is_top_first());
        }
        if is_damaged(frame) {
            self.error(time.map(|_| self.times.last_time()));
        }
        time
    }

    fn look_for_hdr(&mut self, frame: &frame::Video) {
        let has = |kind| frame.side_data(kind).is_some();
        self.hdr.mastering_display |= has(SideData::MasteringDisplayMetadata);
        self.hdr.content_light_level |= has(SideData::ContentLightLevel);
        self.hdr.dolby_vision |= has(SideData::DOVI_RPU_BUFFER) || has(SideData::DOVI_METADATA);
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

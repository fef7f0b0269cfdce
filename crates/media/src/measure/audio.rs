//! Measuring an audio track.

use ffmpeg_next::{Frame, Packet, Stream};
use reelfarm_analysis::sound::SoundMeter;
use reelfarm_model::measurement::AudioMeasurement;

use super::continuity::{Continuity, LARGEST_STEP};
use super::{language, work};
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::track::{self, Header};
use crate::ffmpeg::{frame, log};

/// Channels that are looked at one by one. No layout has more, and the meter takes no more.
const MOST_CHANNELS: usize = 64;
/// Gaps are measured as silence, but no more than so many samples in all, those of five minutes at 48 kHz: to claim a gap costs a
/// file nothing, to measure it takes time. Where there are more, what is found after them has too early a time.
const MOST_FILLED: u64 = 14_400_000;
/// What a longer overlap says was heard already was not, in seconds: its time stamp is wrong.
const LONGEST_OVERLAP: f64 = 1.0;

/// Gathers an [`AudioMeasurement`].
pub(super) struct AudioMeter {
    decoder: Option<Decoder>,
    measurement: AudioMeasurement,
    tick: f64,
    started: bool,
    peak: f64,
    /// Of all samples so far, but for the gaps.
    work: u64,
    continuity: Continuity,
    keeps_samples: bool,
    /// From the first samples on.
    sound: Option<Sound>,
}

/// Samples of a mono track that are kept until they are taken, as the meter measured them.
pub(super) struct Kept {
    /// Whether some of them have been taken.
    pub(super) has_begun: bool,
    /// Samples a second.
    pub(super) sample_rate: u32,
    /// When the first one of all is heard, in seconds.
    pub(super) start: f64,
    /// Those that have not been taken.
    pub(super) samples: Vec<f32>,
}

/// Looks at samples as long as they are of one kind.
struct Sound {
    meter: SoundMeter,
    sample_rate: u32,
    channels: u32,
    /// The samples had another rate or number of channels than the first ones. From there on they are only counted.
    has_changed: bool,
    /// The samples of a frame, one channel after the other.
    samples: Vec<f32>,
    /// Samples of gaps that were measured as silence.
    filled: u64,
    /// How much later time stamps are than the meter's clock, after gaps that were not filled or overlaps that were not cut, in
    /// seconds.
    shift: f64,
    kept: Option<Kept>,
}

impl AudioMeter {
    /// A meter for a track; without a decoder it counts packets only.
    pub(super) fn new(header: Header, stream: &Stream, decoder: Option<Decoder>) -> Self {
        let facts = track::audio(stream);
        let measurement = AudioMeasurement {
            index: u32::try_from(stream.index()).unwrap_or(u32::MAX),
            codec: track::codec_name(stream),
            sample_rate: facts.sample_rate,
            channels: facts.channels,
            header_sample_rate: header.sample_rate,
            header_channels: header.channels,
            layout: facts.layout,
            language: track::language(stream),
            samples: 0,
            first_time: 0.0,
            end_time: 0.0,
            peak_dbfs: None,
            decode_errors: 0,
            first_decode_error: None,
            bytes: 0,
            sound: None,
            continuity: None,
        };
        let tick = track::ratio(stream.time_base()).value().unwrap_or(0.0);
        Self {
            decoder,
            measurement,
            tick,
            started: false,
            peak: 0.0,
            work: 0,
            continuity: Continuity::default(),
            keeps_samples: false,
            sound: None,
        }
    }

    /// The stream's index in the container.
    pub(super) fn index(&self) -> u32 {
        self.measurement.index
    }

    /// What it has in common with other tracks of its language.
    pub(super) fn language(&self) -> Option<String> {
        self.measurement.language.as_deref().and_then(language::common)
    }

    /// Whether the header states one channel.
    pub(super) fn is_mono(&self) -> bool {
        self.measurement.channels == 1
    }

    /// Keeps samples from now on; to be called before the first packet.
    pub(super) fn keep_samples(&mut self) {
        self.keeps_samples = true;
    }

    /// The samples that were kept; `None` before the first one, and where none are to be.
    pub(super) fn kept(&mut self) -> Option<&mut Kept> {
        self.sound.as_mut()?.kept.as_mut()
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
        let time =
            packet.and_then(|packet| packet.pts().or(packet.dts())).map(|ticks| ticks as f64 * self.tick);
        let before = (log::wrong_checksums(), self.measurement.decode_errors);
        let result = decoder.decode(packet, |decoded| {
            match decoded {
                Decoded::Frame(frame) => self.frame(frame),
                Decoded::Error => self.error(time),
            }
            Ok(())
        });
        self.decoder = Some(decoder);
        // The decoders of FLAC and AC-3 let what they have be heard and say no more of it.
        if log::wrong_checksums() > before.0 && self.measurement.decode_errors == before.1 {
            self.error(time);
        }
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
        self.work = self.work.saturating_add(work::sound(samples, frame::channel_count(frame)));
        let seconds = samples as f64 / f64::from(rate);
        self.measurement.end_time = time + seconds;
        if samples > 0 {
            self.continuity.push(time, seconds);
        }
        if frame::is_damaged(frame) {
            self.error(Some(time));
        }
        self.peak = self.peak.max(frame::peak(frame));
        let keeps_samples = self.keeps_samples;
        self.sound
            .get_or_insert_with(|| Sound::new(frame, rate, time, keeps_samples))
            .frame(frame, rate, time);
    }

    fn error(&mut self, time: Option<f64>) {
        self.measurement.decode_errors += 1;
        if self.measurement.first_decode_error.is_none() {
            self.measurement.first_decode_error =
                time.or_else(|| self.started.then_some(self.measurement.end_time));
        }
    }

    /// Errors so far.
    pub(super) fn decode_errors(&self) -> u64 {
        self.measurement.decode_errors
    }

    /// The work that the samples made so far.
    pub(super) fn work(&self) -> u64 {
        let gaps = self.sound.as_ref().map_or(0, |sound| work::sound(sound.filled, sound.channels));
        self.work.saturating_add(gaps)
    }

    /// Seconds of the track decoded so far.
    pub(super) fn seconds(&self) -> f64 {
        self.measurement.end_time - self.measurement.first_time
    }

    /// The measurement, and the meter of the samples for what is heard together with other tracks.
    pub(super) fn finish(self) -> (AudioMeasurement, Option<SoundMeter>) {
        let peak_dbfs = (self.peak > 0.0).then(|| 20.0 * self.peak.log10());
        let stated = (self.measurement.sample_rate, self.measurement.channels);
        // What a codec states at its head may be another kind of sound than is heard.
        let (sample_rate, channels) =
            self.sound.as_ref().map_or(stated, |sound| (sound.sample_rate, sound.channels));
        let mut meter = self.sound.map(|sound| sound.meter);
        let sound = meter.as_mut().map(SoundMeter::finish);
        (
            AudioMeasurement {
                sample_rate,
                channels,
                peak_dbfs,
                sound,
                continuity: self.continuity.finish(),
                ..self.measurement
            },
            meter,
        )
    }
}

impl Sound {
    /// For samples like those of a frame, which is heard from `time` on, in seconds.
    fn new(frame: &Frame, sample_rate: u32, time: f64, keeps_samples: bool) -> Self {
        let samples = Vec::new();
        let kept = Kept { has_begun: false, sample_rate, start: time, samples };
        Self {
            meter: SoundMeter::new(sample_rate, &frame::channel_positions(frame), time),
            sample_rate,
            channels: frame::channel_count(frame),
            has_changed: false,
            samples: Vec::new(),
            filled: 0,
            shift: 0.0,
            kept: keeps_samples.then_some(kept),
        }
    }

    fn frame(&mut self, frame: &Frame, sample_rate: u32, time: f64) {
        self.has_changed |= sample_rate != self.sample_rate || frame::channel_count(frame) != self.channels;
        if self.has_changed {
            return;
        }
        let length = frame::copy_samples(frame, MOST_CHANNELS, &mut self.samples).max(1);
        let mut planes: [&[f32]; MOST_CHANNELS] = [&[]; MOST_CHANNELS];
        let overlap = self.step(time).min(length);
        let channels = self.samples.chunks_exact(length);
        let count = channels.len().min(MOST_CHANNELS);
        planes
            .iter_mut()
            .zip(channels)
            .for_each(|(plane, samples)| *plane = samples.get(overlap..).unwrap_or_default());
        self.meter.samples(planes.get(..count).unwrap_or_default());
        if let (Some(kept), Some(samples)) = (&mut self.kept, planes.first()) {
            kept.samples.extend_from_slice(samples);
        }
    }

    /// Measures the gap before samples that are heard from `time` on as silence, or tells how many of them were heard
    /// already: as the farm's renditions are made, so that what is found later is found at its time.
    fn step(&mut self, time: f64) -> usize {
        let step = time - self.shift - self.meter.end();
        if step.abs() <= LARGEST_STEP {
            return 0;
        }
        let samples = (step.abs() * f64::from(self.sample_rate)).round() as u64;
        if step > 0.0 && self.filled.saturating_add(samples) <= MOST_FILLED {
            self.filled += samples;
            self.meter.silence(samples as usize);
            if let Some(kept) = &mut self.kept {
                kept.samples.resize(kept.samples.len() + samples as usize, 0.0);
            }
        } else if (-LONGEST_OVERLAP..0.0).contains(&step) {
            return samples as usize;
        } else {
            self.shift += step;
        }
        0
    }
}

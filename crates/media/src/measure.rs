//! One pass over a source that measures everything QC judges.
//!
//! FFmpeg 5.1 loses some damage marks of frames when it decodes several at once. So the quick pass does that, and
//! at the first sign of damage the measurement starts again with one thread: a sound file is measured fast, a
//! damaged one exactly, and the same file always gives the same measurements.

mod audio;
mod grid;
mod video;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ffmpeg_next::{Packet, Stream, media};
use reelfarm_model::Progress;
use reelfarm_model::measurement::Measurements;

use self::audio::AudioMeter;
use self::video::VideoMeter;
use crate::MediaError;
use crate::ffmpeg::decoder::Decoder;
use crate::ffmpeg::log::{self, Capture};
use crate::ffmpeg::source::{Read, Source};
use crate::ffmpeg::track;
use crate::progress::{Done, watch};

const QUICK_THREADS: u32 = 4;

/// Measures a source: reads every packet, decodes every frame and every sample.
///
/// A file that is no accepted media file is a finding ([`Measurements::open_error`]), not an error. After a quick
/// pass that met damage the fraction of the progress starts again at zero.
///
/// # Errors
/// Only where the file is not there, is no regular file or cannot be read by this host.
pub fn measure(path: &Path, on_progress: &mut dyn FnMut(Progress)) -> Result<Measurements, MediaError> {
    log::install();
    let latest = Mutex::new(Done::default());
    let done = || *latest.lock().unwrap_or_else(PoisonError::into_inner);
    let note = |now: Done| {
        let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
        // Over both passes, where all else begins again.
        *latest = Done { steps: latest.steps + now.steps, ..now };
    };
    watch(on_progress, done, || match Pass::run(path, QUICK_THREADS, &note)? {
        Some(measurements) => Ok(measurements),
        None => Pass::run(path, 1, &note)?.ok_or_else(|| {
            MediaError::Unsupported(format!("the exact pass over {} gave no result", path.display()))
        }),
    })
}

/// A track that is measured.
enum TrackMeter {
    Video(Box<VideoMeter>),
    Audio(Box<AudioMeter>),
    /// A cover, a subtitle or the like.
    Other,
}

struct Pass {
    source: Source,
    tracks: Vec<TrackMeter>,
    measurements: Measurements,
}

impl Pass {
    /// One pass; `None` where a pass with several threads met damage. `note` is told after each packet; its steps are
    /// the bytes of that packet.
    fn run(path: &Path, threads: u32, note: &dyn Fn(Done)) -> Result<Option<Measurements>, MediaError> {
        let capture = Capture::start();
        let size = fs_err::metadata(path).map_err(MediaError::SourceFile)?.len();
        let mut pass = match Source::open(path) {
            Ok(source) => Self::new(source, threads)?,
            Err(MediaError::Refused { refusal, .. }) => {
                return Ok(Some(Measurements {
                    open_error: Some(refusal),
                    error_lines: capture.log().error_lines,
                    ..empty(size)
                }));
            }
            Err(error) => return Err(error),
        };
        let whole = pass.read_all(threads > 1, &capture, note)?;
        Ok(whole.then(|| pass.finish(&capture)))
    }

    fn new(mut source: Source, threads: u32) -> Result<Self, MediaError> {
        let mut measurements = empty(source.size());
        measurements.container = source.container();
        measurements.header_duration = source.header_duration();
        let mut tracks = Vec::new();
        let mut measured = Vec::new();
        for stream in source.input().streams() {
            let index = u32::try_from(stream.index()).unwrap_or(u32::MAX);
            let meter = TrackMeter::new(&source, &stream, threads)?;
            if matches!(meter, TrackMeter::Other) {
                let name =
                    if track::is_cover(&stream) { "cover".to_owned() } else { track::codec_name(&stream) };
                measurements.other.push((index, name));
            } else {
                measured.push(index);
            }
            tracks.push(meter);
        }
        source.read_only(&measured);
        Ok(Self { source, tracks, measurements })
    }

    /// Reads to the end; false where `give_up_on_damage` and there was some.
    fn read_all(
        &mut self,
        give_up_on_damage: bool,
        capture: &Capture,
        note: &dyn Fn(Done),
    ) -> Result<bool, MediaError> {
        let mut position = 0;
        loop {
            match self.source.read()? {
                Read::Packet(packet) => {
                    position = position.max(u64::try_from(packet.position()).unwrap_or(0));
                    if packet.is_corrupt() {
                        self.measurements.read_errors += 1;
                    }
                    if let Some(track) = self.tracks.get_mut(packet.stream()) {
                        track.packet(&packet)?;
                    }
                    note(Done { steps: packet.size() as u64, ..self.done(position) });
                }
                Read::Damaged => self.measurements.read_errors += 1,
                Read::End => break,
            }
            if give_up_on_damage && (capture.damage() || self.damaged()) {
                return Ok(false);
            }
        }
        for track in &mut self.tracks {
            track.end()?;
        }
        Ok(!(give_up_on_damage && (capture.damage() || self.damaged())))
    }

    fn damaged(&self) -> bool {
        self.measurements.read_errors > 0
            || self.tracks.iter().any(|track| match track {
                TrackMeter::Video(meter) => meter.decode_errors() > 0,
                TrackMeter::Audio(meter) => meter.decode_errors() > 0,
                TrackMeter::Other => false,
            })
    }

    fn done(&self, position: u64) -> Done {
        let fraction = position as f64 / self.source.size().max(1) as f64;
        let (mut frames, mut seconds) = (0, 0.0f64);
        for track in &self.tracks {
            match track {
                TrackMeter::Video(meter) => {
                    frames = frames.max(meter.frames());
                    seconds = seconds.max(meter.seconds());
                }
                TrackMeter::Audio(meter) => seconds = seconds.max(meter.seconds()),
                TrackMeter::Other => {}
            }
        }
        Done { steps: 0, fraction, frames, seconds }
    }

    fn finish(mut self, capture: &Capture) -> Measurements {
        for track in self.tracks {
            match track {
                TrackMeter::Video(meter) => self.measurements.video.push(meter.finish()),
                TrackMeter::Audio(meter) => self.measurements.audio.push(meter.finish()),
                TrackMeter::Other => {}
            }
        }
        self.measurements.error_lines = capture.log().error_lines;
        self.measurements
    }
}

impl TrackMeter {
    fn new(source: &Source, stream: &Stream, threads: u32) -> Result<Self, MediaError> {
        let decoder = |threads| match Decoder::open(source, stream, threads) {
            Ok(decoder) => Ok(Some(decoder)),
            // A codec without a decoder is a finding: no frame comes out.
            Err(MediaError::Track { .. } | MediaError::Call { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        Ok(match stream.parameters().medium() {
            media::Type::Video if !track::is_cover(stream) => {
                Self::Video(Box::new(VideoMeter::new(stream, decoder(threads)?)))
            }
            media::Type::Audio => Self::Audio(Box::new(AudioMeter::new(stream, decoder(1)?))),
            _ => Self::Other,
        })
    }

    fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        match self {
            Self::Video(meter) => meter.packet(packet),
            Self::Audio(meter) => meter.packet(packet),
            Self::Other => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), MediaError> {
        match self {
            Self::Video(meter) => meter.end(),
            Self::Audio(meter) => meter.end(),
            Self::Other => Ok(()),
        }
    }
}

fn empty(size: u64) -> Measurements {
    Measurements {
        size,
        open_error: None,
        container: String::new(),
        header_duration: None,
        video: Vec::new(),
        audio: Vec::new(),
        other: Vec::new(),
        read_errors: 0,
        error_lines: Vec::new(),
    }
}

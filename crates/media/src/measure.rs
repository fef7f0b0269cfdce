//! One pass over a source that measures everything QC judges.
//!
//! FFmpeg 5.1 loses some damage marks of frames when it decodes several at once. So the quick pass does that, and
//! at the first sign of damage the measurement starts again with one thread: a sound file is measured fast, a
//! damaged one exactly, and the same file always gives the same measurements. A file that asks for more work than its size
//! accounts for is broken off (`work`).

mod audio;
mod bitrate;
mod combined;
mod continuity;
mod detail;
mod edits;
mod fields;
mod gaps;
mod grid;
mod language;
mod line;
mod packets;
mod pairs;
mod pictures;
mod readable;
mod spans;
mod spots;
mod subtitles;
mod untimed;
mod video;
mod work;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ffmpeg_next::{Packet, Stream, media};
use reelfarm_model::Progress;
use reelfarm_model::measurement::{EditList, Measurements, OpenError, OpenErrorKind};

use self::audio::AudioMeter;
use self::pairs::Pairs;
use self::subtitles::SubtitleMeter;
use self::video::VideoMeter;
use crate::MediaError;
use crate::ffmpeg::decoder::Decoder;
use crate::ffmpeg::log::{self, Capture};
use crate::ffmpeg::source::{Read, Source};
use crate::ffmpeg::track;
use crate::progress::{Done, watch};

const QUICK_THREADS: u32 = 4;
/// Channels of sound, those of all tracks together: what is found is kept for each.
const MOST_CHANNELS: u64 = 256;
/// Tracks of pictures beyond which each is decoded by one thread: threads and their pictures take memory.
const MOST_QUICK_TRACKS: usize = 4;

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
    Subtitles(SubtitleMeter),
    /// A cover, a track of time codes or the like.
    Other,
}

struct Pass {
    source: Source,
    tracks: Vec<TrackMeter>,
    pairs: Pairs,
    packets: u64,
    /// Of all packets.
    bytes: u64,
    measurements: Measurements,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All was read.
    Whole,
    /// There was damage, at which it was to give up.
    Damaged,
    /// The file asked for more work than one of its size may make.
    TooMuchWork,
}

impl Pass {
    /// One pass; `None` where a pass with several threads met damage. `note` is told after each packet; its steps are
    /// the bytes of that packet.
    fn run(path: &Path, threads: u32, note: &dyn Fn(Done)) -> Result<Option<Measurements>, MediaError> {
        let capture = Capture::start();
        let size = fs_err::metadata(path).map_err(MediaError::SourceFile)?.len();
        let mut pass = match Source::open(path).and_then(|source| Self::new(source, threads)) {
            Ok(pass) => pass,
            Err(MediaError::Refused { refusal, .. }) => {
                return Ok(Some(Measurements {
                    open_error: Some(refusal),
                    error_lines: capture.log().error_lines,
                    ..empty(size)
                }));
            }
            Err(error) => return Err(error),
        };
        Ok(match pass.read_all(threads > 1, &capture, note)? {
            End::Whole => Some(pass.finish(&capture)?),
            End::Damaged => None,
            End::TooMuchWork => Some(pass.broken_off(&capture)),
        })
    }

    fn new(mut source: Source, threads: u32) -> Result<Self, MediaError> {
        let mut measurements = empty(source.size());
        measurements.container = source.container();
        measurements.header_duration = source.header_duration();
        measurements.header_end = header_end(&source);
        let mut tracks = Vec::new();
        let mut measured = Vec::new();
        let channels = channels(&source);
        if channels > MOST_CHANNELS {
            let refusal = OpenError {
                kind: OpenErrorKind::TooMuchWork,
                detail: format!("{channels} channels of sound"),
            };
            return Err(MediaError::Refused { path: source.path().to_owned(), refusal });
        }
        let is_video = |stream: &Stream| stream.parameters().medium() == media::Type::Video;
        let has_many = source.input().streams().filter(is_video).count() > MOST_QUICK_TRACKS;
        let threads = if has_many { 1 } else { threads };
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
        let pairs = Pairs::of(tracks.iter_mut().filter_map(TrackMeter::audio));
        Ok(Self { source, tracks, pairs, packets: 0, bytes: 0, measurements })
    }

    /// Reads to the end, unless `give_up_on_damage` and there was some, or it is too much.
    fn read_all(
        &mut self,
        give_up_on_damage: bool,
        capture: &Capture,
        note: &dyn Fn(Done),
    ) -> Result<End, MediaError> {
        let allowed = work::allowed(self.source.size());
        let mut position = 0;
        loop {
            match self.source.read()? {
                Read::Packet(packet) => {
                    self.packets += 1;
                    self.bytes += packet.size() as u64;
                    let track = self.tracks.get_mut(packet.stream());
                    // Subtitles may lie anywhere in the file, and damage to them does the programme no harm.
                    if !matches!(track, Some(TrackMeter::Subtitles(_))) {
                        position = position.max(u64::try_from(packet.position()).unwrap_or(0));
                        self.measurements.read_errors += u64::from(packet.is_corrupt());
                    }
                    if let Some(track) = track {
                        track.packet(&packet)?;
                        track.audio().into_iter().for_each(|track| self.pairs.take(track));
                    }
                    self.source.has_not_grown(&packet)?;
                    note(Done { steps: packet.size() as u64, ..self.done(position) });
                }
                Read::Damaged => {
                    self.packets += 1;
                    self.measurements.read_errors += 1;
                }
                Read::End => break,
            }
            if self.work() > allowed {
                return Ok(End::TooMuchWork);
            }
            if give_up_on_damage && (capture.damage() || self.damaged()) {
                return Ok(End::Damaged);
            }
        }
        if self.source.is_read_too_often() {
            return Ok(End::TooMuchWork);
        }
        for track in &mut self.tracks {
            track.end()?;
            track.audio().into_iter().for_each(|track| self.pairs.take(track));
        }
        // Matroska's demuxer says so and ends as if nothing were wrong.
        self.measurements.read_errors += capture.log().early_ends;
        let is_damaged = give_up_on_damage && (capture.damage() || self.damaged());
        Ok(if is_damaged { End::Damaged } else { End::Whole })
    }

    /// The work that was made so far.
    fn work(&self) -> u64 {
        let packets = work::packets(self.packets, self.bytes);
        self.tracks.iter().fold(packets, |sum, track| sum.saturating_add(track.work()))
    }

    fn damaged(&self) -> bool {
        self.measurements.read_errors > 0
            || self.tracks.iter().any(|track| match track {
                TrackMeter::Video(meter) => meter.decode_errors() > 0,
                TrackMeter::Audio(meter) => meter.decode_errors() > 0,
                TrackMeter::Subtitles(_) | TrackMeter::Other => false,
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
                TrackMeter::Subtitles(_) | TrackMeter::Other => {}
            }
        }
        Done { steps: 0, fraction, frames, seconds }
    }

    /// What is told of a file that asked for too much work.
    fn broken_off(self, capture: &Capture) -> Measurements {
        let size = self.source.size();
        let Done { frames, seconds, .. } = self.done(0);
        let detail = format!("{} packets, {frames} pictures, {seconds:.0} s", self.packets);
        Measurements {
            open_error: Some(OpenError { kind: OpenErrorKind::TooMuchWork, detail }),
            error_lines: capture.log().error_lines,
            ..empty(size)
        }
    }

    fn finish(mut self, capture: &Capture) -> Result<Measurements, MediaError> {
        let edit_lists = edit_lists(&self.source)?;
        let mut audio = Vec::new();
        for track in self.tracks {
            match track {
                TrackMeter::Video(meter) => self.measurements.video.push(meter.finish()),
                TrackMeter::Audio(meter) => audio.push(meter.finish()),
                TrackMeter::Subtitles(meter) => self.measurements.subtitles.push(meter.finish()),
                TrackMeter::Other => {}
            }
        }
        for video in &mut self.measurements.video {
            let own = edit_lists.iter().find(|(index, _)| *index == video.index);
            video.edit_list = own.map(|(_, list)| *list);
        }
        self.measurements.combined = combined::sets(&audio, &self.pairs.finish());
        self.measurements.audio = audio.into_iter().map(|(measurement, _)| measurement).collect();
        self.measurements.error_lines = capture.log().error_lines;
        Ok(self.measurements)
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
            media::Type::Video if !track::is_cover(stream) => Self::Video(Box::new(VideoMeter::new(
                &source.container(),
                source.header(stream),
                stream,
                decoder(threads)?,
            ))),
            media::Type::Audio => {
                Self::Audio(Box::new(AudioMeter::new(source.header(stream), stream, decoder(1)?)))
            }
            media::Type::Subtitle => Self::Subtitles(SubtitleMeter::new(stream)),
            _ => Self::Other,
        })
    }

    fn audio(&mut self) -> Option<&mut AudioMeter> {
        if let Self::Audio(meter) = self { Some(meter) } else { None }
    }

    fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        match self {
            Self::Video(meter) => meter.packet(packet),
            Self::Audio(meter) => meter.packet(packet),
            Self::Subtitles(meter) => {
                meter.packet(packet);
                Ok(())
            }
            Self::Other => Ok(()),
        }
    }

    /// The work that it made so far.
    fn work(&self) -> u64 {
        match self {
            Self::Video(meter) => meter.work(),
            Self::Audio(meter) => meter.work(),
            Self::Subtitles(_) | Self::Other => 0,
        }
    }

    fn end(&mut self) -> Result<(), MediaError> {
        match self {
            Self::Video(meter) => meter.end(),
            Self::Audio(meter) => meter.end(),
            Self::Subtitles(_) | Self::Other => Ok(()),
        }
    }
}

/// Channels that the headers of all tracks of sound state, together.
fn channels(source: &Source) -> u64 {
    let sound = source.input().streams().filter(|stream| stream.parameters().medium() == media::Type::Audio);
    sound.map(|stream| u64::from(track::audio(&stream).channels)).sum()
}

/// When the last track of pictures or sound ends by its own header, in seconds: a track of chapters or data may outlive
/// them.
fn header_end(source: &Source) -> Option<f64> {
    let is_programme = |stream: &Stream| match stream.parameters().medium() {
        media::Type::Video => !track::is_cover(stream),
        media::Type::Audio => true,
        _ => false,
    };
    let streams = source.input().streams().filter(is_programme);
    streams.filter_map(|stream| track::stated_end(&stream)).reduce(f64::max)
}

/// The edit lists of a file's tracks, by the tracks' indexes.
fn edit_lists(source: &Source) -> Result<Vec<(u32, EditList)>, MediaError> {
    if !source.container().starts_with("mov,") {
        return Ok(Vec::new());
    }
    let file = fs_err::File::open(source.path());
    let lists = file.and_then(edits::edit_lists).map_err(MediaError::SourceFile)?;
    let of = |stream: Stream| {
        let id = u32::try_from(stream.id()).ok()?;
        let (_, list) = lists.iter().find(|(track, _)| *track == id)?;
        Some((u32::try_from(stream.index()).ok()?, *list))
    };
    Ok(source.input().streams().filter_map(of).collect())
}

fn empty(size: u64) -> Measurements {
    Measurements {
        size,
        open_error: None,
        container: String::new(),
        header_duration: None,
        header_end: None,
        video: Vec::new(),
        audio: Vec::new(),
        combined: Vec::new(),
        subtitles: Vec::new(),
        other: Vec::new(),
        read_errors: 0,
        error_lines: Vec::new(),
    }
}

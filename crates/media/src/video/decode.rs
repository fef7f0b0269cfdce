//! The source's frames, decoded, deinterlaced where that is asked for, and numbered: all of them, or those of a chunk.
//!
//! Decoding of a chunk begins at a key frame. Where a container leads to another place than it was asked for, or the index of
//! key frames is wrong, it begins earlier, at last with the film: that costs time and changes no frame.

use std::path::{Path, PathBuf};

use ffmpeg_next::{Rational, frame, media};
use reelfarm_model::qc::{FieldOrder, VideoConclusion};
use reelfarm_model::task::Chunk;

use super::Stop;
use super::convert::Picture;
use super::numbered::{Clock, Frames, Numbered, Numbering, Taken, Track};
use super::reported::Reported;
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::filter::FilterGraph;
use crate::ffmpeg::source::{Read, Source};
use crate::ffmpeg::track;

/// Frames that are decoded at once where several threads are at work. More than the encoders can use only costs memory. A film
/// in one piece is decoded so always, as QC decodes it: decoders with one thread hide damage in other ways, and only films that
/// are not cut have any.
const THREADS: u32 = 3;
/// Frames before and after a picture that the deinterlacer looks at.
const DEINTERLACER_REACH: u64 = 2;
/// How much earlier than the key frame decoding begins where a container leads to a later place, in seconds, one after the
/// other. After the last one it begins with the film.
const EARLIER: [f64; 4] = [0.0, 2.0, 10.0, 60.0];

/// A source of numbered frames.
pub(super) struct FrameSource {
    path: PathBuf,
    video: VideoConclusion,
    chunk: Option<Chunk>,
    threads: u32,
    opened: Opened,
}

struct Opened {
    source: Source,
    decoder: Decoder,
    picture: Picture,
    time_base: Rational,
}

impl Opened {
    fn open(path: &Path, video: &VideoConclusion, threads: u32) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let stream = source.track(video.stream, media::Type::Video)?;
        let facts = track::video(&stream);
        let decoder = Decoder::open(&source, &stream, threads)?;
        let time_base = stream.time_base();
        source.read_only(&[video.stream]);
        let picture = Picture { width: facts.width, height: facts.height, pixel_format: facts.pixel_format };
        Ok(Self { source, decoder, picture, time_base })
    }

    fn tick(&self) -> f64 {
        f64::from(self.time_base)
    }
}

impl FrameSource {
    /// Opens the track that QC chose. A chunk is decoded in one thread or in several.
    pub(super) fn open(
        path: &Path,
        video: &VideoConclusion,
        chunk: Option<Chunk>,
        threads: usize,
    ) -> Result<Self, MediaError> {
        let threads = if threads < 2 && chunk.is_some() { 1 } else { THREADS };
        let opened = Opened::open(path, video, threads)?;
        let source = Self { path: path.to_owned(), video: video.clone(), chunk, threads, opened };
        source.track()?;
        Ok(source)
    }

    /// What the frames look like.
    pub(super) fn picture(&self) -> Picture {
        self.opened.picture.clone()
    }

    fn track(&self) -> Result<Track, MediaError> {
        let Opened { picture, time_base, .. } = &self.opened;
        let subject = format!("{}, track {}", self.path.display(), self.video.stream);
        let reported = Reported::new(subject.clone(), picture, *time_base, &self.video)?;
        let deinterlacer = self
            .video
            .deinterlace
            .then(|| {
                let fields = match self.video.field_order {
                    None => "parity=auto:deint=interlaced",
                    Some(FieldOrder::TopFirst) => "parity=tff:deint=all",
                    Some(FieldOrder::BottomFirst) => "parity=bff:deint=all",
                };
                let text = format!(
                    "{},bwdif=mode=send_frame:{fields},buffersink@out",
                    picture.buffer(Rational::new(1, 1_000_000))
                );
                FilterGraph::new(&text, format!("{}, deinterlacing", self.path.display()))
            })
            .transpose()?;
        Ok(Track {
            stream: self.video.stream,
            subject,
            frame_rate: self.video.frame_rate,
            picture: picture.clone(),
            reported,
            deinterlacer,
        })
    }

    fn frames(&self) -> Frames {
        let film = 0..self.video.frame_count;
        let Some(chunk) = &self.chunk else {
            return Frames {
                numbering: Numbering::Counted(0),
                read: film.clone(),
                handed_on: film,
                ends_film: true,
            };
        };
        let handed_on = chunk.first_frame..chunk.first_frame.saturating_add(chunk.frame_count);
        let handed_on_end = handed_on.end;
        let reach = if self.video.deinterlace { DEINTERLACER_REACH } else { 0 };
        let clock = Clock {
            film_start: chunk.decoding.film_start_us as f64 / 1e6,
            tick: self.opened.tick(),
            frame_rate: f64::from(self.video.frame_rate),
        };
        Frames {
            numbering: Numbering::Timed(clock),
            read: handed_on.start.saturating_sub(reach)..handed_on.end.saturating_add(reach).min(film.end),
            handed_on,
            ends_film: handed_on_end == film.end,
        }
    }

    /// Hands out every frame that is wanted in the order of display, with its number from the first of them as its time.
    ///
    /// # Errors
    /// Also where there are not exactly as many frames as QC said, where these are not where the rate puts them, or the
    /// picture changes its size or format on the way.
    pub(super) fn decode_all(
        mut self,
        mut deliver: impl FnMut(frame::Video) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Some(chunk) = self.chunk else { return self.decode(false, &mut deliver).map(|_| ()) };
        // Half a frame later, so that rounding does not lead to the key frame before.
        let key_frame = chunk.decoding.film_start_us as f64 / 1e6
            + (chunk.decoding.key_frame as f64 + 0.5) / f64::from(self.video.frame_rate.max(1));
        let places = if chunk.decoding.key_frame == 0 { &[][..] } else { &EARLIER };
        for earlier in places {
            if self.opened.source.seek(key_frame - earlier)
                && self.decode(true, &mut deliver)? == Taken::Complete
            {
                return Ok(());
            }
            self.opened = Opened::open(&self.path, &self.video, self.threads)?;
        }
        if self.decode(false, &mut deliver)? == Taken::Complete {
            return Ok(());
        }
        let subject = format!("{}, track {}", self.path.display(), self.video.stream);
        let seconds = chunk.first_frame as f64 / f64::from(self.video.frame_rate.max(1));
        Err(MediaError::FrameMissing { subject, frame: chunk.first_frame, seconds }.into())
    }

    /// Decodes from where the source stands. In the middle of the film that is from the first key frame on, and too late where
    /// this one is shown after the first frame that is wanted: what is shown before it needs what lies before it.
    fn decode(
        &mut self,
        in_the_middle: bool,
        deliver: &mut impl FnMut(frame::Video) -> Result<(), Stop>,
    ) -> Result<Taken, Stop> {
        let mut numbered = Numbered::new(self.track()?, self.frames(), deliver);
        let Opened { source, decoder, .. } = &mut self.opened;
        let mut has_begun = !in_the_middle;
        loop {
            let packet = match source.read()? {
                Read::Packet(packet) if packet.stream() == self.video.stream as usize => Some(packet),
                Read::Packet(_) => continue,
                Read::Damaged => match numbered.damaged()? {
                    Taken::TooLate => return Ok(Taken::TooLate),
                    Taken::Wanted | Taken::Complete => continue,
                },
                Read::End => None,
            };
            if let (false, Some(packet)) = (has_begun, &packet) {
                if !packet.is_key() {
                    continue;
                }
                if numbered.is_too_late(packet.pts()) {
                    return Ok(Taken::TooLate);
                }
                has_begun = true;
            }
            let mut taken = Ok(Taken::Wanted);
            decoder.decode(packet.as_ref(), |decoded| {
                if let Ok(Taken::Wanted) = &taken {
                    taken = match decoded {
                        Decoded::Frame(frame) => numbered.decoded(frame),
                        Decoded::Error => numbered.damaged(),
                    };
                }
                Ok(())
            })?;
            match taken? {
                Taken::TooLate => return Ok(Taken::TooLate),
                Taken::Complete => break,
                Taken::Wanted if packet.is_none() => break,
                Taken::Wanted => {}
            }
        }
        // Where a container leads to its end, the frames may lie before.
        if in_the_middle && numbered.has_none() {
            return Ok(Taken::TooLate);
        }
        numbered.finish()?;
        Ok(Taken::Complete)
    }
}

#[cfg(test)]
mod tests;

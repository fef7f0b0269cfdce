//! The source's frames, decoded, deinterlaced where that is asked for, and numbered.

use std::path::Path;

use ffmpeg_next::{Frame, Rational, frame, media, picture};
use reelfarm_model::qc::{FieldOrder, VideoConclusion};

use super::Stop;
use super::convert::Picture;
use super::reported::Reported;
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{blank, take};
use crate::ffmpeg::source::{Read, Source};
use crate::ffmpeg::track;

/// Frames that are decoded at once. More than the encoders can use only costs memory.
const THREADS: u32 = 3;

/// A source of numbered frames.
pub(super) struct FrameSource {
    source: Source,
    decoder: Decoder,
    deinterlacer: Option<FilterGraph>,
    stream: u32,
    picture: Picture,
    reported: Reported,
}

impl FrameSource {
    /// Opens the track that QC chose.
    pub(super) fn open(path: &Path, video: &VideoConclusion) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let stream = source.track(video.stream, media::Type::Video)?;
        let facts = track::video(&stream);
        let decoder = Decoder::open(&source, &stream, THREADS)?;
        let time_base = stream.time_base();
        source.read_only(&[video.stream]);
        let picture = Picture { width: facts.width, height: facts.height, pixel_format: facts.pixel_format };
        let subject = format!("{}, track {}", path.display(), video.stream);
        let reported = Reported::new(subject, &picture, time_base, video)?;
        let deinterlacer = video
            .deinterlace
            .then(|| {
                let fields = match video.field_order {
                    None => "parity=auto:deint=interlaced",
                    Some(FieldOrder::TopFirst) => "parity=tff:deint=all",
                    Some(FieldOrder::BottomFirst) => "parity=bff:deint=all",
                };
                let text = format!(
                    "{},bwdif=mode=send_frame:{fields},buffersink@out",
                    picture.buffer(Rational::new(1, 1_000_000))
                );
                FilterGraph::new(&text, format!("{}, deinterlacing", path.display()))
            })
            .transpose()?;
        Ok(Self { source, decoder, deinterlacer, stream: video.stream, picture, reported })
    }

    /// What the frames look like.
    pub(super) fn picture(&self) -> Picture {
        self.picture.clone()
    }

    /// Hands out every frame in the order of display, with its number as its time.
    ///
    /// # Errors
    /// Also where there are not exactly `expected` frames, where these are not where the rate puts them, or the picture
    /// changes its size or format on the way.
    pub(super) fn decode_all(
        self,
        expected: u64,
        deliver: impl FnMut(frame::Video) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Self { mut source, mut decoder, deinterlacer, stream, picture, reported } = self;
        let subject = format!("{}, track {stream}", source.path().display());
        let mut numbered = Numbered {
            deliver,
            deinterlacer,
            picture,
            reported,
            stream,
            decoded: 0,
            frames: 0,
            expected,
            subject,
        };
        loop {
            let packet = match source.read()? {
                Read::Packet(packet) if packet.stream() == stream as usize => Some(packet),
                Read::Packet(_) | Read::Damaged => continue,
                Read::End => None,
            };
            let mut stopped = Ok(());
            decoder.decode(packet.as_ref(), |decoded| {
                if let (Decoded::Frame(frame), Ok(())) = (decoded, &stopped) {
                    stopped = numbered.decoded(frame);
                }
                Ok(())
            })?;
            stopped?;
            if packet.is_none() {
                return numbered.finish();
            }
        }
    }
}

struct Numbered<F> {
    deliver: F,
    deinterlacer: Option<FilterGraph>,
    picture: Picture,
    reported: Reported,
    stream: u32,
    /// Frames that came out of the decoder.
    decoded: u64,
    /// Frames that were handed on.
    frames: u64,
    expected: u64,
    subject: String,
}

impl<F: FnMut(frame::Video) -> Result<(), Stop>> Numbered<F> {
    fn decoded(&mut self, frame: &mut Frame) -> Result<(), Stop> {
        let frame = frame::Video::from(take(frame));
        let found = Picture::of(&frame);
        if found != self.picture {
            return Err(Stop::Failed(MediaError::FormatChanged {
                stream: self.stream,
                before: self.picture.to_string(),
                after: found.to_string(),
            }));
        }
        self.reported.frame(self.decoded, frame.timestamp())?;
        self.decoded += 1;
        if self.deinterlacer.is_none() {
            return self.number(frame);
        }
        self.filter(Some(&frame))
    }

    fn filter(&mut self, frame: Option<&Frame>) -> Result<(), Stop> {
        let Some(mut graph) = self.deinterlacer.take() else { return Ok(()) };
        graph.push(0, frame)?;
        let mut filtered = blank();
        while graph.pull(&mut filtered)? == Pulled::Frame {
            self.number(take(&mut filtered).into())?;
        }
        self.deinterlacer = Some(graph);
        Ok(())
    }

    fn number(&mut self, mut frame: frame::Video) -> Result<(), Stop> {
        self.frames += 1;
        if self.frames > self.expected {
            return Err(self.wrong_count());
        }
        frame.set_pts(i64::try_from(self.frames - 1).ok());
        // What the source's encoder chose for the frame is not to steer ours.
        frame.set_kind(picture::Type::None);
        (self.deliver)(frame)
    }

    fn finish(mut self) -> Result<(), Stop> {
        self.filter(None)?;
        if self.frames == self.expected { Ok(()) } else { Err(self.wrong_count()) }
    }

    fn wrong_count(&self) -> Stop {
        Stop::Failed(MediaError::Count {
            subject: self.subject.clone(),
            unit: "frames",
            expected: self.expected,
            found: self.frames,
        })
    }
}

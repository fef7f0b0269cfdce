//! Decoding one track.
#![allow(unsafe_code)]

use ffmpeg_next::codec::decoder::{self, Decoder as RawDecoder, Opened};
use ffmpeg_next::codec::{Context, Id};
use ffmpeg_next::{Frame, Packet, Stream};
use reelfarm_model::measurement::Ratio;

use super::options::Options;
use super::source::{MOST_PICTURE_SAMPLES, Source};
use super::{Error, codec, frame, track};
use crate::MediaError;

/// Errors in a row, for one packet, after which the decoder is given the next one.
const MOST_ERRORS_A_PACKET: u32 = 64;

/// An opened decoder.
pub(crate) struct Decoder {
    opened: Opened,
}

/// What came out of a decoder.
pub(crate) enum Decoded<'a> {
    /// A frame, which the receiver may take.
    Frame(&'a mut Frame),
    /// A call that reported an error.
    Error,
}

impl Decoder {
    /// Opens the decoder for a track. `threads` is the number of frames (or slices, where the codec has no other
    /// way) worked on at once; it is fixed by the caller, never by the machine, so that results do not depend on it.
    pub(crate) fn open(source: &Source, stream: &Stream, threads: u32) -> Result<Self, MediaError> {
        let index = u32::try_from(stream.index()).unwrap_or(u32::MAX);
        let subject = format!("{}, track {index}", source.path().display());
        let parameters = stream.parameters();
        let found =
            decoder::find(parameters.id()).ok_or_else(|| source.no_track(index, parameters.medium()))?;
        let mut context = Context::new_with_codec(found);
        context.set_parameters(parameters).map_err(|source| MediaError::Call {
            subject: subject.clone(),
            call: "avcodec_parameters_to_context",
            source,
        })?;
        // SAFETY: the context is valid and not yet open. Without the time base the decoder cannot move the time of
        // a frame whose first samples an edit list takes away.
        unsafe { (*context.as_mut_ptr()).pkt_timebase = stream.time_base().into() };
        // The decoders of FLAC, AC-3 and others look at their checksums only where they are asked to.
        let options = Options::new([("err_detect", "crccheck")])
            .with("threads", &threads)
            .with("max_pixels", &MOST_PICTURE_SAMPLES);
        let context = codec::open(context, found, options, &subject)?;
        Ok(Self { opened: Opened(RawDecoder(context)) })
    }

    /// Forgets what came before, so that the next packet can be one from elsewhere in the file.
    pub(crate) fn restart(&mut self) {
        self.opened.flush();
    }

    /// The frame rate that the stream itself has stated so far, of codecs whose headers have one. With others FFmpeg fills
    /// the field with units of time or with the container's rate.
    pub(crate) fn stated_frame_rate(&self) -> Option<Ratio> {
        let has_one = matches!(self.opened.id(), Id::MPEG1VIDEO | Id::MPEG2VIDEO | Id::H264 | Id::HEVC);
        self.opened.frame_rate().filter(|_| has_one).map(track::ratio)
    }

    /// The size of the pictures that it works on, before they are cropped, shown or left out.
    pub(crate) fn picture_size(&self) -> (u32, u32) {
        // SAFETY: the context is open and lives as long as the decoder; these are plain numbers, which only calls from this
        // thread change.
        let context = unsafe { &*self.opened.as_ptr() };
        let larger = |coded: i32, shown: i32| u32::try_from(coded.max(shown)).unwrap_or(0);
        (larger(context.coded_width, context.width), larger(context.coded_height, context.height))
    }

    /// Decodes one packet, or what is left where there is none, and hands out each frame and each error.
    pub(crate) fn decode(
        &mut self,
        packet: Option<&Packet>,
        mut each: impl FnMut(Decoded) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let sent = match packet {
            Some(packet) => self.opened.send_packet(packet),
            None => self.opened.send_eof(),
        };
        if sent.is_err_and(|error| error != Error::Eof) {
            each(Decoded::Error)?;
        }
        let mut frame = frame::blank();
        let mut errors = 0;
        while errors < MOST_ERRORS_A_PACKET {
            match self.opened.receive_frame(&mut frame) {
                Ok(()) => each(Decoded::Frame(&mut frame))?,
                Err(Error::Eof | Error::Other { errno: ffmpeg_next::error::EAGAIN }) => break,
                Err(_) => {
                    errors += 1;
                    each(Decoded::Error)?;
                }
            }
        }
        Ok(())
    }
}

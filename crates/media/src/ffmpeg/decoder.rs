//! Decoding one track.
#![allow(unsafe_code)]

use ffmpeg_next::codec::Context;
use ffmpeg_next::codec::decoder::{self, Decoder as RawDecoder, Opened};
use ffmpeg_next::{Frame, Packet, Stream};

use super::options::Options;
use super::source::Source;
use super::{Error, codec, frame};
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
        let options = Options::new([]).with("threads", &threads);
        let context = codec::open(context, found, options, &subject)?;
        Ok(Self { opened: Opened(RawDecoder(context)) })
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

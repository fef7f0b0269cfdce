//! Opening decoders and encoders with checked options, and the encoder's side of the work.
#![allow(unsafe_code)]

use ffmpeg_next::codec::encoder::Encoder as RawEncoder;
use ffmpeg_next::codec::{self, Context};
use ffmpeg_next::format::{Pixel, Sample};
use ffmpeg_next::{Frame, Packet, Rational};

use super::Error;
use super::options::Options;
use crate::MediaError;

/// Opens a codec in its context.
pub(crate) fn open(
    mut context: Context,
    codec: ffmpeg_next::Codec,
    options: Options,
    subject: &str,
) -> Result<Context, MediaError> {
    options.pass(subject, |dictionary| {
        // SAFETY: context and codec are valid, the dictionary is the caller's own.
        let status =
            unsafe { ffmpeg_next::ffi::avcodec_open2(context.as_mut_ptr(), codec.as_ptr(), dictionary) };
        check(status, "avcodec_open2", subject)
    })?;
    Ok(context)
}

/// The error that a negative status of an FFmpeg function stands for.
pub(crate) fn check(status: i32, call: &'static str, subject: &str) -> Result<i32, MediaError> {
    if status < 0 {
        Err(MediaError::Call { subject: subject.to_owned(), call, source: Error::from(status) })
    } else {
        Ok(status)
    }
}

/// An opened encoder.
pub(crate) struct Encoder {
    raw: RawEncoder,
    subject: String,
}

impl Encoder {
    /// Opens FFmpeg's encoder of this name. `prepare` sets what no option can.
    pub(crate) fn open(
        name: &'static str,
        subject: String,
        prepare: impl FnOnce(&mut Context),
        options: Options,
    ) -> Result<Self, MediaError> {
        let found = codec::encoder::find_by_name(name)
            .ok_or_else(|| MediaError::Unsupported(format!("this FFmpeg has no encoder {name}")))?;
        let mut context = Context::new_with_codec(found);
        prepare(&mut context);
        let context = open(context, found, options, &subject)?;
        Ok(Self { raw: RawEncoder(context), subject })
    }

    /// The headers that it has chosen, where it keeps them apart from its packets.
    pub(crate) fn headers(&self) -> &[u8] {
        // SAFETY: the context is open, and its data is as long as it says and lives as long as the encoder.
        unsafe {
            let context = self.raw.0.as_ptr();
            let length = usize::try_from((*context).extradata_size).unwrap_or(0);
            if (*context).extradata.is_null() || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts((*context).extradata, length)
        }
    }

    /// The codec's context, for a muxer.
    pub(crate) fn context(&self) -> &Context {
        &self.raw.0
    }

    /// Encodes one frame, or what is left where there is none, and hands out every packet that is ready.
    pub(crate) fn encode(
        &mut self,
        frame: Option<&Frame>,
        mut each: impl FnMut(Packet) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let call = |call, source| MediaError::Call { subject: self.subject.clone(), call, source };
        match frame {
            Some(frame) => self.raw.send_frame(frame),
            None => self.raw.send_eof(),
        }
        .map_err(|source| call("avcodec_send_frame", source))?;
        loop {
            let mut packet = Packet::empty();
            match self.raw.receive_packet(&mut packet) {
                Ok(()) => each(packet)?,
                Err(Error::Eof) => return Ok(()),
                Err(Error::Other { errno: ffmpeg_next::error::EAGAIN }) => return Ok(()),
                Err(source) => return Err(call("avcodec_receive_packet", source)),
            }
        }
    }
}

/// Sets what a video encoder must know of its pictures; their samples are square.
pub(crate) fn set_picture(context: &mut Context, format: Pixel, width: u32, height: u32) {
    // SAFETY: the context is valid and not yet open.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).pix_fmt = format.into();
        (*raw).width = i32::try_from(width).unwrap_or(0);
        (*raw).height = i32::try_from(height).unwrap_or(0);
        (*raw).sample_aspect_ratio = Rational::new(1, 1).into();
    }
}

/// Sets the form in which an audio encoder gets its samples.
pub(crate) fn set_sample_format(context: &mut Context, format: Sample) {
    // SAFETY: as above.
    unsafe { (*context.as_mut_ptr()).sample_fmt = format.into() };
}

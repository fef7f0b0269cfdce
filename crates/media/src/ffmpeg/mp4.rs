//! Writing MP4 files that hold nothing but what they are given: no date, no version of a library.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;

use ffmpeg_next::format::context::Output;
use ffmpeg_next::{Dictionary, Packet, Rational, Stream, codec, ffi};

use super::Error;
use super::options::Options;
use super::transfer;
use crate::MediaError;

/// Where the index of a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexPlace {
    /// After the media: written once.
    End,
    /// Before the media, so that a player can start before it has the whole file; the media is moved at the end.
    Start,
}

/// An MP4 file that is being written.
pub(crate) struct Mp4Writer {
    output: Output,
    path: PathBuf,
    index: IndexPlace,
}

impl Mp4Writer {
    /// Creates the file.
    pub(crate) fn create(path: &Path, index: IndexPlace) -> Result<Self, MediaError> {
        let fail = |call, status: i32| MediaError::Write {
            path: path.to_owned(),
            call,
            source: Error::from(status),
        };
        let url = CString::new([b"file:", path.as_os_str().as_bytes()].concat()).map_err(|_| {
            MediaError::SourceFile(io::Error::new(io::ErrorKind::InvalidInput, "the path holds a NUL byte"))
        })?;
        let mut context = ptr::null_mut();
        // SAFETY: all pointers are valid. The context gets one owner, which closes `pb` and frees it; until then
        // it is freed here.
        let output = unsafe {
            let status = ffi::avformat_alloc_output_context2(
                &raw mut context,
                ptr::null(),
                c"mp4".as_ptr(),
                url.as_ptr(),
            );
            if status < 0 {
                return Err(fail("avformat_alloc_output_context2", status));
            }
            // Also for the handle through which the muxer reads the file to move its media.
            (*context).interrupt_callback = transfer::writing();
            let status = ffi::avio_open2(
                &raw mut (*context).pb,
                url.as_ptr(),
                ffi::AVIO_FLAG_WRITE,
                &raw const (*context).interrupt_callback,
                ptr::null_mut(),
            );
            if status < 0 {
                ffi::avformat_free_context(context);
                return Err(fail("avio_open2", status));
            }
            (*context).flags |= ffi::AVFMT_FLAG_BITEXACT;
            Output::wrap(context)
        };
        Ok(Self { output, path: path.to_owned(), index })
    }

    /// Adds a track with what an encoder makes.
    pub(crate) fn add_encoder(
        &mut self,
        encoder: &codec::Context,
        time_base: Rational,
    ) -> Result<usize, MediaError> {
        let path = self.path.clone();
        let mut stream = self.output.add_stream_with(encoder).map_err(|source| MediaError::Write {
            path,
            call: "avcodec_parameters_from_context",
            source,
        })?;
        stream.set_time_base(time_base);
        // SAFETY: the stream's parameters are valid while it is.
        unsafe {
            (*(*stream.as_mut_ptr()).codecpar).codec_tag = tag((*(*stream.as_ptr()).codecpar).codec_id);
        };
        Ok(stream.index())
    }

    /// Adds a track with the packets of another file's track.
    pub(crate) fn add_copy(
        &mut self,
        from: &Stream,
        language: Option<&str>,
        default: bool,
    ) -> Result<usize, MediaError> {
        let fail = |call, source| MediaError::Write { path: self.path.clone(), call, source };
        // SAFETY: both contexts are valid; the tag of the other container goes.
        unsafe {
            let stream = ffi::avformat_new_stream(self.output.as_mut_ptr(), ptr::null());
            if stream.is_null() {
                return Err(fail("avformat_new_stream", Error::Unknown));
            }
            let status = ffi::avcodec_parameters_copy((*stream).codecpar, (*from.as_ptr()).codecpar);
            if status < 0 {
                return Err(fail("avcodec_parameters_copy", Error::from(status)));
            }
            (*(*stream).codecpar).codec_tag = tag((*(*stream).codecpar).codec_id);
            (*stream).time_base = from.time_base().into();
            (*stream).avg_frame_rate = from.avg_frame_rate().into();
            (*stream).disposition = if default { ffi::AV_DISPOSITION_DEFAULT } else { 0 };
            if let Some(language) = language {
                let mut metadata = Dictionary::new();
                metadata.set("language", language);
                (*stream).metadata = metadata.disown();
            }
            Ok(usize::try_from((*stream).index).unwrap_or(0))
        }
    }

    /// Writes the header, after which no track can be added.
    pub(crate) fn start(&mut self) -> Result<(), MediaError> {
        let options = match self.index {
            IndexPlace::End => Options::new([]),
            IndexPlace::Start => Options::new([("movflags", "+faststart")]),
        };
        let subject = self.path.display().to_string();
        options.pass(&subject, |dictionary| {
            // SAFETY: the context is valid, the dictionary is the caller's own.
            let status = unsafe { ffi::avformat_write_header(self.output.as_mut_ptr(), dictionary) };
            self.check(status, "avformat_write_header")
        })
    }

    /// Writes a packet of a track, with times in units of `time_base`.
    pub(crate) fn write(
        &mut self,
        track: usize,
        mut packet: Packet,
        time_base: Rational,
    ) -> Result<(), MediaError> {
        let Some(stream) = self.output.stream(track) else {
            return Err(MediaError::Unsupported(format!("{} has no track {track}", self.path.display())));
        };
        packet.rescale_ts(time_base, stream.time_base());
        packet.set_stream(track);
        packet.set_position(-1);
        packet.write_interleaved(&mut self.output).map_err(|source| MediaError::Write {
            path: self.path.clone(),
            call: "av_interleaved_write_frame",
            source,
        })
    }

    /// Writes the index and everything still held back; the file is whole only after this.
    pub(crate) fn finish(mut self) -> Result<(), MediaError> {
        // SAFETY: the context is valid and its header is written. The trailer flushes the file and answers with the
        // operating system's error, if there was one.
        let status = unsafe { ffi::av_write_trailer(self.output.as_mut_ptr()) };
        self.check(status, "av_write_trailer")
    }

    fn check(&self, status: i32, call: &'static str) -> Result<(), MediaError> {
        if status < 0 {
            return Err(MediaError::Write { path: self.path.clone(), call, source: Error::from(status) });
        }
        Ok(())
    }
}

/// The sample entry's name, or 0 where the muxer chooses it. Of HEVC it would choose `hev1`, whose parameter sets may lie among the
/// pictures; Apple's players take `hvc1` alone (HLS Authoring Specification for Apple Devices, 1.10).
fn tag(codec: ffi::AVCodecID) -> u32 {
    if codec == ffi::AVCodecID::AV_CODEC_ID_HEVC { u32::from_le_bytes(*b"hvc1") } else { 0 }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::sample::{Sample, Type};

    use super::*;
    use crate::ffmpeg::codec::{Encoder, set_sample_format};

    #[test]
    fn the_media_that_moves_behind_the_index_is_seen_to_move() {
        const PACKETS: usize = 64;
        const PACKET_BYTES: usize = 1 << 18;
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Mp4Writer::create(&folder.path().join("film.mp4"), IndexPlace::Start).unwrap();
        let encoder = Encoder::open(
            "aac",
            "test".into(),
            |context| set_sample_format(context, Sample::F32(Type::Planar)),
            Options::new([("ar", "48000"), ("ch_layout", "stereo")]),
        )
        .unwrap();
        let time_base = Rational::new(1, 48_000);
        let track = writer.add_encoder(encoder.context(), time_base).unwrap();
        writer.start().unwrap();
        for number in 0..PACKETS as i64 {
            let mut packet = Packet::copy(&[7; PACKET_BYTES]);
            packet.set_pts(Some(number * 1024));
            packet.set_dts(Some(number * 1024));
            packet.set_duration(1024);
            writer.write(track, packet, time_base).unwrap();
        }
        let before = transfer::steps();
        writer.finish().unwrap();
        // FFmpeg's file protocol moves at most 256 KiB at once.
        assert!(transfer::steps() - before >= PACKETS as u64, "{} steps", transfer::steps() - before);
    }
}

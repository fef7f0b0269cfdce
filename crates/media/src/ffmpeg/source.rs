//! Opening a source safely. The bytes may be hostile: neither they nor the file's name choose a demuxer outside the
//! list, and no other file, network address or device is opened on their behalf.
//!
//! The format is probed first, on its own; only a listed demuxer is then given the file. FFmpeg is also told the
//! list of formats and the `file` protocol, for whatever a demuxer may open. MP4's references to other files stay
//! off, as FFmpeg has them (`enable_drefs`, `use_absolute_path`).
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Dictionary, Packet, Stream, ffi, media};
use reelfarm_model::measurement::{MOST_TRACKS, OpenError, OpenErrorKind};

use super::Error;
use super::codec::check;
use super::options::Options;
use super::track::{self, Header};
use super::transfer::{MostReads, Reach};
use crate::MediaError;

/// FFmpeg's names of the formats that sources may have.
pub const ALLOWED_FORMATS: [&str; 14] = [
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "mpegts", "mpeg", "mxf", "avi", "wav",
    "flac",
];

/// Bytes that FFmpeg may read to learn what tracks there are and of what kind.
const PROBE_BYTES: u32 = 32 << 20;
/// Microseconds of the title that it may look at for that.
const ANALYZE_MICROSECONDS: u32 = 20_000_000;
/// Samples of the largest picture that is decoded: 8192 a side. A few bytes can name one that takes gigabytes.
pub(super) const MOST_PICTURE_SAMPLES: u32 = 1 << 26;
/// Reads that a file of any size may take. Where picture and sound lie far apart, each packet is one.
const FREE_READS: u64 = 1 << 18;
/// Reads that each byte may take.
const READS_A_BYTE: u64 = 2;
/// Reads that a packet may take, or the opening, of 32 KiB each: 384 MiB. The index of a film of 12 hours with sixteen
/// tracks takes less. A file of many gigabytes of nothing is not read to its end; nor to the 512 MiB after which
/// FFmpeg's parsers give up and take the process along.
const READS_A_PACKET: u64 = 12 * 1024;
/// Errors in a row after which a demuxer is taken to be at its end: some give one for each sample that is missing.
const MOST_ERRORS_IN_A_ROW: u32 = 100;

/// An opened source.
pub(crate) struct Source {
    // Before `reach`: fields are dropped in this order, and the input uses it to its end.
    input: Input,
    reach: Arc<Reach>,
    path: PathBuf,
    size: u64,
    /// Of the tracks that the header lists.
    headers: Vec<Header>,
    errors_in_a_row: u32,
}

/// What reading a packet gave.
pub(crate) enum Read {
    /// A packet.
    Packet(Packet),
    /// The demuxer met damage and can go on.
    Damaged,
    /// There is no more.
    End,
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where it is not of a listed format, [`MediaError::SourceFile`] and
    /// [`MediaError::Read`] where the operating system cannot read it.
    pub(crate) fn open(path: &Path) -> Result<Self, MediaError> {
        super::log::install();
        let metadata = fs_err::metadata(path).map_err(MediaError::SourceFile)?;
        if !metadata.is_file() {
            return Err(MediaError::SourceFile(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is not a regular file", path.display()),
            )));
        }
        let url = url(path).map_err(MediaError::SourceFile)?;
        let format = probe(path, &url)?;
        let size = metadata.len();
        let in_all = FREE_READS.saturating_add(size.saturating_mul(READS_A_BYTE));
        let most_reads = MostReads { in_all, a_packet: READS_A_PACKET };
        let (mut input, reach) = open_as(path, &url, format, most_reads)?;
        let headers = input.streams().map(|stream| track::header(&stream)).collect();
        let status = find_stream_info(&mut input);
        check(status, "avformat_find_stream_info", &path.display().to_string())
            .map_err(|_| not_media(path, &reach, "avformat_find_stream_info", status))?;
        Ok(Self { input, reach, path: path.to_owned(), size, headers, errors_in_a_row: 0 })
    }

    /// What the container's header states of a track; nothing of one that it does not list.
    pub(crate) fn header(&self, stream: &Stream) -> Header {
        self.headers.get(stream.index()).copied().unwrap_or_default()
    }

    /// Opens a file and checks that a track is of the kind that the caller needs.
    pub(crate) fn track(&self, stream: u32, kind: media::Type) -> Result<Stream<'_>, MediaError> {
        self.input
            .stream(stream as usize)
            .filter(|found| found.parameters().medium() == kind)
            .ok_or_else(|| self.no_track(stream, kind))
    }

    /// The error that says so.
    pub(crate) fn no_track(&self, stream: u32, kind: media::Type) -> MediaError {
        let kind = if kind == media::Type::Video { "video" } else { "audio" };
        MediaError::Track { path: self.path.clone(), kind, stream }
    }

    /// FFmpeg's handle.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether FFmpeg was stopped because it read far more often than a file of this size takes. There is no more then.
    pub(crate) fn is_read_too_often(&self) -> bool {
        self.reach.is_stopped()
    }

    /// Sees that a packet does not come from behind the end that the file had when it was opened: one that is written
    /// while it is read may have no end.
    ///
    /// # Errors
    /// [`MediaError::Grown`] where it does.
    pub(crate) fn has_not_grown(&self, packet: &Packet) -> Result<(), MediaError> {
        let is_beyond = u64::try_from(packet.position()).is_ok_and(|position| position > self.size);
        // A packet of nothing may name any place.
        if is_beyond && fs_err::metadata(&self.path).map_err(MediaError::SourceFile)?.len() > self.size {
            return Err(MediaError::Grown { path: self.path.clone(), size: self.size });
        }
        Ok(())
    }

    /// Leaves the packets of all tracks but these unread.
    pub(crate) fn read_only(&mut self, wanted: &[u32]) {
        for index in 0..self.input.nb_streams() {
            if !wanted.contains(&index) {
                // SAFETY: the index is below the number of streams, whose pointers are valid while the input lives.
                unsafe {
                    let stream = *(*self.input.as_mut_ptr()).streams.add(index as usize);
                    (*stream).discard = ffi::AVDiscard::AVDISCARD_ALL;
                }
            }
        }
    }

    /// Goes to the last place at or before a moment of the container's timeline from which decoding can begin, as far
    /// as the container tells; whether it could.
    pub(crate) fn seek(&mut self, seconds: f64) -> bool {
        self.errors_in_a_row = 0;
        let moment = (seconds * f64::from(ffi::AV_TIME_BASE)) as i64;
        // Where nothing lies before it, whatever is nearest.
        self.input.seek(moment, ..moment).or_else(|_| self.input.seek(moment, ..)).is_ok()
    }

    /// Reads the next packet.
    ///
    /// # Errors
    /// [`MediaError::Read`] where the operating system failed to read; damage in the file is no error.
    pub(crate) fn read(&mut self) -> Result<Read, MediaError> {
        let mut packet = Packet::empty();
        let error = match packet.read(&mut self.input) {
            Ok(()) => {
                self.errors_in_a_row = 0;
                self.reach.packet();
                return Ok(Read::Packet(packet));
            }
            Err(error) => error,
        };
        if self.is_read_too_often() {
            return Ok(Read::End);
        }
        if let Some(source) = self.system_error() {
            return Err(MediaError::Read { path: self.path.clone(), source });
        }
        self.errors_in_a_row += 1;
        if error == Error::Eof || self.errors_in_a_row > MOST_ERRORS_IN_A_ROW {
            return Ok(Read::End);
        }
        Ok(Read::Damaged)
    }

    /// The error that the operating system gave on the last read, if any: FFmpeg keeps it with the file.
    fn system_error(&self) -> Option<Error> {
        // SAFETY: the context is valid; `pb` is null or a valid handle.
        let status = unsafe {
            let pb = (*self.input.as_ptr()).pb;
            if pb.is_null() { 0 } else { (*pb).error }
        };
        (status < 0 && status != ffi::AVERROR_EOF).then(|| Error::from(status))
    }

    /// The duration that the header states, in seconds; none where FFmpeg only estimated it.
    pub(crate) fn header_duration(&self) -> Option<f64> {
        // SAFETY: the context is valid. The field is compared as a number, as FFmpeg wrote it.
        let (method, duration) = unsafe {
            let raw = self.input.as_ptr();
            ((*raw).duration_estimation_method, (*raw).duration)
        };
        (method == ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_STREAM && duration > 0)
            .then(|| duration as f64 / f64::from(ffi::AV_TIME_BASE))
    }
}

/// The path in the form that always means a file, whatever colons it holds.
fn url(path: &Path) -> io::Result<CString> {
    let bytes = [b"file:", path.as_os_str().as_bytes()].concat();
    CString::new(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the path holds a NUL byte"))
}

/// The demuxer for the file's bytes, if it is a listed one.
fn probe(path: &Path, url: &CStr) -> Result<*const ffi::AVInputFormat, MediaError> {
    let mut handle = ptr::null_mut();
    // SAFETY: the URL ends in NUL; the handle is closed below, on every way.
    let status = unsafe { ffi::avio_open(&raw mut handle, url.as_ptr(), ffi::AVIO_FLAG_READ) };
    if status < 0 {
        return Err(MediaError::Read { path: path.to_owned(), source: Error::from(status) });
    }
    let mut format: *const ffi::AVInputFormat = ptr::null();
    // SAFETY: the handle is open, all pointers are valid.
    let (status, system_error) = unsafe {
        let status = ffi::av_probe_input_buffer2(
            handle,
            &raw mut format,
            // No name: it must not count.
            c"".as_ptr(),
            ptr::null_mut(),
            0,
            PROBE_BYTES,
        );
        let system_error = (*handle).error;
        ffi::avio_closep(&raw mut handle);
        (status, system_error)
    };
    if system_error < 0 && system_error != ffi::AVERROR_EOF {
        return Err(MediaError::Read { path: path.to_owned(), source: Error::from(system_error) });
    }
    if status < 0 || format.is_null() {
        return Err(refused(path, OpenErrorKind::NotMedia, "the bytes are no media format".to_owned()));
    }
    let name = format_name(format);
    if !name.split(',').any(|name| ALLOWED_FORMATS.contains(&name)) {
        // SAFETY: a demuxer's long name is null or ends in NUL, and lives as long as the library.
        let long_name = unsafe {
            let long_name = (*format).long_name;
            if long_name.is_null() {
                name.clone()
            } else {
                CStr::from_ptr(long_name).to_string_lossy().into_owned()
            }
        };
        let detail = format!("the format {name} ({long_name}) is not accepted");
        return Err(refused(path, OpenErrorKind::FormatNotAllowed, detail));
    }
    Ok(format)
}

fn open_as(
    path: &Path,
    url: &CStr,
    format: *const ffi::AVInputFormat,
    most_reads: MostReads,
) -> Result<(Input, Arc<Reach>), MediaError> {
    let subject = path.display().to_string();
    let options = Options::new([("protocol_whitelist", "file")])
        .with("format_whitelist", &ALLOWED_FORMATS.join(","))
        .with("max_streams", &MOST_TRACKS)
        .with("probesize", &PROBE_BYTES)
        .with("analyzeduration", &ANALYZE_MICROSECONDS);
    // SAFETY: a new context, or null.
    let mut context = unsafe { ffi::avformat_alloc_context() };
    if context.is_null() {
        let source = Error::Other { errno: ffmpeg_next::error::ENOMEM };
        return Err(MediaError::Call { subject, call: "avformat_alloc_context", source });
    }
    // SAFETY: the context is valid; `reach` is dropped after the input that owns it.
    let reach = unsafe { Reach::watch(context, most_reads) };
    options.pass(&subject, |dictionary| {
        // SAFETY: all pointers are valid; on failure FFmpeg frees the context and nulls it.
        let status = unsafe { ffi::avformat_open_input(&raw mut context, url.as_ptr(), format, dictionary) };
        if status < 0 { Err(not_media(path, &reach, "avformat_open_input", status)) } else { Ok(()) }
    })?;
    // SAFETY: the context is open and has no other owner.
    let input = unsafe { Input::wrap(context) };
    Ok((input, reach))
}

/// Why it can't be opened, by FFmpeg's status of a call.
fn not_media(path: &Path, reach: &Reach, call: &str, status: i32) -> MediaError {
    if reach.is_stopped() {
        return refused(path, OpenErrorKind::TooMuchWork, "its opening".to_owned());
    }
    refused(path, OpenErrorKind::NotMedia, format!("{} ({call})", Error::from(status)))
}

/// Reads until FFmpeg knows the tracks; gives its status.
fn find_stream_info(input: &mut Input) -> i32 {
    let decoder_options = || {
        let mut options = Dictionary::new();
        options.set("max_pixels", &MOST_PICTURE_SAMPLES.to_string());
        // SAFETY: it goes back to an owner below.
        unsafe { options.disown() }
    };
    let mut options: Vec<_> = (0..input.nb_streams()).map(|_| decoder_options()).collect();
    // Null where there are no tracks yet: FFmpeg makes the decoders of later ones without any.
    let pointer = if options.is_empty() { ptr::null_mut() } else { options.as_mut_ptr() };
    // SAFETY: the context is open, and there are options for each track that it has.
    let status = unsafe { ffi::avformat_find_stream_info(input.as_mut_ptr(), pointer) };
    for left in options {
        // SAFETY: FFmpeg leaves a valid dictionary or null.
        drop(unsafe { Dictionary::own(left) });
    }
    status
}

/// FFmpeg's short names of a demuxer, separated by commas.
fn format_name(format: *const ffi::AVInputFormat) -> String {
    // SAFETY: the demuxer is one of the library's own, whose name ends in NUL and lives as long as the library.
    unsafe { CStr::from_ptr((*format).name) }.to_string_lossy().into_owned()
}

impl Source {
    /// FFmpeg's name of the container.
    pub(crate) fn container(&self) -> String {
        // SAFETY: an opened input has a demuxer.
        format_name(unsafe { (*self.input.as_ptr()).iformat })
    }
}

fn refused(path: &Path, kind: OpenErrorKind, detail: String) -> MediaError {
    MediaError::Refused { path: path.to_owned(), refusal: OpenError { kind, detail } }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_that_is_written_while_it_is_read_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.ts");
        let arguments = "-v error -f lavfi -i testsrc2=s=160x90:r=25:d=8 -c:v mpeg2video -b:v 2M";
        let made = Command::new("ffmpeg").args(arguments.split(' ')).arg(&path).status().unwrap();
        assert!(made.success());
        let bytes = fs_err::read(&path).unwrap();
        let read_all = |source: &mut Source| -> Result<(), MediaError> {
            loop {
                match source.read()? {
                    Read::Packet(packet) => source.has_not_grown(&packet)?,
                    Read::Damaged => {}
                    Read::End => return Ok(()),
                }
            }
        };
        read_all(&mut Source::open(&path).unwrap()).unwrap();
        let mut source = Source::open(&path).unwrap();
        fs_err::OpenOptions::new().append(true).open(&path).unwrap().write_all(&bytes).unwrap();
        let error = read_all(&mut source).unwrap_err();
        assert!(matches!(error, MediaError::Grown { size, .. } if size == bytes.len() as u64), "{error}");
        assert_eq!(error.failure().code, reelfarm_model::Code::SourceChanged);
    }
}

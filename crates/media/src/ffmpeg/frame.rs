//! What ffmpeg-next's frames lack: another reference to the same buffers, and the raw fields of damaged frames.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

use ffmpeg_next::ffi;
use ffmpeg_next::{Frame, frame};

use super::codec::check;
use crate::MediaError;

/// A frame without samples, for FFmpeg to fill.
pub(crate) fn blank() -> Frame {
    // SAFETY: allocates a frame that the result owns.
    unsafe { Frame::empty() }
}

/// Takes the content out, leaving a blank frame.
pub(crate) fn take(frame: &mut Frame) -> Frame {
    std::mem::replace(frame, blank())
}

/// A frame of its own over the same buffers: its properties can be set, its samples are shared.
pub(crate) fn share(frame: &frame::Video) -> Result<frame::Video, MediaError> {
    let mut shared = frame::Video::empty();
    // SAFETY: both frames are valid, and the new one is blank.
    let status = unsafe { ffi::av_frame_ref(shared.as_mut_ptr(), frame.as_ptr()) };
    check(status, "av_frame_ref", "a decoded frame")?;
    Ok(shared)
}

/// Whether the decoder says that the frame is not what was encoded.
pub(crate) fn is_damaged(frame: &Frame) -> bool {
    frame.is_corrupt() || frame.has_decode_errors()
}

/// Number of samples of each channel.
pub(crate) fn sample_count(frame: &Frame) -> u64 {
    // SAFETY: the frame is valid.
    unsafe { u64::try_from((*frame.as_ptr()).nb_samples).unwrap_or(0) }
}

/// Samples per second.
pub(crate) fn sample_rate(frame: &Frame) -> u32 {
    // SAFETY: the frame is valid.
    unsafe { u32::try_from((*frame.as_ptr()).sample_rate).unwrap_or(0) }
}

/// Number of channels.
pub(crate) fn channel_count(frame: &Frame) -> u32 {
    // SAFETY: the frame is valid.
    unsafe { u32::try_from((*frame.as_ptr()).ch_layout.nb_channels).unwrap_or(0) }
}

/// FFmpeg's name of the form of the samples, such as `fltp`.
pub(crate) fn sample_format(frame: &Frame) -> String {
    // SAFETY: an audio frame's format is one of FFmpeg's sample formats, by whose number the name is looked up; it
    // is null or ends in NUL.
    unsafe {
        let name = av_get_sample_fmt_name((*frame.as_ptr()).format);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

// Declared with a plain integer, as FFmpeg answers null for what is no sample format.
unsafe extern "C" {
    fn av_get_sample_fmt_name(format: c_int) -> *const c_char;
}

/// The largest absolute value of all samples of all channels, where 1 is full scale.
pub(crate) fn peak(frame: &Frame) -> f64 {
    use ffi::AVSampleFormat as Format;
    // SAFETY: an audio frame's `format` is one of FFmpeg's sample formats; it is compared as a number. The planes
    // that `extended_data` points to hold `nb_samples` samples of a channel (planar) or of all (packed), and
    // samples are aligned to their size.
    unsafe {
        let raw = &*frame.as_ptr();
        let (Ok(channels), Ok(samples)) =
            (usize::try_from(raw.ch_layout.nb_channels), usize::try_from(raw.nb_samples))
        else {
            return 0.0;
        };
        let is = |format: Format| raw.format == format as i32;
        let planar = [
            Format::AV_SAMPLE_FMT_U8P,
            Format::AV_SAMPLE_FMT_S16P,
            Format::AV_SAMPLE_FMT_S32P,
            Format::AV_SAMPLE_FMT_S64P,
            Format::AV_SAMPLE_FMT_FLTP,
            Format::AV_SAMPLE_FMT_DBLP,
        ];
        let (planes, length) =
            if planar.into_iter().any(is) { (channels, samples) } else { (1, samples * channels) };
        (0..planes)
            .map(|plane| {
                let data = *raw.extended_data.add(plane);
                if data.is_null() || length == 0 {
                    0.0
                } else if is(Format::AV_SAMPLE_FMT_FLT) || is(Format::AV_SAMPLE_FMT_FLTP) {
                    peak_of(data.cast::<f32>(), length, |s| f64::from(s.abs()))
                } else if is(Format::AV_SAMPLE_FMT_S16) || is(Format::AV_SAMPLE_FMT_S16P) {
                    peak_of(data.cast::<i16>(), length, |s| f64::from(s.unsigned_abs()) / 32_768.0)
                } else if is(Format::AV_SAMPLE_FMT_S32) || is(Format::AV_SAMPLE_FMT_S32P) {
                    peak_of(data.cast::<i32>(), length, |s| f64::from(s.unsigned_abs()) / 2_147_483_648.0)
                } else if is(Format::AV_SAMPLE_FMT_DBL) || is(Format::AV_SAMPLE_FMT_DBLP) {
                    peak_of(data.cast::<f64>(), length, f64::abs)
                } else if is(Format::AV_SAMPLE_FMT_S64) || is(Format::AV_SAMPLE_FMT_S64P) {
                    peak_of(data.cast::<i64>(), length, |s| s.unsigned_abs() as f64 / 2f64.powi(63))
                } else {
                    peak_of(data, length, |s: u8| f64::from(s.abs_diff(128)) / 128.0)
                }
            })
            .fold(0.0, f64::max)
    }
}

/// The largest finite value of `length` samples.
///
/// # Safety
/// `data` points to `length` aligned samples.
unsafe fn peak_of<T: Copy>(data: *const T, length: usize, value: impl Fn(T) -> f64) -> f64 {
    // SAFETY: the caller's promise.
    let samples = unsafe { std::slice::from_raw_parts(data, length) };
    samples.iter().map(|sample| value(*sample)).filter(|value| value.is_finite()).fold(0.0, f64::max)
}

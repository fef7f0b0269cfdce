//! What ffmpeg-next's frames lack: another reference to the same buffers, the raw fields of damaged frames, and samples that
//! can be read safely whatever their form.
#![allow(unsafe_code)]

mod picture;
mod sound;

use std::ffi::CStr;
use std::ptr;

use ffmpeg_next::{Frame, ffi, frame};

use super::codec::check;
use crate::MediaError;

pub(crate) use self::picture::{Layout, grey, is_bt601, is_full_range, layout, linesizes, plane};
pub(crate) use self::sound::{
    channel_count, channel_positions, copy_samples, peak, sample_count, sample_format, sample_rate,
};

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

/// The value of an entry in the frame's metadata, where filters put what they find.
pub(crate) fn metadata<'a>(frame: &'a Frame, key: &CStr) -> Option<&'a str> {
    // SAFETY: the dictionary is null or valid while the frame is borrowed; an entry's value ends in NUL.
    unsafe {
        let entry = ffi::av_dict_get((*frame.as_ptr()).metadata, key.as_ptr(), ptr::null(), 0);
        if entry.is_null() { None } else { CStr::from_ptr((*entry).value).to_str().ok() }
    }
}

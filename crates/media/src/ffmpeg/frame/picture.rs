//! How the samples of decoded pictures lie in memory, and views of them that cannot leave it.

use std::ffi::{CStr, c_int};
use std::slice;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{ffi, frame};

use crate::MediaError;
use crate::ffmpeg::{Error, track};

// Declared with a plain integer: the number may be no value of the enumeration that ffmpeg-sys-next makes of FFmpeg's.
unsafe extern "C" {
    fn sws_isSupportedInput(format: c_int) -> c_int;
}

/// How the samples of a picture lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// FFmpeg's name of the pixel format.
    pub name: &'static str,
    /// Bits of a sample.
    pub bit_depth: u32,
    /// By how many powers of two chroma is narrower and lower than luma; none where there is no chroma.
    pub chroma: Option<(u32, u32)>,
    /// Whether luma and both components of chroma are planes of their own, whose samples are one byte or, deeper than 8
    /// bits, the low bits of two bytes, little-endian.
    pub is_planar: bool,
    /// Luma with or without chroma, rather than colours or indexes of colours.
    pub is_yuv: bool,
}

/// The layout of a picture; none where FFmpeg knows no such format, or it cannot be converted to another.
pub(crate) fn layout(frame: &frame::Video) -> Option<Layout> {
    // SAFETY: the frame is valid; both functions take any number.
    let (format, is_convertible) = unsafe {
        let format = (*frame.as_ptr()).format;
        (format, sws_isSupportedInput(format) > 0)
    };
    let found = track::descriptor(format).filter(|_| is_convertible)?;
    layout_of(found)
}

fn layout_of(found: &'static ffi::AVPixFmtDescriptor) -> Option<Layout> {
    const NO_YUV: c_int = ffi::AV_PIX_FMT_FLAG_RGB
        | ffi::AV_PIX_FMT_FLAG_PAL
        | ffi::AV_PIX_FMT_FLAG_BAYER
        | ffi::AV_PIX_FMT_FLAG_FLOAT
        | ffi::AV_PIX_FMT_FLAG_BITSTREAM;
    // SAFETY: a descriptor's name is static and ends in NUL.
    let name = unsafe { CStr::from_ptr(found.name) }.to_str().ok()?;
    let has = |flags: c_int| found.flags & u64::from(flags.unsigned_abs()) != 0;
    if has(ffi::AV_PIX_FMT_FLAG_HWACCEL) {
        return None;
    }
    let bit_depth = u32::try_from(found.comp[0].depth).ok()?;
    let is_yuv = !has(NO_YUV) && !name.starts_with("xyz");
    let components = if found.nb_components >= 3 { 3 } else { 1 };
    let step = if bit_depth > 8 { 2 } else { 1 };
    let is_planar = is_yuv
        && (8..=16).contains(&bit_depth)
        && !has(ffi::AV_PIX_FMT_FLAG_BE)
        && found.comp.iter().take(components).enumerate().all(|(plane, component)| {
            let ffi::AVComponentDescriptor { plane: found, step: found_step, offset, shift, depth } =
                *component;
            (found, found_step, offset, shift, depth) == (plane as c_int, step, 0, 0, bit_depth as c_int)
        });
    let chroma = (components == 3).then(|| (u32::from(found.log2_chroma_w), u32::from(found.log2_chroma_h)));
    Some(Layout { name, bit_depth, chroma, is_planar, is_yuv })
}

/// How many bytes apart the rows of each plane lie; negative where the last row comes first in memory.
pub(crate) fn linesizes(frame: &frame::Video) -> [c_int; 4] {
    // SAFETY: the frame is valid.
    unsafe {
        let [first, second, third, fourth, ..] = (*frame.as_ptr()).linesize;
        [first, second, third, fourth]
    }
}

/// The rows of a plane as they lie in memory, and how many bytes apart they begin; `row` is how many bytes of each row are
/// samples. None where there is no such plane, it is not wholly in the frame's memory, or its last row comes first.
pub(crate) fn plane(frame: &frame::Video, index: usize, row: usize, rows: usize) -> Option<(&[u8], usize)> {
    // SAFETY: the frame is valid.
    let (planes, linesizes, buffers) = unsafe {
        let raw = frame.as_ptr();
        ((*raw).data, (*raw).linesize, (*raw).buf)
    };
    let (data, linesize) = (*planes.get(index)?, *linesizes.get(index)?);
    let stride = usize::try_from(linesize).ok().filter(|stride| *stride >= row)?;
    let length = rows.checked_sub(1)?.checked_mul(stride)?.checked_add(row)?;
    let start = data as usize;
    let is_within = |buffer: &*mut ffi::AVBufferRef| {
        // SAFETY: a frame's buffers are null or valid.
        let Some(buffer) = (unsafe { buffer.as_ref() }) else { return false };
        let first = buffer.data as usize;
        start >= first && (start - first).checked_add(length).is_some_and(|end| end <= buffer.size)
    };
    // SAFETY: the bytes lie in one of the frame's buffers, which nobody writes to while the frame is borrowed: a decoder
    // writes no more to a frame that it has handed out.
    (!data.is_null() && buffers.iter().any(is_within))
        .then(|| (unsafe { slice::from_raw_parts(data, length) }, stride))
}

/// Whether the samples use the full range of values, where the frame states that.
pub(crate) fn is_full_range(frame: &frame::Video) -> Option<bool> {
    // SAFETY: the frame is valid; the field is read as a number.
    let range = unsafe { (&raw const (*frame.as_ptr()).color_range).cast::<c_int>().read() };
    [(ffi::AVColorRange::AVCOL_RANGE_MPEG, false), (ffi::AVColorRange::AVCOL_RANGE_JPEG, true)]
        .into_iter()
        .find_map(|(stated, is_full)| (stated as c_int == range).then_some(is_full))
}

/// Whether luma is made up from colours by ITU-R BT.601 or a matrix close to it, where the frame states that.
pub(crate) fn is_bt601(frame: &frame::Video) -> Option<bool> {
    use ffi::AVColorSpace as Matrix;
    // SAFETY: the frame is valid; the field is read as a number.
    let matrix = unsafe { (&raw const (*frame.as_ptr()).colorspace).cast::<c_int>().read() };
    let is = |other: Matrix| matrix == other as c_int;
    (!is(Matrix::AVCOL_SPC_UNSPECIFIED)).then(|| {
        is(Matrix::AVCOL_SPC_BT470BG) || is(Matrix::AVCOL_SPC_SMPTE170M) || is(Matrix::AVCOL_SPC_FCC)
    })
}

/// A picture of 8-bit grey. `fill` writes each row, from the top.
pub(crate) fn grey(
    width: u32,
    height: u32,
    mut fill: impl FnMut(usize, &mut [u8]),
) -> Result<frame::Video, MediaError> {
    let mut picture = frame::Video::new(Pixel::GRAY8, width, height);
    // SAFETY: the frame is valid.
    let (data, linesize) = unsafe { ((*picture.as_mut_ptr()).data[0], (*picture.as_mut_ptr()).linesize[0]) };
    let (columns, rows) = (width as usize, height as usize);
    let Some(stride) = usize::try_from(linesize).ok().filter(|stride| *stride >= columns && !data.is_null())
    else {
        let source = Error::Other { errno: ffmpeg_next::error::ENOMEM };
        return Err(MediaError::Call {
            subject: "a grey picture".to_owned(),
            call: "av_frame_get_buffer",
            source,
        });
    };
    for row in 0..rows {
        // SAFETY: FFmpeg allocated `height` rows, `stride` bytes apart, for this frame alone.
        fill(row, unsafe { slice::from_raw_parts_mut(data.add(row * stride), columns) });
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::frame::share;

    fn layout_named(name: &CStr) -> Layout {
        // SAFETY: the name ends in NUL.
        let format = unsafe { ffi::av_get_pix_fmt(name.as_ptr()) };
        layout_of(track::descriptor(format as c_int).unwrap()).unwrap()
    }

    #[test]
    fn planes_of_luma_and_chroma_are_told_from_other_layouts() {
        for (name, bit_depth, chroma, is_planar, is_yuv) in [
            (c"yuv420p", 8, Some((1, 1)), true, true),
            (c"yuvj422p", 8, Some((1, 0)), true, true),
            (c"yuv410p", 8, Some((2, 2)), true, true),
            (c"yuva444p12le", 12, Some((0, 0)), true, true),
            (c"yuv422p10le", 10, Some((1, 0)), true, true),
            (c"gray", 8, None, true, true),
            (c"gray16le", 16, None, true, true),
            (c"yuv422p10be", 10, Some((1, 0)), false, true),
            (c"nv12", 8, Some((1, 1)), false, true),
            (c"p010le", 10, Some((1, 1)), false, true),
            (c"yuyv422", 8, Some((1, 0)), false, true),
            (c"ya8", 8, None, false, true),
            (c"gbrp", 8, Some((0, 0)), false, false),
            (c"rgb24", 8, Some((0, 0)), false, false),
            (c"pal8", 8, None, false, false),
            (c"monow", 1, None, false, false),
            (c"xyz12le", 12, Some((0, 0)), false, false),
            (c"grayf32le", 32, None, false, false),
        ] {
            let found = layout_named(name);
            assert_eq!(
                (found.bit_depth, found.chroma, found.is_planar, found.is_yuv),
                (bit_depth, chroma, is_planar, is_yuv),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_plane_is_read_only_where_it_lies_in_the_frame() {
        let picture = grey(20, 4, |row, samples| samples.fill(row as u8)).unwrap();
        let (bytes, stride) = plane(&picture, 0, 20, 4).unwrap();
        assert_eq!((bytes.len(), bytes[19], bytes[3 * stride]), (3 * stride + 20, 0, 3));
        assert!(plane(&picture, 0, 20, 100_000).is_none(), "more rows than there are");
        assert!(plane(&picture, 0, stride + 1, 1).is_none(), "rows longer than there are");
        assert!(plane(&picture, 1, 20, 4).is_none() && plane(&picture, 8, 20, 4).is_none());
        let mut upside_down = share(&picture).unwrap();
        // SAFETY: the frame is valid, and is read by `plane` alone.
        unsafe {
            let raw = upside_down.as_mut_ptr();
            (*raw).data[0] = (*raw).data[0].add(3 * stride);
            (*raw).linesize[0] *= -1;
        }
        assert!(plane(&upside_down, 0, 20, 4).is_none());
        assert!(linesizes(&upside_down)[0] < 0);
    }
}

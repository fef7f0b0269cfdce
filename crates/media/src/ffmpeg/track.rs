//! What a container and its codec parameters say about a track.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use ffmpeg_next::packet::Ref as _;
use ffmpeg_next::{Packet, Rational, Stream, ffi};
use reelfarm_model::measurement::sampled::HdrMetadata;
use reelfarm_model::measurement::{Colour, Ratio};

/// Facts about a video track.
pub(crate) struct VideoTrack {
    pub width: u32,
    pub height: u32,
    pub sample_aspect: Ratio,
    pub codec_sample_aspect: Option<Ratio>,
    pub rotation: u32,
    pub pixel_format: String,
    pub bit_depth: u32,
    pub colour: Colour,
}

/// Facts about an audio track.
pub(crate) struct AudioTrack {
    pub sample_rate: u32,
    pub channels: u32,
    /// FFmpeg's name of the layout; empty where not stated.
    pub layout: String,
}

/// What a container's header states of a track, whatever its codec states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// Width and height in samples.
    pub size: Option<(u32, u32)>,
    /// Samples of sound per second.
    pub sample_rate: Option<u32>,
    pub channels: Option<u32>,
}

/// What the header states of a track; to be asked before FFmpeg has looked for what the codec states, and puts that in its place.
pub(crate) fn header(stream: &Stream) -> Header {
    let positive = |value: c_int| u32::try_from(value).ok().filter(|value| *value > 0);
    // SAFETY: the parameters are valid while the stream is.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        Header {
            size: positive((*parameters).width).zip(positive((*parameters).height)),
            sample_rate: positive((*parameters).sample_rate),
            channels: positive((*parameters).ch_layout.nb_channels),
        }
    }
}

/// A ratio in the farm's form.
pub(crate) fn ratio(value: Rational) -> Ratio {
    Ratio::new(value.numerator().into(), value.denominator().into())
}

/// Whether the track is a cover or a thumbnail, not the programme's picture.
pub(crate) fn is_cover(stream: &Stream) -> bool {
    // SAFETY: the stream is valid while it is borrowed.
    let disposition = unsafe { (*stream.as_ptr()).disposition };
    disposition & (ffi::AV_DISPOSITION_ATTACHED_PIC | ffi::AV_DISPOSITION_TIMED_THUMBNAILS) != 0
}

/// When the track ends by its own header, in seconds on the container's timeline, where both its start and its duration
/// are stated.
pub(crate) fn stated_end(stream: &Stream) -> Option<f64> {
    let (start, duration) = (stream.start_time(), stream.duration());
    let tick = ratio(stream.time_base()).value()?;
    (start != ffi::AV_NOPTS_VALUE && duration > 0).then_some((start as f64 + duration as f64) * tick)
}

/// Whether a packet is to be decoded and not shown, as those before the place where an edit list begins.
pub(crate) fn is_hidden(packet: &Packet) -> bool {
    // SAFETY: the packet is valid while it is borrowed.
    let flags = unsafe { (*packet.as_ptr()).flags };
    flags & ffi::AV_PKT_FLAG_DISCARD != 0
}

/// FFmpeg's name of the track's codec.
pub(crate) fn codec_name(stream: &Stream) -> String {
    // SAFETY: the parameters are valid while the stream is; the name is static.
    unsafe { text(ffi::avcodec_get_name((*(*stream.as_ptr()).codecpar).codec_id)) }.unwrap_or_default()
}

/// The language tag as written in the container; none for `und`.
pub(crate) fn language(stream: &Stream) -> Option<String> {
    // SAFETY: the dictionary is null or valid; an entry's value ends in NUL. It may be no UTF-8.
    let value = unsafe {
        let entry = ffi::av_dict_get((*stream.as_ptr()).metadata, c"language".as_ptr(), ptr::null(), 0);
        if entry.is_null() { None } else { text((*entry).value) }
    };
    value
        .map(|language| code(&language).to_owned())
        .filter(|language| !language.is_empty() && language != "und")
}

/// What FFmpeg calls QuickTime's languages where that is no code of ISO 639, or that of another language: Swedish and Irish are not
/// Serili and Rigwe, which nobody has dubbed a film into. Names of two letters end in a space.
fn code(language: &str) -> &str {
    match language.trim() {
        "sve" => "swe",
        "iri" => "gle",
        other => other,
    }
}

// Declared with plain integers: what a file states may be no value of the enumerations that ffmpeg-sys-next makes of
// FFmpeg's, and FFmpeg answers null for such a one.
unsafe extern "C" {
    fn av_color_range_name(range: c_int) -> *const c_char;
    fn av_color_primaries_name(primaries: c_int) -> *const c_char;
    fn av_color_transfer_name(transfer: c_int) -> *const c_char;
    fn av_color_space_name(space: c_int) -> *const c_char;
    fn av_pix_fmt_desc_get(format: c_int) -> *const ffi::AVPixFmtDescriptor;
}

/// FFmpeg's description of a pixel format, if the number is that of one.
pub(in crate::ffmpeg) fn descriptor(format: c_int) -> Option<&'static ffi::AVPixFmtDescriptor> {
    // SAFETY: the function takes any number; descriptors are static.
    unsafe { av_pix_fmt_desc_get(format).as_ref() }
}

/// What the container says of high dynamic range beside the colours.
pub(crate) fn hdr(stream: &Stream) -> HdrMetadata {
    use ffi::AVPacketSideDataType as Kind;
    // SAFETY: the stream is valid while it is borrowed; only whether there is such data is asked.
    let has = |kind: Kind| unsafe {
        !ffi::av_stream_get_side_data(stream.as_ptr(), kind, ptr::null_mut()).is_null()
    };
    HdrMetadata {
        mastering_display: has(Kind::AV_PKT_DATA_MASTERING_DISPLAY_METADATA),
        content_light_level: has(Kind::AV_PKT_DATA_CONTENT_LIGHT_LEVEL),
        dolby_vision: has(Kind::AV_PKT_DATA_DOVI_CONF),
    }
}

/// What a decoder must be told before the first packet: the codec's headers, as the container has them.
pub(crate) fn parameter_sets(stream: &Stream) -> Vec<u8> {
    // SAFETY: the parameters are valid while the stream is, and their data is as long as they say.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        let length = usize::try_from((*parameters).extradata_size).unwrap_or(0);
        if (*parameters).extradata.is_null() || length == 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts((*parameters).extradata, length).to_vec()
    }
}

/// Facts about a video track.
pub(crate) fn video(stream: &Stream) -> VideoTrack {
    // SAFETY: the parameters are valid while the stream is; fields that hold enumerations are read through pointers
    // to integers of the same size. Descriptors and names are static and end in NUL.
    unsafe {
        let raw = stream.as_ptr();
        let parameters = (*raw).codecpar;
        let descriptor = descriptor((*parameters).format);
        let pixel_format = descriptor.and_then(|found| text(found.name)).unwrap_or_default();
        let named = |name: *const c_char| text(name).unwrap_or_else(|| "unknown".to_owned());
        let mut colour = Colour {
            range: named(av_color_range_name((&raw const (*parameters).color_range).cast::<c_int>().read())),
            primaries: named(av_color_primaries_name(
                (&raw const (*parameters).color_primaries).cast::<c_int>().read(),
            )),
            transfer: named(av_color_transfer_name(
                (&raw const (*parameters).color_trc).cast::<c_int>().read(),
            )),
            matrix: named(av_color_space_name((&raw const (*parameters).color_space).cast::<c_int>().read())),
        };
        // FFmpeg's old way to say full range.
        if colour.range == "unknown" && pixel_format.starts_with("yuvj") {
            "pc".clone_into(&mut colour.range);
        }
        let aspect = ffi::av_guess_sample_aspect_ratio(ptr::null_mut(), raw.cast_mut(), ptr::null_mut());
        VideoTrack {
            width: u32::try_from((*parameters).width).unwrap_or(0),
            height: u32::try_from((*parameters).height).unwrap_or(0),
            sample_aspect: ratio(aspect.into()),
            codec_sample_aspect: Some(ratio((*parameters).sample_aspect_ratio.into()))
                .filter(|stated| stated.numerator > 0 && stated.denominator > 0),
            rotation: rotation(stream),
            bit_depth: descriptor.and_then(|found| u32::try_from(found.comp[0].depth).ok()).unwrap_or(0),
            pixel_format,
            colour,
        }
    }
}

/// Facts about an audio track.
pub(crate) fn audio(stream: &Stream) -> AudioTrack {
    // SAFETY: the parameters are valid while the stream is.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        let layout = &raw const (*parameters).ch_layout;
        AudioTrack {
            sample_rate: u32::try_from((*parameters).sample_rate).unwrap_or(0),
            channels: u32::try_from((*layout).nb_channels).unwrap_or(0),
            layout: if (*layout).order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
                String::new()
            } else {
                layout_name(layout)
            },
        }
    }
}

/// FFmpeg's name of a channel layout; that of its usual layout for as many channels where none is stated.
pub(crate) fn layout_name_of_frame(frame: &ffmpeg_next::Frame) -> String {
    // SAFETY: the frame is valid; the default layout is written into a blank one and needs no freeing.
    unsafe {
        let layout = &raw const (*frame.as_ptr()).ch_layout;
        if (*layout).order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            let mut usual: ffi::AVChannelLayout = std::mem::zeroed();
            ffi::av_channel_layout_default(&raw mut usual, (*layout).nb_channels);
            layout_name(&raw const usual)
        } else {
            layout_name(layout)
        }
    }
}

/// # Safety
/// The layout is valid.
unsafe fn layout_name(layout: *const ffi::AVChannelLayout) -> String {
    let mut name = [0 as c_char; 128];
    // SAFETY: the caller's promise; the buffer's length is given with it, and what is written ends in NUL.
    unsafe {
        ffi::av_channel_layout_describe(layout, name.as_mut_ptr(), name.len());
        text(name.as_ptr()).unwrap_or_default()
    }
}

/// The clockwise turn in whole quarters that makes the picture upright, from the display matrix.
fn rotation(stream: &Stream) -> u32 {
    // SAFETY: the stream is valid; a display matrix is nine 32-bit integers.
    let counter_clockwise = unsafe {
        let mut size = 0usize;
        let data = ffi::av_stream_get_side_data(
            stream.as_ptr(),
            ffi::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
            &raw mut size,
        );
        if data.is_null() || size < 9 * 4 {
            return 0;
        }
        ffi::av_display_rotation_get(data.cast())
    };
    if !counter_clockwise.is_finite() {
        return 0;
    }
    let quarters = (-counter_clockwise / 90.0).round() as i32;
    quarters.rem_euclid(4).unsigned_abs() * 90
}

/// # Safety
/// The pointer is null or points to text that ends in NUL.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_of_quicktime_have_their_codes() {
        for (named, expected) in [("sve", "swe"), ("iri", "gle"), ("hr ", "hr"), ("eng", "eng"), (" ", "")] {
            assert_eq!(code(named), expected, "{named:?}");
        }
    }
}

//! The samples of sound frames, in whichever of FFmpeg's forms, and where they are heard from.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::slice;

use ffmpeg_next::{Frame, ffi};
use reelfarm_model::measurement::sound::Position;

// Declared with plain integers: a frame's numbers may be no values of the enumerations that ffmpeg-sys-next makes of
// FFmpeg's.
unsafe extern "C" {
    fn av_get_sample_fmt_name(format: c_int) -> *const c_char;
    fn av_channel_layout_channel_from_index(layout: *const ffi::AVChannelLayout, index: c_uint) -> c_int;
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

/// The largest absolute value of all samples of all channels, where 1 is full scale; what is not finite left out.
pub(crate) fn peak(frame: &Frame) -> f64 {
    let Some(sound) = Sound::of(frame) else { return 0.0 };
    let planes = if sound.is_planar { sound.channels } else { 1 };
    (0..planes).filter_map(|plane| sound.plane(plane)).map(SamplePlane::peak).fold(0.0, f64::max)
}

/// Writes the samples of the first `most` channels, one channel after the other; 1 is full scale. Returns how many samples
/// each has.
pub(crate) fn copy_samples(frame: &Frame, most: usize, into: &mut Vec<f32>) -> usize {
    into.clear();
    let Some(sound) = Sound::of(frame) else { return 0 };
    for channel in 0..sound.channels.min(most) {
        let (plane, first, step) =
            if sound.is_planar { (channel, 0, 1) } else { (0, channel, sound.channels) };
        match sound.plane(plane) {
            Some(plane) => plane.copy(first, step, into),
            None => into.resize(into.len() + sound.samples, 0.0),
        }
    }
    sound.samples
}

/// Where the samples of a sound frame lie.
struct Sound<'a> {
    frame: &'a Frame,
    channels: usize,
    samples: usize,
    /// A plane for each channel; otherwise one plane with a sample of each channel in turn.
    is_planar: bool,
}

/// The samples of one plane.
enum SamplePlane<'a> {
    U8(&'a [u8]),
    S16(&'a [i16]),
    S32(&'a [i32]),
    S64(&'a [i64]),
    Float(&'a [f32]),
    Double(&'a [f64]),
}

impl<'a> Sound<'a> {
    /// None where there are no samples.
    fn of(frame: &'a Frame) -> Option<Self> {
        use ffi::AVSampleFormat as Format;
        let channels = usize::try_from(channel_count(frame)).ok()?;
        let samples = usize::try_from(sample_count(frame)).ok()?;
        // SAFETY: the frame is valid. The format is compared as a number.
        let format = unsafe { (*frame.as_ptr()).format };
        let is_planar = [
            Format::AV_SAMPLE_FMT_U8P,
            Format::AV_SAMPLE_FMT_S16P,
            Format::AV_SAMPLE_FMT_S32P,
            Format::AV_SAMPLE_FMT_S64P,
            Format::AV_SAMPLE_FMT_FLTP,
            Format::AV_SAMPLE_FMT_DBLP,
        ]
        .into_iter()
        .any(|planar| format == planar as c_int);
        (channels > 0 && samples > 0).then_some(Self { frame, channels, samples, is_planar })
    }

    /// One of the planes; `plane` is below their number.
    fn plane(&self, plane: usize) -> Option<SamplePlane<'a>> {
        use ffi::AVSampleFormat as Format;
        let length = if self.is_planar { self.samples } else { self.samples.checked_mul(self.channels)? };
        // SAFETY: a sound frame's `extended_data` points to its planes, which hold `nb_samples` samples of a channel
        // (planar) or of all (packed), aligned to their size, in the form that `format` says; they live while the frame is
        // borrowed.
        unsafe {
            let format = (*self.frame.as_ptr()).format;
            let is = |packed: Format, planar: Format| format == packed as c_int || format == planar as c_int;
            let data = *(*self.frame.as_ptr()).extended_data.add(plane);
            if data.is_null() {
                None
            } else if is(Format::AV_SAMPLE_FMT_FLT, Format::AV_SAMPLE_FMT_FLTP) {
                Some(SamplePlane::Float(slice::from_raw_parts(data.cast(), length)))
            } else if is(Format::AV_SAMPLE_FMT_S16, Format::AV_SAMPLE_FMT_S16P) {
                Some(SamplePlane::S16(slice::from_raw_parts(data.cast(), length)))
            } else if is(Format::AV_SAMPLE_FMT_S32, Format::AV_SAMPLE_FMT_S32P) {
                Some(SamplePlane::S32(slice::from_raw_parts(data.cast(), length)))
            } else if is(Format::AV_SAMPLE_FMT_DBL, Format::AV_SAMPLE_FMT_DBLP) {
                Some(SamplePlane::Double(slice::from_raw_parts(data.cast(), length)))
            } else if is(Format::AV_SAMPLE_FMT_S64, Format::AV_SAMPLE_FMT_S64P) {
                Some(SamplePlane::S64(slice::from_raw_parts(data.cast(), length)))
            } else if is(Format::AV_SAMPLE_FMT_U8, Format::AV_SAMPLE_FMT_U8P) {
                Some(SamplePlane::U8(slice::from_raw_parts(data, length)))
            } else {
                None
            }
        }
    }
}

impl SamplePlane<'_> {
    fn peak(self) -> f64 {
        match self {
            Self::U8(samples) => peak_of(samples),
            Self::S16(samples) => peak_of(samples),
            Self::S32(samples) => peak_of(samples),
            Self::S64(samples) => peak_of(samples),
            Self::Float(samples) => peak_of(samples),
            Self::Double(samples) => peak_of(samples),
        }
    }

    /// Appends the sample at `first` and each `step`th after it.
    fn copy(self, first: usize, step: usize, into: &mut Vec<f32>) {
        match self {
            Self::U8(samples) => copy_of(samples, first, step, into),
            Self::S16(samples) => copy_of(samples, first, step, into),
            Self::S32(samples) => copy_of(samples, first, step, into),
            Self::S64(samples) => copy_of(samples, first, step, into),
            Self::Float(samples) if step == 1 => into.extend_from_slice(samples),
            Self::Float(samples) => copy_of(samples, first, step, into),
            Self::Double(samples) => copy_of(samples, first, step, into),
        }
    }
}

fn peak_of<T: Sample>(samples: &[T]) -> f64 {
    samples.iter().map(|sample| sample.level().abs()).filter(|level| level.is_finite()).fold(0.0, f64::max)
}

fn copy_of<T: Sample>(samples: &[T], first: usize, step: usize, into: &mut Vec<f32>) {
    into.extend(samples.iter().skip(first).step_by(step).map(|sample| sample.level() as f32));
}

/// A sample in one of FFmpeg's forms.
trait Sample: Copy {
    /// Its value, where 1 is full scale.
    fn level(self) -> f64;
}

impl Sample for u8 {
    fn level(self) -> f64 {
        (f64::from(self) - 128.0) / 128.0
    }
}

impl Sample for i16 {
    fn level(self) -> f64 {
        f64::from(self) / 32_768.0
    }
}

impl Sample for i32 {
    fn level(self) -> f64 {
        f64::from(self) / 2_147_483_648.0
    }
}

impl Sample for i64 {
    fn level(self) -> f64 {
        self as f64 / 2f64.powi(63)
    }
}

impl Sample for f32 {
    fn level(self) -> f64 {
        f64::from(self)
    }
}

impl Sample for f64 {
    fn level(self) -> f64 {
        self
    }
}

/// Where each channel of a sound frame is heard from.
pub(crate) fn channel_positions(frame: &Frame) -> Vec<Position> {
    let channels = channel_count(frame);
    // SAFETY: the frame and with it its layout are valid; the order is read as a number, and FFmpeg answers the number of no
    // channel for an index that it does not know.
    let stated: Option<Vec<c_int>> = unsafe {
        let layout = &raw const (*frame.as_ptr()).ch_layout;
        let order = (&raw const (*layout).order).cast::<c_int>().read();
        (order != ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC as c_int)
            .then(|| (0..channels).map(|index| av_channel_layout_channel_from_index(layout, index)).collect())
    };
    positions(channels, stated.as_deref())
}

/// Positions of so many channels, of which FFmpeg's numbers may be stated. Where they are not, one, two and six channels are
/// taken as everybody writes them.
fn positions(channels: u32, stated: Option<&[c_int]>) -> Vec<Position> {
    use Position::{
        BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, Mono, Other, SideLeft,
        SideRight,
    };
    use ffi::AVChannel as Channel;
    let known = [
        (Channel::AV_CHAN_FRONT_LEFT, FrontLeft),
        (Channel::AV_CHAN_FRONT_RIGHT, FrontRight),
        (Channel::AV_CHAN_FRONT_CENTER, FrontCentre),
        (Channel::AV_CHAN_LOW_FREQUENCY, LowFrequency),
        (Channel::AV_CHAN_BACK_LEFT, BackLeft),
        (Channel::AV_CHAN_BACK_RIGHT, BackRight),
        (Channel::AV_CHAN_SIDE_LEFT, SideLeft),
        (Channel::AV_CHAN_SIDE_RIGHT, SideRight),
        // A stereo mix of more channels, written as such.
        (Channel::AV_CHAN_STEREO_LEFT, FrontLeft),
        (Channel::AV_CHAN_STEREO_RIGHT, FrontRight),
    ];
    let position = |number: &c_int| {
        known
            .iter()
            .find(|(channel, _)| *channel as c_int == *number)
            .map_or(Other, |(_, position)| *position)
    };
    match (channels, stated) {
        (1, _) => vec![Mono],
        (_, Some(stated)) => stated.iter().map(position).collect(),
        (2, None) => vec![FrontLeft, FrontRight],
        (6, None) => vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight],
        (channels, None) => (0..channels).map(|_| Other).collect(),
    }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Sample as Form;
    use ffmpeg_next::format::sample::Type;
    use ffmpeg_next::{ChannelLayout, frame};

    use super::*;

    #[test]
    fn channels_are_heard_from_where_they_say() {
        use Position::{
            BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, Mono, Other, SideLeft,
            SideRight,
        };
        for (channels, stated, expected) in [
            (1, Some(vec![2]), vec![Mono]),
            (1, None, vec![Mono]),
            (2, Some(vec![0, 1]), vec![FrontLeft, FrontRight]),
            (2, Some(vec![29, 30]), vec![FrontLeft, FrontRight]),
            (2, None, vec![FrontLeft, FrontRight]),
            (3, None, vec![Other; 3]),
            (
                6,
                Some(vec![0, 1, 2, 3, 9, 10]),
                vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, SideLeft, SideRight],
            ),
            (6, None, vec![FrontLeft, FrontRight, FrontCentre, LowFrequency, BackLeft, BackRight]),
            // An ambisonic component, one that FFmpeg does not know, and none.
            (4, Some(vec![0x400, 8, 123_456, -1]), vec![Other; 4]),
        ] {
            assert_eq!(positions(channels, stated.as_deref()), expected, "{channels} {stated:?}");
        }
    }

    #[test]
    fn samples_of_every_form_have_their_share_of_full_scale() {
        for (format, size, bytes) in [
            (Form::U8(Type::Packed), 1, vec![192]),
            (Form::I16(Type::Packed), 2, 16_384i16.to_ne_bytes().to_vec()),
            (Form::I32(Type::Packed), 4, (1i32 << 30).to_ne_bytes().to_vec()),
            (Form::I64(Type::Packed), 8, (1i64 << 62).to_ne_bytes().to_vec()),
            (Form::F32(Type::Packed), 4, 0.5f32.to_ne_bytes().to_vec()),
            (Form::F64(Type::Packed), 8, 0.5f64.to_ne_bytes().to_vec()),
        ] {
            for kind in [Type::Packed, Type::Planar] {
                let format = match format {
                    Form::U8(_) => Form::U8(kind),
                    Form::I16(_) => Form::I16(kind),
                    Form::I32(_) => Form::I32(kind),
                    Form::I64(_) => Form::I64(kind),
                    Form::F32(_) => Form::F32(kind),
                    _ => Form::F64(kind),
                };
                let mut sound = frame::Audio::new(format, 10, ChannelLayout::STEREO);
                // The second channel is half of full scale at its third sample, all else silence.
                let (plane, at) = if kind == Type::Planar { (1, 2) } else { (0, 5) };
                // SAFETY: the frame has just been allocated for ten samples of two channels in that form.
                unsafe {
                    let (planes, length) = if kind == Type::Planar { (2, 10) } else { (1, 20) };
                    for plane in 0..planes {
                        let data = *(*sound.as_mut_ptr()).extended_data.add(plane);
                        data.write_bytes(if size == 1 { 128 } else { 0 }, length * size);
                    }
                    let data = *(*sound.as_mut_ptr()).extended_data.add(plane);
                    data.add(at * size).copy_from_nonoverlapping(bytes.as_ptr(), size);
                }
                let mut samples = Vec::new();
                assert_eq!(copy_samples(&sound, 64, &mut samples), 10, "{format:?}");
                let loud: Vec<_> = samples.iter().enumerate().filter(|(_, sample)| **sample != 0.0).collect();
                assert_eq!(loud, [(12, &0.5)], "{format:?}");
                assert_eq!((samples.len(), peak(&sound)), (20, 0.5), "{format:?}");
                assert_eq!(copy_samples(&sound, 1, &mut samples), 10);
                assert_eq!(samples, [0.0; 10], "the second channel is left out");
            }
        }
    }
}

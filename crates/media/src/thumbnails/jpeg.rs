//! A decoded frame as a small JPEG picture: scaled to square samples, turned upright, in the colours that JPEG files have
//! (JFIF: ITU-R BT.601, full range).

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, frame};

use super::Thumbnail;
use crate::MediaError;
use crate::ffmpeg::codec::{self, Encoder};
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{Layout, blank, is_bt601, is_full_range, layout, take};
use crate::ffmpeg::options::Options;
use crate::ffmpeg::track::VideoTrack;

/// The longest side, in samples.
const LONGEST_SIDE: u32 = 320;
/// The most bytes of a picture.
const MOST_BYTES: usize = 48 << 10;
/// Quantisers from fine to coarse, the first of which gives few enough bytes counts: noise takes several times as many.
const QUANTISERS: [u32; 4] = [4, 8, 16, 31];
/// Proportions of a sample beyond these are no proportions (ITU-T H.264 has 12:11 to 160:99), so samples are taken as square.
const SAMPLE_ASPECTS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// The picture of a frame; none where its form is not known or it cannot be made small enough.
pub(super) fn thumbnail(frame: &frame::Video, track: &VideoTrack) -> Option<Thumbnail> {
    let layout = layout(frame)?;
    let aspect = track.sample_aspect.value().filter(|aspect| SAMPLE_ASPECTS.contains(aspect)).unwrap_or(1.0);
    let size = fitted(frame.width(), frame.height(), aspect);
    let text = format!(
        "buffer@in0=video_size={}x{}:pix_fmt={}:time_base=1/1000000,{},buffersink@out",
        frame.width(),
        frame.height(),
        layout.name,
        filters(size, track.rotation, &colours(frame, &layout))
    );
    let picture = convert(&text, frame).ok()??;
    QUANTISERS
        .into_iter()
        .find_map(|quantiser| {
            encode(&picture, quantiser).ok().filter(|jpeg| (1..=MOST_BYTES).contains(&jpeg.len()))
        })
        .map(|jpeg| Thumbnail { width: picture.width(), height: picture.height(), jpeg })
}

/// The size with square samples, as it lies in the file: no side is longer than may be, and nothing is made larger.
fn fitted(width: u32, height: u32, sample_aspect: f64) -> (u32, u32) {
    // Square samples are reached by giving up samples in the direction that has too many.
    let (width, height) =
        (f64::from(width) * sample_aspect.min(1.0), f64::from(height) / sample_aspect.max(1.0));
    let factor = (f64::from(LONGEST_SIDE) / width.max(height)).min(1.0);
    let side = |samples: f64| ((samples * factor).round() as u32).clamp(1, LONGEST_SIDE);
    (side(width), side(height))
}

/// What the scale filter is told of the frame's colours. What the frame does not state is taken by size, as players do.
fn colours(frame: &frame::Video, layout: &Layout) -> String {
    let is_full = layout.name.starts_with("yuvj") || is_full_range(frame).unwrap_or(layout.chroma.is_none());
    let range = if is_full { "pc" } else { "tv" };
    let matrix = match is_bt601(frame) {
        // The frame's own: there are more than two.
        Some(_) => "auto",
        None if frame.width() < 1280 && frame.height() < 720 => "bt601",
        None => "bt709",
    };
    if layout.is_yuv { format!(":in_range={range}:in_color_matrix={matrix}") } else { String::new() }
}

fn filters((width, height): (u32, u32), rotation: u32, colours: &str) -> String {
    let turn = match rotation {
        90 => ",transpose=clock",
        180 => ",hflip,vflip",
        270 => ",transpose=cclock",
        _ => "",
    };
    format!(
        "scale=w={width}:h={height}:flags=area+accurate_rnd+bitexact{colours}:out_range=pc:out_color_matrix=bt601\
         ,format=yuvj420p{turn}"
    )
}

fn convert(text: &str, frame: &frame::Video) -> Result<Option<frame::Video>, MediaError> {
    let mut graph = FilterGraph::new(text, "a thumbnail".to_owned())?;
    graph.push(0, Some(frame))?;
    let mut converted = blank();
    Ok((graph.pull(&mut converted)? == Pulled::Frame).then(|| take(&mut converted).into()))
}

fn encode(picture: &frame::Video, quantiser: u32) -> Result<Vec<u8>, MediaError> {
    let options = Options::new([("threads", "1"), ("flags", "+bitexact")]);
    let options = options.with("qmin", &quantiser).with("qmax", &quantiser);
    let prepare = |context: &mut ffmpeg_next::codec::Context| {
        context.set_time_base(Rational::new(1, 1));
        codec::set_picture(context, Pixel::YUVJ420P, picture.width(), picture.height());
    };
    let mut encoder = Encoder::open("mjpeg", "a thumbnail".to_owned(), prepare, options)?;
    let mut picture = crate::ffmpeg::frame::share(picture)?;
    picture.set_pts(Some(0));
    let mut jpeg = Vec::new();
    for frame in [Some(&*picture), None] {
        encoder.encode(frame, |packet| {
            jpeg.extend_from_slice(packet.data().unwrap_or_default());
            Ok(())
        })?;
    }
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_fit_and_keep_their_proportions() {
        for (width, height, aspect, expected) in [
            (1920, 1080, 1.0, (320, 180)),
            (1080, 1920, 1.0, (180, 320)),
            (160, 90, 1.0, (160, 90)),
            (1440, 1080, 4.0 / 3.0, (320, 180)),
            (720, 576, 64.0 / 45.0, (320, 180)),
            (720, 576, 16.0 / 15.0, (320, 240)),
            (720, 480, 8.0 / 9.0, (320, 240)),
            (16_384, 16, 1.0, (320, 1)),
            (1, 16_384, 1.0, (1, 320)),
        ] {
            assert_eq!(fitted(width, height, aspect), expected, "{width}x{height} {aspect}");
        }
    }
}

//! Each rung's picture from the source's: scaled to the rung's size with square pixels, turned upright, 8-bit 4:2:0
//! in limited range and BT.709.
//!
//! A picture that keeps its colours is scaled by zimg, which is twice as fast as swscale and gives the same pictures; any
//! other goes through swscale, with `accurate_rnd` and `bitexact`. Either gives the same samples on every processor: zimg
//! because it scales such pictures in integers. It dithers those of more than 8 bits, or skies would have bands. Every rung is made of the source's frame, so that it is the same whatever other rungs there are. Chroma is taken to
//! lie at the left, as MPEG-2 and H.264 have it.

use std::fmt;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, frame};
use reelfarm_model::Digest;
use reelfarm_model::qc::VideoConclusion;
use reelfarm_model::task::RungSpec;

use crate::MediaError;
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{blank, take};

const SCALE_FLAGS: &str = "bicubic+accurate_rnd+full_chroma_int+bitexact";
/// The same kernel in zimg's words: swscale's bicubic has B = 0 and C = 0.6.
const ZSCALE_KERNEL: &str = "filter=bicubic:param_a=0:param_b=0.6";

/// What decoded frames look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Width in stored samples.
    pub width: u32,
    /// Height in stored samples.
    pub height: u32,
    /// FFmpeg's name of the pixel format.
    pub pixel_format: String,
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.pixel_format)
    }
}

impl Picture {
    /// That of a frame.
    pub(super) fn of(frame: &frame::Video) -> Self {
        let pixel_format = frame.format().descriptor().map_or_else(String::new, |d| d.name().to_owned());
        Self { width: frame.width(), height: frame.height(), pixel_format }
    }

    /// About how many bytes a frame has, rather more than less.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * if self.pixel_format == "yuv420p" { 2 } else { 4 }
    }

    /// The source of a filter graph that takes such frames.
    pub(super) fn buffer(&self, time_base: Rational) -> String {
        format!(
            "buffer@in0=video_size={}x{}:pix_fmt={}:time_base={time_base}",
            self.width, self.height, self.pixel_format
        )
    }
}

/// Makes a rung's pictures.
pub(super) struct Converter {
    graph: FilterGraph,
    subject: String,
}

impl Converter {
    /// A converter, or none where the source's frames are what the rung needs as they are.
    pub(super) fn new(
        picture: &Picture,
        video: &VideoConclusion,
        rung: &RungSpec,
    ) -> Result<Option<Self>, MediaError> {
        let filters = filters(picture, video, rung)?;
        if filters.is_empty() {
            return Ok(None);
        }
        let text = format!(
            "{},{},buffersink@out",
            picture.buffer(Rational::new(1, i32::try_from(video.frame_rate).unwrap_or(i32::MAX))),
            filters.join(",")
        );
        let subject = format!("{}, converting", rung.rung.name);
        Ok(Some(Self { graph: FilterGraph::new(&text, subject.clone())?, subject }))
    }

    /// The rung's picture of a frame, with the frame's number.
    pub(super) fn convert(&mut self, frame: &frame::Video) -> Result<frame::Video, MediaError> {
        self.graph.push(0, Some(frame))?;
        let mut converted = blank();
        if self.graph.pull(&mut converted)? != Pulled::Frame {
            return Err(MediaError::Count {
                subject: self.subject.clone(),
                unit: "frames",
                expected: 1,
                found: 0,
            });
        }
        let mut converted = frame::Video::from(take(&mut converted));
        converted.set_pts(frame.pts());
        Ok(converted)
    }
}

fn filters(picture: &Picture, video: &VideoConclusion, rung: &RungSpec) -> Result<Vec<String>, MediaError> {
    let turns = match video.rotation {
        0 => vec![],
        90 => vec!["transpose=clock"],
        180 => vec!["hflip", "vflip"],
        270 => vec!["transpose=cclock"],
        other => {
            return Err(MediaError::Unsupported(format!("a picture cannot be turned by {other} degrees")));
        }
    };
    // Scaled first, because then there is less to turn.
    let (width, height) =
        if video.rotation % 180 == 90 { (rung.height, rung.width) } else { (rung.width, rung.height) };
    let as_it_is = (picture.width, picture.height) == (width, height)
        && picture.pixel_format == "yuv420p"
        && video.matrix == "bt709"
        && !video.full_range;
    let mut filters = Vec::new();
    if as_it_is {
        // Nothing to change.
    } else if keeps_its_colours(picture, video) {
        filters.extend(zscale(width, height, &picture.pixel_format));
    } else {
        let range = if video.full_range { "pc" } else { "tv" };
        let mut scale = format!(
            "scale=w={width}:h={height}:flags={SCALE_FLAGS}:in_range={range}:out_range=tv:out_color_matrix=bt709\
             :in_h_chr_pos=0:out_h_chr_pos=0"
        );
        if let Some(matrix) = matrix(&video.matrix)? {
            scale.push_str(":in_color_matrix=");
            scale.push_str(matrix);
        }
        filters.push(scale);
        filters.push("format=yuv420p".to_owned());
    }
    filters.extend(turns.into_iter().map(str::to_owned));
    Ok(filters)
}

/// zimg's filters for a picture of this format.
pub(super) fn zscale(width: u32, height: u32, pixel_format: &str) -> [String; 3] {
    let dither = if pixel_format.ends_with('p') { "none" } else { "ordered" };
    let scale = format!(
        "zscale=w={width}:h={height}:{ZSCALE_KERNEL}:dither={dither}:rangein=tv:range=tv:chromalin=left:chromal=left"
    );
    // It would take a picture with the mark of interlaced ones for a field.
    ["setfield=prog".to_owned(), scale, "format=yuv420p".to_owned()]
}

/// What tells one zimg from another, of which FFmpeg tells no version: what it makes of a picture of 10 bits.
pub(crate) fn zimg_sample() -> Result<Digest, MediaError> {
    let picture = Picture { width: 64, height: 36, pixel_format: "yuv422p10le".to_owned() };
    let scale = zscale(40, 22, &picture.pixel_format).join(",");
    let text = format!("{},{scale},buffersink@out", picture.buffer(Rational::new(1, 25)));
    let mut graph = FilterGraph::new(&text, "zimg's version".to_owned())?;
    let mut source = frame::Video::new(Pixel::YUV422P10LE, picture.width, picture.height);
    for plane in 0..source.planes() {
        for (place, byte) in source.data_mut(plane).iter_mut().enumerate() {
            // The second byte of a sample has its two upper bits.
            *byte = if place % 2 == 0 { (place * 37 / 8) as u8 } else { (place / 16 % 4) as u8 };
        }
    }
    source.set_pts(Some(0));
    graph.push(0, Some(&source))?;
    let mut scaled = blank();
    graph.pull(&mut scaled)?;
    let scaled = frame::Video::from(take(&mut scaled));
    let mut samples = Vec::new();
    for plane in 0..scaled.planes() {
        let (width, stride) = (scaled.plane_width(plane) as usize, scaled.stride(plane));
        let rows = scaled.data(plane).chunks(stride.max(1)).take(scaled.plane_height(plane) as usize);
        samples.extend(rows.flat_map(|row| row.get(..width).unwrap_or(row)));
    }
    Ok(Digest::of(&samples))
}

/// Whether only the size, the sampling of chroma and the depth change, and zimg reads the format.
fn keeps_its_colours(picture: &Picture, video: &VideoConclusion) -> bool {
    let (samples, depth) = picture.pixel_format.split_once('p').unwrap_or_default();
    let sides = match samples {
        "yuv420" => (2, 2),
        "yuv422" => (2, 1),
        "yuv444" => (1, 1),
        _ => return false,
    };
    let is_whole = picture.width.is_multiple_of(sides.0) && picture.height.is_multiple_of(sides.1);
    is_whole && matches!(depth, "" | "10le" | "12le") && video.matrix == "bt709" && !video.full_range
}

/// The scale filter's name of a matrix, of which the model has FFmpeg's general name; none for RGB.
fn matrix(name: &str) -> Result<Option<&'static str>, MediaError> {
    Ok(Some(match name {
        "bt709" => "bt709",
        "smpte170m" => "smpte170m",
        "bt470bg" => "bt470",
        "fcc" => "fcc",
        "smpte240m" => "smpte240m",
        "bt2020nc" => "bt2020",
        "gbr" => return Ok(None),
        other => {
            return Err(MediaError::Unsupported(format!("the colour matrix {other} cannot be converted")));
        }
    }))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Rung;
    use reelfarm_model::ladder::VideoCodec;

    use super::*;

    fn picture(width: u32, height: u32, pixel_format: &str) -> Picture {
        Picture { width, height, pixel_format: pixel_format.into() }
    }

    fn video(rotation: u32, matrix: &str) -> VideoConclusion {
        VideoConclusion {
            stream: 0,
            frame_rate: 25,
            frame_count: 1,
            width: 1,
            height: 1,
            rotation,
            deinterlace: false,
            field_order: None,
            matrix: matrix.into(),
            full_range: false,
        }
    }

    fn rung(width: u32, height: u32) -> RungSpec {
        RungSpec {
            width,
            height,
            gop_frames: 50,
            rung: Rung {
                name: "r".into(),
                codec: VideoCodec::H264,
                width,
                height,
                min_source_kbps: 1,
                crf: 23,
                maxrate_kbps: 1000,
                bufsize_kbps: 2000,
                preset: "veryfast".into(),
                profile: "high".into(),
            },
        }
    }

    #[test]
    fn a_picture_that_is_right_already_is_left_alone() {
        let right = picture(1920, 1080, "yuv420p");
        assert!(filters(&right, &video(0, "bt709"), &rung(1920, 1080)).unwrap().is_empty());
        for (picture, video) in [
            (picture(1920, 1080, "yuv422p10le"), video(0, "bt709")),
            (picture(1440, 1080, "yuv420p"), video(0, "bt709")),
            (right.clone(), video(0, "smpte170m")),
            (right.clone(), video(180, "bt709")),
            (right.clone(), VideoConclusion { full_range: true, ..video(0, "bt709") }),
        ] {
            assert!(!filters(&picture, &video, &rung(1920, 1080)).unwrap().is_empty(), "{picture} {video:?}");
        }
    }

    #[test]
    fn a_lying_picture_is_scaled_before_it_is_stood_up() {
        let filters = filters(&picture(1920, 1080, "yuv420p"), &video(90, "bt709"), &rung(360, 640)).unwrap();
        assert!(filters[1].starts_with("zscale=w=640:h=360:"), "{filters:?}");
        assert_eq!(filters.last().map(String::as_str), Some("transpose=clock"));
    }

    #[test]
    fn zimg_scales_what_keeps_its_colours_alone() {
        let scaler = |picture: &Picture, video: &VideoConclusion| {
            let filters = filters(picture, video, &rung(640, 360)).unwrap();
            if filters.iter().any(|filter| filter.starts_with("zscale=")) { "zimg" } else { "swscale" }
        };
        for (width, height, format, expected) in [
            (1920, 1080, "yuv420p", "zimg"),
            (1920, 1080, "yuv422p10le", "zimg"),
            (1920, 1080, "yuv444p12le", "zimg"),
            (1921, 1081, "yuv444p", "zimg"),
            (1920, 1081, "yuv422p", "zimg"),
            (1920, 1081, "yuv420p", "swscale"),
            (1921, 1080, "yuv422p", "swscale"),
            (1920, 1080, "yuvj420p", "swscale"),
            (1920, 1080, "yuva444p12le", "swscale"),
            (1920, 1080, "uyvy422", "swscale"),
            (1920, 1080, "gbrp", "swscale"),
        ] {
            let picture = picture(width, height, format);
            assert_eq!(scaler(&picture, &video(0, "bt709")), expected, "{picture}");
            assert_eq!(scaler(&picture, &video(0, "smpte170m")), "swscale", "{picture}");
            let full_range = VideoConclusion { full_range: true, ..video(0, "bt709") };
            assert_eq!(scaler(&picture, &full_range), "swscale", "{picture}");
        }
    }

    #[test]
    fn what_lies_between_two_values_of_8_bits_is_dithered() {
        for format in [Pixel::YUV420P10LE, Pixel::YUV422P10LE] {
            let mut deep = frame::Video::new(format, 128, 72);
            for plane in 0..deep.planes() {
                // Of 10 bits, 402 is 100.5, and 512 is no colour.
                let value: u16 = if plane == 0 { 402 } else { 512 };
                deep.data_mut(plane).chunks_mut(2).for_each(|sample| {
                    sample.copy_from_slice(&value.to_le_bytes()[..sample.len()]);
                });
            }
            deep.set_pts(Some(0));
            let mut converter =
                Converter::new(&Picture::of(&deep), &video(0, "bt709"), &rung(64, 36)).unwrap().unwrap();
            let made = converter.convert(&deep).unwrap();
            let rows = made.data(0).chunks(made.stride(0)).take(36);
            let samples: Vec<u8> = rows.flat_map(|row| row[..64].to_vec()).collect();
            let mean = samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / samples.len() as f64;
            assert!((mean - 100.5).abs() < 0.1, "{format:?}: {mean}");
        }
    }

    #[test]
    fn what_cannot_be_converted_is_refused() {
        assert!(filters(&picture(64, 64, "yuv420p"), &video(45, "bt709"), &rung(64, 64)).is_err());
        assert!(filters(&picture(64, 64, "yuv420p"), &video(0, "ictcp"), &rung(64, 64)).is_err());
    }
}

//! Which FFmpeg, encoders and scaler this process uses: part of the keys of what they make.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::OnceLock;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, ffi, frame};
use reelfarm_model::recipe::ToolVersions;

use crate::MediaError;
use crate::ffmpeg::codec::{Encoder, set_picture};
use crate::ffmpeg::log;
use crate::ffmpeg::options::Options;
use crate::video::zimg_sample;

/// The versions of FFmpeg's libraries and of x264 and x265, as they say themselves at run time, and of zimg, which says none, a
/// sample. The others are left out where FFmpeg was built without them.
pub fn versions() -> ToolVersions {
    static VERSIONS: OnceLock<ToolVersions> = OnceLock::new();
    VERSIONS
        .get_or_init(|| {
            log::install();
            let mut versions = BTreeMap::from([(ToolVersions::FFMPEG.to_owned(), ffmpeg())]);
            for (name, codec, mark) in [
                (ToolVersions::X264, "libx264", "x264 - core "),
                (ToolVersions::X265, "libx265", "x265 (build "),
            ] {
                if let Ok(Some(version)) = encoder(codec, mark) {
                    versions.insert(name.to_owned(), version);
                }
            }
            if ffmpeg_next::filter::find("zscale").is_some()
                && let Ok(sample) = zimg_sample()
            {
                versions.insert(ToolVersions::ZIMG.to_owned(), format!("that makes {}", sample.short()));
            }
            ToolVersions(versions)
        })
        .clone()
}

fn ffmpeg() -> String {
    // SAFETY: the functions have no preconditions; the text is static and ends in NUL.
    let (release, libraries) = unsafe {
        (
            CStr::from_ptr(ffi::av_version_info()).to_string_lossy(),
            [
                ("avcodec", ffi::avcodec_version()),
                ("avfilter", ffi::avfilter_version()),
                ("avformat", ffi::avformat_version()),
                ("avutil", ffi::avutil_version()),
                ("swresample", ffi::swresample_version()),
                ("swscale", ffi::swscale_version()),
            ],
        )
    };
    let libraries = libraries.map(|(name, version)| {
        format!("{name} {}.{}.{}", version >> 16, (version >> 8) & 0xff, version & 0xff)
    });
    // Sound, and what encoders do in floating point, may come out otherwise on another architecture.
    format!("{release} for {} ({})", std::env::consts::ARCH, libraries.join(", "))
}

/// The build that an encoder writes into its streams behind this mark, such as `164 r3095 baee400`: asked of one small frame,
/// because the libraries themselves only tell their interface's number.
fn encoder(codec: &'static str, mark: &str) -> Result<Option<String>, MediaError> {
    const SIZE: u32 = 64;
    let options = Options::new([("preset", "ultrafast"), ("threads", "1")]);
    let mut encoder = Encoder::open(
        codec,
        format!("the version of {codec}"),
        |context| {
            context.set_time_base(Rational::new(1, 25));
            set_picture(context, Pixel::YUV420P, SIZE, SIZE);
        },
        // x265 would say on standard error what it was told.
        if codec == "libx265" {
            options.with("x265-params", &"log-level=error:pools=none:frame-threads=1")
        } else {
            options
        },
    )?;
    let mut picture = frame::Video::new(Pixel::YUV420P, SIZE, SIZE);
    for plane in 0..picture.planes() {
        picture.data_mut(plane).fill(128);
    }
    picture.set_pts(Some(0));
    let mut stream = Vec::new();
    let mut gather = |packet: ffmpeg_next::Packet| {
        stream.extend_from_slice(packet.data().unwrap_or_default());
        Ok(())
    };
    encoder.encode(Some(&picture), &mut gather)?;
    encoder.encode(None, &mut gather)?;
    Ok(build(&stream, mark.as_bytes()))
}

/// The build in an encoder's message to whoever reads the stream: `x264 - core BUILD - H.264/…`, `x265 (build BUILD) - VERSION - …`.
fn build(stream: &[u8], mark: &[u8]) -> Option<String> {
    let start = stream.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let text: String = stream[start..]
        .iter()
        .take(64)
        .take_while(|byte| byte.is_ascii_graphic() || **byte == b' ')
        .map(|byte| char::from(*byte))
        .collect();
    // x265's build is that of its interface alone: its version follows.
    let text = text.replacen(") - ", " ", 1);
    let build = text.split([':', '[']).next()?.split(" - ").next()?.trim().to_owned();
    Some(build).filter(|build| !build.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_tell_their_versions() {
        let versions = versions().0;
        let ffmpeg = &versions[ToolVersions::FFMPEG];
        assert!(ffmpeg.contains("avcodec ") && ffmpeg.contains("swscale "), "{ffmpeg}");
        let x264 = &versions[ToolVersions::X264];
        assert!(x264.split(' ').next().unwrap().parse::<u32>().unwrap() > 100, "{x264}");
        let x265 = &versions[ToolVersions::X265];
        assert!(x265.split(' ').next().unwrap().parse::<u32>().unwrap() > 100, "{x265}");
        assert!(versions[ToolVersions::ZIMG].starts_with("that makes "), "{versions:?}");
    }

    #[test]
    fn a_stream_without_the_message_has_no_build() {
        const X264: &[u8] = b"x264 - core ";
        assert_eq!(
            build(b"x264 - core 164 r3095 baee400 - H.264/MPEG-4", X264).as_deref(),
            Some("164 r3095 baee400")
        );
        assert_eq!(
            build(b"x265 (build 199) - 3.5+1-f0c1022b6:[Linux][GCC 12.2.0] - H.265/HEVC", b"x265 (build ")
                .as_deref(),
            Some("199 3.5+1-f0c1022b6")
        );
        assert_eq!(build(b"Lavc", X264), None);
        assert_eq!(build(X264, X264), None);
    }
}

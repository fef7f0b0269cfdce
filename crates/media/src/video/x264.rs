//! One rung's encoder and its file.

use std::path::{Path, PathBuf};

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, frame, picture};
use reelfarm_model::task::RungSpec;

use crate::MediaError;
use crate::ffmpeg::codec::Encoder;
use crate::ffmpeg::frame::share;
use crate::ffmpeg::mp4::{IndexPlace, Mp4Writer};
use crate::ffmpeg::options::Options;
use crate::progress::Count;

/// libx264 and an MP4 file.
pub(super) struct RungEncoder {
    encoder: Encoder,
    writer: Mp4Writer,
    path: PathBuf,
    name: String,
    track: usize,
    time_base: Rational,
    gop_frames: i64,
    packets: Count,
}

impl RungEncoder {
    /// Opens the encoder and creates the file. The packets written are counted in `packets`.
    pub(super) fn create(
        rung: &RungSpec,
        frame_rate: u32,
        output: &Path,
        packets: Count,
    ) -> Result<Self, MediaError> {
        let time_base = Rational::new(1, i32::try_from(frame_rate).unwrap_or(i32::MAX));
        let mut writer = Mp4Writer::create(output, IndexPlace::End)?;
        let encoder = Encoder::open(
            "libx264",
            format!("{}, encoding", rung.rung.name),
            |context| {
                context.set_time_base(time_base);
                context.set_frame_rate(Some(time_base.invert()));
                crate::ffmpeg::codec::set_picture(context, Pixel::YUV420P, rung.width, rung.height);
            },
            options(rung),
        )?;
        let track = writer.add_encoder(encoder.context(), time_base)?;
        writer.start()?;
        Ok(Self {
            encoder,
            writer,
            path: output.to_owned(),
            name: rung.rung.name.clone(),
            track,
            time_base,
            gop_frames: i64::from(rung.gop_frames),
            packets,
        })
    }

    /// Encodes the next frame, whose time is its number.
    pub(super) fn encode(&mut self, frame: &frame::Video) -> Result<(), MediaError> {
        let mut frame = share(frame)?;
        let starts_gop = frame.pts().is_some_and(|number| number % self.gop_frames == 0);
        frame.set_kind(if starts_gop { picture::Type::I } else { picture::Type::None });
        self.write(Some(&frame))
    }

    /// Encodes what the encoder still holds and completes the file.
    ///
    /// # Errors
    /// Also where the file does not have exactly `expected` frames.
    pub(super) fn finish(mut self, expected: u64) -> Result<(), MediaError> {
        self.write(None)?;
        let found = self.packets.get();
        if found != expected {
            return Err(MediaError::Count {
                subject: format!("{} ({})", self.name, self.path.display()),
                unit: "frames",
                expected,
                found,
            });
        }
        self.writer.finish()
    }

    fn write(&mut self, frame: Option<&frame::Video>) -> Result<(), MediaError> {
        let Self { encoder, writer, packets, track, time_base, .. } = self;
        encoder.encode(frame.map(|frame| &**frame), |mut packet| {
            // FFmpeg before 6 leaves it at 0, and the last frame would have no length.
            packet.set_duration(1);
            packets.add(1);
            writer.write(*track, packet, *time_base)
        })
    }
}

/// All that shapes the bytes, besides the frames.
fn options(rung: &RungSpec) -> Options {
    let settings = &rung.rung;
    Options::new([
        // One thread: with more, rate control depends on timing.
        ("threads", "1"),
        ("x264-params", "lookahead-threads=1:cpu-independent=1"),
        // In closed groups a forced I frame is an IDR. FFmpeg's forced-idr gives the same bytes; but then, with presets
        // that have no mbtree, x264 warns at every group that it made the IDR an I frame, which it takes back later.
        ("flags", "+cgop+bitexact"),
        ("sc_threshold", "0"),
        ("color_range", "tv"),
        ("colorspace", "bt709"),
        ("color_primaries", "bt709"),
        ("color_trc", "bt709"),
    ])
    .with("preset", &settings.preset)
    .with("profile", &settings.profile)
    .with("crf", &settings.crf)
    .with("maxrate", &(u64::from(settings.maxrate_kbps) * 1000))
    .with("bufsize", &(u64::from(settings.bufsize_kbps) * 1000))
    .with("g", &rung.gop_frames)
    .with("keyint_min", &rung.gop_frames)
}

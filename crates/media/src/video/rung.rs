//! One rung's encoder and its file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, frame, picture};
use reelfarm_model::ladder::VideoCodec;
use reelfarm_model::task::{Chunk, RungSpec};

use super::bucket::{AT_JOINS, AT_START, Bucket};
use super::{x264, x265};
use crate::MediaError;
use crate::ffmpeg::codec::Encoder;
use crate::ffmpeg::frame::share;
use crate::ffmpeg::mp4::{IndexPlace, Mp4Writer};
use crate::ffmpeg::options::Options;
use crate::progress::Count;

/// An encoder and an MP4 file.
pub(super) struct RungEncoder {
    encoder: Encoder,
    writer: Mp4Writer,
    path: PathBuf,
    name: String,
    track: usize,
    time_base: Rational,
    gop_frames: i64,
    /// Frames at which a group begins besides.
    cues: BTreeSet<i64>,
    packets: Count,
    /// Of a chunk.
    bucket: Option<Bucket>,
    /// The frames that lead in, until all of them are there.
    lead_in: Option<Vec<frame::Video>>,
    /// How many led in: the encoder counts from the first of them.
    led_in: i64,
}

/// How fast an encoder may spend, and what the decoder's buffer holds where it begins.
pub(super) struct Rate {
    /// Bits a second.
    pub(super) most: u64,
    /// The buffer in bits.
    pub(super) buffer: u64,
    /// How full it is, where the encoder is to be told.
    pub(super) filled: Option<f64>,
}

impl Rate {
    fn of(rung: &RungSpec, frame_rate: u32, extent: Extent) -> Self {
        let settings = &rung.rung;
        let buffer = u64::from(settings.bufsize_kbps) * 1000;
        let mut most = f64::from(settings.maxrate_kbps) * 1e3;
        let Extent::Chunk { rate_share, frame_count, .. } = extent else {
            return Self { most: most as u64, buffer, filled: None };
        };
        most *= rate_share;
        if extent.leads_in() {
            let seconds = frame_count.max(1) as f64 / f64::from(frame_rate.max(1));
            most = (most - buffer as f64 * SAVED_BY_LEAD_IN / seconds).max(most / 2.0);
        }
        Self { most: most.round() as u64, buffer, filled: Some(extent.filled()) }
    }
}

/// What both encoders are told by FFmpeg's own names.
pub(super) fn common_options(rung: &RungSpec, rate: &Rate) -> Options {
    let settings = &rung.rung;
    Options::new([
        ("flags", "+cgop+bitexact+global_header"),
        ("color_range", "tv"),
        ("colorspace", "bt709"),
        ("color_primaries", "bt709"),
        ("color_trc", "bt709"),
    ])
    .with("preset", &settings.preset)
    .with("profile", &settings.profile)
    .with("crf", &settings.crf)
    .with("maxrate", &rate.most)
    .with("bufsize", &rate.buffer)
    .with("g", &rung.gop_frames)
    .with("keyint_min", &rung.gop_frames)
}

/// How a rung is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Extent {
    /// From its first frame to its last one.
    Film,
    /// A chunk.
    Chunk {
        /// Whether the film begins with it.
        is_first: bool,
        /// Its frames.
        frame_count: u64,
        /// How much of the rung's rate it may take.
        rate_share: f64,
        /// Whether its first frames are encoded twice, and what comes of them the first time thrown away. x264 spends on a key
        /// frame by the frames before it; on one that has none before it spends less, and it would be seen to.
        leads_in: bool,
    },
}

impl Extent {
    /// In which ways a chunk is encoded, one after the other, until it leaves the decoder's buffer as full as it must. x264
    /// knows how full the buffer is at its start only where nothing leads in; nothing leads in to a film either.
    pub(super) fn of_a_chunk(chunk: &Chunk) -> Vec<Self> {
        let (is_first, frame_count) = (chunk.first_frame == 0, chunk.frame_count);
        let with = |leads_in: bool| {
            move |rate_share: f64| Self::Chunk { is_first, frame_count, rate_share, leads_in }
        };
        let led_in = if is_first { None } else { Some(with(true)(1.0)) };
        led_in.into_iter().chain([1.0, 0.95, 0.9, 0.8].map(with(false))).collect()
    }

    /// How full the decoder's buffer is taken to be at the start.
    const fn filled(self) -> f64 {
        match self {
            Self::Film | Self::Chunk { is_first: true, .. } => AT_START,
            Self::Chunk { is_first: false, .. } => AT_JOINS,
        }
    }

    const fn leads_in(self) -> bool {
        matches!(self, Self::Chunk { leads_in: true, .. })
    }
}

/// Frames that lead in: as many as x264 goes by, weighted by their distance.
const LEAD_IN_FRAMES: usize = 12;
/// How much of the buffer x264 saves up while frames lead in, at most, and spends by the end of the chunk: seen to be 2 to 5 %
/// where pictures are as dear as the rate allows. So much less of the rate makes up for it.
const SAVED_BY_LEAD_IN: f64 = 0.06;

impl RungEncoder {
    /// Opens the encoder and creates the file. The packets written are counted in `packets`.
    /// Groups begin at `cues` too, by their numbers in what is encoded.
    pub(super) fn create(
        rung: &RungSpec,
        frame_rate: u32,
        cues: BTreeSet<i64>,
        extent: Extent,
        output: &Path,
        packets: Count,
    ) -> Result<Self, MediaError> {
        let time_base = Rational::new(1, i32::try_from(frame_rate).unwrap_or(i32::MAX));
        let mut writer = Mp4Writer::create(output, IndexPlace::End)?;
        let open = |extent: Extent, level: Option<u8>| {
            let rate = Rate::of(rung, frame_rate, extent);
            let (encoder, options) = match rung.rung.codec {
                VideoCodec::H264 => ("libx264", x264::options(rung, &rate, level)),
                VideoCodec::Hevc => ("libx265", x265::options(rung, &rate, level)),
            };
            Encoder::open(
                encoder,
                format!("{}, encoding", rung.rung.name),
                |context| {
                    context.set_time_base(time_base);
                    context.set_frame_rate(Some(time_base.invert()));
                    crate::ffmpeg::codec::set_picture(context, Pixel::YUV420P, rung.width, rung.height);
                },
                options,
            )
        };
        // By a lower rate an encoder might choose a lower level, and chunks of one rendition have one.
        let level = match (extent, rung.rung.codec) {
            (Extent::Film, _) => None,
            (Extent::Chunk { .. }, VideoCodec::H264) => x264::level(open(Extent::Film, None)?.headers()),
            (Extent::Chunk { .. }, VideoCodec::Hevc) => x265::level(open(Extent::Film, None)?.headers()),
        };
        let encoder = open(extent, level)?;
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
            cues,
            packets,
            lead_in: extent.leads_in().then(Vec::new),
            led_in: 0,
            bucket: (extent != Extent::Film).then(|| Bucket::new(&rung.rung, frame_rate, extent.filled())),
        })
    }

    /// Encodes the next frame, whose time is its number.
    pub(super) fn encode(&mut self, frame: &frame::Video) -> Result<(), MediaError> {
        let mut frame = share(frame)?;
        if let Some(lead_in) = &mut self.lead_in {
            lead_in.push(frame);
            return if lead_in.len() < LEAD_IN_FRAMES { Ok(()) } else { self.lead_in() };
        }
        self.encode_next(&mut frame)
    }

    /// Encodes the frames that lead in, and then once more as those that they are.
    fn lead_in(&mut self) -> Result<(), MediaError> {
        let Some(mut frames) = self.lead_in.take() else { return Ok(()) };
        self.led_in = i64::try_from(frames.len()).unwrap_or(0);
        for (number, frame) in (-self.led_in..0).zip(&frames) {
            let mut before = share(frame)?;
            before.set_pts(Some(number));
            self.encode_next(&mut before)?;
        }
        frames.iter_mut().try_for_each(|frame| self.encode_next(frame))
    }

    fn encode_next(&mut self, frame: &mut frame::Video) -> Result<(), MediaError> {
        let starts_gop =
            frame.pts().is_some_and(|number| number % self.gop_frames == 0 || self.cues.contains(&number));
        let counted = frame.pts().map(|number| number + self.led_in);
        frame.set_pts(counted);
        frame.set_kind(if starts_gop { picture::Type::I } else { picture::Type::None });
        self.write(Some(frame))
    }

    /// The output's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Encodes what the encoder still holds and completes the file; whether other chunks can be joined to it.
    ///
    /// # Errors
    /// Also where the file does not have exactly `expected` frames.
    pub(super) fn finish(mut self, expected: u64) -> Result<bool, MediaError> {
        self.lead_in()?;
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
        self.writer.finish()?;
        Ok(self.bucket.is_none_or(|bucket| bucket.holds()))
    }

    fn write(&mut self, frame: Option<&frame::Video>) -> Result<(), MediaError> {
        let Self { encoder, writer, packets, track, time_base, bucket, led_in, .. } = self;
        encoder.encode(frame.map(|frame| &**frame), |mut packet| {
            packet.set_pts(packet.pts().map(|time| time - *led_in));
            packet.set_dts(packet.dts().map(|time| time - *led_in));
            if packet.pts().is_some_and(|time| time < 0) {
                return Ok(());
            }
            // FFmpeg before 6 leaves it at 0, and the last frame would have no length.
            packet.set_duration(1);
            packets.add(1);
            if let Some(bucket) = bucket {
                bucket.take(packet.size());
            }
            writer.write(*track, packet, *time_base)
        })
    }
}

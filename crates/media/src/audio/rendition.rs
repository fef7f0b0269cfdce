//! One audio rendition: its filter graph, its encoder and its file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ffmpeg_next::format::sample::{Sample, Type};
use ffmpeg_next::{Frame, Rational};
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::task::AudioRenditionSpec;

use super::graph::{self, InputFormat};
use super::{SAMPLE_RATE, streams_of};
use crate::MediaError;
use crate::ffmpeg::codec::{Encoder, set_sample_format};
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::mp4::{IndexPlace, Mp4Writer};
use crate::ffmpeg::options::Options;
use crate::ffmpeg::{frame, track};
use crate::progress::Count;

/// Samples in a frame of AAC-LC (ISO/IEC 14496-3, 4.5.1.1).
const FRAME_SAMPLES: i32 = 1024;

/// A rendition that is being made.
pub(super) struct Rendition {
    id: String,
    path: PathBuf,
    layout: ChannelLayout,
    streams: Vec<u32>,
    formats: Vec<Option<InputFormat>>,
    /// Frames that came before every track had shown its format.
    waiting: Vec<(usize, Arc<Frame>)>,
    graph: Option<FilterGraph>,
    encoder: Encoder,
    writer: Mp4Writer,
    track: usize,
    samples: u64,
    encoded: Count,
}

impl Rendition {
    /// Opens the encoder and creates the file of a rendition of so many samples. Those that are encoded are counted in
    /// `encoded`.
    pub(super) fn create(
        spec: &AudioRenditionSpec,
        samples: u64,
        output: &Path,
        encoded: Count,
    ) -> Result<Self, MediaError> {
        let mut writer = Mp4Writer::create(output, IndexPlace::End)?;
        let encoder = Encoder::open(
            "aac",
            format!("{}, encoding", spec.id),
            |context| {
                context.set_time_base(time_base());
                set_sample_format(context, Sample::F32(Type::Planar));
            },
            Options::new([("profile", "aac_low"), ("flags", "+bitexact"), ("threads", "1")])
                .with("ar", &SAMPLE_RATE)
                .with("ch_layout", &spec.layout.ffmpeg_name())
                .with("b", &(u64::from(spec.bitrate_kbps) * 1000)),
        )?;
        let track = writer.add_encoder(encoder.context(), time_base())?;
        writer.start()?;
        let streams = streams_of(&spec.from);
        Ok(Self {
            id: spec.id.clone(),
            path: output.to_owned(),
            layout: spec.layout,
            formats: vec![None; streams.len()],
            streams,
            waiting: Vec::new(),
            graph: None,
            encoder,
            writer,
            track,
            samples,
            encoded,
        })
    }

    /// The streams that it is made from.
    pub(super) fn streams(&self) -> Vec<u32> {
        self.streams.clone()
    }

    /// Takes in a decoded frame, whose time is from the sound's zero.
    pub(super) fn push(&mut self, stream: u32, frame: &Arc<Frame>) -> Result<(), MediaError> {
        let format = InputFormat {
            sample_rate: frame::sample_rate(frame),
            sample_format: frame::sample_format(frame),
            layout: track::layout_name_of_frame(frame),
            channels: frame::channel_count(frame),
        };
        let places: Vec<_> = (0..self.streams.len()).filter(|place| self.streams[*place] == stream).collect();
        for place in places {
            match &self.formats[place] {
                None => self.formats[place] = Some(format.clone()),
                Some(before) if *before != format => {
                    return Err(MediaError::FormatChanged {
                        stream,
                        before: format!("{before:?}"),
                        after: format!("{format:?}"),
                    });
                }
                Some(_) => {}
            }
            self.waiting.push((place, Arc::clone(frame)));
        }
        if self.graph.is_none() && self.formats.iter().all(Option::is_some) {
            self.build()?;
        }
        self.drain()
    }

    /// Takes in the end, encodes what is left and completes the file.
    pub(super) fn finish(mut self) -> Result<(), MediaError> {
        if self.graph.is_none() {
            self.build()?;
        }
        self.drain()?;
        if let Some(graph) = &mut self.graph {
            for input in 0..graph.inputs() {
                graph.push(input, None)?;
            }
        }
        self.encode_ready()?;
        let found = self.encoded.get();
        if found != self.samples {
            return Err(MediaError::Count {
                subject: format!("{} ({})", self.id, self.path.display()),
                unit: "samples",
                expected: self.samples,
                found,
            });
        }
        self.encode(None)?;
        self.writer.finish()
    }

    /// Builds the graph; a track that has shown nothing so far is silent.
    fn build(&mut self) -> Result<(), MediaError> {
        let formats: Vec<_> =
            self.formats.iter().map(|format| format.clone().unwrap_or_else(InputFormat::silence)).collect();
        let text = graph::text(&formats, self.layout, self.samples)?;
        self.graph = Some(FilterGraph::new(&text, format!("{}, mixing", self.id))?);
        Ok(())
    }

    fn drain(&mut self) -> Result<(), MediaError> {
        let Some(graph) = &mut self.graph else { return Ok(()) };
        for (place, frame) in self.waiting.drain(..) {
            graph.push(place, Some(&frame))?;
        }
        self.encode_ready()
    }

    fn encode_ready(&mut self) -> Result<(), MediaError> {
        let mut mixed = frame::blank();
        while let Some(graph) = &mut self.graph {
            if graph.pull_samples(&mut mixed, FRAME_SAMPLES)? != Pulled::Frame {
                break;
            }
            mixed.set_pts(i64::try_from(self.encoded.get()).ok());
            self.encoded.add(frame::sample_count(&mixed));
            self.encode(Some(&mixed))?;
        }
        Ok(())
    }

    fn encode(&mut self, frame: Option<&Frame>) -> Result<(), MediaError> {
        let Self { encoder, writer, track, .. } = self;
        encoder.encode(frame, |packet| writer.write(*track, packet, time_base()))
    }
}

fn time_base() -> Rational {
    Rational::new(1, SAMPLE_RATE as i32)
}

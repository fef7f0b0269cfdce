//! Audio renditions: one decode of the tracks that are needed, each rendition in a thread of its own.
//!
//! The sound's zero is the time of the first video frame. What lies before it is cut, gaps are filled with silence,
//! and every rendition ends with the last video frame, to the sample.

mod graph;
mod rendition;
mod zero;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use ffmpeg_next::{Frame, media};
use reelfarm_model::Progress;
use reelfarm_model::qc::AudioSource;
use reelfarm_model::task::EncodeAudioSpec;

use self::rendition::Rendition;
use self::zero::Timeline;
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::frame::{self, take};
use crate::ffmpeg::log;
use crate::ffmpeg::source::{Read, Source};
use crate::progress::{Count, Done, watch};

/// Samples per second of every rendition.
const SAMPLE_RATE: u32 = 48_000;

/// Decoded frames that wait for a rendition.
const QUEUED_FRAMES: usize = 64;

/// A decoded frame of a track, or the end of all.
struct Sound {
    stream: u32,
    frame: Arc<Frame>,
}

/// Encodes all renditions of `spec` as AAC-LC from one decode of `source`, each into the MP4 file of the same place
/// in `outputs`.
///
/// Each file plays exactly `frame_count / frame_rate` seconds (to the nearest sample at 48 kHz). The encoder's
/// priming comes before that and is cut by the edit list.
///
/// # Errors
/// See [`MediaError`]; the outputs are then of no use.
pub fn encode_audio(
    source: &Path,
    spec: &EncodeAudioSpec,
    outputs: &[PathBuf],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), MediaError> {
    log::install();
    if spec.renditions.is_empty() || spec.renditions.len() != outputs.len() {
        return Err(MediaError::Unsupported(format!(
            "{} renditions cannot be written to {} files",
            spec.renditions.len(),
            outputs.len()
        )));
    }
    let samples = samples(spec.frame_count, spec.frame_rate)?;
    let decoded = Count::default();
    let encoded: Vec<Count> = spec.renditions.iter().map(|_| Count::default()).collect();
    let done = || {
        let least = encoded.iter().map(Count::get).min().unwrap_or(0);
        Done {
            steps: decoded.get() + encoded.iter().map(Count::get).sum::<u64>(),
            fraction: least as f64 / samples.max(1) as f64,
            frames: 0,
            seconds: least as f64 / f64::from(SAMPLE_RATE),
        }
    };
    watch(on_progress, done, || {
        let timeline = Timeline::of(source, spec.video_stream)?;
        let decoders = TrackDecoders::open(source, &streams(spec))?;
        let renditions = spec
            .renditions
            .iter()
            .zip(outputs)
            .zip(&encoded)
            .map(|((rendition, output), encoded)| {
                Rendition::create(rendition, samples, output, encoded.clone())
            })
            .collect::<Result<Vec<_>, _>>()?;
        run(decoders, renditions, timeline, &decoded)
    })
}

fn run(
    decoders: TrackDecoders,
    renditions: Vec<Rendition>,
    timeline: Timeline,
    handled: &Count,
) -> Result<(), MediaError> {
    std::thread::scope(|scope| {
        let mut inputs = Vec::new();
        let mut encoders = Vec::new();
        for mut rendition in renditions {
            let (input, sounds) = mpsc::sync_channel::<Sound>(QUEUED_FRAMES);
            inputs.push((rendition.streams(), Some(input)));
            encoders.push(scope.spawn(move || {
                for Sound { stream, frame } in sounds {
                    rendition.push(stream, &frame)?;
                }
                rendition.finish()
            }));
        }
        let decoded = decoders.decode_all(timeline, |sound| {
            handled.add(frame::sample_count(&sound.frame));
            for (streams, input) in &mut inputs {
                let sound = Sound { stream: sound.stream, frame: Arc::clone(&sound.frame) };
                if streams.contains(&sound.stream)
                    && input.as_ref().is_some_and(|input| input.send(sound).is_err())
                {
                    // The rendition failed and will say so; the others need no more sound for a lost cause.
                    *input = None;
                    return false;
                }
            }
            true
        });
        drop(inputs);
        let encoded = encoders.into_iter().try_for_each(|encoder| match encoder.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        decoded.and(encoded)
    })
}

/// Decoders for the tracks that any rendition needs.
struct TrackDecoders {
    source: Source,
    decoders: Vec<(u32, Decoder)>,
}

impl TrackDecoders {
    fn open(path: &Path, streams: &BTreeSet<u32>) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let decoders = streams
            .iter()
            .map(|index| {
                let stream = source.track(*index, media::Type::Audio)?;
                Ok((*index, Decoder::open(&source, &stream, 1)?))
            })
            .collect::<Result<_, MediaError>>()?;
        source.read_only(&streams.iter().copied().collect::<Vec<_>>());
        Ok(Self { source, decoders })
    }

    /// Hands out every frame with its time from the sound's zero, until `deliver` wants no more.
    fn decode_all(
        mut self,
        timeline: Timeline,
        mut deliver: impl FnMut(Sound) -> bool,
    ) -> Result<(), MediaError> {
        let mut wanted = true;
        let mut deliver_frame = |stream: u32, time_base, frame: &mut Frame| {
            let mut frame = take(frame);
            frame.set_pts(frame.timestamp().map(|ticks| timeline.time(ticks, time_base)));
            wanted = wanted && deliver(Sound { stream, frame: Arc::new(frame) });
            wanted
        };
        loop {
            let packet = match self.source.read()? {
                Read::Packet(packet) => packet,
                Read::Damaged => continue,
                Read::End => break,
            };
            let Some((stream, decoder)) =
                self.decoders.iter_mut().find(|(stream, _)| *stream as usize == packet.stream())
            else {
                continue;
            };
            let time_base = self.source.track(*stream, media::Type::Audio)?.time_base();
            let mut go_on = true;
            decoder.decode(Some(&packet), |decoded| {
                if let Decoded::Frame(frame) = decoded {
                    go_on = deliver_frame(*stream, time_base, frame);
                }
                Ok(())
            })?;
            if !go_on {
                return Ok(());
            }
        }
        for (stream, decoder) in &mut self.decoders {
            let time_base = self.source.track(*stream, media::Type::Audio)?.time_base();
            decoder.decode(None, |decoded| {
                if let Decoded::Frame(frame) = decoded {
                    deliver_frame(*stream, time_base, frame);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The streams that a rendition is made from, in the order of its channels.
fn streams_of(from: &AudioSource) -> Vec<u32> {
    match from {
        AudioSource::Track { stream } => vec![*stream],
        AudioSource::MonoTracks { streams } => streams.clone(),
    }
}

fn streams(spec: &EncodeAudioSpec) -> BTreeSet<u32> {
    spec.renditions.iter().flat_map(|rendition| streams_of(&rendition.from)).collect()
}

/// Samples that last as long as the frames, to the nearest.
fn samples(frame_count: u64, frame_rate: u32) -> Result<u64, MediaError> {
    let rate = u128::from(frame_rate);
    if rate == 0 || frame_count == 0 {
        return Err(MediaError::Unsupported(format!(
            "{frame_count} frames at {frame_rate} a second have no sound"
        )));
    }
    let samples = (u128::from(frame_count) * u128::from(SAMPLE_RATE) + rate / 2) / rate;
    u64::try_from(samples).map_err(|_| MediaError::Unsupported(format!("{frame_count} frames are too many")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_as_long_as_the_frames() {
        for (frames, rate, expected) in
            [(25, 25, 48_000), (1, 24, 2000), (7, 60, 5600), (1, 7, 6857), (180_000, 50, 172_800_000)]
        {
            assert_eq!(samples(frames, rate).unwrap(), expected, "{frames} frames at {rate}");
        }
        assert!(samples(1, 0).is_err() && samples(0, 25).is_err());
    }
}

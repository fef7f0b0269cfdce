//! Video renditions: one decode of the source for all rungs.
//!
//! ```text
//! decode (+ deinterlace) ─┬─ frames ─ convert ─ frames ─ encode ─ 1080p.mp4
//!                         ├─ frames ─ convert ─ frames ─ encode ─ 720p.mp4
//!                         └─ …
//! ```
//! Every stage is a thread, every edge a bounded channel of references to frames. x264 runs with one thread a rung,
//! because only then does rate control give the same bytes each time; the stages around it keep that thread fed.
//! As the channels are bounded, small rungs run ahead of the largest by a few frames at most and then leave it the
//! processors.
//!
//! A frame's place in time is its number: frame `n` is shown at `n / frame_rate`, in every rung.

mod convert;
mod decode;
mod x264;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use ffmpeg_next::frame;
use reelfarm_model::Progress;
use reelfarm_model::task::EncodeVideoSpec;

use self::convert::Converter;
use self::decode::FrameSource;
use self::x264::RungEncoder;
use crate::MediaError;
use crate::ffmpeg::log;
use crate::progress::{Done, Meter, PROGRESS_PER_SECOND};

/// The most bytes of decoded frames between the decoder and the slowest rung.
const QUEUED_BYTES: u64 = 64 << 20;
/// Converted frames that wait for a rung's encoder.
const CONVERTED_FRAMES: usize = 4;

/// Why a stage stopped before its input ended.
enum Stop {
    /// The stage after it is gone, and knows why.
    Downstream,
    /// It failed.
    Failed(MediaError),
}

impl From<MediaError> for Stop {
    fn from(error: MediaError) -> Self {
        Self::Failed(error)
    }
}

/// Encodes all rungs of `spec` from one decode of `source`, each into the MP4 file of the same place in `outputs`.
///
/// Each file has exactly `spec.video.frame_count` frames, with an IDR that starts a closed group of pictures every
/// `gop_frames`. A rung's bytes depend on the source, `spec.video` and the rung alone.
///
/// # Errors
/// See [`MediaError`]; the outputs are then of no use.
pub fn encode_video(
    source: &Path,
    spec: &EncodeVideoSpec,
    outputs: &[PathBuf],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), MediaError> {
    log::install();
    if spec.rungs.is_empty() || spec.rungs.len() != outputs.len() {
        return Err(MediaError::Unsupported(format!(
            "{} rungs cannot be written to {} files",
            spec.rungs.len(),
            outputs.len()
        )));
    }
    let frames = FrameSource::open(source, &spec.video)?;
    let picture = frames.picture();
    let rungs = spec
        .rungs
        .iter()
        .zip(outputs)
        .map(|(rung, output)| {
            let converter = Converter::new(&picture, &spec.video, rung)?;
            Ok((converter, RungEncoder::create(rung, spec.video.frame_rate, output)?))
        })
        .collect::<Result<Vec<_>, MediaError>>()?;
    let queued = (QUEUED_BYTES / picture.bytes().max(1)).clamp(3, 16) as usize;
    run(frames, rungs, queued, spec, on_progress)
}

fn run(
    frames: FrameSource,
    rungs: Vec<(Option<Converter>, RungEncoder)>,
    queued: usize,
    spec: &EncodeVideoSpec,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), MediaError> {
    let encoded: Vec<AtomicU64> = rungs.iter().map(|_| AtomicU64::new(0)).collect();
    let expected = spec.video.frame_count;
    // Nothing is ever sent: the channel closes when the last stage has dropped its end.
    let (running, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let mut stages = Vec::new();
        let mut inputs = Vec::new();
        for ((converter, encoder), encoded) in rungs.into_iter().zip(&encoded) {
            let (input, decoded) = mpsc::sync_channel::<Arc<frame::Video>>(queued);
            inputs.push(input);
            let to_encode = match converter {
                None => decoded,
                Some(mut converter) => {
                    let (input, converted) = mpsc::sync_channel(CONVERTED_FRAMES);
                    let running = running.clone();
                    stages.push(scope.spawn(move || {
                        let _running = running;
                        for frame in decoded {
                            let converted = converter.convert(&frame)?;
                            input.send(Arc::new(converted)).map_err(|_| Stop::Downstream)?;
                        }
                        Ok(())
                    }));
                    converted
                }
            };
            let running = running.clone();
            stages.push(scope.spawn(move || {
                let _running = running;
                let mut encoder = encoder;
                for frame in to_encode {
                    encoder.encode(&frame)?;
                    encoded.store(encoder.packets(), Ordering::Relaxed);
                }
                Ok(encoder.finish(expected)?)
            }));
        }
        stages.insert(
            0,
            scope.spawn(move || {
                let _running = running;
                frames.decode_all(expected, |frame| {
                    let frame = Arc::new(frame);
                    inputs
                        .iter()
                        .try_for_each(|input| input.send(Arc::clone(&frame)).map_err(|_| Stop::Downstream))
                })
            }),
        );
        let mut meter = Meter::new(on_progress);
        while ended.recv_timeout(Duration::from_secs(1) / PROGRESS_PER_SECOND)
            == Err(RecvTimeoutError::Timeout)
        {
            let frames = encoded.iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap_or(0);
            meter.update(Done {
                fraction: frames as f64 / expected.max(1) as f64,
                frames,
                seconds: frames as f64 / f64::from(spec.video.frame_rate),
            });
        }
        // In the order of the pipeline, so that the first failure is the cause of those after it.
        stages.into_iter().try_for_each(|stage| match stage.join() {
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(_) => Ok(()),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

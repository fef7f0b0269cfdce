//! Video renditions: one decode of the source for all rungs.
//!
//! ```text
//! decode (+ deinterlace) ─┬─ frames ─ convert ─ pictures ─ encode ─ 1080p.mp4
//!                         └─ frames ─ convert ─ pictures ─ encode ─ 720p.mp4, 480p.mp4, 360p.mp4, …
//! ```
//! Every stage is a thread, every edge a bounded channel of references to frames. x264 runs without threads of its
//! own, because only then does rate control give the same bytes each time. So the largest rung's encoder sets the
//! pace; the stages around it keep it fed, and rungs that together are no more work than the largest share a lane:
//! more threads would only take the processor from the one that all wait for.
//!
//! A frame's place in time is its number: frame `n` is shown at `n / frame_rate`, in every rung.

mod convert;
mod decode;
mod lane;
mod x264;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use ffmpeg_next::frame;
use reelfarm_model::Progress;
use reelfarm_model::task::EncodeVideoSpec;

use self::decode::FrameSource;
use self::lane::Lane;
use crate::MediaError;
use crate::ffmpeg::log;
use crate::progress::{Count, Done, watch};

/// The most bytes of decoded frames between the decoder and the slowest rung.
const QUEUED_BYTES: u64 = 64 << 20;
/// Converted pictures that wait for a lane's encoders.
const QUEUED_PICTURES: usize = 4;

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
    let handled = Count::default();
    let packets: Vec<Count> = spec.rungs.iter().map(|_| Count::default()).collect();
    let done = || {
        let frames = packets.iter().map(Count::get).min().unwrap_or(0);
        Done {
            steps: handled.get() + packets.iter().map(Count::get).sum::<u64>(),
            fraction: frames as f64 / spec.video.frame_count.max(1) as f64,
            frames,
            seconds: frames as f64 / f64::from(spec.video.frame_rate),
        }
    };
    watch(on_progress, done, || {
        let frames = FrameSource::open(source, &spec.video)?;
        let picture = frames.picture();
        let lanes = Lane::open_all(&picture, spec, outputs, &packets)?;
        let queued = (QUEUED_BYTES / picture.bytes().max(1)).clamp(2, 8) as usize;
        run(frames, lanes, queued, spec.video.frame_count, &handled)
    })
}

/// Runs all stages to their end. `handled` counts the frames that any of them has dealt with.
fn run(
    frames: FrameSource,
    lanes: Vec<Lane>,
    queued: usize,
    expected: u64,
    handled: &Count,
) -> Result<(), MediaError> {
    std::thread::scope(|scope| {
        let mut stages = Vec::new();
        let mut inputs = Vec::new();
        for lane in lanes {
            let Lane { mut converters, mut encoders } = lane;
            let (input, decoded) = mpsc::sync_channel::<Arc<frame::Video>>(queued);
            inputs.push(input);
            let (output, pictures) = mpsc::sync_channel(QUEUED_PICTURES);
            stages.push(scope.spawn(move || {
                for frame in decoded {
                    for (rung, converter) in converters.iter_mut().enumerate() {
                        let picture = match converter {
                            Some(converter) => Arc::new(converter.convert(&frame)?),
                            None => Arc::clone(&frame),
                        };
                        handled.add(1);
                        output.send((rung, picture)).map_err(|_| Stop::Downstream)?;
                    }
                }
                Ok(())
            }));
            stages.push(scope.spawn(move || {
                for (rung, picture) in pictures {
                    if let Some(encoder) = encoders.get_mut(rung) {
                        encoder.encode(&picture)?;
                        handled.add(1);
                    }
                }
                Ok(encoders.into_iter().try_for_each(|encoder| encoder.finish(expected))?)
            }));
        }
        stages.insert(
            0,
            scope.spawn(move || {
                frames.decode_all(expected, |frame| {
                    handled.add(1);
                    let frame = Arc::new(frame);
                    inputs
                        .iter()
                        .try_for_each(|input| input.send(Arc::clone(&frame)).map_err(|_| Stop::Downstream))
                })
            }),
        );
        // In the order of the pipeline, so that the first failure is the cause of those after it.
        stages.into_iter().try_for_each(|stage| match stage.join() {
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(_) => Ok(()),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

//! Video renditions: one decode of the source for all rungs.
//!
//! ```text
//! decode (+ deinterlace) ─┬─ frames ─ convert ─ pictures ─ encode ─ 1080p.mp4
//!                         └─ frames ─ convert ─ pictures ─ encode ─ 720p.mp4, 480p.mp4, 360p.mp4, …
//! ```
//! x264 runs without threads of its own, because only then does rate control give the same bytes each time. A film in chunks
//! keeps a host busy with a chunk for each processor, and each is encoded in one thread: stage by stage, frame by frame, so that
//! nothing is handed between processors and nobody waits. With more threads every stage is one, every edge a bounded channel of
//! references to frames, and rungs that together are no more work than the largest share a lane: the largest rung's encoder
//! sets the pace, and the stages around it keep it fed. The bytes are the same either way.
//!
//! A frame's place in time is its number: frame `n` is shown at `n / frame_rate`, in every rung.
//!
//! A long film is encoded in chunks, by any number of hosts, and each rung's chunks are then joined without encoding them again
//! ([`assemble_video`]): the same frames enter the encoders, and the rendition keeps to the rung's rate and buffer.

mod assemble;
mod bucket;
mod convert;
mod decode;
mod lane;
mod numbered;
mod reported;
mod rung;
mod similarity;
mod trial;
mod x264;
mod x265;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use ffmpeg_next::frame;
use reelfarm_model::Progress;
use reelfarm_model::task::EncodeVideoSpec;

use self::decode::FrameSource;
use self::lane::{Lane, finish};
use self::rung::Extent;
use crate::MediaError;
use crate::ffmpeg::log;
use crate::progress::{Count, Done, watch};

pub use self::assemble::assemble_video;
pub(crate) use self::convert::zimg_sample;
pub use self::trial::trial;

/// The most bytes of decoded frames between the decoder and the slowest rung.
const QUEUED_BYTES: u64 = 64 << 20;
/// Converted pictures that wait for a lane's encoders.
const QUEUED_PICTURES: usize = 4;

/// Why a stage stopped before its work was done.
enum Stop {
    /// A stage before or after it is gone. It, or one beyond it, knows why.
    Abandoned,
    /// It failed.
    Failed(MediaError),
}

impl From<MediaError> for Stop {
    fn from(error: MediaError) -> Self {
        Self::Failed(error)
    }
}

/// Hands an item to the next stage.
fn hand_on<T>(output: &SyncSender<Option<T>>, item: T) -> Result<(), Stop> {
    output.send(Some(item)).map_err(|_| Stop::Abandoned)
}

/// Tells the next stage that it has everything. Input that ends without this broke off: that it is short means nothing.
fn end<T>(output: &SyncSender<Option<T>>) -> Result<(), Stop> {
    output.send(None).map_err(|_| Stop::Abandoned)
}

/// Takes in everything that the stage before hands on.
fn take_in<T>(input: &Receiver<Option<T>>, mut each: impl FnMut(T) -> Result<(), Stop>) -> Result<(), Stop> {
    while let Some(item) = input.recv().map_err(|_| Stop::Abandoned)? {
        each(item)?;
    }
    Ok(())
}

/// Encodes all rungs of `spec` from one decode of `source`, or of a chunk of it, each into the MP4 file of the same place in
/// `outputs`. As many encoders as `threads` run at once; with one, nothing runs beside it.
///
/// Each file has exactly [`EncodeVideoSpec::frame_count`] frames, with an IDR that starts a closed group of pictures every
/// `gop_frames`. A rung's bytes depend on the source, `spec.video`, the chunk's frames and the rung alone. Chunks one after the
/// other fit through the buffer of the rung's decoder: where one does not, it is encoded again with less of the rate.
///
/// # Errors
/// See [`MediaError`]; the outputs are then of no use.
pub fn encode_video(
    source: &Path,
    spec: &EncodeVideoSpec,
    outputs: &[PathBuf],
    threads: usize,
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
    if let Some(chunk) = &spec.chunk {
        let end = chunk.first_frame.saturating_add(chunk.frame_count);
        let is_on_grid =
            spec.rungs.iter().all(|rung| chunk.first_frame.is_multiple_of(rung.gop_frames.into()));
        if chunk.frame_count == 0 || end > spec.video.frame_count || !is_on_grid {
            return Err(MediaError::Unsupported(format!(
                "frames {} to {end} are no chunk of a film of {} frames",
                chunk.first_frame, spec.video.frame_count
            )));
        }
    }
    let extents = match spec.chunk {
        None => vec![Extent::Film],
        Some(chunk) => Extent::of_a_chunk(&chunk),
    };
    encode(source, spec, outputs, &extents, threads, on_progress)
}

/// Encodes rungs in the first of these ways, and those that other chunks can't be joined to in the next ones too.
fn encode(
    source: &Path,
    spec: &EncodeVideoSpec,
    outputs: &[PathBuf],
    extents: &[Extent],
    threads: usize,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), MediaError> {
    let expected = spec.frame_count();
    let handled = Count::default();
    // The packets of encodes that were too large, and those of each rung since.
    let packets = Mutex::new((0, Vec::<Count>::new()));
    let done = || {
        let packets = packets.lock().unwrap_or_else(PoisonError::into_inner);
        let slowest = packets.1.iter().map(Count::get).min().unwrap_or(0);
        Done {
            steps: handled.get() + packets.0 + packets.1.iter().map(Count::get).sum::<u64>(),
            fraction: slowest as f64 / expected.max(1) as f64,
            frames: slowest,
            seconds: slowest as f64 / f64::from(spec.video.frame_rate),
        }
    };
    watch(on_progress, done, || {
        let (mut spec, mut outputs) = (spec.clone(), outputs.to_vec());
        for extent in extents {
            let counts: Vec<Count> = spec.rungs.iter().map(|_| Count::default()).collect();
            {
                let mut packets = packets.lock().unwrap_or_else(PoisonError::into_inner);
                packets.0 += packets.1.iter().map(Count::get).sum::<u64>();
                packets.1.clone_from(&counts);
            }
            let source = FrameSource::open(source, &spec.video, spec.chunk, threads)?;
            let picture = source.picture();
            let lanes = Lane::open_all(&picture, &spec, *extent, &outputs, &counts, threads)?;
            let too_large = if threads < 2 {
                run_alone(source, lanes, expected, &handled)?
            } else {
                let queued = (QUEUED_BYTES / picture.bytes().max(1)).clamp(2, 8) as usize;
                run(source, lanes, queued, expected, &handled)?
            };
            let mut places = spec.rungs.iter().map(|rung| too_large.contains(&rung.rung.name));
            outputs.retain(|_| places.next().unwrap_or(false));
            spec.rungs.retain(|rung| too_large.contains(&rung.rung.name));
            if spec.rungs.is_empty() {
                break;
            }
        }
        // What is too large even so stays so, as it would in one piece: no quantiser is coarse enough for it.
        Ok(())
    })
}

/// Does everything in the caller's thread; answers as [`run`] does.
fn run_alone(
    frames: FrameSource,
    mut lanes: Vec<Lane>,
    expected: u64,
    handled: &Count,
) -> Result<Vec<String>, MediaError> {
    let decoded = frames.decode_all(|frame| {
        handled.add(1);
        for Lane { converters, encoders } in &mut lanes {
            for (converter, encoder) in converters.iter_mut().zip(encoders) {
                match converter {
                    Some(converter) => encoder.encode(&converter.convert(&frame)?)?,
                    None => encoder.encode(&frame)?,
                }
                handled.add(2);
            }
        }
        Ok(())
    });
    // There is no other stage that could have gone.
    if let Err(Stop::Failed(error)) = decoded {
        return Err(error);
    }
    let mut too_large = Vec::new();
    for lane in lanes {
        too_large.extend(finish(lane.encoders, expected)?);
    }
    Ok(too_large)
}

/// Runs all stages to their end; the names of the rungs that other chunks can't be joined to. `handled` counts the frames that
/// any of them has dealt with.
fn run(
    frames: FrameSource,
    lanes: Vec<Lane>,
    queued: usize,
    expected: u64,
    handled: &Count,
) -> Result<Vec<String>, MediaError> {
    let too_large = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let too_large = &too_large;
        let mut stages = Vec::new();
        let mut inputs = Vec::new();
        for lane in lanes {
            let Lane { mut converters, mut encoders } = lane;
            let (input, decoded) = sync_channel::<Option<Arc<frame::Video>>>(queued);
            inputs.push(input);
            let (output, pictures) = sync_channel(QUEUED_PICTURES);
            stages.push(scope.spawn(move || {
                take_in(&decoded, |frame| {
                    for (rung, converter) in converters.iter_mut().enumerate() {
                        let picture = match converter {
                            Some(converter) => Arc::new(converter.convert(&frame)?),
                            None => Arc::clone(&frame),
                        };
                        handled.add(1);
                        hand_on(&output, (rung, picture))?;
                    }
                    Ok(())
                })?;
                end(&output)
            }));
            stages.push(scope.spawn(move || {
                take_in(&pictures, |(rung, picture)| {
                    if let Some(encoder) = encoders.get_mut(rung) {
                        encoder.encode(&picture)?;
                        handled.add(1);
                    }
                    Ok(())
                })?;
                let names = finish(encoders, expected)?;
                too_large.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
                Ok(())
            }));
        }
        stages.insert(
            0,
            scope.spawn(move || {
                frames.decode_all(|frame| {
                    handled.add(1);
                    let frame = Arc::new(frame);
                    inputs.iter().try_for_each(|input| hand_on(input, Arc::clone(&frame)))
                })?;
                inputs.iter().try_for_each(end)
            }),
        );
        // A stage that was abandoned says nothing, so what is told is a cause, and of several the first in the pipeline.
        stages.into_iter().try_for_each(|stage| match stage.join() {
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(_) => Ok(()),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(too_large.into_inner().unwrap_or_else(PoisonError::into_inner))
}

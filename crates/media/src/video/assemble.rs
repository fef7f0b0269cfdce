//! A rung's rendition from its chunks: packets are copied, nothing is encoded again. That it keeps to the rung's rate and buffer
//! follows from its chunks, each of which does in a way that the next one can rely on (`bucket`).

use std::path::{Path, PathBuf};

use ffmpeg_next::{Packet, Rational, Stream};
use reelfarm_model::Progress;
use reelfarm_model::task::AssembleVideoSpec;

use crate::MediaError;
use crate::ffmpeg::log;
use crate::ffmpeg::mp4::{IndexPlace, Mp4Writer};
use crate::ffmpeg::source::{Read, Source};
use crate::ffmpeg::track;
use crate::progress::{Count, Done, watch};

/// Joins `chunks`, in the order of `spec.chunks`, to one MP4 file: the frames of the first one, then those of the next one, each
/// a frame's length after the one before, with nothing in between.
///
/// # Errors
/// See [`MediaError`]. [`MediaError::NotJoined`] where the chunks are not of one rendition, or one of them is not what `spec`
/// says. The output is then of no use.
pub fn assemble_video(
    spec: &AssembleVideoSpec,
    chunks: &[PathBuf],
    output: &Path,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), MediaError> {
    log::install();
    if chunks.is_empty() || spec.chunks.len() != chunks.len() {
        return Err(MediaError::Unsupported(format!(
            "{} files cannot be {} chunks",
            chunks.len(),
            spec.chunks.len()
        )));
    }
    let copied = Count::default();
    let expected = spec.frame_count();
    let done = || {
        let frames = copied.get();
        Done {
            steps: frames,
            fraction: frames as f64 / expected.max(1) as f64,
            frames,
            seconds: frames as f64 / f64::from(spec.frame_rate.max(1)),
        }
    };
    watch(on_progress, done, || join(spec, chunks, output, &copied))
}

fn join(
    spec: &AssembleVideoSpec,
    chunks: &[PathBuf],
    output: &Path,
    copied: &Count,
) -> Result<(), MediaError> {
    let frame = Rational::new(1, i32::try_from(spec.frame_rate).unwrap_or(i32::MAX));
    let mut writer = Mp4Writer::create(output, IndexPlace::End)?;
    let mut joined = None;
    let mut before = 0;
    for (path, chunk) in chunks.iter().zip(&spec.chunks) {
        let mut part = Part::open(path)?;
        let parameters = part.parameters()?;
        let (track, first) = match joined.take() {
            Some(joined) => joined,
            None => {
                let track = writer.add_copy(&part.stream()?, None, true)?;
                writer.start()?;
                (track, parameters.clone())
            }
        };
        if parameters != first {
            return Err(
                part.refused("its parameter sets are others than those of the first chunk".to_owned())
            );
        }
        let mut frames = 0;
        while let Some(mut packet) = part.next()? {
            if frames == 0 && !packet.is_key() {
                return Err(part.refused("it does not begin with a key frame".to_owned()));
            }
            packet.rescale_ts(part.time_base, frame);
            let is_own =
                |time: i64| (0..i64::try_from(chunk.frame_count).unwrap_or(i64::MAX)).contains(&time);
            if !packet.pts().is_some_and(is_own) {
                return Err(part.refused(format!(
                    "a frame is shown at place {:?} of {}",
                    packet.pts(),
                    chunk.frame_count
                )));
            }
            let start = i64::try_from(before).unwrap_or(i64::MAX);
            packet.set_pts(packet.pts().map(|time| time + start));
            packet.set_dts(packet.dts().map(|time| time + start));
            packet.set_duration(1);
            writer.write(track, packet, frame)?;
            frames += 1;
            copied.add(1);
        }
        if frames != chunk.frame_count {
            return Err(part.refused(format!("it has {frames} frames, not {}", chunk.frame_count)));
        }
        before += frames;
        joined = Some((track, first));
    }
    writer.finish()
}

/// A chunk's file.
struct Part {
    source: Source,
    time_base: Rational,
}

impl Part {
    fn open(path: &Path) -> Result<Self, MediaError> {
        let source = Source::open(path)?;
        let mut part = Self { source, time_base: Rational::new(0, 1) };
        part.time_base = part.stream()?.time_base();
        Ok(part)
    }

    fn stream(&self) -> Result<Stream<'_>, MediaError> {
        let streams = self.source.input().nb_streams();
        self.source
            .input()
            .stream(0)
            .filter(|_| streams == 1)
            .ok_or_else(|| self.refused(format!("it has {streams} tracks, not one")))
    }

    /// The codec's headers.
    fn parameters(&self) -> Result<Vec<u8>, MediaError> {
        Ok(track::parameter_sets(&self.stream()?))
    }

    fn next(&mut self) -> Result<Option<Packet>, MediaError> {
        match self.source.read()? {
            Read::Packet(packet) => Ok(Some(packet)),
            Read::End => Ok(None),
            Read::Damaged => Err(self.refused("it is damaged".to_owned())),
        }
    }

    fn refused(&self, reason: String) -> MediaError {
        MediaError::NotJoined { subject: self.source.path().display().to_string(), reason }
    }
}

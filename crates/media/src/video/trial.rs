//! Trials: a short stretch of a rung encoded at several CRFs, and what came of each: its bits, and how like the source it is.
//!
//! Promises: what is encoded is what the rung's encoder makes of these frames, at the same rate and buffer; no more encoders run at once than [`TrialSpec::at_once`] says.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use ffmpeg_next::{frame, media};
use reelfarm_model::Progress;
use reelfarm_model::ladder::Rung;
use reelfarm_model::task::{EncodeVideoSpec, RungSpec, Trial, TrialPoint, TrialSpec};

use super::convert::Converter;
use super::decode::FrameSource;
use super::rung::Extent;
use super::similarity::Similarity;
use super::{Stop, encode};
use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::frame::take;
use crate::ffmpeg::log;
use crate::ffmpeg::source::{Read, Source};
use crate::progress::{Count, Done, watch};

/// The share of the time that goes into encoding.
const ENCODING: f64 = 0.8;

/// Encodes a stretch of `source` at each CRF of `spec`, and compares what comes of it with the source. `folder` is for files that
/// are gone at the end.
///
/// # Errors
/// See [`MediaError`].
pub fn trial(
    source: &Path,
    spec: &TrialSpec,
    folder: &Path,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Trial, MediaError> {
    log::install();
    let mut points = Vec::with_capacity(spec.crfs.len());
    for crfs in spec.crfs.chunks(spec.at_once()) {
        let (before, of_all) = (points.len() as f64, spec.crfs.len() as f64);
        let mut told = |from: f64, to: f64, progress: Progress| {
            let share = from + progress.fraction * (to - from);
            let fraction = (before + share * crfs.len() as f64) / of_all;
            on_progress(Progress { fraction, ..progress });
        };
        let rungs: Vec<RungSpec> = crfs.iter().map(|crf| at(&spec.rung, *crf)).collect();
        let files: Vec<PathBuf> =
            rungs.iter().map(|rung| folder.join(format!("{}.mp4", rung.rung.name))).collect();
        let together = EncodeVideoSpec {
            source: spec.source,
            video: spec.video.clone(),
            rungs,
            chunk: Some(spec.stretch),
            cue_frames: Vec::new(),
        };
        encode(source, &together, &files, &[Extent::Film], 1, &mut |progress| told(0.0, ENCODING, progress))?;
        let candidates = Candidate::open_all(spec, crfs, &files)?;
        points.extend(compare(source, spec, candidates, &mut |progress| told(ENCODING, 1.0, progress))?);
        for file in files {
            // Otherwise it goes with the attempt's folder.
            drop(fs_err::remove_file(&file));
        }
    }
    Ok(Trial { points })
}

/// A rung with another CRF, by which it is named.
fn at(rung: &RungSpec, crf: u8) -> RungSpec {
    RungSpec { rung: Rung { name: format!("crf-{crf}"), crf, ..rung.rung.clone() }, ..rung.clone() }
}

/// Decodes the stretch once more, and holds what was encoded of it against that.
fn compare(
    source: &Path,
    spec: &TrialSpec,
    mut candidates: Vec<Candidate>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Vec<TrialPoint>, MediaError> {
    let expected = spec.stretch.frame_count;
    let compared = Count::default();
    let done = || {
        let frames = compared.get();
        Done { steps: frames, fraction: frames as f64 / expected.max(1) as f64, ..Done::default() }
    };
    watch(on_progress, done, || {
        let frames = FrameSource::open(source, &spec.video, Some(spec.stretch), 1)?;
        let picture = frames.picture();
        let shown = RungSpec { width: spec.shown_width, height: spec.shown_height, ..spec.rung.clone() };
        let mut own = Converter::new(&picture, &spec.video, &spec.rung)?;
        let mut shown = Converter::new(&picture, &spec.video, &shown)?;
        let decoded = frames.decode_all(|frame| {
            let own = own.as_mut().map(|converter| converter.convert(&frame)).transpose()?;
            let is_shown = candidates.iter().any(|candidate| candidate.shown.is_some());
            let shown = match &mut shown {
                Some(converter) if is_shown => Some(converter.convert(&frame)?),
                _ => None,
            };
            for candidate in &mut candidates {
                candidate.compare(own.as_ref().unwrap_or(&frame), shown.as_ref().unwrap_or(&frame))?;
            }
            compared.add(1);
            Ok(())
        });
        // There is no other stage that could have gone.
        if let Err(Stop::Failed(error)) = decoded {
            return Err(error);
        }
        candidates.into_iter().map(|candidate| candidate.point(expected)).collect()
    })
}

/// An encode that is compared with the source.
struct Candidate {
    crf: u8,
    encoded: Encoded,
    own: Similarity,
    /// At the size at which it is looked at, where that is another one.
    shown: Option<Similarity>,
}

impl Candidate {
    fn open_all(spec: &TrialSpec, crfs: &[u8], files: &[PathBuf]) -> Result<Vec<Self>, MediaError> {
        let (size, shown) = ((spec.rung.width, spec.rung.height), (spec.shown_width, spec.shown_height));
        let open = |(crf, file): (&u8, &PathBuf)| {
            let similarity = |reference: (u32, u32)| {
                Similarity::new(size, reference, spec.video.frame_rate, format!("CRF {crf}, comparing"))
            };
            Ok(Self {
                crf: *crf,
                encoded: Encoded::open(file)?,
                own: similarity(size)?,
                shown: (shown != size).then(|| similarity(shown)).transpose()?,
            })
        };
        crfs.iter().zip(files).map(open).collect()
    }

    fn compare(&mut self, own: &frame::Video, shown: &frame::Video) -> Result<(), MediaError> {
        let picture = self.encoded.next(own.pts())?;
        self.own.compare(&picture, own)?;
        if let Some(similarity) = &mut self.shown {
            similarity.compare(&picture, shown)?;
        }
        Ok(())
    }

    fn point(self, expected: u64) -> Result<TrialPoint, MediaError> {
        let ssim = self.own.mean(expected)?;
        let shown_ssim = self.shown.map_or(Ok(ssim), |shown| shown.mean(expected))?;
        Ok(TrialPoint { crf: self.crf, bits: self.encoded.bits, ssim, shown_ssim })
    }
}

/// The pictures of a file that was just encoded.
struct Encoded {
    source: Source,
    decoder: Decoder,
    /// Those that were decoded and not asked for yet.
    pictures: VecDeque<frame::Video>,
    has_ended: bool,
    /// Of the packets read so far.
    bits: u64,
}

impl Encoded {
    fn open(path: &Path) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let decoder = Decoder::open(&source, &source.track(0, media::Type::Video)?, 1)?;
        source.read_only(&[0]);
        Ok(Self { source, decoder, pictures: VecDeque::new(), has_ended: false, bits: 0 })
    }

    /// The next picture, with a time of the caller's.
    fn next(&mut self, time: Option<i64>) -> Result<frame::Video, MediaError> {
        while self.pictures.is_empty() && !self.has_ended {
            let packet = match self.source.read()? {
                Read::Packet(packet) => Some(packet),
                Read::Damaged => return Err(self.unreadable()),
                Read::End => None,
            };
            self.has_ended = packet.is_none();
            self.bits += packet.as_ref().map_or(0, |packet| packet.size() as u64 * 8);
            let mut is_damaged = false;
            let pictures = &mut self.pictures;
            self.decoder.decode(packet.as_ref(), |decoded| {
                match decoded {
                    Decoded::Frame(frame) => pictures.push_back(frame::Video::from(take(frame))),
                    Decoded::Error => is_damaged = true,
                }
                Ok(())
            })?;
            if is_damaged {
                return Err(self.unreadable());
            }
        }
        let mut picture = self.pictures.pop_front().ok_or_else(|| self.unreadable())?;
        picture.set_pts(time);
        Ok(picture)
    }

    fn unreadable(&self) -> MediaError {
        MediaError::Unsupported(format!(
            "{}: what was just encoded cannot be decoded whole",
            self.source.path().display()
        ))
    }
}

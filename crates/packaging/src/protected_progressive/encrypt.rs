//! The two passes over the samples: the first divides the pictures, the second encrypts everything.

use std::io::{BufReader, Read, Seek, Write};

use aes::Aes128;
use ctr::Ctr64BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use reelfarm_drm::ContentKey;
use reelfarm_model::Progress;

use super::TrackProtection;
use super::auxiliary::Auxiliary;
use super::error::Fault;
use super::header::{Media, Track, track_place};
use super::picture::Subsample;
use super::rewrite::ProtectedTrack;
use super::sample_table::Chunk;
use crate::malformed::Malformed;

/// Bytes of samples after which progress is told.
const REPORT_EVERY: u64 = 4 << 20;

/// Tells how much of the samples was read.
pub(super) struct Report<'a> {
    all: u64,
    done: u64,
    told: u64,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Report<'a> {
    /// A report on both passes over these tracks.
    pub(super) fn new(tracks: &[Track], on_progress: &'a mut dyn FnMut(Progress)) -> Self {
        let passes = |track: &Track| match track.media {
            Media::Pictures(_) => 2,
            Media::Sound => 1,
        };
        let all = tracks.iter().map(|track| track.samples.bytes() * passes(track)).sum();
        Self { all, done: 0, told: 0, on_progress }
    }

    fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.done - self.told >= REPORT_EVERY || self.done == self.all {
            self.told = self.done;
            (self.on_progress)(Progress {
                fraction: self.done as f64 / self.all as f64,
                ..Progress::default()
            });
        }
    }
}

/// The first pass: what is to be said of the samples of every track. `file` stands at the first sample.
pub(super) fn describe(
    file: &mut BufReader<impl Read + Seek>,
    tracks: &mut [Track],
    protections: &[TrackProtection<'_>],
    chunks: &[Chunk],
    report: &mut Report<'_>,
) -> Result<Vec<Auxiliary>, Fault> {
    let mut auxiliary: Vec<_> = tracks
        .iter()
        .zip(protections)
        .map(|(track, protection)| match track.media {
            Media::Pictures(_) => Auxiliary::divided(protection.vector),
            Media::Sound => Auxiliary::whole(protection.vector, track.samples.len()),
        })
        .collect();
    let mut bytes = Vec::new();
    for chunk in chunks {
        let track = &mut tracks[chunk.track];
        for index in chunk.samples.clone() {
            let size = track.samples.size(index);
            let Media::Pictures(divider) = &mut track.media else {
                file.seek_relative(size as i64).map_err(Fault::Read)?;
                continue;
            };
            bytes.resize(size, 0);
            file.read_exact(&mut bytes).map_err(Fault::Read)?;
            let divided = divider.divide(&bytes).and_then(|parts| auxiliary[chunk.track].push(&parts));
            divided.map_err(|reason| {
                Malformed::new(format!("{}, sample {}", track_place(chunk.track), index + 1), reason)
            })?;
            report.add(size);
        }
    }
    Ok(auxiliary)
}

/// The second pass: every sample, encrypted, in the order of the file. `file` stands at the first sample.
pub(super) fn encrypt(
    file: &mut BufReader<impl Read + Seek>,
    output: &mut impl Write,
    tracks: &[ProtectedTrack<'_>],
    chunks: &[Chunk],
    report: &mut Report<'_>,
) -> Result<(), Fault> {
    let mut parts: Vec<_> = tracks.iter().map(|track| track.auxiliary.parts()).collect();
    let mut bytes = Vec::new();
    for chunk in chunks {
        let track = &tracks[chunk.track];
        for index in chunk.samples.clone() {
            bytes.resize(track.track.samples.size(index), 0);
            file.read_exact(&mut bytes).map_err(Fault::Read)?;
            encrypt_sample(
                track.key,
                track.auxiliary.vector(index),
                parts[chunk.track].next().flatten(),
                &mut bytes,
            );
            output.write_all(&bytes).map_err(Fault::Write)?;
            report.add(bytes.len());
        }
    }
    Ok(())
}

/// Encrypts a sample where it lies (ISO/IEC 23001-7 clause 9): the vector is the upper half of the first counter block,
/// and the counter runs on from part to part.
fn encrypt_sample(key: &ContentKey, vector: [u8; 8], parts: Option<&[Subsample]>, sample: &mut [u8]) {
    let mut counter = [0; 16];
    counter[..8].copy_from_slice(&vector);
    let mut cipher = Ctr64BE::<Aes128>::new(key.key.expose().into(), &counter.into());
    let Some(parts) = parts else { return cipher.apply_keystream(sample) };
    let mut rest = sample;
    for part in parts {
        let (_, tail) = rest.split_at_mut(usize::from(part.clear));
        let (protected, tail) = tail.split_at_mut(part.protected as usize);
        cipher.apply_keystream(protected);
        rest = tail;
    }
}

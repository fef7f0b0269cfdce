//! Media sets that are made of another media set: which engine makes them, with which keys.

use std::path::Path;

use reelfarm_drm::signal::common_system_box;
use reelfarm_drm::{ContentKey, TitleKeys};
use reelfarm_model::profile::{DrmSystem, MediaFormat};
use reelfarm_model::task::PackageSpec;
use reelfarm_model::{Code, Failure, KeyUse};

use crate::protected_progressive::{TrackProtection, protect};
use crate::smooth::{self, SmoothInput};
use crate::{aes128, layout, progressive, protection};

/// Makes the media set of `spec` in the folder `output`, which must be empty, from the one in `base`; `keys` are those of
/// its encryption. `progress` is told a fraction from 0 to 1 now and then. It blocks.
///
/// A failed call leaves partial output: give it a staging folder.
///
/// # Errors
/// The base is not what the engine needs, files cannot be read or written, or a key is not there.
pub fn package(
    spec: &PackageSpec,
    base: &Path,
    keys: Option<&TitleKeys>,
    output: &Path,
    mut progress: impl FnMut(f64),
) -> Result<(), Failure> {
    let refuse = |reason: &str| {
        Failure::new(Code::Internal, format!("media set {} cannot be made: {reason}", spec.media_set))
    };
    let key = keys.map(|keys| {
        let key = keys.key(KeyUse::All).ok_or_else(|| refuse("it takes one key for all tracks"))?;
        Ok::<_, Failure>((keys, key))
    });
    let key = key.transpose()?;
    if spec.encryption.is_some() != key.is_some() {
        return Err(refuse("it is encrypted and has no keys, or the other way round"));
    }
    let total = size(base).max(1) as f64;
    match (spec.format, key) {
        (MediaFormat::Ts, Some((_, key))) => {
            let vector_of = |track: &str| vector_of(spec, key, track);
            let share = |done: u64| progress((done as f64 / total).min(1.0));
            aes128::encrypt_media_set(base, output, &key.key, vector_of, share)?;
        }
        (MediaFormat::Smooth, key) => {
            let protection =
                key.map(|(keys, key)| told(keys, key).ok_or_else(|| refuse("PlayReady has no object")));
            let protection = protection.transpose()?;
            let input = SmoothInput {
                media_set: base,
                video: &spec.video,
                audio: &spec.audio,
                protection: protection.as_ref(),
            };
            smooth::package(&input, output, |done| progress((done as f64 / total).min(1.0)))?;
        }
        (MediaFormat::Progressive, Some((keys, key))) => {
            progressive_file(spec, base, output, (keys, key), &mut progress)?;
        }
        _ => return Err(refuse("no engine makes it of another media set")),
    }
    progress(1.0);
    Ok(())
}

fn progressive_file(
    spec: &PackageSpec,
    base: &Path,
    output: &Path,
    (keys, key): (&TitleKeys, &ContentKey),
    progress: &mut impl FnMut(f64),
) -> Result<(), Failure> {
    let plan = progressive::plan(spec)?;
    let names =
        std::iter::once(layout::video_track(plan.video)).chain(plan.audio.iter().map(|a| a.id.clone()));
    let named: Vec<_> = protection::tracks(spec).collect();
    let mut tracks = Vec::new();
    for name in names {
        let track = named.iter().find(|track| track.name == name);
        let vector_name = track.map(|track| track.vector_name.as_str()).unwrap_or_default();
        // A name of its own: whether samples are divided as the packager divides them must not matter.
        let vector = key.initialization_vector(&format!("progressive {vector_name}"));
        tracks.push(TrackProtection { key, vector });
    }
    // No manifest tells a player of this file's key, so the file does: by the common system's box, which holds no more
    // than the key's id, whatever systems the profile list has.
    let marlin = keys.signal(DrmSystem::Marlin, key.id).and_then(|signal| signal.pssh.clone());
    let pssh: Vec<_> = [common_system_box(key.id)].into_iter().chain(marlin).collect();
    let (input, output) = (base.join(plan.file_name), output.join(plan.file_name));
    protect(&input, &output, &tracks, &pssh, &mut |done| progress(done.fraction))?;
    Ok(())
}

fn vector_of(spec: &PackageSpec, key: &ContentKey, name: &str) -> [u8; 16] {
    let track = protection::tracks(spec).find(|track| track.name == name);
    key.initialization_vector(track.as_ref().map_or(name, |track| &track.vector_name))
}

fn told(keys: &TitleKeys, key: &ContentKey) -> Option<smooth::Protection> {
    let playready_object = keys.signal(DrmSystem::Playready, key.id)?.playready_object.clone()?;
    Some(smooth::Protection { key_id: key.id, playready_object })
}

/// Bytes of all files below a folder, as far as they can be seen: for the progress alone.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

//! One media set: from renditions by the packager, or by FFmpeg for a progressive file; from another media set by the
//! farm's own engines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_media::child::Request;
use reelfarm_model::profile::MediaFormat;
use reelfarm_model::task::PackageSpec;
use reelfarm_model::{ArtifactKey, Code, Failure};
use reelfarm_packaging::{derived, progressive};

use super::{AUDIO_FILE, Execution, Held, VIDEO_FILE, blocking};

pub(super) async fn run(execution: &Execution, spec: &PackageSpec) -> Result<(), Failure> {
    package(execution, spec).await?;
    execution.worker.metrics.media_set_packaged(spec.format);
    Ok(())
}

async fn package(execution: &Execution, spec: &PackageSpec) -> Result<(), Failure> {
    let keys =
        super::keys::open(execution, spec.encryption.as_ref().map(|encryption| encryption.keys)).await?;
    let output = execution.folder("media").await?;
    if let Some(base) = spec.base {
        let base = execution.intact_artifact(base).await?;
        let (spec, share_done) = (spec.clone(), execution.share_done());
        return blocking(move || derived::package(&spec, &base.folder, keys.as_ref(), &output, share_done))
            .await;
    }
    let Held { files: inputs, _held } = renditions(execution, spec).await?;
    match spec.format {
        MediaFormat::Progressive => mux(execution, spec, &inputs, &output).await,
        _ => {
            let packager = &execution.worker.packager;
            packager.package(spec, &inputs, keys.as_ref(), &output, execution.share_done()).await
        }
    }
}

/// The files of a media set's renditions, each of which was read and found as it was encoded: a media set that reads back
/// as its renditions is right only if they are.
pub(super) async fn renditions(execution: &Execution, spec: &PackageSpec) -> Result<Held, Failure> {
    let video = spec.video.iter().map(|video| (video.artifact, VIDEO_FILE));
    let audio = spec.audio.iter().map(|audio| (audio.artifact, AUDIO_FILE));
    let mut renditions = Held::default();
    let mut missing = None;
    for (artifact, file) in video.chain(audio) {
        match execution.intact_artifact(artifact).await {
            Ok(rendition) => {
                renditions.files.insert(artifact, rendition.folder.join(file));
                renditions._held.push(rendition);
            }
            // All are looked at, so that all that are damaged are made again at once.
            Err(failure) if failure.code == Code::ArtifactMissing => missing = missing.or(Some(failure)),
            Err(failure) => return Err(failure),
        }
    }
    missing.map_or(Ok(renditions), Err)
}

async fn mux(
    execution: &Execution,
    spec: &PackageSpec,
    inputs: &BTreeMap<ArtifactKey, PathBuf>,
    output: &Path,
) -> Result<(), Failure> {
    let plan = progressive::plan(spec)?;
    let file = |key: ArtifactKey| {
        inputs
            .get(&key)
            .cloned()
            .ok_or_else(|| Failure::new(Code::Internal, format!("rendition {} was not read", key.short())))
    };
    let mut audio = Vec::with_capacity(plan.audio.len());
    for rendition in &plan.audio {
        audio.push((file(rendition.artifact)?, rendition.language.clone()));
    }
    let request = Request::MuxProgressive {
        video: file(plan.video.artifact)?,
        audio,
        output: output.join(plan.file_name),
    };
    execution.worker.media.run(&request, |progress| (execution.report)(progress)).await?;
    Ok(())
}

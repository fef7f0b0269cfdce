//! One media set from renditions: by the packager, or by FFmpeg for a progressive file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_media::child::Request;
use reelfarm_model::profile::MediaFormat;
use reelfarm_model::task::PackageSpec;
use reelfarm_model::{ArtifactKey, Code, Failure};
use reelfarm_packaging::progressive;

use super::{AUDIO_FILE, Execution, VIDEO_FILE};

pub(super) async fn run(execution: &Execution, spec: &PackageSpec) -> Result<(), Failure> {
    let inputs = renditions(execution, spec).await?;
    let output = execution.folder("media").await?;
    match spec.format {
        MediaFormat::Progressive => mux(execution, spec, &inputs, &output).await,
        MediaFormat::Cmaf | MediaFormat::SingleFile | MediaFormat::Ts => {
            execution.worker.packager.package(spec, &inputs, &output, execution.share_done()).await
        }
    }
}

/// The files of a media set's renditions.
pub(super) async fn renditions(
    execution: &Execution,
    spec: &PackageSpec,
) -> Result<BTreeMap<ArtifactKey, PathBuf>, Failure> {
    let mut files = BTreeMap::new();
    for video in &spec.video {
        files.insert(video.artifact, execution.artifact(video.artifact).await?.folder.join(VIDEO_FILE));
    }
    for audio in &spec.audio {
        files.insert(audio.artifact, execution.artifact(audio.artifact).await?.folder.join(AUDIO_FILE));
    }
    Ok(files)
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

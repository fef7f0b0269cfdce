//! One rung's rendition from its chunks.

use reelfarm_media::child::Request;
use reelfarm_model::task::AssembleVideoSpec;
use reelfarm_model::{Code, Failure};

use super::{Execution, VIDEO_FILE};

pub(super) async fn run(execution: &Execution, spec: &AssembleVideoSpec) -> Result<(), Failure> {
    let mut chunks = Vec::with_capacity(spec.chunks.len());
    // They stay until the rendition is made.
    let mut held = Vec::with_capacity(spec.chunks.len());
    let mut missing = None;
    for chunk in &spec.chunks {
        match execution.intact_artifact(chunk.artifact).await {
            Ok(artifact) => {
                chunks.push(artifact.folder.join(VIDEO_FILE));
                held.push(artifact);
            }
            // All are looked at, so that all that are damaged are made again at once.
            Err(failure) if failure.code == Code::ArtifactMissing => missing = missing.or(Some(failure)),
            Err(failure) => return Err(failure),
        }
    }
    if let Some(missing) = missing {
        return Err(missing);
    }
    let output = execution.folder(&spec.rung.rung.name).await?.join(VIDEO_FILE);
    let request = Request::AssembleVideo { spec: spec.clone(), chunks, output };
    execution.worker.media.run(&request, |progress| (execution.report)(progress)).await?;
    Ok(())
}

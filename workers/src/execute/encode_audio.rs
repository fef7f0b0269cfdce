//! One decode of the source's sound, all wanted audio renditions encoded from it, each in one piece.

use reelfarm_media::child::Request;
use reelfarm_model::Failure;
use reelfarm_model::task::EncodeAudioSpec;

use super::{AUDIO_FILE, Execution};

pub(super) async fn run(execution: &Execution, spec: &EncodeAudioSpec) -> Result<(), Failure> {
    let mut outputs = Vec::with_capacity(spec.renditions.len());
    for rendition in &spec.renditions {
        outputs.push(execution.folder(&rendition.id).await?.join(AUDIO_FILE));
    }
    let source = execution.source().await?;
    let request = Request::EncodeAudio { path: source.path.clone(), spec: spec.clone(), outputs };
    let encoded = execution.worker.media.run(&request, |progress| (execution.report)(progress)).await;
    execution.of_unchanged_source(encoded).await?;
    Ok(())
}

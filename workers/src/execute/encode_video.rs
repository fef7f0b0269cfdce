//! One decode of the source, all wanted rungs encoded from it.

use reelfarm_media::child::Request;
use reelfarm_model::task::EncodeVideoSpec;
use reelfarm_model::{Failure, Progress};

use super::{Execution, VIDEO_FILE};

pub(super) async fn run(execution: &Execution, spec: &EncodeVideoSpec) -> Result<(), Failure> {
    let mut outputs = Vec::with_capacity(spec.rungs.len());
    for rung in &spec.rungs {
        outputs.push(execution.folder(&rung.rung.name).await?.join(VIDEO_FILE));
    }
    let speed = std::sync::Mutex::new(0.0);
    let report = |progress: Progress| {
        *speed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = progress.speed;
        (execution.report)(progress);
    };
    let source = execution.source().await?;
    let share = execution.worker.encode_threads.share(spec.chunk.is_some());
    let request = Request::EncodeVideo {
        path: source.path.clone(),
        spec: spec.clone(),
        outputs,
        threads: share.threads,
    };
    let encoded = execution.worker.media.run(&request, report).await;
    execution.of_unchanged_source(encoded).await?;
    let speed = *speed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    execution.worker.metrics.video_encoded(&spec.rungs, spec.frame_count(), speed);
    Ok(())
}

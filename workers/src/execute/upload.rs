//! One media set copied to the origin, every byte of it read back.

use reelfarm_artifacts::{OriginError, Uploaded};
use reelfarm_model::Failure;
use reelfarm_model::task::UploadSpec;
use reelfarm_packaging::layout::is_media_file;

use super::{Execution, RECEIPT_FILE};

pub(super) async fn run(execution: &Execution, spec: &UploadSpec) -> Result<(), Failure> {
    let metrics = &execution.worker.metrics;
    let media = execution.artifact(spec.media).await?;
    let origin = execution.worker.artifacts.origin(&spec.origin).await?;
    let share_done = execution.share_done();
    let progress = move |done: u64, total: u64| share_done(done as f64 / total.max(1) as f64);
    let uploaded =
        origin.upload(&spec.title, &spec.media_path, &media, is_media_file, progress, &execution.stop).await;
    let Uploaded { receipt, written } = match uploaded {
        Ok(uploaded) => uploaded,
        Err(error) => {
            if matches!(error, OriginError::Mismatch { .. }) {
                metrics.origin_mismatch();
            }
            if matches!(error, OriginError::ArtifactDamaged { .. }) {
                execution.forget(spec.media).await;
            }
            return Err(error.into());
        }
    };
    metrics.origin_written(written);
    execution.write_json("receipt", RECEIPT_FILE, &receipt).await?;
    Ok(())
}

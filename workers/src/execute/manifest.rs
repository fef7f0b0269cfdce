//! One profile's manifests, derived from its media set.

use reelfarm_model::task::ManifestSpec;
use reelfarm_model::{Code, Failure};
use reelfarm_packaging::manifest;

use super::{Execution, blocking, disk_failure};

pub(super) async fn run(execution: &Execution, spec: &ManifestSpec) -> Result<(), Failure> {
    let media = execution.artifact(spec.media).await?;
    let keys = super::keys::open(execution, spec.keys).await?;
    let subtitles = execution.subtitle_folders(&spec.subtitles).await?;
    let folder = execution.folder("manifests").await?;
    let derived = spec.clone();
    let made = blocking(move || {
        let files =
            manifest::derive(&derived, &media.folder, &subtitles.files, keys.as_ref()).map_err(|error| {
                let Failure { code, message, .. } = error.into();
                Failure::new(code, format!("profile {}: {message}", derived.profile.id))
            })?;
        for file in files {
            let path = folder.join(&file.path);
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent).map_err(|error| disk_failure(&error))?;
            }
            fs_err::write(path, file.content).map_err(|error| disk_failure(&error))?;
        }
        Ok(())
    })
    .await;
    if made.as_ref().is_err_and(|failure| failure.code == Code::ManifestFailed) {
        // Kept, a media set that was packaged wrong would fail for ever; forgotten, the next submission has it made again.
        execution.forget(spec.media).await;
    }
    made
}

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
    let spec = spec.clone();
    blocking(move || {
        let files = manifest::derive(&spec, &media.folder, &subtitles, keys.as_ref()).map_err(|error| {
            Failure::new(Code::ManifestFailed, format!("profile {}: {error}", spec.profile.id))
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
    .await
}

//! A title's content keys for one scheme.

use reelfarm_drm::{KeyBundle, TitleKeys};
use reelfarm_model::task::KeysSpec;
use reelfarm_model::{ArtifactKey, Failure};

use super::Execution;

/// The file of wrapped keys.
const KEYS_FILE: &str = "keys.json";

pub(super) async fn run(execution: &Execution, spec: &KeysSpec) -> Result<(), Failure> {
    let bundle = execution.worker.keys.provide(spec).await?;
    execution.write_json("keys", KEYS_FILE, &bundle).await?;
    Ok(())
}

/// The keys that another task uses; `None` where it uses none.
pub(super) async fn open(
    execution: &Execution,
    artifact: Option<ArtifactKey>,
) -> Result<Option<TitleKeys>, Failure> {
    let Some(artifact) = artifact else { return Ok(None) };
    let bundle: KeyBundle = execution.intact_artifact(artifact).await?.read_json(KEYS_FILE).await?;
    execution.worker.keys.open(&bundle, &execution.message.title).map(Some)
}

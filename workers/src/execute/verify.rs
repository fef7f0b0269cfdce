//! One profile read back, independently of what made it.

use reelfarm_model::task::VerifySpec;
use reelfarm_model::{Code, Failure};
use reelfarm_packaging::verify::verify;

use super::package::renditions;
use super::{Execution, blocking};

/// Findings named in the error; the rest are counted.
const FINDINGS_SHOWN: usize = 3;

pub(super) async fn run(execution: &Execution, spec: &VerifySpec) -> Result<(), Failure> {
    execution.worker.metrics.profile_to_verify(&spec.profile.id);
    let media = execution.artifact(spec.media).await?;
    let manifests = match spec.manifests {
        Some(key) => Some(execution.artifact(key).await?),
        None => None,
    };
    let renditions = renditions(execution, &spec.package).await?;
    let encryption = spec.package.encryption.as_ref();
    let keys = super::keys::open(execution, encryption.map(|encryption| encryption.keys)).await?;
    let subtitles = execution.subtitle_folders(&spec.subtitles).await?;
    let checked = spec.clone();
    let result = blocking(move || {
        Ok({
            let manifests = manifests.as_ref().map(|manifests| manifests.folder.as_path());
            verify(&checked, &media.folder, manifests, &renditions.files, &subtitles.files, keys.as_ref())
        })
    })
    .await?;
    execution.worker.metrics.profile_verified(&spec.profile.id, result.is_ok());
    if result.is_err() {
        // Kept, they would be found wanting again for ever; forgotten, the next submission has them made again.
        execution.forget(spec.media).await;
        let others = spec.manifests.into_iter().chain(spec.subtitles.iter().map(|track| track.artifact));
        for other in others {
            execution.forget(other).await;
        }
    }
    let report = result.map_err(|findings| {
        let shown: Vec<_> = findings.iter().take(FINDINGS_SHOWN).map(ToString::to_string).collect();
        let more = findings.len().saturating_sub(FINDINGS_SHOWN);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        Failure::new(
            Code::VerifyFailed,
            format!(
                "profile {} did not read back: {}{more}; submit the title again to have it packaged again",
                spec.profile.id,
                shown.join("; ")
            ),
        )
    })?;
    execution.write_json("verification", "verification.json", &report).await?;
    Ok(())
}

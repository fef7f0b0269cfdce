//! Manifests, then the index: the moment at which a title is online.

use std::collections::BTreeMap;

use reelfarm_artifacts::{Origin, Published, Receipt};
use reelfarm_model::index::{Index, IndexFile, IndexProfile, IndexSubtitles};
use reelfarm_model::task::{PublishProfile, PublishSpec};
use reelfarm_model::{Failure, TitleId};
use reelfarm_packaging::layout::manifest_path;
use reelfarm_packaging::manifest::{carries_subtitles, entry_point};

use super::{Execution, RECEIPT_FILE, RESULT_FILE, disk_failure};

pub(super) async fn run(execution: &Execution, spec: &PublishSpec) -> Result<serde_json::Value, Failure> {
    let mut files: BTreeMap<String, IndexFile> = BTreeMap::new();
    let mut manifests = Vec::new();
    let receipts = spec.profiles.iter().map(|profile| profile.receipt);
    for receipt in receipts.chain(spec.subtitles.iter().map(|subtitles| subtitles.receipt)) {
        let receipt = execution.intact_artifact(receipt).await?;
        let receipt: Receipt = receipt.read_json(RECEIPT_FILE).await?;
        files.extend(receipt.files.into_iter().map(|file| (file.path.clone(), file)));
    }
    for profile in &spec.profiles {
        let Some(key) = profile.manifests else { continue };
        let artifact = execution.intact_artifact(key).await?;
        for file in &artifact.files {
            let path = format!("{}/{}", profile.profile.id, file.path);
            let content = fs_err::tokio::read(artifact.folder.join(&file.path))
                .await
                .map_err(|error| disk_failure(&error))?;
            let listed = IndexFile { path: path.clone(), size: file.size, md5: file.md5.clone() };
            files.insert(path.clone(), listed);
            manifests.push((path, content));
        }
    }
    let index = index(&spec.title, spec, files.into_values().collect());
    let origin = Origin::open(&spec.origin)?;
    let Published { index: digest, written } = origin.publish(&spec.title, manifests, &index).await?;
    execution.worker.metrics.origin_written(written);
    execution.write_json("index", RESULT_FILE, &digest).await
}

fn index(title: &TitleId, spec: &PublishSpec, files: Vec<IndexFile>) -> Index {
    let profiles = spec
        .profiles
        .iter()
        .map(|published| IndexProfile {
            id: published.profile.id.clone(),
            manifest: manifest_path(&published.profile, &published.media_path),
            container: published.profile.container,
            drm: published.profile.drm.clone(),
            scheme: published.profile.scheme,
            segment_seconds: published.profile.segment_seconds,
            media_set: published.profile.media_set.clone(),
            media_path: published.media_path.clone(),
            subtitles: subtitles(published, spec),
            notes: notes(published, spec),
            verification: published.verification.0,
        })
        .collect();
    Index { schema: 1, title: title.clone(), source: spec.source, profiles, files }
}

/// The subtitles that a profile's manifests offer.
fn subtitles(published: &PublishProfile, spec: &PublishSpec) -> Vec<IndexSubtitles> {
    let Some(entry_point) = entry_point(published.profile.container) else { return Vec::new() };
    let tracks = spec.subtitles.iter().map(|subtitles| &subtitles.track);
    tracks
        .map(|track| IndexSubtitles {
            language: track.language.clone(),
            purpose: track.purpose,
            path: format!("{}/{entry_point}", track.path),
        })
        .collect()
}

/// What a profile leaves out of what was delivered.
fn notes(published: &PublishProfile, spec: &PublishSpec) -> Vec<String> {
    if spec.subtitles.is_empty() || carries_subtitles(published.profile.container) {
        return Vec::new();
    }
    let ids: Vec<_> = spec.subtitles.iter().map(|subtitles| subtitles.track.id.as_str()).collect();
    vec![format!("without {}: profiles of this container carry no subtitles", ids.join(", "))]
}

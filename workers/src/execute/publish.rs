//! Manifests, then the index: the moment at which a title is online.

use std::collections::BTreeMap;

use reelfarm_artifacts::{Published, Receipt};
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
    let receipts = receipts.chain(spec.subtitles.iter().map(|subtitles| subtitles.receipt));
    for receipt in receipts.chain(spec.kept.iter().copied()) {
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
    let origin = execution.worker.artifacts.origin(&spec.origin).await?;
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
    Index {
        schema: 1,
        title: title.clone(),
        source: spec.source,
        profiles,
        more_follow: spec.more_follow,
        cue_points: spec.cue_points.clone(),
        files,
    }
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
    if carries_subtitles(published.profile.container) {
        return Vec::new();
    }
    let made = spec.subtitles.iter().map(|subtitles| subtitles.track.id.as_str());
    let ids: Vec<_> = made.chain(spec.subtitles_left_out.iter().map(String::as_str)).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    vec![format!("without {}: profiles of this container carry no subtitles", ids.join(", "))]
}

#[cfg(test)]
mod tests {
    use reelfarm_model::profile::{Container, MediaSetId};
    use reelfarm_model::{ArtifactKey, Digest, Profile};

    use super::*;

    fn published(container: Container) -> PublishProfile {
        let profile = Profile {
            id: "any".to_owned(),
            container,
            drm: Vec::new(),
            scheme: None,
            segment_seconds: None,
            media_set: MediaSetId("any".to_owned()),
            purpose: String::new(),
        };
        let key = ArtifactKey(Digest::of(b"any"));
        PublishProfile {
            profile,
            manifests: None,
            verification: key,
            media_path: "media/any/0f".to_owned(),
            receipt: key,
        }
    }

    #[test]
    fn subtitles_that_a_title_does_without_are_noted() {
        let mut spec = PublishSpec {
            origin: "/origin".to_owned(),
            title: "film".parse().unwrap(),
            source: Digest::of(b"source"),
            profiles: vec![published(Container::Smooth)],
            more_follow: false,
            kept: Vec::new(),
            subtitles: Vec::new(),
            subtitles_left_out: Vec::new(),
            cue_points: Vec::new(),
        };
        assert_eq!(notes(&spec.profiles[0], &spec), Vec::<String>::new());
        spec.subtitles_left_out = vec!["subtitles-de".to_owned(), "subtitles-en".to_owned()];
        assert_eq!(
            notes(&spec.profiles[0], &spec),
            ["without subtitles-de, subtitles-en: profiles of this container carry no subtitles"]
        );
        assert_eq!(notes(&published(Container::Dash), &spec), Vec::<String>::new());
        // By this it is told later whether a publication that was cut off had taken place.
        assert_eq!(index(&spec.title, &spec, Vec::new()).version(), spec.version());
    }
}

//! The tasks that put a title online: what goes first, where something does, and then the whole.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::profile::MediaFormat;
use reelfarm_model::subtitles::SubtitleTrack;
use reelfarm_model::task::{
    AudioRendition, ManifestSpec, PublishProfile, PublishSpec, PublishSubtitles, UploadSpec, VerifySpec,
    VideoRendition,
};
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{ArtifactKey, Digest, Profile, TaskKey, TaskSpec};
use reelfarm_packaging::manifest::carries_subtitles;
use reelfarm_packaging::protection::key_uses;

use super::builder::{Builder, MediaSet, only_output};
use super::graph::PlanError;

/// One publication: the profiles of it, and what they are made of.
struct Stage<'a> {
    profiles: &'a [Profile],
    video: &'a [VideoRendition],
    audio: &'a [AudioRendition],
    subtitles: &'a [SubtitleTrack],
    more_follow: bool,
}

/// A profile that is read back.
struct Verified<'a> {
    profile: &'a Profile,
    manifests: Option<ArtifactKey>,
    report: ArtifactKey,
}

impl Builder<'_> {
    /// All that makes the title's publications; the whole is last.
    pub(super) fn publications(
        &mut self,
        video: &[VideoRendition],
        audio: &[AudioRendition],
        subtitles: &[SubtitleTrack],
    ) -> Result<(), PlanError> {
        let profiles = self.input.profiles;
        let whole = Stage { profiles, video, audio, subtitles, more_follow: false };
        let (mut kept, mut after) = (Vec::new(), BTreeSet::new());
        let first_video = self.first_video(video);
        let first_profiles = self.first_profiles();
        if !first_profiles.is_empty()
            && (first_profiles.len(), first_video.len()) != (profiles.len(), video.len())
        {
            let first = Stage { profiles: &first_profiles, video: &first_video, more_follow: true, ..whole };
            let spec = self.publication(&first)?;
            kept.extend(spec.profiles.iter().map(|profile| profile.receipt));
            after.insert(self.add(TaskSpec::Publish(spec), BTreeSet::new()).key);
        }
        let mut spec = self.publication(&whole)?;
        let is_played =
            |receipt: &ArtifactKey| spec.profiles.iter().any(|profile| profile.receipt == *receipt);
        kept.retain(|receipt| !is_played(receipt));
        kept.sort();
        kept.dedup();
        spec.kept = kept;
        self.add(TaskSpec::Publish(spec), after);
        Ok(())
    }

    fn first_profiles(&self) -> Vec<Profile> {
        let Some(first) = self.input.first else { return Vec::new() };
        let profiles = self.input.profiles.iter();
        profiles.filter(|profile| first.profiles.contains(&profile.id)).cloned().collect()
    }

    fn first_video(&self, video: &[VideoRendition]) -> Vec<VideoRendition> {
        let pictures: Vec<_> = video.iter().map(|rendition| (rendition.height, rendition.codec)).collect();
        let first = self.goes_first(&pictures);
        video.iter().zip(first).filter(|(_, first)| *first).map(|(rendition, _)| rendition.clone()).collect()
    }

    /// What makes one publication, without its last step.
    fn publication(&mut self, stage: &Stage<'_>) -> Result<PublishSpec, PlanError> {
        let sets = self.package(stage.profiles, stage.video, stage.audio)?;
        let (verified, verifications) = self.read_back(stage, &sets)?;
        let mut receipts = BTreeMap::new();
        for (name, set) in &sets {
            receipts.insert(name, self.upload(&set.path, set.media, &verifications)?);
        }
        let carries = stage.profiles.iter().any(|profile| carries_subtitles(profile.container));
        let mut subtitles = Vec::new();
        for track in stage.subtitles.iter().filter(|_| carries) {
            let receipt = self.upload(&track.path, track.artifact, &verifications)?;
            subtitles.push(PublishSubtitles { track: track.clone(), receipt });
        }
        let profiles: Result<_, PlanError> = verified
            .into_iter()
            .filter_map(|verified| Some((sets.get(&verified.profile.media_set.0)?, verified)))
            .map(|(set, verified)| {
                let receipt = receipts.get(&verified.profile.media_set.0).copied().ok_or_else(|| {
                    let task = format!("upload {}", set.path);
                    PlanError::MissingOutput { task, output: "receipt".to_owned() }
                })?;
                Ok(PublishProfile {
                    profile: verified.profile.clone(),
                    manifests: verified.manifests,
                    verification: verified.report,
                    media_path: set.path.clone(),
                    receipt,
                })
            })
            .collect();
        let id = |(file, _): &(SubtitleFile, Digest)| SubtitleTrack::id_of(&file.language, file.purpose);
        let left_out = if carries { &[] } else { self.input.subtitles };
        Ok(PublishSpec {
            origin: self.input.origin.to_owned(),
            title: self.input.title.clone(),
            source: self.input.source,
            profiles: profiles?,
            more_follow: stage.more_follow,
            kept: Vec::new(),
            subtitles,
            subtitles_left_out: left_out.iter().map(id).collect(),
            cue_points: self.input.cue_points.to_vec(),
        })
    }

    /// The manifests of each profile, and that it is read back; beside it the tasks that do that.
    fn read_back<'p>(
        &mut self,
        stage: &Stage<'p>,
        sets: &BTreeMap<String, MediaSet>,
    ) -> Result<(Vec<Verified<'p>>, BTreeSet<TaskKey>), PlanError> {
        let (mut verified, mut verifications) = (Vec::new(), BTreeSet::new());
        for profile in stage.profiles {
            let Some(set) = sets.get(&profile.media_set.0) else { continue };
            let subtitles =
                if carries_subtitles(profile.container) { stage.subtitles.to_vec() } else { Vec::new() };
            let manifests = if matches!(set.package.format, MediaFormat::Progressive | MediaFormat::Smooth) {
                None
            } else {
                let keys = set.package.encryption.as_ref().map(|encryption| encryption.keys);
                let spec = ManifestSpec {
                    profile: profile.clone(),
                    media: set.media,
                    media_path: set.path.clone(),
                    keys,
                    key_uses: match keys {
                        None => BTreeMap::new(),
                        Some(_) => key_uses(&set.package.video, &set.package.audio),
                    },
                    subtitles: subtitles.clone(),
                };
                Some(only_output(&self.add(TaskSpec::Manifest(spec), BTreeSet::new()))?)
            };
            let spec = VerifySpec {
                profile: profile.clone(),
                manifests,
                media_path: set.path.clone(),
                media: set.media,
                package: set.package.clone(),
                subtitles,
            };
            let task = self.add(TaskSpec::Verify(spec), BTreeSet::new());
            verifications.insert(task.key);
            verified.push(Verified { profile, manifests, report: only_output(&task)? });
        }
        Ok((verified, verifications))
    }

    fn upload(
        &mut self,
        media_path: &str,
        media: ArtifactKey,
        after: &BTreeSet<TaskKey>,
    ) -> Result<ArtifactKey, PlanError> {
        let spec = UploadSpec {
            origin: self.input.origin.to_owned(),
            title: self.input.title.clone(),
            media_path: media_path.to_owned(),
            media,
        };
        only_output(&self.add(TaskSpec::Upload(spec), after.clone()))
    }
}

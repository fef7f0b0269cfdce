//! What a worker does for each kind of task: one module a kind.
//!
//! Each writes the files of its outputs into a folder per output inside the attempt's staging folder; taking them
//! over as artifacts, reporting and retrying are not theirs.

mod assemble_video;
mod encode_audio;
mod encode_video;
mod fingerprint;
mod keys;
mod manifest;
mod package;
mod publish;
mod qc;
mod source;
mod subtitles;
mod trial;
mod upload;
mod verify;
mod withdraw;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use reelfarm_artifacts::Artifact;
use reelfarm_model::message::TaskMessage;
use reelfarm_model::subtitles::SubtitleTrack;
use reelfarm_model::{ArtifactKey, Code, Failure, Progress, TaskSpec};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::runtime::Worker;
use crate::work::Report;

/// The file of an output that the scheduler itself reads.
pub(crate) const RESULT_FILE: &str = "result.json";
/// The file of a video rendition.
pub(crate) const VIDEO_FILE: &str = "video.mp4";
/// The file of an audio rendition.
pub(crate) const AUDIO_FILE: &str = "audio.mp4";
/// The file of an upload's receipt.
pub(crate) const RECEIPT_FILE: &str = "receipt.json";

/// One attempt's surroundings.
pub(crate) struct Execution {
    pub(crate) worker: Arc<Worker>,
    pub(crate) message: Arc<TaskMessage>,
    pub(crate) staging: PathBuf,
    pub(crate) report: Report,
    /// Cancelled when the attempt is to end; work at the origin then leaves it as it found it.
    pub(crate) stop: CancellationToken,
    /// What is to be made: the task's specification without the outputs that are there already.
    pub(crate) spec: TaskSpec,
}

/// Does a task's work. The result is there for the kinds whose result the scheduler reads.
pub(crate) async fn execute(execution: &Execution) -> Result<Option<serde_json::Value>, Failure> {
    match &execution.spec {
        TaskSpec::Fingerprint(spec) => fingerprint::run(execution, spec).await.map(Some),
        TaskSpec::Qc(_) => qc::run(execution).await.map(Some),
        TaskSpec::Trial(spec) => trial::run(execution, spec).await.map(Some),
        TaskSpec::EncodeVideo(spec) => encode_video::run(execution, spec).await.map(|()| None),
        TaskSpec::AssembleVideo(spec) => assemble_video::run(execution, spec).await.map(|()| None),
        TaskSpec::EncodeAudio(spec) => encode_audio::run(execution, spec).await.map(|()| None),
        TaskSpec::Subtitles(spec) => subtitles::run(execution, spec).await.map(|()| None),
        TaskSpec::Keys(spec) => keys::run(execution, spec).await.map(|()| None),
        TaskSpec::Package(spec) => package::run(execution, spec).await.map(|()| None),
        TaskSpec::Manifest(spec) => manifest::run(execution, spec).await.map(|()| None),
        TaskSpec::Verify(spec) => verify::run(execution, spec).await.map(|()| None),
        TaskSpec::Upload(spec) => upload::run(execution, spec).await.map(|()| None),
        TaskSpec::Publish(spec) => publish::run(execution, spec).await.map(Some),
        TaskSpec::Withdraw(spec) => withdraw::run(execution, spec).await.map(Some),
    }
}

/// Files or folders of artifacts, which stay for as long as this value is there.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) files: BTreeMap<ArtifactKey, PathBuf>,
    pub(crate) _held: Vec<Artifact>,
}

impl Execution {
    /// The folder for the files of an output, made where it is not there yet.
    pub(crate) async fn folder(&self, output: &str) -> Result<PathBuf, Failure> {
        let folder = self.staging.join(output);
        fs_err::tokio::create_dir_all(&folder).await.map_err(|error| disk_failure(&error))?;
        Ok(folder)
    }

    /// Writes a small JSON file of an output.
    pub(crate) async fn write_json<T: Serialize>(
        &self,
        output: &str,
        file: &str,
        content: &T,
    ) -> Result<serde_json::Value, Failure> {
        let value = serde_json::to_value(content)
            .map_err(|error| Failure::new(Code::Internal, format!("{file} cannot be written: {error}")))?;
        let path = self.folder(output).await?.join(file);
        fs_err::tokio::write(&path, format!("{value:#}\n")).await.map_err(|error| disk_failure(&error))?;
        Ok(value)
    }

    /// An artifact that the task builds on.
    pub(crate) async fn artifact(&self, key: ArtifactKey) -> Result<Artifact, Failure> {
        self.worker.artifacts.get(key).await?.ok_or_else(|| self.missing(key))
    }

    /// The same, with every byte of it read and found to be what was taken over: for work whose outcome no later step
    /// compares with anything else.
    pub(crate) async fn intact_artifact(&self, key: ArtifactKey) -> Result<Artifact, Failure> {
        self.worker.artifacts.get_intact(key).await?.ok_or_else(|| self.missing(key))
    }

    /// The folders of a profile's subtitles, by their artifacts.
    pub(crate) async fn subtitle_folders(&self, tracks: &[SubtitleTrack]) -> Result<Held, Failure> {
        let mut folders = Held::default();
        for track in tracks {
            let artifact = self.intact_artifact(track.artifact).await?;
            folders.files.insert(track.artifact, artifact.folder.clone());
            folders._held.push(artifact);
        }
        Ok(folders)
    }

    fn missing(&self, key: ArtifactKey) -> Failure {
        Failure::new(
            Code::ArtifactMissing,
            format!(
                "{} builds on artifact {}, which is missing or damaged; submit the title again to have it made again",
                self.message.task.spec.label(),
                key.short()
            ),
        )
    }

    /// Takes away an artifact that is not what it should be, so that it can be made again.
    pub(crate) async fn forget(&self, key: ArtifactKey) {
        if let Err(error) = self.worker.artifacts.remove(key).await {
            tracing::error!(artifact = %key.short(), %error, "an artifact that is wrong could not be removed");
        }
    }

    /// Takes in the share of the work that is done, for work that counts no frames.
    pub(crate) fn share_done(&self) -> impl Fn(f64) + Send + Sync + 'static {
        let report = self.report.clone();
        move |fraction| report(Progress { fraction, ..Progress::default() })
    }
}

/// A failure to write to the state folder: a full disk is named as such.
pub(crate) fn disk_failure(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => Failure::new(
            Code::DiskFull,
            format!("the disk of the state folder is full: {error}; free some space or give another --state"),
        ),
        _ => Failure::new(Code::StateUnreachable, format!("the state folder cannot be written: {error}")),
    }
}

/// Work that would block the async runtime, run beside it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Failure::new(Code::Internal, format!("a worker thread died: {error}"))),
    }
}

//! The source as a task finds it: the bytes that it was planned for, before and after its work.

use reelfarm_artifacts::LocalSource;
use reelfarm_model::{Code, Digest, Failure, SourceReference, TaskSpec};

use super::Execution;
use crate::source::{local, unchanged};

impl Execution {
    /// The source as a file, which must lie there as it was submitted. The file stays for as long as the value is there.
    pub(super) async fn source(&self) -> Result<LocalSource, Failure> {
        local(&self.worker.artifacts, self.expected_source()?, self.source_digest()).await
    }

    /// What was made of the source, if the source still lies there as it was submitted: one that is replaced, or
    /// still being delivered, while it is read gives outputs that belong to no version of it. That also explains
    /// most failures, so it goes before `made`'s own.
    pub(super) async fn of_unchanged_source<T>(&self, made: Result<T, Failure>) -> Result<T, Failure> {
        unchanged(&self.worker.artifacts, self.expected_source()?).await?;
        made
    }

    fn expected_source(&self) -> Result<&SourceReference, Failure> {
        self.message.source.as_ref().ok_or_else(|| {
            let label = self.message.task.spec.label();
            Failure::new(Code::Internal, format!("{label} came without its source"))
        })
    }

    /// The digest of the source, which every task but the first is planned for.
    const fn source_digest(&self) -> Option<Digest> {
        match &self.spec {
            TaskSpec::Qc(spec) => Some(spec.source),
            TaskSpec::Trial(spec) => Some(spec.source),
            TaskSpec::EncodeVideo(spec) => Some(spec.source),
            TaskSpec::EncodeAudio(spec) => Some(spec.source),
            TaskSpec::Subtitles(spec) => Some(spec.source),
            TaskSpec::Fingerprint(_)
            | TaskSpec::AssembleVideo(_)
            | TaskSpec::Keys(_)
            | TaskSpec::Package(_)
            | TaskSpec::Manifest(_)
            | TaskSpec::Verify(_)
            | TaskSpec::Upload(_)
            | TaskSpec::Publish(_)
            | TaskSpec::Withdraw(_) => None,
        }
    }
}

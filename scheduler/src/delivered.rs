//! What was delivered for a title - the film and its files of subtitles - and which of it a task reads.

use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::{Submission, SubtitleFile};
use reelfarm_model::{Digest, Failure, SourceReference, TaskSpec, Title};

use crate::plan::fingerprint_task;
use crate::service::{Scheduler, SchedulerError};

impl Scheduler {
    /// The title's files of subtitles with their digests; `None` while these are not known.
    pub(crate) async fn subtitles(
        &mut self,
        title: &Title,
    ) -> Result<Result<Option<Vec<(SubtitleFile, Digest)>>, Failure>, SchedulerError> {
        let mut known = Some(Vec::new());
        for subtitles in &title.submission.subtitles {
            let task = fingerprint_task(&subtitles.file, &self.options.tools);
            match self.result_of::<Fingerprint>(title, task).await? {
                Ok(Some(fingerprint)) => {
                    if let Some(known) = &mut known {
                        known.push((subtitles.clone(), fingerprint.sha256));
                    }
                }
                // The others are asked for all the same, so that all are read at once.
                Ok(None) => known = None,
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(known))
    }

    /// The same, without those whose digest is not known.
    pub(crate) async fn known_subtitles(
        &self,
        title: &Title,
    ) -> Result<Vec<(SubtitleFile, Digest)>, SchedulerError> {
        let mut known = Vec::new();
        for subtitles in &title.submission.subtitles {
            let task = fingerprint_task(&subtitles.file, &self.options.tools);
            let result = self.store.task(&task.key).await?.and_then(|record| record.result);
            if let Some(Ok(fingerprint)) = result.map(serde_json::from_value::<Fingerprint>) {
                known.push((subtitles.clone(), fingerprint.sha256));
            }
        }
        Ok(known)
    }
}

/// The delivered file that a task of this title reads. Equal files of subtitles are one source.
pub(crate) fn read_by<'a>(
    spec: &TaskSpec,
    submission: &'a Submission,
    subtitles: &'a [(SubtitleFile, Digest)],
) -> Option<&'a SourceReference> {
    let delivered = || {
        std::iter::once(&submission.source)
            .chain(submission.subtitles.iter().map(|subtitles| &subtitles.file))
    };
    match spec {
        TaskSpec::Fingerprint(spec) => delivered().find(|file| **file == spec.source),
        TaskSpec::Subtitles(spec) => {
            subtitles.iter().find(|(_, digest)| *digest == spec.source).map(|(subtitles, _)| &subtitles.file)
        }
        other => other.reads_source().then_some(&submission.source),
    }
}

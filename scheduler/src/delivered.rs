//! What was delivered for a title - the film and its files of subtitles - and which of it a task reads.

use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::{Submission, SubtitleFile};
use reelfarm_model::{Digest, Failure, SourceReference, TaskKind, TaskSpec, TaskState, Title};

use crate::plan::{Graph, fingerprint_task};
use crate::reconcile::failure_of;
use crate::service::{Scheduler, SchedulerError};

impl Scheduler {
    /// The title's files of subtitles with their digests; `None` while these are not known.
    pub(crate) async fn subtitles(
        &mut self,
        title: &Title,
    ) -> Result<Result<Option<Vec<(SubtitleFile, Digest)>>, Failure>, SchedulerError> {
        let mut known = Some(Vec::new());
        for subtitles in &title.submission.subtitles {
            let task = fingerprint_task(&subtitles.file, false, &self.options.tools);
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

    /// Whether every track of subtitles of a title's graph is made. They are made while the title is checked: a file that
    /// does not fit the film is a fault of the delivery, and ends the title before anything is encoded.
    pub(crate) async fn subtitles_are_made(
        &mut self,
        title: &Title,
        graph: &Graph,
        subtitles: &[(SubtitleFile, Digest)],
    ) -> Result<Result<bool, Failure>, SchedulerError> {
        let mut are_made = true;
        let tasks = graph.nodes.iter().map(|node| &node.task);
        for task in tasks.filter(|task| task.spec.kind() == TaskKind::Subtitles) {
            let record = self.record_of(title, task.clone(), subtitles).await?;
            if let Some(failed) = record.as_ref().filter(|record| record.state == TaskState::Failed)
                && !self.try_from_own_source(title, failed).await?
            {
                return Ok(Err(failure_of(failed)));
            }
            are_made &= record.is_some_and(|record| record.state == TaskState::Done);
        }
        Ok(Ok(are_made))
    }

    /// The title's files of subtitles whose digests are known.
    pub(crate) async fn known_subtitles(
        &self,
        title: &Title,
    ) -> Result<Vec<(SubtitleFile, Digest)>, SchedulerError> {
        let mut known = Vec::new();
        for subtitles in &title.submission.subtitles {
            let task = fingerprint_task(&subtitles.file, false, &self.options.tools);
            let result = self.store.task(&task.key).await?.and_then(|record| record.result);
            if let Some(Ok(fingerprint)) = result.map(serde_json::from_value::<Fingerprint>) {
                known.push((subtitles.clone(), fingerprint.sha256));
            }
        }
        Ok(known)
    }
}

/// The film and its files of subtitles.
pub(crate) fn delivered(submission: &Submission) -> impl Iterator<Item = &SourceReference> {
    std::iter::once(&submission.source).chain(submission.subtitles.iter().map(|subtitles| &subtitles.file))
}

/// The delivered file that a task of this title reads. Equal files of subtitles are one source.
pub(crate) fn read_by<'a>(
    spec: &TaskSpec,
    submission: &'a Submission,
    subtitles: &'a [(SubtitleFile, Digest)],
) -> Option<&'a SourceReference> {
    match spec {
        TaskSpec::Fingerprint(spec) => delivered(submission).find(|file| **file == spec.source),
        TaskSpec::Subtitles(spec) => {
            subtitles.iter().find(|(_, digest)| *digest == spec.source).map(|(subtitles, _)| &subtitles.file)
        }
        other => other.reads_source().then_some(&submission.source),
    }
}

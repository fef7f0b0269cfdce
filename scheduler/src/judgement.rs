//! QC's report on a title's film: the farm's own, by its policy, or one that came with the submission.
//!
//! Promises: a film that is not what was sent is not measured; a report that came with the submission is about these very
//! bytes, and no film that has one is measured.

use reelfarm_model::key::digest_of;
use reelfarm_model::qc::Verdict;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::title::Submission;
use reelfarm_model::{
    ChecksumAlgorithm, Code, Digest, Failure, Ladder, Measurements, QcReport, StatedChecksum, Task, Title,
};
use reelfarm_qc::delivery::{Delivery, NotComputed};
use reelfarm_qc::external;

use crate::plan::{fingerprint_task, measure_task};
use crate::policy::FarmPolicy;
use crate::service::{Scheduler, SchedulerError};

impl Scheduler {
    /// The task that reads a title's film for the first time, by all algorithms that a delivery states a checksum of.
    pub(crate) fn film_fingerprint_task(&self, submission: &Submission) -> Task {
        let is_sha1 = |stated: &StatedChecksum| stated.checksum.algorithm() == ChecksumAlgorithm::Sha1;
        let sha1 = submission.checksums.iter().any(is_sha1);
        fingerprint_task(&submission.source, sha1, &self.options.tools)
    }

    /// The report on a title's film; `None` while it is being measured.
    pub(crate) async fn report(
        &mut self,
        title: &Title,
        found: &Fingerprint,
        ladder: &Ladder,
    ) -> Result<Result<Option<QcReport>, Failure>, SchedulerError> {
        let submission = &title.submission;
        let delivery = Delivery { found, stated: &submission.checksums };
        let policy = self.policy_of(title).policy().clone();
        let complete = |report| delivery.complete(&policy, report).map(Some).map_err(not_computed);
        if let Some(report) = &submission.qc_report {
            return Ok(taken(report, found.sha256, ladder).and_then(complete));
        }
        match delivery.refused(&policy, ladder) {
            Ok(None) => {}
            Ok(refused) => return Ok(Ok(refused)),
            Err(error) => return Ok(Err(not_computed(error))),
        }
        let measure = measure_task(found.sha256, &self.options.tools);
        let measurements: Measurements = match self.result_of(title, measure).await? {
            Ok(Some(measurements)) => measurements,
            Ok(None) => return Ok(Ok(None)),
            Err(failure) => return Ok(Err(failure)),
        };
        let report =
            reelfarm_qc::evaluate(&policy, &measurements, ladder, submission.audio_language.as_deref());
        Ok(complete(report))
    }

    /// What people's decisions about a title hold under.
    pub(crate) fn judged_by(&self, title: &Title) -> Digest {
        judged_by(&title.submission, self.policy_of(title))
    }
}

/// The external report of a submission, if it can take the place of the farm's own for the film with this digest.
pub(crate) fn taken(report: &QcReport, film: Digest, ladder: &Ladder) -> Result<QcReport, Failure> {
    let report = external::accept(report.clone(), ladder).map_err(|error| external_report_invalid(&error))?;
    match report.source_sha256 {
        Some(about) if about == film => Ok(report),
        about => Err(Failure::new(
            Code::ExternalReportForeign,
            format!(
                "the external QC report is about a file with the SHA-256 {}, and the film has {film}: submit the report of \
                 this film, or the film without a report",
                about.map_or_else(|| "(none)".to_owned(), |about| about.to_string())
            ),
        )),
    }
}

/// An external report is refused.
pub fn external_report_invalid(error: &external::ExternalReportError) -> Failure {
    let message = format!(
        "the external QC report is refused: {error}; have it made again, or submit the film without it"
    );
    Failure::new(Code::ExternalReportInvalid, message)
}

pub(crate) fn not_computed(error: NotComputed) -> Failure {
    Failure::new(Code::Internal, error.to_string())
}

/// What people's decisions about a title hold under: the policy, or the report that came with the submission. Of that the
/// farm's policy changes one thing: whether there must be a checksum, where neither report nor submission says anything of one.
pub fn judged_by(submission: &Submission, policy: &FarmPolicy) -> Digest {
    let Some(report) = &submission.qc_report else { return policy.digest() };
    let says_of_a_checksum = report.checks.iter().any(|check| check.code == Code::QcChecksum);
    if says_of_a_checksum || !submission.checksums.is_empty() {
        return digest_of("external QC report", report);
    }
    let checksum = &policy.policy().checksum;
    let asked = (checksum.required, Verdict::from(checksum.missing_verdict));
    digest_of("external QC report", &(report, asked))
}

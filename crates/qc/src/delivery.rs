//! What is judged of a delivery beside its measurements: whether it is what was sent.

use reelfarm_model::qc::{Check, QcReport, Verdict};
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{Code, Ladder, StatedChecksum};

use crate::checks::checksum;
pub use crate::checks::checksum::NotComputed;
use crate::evaluate::SCHEMA;
use crate::policy::Policy;

/// A file as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Its digests.
    pub found: &'a Fingerprint,
    /// The checksums that were delivered with it.
    pub stated: &'a [StatedChecksum],
}

impl Delivery<'_> {
    fn checksum(&self, policy: &Policy) -> Result<Check, NotComputed> {
        checksum::checksum(&policy.checksum, self.stated, self.found)
    }

    /// The report on a file that is rejected for its checksum, whatever is in it: nothing else of it is judged. `None`
    /// where it is not.
    ///
    /// # Errors
    /// A checksum is stated by an algorithm that the file was not read with.
    pub fn refused(&self, policy: &Policy, ladder: &Ladder) -> Result<Option<QcReport>, NotComputed> {
        let check = self.checksum(policy)?;
        Ok((check.verdict == Verdict::Reject).then(|| QcReport {
            schema: SCHEMA,
            source_sha256: Some(self.found.sha256),
            external: false,
            policy: policy.name.clone(),
            ladder: ladder.name.clone(),
            verdict: Verdict::Reject,
            checks: vec![check],
            conclusion: None,
        }))
    }

    /// The report on this file with its checksum before all other checks. An external report that speaks of a checksum
    /// keeps that, unless one was delivered here as well.
    ///
    /// # Errors
    /// As of [`refused`](Self::refused).
    pub fn complete(&self, policy: &Policy, report: QcReport) -> Result<QcReport, NotComputed> {
        let check = self.checksum(policy)?;
        let (theirs, mut checks): (Vec<_>, Vec<_>) =
            report.checks.into_iter().partition(|check| check.code == Code::QcChecksum);
        let stays = |theirs: &Check| self.stated.is_empty() || theirs.verdict == Verdict::Reject;
        match theirs.into_iter().find(stays) {
            Some(theirs) => checks.insert(0, theirs),
            None => checks.insert(0, check),
        }
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Reject);
        Ok(QcReport {
            source_sha256: Some(self.found.sha256),
            verdict,
            checks,
            conclusion: report.conclusion.filter(|_| verdict != Verdict::Reject),
            ..report
        })
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::{Checksum, ChecksumAlgorithm, Digest};

    use super::*;
    use crate::policy::Severity;
    use crate::sample;

    fn found() -> Fingerprint {
        Fingerprint { sha256: Digest::of(b"film"), md5: "0".repeat(32), sha1: None, size: 4 }
    }

    fn md5(digit: &str) -> Vec<StatedChecksum> {
        let checksum = Checksum::new(ChecksumAlgorithm::Md5, &digit.repeat(32)).unwrap();
        vec![StatedChecksum { checksum, stated_in: "film.mov.md5".to_owned() }]
    }

    fn complete(stated: &[StatedChecksum], report: QcReport) -> QcReport {
        Delivery { found: &found(), stated }.complete(&sample::policy(), report).unwrap()
    }

    #[test]
    fn the_checksum_is_the_first_check_and_the_verdict_the_worst() {
        let clean = sample::report(&sample::clean());
        for (stated, verdict) in
            [(vec![], Verdict::Pass), (md5("0"), Verdict::Pass), (md5("1"), Verdict::Reject)]
        {
            let report = complete(&stated, clean.clone());
            assert_eq!((report.verdict, report.checks[0].verdict), (verdict, verdict), "{stated:?}");
            assert_eq!(report.checks[0].name, "checksum");
            assert_eq!(report.checks[1..], clean.checks);
            assert_eq!(report.conclusion.is_some(), verdict == Verdict::Pass);
            assert_eq!(report.source_sha256, Some(Digest::of(b"film")));
        }
    }

    #[test]
    fn a_film_that_is_rejected_otherwise_stays_so() {
        let mut film = sample::clean();
        film.audio.clear();
        assert_eq!(complete(&md5("0"), sample::report(&film)).verdict, Verdict::Reject);
    }

    #[test]
    fn another_ones_word_on_the_checksum_stays_where_none_came_here() {
        let mut asks = sample::policy();
        (asks.checksum.required, asks.checksum.missing_verdict) = (true, Severity::Human);
        let clean = || sample::report(&sample::clean());
        let elsewhere = |stated: &[StatedChecksum]| {
            Delivery { found: &found(), stated }.complete(&asks, clean()).unwrap()
        };
        for (theirs, stated, verdict) in [
            (elsewhere(&[]), vec![], Verdict::Human),
            (elsewhere(&[]), md5("0"), Verdict::Pass),
            (elsewhere(&md5("0")), md5("1"), Verdict::Reject),
            (elsewhere(&md5("1")), md5("0"), Verdict::Reject),
        ] {
            let report = complete(&stated, theirs);
            assert_eq!(report.verdict, verdict, "{stated:?}");
            let lines = report.checks.iter().filter(|check| check.code == Code::QcChecksum).count();
            assert_eq!(lines, 1, "{stated:?}");
        }
    }

    #[test]
    fn only_what_is_rejected_for_its_checksum_is_refused_before_it_is_measured() {
        let refused = |policy: &Policy, stated: &[StatedChecksum]| {
            Delivery { found: &found(), stated }.refused(policy, &sample::ladder()).unwrap()
        };
        let mut strict = sample::policy();
        (strict.checksum.required, strict.checksum.missing_verdict) = (true, Severity::Reject);
        assert_eq!(refused(&sample::policy(), &[]), None);
        assert_eq!(refused(&strict, &md5("0")), None);
        for (policy, stated) in [(&strict, vec![]), (&sample::policy(), md5("1"))] {
            let report = refused(policy, &stated).unwrap();
            assert_eq!((report.verdict, report.checks.len()), (Verdict::Reject, 1));
            assert_eq!((report.conclusion, report.ladder.as_str()), (None, "default"));
        }
    }
}

//! Whether a file is the one that was sent: its digests against the checksums that were delivered with it.

use reelfarm_model::qc::Check;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::{ChecksumAlgorithm, Code, StatedChecksum};

use super::Finding;
use crate::policy::Checksum;
use crate::text::plain;

const REMEDY: &str = "These are not the bytes that the checksum was made of: the file was damaged on its way, or one of \
                      the two is of another version. Have file and checksum sent again.";
const MISSING: &str = "Ask for the file's MD5, SHA-1 or SHA-256, made before it was sent.";

/// A delivery states a checksum by an algorithm that the file was not read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} of the file was not computed", .0.as_str())]
pub struct NotComputed(pub ChecksumAlgorithm);

/// Whether the file has every checksum that is stated of it. One that it has not rejects, whatever the policy.
pub(crate) fn checksum(
    policy: &Checksum,
    stated: &[StatedChecksum],
    found: &Fingerprint,
) -> Result<Check, NotComputed> {
    let finding = |value: String, limit: String| Finding::new(Code::QcChecksum, "checksum", value, limit);
    if stated.is_empty() {
        return Ok(match policy.required {
            false => finding("none stated".to_owned(), "not asked for".to_owned()).pass(),
            true => finding("none stated".to_owned(), "one is delivered".to_owned())
                .fail(policy.missing_verdict, MISSING),
        });
    }
    let (mut values, mut limits) = (Vec::new(), Vec::new());
    for StatedChecksum { checksum, stated_in } in stated {
        let algorithm = checksum.algorithm();
        let value = found.value(algorithm).ok_or(NotComputed(algorithm))?;
        if value != checksum.value() {
            values.push(format!("{} {value}", algorithm.as_str()));
            limits.push(format!("{} {} ({})", algorithm.as_str(), checksum.value(), plain(stated_in)));
        }
    }
    if !values.is_empty() {
        values.dedup();
        return Ok(finding(values.join(", "), limits.join(", ")).reject(REMEDY));
    }
    let shown = |each: &dyn Fn(&StatedChecksum) -> String| {
        let mut shown: Vec<String> = stated.iter().map(each).collect();
        shown.dedup();
        shown.join(", ")
    };
    let algorithms = shown(&|stated| stated.checksum.algorithm().as_str().to_owned());
    let places = shown(&|stated| plain(&stated.stated_in));
    Ok(finding(format!("{algorithms} as stated"), format!("that of {places}")).pass())
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;
    use reelfarm_model::{Checksum as Stated, Digest};

    use super::*;
    use crate::policy::Severity;

    fn found() -> Fingerprint {
        Fingerprint {
            sha256: Digest::of(b"film"),
            md5: "0123456789abcdef".repeat(2),
            sha1: Some("01234567".repeat(5)),
            size: 4,
        }
    }

    fn stated(algorithm: ChecksumAlgorithm, value: &str, file: &str) -> StatedChecksum {
        StatedChecksum { checksum: Stated::new(algorithm, value).unwrap(), stated_in: file.to_owned() }
    }

    /// A checksum that the file has, by this algorithm.
    fn right(algorithm: ChecksumAlgorithm) -> StatedChecksum {
        let value = found().value(algorithm).unwrap();
        stated(algorithm, &value.to_uppercase(), &format!("film.mov.{}", algorithm.as_str()))
    }

    fn wrong(algorithm: ChecksumAlgorithm) -> StatedChecksum {
        stated(algorithm, &"f".repeat(algorithm.digits()), &format!("film.mov.{}", algorithm.as_str()))
    }

    fn policy(required: bool, missing_verdict: Severity) -> Checksum {
        Checksum { required, missing_verdict }
    }

    fn judged(stated: &[StatedChecksum]) -> Check {
        checksum(&policy(false, Severity::Warn), stated, &found()).unwrap()
    }

    #[test]
    fn a_file_that_has_every_checksum_passes() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(judged(&[right(algorithm)]).verdict, Verdict::Pass, "{algorithm:?}");
        }
        let all = judged(&ChecksumAlgorithm::ALL.map(right));
        assert_eq!(all.value, "md5, sha1, sha256 as stated");
        assert_eq!(all.limit, "that of film.mov.md5, film.mov.sha1, film.mov.sha256");
    }

    #[test]
    fn one_that_differs_rejects_with_both_and_where_it_is_stated() {
        for algorithm in ChecksumAlgorithm::ALL {
            let check = judged(&[wrong(algorithm)]);
            assert_eq!((check.verdict, check.code), (Verdict::Reject, Code::QcChecksum));
            let (name, value) = (algorithm.as_str(), found().value(algorithm).unwrap());
            assert_eq!(check.value, format!("{name} {value}"));
            assert_eq!(check.limit, format!("{name} {} (film.mov.{name})", "f".repeat(algorithm.digits())));
            assert!(check.remedy.contains("sent again"), "{}", check.remedy);
        }
        let check = judged(&[right(ChecksumAlgorithm::Md5), wrong(ChecksumAlgorithm::Sha256)]);
        assert_eq!(check.verdict, Verdict::Reject);
        assert!(!check.value.contains("md5") && check.value.starts_with("sha256 "), "{}", check.value);
    }

    #[test]
    fn absence_is_what_the_policy_says_and_a_difference_is_not() {
        for (required, severity, verdict) in [
            (false, Severity::Reject, Verdict::Pass),
            (true, Severity::Warn, Verdict::Warn),
            (true, Severity::Human, Verdict::Human),
            (true, Severity::Reject, Verdict::Reject),
        ] {
            let policy = policy(required, severity);
            let missing = checksum(&policy, &[], &found()).unwrap();
            assert_eq!((missing.verdict, missing.value.as_str()), (verdict, "none stated"));
            let differs = checksum(&policy, &[wrong(ChecksumAlgorithm::Md5)], &found()).unwrap();
            assert_eq!(differs.verdict, Verdict::Reject);
        }
    }

    #[test]
    fn what_was_not_computed_is_no_agreement() {
        let found = Fingerprint { sha1: None, ..found() };
        let stated = [right(ChecksumAlgorithm::Sha1)];
        let judged = checksum(&policy(false, Severity::Warn), &stated, &found);
        assert_eq!(judged.unwrap_err().to_string(), "the sha1 of the file was not computed");
    }

    #[test]
    fn the_name_of_a_file_cannot_write_escapes() {
        let value = "f".repeat(32);
        let check = judged(&[stated(ChecksumAlgorithm::Md5, &value, "film\u{1b}[2J.md5")]);
        assert!(check.limit.ends_with("(film?[2J.md5)"), "{}", check.limit);
    }
}

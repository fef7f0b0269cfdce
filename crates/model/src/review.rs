//! What QC leaves to people, and what they decide.
//!
//! Promises: an approval covers what was asked and nothing else; a rejection stands for as long as all that was asked is
//! asked again. Both are of one source, by its bytes, and of one policy, by its text: of another source, or under another
//! policy, somebody is asked anew.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::failure::Failure;
use crate::key::Digest;
use crate::qc::{QcReport, Verdict};
use crate::title::{TitleId, UnknownState};

/// What a person decided about a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Decision {
    /// It is made, whatever QC asked about.
    Approved,
    /// Nothing is made of it.
    Rejected,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Decision; 2] = [Self::Approved, Self::Rejected];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl FromStr for Decision {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let found = Self::ALL.into_iter().find(|decision| decision.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A check that a person has to look at, as far as it tells one question from another: what was measured may differ by a
/// hair after an upgrade, and is the same question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Question {
    /// The check's code.
    pub code: Code,
    /// The check's name.
    pub name: String,
}

/// What a report leaves to people.
pub fn questions(report: &QcReport) -> BTreeSet<Question> {
    let checks = report.checks.iter().filter(|check| check.verdict == Verdict::Human);
    checks.map(|check| Question { code: check.code, name: check.name.clone() }).collect()
}

/// That QC left a title to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Review {
    /// The policy that it was judged by: the SHA-256 of its text, and of those that it is based on.
    pub policy_digest: Digest,
    /// When somebody was asked for a decision, in milliseconds since 1970 UTC; absent where an earlier one held.
    pub asked_ms: Option<i64>,
}

/// A decision about a title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReviewRecord {
    /// The title.
    pub title: TitleId,
    /// Counts the decisions about the title, from 1.
    pub number: u32,
    /// When it was taken, in milliseconds since 1970 UTC.
    pub decided_ms: i64,
    /// The submission of the title about which it was taken.
    pub generation: u64,
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub reviewer: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// The source: the SHA-256 of its bytes.
    pub source_digest: Digest,
    /// The name of the policy that asked.
    pub policy: String,
    /// The policy: the SHA-256 of its text, and of those that it is based on.
    pub policy_digest: Digest,
    /// What was asked.
    pub questions: BTreeSet<Question>,
}

impl ReviewRecord {
    /// Whether the decision holds where the same policy asks this of the same source. With other settings, such as a
    /// language that was missing, it may ask less or more of it.
    fn holds_for(&self, questions: &BTreeSet<Question>) -> bool {
        match self.decision {
            Decision::Approved => questions.is_subset(&self.questions),
            Decision::Rejected => self.questions.is_subset(questions),
        }
    }

    /// A rejection as the failure of its title: in the same words whenever it is held against a submission.
    pub fn failure(&self) -> Failure {
        rejection(self.reviewer.as_deref(), self.why.as_deref())
    }
}

/// A rejection as the failure of its title.
pub fn rejection(reviewer: Option<&str>, why: Option<&str>) -> Failure {
    let (reviewer, why) = (reviewer.unwrap_or("somebody"), why.unwrap_or("no reason was given"));
    Failure::new(Code::ReviewRejected, format!("{reviewer} rejected it: {why}"))
}

/// The decision that holds where a policy asks this of a source. `records` are the title's decisions, the latest first: an
/// older one about the same source and policy was taken back by the latest.
pub fn in_force<'a>(
    records: &'a [ReviewRecord],
    source: Digest,
    policy: Digest,
    questions: &BTreeSet<Question>,
) -> Option<&'a ReviewRecord> {
    let is_of_these =
        |record: &&ReviewRecord| record.source_digest == source && record.policy_digest == policy;
    records.iter().find(is_of_these).filter(|record| record.holds_for(questions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(codes: &[Code]) -> BTreeSet<Question> {
        codes.iter().map(|code| Question { code: *code, name: code.summary().to_owned() }).collect()
    }

    fn record(decision: Decision, source: &[u8], policy: &[u8], codes: &[Code]) -> ReviewRecord {
        ReviewRecord {
            title: "film".parse().unwrap(),
            number: 1,
            decided_ms: 0,
            generation: 1,
            decision,
            reviewer: Some("night desk".to_owned()),
            why: Some("another channel's logo".to_owned()),
            source_digest: Digest::of(source),
            policy: "default".to_owned(),
            policy_digest: Digest::of(policy),
            questions: asks(codes),
        }
    }

    const BLACK: Code = Code::QcBlack;
    const LANGUAGE: Code = Code::QcAudioLanguage;

    fn decided(records: &[ReviewRecord], source: &[u8], policy: &[u8], codes: &[Code]) -> Option<Decision> {
        let found = in_force(records, Digest::of(source), Digest::of(policy), &asks(codes));
        found.map(|record| record.decision)
    }

    #[test]
    fn a_decision_is_of_one_source_and_one_policy() {
        for decision in Decision::ALL {
            let records = [record(decision, b"film", b"policy", &[BLACK])];
            assert_eq!(decided(&records, b"film", b"policy", &[BLACK]), Some(decision));
            assert_eq!(decided(&records, b"other", b"policy", &[BLACK]), None);
            assert_eq!(decided(&records, b"film", b"other", &[BLACK]), None);
            assert_eq!(decision.as_str().parse::<Decision>().unwrap(), decision);
        }
        assert_eq!(decided(&[], b"film", b"policy", &[BLACK]), None);
    }

    #[test]
    fn what_nobody_was_asked_about_is_not_approved_and_what_was_mended_is_not_rejected() {
        let approved = [record(Decision::Approved, b"film", b"policy", &[BLACK])];
        assert_eq!(decided(&approved, b"film", b"policy", &[BLACK, LANGUAGE]), None);
        let rejected = [record(Decision::Rejected, b"film", b"policy", &[BLACK, LANGUAGE])];
        assert_eq!(decided(&rejected, b"film", b"policy", &[BLACK]), None, "the language is known now");
        let approved = [record(Decision::Approved, b"film", b"policy", &[BLACK, LANGUAGE])];
        assert_eq!(decided(&approved, b"film", b"policy", &[BLACK]), Some(Decision::Approved));
        let rejected = [record(Decision::Rejected, b"film", b"policy", &[BLACK])];
        assert_eq!(decided(&rejected, b"film", b"policy", &[BLACK, LANGUAGE]), Some(Decision::Rejected));
    }

    #[test]
    fn the_latest_decision_takes_back_those_before() {
        let records = [
            record(Decision::Rejected, b"film", b"policy", &[BLACK, LANGUAGE]),
            record(Decision::Approved, b"film", b"policy", &[BLACK, LANGUAGE]),
        ];
        assert_eq!(decided(&records, b"film", b"policy", &[BLACK, LANGUAGE]), Some(Decision::Rejected));
        assert_eq!(decided(&records, b"film", b"policy", &[BLACK]), None, "the approval was taken back");
        // One about another source stands between and changes nothing.
        let records = [
            record(Decision::Rejected, b"other", b"policy", &[BLACK]),
            record(Decision::Approved, b"film", b"policy", &[BLACK]),
        ];
        assert_eq!(decided(&records, b"film", b"policy", &[BLACK]), Some(Decision::Approved));
    }

    #[test]
    fn a_rejection_carries_the_persons_words() {
        let failure = record(Decision::Rejected, b"film", b"policy", &[BLACK]).failure();
        assert_eq!(failure.to_string(), "night desk rejected it: another channel's logo (RF-TTL-007)");
    }
}

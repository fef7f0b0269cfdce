//! What stands for a title whatever becomes of its submissions: where its keys come from, and what its rights allow.
//!
//! Promises: a submission that fails, is rejected or is cancelled takes nothing away from what is online: the keys of
//! what was published stay the title's keys, and what its rights forbade stays forbidden. Only what is published
//! in their place changes that.

use serde::{Deserialize, Serialize};

use crate::content_key::Protection;
use crate::rights::Rights;
use crate::title::Submission;

/// Where a title's keys come from and what its rights allow, by the history of its submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// By those that were accepted, whatever became of them.
    #[serde(default)]
    accepted: Terms,
    /// By those that were published; `None` where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Terms>,
}

/// What the latest of some submissions say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    /// Of the latest that had encrypted profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protection: Option<Protection>,
    /// Of the latest.
    #[serde(default, skip_serializing_if = "Rights::are_unlimited")]
    rights: Rights,
}

impl Terms {
    fn follow(&mut self, submission: &Submission) {
        if submission.protection.is_some() {
            self.protection.clone_from(&submission.protection);
        }
        self.rights.clone_from(&submission.rights);
    }
}

impl Standing {
    /// Takes in that a submission was accepted.
    pub fn accept(&mut self, submission: &Submission) {
        self.accepted.follow(submission);
    }

    /// Takes in that a submission was published.
    pub fn publish(&mut self, submission: &Submission) {
        self.published.get_or_insert_default().follow(submission);
    }

    /// Where the title's keys come from: those of what was published, otherwise those that it was to have. `None` where
    /// it never had encrypted profiles.
    pub fn protection(&self) -> Option<&Protection> {
        let published = self.published.as_ref().and_then(|terms| terms.protection.as_ref());
        published.or(self.accepted.protection.as_ref())
    }

    /// What its rights allow: what was published under, and no more than what was asked for last. So a narrower rule
    /// holds as soon as it was accepted, and a wider one once it was published.
    pub fn rights(&self) -> Rights {
        let accepted = &self.accepted.rights;
        self.published.as_ref().map_or_else(|| accepted.clone(), |terms| terms.rights.and(accepted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content_key::{KeyDivision, KeySource, KeyUris};
    use crate::key::Digest;
    use crate::recipe::ToolVersions;
    use crate::source::SourceReference;
    use crate::title::LadderText;

    fn protection(key: &str) -> Protection {
        let uris = KeyUris { fairplay: String::new(), clearkey: String::new(), verimatrix: String::new() };
        let source = KeySource::Given { key: Digest::of(key.as_bytes()) };
        Protection { source, division: KeyDivision::Title, uris }
    }

    fn submission(key: Option<&str>, no_clear: bool) -> Submission {
        Submission {
            title: "film".parse().unwrap(),
            source: SourceReference { path: "/film.mp4".into(), size: 1, modified_ns: 1, etag: None },
            ladder: LadderText { file: String::new(), text: String::new() },
            profiles: Vec::new(),
            audio_language: None,
            subtitles: Vec::new(),
            checksums: Vec::new(),
            qc_report: None,
            protection: key.map(protection),
            rights: Rights { systems: None, no_clear },
            facts: crate::Facts::default(),
            cue_points: Vec::new(),
            origin: String::new(),
            tools: ToolVersions::default(),
        }
    }

    /// Submissions in their order, and whether each was published.
    fn after(history: &[(Option<&str>, bool, bool)]) -> (Option<Protection>, bool) {
        let mut standing = Standing::default();
        for (key, no_clear, is_published) in history {
            let submission = submission(*key, *no_clear);
            standing.accept(&submission);
            if *is_published {
                standing.publish(&submission);
            }
            let text = serde_json::to_string(&standing).unwrap();
            assert_eq!(serde_json::from_str::<Standing>(&text).unwrap(), standing);
        }
        (standing.protection().cloned(), standing.rights().no_clear)
    }

    #[test]
    fn keys_are_those_of_what_was_published_and_before_that_of_what_was_accepted() {
        for (history, expected) in [
            (&[][..], None),
            (&[(None, false, true)], None),
            (&[(Some("a"), false, false)], Some("a")),
            // Nothing is online yet: the latest counts.
            (&[(Some("a"), false, false), (Some("b"), false, false)], Some("b")),
            // Other keys that came to nothing.
            (&[(Some("a"), false, true), (Some("b"), false, false)], Some("a")),
            (&[(Some("a"), false, true), (Some("b"), false, true)], Some("b")),
            // Clear profiles alone, published or not.
            (&[(Some("a"), false, true), (None, false, true)], Some("a")),
            (&[(Some("a"), false, false), (None, false, true)], Some("a")),
            (&[(None, false, true), (Some("a"), false, false)], Some("a")),
        ] {
            assert_eq!(after(history).0, expected.map(protection), "{history:?}");
        }
    }

    #[test]
    fn a_narrower_rule_holds_at_once_and_a_wider_one_once_it_is_published() {
        for (history, no_clear) in [
            (&[][..], false),
            (&[(None, true, false)], true),
            (&[(None, false, true), (None, true, false)], true),
            (&[(None, true, true), (None, false, false)], true),
            (&[(None, true, true), (None, false, true)], false),
            // Nothing is online under the old rule.
            (&[(None, true, false), (None, false, false)], false),
        ] {
            assert_eq!(after(history).1, no_clear, "{history:?}");
        }
    }
}

//! Titles and the states that titles and tasks go through. ARCHITECTURE.md draws both machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::checksum::StatedChecksum;
use crate::content_key::Protection;
use crate::cue::CuePoint;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::key::Digest;
use crate::qc::QcReport;
use crate::recipe::ToolVersions;
use crate::review::Review;
use crate::rights::Rights;
use crate::source::SourceReference;
use crate::subtitles::SubtitlePurpose;

/// A title's name: 1 to 100 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit. It is a folder at the origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TitleId(String);

/// A text cannot name a title.
#[derive(Debug, thiserror::Error)]
#[error(
    "a title's name has 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-' and begins with a letter or digit, not {0:?}"
)]
pub struct InvalidTitleId(pub String);

impl TitleId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The title name for a file: its name without the extension, with each run of other characters as one `-`.
    ///
    /// # Errors
    /// Nothing usable is left.
    pub fn from_file_stem(stem: &str) -> Result<Self, InvalidTitleId> {
        let mut name = String::with_capacity(stem.len());
        for character in stem.chars() {
            if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
                name.push(character);
            } else if !name.ends_with('-') {
                name.push('-');
            }
        }
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches(['-', '.']);
        name.chars().take(100).collect::<String>().parse().map_err(|_| InvalidTitleId(stem.to_owned()))
    }
}

impl FromStr for TitleId {
    type Err = InvalidTitleId;

    fn from_str(text: &str) -> Result<Self, InvalidTitleId> {
        let valid = (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidTitleId(text.to_owned())) }
    }
}

impl<'de> Deserialize<'de> for TitleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for TitleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Submission {
    /// The title's name.
    pub title: TitleId,
    /// The source.
    pub source: SourceReference,
    /// The whole ladder, so that a title keeps the one that it was submitted with.
    pub ladder: LadderText,
    /// The profiles to make, by id.
    pub profiles: Vec<String>,
    /// The language of audio tracks that state none.
    pub audio_language: Option<String>,
    /// Its subtitles, in the order in which players list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<SubtitleFile>,
    /// The checksums that were delivered with the source: it must have each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<StatedChecksum>,
    /// A QC report that somebody else made of the source. It takes the place of the farm's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qc_report: Option<Box<QcReport>>,
    /// How its encrypted profiles get their keys; `None` where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// What its rights allow; its profiles keep to that.
    #[serde(default, skip_serializing_if = "Rights::are_unlimited")]
    pub rights: Rights,
    /// What its order follows from.
    #[serde(default, skip_serializing_if = "Facts::is_default")]
    pub facts: Facts,
    /// Where it can be left and entered again, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cue_points: Vec<CuePoint>,
    /// The origin's URL or absolute path.
    pub origin: String,
    /// The tools of the farm when it was submitted: what it is planned with. After an upgrade the same submission is
    /// another one, and is planned anew.
    pub tools: ToolVersions,
}

impl Submission {
    /// Whether the same is asked for, whoever asks.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let facts = Facts { requester: other.facts.requester.clone(), ..self.facts.clone() };
        Self { facts, ..self.clone() } == *other
    }
}

/// A file of subtitles that was delivered beside the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SubtitleFile {
    /// The file.
    pub file: SourceReference,
    /// Language tag (BCP 47).
    pub language: String,
    /// For whom they are.
    pub purpose: SubtitlePurpose,
}

/// A ladder as its file's text, with the name that errors use for the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LadderText {
    /// The file's name.
    pub file: String,
    /// The TOML.
    pub text: String,
}

/// A title as the store holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Title {
    /// What was asked for.
    pub submission: Submission,
    /// Counts the submissions of this name, from 1.
    pub generation: u64,
    /// Where it stands.
    pub state: TitleState,
    /// The source's digest, once it is known.
    pub source_digest: Option<Digest>,
    /// QC's report, once there is one.
    pub report: Option<QcReport>,
    /// Why it failed or was rejected.
    pub failure: Option<Failure>,
    /// When it was submitted, in milliseconds since 1970 UTC.
    pub submitted_ms: i64,
    /// When this source was submitted under this name for the first time since the title was last put online: whoever submits
    /// it again moves no deadline. In milliseconds since 1970 UTC.
    #[serde(default)]
    pub arrived_ms: i64,
    /// When it last changed, in milliseconds since 1970 UTC.
    pub changed_ms: i64,
    /// Whether an operator holds it: none of its tasks is dispatched for its sake, and what is at work goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Whether files of it that are not online may lie at the origin, of this submission or of an earlier one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leftovers: bool,
    /// When it was expedited, in milliseconds since 1970 UTC: until it is online it goes before all others of its route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expedited_ms: Option<i64>,
    /// That QC left it to people, where it did; what it asks about is in the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// Where a title stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum TitleState {
    /// Accepted; its source is being fingerprinted and measured.
    Checking,
    /// QC leaves it to people; nothing is made of it until one has decided.
    Review,
    /// QC passed, or a person approved it; its tasks run.
    Preparing,
    /// It failed, was rejected or was cancelled; what it left at the origin is being taken away.
    Withdrawing,
    /// Online.
    Published,
    /// QC rejected the source, or a person did.
    Rejected,
    /// It could not be made.
    Failed,
    /// An operator stopped it.
    Cancelled,
}

impl TitleState {
    /// Every state.
    pub const ALL: [TitleState; 8] = [
        Self::Checking,
        Self::Review,
        Self::Preparing,
        Self::Withdrawing,
        Self::Published,
        Self::Rejected,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Review => "review",
            Self::Preparing => "preparing",
            Self::Withdrawing => "withdrawing",
            Self::Published => "published",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens unless somebody asks.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Published | Self::Rejected | Self::Failed | Self::Cancelled)
    }

    /// Whether the farm is at it or will be, as far as nobody holds it: not where it has ended or is being taken away.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Checking | Self::Review | Self::Preparing)
    }

    /// Whether a title may go from this state to `next`. A new submission puts any final state back to `Checking`.
    pub const fn may_become(self, next: TitleState) -> bool {
        use TitleState as S;
        match self {
            // Withdrawing: what an earlier submission of it left.
            S::Checking => {
                matches!(
                    next,
                    S::Review | S::Preparing | S::Withdrawing | S::Rejected | S::Failed | S::Cancelled
                )
            }
            // Checking: a person approved it, or it is judged anew.
            S::Review => matches!(next, S::Checking | S::Withdrawing | S::Rejected | S::Cancelled),
            // Rejected: a person took the approval back.
            S::Preparing => {
                matches!(next, S::Published | S::Withdrawing | S::Rejected | S::Failed | S::Cancelled)
            }
            // Published: its publication had taken place before it could be stopped.
            S::Withdrawing => matches!(next, S::Published | S::Rejected | S::Failed | S::Cancelled),
            S::Published | S::Rejected | S::Failed | S::Cancelled => matches!(next, S::Checking),
        }
    }
}

impl FromStr for TitleState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum TaskState {
    /// Other tasks must finish first.
    Waiting,
    /// May be dispatched (at once, or after a back-off).
    Ready,
    /// Sent to a pool under a lease; no worker has reported its start yet.
    Dispatched,
    /// A worker has reported its start and holds the lease.
    Running,
    /// Its outputs were taken over.
    Done,
    /// It will not be tried again.
    Failed,
    /// No title wants it any more.
    Cancelled,
}

impl TaskState {
    /// Every state.
    pub const ALL: [TaskState; 7] = [
        Self::Waiting,
        Self::Ready,
        Self::Dispatched,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether an attempt is under way.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Dispatched | Self::Running)
    }
}

impl FromStr for TaskState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A text is no known state.
#[derive(Debug, thiserror::Error)]
#[error("no state is called {0:?}")]
pub struct UnknownState(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_file_stems() {
        for (stem, expected) in [
            ("bigbuckbunny", "bigbuckbunny"),
            ("My Film (2024)", "My-Film-2024"),
            ("../../etc", "etc"),
            (".hidden", "hidden"),
            ("a..b", "a..b"),
            ("Ärger über Öl", "rger-ber-l"),
        ] {
            let id = TitleId::from_file_stem(stem).unwrap();
            assert_eq!(id.as_str(), expected);
        }
        assert!(TitleId::from_file_stem("…").is_err());
        assert!(TitleId::from_file_stem("").is_err());
        assert!("..".parse::<TitleId>().is_err());
        assert!("a/b".parse::<TitleId>().is_err());
    }

    #[test]
    fn final_states_only_reopen() {
        for from in TitleState::ALL {
            for to in TitleState::ALL {
                if from.is_final() {
                    assert_eq!(from.may_become(to), to == TitleState::Checking, "{from:?} {to:?}");
                }
            }
            assert_eq!(from.as_str().parse::<TitleState>().unwrap(), from);
            assert!(!(from.is_final() && from.is_under_way()), "{from:?}");
        }
    }
}

//! Subtitles: for whom they are, and a title's tracks of them as packaging needs to know them.

use serde::{Deserialize, Serialize};

use crate::key::ArtifactKey;

/// For whom subtitles are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SubtitlePurpose {
    /// For those who do not know the language that is spoken.
    #[default]
    Dialogue,
    /// Only what everybody must read: signs, and what is spoken in another language than the film's.
    Forced,
    /// For those who do not hear: sounds and speakers as well.
    HardOfHearing,
}

impl SubtitlePurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Dialogue, Self::Forced, Self::HardOfHearing];

    /// The name that files and folders carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialogue => "dialogue",
            Self::Forced => "forced",
            Self::HardOfHearing => "sdh",
        }
    }
}

/// One track of subtitles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtitleTrack {
    /// Such as `subtitles-en` or `subtitles-en-forced`: unique in the title.
    pub id: String,
    /// Its files.
    pub artifact: ArtifactKey,
    /// Where they lie at the origin, from the title's folder.
    pub path: String,
    /// Language tag (BCP 47).
    pub language: String,
    /// For whom they are.
    pub purpose: SubtitlePurpose,
}

impl SubtitleTrack {
    /// The id of the track of a language and purpose.
    pub fn id_of(language: &str, purpose: SubtitlePurpose) -> String {
        let language = language.to_lowercase();
        match purpose {
            SubtitlePurpose::Dialogue => format!("subtitles-{language}"),
            other => format!("subtitles-{language}-{}", other.as_str()),
        }
    }
}

//! What is true of a title: for what it is made, when it airs, whose it is. Its order follows from these facts, and
//! nobody types in a priority.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

/// For what a title is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ContentKind {
    /// Online before its broadcast: once it has aired, the offer is broken.
    CatchForward,
    /// Online soon after its broadcast: it arrives when that ends.
    CatchUp,
    /// Online at an announced time.
    Premiere,
    /// Loses known money while it is not online.
    Advertisement,
    /// Nobody waits for it at a certain time.
    #[default]
    Library,
    /// Made already, and made again: it may never delay anything else.
    Recode,
}

impl ContentKind {
    /// Every kind.
    pub const ALL: [ContentKind; 6] =
        [Self::CatchForward, Self::CatchUp, Self::Premiere, Self::Advertisement, Self::Library, Self::Recode];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CatchForward => "catch-forward",
            Self::CatchUp => "catch-up",
            Self::Premiere => "premiere",
            Self::Advertisement => "advertisement",
            Self::Library => "library",
            Self::Recode => "recode",
        }
    }
}

impl fmt::Display for ContentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no kind of content.
#[derive(Debug, thiserror::Error)]
#[error(
    "a title's kind is one of catch-forward, catch-up, premiere, advertisement, library and recode, not {0:?}"
)]
pub struct UnknownContentKind(pub String);

impl FromStr for ContentKind {
    type Err = UnknownContentKind;

    fn from_str(text: &str) -> Result<Self, UnknownContentKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownContentKind(text.to_owned()))
    }
}

/// The name of a route: capacity that is one department's. 1 to 32 of `a-z 0-9 -`, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct RouteName(String);

/// A text cannot name a route.
#[derive(Debug, thiserror::Error)]
#[error("a route's name has 1 to 32 of a-z, 0-9 and '-' and begins with a letter, not {0:?}")]
pub struct InvalidRouteName(pub String);

impl RouteName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RouteName {
    type Err = InvalidRouteName;

    fn from_str(text: &str) -> Result<Self, InvalidRouteName> {
        let valid = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidRouteName(text.to_owned())) }
    }
}

impl<'de> Deserialize<'de> for RouteName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which part of a title needs a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What goes first: the title's deadline is for this.
    First,
    /// All of a title of which nothing goes first.
    #[default]
    Whole,
    /// What follows on what goes first.
    Rest,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 3] = [Self::First, Self::Whole, Self::Rest];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Whole => "whole",
            Self::Rest => "rest",
        }
    }
}

/// What is true of a title, as far as its order follows from it. Times are RFC 3339, in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Facts {
    /// For what it is made.
    #[serde(default, skip_serializing_if = "is_library")]
    pub kind: ContentKind,
    /// When its broadcast begins; of a catch-up title, when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub air_at: Option<DateTime<Utc>>,
    /// When it must be online; without it, what its kind and its broadcast say. Where profiles go first, when those must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub required_by: Option<DateTime<Utc>>,
    /// Whose capacity it uses; the first route of the farm's rules without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteName>,
    /// Profiles that go first, by id: they are online before the others are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 200))]
    pub first: Vec<String>,
    /// The largest picture of what goes first, by its height in lines: rungs above it are made with the rest. The smallest
    /// rung goes first in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 16384))]
    pub first_up_to: Option<u32>,
    /// Who asked for it, on one line. Not a fact that order follows from: who submits the same again changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 200))]
    pub requester: Option<String>,
}

impl Facts {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn is_library(kind: &ContentKind) -> bool {
    *kind == ContentKind::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in ContentKind::ALL {
            assert_eq!(kind.as_str().parse::<ContentKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for (name, valid) in
            [("content", true), ("ads-2", true), ("", false), ("2ads", false), ("Ads", false), ("a b", false)]
        {
            assert_eq!(name.parse::<RouteName>().is_ok(), valid, "{name:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        assert_eq!(serde_json::to_value(Facts::default()).unwrap(), serde_json::json!({}));
        let text = serde_json::json!({
            "kind": "catch-forward", "air_at": "2026-11-21T20:15:00Z", "route": "content", "first": ["hls-ts-clear-2s"],
            "first_up_to": 576, "requester": "night desk",
        });
        let facts: Facts = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(serde_json::to_value(&facts).unwrap(), text);
        assert!(serde_json::from_value::<Facts>(serde_json::json!({ "priority": 1 })).is_err());
    }
}

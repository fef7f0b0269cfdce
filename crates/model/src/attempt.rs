//! Attempts and their fences: what keeps a late worker from changing anything.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::Failure;
use crate::key::{ArtifactKey, Digest, TaskKey};

/// A random token that one dispatch carries; whoever does not know it can neither extend nor finish the attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub u128);

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text is no lease token.
#[derive(Debug, thiserror::Error)]
#[error("not a lease token of 32 hexadecimal digits: {0:?}")]
pub struct InvalidLeaseToken(String);

impl FromStr for LeaseToken {
    type Err = InvalidLeaseToken;

    fn from_str(text: &str) -> Result<Self, InvalidLeaseToken> {
        match u128::from_str_radix(text, 16) {
            Ok(token) if text.len() == 32 => Ok(Self(token)),
            _ => Err(InvalidLeaseToken(text.to_owned())),
        }
    }
}

impl Serialize for LeaseToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LeaseToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which attempt of which task, under which lease. Every message about an attempt carries it, and the store acts
/// only where all three match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The task.
    pub task: TaskKey,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// The lease.
    pub lease: LeaseToken,
}

/// Names a worker process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkerId(pub String);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: f64,
    /// Frames a second at present, where frames are counted; 0 elsewhere.
    pub frames_per_second: f64,
    /// Seconds of the title done for each second of work; 0 where that has no meaning.
    pub speed: f64,
}

/// An artifact as it was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its key.
    pub key: ArtifactKey,
    /// Digest of its list of files with their digests: what it really holds.
    pub digest: Digest,
    /// Bytes of all its files.
    pub size: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// All outputs were taken over.
    Completed {
        /// What was made.
        artifacts: Vec<ArtifactRecord>,
        /// For the small outputs that the scheduler itself reads (fingerprint, measurements): their content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<serde_json::Value>,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The worker handed it back unfinished, through no fault of the task: the attempt does not count.
    Released,
}

//! `index.json`: what is online of a title. It is written last, so what it names is there and whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cue::CuePoint;
use crate::key::Digest;
use crate::profile::{Container, DrmSystem, MediaSetId, Scheme};
use crate::subtitles::SubtitlePurpose;
use crate::title::TitleId;

/// The content of `ORIGIN/<title>/index.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Version of this schema: 1.
    pub schema: u32,
    /// The title.
    pub title: TitleId,
    /// The SHA-256 of the source that it was made from.
    pub source: Digest,
    /// Every profile, in the order of the profile list.
    pub profiles: Vec<IndexProfile>,
    /// Whether these profiles went first and the title's others follow: then their ladders may be short of the upper rungs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_follow: bool,
    /// Where the title can be left and entered again, in order: decoding can begin there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cue_points: Vec<CuePoint>,
    /// Every file but this one, in the order of their paths.
    pub files: Vec<IndexFile>,
}

/// What tells a version of a title from every other: the key of each profile's verification, by the profile's id. The key
/// follows from all that the profile is made of.
pub type Version = BTreeMap<String, Digest>;

impl Index {
    /// The version that is online.
    pub fn version(&self) -> Version {
        self.profiles.iter().map(|profile| (profile.id.clone(), profile.verification)).collect()
    }
}

/// What a withdrawal did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Files that were taken away.
    pub files: u64,
    /// The version that is online: one that was published before, or the very one that was to be withdrawn.
    #[serde(default)]
    pub online: Option<Version>,
}

/// One profile that is online.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexProfile {
    /// Such as `dash-clr-2s`.
    pub id: String,
    /// What a player opens, as a path from the title's folder.
    pub manifest: String,
    /// How it is laid out.
    pub container: Container,
    /// The DRM systems that its manifest names.
    pub drm: Vec<DrmSystem>,
    /// The encryption scheme.
    pub scheme: Option<Scheme>,
    /// Seconds a segment.
    pub segment_seconds: Option<u32>,
    /// The media set that it plays.
    pub media_set: MediaSetId,
    /// Where that media set lies, as a path from the title's folder.
    pub media_path: String,
    /// The subtitles that its manifests offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<IndexSubtitles>,
    /// What people should know of it, such as what it leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The artifact key of the report that says that it was read back.
    pub verification: Digest,
}

/// Subtitles that a profile offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSubtitles {
    /// Language tag (BCP 47).
    pub language: String,
    /// For whom they are.
    pub purpose: SubtitlePurpose,
    /// What its manifests lead to, as a path from the title's folder.
    pub path: String,
}

/// One file that is online.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IndexFile {
    /// The path from the title's folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// MD5 in lower-case hexadecimal.
    pub md5: String,
}

//! What an operator submits.

use reelfarm_model::subtitles::SubtitlePurpose;
use reelfarm_model::{Checksum, CuePoint, Digest, Facts, QcReport, TitleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A title to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// The title's name.
    pub title: TitleId,
    /// The source.
    pub source: SourceRequest,
    /// The ladder; the farm's default where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderRequest>,
    /// The profiles to make: `all`, or ids and patterns such as `dash-*`; the farm's default where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 200)]
    pub profiles: Option<Vec<String>>,
    /// The language of audio tracks that state none (BCP 47), such as `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub audio_language: Option<String>,
    /// Its files of subtitles, in the order in which players list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 200)]
    pub subtitles: Vec<SubtitlesRequest>,
    /// The checksums that were delivered with the source: it must have each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub checksums: Vec<ChecksumRequest>,
    /// A QC report on the source that takes the place of the farm's own. Its `source_sha256` must be the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qc_report: Option<Box<QcReport>>,
    /// The only DRM systems that profiles may name; those that the farm allows where it is absent. It can only narrow
    /// those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drm: Option<Vec<String>>,
    /// Make no profile in clear.
    #[serde(default)]
    pub no_clear: bool,
    /// What its order follows from: for what it is made, when it airs, whose it is.
    #[serde(default, skip_serializing_if = "Facts::is_default")]
    pub facts: Facts,
    /// Where the film can be left and entered again: a group of pictures begins there, and `index.json` tells of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10_000)]
    pub cue_points: Vec<CuePoint>,
    /// Let a title that has keys from elsewhere already have others, which makes its licences useless.
    #[serde(default)]
    pub new_keys: bool,
    /// Let the rights rules of this request take the place of those that the title has, which otherwise it can only narrow.
    #[serde(default)]
    pub new_rights: bool,
}

/// A checksum that was delivered with a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecksumRequest {
    /// The checksum, such as `md5:9e107d9d372bb6826bd81d3542a419d6`.
    pub checksum: Checksum,
    /// Where it is stated, on one line, such as `film.mov.md5`: reports name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub stated_in: Option<String>,
}

/// A file of subtitles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubtitlesRequest {
    /// The file: SRT, WebVTT or TTML.
    pub source: SourceRequest,
    /// Its language (BCP 47), such as `pt-BR`.
    #[schema(max_length = 100)]
    pub language: String,
    /// For whom they are.
    #[serde(default)]
    pub purpose: SubtitlePurpose,
}

/// Where the source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourceRequest {
    /// A file that the farm's hosts see, by its absolute path in one of the folders that the farm takes sources from.
    Path(String),
    /// An object, by `s3://bucket/key`, in one of the places that the farm takes sources from.
    Url(String),
    /// A finished upload, by its digest.
    Upload(Digest),
}

/// Which ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LadderRequest {
    /// One of the farm's, by its name.
    Name(String),
    /// The text of a ladder file (TOML).
    Text(String),
}

//! The versions of what shapes an artifact's bytes: outside tools, and our own code by a number that a developer
//! raises with every change that alters output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Our own code, a number a kind of work. Raise one with any change of the bytes that this work gives: artifacts made
/// with the old number are then made again, and workers of the old program no longer take such tasks.
const RECIPES: [(&str, u32); 12] = [
    (ToolVersions::MEASURE_RECIPE, 1),
    (ToolVersions::QC_RECIPE, 1),
    (ToolVersions::ENCODE_RECIPE, 2),
    (ToolVersions::ASSEMBLE_RECIPE, 1),
    (ToolVersions::CUE_RECIPE, 1),
    (ToolVersions::TRIAL_RECIPE, 1),
    (ToolVersions::SUBTITLES_RECIPE, 2),
    (ToolVersions::KEYS_RECIPE, 2),
    (ToolVersions::PACKAGE_RECIPE, 1),
    (ToolVersions::MANIFEST_RECIPE, 3),
    (ToolVersions::VERIFY_RECIPE, 3),
    (ToolVersions::PUBLISH_RECIPE, 2),
];

/// Tools by name with the version that they state, such as `x264` → `164`; our own recipes are among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ToolVersions(pub BTreeMap<String, String>);

impl ToolVersions {
    /// Name of FFmpeg's libraries.
    pub const FFMPEG: &'static str = "ffmpeg";
    /// Name of x264.
    pub const X264: &'static str = "x264";
    /// Name of x265.
    pub const X265: &'static str = "x265";
    /// Name of zimg, FFmpeg's `zscale`.
    pub const ZIMG: &'static str = "zimg";
    /// Name of Shaka Packager.
    pub const PACKAGER: &'static str = "packager";
    /// Our own part in fingerprints.
    pub const MEASURE_RECIPE: &'static str = "measure-recipe";
    /// Our own part in measurements, and in fingerprints that hold more than older workers know of.
    pub const QC_RECIPE: &'static str = "qc-recipe";
    /// Our own part in renditions, and in chunks of them.
    pub const ENCODE_RECIPE: &'static str = "encode-recipe";
    /// Our own part in renditions that are made of chunks.
    pub const ASSEMBLE_RECIPE: &'static str = "assemble-recipe";
    /// What becomes of cue points. Programs that know of none would pass over them without a word: they lack this.
    pub const CUE_RECIPE: &'static str = "cue-recipe";
    /// How stretches are compared with the source.
    pub const TRIAL_RECIPE: &'static str = "trial-recipe";
    /// How subtitles are read and written.
    pub const SUBTITLES_RECIPE: &'static str = "subtitles-recipe";
    /// How keys are derived, and what players are told of them.
    pub const KEYS_RECIPE: &'static str = "keys-recipe";
    /// Our own part in media sets: the packager's options, and our engines.
    pub const PACKAGE_RECIPE: &'static str = "package-recipe";
    /// Our own part in manifests.
    pub const MANIFEST_RECIPE: &'static str = "manifest-recipe";
    /// What verification checks.
    pub const VERIFY_RECIPE: &'static str = "verify-recipe";
    /// The layout of the origin and the form of its index.
    pub const PUBLISH_RECIPE: &'static str = "publish-recipe";

    /// The same versions with those of this program's own code.
    #[must_use]
    pub fn with_recipes(mut self) -> Self {
        self.0.extend(RECIPES.map(|(name, number)| (name.to_owned(), number.to_string())));
        self
    }

    /// The versions of `names` alone.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let named = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self(named.map(|(name, version)| (name.clone(), version.clone())).collect())
    }
}

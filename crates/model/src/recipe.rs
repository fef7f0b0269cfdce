//! The versions of what shapes an artifact's bytes: outside tools, and our own code by a number that a developer
//! raises with every change that alters output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Our own code's part in fingerprints and measurements. Raise on any change of what they contain.
pub const MEASURE_RECIPE: u32 = 1;
/// Our own code's part in renditions. Raise on any change of the bytes that encoding gives.
pub const ENCODE_RECIPE: u32 = 1;
/// Our own code's part in media sets. Raise on any change of the packager's options or of our engines.
pub const PACKAGE_RECIPE: u32 = 1;
/// Our own code's part in manifests. Raise on any change of the manifests' text.
pub const MANIFEST_RECIPE: u32 = 1;
/// Our own code's part in verification. Raise when verification checks more.
pub const VERIFY_RECIPE: u32 = 1;

/// Outside tools by name with the version that they state, such as `x264` → `164`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolVersions(pub BTreeMap<String, String>);

impl ToolVersions {
    /// Name of FFmpeg's libraries.
    pub const FFMPEG: &'static str = "ffmpeg";
    /// Name of x264.
    pub const X264: &'static str = "x264";
    /// Name of Shaka Packager.
    pub const PACKAGER: &'static str = "packager";

    /// The versions of `names` alone.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| names.contains(&name.as_str()))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }
}

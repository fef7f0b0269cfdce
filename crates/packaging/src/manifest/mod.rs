//! A profile's manifests, derived from those that the packager wrote for the whole media set.
//!
//! What the packager says is kept to the letter; the URLs change, because a profile's manifests lie in the profile's
//! folder and the media in a folder that other profiles share, an audio segment's duration gains the digits that the
//! packager rounds away, and a group of sound gets the languages that it lacks. What a profile's DRM systems are told is
//! added in the same pass over the same lines and elements, and what the packager says of keys is left out: so the media
//! know of no system, and a profile that is added later needs manifests alone.

mod dash;
mod hls;
mod protection;
mod subtitles;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_drm::TitleKeys;
use reelfarm_model::profile::Container;
use reelfarm_model::task::ManifestSpec;
use reelfarm_model::{ArtifactKey, Code, Failure};

use self::protection::Protection;
use self::subtitles::Subtitles;
pub(crate) use self::subtitles::role;
pub use self::subtitles::{carries_subtitles, entry_point};
use crate::layout;

/// A manifest of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its path from the profile's folder.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A profile's manifests cannot be derived.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file of the media set cannot be read.
    #[error("cannot read the media set: {0}")]
    Read(#[from] std::io::Error),
    /// What the media set holds is not what the packager writes.
    #[error("{}: {reason}", file.display())]
    Unexpected {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to tell a DRM system of the profile.
    #[error("{0}")]
    Protection(String),
    /// The place of the media set cannot be written into a URL.
    #[error("{0:?} cannot be a URL's path")]
    MediaPath(String),
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        let code = match error {
            ManifestError::Read(_) => Code::ArtifactMissing,
            ManifestError::Unexpected { .. } | ManifestError::Protection(_) | ManifestError::MediaPath(_) => {
                Code::ManifestFailed
            }
        };
        Self::new(code, error.to_string())
    }
}

/// The manifests of `spec`'s profile, made from the media set in the folder `media_dir`; `keys` are those of an encrypted
/// one, and `subtitles` the folders of its subtitles. A progressive file needs none, and a Smooth Streaming set has its
/// own.
///
/// # Errors
/// The media set lacks the packager's manifests, or they are not what the packager writes; or a DRM system of the
/// profile cannot be told of the keys.
pub fn derive(
    spec: &ManifestSpec,
    media_dir: &Path,
    subtitles: &BTreeMap<ArtifactKey, PathBuf>,
    keys: Option<&TitleKeys>,
) -> Result<Vec<ManifestFile>, ManifestError> {
    if !is_plain(&spec.media_path) {
        return Err(ManifestError::MediaPath(spec.media_path.clone()));
    }
    let urls = Urls { prefix: format!("../{}/", spec.media_path) };
    let protection = Protection::of(spec, keys).map_err(ManifestError::Protection)?;
    let subtitles = Subtitles::of(&spec.subtitles, spec.profile.container, subtitles)?;
    match spec.profile.container {
        Container::Dash | Container::DashOnDemand => {
            let file = media_dir.join(layout::PACKAGER_MPD);
            let content = dash::rewrite(&fs_err::read(&file)?, &urls, protection.as_ref(), &subtitles)
                .map_err(|reason| ManifestError::Unexpected { file, reason })?;
            Ok(vec![ManifestFile { path: layout::MPD.to_owned(), content }])
        }
        Container::HlsTs | Container::HlsCmaf => {
            hls::derive(media_dir, &urls, protection.as_ref(), &subtitles)
        }
        Container::Smooth | Container::Progressive => Ok(Vec::new()),
    }
}

/// How a path inside the media set becomes a URL that is relative to the profile's folder.
struct Urls {
    prefix: String,
}

impl Urls {
    fn of(&self, path: &str) -> Result<String, String> {
        if is_plain(path) {
            Ok(format!("{}{path}", self.prefix))
        } else {
            Err(format!("{path:?} is no path inside the media set"))
        }
    }
}

/// Whether a text is a relative path that needs no escaping in URLs, XML or playlists and does not lead upwards. `$` is
/// for the placeholders of DASH.
fn is_plain(path: &str) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'$'))
    };
    path.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_media_set_become_urls() {
        let urls = Urls { prefix: "../media/set/0f/".into() };
        assert_eq!(urls.of("video-720p/$Number$.m4s").unwrap(), "../media/set/0f/video-720p/$Number$.m4s");
        for path in
            ["", "/etc/passwd", "../x", "a/../../b", "http://host/x", "a b", "a&amp;b", "a//b", "x\"y"]
        {
            assert!(urls.of(path).is_err(), "{path}");
        }
    }
}

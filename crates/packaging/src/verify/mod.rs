//! Reads a profile back, as a player would find it, and compares it with the renditions that it was made from.
//!
//! Nothing here believes the packager: manifests are parsed strictly by readers of the farm's own, every URL is followed,
//! every access unit is read from the packaged bytes and compared with the rendition's, and every time that a manifest
//! states is compared with the media's. It keeps one rendition in memory at a time, as hashes and times. It blocks.

mod codec_name;
mod dash;
mod finding;
mod hls;
mod progressive;
mod protection;
mod report;
mod segmented;
mod smooth;
mod source;
mod stated;
mod subtitles;
mod track;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_drm::TitleKeys;
use reelfarm_model::ArtifactKey;
use reelfarm_model::profile::Container;
use reelfarm_model::task::VerifySpec;

pub use self::finding::{Check, Finding};
pub use self::report::{RenditionReport, VerificationReport};

use self::finding::Book;

/// Reads back `spec`'s profile from its media set and its manifests (`None` for a progressive file), and compares it
/// with the MP4 file of every rendition. `subtitles` are the folders of its subtitles, `keys` those of an encrypted
/// profile.
///
/// # Errors
/// Everything that is not as it was meant to be, up to a limit.
pub fn verify(
    spec: &VerifySpec,
    media_dir: &Path,
    manifests_dir: Option<&Path>,
    renditions: &BTreeMap<ArtifactKey, PathBuf>,
    subtitles: &BTreeMap<ArtifactKey, PathBuf>,
    keys: Option<&TitleKeys>,
) -> Result<VerificationReport, Vec<Finding>> {
    let mut book = Book::new(&spec.profile.id);
    let reports = match spec.profile.container {
        Container::Progressive => progressive::verify(&mut book, spec, media_dir, renditions, keys),
        Container::Smooth => smooth::verify(&mut book, spec, media_dir, renditions, keys),
        Container::Dash | Container::DashOnDemand | Container::HlsTs | Container::HlsCmaf => {
            segmented::verify(&mut book, spec, media_dir, manifests_dir, renditions, subtitles, keys)
        }
    };
    Ok(VerificationReport::new(spec, reports, book.close()?))
}

//! The outside tools on this machine, and our own executable as the media process.

use std::path::PathBuf;
use std::time::Duration;

use reelfarm_model::Failure;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_packaging::shaka::Packager;
use reelfarm_workers::MediaProcess;

use crate::config::Project;

/// Address space of a media process. Virtual, so far above what a 4K ladder really touches; a file that makes a
/// decoder allocate without end is stopped by it.
const MEDIA_MEMORY_BYTES: u64 = 32 << 30;
/// Silence after which a media process is taken to hang.
const MEDIA_HANG: Duration = Duration::from_secs(120);

/// The media process of this executable.
pub fn media_process() -> MediaProcess {
    // The link in /proc still leads to this very program after an upgrade has replaced the file.
    let executable = PathBuf::from("/proc/self/exe");
    MediaProcess { executable, hang_after: MEDIA_HANG, memory_bytes: MEDIA_MEMORY_BYTES }
}

/// Shaka Packager as it is configured.
pub fn packager(project: &Project) -> Packager {
    let executable = std::env::var_os("REELFARM_PACKAGER")
        .map(PathBuf::from)
        .or_else(|| project.packager.clone())
        .unwrap_or_else(|| PathBuf::from("packager"));
    Packager::new(executable, media_process().launcher())
}

/// The versions of all tools.
///
/// # Errors
/// The packager cannot be asked for its version.
pub async fn versions(packager: &Packager) -> Result<ToolVersions, Failure> {
    let mut versions = media_versions().await?;
    versions.0.insert(ToolVersions::PACKAGER.to_owned(), packager.version().await?);
    Ok(versions.with_recipes())
}

/// The versions of FFmpeg's libraries and x264.
///
/// # Errors
/// The thread that asks them died.
pub async fn media_versions() -> Result<ToolVersions, Failure> {
    tokio::task::spawn_blocking(reelfarm_media::versions).await.map_err(|error| {
        Failure::new(reelfarm_model::Code::Internal, format!("FFmpeg cannot be asked: {error}"))
    })
}

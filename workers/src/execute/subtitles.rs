//! One track of subtitles, from the file that was delivered.

use std::io::Read as _;

use reelfarm_model::task::SubtitlesSpec;
use reelfarm_model::{Code, Digest, Failure};
use reelfarm_packaging::subtitles::{LARGEST, track_files};

use super::{Execution, blocking, disk_failure};

pub(super) async fn run(execution: &Execution, spec: &SubtitlesSpec) -> Result<(), Failure> {
    let source = execution.source().await?;
    let path = source.path.clone();
    let folder = execution.folder("subtitles").await?;
    let spec = spec.clone();
    let made = blocking(move || {
        let unreadable = |error: std::io::Error| Failure::new(Code::SourceUnreadable, error.to_string());
        let mut bytes = Vec::new();
        let file = fs_err::File::open(&path).map_err(unreadable)?;
        // One byte more than may be read, so that a file that is too large is told as such.
        file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() <= LARGEST && Digest::of(&bytes) != spec.source {
            let message =
                format!("{} changed while it was worked on; submit the title again", path.display());
            return Err(Failure::new(Code::SourceChanged, message));
        }
        let files = track_files(&bytes, spec.duration_ms).map_err(|error| {
            let failure = Failure::from(error);
            Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
        })?;
        for (name, content) in files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent).map_err(|error| disk_failure(&error))?;
            }
            fs_err::write(path, content).map_err(|error| disk_failure(&error))?;
        }
        Ok(())
    });
    execution.of_unchanged_source(made.await).await
}

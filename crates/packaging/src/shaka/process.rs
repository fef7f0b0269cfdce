//! Waits for the packager, reads its log and watches its output grow.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::log::LogTail;

/// How often the output is measured.
const PERIOD: Duration = Duration::from_millis(500);

/// How the packager ended.
pub(super) enum Ended {
    /// By itself.
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// Its log.
        log: LogTail,
    },
    /// Killed, because its output did not grow.
    Hung {
        /// Its log so far.
        log: LogTail,
    },
}

/// Waits until the child ends or has written nothing into `output` for as long as `patience`, fills `log` from its standard
/// error stream, and tells `written` the bytes in `output` now and then. Dropping the future kills the child's process group.
///
/// # Errors
/// The child cannot be waited for, or `output` cannot be read.
pub(super) async fn watch(
    mut child: Child,
    mut log: LogTail,
    output: &Path,
    patience: Duration,
    mut written: impl FnMut(u64) + Send,
) -> std::io::Result<Ended> {
    let mut group = Group::of(&child);
    let mut stderr = child.stderr.take();
    let mut buffer = [0; 4096];
    let mut ticks = interval(PERIOD.min(patience / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut bytes_before = 0;
    let mut grown = Instant::now();
    loop {
        tokio::select! {
            read = async {
                match &mut stderr {
                    Some(stderr) => stderr.read(&mut buffer).await,
                    None => std::future::pending().await,
                }
            } => match read? {
                0 => stderr = None,
                count => log.push(&buffer[..count]),
            },
            status = child.wait(), if stderr.is_none() => {
                group.disarm();
                log.finish();
                return Ok(Ended::Exited { status: status?, log });
            }
            _ = ticks.tick() => {
                let folder = output.to_owned();
                let bytes = tokio::task::spawn_blocking(move || folder_size(folder))
                    .await
                    .map_err(std::io::Error::other)??;
                written(bytes);
                // Temporary files come and go: any change is work.
                if bytes != bytes_before {
                    bytes_before = bytes;
                    grown = Instant::now();
                } else if grown.elapsed() >= patience {
                    drop(group);
                    child.wait().await?;
                    log.finish();
                    return Ok(Ended::Hung { log });
                }
            }
        }
    }
}

/// Bytes of all files below a folder. A file that vanishes meanwhile counts nothing.
fn folder_size(folder: PathBuf) -> std::io::Result<u64> {
    let mut size = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => size += metadata.len(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(size)
}

/// Kills a child's process group when dropped, so that neither a launcher nor what it started outlives the attempt.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// The child was waited for: its id may belong to somebody else from now on.
    const fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this very moment, which is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

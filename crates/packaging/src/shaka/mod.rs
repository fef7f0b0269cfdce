//! Shaka Packager as a child process: what makes segmented and single-file media sets.
//!
//! A crash in it is a failed attempt, never a dead worker. It is told everything by its arguments, works inside the
//! output folder with relative names alone (so that its manifests name no folder of this host), is watched for
//! progress, and is killed with its whole process group when the future is dropped. Its exit status proves nothing,
//! so what it left is counted before the call succeeds; [`verify`](mod@crate::verify) does the deep part.

mod arguments;
mod log;
mod outcome;
mod process;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reelfarm_drm::TitleKeys;
use reelfarm_model::task::PackageSpec;
use reelfarm_model::{ArtifactKey, Code, Failure, FailureClass};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use self::log::LogTail;
use self::process::Ended;

/// How long the packager may go without writing a byte before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// The packager's executable and how it is started.
#[derive(Clone, Debug)]
pub struct Packager {
    executable: PathBuf,
    launcher: Vec<OsString>,
    patience: Duration,
}

impl Packager {
    /// The packager at `executable` (a name without `/` is looked up on `PATH`), started through `launcher`: a command
    /// that runs the command after it, or nothing.
    pub fn new(executable: PathBuf, launcher: Vec<OsString>) -> Self {
        Self { executable, launcher, patience: PATIENCE }
    }

    /// The same packager, counted as hung after this long without a byte written (two minutes unless told).
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The version that the executable states, such as `v3.8.0-75b2faf-release`.
    ///
    /// # Errors
    /// [`Code::PackagerMissing`]: it cannot be started, or what it says is no version.
    pub async fn version(&self) -> Result<String, Failure> {
        let mut command = self.command()?;
        command.arg("--version").stdout(Stdio::piped());
        let run = async {
            let output = command.spawn().map_err(|error| self.cannot_start(&error))?.wait_with_output().await;
            let output = output.map_err(|error| self.cannot_start(&error))?;
            // What a launcher's exec gives for a command that is missing or may not be run (POSIX 2.8.2).
            if matches!(output.status.code(), Some(126 | 127)) {
                return Err(self.cannot_start(&std::io::Error::other("there is no such program")));
            }
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines()
                .find_map(|line| line.strip_prefix("packager version "))
                .map(|version| version.trim().to_owned())
                .ok_or_else(|| {
                    Failure::new(
                        Code::PackagerMissing,
                        format!("{} states no version of Shaka Packager", self.executable.display()),
                    )
                    .with_log(text.chars().take(1_000).collect::<String>())
                })
        };
        tokio::time::timeout(self.patience, run).await.unwrap_or_else(|_| {
            Err(Failure::new(
                Code::PackagerMissing,
                format!("{} does not answer when asked for its version", self.executable.display()),
            ))
        })
    }

    /// Makes the media set of `spec` in the folder `output`, which must be empty or absent. `inputs` has the MP4 file of
    /// every rendition, `keys` what it is encrypted with, where it is. `progress` is told a fraction from 0 to 1 now and
    /// then.
    ///
    /// The keys reach the packager through its standard input alone, and lines of its log that may hold one are left out.
    ///
    /// A failed or dropped call leaves partial output: give it a staging folder.
    ///
    /// # Errors
    /// Whatever kept the media set from being made whole.
    pub async fn package(
        &self,
        spec: &PackageSpec,
        inputs: &BTreeMap<ArtifactKey, PathBuf>,
        keys: Option<&TitleKeys>,
        output: &Path,
        mut progress: impl FnMut(f64) + Send,
    ) -> Result<(), Failure> {
        let arguments = arguments::of(spec, inputs, keys)?;
        fs_err::tokio::create_dir_all(output).await.map_err(|error| cannot_use(output, &error))?;
        let mut expected_bytes = 0;
        for path in arguments::input_files(spec, inputs)? {
            expected_bytes += fs_err::tokio::metadata(path)
                .await
                .map_err(|error| Failure::new(Code::ArtifactMissing, error.to_string()))?
                .len();
        }

        let mut command = self.command()?;
        command.args(&arguments.words).current_dir(output).stdout(Stdio::null()).stderr(Stdio::piped());
        if arguments.keys.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| self.cannot_start(&error))?;
        if let (Some(mut pipe), Some(keys)) = (child.stdin.take(), &arguments.keys) {
            // One that ends before it reads them says why in its log.
            let _ = pipe.write_all(keys.as_bytes()).await;
        }
        let log = LogTail::new(arguments.keys.is_some());
        drop(arguments);
        let ended = process::watch(child, log, output, self.patience, |written| {
            progress((written as f64 / expected_bytes.max(1) as f64).min(1.0));
        })
        .await
        .map_err(|error| cannot_use(output, &error))?;

        let what = format!("media set {}", spec.media_set);
        match ended {
            Ended::Hung { log } => Err(Failure::new(
                Code::PackagerHung,
                format!(
                    "{what}: Shaka Packager wrote nothing for {} s and was stopped",
                    self.patience.as_secs()
                ),
            )
            .with_log(log.text())),
            Ended::Exited { status, log } if !status.success() => {
                Err(self.judge(&what, status.code(), &log, &status.to_string()))
            }
            Ended::Exited { log, .. } => {
                let (spec, folder) = (spec.clone(), output.to_owned());
                tokio::task::spawn_blocking(move || outcome::check(&spec, &folder))
                    .await
                    .map_err(|error| Failure::new(Code::Internal, error.to_string()))?
                    .map_err(|reason| {
                        Failure::new(
                            Code::PackagerFailed,
                            format!("{what}: Shaka Packager reported success, but {reason}"),
                        )
                        .with_log(log.text())
                    })?;
                progress(1.0);
                Ok(())
            }
        }
    }

    fn command(&self) -> Result<Command, Failure> {
        // The child works in another folder, which a relative path would be looked up in.
        let executable = if self.executable.components().count() > 1 {
            std::path::absolute(&self.executable).map_err(|error| self.cannot_start(&error))?
        } else {
            self.executable.clone()
        };
        let mut words = self.launcher.iter().cloned().chain([executable.into_os_string()]);
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(program);
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            Code::PackagerMissing,
            format!(
                "cannot start {}: {error}; scripts/setup installs Shaka Packager, or name it with REELFARM_PACKAGER",
                self.executable.display()
            ),
        )
    }

    /// Says what an unsuccessful exit means. The packager's statuses do not tell a full disk from bad media; its words
    /// do.
    fn judge(&self, what: &str, exit_code: Option<i32>, log: &LogTail, status: &str) -> Failure {
        // What a launcher's exec gives for a command that is missing or may not be run (POSIX 2.8.2).
        let failure = if matches!(exit_code, Some(126 | 127)) {
            Failure::new(
                Code::PackagerMissing,
                format!("{what}: {} cannot be started ({status})", self.executable.display()),
            )
        } else if log.has_seen_full_disk() {
            Failure::new(Code::DiskFull, format!("{what}: Shaka Packager cannot write: the disk seems full"))
        } else if log.has_seen_unwritable_output() {
            Failure::new(Code::PackagerFailed, format!("{what}: Shaka Packager cannot write its output"))
                .with_class(FailureClass::Environment)
        } else {
            Failure::new(Code::PackagerFailed, format!("{what}: Shaka Packager failed ({status})"))
        };
        failure.with_log(log.text())
    }
}

fn cannot_use(output: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::DiskFull,
        _ => Code::StateUnreachable,
    };
    Failure::new(code, format!("cannot use the folder {}: {error}", output.display()))
}

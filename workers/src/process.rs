//! The media process: FFmpeg's work in a child of its own, so that a file that crashes or hangs a decoder costs an
//! attempt and never the worker.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt as _;
use reelfarm_media::child::{Request, Response};
use reelfarm_model::{Code, Failure, Progress};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio_util::codec::{FramedRead, LinesCodec};

/// The verb of our own executable that serves one request and ends.
pub const MEDIA_CHILD_VERB: &str = "media-child";
/// The verb of our own executable that puts a foreign program on the leash.
pub const LEASH_VERB: &str = "leash";

/// Bytes of a child's log that are kept: its end, where the cause usually stands.
const LOG_LIMIT: usize = 16 * 1024;
/// The longest line of a child's answer, in bytes: many times the measurements of the longest film. The child reads
/// what nobody vouches for, so it is not believed to end a line.
const LINE_LIMIT: usize = 64 << 20;
/// Address space of a child that reads what nobody has checked, at most: several times what the largest pictures take.
/// A film that passed was measured within it.
const UNCHECKED_MEMORY_BYTES: u64 = 8 << 30;

/// How media processes are started.
#[derive(Clone, Debug)]
pub struct MediaProcess {
    /// Our own executable.
    pub executable: PathBuf,
    /// Silence after which the process is taken to hang and killed.
    pub hang_after: Duration,
    /// Address space that the process may take, in bytes; less where it reads what nobody has checked.
    pub memory_bytes: u64,
}

impl MediaProcess {
    /// The command prefix that puts a foreign program on a leash to this process.
    pub fn launcher(&self) -> Vec<OsString> {
        let parent = std::process::id().to_string();
        vec![self.executable.clone().into(), LEASH_VERB.into(), "--parent".into(), parent.into(), "--".into()]
    }

    /// Runs one request to its end. Dropping the future kills the process.
    ///
    /// # Errors
    /// What the request itself failed with; [`Code::EncodeCrashed`] where the process died without an answer, and
    /// [`Code::EncodeHung`] where it fell silent.
    pub async fn run(
        &self,
        request: &Request,
        on_progress: impl Fn(Progress),
    ) -> Result<serde_json::Value, Failure> {
        let mut child = self.start(self.memory_bytes(request))?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Failure::new(Code::Internal, "the media process has no pipes"));
        };
        let request = serde_json::to_vec(request).map_err(|error| {
            Failure::new(Code::Internal, format!("a media request cannot be written: {error}"))
        })?;
        let ask = async move {
            // A child that died early does not read; its exit status says more than the broken pipe.
            drop(stdin.write_all(&request).await);
        };
        let ((), answer, log) =
            tokio::join!(ask, self.answer(&mut child, stdout, on_progress), read_end(stderr));
        answer.map_err(|failure| if failure.log.is_empty() { failure.with_log(log) } else { failure })
    }

    /// The address space of a process for a request.
    fn memory_bytes(&self, request: &Request) -> u64 {
        match request {
            Request::Measure { .. } | Request::Thumbnails { .. } => {
                self.memory_bytes.min(UNCHECKED_MEMORY_BYTES)
            }
            Request::Trial { .. }
            | Request::EncodeVideo { .. }
            | Request::AssembleVideo { .. }
            | Request::EncodeAudio { .. }
            | Request::MuxProgressive { .. } => self.memory_bytes,
        }
    }

    fn start(&self, memory_bytes: u64) -> Result<Child, Failure> {
        Command::new(&self.executable)
            .arg(MEDIA_CHILD_VERB)
            .args(["--parent", &std::process::id().to_string()])
            .args(["--memory-bytes", &memory_bytes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C at the terminal is for the worker, which decides what ends.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let executable = self.executable.display();
                Failure::new(
                    Code::Internal,
                    format!("the media process {executable} cannot be started: {error}"),
                )
            })
    }

    async fn answer(
        &self,
        child: &mut Child,
        stdout: impl AsyncRead + Unpin,
        on_progress: impl Fn(Progress),
    ) -> Result<serde_json::Value, Failure> {
        let mut lines = FramedRead::new(stdout, LinesCodec::new_with_max_length(LINE_LIMIT));
        let mut answer = None;
        loop {
            let Ok(line) = tokio::time::timeout(self.hang_after, lines.next()).await else {
                return Err(self.stop(child).await);
            };
            match line {
                Some(Ok(line)) => match serde_json::from_str(&line) {
                    Ok(Response::Progress(progress)) => on_progress(progress),
                    Ok(Response::Result(value)) => answer = Some(Ok(value)),
                    Ok(Response::Failure(failure)) => answer = Some(Err(failure)),
                    Err(error) => {
                        kill(child).await;
                        let message = format!("the media process wrote an unreadable line: {error}");
                        return Err(Failure::new(Code::Internal, message));
                    }
                },
                None => break,
                // What it says is not to be had any more, so there is nothing to wait for.
                Some(Err(error)) => {
                    kill(child).await;
                    let message = format!("the media process cannot be read: {error}");
                    return Err(Failure::new(Code::Internal, message));
                }
            }
        }
        // One that has more to say must not wait for a reader, and one that closed its end of the pipe may still hang.
        drop(lines);
        let Ok(status) = tokio::time::timeout(self.hang_after, child.wait()).await else {
            return Err(self.stop(child).await);
        };
        let status = status.map_err(|error| {
            Failure::new(Code::Internal, format!("the media process cannot be waited for: {error}"))
        })?;
        match answer {
            Some(answer) => answer,
            None => Err(Failure::new(
                Code::EncodeCrashed,
                format!(
                    "the media process ended without an answer ({status}): a damaged file, or too little memory"
                ),
            )),
        }
    }

    /// Kills a child that hangs, and gives the failure that says so.
    async fn stop(&self, child: &mut Child) -> Failure {
        kill(child).await;
        let seconds = self.hang_after.as_secs();
        Failure::new(
            Code::EncodeHung,
            format!("the media process made no progress for {seconds} s and was stopped"),
        )
    }
}

/// Ends a child, if it has not ended by itself.
async fn kill(child: &mut Child) {
    drop(child.start_kill());
    drop(child.wait().await);
}

/// Reads a stream to its end and keeps the end of it.
async fn read_end(mut stream: impl AsyncRead + Unpin) -> String {
    let mut end = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        end.extend_from_slice(&buffer[..count]);
        if end.len() > 2 * LOG_LIMIT {
            end.drain(..end.len() - LOG_LIMIT);
        }
    }
    let start = end.len().saturating_sub(LOG_LIMIT);
    String::from_utf8_lossy(&end[start..]).trim().to_owned()
}

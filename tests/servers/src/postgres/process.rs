//! The processes of a running server, and who sees to it that they end.
//!
//! A shell stands between the test and the server. It holds one end of a pipe whose other end is the test's: when the
//! test lets go of it, or dies and so must, the shell ends the server and removes the folder. It is in a process group of
//! its own, so that whoever kills the test's group does not kill the shell with it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

use super::PostgresError;

/// `$1` is the folder, the rest is the server's command. `keep` says that the server has ended and its folder stays.
const WATCH: &str = r#"
folder=$1
shift
"$@" </dev/null &
server=$!
exec 2>/dev/null
if read -r word && [ "$word" = keep ]; then
    # Otherwise its process is there until somebody else takes note of its end, and the next server believes it alive.
    wait "$server"
    exit
fi
kill -QUIT "$server"
kill -CONT "$server"
wait "$server"
rm -rf "$folder"
"#;
const READY: &str = "database system is ready to accept connections";
/// Lines of the log that are kept for errors.
const LINES: usize = 20;

#[derive(Debug)]
pub(super) struct Process {
    shell: Child,
    /// What keeps the server alive. `None` once it was told that the server has ended.
    pipe: Option<ChildStdin>,
    postmaster: Pid,
    /// Ends when no process of the server is left.
    log: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a server and waits until it takes connections.
    pub(super) async fn start(
        command: Vec<OsString>,
        folder: &Path,
        data: &Path,
    ) -> Result<Self, PostgresError> {
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, "watch"]).arg(folder).args(command).current_dir(folder);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut shell = shell.spawn().map_err(PostgresError::io("start PostgreSQL"))?;
        let (pipe, log) = (shell.stdin.take(), shell.stderr.take());
        let (ready, is_ready) = oneshot::channel();
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let read = {
            let lines = Arc::clone(&lines);
            move || read_log(log, ready, &lines)
        };
        let log = std::thread::spawn(read);
        if is_ready.await.is_err() {
            // It has ended, and its folder is for another try.
            if let Some(mut pipe) = pipe {
                drop(pipe.write_all(b"keep\n"));
            }
            shell.wait().map_err(PostgresError::io("wait for PostgreSQL's end"))?;
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            let said = Vec::from(lines.clone()).join("\n");
            return Err(PostgresError::Refused { program: "postgres", said });
        }
        let postmaster = postmaster(data).map_err(PostgresError::io("find PostgreSQL's process"))?;
        Ok(Self { shell, pipe, postmaster, log: Some(log) })
    }

    pub(super) async fn stop(self) -> io::Result<()> {
        self.end(Signal::INT).await
    }

    pub(super) async fn kill(self) -> io::Result<()> {
        self.end(Signal::KILL).await
    }

    pub(super) fn pause(&self) -> io::Result<()> {
        // The parent first, so that it starts no more children.
        kill_process(self.postmaster, Signal::STOP)?;
        self.signal_children(Signal::STOP)
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        self.signal_children(Signal::CONT)?;
        Ok(kill_process(self.postmaster, Signal::CONT)?)
    }

    /// Signals the server and waits until none of its processes is left. The children of a killed one notice that it is
    /// gone and end by themselves.
    async fn end(mut self, signal: Signal) -> io::Result<()> {
        kill_process(self.postmaster, signal)?;
        tokio::task::spawn_blocking(move || {
            if let Some(log) = self.log.take() {
                log.join().map_err(|_| io::Error::other("reading the log failed"))?;
            }
            if let Some(mut pipe) = self.pipe.take() {
                pipe.write_all(b"keep\n")?;
            }
            self.shell.wait().map(drop)
        })
        .await
        .map_err(io::Error::other)?
    }

    fn signal_children(&self, signal: Signal) -> io::Result<()> {
        let process = self.postmaster.as_raw_pid();
        let children = fs_err::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
        for child in children.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)) {
            match kill_process(child, signal) {
                // It has ended meanwhile.
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.pipe.take().is_some() {
            // A paused server could not hear of its end; and there is nobody to tell of an error.
            drop(self.resume());
            drop(self.shell.wait());
        }
    }
}

/// Passes on that the server is ready, and keeps the last lines, until no process of the server is left.
fn read_log(log: Option<ChildStderr>, ready: oneshot::Sender<()>, kept: &Mutex<VecDeque<String>>) {
    let mut ready = Some(ready);
    for line in log.into_iter().flat_map(|log| BufReader::new(log).lines()).map_while(Result::ok) {
        if line.contains(READY)
            && let Some(ready) = ready.take()
        {
            // Nobody waits any more where the test was given up.
            let _ = ready.send(());
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

/// The server's first process, as it wrote it down itself.
fn postmaster(data: &Path) -> io::Result<Pid> {
    let file = fs_err::read_to_string(data.join("postmaster.pid"))?;
    let process = file.lines().next().and_then(|line| Pid::from_raw(line.trim().parse().ok()?));
    process.ok_or_else(|| io::Error::other("postmaster.pid names no process"))
}

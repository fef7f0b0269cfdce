//! The processes of the farm, which are this program in another role, and what is known of their memory.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;

use crate::Fault;

/// A process that ends when its standard input does, and so with this one.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this program with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("a process without output")?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Waits until it says this line.
    pub(crate) async fn says(&mut self, wanted: &str) -> Result<(), Fault> {
        while let Some(line) = self.lines.next_line().await? {
            if line == wanted {
                return Ok(());
            }
        }
        Err(format!("a process ended before it said {wanted:?}").into())
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Fault> {
        memory(self.child.id().ok_or("a process that has ended")?)
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> Result<(), Fault> {
        drop(self.child.stdin.take());
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("a process ended with {status}").into()) }
    }
}

/// Resident memory of a process in bytes: VmRSS of proc_pid_status(5).
pub(crate) fn memory(process: u32) -> Result<u64, Fault> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("a process without memory")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Tells whoever started this process something.
pub(crate) fn say(line: &str) -> Result<(), Fault> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// Waits until whoever started this process closes its standard input, or is gone.
pub(crate) async fn until_input_ends() {
    let (ended, end) = oneshot::channel();
    // A thread of its own, because nothing can end a read that waits.
    std::thread::spawn(move || {
        // An error is an end as well, and nobody may be waiting any more.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = ended.send(());
    });
    drop(end.await);
}

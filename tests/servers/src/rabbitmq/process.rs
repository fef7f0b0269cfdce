//! One process of a broker: started, ready, stopped.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::oneshot;

use super::RabbitMqError;

/// Lines of the output that are kept for errors.
const LINES: usize = 40;

/// The leader of a process group. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Process(Option<Child>);

impl Process {
    /// Starts a process and waits until it prints `ready`.
    pub(super) async fn start(
        program: &'static str,
        mut command: Command,
        ready: &'static str,
    ) -> Result<Self, RabbitMqError> {
        let (reader, writer) = io::pipe().map_err(RabbitMqError::io("make a pipe"))?;
        let error_writer = writer.try_clone().map_err(RabbitMqError::io("make a pipe"))?;
        command.stdin(Stdio::null()).stdout(writer).stderr(error_writer);
        let process = Self(Some(command.spawn().map_err(RabbitMqError::io("start RabbitMQ"))?));
        // It holds the pipe's other end open.
        drop(command);
        let (sender, is_ready) = oneshot::channel();
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        std::thread::spawn({
            let lines = Arc::clone(&lines);
            move || read(reader, ready, sender, &lines)
        });
        if is_ready.await.is_err() {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            return Err(RabbitMqError::Refused { program, said: Vec::from(lines.clone()).join("\n") });
        }
        Ok(process)
    }

    /// Asks the process to end, and waits until it has.
    pub(super) async fn stop(mut self) -> io::Result<()> {
        if let Some(child) = &self.0 {
            kill_process(id(child)?, Signal::TERM)?;
        }
        self.wait().await
    }

    /// Kills the process's group, and waits for its end.
    pub(super) async fn kill(mut self) -> io::Result<()> {
        self.signal(Signal::KILL)?;
        self.wait().await
    }

    pub(super) fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    pub(super) fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    async fn wait(&mut self) -> io::Result<()> {
        let Some(mut child) = self.0.take() else { return Ok(()) };
        tokio::task::spawn_blocking(move || child.wait().map(drop)).await.map_err(io::Error::other)?
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |child| Ok(kill_process_group(id(child)?, signal)?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // There is nobody to tell of an error; the keeper tries again.
        drop(self.signal(Signal::KILL));
        if let Some(child) = &mut self.0 {
            drop(child.wait());
        }
    }
}

fn id(child: &Child) -> io::Result<Pid> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    id.ok_or_else(|| io::Error::other("a process without a number"))
}

/// Passes on that the process is ready, and keeps the last lines, until it has ended.
fn read(output: io::PipeReader, word: &str, ready: oneshot::Sender<()>, kept: &Mutex<VecDeque<String>>) {
    let mut ready = Some(ready);
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if line.contains(word)
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

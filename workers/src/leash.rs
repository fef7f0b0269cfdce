//! Ties a child process to its parent: the kernel kills the child when the parent dies, however it dies.
//!
//! Promises: a child that was started on a leash never outlives its parent, writes no core dump, cannot take more
//! memory than it was given, and is the first to go where the machine's memory runs out. It works for programs that
//! know nothing of it (the packager) because the settings survive `exec`.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};

/// How readily the kernel kills the process when memory runs out, from -1000 to 1000 (proc(5)).
const OUT_OF_MEMORY_SCORE: &str = "/proc/self/oom_score_adj";

/// What a child may do.
#[derive(Clone, Copy, Debug)]
pub struct Leash {
    /// The process that started the child.
    pub parent: u32,
    /// Address space in bytes; `None` for no limit of our own.
    pub memory_bytes: Option<u64>,
}

impl Leash {
    /// Puts the calling process on the leash.
    ///
    /// # Errors
    /// The kernel refused a setting, or the parent has died already.
    pub fn apply(&self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above can no longer send the signal.
        let parent = getppid().map(Pid::as_raw_pid).unwrap_or_default();
        if u32::try_from(parent).ok() != Some(self.parent) {
            return Err(io::Error::other("the parent process is gone"));
        }
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
        // Where the kernel must kill something, it shall cost an attempt and not the worker. A system that hides this
        // file decides by itself.
        drop(fs_err::write(OUT_OF_MEMORY_SCORE, "1000"));
        if let Some(bytes) = self.memory_bytes {
            setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
        }
        Ok(())
    }

    /// Puts the calling process on the leash and turns it into `program`. Returns only when that fails.
    pub fn exec(&self, program: &OsString, arguments: &[OsString]) -> io::Error {
        match self.apply() {
            Ok(()) => Command::new(program).args(arguments).exec(),
            Err(error) => error,
        }
    }
}

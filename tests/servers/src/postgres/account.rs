//! Who a server runs as.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

/// Users that a server may run as where the tests run as root, the best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user that a server runs as.
#[derive(Clone, Copy, Debug)]
pub(super) enum Account {
    /// Whoever runs the tests.
    Own,
    /// Another, because PostgreSQL refuses to run as root.
    Other { user: u32, group: u32 },
}

impl Account {
    pub(super) fn find() -> io::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        for name in UNPRIVILEGED {
            if let (Ok(user), Ok(group)) = (id("-u", name), id("-g", name)) {
                return Ok(Self::Other { user, group });
            }
        }
        Err(io::Error::other(format!("this is root, and there is none of the users {UNPRIVILEGED:?}")))
    }

    /// Makes a folder the account's.
    pub(super) fn own(self, folder: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { user, group } => chown(folder, Some(user), Some(group)),
        }
    }

    /// A program and its arguments, such that it runs as the account.
    pub(super) fn arguments(self, program: &Path, arguments: &[OsString]) -> Vec<OsString> {
        let mut all: Vec<OsString> = match self {
            Self::Own => Vec::new(),
            Self::Other { user, group } => vec![
                "setpriv".into(),
                format!("--reuid={user}").into(),
                format!("--regid={group}").into(),
                "--clear-groups".into(),
                "--".into(),
            ],
        };
        all.push(program.into());
        all.extend_from_slice(arguments);
        all
    }

    pub(super) fn command(self, program: &Path, arguments: &[OsString]) -> Command {
        let all = self.arguments(program, arguments);
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]);
        command
    }
}

fn id(kind: &str, name: &str) -> io::Result<u32> {
    let output = Command::new("id").args([kind, name]).output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(io::Error::other)
}

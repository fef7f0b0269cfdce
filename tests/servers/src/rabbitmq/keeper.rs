//! Who sees to it that a broker's processes end and its folder goes.
//!
//! A shell holds one end of a pipe whose other end is the test's: when the test lets go of it, or dies and so must, the
//! shell kills the broker's process groups and removes the folder. It is in a process group of its own, so that whoever
//! kills the test's group does not kill the shell with it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::RabbitMqError;

/// `$1` is the folder. Once it is moved, a process that is just starting can no longer write itself down, and ends.
const KEEP: &str = r#"
cat >/dev/null
folder=$1
mv "$folder" "$folder.gone" || exit
for file in "$folder.gone"/processes/*; do
    read -r group <"$file" && kill -s KILL -- "-$group"
done 2>/dev/null
rm -rf "$folder.gone" || rm -rf "$folder.gone"
"#;

/// `$1` is the file that the process writes itself down in, the rest is its command.
const REGISTER: &str = r#"
set -e
echo $$ >"$1"
shift
exec "$@"
"#;

#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Keeper {
    pub(super) fn start() -> Result<Self, RabbitMqError> {
        let action = "make a folder for RabbitMQ";
        let folder = tempfile::Builder::new().prefix("reelfarm-rabbitmq-").tempdir();
        let folder = folder.map_err(RabbitMqError::io(action))?;
        fs_err::create_dir(folder.path().join("processes")).map_err(RabbitMqError::io(action))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", KEEP, "keep"]).arg(folder.path()).current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(RabbitMqError::io("start RabbitMQ's keeper"))?;
        let pipe = shell.stdin.take();
        Ok(Self { folder: folder.keep(), shell, pipe })
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.shell.id()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program in a process group of its own that ends with this keeper at the latest. At most one of each name runs.
    pub(super) fn command(&self, name: &str, program: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", REGISTER, "register"]).arg(self.folder.join("processes").join(name)).arg(program);
        command.current_dir(&self.folder).process_group(0);
        command
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // There is nobody to tell of an error.
        drop(self.shell.wait());
    }
}

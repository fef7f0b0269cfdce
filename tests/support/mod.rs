//! What the tests that cross crates share: the real binary, real clips, real players, folders of their own.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test binary uses a part of it

pub mod browser;
pub mod canary;
pub mod clips;
pub mod ladders;
pub mod players;
pub mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use md5::{Digest as _, Md5};
use serde_json::Value;
use tempfile::TempDir;

/// A content key's id, for tests that must know it.
pub const KEY_ID: &str = "00112233445566778899aabbccddeeff";
/// The key.
pub const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// A farm's folders, and commands that run in them.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `keys.json` with one key for all titles, which only its owner may read.
    pub fn keys(&self, id: &str, key: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let text = serde_json::json!({ "*": { "kid": id, "key": key } }).to_string();
        fs_err::write(self.path("keys.json"), text).unwrap();
        fs_err::set_permissions(self.path("keys.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn origin(&self) -> PathBuf {
        self.path("origin")
    }

    /// `reelfarm` with these arguments, in the bench's folder, with no setting of the person who runs the tests.
    pub fn reelfarm<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reelfarm"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REELFARM_") {
                command.env_remove(name);
            }
        }
        command.env("REELFARM_PACKAGER", packager()).env("NO_COLOR", "1");
        command
    }

    /// Runs `reelfarm` to its end.
    pub fn output<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.reelfarm(arguments).output().unwrap()
    }

    /// Runs `reelfarm`, which must succeed; returns what it printed as JSON.
    pub fn json<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        let output = self.output(arguments);
        assert!(output.status.success(), "{}", describe(&output));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", describe(&output)))
    }

    /// Starts `reelfarm` in the background with its words to people in a file.
    pub fn start<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        let log = self.path("stderr.log");
        let file = fs_err::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = self
            .reelfarm(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::from(file.into_parts().0))
            .spawn()
            .unwrap();
        Running { child, log }
    }

    /// The attempts at each task of a title: the outcomes in their order, by label.
    pub fn attempts(&self, title: &str) -> BTreeMap<String, Vec<String>> {
        let status = self.json(["status", title, "--json"]);
        let outcomes = |task: &Value| {
            let attempts = task["attempts"].as_array().unwrap();
            attempts.iter().map(|attempt| attempt["outcome"].as_str().unwrap_or("open").to_owned()).collect()
        };
        let tasks = status["tasks"].as_array().unwrap();
        tasks.iter().map(|task| (task["label"].as_str().unwrap().to_owned(), outcomes(task))).collect()
    }

    /// A title's `index.json`.
    pub fn index(&self, title: &str) -> Value {
        let path = self.origin().join(title).join("index.json");
        serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
    }
}

/// A `reelfarm` in the background; killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn log(&self) -> String {
        fs_err::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Polls until `condition` holds; panics with `what` after half a minute.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed().as_secs() < 30, "waited in vain until {what}");
        // A look now and then: looking without a pause would take a core from what is waited for.
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

/// Processes whose parent is `parent`.
pub fn children(parent: u32) -> Vec<u32> {
    processes().into_iter().filter(|(_, found)| *found == parent).map(|(process, _)| process).collect()
}

/// `parent` and every process that it started, directly or not.
pub fn descendants(parent: u32) -> Vec<u32> {
    let processes = processes();
    let mut found = vec![parent];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        at += 1;
    }
    found
}

/// Media processes at work for `parent`.
pub fn media_processes(parent: u32) -> Vec<u32> {
    let is_media = |process: &u32| {
        fs_err::read(format!("/proc/{process}/cmdline"))
            .is_ok_and(|line| line.windows(11).any(|w| w == b"media-child"))
    };
    children(parent).into_iter().filter(is_media).collect()
}

/// Whether a process is there and not just waiting to be reaped.
pub fn is_alive(process: u32) -> bool {
    fs_err::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

fn processes() -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir("/proc").unwrap().flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse() else { continue };
        let Ok(stat) = fs_err::read_to_string(format!("/proc/{process}/stat")) else { continue };
        let parent =
            stat.rsplit(')').next().unwrap_or("").split_whitespace().nth(1).and_then(|p| p.parse().ok());
        found.extend(parent.map(|parent| (process, parent)));
    }
    found
}

/// Every file below a folder with its MD5, by its path.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs_err::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert(name, md5(&path));
            }
        }
    }
    files
}

pub fn md5(path: &Path) -> String {
    hex::encode(Md5::digest(fs_err::read(path).unwrap()))
}

pub fn describe(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n--- stdout\n{out}\n--- stderr\n{err}", output.status)
}

/// Runs a tool, which must succeed; returns its stdout.
pub fn tool(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", describe(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The real packager.
pub fn packager() -> PathBuf {
    std::env::var_os("REELFARM_PACKAGER").map(PathBuf::from).unwrap_or_else(|| {
        let installed = repository().join(".tools/bin/packager");
        if installed.exists() { installed } else { "packager".into() }
    })
}

//! The media process as its parent sees it: one that hangs, dies, fails or is no longer wanted.
//!
//! A shell script stands in for our own executable; what it does is the shell text in the file that the request names
//! as its source.
// Helpers of tests, not only the tests themselves, may unwrap.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use reelfarm_media::child::Request;
use reelfarm_model::{Code, Failure, Progress};
use reelfarm_workers::MediaProcess;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// Longer than anything here takes on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);

/// Silence that is long for a script that has something to say at once.
const HANG_AFTER: Duration = Duration::from_secs(1);

const PROGRESS: &str = r#"echo '{"progress":{"fraction":0.5,"frames_per_second":25.0,"speed":1.0}}'"#;

/// Written once, before any test starts a process: one that is just being started would inherit the open file, and an
/// executable that is open for writing cannot be started.
static STAND_IN: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stand-in");
    let script = r#"#!/bin/sh
request=$(cat)
source=${request#*'"path":"'}
. "${source%%'"'*}"
"#;
    fs_err::write(&path, script).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
});

/// A stand-in that does what a script says.
struct StandIn {
    folder: TempDir,
    process: MediaProcess,
}

impl StandIn {
    fn new(script: &str, hang_after: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own_id = format!("echo $$ > {}\n", folder.path().join("pid").display());
        fs_err::write(folder.path().join("script"), own_id + script).unwrap();
        let process = MediaProcess { executable: STAND_IN.1.clone(), hang_after, memory_bytes: 1 << 30 };
        Self { folder, process }
    }

    async fn run(&self, on_progress: impl Fn(Progress)) -> Result<serde_json::Value, Failure> {
        let request = Request::Measure { path: self.folder.path().join("script") };
        tokio::time::timeout(PATIENCE, self.process.run(&request, on_progress)).await.unwrap()
    }

    /// The script's process, once it has said something.
    fn pid(&self) -> Pid {
        let text = fs_err::read_to_string(self.folder.path().join("pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    fn is_gone(&self) -> bool {
        rustix::process::test_kill_process(self.pid()) == Err(rustix::io::Errno::SRCH)
    }
}

#[tokio::test]
async fn a_process_that_falls_silent_is_killed_as_hung() {
    let (sender, mut reports) = mpsc::unbounded_channel();
    // It neither ends nor sleeps: processor time is no sign of life.
    let stand_in = StandIn::new(&format!("echo stuck >&2\n{PROGRESS}\nwhile :; do :; done"), HANG_AFTER);
    let failure = stand_in.run(|progress| sender.send(progress.fraction).unwrap()).await.unwrap_err();
    assert_eq!((failure.code, failure.log.as_str()), (Code::EncodeHung, "stuck"));
    assert_eq!((reports.try_recv(), reports.try_recv().is_err()), (Ok(0.5), true));
    assert!(stand_in.is_gone());
}

#[tokio::test]
async fn a_process_that_closes_its_output_and_lives_on_is_killed_as_hung() {
    let stand_in = StandIn::new("exec >&-\nwhile :; do :; done", HANG_AFTER);
    assert_eq!(stand_in.run(|_| ()).await.unwrap_err().code, Code::EncodeHung);
    assert!(stand_in.is_gone());
}

#[tokio::test]
async fn a_process_that_dies_without_an_answer_is_told_with_its_last_words() {
    for script in ["echo 'out of cheese' >&2\nkill -SEGV $$", "echo 'out of cheese' >&2\nexit 0"] {
        let stand_in = StandIn::new(script, PATIENCE);
        let failure = stand_in.run(|_| ()).await.unwrap_err();
        assert_eq!((failure.code, failure.log.as_str()), (Code::EncodeCrashed, "out of cheese"), "{script}");
    }
}

#[tokio::test]
async fn a_failure_keeps_its_code_and_its_log() {
    let told = Failure::new(Code::QcUnreadable, "no media file").with_log("moov atom not found");
    let line = serde_json::json!({ "failure": told });
    let stand_in = StandIn::new(&format!("echo noise >&2\necho '{line}'\nexit 1"), PATIENCE);
    assert_eq!(stand_in.run(|_| ()).await, Err(told));
}

#[tokio::test]
async fn a_failure_without_a_log_gets_what_the_process_wrote() {
    let told = Failure::new(Code::QcUnreadable, "no media file");
    let line = serde_json::json!({ "failure": told });
    let stand_in = StandIn::new(&format!("echo noise >&2\necho '{line}'"), PATIENCE);
    assert_eq!(stand_in.run(|_| ()).await, Err(told.with_log("noise")));
}

#[tokio::test]
async fn a_result_comes_after_the_progress() {
    let (sender, mut reports) = mpsc::unbounded_channel();
    let stand_in = StandIn::new(&format!("{PROGRESS}\n{PROGRESS}\necho '{{\"result\":[1,2]}}'"), PATIENCE);
    let result = stand_in.run(|progress| sender.send(progress.speed).unwrap()).await;
    assert_eq!(result, Ok(serde_json::json!([1, 2])));
    drop(sender);
    assert_eq!(
        (reports.recv().await, reports.recv().await, reports.recv().await),
        (Some(1.0), Some(1.0), None)
    );
}

#[tokio::test]
async fn a_process_dies_when_nobody_waits_for_it() {
    let (sender, mut reports) = mpsc::unbounded_channel();
    let stand_in = StandIn::new(&format!("{PROGRESS}\nwhile :; do :; done"), PATIENCE);
    {
        let running = stand_in.run(|_| sender.send(()).unwrap());
        tokio::select! {
            result = running => panic!("it ended: {result:?}"),
            report = reports.recv() => assert_eq!(report, Some(())),
        }
    }
    // In a thread that may be left behind: should the process live on, this waits for ever.
    let (sender, ended) = oneshot::channel();
    let process = stand_in.pid();
    std::thread::spawn(move || {
        let _ = sender.send(waitid(WaitId::Pid(process), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
    });
    match tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap() {
        Ok(status) => assert_eq!(status.unwrap().terminating_signal(), Some(Signal::KILL.as_raw())),
        // The runtime has cleared it away already.
        Err(error) => assert_eq!(error, rustix::io::Errno::CHILD),
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_gathered() {
    let stand_in = StandIn::new("head -c 80000000 /dev/zero | tr '\\0' x\nwhile :; do :; done", PATIENCE);
    let failure = stand_in.run(|_| ()).await.unwrap_err();
    assert_eq!(failure.code, Code::Internal, "{failure}");
    assert!(stand_in.is_gone());
}

#[tokio::test]
async fn what_nobody_has_checked_is_read_with_less_memory() {
    let mut stand_in = StandIn::new(r#"echo "{\"result\":$5}""#, PATIENCE);
    for (given, expected) in [(1_u64 << 30, 1_u64 << 30), (32 << 30, 8 << 30)] {
        stand_in.process.memory_bytes = given;
        assert_eq!(stand_in.run(|_| ()).await, Ok(serde_json::json!(expected)));
    }
}

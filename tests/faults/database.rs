//! The farm's database under other people's hands.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Bench, clips, describe, media_processes, wait_until};

const ARGUMENTS: [&str; 6] = ["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr"];

/// A program that holds on to the database until its standard input ends.
const HOLD: &str = "import sqlite3, sys
connection = sqlite3.connect('.reelfarm/reelfarm.db', isolation_level=None, timeout=60)
connection.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()";

/// Starts it, and waits until it holds the database.
fn hold(bench: &Bench) -> Child {
    let mut holder = Command::new("python3")
        .args(["-c", HOLD])
        .current_dir(bench.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 4];
    holder.stdout.as_mut().unwrap().read_exact(&mut held).unwrap();
    holder
}

fn let_go(mut holder: Child) {
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}

#[test]
fn a_database_that_is_locked_for_a_while_is_waited_for() {
    /// Well below the ten seconds that the farm waits.
    const A_WHILE: Duration = Duration::from_secs(3);
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 30);
    let mut farm = bench.start(ARGUMENTS);
    wait_until("the farm works", || !media_processes(farm.id()).is_empty());
    for _ in 0..3 {
        let holder = hold(&bench);
        std::thread::sleep(A_WHILE);
        let_go(holder);
    }
    assert!(farm.wait().success(), "{}", farm.log());
    for (task, outcomes) in bench.attempts("film") {
        assert_eq!(outcomes, ["completed"], "{task}");
    }
}

/// Another program that holds on to the database for longer than the farm waits for it.
#[test]
fn a_database_that_stays_locked_ends_the_call_with_its_reason_and_every_title_in_the_result() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 30);
    let mut command = bench.reelfarm(ARGUMENTS.into_iter().chain(["--json"]));
    let farm = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the farm works", || !media_processes(farm.id()).is_empty());
    let holder = hold(&bench);
    let output = farm.wait_with_output().unwrap();
    let_go(holder);
    assert_eq!(output.status.code(), Some(5), "{}", describe(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RF-STO-001"), "{}", describe(&output));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["titles"][0]["title"], "film", "{result}");
    assert!(bench.output(ARGUMENTS).status.success(), "the same command goes on");
}

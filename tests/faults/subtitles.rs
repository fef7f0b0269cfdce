//! Files of subtitles that are no files, that change or go, and farms that are stopped with them in hand.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Bench, Running, clips, describe, media_processes, tree, wait_until};

const SRT: &str = "1\n00:00:00,400 --> 00:00:01,200\nHello\n";
const ARGUMENTS: [&str; 6] = ["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,ts-clr-4s"];

fn bench(seconds: u32) -> Bench {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), seconds);
    fs_err::write(bench.path("film.en.srt"), SRT).unwrap();
    bench
}

/// A farm whose film is being measured: its files of subtitles have been submitted and are not yet made.
fn measuring(bench: &Bench) -> Running {
    let farm = bench.start(ARGUMENTS);
    wait_until("the film is being measured", || !media_processes(farm.id()).is_empty());
    farm
}

/// A farm that encodes: its subtitles are made.
fn encoding(bench: &Bench) -> Running {
    let farm = bench.start(ARGUMENTS);
    wait_until("the film is being encoded", || {
        let tasks = tasks(bench);
        tasks.iter().any(|(label, state)| label.starts_with("encode-video") && state == "running")
    });
    farm
}

/// The labels and states of the film's tasks, as far as there are any.
fn tasks(bench: &Bench) -> Vec<(String, String)> {
    let output = bench.output(["status", "film", "--json"]);
    let Ok(status) = serde_json::from_slice::<Value>(&output.stdout) else { return Vec::new() };
    let tasks = status["tasks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tasks.iter().map(|task| (text(&task["label"]), text(&task["state"]))).collect()
}

fn nothing_was_encoded(bench: &Bench) {
    assert!(!tasks(bench).iter().any(|(label, _)| label.starts_with("encode")), "{:?}", tasks(bench));
    assert!(tree(&bench.origin()).is_empty(), "nothing is at the origin");
}

fn languages(bench: &Bench) -> Vec<String> {
    let index = bench.index("film");
    let subtitles = index["profiles"][0]["subtitles"].as_array().cloned().unwrap_or_default();
    subtitles.iter().map(|track| track["language"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pipe_called_like_subtitles_is_refused_and_not_waited_for() {
    let bench = bench(3);
    fs_err::remove_file(bench.path("film.en.srt")).unwrap();
    assert!(Command::new("mkfifo").arg(bench.path("film.en.srt")).status().unwrap().success());
    for verb in ["run", "qc"] {
        let output = bench.output(["--log", "warn", verb, "film.mp4"]);
        assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains("RF-SUB-002") && words.contains("a pipe"), "{words}");
    }
}

/// Holds a lease on a file, so that whoever opens it waits, as at a share that hangs. It prints a line once it holds it, and
/// one when somebody waits.
fn hold(file: &Path) -> Child {
    let script = "import fcntl, os, signal, sys\n\
        signal.signal(signal.SIGIO, lambda *_: print('waited for', flush=True))\n\
        fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
        print('held', flush=True)\n\
        sys.stdin.read()";
    let mut holder = Command::new("python3");
    holder.args(["-c", script]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    holder.spawn().unwrap()
}

#[test]
fn a_farm_that_waits_for_a_file_that_hangs_ends_at_a_signal() {
    let bench = bench(3);
    let mut holder = hold(&bench.path("film.en.srt"));
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "held");
    let mut farm = bench.start(ARGUMENTS);
    assert_eq!(lines.next().unwrap().unwrap(), "waited for");
    farm.signal(Signal::TERM);
    wait_until("the farm ends", || farm.ended().is_some());
    assert_eq!(farm.wait().code(), Some(143), "{}", farm.log());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert!(bench.output(ARGUMENTS).status.success(), "the same command goes on");
}

#[test]
fn subtitles_that_change_or_go_after_the_submission_fail_the_title_before_anything_is_encoded() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("RF-SRC-001", |file| fs_err::remove_file(file).unwrap()),
        ("RF-SRC-002", |file| {
            fs_err::remove_file(file).unwrap();
            fs_err::create_dir(file).unwrap();
        }),
        ("RF-SRC-003", |file| fs_err::write(file, "").unwrap()),
        ("RF-SRC-005", |file| fs_err::write(file, SRT.replace("Hello", "Farewell")).unwrap()),
    ];
    for (code, harm) in harms {
        let bench = bench(30);
        let mut farm = measuring(&bench);
        harm(&bench.path("film.en.srt"));
        assert!(!farm.wait().success());
        assert!(farm.log().contains(code) && farm.log().contains("film.en.srt"), "{code}: {}", farm.log());
        nothing_was_encoded(&bench);
    }
}

#[test]
fn subtitles_that_cannot_be_read_for_a_moment_are_read_again() {
    let bench = bench(30);
    let (file, aside) = (bench.path("film.en.srt"), bench.path("aside"));
    let mut farm = measuring(&bench);
    fs_err::rename(&file, &aside).unwrap();
    // A link to itself cannot be opened, whoever tries.
    fs_err::os::unix::fs::symlink(&file, &file).unwrap();
    wait_until("it was read in vain", || farm.log().contains("RF-SRC-004"));
    fs_err::rename(&aside, &file).unwrap();
    assert!(farm.wait().success(), "{}", farm.log());
    let attempts = bench.attempts("film");
    assert_eq!(attempts["subtitles film.en.srt"].last().unwrap(), "completed", "{attempts:?}");
    assert_eq!(languages(&bench), ["en"]);
}

#[test]
fn subtitles_that_do_not_fit_fail_the_title_before_anything_is_encoded_and_qc_tells_before_that() {
    let bench = bench(5);
    fs_err::write(bench.path("film.en.srt"), SRT.replace("00:00:0", "00:00:5")).unwrap();
    let output = bench.output(ARGUMENTS);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RF-SUB-003"), "{}", describe(&output));
    nothing_was_encoded(&bench);
    let output = bench.output(["qc", "film.mp4", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failure"]["code"], "RF-SUB-003");
    assert_ne!(report["verdict"], "reject", "the film itself is accepted");
    assert!(bench.output(["qc", "film.mp4", "--no-subtitles"]).status.success());
}

#[test]
fn a_farm_that_is_killed_makes_no_subtitles_twice() {
    let bench = bench(30);
    let mut farm = encoding(&bench);
    farm.signal(Signal::KILL);
    farm.wait();
    let before = bench.attempts("film");
    assert_eq!(before["subtitles film.en.srt"], ["completed"]);
    assert!(bench.output(ARGUMENTS).status.success());
    assert_eq!(bench.attempts("film")["subtitles film.en.srt"], ["completed"]);
    assert_eq!(languages(&bench), ["en"]);
}

#[test]
fn an_unfinished_title_keeps_the_subtitles_that_were_made_of_a_file_that_is_gone() {
    let bench = bench(30);
    let mut farm = encoding(&bench);
    farm.signal(Signal::KILL);
    farm.wait();
    fs_err::remove_file(bench.path("film.en.srt")).unwrap();
    clips::film(&bench.path("other.mp4"), 3);
    let output = bench.output(["run", "other.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s"]);
    assert!(output.status.success(), "{}", describe(&output));
    assert_eq!(languages(&bench), ["en"], "as it was asked for");
    // Asked for anew, it is what lies there now.
    assert!(bench.output(ARGUMENTS).status.success());
    assert!(languages(&bench).is_empty());
}

#[test]
fn an_unfinished_title_whose_subtitles_are_gone_before_they_were_read_fails_alone() {
    let bench = bench(30);
    let mut farm = measuring(&bench);
    farm.signal(Signal::KILL);
    farm.wait();
    fs_err::remove_file(bench.path("film.en.srt")).unwrap();
    clips::film(&bench.path("other.mp4"), 3);
    let arguments = ["run", "other.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s", "--json"];
    let output = bench.output(arguments);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<_> =
        result["titles"].as_array().unwrap().iter().map(|title| (&title["title"], &title["state"])).collect();
    assert_eq!(states, [(&"other".into(), &"published".into()), (&"film".into(), &"failed".into())]);
    assert_eq!(result["titles"][1]["failure"]["code"], "RF-SRC-001", "{}", describe(&output));
    assert!(!bench.origin().join("film").exists(), "nothing of it is at the origin");
}

#[test]
fn two_tracks_of_equal_bytes_are_made_once_and_both_published() {
    let bench = bench(3);
    fs_err::copy(bench.path("film.en.srt"), bench.path("film.en.sdh.srt")).unwrap();
    fs_err::copy(bench.path("film.en.srt"), bench.path("film.de.srt")).unwrap();
    assert!(bench.output(ARGUMENTS).status.success());
    assert_eq!(languages(&bench), ["de", "en", "en"]);
    let made: Vec<_> =
        tasks(&bench).into_iter().filter(|(label, _)| label.starts_with("subtitles ")).collect();
    assert_eq!(made.len(), 1, "{made:?}");
}

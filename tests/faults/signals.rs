//! Ctrl-C and SIGTERM.

use rustix::process::Signal;

use crate::support::{Bench, clips, is_alive, media_processes, tree, wait_until};

const ARGUMENTS: [&str; 6] = ["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr"];

fn stopped_by(signal: Signal, exit: i32) {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 60);
    let mut farm = bench.start(ARGUMENTS);
    let mut media = Vec::new();
    wait_until("a media process works", || {
        media = media_processes(farm.id());
        !media.is_empty()
    });
    farm.signal(signal);
    assert_eq!(farm.wait().code(), Some(exit), "{}", farm.log());
    wait_until("no child outlives the farm", || media.iter().all(|child| !is_alive(*child)));
    assert!(!bench.origin().join("film").exists(), "nothing half-made is at the origin");
    assert!(farm.log().contains("Run the same command again"), "{}", farm.log());
    for (label, outcomes) in bench.attempts("film") {
        assert!(!outcomes.contains(&"open".to_owned()), "{label} still looks under way: {outcomes:?}");
        assert!(!outcomes.contains(&"failed".to_owned()), "{label} was counted as failed: {outcomes:?}");
    }
    assert!(bench.output(ARGUMENTS).status.success(), "the same command goes on");
    assert!(tree(&bench.origin()).contains_key("film/index.json"));
}

#[test]
fn ctrl_c_ends_cleanly_and_the_same_command_goes_on() {
    stopped_by(Signal::INT, 130);
}

#[test]
fn sigterm_ends_cleanly_and_the_same_command_goes_on() {
    stopped_by(Signal::TERM, 143);
}

#[test]
fn a_second_farm_on_the_same_state_is_refused_and_the_first_goes_on() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 30);
    let mut farm = bench.start(ARGUMENTS);
    wait_until("the first farm works", || !media_processes(farm.id()).is_empty());
    let second = bench.output(ARGUMENTS);
    assert_eq!(second.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&second.stderr).contains("RF-STO-002"));
    // Reading is allowed meanwhile.
    assert!(bench.output(["list"]).status.success());
    assert!(bench.output(["status", "film"]).status.success());
    assert!(farm.wait().success(), "{}", farm.log());
}

#[test]
fn a_media_process_that_is_killed_costs_an_attempt_and_no_title() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 30);
    let mut farm = bench.start(ARGUMENTS);
    let mut media = Vec::new();
    wait_until("a media process works", || {
        media = media_processes(farm.id());
        !media.is_empty()
    });
    let victim = rustix::process::Pid::from_raw(i32::try_from(media[0]).unwrap()).unwrap();
    rustix::process::kill_process(victim, Signal::KILL).unwrap();
    assert!(farm.wait().success(), "{}", farm.log());
    let attempts = bench.attempts("film");
    let failed: Vec<_> =
        attempts.iter().filter(|(_, outcomes)| outcomes.contains(&"failed".to_owned())).collect();
    assert_eq!(failed.len(), 1, "{attempts:?}");
    assert_eq!(failed[0].1.as_slice(), ["failed", "completed"]);
}

//! A film that QC leaves to a person, in a farm of one process.

use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Bench, clips, describe, media_processes, wait_until};

/// A farm that asks in which language films are, and a film that does not say.
fn bench() -> Bench {
    let bench = Bench::new();
    fs_err::write(bench.path("reelfarm.toml"), "qc_policy = \"qc.toml\"\n").unwrap();
    fs_err::write(bench.path("qc.toml"), clips::policy_that_asks()).unwrap();
    clips::film_of_no_language(&bench.path("film.mp4"), 3);
    bench
}

fn run(bench: &Bench, arguments: &[&str]) -> Output {
    bench.output([&["run"], arguments, &["--ladder", "fast", "--profiles", "mp4-clr"]].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_film_that_somebody_has_to_look_at_is_made_once_it_is_approved() {
    let bench = bench();
    let asked = run(&bench, &["film.mp4"]);
    assert_eq!(asked.status.code(), Some(1), "{}", describe(&asked));
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "film  review\n");
    assert!(said(&asked).contains("  look at audio language: "), "{}", said(&asked));
    let answer = "  then reelfarm approve film, or reelfarm reject film --why TEXT";
    assert!(said(&asked).contains(answer), "{}", said(&asked));
    assert!(!bench.origin().join("film").exists(), "nothing was made of it");
    // It waits beside others, and does not make their run a failed one.
    clips::film(&bench.path("other.mp4"), 3);
    let other = run(&bench, &["other.mp4", "--json"]);
    assert!(other.status.success(), "{}", describe(&other));
    assert!(said(&other).contains("film of an earlier run waits for a person"), "{}", said(&other));
    // Asked again it waits on.
    let again = run(&bench, &["film.mp4", "--json"]);
    let result: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((again.status.code(), &result["titles"][0]["state"]), (Some(1), &"review".into()));
    let findings = result["titles"][0]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["verdict"] == "human"), "{result:#}");

    let status = bench.output(["status", "film"]);
    let shown = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(shown.starts_with("film  review\n") && shown.contains("QC asks about audio language"), "{shown}");
    assert!(shown.contains("then   reelfarm approve film --asked-ms "), "{shown}");
    let approved = bench.output(["approve", "film", "--why", "it is in Basque"]);
    assert!(approved.status.success(), "{}", describe(&approved));
    assert_eq!(String::from_utf8_lossy(&approved.stdout), "film  approved, now checking\n");
    let made = run(&bench, &["film.mp4"]);
    assert!(made.status.success(), "{}", describe(&made));
    assert!(bench.origin().join("film/index.json").exists());
    let outcomes = bench.attempts("film");
    assert_eq!(
        (outcomes["qc"].as_slice(), outcomes.contains_key("encode-video")),
        (&["completed".to_owned()][..], true)
    );
    let reviews = bench.json(["reviews", "--json"]);
    assert_eq!((reviews.as_array().unwrap().len(), &reviews[0]["decision"]), (1, &"approved".into()));
    let refused = bench.output(["reject", "film", "--why", "too late"]);
    assert_eq!(refused.status.code(), Some(4), "{}", describe(&refused));
    assert!(said(&refused).contains("RF-TTL-004"), "{}", said(&refused));
}

#[test]
fn a_film_that_was_rejected_stays_so_until_the_policy_changes() {
    let bench = bench();
    let state = ["--state", "my state"];
    let film = ["film.mp4", "--state", "my state"];
    let asked = run(&bench, &film);
    assert!(said(&asked).contains("reelfarm reject film --state 'my state' --why TEXT"), "{}", said(&asked));
    assert_eq!(bench.output(["reject", "film", "--why", "no"]).status.code(), Some(3), "not in this folder");
    assert!(!bench.path(".reelfarm").exists());
    let words = ["reject", "film", "--why", "nobody knows it"];
    let rejected = bench.output([&words[..], &state].concat());
    assert!(rejected.status.success(), "{}", describe(&rejected));
    assert_eq!(String::from_utf8_lossy(&rejected.stdout), "film  rejected\n");
    for _ in 0..2 {
        let again = run(&bench, &film);
        assert_eq!(again.status.code(), Some(1), "{}", describe(&again));
        assert!(said(&again).contains("rejected it: nobody knows it"), "{}", said(&again));
        assert!(said(&again).contains("RF-TTL-007"), "{}", said(&again));
    }
    let changed = format!("# another version\n{}", clips::policy_that_asks());
    fs_err::write(bench.path("qc.toml"), changed).unwrap();
    let asked = run(&bench, &film);
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "film  review\n", "{}", describe(&asked));
    // With the language, and under the farm's own policy, there is nothing to ask.
    let named = run(&bench, &[&film[..], &["--audio-lang", "eu"]].concat());
    assert!(named.status.success(), "{}", describe(&named));
}

#[test]
fn nobody_decides_beside_a_farm_that_works_in_the_folder() {
    let bench = bench();
    assert_eq!(run(&bench, &["film.mp4"]).status.code(), Some(1));
    clips::film(&bench.path("long.mp4"), 60);
    let mut farm = bench.start(["run", "long.mp4", "--profiles", "mp4-clr"]);
    wait_until("the farm works", || !media_processes(farm.id()).is_empty() || farm.ended().is_some());
    let refused = bench.output(["approve", "film"]);
    assert_eq!(refused.status.code(), Some(5), "{}", describe(&refused));
    assert!(said(&refused).contains("RF-STO-002"), "{}", said(&refused));
    farm.signal(Signal::KILL);
    farm.wait();
    assert!(bench.output(["approve", "film"]).status.success());
}

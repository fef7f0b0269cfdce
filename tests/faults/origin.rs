//! Origins that cannot be written, or fill up.

use std::process::Command;

use crate::support::{Bench, clips, describe, tree};

#[test]
fn an_origin_that_cannot_be_made_is_named_before_anything_is_encoded() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    fs_err::write(bench.path("afile"), b"").unwrap();
    // Below a file there can be no folder, for root neither.
    let output = bench.output(["run", "film.mp4", "--ladder", "fast", "--origin", "afile/origin"]);
    assert_eq!(output.status.code(), Some(5), "{}", describe(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RF-ORG-001"), "{}", describe(&output));
    assert!(!bench.path(".reelfarm").exists(), "nothing was started");
}

#[test]
fn an_origin_that_fills_up_fails_the_title_and_keeps_nothing_of_it() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 8);
    fs_err::create_dir(bench.origin()).unwrap();
    let run = bench.reelfarm(["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr"]);
    // A real file system that is really full: small, in memory, seen by this command alone.
    let script =
        "mount -t tmpfs -o size=300k tmpfs origin && \"$@\"; code=$?; find origin -type f; exit $code";
    let mut small = Command::new("unshare");
    small
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    small.current_dir(bench.path("."));
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => small.env(name, value),
            None => small.env_remove(name),
        };
    }
    let output = small.output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", describe(&output));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("RF-ORG-002"), "{words}");
    let left = String::from_utf8_lossy(&output.stdout);
    assert!(!left.contains("origin/film/"), "left at the origin: {left}");

    // With room, the same command finishes, and encodes nothing again.
    let encodes = bench.attempts("film")["encode-video"].clone();
    assert!(
        bench
            .output(["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr"])
            .status
            .success()
    );
    assert_eq!(bench.attempts("film")["encode-video"], encodes);
    assert!(tree(&bench.origin()).contains_key("film/index.json"));
}

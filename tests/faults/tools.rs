//! Tools that are missing or broken, and a source that changes.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Bench, clips, describe, media_processes, tree, wait_until};

#[test]
fn a_missing_packager_is_named_before_anything_is_encoded() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    let output = bench
        .reelfarm(["run", "film.mp4", "--ladder", "fast"])
        .env("REELFARM_PACKAGER", bench.path("nosuch"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("RF-PKG-001") && words.contains("nosuch"), "{words}");
    assert_eq!(tree(&bench.origin()).len(), 0);
}

#[test]
fn a_packager_that_makes_nothing_and_says_all_is_well_is_not_believed() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    let liar = bench.path("packager");
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'packager version v3.8.0-liar'\nexit 0\n";
    fs_err::write(&liar, script).unwrap();
    fs_err::set_permissions(&liar, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = bench
        .reelfarm(["run", "film.mp4", "--ladder", "fast", "--profiles", "dash-clr-2s"])
        .env("REELFARM_PACKAGER", &liar)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    assert_eq!(tree(&bench.origin()).len(), 0, "nothing reaches the origin");
}

#[test]
fn a_source_that_changes_while_it_is_worked_on_is_refused() {
    let bench = Bench::new();
    let film = clips::film(&bench.path("film.mp4"), 60);
    let mut farm = bench.start(["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"]);
    wait_until("the film is being read", || !media_processes(farm.id()).is_empty());
    let mut file = fs_err::OpenOptions::new().append(true).open(film).unwrap();
    std::io::Write::write_all(&mut file, b"more").unwrap();
    assert_eq!(farm.wait().code(), Some(1), "{}", farm.log());
    assert!(farm.log().contains("RF-SRC-005"), "{}", farm.log());
    assert_eq!(tree(&bench.origin()).len(), 0);
}

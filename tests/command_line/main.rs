//! The command line as scripts and people see it: texts and JSON that a person reviews.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::{Bench, clips, describe};

fn text(arguments: &[&str]) -> String {
    let bench = Bench::new();
    let output = bench.output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", describe(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_lists_the_verbs() {
    insta::assert_snapshot!(text(&["--help"]));
}

#[test]
fn help_of_run_lists_its_flags() {
    insta::assert_snapshot!(text(&["run", "--help"]));
}

#[test]
fn profiles_are_listed() {
    insta::assert_snapshot!(text(&["profiles"]));
    let json: Value = serde_json::from_str(&text(&["profiles", "--json"])).unwrap();
    insta::assert_json_snapshot!(json[0]);
}

#[test]
fn ladders_are_listed_and_shown() {
    insta::assert_snapshot!(text(&["ladders"]));
    insta::assert_snapshot!(text(&["ladders", "default"]));
}

#[test]
fn every_code_is_listed_and_explained() {
    insta::assert_snapshot!(text(&["explain"]));
    assert!(text(&["explain", "rf-qc-004"]).starts_with("# RF-QC-004: "));
    assert_eq!(Bench::new().output(["explain", "RF-QC-999"]).status.code(), Some(3));
}

#[test]
fn a_day_is_simulated_without_a_farm() {
    insta::assert_snapshot!(text(&["sim"]));
    insta::assert_snapshot!(text(&["sim", "small-farm", "--policy", "ours,fifo", "--timeline"]));
    let json: Value =
        serde_json::from_str(&text(&["sim", "small-farm", "--policy", "ours", "--json"])).unwrap();
    insta::assert_json_snapshot!(json["policies"][0]["kinds"]["catch-up"]);
    let bench = Bench::new();
    for (arguments, code, word) in [
        (&["sim", "nothing"][..], 2, "RF-CFG-004"),
        (&["sim", "none.toml"], 2, "RF-CFG-009"),
        (&["sim", "small-farm", "--rules", "none.toml"], 2, "RF-CFG-008"),
        (&["sim", "small-farm", "--policy", "best"], 2, "static-inflated"),
        (&["sim", "small-farm", "--scale", "0"], 2, "--scale"),
    ] {
        let output = bench.output(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", describe(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{}", describe(&output));
    }
}

#[test]
fn completions_are_there_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&["completions", shell]).contains("reelfarm"), "{shell}");
    }
}

#[test]
fn doctor_finds_the_tools_here_and_names_what_is_missing() {
    let bench = Bench::new();
    let good = bench.output(["doctor"]);
    assert!(good.status.success(), "{}", describe(&good));
    let bad = bench.reelfarm(["doctor"]).env("REELFARM_PACKAGER", "/nosuch/packager").output().unwrap();
    assert_eq!(bad.status.code(), Some(1));
    let words = String::from_utf8_lossy(&bad.stdout);
    assert!(words.contains("MISSING") && words.contains("scripts/setup"), "{words}");
}

#[test]
fn a_farm_that_never_ran_has_no_titles() {
    let bench = Bench::new();
    let list = bench.output(["list"]);
    assert!(list.status.success() && list.stdout.is_empty(), "{}", describe(&list));
    assert_eq!(bench.json(["list", "--json"]), serde_json::json!([]));
    let status = bench.output(["status", "film"]);
    assert_eq!(status.status.code(), Some(3), "{}", describe(&status));
}

#[test]
fn the_result_of_a_run_is_stable_json_on_stdout_and_nothing_else() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    fs_err::write(bench.path("bad.mp4"), b"no film at all").unwrap();
    let output =
        bench.output(["run", "film.mp4", "bad.mp4", "--ladder", "fast", "--profiles", "mp4-clr", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let folder = bench.path("").canonicalize().unwrap().to_string_lossy().trim_end_matches('/').to_owned();
    let stdout = String::from_utf8(output.stdout).unwrap().replace(&folder, "[folder]");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    insta::assert_json_snapshot!(result);

    let index = bench.index("film");
    let fields: Vec<_> = index.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["files", "profiles", "schema", "source", "title"]);
    insta::assert_json_snapshot!(index["profiles"][0], {
        ".manifest" => "[media path]/progressive.mp4",
        ".media_path" => "[media path]",
        ".verification" => "[artifact key]",
    });
}

#[test]
fn status_tells_what_was_done() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    bench.json(["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr", "--json"]);
    let output = bench.output(["status", "film"]);
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(words.starts_with("film  published"), "{words}");
    for step in
        ["fingerprint", "qc", "encode-video", "encode-audio", "package", "verify", "upload", "publish"]
    {
        assert!(words.contains(step), "{step}: {words}");
    }
    let list = bench.output(["list"]);
    assert!(String::from_utf8_lossy(&list.stdout).starts_with("film "), "{}", describe(&list));
}

#[test]
fn plain_lines_carry_no_escape_codes() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 3);
    let output = bench.output(["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr"]);
    let all = [output.stdout, output.stderr].concat();
    assert!(!all.contains(&0x1b), "{}", String::from_utf8_lossy(&all));
}

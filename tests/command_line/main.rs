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
fn help_of_qc_lists_its_flags() {
    insta::assert_snapshot!(text(&["qc", "--help"]));
}

#[test]
fn help_of_report_lists_its_flags() {
    insta::assert_snapshot!(text(&["report", "--help"]));
}

#[test]
fn what_is_no_measurements_is_not_judged_again() {
    let bench = Bench::new();
    fs_err::write(bench.path("film.mp4"), b"no film at all").unwrap();
    fs_err::write(bench.path("other.json"), "{}").unwrap();
    fs_err::write(bench.path("new.json"), r#"{"schema":99,"source":"film.mp4","measurements":{}}"#).unwrap();
    for (arguments, code, word) in [
        (&["qc"][..], 2, "FILE"),
        (&["qc", "film.mp4", "--replay", "new.json"], 2, "cannot be used with"),
        (&["qc", "--replay", "none.json"], 3, "there are no measurements at none.json"),
        (&["qc", "--replay", "film.mp4"], 2, "film.mp4 holds no measurements"),
        (&["qc", "--replay", "other.json"], 2, "other.json holds no measurements"),
        (&["qc", "--replay", "new.json"], 2, "schema 99, newer than this reelfarm's 1"),
        (&["qc", "--replay", "new.json", "--report", "new.json"], 2, "would be overwritten"),
        (&["qc", "film.mp4", "--report", "film.mp4"], 2, "would be overwritten"),
        (&["qc", "film.mp4", "--report", "none/r.html"], 2, "none/r.html cannot be written"),
    ] {
        let output = bench.output(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", describe(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{}", describe(&output));
        assert!(output.stdout.is_empty(), "{}", describe(&output));
    }
    assert_eq!(fs_err::read(bench.path("film.mp4")).unwrap(), b"no film at all");
}

#[test]
fn help_of_the_verbs_for_those_who_decide() {
    for verb in ["approve", "reject", "reviews"] {
        insta::assert_snapshot!(text(&[verb, "--help"]));
    }
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
fn policies_are_listed_and_shown() {
    insta::assert_snapshot!(text(&["policies"]));
    let shown = Bench::new().output(["policies", "a85"]);
    assert!(shown.status.success(), "{}", describe(&shown));
    assert_eq!(shown.stdout, fs_err::read(support::repository().join("ladders/qc-a85.toml")).unwrap());
    let beside = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert_eq!(beside, "all else is as in ladders/qc.toml\n");
}

#[test]
fn a_policy_is_refused_with_the_file_and_line_to_mend() {
    let bench = Bench::new();
    fs_err::create_dir_all(bench.path("house")).unwrap();
    fs_err::write(bench.path("house/ads.toml"), "name = \"ads\"\nbase = \"all.toml\"\n").unwrap();
    fs_err::write(bench.path("house/all.toml"), "name = \"all\"\nbase = \"default\"\n[blak]\n").unwrap();
    fs_err::write(bench.path("circle.toml"), "name = \"circle\"\nbase = \"circle.toml\"\n").unwrap();
    for (name, word) in [
        ("house/ads.toml", "house/all.toml, line 3: unknown field `blak`"),
        ("circle.toml", "circle.toml, line 2: the base \"circle.toml\" is this policy"),
        ("none.toml", "none.toml"),
        ("a58", "no QC policy is called \"a58\"; there are default, broadcast, a85, streaming"),
    ] {
        let output = bench.output(["policies", name]);
        assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{}", describe(&output));
    }
    let settings = "[qc_policies]\nads = \"a85\"\n";
    fs_err::write(bench.path("reelfarm.toml"), settings).unwrap();
    let output = bench.output(["qc", "film.mp4"]);
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    let word = "no route is called ads; the rules of order have main";
    assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{}", describe(&output));
}

#[test]
fn a_film_is_judged_by_the_policy_of_its_route_or_by_any_other() {
    let bench = Bench::new();
    clips::film_of_no_language(&bench.path("film.mp4"), 3);
    let order = fs_err::read_to_string(support::repository().join("ladders/order.toml")).unwrap();
    let kinds = order.split("[[route]]").next().unwrap();
    let route = |name: &str| format!("[[route]]\nname = \"{name}\"\nshare_percent = 50\n");
    fs_err::write(bench.path("order.toml"), format!("{kinds}{}{}", route("main"), route("ads"))).unwrap();
    let ads = "name = \"ads\"\nbase = \"default\"\naudio.missing_language_verdict = \"reject\"\n";
    fs_err::write(bench.path("ads.toml"), ads).unwrap();
    let settings = "order = \"order.toml\"\n[qc_policies]\nads = \"ads.toml\"\n";
    fs_err::write(bench.path("reelfarm.toml"), settings).unwrap();
    let measured = bench.output(["qc", "film.mp4", "--measurements", "film.json"]);
    assert!(measured.status.success(), "{}", describe(&measured));
    for (arguments, policy, code) in [
        (&[][..], "default", 0),
        (&["--route", "main"], "default", 0),
        (&["--route", "ads"], "ads", 1),
        (&["--policy", "ads.toml"], "ads", 1),
        (&["--policy", "a85"], "a85", 0),
        (&["--policy", "default", "--route", "ads"], "default", 0),
    ] {
        let output = bench.output([&["qc", "--replay", "film.json", "--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}", describe(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["policy"], policy, "{arguments:?}");
    }
    let unknown = bench.output(["qc", "--replay", "film.json", "--route", "nowhere"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", describe(&unknown));
    let rejected = bench.output(["run", "film.mp4", "--route", "ads", "--ladder", "fast", "--json"]);
    assert_eq!(rejected.status.code(), Some(1), "{}", describe(&rejected));
    let result: Value = serde_json::from_slice(&rejected.stdout).unwrap();
    assert_eq!(result["titles"][0]["state"], "rejected", "{result:#}");
    assert_eq!(result["titles"][0]["failure"]["code"], "RF-QC-009", "{result:#}");
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
    for arguments in [&["status", "film"][..], &["approve", "film"], &["reject", "film", "--why", "no"]] {
        let unknown = bench.output(arguments);
        assert_eq!(unknown.status.code(), Some(3), "{}", describe(&unknown));
    }
    assert_eq!(bench.json(["reviews", "--json"]), serde_json::json!([]));
    assert!(!bench.path(".reelfarm").exists(), "who looks makes nothing");
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

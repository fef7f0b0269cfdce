//! What is delivered with a film: its checksum beside it, and a QC report that was made elsewhere.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Bench, clips, describe, tool};

fn bench() -> (Bench, PathBuf) {
    let bench = Bench::new();
    let film = clips::film(&bench.path("film.mp4"), 3);
    (bench, film)
}

fn run(bench: &Bench, arguments: &[&str]) -> Output {
    bench.output([&["run", "film.mp4"], arguments, &["--ladder", "fast", "--profiles", "mp4-clr"]].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a tool of this system makes of the film: a line of digits and the film's name.
fn sum(bench: &Bench, tool_name: &str) -> String {
    tool(Command::new(tool_name).arg("film.mp4").current_dir(bench.path("")))
}

/// The digits alone.
fn digits(bench: &Bench, tool_name: &str) -> String {
    sum(bench, tool_name).split_whitespace().next().unwrap().to_owned()
}

fn refused(output: &Output, code: &str, reason: &str) {
    assert_ne!(output.status.code(), Some(0), "{}", describe(output));
    assert!(said(output).contains(code) && said(output).contains(reason), "{}", describe(output));
}

/// The report on the film, written to `report.json`.
fn report(bench: &Bench, film: &str) -> Value {
    let report = bench.json(["qc", film, "--ladder", "fast", "--json"]);
    fs_err::write(bench.path("report.json"), report.to_string()).unwrap();
    report
}

#[test]
fn a_film_with_the_checksums_of_this_systems_own_tools_is_made() {
    let (bench, _) = bench();
    fs_err::write(bench.path("film.mp4.md5"), sum(&bench, "md5sum")).unwrap();
    fs_err::write(bench.path("film.sha1"), digits(&bench, "sha1sum")).unwrap();
    let tagged = format!("SHA256 (out/film.mp4) = {}\r\n", digits(&bench, "sha256sum").to_uppercase());
    fs_err::write(bench.path("film.mp4.sha256"), tagged).unwrap();
    let checked = bench.json(["qc", "film.mp4", "--ladder", "fast", "--json"]);
    let first = &checked["checks"][0];
    assert_eq!((&first["name"], &first["verdict"]), (&"checksum".into(), &"pass".into()));
    assert_eq!(first["limit"], "that of film.mp4.md5, film.mp4.sha256, film.sha1");
    assert_eq!(checked["source_sha256"], digits(&bench, "sha256sum"));
    let made = run(&bench, &[]);
    assert!(made.status.success(), "{}", describe(&made));
    assert!(said(&made).contains("film: sha1 checksum from film.sha1"), "{}", said(&made));
    let status = bench.json(["status", "film", "--json"]);
    assert_eq!(status["title"]["report"]["checks"][0], *first);
    let words = String::from_utf8_lossy(&bench.output(["status", "film"]).stdout).into_owned();
    let line = format!("checksum md5:{} (film.mp4.md5)", digits(&bench, "md5sum"));
    assert!(words.contains(&line), "{words}");
}

#[test]
fn a_film_with_another_checksum_is_not_what_was_sent() {
    let (bench, film) = bench();
    fs_err::write(bench.path("film.mp4.md5"), sum(&bench, "md5sum")).unwrap();
    // One bit, in the middle of the picture, where nothing else may find it.
    let mut bytes = fs_err::read(&film).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&film, bytes).unwrap();
    let checked = bench.output(["qc", "film.mp4"]);
    assert_eq!(checked.status.code(), Some(1), "{}", describe(&checked));
    let table = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(table.starts_with("REJECTED: film.mp4") && table.contains("RF-QC-043"), "{table}");
    refused(&run(&bench, &[]), "RF-QC-043", "film.mp4.md5");
    let attempts = bench.attempts("film");
    assert_eq!(attempts.keys().collect::<Vec<_>>(), ["fingerprint film.mp4"], "it was not decoded");
    assert!(!bench.origin().join("film").exists());
    // With its own checksum it is judged by what is in it.
    fs_err::write(bench.path("film.mp4.md5"), sum(&bench, "md5sum")).unwrap();
    let again = bench.output(["qc", "film.mp4", "--json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["checks"][0]["verdict"], "pass", "{}", again["checks"][0]);
    let named = format!("md5:{}", "0".repeat(32));
    refused(&run(&bench, &["--checksum", &named]), "RF-QC-043", "--checksum");
}

#[test]
fn a_checksum_that_cannot_be_compared_is_told() {
    let (bench, _) = bench();
    let path = bench.path("film.mp4.md5");
    fs_err::write(&path, "a table\n").unwrap();
    for output in [bench.output(["qc", "film.mp4"]), run(&bench, &[])] {
        assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
        refused(&output, "RF-SRC-007", "film.mp4.md5: line 1: ");
    }
    fs_err::write(&path, format!("{}  another.mp4\n", "0".repeat(32))).unwrap();
    let checked = bench.output(["qc", "film.mp4", "--json"]);
    assert!(checked.status.success(), "{}", describe(&checked));
    assert!(said(&checked).contains("film.mp4.md5 is not taken"), "{}", said(&checked));
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["checks"][0]["value"], "none stated");
    for arguments in [
        &["run", "film.mp4", "other.mp4", "--checksum", "md5:0123456789abcdef0123456789abcdef"][..],
        &["run", "film.mp4", "other.mp4", "--qc-report", "report.json"],
        &["run", "film.mp4", "--checksum", "md5:012"],
    ] {
        assert_eq!(bench.output(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_report_that_was_made_where_the_film_came_from_takes_the_place_of_the_farms_own() {
    let (bench, _) = bench();
    let theirs = report(&bench, "film.mp4");
    let made = run(&bench, &["--qc-report", "report.json"]);
    assert!(made.status.success(), "{}", describe(&made));
    let attempts = bench.attempts("film");
    assert!(attempts.contains_key("encode-video") && !attempts.contains_key("qc"), "{attempts:?}");
    let title = &bench.json(["status", "film", "--json"])["title"];
    assert_eq!(title["report"]["external"], true);
    assert_eq!(
        (&title["report"]["conclusion"], &title["report"]["checks"]),
        (&theirs["conclusion"], &theirs["checks"])
    );
    let words = String::from_utf8_lossy(&bench.output(["status", "film"]).stdout).into_owned();
    assert!(words.contains("report   external, by the policy default: "), "{words}");
}

#[test]
fn a_report_on_another_file_and_what_is_no_report_are_refused() {
    let (bench, _) = bench();
    clips::film(&bench.path("other.mp4"), 2);
    report(&bench, "other.mp4");
    refused(&run(&bench, &["--qc-report", "report.json"]), "RF-QC-045", &digits(&bench, "sha256sum"));
    assert!(!bench.attempts("film").contains_key("qc"));
    let good = report(&bench, "film.mp4");
    let mut odd = good.clone();
    odd["verdict"] = "pass".into();
    odd["checks"][0]["verdict"] = "warn".into();
    let mut scaled = good.clone();
    scaled["conclusion"]["rungs"] = serde_json::json!(["720p", "360p"]);
    for (text, reason) in [
        (odd.to_string(), "the worst of its checks is warn"),
        (scaled.to_string(), "\"720p\" would have to be scaled up"),
        ("{}".to_owned(), "no QC report as `reelfarm qc FILE --json` prints it"),
    ] {
        fs_err::write(bench.path("report.json"), text).unwrap();
        let output = run(&bench, &["--qc-report", "report.json"]);
        assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
        refused(&output, "RF-QC-044", reason);
    }
}

/// A report on the right bytes may be wrong all the same.
#[test]
fn a_title_by_a_report_that_lies_fails_and_leaves_nothing_online() {
    let (bench, _) = bench();
    let good = report(&bench, "film.mp4");
    type Lie = fn(&mut Value);
    let lies: [(&str, Lie); 4] = [
        ("RF-ENC-002", |video| video["frame_count"] = 70.into()),
        ("RF-ENC-005", |video| video["frame_rate"] = 50.into()),
        ("RF-ENC-005", |video| (video["width"], video["height"]) = (1280.into(), 720.into())),
        ("RF-ENC-001", |video| video["stream"] = 7.into()),
    ];
    for (code, lie) in lies {
        let mut report = good.clone();
        lie(&mut report["conclusion"]["video"]);
        fs_err::write(bench.path("report.json"), report.to_string()).unwrap();
        refused(&run(&bench, &["--qc-report", "report.json"]), code, "film");
        assert!(!bench.origin().join("film").exists());
    }
    // The farm's own look at it makes it after all.
    let made = run(&bench, &[]);
    assert!(made.status.success(), "{}", describe(&made));
}

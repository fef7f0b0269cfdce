//! What a change costs: exactly the tasks that it touches, and the plan says so before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::ladders::TWO_RUNGS as LADDER;
use crate::support::{Bench, clips, describe, media_processes, packager, tree, wait_until};

/// In clear and encrypted, by the packager, by FFmpeg and by our own engine.
const PROFILES: &str = "dash-clr-2s,dash-wv-2s,od-clr-2s,mp4-clr";

fn run<'a>(files: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["--ladder", "ladder.toml", "--profiles", PROFILES, "--json"];
    ["run"].iter().chain(files).chain(&fixed).chain(more).copied().collect()
}

fn bench() -> Bench {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 9);
    fs_err::write(bench.path("ladder.toml"), LADDER).unwrap();
    bench
}

/// The attempts at each task that a title consists of, with what people call it.
fn tasks(bench: &Bench, title: &str) -> BTreeMap<String, (String, usize)> {
    let status = bench.json(["status", title, "--json"]);
    let task = |task: &serde_json::Value| {
        let key = task["task"]["key"].as_str().unwrap().to_owned();
        let label = task["label"].as_str().unwrap().to_owned();
        (key, (label, task["attempts"].as_array().unwrap().len()))
    };
    status["tasks"].as_array().unwrap().iter().map(task).collect()
}

/// What ran between the one and the other.
fn ran(
    before: &BTreeMap<String, (String, usize)>,
    after: &BTreeMap<String, (String, usize)>,
) -> BTreeSet<String> {
    let more = |(key, (_, attempts)): &(&String, &(String, usize))| {
        *attempts > before.get(*key).map_or(0, |(_, attempts)| *attempts)
    };
    after.iter().filter(more).map(|(_, (label, _))| part(label)).collect()
}

/// What a label names in every version of a title: the last folder of an upload is the version's.
fn part(label: &str) -> String {
    match label.strip_prefix("upload ") {
        Some(path) => format!("upload {}", path.rsplit_once('/').map_or(path, |(folder, _)| folder)),
        None => label.to_owned(),
    }
}

/// What a plan says that would run, with why.
fn planned(bench: &Bench, more: &[&str], packager: Option<&str>) -> BTreeMap<String, String> {
    let mut command = bench.reelfarm(["plan", "film", "--json"].iter().chain(more));
    if let Some(packager) = packager {
        command.env("REELFARM_PACKAGER", bench.path(packager));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tasks = plan["tasks"].as_array().unwrap().iter().filter(|task| !task["runs"].is_null());
    tasks.map(|task| (part(task["label"].as_str().unwrap()), task["runs"].to_string())).collect()
}

fn labels(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

#[test]
fn each_change_runs_what_it_touches_and_the_plan_said_so() {
    let bench = bench();
    bench.json(run(&["film.mp4"], &[]));
    let mut before = tasks(&bench, "film");
    let mut step = |what: &str, plan: &[&str], more: &[&str], packager: Option<&str>| {
        let planned = planned(&bench, plan, packager);
        assert_eq!(tasks(&bench, "film"), before, "{what}: a look changes nothing");
        let mut command = bench.reelfarm(run(&["film.mp4"], more));
        if let Some(packager) = packager {
            command.env("REELFARM_PACKAGER", bench.path(packager));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{what}: {}", describe(&output));
        let after = tasks(&bench, "film");
        let ran = ran(&before, &after);
        assert_eq!(planned.keys().cloned().collect::<BTreeSet<_>>(), ran, "{what}");
        before = after;
        planned
    };

    assert!(step("the same again", &[], &[], None).is_empty());

    let changed = LADDER.replacen("maxrate_kbps = 400", "maxrate_kbps = 350", 1);
    fs_err::write(bench.path("ladder.toml"), changed).unwrap();
    let planned = step("a rung", &["--ladder", "ladder.toml"], &[], None);
    let touched = [
        "encode-video 0 to 4 s",
        "encode-video 4 to 9 s",
        "assemble-video 240p",
        "package cmaf-cenc-2s",
        "package cmaf-clear-2s",
        "package one-clear-2s",
        "manifest dash-clr-2s",
        "manifest dash-wv-2s",
        "manifest od-clr-2s",
        "verify dash-clr-2s",
        "verify dash-wv-2s",
        "verify od-clr-2s",
        "upload media/cmaf-cenc-2s",
        "upload media/cmaf-clear-2s",
        "upload media/one-clear-2s",
        "publish",
    ];
    assert_eq!(planned.keys().cloned().collect::<BTreeSet<_>>(), labels(&touched), "a rung");
    assert!(planned["assemble-video 240p"].contains("240p: maxrate_kbps 400 → 350"), "{planned:?}");
    assert!(planned["package cmaf-clear-2s"].contains("assemble-video 240p"), "{planned:?}");

    // The same packager that calls itself another.
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'packager version v9.9.9-test' && exit\nexec '{}' \"$@\"\n",
        packager().display()
    );
    fs_err::write(bench.path("packager"), script).unwrap();
    fs_err::set_permissions(bench.path("packager"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let planned = step("another packager", &[], &[], Some("packager"));
    // From the packages on; the progressive file is FFmpeg's.
    let packaged = touched.iter().filter(|label| !label.contains("-video")).copied().collect::<Vec<_>>();
    assert_eq!(planned.keys().cloned().collect::<BTreeSet<_>>(), labels(&packaged), "another packager");
    assert!(planned["package cmaf-clear-2s"].contains("v9.9.9-test"), "{planned:?}");

    // A newer version of the master secret, which a title gets when it is told to take other keys.
    let secret = bench.path(".reelfarm/master-secret");
    let versions = format!("{}2:{}\n", fs_err::read_to_string(&secret).unwrap(), "5c".repeat(32));
    fs_err::write(&secret, versions).unwrap();
    let planned = step("other keys", &["--new-keys"], &["--new-keys"], Some("packager"));
    let touched = [
        "keys cenc",
        "package cmaf-cenc-2s",
        "manifest dash-wv-2s",
        "verify dash-wv-2s",
        "upload media/cmaf-cenc-2s",
        "publish",
    ];
    assert_eq!(planned.keys().cloned().collect::<BTreeSet<_>>(), labels(&touched), "other keys");
}

#[test]
fn the_same_advertisement_in_many_titles_is_made_once() {
    const COPIES: usize = 6;
    let bench = bench();
    let names: Vec<String> = (0..COPIES).map(|number| format!("break-{number}")).collect();
    let files: Vec<String> = names.iter().map(|name| format!("{name}.mp4")).collect();
    for file in &files {
        fs_err::copy(bench.path("film.mp4"), bench.path(file)).unwrap();
    }
    let clear = ["--profiles", "dash-clr-2s,od-clr-2s,mp4-clr", "--ladder", "ladder.toml", "--json"];
    bench.json(["run"].into_iter().chain(files.iter().map(String::as_str)).chain(clear));
    let mut attempts: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for name in &names {
        attempts.extend(tasks(&bench, name));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (label, attempts) in attempts.values() {
        *counts.entry(label.split(' ').next().unwrap()).or_default() += attempts;
    }
    let once = [("qc", 1), ("encode-video", 2), ("assemble-video", 2), ("encode-audio", 1), ("package", 3)];
    let each = [("fingerprint", COPIES), ("publish", COPIES), ("upload", 3 * COPIES)];
    let read = [("manifest", 2), ("verify", 3)];
    assert_eq!(counts, once.into_iter().chain(each).chain(read).collect());
    let online: BTreeSet<_> =
        names.iter().map(|name| tree(&bench.origin().join(name).join("media"))).collect();
    assert_eq!(online.len(), 1, "the same media everywhere");
}

#[test]
fn a_changed_ladder_is_rolled_over_the_titles_that_were_made_with_it() {
    let bench = bench();
    fs_err::copy(bench.path("film.mp4"), bench.path("second.mp4")).unwrap();
    clips::film(&bench.path("other.mp4"), 4);
    let profiles = ["--profiles", "dash-clr-2s", "--json"];
    bench.json(["run", "film.mp4", "second.mp4", "--ladder", "ladder.toml"].into_iter().chain(profiles));
    bench.json(["run", "other.mp4", "--ladder", "fast"].into_iter().chain(profiles));
    let (film, other) = (tasks(&bench, "film"), tasks(&bench, "other"));
    let recode = |more: &[&'static str]| {
        let fixed = ["recode", "--ladder", "ladder.toml", "--json"];
        bench.json(fixed.iter().chain(more))
    };
    let nothing = recode(&["--dry-run"]);
    let states = |answer: &serde_json::Value| -> Vec<String> {
        let titles = answer["titles"].as_array().unwrap().iter();
        titles.map(|title| title["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&nothing), ["unchanged"; 2], "{nothing}");

    let changed = LADDER.replacen("maxrate_kbps = 400", "maxrate_kbps = 350", 1);
    fs_err::write(bench.path("ladder.toml"), changed).unwrap();
    let dry = recode(&["--dry-run"]);
    assert_eq!(states(&dry), ["would-change"; 2], "{dry}");
    for title in dry["titles"].as_array().unwrap() {
        let touched = serde_json::json!({
            "encode-video": 2, "assemble-video": 1, "package": 1, "manifest": 1, "verify": 1, "upload": 1, "publish": 1,
        });
        assert_eq!(title["tasks"], touched, "{title}");
    }
    assert_eq!(tasks(&bench, "film"), film, "a dry run changes nothing");

    let made = recode(&[]);
    assert_eq!(states(&made), ["published"; 2], "{made}");
    let ran = ran(&film, &tasks(&bench, "film"));
    assert!(ran.contains("assemble-video 240p") && !ran.contains("assemble-video 360p"), "{ran:?}");
    assert!(!ran.contains("encode-audio") && !ran.contains("qc"), "{ran:?}");
    assert_eq!(tasks(&bench, "other"), other, "made with another ladder");
    assert_eq!(bench.json(["status", "film", "--json"])["title"]["submission"]["facts"]["kind"], "recode");
    let text = bench.output(["recode", "--ladder", "ladder.toml", "--dry-run"]);
    assert!(
        String::from_utf8_lossy(&text.stderr).contains("none of 2 titles would change"),
        "{}",
        describe(&text)
    );
    let text = bench.output(["recode", "--ladder", "ladder.toml", "nowhere"]);
    assert!(
        String::from_utf8_lossy(&text.stderr).contains("no title called nowhere is online"),
        "{}",
        describe(&text)
    );
}

/// The first attempt to recode is stopped in the midst of it, and the second finds its title on its way.
#[test]
fn a_recode_that_was_stopped_is_taken_up_by_the_same_command() {
    let bench = bench();
    clips::film(&bench.path("film.mp4"), 40);
    bench.json(run(&["film.mp4"], &[]));
    let changed = LADDER.replacen("maxrate_kbps = 400", "maxrate_kbps = 350", 1);
    fs_err::write(bench.path("ladder.toml"), changed).unwrap();
    let before = tasks(&bench, "film");
    let recode = ["recode", "--ladder", "ladder.toml", "--json"];
    let mut stopped = bench.start(recode);
    wait_until("the recode encodes", || !media_processes(stopped.id()).is_empty());
    stopped.signal(rustix::process::Signal::INT);
    assert_eq!(stopped.wait().code(), Some(130), "{}", stopped.log());

    let dry = bench.json(["recode", "--ladder", "ladder.toml", "--dry-run", "--json"]);
    assert_eq!(dry["titles"][0]["state"], "under-way", "{dry}");
    let made = bench.json(recode);
    assert_eq!(made["titles"][0]["state"], "published", "{made}");
    let ran = ran(&before, &tasks(&bench, "film"));
    assert!(ran.contains("assemble-video 240p") && !ran.contains("assemble-video 360p"), "{ran:?}");

    // One that cannot be recoded does not keep the others, and is not forgotten.
    fs_err::write(bench.path("ladder.toml"), LADDER.replacen("maxrate_kbps = 400", "maxrate_kbps = 300", 1))
        .unwrap();
    let both = bench.output(["recode", "film", "nowhere", "--ladder", "ladder.toml", "--json"]);
    assert_eq!(both.status.code(), Some(3), "{}", describe(&both));
    let told: serde_json::Value = serde_json::from_slice(&both.stdout).unwrap();
    let states: BTreeMap<_, _> = told["titles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|title| (title["title"].as_str().unwrap(), title["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, BTreeMap::from([("film", "published"), ("nowhere", "refused")]));
}

//! A ladder that is fitted to its title: tried, told, made so, and not tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::ladders::TWO_RUNGS;
use crate::support::{Bench, clips, describe};

/// Two rungs that are fitted to titles, for this quality, which no cap keeps them from.
fn ladder(least_ssim: f64) -> String {
    let rungs =
        TWO_RUNGS.replace("00\nbufsize_kbps", "000\nbufsize_kbps").replace("00\npreset", "000\npreset");
    format!(
        "{rungs}
[per_title]
least_ssim = {least_ssim}
lowest_crf = 18
highest_crf = 40
stretches = 2
stretch_seconds = 2
least_step = 1.2
"
    )
}

fn bench(least_ssim: f64) -> Bench {
    let bench = Bench::new();
    clips::make(
        &bench.path("film.mp4"),
        "-f lavfi -i testsrc2=size=640x360:rate=25:duration=13,noise=alls=6:allf=t:all_seed=3 \
         -f lavfi -i sine=frequency=440:sample_rate=48000:duration=13 -c:v libx264 -preset veryfast -crf 12 -g 50 \
         -pix_fmt yuv420p -colorspace bt709 -c:a aac -ac 2 -metadata:s:a:0 language=eng",
    );
    fs_err::write(bench.path("ladder.toml"), ladder(least_ssim)).unwrap();
    bench
}

const RUN: [&str; 7] =
    ["run", "film.mp4", "--ladder", "ladder.toml", "--profiles", "mp4-clr,dash-clr-2s", "--json"];

/// How many attempts there were at each task, by its key, with its label.
fn attempts(bench: &Bench) -> BTreeMap<String, (String, usize)> {
    let status = bench.json(["status", "film", "--json"]);
    let task = |task: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&task["task"]["key"]), (text(&task["label"]), task["attempts"].as_array().unwrap().len()))
    };
    status["tasks"].as_array().unwrap().iter().map(task).collect()
}

/// What ran since, by its labels, and how often.
fn ran(bench: &Bench, before: &BTreeMap<String, (String, usize)>) -> BTreeMap<String, usize> {
    let mut ran = BTreeMap::new();
    for (key, (label, attempts)) in attempts(bench) {
        let more = attempts - before.get(&key).map_or(0, |(_, attempts)| *attempts);
        if more > 0 && (label.starts_with("trial ") || label.starts_with("encode-video ")) {
            *ran.entry(label).or_default() += more;
        }
    }
    ran
}

/// What the ladder came to, by its rungs: the CRF, and the SSIM that is expected of it.
fn fitted(bench: &Bench) -> BTreeMap<String, (u64, f64)> {
    let status = bench.json(["status", "film", "--json"]);
    let rungs = status["title"]["report"]["conclusion"]["fitted"]["rungs"].clone();
    let made = rungs.as_array().unwrap().iter().filter(|rung| !rung["fitted"].is_null());
    made.map(|rung| {
        let found = &rung["fitted"];
        let name = rung["rung"].as_str().unwrap().to_owned();
        (name, (found["crf"].as_u64().unwrap(), found["ssim"].as_f64().unwrap()))
    })
    .collect()
}

/// The CRFs that rungs were encoded with since, as the tasks say.
fn encoded(bench: &Bench, before: &BTreeMap<String, (String, usize)>) -> BTreeSet<(String, u64)> {
    let status = bench.json(["status", "film", "--json"]);
    let tasks = status["tasks"].as_array().unwrap().iter();
    let new = tasks.filter(|task| !before.contains_key(task["task"]["key"].as_str().unwrap()));
    let rungs = new.filter_map(|task| {
        let spec = &task["task"]["spec"];
        (spec["kind"] == "encode-video").then(|| spec["rungs"].as_array().unwrap().clone())
    });
    rungs
        .flatten()
        .map(|rung| {
            let rung = &rung["rung"];
            (rung["name"].as_str().unwrap().to_owned(), rung["crf"].as_u64().unwrap())
        })
        .collect()
}

/// SSIM of luma of the progressive file beside the film, by the `ffmpeg` command.
fn ssim(bench: &Bench) -> f64 {
    let index = bench.index("film");
    let files = index["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap());
    let path = files.filter(|path| path.ends_with(".mp4")).find(|path| path.contains("prog")).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(bench.origin().join("film").join(path))
        .arg("-i")
        .arg(bench.path("film.mp4"))
        .args(["-lavfi", "[0:v][1:v]ssim", "-f", "null", "-"])
        .output()
        .unwrap();
    let log = describe(&output);
    let found = log.split("SSIM Y:").nth(1).and_then(|rest| rest.split(' ').next());
    found.unwrap_or_else(|| panic!("{log}")).parse().unwrap()
}

#[test]
fn a_ladder_is_fitted_to_its_title_and_tried_once() {
    let bench = bench(0.93);
    bench.json(RUN);
    let all = ran(&bench, &BTreeMap::new());
    let trials: Vec<_> = all.iter().filter(|(label, _)| label.starts_with("trial ")).collect();
    assert_eq!(
        trials.iter().map(|(label, count)| (label.as_str(), **count)).collect::<Vec<_>>(),
        [
            ("trial 240p, 2 to 4 s", 1),
            ("trial 240p, 8 to 10 s", 1),
            ("trial 360p, 2 to 4 s", 1),
            ("trial 360p, 8 to 10 s", 1)
        ]
    );
    let low = fitted(&bench);
    assert!(low.values().all(|(_, ssim)| *ssim >= 0.93), "{low:?}");
    let crfs = |fitted: &BTreeMap<String, (u64, f64)>| -> BTreeSet<(String, u64)> {
        fitted.iter().map(|(rung, (crf, _))| (rung.clone(), *crf)).collect()
    };
    assert_eq!(encoded(&bench, &BTreeMap::new()), crfs(&low), "it is made as it was fitted");
    let found = ssim(&bench);
    assert!((found - low["360p"].1).abs() < 0.01, "{found} of the whole, {low:?} expected");
    let status = bench.output(["status", "film"]);
    let text = describe(&status);
    assert!(text.contains("bits than the ladder as it is") && text.contains("360p: crf 28 → "), "{text}");

    // Another quality: what was tried tells it.
    let before = attempts(&bench);
    fs_err::write(bench.path("ladder.toml"), ladder(0.97)).unwrap();
    let plan = describe(&bench.output(["plan", "film", "--ladder", "ladder.toml", "--diff"]));
    assert!(!plan.contains("trial "), "{plan}");
    assert!(plan.contains("360p: crf "), "{plan}");
    bench.json(RUN);
    let again = ran(&bench, &before);
    let is_encode = |label: &String| label.starts_with("encode-video ");
    assert!(!again.is_empty() && again.keys().all(is_encode), "{again:?}");
    let high = fitted(&bench);
    assert!(high["360p"].0 < low["360p"].0, "{high:?} {low:?}");
    assert_eq!(encoded(&bench, &before), crfs(&high));

    // Another rung: it alone is tried, and the plan says so.
    let before = attempts(&bench);
    let changed = ladder(0.97).replace("maxrate_kbps = 4000", "maxrate_kbps = 3800");
    fs_err::write(bench.path("ladder.toml"), changed).unwrap();
    let plan = describe(&bench.output(["plan", "film", "--ladder", "ladder.toml", "--diff"]));
    assert!(plan.contains("trial 240p, 2 to 4 s") && !plan.contains("trial 360p"), "{plan}");
    assert!(plan.contains("the ladder would be fitted to the film first"), "{plan}");
    bench.json(RUN);
    let again = ran(&bench, &before);
    let trials: Vec<_> = again.keys().filter(|label| label.starts_with("trial ")).collect();
    assert_eq!(trials, ["trial 240p, 2 to 4 s", "trial 240p, 8 to 10 s"]);
}

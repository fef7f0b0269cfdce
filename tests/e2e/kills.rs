//! A farm that is killed again and again ends where one that never was ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;

use crate::support::{Bench, KEY, KEY_ID, children, clips, is_alive, tree, wait_until};

const KILLS: usize = 20;
/// Every engine, and keys that are the same in every state folder.
const ARGUMENTS: [&str; 8] = [
    "run",
    "film.mp4",
    "--ladder",
    "chunks.toml",
    "--profiles",
    "*-clr-*,mp4-*,dash-wv-2s,hls-multi-4s,od-wv-2s,ts-aes-2s,ts-fp-2s,hss-pr-2s",
    "--keys",
    "keys.json",
];

/// The seed is printed, so that a failure can be played again.
fn seeded() -> StdRng {
    let seed = std::env::var("REELFARM_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random::<u64>());
    println!("REELFARM_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[test]
fn a_farm_killed_at_random_moments_ends_with_the_same_origin_and_repeats_nothing_finished() {
    let undisturbed = Bench::new();
    clips::film(&undisturbed.path("film.mp4"), 12);
    // Three chunks of it.
    let ladder = format!("chunk_seconds = 4\n{}", include_str!("../../ladders/fast.toml"));
    fs_err::write(undisturbed.path("chunks.toml"), &ladder).unwrap();
    undisturbed.keys(KEY_ID, KEY);
    let start = Instant::now();
    assert!(undisturbed.output(ARGUMENTS).status.success());
    let whole_run = start.elapsed();
    let expected = tree(&undisturbed.origin());
    assert!(expected.contains_key("film/index.json"));

    let mut random = seeded();
    let mut kills = 0;
    while kills < KILLS {
        let bench = Bench::new();
        fs_err::copy(undisturbed.path("film.mp4"), bench.path("film.mp4")).unwrap();
        fs_err::write(bench.path("chunks.toml"), &ladder).unwrap();
        bench.keys(KEY_ID, KEY);
        let mut finished = BTreeMap::new();
        loop {
            let mut farm = bench.start(ARGUMENTS);
            let moment = Duration::from_secs_f64(whole_run.as_secs_f64() * random.random_range(0.0..0.7));
            let start = Instant::now();
            // The moment of the kill is the point of this test: the wait is for it, or for the end.
            while start.elapsed() < moment && farm.ended().is_none() {
                std::thread::park_timeout(Duration::from_millis(2));
            }
            if farm.ended().is_some() || kills == KILLS {
                break;
            }
            let orphans = children(farm.id());
            farm.signal(Signal::KILL);
            farm.wait();
            kills += 1;
            wait_until("every child has died with its parent", || {
                !orphans.iter().any(|child| is_alive(*child))
            });
            nothing_half_made_is_named(&bench);
            finished = check_finished(&bench, &finished);
        }
        let last = bench.output(ARGUMENTS);
        assert!(last.status.success(), "{}", crate::support::describe(&last));
        check_finished(&bench, &finished);
        assert_eq!(tree(&bench.origin()), expected, "after {kills} kills");
        assert_eq!(fs_err::read_dir(bench.path(".reelfarm/staging")).unwrap().count(), 0, "staging is swept");
    }
}

/// Whatever is online is whole.
fn nothing_half_made_is_named(bench: &Bench) {
    if !bench.origin().join("film/index.json").exists() {
        return;
    }
    let there = tree(&bench.origin().join("film"));
    for file in bench.index("film")["files"].as_array().unwrap() {
        assert_eq!(there.get(file["path"].as_str().unwrap()).unwrap(), file["md5"].as_str().unwrap());
    }
}

/// No task that had finished has been attempted since. Returns the attempts of all finished tasks.
fn check_finished(bench: &Bench, before: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    // Killed before the title was submitted: there is nothing to ask for.
    if !bench.output(["status", "film"]).status.success() {
        return BTreeMap::new();
    }
    let attempts = bench.attempts("film");
    for (label, count) in before {
        assert_eq!(attempts[label].len(), *count, "{label} ran again after it had finished");
    }
    let mut finished = BTreeMap::new();
    for (label, outcomes) in attempts {
        let completed = outcomes.iter().filter(|outcome| *outcome == "completed").count();
        assert!(completed <= 1, "{label} was completed {completed} times: {outcomes:?}");
        if completed == 1 {
            finished.insert(label, outcomes.len());
        }
    }
    finished
}

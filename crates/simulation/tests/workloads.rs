//! What the farm's policy promises on the workloads that come with the program.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;
use reelfarm_priority::Rules;
use reelfarm_simulation::shipped::WORKLOADS;
use reelfarm_simulation::{
    Contender, Outcome, PolicyReport, Report, Workload, draw, picture, simulate, timeline,
};

struct Day {
    drawn: draw::Drawn,
    outcomes: Vec<(Contender, Outcome)>,
    report: Report,
}

impl Day {
    fn of(&self, policy: Contender) -> &PolicyReport {
        self.report.policies.iter().find(|report| report.policy == policy).unwrap()
    }
}

fn rules() -> Rules {
    Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap()
}

fn shipped(name: &str) -> Workload {
    Workload::parse(name, reelfarm_simulation::shipped::text(name).unwrap()).unwrap()
}

fn day(workload: &Workload, policies: &[Contender]) -> Day {
    let rules = workload.rules("workload", &rules()).unwrap();
    let drawn = draw::draw("workload", workload, &rules).unwrap();
    let outcomes: Vec<_> =
        policies.iter().map(|policy| (*policy, simulate(workload, &rules, &drawn, *policy))).collect();
    let report = Report::new(workload, &rules, &drawn, &outcomes);
    Day { drawn, outcomes, report }
}

/// What the issue of a day must be, whatever the workload.
fn keeps_its_promises(name: &str, day: &Day) {
    let ours = day.of(Contender::Ours);
    for (kind, could) in &day.report.could_be_on_time_percent {
        let on_time = ours.kinds[kind].on_time_percent.unwrap();
        let promised = match kind {
            ContentKind::CatchForward | ContentKind::Premiere => *could,
            _ => could * 0.995,
        };
        assert!(on_time >= promised, "{name}: {on_time} % of {kind} on time, {could} % could have been");
    }
    let used = |policy| day.of(policy).used_while_work_waits_percent[&Pool::Cpu];
    let (with_ours, with_fifo) = (used(Contender::Ours), used(Contender::Fifo));
    assert!(with_ours >= with_fifo - 2.0, "{name}: {with_ours} % used, {with_fifo} % with fifo");
    if let Some(beyond) = ours.recode_beyond_left_percent {
        assert!(beyond <= 10.0, "{name}: the recode took {beyond} % longer than with all that was left");
    }
}

#[test]
fn what_can_be_on_time_is_on_time_and_no_slot_is_wasted() {
    for (name, _) in WORKLOADS {
        let day = day(&shipped(name), &[Contender::Ours, Contender::Fifo]);
        // Or less than all would be asked for.
        assert!(day.report.could_be_on_time_percent.values().all(|could| *could == 100.0), "{name}");
        keeps_its_promises(name, &day);
    }
}

#[test]
fn other_days_of_the_same_kind_are_no_worse() {
    for (name, _) in WORKLOADS.iter().filter(|(name, _)| *name != "dump") {
        for seed in 2..5 {
            let workload = Workload { seed, ..shipped(name) };
            let day = day(&workload, &[Contender::Ours, Contender::Fifo]);
            keeps_its_promises(&format!("{name}, seed {seed}"), &day);
        }
    }
}

#[test]
fn a_farm_of_ten_times_the_size_keeps_them_too() {
    for name in ["ordinary-day", "host-lost", "live-evening"] {
        keeps_its_promises(name, &day(&shipped(name).scaled(10), &[Contender::Ours, Contender::Fifo]));
    }
}

#[test]
fn a_policy_that_asks_nobody_when_things_are_due_is_late() {
    for name in ["dump", "all-urgent", "live-evening"] {
        let day = day(&shipped(name), &[Contender::Fifo]);
        let catch_up = day.of(Contender::Fifo).kinds[&ContentKind::CatchUp].on_time_percent.unwrap();
        assert!(catch_up < 50.0, "{name}: the workload tells no policies apart");
    }
}

#[test]
fn a_recode_makes_a_dated_title_wait_for_one_task_at_most() {
    let workload = shipped("recode");
    let day = day(&workload, &[Contender::Ours]);
    let recodes = day.drawn.titles.iter().filter(|title| title.kind == ContentKind::Recode);
    let longest = recodes.flat_map(|title| title.tasks(&workload)).map(|task| task.takes_ms).max().unwrap();
    let waited = day.outcomes[0].1.behind_recode_ms;
    assert!(
        waited > 0 && waited <= longest,
        "{waited} ms behind a recode whose longest task takes {longest} ms"
    );
}

/// At no step of a title does a recode hold it up for longer than the rest of one task, and all steps together cost it less
/// than one.
#[test]
fn a_dated_title_is_online_no_later_than_one_task_of_a_recode_after_a_day_without_one() {
    let workload = shipped("recode");
    let mut without = workload.clone();
    without.titles.retain(|titles| titles.kind != ContentKind::Recode);
    let (with, without) = (day(&workload, &[Contender::Ours]), day(&without, &[Contender::Ours]));
    let recodes = with.drawn.titles.iter().filter(|title| title.kind == ContentKind::Recode);
    let longest = recodes.flat_map(|title| title.tasks(&workload)).map(|task| task.takes_ms).max().unwrap();
    let online = |day: &Day| -> Vec<(i64, Option<i64>, i64)> {
        let titles = day.drawn.titles.iter().zip(&day.outcomes[0].1.online_ms);
        let others = titles.filter(|(title, _)| title.kind != ContentKind::Recode);
        others.map(|(title, online_ms)| (title.arrives_ms, title.required_by_ms, *online_ms)).collect()
    };
    let mut worst = i64::MIN;
    for (with, without) in online(&with).into_iter().zip(online(&without)) {
        assert_eq!((with.0, with.1), (without.0, without.1), "the same titles");
        if with.1.is_some() {
            worst = worst.max(with.2 - without.2);
        }
    }
    assert!(worst <= longest, "{worst} ms later, and the longest task of a recode takes {longest} ms");
}

/// Whoever says that all is due within the hour takes what others leave, and nobody's deadline.
#[test]
fn a_department_that_calls_everything_due_makes_no_other_late() {
    let mut workload = shipped("all-urgent");
    for titles in workload.titles.iter_mut().filter(|titles| titles.kind == ContentKind::Library) {
        titles.kind = ContentKind::Advertisement;
    }
    let rules = workload.rules("flood", &rules()).unwrap();
    let archive = rules.route(Some(&"archive".parse().unwrap())).unwrap();
    let day = day(&workload, &[Contender::Ours, Contender::Edf]);
    let late = |policy: usize, of_archive: bool| {
        let titles = day.drawn.titles.iter().zip(&day.outcomes[policy].1.online_ms);
        let of_route = titles.filter(|(title, _)| (title.route == archive) == of_archive);
        of_route
            .filter(|(title, online_ms)| title.required_by_ms.is_some_and(|due| **online_ms > due))
            .count()
    };
    assert_eq!(late(0, false), 0);
    assert!(late(0, true) > 100, "there is not room for all");
    assert!(late(1, false) > 0, "without routes others pay for it");
}

#[test]
fn every_title_is_online_and_every_task_begins_once() {
    for policy in Contender::ALL {
        let workload = shipped("host-lost");
        let day = day(&workload, &[policy]);
        let outcome = &day.outcomes[0].1;
        assert!(outcome.online_ms.iter().all(|online| *online < i64::MAX), "{policy:?}");
        let tasks: usize = day.drawn.titles.iter().map(|title| title.tasks(&workload).len()).sum();
        let mut starts: Vec<_> = outcome.starts.iter().map(|start| (start.title, start.place)).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!((starts.len(), outcome.starts.len()), (tasks, tasks), "{policy:?}");
        assert!(outcome.lost_ms > 0, "a host was lost with nothing on it");
        for (title, online_ms) in day.drawn.titles.iter().zip(&outcome.online_ms) {
            let longest = title.tasks(&workload).iter().map(|task| task.takes_ms).max().unwrap();
            assert!(online_ms - title.arrives_ms >= longest, "online before its tasks can have been done");
        }
    }
}

#[test]
fn the_same_day_comes_out_the_same_and_another_seed_is_another_day() {
    let workload = shipped("small-farm");
    let starts = |workload: &Workload| day(workload, &[Contender::Ours]).outcomes.remove(0).1.starts;
    assert_eq!(starts(&workload), starts(&workload));
    assert_ne!(starts(&workload), starts(&Workload { seed: 9, ..workload.clone() }));
}

#[test]
fn pictures_and_lines_show_what_the_report_says() {
    let day = day(&shipped("small-farm"), &Contender::ALL);
    let svg = picture::picture(&day.report, &day.outcomes).unwrap();
    for policy in Contender::ALL {
        assert!(svg.contains(policy.as_str()), "{policy:?}");
    }
    let (_, fifo) = &day.outcomes[1];
    let lines = timeline::timeline(&day.drawn, Contender::Fifo, fifo);
    let late = |lines: &str| lines.lines().filter(|line| line.ends_with(" late")).count();
    let by_report: f64 = day
        .of(Contender::Fifo)
        .kinds
        .values()
        .filter_map(|kind| Some((100.0 - kind.on_time_percent?) * kind.titles as f64 / 100.0))
        .sum();
    assert_eq!(late(&lines), by_report.round() as usize);
    assert!(late(&lines) > 0);
}

#[test]
fn bad_workloads_are_refused_with_what_is_wrong() {
    let text = reelfarm_simulation::shipped::text("small-farm").unwrap();
    let refused = |text: &str| {
        let workload = Workload::parse("w.toml", text);
        let checked = workload.and_then(|workload| {
            let rules = workload.rules("w.toml", &rules())?;
            draw::draw("w.toml", &workload, &rules).map(drop)
        });
        checked.unwrap_err().to_string()
    };
    for (from, to, part) in [
        ("seed = 1", "sed = 1", "unknown field `sed`"),
        ("package = 2", "package = 0", "no slot of pool package"),
        ("route = \"archive\"", "route = \"nowhere\"", "route nowhere, which does not exist"),
        ("share_percent = 60", "share_percent = 61", "add up to 101 %"),
        ("air_after_min = [360, 600]", "", "need the time to their broadcast"),
        ("film_min = [80, 130]", "film_min = [130, 80]", "film_min above 0"),
        ("estimate_error = 0.25", "estimate_error = 9", "estimate_error is 0 to 2"),
        ("[[route]]", "[[loss]]\nat_min = 1\nhosts = 2\n\n[[route]]", "2 of 2 hosts are lost"),
        (
            "[[route]]",
            "[[loss]]\nat_min = 1\nhosts = 1\n\n[[loss]]\nat_min = 9\nhosts = 1\n\n[[route]]",
            "2 of 2 hosts are lost",
        ),
        ("[[route]]", "[[loss]]\nat_min = -1\nhosts = 1\n\n[[route]]", "from 0 up to a year"),
        ("[[route]]", "[[loss]]\nat_min = 1\nhosts = 1\nback_min = inf\n\n[[route]]", "from 0 up to a year"),
        ("first_min = 0", "first_min = -60", "first_min and every_min from 0"),
        ("count = 96", "count = 4000000000", "more than 10000000"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = refused(&text.replacen(from, to, 1));
        assert!(error.contains(part) && error.contains("w.toml"), "{error}");
    }
    assert_eq!(
        Workload::parse("w.toml", text).unwrap().slots(),
        BTreeMap::from([(Pool::Cpu, 10), (Pool::Package, 4), (Pool::Light, 6)])
    );
}

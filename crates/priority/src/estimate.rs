//! How long tasks take: from what their specifications say, and from how long tasks like them took.
//!
//! A task's *model time* is what its specification alone says. What is learned is by what factor runs differ from it: for
//! all tasks of a kind, for those of a class (a resolution, a media set), and on a host. Factors are averaged as logarithms,
//! because a task that takes twice as long and one that takes half as long differ equally; each is drawn towards the more
//! general one as long as little is known. Within a class the factor may fall as the model time grows: what every task of it
//! costs, however short, no specification says. Beside what is usual counts how the last few runs of the kind differed from
//! it: hosts are busier at some hours than at others.
//!
//! Promises: pure; an estimate without any history is the model time with a wide spread; what is learned of one host does
//! not hide what is true of the others; a single run of a strange length moves nothing far.

use std::collections::HashMap;

use reelfarm_model::TaskKind;

/// A run that ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<'a> {
    /// What kind of task.
    pub kind: TaskKind,
    /// What among its kind: tasks of one class take times that are alike for equal model times.
    pub class: &'a str,
    /// On which host.
    pub host: &'a str,
    /// Its model time, in milliseconds.
    pub model_ms: i64,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
}

/// How long a task is expected to take, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// As often more as less.
    pub expected_ms: i64,
    /// What 90 of 100 such tasks stay below.
    pub most_ms: i64,
}

/// What has been learned.
#[derive(Clone, Debug, Default)]
pub struct Estimator {
    kinds: HashMap<TaskKind, Kind>,
}

#[derive(Clone, Debug, Default)]
struct Kind {
    /// Of the logarithm of the factor.
    all: Average,
    /// Beyond that of all.
    classes: HashMap<String, Line>,
    /// Beyond those of all and of the class.
    hosts: HashMap<String, Average>,
    /// How the last few runs differed from all that.
    lately: Average,
    /// The square of what is left unexplained.
    spread: Average,
    /// By how many spreads a run must differ to be among the longest tenth; found by counting.
    reach: Option<f64>,
}

/// An average that forgets: beyond so many values, each new one counts for as much.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    count: f64,
    mean: f64,
}

/// A value that may depend on another, and forgets as an average does.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    value: Average,
    /// Of what it depends on.
    middle: f64,
    /// How far that varies, and varies together with the value.
    variance: f64,
    covariance: f64,
}

/// Values after which the first ones begin to be forgotten.
const MEMORY: f64 = 100.0;
/// Runs of a kind, for each host, that say how busy the hosts are at present.
const LATELY: f64 = 8.0;
/// How many values the assumption counts for from which an average is drawn away.
const DRAW: f64 = 3.0;
/// The spread of the logarithm that is assumed of what is not known: half of all such tasks take between 0.6 and 1.7 times
/// the model time.
const UNKNOWN_SPREAD: f64 = 0.75;
/// The least spread: clocks and hosts are not exact.
const LEAST_SPREAD: f64 = 0.03;
/// A tenth of a normal distribution lies beyond so many spreads.
const TENTH: f64 = 1.2816;
/// How far counting moves the reach at each run.
const STEP: f64 = 0.06;
/// How much variation of the model time, as a sum of squared logarithms, the assumption counts for that the factor does not
/// depend on it.
const DOUBT: f64 = 1.0;
/// A task that costs the same however long it is: its factor falls as its model time grows.
const STEEPEST: f64 = -1.0;
/// What differs by more spreads counts as if it differed by so many.
const STRANGE: f64 = 3.0;

impl Average {
    fn add(&mut self, value: f64) {
        self.add_to(MEMORY, value);
    }

    /// The same for one that forgets beyond `memory` values.
    fn add_to(&mut self, memory: f64, value: f64) {
        self.count = (self.count + 1.0).min(memory);
        self.mean += (value - self.mean) / self.count;
    }

    /// The mean, drawn towards `assumed` as long as little is known.
    fn drawn_to(&self, assumed: f64) -> f64 {
        (self.mean * self.count + assumed * DRAW) / (self.count + DRAW)
    }
}

impl Line {
    fn add(&mut self, at: f64, value: f64) {
        self.value.count = (self.value.count + 1.0).min(MEMORY);
        let part = 1.0 / self.value.count;
        let (beside, beyond) = (at - self.middle, value - self.value.mean);
        self.middle += part * beside;
        self.value.mean += part * beyond;
        self.variance = (1.0 - part) * (self.variance + part * beside * beside);
        self.covariance = (1.0 - part) * (self.covariance + part * beside * beyond);
    }

    /// The value at `at`: drawn towards none, and towards one that does not depend on it, as long as little is known.
    fn at(&self, at: f64) -> f64 {
        let count = self.value.count;
        let slope = self.covariance * count / (self.variance * count + DOUBT);
        self.value.drawn_to(0.0) + slope.clamp(STEEPEST, 0.0) * (at - self.middle)
    }
}

impl Kind {
    fn expected(&self, class: &str, host: Option<&str>, model: f64) -> f64 {
        let of_class = self.classes.get(class).map_or(0.0, |line| line.at(model));
        let of_host = host.and_then(|host| self.hosts.get(host)).map_or(0.0, |host| host.drawn_to(0.0));
        self.all.drawn_to(0.0) + of_class + of_host
    }

    fn spread(&self) -> f64 {
        self.spread.drawn_to(UNKNOWN_SPREAD * UNKNOWN_SPREAD).sqrt().max(LEAST_SPREAD)
    }

    fn learn(&mut self, class: &str, host: &str, model: f64, factor: f64) {
        let (spread, usual) = (self.spread(), self.expected(class, Some(host), model));
        let surprise = factor - usual - self.lately.drawn_to(0.0);
        let reach = self.reach.unwrap_or(TENTH);
        // Each run beyond moves it up by nine times what each run below moves it down: it rests where a tenth is beyond.
        let moved = if surprise > reach * spread { 0.9 } else { -0.1 };
        self.reach = Some((reach + STEP * moved).clamp(0.5, 4.0));
        let believed = |difference: f64| difference.clamp(-STRANGE * spread, STRANGE * spread);
        self.spread.add(believed(surprise).powi(2));
        let difference = believed(factor - usual);
        self.lately.add_to(LATELY * self.hosts.len().max(1) as f64, difference);
        let factor = usual + difference;
        self.all.add(factor);
        // Each learns what the more general ones, as they are by now, do not explain.
        let beyond_all = factor - self.all.mean;
        let of_class = self.classes.entry(class.to_owned()).or_default();
        of_class.add(model, beyond_all);
        let beyond_class = beyond_all - of_class.at(model);
        self.hosts.entry(host.to_owned()).or_default().add(beyond_class);
    }
}

impl Estimator {
    /// Learns from a run. One without a model time, or that took none, teaches nothing.
    pub fn learn(&mut self, run: &Run<'_>) {
        if run.model_ms > 0 && run.took_ms > 0 {
            let factor = (run.took_ms as f64 / run.model_ms as f64).ln();
            let model = (run.model_ms as f64).ln();
            self.kinds.entry(run.kind).or_default().learn(run.class, run.host, model, factor);
        }
    }

    /// How long a task of this kind, class and model time takes on a host, or on any.
    pub fn estimate(&self, kind: TaskKind, class: &str, host: Option<&str>, model_ms: i64) -> Estimate {
        let model = (model_ms.max(1) as f64).ln();
        let (expected, spread, reach) = self.kinds.get(&kind).map_or((0.0, UNKNOWN_SPREAD, TENTH), |kind| {
            let expected = kind.expected(class, host, model) + kind.lately.drawn_to(0.0);
            (expected, kind.spread(), kind.reach.unwrap_or(TENTH))
        });
        let times = |factor: f64| (model_ms.max(1) as f64 * factor.exp()).round() as i64;
        let expected_ms = times(expected).max(1);
        Estimate { expected_ms, most_ms: times(expected + reach * spread).max(expected_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same each time (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
    /// Generators").
    struct Numbers(u64);

    impl Numbers {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }
    }

    /// The median error and the share of runs below what 90 of 100 stay below, each run estimated before it is learned; the
    /// first `history` runs are not judged.
    fn judged(history: usize, runs: usize, spread: f64, seed: u64) -> (f64, f64) {
        let (mut numbers, mut estimator) = (Numbers(seed), Estimator::default());
        let classes = [("1080", 2.0), ("720", 0.7)];
        let hosts = [("fast", 0.6), ("slow", 1.7), ("plain", 1.0)];
        let (mut errors, mut below) = (Vec::new(), 0);
        for number in 0..history + runs {
            let (class, of_class) = classes[(numbers.uniform() * 2.0) as usize];
            let (host, of_host) = hosts[(numbers.uniform() * 3.0) as usize];
            let model_ms = 1_000 + (numbers.uniform() * 100_000.0) as i64;
            let took = model_ms as f64 * 3.0 * of_class * of_host * (spread * numbers.normal()).exp();
            let run = Run { kind: TaskKind::EncodeVideo, class, host, model_ms, took_ms: took as i64 };
            if number >= history {
                let estimate = estimator.estimate(run.kind, class, Some(host), model_ms);
                errors.push((estimate.expected_ms as f64 / took - 1.0).abs());
                below += usize::from(run.took_ms <= estimate.most_ms);
            }
            estimator.learn(&run);
        }
        errors.sort_by(f64::total_cmp);
        (errors[errors.len() / 2], below as f64 / runs as f64)
    }

    #[test]
    fn after_fifty_runs_estimates_are_near_and_the_spread_is_honest() {
        for seed in 0..20 {
            let (error, below) = judged(50, 200, 0.2, seed);
            assert!(error < 0.25, "seed {seed}: off by {error}");
            assert!((0.8..=0.97).contains(&below), "seed {seed}: {below} below");
        }
    }

    #[test]
    fn without_history_the_model_is_believed_with_a_wide_spread() {
        let estimate = Estimator::default().estimate(TaskKind::Qc, "", None, 10_000);
        assert_eq!(estimate.expected_ms, 10_000);
        assert!(estimate.most_ms > 20_000);
        let none = Estimator::default().estimate(TaskKind::Qc, "", None, 0);
        assert!(none.expected_ms >= 1 && none.most_ms >= none.expected_ms);
    }

    fn learned(runs: &[(&str, &str, i64)]) -> Estimator {
        let mut estimator = Estimator::default();
        for (class, host, took_ms) in runs {
            let run = Run { kind: TaskKind::Package, class, host, model_ms: 1_000, took_ms: *took_ms };
            estimator.learn(&run);
        }
        estimator
    }

    #[test]
    fn an_unknown_class_or_host_is_taken_for_an_average_one() {
        let estimator = learned(&[("cmaf", "a", 4_000); 40]);
        let of = |class, host| estimator.estimate(TaskKind::Package, class, host, 1_000).expected_ms;
        for (class, host) in [("cmaf", Some("a")), ("cmaf", Some("new")), ("ts", None)] {
            assert!((3_400..4_400).contains(&of(class, host)), "{class} {host:?}: {}", of(class, host));
        }
    }

    #[test]
    fn a_strange_run_moves_little() {
        let mut runs = vec![("cmaf", "a", 1_000); 40];
        runs.push(("cmaf", "a", 3_600_000));
        let estimate = learned(&runs).estimate(TaskKind::Package, "cmaf", Some("a"), 1_000);
        assert!((900..1_200).contains(&estimate.expected_ms), "{estimate:?}");
    }

    #[test]
    fn what_changes_for_good_is_followed() {
        let mut runs = vec![("cmaf", "a", 1_000); 100];
        runs.extend([("cmaf", "a", 2_000); 100]);
        let estimate = learned(&runs).estimate(TaskKind::Package, "cmaf", Some("a"), 1_000);
        assert!((1_700..2_300).contains(&estimate.expected_ms), "{estimate:?}");
    }

    /// Each costs two seconds whatever it does, and half its model time.
    #[test]
    fn what_every_task_costs_is_learned_from_short_and_long_ones() {
        let mut estimator = Estimator::default();
        let took_ms = |model_ms: i64| 2_000 + model_ms / 2;
        for number in 0..60 {
            let model_ms = [500, 2_000, 8_000, 32_000][number % 4];
            let run = Run {
                kind: TaskKind::Package,
                class: "cmaf",
                host: "a",
                model_ms,
                took_ms: took_ms(model_ms),
            };
            estimator.learn(&run);
        }
        for model_ms in [500, 1_000, 4_000, 16_000, 32_000] {
            let expected = estimator.estimate(TaskKind::Package, "cmaf", Some("a"), model_ms).expected_ms;
            let error = expected as f64 / took_ms(model_ms) as f64 - 1.0;
            assert!(error.abs() < 0.35, "{model_ms}: {expected} instead of {}", took_ms(model_ms));
        }
    }

    #[test]
    fn runs_without_a_time_teach_nothing() {
        let estimator = learned(&[("cmaf", "a", 0); 10]);
        assert_eq!(estimator.estimate(TaskKind::Package, "cmaf", None, 500).expected_ms, 500);
    }
}

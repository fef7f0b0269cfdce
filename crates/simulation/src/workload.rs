//! What comes in during a day, and what there is to make it with: a text file.

use std::collections::BTreeMap;

use reelfarm_model::Pool;
use reelfarm_model::facts::{ContentKind, RouteName};
use reelfarm_priority::{Route, Rules, RulesError};
use serde::Deserialize;

/// A day on a farm. Times in minutes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// What it is to show.
    pub about: String,
    /// Of the random numbers: the same gives the same day.
    pub seed: u64,
    /// How far the time that a task takes lies from its estimate: the standard deviation of the logarithm of their ratio.
    pub estimate_error: f64,
    /// How many of the titles that have a level above the lowest are marked with the highest, in percent, where levels are
    /// inflated.
    pub inflation_percent: u32,
    /// What titles cost.
    pub work: Work,
    /// The fleet.
    pub host: Vec<Hosts>,
    /// Hosts that are lost.
    #[serde(default)]
    pub loss: Vec<Loss>,
    /// The departments.
    pub route: Vec<Route>,
    /// What comes in.
    pub titles: Vec<Titles>,
}

/// What a title costs, in minutes of a slot for a minute of film.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Reading the source once.
    pub fingerprint: f64,
    /// Measuring it.
    pub qc: f64,
    /// All rungs from one decode.
    pub encode: f64,
    /// The sound.
    pub audio: f64,
    /// One media set.
    pub package: f64,
    /// Manifests and verification of the profiles of a media set.
    pub verify: f64,
    /// Copying a media set.
    pub upload: f64,
    /// Minutes of film that one task encodes.
    pub chunk_min: f64,
    /// Media sets of a title.
    pub media_sets: u32,
    /// What any task takes besides, in minutes.
    pub overhead_min: f64,
}

/// Hosts that are alike.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// How many.
    pub count: u32,
    /// Slots of each, by pool.
    pub slots: BTreeMap<Pool, u32>,
}

/// Hosts that are lost at a moment, with what they are at.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// When.
    pub at_min: f64,
    /// How many: the first ones of the fleet that are there.
    pub hosts: u32,
    /// After how long they are back; never without it.
    pub back_min: Option<f64>,
}

/// Titles that come in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Titles {
    /// For what they are made.
    pub kind: ContentKind,
    /// Whose they are.
    pub route: RouteName,
    /// How many.
    pub count: u32,
    /// When the first arrive.
    pub first_min: f64,
    /// How many arrive together.
    #[serde(default = "one")]
    pub batch: u32,
    /// Minutes between two arrivals.
    #[serde(default)]
    pub every_min: f64,
    /// Their lengths: from, to.
    pub film_min: [f64; 2],
    /// Minutes from arrival to broadcast: from, to. For the kinds that need one.
    pub air_after_min: Option<[f64; 2]>,
    /// The level at which people mark them where order is by levels; the highest goes first.
    pub level: u32,
}

/// A day that lasts longer is a slip of the unit.
const MAX_MINUTES: f64 = 366.0 * 24.0 * 60.0;
/// Titles that a simulation takes.
const MAX_TITLES: u64 = 10_000_000;

const fn one() -> u32 {
    1
}

/// A workload that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// The text is none.
    #[error("{file}, line {line}: {reason}")]
    Text {
        /// The file.
        file: String,
        /// The line of the fault.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Its routes are no routes.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// It says what cannot be.
    #[error("{file}: {reason}")]
    Contradiction {
        /// The file.
        file: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl Workload {
    /// Reads a workload from TOML. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(file: &str, text: &str) -> Result<Self, WorkloadError> {
        let workload: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().unwrap_or_default().start.min(text.len());
            let line = 1 + text[..start].matches('\n').count();
            WorkloadError::Text { file: file.to_owned(), line, reason: error.message().to_owned() }
        })?;
        match workload.fault() {
            Some(reason) => Err(WorkloadError::Contradiction { file: file.to_owned(), reason }),
            None => Ok(workload),
        }
    }

    /// The farm's rules for kinds, with the routes of this workload.
    ///
    /// # Errors
    /// The routes are none.
    pub fn rules(&self, file: &str, rules: &Rules) -> Result<Rules, WorkloadError> {
        Ok(rules.with_routes(file, self.route.clone())?)
    }

    /// The same day on a farm of `times` as many hosts, with as many times the titles.
    #[must_use]
    pub fn scaled(&self, times: u32) -> Self {
        let mut scaled = self.clone();
        let multiply = |number: &mut u32| *number = number.saturating_mul(times);
        scaled.host.iter_mut().for_each(|hosts| multiply(&mut hosts.count));
        scaled.loss.iter_mut().for_each(|loss| multiply(&mut loss.hosts));
        for titles in &mut scaled.titles {
            multiply(&mut titles.count);
            multiply(&mut titles.batch);
        }
        for route in &mut scaled.route {
            route.minimum.values_mut().for_each(multiply);
        }
        scaled
    }

    /// Slots of the whole fleet, by pool.
    pub fn slots(&self) -> BTreeMap<Pool, u32> {
        let mut slots = BTreeMap::new();
        for hosts in &self.host {
            for (pool, each) in &hosts.slots {
                *slots.entry(*pool).or_default() += each * hosts.count;
            }
        }
        slots
    }

    /// What is wrong with what is lost at a moment: hosts are lost from the first on.
    fn loss_fault(&self, at_min: f64) -> Option<String> {
        let is_lost = |loss: &&Loss| {
            loss.at_min <= at_min && loss.back_min.is_none_or(|back| at_min < loss.at_min + back)
        };
        let lost: u64 = self.loss.iter().filter(is_lost).map(|loss| u64::from(loss.hosts)).sum();
        let hosts: u64 = self.host.iter().map(|hosts| u64::from(hosts.count)).sum();
        let mut left: BTreeMap<Pool, u64> = BTreeMap::new();
        let mut passed = 0;
        for hosts in &self.host {
            let remain = (passed + u64::from(hosts.count)).saturating_sub(lost.max(passed));
            passed += u64::from(hosts.count);
            for (pool, each) in &hosts.slots {
                *left.entry(*pool).or_default() += u64::from(*each) * remain;
            }
        }
        let gone = Pool::ALL.into_iter().find(|pool| left.get(pool).is_none_or(|slots| *slots == 0))?;
        Some(format!(
            "{lost} of {hosts} hosts are lost at once, and no slot of pool {} remains: titles would never be done",
            gone.as_str()
        ))
    }

    fn fault(&self) -> Option<String> {
        let slots = self.slots();
        if let Some(pool) = Pool::ALL.into_iter().find(|pool| slots.get(pool).is_none_or(|slots| *slots == 0))
        {
            let pool = pool.as_str();
            return Some(format!(
                "the fleet has no slot of pool {pool}, which every title needs: give some [[host]] slots of it"
            ));
        }
        let is_time = |minutes: f64| (0.0..=MAX_MINUTES).contains(&minutes);
        if self
            .loss
            .iter()
            .any(|loss| !is_time(loss.at_min) || loss.back_min.is_some_and(|back| !is_time(back)))
        {
            return Some("[[loss]] has its times in minutes, from 0 up to a year".to_owned());
        }
        let titles: u64 = self.titles.iter().map(|titles| u64::from(titles.count)).sum();
        if titles > MAX_TITLES {
            return Some(format!(
                "{titles} titles are more than {MAX_TITLES}, which is all that a simulation takes"
            ));
        }
        if let Some(reason) = self.loss.iter().find_map(|loss| self.loss_fault(loss.at_min)) {
            return Some(reason);
        }
        let work = &self.work;
        let costs = [
            work.fingerprint,
            work.qc,
            work.encode,
            work.audio,
            work.package,
            work.verify,
            work.upload,
            work.overhead_min,
        ];
        if costs.iter().any(|cost| !cost.is_finite() || *cost < 0.0)
            || !work.chunk_min.is_finite()
            || work.chunk_min <= 0.0
            || work.media_sets == 0
        {
            return Some(
                "[work] holds costs from 0 up, a chunk_min above 0, and at least one of media_sets"
                    .to_owned(),
            );
        }
        if !(0.0..=2.0).contains(&self.estimate_error) || self.inflation_percent > 100 {
            return Some("estimate_error is 0 to 2, inflation_percent 0 to 100".to_owned());
        }
        self.titles.iter().find_map(|titles| {
            let Titles { kind, route, .. } = titles;
            let rising =
                |[from, to]: [f64; 2]| from.abs() <= MAX_MINUTES && to.abs() <= MAX_MINUTES && from <= to;
            if !self.route.iter().any(|known| known.name == *route) {
                return Some(format!(
                    "titles of kind {kind} use the route {route}, which does not exist: add a [[route]]"
                ));
            }
            if !rising(titles.film_min)
                || titles.film_min[0] <= 0.0
                || !titles.air_after_min.is_none_or(rising)
            {
                return Some(format!(
                    "titles of kind {kind}: film_min and air_after_min are [from, to], film_min above 0"
                ));
            }
            if titles.batch == 0 || !is_time(titles.every_min) || !is_time(titles.first_min) {
                return Some(format!(
                    "titles of kind {kind}: batch is at least 1, first_min and every_min from 0 up to a year"
                ));
            }
            let needs_air = matches!(kind, ContentKind::CatchForward | ContentKind::Premiere);
            (needs_air && titles.air_after_min.is_none())
                .then(|| format!("titles of kind {kind} need the time to their broadcast: air_after_min"))
        })
    }
}

//! What a soak will do, as pure data that follows from its seed: the faults with their times, and the titles with their
//! stories.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// The pause between two faults, in milliseconds.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 400..=3600;
/// A pause past an attempt's lease, with time for the lease to be given away.
const PAST_LEASE_MS: std::ops::RangeInclusive<u64> = 5_000..=9_000;
/// A pause past the leadership's lease.
const PAST_TERM_MS: std::ops::RangeInclusive<u64> = 2_500..=5_000;
/// How long a stalled link swallows everything: shorter and longer than a lease, and than RabbitMQ's patience.
const STALL_MS: std::ops::RangeInclusive<u64> = 1_000..=25_000;
/// How long a server answers nobody: shorter and longer than a lease.
const SILENT_MS: std::ops::RangeInclusive<u64> = 500..=6_000;
/// How long a server is away in between.
const AWAY_MS: std::ops::RangeInclusive<u64> = 0..=3_000;
/// The pause between two titles, in milliseconds.
const BETWEEN_TITLES_MS: std::ops::RangeInclusive<u64> = 200..=2_500;
/// When a title is cancelled, replaced or held after its submission.
const LATER_MS: std::ops::RangeInclusive<u64> = 100..=8_000;

macro_rules! faults {
    ($($kind:ident = $cards:literal, $said:literal;)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum FaultKind {
            $(#[doc = $said] $kind,)*
        }

        impl FaultKind {
            pub(super) const ALL: &'static [FaultKind] = &[$(Self::$kind,)*];

            /// What is done, for people.
            pub(super) const fn said(self) -> &'static str {
                match self { $(Self::$kind => $said,)* }
            }

            /// How often it is among as many faults as there are cards in the deck.
            const fn cards(self) -> usize {
                match self { $(Self::$kind => $cards,)* }
            }
        }
    };
}

faults! {
    WorkerKilled = 4, "worker killed, another started";
    WorkerPaused = 3, "worker paused past its lease";
    WorkerDrained = 2, "worker told to end, another started";
    WorkerHurried = 1, "worker told twice to end, another started";
    ChildKilled = 3, "media process or packager killed";
    LeaderKilled = 2, "leading scheduler killed and started again";
    LeaderPaused = 2, "leading scheduler paused past its term";
    StandbyKilled = 1, "stand-by killed and started again";
    SchedulerEnded = 1, "scheduler told to end and started again";
    BrokerRestarted = 1, "RabbitMQ restarted";
    BrokerKilled = 1, "RabbitMQ killed and started again";
    DatabaseRestarted = 1, "PostgreSQL restarted";
    DatabaseKilled = 1, "PostgreSQL killed and started again";
    DatabasePaused = 1, "PostgreSQL paused";
    LinkCut = 3, "link to RabbitMQ cut";
    LinkStalled = 2, "link to RabbitMQ stalled";
    LinkSlow = 1, "link to RabbitMQ slowed down";
    TasksPurged = 2, "queue of tasks purged";
    ReportsPurged = 1, "queue of reports purged";
    TaskDuplicated = 3, "task message delivered again";
    Undecodable = 2, "message sent that nobody understands";
}

/// A fault to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// After the fault before it.
    pub(super) after: Duration,
    pub(super) kind: FaultKind,
    /// Whom it hits, among those that it can hit.
    pub(super) choice: usize,
    /// How long it lasts, for those that last.
    pub(super) lasts: Duration,
}

/// The faults of a seed, without an end. Their kinds are dealt from a shuffled deck, so that each comes as often as it
/// should also in a short soak.
pub(super) fn faults(seed: u64) -> impl Iterator<Item = Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut deck: Vec<FaultKind> = Vec::new();
    std::iter::repeat_with(move || {
        if deck.is_empty() {
            deck.extend(FaultKind::ALL.iter().flat_map(|kind| std::iter::repeat_n(*kind, kind.cards())));
            deck.shuffle(&mut random);
        }
        let kind = deck.pop().unwrap();
        let lasts = match kind {
            FaultKind::WorkerPaused => PAST_LEASE_MS,
            FaultKind::LeaderPaused => PAST_TERM_MS,
            FaultKind::LinkStalled | FaultKind::LinkSlow => STALL_MS,
            FaultKind::DatabasePaused => SILENT_MS,
            _ => AWAY_MS,
        };
        Fault {
            after: Duration::from_millis(random.random_range(PAUSE_MS)),
            kind,
            choice: random.random_range(0..1_000_000),
            lasts: Duration::from_millis(random.random_range(lasts)),
        }
    })
}

/// What becomes of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// It is made.
    Plain,
    /// It is made, and then submitted again with more profiles.
    Extended,
    /// It is submitted again with other profiles while it is made.
    Changed { after: Duration },
    /// Another file is delivered for it while it is made.
    Redelivered { after: Duration },
    /// It is cancelled while it is made, and perhaps submitted again.
    Cancelled { after: Duration, again: bool },
    /// It is made, submitted again with more profiles, and that is cancelled: what was online stays.
    CancelledLater { after: Duration },
    /// It is held for a while.
    Held { after: Duration, lasts: Duration },
    /// A rendition is made again once it is online.
    Remade,
    /// Two titles of the same bytes share their tasks, and one of them is cancelled.
    Twins { after: Duration },
    /// It waits for no answer, and asks again under the same idempotency key.
    Impatient { patience: Duration },
    /// It asks once, waits for no answer, and never asks again.
    Abandoned { patience: Duration },
    /// Its frame rate is fractional.
    Bad,
}

/// A title to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedTitle {
    /// After the title before it.
    pub(super) after: Duration,
    pub(super) name: String,
    /// The film's length in seconds.
    pub(super) seconds: u32,
    /// The profiles of its first submission, and those of a second one.
    pub(super) profiles: [&'static [&'static str]; 2],
    pub(super) story: Story,
}

impl PlannedTitle {
    /// A title that comes at once and is made.
    pub(super) fn plain(name: &str) -> Self {
        let (after, name) = (Duration::ZERO, name.to_owned());
        Self { after, name, seconds: 2, profiles: PROFILES[0], story: Story::Plain }
    }
}

/// Clear and encrypted, in segments and in one file; each second set has more or other profiles than the first.
const PROFILES: [[&[&str]; 2]; 5] = [
    [&["dash-clr-2s"], &["dash-clr-2s", "mp4-clr"]],
    [&["hls-fp-4s", "dash-wv-2s"], &["hls-fp-4s", "dash-wvpr-2s"]],
    [&["mp4-clr"], &["ts-clr-4s"]],
    [&["dash-wv-2s", "dash-pr-2s"], &["dash-wv-2s"]],
    [&["dash-clr-2s", "hls-fp-4s"], &["dash-clr-2s", "dash-clr-4s", "hls-fp-4s"]],
];

/// The titles of a seed, without an end.
pub(super) fn titles(seed: u64) -> impl Iterator<Item = PlannedTitle> {
    // Another stream of numbers than that of the faults.
    let mut random = StdRng::seed_from_u64(!seed);
    (1_u32..).map(move |number| {
        let mut milliseconds = |range| Duration::from_millis(random.random_range(range));
        let (between, after, lasts) =
            (milliseconds(BETWEEN_TITLES_MS), milliseconds(LATER_MS), milliseconds(LATER_MS));
        let patience = milliseconds(1..=60);
        let story = match random.random_range(0..24) {
            0..=7 => Story::Plain,
            8 => Story::Extended,
            9 => Story::Changed { after },
            10 => Story::Redelivered { after },
            11..=13 => Story::Cancelled { after, again: random.random() },
            14 => Story::CancelledLater { after },
            15 => Story::Held { after, lasts },
            16 => Story::Remade,
            17 => Story::Twins { after },
            18..=20 => Story::Impatient { patience },
            21 => Story::Abandoned { patience },
            _ => Story::Bad,
        };
        PlannedTitle {
            after: between,
            name: format!("title-{number}"),
            seconds: random.random_range(2..=4),
            profiles: PROFILES[random.random_range(0..PROFILES.len())],
            story,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_each_time_and_another_seed_another() {
        let plan = |seed| {
            let faults: Vec<_> = faults(seed).take(200).collect();
            let titles: Vec<_> = titles(seed).take(200).collect();
            (faults, titles)
        };
        assert_eq!(plan(7), plan(7));
        let (seventh, eighth) = (plan(7), plan(8));
        assert_ne!(seventh.0, eighth.0);
        assert_ne!(seventh.1, eighth.1);
    }

    #[test]
    fn there_is_a_fault_every_few_seconds_and_each_kind_comes_as_often_as_its_cards_say() {
        let deck: usize = FaultKind::ALL.iter().map(|kind| kind.cards()).sum();
        for seed in 0..20 {
            let mut counts = BTreeMap::new();
            for fault in faults(seed).take(3 * deck) {
                assert!(fault.after < Duration::from_secs(4), "{fault:?}");
                assert!(fault.lasts <= Duration::from_secs(25), "{fault:?}");
                *counts.entry(fault.kind).or_insert(0) += 1;
            }
            let expected = FaultKind::ALL.iter().map(|kind| (*kind, 3 * kind.cards())).collect();
            assert_eq!(counts, expected);
        }
    }

    #[test]
    fn names_are_unique_and_every_story_is_told() {
        let titles: Vec<_> = titles(1).take(500).collect();
        let mut names: Vec<_> = titles.iter().map(|title| title.name.clone()).collect();
        names.dedup();
        assert_eq!(names.len(), 500);
        let told: std::collections::HashSet<_> =
            titles.iter().map(|title| std::mem::discriminant(&title.story)).collect();
        assert_eq!(told.len(), 12);
    }
}

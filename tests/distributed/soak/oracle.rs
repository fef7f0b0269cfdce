//! Knows what was accepted and how each title must have ended, and judges the farm by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use reelfarm_model::{Code, TitleState};
use reelfarm_store::Store as _;

use super::messages::Meddler;
use crate::farm::Farm;

/// How a title must have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Online with these profiles.
    Published(BTreeSet<String>),
    /// Cancelled, and online with the profiles that it had before.
    Cancelled(Option<BTreeSet<String>>),
    /// Rejected, and not online.
    Rejected,
}

impl End {
    pub(super) fn published(profiles: &[&str]) -> Self {
        Self::Published(owned(profiles))
    }

    pub(super) fn cancelled(before: Option<&[&str]>) -> Self {
        Self::Cancelled(before.map(owned))
    }

    const fn state(&self) -> TitleState {
        match self {
            Self::Published(_) => TitleState::Published,
            Self::Cancelled(_) => TitleState::Cancelled,
            Self::Rejected => TitleState::Rejected,
        }
    }

    /// The profiles that are online.
    const fn online(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Published(profiles) | Self::Cancelled(Some(profiles)) => Some(profiles),
            Self::Cancelled(None) | Self::Rejected => None,
        }
    }
}

fn owned(profiles: &[&str]) -> BTreeSet<String> {
    profiles.iter().map(|profile| (*profile).to_owned()).collect()
}

/// What is known of all titles.
#[derive(Default)]
pub(super) struct Oracle(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Titles that were accepted.
    must: BTreeMap<String, End>,
    /// Titles whose only submission got no answer.
    may: BTreeMap<String, End>,
    /// How often a title was given up, by the reason.
    given_up: BTreeMap<Code, u64>,
}

/// What the judge found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Titles by their ends.
    pub(super) ends: BTreeMap<TitleState, u64>,
    /// Titles whose only submission got no answer and was not accepted.
    pub(super) never_accepted: u64,
    /// How often a title was given up and made again, by the reason.
    pub(super) given_up: BTreeMap<Code, u64>,
    /// Messages that nobody understood.
    pub(super) dead_letters: usize,
}

impl Oracle {
    pub(super) fn must_end(&self, title: &str, end: End) {
        self.0.lock().unwrap().must.insert(title.to_owned(), end);
    }

    pub(super) fn may_end(&self, title: &str, end: End) {
        self.0.lock().unwrap().may.insert(title.to_owned(), end);
    }

    pub(super) fn given_up(&self, code: Code) {
        *self.0.lock().unwrap().given_up.entry(code).or_default() += 1;
    }

    /// Titles whose only submission got no answer.
    pub(super) fn abandoned(&self) -> Vec<String> {
        self.0.lock().unwrap().may.keys().cloned().collect()
    }

    /// Judges a farm that is whole again and has nothing left to do.
    pub(super) async fn judge(&self, farm: &mut Farm, meddler: &Meddler) -> Verdict {
        let Known { must, may, given_up } = std::mem::take(&mut *self.0.lock().unwrap());
        let mut verdict = Verdict { given_up, ..Verdict::default() };
        let titles = farm.store.titles().await.unwrap();
        let known: BTreeSet<_> = titles.iter().map(|title| title.submission.title.to_string()).collect();
        let lost: Vec<_> = must.keys().filter(|title| !known.contains(*title)).collect();
        assert_eq!(lost, [""; 0], "titles that were accepted and are lost");
        for title in titles {
            let name = title.submission.title.as_str();
            let end = must.get(name).or_else(|| may.get(name));
            let end = end.unwrap_or_else(|| panic!("{name} is known, and nobody submitted it"));
            assert_eq!(title.state, end.state(), "{name}: {:?}", title.failure);
            match end.online() {
                Some(profiles) => assert_eq!(farm.is_online_once(name), *profiles, "profiles of {name}"),
                None => farm.is_not_online(name),
            }
            *verdict.ends.entry(title.state).or_default() += 1;
        }
        verdict.never_accepted = may.keys().filter(|title| !known.contains(*title)).count() as u64;
        farm.nothing_is_left().await;
        verdict.dead_letters = meddler.judge().await;
        farm.no_message_is_left().await;
        verdict
    }
}

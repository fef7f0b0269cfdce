//! Titles that could not be planned because storage failed, and when they are looked at again. Kept in memory alone: a
//! scheduler that follows looks at every title anyway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use reelfarm_model::{Failure, Title, TitleId};

/// Why and how long a title waits.
struct Postponement {
    /// Of this submission; another is not postponed.
    generation: u64,
    /// How often it was tried.
    tries: u32,
    /// Not before then.
    until: Instant,
    why: Failure,
}

/// The titles that wait.
#[derive(Clone, Default)]
pub(crate) struct Postponed(Arc<Mutex<HashMap<TitleId, Postponement>>>);

impl Postponed {
    /// Whether a title is not to be looked at yet.
    pub(crate) fn holds_back(&self, title: &Title, now: Instant) -> bool {
        self.of(title, |found| found.until > now).unwrap_or(false)
    }

    /// How often a title has been tried.
    pub(crate) fn tries(&self, title: &Title) -> u32 {
        self.of(title, |found| found.tries).unwrap_or(0)
    }

    pub(crate) fn postpone(&self, title: &Title, tries: u32, until: Instant, why: Failure) {
        let postponement = Postponement { generation: title.generation, tries, until, why };
        self.titles().insert(title.submission.title.clone(), postponement);
    }

    /// A title has gone on, or has ended.
    pub(crate) fn forget(&self, title: &TitleId) {
        self.titles().remove(title);
    }

    pub(crate) fn contains(&self, title: &TitleId) -> bool {
        self.titles().contains_key(title)
    }

    /// Those whose wait is over.
    pub(crate) fn over(&self, now: Instant) -> Vec<TitleId> {
        let titles = self.titles();
        titles.iter().filter(|(_, found)| found.until <= now).map(|(title, _)| title.clone()).collect()
    }

    pub(crate) fn why(&self, title: &Title) -> Option<Failure> {
        self.of(title, |found| found.why.clone())
    }

    /// Something of what is known of this submission of a title.
    fn of<T>(&self, title: &Title, read: impl FnOnce(&Postponement) -> T) -> Option<T> {
        let titles = self.titles();
        let found = titles.get(&title.submission.title);
        found.filter(|found| found.generation == title.generation).map(read)
    }

    fn titles(&self) -> MutexGuard<'_, HashMap<TitleId, Postponement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The tasks of one route that wait for one pool.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use reelfarm_model::facts::Part;

use crate::urgency::Band;

/// A task's place in its line: the smallest goes first. Total, so that equal states give equal decisions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<T, K> {
    pub(super) band: Band,
    pub(super) moment_ms: i64,
    pub(super) then_ms: i64,
    pub(super) title: T,
    pub(super) part: Part,
    /// The longest way to the end first: the others can be done beside it.
    pub(super) tail_ms: Reverse<i64>,
    pub(super) key: K,
}

/// The line, and the slots that its route has in the pool.
#[derive(Clone, Debug)]
pub(super) struct Line<T, K> {
    pub(super) waiting: BTreeSet<Rank<T, K>>,
    /// Those of them that are out of patience, by the submission of their titles.
    pub(super) impatient: BTreeSet<(i64, Rank<T, K>)>,
    /// Slots at which tasks of the route are at work, without recodes.
    pub(super) busy: u32,
    /// Starts on the ground of the minimum since the last that was given to patience.
    pub(super) turns: u32,
}

impl<T, K> Default for Line<T, K> {
    fn default() -> Self {
        Self { waiting: BTreeSet::new(), impatient: BTreeSet::new(), busy: 0, turns: 0 }
    }
}

impl<T: Clone + Ord, K: Copy + Ord> Line<T, K> {
    pub(super) fn join(&mut self, rank: Rank<T, K>, impatient_since_ms: Option<i64>) {
        if let Some(since_ms) = impatient_since_ms {
            self.impatient.insert((since_ms, rank.clone()));
        }
        self.waiting.insert(rank);
    }

    pub(super) fn leave(&mut self, rank: &Rank<T, K>, impatient_since_ms: Option<i64>) {
        if let Some(since_ms) = impatient_since_ms {
            self.impatient.remove(&(since_ms, rank.clone()));
        }
        self.waiting.remove(rank);
    }

    /// How many stand before a place; no more than `limit` are counted.
    pub(super) fn before(&self, rank: &Rank<T, K>, limit: usize) -> usize {
        self.waiting.range(..rank).take(limit).count()
    }
}

//! Who gets a slot: first which route, then which of its tasks.

use std::cmp::Ordering;
use std::hash::Hash;

use reelfarm_model::Pool;

use super::line::{Line, Rank};
use super::{Decision, Queue};
use crate::urgency::Band;

/// On what ground a route gets a slot, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// It has fewer slots than its minimum.
    Minimum,
    /// What it has is pressed, and it has less than its share.
    UrgentWithinShare,
    /// What it has is pressed, and it has its share: others can wait.
    UrgentBeyondShare,
    /// It has less than its share.
    Share,
    /// Those whose share it is have no use for it.
    Lent,
    /// Nobody but recodes has a use for it.
    Left,
    /// It has waited beyond its patience, and this turn is for such.
    Patience,
}

/// A route that has a use for a slot.
struct Applicant<'a, T, K> {
    route: usize,
    claim: Claim,
    /// Slots that it has, and those that are its own on this ground.
    used: u64,
    own: u64,
    head: &'a Rank<T, K>,
}

impl<T: Ord, K: Ord> Applicant<'_, T, K> {
    fn before(&self, other: &Self) -> Ordering {
        let by_use = (self.used * other.own.max(1)).cmp(&(other.used * self.own.max(1)));
        let by_band = self.head.band.cmp(&other.head.band);
        let by_rank = self.head.cmp(other.head);
        self.claim.cmp(&other.claim).then(match self.claim {
            Claim::Minimum => by_use.then(by_rank),
            Claim::Share | Claim::Lent => by_band.then(by_use).then(by_rank),
            _ => by_rank,
        })
    }
}

impl<T: Clone + Ord + Hash, K: Copy + Ord + Hash> Queue<T, K> {
    /// The task that gets a slot of a pool with so many slots.
    pub(super) fn choose(&mut self, pool: Pool, slots: usize) -> Option<Decision<T, K>> {
        let lines = self.lines.get(&pool)?;
        let applicants = lines.iter().enumerate().filter_map(|(route, line)| {
            let rule = &self.rules.routes[route];
            Some(applicant(route, line, line.waiting.first()?, rule.minimum(pool), rule.share_percent, slots))
        });
        let chosen = applicants.min_by(Applicant::before)?;
        let (route, mut claim, rank) = (chosen.route, chosen.claim, chosen.head.clone());
        let turn = self.rules.patience_turn;
        let (mut route, mut rank) = (route, rank);
        // A minimum is kept whatever waits elsewhere.
        if claim != Claim::Minimum && claim != Claim::Left {
            let turns = self.turns.entry(pool).or_default();
            *turns = (*turns + 1).min(turn);
            let longest =
                lines.iter().enumerate().filter_map(|(route, line)| Some((line.impatient.first()?, route)));
            if *turns == turn
                && let Some(((_, impatient), of)) = longest.min()
            {
                *turns = 0;
                (route, rank, claim) = (of, impatient.clone(), Claim::Patience);
            }
        }
        // Within a route that lives on its minimum the turns of the pool do not count.
        let line = self.lines.get_mut(&pool)?.get_mut(route)?;
        if claim == Claim::Minimum {
            line.turns = (line.turns + 1).min(turn);
            if line.turns == turn
                && let Some((_, impatient)) = line.impatient.first()
            {
                line.turns = 0;
                rank = impatient.clone();
            }
        }
        Some(Decision { key: rank.key, pool, title: rank.title, route, band: rank.band, claim })
    }
}

fn applicant<'a, T, K>(
    route: usize,
    line: &Line<T, K>,
    head: &'a Rank<T, K>,
    minimum: u32,
    share_percent: u32,
    slots: usize,
) -> Applicant<'a, T, K> {
    let used = u64::from(line.busy);
    // In hundredths of a slot.
    let share = u64::from(share_percent) * slots as u64;
    let within_share = used * 100 < share;
    let claim = match head.band {
        Band::Recode => Claim::Left,
        _ if line.busy < minimum => Claim::Minimum,
        band if band.is_urgent() && within_share => Claim::UrgentWithinShare,
        band if band.is_urgent() => Claim::UrgentBeyondShare,
        _ if within_share => Claim::Share,
        _ => Claim::Lent,
    };
    let own = if claim == Claim::Minimum { u64::from(minimum) } else { share };
    Applicant { route, claim, used, own, head }
}

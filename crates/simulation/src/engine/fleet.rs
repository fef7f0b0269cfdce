//! The hosts, and which of their slots are free.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::Pool;
use reelfarm_model::facts::ContentKind;
use reelfarm_priority::Capacity;

use crate::workload::Hosts;

/// A slot of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) host: u32,
    pub(super) pool: Pool,
    number: u32,
}

pub(super) struct Fleet {
    hosts: Vec<BTreeMap<Pool, u32>>,
    lost: BTreeSet<u32>,
    free: BTreeMap<Pool, BTreeSet<Slot>>,
    /// What was last at work in each slot.
    last: BTreeMap<Slot, ContentKind>,
}

impl Fleet {
    pub(super) fn new(hosts: &[Hosts]) -> Self {
        let each = |hosts: &Hosts| std::iter::repeat_n(hosts.slots.clone(), hosts.count as usize);
        let mut fleet = Self {
            hosts: hosts.iter().flat_map(each).collect(),
            lost: BTreeSet::new(),
            free: BTreeMap::new(),
            last: BTreeMap::new(),
        };
        for host in 0..fleet.hosts.len() as u32 {
            fleet.open(host);
        }
        fleet
    }

    /// All slots of the hosts that are there, by pool.
    pub(super) fn slots(&self) -> BTreeMap<Pool, u32> {
        let mut slots = BTreeMap::new();
        for (host, of_host) in (0..).zip(&self.hosts) {
            for (pool, number) in of_host.iter().filter(|_| !self.lost.contains(&host)) {
                *slots.entry(*pool).or_default() += number;
            }
        }
        slots
    }

    /// What a policy is told of the slots.
    pub(super) fn capacity(&self) -> BTreeMap<Pool, Capacity> {
        let free = |pool| self.free.get(&pool).map_or(0, BTreeSet::len);
        let slots = self.slots().into_iter();
        slots.map(|(pool, total)| (pool, Capacity { total: total as usize, free: free(pool) })).collect()
    }

    /// A free slot, with what was at work in it before.
    pub(super) fn take(&mut self, pool: Pool, kind: ContentKind) -> Option<(Slot, Option<ContentKind>)> {
        let slot = self.free.get_mut(&pool)?.pop_first()?;
        Some((slot, self.last.insert(slot, kind)))
    }

    pub(super) fn free(&mut self, slot: Slot) {
        if !self.lost.contains(&slot.host) {
            self.free.entry(slot.pool).or_default().insert(slot);
        }
    }

    /// Loses the first hosts that are there, and answers which.
    pub(super) fn lose(&mut self, hosts: u32) -> BTreeSet<u32> {
        let there = (0..self.hosts.len() as u32).filter(|host| !self.lost.contains(host));
        let lost: BTreeSet<u32> = there.take(hosts as usize).collect();
        self.free.values_mut().for_each(|slots| slots.retain(|slot| !lost.contains(&slot.host)));
        self.lost.extend(&lost);
        lost
    }

    /// The hosts that were lost first are back, empty.
    pub(super) fn back(&mut self, hosts: u32) {
        for _ in 0..hosts {
            let Some(host) = self.lost.pop_first() else { return };
            self.open(host);
        }
    }

    fn open(&mut self, host: u32) {
        for (pool, slots) in &self.hosts[host as usize] {
            let free = self.free.entry(*pool).or_default();
            free.extend((0..*slots).map(|number| Slot { host, pool: *pool, number }));
        }
    }
}

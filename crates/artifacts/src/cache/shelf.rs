//! What is kept and what goes first: the bookkeeping of a cache, without its files.

use std::collections::BTreeMap;

/// One thing that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    size: u64,
    /// When it was last used, counted in uses of anything.
    used: u64,
    holders: usize,
    /// Whether it is still given to who asks for its name.
    offered: bool,
}

/// Things by the folders that they lie in. One that is held stays, whatever else is asked for.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    entries: BTreeMap<String, Entry>,
    uses: u64,
}

impl Shelf {
    /// Takes in a thing that lies in `folder`, as the one used last. What had its name is offered no more; answers its
    /// folder where nobody holds it, which is to be removed.
    #[must_use]
    pub(super) fn insert(&mut self, name: &str, folder: &str, size: u64) -> Option<String> {
        let gone = self.forget(name);
        self.uses += 1;
        let entry = Entry { name: name.to_owned(), size, used: self.uses, holders: 0, offered: true };
        self.entries.insert(folder.to_owned(), entry);
        gone
    }

    /// Holds the thing of this name; answers its folder.
    pub(super) fn hold(&mut self, name: &str) -> Option<String> {
        self.uses += 1;
        let uses = self.uses;
        let (folder, entry) =
            self.entries.iter_mut().find(|(_, entry)| entry.offered && entry.name == name)?;
        entry.holders += 1;
        entry.used = uses;
        Some(folder.clone())
    }

    /// Ends one holding of what lies in `folder`; answers whether it is to be removed now.
    #[must_use]
    pub(super) fn release(&mut self, folder: &str) -> bool {
        let Some(entry) = self.entries.get_mut(folder) else { return false };
        entry.holders = entry.holders.saturating_sub(1);
        let goes = entry.holders == 0 && !entry.offered;
        if goes {
            self.entries.remove(folder);
        }
        goes
    }

    /// Offers the thing of this name no more; answers its folder where nobody holds it, which is to be removed. Where
    /// somebody does, the last [`release`](Self::release) says so.
    #[must_use]
    pub(super) fn forget(&mut self, name: &str) -> Option<String> {
        let (folder, entry) =
            self.entries.iter_mut().find(|(_, entry)| entry.offered && entry.name == name)?;
        entry.offered = false;
        if entry.holders > 0 {
            return None;
        }
        let folder = folder.clone();
        self.entries.remove(&folder);
        Some(folder)
    }

    /// Bytes of all that is kept.
    pub(super) fn total(&self) -> u64 {
        self.entries.values().map(|entry| entry.size).sum()
    }

    /// Takes off the shelf what nobody holds, the longest unused first, until that is at least `bytes` or nothing is
    /// left. Answers the folders, which are to be removed.
    #[must_use]
    pub(super) fn make_room(&mut self, bytes: u64) -> Vec<String> {
        let mut idle: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.holders == 0)
            .map(|(folder, entry)| (entry.used, folder.clone(), entry.size))
            .collect();
        idle.sort();
        let (mut freed, mut gone) = (0_u64, Vec::new());
        for (_, folder, size) in idle {
            if freed >= bytes {
                break;
            }
            freed = freed.saturating_add(size);
            self.entries.remove(&folder);
            gone.push(folder);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_unused_goes_first_and_what_is_held_stays() {
        let mut shelf = Shelf::default();
        for (name, size) in [("a", 1), ("b", 2), ("c", 4), ("d", 8)] {
            assert_eq!(shelf.insert(name, &format!("{name}~1"), size), None);
        }
        assert_eq!(shelf.hold("a").as_deref(), Some("a~1"));
        assert!(!shelf.release("a~1"), "it stays, as it may be used again");
        assert_eq!(shelf.hold("c").as_deref(), Some("c~1"));
        assert_eq!(shelf.make_room(0), [""; 0]);
        assert_eq!(shelf.make_room(2), ["b~1"]);
        assert_eq!(shelf.make_room(100), ["d~1", "a~1"]);
        assert_eq!((shelf.total(), shelf.make_room(1)), (4, vec![]));
    }

    #[test]
    fn what_is_forgotten_while_it_is_held_goes_with_its_last_holder() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.insert("a", "a~1", 1), None);
        shelf.hold("a").unwrap();
        shelf.hold("a").unwrap();
        assert_eq!(shelf.forget("a"), None);
        assert_eq!(shelf.hold("a"), None);
        assert_eq!(shelf.insert("a", "a~2", 1), None, "another of the name has a folder of its own");
        assert!(!shelf.release("a~1"));
        assert_eq!(shelf.make_room(100), ["a~2"], "still held by one");
        assert!(shelf.release("a~1"));
        assert_eq!(shelf.total(), 0);
        assert_eq!(shelf.insert("b", "b~1", 1), None);
        assert_eq!(shelf.forget("b").as_deref(), Some("b~1"));
        assert_eq!(shelf.forget("b"), None);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Insert(u8, u64),
        Hold(u8),
        Release(usize),
        Forget(u8),
        MakeRoom(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..5_u8, 0..100_u64).prop_map(|(name, size)| Act::Insert(name, size)),
            (0..5_u8).prop_map(Act::Hold),
            (0..8_usize).prop_map(Act::Release),
            (0..5_u8).prop_map(Act::Forget),
            (0..300_u64).prop_map(Act::MakeRoom),
        ]
    }

    proptest! {
        #[test]
        fn nothing_that_is_held_ever_goes_and_everything_goes_once(acts in prop::collection::vec(act(), 0..60)) {
            let mut shelf = Shelf::default();
            let mut there: BTreeMap<String, u64> = BTreeMap::new();
            let mut held: Vec<String> = Vec::new();
            for (number, act) in acts.into_iter().enumerate() {
                let mut gone = Vec::new();
                match act {
                    Act::Insert(name, size) => {
                        let folder = format!("{name}~{number}");
                        gone.extend(shelf.insert(&name.to_string(), &folder, size));
                        there.insert(folder, size);
                    }
                    Act::Hold(name) => held.extend(shelf.hold(&name.to_string())),
                    Act::Release(place) if place < held.len() => {
                        let folder = held.remove(place);
                        if shelf.release(&folder) {
                            gone.push(folder);
                        }
                    }
                    Act::Release(_) => {}
                    Act::Forget(name) => gone.extend(shelf.forget(&name.to_string())),
                    Act::MakeRoom(bytes) => gone = shelf.make_room(bytes),
                }
                for folder in gone {
                    prop_assert!(!held.contains(&folder), "{folder} is held");
                    prop_assert!(there.remove(&folder).is_some(), "{folder} went before");
                }
                prop_assert_eq!(shelf.total(), there.values().sum::<u64>());
            }
            for folder in std::mem::take(&mut held) {
                if shelf.release(&folder) {
                    there.remove(&folder);
                }
            }
            for folder in shelf.make_room(u64::MAX) {
                there.remove(&folder);
            }
            // Things of no size may stay where no room is needed for them.
            prop_assert_eq!(there.values().sum::<u64>(), 0);
        }
    }
}

//! Placement in a cuckoo table: the software copy of what the card holds.
//!
//! The card only looks up; where an entry goes, and which others move to make room, is planned
//! here as a list of slot writes. Applied in order, no key that was in the table is missing from
//! it after any one of them: each moved entry has its new copy before its old slot is reused.

use std::collections::HashSet;

use ipos_abi::table::{BANKS, hash};

/// Slots that the search for a free one looks at before the table counts as full. Breadth first, so
/// this also bounds the writes of one insertion to a handful.
const SEARCH_LIMIT: usize = 1024;

/// One write to the card's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotWrite<V> {
    /// Bank of the slot.
    pub bank: usize,
    /// Index within the bank.
    pub index: u32,
    /// Key bits and value; `None` empties the slot.
    pub entry: Option<(u128, V)>,
}

/// No free slot was found for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What the card's table holds.
#[derive(Clone, Debug)]
pub struct Cuckoo<V> {
    index_bits: usize,
    /// Bank by bank.
    slots: Vec<Option<(u128, V)>>,
    used: usize,
}

impl<V: Copy> Cuckoo<V> {
    /// An empty table of `1 << index_bits` slots per bank.
    #[must_use]
    pub fn new(index_bits: usize) -> Self {
        Cuckoo { index_bits, slots: vec![None; BANKS << index_bits], used: 0 }
    }

    /// Slots of all banks.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Slots in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }

    /// The value of a key.
    #[must_use]
    pub fn lookup(&self, key: u128) -> Option<V> {
        self.holding(key).find_map(|slot| self.slots[slot]).map(|(_, value)| value)
    }

    /// What a slot holds.
    #[must_use]
    pub fn occupant(&self, bank: usize, index: u32) -> Option<(u128, V)> {
        *self.slots.get(bank << self.index_bits | index as usize)?
    }

    /// The slots that hold a key: bank and index.
    pub fn places(&self, key: u128) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.holding(key).map(|slot| (slot >> self.index_bits, (slot & ((1 << self.index_bits) - 1)) as u32))
    }

    /// All keys and values, in no useful order.
    pub fn iter(&self) -> impl Iterator<Item = (u128, V)> + '_ {
        self.slots.iter().flatten().copied()
    }

    /// The writes that give `key` this value, moving other entries where needed.
    pub fn plan_insert(&self, key: u128, value: V) -> Result<Vec<SlotWrite<V>>, Full> {
        let present: Vec<_> = self.holding(key).map(|slot| self.write(slot, Some((key, value)))).collect();
        if !present.is_empty() {
            return Ok(present);
        }
        // from the free end backwards: each entry is copied forward, then its slot is overwritten
        let path = self.path_to_free(key).ok_or(Full)?;
        let mut writes: Vec<_> = path.windows(2).rev().map(|p| self.write(p[1], self.slots[p[0]])).collect();
        writes.push(self.write(path[0], Some((key, value))));
        Ok(writes)
    }

    /// The writes that remove `key`; none if it is not there.
    #[must_use]
    pub fn plan_remove(&self, key: u128) -> Vec<SlotWrite<V>> {
        self.holding(key).map(|slot| self.write(slot, None)).collect()
    }

    /// Records a write that the card has taken.
    pub fn apply(&mut self, write: &SlotWrite<V>) {
        let slot = &mut self.slots[write.bank << self.index_bits | write.index as usize];
        self.used -= usize::from(slot.is_some());
        self.used += usize::from(write.entry.is_some());
        *slot = write.entry;
    }

    fn write(&self, slot: usize, entry: Option<(u128, V)>) -> SlotWrite<V> {
        let index = slot & ((1 << self.index_bits) - 1);
        SlotWrite { bank: slot >> self.index_bits, index: index as u32, entry }
    }

    /// The slots that `key` may be in, one per bank.
    fn candidates(&self, key: u128) -> [usize; BANKS] {
        std::array::from_fn(|bank| bank << self.index_bits | hash(bank, key, self.index_bits) as usize)
    }

    /// The slots that `key` is in: two only if a device failed between the writes of a plan.
    fn holding(&self, key: u128) -> impl Iterator<Item = usize> + '_ {
        self.candidates(key).into_iter().filter(move |&slot| self.slots[slot].is_some_and(|(k, _)| k == key))
    }

    /// The shortest chain of slots that begins with a candidate of `key` and ends with a free
    /// one, in which each slot is a candidate of the entry in the slot before it.
    fn path_to_free(&self, key: u128) -> Option<Vec<usize>> {
        let mut seen = HashSet::new();
        let mut queue: Vec<(usize, Option<usize>)> = Vec::new();
        let visit = |queue: &mut Vec<_>, seen: &mut HashSet<usize>, key, parent| {
            for slot in self.candidates(key) {
                if queue.len() < SEARCH_LIMIT && seen.insert(slot) {
                    queue.push((slot, parent));
                }
            }
        };
        visit(&mut queue, &mut seen, key, None);
        let mut next = 0;
        while let Some(&(slot, _)) = queue.get(next) {
            match self.slots[slot] {
                Some((occupant, _)) => visit(&mut queue, &mut seen, occupant, Some(next)),
                None => {
                    let chain = std::iter::successors(Some(next), |&i| queue[i].1);
                    let mut path: Vec<_> = chain.map(|i| queue[i].0).collect();
                    path.reverse();
                    return Some(path);
                }
            }
            next += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_copies_before_it_overwrites_and_ends_with_the_new_key() {
        let mut table = Cuckoo::new(2);
        let mut key = 0u128;
        let plan = loop {
            key += 0x1_0001_0000_0001;
            let plan = table.plan_insert(key, ()).expect("some key needs a move before the table is full");
            if plan.len() > 1 {
                break plan;
            }
            plan.iter().for_each(|w| table.apply(w));
        };
        let before: Vec<_> = table.iter().collect();
        for write in &plan {
            table.apply(write);
            assert!(before.iter().all(|&(k, ())| table.lookup(k).is_some()), "a key is missing after {write:?}");
        }
        assert_eq!(plan.last().and_then(|w| w.entry), Some((key, ())));
        assert_eq!(table.used(), before.len() + 1);
    }

    #[test]
    fn a_key_that_is_present_is_rewritten_in_place() {
        let mut table = Cuckoo::new(4);
        for value in 0..3 {
            let plan = table.plan_insert(77, value).unwrap();
            assert_eq!(plan.len(), 1);
            table.apply(&plan[0]);
        }
        assert_eq!((table.used(), table.lookup(77)), (1, Some(2)));
        for write in table.plan_remove(77) {
            table.apply(&write);
        }
        assert_eq!((table.used(), table.lookup(77)), (0, None));
        assert!(table.plan_remove(77).is_empty());
    }
}

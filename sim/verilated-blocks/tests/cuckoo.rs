//! The cuckoo table against a `HashMap`: lookups each cycle while the host fills, moves, changes and clears entries.
//!
//! The host's part is as in the host's driver, but small: a breadth-first search for a place, and moves that write the
//! new copy before the old one goes. So a key that is in the map must be found in every cycle, with the value of
//! the last commit.

use std::collections::{HashMap, VecDeque};

use ipos_abi::table::{BANKS, HASH_BITS, KEY_BITS, hash};
use ipos_verilated_blocks::{Clocked, cuckoo, seeded};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};

const INDEX_BITS: usize = 4;
const SLOTS: usize = BANKS << INDEX_BITS;
const CYCLES: u64 = 600_000;

type Key = u128;
type Slot = (usize, usize);

/// One write to the table, and what it means to the map. A cleared entry keeps its key.
struct Commit {
    slot: Slot,
    entry: (Key, u16),
    valid: bool,
    effect: Option<(Key, Option<u16>)>,
}

#[derive(Default)]
struct Host {
    slots: HashMap<Slot, Key>, // as they will be when all is committed
    values: HashMap<Key, u16>,
    commits: VecDeque<Commit>,
}

impl Host {
    fn places(key: Key) -> impl Iterator<Item = Slot> {
        (0..BANKS).map(move |bank| (bank, hash(bank, key, INDEX_BITS) as usize))
    }

    /// The shortest path of slots from one of the key's to an empty one.
    fn path(&self, key: Key) -> Option<Vec<Slot>> {
        let mut from: HashMap<Slot, Option<Slot>> = Self::places(key).map(|slot| (slot, None)).collect();
        let mut queue: VecDeque<Slot> = Self::places(key).collect();
        while let Some(slot) = queue.pop_front() {
            let Some(&held) = self.slots.get(&slot) else {
                return Some(std::iter::successors(Some(slot), |s| from[s]).collect());
            };
            for next in Self::places(held) {
                from.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    Some(slot)
                });
            }
        }
        None
    }

    /// False if there is no place.
    fn insert(&mut self, key: Key, value: u16) -> bool {
        let Some(path) = self.path(key) else { return false };
        for pair in path.windows(2) {
            let moved = self.slots[&pair[1]];
            self.slots.insert(pair[0], moved);
            self.commits.push_back(Commit {
                slot: pair[0],
                entry: (moved, self.values[&moved]),
                valid: true,
                effect: None,
            });
        }
        let slot = *path.last().expect("at least the empty slot");
        self.slots.insert(slot, key);
        self.values.insert(key, value);
        self.commits.push_back(Commit { slot, entry: (key, value), valid: true, effect: Some((key, Some(value))) });
        true
    }

    fn at(&self, key: Key) -> Slot {
        *self.slots.iter().find(|(_, k)| **k == key).expect("it is in the table").0
    }

    fn change(&mut self, key: Key, value: u16) {
        self.values.insert(key, value);
        self.commits.push_back(Commit {
            slot: self.at(key),
            entry: (key, value),
            valid: true,
            effect: Some((key, Some(value))),
        });
    }

    fn remove(&mut self, key: Key) {
        let slot = self.at(key);
        self.slots.remove(&slot);
        let value = self.values.remove(&key).expect("it is in the table");
        self.commits.push_back(Commit { slot, entry: (key, value), valid: false, effect: Some((key, None)) });
    }
}

fn words<const N: usize>(key: Key) -> [u32; N] {
    std::array::from_fn(|i| (key >> (32 * i)) as u32)
}

fn commit(block: &mut cuckoo::Model, commit: &Commit) {
    block.set_commit(1);
    block.set_commit_bank(commit.slot.0 as u8);
    block.set_commit_slot(commit.slot.1 as u16);
    block.set_commit_valid(commit.valid.into());
    block.set_commit_key(&words(commit.entry.0));
    block.set_commit_value(commit.entry.1);
}

/// What the host does next; true if it met a full table.
fn next_job(host: &mut Host, filling: &mut bool, pool: &[Key], rng: &mut SmallRng) -> bool {
    let present = host.values.keys().copied().choose(rng);
    match (rng.random_range(0..10), present) {
        (0..2, Some(key)) => host.change(key, rng.random_range(0..1024)),
        (2..8, Some(key)) if !*filling => {
            host.remove(key);
            *filling = host.values.len() < 8;
        }
        _ => {
            let key = *pool.choose(rng).expect("a pool");
            if !host.values.contains_key(&key) && !host.insert(key, rng.random_range(0..1024)) {
                *filling = false;
                return true;
            }
        }
    }
    false
}

#[test]
fn lookups_see_each_commit_whole() {
    let mut rng = seeded();
    let mut block = cuckoo::Model::new(Some(rng.random()));
    for slot in 0..SLOTS {
        commit(&mut block, &Commit { slot: (slot % BANKS, slot / BANKS), entry: (0, 0), valid: false, effect: None });
        block.low();
        block.rise();
    }
    let pool: Vec<Key> = (0..200).map(|_| rng.random::<u128>() >> (128 - KEY_BITS)).collect();
    let mut host = Host::default();
    let mut map: HashMap<Key, u16> = HashMap::new(); // as committed
    let mut filling = true;
    let mut flight: VecDeque<Option<(Key, Option<u16>)>> = VecDeque::from([None; 5]); // newest first
    let (mut lookups, mut hits, mut moves, mut fullest, mut refused) = (0u32, 0u32, 0u32, 0, Vec::new());
    for cycle in 0..CYCLES {
        if host.commits.is_empty() && rng.random_range(0..4) == 0 {
            if next_job(&mut host, &mut filling, &pool, &mut rng) {
                refused.push(host.values.len());
            }
            fullest = fullest.max(host.values.len());
        }
        block.set_commit(0);
        block.set_hash(rng.random::<u64>() >> 16);
        let mut lookup = None;
        let mut effect = None;
        if !host.commits.is_empty() && rng.random() {
            let next = host.commits.pop_front().expect("not empty");
            commit(&mut block, &next);
            effect = next.effect;
            moves += u32::from(effect.is_none());
        } else if rng.random_range(0..8) > 0 {
            let mut key = *pool.choose(&mut rng).expect("a pool");
            let hashes = (0..BANKS).map(|b| u64::from(hash(b, key, HASH_BITS)) << (HASH_BITS * b)).sum();
            block.set_hash(hashes);
            if rng.random_range(0..4) == 0 {
                key ^= 1 << rng.random_range(0..KEY_BITS); // another key of the same hash
            }
            lookup = Some((key, map.get(&key).copied()));
        }
        // the key of the hash two cycles ago
        block.set_key(&words(flight[1].map_or_else(|| rng.random::<u128>() >> (128 - KEY_BITS), |(key, _)| key)));
        block.low();
        if let Some((key, expected)) = flight[4] {
            let found = (block.hit() != 0).then(|| block.value());
            assert_eq!(found, expected, "cycle {cycle}, key {key:#x}");
            lookups += 1;
            hits += u32::from(expected.is_some());
        }
        match effect {
            Some((key, Some(value))) => drop(map.insert(key, value)),
            Some((key, None)) => drop(map.remove(&key)),
            None => {}
        }
        flight.rotate_right(1);
        flight[0] = lookup;
        block.rise();
    }
    refused.sort_unstable();
    let typical = refused[refused.len() / 2];
    println!("{lookups} lookups, {hits} hits, {moves} moves; full {} times, at {typical} of {SLOTS}", refused.len());
    assert!(lookups > 100_000 && hits > 30_000 && moves > 1000);
    assert!(fullest * 10 >= SLOTS * 9 && typical * 10 >= SLOTS * 9, "{fullest} of {SLOTS} slots");
}

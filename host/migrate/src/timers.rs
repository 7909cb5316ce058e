//! Deadlines of many things: the earliest is known at once, a change costs O(log n).

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::Time;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Timers<K> {
    at: BTreeMap<K, Time>,
    queue: BTreeSet<(Time, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    pub fn new() -> Self {
        Timers { at: BTreeMap::new(), queue: BTreeSet::new() }
    }

    /// The timer of `key` expires then; `None`: it has none.
    pub fn set(&mut self, key: K, at: Option<Time>) {
        let before = match at {
            Some(at) => self.at.insert(key, at),
            None => self.at.remove(&key),
        };
        if before != at {
            if let Some(before) = before {
                self.queue.remove(&(before, key));
            }
            if let Some(at) = at {
                self.queue.insert((at, key));
            }
        }
    }

    pub fn earliest(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// What expires then.
    pub fn first(&self) -> Option<K> {
        self.queue.first().map(|(_, key)| *key)
    }

    /// Takes one timer that has expired.
    pub fn expired(&mut self, now: Time) -> Option<K> {
        let (at, key) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

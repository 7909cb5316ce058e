//! Deadlines of many things: the earliest is known at once, a change costs O(log n).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::protocol::{Flow, MoveId, RETRY, RETRY_MAX, Time};

/// What a timer belongs to. Of those that expire together the first one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    Source(MoveId),
    Destination(MoveId),
    Notice(MoveId),
    Search(Flow),
    /// Knowledge of a flow that has left or ended.
    Known(Flow),
}

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

/// A timer with backoff and a bound.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Retry {
    pub at: Time,
    wait: Duration,
    tries: u32,
}

impl Retry {
    pub fn start(now: Time) -> Self {
        Retry { at: now + RETRY, wait: RETRY, tries: 1 }
    }

    /// Whether it is due; then it is set again, and `Err` says that `limit` tries have been made.
    pub fn due(&mut self, now: Time, limit: u32) -> Result<bool, ()> {
        if now < self.at {
            return Ok(false);
        }
        if self.tries >= limit {
            return Err(());
        }
        self.tries += 1;
        self.wait = (self.wait * 2).min(RETRY_MAX);
        self.at = now + self.wait;
        Ok(true)
    }
}

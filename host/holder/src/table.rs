//! The entries of a holder and their bounds.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::message::{DESCRIPTORS, NOTE_BYTES, Why};

/// What a holder keeps at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Descriptors in sum.
    pub descriptors: usize,
    /// Bytes of notes in sum.
    pub note_bytes: usize,
    /// How long an entry is kept without a node. Longer than a node takes to start again, shorter than its peers remember
    /// a commit (`COMMIT_TRIES` and `KNOWN` of the migration core, two minutes): a socket that goes live later would have two owners.
    pub orphaned: Duration,
    /// How long a holder without a node and entries goes on; `None`: for ever.
    pub idle: Option<Duration>,
}

impl Limits {
    /// Default of [`Limits::orphaned`].
    pub const ORPHANED: Duration = Duration::from_secs(90);
}

impl Default for Limits {
    fn default() -> Self {
        let (descriptors, note_bytes) = (32 << 10, 64 << 20);
        Limits { descriptors, note_bytes, orphaned: Self::ORPHANED, idle: None }
    }
}

/// What is kept under a key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub note: Box<[u8]>,
    pub descriptors: Vec<OwnedFd>,
}

/// All entries.
#[derive(Debug)]
pub(crate) struct Table {
    limits: Limits,
    entries: BTreeMap<u64, Entry>,
    descriptors: usize,
    note_bytes: usize,
    /// When all of them are closed, while there is no node.
    until: Option<Instant>,
}

impl Table {
    pub fn new(limits: Limits) -> Self {
        Table { limits, entries: BTreeMap::new(), descriptors: 0, note_bytes: 0, until: None }
    }

    /// Keeps descriptors, in place of what had the key. Without any, the note of an entry changes.
    pub fn put(&mut self, key: u64, note: &[u8], descriptors: Vec<OwnedFd>) -> Result<(), Why> {
        if note.len() > NOTE_BYTES || descriptors.len() > DESCRIPTORS {
            return Err(Why::Malformed);
        }
        let known = self.entries.get(&key);
        if known.is_none() && descriptors.is_empty() {
            return Err(Why::Unknown);
        }
        let (had, had_bytes) = known.map_or((0, 0), |e| (e.descriptors.len(), e.note.len()));
        let come = if descriptors.is_empty() { had } else { descriptors.len() };
        let (total, bytes) = (self.descriptors - had + come, self.note_bytes - had_bytes + note.len());
        if total > self.limits.descriptors || bytes > self.limits.note_bytes {
            return Err(Why::Full);
        }
        (self.descriptors, self.note_bytes) = (total, bytes);
        let entry = self.entries.entry(key).or_insert_with(|| Entry { note: Box::default(), descriptors: Vec::new() });
        entry.note = note.into();
        if !descriptors.is_empty() {
            entry.descriptors = descriptors;
        }
        Ok(())
    }

    /// Closes the descriptors of an entry. `false`: there is none.
    pub fn remove(&mut self, key: u64) -> bool {
        let Some(entry) = self.entries.remove(&key) else { return false };
        self.descriptors -= entry.descriptors.len();
        self.note_bytes -= entry.note.len();
        true
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The node has gone.
    pub fn orphan(&mut self, now: Instant) {
        self.until = Some(now + self.limits.orphaned);
    }

    /// A node is there.
    pub fn adopt(&mut self) {
        self.until = None;
    }

    /// When [`expire`](Self::expire) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.until.filter(|_| !self.entries.is_empty())
    }

    /// Closes what nobody has claimed in time; how many entries.
    pub fn expire(&mut self, now: Instant) -> usize {
        if self.until.is_none_or(|until| now < until) {
            return 0;
        }
        std::mem::replace(self, Table::new(self.limits)).len()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn descriptors(n: usize) -> Vec<OwnedFd> {
        (0..n).map(|_| File::open("/dev/null").unwrap().into()).collect()
    }

    #[test]
    fn bounds_hold_in_sum_and_what_is_replaced_does_not_count() {
        let limits = Limits { descriptors: 4, note_bytes: 100, ..Limits::default() };
        let mut table = Table::new(limits);
        assert_eq!(table.put(1, &[0; 60], descriptors(2)), Ok(()));
        assert_eq!(table.put(2, &[0; 41], descriptors(1)), Err(Why::Full));
        assert_eq!(table.put(2, &[0; 40], descriptors(3)), Err(Why::Full));
        assert_eq!(table.put(2, &[0; 40], descriptors(2)), Ok(()));
        assert_eq!(table.put(3, &[], descriptors(1)), Err(Why::Full));
        // the same again, and with less
        assert_eq!(table.put(1, &[0; 60], descriptors(2)), Ok(()));
        assert_eq!(table.put(1, &[0; 10], descriptors(1)), Ok(()));
        assert_eq!(table.put(3, &[0; 50], descriptors(1)), Ok(()));
        assert_eq!(table.put(1, &[0; 11], Vec::new()), Err(Why::Full));
        assert_eq!((table.len(), table.descriptors), (3, 4));
        assert!(table.remove(2) && !table.remove(2));
        assert_eq!(table.put(1, &[0; 50], Vec::new()), Ok(()));
        assert_eq!((table.descriptors, table.note_bytes), (2, 100));
    }

    #[test]
    fn a_note_alone_makes_no_entry_and_leaves_the_descriptors() {
        let mut table = Table::new(Limits::default());
        assert_eq!(table.put(1, b"note", Vec::new()), Err(Why::Unknown));
        table.put(1, b"note", descriptors(2)).unwrap();
        table.put(1, b"other", Vec::new()).unwrap();
        let (key, entry) = table.iter().next().unwrap();
        assert_eq!((key, &*entry.note, entry.descriptors.len()), (1, &b"other"[..], 2));
        assert_eq!(table.put(2, &vec![0; NOTE_BYTES + 1], descriptors(1)), Err(Why::Malformed));
        assert_eq!(table.put(2, &[], descriptors(DESCRIPTORS + 1)), Err(Why::Malformed));
    }

    #[test]
    fn entries_are_kept_for_their_time_without_a_node_and_for_ever_with_one() {
        let mut table = Table::new(Limits::default());
        let now = Instant::now();
        table.put(1, b"", descriptors(1)).unwrap();
        assert_eq!((table.deadline(), table.expire(now + Duration::from_secs(1000))), (None, 0));
        table.orphan(now);
        assert_eq!(table.deadline(), Some(now + Duration::from_secs(90)));
        assert_eq!(table.expire(now + Duration::from_secs(89)), 0);
        table.adopt();
        assert_eq!(table.expire(now + Duration::from_secs(90)), 0);
        table.orphan(now);
        assert_eq!(table.expire(now + Duration::from_secs(90)), 1);
        assert_eq!((table.len(), table.descriptors, table.note_bytes), (0, 0, 0));
    }
}

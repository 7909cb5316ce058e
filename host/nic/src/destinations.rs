//! Destination and neighbour tables: who a forward entry sends to.
//!
//! A forward entry holds an index into the destination table, a destination one into the
//! neighbour table. Both are shared by all entries that need the same values and freed with the
//! last of them. A freed index is used again as late as possible, so that a packet which the card has
//! just looked up does not meet the next owner of its index.

use std::collections::VecDeque;

use ipos_abi::table::{DESTINATIONS, NEIGHBOURS};

/// Where forwarded packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Back-side IPv4 address of the server that owns the endpoint.
    pub ip: [u8; 4],
    /// Its port, as the ipOS header names it.
    pub port: u16,
    /// MAC address of the next hop on the back-side network.
    pub mac: [u8; 6],
}

/// A table whose entries are shared by value and counted.
#[derive(Clone, Debug)]
pub(crate) struct Shared<T> {
    entries: Vec<Option<(T, usize)>>,
    free: VecDeque<usize>,
}

/// What acquiring an entry of a [`Shared`] table came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The card already has it at this index.
    Known(usize),
    /// It has to be written to the card at this index.
    New(usize),
}

impl Acquired {
    pub(crate) fn index(self) -> usize {
        match self {
            Acquired::Known(index) | Acquired::New(index) => index,
        }
    }
}

/// A destination as the card stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub ip: [u8; 4],
    pub port: u16,
    pub neighbour: usize,
}

impl<T: Copy + PartialEq> Shared<T> {
    fn new(size: usize) -> Self {
        Shared { entries: vec![None; size], free: (0..size).collect() }
    }

    /// Takes one more reference to `value`; `None`: the table is full.
    pub(crate) fn acquire(&mut self, value: T) -> Option<Acquired> {
        let known = self.entries.iter().position(|e| e.is_some_and(|(v, _)| v == value));
        if let Some(index) = known {
            if let Some((_, references)) = &mut self.entries[index] {
                *references += 1;
            }
            return Some(Acquired::Known(index));
        }
        let index = self.free.pop_front()?;
        self.entries[index] = Some((value, 1));
        Some(Acquired::New(index))
    }

    /// Gives a reference back; the value if it was the last.
    pub(crate) fn release(&mut self, index: usize) -> Option<T> {
        let (value, references) = self.entries[index].as_mut()?;
        let value = *value;
        *references -= 1;
        if *references > 0 {
            return None;
        }
        self.entries[index] = None;
        self.free.push_back(index);
        Some(value)
    }

    /// The value at an index.
    pub(crate) fn get(&self, index: usize) -> Option<T> {
        self.entries[index].map(|(value, _)| value)
    }

    /// Values in use.
    pub(crate) fn used(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}

/// The empty destination table.
pub(crate) fn destinations() -> Shared<Route> {
    Shared::new(DESTINATIONS)
}

/// The empty neighbour table.
pub(crate) fn neighbours() -> Shared<[u8; 6]> {
    Shared::new(NEIGHBOURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_an_index_and_the_last_release_frees_it() {
        let mut table = Shared::new(2);
        assert_eq!(table.acquire('a'), Some(Acquired::New(0)));
        assert_eq!(table.acquire('a'), Some(Acquired::Known(0)));
        assert_eq!(table.acquire('b'), Some(Acquired::New(1)));
        assert_eq!(table.acquire('c'), None);
        assert_eq!(table.release(0), None);
        assert_eq!(table.release(0), Some('a'));
        assert_eq!((table.acquire('c'), table.get(0), table.used()), (Some(Acquired::New(0)), Some('c'), 2));
    }

    #[test]
    fn a_freed_index_is_used_last() {
        let mut table = Shared::new(3);
        table.acquire(1);
        table.release(0);
        assert_eq!(table.acquire(2), Some(Acquired::New(1)));
    }
}

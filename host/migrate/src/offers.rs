//! Offers that were answered and nothing has followed. All of them together are bounded, and an offer changes nothing else at this
//! node: whoever repeats recorded ones makes the oldest answers be forgotten sooner, whose sources then ask again.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use crate::protocol::{Action, Actions, Flow, LINGER, Message, MoveId, Nonces, Reason, Streams, Time};
use crate::timers::Timers;

/// Most answers that are remembered.
pub(crate) const OFFERS: usize = 4096;

/// What an offer says, at either end.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Offer {
    pub flow: Flow,
    /// The owner to be.
    pub owner: SocketAddrV4,
    /// Of the streams, estimated.
    pub lengths: Streams<u32>,
    /// What the source can do; at the destination, and at the source from 88 on, what both can.
    pub features: u16,
    /// This node's, and the other's as far as it is known.
    pub nonces: Nonces,
}

impl Offer {
    /// Says that the move may begin.
    pub fn ready(self, id: MoveId, out: &mut Actions) {
        let Offer { flow, owner, nonces, features, .. } = self;
        out.push_back(Action::Send { id, flow, owner, nonces, message: Message::Ready { features } });
    }

    /// Says that it may not; `known`: the last epoch of the flow.
    pub fn refuse(self, id: MoveId, reason: Reason, known: u64, out: &mut Actions) {
        let Offer { flow, owner, nonces, .. } = self;
        out.push_back(Action::Send { id, flow, owner, nonces, message: Message::Refuse { reason, known } });
    }
}

/// An offer to this node.
#[derive(Clone, Debug, Hash)]
struct Received {
    offer: Offer,
    /// The shell has said that it would take it.
    wanted: bool,
}

/// A move and its source's nonce: a recorded offer may have the numbers of one that is made now.
type Key = (MoveId, u64);

#[derive(Clone, Debug, Hash)]
pub(crate) struct Offers {
    offers: BTreeMap<Key, Received>,
    until: Timers<Key>,
}

impl Offers {
    pub fn new() -> Self {
        Offers { offers: BTreeMap::new(), until: Timers::new() }
    }

    /// The offer of a move by the source that has this nonce.
    pub fn get(&self, id: MoveId, theirs: u64) -> Option<Offer> {
        self.offers.get(&(id, theirs)).map(|received| received.offer)
    }

    /// The offer of a move that the shell was asked about, and would take.
    pub fn asked(&mut self, id: MoveId) -> Option<Offer> {
        let mut of_move = self.offers.range_mut((id, 0)..=(id, u64::MAX));
        let (_, received) = of_move.find(|(_, received)| !received.wanted)?;
        received.wanted = true;
        Some(received.offer)
    }

    /// Remembers an offer for [`LINGER`], in place of the oldest if there are too many.
    pub fn insert(&mut self, id: MoveId, offer: Offer, now: Time) {
        if self.offers.len() >= OFFERS
            && let Some((id, theirs)) = self.until.first()
        {
            self.remove(id, theirs);
        }
        let key = (id, offer.nonces.to);
        self.offers.insert(key, Received { offer, wanted: false });
        self.until.set(key, Some(now + LINGER));
    }

    pub fn remove(&mut self, id: MoveId, theirs: u64) -> Option<Offer> {
        self.until.set((id, theirs), None);
        self.offers.remove(&(id, theirs)).map(|received| received.offer)
    }

    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.until.earliest()
    }

    /// Forgets what nothing has followed for too long.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(key) = self.until.expired(now) {
            self.offers.remove(&key);
        }
    }
}

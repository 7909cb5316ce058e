//! The moves of a node: which there are, of which flows, and what they hold.

mod destination;
mod format;
pub(crate) mod plain;
mod source;
mod step;
pub mod transitions;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use crate::context::Context;
use crate::protocol::{Actions, Flow, MoveId, PeerId, Protocol};
use crate::timers::Timer;
pub(crate) use destination::Destination;
pub(crate) use format::{Incoming, Move, Outgoing};
pub(crate) use source::Source;
pub(crate) use step::Step;

/// Moves to this node that are not over, and a peer's part of them: half.
const PENDING: usize = 4096;
/// Their streams, in moves of the greatest length; a peer's part is half, too.
const PENDING_MOVES: usize = 16;

/// All moves of a node.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Moves {
    sources: BTreeMap<MoveId, Outgoing>,
    destinations: BTreeMap<MoveId, Incoming>,
    /// The moves of each flow, as source or as destination.
    flows: BTreeSet<(Flow, MoveId)>,
}

impl Moves {
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    pub fn insert_source(&mut self, id: MoveId, source: Outgoing, cx: &mut Context) {
        cx.timers.set(Timer::Source(id), source.poll_timeout());
        self.flows.insert((source.flow(), id));
        self.sources.insert(id, source);
    }

    pub fn insert_destination(&mut self, id: MoveId, destination: Incoming, cx: &mut Context) {
        cx.timers.set(Timer::Destination(id), destination.poll_timeout());
        self.flows.insert((destination.flow(), id));
        self.destinations.insert(id, destination);
    }

    /// Takes a source out, to go on under another epoch.
    pub fn remove_source(&mut self, id: MoveId, cx: &mut Context) -> Option<Outgoing> {
        let source = self.sources.remove(&id)?;
        self.flows.remove(&(source.flow(), id));
        cx.timers.set(Timer::Source(id), None);
        Some(source)
    }

    /// The source of a move with a peer that speaks the full format.
    pub fn source(&self, id: MoveId) -> Option<&Source> {
        match self.sources.get(&id)? {
            Move::Full(source) => Some(source),
            Move::Plain(_) => None,
        }
    }

    pub fn destination(&self, id: MoveId) -> Option<&Destination> {
        match self.destinations.get(&id)? {
            Move::Full(destination) => Some(destination),
            Move::Plain(_) => None,
        }
    }

    /// The move to a plain peer that an acknowledgement belongs to.
    pub fn awaiting(
        &self,
        peer: PeerId,
        protocol: Protocol,
        client: SocketAddrV4,
        owner: SocketAddrV4,
    ) -> Option<MoveId> {
        let of = |epoch| MoveId { peer, client, epoch };
        let awaits = |source: &Outgoing| matches!(source, Move::Plain(source) if source.awaits(protocol, owner));
        self.sources.range(of(0)..=of(u64::MAX)).find(|(_, source)| awaits(source)).map(|(id, _)| *id)
    }

    /// Gives an input to a source; then sets its timer, or forgets it.
    pub fn at_source(
        &mut self,
        id: MoveId,
        cx: &mut Context,
        input: impl FnOnce(&mut Outgoing, &mut Actions) -> Step,
    ) -> Option<(Flow, Step)> {
        let source = self.sources.get_mut(&id)?;
        let (step, flow) = (input(source, &mut cx.actions), source.flow());
        cx.timers.set(Timer::Source(id), source.poll_timeout());
        if source.is_gone() {
            self.sources.remove(&id);
            self.flows.remove(&(flow, id));
        }
        Some((flow, step))
    }

    /// The same for a destination.
    pub fn at_destination(
        &mut self,
        id: MoveId,
        cx: &mut Context,
        input: impl FnOnce(&mut Incoming, &mut Actions) -> Step,
    ) -> Option<(Flow, Step)> {
        let destination = self.destinations.get_mut(&id)?;
        let (step, flow) = (input(destination, &mut cx.actions), destination.flow());
        cx.timers.set(Timer::Destination(id), destination.poll_timeout());
        if destination.is_gone() {
            self.destinations.remove(&id);
            self.flows.remove(&(flow, id));
        }
        Some((flow, step))
    }

    /// The moves of a flow.
    pub fn of(&self, flow: &Flow) -> Vec<MoveId> {
        let first = MoveId { peer: PeerId(0), client: flow.client, epoch: 0 };
        self.flows.range((*flow, first)..).take_while(|(f, _)| f == flow).map(|(_, id)| *id).collect()
    }

    /// Whether a flow that is being moved is still this node's.
    pub fn owns(&self, flow: &Flow) -> bool {
        self.of(flow).iter().any(|id| self.sources.get(id).is_some_and(Outgoing::owns))
    }

    /// Whether something of a flow is reserved here, without being owned.
    pub fn is_pending(&self, flow: &Flow) -> bool {
        self.of(flow).iter().any(|id| self.destinations.get(id).is_some_and(Incoming::is_pending))
    }

    /// Whether a move of the flow goes on.
    pub fn is_busy(&self, flow: &Flow) -> bool {
        self.owns(flow) || self.is_pending(flow)
    }

    /// Whether another move of the flow keeps one from beginning.
    pub fn is_in_the_way(&self, flow: &Flow, id: MoveId) -> bool {
        let owns = |other| self.sources.get(other).is_some_and(Outgoing::owns);
        let pending = |other| self.destinations.get(other).is_some_and(Incoming::is_pending);
        // the same peer can offer only what it owns, so an earlier move from it has failed
        let earlier = |other: &MoveId| other.peer == id.peer && other.epoch < id.epoch;
        self.of(flow).iter().any(|other| owns(other) || (pending(other) && !earlier(other)))
    }

    /// Whether one more move of a peer has room, if its streams have so many bytes.
    pub fn has_room(&self, peer: PeerId, bytes: usize, move_bytes: usize) -> bool {
        let pending = || self.destinations.iter().filter(|(_, destination)| destination.is_pending());
        let of_peer = || pending().filter(|(id, _)| id.peer == peer);
        let most = PENDING_MOVES * move_bytes;
        bytes <= move_bytes
            && pending().count() < PENDING
            && of_peer().count() < PENDING / 2
            && pending().map(|(_, destination)| destination.bytes()).sum::<usize>() + bytes <= most
            && of_peer().map(|(_, destination)| destination.bytes()).sum::<usize>() + bytes <= most / 2
    }
}

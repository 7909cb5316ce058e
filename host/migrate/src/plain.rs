//! Peers of the plain format: 01 and 03 without trailer, and nothing else.
//!
//! Without an epoch a move is told by its tuple, so there is one at a time, and a delayed 01 can't be told from a new one once
//! the connection has left again or ended. Such peers are not asked and not told anything: they would not understand.

use std::net::SocketAddrV4;

use crate::codec::Packet;
use crate::destination::Destination;
use crate::migrator::Migrator;
use crate::protocol::{Action, Endpoint, Flow, Message, MoveId, Nonces, PeerId, Protocol, Time};
use crate::source::{Keep, Source};

impl Migrator {
    /// The move to a plain peer that an acknowledgement belongs to.
    pub(crate) fn awaiting(
        &self,
        peer: PeerId,
        protocol: Protocol,
        client: SocketAddrV4,
        owner: SocketAddrV4,
    ) -> Option<MoveId> {
        let of = |epoch| MoveId { peer, client, epoch };
        let moves = self.sources.range(of(0)..=of(u64::MAX));
        moves.filter(|(_, source): &(_, &Source)| source.awaits(protocol, owner)).map(|(id, _)| *id).next()
    }

    /// A message of a plain peer.
    pub(crate) fn handle_plain(&mut self, peer: PeerId, packet: Packet, now: Time) {
        let Packet { protocol, client, owner, service, message, .. } = packet;
        match (message, service) {
            (Message::Acknowledge, _) => {
                if let Some(id) = self.awaiting(peer, protocol, client, owner)
                    && let Some(source) = self.sources.get_mut(&id)
                {
                    let keep = source.handle_message(&Message::Acknowledge, Nonces::default(), now, &mut self.out);
                    self.settle_source(id, keep);
                }
            }
            (Message::Connection(Ok(endpoint)), Some(service)) => {
                let flow = Flow { protocol, client, service };
                self.connection(peer, flow, owner, endpoint, now);
            }
            _ => {}
        }
    }

    fn connection(&mut self, peer: PeerId, flow: Flow, owner: SocketAddrV4, endpoint: Endpoint, now: Time) {
        // a repetition, however late: the move itself may be forgotten by now
        if let Some(epoch) = self.here.get(&flow).copied() {
            let id = MoveId { peer, client: flow.client, epoch };
            let nonces = Nonces::default();
            self.out.push_back(Action::Send { id, flow, owner, nonces, message: Message::Acknowledge });
            return;
        }
        for id in self.moves_of(&flow).into_iter().filter(|id| id.peer == peer) {
            // the peer can send only what it owns: an earlier move to it has succeeded
            if self.sources.get(&id).is_some_and(Source::is_committed) {
                self.out.push_back(Action::Done(id));
                self.settle_source(id, Keep::No);
            }
            // an earlier one from it was refused, or the connection has left since
            if self.destinations.get(&id).is_some_and(|d| !d.is_pending()) {
                self.settle_destination(id, Keep::No);
            }
        }
        let bare = match &endpoint {
            Endpoint::Tcp(tcb, _) => {
                tcb.receive_queue_len() == 0 && tcb.send_queue_len() == 0 && tcb.application_len == 0
            }
            Endpoint::Udp => true,
        };
        if !bare || self.home(flow.service).is_none() || self.is_busy(&flow) {
            tracing::warn!(?flow, bare, "a plain peer's connection can't be taken");
            return;
        }
        let id = MoveId { peer, client: flow.client, epoch: self.next_epoch(0, &flow) };
        self.destinations.insert(id, Destination::plain(id, flow, owner, endpoint, now, &mut self.out));
        self.flows.insert((flow, id));
        self.settle_destination(id, Keep::Yes);
    }

    /// Home: a flow's forward entry carried nothing for long. Its owner is asked; a plain one can't be, so that is its end.
    pub fn idle(&mut self, flow: Flow, now: Time) {
        match self.owner(&flow) {
            Some(peer) if self.config.plain.contains(&peer) => {
                let epoch = self.known(&flow).unwrap_or(0);
                self.end(flow, epoch, now);
                self.out.push_back(Action::Forget(flow));
            }
            _ => self.audit(flow, now),
        }
    }
}

//! After a restart: moves whose sockets another process has kept.

use std::net::SocketAddrV4;

use super::Migrator;
use crate::moves::{Destination, Move, Source};
use crate::offers::Offer;
use crate::protocol::{Flow, MoveId, Nonces, Streams, Time};

impl Migrator {
    /// The numbers by which a move's messages are known, this node's and the peer's: to be kept with its socket.
    #[must_use]
    pub fn nonces(&self, id: MoveId) -> Option<Nonces> {
        let source = self.moves.source(id).map(Source::nonces);
        source.or_else(|| self.moves.destination(id).map(Destination::nonces))
    }

    /// A move to this node whose socket is complete and silent: the source is asked who owns the connection.
    /// [`GoLive`](crate::protocol::Action::GoLive) or [`Abandon`](crate::protocol::Action::Abandon) follows.
    pub fn resume(&mut self, id: MoveId, flow: Flow, nonces: Nonces, now: Time) {
        self.directory.places.saw(id.epoch);
        let owner = SocketAddrV4::new(self.cx.config.back_ip, flow.service.port());
        let offer = Offer { flow, owner, lengths: Streams::default(), features: 0, nonces };
        let destination = Destination::resumed(id, offer, now, &mut self.cx.actions);
        self.moves.insert_destination(id, Move::Full(destination), &mut self.cx);
    }

    /// A move from this node that was not committed: the destination is told so, until it has answered.
    pub fn retract(&mut self, id: MoveId, flow: Flow, nonces: Nonces, now: Time) {
        self.directory.places.saw(id.epoch);
        let owner = SocketAddrV4::new(self.cx.config.peers[id.peer.0], flow.service.port());
        let offer = Offer { flow, owner, lengths: Streams::default(), features: 0, nonces };
        let source = Source::retracted(id, offer, now, &mut self.cx.actions);
        self.moves.insert_source(id, Move::Full(source), &mut self.cx);
    }
}

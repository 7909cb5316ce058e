//! All moves of one node, and all that it knows of where connections live: inputs come in here, and are given to who they are for.

mod resume;

use std::net::SocketAddrV4;

use bytes::Bytes;

use crate::admission::{may_start, refusal};
use crate::codec::Packet;
use crate::config::Config;
use crate::context::Context;
use crate::directory::{About, Directory};
use crate::moves::{Destination, Incoming, Move, Moves, Outgoing, Source, Step, plain};
use crate::offers::{Offer, Offers};
use crate::protocol::{
    Action, Actions, EPOCHS, Endpoint, Failure, Flow, Ignored, Message, MoveId, Nonces, PeerId, Protocol, Reason,
    StartError, Streams, Time, features,
};
use crate::timers::Timer;

/// The I/O-free core of a node. Every input, a call that changes it, may produce [`Action`]s; take them all by
/// [`Migrator::poll_action`], in order, before the next input. Then [`Migrator::poll_timeout`] says when the next input is due.
#[derive(Clone, Debug, Hash)]
pub struct Migrator {
    cx: Context,
    moves: Moves,
    /// Moves to this node that were asked about and have not begun.
    offers: Offers,
    directory: Directory,
}

impl Migrator {
    /// A node with no moves.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Migrator {
            cx: Context::new(config),
            moves: Moves::default(),
            offers: Offers::new(),
            directory: Directory::default(),
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.cx.actions.pop_front()
    }

    /// When [`Migrator::handle_timeout`] wants to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.cx.timers.earliest().into_iter().chain(self.offers.poll_timeout()).min()
    }

    /// No move, offer, notice or search is remembered.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.moves.is_empty() && self.offers.is_empty() && self.directory.is_at_rest()
    }

    /// Whether this node is the home of a service; `None`: the cluster does not serve it.
    #[must_use]
    pub fn is_home(&self, service: SocketAddrV4) -> Option<bool> {
        self.cx.config.home(service).map(|_| self.cx.config.is_home(service))
    }

    /// Where a connection that left this node lives, as far as known: at its home always.
    #[must_use]
    pub fn owner(&self, flow: &Flow) -> Option<PeerId> {
        self.directory.places.owner(flow)
    }

    /// The last epoch that is known of a flow.
    #[must_use]
    pub fn known(&self, flow: &Flow) -> Option<u64> {
        self.directory.places.known(flow)
    }

    /// After a restart: a flow left this node for `peer` in the move `epoch`, as it has written down. That is the record of a
    /// commit, so the shell passes on what arrives for the flow; a home asks whether it is still true.
    pub fn recover(&mut self, flow: Flow, peer: PeerId, epoch: u64, now: Time) {
        self.directory.recover(flow, peer, epoch, now, &mut self.cx);
    }

    /// After a restart: a flow that moved here by the move `epoch`, as it was written down, still has its socket, or has it
    /// no more. Either way its home is told, which may have heard nothing or have asked in vain.
    pub fn adopt(&mut self, flow: Flow, epoch: u64, alive: bool, now: Time) {
        self.directory.adopt(flow, epoch, alive, now, &mut self.cx);
    }

    /// Home: asks the owner of a flow that lives elsewhere whether it still does. To be called now and
    /// then, say once a minute, so that entries of dead owners end.
    pub fn audit(&mut self, flow: Flow, now: Time) {
        self.directory.audit(flow, now, &mut self.cx);
    }

    /// Home: a flow's forward entry carried nothing for long. Its owner is asked; a plain one can't be, so that is its end.
    pub fn idle(&mut self, flow: Flow, now: Time) {
        self.directory.idle(flow, now, &mut self.cx);
    }

    /// A connection that moved here is gone, TIME_WAIT included.
    pub fn released(&mut self, flow: Flow, now: Time) {
        self.directory.released(flow, now, &mut self.cx);
    }

    /// Begins a move of a connection that lives here. `wall` is the real-time clock in
    /// microseconds: epochs grow with it over restarts. `lengths`: the streams, estimated.
    pub fn start(
        &mut self,
        now: Time,
        wall: u64,
        peer: PeerId,
        flow: Flow,
        lengths: Streams<u32>,
    ) -> Result<MoveId, StartError> {
        let Context { config, .. } = &self.cx;
        let owner = SocketAddrV4::new(config.peers[peer.0], flow.service.port());
        let plain = config.is_plain(peer);
        may_start(peer, &flow, owner, lengths, config, &self.moves)?;
        let id = MoveId { peer, client: flow.client, epoch: self.directory.places.next_epoch(wall, &flow) };
        if id.epoch >= EPOCHS {
            return Err(StartError::Epoch);
        }
        let source = if plain {
            Move::Plain(plain::Source::start(plain::Subject { id, flow, owner }, now, &mut self.cx.actions))
        } else {
            let queues = Streams { application: 0, ..lengths };
            let ahead = flow.protocol == Protocol::Tcp && queues.bytes() >= self.cx.config.ahead_bytes;
            let nonces = Nonces { from: self.cx.draw(), to: 0 };
            let offer = Offer { flow, owner, lengths, features: self.cx.config.features, nonces };
            Move::Full(Source::start(id, offer, ahead, now, &mut self.cx.actions))
        };
        self.moves.insert_source(id, source, &mut self.cx);
        Ok(id)
    }

    /// Gives an input to a source.
    fn at_source(&mut self, id: MoveId, now: Time, input: impl FnOnce(&mut Outgoing, &mut Actions) -> Step) {
        if let Some((flow, step)) = self.moves.at_source(id, &mut self.cx, input) {
            self.directory.follow(step, id, flow, now, &mut self.cx);
        }
    }

    /// Gives an input to a destination.
    fn at_destination(&mut self, id: MoveId, now: Time, input: impl FnOnce(&mut Incoming, &mut Actions) -> Step) {
        if let Some((flow, step)) = self.moves.at_destination(id, &mut self.cx, input) {
            self.directory.follow(step, id, flow, now, &mut self.cx);
        }
    }

    /// The answer to [`Action::Copy`]: receive and send queue as they are, nothing of what is not to go ahead.
    pub fn copied(&mut self, id: MoveId, [receive, send]: [Vec<u8>; 2]) {
        let queues = Streams { receive: receive.into(), send: send.into(), application: Bytes::new() };
        self.moves.at_source(id, &mut self.cx, |source, out| match source {
            Move::Full(source) => source.copied(queues, out),
            Move::Plain(_) => Step::Stays,
        });
    }

    /// The answer to [`Action::Freeze`]: the endpoint and the three streams, without what was [copied](Self::copied) of them.
    pub fn frozen(&mut self, id: MoveId, endpoint: Endpoint, streams: Streams<Vec<u8>>, now: Time) {
        self.at_source(id, now, |source, out| source.frozen(endpoint, streams, now, out));
    }

    /// The answer to [`Action::HandOver`]: done.
    pub fn handed_over(&mut self, id: MoveId, now: Time) {
        self.at_source(id, now, |source, out| source.handed_over(now, out));
    }

    /// Gives a move up at its source, if it has not committed. [`Action::Failed`] follows; if a peer of the plain format has been
    /// told, it is handed over instead, or, if the hold is full, goes on.
    pub fn give_up(&mut self, id: MoveId, failure: Failure, now: Time) {
        self.at_source(id, now, |source, out| source.give_up(failure, now, out));
    }

    /// The answer to [`Action::Reserve`].
    pub fn reserved(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        self.at_destination(id, now, |destination, out| destination.reserved(result, now, out));
    }

    /// The answer to [`Action::Prepare`].
    pub fn prepared(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        self.at_destination(id, now, |destination, out| destination.prepared(result, now, out));
    }

    /// The answer to [`Action::Ask`].
    pub fn asked(&mut self, id: MoveId, result: Result<(), Reason>) {
        let Some(offer) = self.offers.asked(id) else { return };
        match result {
            Ok(()) => offer.ready(id, &mut self.cx.actions),
            Err(reason) => {
                self.offers.remove(id, offer.nonces.to);
                self.refuse(id, offer, reason);
            }
        }
    }

    /// A message from a peer.
    pub fn handle_message(&mut self, peer: PeerId, packet: Packet, now: Time) {
        if self.cx.config.is_plain(peer) {
            return self.handle_plain(peer, packet, now);
        }
        let Packet { protocol, client, owner, service, epoch, nonces, message } = packet;
        let id = MoveId { peer, client, epoch };
        if epoch >= EPOCHS || message.known() >= EPOCHS {
            return self.cx.ignore(peer, Ignored::Epoch);
        }
        if ![self.cx.config.back_ip, self.cx.config.peers[peer.0]].contains(owner.ip()) {
            return self.cx.ignore(peer, Ignored::Owner);
        }
        let flow = service.map(|service| Flow { protocol, client, service });
        match flow.filter(|_| message.is_of_flow()) {
            Some(flow) => self.about(About { id, flow, nonces }, message, now),
            None if self.moves.source(id).is_some() => self.tell_source(id, nonces, &message, now),
            None if self.moves.destination(id).is_some() => self.tell_destination(id, protocol, nonces, message, now),
            None => {
                if let Some(flow) = flow {
                    self.tell_offers(About { id, flow, nonces }, owner, message, now);
                }
                // an acknowledgement that nobody waits for names no service: its sender asks again by 0x89
            }
        }
    }

    fn about(&mut self, about: About, message: Message, now: Time) {
        self.directory.handle_message(about, message, &self.moves, now, &mut self.cx);
    }

    fn tell_source(&mut self, id: MoveId, nonces: Nonces, message: &Message, now: Time) {
        let Some(source) = self.moves.source(id) else { return };
        if !source.is_told(nonces) {
            return self.cx.ignore(id.peer, Ignored::Nonce);
        }
        if let Some(known) = source.is_behind(message) {
            return self.renew(id, known, now);
        }
        self.at_source(id, now, |source, out| match source {
            Move::Full(source) => source.handle_message(message, nonces, now, out),
            Move::Plain(_) => Step::Stays,
        });
    }

    fn tell_destination(&mut self, id: MoveId, protocol: Protocol, nonces: Nonces, message: Message, now: Time) {
        let Some(destination) = self.moves.destination(id) else { return };
        if destination.flow().protocol != protocol {
            // data of TCP are believed for their digest, and of UDP there is none
            return;
        }
        if !destination.is_told(nonces, &message) {
            return self.cx.ignore(id.peer, Ignored::Nonce);
        }
        self.at_destination(id, now, |destination, out| match destination {
            Move::Full(destination) => destination.handle_message(message, now, out),
            Move::Plain(_) => Step::Stays,
        });
    }

    /// A message of a move that has not begun here, or that is not known any more.
    fn tell_offers(&mut self, about: About, owner: SocketAddrV4, message: Message, now: Time) {
        let About { id, flow, nonces } = about;
        match (message, self.offers.get(id, nonces.from)) {
            (Message::Offer { .. }, Some(offer)) => {
                // the same nonce: the source may have the first answer already
                offer.ready(id, &mut self.cx.actions);
            }
            (Message::Offer { lengths, features }, None) => {
                let nonces = Nonces { from: 0, to: nonces.from };
                self.offered(id, Offer { flow, owner, lengths, features, nonces }, now);
            }
            (Message::Data { bytes, .. }, Some(offer)) if bytes.is_empty() && flow == offer.flow => {
                if nonces.to != offer.nonces.from {
                    return self.cx.ignore(id.peer, Ignored::Nonce);
                }
                self.confirmed(id, nonces.from, now);
            }
            (message, offer) => {
                if offer.is_some() && message == Message::Cancel {
                    self.offers.remove(id, nonces.from);
                }
                self.about(about, message, now);
            }
        }
    }

    /// A message of a peer of the plain format.
    fn handle_plain(&mut self, peer: PeerId, packet: Packet, now: Time) {
        let Packet { protocol, client, owner, service, message, .. } = packet;
        match (message, service) {
            (Message::Acknowledge, _) => {
                let Some(id) = self.moves.awaiting(peer, protocol, client, owner) else { return };
                self.at_source(id, now, |source, out| match source {
                    Move::Plain(source) => source.acknowledged(out),
                    Move::Full(_) => Step::Stays,
                });
            }
            (Message::Connection(Ok(endpoint)), Some(service)) => {
                let flow = Flow { protocol, client, service };
                self.handle_connection(peer, flow, owner, endpoint, now);
            }
            _ => {}
        }
    }

    /// 01 of a peer of the plain format.
    fn handle_connection(&mut self, peer: PeerId, flow: Flow, owner: SocketAddrV4, endpoint: Endpoint, now: Time) {
        let client = flow.client;
        // a repetition, however late: the move itself may be forgotten by now
        if let Some(epoch) = self.directory.places.here(&flow) {
            let id = MoveId { peer, client, epoch };
            return plain::Subject { id, flow, owner }.acknowledge(&mut self.cx.actions);
        }
        for id in self.moves.of(&flow).into_iter().filter(|id| id.peer == peer) {
            // the peer can send only what it owns: an earlier move to it has succeeded, and one from it is over
            self.at_source(id, now, |source, out| source.returned(out));
            self.at_destination(id, now, |destination, out| destination.returned(now, out));
        }
        let bare = endpoint.is_bare();
        if !bare || self.cx.config.home(flow.service).is_none() || self.moves.is_busy(&flow) {
            tracing::warn!(?flow, bare, "a plain peer's connection can't be taken");
            return;
        }
        let id = MoveId { peer, client, epoch: self.directory.places.next_epoch(0, &flow) };
        let subject = plain::Subject { id, flow, owner };
        let destination = plain::Destination::start(subject, endpoint, &mut self.cx.actions);
        self.moves.insert_destination(id, Move::Plain(destination), &mut self.cx);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.offers.handle_timeout(now);
        while let Some(timer) = self.cx.timers.expired(now) {
            match timer {
                Timer::Source(id) => self.at_source(id, now, |source, out| source.handle_timeout(now, out)),
                Timer::Destination(id) => {
                    self.at_destination(id, now, |destination, out| destination.handle_timeout(now, out));
                }
                Timer::Notice(id) => self.directory.notice_due(id, now, &mut self.cx),
                Timer::Search(flow) => self.directory.search_due(flow, now, &mut self.cx),
                Timer::Known(flow) => self.directory.forget(flow, &self.moves, &mut self.cx),
            }
        }
    }

    /// The destination knows a later epoch of the flow than the source had.
    fn renew(&mut self, old: MoveId, known: u64, now: Time) {
        let Some(Move::Full(mut source)) = self.moves.remove_source(old, &mut self.cx) else { return };
        self.directory.places.saw(known);
        let new = MoveId { epoch: self.directory.places.next_epoch(0, &source.flow()), ..old };
        self.cx.actions.push_back(Action::Renew { old, new });
        let nonce = self.cx.draw();
        source.renew(new, nonce, now, &mut self.cx.actions);
        self.moves.insert_source(new, Move::Full(source), &mut self.cx);
    }

    /// It may be a recording: nothing is done but to remember the answer.
    fn offered(&mut self, id: MoveId, mut offer: Offer, now: Time) {
        let Offer { flow, lengths, .. } = offer;
        if let Some(reason) = refusal(id, &flow, lengths, &self.cx.config, &self.moves, &self.directory) {
            return self.refuse(id, offer, reason);
        }
        offer.features &= self.cx.config.features & features::ALL;
        offer.nonces.from = self.cx.draw();
        self.offers.insert(id, offer, now);
        self.cx.actions.push_back(Action::Ask { id, flow, lengths });
    }

    fn refuse(&mut self, id: MoveId, offer: Offer, reason: Reason) {
        let known = self.known(&offer.flow).unwrap_or(0);
        offer.refuse(id, reason, known, &mut self.cx.actions);
    }

    /// The source has answered 88: it is there, and its offer is no recording.
    fn confirmed(&mut self, id: MoveId, theirs: u64, now: Time) {
        let Some(offer) = self.offers.remove(id, theirs) else { return };
        let Offer { flow, lengths, .. } = offer;
        if let Some(reason) = refusal(id, &flow, lengths, &self.cx.config, &self.moves, &self.directory) {
            return self.refuse(id, offer, reason);
        }
        for other in self.moves.of(&flow).into_iter().filter(|o| o.peer == id.peer && o.epoch < id.epoch) {
            // the peer can offer only what it owns: an earlier move to it has succeeded, and an earlier one from it has not
            self.at_source(other, now, |source, out| source.returned(out));
            self.at_destination(other, now, |destination, out| destination.returned(now, out));
        }
        let destination = Destination::confirmed(id, offer, self.cx.config.move_bytes, now, &mut self.cx.actions);
        self.moves.insert_destination(id, Move::Full(destination), &mut self.cx);
    }
}

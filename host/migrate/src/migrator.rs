//! All moves of one node. What is known about where connections live stands in `home`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;

use crate::codec::Packet;
use crate::destination::Destination;
use crate::home::{Notice, Search};
use crate::offers::{Offer, Offers};
use crate::protocol::{
    Action, EPOCHS, Endpoint, Failure, Flow, Ignored, Message, MoveId, Nonces, Ownership, PeerId, Protocol, Reason,
    Streams, Time, features,
};
use crate::secret::Secret;
use crate::source::{Keep, Source};
use crate::timers::Timers;

/// A service of the cluster and the node whose front network carries its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// What clients connect to.
    pub address: SocketAddrV4,
    /// Its home; `None`: this node.
    pub home: Option<PeerId>,
}

/// What the core must be told.
#[derive(Clone, Debug, Hash)]
pub struct Config {
    /// This node on the back-side network.
    pub back_ip: Ipv4Addr,
    /// The other nodes; a [`PeerId`] is a place in this list.
    pub peers: Vec<Ipv4Addr>,
    /// Those that speak the plain format: `plain`.
    pub plain: BTreeSet<PeerId>,
    /// What the cluster serves.
    pub services: Vec<Service>,
    /// Bytes that the streams of one move may have.
    pub move_bytes: usize,
    /// Queues of so many bytes are sent ahead of the freeze as far as they have come.
    pub ahead_bytes: usize,
    /// What moves from and to here can do beyond the format: [`features`].
    pub features: u16,
    /// New in each life of the node.
    pub secret: Secret,
}

/// Moves to this node that are not over, and a peer's part of them: half.
const PENDING: usize = 4096;
/// Their streams, in moves of the greatest length; a peer's part is half, too.
const PENDING_MOVES: usize = 16;

/// Why a move could not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The connection is to an address that the cluster does not serve.
    #[error("{0} is not a service of this cluster: configure it and its home on all nodes")]
    UnknownService(SocketAddrV4),
    /// The connection is already moving.
    #[error("the connection is already moving")]
    Busy,
    /// The plain format can't carry it.
    #[error(
        "the peer, or the home of the service, speaks the plain format: only a connection without queues and state moves, and only \
         once"
    )]
    Plain,
    /// All epochs are used up: some node's clock or journal is wrong by millennia.
    #[error(
        "the connection's epoch can't be counted up any more: a clock or a journal of the cluster is wrong by millennia"
    )]
    Epoch,
    /// Too much data.
    #[error("{length} bytes of queues and state; a move carries at most {limit}")]
    TooLong {
        /// Bytes to carry.
        length: usize,
        /// Bytes that a move carries.
        limit: usize,
    },
}

/// What a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    Source(MoveId),
    Destination(MoveId),
    Notice(MoveId),
    Search(Flow),
    /// Knowledge of a flow that has left or ended.
    Known(Flow),
}

/// The I/O-free core of a node. Every input may produce [`Action`]s; take them all by
/// [`Migrator::poll_action`], in order, before the next input.
#[derive(Clone, Debug, Hash)]
pub struct Migrator {
    pub(crate) config: Config,
    pub(crate) sources: BTreeMap<MoveId, Source>,
    pub(crate) destinations: BTreeMap<MoveId, Destination>,
    /// Moves to this node that were asked about and have not begun.
    pub(crate) offers: Offers,
    /// The moves of each flow, as source or as destination.
    pub(crate) flows: BTreeSet<(Flow, MoveId)>,
    pub(crate) notices: BTreeMap<MoveId, Notice>,
    /// Where connections went, with the epoch of that knowledge; for ever at their home.
    pub(crate) away: BTreeMap<Flow, (PeerId, u64)>,
    /// Connections that moved here.
    pub(crate) here: BTreeMap<Flow, u64>,
    /// The last epoch of connections that have ended.
    pub(crate) ended: BTreeMap<Flow, u64>,
    /// Home: questions about owners.
    pub(crate) searches: BTreeMap<Flow, Search>,
    /// The highest epoch that was given or seen.
    pub(crate) epoch: u64,
    /// Nonces made so far.
    drawn: u64,
    pub(crate) timers: Timers<Timer>,
    pub(crate) out: VecDeque<Action>,
}

impl Migrator {
    /// A node with no moves.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Migrator {
            config,
            sources: BTreeMap::new(),
            destinations: BTreeMap::new(),
            flows: BTreeSet::new(),
            notices: BTreeMap::new(),
            away: BTreeMap::new(),
            here: BTreeMap::new(),
            ended: BTreeMap::new(),
            searches: BTreeMap::new(),
            offers: Offers::new(),
            epoch: 0,
            drawn: 0,
            timers: Timers::new(),
            out: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When [`Migrator::handle_timeout`] wants to be called, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.earliest().into_iter().chain(self.offers.poll_timeout()).min()
    }

    /// A nonce that was never used.
    pub(crate) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.config.secret.nonce(self.drawn)
    }

    /// The epoch of the next ownership of a flow.
    pub(crate) fn next_epoch(&mut self, wall: u64, flow: &Flow) -> u64 {
        let least = self.epoch.max(self.known(flow).unwrap_or(0)) + 1;
        self.epoch = wall.clamp(least, least.max(EPOCHS - 1));
        self.epoch
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
        self.home(flow.service).ok_or(StartError::UnknownService(flow.service))?;
        let (length, limit) = (lengths.bytes(), self.config.move_bytes);
        if length > limit {
            return Err(StartError::TooLong { length, limit });
        }
        if self.is_busy(&flow) {
            return Err(StartError::Busy);
        }
        let plain = self.config.plain.contains(&peer);
        // a plain home does not hear where its connection goes on to
        let astray = self.home(flow.service).flatten().is_some_and(|h| h != peer && self.config.plain.contains(&h));
        if astray || (plain && length > 0) {
            return Err(StartError::Plain);
        }
        let owner = SocketAddrV4::new(self.config.peers[peer.0], flow.service.port());
        if plain && self.awaiting(peer, flow.protocol, flow.client, owner).is_some() {
            return Err(StartError::Busy);
        }
        let id = MoveId { peer, client: flow.client, epoch: self.next_epoch(wall, &flow) };
        if id.epoch >= EPOCHS {
            return Err(StartError::Epoch);
        }
        let source = if plain {
            Source::start_plain(id, flow, owner, now, &mut self.out)
        } else {
            let queues = Streams { application: 0, ..lengths };
            let ahead = flow.protocol == Protocol::Tcp && queues.bytes() >= self.config.ahead_bytes;
            let nonces = Nonces { from: self.draw(), to: 0 };
            let offer = Offer { flow, owner, lengths, features: self.config.features, nonces };
            Source::start(id, offer, ahead, now, &mut self.out)
        };
        self.sources.insert(id, source);
        self.flows.insert((flow, id));
        self.settle_source(id, Keep::Yes);
        Ok(id)
    }

    /// The answer to [`Action::Copy`]: receive and send queue as they are, nothing of what is not to go ahead.
    pub fn copied(&mut self, id: MoveId, [receive, send]: [Vec<u8>; 2]) {
        if let Some(source) = self.sources.get_mut(&id) {
            let queues = Streams { receive: receive.into(), send: send.into(), application: Bytes::new() };
            source.copied(queues, &mut self.out);
            self.settle_source(id, Keep::Yes);
        }
    }

    /// The answer to [`Action::Freeze`]: the endpoint and the three streams, without what was [copied](Self::copied) of them.
    pub fn frozen(&mut self, id: MoveId, endpoint: Endpoint, streams: Streams<Vec<u8>>, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            let keep = source.frozen(endpoint, streams, now, &mut self.out);
            self.settle_source(id, keep);
        }
    }

    /// The answer to [`Action::HandOver`]: done.
    pub fn handed_over(&mut self, id: MoveId, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            let keep = source.handed_over(now, &mut self.out);
            let (flow, committed) = (source.flow, source.is_committed());
            self.settle_source(id, keep);
            if committed {
                self.left(flow, id, now);
            }
        }
    }

    /// Gives a move up at its source, if it has not committed. [`Action::Failed`] follows; if a peer of the plain format has been
    /// told, it is handed over instead, or, if the hold is full, goes on.
    pub fn give_up(&mut self, id: MoveId, failure: Failure, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            let keep = source.give_up(failure, now, &mut self.out);
            self.settle_source(id, keep);
        }
    }

    /// The answer to [`Action::Reserve`].
    pub fn reserved(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.reserved(result, now, &mut self.out);
            self.settle_destination(id, Keep::Yes);
        }
    }

    /// The answer to [`Action::Prepare`].
    pub fn prepared(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            let (flow, live) = (destination.flow, destination.prepared(result, now, &mut self.out));
            self.settle_destination(id, Keep::Yes);
            if live {
                self.arrived(id, flow, now);
            }
        }
    }

    /// The answer to [`Action::Ask`].
    pub fn asked(&mut self, id: MoveId, result: Result<(), Reason>) {
        let Some(offer) = self.offers.asked(id) else { return };
        match result {
            Ok(()) => self.ready(id, offer),
            Err(reason) => {
                self.offers.remove(id, offer.nonces.to);
                self.refuse(id, offer, reason);
            }
        }
    }

    /// A message from a peer.
    pub fn handle_message(&mut self, peer: PeerId, packet: Packet, now: Time) {
        if self.config.plain.contains(&peer) {
            return self.handle_plain(peer, packet, now);
        }
        let Packet { protocol, client, owner, service, epoch, nonces, message } = packet;
        let id = MoveId { peer, client, epoch };
        if epoch >= EPOCHS || message.known() >= EPOCHS {
            return self.ignore(peer, Ignored::Epoch);
        }
        if ![self.config.back_ip, self.config.peers[peer.0]].contains(owner.ip()) {
            return self.ignore(peer, Ignored::Owner);
        }
        // what is said of a flow is not said of a move, though the numbers may be the same
        let of_flow = match &message {
            Message::Moved { .. } | Message::Release { .. } | Message::Query { answer: true, .. } => true,
            Message::Query { state, .. } => *state != Ownership::Prepared,
            _ => false,
        };
        if let (true, Some(service)) = (of_flow, service) {
            self.about(id, Flow { protocol, client, service }, nonces, message, now);
        } else if let Some(source) = self.sources.get_mut(&id) {
            if !source.is_told(nonces) {
                return self.ignore(peer, Ignored::Nonce);
            }
            let (flow, was_committed) = (source.flow, source.is_committed());
            if let Some(known) = source.is_behind(&message) {
                return self.renew(id, flow, known, now);
            }
            let keep = source.handle_message(&message, nonces, now, &mut self.out);
            self.settle_source(id, keep);
            if was_committed && matches!(message, Message::Refuse { reason: Reason::Lost, .. }) {
                self.lost_by(flow, id, now);
            }
        } else if let Some(destination) = self.destinations.get_mut(&id) {
            let flow = destination.flow;
            if flow.protocol != protocol {
                // data of TCP are believed for their digest, and of UDP there is none
                return;
            }
            if !destination.is_told(nonces, &message) {
                return self.ignore(peer, Ignored::Nonce);
            }
            let live = destination.handle_message(message, now, &mut self.out);
            self.settle_destination(id, Keep::Yes);
            if live {
                self.arrived(id, flow, now);
            }
        } else if let Some(service) = service {
            let flow = Flow { protocol, client, service };
            match (message, self.offers.get(id, nonces.from)) {
                (Message::Offer { .. }, Some(offer)) => {
                    // the same nonce: the source may have the first answer already
                    self.ready(id, offer);
                }
                (Message::Offer { lengths, features }, None) => {
                    let nonces = Nonces { from: 0, to: nonces.from };
                    self.offered(id, Offer { flow, owner, lengths, features, nonces }, now);
                }
                (Message::Data { bytes, .. }, Some(offer)) if bytes.is_empty() && flow == offer.flow => {
                    if nonces.to != offer.nonces.from {
                        return self.ignore(peer, Ignored::Nonce);
                    }
                    self.confirmed(id, nonces.from, now);
                }
                (message, offer) => {
                    if offer.is_some() && message == Message::Cancel {
                        self.offers.remove(id, nonces.from);
                    }
                    self.about(id, flow, nonces, message, now);
                }
            }
        }
        // an acknowledgement that nobody waits for names no service: its sender asks again by 0x89
    }

    pub(crate) fn ignore(&mut self, peer: PeerId, why: Ignored) {
        self.out.push_back(Action::Ignored { peer, why });
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.offers.handle_timeout(now);
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Source(id) => {
                    if let Some(source) = self.sources.get_mut(&id) {
                        let (flow, committed) = (source.flow, source.is_committed());
                        let keep = source.handle_timeout(now, &mut self.out);
                        self.settle_source(id, keep);
                        if committed && keep == Keep::No {
                            self.unconfirmed(flow, now);
                        }
                    }
                }
                Timer::Destination(id) => {
                    if let Some(destination) = self.destinations.get_mut(&id) {
                        let keep = destination.handle_timeout(now, &mut self.out);
                        self.settle_destination(id, keep);
                    }
                }
                Timer::Notice(id) => self.notice_due(id, now),
                Timer::Search(flow) => self.search_due(flow, now),
                Timer::Known(flow) => self.forget(flow),
            }
        }
    }

    /// Sets or ends what depends on a source after it has changed.
    pub(crate) fn settle_source(&mut self, id: MoveId, keep: Keep) {
        if keep == Keep::No
            && let Some(source) = self.sources.remove(&id)
        {
            self.flows.remove(&(source.flow, id));
        }
        self.timers.set(Timer::Source(id), self.sources.get(&id).and_then(Source::poll_timeout));
    }

    /// The same for a destination.
    pub(crate) fn settle_destination(&mut self, id: MoveId, keep: Keep) {
        if keep == Keep::No
            && let Some(destination) = self.destinations.remove(&id)
        {
            self.flows.remove(&(destination.flow, id));
        }
        self.timers.set(Timer::Destination(id), self.destinations.get(&id).and_then(Destination::poll_timeout));
    }

    /// The moves of a flow.
    pub(crate) fn moves_of(&self, flow: &Flow) -> Vec<MoveId> {
        let first = MoveId { peer: PeerId(0), client: flow.client, epoch: 0 };
        self.flows.range((*flow, first)..).take_while(|(f, _)| f == flow).map(|(_, id)| *id).collect()
    }

    pub(crate) fn is_busy(&self, flow: &Flow) -> bool {
        self.moves_of(flow).iter().any(|id| {
            self.sources.get(id).is_some_and(Source::owns)
                || self.destinations.get(id).is_some_and(Destination::is_pending)
        })
    }

    /// The destination knows a later epoch of the flow than the source had.
    fn renew(&mut self, old: MoveId, flow: Flow, known: u64, now: Time) {
        let Some(mut source) = self.sources.remove(&old) else { return };
        self.flows.remove(&(flow, old));
        self.timers.set(Timer::Source(old), None);
        self.epoch = self.epoch.max(known);
        let new = MoveId { epoch: self.next_epoch(0, &flow), ..old };
        self.out.push_back(Action::Renew { old, new });
        source.renew(new, self.draw(), now, &mut self.out);
        self.sources.insert(new, source);
        self.flows.insert((flow, new));
        self.settle_source(new, Keep::Yes);
    }

    /// Why this node would not take a flow, as far as the core knows.
    fn refusal(&self, id: MoveId, flow: &Flow, lengths: Streams<u32>) -> Option<Reason> {
        let pending = || self.destinations.iter().filter(|(_, d)| d.is_pending());
        let of_peer = || pending().filter(|(other, _)| other.peer == id.peer);
        let most = PENDING_MOVES * self.config.move_bytes;
        // after a restart the home holds for an owner that it does not know yet
        let unknown = self.searches.contains_key(flow) && self.owner(flow).is_none();
        if self.home(flow.service).is_none() {
            Some(Reason::NoListener)
        } else if self.known(flow).is_some_and(|known| known >= id.epoch) {
            Some(Reason::Stale)
        } else if unknown || self.moves_of(flow).iter().any(|other| self.is_in_the_way(*other, id)) {
            Some(Reason::Busy)
        } else if lengths.bytes() > self.config.move_bytes
            || pending().count() >= PENDING
            || of_peer().count() >= PENDING / 2
            || pending().map(|(_, d)| d.lengths.bytes()).sum::<usize>() + lengths.bytes() > most
            || of_peer().map(|(_, d)| d.lengths.bytes()).sum::<usize>() + lengths.bytes() > most / 2
        {
            Some(Reason::NoResources)
        } else {
            None
        }
    }

    /// Whether a move keeps another one of its flow from beginning. The same peer can offer only what it owns, so an earlier move
    /// from it has failed.
    fn is_in_the_way(&self, other: MoveId, id: MoveId) -> bool {
        let earlier = other.peer == id.peer && other.epoch < id.epoch;
        self.sources.get(&other).is_some_and(Source::owns)
            || self.destinations.get(&other).is_some_and(|d| d.is_pending() && !earlier)
    }

    /// It may be a recording: nothing is done but to remember the answer.
    fn offered(&mut self, id: MoveId, mut offer: Offer, now: Time) {
        let Offer { flow, lengths, .. } = offer;
        if let Some(reason) = self.refusal(id, &flow, lengths) {
            return self.refuse(id, offer, reason);
        }
        offer.features &= self.config.features & features::ALL;
        offer.nonces.from = self.draw();
        self.offers.insert(id, offer, now);
        self.out.push_back(Action::Ask { id, flow, lengths });
    }

    fn ready(&mut self, id: MoveId, offer: Offer) {
        let Offer { flow, owner, nonces, features, .. } = offer;
        self.out.push_back(Action::Send { id, flow, owner, nonces, message: Message::Ready { features } });
    }

    fn refuse(&mut self, id: MoveId, Offer { flow, owner, nonces, .. }: Offer, reason: Reason) {
        let known = self.known(&flow).unwrap_or(0);
        self.out.push_back(Action::Send { id, flow, owner, nonces, message: Message::Refuse { reason, known } });
    }

    /// The source has answered 88: it is there, and its offer is no recording.
    fn confirmed(&mut self, id: MoveId, theirs: u64, now: Time) {
        let Some(offer) = self.offers.remove(id, theirs) else { return };
        let Offer { flow, lengths, .. } = offer;
        if let Some(reason) = self.refusal(id, &flow, lengths) {
            return self.refuse(id, offer, reason);
        }
        for other in self.moves_of(&flow).into_iter().filter(|o| o.peer == id.peer && o.epoch < id.epoch) {
            // the peer can offer only what it owns: an earlier move to it has succeeded
            if self.sources.get(&other).is_some_and(Source::is_committed) {
                self.out.push_back(Action::Done(other));
                self.settle_source(other, Keep::No);
            }
            // and an earlier one from it has not
            if let Some(destination) = self.destinations.get_mut(&other).filter(|d| d.is_pending()) {
                destination.supersede(now, &mut self.out);
                self.settle_destination(other, Keep::Yes);
            }
        }
        let destination = Destination::confirmed(id, offer, self.config.move_bytes, now, &mut self.out);
        self.destinations.insert(id, destination);
        self.flows.insert((flow, id));
        self.settle_destination(id, Keep::Yes);
    }
}

//! All moves of one node. What is known about where connections live stands in `home`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;

use crate::codec::Packet;
use crate::destination::Destination;
use crate::home::{Notice, Search};
use crate::protocol::{
    Action, Endpoint, Failure, Flow, Message, MoveId, Ownership, PeerId, Protocol, REPLAY, Reason, Time,
};
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
    /// The real-time clock when the node started, in microseconds. Offers from before that belong to an earlier
    /// life, whose end took its connections with it: repeated, they would bring back an old state.
    pub born: u64,
}

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
/// [`Migrator::action`], in order, before the next input.
#[derive(Clone, Debug, Hash)]
pub struct Migrator {
    pub(crate) config: Config,
    pub(crate) sources: BTreeMap<MoveId, Source>,
    pub(crate) destinations: BTreeMap<MoveId, Destination>,
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
    /// The newest epoch that each peer offered.
    newest: BTreeMap<PeerId, u64>,
    /// The highest epoch that was given or seen.
    pub(crate) epoch: u64,
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
            newest: BTreeMap::new(),
            epoch: 0,
            timers: Timers::new(),
            out: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When [`Migrator::tick`] wants to be called, at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers.earliest()
    }

    /// Begins a move of a connection that lives here. `wall` is the real-time clock in
    /// microseconds: epochs grow with it over restarts. `lengths`: the streams, estimated.
    pub fn start(
        &mut self,
        now: Time,
        wall: u64,
        peer: PeerId,
        flow: Flow,
        lengths: [u32; 3],
    ) -> Result<MoveId, StartError> {
        self.home(flow.service).ok_or(StartError::UnknownService(flow.service))?;
        let (length, limit) = (lengths.iter().map(|l| *l as usize).sum(), self.config.move_bytes);
        if length > limit {
            return Err(StartError::TooLong { length, limit });
        }
        if self.is_busy(&flow) {
            return Err(StartError::Busy);
        }
        // never one of an earlier life, even if the clock stood still
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
        self.epoch = wall.max(self.epoch + 1).max(self.config.born + 1);
        let id = MoveId { peer, client: flow.client, epoch: self.epoch };
        let source = if plain {
            Source::start_plain(id, flow, owner, now, &mut self.out)
        } else {
            let queues = lengths[..2].iter().map(|l| *l as usize).sum::<usize>();
            let ahead = flow.protocol == Protocol::Tcp && queues >= self.config.ahead_bytes;
            Source::start(id, flow, owner, lengths, ahead, now, &mut self.out)
        };
        self.sources.insert(id, source);
        self.flows.insert((flow, id));
        self.settle_source(id, Keep::Yes);
        Ok(id)
    }

    /// The answer to [`Action::Copy`]: receive and send queue as they are, nothing of what is not to go ahead.
    pub fn copied(&mut self, id: MoveId, [receive, send]: [Vec<u8>; 2]) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.copied([receive.into(), send.into(), Bytes::new()], &mut self.out);
            self.settle_source(id, Keep::Yes);
        }
    }

    /// The answer to [`Action::Freeze`]: the endpoint and the three streams, without what was [copied](Self::copied) of them.
    pub fn frozen(&mut self, id: MoveId, endpoint: Endpoint, streams: [Vec<u8>; 3], now: Time) {
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

    /// A message from a peer.
    pub fn receive(&mut self, peer: PeerId, packet: Packet, now: Time) {
        if self.config.plain.contains(&peer) {
            return self.receive_plain(peer, packet, now);
        }
        let Packet { protocol, client, owner, service, epoch, message } = packet;
        let id = MoveId { peer, client, epoch };
        // what is said of a flow is not said of a move, though the numbers may be the same
        let of_flow = match &message {
            Message::Moved { .. } | Message::Release { .. } | Message::Query { answer: true, .. } => true,
            Message::Query { state, .. } => *state != Ownership::Prepared,
            _ => false,
        };
        if let (true, Some(service)) = (of_flow, service) {
            self.about(id, Flow { protocol, client, service }, message, now);
        } else if let Some(source) = self.sources.get_mut(&id) {
            let (flow, was_committed) = (source.flow, source.is_committed());
            let keep = source.message(&message, now, &mut self.out);
            self.settle_source(id, keep);
            if was_committed && message == Message::Refuse(Reason::Lost) {
                self.lost_by(flow, id, now);
            }
        } else if let Some(destination) = self.destinations.get_mut(&id) {
            let flow = destination.flow;
            if flow.protocol != protocol {
                // data of TCP are believed for their digest, and of UDP there is none
                return;
            }
            let live = destination.message(message, now, &mut self.out);
            self.settle_destination(id, Keep::Yes);
            if live {
                self.arrived(id, flow, now);
            }
        } else if let Some(service) = service {
            let flow = Flow { protocol, client, service };
            match message {
                Message::Offer { lengths } => self.offered(id, flow, owner, lengths, now),
                message => self.about(id, flow, message, now),
            }
        }
        // an acknowledgement that nobody waits for names no service: its sender asks again by 0x89
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Source(id) => {
                    if let Some(source) = self.sources.get_mut(&id) {
                        let (flow, committed) = (source.flow, source.is_committed());
                        let keep = source.tick(now, &mut self.out);
                        self.settle_source(id, keep);
                        if committed && keep == Keep::No {
                            self.unconfirmed(flow, now);
                        }
                    }
                }
                Timer::Destination(id) => {
                    if let Some(destination) = self.destinations.get_mut(&id) {
                        let keep = destination.tick(now, &mut self.out);
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
        self.timers.set(Timer::Source(id), self.sources.get(&id).and_then(Source::deadline));
    }

    /// The same for a destination.
    pub(crate) fn settle_destination(&mut self, id: MoveId, keep: Keep) {
        if keep == Keep::No
            && let Some(destination) = self.destinations.remove(&id)
        {
            self.flows.remove(&(destination.flow, id));
        }
        self.timers.set(Timer::Destination(id), self.destinations.get(&id).and_then(Destination::deadline));
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

    fn offered(&mut self, id: MoveId, flow: Flow, owner: SocketAddrV4, lengths: [u32; 3], now: Time) {
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
        let newest = self.newest.entry(id.peer).or_default();
        *newest = id.epoch.max(*newest);
        let replay = id.epoch <= self.config.born || id.epoch.saturating_add(REPLAY) < *newest;
        // after a restart the home holds for an owner that it does not know yet
        let unknown = self.searches.contains_key(&flow) && self.owner(&flow).is_none();
        let refusal = if self.home(flow.service).is_none() {
            Some(Reason::NoListener)
        } else if replay || self.known(&flow).is_some_and(|known| known >= id.epoch) {
            Some(Reason::Stale)
        } else if unknown || self.is_busy(&flow) {
            Some(Reason::Busy)
        } else {
            None
        };
        let (limit, out) = (self.config.move_bytes, &mut self.out);
        let destination = match refusal {
            Some(reason) => Destination::refused(id, flow, owner, reason, now, out),
            None => Destination::offered(id, flow, owner, lengths, limit, now, out),
        };
        self.destinations.insert(id, destination);
        self.flows.insert((flow, id));
        self.settle_destination(id, Keep::Yes);
    }
}

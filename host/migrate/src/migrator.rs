//! All moves of one node, and what its home knows about connections that live elsewhere.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::codec::Packet;
use crate::destination::Destination;
use crate::protocol::{Action, Failure, Flow, Message, MoveId, PeerId, Reason, Retry, TRIES, Tcb, Time};
use crate::source::{Keep, Source};

/// A service of the cluster and the node whose front network carries its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// What clients connect to.
    pub address: SocketAddrV4,
    /// Its home; `None`: this node.
    pub home: Option<PeerId>,
}

/// What the core must be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node on the back-side network.
    pub back_ip: Ipv4Addr,
    /// The other nodes; a [`PeerId`] is a place in this list.
    pub peers: Vec<Ipv4Addr>,
    /// What the cluster serves.
    pub services: Vec<Service>,
    /// Bytes that the streams of one move may have.
    pub move_bytes: usize,
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
    /// Too much data.
    #[error("{length} bytes of queues and state; a move carries at most {limit}")]
    TooLong {
        /// Bytes to carry.
        length: usize,
        /// Bytes that a move carries.
        limit: usize,
    },
}

/// Something that the home must acknowledge: where a connection went, or that it is gone.
#[derive(Debug)]
struct Notice {
    service: SocketAddrV4,
    message: Message,
    retry: Retry,
}

/// The I/O-free core of a node. Every input may produce [`Action`]s; take them all by
/// [`Migrator::action`], in order, before the next input.
#[derive(Debug)]
pub struct Migrator {
    config: Config,
    sources: BTreeMap<MoveId, Source>,
    destinations: BTreeMap<MoveId, Destination>,
    notices: BTreeMap<MoveId, Notice>,
    /// Home: connections that live elsewhere, with the epoch of that knowledge.
    away: HashMap<Flow, (PeerId, u64)>,
    /// Connections that moved here.
    here: HashMap<Flow, u64>,
    /// The highest epoch that was given or seen.
    epoch: u64,
    out: VecDeque<Action>,
}

impl Migrator {
    /// A node with no moves.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Migrator {
            config,
            sources: BTreeMap::new(),
            destinations: BTreeMap::new(),
            notices: BTreeMap::new(),
            away: HashMap::new(),
            here: HashMap::new(),
            epoch: 0,
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
        let sources = self.sources.values().map(Source::deadline);
        let destinations = self.destinations.values().map(Destination::deadline);
        let notices = self.notices.values().map(|n| n.retry.at);
        sources.chain(destinations).chain(notices).min().filter(|t| *t < Time::MAX)
    }

    /// Whether this node is the home of a service; `None`: the cluster does not serve it.
    #[must_use]
    pub fn is_home(&self, service: SocketAddrV4) -> Option<bool> {
        self.home(service).map(|home| home.is_none())
    }

    fn home(&self, service: SocketAddrV4) -> Option<Option<PeerId>> {
        self.config.services.iter().find(|s| s.address == service).map(|s| s.home)
    }

    /// Where a connection of this home lives, if elsewhere.
    #[must_use]
    pub fn owner(&self, flow: &Flow) -> Option<PeerId> {
        self.away.get(flow).map(|(peer, _)| *peer)
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
        let moving = self.sources.values().any(|s| s.flow == flow && s.owns())
            || self.destinations.values().any(|d| d.flow == flow && d.is_pending());
        if moving {
            return Err(StartError::Busy);
        }
        self.epoch = wall.max(self.epoch + 1);
        let id = MoveId { peer, client: flow.client, epoch: self.epoch };
        let owner = SocketAddrV4::new(self.config.peers[peer.0], flow.service.port());
        let source = Source::start(id, flow, owner, lengths, now, &mut self.out);
        self.sources.insert(id, source);
        Ok(id)
    }

    /// The answer to [`Action::Freeze`]: the control block and the three streams.
    pub fn frozen(&mut self, id: MoveId, tcb: Tcb, streams: [Vec<u8>; 3], now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.frozen(tcb, streams, now, &mut self.out);
        }
    }

    /// The answer to [`Action::HandOver`]: done.
    pub fn handed_over(&mut self, id: MoveId, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.handed_over(now, &mut self.out);
            let flow = source.flow;
            self.here.remove(&flow);
            if self.is_home(flow.service) == Some(true) {
                self.away.insert(flow, (id.peer, id.epoch));
            }
        }
    }

    /// Gives a move up at its source, if it has not committed. [`Action::Failed`] follows.
    pub fn give_up(&mut self, id: MoveId, failure: Failure, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.give_up(failure, now, &mut self.out);
        }
    }

    /// The answer to [`Action::Reserve`].
    pub fn reserved(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.reserved(result, now, &mut self.out);
        }
    }

    /// The answer to [`Action::Prepare`].
    pub fn prepared(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.prepared(result, now, &mut self.out);
        }
    }

    /// A connection that moved here is gone, TIME_WAIT included.
    pub fn released(&mut self, flow: Flow, now: Time) {
        let Some(epoch) = self.here.remove(&flow) else { return };
        if let Some(Some(home)) = self.home(flow.service) {
            let id = MoveId { peer: home, client: flow.client, epoch };
            self.notify(id, flow.service, Message::Release { answer: false }, now);
        }
    }

    /// A message from a peer.
    pub fn receive(&mut self, peer: PeerId, packet: Packet, now: Time) {
        let Packet { client, owner, service, epoch, message } = packet;
        let id = MoveId { peer, client, epoch };
        match message {
            Message::Moved { answer: true, .. } | Message::Release { answer: true } => {
                self.notices.remove(&id);
            }
            Message::Moved { owner, answer: false } => self.moved(id, service, owner),
            Message::Release { answer: false } => self.release(id, service),
            message if self.sources.contains_key(&id) => {
                if let Some(source) = self.sources.get_mut(&id)
                    && source.message(&message, now, &mut self.out) == Keep::No
                {
                    self.sources.remove(&id);
                }
            }
            message if self.destinations.contains_key(&id) => {
                if let Some(destination) = self.destinations.get_mut(&id)
                    && destination.message(message, now, &mut self.out)
                {
                    let flow = destination.flow;
                    self.arrived(id, flow, now);
                }
            }
            Message::Offer { lengths } => {
                if let Some(service) = service {
                    self.offered(id, Flow { client, service }, owner, lengths, now);
                }
            }
            message => {
                if let Some(answer) = Source::disown(&message) {
                    let service = service.unwrap_or(owner);
                    self.out.push_back(Action::Send { id, service, owner, message: answer });
                }
            }
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        let out = &mut self.out;
        self.sources.retain(|_, s| s.tick(now, out) == Keep::Yes);
        self.destinations.retain(|_, d| d.tick(now, out) == Keep::Yes);
        self.notices.retain(|id, n| match n.retry.due(now, TRIES) {
            Ok(true) => {
                out.push_back(notice(*id, n.service, &n.message, &self.config));
                true
            }
            Ok(false) => true,
            Err(()) => {
                tracing::warn!(?id, message = ?n.message, "the home does not answer");
                false
            }
        });
    }

    fn offered(&mut self, id: MoveId, flow: Flow, owner: SocketAddrV4, lengths: [u32; 3], now: Time) {
        let out = &mut self.out;
        let limit = self.config.move_bytes;
        // the peer can offer only what it owns: an earlier move to it has succeeded
        self.sources.retain(|s, source| {
            let settled = source.flow == flow && source.is_committed() && s.peer == id.peer && s.epoch < id.epoch;
            if settled {
                out.push_back(Action::Done(*s));
            }
            !settled
        });
        // and an earlier one from it has not
        for (d, destination) in &mut self.destinations {
            if destination.flow == flow && destination.is_pending() && d.peer == id.peer && d.epoch < id.epoch {
                destination.supersede(now, out);
            }
        }
        let busy = self.sources.values().any(|s| s.flow == flow && s.owns())
            || self.destinations.values().any(|d| d.flow == flow && d.is_pending());
        let known = self.here.get(&flow).copied().max(self.away.get(&flow).map(|(_, epoch)| *epoch));
        let refusal = if self.home(flow.service).is_none() {
            Some(Reason::NoListener)
        } else if known.is_some_and(|known| known >= id.epoch) {
            Some(Reason::Stale)
        } else if busy {
            Some(Reason::Busy)
        } else {
            None
        };
        let out = &mut self.out;
        let destination = match refusal {
            Some(reason) => Destination::refused(id, flow, owner, reason, now, out),
            None => Destination::offered(id, flow, owner, lengths, limit, now, out),
        };
        self.destinations.insert(id, destination);
    }

    /// The connection has become this node's.
    fn arrived(&mut self, id: MoveId, flow: Flow, now: Time) {
        self.epoch = self.epoch.max(id.epoch);
        self.here.insert(flow, id.epoch);
        self.away.remove(&flow);
        if let Some(Some(home)) = self.home(flow.service)
            && home != id.peer
        {
            let id = MoveId { peer: home, ..id };
            let message = Message::Moved { owner: self.config.back_ip, answer: false };
            self.notify(id, flow.service, message, now);
        }
    }

    /// Home: a connection lives elsewhere now.
    fn moved(&mut self, id: MoveId, service: Option<SocketAddrV4>, owner: Ipv4Addr) {
        let Some(service) = service else { return };
        let flow = Flow { client: id.client, service };
        let Some(to) = self.config.peers.iter().position(|p| *p == owner).map(PeerId) else {
            tracing::warn!(%owner, ?flow, "told of an owner that is no peer");
            return;
        };
        let known = self.here.get(&flow).copied().max(self.away.get(&flow).map(|(_, epoch)| *epoch));
        if self.is_home(service) == Some(true) && known.is_none_or(|known| known < id.epoch) {
            self.away.insert(flow, (to, id.epoch));
            self.here.remove(&flow);
            self.out.push_back(Action::Repoint { flow, to });
        }
        self.answer(id, service, Message::Moved { owner, answer: true });
    }

    /// Home: a connection that lived elsewhere is gone.
    fn release(&mut self, id: MoveId, service: Option<SocketAddrV4>) {
        let Some(service) = service else { return };
        let flow = Flow { client: id.client, service };
        // an older epoch is about an ownership that has ended by a move
        if self.away.get(&flow).is_some_and(|(_, epoch)| *epoch <= id.epoch) {
            self.away.remove(&flow);
            self.out.push_back(Action::Forget(flow));
        }
        self.answer(id, service, Message::Release { answer: true });
    }

    fn notify(&mut self, id: MoveId, service: SocketAddrV4, message: Message, now: Time) {
        self.out.push_back(notice(id, service, &message, &self.config));
        self.notices.insert(id, Notice { service, message, retry: Retry::start(now) });
    }

    fn answer(&mut self, id: MoveId, service: SocketAddrV4, message: Message) {
        let owner = SocketAddrV4::new(self.config.peers[id.peer.0], service.port());
        self.out.push_back(Action::Send { id, service, owner, message });
    }
}

/// A message from this node as the owner.
fn notice(id: MoveId, service: SocketAddrV4, message: &Message, config: &Config) -> Action {
    let owner = SocketAddrV4::new(config.back_ip, service.port());
    Action::Send { id, service, owner, message: message.clone() }
}

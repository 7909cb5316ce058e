//! Connections that come: what the core asks of the destination.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use ipos_abi::wire::{Mac, ethernet};
use ipos_datapath::Action;
use ipos_holder::{Keeper, Kept};
use ipos_migrate::protocol::{Endpoint, Flow, MoveId, PeerId, Protocol, Reason, Streams, Tcb};
use ipos_migrate::socket::{self, Blank, Live, Prepared, RestoreError};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;

use super::core::Core;
use super::kept::CLAIM;
use super::udp::LateSockets;
use super::{home, recover};
use crate::command::Listeners;
use crate::config::NodeConfig;
use crate::error::Result;
use crate::flows::{FlowTable, Hold, State};
use crate::frame::framed;
use crate::journal::Place;
use crate::keep::{self, Arriving, Mark};
use crate::ports::Ports;
use crate::report::Arrival;
use crate::times::Landing;

/// A socket that is complete and silent.
enum Built {
    Tcp(Prepared, Box<Tcb>),
    Udp(OwnedFd),
}

/// A move to this node.
struct Incoming {
    flow: Flow,
    /// Of one that was prepared before a restart there is none: its listener may come later.
    permit: Option<OwnedPermit<Arrival>>,
    /// The holder has another descriptor of the socket.
    kept: Option<Kept>,
    /// Made while the source freezes, so that the client need not wait for it.
    blank: Option<Blank>,
    /// Connection tracking knows of it, for the same reason.
    tracked: bool,
    prepared: Option<Built>,
    state: Vec<u8>,
    /// The receive queue, which the socket has: its memory is given back when nobody waits any more.
    spent: Vec<u8>,
    times: Landing,
}

impl Incoming {
    fn fill(&mut self, endpoint: Endpoint, streams: Streams<Vec<u8>>) -> Result<(), RestoreError> {
        let Streams { receive, send, application: state } = streams;
        let Flow { client, service, .. } = self.flow;
        self.prepared = Some(match endpoint {
            Endpoint::Tcp(tcb, options) => {
                let unknown = options.unknown();
                if unknown > 0 {
                    tracing::warn!(?client, unknown, "socket options of a later version are left at their defaults");
                }
                let blank = self.blank.take().map_or_else(|| Blank::new(service), Ok)?;
                Built::Tcp(blank.fill(&tcb, &options, client, &receive, send)?, tcb)
            }
            Endpoint::Udp => Built::Udp(socket::connect_udp(client, service)?),
        });
        (self.state, self.spent) = (state, receive);
        self.times.built = Instant::now();
        Ok(())
    }
}

/// A live connection whose unsent data did not fit into its socket at once.
struct Finishing {
    live: Live,
    arrival: (Flow, Vec<u8>, Landing),
    permit: Option<OwnedPermit<Arrival>>,
    kept: Option<Kept>,
}

/// All of them, and who takes them.
pub(super) struct Destination {
    config: Rc<NodeConfig>,
    listeners: Listeners,
    keeper: Option<Keeper>,
    incoming: HashMap<MoveId, Incoming>,
    finishing: Vec<Finishing>,
    /// Live, with nobody who listens, until then.
    parked: Vec<(Flow, Arrival, Instant)>,
}

impl Destination {
    pub fn new(config: Rc<NodeConfig>, listeners: Listeners, keeper: Option<Keeper>) -> Self {
        let (incoming, finishing, parked) = (HashMap::new(), Vec::new(), Vec::new());
        Destination { config, listeners, keeper, incoming, finishing, parked }
    }

    /// Whether an arrival waits for a listener.
    pub fn is_waiting(&self) -> bool {
        !self.parked.is_empty()
    }

    pub fn has_moves(&self) -> bool {
        !self.incoming.is_empty()
    }

    pub fn write_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.finishing.iter().map(|finishing| finishing.live.fd.as_fd())
    }

    /// Nothing may change: the offer may be a recording.
    pub fn ask(&self, id: MoveId, flow: Flow, core: &mut Core, flows: &mut FlowTable) {
        let result = match self.listeners.get(flow.protocol, flow.service) {
            None => Err(Reason::NoListener),
            Some(listener) if listener.is_closed() => Err(Reason::NoListener),
            Some(listener) if listener.capacity() == 0 => Err(Reason::NoResources),
            Some(_) if flows.watch.is_alive(&flow) => Err(Reason::StillOpen),
            Some(_) => Ok(()),
        };
        self.tell(flow, result);
        core.migrator.asked(id, result);
    }

    pub fn reserve(
        &mut self,
        id: MoveId,
        flow: Flow,
        core: &mut Core,
        late: &mut LateSockets,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) {
        let result = self.try_reserve(id, flow, core, ports, flows);
        if result.is_ok() {
            late.rejoin(&flow, id.peer, &self.config, flows);
        }
        self.tell(flow, result);
        let now = core.now();
        core.migrator.reserved(id, result, now);
    }

    fn try_reserve(
        &mut self,
        id: MoveId,
        flow: Flow,
        core: &Core,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result<(), Reason> {
        let times = Landing::offered(Instant::now());
        let listener = self.listeners.get(flow.protocol, flow.service).ok_or(Reason::NoListener)?;
        let permit = listener.try_reserve_owned().map_err(|e| match e {
            TrySendError::Full(_) => Reason::NoResources,
            TrySendError::Closed(_) => Reason::NoListener,
        })?;
        let home = core.is_home(&flow);
        // the client's packets come here again, and are held; an entry left from before would pass them on in a circle
        let held = home || flows.away(&flow).is_some();
        let reserved = ports.change(&flow, |entry| {
            if held {
                entry.action = Action::Host;
            }
            entry.endpoint |= !home;
            entry.epoch = id.epoch;
        });
        reserved.map_err(|e| {
            tracing::warn!("{e}");
            Reason::NoResources
        })?;
        flows.hold(flow, Hold::default());
        let (state, spent, permit, kept) = (Vec::new(), Vec::new(), Some(permit), None);
        let (blank, tracked, prepared) = (None, false, None);
        self.incoming.insert(id, Incoming { flow, permit, kept, blank, tracked, prepared, state, spent, times });
        Ok(())
    }

    /// A socket that an earlier life of the node had built. The connection, if it may still be another node's: it is prepared, and
    /// its source is asked; else it is live.
    pub fn take_back(
        &mut self,
        arriving: Arriving,
        core: &mut Core,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result<Option<Flow>> {
        let Arriving { kept, socket, mark, tcb, locked, state, unsent } = arriving;
        let (node, flow, times) = (&self.config.name, mark.flow(), Landing::offered(Instant::now()));
        if !socket::in_repair(socket.as_fd()).unwrap_or(false) {
            tracing::info!(node, ?flow, "went live before the restart");
            match Live::from_parts(socket, &tcb, unsent) {
                Ok(live) => {
                    let (arrival, permit, kept) = ((flow, state, times), None, Some(kept));
                    self.finishing.push(Finishing { live, arrival, permit, kept });
                }
                Err(e) => tracing::warn!(node, ?flow, "a live connection is lost: {e}"),
            }
            return Ok(None);
        }
        let Some(id) = mark.id(&self.config).filter(|_| core.migrator.is_home(flow.service).is_some()) else {
            tracing::warn!(node, ?flow, "no peer, or no service, of the configuration any more");
            socket::close_silently(socket);
            core.note_stayed_away(flow, mark.epoch);
            return Ok(None);
        };
        tracing::info!(node, ?flow, "is prepared since before the restart: its source is asked");
        let home = core.is_home(&flow);
        let entry = ports.change(&flow, |entry| {
            entry.action = if home { Action::Host } else { entry.action };
            (entry.endpoint, entry.epoch) = (!home, id.epoch);
        });
        if let Err(e) = entry {
            // its packets come to the host all the same
            tracing::warn!(node, ?flow, "no entry: {e}");
        }
        flows.hold(flow, Hold::default());
        // its owner of before still is, if nothing comes of the move
        if let (true, Some(Place::Coming { owner, epoch: epoch @ 1.., .. } | Place::Away(owner, epoch))) =
            (home, core.journal.place(&flow))
        {
            recover::away(flow, owner, epoch, core, &self.config);
        }
        flows.watch.track(&flow);
        let prepared = Some(Built::Tcp(Prepared::from_parts(socket, &tcb, locked, unsent), Box::new(tcb)));
        let (permit, kept, blank, tracked, spent) = (None, Some(kept), None, true, Vec::new());
        self.incoming.insert(id, Incoming { flow, permit, kept, blank, tracked, prepared, state, spent, times });
        let now = core.now();
        core.migrator.resume(id, flow, mark.nonces(), now);
        Ok(Some(flow))
    }

    fn tell(&self, flow: Flow, result: Result<(), Reason>) {
        if let Err(reason) = result {
            tracing::info!(node = self.config.name, ?flow, "refused: {}", reason.name());
        }
    }

    /// Makes the socket of a connection whose source has been answered and freezes now. `false`: there is none to be made.
    pub fn make_early(&mut self, flows: &mut FlowTable) -> bool {
        let wanted = |i: &&mut Incoming| i.flow.protocol == Protocol::Tcp && i.blank.is_none() && i.prepared.is_none();
        let Some(incoming) = self.incoming.values_mut().find(wanted) else { return false };
        let blank = Blank::new(incoming.flow.service);
        let made = blank.is_ok();
        // what fails now is tried again when it is needed, and told then
        incoming.blank = blank.ok();
        flows.watch.track(&incoming.flow);
        incoming.tracked = true;
        made
    }

    pub fn prepare(&mut self, id: MoveId, flow: Flow, endpoint: Endpoint, streams: Streams<Vec<u8>>, core: &mut Core) {
        let awaited = self.is_awaited(id, flow);
        let result = if awaited { self.fill(id, endpoint, streams, core) } else { Err(Reason::NoListener) };
        let now = core.now();
        core.migrator.prepared(id, result, now);
    }

    fn fill(
        &mut self,
        id: MoveId,
        endpoint: Endpoint,
        streams: Streams<Vec<u8>>,
        core: &mut Core,
    ) -> Result<(), Reason> {
        let incoming = self.incoming.get_mut(&id).ok_or(Reason::NoResources)?;
        let (flow, node) = (incoming.flow, &self.config.name);
        incoming.times.complete = Instant::now();
        core.record_arrival(flow, id).map_err(|e| {
            tracing::warn!(node, ?flow, "refused, the journal can't be written: {e}");
            Reason::NoResources
        })?;
        incoming.fill(endpoint, streams).map_err(|e| unbuilt(node, flow, &e))?;
        if let (Some(keeper), Some(Built::Tcp(prepared, tcb))) = (&self.keeper, &incoming.prepared)
            && let Some(mark) = Mark::new(id, flow, core.migrator.nonces(id), &self.config)
        {
            incoming.kept = keep::arriving(keeper, mark, prepared, tcb, &incoming.state);
        }
        Ok(())
    }

    /// Whether the application that took the offer is still there: without it the connection is better off where it is.
    fn is_awaited(&self, id: MoveId, flow: Flow) -> bool {
        let listener = self.listeners.get(flow.protocol, flow.service);
        let promised = self.incoming.get(&id).and_then(|incoming| incoming.permit.as_ref());
        listener
            .zip(promised)
            .is_some_and(|(listener, permit)| !listener.is_closed() && permit.same_channel_as_sender(&listener))
    }

    pub fn go_live(&mut self, id: MoveId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let Some(Incoming {
            flow, permit, kept, tracked, prepared: Some(built), state, spent: _spent, mut times, ..
        }) = self.incoming.remove(&id)
        else {
            return Ok(());
        };
        times.committed = Instant::now();
        ports.change(&flow, |entry| entry.fenced = false)?;
        flows.set(flow, State::Here);
        let hold = flows.take_hold(&flow);
        if !tracked {
            flows.watch.track(&flow);
        }
        flows.watch.arrived(flow);
        core.journal.note(flow, Some(Place::Here(id.epoch)));
        ports.stats.moved_in += 1;
        match built {
            Built::Tcp(prepared, tcb) => {
                match prepared.go_live() {
                    Ok(live) => {
                        times.speaks = live.since;
                        self.finishing.push(Finishing { live, arrival: (flow, state, times), permit, kept });
                    }
                    // it was checked when it was built: only a kernel out of memory comes here
                    Err(e) => {
                        ports.stats.lost += 1;
                        tracing::error!(node = self.config.name, ?flow, "a committed connection is lost: {e}");
                    }
                }
                self.replay(id.peer, flow, &tcb, ports)?;
            }
            Built::Udp(fd) => {
                (times.speaks, times.delivered) = (times.committed, Instant::now());
                if let Some(permit) = permit {
                    permit.send(Arrival { fd, client: flow.client, server: flow.service, state, times, _kept: kept });
                }
            }
        }
        for (frame, _) in hold.iter() {
            ports.deliver(frame)?;
        }
        // at the home: the client's packets are host packets again
        ports.change(&flow, |entry| entry.action = Action::Pass)?;
        self.finish_arrivals();
        Ok(())
    }

    /// What the client said to the old owner, and this one is to answer.
    fn replay(&self, from: PeerId, flow: Flow, tcb: &Tcb, ports: &mut Ports) -> Result {
        let Some(packet) = socket::replay(tcb, flow.client, flow.service) else { return Ok(()) };
        let link = ethernet::Repr {
            dst: Mac(self.config.front_mac),
            src: Mac(self.config.peers[from.0].back_mac),
            vlan: None,
            ethertype: ethernet::IPV4,
        };
        match framed(&packet, link) {
            Ok(frame) => ports.deliver(&frame),
            Err(e) => {
                tracing::error!("a segment of the client can't be replayed: {e}");
                Ok(())
            }
        }
    }

    /// Hands live connections to their applications once their unsent data is written.
    pub fn finish_arrivals(&mut self) {
        for mut finishing in std::mem::take(&mut self.finishing) {
            match finishing.live.write_unsent() {
                Ok(true) => {
                    let Finishing { live, arrival: (flow, state, mut times), permit, kept } = finishing;
                    times.delivered = Instant::now();
                    let (client, server) = (flow.client, flow.service);
                    let arrival = Arrival { fd: live.fd, client, server, state, times, _kept: kept };
                    match permit {
                        Some(permit) => drop(permit.send(arrival)),
                        None => self.parked.push((flow, arrival, Instant::now() + CLAIM)),
                    }
                }
                Ok(false) => self.finishing.push(finishing),
                // the connection has ended: the application finds that out by reading
                Err(e) => {
                    tracing::debug!("unsent data of an arrival: {e}");
                    finishing.live.drop_unsent();
                    self.finishing.push(finishing);
                }
            }
        }
        self.unpark();
    }

    /// Hands out what is parked, if somebody listens by now.
    fn unpark(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        let now = Instant::now();
        for (flow, arrival, until) in std::mem::take(&mut self.parked) {
            let arrival = match self.listeners.get(flow.protocol, flow.service) {
                Some(listener) => match listener.try_send(arrival) {
                    Ok(()) => continue,
                    Err(TrySendError::Full(arrival) | TrySendError::Closed(arrival)) => arrival,
                },
                None => arrival,
            };
            if now < until {
                self.parked.push((flow, arrival, until));
            } else {
                tracing::warn!(
                    node = self.config.name,
                    ?flow,
                    "nobody listens for a connection that has come: it is closed"
                );
            }
        }
    }

    pub fn abandon(&mut self, id: MoveId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let Some(Incoming { flow, tracked, prepared, .. }) = self.incoming.remove(&id) else { return Ok(()) };
        if let Some(Built::Tcp(prepared, _)) = prepared {
            prepared.close_silently();
        }
        if tracked {
            flows.watch.untrack(&flow);
        }
        core.note_stayed_away(flow, id.epoch);
        let hold = flows.take_hold(&flow);
        if !core.is_home(&flow) {
            ports.change(&flow, |entry| entry.endpoint = false)?;
        }
        let Some(away) = flows.away(&flow) else {
            return Ok(ports.change(&flow, |entry| entry.action = Action::Pass)?);
        };
        // what the owner sent on it still holds; the rest, of a home that sends to here as it did before, is passed on
        for (frame, inner) in hold.without(self.config.peers[away.owner.0].back_mac) {
            ports.pass_on(frame, inner, away.owner)?;
        }
        Ok(home::point(&flow, away.owner, ports)?)
    }
}

/// What the source is told of a socket that can't be built.
fn unbuilt(node: &str, flow: Flow, error: &RestoreError) -> Reason {
    tracing::warn!(node, ?flow, "a connection can't be rebuilt: {error}");
    match error {
        RestoreError::Inconsistent(_) => Reason::Damaged,
        RestoreError::Buffer { .. } => Reason::NoResources,
        RestoreError::NoAddress(_) => Reason::NoAddress,
        RestoreError::StillOpen => Reason::StillOpen,
        RestoreError::PortTaken(_) => Reason::PortTaken,
        RestoreError::Io { .. } => Reason::Unsupported,
    }
}

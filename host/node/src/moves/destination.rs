//! Connections that come: what the core asks of the destination.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use ipos_abi::wire::{Mac, ethernet};
use ipos_datapath::Action;
use ipos_migrate::protocol::{Endpoint, Flow, MoveId, PeerId, Protocol, Reason, Streams, Tcb};
use ipos_migrate::socket::{self, Blank, Live, Prepared, RestoreError};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;

use super::core::Core;
use super::home;
use super::udp::LateSockets;
use crate::command::Listeners;
use crate::config::NodeConfig;
use crate::error::Result;
use crate::flows::{FlowTable, Hold, State};
use crate::frame::framed;
use crate::journal::Place;
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
    permit: OwnedPermit<Arrival>,
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
    permit: OwnedPermit<Arrival>,
}

/// All of them, and who takes them.
pub(super) struct Destination {
    config: Rc<NodeConfig>,
    listeners: Listeners,
    incoming: HashMap<MoveId, Incoming>,
    finishing: Vec<Finishing>,
}

impl Destination {
    pub fn new(config: Rc<NodeConfig>, listeners: Listeners) -> Self {
        Destination { config, listeners, incoming: HashMap::new(), finishing: Vec::new() }
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
        let (state, spent) = (Vec::new(), Vec::new());
        let (blank, tracked, prepared) = (None, false, None);
        self.incoming.insert(id, Incoming { flow, permit, blank, tracked, prepared, state, spent, times });
        Ok(())
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
        incoming.fill(endpoint, streams).map_err(|e| unbuilt(node, flow, &e))
    }

    /// Whether the application that took the offer is still there: without it the connection is better off where it is.
    fn is_awaited(&self, id: MoveId, flow: Flow) -> bool {
        let listener = self.listeners.get(flow.protocol, flow.service);
        let promised = self.incoming.get(&id).map(|incoming| &incoming.permit);
        listener
            .zip(promised)
            .is_some_and(|(listener, permit)| !listener.is_closed() && permit.same_channel_as_sender(&listener))
    }

    pub fn go_live(&mut self, id: MoveId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let Some(Incoming { flow, permit, tracked, prepared: Some(built), state, spent: _spent, mut times, .. }) =
            self.incoming.remove(&id)
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
                        self.finishing.push(Finishing { live, arrival: (flow, state, times), permit });
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
                permit.send(Arrival { fd, client: flow.client, server: flow.service, state, times });
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
                    let Finishing { live, arrival: (flow, state, mut times), permit } = finishing;
                    times.delivered = Instant::now();
                    permit.send(Arrival { fd: live.fd, client: flow.client, server: flow.service, state, times });
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
    }

    pub fn abandon(&mut self, id: MoveId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let Some(Incoming { flow, tracked, .. }) = self.incoming.remove(&id) else { return Ok(()) };
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

//! A connection arrives, or lives elsewhere and this node is its home: what the core asks of the
//! destination and of the home.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use ipos_abi::wire::{Mac, ethernet};
use ipos_device::Device;
use ipos_migrate::protocol::{Endpoint, Flow, Ignored, MoveId, PeerId, Protocol, Reason, Streams, Tcb};
use ipos_migrate::socket::{self, Blank, Live, Prepared, RestoreError};
use ipos_nic::Forward;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;

use crate::error::NodeError;
use crate::flows::{Away, Hold};
use crate::frame::framed;
use crate::handle::Arrival;
use crate::journal::Place;
use crate::run::Runner;
use crate::times::Landing;

/// How long stray segments of a connection that ended elsewhere are dropped.
const QUIET: Duration = Duration::from_secs(60);

/// A socket that is complete and silent.
enum Built {
    Tcp(Prepared, Box<Tcb>),
    Udp(OwnedFd),
}

/// A move to this node.
pub(crate) struct Incoming {
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
pub(crate) struct Finishing {
    live: Live,
    arrival: (Flow, Vec<u8>, Landing),
    permit: OwnedPermit<Arrival>,
}

impl Finishing {
    pub fn fd(&self) -> &OwnedFd {
        &self.live.fd
    }
}

impl<D: Device> Runner<D> {
    /// Nothing may change: the offer may be a recording.
    pub fn ask(&mut self, id: MoveId, flow: Flow) {
        let result = match self.inbox.listeners.get(flow.protocol, flow.service) {
            None => Err(Reason::NoListener),
            Some(listener) if listener.is_closed() => Err(Reason::NoListener),
            Some(listener) if listener.capacity() == 0 => Err(Reason::NoResources),
            Some(_) if self.watch.is_alive(&flow) => Err(Reason::StillOpen),
            Some(_) => Ok(()),
        };
        if let Err(reason) = result {
            tracing::info!(node = self.config.name, ?flow, "refused: {}", reason.name());
        }
        self.core.asked(id, result);
    }

    /// A message was not believed.
    pub fn ignored(&mut self, peer: PeerId, why: Ignored) {
        let peer = &self.config.peers[peer.0].name;
        tracing::debug!(node = self.config.name, peer, ?why, "a control packet was not believed");
        self.stats.control_stale += 1;
    }

    pub fn reserve(&mut self, id: MoveId, flow: Flow) -> Result<(), NodeError> {
        let result = self.try_reserve(id, flow);
        if let Err(reason) = result {
            tracing::info!(node = self.config.name, ?flow, "refused: {}", reason.name());
        }
        let now = self.now();
        self.core.reserved(id, result, now);
        Ok(())
    }

    fn try_reserve(&mut self, id: MoveId, flow: Flow) -> Result<(), Reason> {
        let times = Landing::offered(Instant::now());
        let listener = self.inbox.listeners.get(flow.protocol, flow.service).ok_or(Reason::NoListener)?;
        let permit = listener.try_reserve_owned().map_err(|e| match e {
            TrySendError::Full(_) => Reason::NoResources,
            TrySendError::Closed(_) => Reason::NoListener,
        })?;
        let no_room = |e| {
            tracing::warn!("{e}");
            Reason::NoResources
        };
        let home = self.core.is_home(flow.service) == Some(true);
        // the client's packets come here again, and are held; an entry left from before would pass them on in a circle
        if home || self.flows.get(&flow).is_some_and(|s| s.away.is_some()) {
            self.nic.forward_insert(&flow.key(), Forward::Host).map_err(no_room)?;
        }
        if !home {
            self.nic.endpoint_insert(&flow.key(), id.epoch as u32).map_err(no_room)?;
        }
        self.flows.entry(flow).hold = Some(Hold::default());
        self.rejoin(&flow, id.peer);
        let (state, spent) = (Vec::new(), Vec::new());
        let (blank, tracked, prepared) = (None, false, None);
        self.incoming.insert(id, Incoming { flow, permit, blank, tracked, prepared, state, spent, times });
        Ok(())
    }

    /// Makes the socket of a connection whose source has been answered and freezes now. `false`: there is none to be made.
    pub fn make_early(&mut self) -> bool {
        let wanted = |i: &&mut Incoming| i.flow.protocol == Protocol::Tcp && i.blank.is_none() && i.prepared.is_none();
        let Some(incoming) = self.incoming.values_mut().find(wanted) else { return false };
        let blank = Blank::new(incoming.flow.service);
        let made = blank.is_ok();
        // what fails now is tried again when it is needed, and told then
        incoming.blank = blank.ok();
        self.watch.track(&incoming.flow);
        incoming.tracked = true;
        made
    }

    pub fn prepare(&mut self, id: MoveId, flow: Flow, endpoint: Endpoint, streams: Streams<Vec<u8>>) {
        let result = if self.is_awaited(id, flow) { self.fill(id, endpoint, streams) } else { Err(Reason::NoListener) };
        let now = self.now();
        self.core.prepared(id, result, now);
    }

    fn fill(&mut self, id: MoveId, endpoint: Endpoint, streams: Streams<Vec<u8>>) -> Result<(), Reason> {
        let incoming = self.incoming.get_mut(&id).ok_or(Reason::NoResources)?;
        let flow = incoming.flow;
        incoming.times.complete = Instant::now();
        self.record_arrival(flow, id).map_err(|e| {
            tracing::warn!(node = self.config.name, ?flow, "refused, the journal can't be written: {e}");
            Reason::NoResources
        })?;
        let incoming = self.incoming.get_mut(&id).ok_or(Reason::NoResources)?;
        incoming.fill(endpoint, streams).map_err(|e| unbuilt(&self.config.name, incoming.flow, &e))
    }

    /// Whether the application that took the offer is still there: without it the connection is better off where it is.
    fn is_awaited(&self, id: MoveId, flow: Flow) -> bool {
        let listener = self.inbox.listeners.get(flow.protocol, flow.service);
        let promised = self.incoming.get(&id).map(|incoming| &incoming.permit);
        listener
            .zip(promised)
            .is_some_and(|(listener, permit)| !listener.is_closed() && permit.same_channel_as_sender(&listener))
    }

    pub fn go_live(&mut self, id: MoveId) -> Result<(), NodeError> {
        let Some(Incoming { flow, permit, tracked, prepared: Some(built), state, spent: _spent, mut times, .. }) =
            self.incoming.remove(&id)
        else {
            return Ok(());
        };
        times.committed = Instant::now();
        let special = self.flows.entry(flow);
        special.fenced = false;
        special.away = None;
        special.quiet = None;
        let hold = special.hold.take().unwrap_or_default();
        if !tracked {
            self.watch.track(&flow);
        }
        self.watch.arrived(flow);
        self.journal.note(flow, Some(Place::Here(id.epoch)));
        self.stats.moved_in += 1;
        match built {
            Built::Tcp(prepared, tcb) => {
                match prepared.go_live() {
                    Ok(live) => {
                        times.speaks = live.since;
                        self.finishing.push(Finishing { live, arrival: (flow, state, times), permit });
                    }
                    // it was checked when it was built: only a kernel out of memory comes here
                    Err(e) => {
                        self.stats.lost += 1;
                        tracing::error!(node = self.config.name, ?flow, "a committed connection is lost: {e}");
                    }
                }
                self.replay(id.peer, flow, &tcb)?;
            }
            Built::Udp(fd) => {
                (times.speaks, times.delivered) = (times.committed, Instant::now());
                permit.send(Arrival { fd, client: flow.client, server: flow.service, state, times });
            }
        }
        for (frame, _) in hold.iter() {
            self.deliver(frame)?;
        }
        // at the home: the client's packets are host packets again
        self.nic.forward_remove(&flow.key())?;
        self.flows.tidy(&flow);
        self.finish_arrivals();
        Ok(())
    }

    /// What the client said to the old owner, and this one is to answer.
    fn replay(&mut self, from: PeerId, flow: Flow, tcb: &Tcb) -> Result<(), NodeError> {
        let Some(packet) = socket::replay(tcb, flow.client, flow.service) else { return Ok(()) };
        let link = ethernet::Repr {
            dst: Mac(self.config.front_mac),
            src: Mac(self.config.peers[from.0].back_mac),
            vlan: None,
            ethertype: ethernet::IPV4,
        };
        match framed(&packet, link) {
            Ok(frame) => self.deliver(&frame),
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

    pub fn abandon(&mut self, id: MoveId) -> Result<(), NodeError> {
        let Some(Incoming { flow, tracked, .. }) = self.incoming.remove(&id) else { return Ok(()) };
        if tracked {
            self.watch.untrack(&flow);
        }
        self.note_stayed_away(flow, id.epoch);
        let special = self.flows.entry(flow);
        let hold = special.hold.take().unwrap_or_default();
        let away = special.away;
        if self.core.is_home(flow.service) != Some(true) {
            self.nic.endpoint_remove(&flow.key())?;
        }
        if let Some(away) = away {
            // what the owner sent on it still holds; the rest, of a home that sends to here as it did before, is passed on
            for (frame, inner) in hold.without(self.config.peers[away.owner.0].back_mac) {
                self.pass_on(frame, inner, away.owner)?;
            }
            self.point(flow, away.owner)?;
        } else {
            self.nic.forward_remove(&flow.key())?;
        }
        self.flows.tidy(&flow);
        Ok(())
    }

    pub fn repoint(&mut self, flow: Flow, to: PeerId) -> Result<(), NodeError> {
        let epoch = self.core.known(&flow).unwrap_or(0);
        self.journal.note(flow, Some(self.away_at(to, epoch)));
        let special = self.flows.entry(flow);
        special.away = Some(Away::new(to, self.config.idle));
        special.fenced = true;
        // while it is held for a move to here, the entry stays as it is
        if special.hold.is_none() {
            self.point(flow, to)?;
        }
        Ok(())
    }

    /// The owner has lost the connection.
    pub fn lost(&mut self, flow: Flow) -> Result<(), NodeError> {
        self.stats.lost += 1;
        self.nic.forward_remove(&flow.key())?;
        let special = self.flows.entry(flow);
        special.away = None;
        special.fenced = false;
        self.flows.tidy(&flow);
        self.reset(flow)
    }

    /// A connection that moved here is gone: its home hears of it, and what still comes of it is not answered.
    pub fn release(&mut self, flow: Flow) -> Result<(), NodeError> {
        self.watch.left(&flow);
        self.watch.untrack(&flow);
        self.journal.note(flow, None);
        if self.core.is_home(flow.service) != Some(true) {
            self.nic.endpoint_remove(&flow.key())?;
            self.hush(flow);
        }
        let now = self.now();
        self.core.released(flow, now);
        self.act()
    }

    /// Stray segments of a connection that ended are dropped for a while. A datagram is never stray.
    fn hush(&mut self, flow: Flow) {
        if flow.protocol == Protocol::Tcp {
            self.flows.entry(flow).quiet = Some(Instant::now() + QUIET);
        }
    }

    pub fn forget(&mut self, flow: Flow) -> Result<(), NodeError> {
        self.journal.note(flow, None);
        self.nic.forward_remove(&flow.key())?;
        let special = self.flows.entry(flow);
        special.away = None;
        special.fenced = false;
        self.hush(flow);
        self.flows.tidy(&flow);
        Ok(())
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

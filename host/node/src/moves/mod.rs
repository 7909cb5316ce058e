//! Moves: the core's decisions are carried out here, each by the part whose it is.
//!
//! `source` has the connections that leave, `destination` those that come, `home` what the home of a service does; `udp` keeps the
//! sockets of datagram flows that left a moment ago.

mod audit;
mod core;
mod crash;
mod destination;
mod home;
mod kept;
mod outgoing;
mod recover;
mod source;
mod udp;

use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Instant;

use ipos_holder::{Claimed, Counts, Keeper};
use ipos_migrate::Migrator;
use ipos_migrate::codec::Packet;
use ipos_migrate::protocol::{Action, Failure, Flow, Message, MoveId, PeerId};

use self::audit::Audit;
use self::core::Core;
use self::destination::Destination;
use self::kept::KeptSockets;
use self::source::Source;
use self::udp::LateSockets;
use crate::command::{Departing, Listeners};
use crate::config::NodeConfig;
use crate::error::Result;
use crate::flows::FlowTable;
use crate::ingress::Stir;
use crate::journal::Journal;
use crate::keep::{Found, Reclaimed};
use crate::ports::Ports;

/// All moves of this node, and the core that decides them.
pub(crate) struct Moves {
    core: Core,
    source: Source,
    destination: Destination,
    late: LateSockets,
    audit: Audit,
    kept: KeptSockets,
}

impl Moves {
    /// `found`: the holder, and what that has kept of an earlier life.
    pub fn new(
        migrator: Migrator,
        journal: Journal,
        config: Rc<NodeConfig>,
        listeners: Listeners,
        found: Option<(Keeper, Vec<Claimed>)>,
    ) -> Self {
        let kept = KeptSockets::new(found);
        Moves {
            source: Source::new(config.clone()),
            destination: Destination::new(config.clone(), listeners, kept.keeper().cloned()),
            late: LateSockets::default(),
            audit: Audit::new(config.peers.len()),
            core: Core::new(migrator, journal, config),
            kept,
        }
    }

    /// Carries out what the core has decided, in order.
    pub fn act(&mut self, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        while let Some(action) = self.core.migrator.poll_action() {
            tracing::trace!(node = ports.config().name, ?action);
            let step = crash::name(&action);
            self.core.crash_if("before", step, ports)?;
            self.carry_out(action, ports, flows)?;
            self.core.crash_if("after", step, ports)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, action: Action, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let Moves { core, source, destination, late, .. } = self;
        match action {
            Action::Send { id, flow, owner, nonces, message } => {
                let MoveId { peer, epoch, .. } = id;
                let Flow { protocol, client, service } = flow;
                let block = matches!(message, Message::Connection(_));
                let service = Some(service);
                let packet = Packet { protocol, client, owner, service, epoch, nonces, message };
                ports.send_control(peer, &packet)?;
                if block {
                    source.sent(id);
                }
            }
            Action::Copy(id) => source.copy(id, core, ports, flows)?,
            Action::Freeze(id) => source.freeze(id, core, ports, flows)?,
            Action::HandOver(id) => source.hand_over(id, core, late, ports, flows)?,
            Action::Done(id) => source.done(id, core, late, ports, flows)?,
            Action::Failed(id, failure) => source.failed(id, failure, core, ports, flows)?,
            Action::Renew { old, new } => source.renew(old, new),
            Action::Ask { id, flow, .. } => destination.ask(id, flow, core, flows),
            Action::Reserve { id, flow, .. } => destination.reserve(id, flow, core, late, ports, flows),
            Action::Prepare { id, flow, endpoint, streams } => destination.prepare(id, flow, endpoint, streams, core),
            Action::GoLive(id) => destination.go_live(id, core, ports, flows)?,
            Action::Abandon(id) => destination.abandon(id, core, ports, flows)?,
            Action::Repoint { flow, to } => home::repoint(flow, to, core, ports, flows)?,
            Action::Forget(flow) => home::forget(flow, core, ports, flows)?,
            Action::Lost(flow) => home::lost(flow, core, ports, flows)?,
            Action::Ignored { peer, why } => {
                let (node, peer) = (&ports.config().name, &ports.config().peers[peer.0].name);
                tracing::debug!(node, peer, ?why, "a control packet was not believed");
                ports.stats.control_stale += 1;
            }
        }
        Ok(())
    }

    /// Takes back what the holder has kept. The connections that may still be another node's.
    fn take_back(&mut self, ports: &mut Ports, flows: &mut FlowTable) -> Result<Vec<Flow>> {
        let mut pending = Vec::new();
        for claimed in self.kept.claimed() {
            match Found::read(claimed) {
                Some(Found::Given { given, socket, process, mark }) => {
                    self.kept.take_back((given, socket), process, mark, &mut self.core, ports.config());
                }
                Some(Found::Arriving(arriving)) => {
                    pending.extend(self.destination.take_back(*arriving, &mut self.core, ports, flows)?);
                }
                None => tracing::warn!("what the holder has kept is not understood, and is closed"),
            }
            self.act(ports, flows)?;
        }
        Ok(pending)
    }

    /// An application asks for a connection that it gave to an earlier life of the node.
    pub fn reclaim(&mut self, flow: &Flow, cookie: u64, user: u32) -> Reclaimed {
        self.kept.reclaim(flow, cookie, user, &self.core)
    }

    /// What the holder was given.
    pub fn kept(&self) -> Counts {
        self.kept.counts()
    }

    /// Whether a connection waits for its application.
    pub fn are_waiting(&self) -> bool {
        self.kept.is_waiting() || self.destination.is_waiting()
    }

    /// Puts back what was true when the node ended.
    pub fn recover(&mut self, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let pending = self.take_back(ports, flows)?;
        for (flow, place) in self.core.journal.places().into_iter().filter(|(flow, _)| !pending.contains(flow)) {
            if let Some(epoch) = recover::put_back(flow, place, &mut self.core, ports, flows)? {
                self.audit.found_dead(flow, epoch);
            }
            self.act(ports, flows)?;
        }
        Ok(())
    }

    /// An application wants to move a connection.
    pub fn migrate(&mut self, departing: Departing, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        self.source.migrate(departing, &mut self.core, ports, flows);
        self.act(ports, flows)
    }

    /// A peer says something. `None`: to another node.
    pub fn handle_message(
        &mut self,
        peer: PeerId,
        packet: Option<Packet>,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result {
        self.audit.heard(peer);
        let Some(packet) = packet else { return Ok(()) };
        let now = self.core.now();
        self.core.migrator.handle_message(peer, packet, now);
        self.act(ports, flows)
    }

    /// A frame of a client has changed something.
    pub fn handle_stir(&mut self, stir: Stir, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        self.source.handle_stir(stir, &mut self.core, ports, flows)?;
        self.act(ports, flows)
    }

    /// Takes what the datapath tells of connections that it forwards.
    pub fn take_events(&mut self, limit: usize, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        self.audit.take_events(limit, &mut self.core, ports, flows)?;
        self.act(ports, flows)
    }

    /// What is due to the microsecond.
    pub fn handle_timeout(&mut self, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let now = self.core.now();
        if self.core.migrator.poll_timeout().is_some_and(|t| t <= now) {
            self.core.migrator.handle_timeout(now);
            self.act(ports, flows)?;
        }
        home::probe_due(&mut self.core, ports, flows)
    }

    /// What is due to the second.
    pub fn look_again(&mut self, now: Instant, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        flows.fragments.expire(now);
        self.core.journal.tidy(!self.are_under_way());
        self.late.close(now, ports, flows)?;
        self.kept.close_orphans(now, ports.config());
        ports.look_for_misfits()?;
        for flow in flows.expire(now) {
            home::stop_passing_on(&flow, ports)?;
        }
        for flow in flows.watch.gone(now) {
            home::release(flow, &mut self.core, ports, flows)?;
            self.act(ports, flows)?;
        }
        self.audit.look_after(now, &mut self.core, ports, flows)?;
        self.act(ports, flows)?;
        self.audit.attend(now, &mut self.core, ports, flows)?;
        self.act(ports, flows)
    }

    /// Work that can be done while a peer's answer is waited for. `false`: there is none.
    pub fn work_ahead(&mut self, flows: &mut FlowTable) -> bool {
        self.source.make_room() || self.destination.make_early(flows)
    }

    /// Hands live connections to their applications once their unsent data is written.
    pub fn finish_arrivals(&mut self) {
        self.destination.finish_arrivals();
    }

    /// Whether a peer's next word is waited for.
    pub fn are_under_way(&self) -> bool {
        self.source.has_moves() || self.destination.has_moves()
    }

    /// How long nothing is due, at most `longest`.
    pub fn idle_for(&self, longest: std::time::Duration) -> std::time::Duration {
        let now = self.core.now();
        self.core.migrator.poll_timeout().map_or(longest, |t| t.saturating_sub(now).min(longest))
    }

    /// Whether time changes something of what is written down or was found dead.
    pub fn are_behind(&self) -> bool {
        self.core.journal.is_behind() || self.audit.is_telling()
    }

    /// Descriptors that become writable when more of an arrival's unsent data can be written.
    pub fn write_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.destination.write_fds()
    }

    /// Gives back what has not moved yet.
    pub fn stop(&mut self, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        for id in self.source.moves() {
            self.core.give_up(id, Failure::Local);
        }
        self.act(ports, flows)
    }
}

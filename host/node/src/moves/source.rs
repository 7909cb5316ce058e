//! Connections that leave: what the core asks of the source.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ipos_datapath::Action;
use ipos_migrate::protocol::{Endpoint, Failure, Flow, MoveId, PeerId, Protocol, Streams};
use ipos_migrate::socket::{self, FreezeError, Inspection};

use super::core::Core;
use super::home;
use super::outgoing::Outgoing;
use super::udp::LateSockets;
use crate::clock::wall;
use crate::command::{Departing, Subject};
use crate::config::NodeConfig;
use crate::error::{MoveError, Result};
use crate::flows::{Away, FlowTable, Hold, State};
use crate::ingress::{Stir, Taken};
use crate::journal::Place;
use crate::keep::Mark;
use crate::ports::Ports;
use crate::report::MoveFailed;
use crate::{egress, ingress};

/// How long a server that is not the home passes on what still arrives for a connection that left.
const PASS_ON: Duration = Duration::from_secs(5);
/// Frames drained around a freeze: what is older must be out of the way.
const DRAIN: usize = 4096;

/// All moves that this node began.
pub(super) struct Source {
    config: Rc<NodeConfig>,
    outgoing: HashMap<MoveId, Outgoing>,
}

impl Source {
    pub fn new(config: Rc<NodeConfig>) -> Self {
        Source { config, outgoing: HashMap::new() }
    }

    pub fn has_moves(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub fn moves(&self) -> Vec<MoveId> {
        self.outgoing.keys().copied().collect()
    }

    /// An application wants to move a connection.
    pub fn migrate(&mut self, departing: Departing, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) {
        let asked = Instant::now();
        match self.start(&departing, core, flows) {
            Ok((id, seen, before)) => {
                self.outgoing.insert(id, Outgoing::new(id, departing, seen, before, asked));
            }
            Err(error) => {
                ports.stats.failed += 1;
                // the application may have gone
                let Departing { subject, given, reply, .. } = departing;
                let _ = reply.send(Err(MoveFailed { fd: subject.fd(), error, given }));
            }
        }
    }

    fn start(
        &self,
        departing: &Departing,
        core: &mut Core,
        flows: &mut FlowTable,
    ) -> Result<(MoveId, Inspection, Option<Place>), MoveError> {
        let Departing { subject, buffers, state, target, .. } = departing;
        let peers = &self.config.peers;
        let peer = peers.iter().position(|p| p.name == *target).map(PeerId).ok_or_else(|| MoveError::UnknownPeer {
            asked: target.clone(),
            known: peers.iter().map(|p| p.name.clone()).collect(),
        })?;
        let (length, limit) = (state.len(), NodeConfig::STATE_BYTES);
        if length > limit {
            return Err(MoveError::StateTooLong { length, limit });
        }
        let seen = match subject {
            Subject::Socket(fd) => socket::inspect(fd.as_fd(), flows.watch.diag())?,
            Subject::Bare(flow) => Inspection::udp(flow.client, flow.service),
        };
        if flows.watch.is_translated(&seen.flow) {
            return Err(FreezeError::Translated.into());
        }
        let [receive, send] = seen.queues;
        let add = |queue: u32, buffer: &[u8]| queue.saturating_add(buffer.len().try_into().unwrap_or(u32::MAX));
        let (receive, send) = (add(receive, &buffers.unread), add(send, &buffers.unsent));
        let lengths = Streams { receive, send, application: length as u32 };
        let before = record_departure(seen.flow, core)?;
        let id = core.migrator.start(core.now(), wall(), peer, seen.flow, lengths);
        let id = id.inspect_err(|_| core.journal.note(seen.flow, before))?;
        Ok((id, seen, before))
    }

    /// Makes room for the queues of a connection whose destination is asked. `false`: all have it.
    pub fn make_room(&mut self) -> bool {
        self.outgoing.values_mut().any(Outgoing::make_room)
    }

    /// The control block was given to the datapath.
    pub fn sent(&mut self, id: MoveId) {
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.times.sent = Instant::now();
        }
    }

    /// The move goes on under another epoch.
    pub fn renew(&mut self, old: MoveId, new: MoveId) {
        if let Some(mut outgoing) = self.outgoing.remove(&old) {
            outgoing.report.epoch = new.epoch;
            self.outgoing.insert(new, outgoing);
        }
    }

    /// Sends ahead what the queues have. This thread brings the client's packets to the kernel, so none comes while it copies.
    pub fn copy(&mut self, id: MoveId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        egress::take(DRAIN, None, ports, flows)?;
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return Ok(()) };
        match outgoing.copy() {
            Ok(Some(streams)) => core.migrator.copied(id, streams),
            Ok(None) => {}
            Err(e) => self.fail(id, e, core),
        }
        Ok(())
    }

    pub fn freeze(&mut self, id: MoveId, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        let Some(outgoing) = self.outgoing.get(&id) else { return Ok(()) };
        let flow = outgoing.flow;
        if let Some(given) = &outgoing.given
            && let Some(mark) = Mark::new(id, flow, core.migrator.nonces(id), &self.config)
        {
            given.mark(mark);
        }
        let ready = Instant::now();
        // takes the slot now, while a full table can still be refused
        if let Err(e) = ports.change(&flow, |entry| entry.action = Action::Host) {
            self.fail(id, e.into(), core);
            return Ok(());
        }
        // what the kernel has sent must not meet the fence
        egress::take(DRAIN, None, ports, flows)?;
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.froze = Some(Instant::now());
        }
        flows.hold(flow, Hold::default());
        if !self.drain(&flow, core, ports, flows)? {
            return Ok(());
        }
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return Ok(()) };
        outgoing.drained(ready);
        let frozen = if flow.protocol == Protocol::Udp {
            outgoing.freeze_udp(id.peer, &self.config, flows)
        } else if flows.urgent.is_under_way(&flow) {
            Err(FreezeError::Urgent.into())
        } else {
            outgoing.freeze_tcp(ports)
        };
        match frozen {
            Ok((endpoint, streams)) => {
                if let Endpoint::Tcp(tcb, _) = &endpoint {
                    egress::take(DRAIN, Some((flow, tcb)), ports, flows)?;
                }
                let now = core.now();
                core.migrator.frozen(id, endpoint, streams, now);
            }
            Err(e) => self.fail(id, e, core),
        }
        Ok(())
    }

    /// Takes what came before the hold. `false`: the hold is full, which ends the move.
    fn drain(&mut self, flow: &Flow, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result<bool> {
        let mut left = DRAIN;
        while let Taken::Stir(stir) = ingress::take(&mut left, ports, flows)? {
            self.handle_stir(stir, core, ports, flows)?;
            if matches!(stir, Stir::Full(full) if full == *flow) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn hand_over(
        &mut self,
        id: MoveId,
        core: &mut Core,
        late: &mut LateSockets,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result {
        let Some(flow) = self.outgoing.get(&id).map(|o| o.flow) else { return Ok(()) };
        let accepted = Instant::now();
        let plain = self.config.peers[id.peer.0].plain;
        // what is not written down is not committed
        let place = core.away_at(id.peer, id.epoch);
        match core.journal.record(flow, Some(place)) {
            Ok(()) => {}
            // it owns already, written down or not
            Err(_) if plain => core.journal.note(flow, Some(place)),
            Err(e) => {
                self.fail(id, MoveError::Journal(e), core);
                return Ok(());
            }
        }
        core.crash_if("after", "record", ports)?;
        // copies: should the entry not open, the connection stays and needs them
        let hold = flows.take_hold(&flow);
        for (frame, inner) in hold.iter() {
            ports.pass_on(frame, inner, id.peer)?;
        }
        let action = ports.forward_to(id.peer, &flow);
        if plain {
            // likewise, entry or not
            home::point(&flow, id.peer, ports)?;
        } else if let Err(e) = ports.change(&flow, |entry| entry.action = action) {
            flows.hold(flow, hold);
            self.fail(id, e.into(), core);
            return Ok(());
        }
        ports.change(&flow, |entry| (entry.endpoint, entry.epoch) = (false, id.epoch))?;
        flows.watch.left(&flow);
        flows.set(flow, State::Away(Away::new(id.peer, self.config.idle)));
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.close(id.peer, accepted, hold.len(), late);
        }
        let now = core.now();
        core.migrator.handed_over(id, now);
        Ok(())
    }

    pub fn done(
        &mut self,
        id: MoveId,
        core: &Core,
        late: &LateSockets,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result {
        let Some(outgoing) = self.outgoing.remove(&id) else { return Ok(()) };
        let flow = outgoing.flow;
        ports.stats.moved_out += 1;
        flows.watch.untrack(&flow);
        late.pass_on(&flow, ports)?;
        if !core.is_home(&flow)
            && let Some(away) = flows.away(&flow)
        {
            flows.set(flow, State::Away(Away { until: Some(Instant::now() + PASS_ON), ..away }));
        }
        outgoing.succeed();
        Ok(())
    }

    pub fn failed(
        &mut self,
        id: MoveId,
        failure: Failure,
        core: &mut Core,
        ports: &mut Ports,
        flows: &mut FlowTable,
    ) -> Result {
        let Some(outgoing) = self.outgoing.remove(&id) else { return Ok(()) };
        ports.stats.failed += 1;
        if outgoing.is_frozen() {
            ports.change(&outgoing.flow, |entry| entry.fenced = false)?;
        }
        let (flow, before, froze) = (outgoing.flow, outgoing.before, outgoing.froze.is_some());
        let handed_over = outgoing.is_gone();
        let (reply, failed) = outgoing.end(failure);
        if handed_over {
            flows.watch.untrack(&flow);
        } else {
            core.journal.note(flow, before);
            if froze {
                stay(&flow, ports, flows)?;
            }
        }
        // the application may have gone
        let _ = reply.send(Err(failed));
        Ok(())
    }

    /// A frame of a client has changed something.
    pub fn handle_stir(&self, stir: Stir, core: &mut Core, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        match stir {
            Stir::Full(flow) => {
                let full = self.outgoing.iter().find(|(_, o)| o.flow == flow);
                if let Some((id, _)) = full {
                    core.give_up(*id, Failure::Held);
                }
                Ok(())
            }
            Stir::Gone(flow) => home::release(flow, core, ports, flows),
            Stir::Settled(flow) => {
                core.journal.note(flow, None);
                Ok(())
            }
        }
    }

    /// A step of a move has failed here.
    fn fail(&mut self, id: MoveId, error: MoveError, core: &mut Core) {
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.error = Some(error);
        }
        core.give_up(id, Failure::Local);
    }
}

/// Writes down that this node has a connection of its home, whose socket ends with it: its client must hear of that. (What
/// moved here is written down already.) What was written down before.
fn record_departure(flow: Flow, core: &mut Core) -> Result<Option<Place>, MoveError> {
    let before = core.journal.place(&flow);
    if before.is_none() && flow.protocol == Protocol::Tcp && core.is_home(&flow) {
        core.journal.record(flow, Some(Place::Here(0))).map_err(MoveError::Journal)?;
    }
    Ok(before)
}

/// The connection lives on here: what was held is its.
fn stay(flow: &Flow, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    ports.change(flow, |entry| entry.fenced = false)?;
    for (frame, _) in flows.take_hold(flow).iter() {
        ports.deliver(frame)?;
    }
    Ok(ports.change(flow, |entry| entry.action = Action::Pass)?)
}

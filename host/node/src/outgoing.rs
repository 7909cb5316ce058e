//! A connection leaves: what the core asks of the source.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use ipos_device::Device;
use ipos_migrate::codec::Packet;
use ipos_migrate::protocol::{Action, Endpoint, Failure, Flow, Message, MoveId, PeerId, Protocol, Streams};
use ipos_migrate::socket::{self, Copied, FreezeError, Frozen, Inspection, Room};
use ipos_nic::{Destination, Forward, NicError};
use tokio::sync::oneshot;

use crate::config::NodeConfig;
use crate::crash;
use crate::datagrams::Late;
use crate::error::{MoveError, NodeError};
use crate::flows::{Away, Hold};
use crate::handle::{Buffers, MoveFailed, MoveReport, Subject};
use crate::journal::Place;
use crate::run::{Runner, wall};
use crate::times::Departure;

/// How long a server that is not the home passes on what still arrives for a connection that left.
const PASS_ON: Duration = Duration::from_secs(5);
/// Frames drained around a freeze: what is older must be out of the way.
const DRAIN: usize = 4096;

pub(crate) type Reply = oneshot::Sender<Result<MoveReport, MoveFailed>>;

/// A socket on its way out.
pub(crate) enum Socket {
    Live(OwnedFd),
    Frozen(Box<Frozen>),
    /// A UDP flow without one.
    Bare,
    /// Handed over.
    Gone,
}

/// A move that this node began.
pub(crate) struct Outgoing {
    pub flow: Flow,
    seen: Inspection,
    pub socket: Socket,
    /// For the queues, made while the destination is asked.
    room: Option<Room>,
    /// What of the queues went ahead, and how much of it was the application's.
    copied: Option<(Copied, usize)>,
    buffers: Buffers,
    pub state: Vec<u8>,
    reply: Reply,
    /// What is written down of it, until it is handed over.
    before: Option<Place>,
    froze: Option<Instant>,
    pub report: MoveReport,
    /// What failed here, which the core need not know.
    error: Option<MoveError>,
}

impl<D: Device> Runner<D> {
    /// An application wants to move a connection.
    pub fn migrate(
        &mut self,
        subject: Subject,
        buffers: Buffers,
        state: Vec<u8>,
        target: String,
        reply: Reply,
    ) -> Result<(), NodeError> {
        let asked = Instant::now();
        match self.start(&subject, &buffers, &state, target) {
            Ok((id, seen, before)) => {
                let socket = subject.fd().map_or(Socket::Bare, Socket::Live);
                let times = Departure::offered(asked);
                let report = MoveReport { epoch: id.epoch, freeze_us: 0, queue_bytes: 0, total_us: 0, held: 0, times };
                let flow = seen.flow;
                let (room, copied, froze, error) = (None, None, None, None);
                let outgoing =
                    Outgoing { flow, seen, socket, room, copied, buffers, state, reply, before, froze, report, error };
                self.outgoing.insert(id, outgoing);
            }
            Err(error) => {
                self.stats.failed += 1;
                // the application may have gone
                let _ = reply.send(Err(MoveFailed { fd: subject.fd(), error }));
            }
        }
        self.act()
    }

    fn start(
        &mut self,
        subject: &Subject,
        buffers: &Buffers,
        state: &[u8],
        target: String,
    ) -> Result<(MoveId, Inspection, Option<Place>), MoveError> {
        let peer = self.config.peers.iter().position(|p| p.name == target).map(PeerId).ok_or_else(|| {
            MoveError::UnknownPeer { asked: target, known: self.config.peers.iter().map(|p| p.name.clone()).collect() }
        })?;
        let (length, limit) = (state.len(), NodeConfig::STATE_BYTES);
        if length > limit {
            return Err(MoveError::StateTooLong { length, limit });
        }
        let seen = match subject {
            Subject::Socket(fd) => socket::inspect(fd.as_fd(), self.watch.diag())?,
            Subject::Bare(flow) => Inspection::udp(flow.client, flow.service),
        };
        if self.watch.is_translated(&seen.flow) {
            return Err(FreezeError::Translated.into());
        }
        let [receive, send] = seen.queues;
        let add = |queue: u32, buffer: &[u8]| queue.saturating_add(buffer.len().try_into().unwrap_or(u32::MAX));
        let (receive, send) = (add(receive, &buffers.unread), add(send, &buffers.unsent));
        let lengths = Streams { receive, send, application: length as u32 };
        let before = self.record_departure(seen.flow)?;
        let id = self.core.start(self.now(), wall(), peer, seen.flow, lengths);
        let id = id.inspect_err(|_| self.journal.note(seen.flow, before))?;
        Ok((id, seen, before))
    }

    /// Writes down that this node has a connection of its home, whose socket ends with it: its client must hear of that. (What
    /// moved here is written down already.) What was written down before.
    fn record_departure(&mut self, flow: Flow) -> Result<Option<Place>, MoveError> {
        let before = self.journal.place(&flow);
        if before.is_none() && flow.protocol == Protocol::Tcp && self.core.is_home(flow.service) == Some(true) {
            self.journal.record(flow, Some(Place::Here(0))).map_err(MoveError::Journal)?;
        }
        Ok(before)
    }

    /// Makes room for the queues of a connection whose destination is asked. `false`: all have it.
    pub fn make_room(&mut self) -> bool {
        let asked = |o: &&mut Outgoing| o.room.is_none() && matches!(o.socket, Socket::Live(_));
        let Some(outgoing) = self.outgoing.values_mut().find(asked) else { return false };
        outgoing.room = Some(outgoing.seen.room());
        true
    }

    /// Carries out what the core has decided, in order.
    pub fn act(&mut self) -> Result<(), NodeError> {
        while let Some(action) = self.core.poll_action() {
            tracing::trace!(node = self.config.name, ?action);
            let step = crash::name(&action);
            self.crash_if("before", step)?;
            match action {
                Action::Send { id, flow, owner, nonces, message } => {
                    let MoveId { peer, epoch, .. } = id;
                    let Flow { protocol, client, service } = flow;
                    let block = matches!(message, Message::Connection(_));
                    let service = Some(service);
                    let packet = Packet { protocol, client, owner, service, epoch, nonces, message };
                    self.send_control(peer, &packet)?;
                    if block && let Some(outgoing) = self.outgoing.get_mut(&id) {
                        outgoing.report.times.sent = Instant::now();
                    }
                }
                Action::Copy(id) => self.copy(id)?,
                Action::Freeze(id) => self.freeze(id)?,
                Action::HandOver(id) => self.hand_over(id)?,
                Action::Done(id) => self.done(id)?,
                Action::Failed(id, failure) => self.failed(id, failure)?,
                Action::Renew { old, new } => {
                    if let Some(mut outgoing) = self.outgoing.remove(&old) {
                        outgoing.report.epoch = new.epoch;
                        self.outgoing.insert(new, outgoing);
                    }
                }
                Action::Ignored { peer, why } => self.ignored(peer, why),
                Action::Ask { id, flow, .. } => self.ask(id, flow),
                Action::Reserve { id, flow, .. } => self.reserve(id, flow)?,
                Action::Prepare { id, flow, endpoint, streams } => self.prepare(id, flow, endpoint, streams),
                Action::GoLive(id) => self.go_live(id)?,
                Action::Abandon(id) => self.abandon(id)?,
                Action::Repoint { flow, to } => self.repoint(flow, to)?,
                Action::Forget(flow) => self.forget(flow)?,
                Action::Lost(flow) => self.lost(flow)?,
            }
            self.crash_if("after", step)?;
        }
        Ok(())
    }

    fn crash_if(&mut self, when: &str, step: &str) -> Result<(), NodeError> {
        if let Some(signal) = self.crash.take(when, step) {
            // what was sent before is on the wire
            self.nic.device_mut().poll().map_err(NicError::from)?;
            crash::suffer(signal);
        }
        Ok(())
    }

    /// Sends ahead what the queues have. This thread brings the client's packets to the kernel, so none comes while it copies.
    fn copy(&mut self, id: MoveId) -> Result<(), NodeError> {
        self.take_from_kernel(DRAIN, None)?;
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return Ok(()) };
        let Socket::Live(fd) = &outgoing.socket else { return Ok(()) };
        let begun = Instant::now();
        let streams = match socket::copy(fd.as_fd(), outgoing.room.take().unwrap_or_default()) {
            Ok(Some((copied, [mut receive, send]))) => {
                (outgoing.report.times.ready, outgoing.report.times.copying) = (begun, begun.elapsed());
                let unread = std::mem::take(&mut outgoing.buffers.unread);
                outgoing.copied = Some((copied, unread.len()));
                receive.splice(..0, unread);
                [receive, send]
            }
            // it is read when the connection is frozen
            Ok(None) => Default::default(),
            Err(e) => {
                self.fail_locally(id, e.into());
                return Ok(());
            }
        };
        self.core.copied(id, streams);
        Ok(())
    }

    fn freeze(&mut self, id: MoveId) -> Result<(), NodeError> {
        let Some(flow) = self.outgoing.get(&id).map(|o| o.flow) else { return Ok(()) };
        let ready = Instant::now();
        // takes the slot now, while a full table can still be refused
        if let Err(e) = self.nic.forward_insert(&flow.key(), Forward::Host) {
            self.fail_locally(id, e.into());
            return Ok(());
        }
        // what the kernel has sent must not meet the fence
        self.take_from_kernel(DRAIN, None)?;
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.froze = Some(Instant::now());
        }
        self.flows.entry(flow).hold = Some(Hold::default());
        self.take_received(DRAIN)?;
        // draining may have filled the hold, which ends the move
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return Ok(()) };
        let times = &mut outgoing.report.times;
        (times.copied, times.drained) = (ready, Instant::now());
        if outgoing.copied.is_none() {
            times.ready = ready;
        }
        match std::mem::replace(&mut outgoing.socket, Socket::Gone) {
            Socket::Live(fd) if self.urgent.is_under_way(&flow) => {
                outgoing.socket = Socket::Live(fd);
                self.fail_locally(id, FreezeError::Urgent.into());
                Ok(())
            }
            Socket::Live(fd) if flow.protocol == Protocol::Tcp => self.freeze_tcp(id, flow, fd),
            other => {
                outgoing.socket = other;
                self.freeze_udp(id, flow)
            }
        }
    }

    fn freeze_tcp(&mut self, id: MoveId, flow: Flow, fd: OwnedFd) -> Result<(), NodeError> {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return Ok(()) };
        let room = outgoing.room.take().unwrap_or_default();
        let copied = outgoing.copied;
        match socket::freeze(fd, &outgoing.seen, copied.as_ref().map(|c| &c.0), room, || {
            self.flows.entry(flow).fenced = true
        }) {
            Ok(mut frozen) => {
                (outgoing.report.times.stopped, outgoing.report.times.read) = (frozen.since, Instant::now());
                let Buffers { mut unread, unsent } = std::mem::take(&mut outgoing.buffers);
                // the rebuilt socket has them as if they had never been read, or had been written
                let mut tcb = frozen.tcb;
                let (ahead, before) = copied.map_or((0, 0), |(c, unread)| (c.receive + c.send + unread, unread));
                tcb.copied_seq = tcb.copied_seq.wrapping_sub((unread.len() + before) as u32);
                tcb.write_seq = tcb.write_seq.wrapping_add(unsent.len() as u32);
                if unread.is_empty() {
                    unread = std::mem::take(&mut frozen.receive);
                } else {
                    unread.append(&mut frozen.receive);
                }
                frozen.send.extend(unsent);
                let (send, application) = (std::mem::take(&mut frozen.send), std::mem::take(&mut outgoing.state));
                outgoing.report.queue_bytes = ahead + unread.len() + send.len();
                let streams = Streams { receive: unread, send, application };
                let options = Box::new(frozen.options);
                outgoing.socket = Socket::Frozen(Box::new(frozen));
                self.take_from_kernel(DRAIN, Some((flow, &tcb)))?;
                let now = self.now();
                let endpoint = Endpoint::Tcp(Box::new(tcb), options);
                self.core.frozen(id, endpoint, streams, now);
            }
            Err(failed) => {
                outgoing.socket = Socket::Live(failed.fd);
                self.fail_locally(id, failed.error.into());
            }
        }
        Ok(())
    }

    fn hand_over(&mut self, id: MoveId) -> Result<(), NodeError> {
        let Some(flow) = self.outgoing.get(&id).map(|o| o.flow) else { return Ok(()) };
        let accepted = Instant::now();
        let plain = self.config.peers[id.peer.0].plain;
        // what is not written down is not committed
        match self.journal.record(flow, Some(self.away_at(id.peer, id.epoch))) {
            Ok(()) => {}
            // it owns already, written down or not
            Err(_) if plain => self.journal.note(flow, Some(self.away_at(id.peer, id.epoch))),
            Err(e) => {
                self.fail_locally(id, MoveError::Journal(e));
                return Ok(());
            }
        }
        self.crash_if("after", "record")?;
        // copies: should the entry not open, the connection stays and needs them
        let hold = self.flows.entry(flow).hold.take().unwrap_or_default();
        for (frame, inner) in hold.iter() {
            self.pass_on(frame, inner, id.peer)?;
        }
        if plain {
            // likewise, entry or not
            self.point(flow, id.peer)?;
        } else if let Err(e) = self.nic.forward_insert(&flow.key(), self.forward_to(id.peer, flow)) {
            self.flows.entry(flow).hold = Some(hold);
            self.fail_locally(id, e.into());
            return Ok(());
        }
        self.nic.endpoint_remove(&flow.key())?;
        self.watch.left(&flow);
        self.flows.entry(flow).away = Some(Away::new(id.peer, self.config.idle));
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            match std::mem::replace(&mut outgoing.socket, Socket::Gone) {
                Socket::Frozen(frozen) => frozen.close_silently(),
                Socket::Live(fd) => self.late.push(Late::new(flow, Some(fd), id.peer)),
                Socket::Bare => self.late.push(Late::new(flow, None, id.peer)),
                Socket::Gone => {}
            }
            let closed = Instant::now();
            let report = &mut outgoing.report;
            (report.times.accepted, report.times.closed) = (accepted, closed);
            report.held = hold.len();
            report.freeze_us = outgoing.froze.map_or(0, |t| (closed - t).as_micros() as u64);
            report.total_us = (closed - report.times.asked).as_micros() as u64;
        }
        let now = self.now();
        self.core.handed_over(id, now);
        Ok(())
    }

    fn done(&mut self, id: MoveId) -> Result<(), NodeError> {
        let Some(outgoing) = self.outgoing.remove(&id) else { return Ok(()) };
        self.stats.moved_out += 1;
        self.watch.untrack(&outgoing.flow);
        self.pass_on_late(|late| late.flow == outgoing.flow)?;
        if self.core.is_home(outgoing.flow.service) != Some(true)
            && let Some(away) = self.flows.get(&outgoing.flow).and_then(|s| s.away.as_mut())
        {
            away.until = Some(Instant::now() + PASS_ON);
        }
        // the application may have gone
        let _ = outgoing.reply.send(Ok(outgoing.report));
        Ok(())
    }

    fn failed(&mut self, id: MoveId, failure: Failure) -> Result<(), NodeError> {
        let Some(outgoing) = self.outgoing.remove(&id) else { return Ok(()) };
        self.stats.failed += 1;
        let mut error = outgoing.error.unwrap_or(MoveError::Protocol(failure));
        let handed_over = matches!(outgoing.socket, Socket::Gone);
        let fd = match outgoing.socket {
            Socket::Gone | Socket::Bare => None,
            Socket::Live(fd) => Some(fd),
            Socket::Frozen(frozen) => {
                self.flows.entry(outgoing.flow).fenced = false;
                match frozen.thaw() {
                    Ok(fd) => Some(fd),
                    Err(failed) => {
                        error = failed.error.into();
                        Some(failed.fd)
                    }
                }
            }
        };
        if handed_over {
            self.watch.untrack(&outgoing.flow);
        } else {
            self.journal.note(outgoing.flow, outgoing.before);
            if outgoing.froze.is_some() {
                self.stay(outgoing.flow)?;
            }
        }
        let _ = outgoing.reply.send(Err(MoveFailed { fd, error }));
        Ok(())
    }

    /// The connection lives on here: what was held is its.
    fn stay(&mut self, flow: Flow) -> Result<(), NodeError> {
        let special = self.flows.entry(flow);
        special.fenced = false;
        let hold = special.hold.take().unwrap_or_default();
        for (frame, _) in hold.iter() {
            self.deliver(frame)?;
        }
        self.nic.forward_remove(&flow.key())?;
        self.flows.tidy(&flow);
        Ok(())
    }

    /// A connection's hold is full.
    pub fn overflow(&mut self, flow: Flow) -> Result<(), NodeError> {
        let id = self.outgoing.iter().find(|(_, o)| o.flow == flow).map(|(id, _)| *id);
        if let Some(id) = id {
            let now = self.now();
            self.core.give_up(id, Failure::Held, now);
        }
        self.act()
    }

    pub fn fail_locally(&mut self, id: MoveId, error: MoveError) {
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.error = Some(error);
        }
        let now = self.now();
        self.core.give_up(id, Failure::Local, now);
    }

    /// Lets the card forward a connection of this home to a peer. Without room for that, the
    /// host does it.
    pub fn point(&mut self, flow: Flow, to: PeerId) -> Result<(), NodeError> {
        match self.nic.forward_insert(&flow.key(), self.forward_to(to, flow)) {
            Ok(()) => Ok(()),
            Err(NicError::Device(e)) => Err(NicError::Device(e).into()),
            Err(e) => {
                tracing::warn!(?flow, "the host passes its packets on: {e}");
                self.nic.forward_remove(&flow.key())?;
                Ok(())
            }
        }
    }

    /// The forward entry of a connection that lives at a peer.
    fn forward_to(&self, peer: PeerId, flow: Flow) -> Forward {
        let peer = &self.config.peers[peer.0];
        Forward::To(Destination { ip: peer.back_ip.octets(), port: flow.service.port(), mac: peer.back_mac })
    }
}

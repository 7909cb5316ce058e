//! One connection on its way out: its socket, its buffers and the times of its move.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use ipos_abi::wire::ethernet;
use ipos_control::message::MoveReport;
use ipos_migrate::protocol::{Endpoint, Failure, Flow, MoveId, PeerId, Streams};
use ipos_migrate::socket::{self, Copied, Frozen, Inspection, Room};

use super::udp::{LateSockets, waiting_in};
use crate::command::{Departing, Reply};
use crate::config::NodeConfig;
use crate::error::MoveError;
use crate::flows::FlowTable;
use crate::journal::Place;
use crate::keep::Given;
use crate::ports::Ports;
use crate::report::{Buffers, MoveFailed, Moved};
use crate::times::Departure;

/// A socket on its way out.
enum Socket {
    Live(OwnedFd),
    Frozen(Box<Frozen>),
    /// A UDP flow without one.
    Bare,
    /// Handed over.
    Gone,
}

/// What its new owner makes a socket from.
type Packed = (Endpoint, Streams<Vec<u8>>);

/// A move that this node began.
pub(super) struct Outgoing {
    pub flow: Flow,
    seen: Inspection,
    socket: Socket,
    /// The holder has another descriptor of it.
    pub given: Option<Given>,
    /// For the queues, made while the destination is asked.
    room: Option<Room>,
    /// What of the queues went ahead, and how much of it was the application's.
    copied: Option<(Copied, usize)>,
    buffers: Buffers,
    state: Vec<u8>,
    reply: Reply,
    /// What is written down of it, until it is handed over.
    pub before: Option<Place>,
    pub froze: Option<Instant>,
    pub report: MoveReport,
    pub times: Departure,
    /// What failed here, which the core need not know.
    pub error: Option<MoveError>,
}

impl Outgoing {
    /// A move that has its number. `asked`: when the application asked for it.
    pub fn new(id: MoveId, departing: Departing, seen: Inspection, before: Option<Place>, asked: Instant) -> Self {
        let Departing { subject, buffers, state, given, reply, .. } = departing;
        let socket = subject.fd().map_or(Socket::Bare, Socket::Live);
        let times = Departure::offered(asked);
        let report = MoveReport { epoch: id.epoch, freeze_us: 0, queue_bytes: 0, total_us: 0, held: 0 };
        let flow = seen.flow;
        let (room, copied, froze, error) = (None, None, None, None);
        Outgoing { flow, seen, socket, given, room, copied, buffers, state, reply, before, froze, report, times, error }
    }

    /// Makes room for the queues. `false`: there is, or none is needed.
    pub fn make_room(&mut self) -> bool {
        let wanted = self.room.is_none() && matches!(self.socket, Socket::Live(_));
        if wanted {
            self.room = Some(self.seen.room());
        }
        wanted
    }

    /// What receive and send queue have now. `None`: there is no socket.
    pub fn copy(&mut self) -> Result<Option<[Vec<u8>; 2]>, MoveError> {
        let Socket::Live(fd) = &self.socket else { return Ok(None) };
        let begun = Instant::now();
        let copied = socket::copy(fd.as_fd(), self.room.take().unwrap_or_default())?;
        // else it is read when the connection is frozen
        let Some((copied, [mut receive, send])) = copied else { return Ok(Some(Default::default())) };
        (self.times.ready, self.times.copying) = (begun, begun.elapsed());
        let unread = std::mem::take(&mut self.buffers.unread);
        self.copied = Some((copied, unread.len()));
        receive.splice(..0, unread);
        Ok(Some([receive, send]))
    }

    /// The receive path is drained; the freeze was asked for at `ready`.
    pub fn drained(&mut self, ready: Instant) {
        let times = &mut self.times;
        (times.copied, times.drained) = (ready, Instant::now());
        if self.copied.is_none() {
            times.ready = ready;
        }
    }

    /// Mutes the socket, has its flow fenced, and reads it.
    pub fn freeze_tcp(&mut self, ports: &mut Ports) -> Result<Packed, MoveError> {
        let fd = match std::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Live(fd) => fd,
            other => {
                self.socket = other;
                return Err(Failure::Local.into());
            }
        };
        let room = self.room.take().unwrap_or_default();
        let ahead = self.copied.as_ref().map(|(copied, _)| copied);
        let mut fence = Ok(());
        let frozen = socket::freeze(fd, &self.seen, ahead, room, || {
            fence = ports.change(&self.flow, |entry| entry.fenced = true);
        });
        let frozen = frozen.map_err(|failed| {
            self.socket = Socket::Live(failed.fd);
            failed.error
        })?;
        (self.times.stopped, self.times.read) = (frozen.since, Instant::now());
        let packed = self.pack(frozen);
        fence?;
        Ok(packed)
    }

    /// The connection as it travels: the rebuilt socket has the application's bytes as if they had never been read, or had
    /// been written.
    fn pack(&mut self, mut frozen: Frozen) -> Packed {
        let Buffers { mut unread, unsent } = std::mem::take(&mut self.buffers);
        let mut tcb = frozen.tcb;
        let copied = self.copied.as_ref();
        let (ahead, before) = copied.map_or((0, 0), |(c, unread)| (c.receive + c.send + unread, *unread));
        tcb.copied_seq = tcb.copied_seq.wrapping_sub((unread.len() + before) as u32);
        tcb.write_seq = tcb.write_seq.wrapping_add(unsent.len() as u32);
        if unread.is_empty() {
            unread = std::mem::take(&mut frozen.receive);
        } else {
            unread.append(&mut frozen.receive);
        }
        frozen.send.extend(unsent);
        let (send, application) = (std::mem::take(&mut frozen.send), std::mem::take(&mut self.state));
        self.report.queue_bytes = (ahead + unread.len() + send.len()) as u64;
        let streams = Streams { receive: unread, send, application };
        let options = Box::new(frozen.options);
        self.socket = Socket::Frozen(Box::new(frozen));
        (Endpoint::Tcp(Box::new(tcb), options), streams)
    }

    /// Nothing repeats a datagram: what waits in the socket is held, too.
    pub fn freeze_udp(&mut self, to: PeerId, config: &NodeConfig, flows: &mut FlowTable) -> Result<Packed, MoveError> {
        let frames = match &self.socket {
            Socket::Live(fd) => waiting_in(fd, &self.flow, to, config)?,
            _ => Vec::new(),
        };
        self.report.queue_bytes = frames.iter().map(|(frame, _)| frame.len() - ethernet::LEN).sum::<usize>() as u64;
        if let Some(hold) = flows.held(&self.flow) {
            frames.into_iter().for_each(|(frame, inner)| hold.queued(frame, inner));
        }
        let application = std::mem::take(&mut self.state);
        Ok((Endpoint::Udp, Streams { application, ..Streams::default() }))
    }

    /// The entry is open: the socket is closed, of TCP at once, of UDP when the kernel has nothing for it any more.
    pub fn close(&mut self, to: PeerId, accepted: Instant, held: usize, late: &mut LateSockets) {
        match std::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Frozen(frozen) => frozen.close_silently(),
            Socket::Live(fd) => late.push(self.flow, Some(fd), to),
            Socket::Bare => late.push(self.flow, None, to),
            Socket::Gone => {}
        }
        let closed = Instant::now();
        let report = &mut self.report;
        (self.times.accepted, self.times.closed) = (accepted, closed);
        report.held = held as u64;
        report.freeze_us = self.froze.map_or(0, |t| (closed - t).as_micros() as u64);
        report.total_us = (closed - self.times.asked).as_micros() as u64;
    }

    pub fn is_frozen(&self) -> bool {
        matches!(self.socket, Socket::Frozen(_))
    }

    /// Whether the connection was handed over.
    pub fn is_gone(&self) -> bool {
        matches!(self.socket, Socket::Gone)
    }

    /// The connection has moved: its application is told.
    pub fn succeed(self) {
        // it may have gone
        let _ = self.reply.send(Ok(Moved { report: self.report, times: self.times }));
    }

    /// The connection has not moved, and lives again if it is still here: what its application is to be told, and how.
    pub fn end(self, failure: Failure) -> (Reply, MoveFailed) {
        let mut error = self.error.unwrap_or(MoveError::Protocol(failure));
        let fd = match self.socket {
            Socket::Gone | Socket::Bare => None,
            Socket::Live(fd) => Some(fd),
            Socket::Frozen(frozen) => Some(frozen.thaw().unwrap_or_else(|failed| {
                error = failed.error.into();
                failed.fd
            })),
        };
        let given = self.given.filter(|_| fd.is_some());
        (self.reply, MoveFailed { fd, error, given })
    }
}

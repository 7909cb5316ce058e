//! The loop of a node: one thread between the card, the server's kernel, the peers and the
//! applications. It never waits for one of them alone.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ipos::message::{Connection, Place};
use ipos_abi::Port;
use ipos_abi::rx::RxInfo;
use ipos_abi::wire::tcp::Flags;
use ipos_abi::wire::trailer::{Key, Path};
use ipos_abi::wire::{Mac, ethernet};
use ipos_device::{Device, FRONT_MTU, Queue, RateLimit};
use ipos_migrate::protocol::{Flow, MoveId, PeerId, Tcb};
use ipos_migrate::{Migrator, codec};
use ipos_nic::{Nic, NicError, Table};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::audit::Heard;
use crate::config::{NodeConfig, PeerConfig as Peer};
use crate::crash::Crash;
use crate::datagrams::Late;
use crate::error::NodeError;
use crate::flows::Flows;
use crate::fragments::{Fragment, Fragments};
use crate::frame::{Transport, encapsulate, tag};
use crate::handle::{Command, Inbox, NodeStats};
use crate::incoming::{Finishing, Incoming};
use crate::journal::Journal;
use crate::kernel::KernelPort;
use crate::misfit::Misfits;
use crate::outgoing::Outgoing;
use crate::reset::Resets;
use crate::urgent::Urgent;
use crate::watch::{PERIOD, Watch};

/// Frames taken from one queue before the others have their turn.
const BATCH: usize = 128;
/// Frames that wait for the card's transmit queue; more control packets and held frames are dropped.
const TRANSMIT_WAITING: usize = 8192;

/// How long a node with a move under way looks for the other's answer before it sleeps: to be woken takes longer than most answers
/// do, and the client waits. A peer that needs longer is not in the same room.
const EAGER: Duration = Duration::from_micros(200);

/// The real-time clock in microseconds, from which epochs are made. `IPOS_CLOCK` sets it as many seconds ahead, or behind if
/// negative, to try what clocks that disagree do.
pub(crate) fn wall() -> u64 {
    static AHEAD: LazyLock<i64> = LazyLock::new(|| {
        let ahead = std::env::var("IPOS_CLOCK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0_i64);
        ahead.saturating_mul(1_000_000)
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
    now.saturating_add_signed(*AHEAD)
}

/// What became of a frame that was given to the card.
#[derive(PartialEq, Eq)]
enum Offered {
    Taken,
    /// The transmit queue has no room now.
    Full,
    /// No card carries it.
    Unsendable,
}

/// What the loop works on. The parts of a move stand in `outgoing` and `incoming`.
pub(crate) struct Runner<D> {
    pub config: NodeConfig,
    pub nic: Nic<D>,
    pub kernel: Box<dyn KernelPort>,
    pub core: Migrator,
    pub flows: Flows,
    pub outgoing: HashMap<MoveId, Outgoing>,
    pub incoming: HashMap<MoveId, Incoming>,
    pub finishing: Vec<Finishing>,
    pub stats: NodeStats,
    pub watch: Watch,
    pub crash: Crash,
    pub journal: Journal,
    pub urgent: Urgent,
    pub resets: Resets,
    /// By peer.
    pub heard: Vec<Heard>,
    /// What a restart has found dead, until the homes have surely been told.
    pub dead: Vec<(Flow, u64)>,
    pub misfits: Misfits,
    /// UDP flows that left a moment ago.
    pub late: Vec<Late>,
    fragments: Fragments,
    keys: Vec<Key>,
    pub inbox: Inbox,
    begun: Instant,
    /// When to look for connections that expire or are gone.
    look_again: Instant,
    /// Frames that the card had no room for, in order.
    waiting: VecDeque<(Port, Vec<u8>)>,
    /// Where one frame at a time is built or taken, kept for its memory.
    scratch: Vec<u8>,
    /// Something was given to the card since it was last polled.
    active: bool,
    /// Of complaints about frames that no card carries.
    too_long: RateLimit,
}

impl<D: Device> Runner<D> {
    pub fn new(
        nic: Nic<D>,
        kernel: Box<dyn KernelPort>,
        core: Migrator,
        config: NodeConfig,
        inbox: Inbox,
        watch: Watch,
        journal: Journal,
    ) -> Self {
        Runner {
            crash: Crash::from_environment(),
            keys: config.cluster_keys.iter().copied().map(Key::new).collect(),
            heard: vec![Heard::now(); config.peers.len()],
            config,
            nic,
            kernel,
            core,
            flows: Flows::default(),
            outgoing: HashMap::new(),
            incoming: HashMap::new(),
            finishing: Vec::new(),
            stats: NodeStats::default(),
            watch,
            journal,
            urgent: Urgent::default(),
            resets: Resets::default(),
            dead: Vec::new(),
            misfits: Misfits::default(),
            late: Vec::new(),
            fragments: Fragments::default(),
            inbox,
            begun: Instant::now(),
            look_again: Instant::now(),
            waiting: VecDeque::new(),
            scratch: Vec::new(),
            active: false,
            too_long: RateLimit::default(),
        }
    }

    /// Runs until the node is told to stop or the card or the kernel's interface fails.
    pub fn run(mut self) -> Result<(), NodeError> {
        self.recover()?;
        let mut stirred = Instant::now();
        loop {
            self.active = false;
            let mut busy = self.nic.device_mut().poll().map_err(NicError::from)?;
            self.flush_waiting()?;
            busy |= self.take_control()?;
            busy |= self.take_received(BATCH)?;
            busy |= self.take_from_kernel(BATCH, None)?;
            self.take_events(BATCH)?;
            if !self.take_commands()? {
                return self.stop();
            }
            self.take_time()?;
            self.finish_arrivals();
            if busy || self.active {
                stirred = Instant::now();
            } else if !self.make_room() && !self.make_early() {
                if self.is_moving() && stirred.elapsed() < EAGER { std::thread::yield_now() } else { self.sleep()? }
            }
        }
    }

    /// Whether a peer's next word is waited for.
    fn is_moving(&self) -> bool {
        !self.outgoing.is_empty() || !self.incoming.is_empty()
    }

    /// Time as the core counts it.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Queues a frame for a port. `false`: dropped, because too many wait already or because no card carries it.
    pub fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, NodeError> {
        self.active = true;
        if self.waiting.is_empty() {
            match self.offer(port, frame)? {
                Offered::Taken => return Ok(true),
                Offered::Unsendable => return Ok(false),
                Offered::Full => {}
            }
        }
        if self.waiting.len() >= TRANSMIT_WAITING {
            self.stats.transmit_full += 1;
            return Ok(false);
        }
        self.waiting.push_back((port, frame.to_vec()));
        Ok(true)
    }

    fn offer(&mut self, port: Port, frame: &[u8]) -> Result<Offered, NodeError> {
        match self.nic.device_mut().transmit(port, frame) {
            Ok(true) => Ok(Offered::Taken),
            Ok(false) => Ok(Offered::Full),
            Err(e) if e.is_of_frame() => {
                self.stats.unsendable += 1;
                if self.too_long.allows() {
                    tracing::warn!(
                        node = self.config.name,
                        "to the {port:?} port: {e}; it is dropped (said once a minute). The MTU of the kernel's interface must not be \
                         over {FRONT_MTU}, its segmentation and receive offloads off, at both ends (docs/operations.md)"
                    );
                }
                Ok(Offered::Unsendable)
            }
            Err(e) => Err(NicError::from(e).into()),
        }
    }

    fn flush_waiting(&mut self) -> Result<(), NodeError> {
        while let Some((port, frame)) = self.waiting.pop_front() {
            if self.offer(port, &frame)? == Offered::Full {
                self.waiting.push_front((port, frame));
                break;
            }
            self.active = true;
        }
        Ok(())
    }

    /// Hands a frame to the kernel.
    pub fn deliver(&mut self, frame: &[u8]) -> Result<(), NodeError> {
        self.stats.to_kernel += 1;
        self.kernel.deliver(frame).map_err(NodeError::Kernel)
    }

    /// The link header of a back-side frame to a peer.
    pub fn link(&self, peer: PeerId) -> ethernet::Repr {
        ethernet::Repr {
            dst: Mac(self.config.peers[peer.0].back_mac),
            src: Mac(self.config.back_mac),
            vlan: None,
            ethertype: self.config.ethertype,
        }
    }

    /// Sends a client's frame on to the owner of its connection, as fabric does on a forward hit.
    pub fn pass_on(&mut self, frame: &[u8], inner: &Transport, owner: PeerId) -> Result<(), NodeError> {
        let address = SocketAddrV4::new(self.config.peers[owner.0].back_ip, inner.dst.port());
        match encapsulate(frame, inner, address, self.link(owner)) {
            Ok(packet) => {
                self.stats.passed_on += u64::from(self.transmit(Port::Back, &packet)?);
            }
            Err(e) => tracing::debug!("a held frame can't be encapsulated: {e}"),
        }
        Ok(())
    }

    /// Control packets: before anything else, whatever waits in the receive queue.
    fn take_control(&mut self) -> Result<bool, NodeError> {
        let mut frame = Vec::new();
        for _ in 0..BATCH {
            let Some(meta) = self.nic.device_mut().receive(Queue::Control, &mut frame).map_err(NicError::from)? else {
                return Ok(false);
            };
            if meta.info().is_ok_and(|info| !self.is_on_network(&info)) {
                self.stats.ignored += 1;
                continue;
            }
            self.stats.control_in += 1;
            let sender = Mac(frame.get(6..).and_then(|f| f.first_chunk().copied()).unwrap_or_default());
            let Some(peer) = self.config.peers.iter().position(|p| sender.0 == p.back_mac) else {
                self.stranger(sender);
                continue;
            };
            let Peer { plain, back_ip, .. } = self.config.peers[peer];
            let decoded = if plain {
                codec::decode_plain(&frame, self.config.ethertype)
            } else {
                let path = Path { from: back_ip, to: self.config.back_ip };
                codec::decode(&frame, self.config.ethertype, &self.keys, path)
            };
            match decoded {
                Ok((_, packet)) => {
                    self.heard[peer] = Heard::now();
                    if self.is_meant(peer, &packet) {
                        let now = self.now();
                        self.core.handle_message(PeerId(peer), packet, now);
                        self.act()?;
                    }
                }
                Err(e) => self.unread(peer, &frame, &e),
            }
        }
        Ok(true)
    }

    /// Sends a control packet.
    pub fn send_control(&mut self, peer: PeerId, packet: &codec::Packet) -> Result<(), NodeError> {
        let mut frame = std::mem::take(&mut self.scratch);
        let encoded = if self.config.peers[peer.0].plain {
            codec::encode_plain(packet, self.link(peer), &mut frame)
        } else {
            let path = Path { from: self.config.back_ip, to: self.config.peers[peer.0].back_ip };
            codec::encode(packet, self.link(peer), path, self.keys.first(), &mut frame)
        };
        match encoded {
            Ok(()) => {
                self.stats.control_out += 1;
                self.transmit(Port::Back, &frame)?;
            }
            Err(e) => tracing::error!(?packet, "a control packet can't be written: {e}"),
        }
        self.scratch = frame;
        Ok(())
    }

    /// Frames that the card gives to the host. `true`: there may be more.
    pub fn take_received(&mut self, limit: usize) -> Result<bool, NodeError> {
        let mut frame = Vec::new();
        for _ in 0..limit {
            let Some(meta) = self.nic.device_mut().receive(Queue::Receive, &mut frame).map_err(NicError::from)? else {
                return Ok(false);
            };
            match meta.info() {
                Ok(info) => self.ingress(&mut frame, &info)?,
                Err(e) => {
                    self.stats.ignored += 1;
                    tracing::warn!("{e}");
                }
            }
        }
        Ok(true)
    }

    /// Whether a frame is of its port's VLAN; the card takes every tag out.
    fn is_on_network(&self, info: &RxInfo) -> bool {
        let vlan = match info.port {
            Port::Front => self.config.front_vlan,
            Port::Back => None,
        };
        info.vlan_id() == vlan
    }

    fn ingress(&mut self, frame: &mut Vec<u8>, info: &RxInfo) -> Result<(), NodeError> {
        // the kernel's interface is on the front network
        if !self.is_on_network(info) || (info.port == Port::Back && !info.decapsulated) {
            self.stats.ignored += 1;
            if info.port == Port::Back {
                self.foreign(frame);
            }
            return Ok(());
        }
        if let Some(inner) = Transport::parse(frame) {
            return self.of_client(frame, inner, info.decapsulated);
        }
        // of a datagram for a service all or nothing goes on, and all of it the same way
        match Fragment::parse(frame, info.decapsulated) {
            Some(fragment) if self.config.services.iter().any(|s| s.address == fragment.dst()) => {
                for (mut frame, inner) in self.fragments.add(std::mem::take(frame), fragment, Instant::now()) {
                    self.of_client(&mut frame, inner, info.decapsulated)?;
                }
                Ok(())
            }
            _ => self.other(frame, info),
        }
    }

    /// A segment or datagram of a client, or a part of one.
    fn of_client(&mut self, frame: &mut Vec<u8>, inner: Transport, decapsulated: bool) -> Result<(), NodeError> {
        let limit = self.config.hold_bytes;
        let flow = inner.inbound();
        self.watch.segment(&flow, &inner);
        self.urgent.received(&flow, &inner);
        if self.resets.is_pending(&flow) && self.take_answer(flow, frame, &inner)? {
            return Ok(());
        }
        if inner.has(Flags::RST) && self.watch.is_here(&flow) && inner.seq == self.resets.mark(&flow) {
            self.watch.end(&flow);
            return Ok(());
        }
        if let Some(special) = self.flows.get(&flow) {
            if let Some(hold) = &mut special.hold {
                if hold.push(std::mem::take(frame), inner, decapsulated, limit) {
                    self.stats.held += 1;
                } else {
                    self.stats.hold_overflow += 1;
                    return self.overflow(flow);
                }
                return Ok(());
            }
            if let Some(away) = special.away {
                // the card saw it before the forward entry was open
                let from_owner = frame[6..12] == self.config.peers[away.owner.0].back_mac;
                if decapsulated && from_owner {
                    self.stats.ignored += 1;
                    return Ok(());
                }
                return self.pass_on(frame, &inner, away.owner);
            }
            // a SYN begins a new connection of the same addresses, at its home
            if inner.has(Flags::SYN) && !decapsulated {
                special.quiet = None;
            } else if special.quiet.is_some() {
                self.stats.ignored += 1;
                return Ok(());
            }
        }
        if inner.has(Flags::SYN) && self.watch.is_here(&flow) && self.watch.is_over(&flow) {
            // nobody here takes a new connection for another home: once that knows, it takes the next SYN itself
            self.stats.ignored += 1;
            return self.release(flow);
        }
        self.deliver(frame)
    }

    /// What belongs to no connection; but an ICMP error about one that lives elsewhere is its owner's.
    fn other(&mut self, frame: &[u8], info: &RxInfo) -> Result<(), NodeError> {
        if let Some(error) = Transport::quoted(frame)
            && let Some(away) = self.flows.get(&error.inbound()).and_then(|s| s.away)
            && !(info.decapsulated && frame[6..12] == self.config.peers[away.owner.0].back_mac)
        {
            return self.pass_on(frame, &error, away.owner);
        }
        self.deliver(frame)
    }

    /// Frames that the kernel sends. `late`: a connection that has just been frozen, whose
    /// earlier segments may still leave. `true`: there may be more.
    pub fn take_from_kernel(&mut self, limit: usize, late: Option<(Flow, &Tcb)>) -> Result<bool, NodeError> {
        let mut frame = std::mem::take(&mut self.scratch);
        let more = self.forward_from_kernel(&mut frame, limit, late);
        self.scratch = frame;
        more
    }

    fn forward_from_kernel(
        &mut self,
        frame: &mut Vec<u8>,
        limit: usize,
        late: Option<(Flow, &Tcb)>,
    ) -> Result<bool, NodeError> {
        for _ in 0..limit {
            if !self.waiting.is_empty() {
                return Ok(true);
            }
            if !self.kernel.collect(frame).map_err(NodeError::Kernel)? {
                return Ok(false);
            }
            if let Some(inner) = Transport::parse(frame) {
                let flow = inner.outbound();
                self.watch.segment(&flow, &inner);
                self.urgent.sent(flow, &inner);
                let fenced = self.flows.get(&flow).is_some_and(|s| s.fenced);
                if fenced && !late.is_some_and(|(f, tcb)| f == flow && precedes(&inner, tcb)) {
                    self.stats.fenced += 1;
                    continue;
                }
            }
            if let Some(id) = self.config.front_vlan {
                tag(frame, id);
            }
            self.stats.from_kernel += u64::from(self.transmit(Port::Front, frame)?);
        }
        Ok(true)
    }

    /// `false`: the node is to stop.
    fn take_commands(&mut self) -> Result<bool, NodeError> {
        while let Ok(command) = self.inbox.commands.try_recv() {
            match command {
                Command::Nothing => {}
                Command::Migrate { subject, buffers, state, target, reply } => {
                    self.migrate(subject, buffers, state, target, reply)?;
                }
                Command::Keys { keys, reply } => {
                    self.keys = keys.into_iter().map(Key::new).collect();
                    // who asked may have gone
                    let _ = reply.send(());
                }
                Command::Stats { reply } => {
                    let entries = [Table::Forward, Table::Endpoint].map(|table| self.nic.load(table).0).iter().sum();
                    let (holding, forwarded) = (self.flows.holding(), self.flows.away());
                    let (reassembled, fragments_dropped) = (self.fragments.reassembled, self.fragments.dropped);
                    let (kernel_lost, stats) = (self.kernel.lost(), self.stats);
                    let stats =
                        NodeStats { holding, forwarded, entries, reassembled, fragments_dropped, kernel_lost, ..stats };
                    // who asked may have gone
                    let _ = reply.send(stats);
                }
                Command::Counters { reply } => {
                    let counters = self.nic.counters()?;
                    let _ = reply.send(counters);
                }
                Command::Connections { reply } => {
                    let _ = reply.send(self.connections());
                }
                Command::Shutdown => return Ok(false),
            }
        }
        Ok(true)
    }

    fn connections(&self) -> Vec<Connection> {
        let special = self.flows.iter().filter_map(|(flow, s)| {
            let away = s.away.map(|a| Place::At(self.config.peers[a.owner.0].name.clone()));
            s.hold.as_ref().map(|_| Place::Moving).or(away).map(|place| (flow, place))
        });
        let here = self.watch.here().map(|flow| (flow, Place::Here));
        let all = special.chain(here);
        all.map(|(f, place)| Connection { client: f.client, service: f.service, place }).collect()
    }

    fn take_time(&mut self) -> Result<(), NodeError> {
        let now = self.now();
        if self.core.poll_timeout().is_some_and(|t| t <= now) {
            self.core.handle_timeout(now);
            self.act()?;
        }
        self.probe_due()?;
        let instant = Instant::now();
        if instant < self.look_again {
            return Ok(());
        }
        self.look_again = instant + PERIOD;
        self.fragments.expire(instant);
        self.journal.tidy(!self.is_moving());
        self.close_late(instant)?;
        self.look_for_misfits()?;
        for flow in self.flows.expire(instant) {
            self.nic.forward_remove(&flow.key())?;
        }
        for flow in self.watch.gone(instant) {
            self.release(flow)?;
        }
        self.look_after(instant)?;
        self.attend(instant)
    }

    /// Waits until something happens or the core wants to be woken.
    fn sleep(&mut self) -> Result<(), NodeError> {
        // flows expire to the second, not to the millisecond
        let due = !self.flows.is_empty() || !self.watch.is_empty() || self.journal.is_behind() || !self.dead.is_empty();
        let longest = if due { PERIOD } else { Duration::from_secs(60) };
        let probe = self.resets.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let longest = longest.min(probe.unwrap_or(longest));
        let timeout = self.core.poll_timeout().map_or(longest, |t| t.saturating_sub(self.now()).min(longest));
        // rounded up: a wake just before the deadline would spin
        let timeout = PollTimeout::try_from(timeout.as_millis() as u64 + 1).unwrap_or(PollTimeout::MAX);
        let waited = [self.kernel.wait_fd(), self.inbox.wake.fd()];
        let readable = self.nic.device().wait_fds().into_iter().chain(waited);
        let mut fds: Vec<_> = readable.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        fds.extend(self.finishing.iter().map(|f| PollFd::new(f.fd().as_fd(), PollFlags::POLLOUT)));
        let woken = poll(&mut fds, timeout);
        // commands are taken whether the bell rang or not; here it must not ring again for the same ones
        self.inbox.wake.clear();
        match woken {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(NodeError::Kernel(e.into())),
        }
    }

    /// Gives back what has not moved yet.
    fn stop(mut self) -> Result<(), NodeError> {
        let moves: Vec<_> = self.outgoing.keys().copied().collect();
        for id in moves {
            let now = self.now();
            self.core.give_up(id, ipos_migrate::protocol::Failure::Local, now);
        }
        self.act()?;
        // the last frames must reach the wires
        self.nic.device_mut().poll().map_err(NicError::from)?;
        Ok(())
    }
}

/// Whether a segment was sent before its connection was frozen: it tells the client nothing that
/// the control block does not contain.
fn precedes(tcp: &Transport, tcb: &Tcb) -> bool {
    let not_after = |a: u32, b: u32| b.wrapping_sub(a) < 1 << 31;
    // in CLOSE_WAIT the client's FIN has been acknowledged, one beyond rcv_nxt
    !tcp.has(Flags::SYN | Flags::FIN | Flags::RST)
        && not_after(tcp.seq.wrapping_add(tcp.length), tcb.snd_nxt)
        && not_after(tcp.ack, tcb.rcv_nxt.wrapping_add(1))
}

//! The world around the cores: servers with a kernel and a card each, a client, and networks that
//! hold every message until the schedule delivers, repeats or drops it. Nothing here shares code
//! with the protocol: sockets are a set of accepted bytes or datagrams, cards one entry.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipos_migrate::codec::Packet;
use ipos_migrate::protocol::{self, Flow, MoveId, PeerId, Protocol};
use ipos_migrate::{Config, Migrator, Secret, Service};

use crate::record::{Core, frame};

/// The server whose front network carries the service's address.
pub const HOME: usize = 0;
pub const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);
pub const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
/// When a world begins, and a client that uses its port again: clocks step back for it, so that epochs come again.
pub const BEGIN: Duration = Duration::from_secs(1);
/// A process can't start in less, nor have begun as many moves, one each microsecond, as the clock does not show.
pub const RESTART: Duration = Duration::from_millis(1);
/// Client packets that a server holds before the move is given up.
pub const HOLD: usize = 2;

pub fn back(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, node as u8)
}

/// The node that `node` knows as `peer`: each lists the others in order.
pub fn node_of(node: usize, peer: PeerId) -> usize {
    if peer.0 < node { peer.0 } else { peer.0 + 1 }
}

pub fn peer_of(node: usize, other: usize) -> PeerId {
    PeerId(if other < node { other } else { other - 1 })
}

/// What a card does with the client's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Miss,
    Host,
    To(usize),
}

/// A kernel's socket and its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Socket {
    /// The client's bytes that the kernel has accepted, or the datagrams that the application has read: a bit each.
    pub received: u16,
    /// Which use of the client's port it belongs to.
    pub generation: u8,
    /// The application has given it away to be moved.
    pub given: bool,
    pub frozen: bool,
}

/// A packet of the client that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub byte: u8,
    /// The node that has sent it on, or whose socket had it; none: the client.
    pub from: Option<usize>,
}

/// What a node has written down about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    Away(usize, u64),
    Here(u64),
}

#[derive(Clone, Debug, Hash)]
pub struct Node {
    pub core: Core,
    /// How often the process has started again.
    pub life: u8,
    pub entry: Entry,
    pub socket: Option<Socket>,
    pub prepared: Option<(MoveId, Socket)>,
    pub reserved: Option<MoveId>,
    pub outgoing: Option<MoveId>,
    /// The outgoing connection's queues went ahead.
    pub copied: bool,
    pub hold: Option<Vec<Held>>,
    /// UDP: what the socket has taken since its application stopped to read.
    pub unread: Vec<u8>,
    /// When the socket was frozen.
    pub frozen_at: Option<Duration>,
    pub away: Option<usize>,
    pub fenced: bool,
    pub quiet: bool,
    /// Outlives the node's process.
    pub noted: Option<Note>,
    /// A packet that the kernel has taken but not yet worked on.
    pub backlog: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// How often it has used its port again.
    pub generation: u8,
    /// Bytes that a server acknowledged, which the client has forgotten, or datagrams that were read: a bit each.
    pub acked: u16,
    /// UDP: datagrams sent, each once.
    pub sent: u8,
    /// Those that a network or a dying process has lost, and those that a network has repeated.
    pub lost: u16,
    pub repeated: u16,
    pub reset: bool,
    /// The application closed the connection.
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    Control(Packet),
    /// Type 02: a packet of the client.
    Forwarded(u8),
    /// A packet of the client on the front network.
    Front(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    pub from: usize,
    pub to: usize,
    pub content: Content,
    /// A hash of the others, by which networks sort what is under way: it depends on what the frame has on the wire alone.
    pub print: u64,
}

impl Frame {
    pub fn new(from: usize, to: usize, content: Content) -> Self {
        let print = match &content {
            Content::Control(packet) => print(&(from, to, frame(packet))),
            Content::Forwarded(byte) => print(&(from, to, "forwarded", byte)),
            Content::Front(byte) => print(&(from, to, "front", byte)),
        };
        Frame { from, to, content, print }
    }
}

/// How often each kind of misfortune may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    pub moves: u8,
    pub packets: u8,
    pub loss: u8,
    pub repeat: u8,
    /// Timers that expire while messages are under way: delay.
    pub early: u8,
    pub crash: u8,
    /// Ends of a node's process that the applications' sockets outlive.
    pub restart: u8,
    /// Local work that fails, and moves given up by the application.
    pub fail: u8,
    pub close: u8,
    pub lag: u8,
    pub audit: u8,
    /// Moves whose queues go ahead of the freeze.
    pub ahead: u8,
    /// Control messages ever sent that somebody without the key sends again, at any time, under any address.
    pub attack: u8,
    /// None of them before the port was used again.
    pub late: bool,
    /// Uses of the client's port for a new connection, when the old one is closed and all memory of it has expired.
    pub reuse: u8,
    /// Then all nodes have started again without what they wrote down, and their clocks have been set back.
    pub forget: bool,
    /// Nothing overtakes on its way from one node to another; then no datagram may overtake another one.
    pub ordered: bool,
}

/// What moves, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Tcp,
    Udp,
    /// Between peers of the plain format.
    PlainTcp,
    PlainUdp,
    /// TCP among nodes of which the second speaks the plain format.
    Mixed,
}

impl Kind {
    pub fn is_udp(self) -> bool {
        matches!(self, Kind::Udp | Kind::PlainUdp)
    }

    pub fn is_plain(self) -> bool {
        matches!(self, Kind::PlainTcp | Kind::PlainUdp)
    }

    /// Whether these two nodes speak the plain format with each other.
    pub fn is_plain_between(self, a: usize, b: usize) -> bool {
        self.is_plain() || (self == Kind::Mixed && (a == 1 || b == 1))
    }
}

#[derive(Clone, Debug, Hash)]
pub struct World {
    pub kind: Kind,
    pub flow: Flow,
    pub now: Duration,
    pub nodes: Vec<Node>,
    pub wire: Vec<Frame>,
    /// What an attacker has recorded, by its hash.
    pub heard: BTreeMap<u64, Frame>,
    /// Nothing but recordings can disturb.
    pub calm: bool,
    /// What the real-time clocks show is as much behind the time.
    pub behind: Duration,
    pub client: Client,
    pub left: Budget,
    /// The next local work fails.
    pub failing: bool,
    /// The owner died, so the connection may.
    pub died: bool,
    /// The epoch of a prepared copy that died: if the source, which can't know, commits to it, it was the owner.
    pub dead_copy: Option<u64>,
    /// A rule that was broken.
    pub broken: Option<&'static str>,
}

/// The core of a node in one of its lives.
pub fn core(node: usize, nodes: usize, kind: Kind, life: u8) -> Core {
    Core(Migrator::new(Config {
        back_ip: back(node),
        peers: (0..nodes).filter(|o| *o != node).map(back).collect(),
        plain: (0..nodes).filter(|o| *o != node && kind.is_plain_between(node, *o)).map(|o| peer_of(node, o)).collect(),
        services: vec![Service { address: SERVICE, home: (node != HOME).then(|| peer_of(node, HOME)) }],
        move_bytes: 1 << 20,
        ahead_bytes: 1,
        features: 0,
        secret: Secret::new([node as u8 | life << 4; 32]),
    }))
}

impl World {
    /// `nodes` servers; the connection begins at its home.
    pub fn new(nodes: usize, kind: Kind, left: Budget) -> Self {
        let node = |n| Node {
            core: core(n, nodes, kind, 0),
            life: 0,
            entry: Entry::Miss,
            socket: (n == HOME).then_some(Socket { received: 0, generation: 0, given: false, frozen: false }),
            prepared: None,
            reserved: None,
            outgoing: None,
            copied: false,
            hold: None,
            unread: Vec::new(),
            frozen_at: None,
            away: None,
            fenced: false,
            quiet: false,
            noted: None,
            backlog: None,
        };
        let protocol = if kind.is_udp() { Protocol::Udp } else { Protocol::Tcp };
        World {
            kind,
            flow: Flow { protocol, client: CLIENT, service: SERVICE },
            now: BEGIN,
            nodes: (0..nodes).map(node).collect(),
            wire: Vec::new(),
            heard: BTreeMap::new(),
            calm: (left.loss, left.early, left.crash, left.restart, left.fail, left.lag) == (0, 0, 0, 0, 0, 0)
                && left.packets <= HOLD as u8
                && !kind.is_plain(),
            behind: Duration::ZERO,
            client: Client::default(),
            left,
            failing: false,
            died: false,
            dead_copy: None,
            broken: None,
        }
    }

    pub fn owner(&self) -> Option<usize> {
        let live = self.nodes.iter().position(|n| n.socket.is_some_and(|s| !s.frozen));
        live.or_else(|| self.nodes.iter().position(|n| n.socket.is_some()))
    }

    pub fn rule(&mut self, holds: bool, text: &'static str) {
        if !holds && self.broken.is_none() {
            self.broken = Some(text);
        }
    }

    pub fn is_udp(&self) -> bool {
        self.kind.is_udp()
    }

    /// Nobody can get this datagram any more; of TCP it comes again.
    pub fn lost(&mut self, byte: u8) {
        if self.is_udp() {
            self.client.lost |= 1 << byte;
        }
    }

    pub fn lost_with(&mut self, frame: &Frame) {
        if let Content::Front(byte) | Content::Forwarded(byte) = frame.content {
            self.lost(byte);
        }
    }

    /// The client says something: the byte that is not acknowledged yet, or a new datagram.
    pub fn say(&mut self) -> u8 {
        let byte = if self.is_udp() { self.client.sent } else { self.client.acked.count_ones() as u8 };
        self.client.sent += u8::from(self.is_udp());
        self.put(Frame::new(HOME, HOME, Content::Front(byte)));
        byte
    }

    pub fn put(&mut self, frame: Frame) {
        if self.left.attack > 0 && matches!(frame.content, Content::Control(_)) {
            self.heard.insert(frame.print, frame.clone());
        }
        self.wire.push(frame);
    }

    /// Whether a recorded message passes as one from `from` to `to`: the tag covers both addresses.
    pub fn is_authentic(frame: &Frame, from: usize, to: usize) -> bool {
        (frame.from, frame.to) == (from, to)
    }

    /// A packet of the client has left a card for its host or another card.
    pub fn packet(&mut self, n: usize, from: Option<usize>, byte: u8) {
        // fabric: only what comes from the front network meets the forward entry
        let forward = match self.nodes[n].entry {
            Entry::To(to) if from != Some(to) => Some(to),
            _ => None,
        };
        if let Some(to) = forward {
            self.put(Frame::new(n, to, Content::Forwarded(byte)));
            return;
        }
        let node = &mut self.nodes[n];
        if let Some(hold) = &mut node.hold {
            if hold.len() < HOLD {
                hold.push(Held { byte, from });
                // what came by another node was sent earlier
                hold.sort_by_key(|h| h.from.is_none());
                return;
            }
            let outgoing = node.outgoing;
            self.lost(byte);
            if let Some(id) = outgoing {
                let now = self.now;
                self.nodes[n].core.give_up(id, protocol::Failure::Held, now);
                self.act(n);
            }
        } else if let Some(to) = node.away {
            if from != Some(to) {
                self.put(Frame::new(n, to, Content::Forwarded(byte)));
            } else {
                // it came so late that the flow has gone back; sent back, it could go in circles
                self.lost(byte);
            }
        } else if !node.quiet {
            self.deliver(n, byte);
        } else {
            // a datagram that comes a minute late is nobody's any more
            self.lost(byte);
        }
    }

    /// The kernel gets a packet, at once or later.
    pub fn deliver(&mut self, n: usize, byte: u8) {
        if self.left.lag > 0 && self.nodes[n].backlog.is_none() {
            self.left.lag -= 1;
            self.nodes[n].backlog = Some(byte);
        } else {
            self.kernel(n, byte);
        }
    }

    /// The kernel works on a packet: RFC 9293, 3.10.7, as far as a number can follow it. A datagram is read at once by an
    /// application that has not given its socket away.
    pub fn kernel(&mut self, n: usize, byte: u8) {
        let udp = self.is_udp();
        let node = &mut self.nodes[n];
        let fenced = node.fenced;
        match &mut node.socket {
            Some(socket) if udp && socket.given => node.unread.push(byte),
            Some(_) if udp => self.read(n, byte),
            Some(socket) => {
                if u32::from(byte) == socket.received.count_ones() {
                    socket.received |= 1 << byte;
                }
                if !fenced {
                    self.client.acked |= socket.received;
                }
            }
            // the node keeps the old socket for a while, and sends on what the kernel was late with
            None if fenced && udp => match node.away {
                Some(to) => self.put(Frame::new(n, to, Content::Forwarded(byte))),
                None => self.lost(byte),
            },
            None if fenced => {}
            None => {
                let (closed, died) = (self.client.closed, self.died);
                self.client.reset = true;
                self.rule(closed || died, "the client was reset");
            }
        }
    }

    /// The application at `n` reads a datagram.
    pub fn read(&mut self, n: usize, byte: u8) {
        let Some(socket) = &mut self.nodes[n].socket else { return };
        let (before, bit) = (socket.received, 1 << byte);
        socket.received |= bit;
        self.client.acked |= bit;
        self.rule(before & bit == 0 || self.client.repeated & bit != 0, "a datagram was delivered twice");
        self.rule(!self.left.ordered || before < bit, "a datagram overtook another one");
    }

    /// What must be true in every state.
    pub fn check(&mut self) {
        // a plain peer owns before its acknowledgement comes: what is frozen for it never thaws
        let owns = |s: Socket| !(s.frozen && self.kind.is_plain());
        let owners = self.nodes.iter().filter(|n| n.socket.is_some_and(owns)).count();
        self.rule(owners <= 1, "two owners");
        let moving = |id: MoveId, n| {
            let source = &self.nodes[node_of(n, id.peer)];
            source.outgoing.is_some_and(|o| o.epoch == id.epoch)
        };
        let held = self.nodes.iter().enumerate().any(|(n, x)| x.reserved.is_some_and(|id| !moving(id, n)));
        self.rule(!self.calm || !held, "held for a recording");
        let acked = self.client.acked;
        let behind = self.nodes.iter().any(|n| n.socket.is_some_and(|s| !s.frozen && acked & !s.received != 0));
        let late = self.nodes.iter().any(|n| n.frozen_at.is_some_and(|at| self.now > at + protocol::HOLD + RESTART));
        self.rule(!late, "the client's packets are held for too long");
        self.rule(!behind, "the owner lacks what the client saw acknowledged or an application has read");
    }
}

/// A hash that is the same in each run.
pub fn print(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

//! What an application can ask of its node.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as sync_mpsc};

use ipos::message::Connection;
use ipos_migrate::protocol::{Flow, Protocol};
use ipos_nic::Counters;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::{MoveError, NodeError};
use crate::times::{Departure, Landing};
use crate::wake::Wake;

/// A connection that came from another server: established, live, and owned by the receiver.
#[derive(Debug)]
pub struct Arrival {
    /// The connected socket, non-blocking.
    pub fd: OwnedFd,
    /// The client.
    pub client: SocketAddrV4,
    /// The service that the client talks to.
    pub server: SocketAddrV4,
    /// What the application on the other server gave along.
    pub state: Vec<u8>,
    /// When the move's steps were reached here.
    pub times: Landing,
}

/// What an application has of a connection outside the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Read from the kernel and not consumed: the destination's kernel has it in front of the receive queue.
    pub unread: Vec<u8>,
    /// Not taken by the kernel yet: the destination's kernel has it behind the send queue.
    pub unsent: Vec<u8>,
}

/// A move that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveReport {
    /// Epoch of the move: the number of this ownership.
    pub epoch: u64,
    /// From the hold of the client's packets to the commit, in microseconds.
    pub freeze_us: u64,
    /// Bytes of receive and send queue that travelled.
    pub queue_bytes: usize,
    /// From the request to the commit, in microseconds.
    pub total_us: u64,
    /// Packets of the client that were held and handed over.
    pub held: usize,
    /// When its steps were reached here.
    pub times: Departure,
}

/// A move that failed.
#[derive(Debug, thiserror::Error)]
#[error("the connection did not move: {error}")]
pub struct MoveFailed {
    /// The connection, alive as before; `None` if it had no socket, or the node is gone and the socket with it.
    pub fd: Option<OwnedFd>,
    /// Why.
    pub error: MoveError,
}

/// Declares counters; what documents a field is its meaning for people, too.
macro_rules! counters {
    ($(#[$about:meta])* pub struct $name:ident { $(#[doc = $doc:literal] pub $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        pub struct $name { $(#[doc = $doc] pub $field: $type,)* }

        impl $name {
            /// Names of the counters, and what they count.
            pub const MEANINGS: &[(&str, &str)] = &[$((stringify!($field), $doc.trim_ascii()),)*];
        }
    };
}

counters! {
/// What a node has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct NodeStats {
    /// Connections that moved away.
    pub moved_out: u64,
    /// Connections that moved here.
    pub moved_in: u64,
    /// Moves that this node began and that failed.
    pub failed: u64,
    /// Frames given to the server's kernel.
    pub to_kernel: u64,
    /// Frames taken from the server's kernel and sent.
    pub from_kernel: u64,
    /// Frames held while a connection moved.
    pub held: u64,
    /// Held frames dropped because the bound was reached.
    pub hold_overflow: u64,
    /// Frames of the kernel dropped by an egress fence.
    pub fenced: u64,
    /// Control packets received.
    pub control_in: u64,
    /// Control packets sent.
    pub control_out: u64,
    /// Control packets dropped: malformed, or for one of the reasons that follow.
    pub control_bad: u64,
    /// Control packets not believed: recordings, late ones, or of an earlier life of their sender or of this node.
    pub control_stale: u64,
    /// Control packets of peers without a tag by one of this node's keys: compare `cluster_keys`.
    pub control_unsigned: u64,
    /// Control packets from a MAC address that is no peer's `back_mac`.
    pub control_strangers: u64,
    /// Offers for another `back_ip` than this node's.
    pub control_misaddressed: u64,
    /// Control packets with another EtherType than this node's.
    pub other_ethertype: u64,
    /// Frames of clients that software passed on to the owner of their connection.
    pub passed_on: u64,
    /// Datagrams of clients that came in fragments and were complete.
    pub reassembled: u64,
    /// Fragments of clients that were dropped: overlapping or malformed ones, over the bounds, or without the rest for 30 s.
    pub fragments_dropped: u64,
    /// Frames from the card that are not the kernel's: of another VLAN, on the wrong port, or stray.
    pub ignored: u64,
    /// Connections that were lost between commit and going live.
    pub lost: u64,
    /// Clients that were reset because the owner of their connection had died.
    pub resets: u64,
    /// Frames dropped because the card's transmit queue stayed full.
    pub transmit_full: u64,
    /// Frames dropped because they are longer than the card carries.
    pub unsendable: u64,
    /// Frames lost on the way to the server's kernel, whose interface was down, full, or set to shorter packets.
    pub kernel_lost: u64,
    /// Connections now held for a move.
    pub holding: usize,
    /// Connections of this home that live elsewhere now.
    pub forwarded: usize,
    /// Entries in the card's two tables.
    pub entries: usize,
}
}

/// What an application wants to move.
pub(crate) enum Subject {
    /// A connected socket.
    Socket(OwnedFd),
    /// A UDP flow that has no socket of its own.
    Bare(Flow),
}

impl Subject {
    pub fn fd(self) -> Option<OwnedFd> {
        match self {
            Subject::Socket(fd) => Some(fd),
            Subject::Bare(_) => None,
        }
    }
}

/// What goes to the loop thread.
pub(crate) enum Command {
    Migrate {
        subject: Subject,
        buffers: Buffers,
        state: Vec<u8>,
        target: String,
        reply: oneshot::Sender<Result<MoveReport, MoveFailed>>,
    },
    Keys {
        keys: Vec<[u8; 32]>,
        reply: oneshot::Sender<()>,
    },
    Stats {
        reply: oneshot::Sender<NodeStats>,
    },
    Counters {
        reply: oneshot::Sender<Counters>,
    },
    Connections {
        reply: oneshot::Sender<Vec<Connection>>,
    },
    /// Finds out whether the loop still runs.
    Nothing,
    Shutdown,
}

/// Who takes connections to an address. Shared with the loop rather than sent to it: an offer that is made
/// after [`NodeHandle::listen`] has returned must find the listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners(Arc<Mutex<ByAddress>>);

type ByAddress = HashMap<(Protocol, SocketAddrV4), mpsc::Sender<Arrival>>;

impl Listeners {
    fn locked(&self) -> MutexGuard<'_, ByAddress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, protocol: Protocol, address: SocketAddrV4, arrivals: mpsc::Sender<Arrival>) {
        let mut all = self.locked();
        all.retain(|_, listener| !listener.is_closed());
        all.insert((protocol, address), arrivals);
    }

    /// As the kernel chooses: who listens on the address itself, else who listens on all addresses.
    pub fn get(&self, protocol: Protocol, service: SocketAddrV4) -> Option<mpsc::Sender<Arrival>> {
        let all = self.locked();
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, service.port());
        [service, any].into_iter().filter_map(|a| all.get(&(protocol, a))).find(|l| !l.is_closed()).cloned()
    }
}

/// The loop's end of a handle.
pub(crate) struct Inbox {
    pub commands: sync_mpsc::Receiver<Command>,
    pub wake: Arc<Wake>,
    pub listeners: Listeners,
}

/// What clones of a handle share.
#[derive(Debug)]
struct Line {
    commands: sync_mpsc::Sender<Command>,
    wake: Arc<Wake>,
    listeners: Listeners,
    turns: Semaphore,
}

impl Line {
    fn send(&self, command: Command) -> Result<(), Command> {
        self.commands.send(command).map_err(|e| e.0)?;
        self.wake.ring();
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // a node that has stopped needs no telling
        let _ = self.send(Command::Shutdown);
    }
}

/// A node's handle; clones are the same node. The node stops when it is told to or when the
/// last handle is dropped.
#[derive(Clone, Debug)]
pub struct NodeHandle(Arc<Line>);

/// Moves under way from here; others wait for their turn with their connections alive. All of a crowd at once would stand
/// frozen for as long as the whole crowd takes, which on a busy server is longer than packets may be held.
const MOVES: usize = 64;
/// Arrivals that wait for the application; a further one is refused. A card's tables hold about as many.
const BACKLOG: usize = 4096;

impl NodeHandle {
    /// A handle and the loop's end of it.
    pub(crate) fn new() -> io::Result<(Self, Inbox)> {
        let (commands, inbox) = sync_mpsc::channel();
        let wake = Arc::new(Wake::new()?);
        let listeners = Listeners::default();
        let inbox = Inbox { commands: inbox, wake: wake.clone(), listeners: listeners.clone() };
        let turns = Semaphore::new(MOVES);
        Ok((NodeHandle(Arc::new(Line { commands, wake, listeners, turns })), inbox))
    }

    /// Takes connections to `port` of any address that move here; a second call replaces the first. When the
    /// receiver is dropped, connections to the port are refused.
    pub fn listen(&self, port: u16) -> Result<mpsc::Receiver<Arrival>, NodeError> {
        self.listen_on(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
    }

    /// The same for one address. Who listens on all addresses (0.0.0.0) gets what goes to those that nobody listens on.
    pub fn listen_on(&self, address: SocketAddrV4) -> Result<mpsc::Receiver<Arrival>, NodeError> {
        self.take(Protocol::Tcp, address)
    }

    /// The same for UDP: arrivals are sockets connected to their client. A socket here that serves the whole port must have
    /// set `SO_REUSEADDR`.
    pub fn listen_udp(&self, port: u16) -> Result<mpsc::Receiver<Arrival>, NodeError> {
        self.take(Protocol::Udp, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
    }

    /// Whether somebody takes connections to a TCP port, of whichever address, that move here.
    #[must_use]
    pub fn listens(&self, port: u16) -> bool {
        let all = self.0.listeners.locked();
        let takes = |(key, listener): (&(Protocol, SocketAddrV4), &mpsc::Sender<Arrival>)| {
            key.0 == Protocol::Tcp && key.1.port() == port && !listener.is_closed()
        };
        all.iter().any(takes)
    }

    fn take(&self, protocol: Protocol, address: SocketAddrV4) -> Result<mpsc::Receiver<Arrival>, NodeError> {
        let (arrivals, receiver) = mpsc::channel(BACKLOG);
        self.0.listeners.insert(protocol, address, arrivals);
        // nobody takes connections for a node that has stopped
        self.0.send(Command::Nothing).map_err(|_| NodeError::Stopped)?;
        Ok(receiver)
    }

    /// Moves a connection, with what the application knows about it, to the peer `target`. `fd` is a TCP socket or a
    /// connected UDP socket. The caller must have stopped reading and writing it, and `fd` must be its last descriptor.
    pub async fn migrate(&self, fd: OwnedFd, state: Vec<u8>, target: &str) -> Result<MoveReport, MoveFailed> {
        self.migrate_with(fd, Buffers::default(), state, target).await
    }

    /// [`migrate`](NodeHandle::migrate) with what the application has read ahead or not written yet. When the
    /// connection does not move, these bytes are still the application's.
    pub async fn migrate_with(
        &self,
        fd: OwnedFd,
        buffers: Buffers,
        state: Vec<u8>,
        target: &str,
    ) -> Result<MoveReport, MoveFailed> {
        self.start(Subject::Socket(fd), buffers, state, target).await
    }

    /// Moves what one client says to one UDP service, where that has no socket of its own here: its datagrams so far were read
    /// from a socket that serves all clients. There is a socket for it where it arrives.
    pub async fn migrate_udp(
        &self,
        client: SocketAddrV4,
        service: SocketAddrV4,
        state: Vec<u8>,
        target: &str,
    ) -> Result<MoveReport, MoveError> {
        let flow = Flow { protocol: Protocol::Udp, client, service };
        self.start(Subject::Bare(flow), Buffers::default(), state, target).await.map_err(|failed| failed.error)
    }

    async fn start(
        &self,
        subject: Subject,
        buffers: Buffers,
        state: Vec<u8>,
        target: &str,
    ) -> Result<MoveReport, MoveFailed> {
        let (reply, answer) = oneshot::channel();
        let stopped = |fd| MoveFailed { fd, error: MoveError::Stopped };
        let Ok(_turn) = self.0.turns.acquire().await else { return Err(stopped(subject.fd())) };
        match self.0.send(Command::Migrate { subject, buffers, state, target: target.to_owned(), reply }) {
            Ok(()) => {}
            Err(Command::Migrate { subject, .. }) => return Err(stopped(subject.fd())),
            Err(_) => return Err(stopped(None)),
        }
        answer.await.unwrap_or(Err(stopped(None)))
    }

    /// Replaces the cluster's keys from now on: the first signs, each is accepted. A key is changed without a refused packet in
    /// three rounds over all nodes: old and new, new and old, new alone. Without keys it is refused.
    pub async fn set_keys(&self, keys: Vec<[u8; 32]>) -> Result<(), NodeError> {
        if keys.is_empty() {
            return Err(NodeError::NoKeys);
        }
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Keys { keys, reply }).map_err(|_| NodeError::Stopped)?;
        answer.await.map_err(|_| NodeError::Stopped)
    }

    /// Counters of the node.
    pub async fn stats(&self) -> Result<NodeStats, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Stats { reply }).map_err(|_| NodeError::Stopped)?;
        answer.await.map_err(|_| NodeError::Stopped)
    }

    /// The connections that moved here, live at a peer, or are moving.
    pub async fn connections(&self) -> Result<Vec<Connection>, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Connections { reply }).map_err(|_| NodeError::Stopped)?;
        answer.await.map_err(|_| NodeError::Stopped)
    }

    /// Counters of the card.
    pub async fn counters(&self) -> Result<Counters, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Counters { reply }).map_err(|_| NodeError::Stopped)?;
        answer.await.map_err(|_| NodeError::Stopped)
    }

    /// Stops the node: moves that have not committed are given up, their connections returned.
    /// The tables of the card stay as they are.
    pub fn shutdown(&self) {
        self.0.turns.close();
        // a node that has stopped needs no telling
        let _ = self.0.send(Command::Shutdown);
    }
}

//! What an application can ask of its node.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc as sync_mpsc};

use ipos_control::message::Connection;
use ipos_holder::Keeper;
use ipos_migrate::protocol::{Flow, Protocol};
use ipos_nic::Counters;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::command::{Command, Departing, Inbox, Listeners, Subject};
use crate::error::{MoveError, NodeError};
use crate::keep::{Given, Reclaimed};
use crate::report::{Arrival, Buffers, MoveFailed, Moved};
use crate::stats::NodeStats;
use crate::wake::Wake;

/// What clones of a handle share.
#[derive(Debug)]
struct Line {
    commands: sync_mpsc::Sender<Command>,
    wake: Arc<Wake>,
    listeners: Listeners,
    turns: Semaphore,
    keeper: Option<Keeper>,
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
    pub(crate) fn new(keeper: Option<Keeper>) -> io::Result<(Self, Inbox)> {
        let (commands, inbox) = sync_mpsc::channel();
        let wake = Arc::new(Wake::new()?);
        let listeners = Listeners::default();
        let inbox = Inbox { commands: inbox, wake: wake.clone(), listeners: listeners.clone() };
        let turns = Semaphore::new(MOVES);
        Ok((NodeHandle(Arc::new(Line { commands, wake, listeners, turns, keeper })), inbox))
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
    /// connected UDP socket. The caller must have stopped reading and writing it; any other descriptor of it is dead after the move.
    /// At most 64 moves are under way; others wait for their turn. A future that is dropped while it waits closes the socket.
    pub async fn migrate(&self, fd: OwnedFd, state: Vec<u8>, target: &str) -> Result<Moved, MoveFailed> {
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
    ) -> Result<Moved, MoveFailed> {
        self.migrate_given((fd, None), buffers, state, target).await
    }

    /// The same with a socket that the holder keeps, too.
    pub(crate) async fn migrate_given(
        &self,
        (fd, given): (OwnedFd, Option<Given>),
        buffers: Buffers,
        state: Vec<u8>,
        target: &str,
    ) -> Result<Moved, MoveFailed> {
        self.start(Subject::Socket(fd), given, buffers, state, target).await
    }

    /// Has the holder keep a socket that an application gives for a move, by its process (a pidfd) and user.
    pub(crate) fn keep(&self, socket: &OwnedFd, process: Option<&OwnedFd>, user: u32) -> Option<Given> {
        Given::new(self.0.keeper.as_ref()?, socket, process, user)
    }

    /// What became of a connection that was given to an earlier life of the node.
    pub(crate) async fn reclaim(&self, flow: Flow, cookie: u64, user: u32) -> Reclaimed {
        let (reply, answer) = oneshot::channel();
        match self.0.send(Command::Reclaim { flow, cookie, user, reply }) {
            Ok(()) => answer.await.unwrap_or(Reclaimed::Unknown),
            Err(_) => Reclaimed::Unknown,
        }
    }

    /// Moves what one client says to one UDP service, where that has no socket of its own here: its datagrams so far were read
    /// from a socket that serves all clients. There is a socket for it where it arrives.
    pub async fn migrate_udp(
        &self,
        client: SocketAddrV4,
        service: SocketAddrV4,
        state: Vec<u8>,
        target: &str,
    ) -> Result<Moved, MoveError> {
        let flow = Flow { protocol: Protocol::Udp, client, service };
        self.start(Subject::Bare(flow), None, Buffers::default(), state, target).await.map_err(|failed| failed.error)
    }

    async fn start(
        &self,
        subject: Subject,
        given: Option<Given>,
        buffers: Buffers,
        state: Vec<u8>,
        target: &str,
    ) -> Result<Moved, MoveFailed> {
        let (reply, answer) = oneshot::channel();
        let stopped = |fd| MoveFailed { fd, error: MoveError::Stopped, given: None };
        let Ok(_turn) = self.0.turns.acquire().await else { return Err(stopped(subject.fd())) };
        let departing = Departing { subject, buffers, state, target: target.to_owned(), given, reply };
        match self.0.send(Command::Migrate(Box::new(departing))) {
            Ok(()) => {}
            Err(Command::Migrate(departing)) => return Err(stopped(departing.subject.fd())),
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

//! A TCP connection of an application.

mod buffer;
pub(crate) mod migration;
mod read_write;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use ipos_control::message::{BUFFER_BYTES, STATE_BYTES};
use ipos_control::{Client, drain_target};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use buffer::Buffer;

/// What a listener and its streams share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub client: Client,
    /// Carries moves on when nobody waits for them.
    pub runtime: Handle,
    /// Streams whose move failed with nobody waiting.
    pub returned: mpsc::UnboundedSender<Stream>,
    /// Drain target, empty if any peer will do; `None` until a drain starts.
    pub drain_target: watch::Sender<Option<String>>,
    /// Set when nothing is to arrive any more.
    pub unlisten: watch::Sender<bool>,
    /// Number of streams, those on their way out included.
    pub live: watch::Sender<usize>,
}

impl Shared {
    /// Waits until a drain starts: its target.
    pub fn leaving(&self) -> impl Future<Output = String> + Send + use<> {
        let mut target = self.drain_target.subscribe();
        async move { drain_target(&mut target).await }
    }
}

/// Where a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A client has just connected.
    Accepted,
    /// It moved here from another server.
    Arrived,
    /// Its move failed when nobody waited for the outcome any more.
    Returned,
}

/// What a stream has beside its socket.
#[derive(Debug)]
struct Rest {
    origin: Origin,
    client: SocketAddrV4,
    server: SocketAddrV4,
    state: Vec<u8>,
    unread: Buffer,
    unsent: Buffer,
    live: Live,
}

/// A TCP connection that can move to another server with what its application knows about it.
///
/// Reads and writes like any tokio stream. As [`AsyncBufRead`](tokio::io::AsyncBufRead) it keeps what it has read and nobody has consumed, and
/// takes it along. What another buffer has read must be put back with [`unread`](Stream::unread) before a move, and what
/// it has not written yet be given to [`unsent`](Stream::unsent).
///
/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Stream {
    io: AsyncFd<TcpStream>,
    rest: Box<Rest>,
}

/// Counts as long as it exists.
#[derive(Debug)]
struct Live(Arc<Shared>);

impl Live {
    fn new(shared: Arc<Shared>) -> Self {
        shared.live.send_modify(|n| *n += 1);
        Live(shared)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.send_modify(|n| *n -= 1);
    }
}

impl Stream {
    /// Longest application state of a move, in bytes.
    pub const STATE_BYTES: usize = STATE_BYTES;
    /// Longest buffer of a move in the application's memory, in bytes, each way.
    pub const BUFFER_BYTES: usize = BUFFER_BYTES;

    /// Needs the runtime's context.
    pub(crate) fn new(
        socket: TcpStream,
        origin: Origin,
        (client, server): (SocketAddrV4, SocketAddrV4),
        state: Vec<u8>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let (unread, unsent, live) = (Buffer::default(), Buffer::default(), Live::new(shared));
        let rest = Box::new(Rest { origin, client, server, state, unread, unsent, live });
        Self::from_parts(socket, rest)
    }

    pub(crate) fn accepted(socket: TcpStream, client: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let (SocketAddr::V4(client), SocketAddr::V4(server)) = (client, socket.local_addr()?) else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "only IPv4 connections can move"));
        };
        Self::new(socket, Origin::Accepted, (client, server), Vec::new(), shared)
    }

    fn from_parts(socket: TcpStream, rest: Box<Rest>) -> io::Result<Self> {
        // SAFETY: a TcpStream's descriptor stays open and the same until it is dropped; it leaves by `into_inner` alone.
        Ok(Stream { io: unsafe { AsyncFd::register(socket) }?, rest })
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.rest.live.0
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.rest.origin
    }

    /// What the application gave to [`migrate`](Stream::migrate), on the other server or, after a move that failed
    /// with nobody waiting, on this one. Empty when the client has just connected.
    #[must_use]
    pub fn state(&self) -> &[u8] {
        &self.rest.state
    }

    /// The client's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddrV4 {
        self.rest.client
    }

    /// The address that the client talks to, the same on each server.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddrV4 {
        self.rest.server
    }

    /// Sends small writes at once (`TCP_NODELAY`). The setting moves along.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(on)
    }

    /// Puts bytes back that were read last and not consumed: the next read begins with them, here or on the other
    /// server, where the kernel has them in its receive queue again. At most [`BUFFER_BYTES`](Stream::BUFFER_BYTES) at
    /// the time of a move.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.rest.unread.prepend(bytes);
    }

    /// Takes over bytes that a write buffer of the application still holds: they go out before whatever is written
    /// next, at the next write, flush or move. At most [`BUFFER_BYTES`](Stream::BUFFER_BYTES) at the time of a move.
    pub fn unsent(&mut self, bytes: &[u8]) {
        self.rest.unsent.append(bytes);
    }

    /// Waits until the server is to be emptied; the name of the peer that connections are to go to, empty if any
    /// will do. Both are for [`migrate`](Stream::migrate). The future does not borrow the stream, so it can wait beside
    /// a read.
    pub fn leaving(&self) -> impl Future<Output = String> + Send + use<> {
        self.shared().leaving()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

//! A TCP connection of an application.

use std::future::Future;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::Buffer;
use crate::migration::Migration;
use crate::shared::Shared;

/// Bytes that [`AsyncBufRead`] takes from the kernel at once.
const CHUNK: usize = 8 << 10;

/// Where a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client has just connected.
    Accepted,
    /// It moved here from another server.
    Arrived,
    /// Its move failed when nobody waited for the outcome any more.
    Returned,
}

/// What is not the socket.
#[derive(Debug)]
pub(crate) struct Rest {
    pub origin: Origin,
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
    pub state: Vec<u8>,
    pub unread: Buffer,
    pub unsent: Buffer,
    live: Live,
}

/// A TCP connection that can move to another server with what its application knows about it.
///
/// Reads and writes like any tokio stream. As [`AsyncBufRead`] it keeps what it has read and nobody has consumed, and
/// takes it along. What another buffer has read must be put back with [`unread`](Stream::unread) before a move, and what
/// it has not written yet be given to [`unsent`](Stream::unsent).
///
/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Stream {
    pub(crate) io: AsyncFd<TcpStream>,
    pub(crate) rest: Box<Rest>,
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

    pub(crate) fn from_parts(socket: TcpStream, rest: Box<Rest>) -> io::Result<Self> {
        // SAFETY: a TcpStream's descriptor stays open and the same until it is dropped; it leaves by `into_inner` alone.
        Ok(Stream { io: unsafe { AsyncFd::register(socket) }?, rest })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.rest.shared()
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
    /// server, where the kernel has them in its receive queue again. At most
    /// [`BUFFER_BYTES`](crate::message::BUFFER_BYTES) at the time of a move.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.rest.unread.prepend(bytes);
    }

    /// Takes over bytes that a write buffer of the application still holds: they go out before whatever is written
    /// next, at the next write, flush or move. At most [`BUFFER_BYTES`](crate::message::BUFFER_BYTES) at the time of a move.
    pub fn unsent(&mut self, bytes: &[u8]) {
        self.rest.unsent.append(bytes);
    }

    /// Waits until the server is to be emptied; the name of the peer that connections are to go to, empty if any
    /// will do. Both are for [`migrate`](Stream::migrate). The future does not borrow the stream, so it can wait beside
    /// a read.
    pub fn leaving(&self) -> impl Future<Output = String> + Send + use<> {
        self.shared().leaving()
    }

    /// Moves the connection to the peer `target` (empty: any that takes it). The application there gets the stream from
    /// its listener, with `state`, at most [`STATE_BYTES`](crate::message::STATE_BYTES).
    ///
    /// The move begins at once, polled or not. The future is its outcome: dropped, it detaches, the move goes on, and
    /// should it fail, the stream comes back through the listener, with `state` and [`Origin::Returned`]; without a
    /// listener it is closed.
    ///
    /// No other descriptor of the socket may be left, such as one made by `try_clone` of its [`AsFd`].
    pub fn migrate(self, target: &str, state: impl Into<Vec<u8>>) -> Migration {
        Migration::begin(self, target.to_owned(), state.into())
    }

    /// Writes what [`unsent`](Stream::unsent) has taken over.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.unsent.is_empty() {
            let written = ready!(poll_write(&self.io, cx, self.rest.unsent.rest()))?;
            self.rest.unsent.consume(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Rest {
    pub fn shared(&self) -> &Arc<Shared> {
        &self.live.0
    }
}

/// Reads into memory that need not be initialised, and only as much of it as there are bytes.
fn poll_read(io: &AsyncFd<TcpStream>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    loop {
        let mut guard = ready!(io.poll_read_ready(cx))?;
        // SAFETY: nothing but bytes that the kernel has read is written there.
        let room = unsafe { into.unfilled_mut() };
        match guard.try_io(|io| Ok(rustix::net::recv(io.get_ref(), room, RecvFlags::empty())?.1)) {
            Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
            Ok(Ok(read)) => {
                // SAFETY: the kernel has written so many.
                unsafe { into.assume_init(read) };
                into.advance(read);
                return Poll::Ready(Ok(()));
            }
            Ok(Err(e)) => return Poll::Ready(Err(e)),
            // not ready after all
            Err(_) => {}
        }
    }
}

fn poll_write(io: &AsyncFd<TcpStream>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        let mut guard = ready!(io.poll_write_ready(cx))?;
        match guard.try_io(|io| io.get_ref().write(bytes)) {
            Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
            Ok(result) => return Poll::Ready(result),
            Err(_) => {}
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if this.rest.unread.is_empty() {
            return poll_read(&this.io, cx, buf);
        }
        let bytes = this.rest.unread.rest();
        let read = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..read]);
        this.rest.unread.consume(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Stream { io, rest } = self.get_mut();
        if rest.unread.is_empty() {
            let mut space = ReadBuf::new(rest.unread.space(CHUNK));
            let read = poll_read(io, cx, &mut space);
            let length = space.filled().len();
            rest.unread.filled(length);
            ready!(read)?;
        }
        Poll::Ready(Ok(rest.unread.rest()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.rest.unread.consume(amount);
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        poll_write(&self.io, cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_unsent(cx)
    }

    /// Ends the stream to the client (FIN). Such a connection can't move any more.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        match self.io.get_ref().shutdown(Shutdown::Write) {
            // the client has ended it meanwhile
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

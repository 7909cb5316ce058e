//! Reading and writing a stream.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// Bytes that [`AsyncBufRead`] takes from the kernel at once.
const CHUNK: usize = 8 << 10;

impl Stream {
    /// Writes what [`unsent`](Stream::unsent) has taken over.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.unsent.is_empty() {
            let written = ready!(poll_write(&self.io, cx, self.rest.unsent.rest()))?;
            self.rest.unsent.consume(written);
        }
        Poll::Ready(Ok(()))
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

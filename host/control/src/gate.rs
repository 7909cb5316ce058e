//! The node's end of its socket.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use ipos_socket::{ListenError, Listening};
use rustix::net::{SocketFlags, SocketType};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::channel::{Channel, register};

/// Conversations that wait to be taken, as `listen(2)` counts them.
const BACKLOG: i32 = 1024;

/// The listening socket of a node.
#[derive(Debug)]
pub struct Gate {
    // dropped in this order
    _path: Listening,
    fd: AsyncFd<OwnedFd>,
}

impl Gate {
    /// Makes the socket at `path` with the permissions `mode`, in place of one that a dead node left. Needs a tokio
    /// runtime.
    pub fn bind(path: &Path, mode: u32) -> Result<Self, ListenError> {
        let (fd, listening) = ipos_socket::take(path, SocketType::SEQPACKET, mode, BACKLOG)?;
        let fd = register(fd).map_err(|cause| ListenError::Io { path: path.to_owned(), cause })?;
        Ok(Gate { _path: listening, fd })
    }

    /// The next conversation. After an error, such as for want of descriptors, it still waits to be taken.
    pub async fn accept(&self) -> io::Result<Channel> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accept = |fd: &OwnedFd| Ok(rustix::net::accept_with(fd, flags)?);
        Channel::new(self.fd.async_io(Interest::READABLE, accept).await?)
    }
}

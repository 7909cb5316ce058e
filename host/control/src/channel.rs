//! The Unix socket between applications and node, as both ends see it: packets of one message with at most one
//! descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::message::{MESSAGE_BYTES, MessageError, decode, encode};

/// Pause between attempts to connect while the node's backlog is full, and their number.
const PATIENCE: (Duration, u32) = (Duration::from_millis(2), 2500);
/// Descriptors in one packet at most (`SCM_MAX_FD`): with room for all, none is lost unseen.
const MOST_DESCRIPTORS: usize = 253;

/// Why a conversation can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The other side has ended it.
    #[error("the other side has ended the conversation")]
    Ended,
    /// The socket failed.
    #[error("the Unix socket: {0}")]
    Io(io::Error),
    /// What came is no message; or what was to be sent is too long.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl From<io::Error> for ChannelError {
    fn from(e: io::Error) -> Self {
        ChannelError::Io(e)
    }
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

pub(crate) fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd stays open and the same until it is dropped, and nothing here takes it out.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

/// One end of a conversation.
#[derive(Debug)]
pub struct Channel(AsyncFd<OwnedFd>);

impl Channel {
    /// Begins a conversation with the node that listens at `path`.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let (fd, address) = (socket()?, SocketAddrUnix::new(path)?);
        let (pause, tries) = PATIENCE;
        let mut left = tries;
        // a non-blocking connect does not wait for a place in the backlog (unix(7))
        while let Err(e) = rustix::net::connect(&fd, &address) {
            if e != rustix::io::Errno::AGAIN || left == 0 {
                return Err(e.into());
            }
            left -= 1;
            tokio::time::sleep(pause).await;
        }
        Self::new(fd)
    }

    /// Takes a connected, non-blocking `SOCK_SEQPACKET` socket.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Channel(register(fd)?))
    }

    /// User that the process on the other side ran as when it connected.
    pub fn peer_user(&self) -> io::Result<u32> {
        Ok(sockopt::socket_peercred(self.0.get_ref())?.uid.as_raw())
    }

    /// The process that connected, as a descriptor that is readable once it has ended (a pidfd).
    pub fn peer_process(&self) -> io::Result<OwnedFd> {
        let peer = sockopt::socket_peercred(self.0.get_ref())?.pid;
        Ok(rustix::process::pidfd_open(peer, rustix::process::PidfdFlags::empty())?)
    }

    /// Sends a message, waiting for room. Dropping the future before it is ready sends nothing.
    pub async fn send<M: Serialize>(
        &self,
        message: &M,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), ChannelError> {
        self.send_packet(&encode(message)?, descriptor).await
    }

    /// [`send`](Channel::send) of what may be no message.
    pub async fn send_packet(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<(), ChannelError> {
        let descriptors = descriptor.as_slice();
        let send = |fd: &OwnedFd| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(descriptors));
            }
            let sent = rustix::net::sendmsg(fd, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
            Ok(sent)
        };
        match self.0.async_io(Interest::WRITABLE, send).await {
            Ok(_) => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                Err(ChannelError::Ended)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Sends a message and takes the next one. A side that ends the conversation may have said why without having read all.
    pub async fn ask<M: Serialize, A: DeserializeOwned>(
        &self,
        message: &M,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(A, Option<OwnedFd>), ChannelError> {
        match self.send(message, descriptor).await {
            Ok(()) | Err(ChannelError::Ended) => self.receive().await,
            Err(e) => Err(e),
        }
    }

    /// Takes the next message with the descriptor that came along; [`ChannelError::Ended`] if none follows. Dropping
    /// the future before it is ready takes nothing. After a [`ChannelError::Message`] the conversation can go on.
    pub async fn receive<M: DeserializeOwned>(&self) -> Result<(M, Option<OwnedFd>), ChannelError> {
        let mut received = self.0.async_io(Interest::READABLE, |fd| Ok(packet(fd)?)).await;
        if matches!(&received, Err(e) if e.kind() == io::ErrorKind::ConnectionReset) {
            // the other side has gone without reading everything; what it said before that follows the error
            received = packet(self.0.get_ref()).map_err(io::Error::from);
        }
        let Packet { bytes, length, mut descriptors, cut } = match received {
            Ok(packet) => packet,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Err(ChannelError::Ended),
            Err(e) => return Err(e.into()),
        };
        if length == 0 {
            return Err(ChannelError::Ended);
        }
        if length > MESSAGE_BYTES {
            return Err(MessageError::Long(length).into());
        }
        if cut {
            return Err(MessageError::NoRoom.into());
        }
        let message = decode(&bytes)?;
        if descriptors.len() > 1 {
            return Err(MessageError::Descriptors { found: descriptors.len(), expected: 1 }.into());
        }
        Ok((message, descriptors.pop()))
    }
}

/// One packet.
struct Packet {
    /// What of it may be a message.
    bytes: Vec<u8>,
    /// Its real length.
    length: usize,
    descriptors: Vec<OwnedFd>,
    /// More descriptors came than found room (`MSG_CTRUNC`).
    cut: bool,
}

fn packet(fd: &OwnedFd) -> rustix::io::Result<Packet> {
    let (_, length) = rustix::net::recv(fd, &mut [0u8; 0][..], RecvFlags::PEEK | RecvFlags::TRUNC)?;
    let mut bytes = vec![0; length.min(MESSAGE_BYTES)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::TRUNC;
    let received = rustix::net::recvmsg(fd, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let cut = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(Packet { bytes, length: received.bytes.max(length), descriptors, cut })
}

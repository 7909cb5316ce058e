//! Packets with descriptors on a Unix socket.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socket_with,
};

use crate::message::{DESCRIPTORS, HEADER_BYTES, Header, NOTE_BYTES};

/// Descriptors in one packet at most (`SCM_MAX_FD`): with room for all, none is lost unseen.
const MOST_DESCRIPTORS: usize = 253;
/// How long a side may keep the other one from sending what can't be left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether to wait for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    No,
    /// [`PATIENCE`] at most.
    Yes,
}

impl Wait {
    fn flags(self) -> SendFlags {
        if self == Wait::No { SendFlags::NOSIGNAL | SendFlags::DONTWAIT } else { SendFlags::NOSIGNAL }
    }
}

/// A blocking socket whose calls end after [`PATIENCE`].
pub(crate) fn socket() -> rustix::io::Result<OwnedFd> {
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    patient(&fd)?;
    Ok(fd)
}

pub(crate) fn patient(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_timeout(fd, Timeout::Send, Some(PATIENCE))?;
    sockopt::set_socket_timeout(fd, Timeout::Recv, Some(PATIENCE))
}

/// Sends a message.
pub(crate) fn send(
    fd: &OwnedFd,
    header: Header,
    note: &[u8],
    descriptors: &[BorrowedFd<'_>],
    wait: Wait,
) -> rustix::io::Result<()> {
    let header = Header { descriptors: descriptors.len() as u8, ..header }.bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    loop {
        let parts = [IoSlice::new(&header), IoSlice::new(note)];
        match sendmsg(fd, &parts, &mut control, wait.flags()) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Where a packet is received: as long as the longest message and one byte more, so that a longer one shows.
#[derive(Debug)]
pub(crate) struct Space(Box<[u8; HEADER_BYTES + NOTE_BYTES + 1]>);

impl Default for Space {
    fn default() -> Self {
        Space(Box::new([0; HEADER_BYTES + NOTE_BYTES + 1]))
    }
}

/// What came.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    Message {
        header: Header,
        note: &'a [u8],
        descriptors: Vec<OwnedFd>,
    },
    /// No message, or not with the descriptors that it tells of.
    Bad {
        cut: bool,
    },
    /// Nobody is there any more.
    End,
}

/// Takes the next packet. [`Errno::AGAIN`]: there is none yet.
pub(crate) fn receive<'a>(fd: &OwnedFd, space: &'a mut Space, wait: Wait) -> rustix::io::Result<Received<'a>> {
    let mut control = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut control);
    let flags = RecvFlags::CMSG_CLOEXEC | if wait == Wait::No { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
    let mut reset = false;
    let received = loop {
        match recvmsg(fd, &mut [IoSliceMut::new(&mut space.0[..])], &mut control, flags) {
            Err(Errno::INTR) => {}
            // the other side has gone without reading everything; what it said before follows the error
            Err(Errno::CONNRESET) if !reset => reset = true,
            Err(Errno::CONNRESET) => return Ok(Received::End),
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(Received::End);
    }
    let cut = received.flags.contains(ReturnFlags::CTRUNC);
    match Header::read(&space.0[..received.bytes]) {
        Some((header, note)) if usize::from(header.descriptors) == descriptors.len() && !cut => {
            Ok(Received::Message { header, note, descriptors })
        }
        Some(_) => Ok(Received::Bad { cut: true }),
        None => Ok(Received::Bad { cut }),
    }
}

/// What a message is sent with.
pub(crate) fn borrowed(descriptors: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    descriptors.iter().map(AsFd::as_fd).collect()
}

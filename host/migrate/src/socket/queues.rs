//! The queues of a socket as they are read: what a copy and a freeze have in common.

use std::io;
use std::os::fd::BorrowedFd;

use ipos_abi::wire::tcb::State;

use super::error::{FreezeError, What};
use super::sys::{self, RepairQueue, TcpInfo};

/// Memory for the receive and the send queue, made before the connection stands still.
pub type Room = [Vec<u8>; 2];

/// What a [`copy`](super::copy()) has of the queues: how many bytes of each, and where they lie. A later freeze reads the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of the receive queue, from its beginning.
    pub receive: usize,
    /// Bytes of the send queue, all that it had.
    pub send: usize,
    pub(super) copied_seq: u32,
    pub(super) write_seq: u32,
}

pub(super) fn state(info: &TcpInfo) -> Result<State, FreezeError> {
    [State::Established, State::CloseWait]
        .into_iter()
        .find(|s| *s as u8 == info.state)
        .ok_or(FreezeError::State(info.state))
}

/// A queue's end (the sequence number after its last byte) and its bytes, in `bytes` if they have room there.
pub(super) fn peek(
    fd: BorrowedFd<'_>,
    queue: RepairQueue,
    length: usize,
    mut bytes: Vec<u8>,
) -> Result<(u32, Vec<u8>), FreezeError> {
    sys::select(fd, queue).reading("TCP_REPAIR_QUEUE")?;
    let end: u32 = sys::get_tcp(fd, libc::TCP_QUEUE_SEQ).reading("TCP_QUEUE_SEQ")?;
    if length == 0 {
        return Ok((end, Vec::new()));
    }
    // one byte more than expected shows a queue that grew
    bytes.reserve(length + 1);
    // with an offset the peek would begin there, and move it; before Linux 6.9 TCP has none
    let offset: i32 = sys::get(fd, libc::SOL_SOCKET, libc::SO_PEEK_OFF).unwrap_or(-1);
    let peek_from = |offset: i32| sys::set(fd, libc::SOL_SOCKET, libc::SO_PEEK_OFF, &offset).reading("SO_PEEK_OFF");
    if offset >= 0 {
        peek_from(-1)?;
    }
    let received = sys::receive(fd, &mut bytes, libc::MSG_PEEK | libc::MSG_DONTWAIT);
    if offset >= 0 {
        peek_from(offset)?;
    }
    match received {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
        Err(cause) => return Err(FreezeError::Io { what: "a queue", cause }),
    }
    Ok((end, bytes))
}

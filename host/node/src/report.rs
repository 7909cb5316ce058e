//! What an application gives to a move and gets from it.

use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;

use crate::error::MoveError;
use crate::times::{Departure, Landing};

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

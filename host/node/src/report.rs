//! What an application gives to a move and gets from it.

use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;

use ipos_control::message::MoveReport;
use ipos_holder::Kept;

use crate::error::MoveError;
use crate::keep::Given;
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
    /// The holder keeps it, too, for as long as this is here: the application does not have it yet.
    pub(crate) _kept: Option<Kept>,
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
pub struct Moved {
    /// What its application is told.
    pub report: MoveReport,
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
    /// The holder keeps `fd`, too, for as long as this is here.
    pub(crate) given: Option<Given>,
}

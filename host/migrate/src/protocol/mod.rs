//! The vocabulary of a move: who, which, what is said, what is done.
//!
//! The core is I/O-free. Its inputs are messages, the results of local work and the time; its
//! outputs are [`Action`]s, in the order in which they must be carried out.

mod action;
mod failure;
mod limits;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bytes::Bytes;
use ipos_abi::table::FlowKey;
pub use ipos_abi::table::Protocol;
pub use ipos_abi::wire::ext::{Ownership, Reason, Stream, features};
use ipos_abi::wire::options::Options;
pub use ipos_abi::wire::tcb::Repr as Tcb;
pub use ipos_abi::wire::trailer::Nonces;

pub use crate::streams::Streams;
pub(crate) use action::Actions;
pub use action::{Action, Ignored};
pub use failure::{Failure, StartError};
pub use limits::*;

/// Time since any fixed moment. The core only compares and adds.
pub type Time = Duration;

/// A peer, by its place in [`Config::peers`](crate::Config).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub usize);

/// A move: who is on the other end, whose connection, which epoch. The epoch alone is unique at
/// the node that began the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MoveId {
    /// The other node.
    pub peer: PeerId,
    /// The client.
    pub client: SocketAddrV4,
    /// The number of the ownership that the move creates.
    pub epoch: u64,
}

/// A connection as packets from the client carry it: of TCP, or the datagrams of one client and one service of UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The client.
    pub client: SocketAddrV4,
    /// The service that the client talks to, wherever it lives.
    pub service: SocketAddrV4,
}

impl Flow {
    /// The card's key for this flow.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey {
            protocol: self.protocol,
            src_ip: self.client.ip().octets(),
            src_port: self.client.port(),
            dst_ip: self.service.ip().octets(),
            dst_port: self.service.port(),
        }
    }
}

/// What the new owner builds a socket from, beside the streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// The control block, and what it has no room for.
    Tcp(Box<Tcb>, Box<Options>),
    /// Addresses are all that there is of a UDP endpoint. The offer's lengths are those of its streams.
    Udp,
}

impl Endpoint {
    /// Whether no streams belong to it.
    pub(crate) fn is_bare(&self) -> bool {
        match self {
            Endpoint::Tcp(tcb, _) => {
                tcb.receive_queue_len() == 0 && tcb.send_queue_len() == 0 && tcb.application_len == 0
            }
            Endpoint::Udp => true,
        }
    }
}

/// What nodes tell each other. Protocol, client, epoch, service and nonces travel beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// 0x80: will you take this connection? Lengths in bytes, before freezing: estimates, but for UDP.
    Offer {
        /// Lengths of the three streams.
        lengths: Streams<u32>,
        /// What the source can do: [`features`].
        features: u16,
    },
    /// 0x88: yes. Nothing has changed there yet.
    Ready {
        /// What both can do.
        features: u16,
    },
    /// 0x81: no.
    Refuse {
        /// Why.
        reason: Reason,
        /// The last epoch that is known of the flow; zero: none.
        known: u64,
    },
    /// 0x01: the endpoint, a control block with epoch and digest; received, it may be one that can't be read.
    Connection(Result<Endpoint, Reason>),
    /// 0x84: a piece of a stream. Without bytes it answers 88: from now on what arrives for the flow is held there.
    Data {
        /// Which stream.
        stream: Stream,
        /// Where in it.
        offset: u32,
        /// At most [`DATA`] bytes.
        bytes: Bytes,
    },
    /// 0x85: how far the streams have come without a gap, and how many frames may be under way.
    Progress {
        /// Bytes per stream.
        contiguous: Streams<u32>,
        /// Frames.
        credit: u16,
    },
    /// 0x03: the socket is complete and silent.
    Acknowledge,
    /// 0x83: forget it.
    Cancel,
    /// 0x86: you own it; as the answer: I do, and it is live.
    Commit {
        /// It is the answer.
        answer: bool,
    },
    /// 0x87: to the home, the connection lives elsewhere now; as the answer: noted.
    Moved {
        /// Back-side address of its owner.
        owner: Ipv4Addr,
        /// The last epoch that the sender knows.
        known: u64,
        /// It is the answer.
        answer: bool,
    },
    /// 0x82: to the home, the connection is gone; as the answer: noted.
    Release {
        /// It is the answer.
        answer: bool,
    },
    /// 0x89: who owns it? A destination in doubt asks its source as [`Ownership::Prepared`] and gets a
    /// commit or a cancel; a home that does not know asks as [`Ownership::Unknown`] and gets an answer.
    Query {
        /// What the sender is to the connection.
        state: Ownership,
        /// Back-side address of the owner, as far as known.
        owner: Ipv4Addr,
        /// Epoch of that knowledge.
        known: u64,
        /// It is the answer.
        answer: bool,
    },
}

impl Message {
    /// What is said of a flow is not said of a move, though the numbers may be the same.
    pub(crate) fn is_of_flow(&self) -> bool {
        match self {
            Message::Moved { .. } | Message::Release { .. } | Message::Query { answer: true, .. } => true,
            Message::Query { state, .. } => *state != Ownership::Prepared,
            _ => false,
        }
    }

    /// The epoch that it tells beside its own; zero: none.
    pub(crate) fn known(&self) -> u64 {
        match self {
            Message::Refuse { known, .. } | Message::Moved { known, .. } | Message::Query { known, .. } => *known,
            _ => 0,
        }
    }
}

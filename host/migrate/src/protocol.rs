//! The vocabulary of a move: who, which, what is said, what is done.
//!
//! The core is I/O-free. Its inputs are messages, the results of local work and the time; its
//! outputs are [`Action`]s, in the order in which they must be carried out.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bytes::Bytes;
use ipos_abi::table::FlowKey;
pub use ipos_abi::table::Protocol;
use ipos_abi::wire::ext::MAX_DATA;
pub use ipos_abi::wire::ext::{Ownership, Reason, Stream, features};
use ipos_abi::wire::options::Options;
pub use ipos_abi::wire::tcb::Repr as Tcb;
pub use ipos_abi::wire::trailer::Nonces;

pub use crate::streams::Streams;

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
    /// The epoch that it tells beside its own; zero: none.
    pub(crate) fn known(&self) -> u64 {
        match self {
            Message::Refuse { known, .. } | Message::Moved { known, .. } | Message::Query { known, .. } => *known,
            _ => 0,
        }
    }
}

/// Why a move failed at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The destination said no.
    #[error("the destination refused: {}", .0.name())]
    Refused(Reason),
    /// The destination did not answer.
    #[error("the destination did not answer {0}{hint}", hint = hint(.0))]
    Silent(&'static str),
    /// The client's packets could not be held any longer.
    #[error("the move took longer than the client's packets may be held")]
    Held,
    /// Something at the source; the shell that reported it knows more.
    #[error("the source gave it up")]
    Local,
    /// The peer speaks the plain format.
    #[error("the peer speaks the plain format, which carries neither queues nor state")]
    Plain,
    /// It was committed, but the destination never confirmed; the connection is the destination's.
    #[error("the destination took the connection but never confirmed that it is live")]
    Unconfirmed,
    /// It was committed, but the destination has lost it: it restarted, or was in doubt for too long.
    #[error("the destination lost the connection after it had been handed over")]
    Lost,
}

/// A node that can't use what comes drops it: what to look at.
fn hint(what: &str) -> &'static str {
    if what != "the offer" {
        return "";
    }
    ": does its node run? If so its log and `ipos node stats` there tell what it drops; compare cluster_keys, ethertype, and \
     back_mac and back_ip of both nodes in both configurations"
}

/// What the shell must do. Actions that ask for an answer name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a message to the other node of `id`.
    Send {
        /// The move; its peer is the receiver.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// The owner to be, on the back-side network: the destination of the ipOS header.
        owner: SocketAddrV4,
        /// That it is no recording.
        nonces: Nonces,
        /// What to say.
        message: Message,
    },
    /// Source: the move goes on under another epoch, since the destination knows a later one than it had.
    Renew {
        /// As it was.
        old: MoveId,
        /// As it is.
        new: MoveId,
    },
    /// Source: read what the queues have now, while the connection lives on. Answered by
    /// [`copied`](crate::Migrator::copied).
    Copy(MoveId),
    /// Source: hold the client's packets, drain the receive path, freeze the socket. Answered by
    /// [`frozen`](crate::Migrator::frozen) or [`give_up`](crate::Migrator::give_up).
    Freeze(MoveId),
    /// Source: install the forward entry, close the socket silently, pass on what was held.
    /// Answered by [`handed_over`](crate::Migrator::handed_over) or [`give_up`](crate::Migrator::give_up); a peer of the plain
    /// format owns already, so nothing can be given up: if the entry can't be installed, the shell passes packets on itself.
    HandOver(MoveId),
    /// Source: the destination is live.
    Done(MoveId),
    /// Source: thaw the socket if it is frozen, deliver what was held, tell the application.
    /// After [`Failure::Unconfirmed`] and [`Failure::Lost`] there is nothing left to thaw.
    Failed(MoveId, Failure),
    /// Destination: is there a listener, are there resources, is the flow unknown to the kernel? Nothing may change yet: the offer
    /// may be a recording. Answered by [`asked`](crate::Migrator::asked).
    Ask {
        /// The move.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// Estimated lengths of the streams.
        lengths: Streams<u32>,
    },
    /// Destination: the source means it. Take the resources, hold what arrives for the flow. Answered by [`reserved`](crate::Migrator::reserved).
    Reserve {
        /// The move.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// Estimated lengths of the streams.
        lengths: Streams<u32>,
    },
    /// Destination: build the socket, silently. Answered by [`prepared`](crate::Migrator::prepared).
    Prepare {
        /// The move.
        id: MoveId,
        /// The connection.
        flow: Flow,
        /// What it is to be built from.
        endpoint: Endpoint,
        /// Its streams.
        streams: Streams<Vec<u8>>,
    },
    /// Destination: make the socket speak, deliver what was held, hand it to the application.
    GoLive(MoveId),
    /// Destination: drop what was reserved or prepared; put back what was there before.
    Abandon(MoveId),
    /// Home: packets of the flow go to `to` from now on.
    Repoint {
        /// The connection.
        flow: Flow,
        /// Its owner.
        to: PeerId,
    },
    /// The flow has ended or lives far away; remove its forward entry and keep quiet about stray segments.
    Forget(Flow),
    /// The flow's owner died with it; remove its forward entry, so that the kernel resets the client.
    Lost(Flow),
    /// A message was not believed.
    Ignored {
        /// Its sender.
        peer: PeerId,
        /// Why.
        why: Ignored,
    },
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// It does not repeat the nonce that it should: a recording, or of an earlier life of its sender.
    Nonce,
    /// Its epoch is beyond [`EPOCHS`].
    Epoch,
    /// It names an owner that is neither this node nor its sender.
    Owner,
}

/// Epochs are below this: no clock comes here, and the next one can always be made.
pub const EPOCHS: u64 = 1 << 63;

/// Bytes of stream in one data message, so that it fits into 1,500 with all headers.
pub const DATA: usize = MAX_DATA;
/// Frames that may be under way before the first progress report.
pub const CREDIT: u16 = 64;
/// Frames that may be under way after that: half as many again fit into the control queue of a node.
pub const GRANT: u16 = 160;
/// First wait for an answer; it doubles up to [`RETRY_MAX`].
pub const RETRY: Duration = Duration::from_millis(100);
/// Longest wait between two tries.
pub const RETRY_MAX: Duration = Duration::from_secs(1);
/// Tries of a message that the move can do without.
pub const TRIES: u32 = 8;
/// Tries of a commit, about a minute: nobody else can take the connection.
pub const COMMIT_TRIES: u32 = 64;
/// Longest time from freeze to commit: a client's patience, not the protocol's.
pub const HOLD: Duration = Duration::from_secs(2);
/// Longest time that is taken to send ahead what the queues have, before the freeze: what is left then goes after it.
pub const AHEAD: Duration = Duration::from_secs(2);
/// Offers of one move under later epochs, because the destination knows more than the source.
pub const RENEWALS: u8 = 4;
/// A destination forgets an offer that nothing follows, and remembers how a move ended.
pub const LINGER: Duration = Duration::from_secs(10);
/// Questions of a destination in doubt, less than two minutes; then it drops what was prepared. The source
/// remembers a commit for longer than that: [`COMMIT_TRIES`] and [`KNOWN`].
pub const DOUBT_TRIES: u32 = 100;
/// How long it is remembered where a connection went, or that it ended, after it has left.
pub const KNOWN: Duration = Duration::from_secs(60);

/// A timer with backoff and a bound.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Retry {
    pub at: Time,
    wait: Duration,
    tries: u32,
}

impl Retry {
    pub fn start(now: Time) -> Self {
        Retry { at: now + RETRY, wait: RETRY, tries: 1 }
    }

    /// Whether it is due; then it is set again, and `Err` says that `limit` tries have been made.
    pub fn due(&mut self, now: Time, limit: u32) -> Result<bool, ()> {
        if now < self.at {
            return Ok(false);
        }
        if self.tries >= limit {
            return Err(());
        }
        self.tries += 1;
        self.wait = (self.wait * 2).min(RETRY_MAX);
        self.at = now + self.wait;
        Ok(true)
    }
}

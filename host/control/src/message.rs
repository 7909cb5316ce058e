//! What applications and their node tell each other.
//!
//! A socket that is handed over is never the only one until the receiver has said that it has it: a process that is out of
//! descriptors gets a message without its descriptor (`MSG_CTRUNC`), and the sender keeps its own for another time. A move:
//! `Migrate` with the socket, [`Reply::Taken`], the application closes its own and says [`Request::Closed`], the move,
//! [`Reply::Moved`] or [`Reply::Stayed`] with the socket, [`Request::Taken`]. An arrival: [`Reply::Arrived`] with the
//! socket, [`Request::Taken`]. After a node's death its next life has, with a holder, what had been taken: [`Request::Reclaim`]. Who could not take a socket says [`Request::Again`] once it may.
//!
//! A conversation is one `SOCK_SEQPACKET` connection to the node's Unix socket, one message a packet, descriptors by
//! `SCM_RIGHTS`. The application asks, the node answers, one request after the other; after [`Request::Listen`] the
//! conversation belongs to that listener. Whoever is gone has ended it, and with it what it asked for.
//!
//! A message is the version, one byte, and the enum in the postcard format (<https://postcard.jamesmunns.com>). Anything
//! else is a [`MessageError`].

use std::net::SocketAddrV4;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// First byte of each message.
pub const VERSION: u8 = 2;
/// Longest application state of a move, in bytes.
pub const STATE_BYTES: usize = 64 << 10;
/// Longest user-space buffer of a move, in bytes, each way.
pub const BUFFER_BYTES: usize = 64 << 10;
/// Longest message. Below Linux's default socket buffer (`wmem_default`), which bounds a packet.
pub const MESSAGE_BYTES: usize = STATE_BYTES + 2 * BUFFER_BYTES + 4096;
/// Connections in one [`Reply::Connections`].
pub const CONNECTIONS: usize = 1024;

/// What an application asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Connections that move here to the address on which a socket listens are this conversation's. With that socket, which
    /// shows that the address is the application's; the node does not keep it. Of several, the latest has them.
    Listen {
        /// Its TCP port.
        port: u16,
    },
    /// No more of them; those under way still come, then [`Reply::Unlistened`].
    Unlisten,
    /// All streams of this listener are gone.
    Drained,
    /// Move a connection. With its socket.
    Migrate {
        /// Name of the peer; empty: any that takes it.
        target: String,
        /// What the application there gets to know.
        state: Vec<u8>,
        /// Read from the kernel, not consumed: goes in front of the receive queue.
        unread: Vec<u8>,
        /// Not taken by the kernel yet: goes behind the send queue.
        unsent: Vec<u8>,
    },
    /// Who is this node?
    Info,
    /// What has it counted?
    Stats,
    /// Which connections does it treat specially?
    Connections,
    /// Move all streams of all listeners to `target` (empty: any peer), take no more.
    Drain {
        /// Name of a peer, or empty.
        target: String,
        /// How long to wait for the listeners, in seconds.
        seconds: u32,
    },
    /// To [`Reply::Taken`]: the application has no descriptor of the socket any more.
    Closed,
    /// To [`Reply::Arrived`], and to [`Reply::Stayed`] with a socket: the application has it.
    Taken,
    /// To the same: there was no descriptor left for it. Send it again.
    Again,
    /// To a node that was started again: what became of a connection whose move its earlier life had [taken](Reply::Taken).
    /// Answered by [`Reply::Stayed`].
    Reclaim {
        /// The client.
        client: SocketAddrV4,
        /// The service that it talks to.
        server: SocketAddrV4,
        /// The kernel's number of the socket (`SO_COOKIE`).
        cookie: u64,
    },
}

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Listen`]. And later, when it had been [`Reply::Replaced`]: what arrives is this listener's again.
    Listening,
    /// To a listener: a connection that moved here, with its socket.
    Arrived {
        /// The client.
        client: SocketAddrV4,
        /// The service that it talks to.
        server: SocketAddrV4,
        /// What the application there gave along.
        state: Vec<u8>,
    },
    /// To a listener: this server is to be emptied.
    Drain {
        /// Name of a peer, or empty: any.
        target: String,
    },
    /// To [`Request::Unlisten`]: nothing arrives any more.
    Unlistened,
    /// To [`Request::Migrate`]: it is the other server's now.
    Moved(MoveReport),
    /// To [`Request::Migrate`]: it did not move. After [`Reply::Taken`] with its socket, unless that is lost.
    Stayed(Refusal),
    /// To [`Request::Info`].
    Info(NodeInfo),
    /// To [`Request::Stats`]: names and values; those of the card are `PORT.NAME`.
    Stats(Vec<(String, u64)>),
    /// To [`Request::Connections`]: some of them.
    Connections {
        /// At most [`CONNECTIONS`].
        connections: Vec<Connection>,
        /// Another of these messages follows.
        more: bool,
    },
    /// To [`Request::Drain`]: how many listeners still had streams when the time was over.
    Drained {
        /// Listeners.
        left: u64,
    },
    /// The request is refused.
    Refused(Refusal),
    /// To [`Request::Migrate`]: the node has the socket.
    Taken,
    /// To a listener: another process of its user, or root's, listens on its address and has what arrives.
    Replaced,
}

/// A move that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveReport {
    /// Number of the ownership that the move created.
    pub epoch: u64,
    /// From the hold of the client's packets to the commit, in microseconds.
    pub freeze_us: u64,
    /// Bytes of receive and send queue that travelled, user-space buffers included.
    pub queue_bytes: u64,
    /// From the node's receipt of the request to the commit, in microseconds.
    pub total_us: u64,
    /// Packets of the client that were held and handed over.
    pub held: u64,
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Names of its peers: the targets of a move.
    pub peers: Vec<String>,
}

/// A connection that a node treats specially.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The client.
    pub client: SocketAddrV4,
    /// The service that it talks to.
    pub service: SocketAddrV4,
    /// Where it lives.
    pub place: Place,
}

/// Where a connection lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Place {
    /// Here; it came from another server.
    Here,
    /// At a peer, by its name.
    At(String),
    /// On its way: the client's packets are held.
    Moving,
}

/// Why a packet on the node's socket is not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Longer than any message.
    #[error("{0} bytes; a message has at most {MESSAGE_BYTES}")]
    Long(usize),
    /// Another version of these messages.
    #[error("version {found} of the node's messages; this side speaks {VERSION}: update the older one")]
    Version {
        /// What the other side speaks.
        found: u8,
    },
    /// Not a message.
    #[error("malformed: {0}")]
    Malformed(postcard::Error),
    /// A message and then something.
    #[error("{0} bytes behind the message")]
    Trailing(usize),
    /// Another number of descriptors than the message comes with.
    #[error("{found} descriptors; this message comes with {expected}")]
    Descriptors {
        /// Descriptors that came.
        found: usize,
        /// Descriptors that belong to it.
        expected: usize,
    },
    /// The descriptor that came with it found no room in this process.
    #[error(
        "a descriptor came, and this process may not have another one: raise the limit of its open files (`ulimit -n`)"
    )]
    NoRoom,
}

/// A message as a packet.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, MessageError> {
    let bytes = postcard::to_extend(message, vec![VERSION]).map_err(MessageError::Malformed)?;
    if bytes.len() > MESSAGE_BYTES { Err(MessageError::Long(bytes.len())) } else { Ok(bytes) }
}

/// A packet as a message.
pub fn decode<M: DeserializeOwned>(packet: &[u8]) -> Result<M, MessageError> {
    let (version, body) =
        packet.split_first().ok_or(MessageError::Malformed(postcard::Error::DeserializeUnexpectedEnd))?;
    if *version != VERSION {
        return Err(MessageError::Version { found: *version });
    }
    let (message, rest) = postcard::take_from_bytes(body).map_err(MessageError::Malformed)?;
    if rest.is_empty() { Ok(message) } else { Err(MessageError::Trailing(rest.len())) }
}

//! Why a node did not do what it was asked to.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

/// Why a node refused. A connection that was to move is as it was before, except after [`Refusal::Lost`] and
/// [`Refusal::Unconfirmed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// What it got is no request.
    #[error("the node did not understand: {0}")]
    Malformed(String),
    /// A request that does not belong there.
    #[error("the node did not expect {0} here")]
    OutOfPlace(String),
    /// Only root and the node's own user may.
    #[error("only root and the user that the node runs as may ask for a {0}")]
    NotPermitted(String),
    /// The socket that came with the request does not listen on the port.
    #[error("the socket is not one that listens on TCP port {0} in the node's network namespace")]
    NotListening(u16),
    /// No such target.
    #[error("no peer is called {asked:?}; the node knows {known:?}")]
    UnknownPeer {
        /// The name asked for, or how it begins.
        asked: String,
        /// The names it could have been.
        known: Vec<String>,
    },
    /// Something is longer than a move carries.
    #[error("{length} bytes of {what}; a move carries at most {limit}")]
    TooLong {
        /// What.
        what: String,
        /// Its length in bytes.
        length: u64,
        /// Bytes that a move carries.
        limit: u64,
    },
    /// The connection is of a kind that can't move.
    #[error("the connection can't move: {detail}")]
    Unmovable {
        /// The kind.
        kind: Unmovable,
        /// In words.
        detail: String,
    },
    /// A card is full.
    #[error("no room: {0}")]
    NoRoom(String),
    /// The destination said no.
    #[error("the destination refused: {0}")]
    Destination(String),
    /// The destination said nothing, or not in time.
    #[error("the move was given up: {0}")]
    GivenUp(String),
    /// The destination took the connection but never confirmed that it is live.
    #[error("the destination took the connection but never confirmed that it is live")]
    Unconfirmed,
    /// The connection is gone.
    #[error("the connection is lost: {0}")]
    Lost(String),
    /// The node is stopping.
    #[error("the node has stopped; start it again")]
    Stopped,
    /// A server of another user has what moves to this address.
    #[error("another user's server takes the connections to {0} that move here")]
    Held(SocketAddrV4),
    /// There are too many conversations with the node.
    #[error("this user, or all users, have as many conversations with the node as it allows; try again")]
    Crowded,
    /// A socket came without finding room in the node's process; the application has it still.
    #[error("the node has no descriptor left to take a socket; try again, or raise the limit of its open files")]
    NoDescriptors,
    /// The application did not ask anything, or did not take an answer.
    #[error("the node waited {0} s and ended the conversation")]
    Silent(u64),
}

/// Kinds of connections that can't move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unmovable {
    /// Not TCP over IPv4, or not connected.
    NotTcp,
    /// Of another network namespace than the node's.
    Elsewhere,
    /// Neither ESTABLISHED nor CLOSE_WAIT.
    State,
    /// Urgent data is pending or read in line.
    Urgent,
    /// Multipath TCP.
    Mptcp,
    /// A protocol above TCP in the kernel, such as kernel TLS.
    UpperLayer,
    /// TCP MD5 or TCP-AO.
    Signed,
    /// A process still reads or writes it.
    Changing,
    /// To an address that the cluster does not serve.
    UnknownService,
    /// It is moving already.
    Moving,
    /// The node lacks a privilege, or the kernel failed.
    System,
    /// With a socket option that neither travels nor can be left behind.
    Option,
    /// Its server's firewall changes its addresses.
    Translated,
}

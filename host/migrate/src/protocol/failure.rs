//! Why a move does not begin, or fails.

use std::net::SocketAddrV4;

use ipos_abi::wire::ext::Reason;

/// Why a move could not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The connection is to an address that the cluster does not serve.
    #[error("{0} is not a service of this cluster: configure it and its home on all nodes")]
    UnknownService(SocketAddrV4),
    /// The connection is already moving.
    #[error("the connection is already moving")]
    Busy,
    /// The plain format can't carry it.
    #[error(
        "the peer, or the home of the service, speaks the plain format: only a connection without queues and state moves, and only \
         once"
    )]
    Plain,
    /// All epochs are used up: some node's clock or journal is wrong by millennia.
    #[error(
        "the connection's epoch can't be counted up any more: a clock or a journal of the cluster is wrong by millennia"
    )]
    Epoch,
    /// Too much data.
    #[error("{length} bytes of queues and state; a move carries at most {limit}")]
    TooLong {
        /// Bytes to carry.
        length: usize,
        /// Bytes that a move carries.
        limit: usize,
    },
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

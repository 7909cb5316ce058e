//! Why a socket could not be frozen or rebuilt.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::OwnedFd;

/// Why a socket could not be frozen.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// Neither a TCP nor a UDP socket over IPv4, or not connected.
    #[error("not a connected TCP or UDP socket over IPv4: {0}")]
    NotConnected(&'static str),
    /// Neither ESTABLISHED nor CLOSE_WAIT.
    #[error("TCP state {0} (linux/tcp_states.h) can't move; only ESTABLISHED (1) and CLOSE_WAIT (8) can")]
    State(u8),
    /// Urgent data is pending, or would be told in line.
    #[error("urgent data is pending or read in line (SO_OOBINLINE): it can't be carried over")]
    Urgent,
    /// Multipath TCP.
    #[error("the socket is MPTCP; only single-path TCP can move")]
    Mptcp,
    /// An upper-layer protocol in the kernel, such as kernel TLS.
    #[error("the kernel runs {0:?} on the socket (TCP_ULP); its state can't be carried over")]
    Ulp(String),
    /// TCP MD5 (RFC 2385) or TCP-AO (RFC 5925).
    #[error("the socket signs its segments by {0}; keys don't move")]
    Signed(&'static str),
    /// The firewall of this server gives the connection other addresses on the wire.
    #[error(
        "the connection is translated here: this server's firewall changes its addresses (NAT), which no other server would do"
    )]
    Translated,
    /// An option that can neither be carried nor done without.
    #[error("the socket has {0}, which does not move; take it off before")]
    Option(&'static str),
    /// Repair mode refused.
    #[error("TCP_REPAIR was refused: {0}; CAP_NET_ADMIN over the network namespace is needed")]
    Repair(io::Error),
    /// The socket kept changing.
    #[error("the socket changed during each of {0} readings: is a process still reading or writing it?")]
    Moving(u32),
    /// A call failed.
    #[error("reading {what}: {cause}")]
    Io {
        /// What was read.
        what: &'static str,
        /// The error.
        cause: io::Error,
    },
}

/// A freeze that failed, with the socket as it was before.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct FreezeFailed {
    /// The socket, out of repair mode.
    pub fd: OwnedFd,
    /// Why.
    pub error: FreezeError,
}

/// Why a socket could not be rebuilt. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The control block contradicts itself or the queues.
    #[error("the TCP control block is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// The service's address is not one of this server's.
    #[error(
        "{0} is not an address of this server: `ip addr add {0}/32 dev lo`, with arp_ignore 1 so that its home alone answers for it"
    )]
    NoAddress(Ipv4Addr),
    /// The connection left, but not with its last descriptor.
    #[error(
        "a socket of the connection is still open here: a second descriptor, of its application or of a child of that, outlived \
         its move away; close it"
    )]
    StillOpen,
    /// The port of a UDP service is not shared.
    #[error("the port of {0} is taken by a socket that has not set SO_REUSEADDR")]
    PortTaken(SocketAddrV4),
    /// A queue does not fit into the buffer that this process may ask for.
    #[error(
        "the {queue} queue of {length} bytes does not fit into a buffer of {limit} bytes; raise net.core.{sysctl} \
         or run the node with CAP_NET_ADMIN in the initial user namespace"
    )]
    Buffer {
        /// `send` or `receive`.
        queue: &'static str,
        /// Bytes in the queue.
        length: usize,
        /// Bytes of buffer that were granted.
        limit: usize,
        /// The setting that bounds it.
        sysctl: &'static str,
    },
    /// A call failed.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried, with a hint.
        what: &'static str,
        /// The error.
        cause: io::Error,
    },
}

impl RestoreError {
    /// Why a socket that is bound to a service's address was not connected to a client.
    pub(super) fn unconnected(service: Option<SocketAddrV4>, what: &'static str, cause: io::Error) -> Self {
        // bound with IP_FREEBIND, it shows only now that the address is not here
        let missing = |ip| UdpSocket::bind((ip, 0)).is_err_and(|e| e.kind() == io::ErrorKind::AddrNotAvailable);
        match service {
            Some(service) if missing(*service.ip()) => RestoreError::NoAddress(*service.ip()),
            // the kernel has a connection of these four numbers
            _ if cause.kind() == io::ErrorKind::AddrNotAvailable => RestoreError::StillOpen,
            _ => RestoreError::Io { what, cause },
        }
    }
}

/// Attaches to an I/O error what was tried.
pub(super) trait What<T> {
    fn reading(self, what: &'static str) -> Result<T, FreezeError>;
    fn doing(self, what: &'static str) -> Result<T, RestoreError>;
}

impl<T> What<T> for io::Result<T> {
    fn reading(self, what: &'static str) -> Result<T, FreezeError> {
        self.map_err(|cause| FreezeError::Io { what, cause })
    }

    fn doing(self, what: &'static str) -> Result<T, RestoreError> {
        self.map_err(|cause| RestoreError::Io { what, cause })
    }
}

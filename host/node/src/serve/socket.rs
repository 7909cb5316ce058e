//! What a descriptor from another process is.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use nix::libc;
use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, sockopt_impl};
use rustix::net::{ipproto, sockopt};

sockopt_impl!(
    /// Number of a socket's network namespace (Linux 5.14).
    NetnsCookie,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_NETNS_COOKIE,
    u64
);

sockopt_impl!(
    /// Index of the interface that a socket hears alone, 0 without one (Linux 5.0).
    BoundInterface,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_BINDTOIFINDEX,
    i32
);

/// The network namespace of the calling thread.
pub(super) fn own_namespace() -> io::Result<u64> {
    Ok(getsockopt(&UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?, NetnsCookie)?)
}

/// Whether it is a socket of that namespace. In another one the same addresses would be another connection.
pub(super) fn is_of(fd: &OwnedFd, namespace: u64) -> bool {
    getsockopt(fd, NetnsCookie) == Ok(namespace)
}

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub address: SocketAddrV4,
    /// No other socket has it until the system is started again.
    pub cookie: u64,
    /// Who made it: of all sockets that listen on one address, `SO_REUSEPORT` or not, the kernel lets all be one user's.
    pub owner: u32,
}

/// What it listens on, if it does so for TCP in that namespace, on all interfaces: on different ones the kernel lets different
/// users listen on one address.
pub(super) fn listens(fd: &OwnedFd, namespace: u64) -> Option<Shown> {
    let listens = sockopt::socket_acceptconn(fd) == Ok(true)
        // one for MPTCP yields plain connections too
        && matches!(sockopt::socket_protocol(fd), Ok(Some(ipproto::TCP | ipproto::MPTCP)))
        && getsockopt(fd, BoundInterface) == Ok(0)
        && is_of(fd, namespace);
    if !listens {
        return None;
    }
    Some(Shown {
        address: SocketAddrV4::try_from(rustix::net::getsockname(fd).ok()?).ok()?,
        cookie: sockopt::socket_cookie(fd).ok()?,
        owner: rustix::fs::fstat(fd.as_fd()).ok()?.st_uid,
    })
}

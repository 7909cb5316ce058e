//! What a descriptor from another process is.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::OwnedFd;

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

/// The network namespace of the calling thread.
pub(super) fn own_namespace() -> io::Result<u64> {
    Ok(getsockopt(&UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?, NetnsCookie)?)
}

/// Whether it is a socket of that namespace. In another one the same addresses would be another connection.
pub(super) fn is_of(fd: &OwnedFd, namespace: u64) -> bool {
    getsockopt(fd, NetnsCookie) == Ok(namespace)
}

/// Whether it listens on a TCP port of that namespace.
pub(super) fn listens(fd: &OwnedFd, port: u16, namespace: u64) -> bool {
    let bound = rustix::net::getsockname(fd).ok().and_then(|a| SocketAddrV4::try_from(a).ok());
    bound.is_some_and(|a| a.port() == port)
        && sockopt::socket_acceptconn(fd) == Ok(true)
        // one for MPTCP yields plain connections too
        && matches!(sockopt::socket_protocol(fd), Ok(Some(ipproto::TCP | ipproto::MPTCP)))
        && is_of(fd, namespace)
}

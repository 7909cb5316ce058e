//! What the tests of the wires share.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::offload::ifreq;
use crate::{Wire, checked};

/// Brings an interface of this thread's namespace up or down, without IPv6 so that the kernel
/// sends nothing of its own.
pub(crate) fn set_up(interface: &str, up: bool) -> io::Result<()> {
    let v6 = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    match std::fs::write(v6, "1") {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let socket = UdpSocket::bind("127.0.0.1:0").or_else(|_| UdpSocket::bind("0.0.0.0:0"))?;
    let mut request = ifreq(interface)?;
    request.ifr_ifru.ifru_flags = if up { libc::IFF_UP as libc::c_short } else { 0 };
    // SAFETY: `request` names the interface and outlives the call.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) }).map(drop)
}

/// Waits until the wire's descriptor is readable.
pub(crate) fn wait(wire: &dyn Wire, ms: i32) -> bool {
    let mut p = libc::pollfd { fd: wire.fd().unwrap().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that lives through the call.
    unsafe { libc::poll(&raw mut p, 1, ms) == 1 }
}

/// The next frame is `want`, within a second.
pub(crate) fn expect(wire: &mut dyn Wire, want: &[u8]) {
    let end = Instant::now() + Duration::from_secs(1);
    let mut frame = Vec::new();
    while Instant::now() < end {
        if wait(wire, 100) && wire.receive(&mut frame).unwrap() {
            assert_eq!(frame, want);
            return;
        }
    }
    panic!("nothing arrived within a second");
}

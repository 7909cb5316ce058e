//! Makes an interface hand over finished frames.
//!
//! A veth pair passes frames on as the sending stack left them: checksums not yet computed and
//! several segments in one. A wire must see what a real one would carry, so the *sending* end
//! needs its offloads off.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use ipos_device::Mtu;

use crate::{checked, context};

/// `ETHTOOL_S*` commands of linux/ethtool.h that take a 0/1 value. Checksum comes first: without
/// it the kernel drops scatter-gather and segmentation on its own where they depend on it.
const COMMANDS: [(u32, &str); 6] = [
    (0x17, "transmit checksum"),
    (0x15, "receive checksum"),
    (0x19, "scatter-gather"),
    (0x1f, "TCP segmentation"),
    (0x24, "generic segmentation"),
    (0x2c, "generic receive"),
];

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Turns off checksum, segmentation and receive offloads of an interface of the calling
/// thread's network namespace. An offload that the interface doesn't have is off already.
pub fn disable(interface: &str) -> io::Result<()> {
    switch(interface, false)
}

/// Turns them on, as they are on an interface that nobody has prepared.
pub fn enable(interface: &str) -> io::Result<()> {
    switch(interface, true)
}

fn switch(interface: &str, on: bool) -> io::Result<()> {
    let socket = control()?;
    let mut request = ifreq(interface)?;
    for (command, name) in COMMANDS {
        let mut value = Value { command, data: on.into() };
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: `request` names the interface and points at `value`; both outlive the call.
        match checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) }) {
            Ok(_) => {}
            Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            Err(e) => {
                let way = if on { "on" } else { "off" };
                return Err(context(format_args!("turning {way} {name} offload of {interface}"), &e));
            }
        }
    }
    Ok(())
}

/// The MTU of an interface of the network namespace that `socket` was made in.
pub(crate) fn mtu(socket: &OwnedFd, interface: &str) -> Option<Mtu> {
    let mut request = ifreq(interface).ok()?;
    // SAFETY: `request` names the interface and outlives the call.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) }).ok()?;
    // SAFETY: the kernel has just filled in this member of the union.
    let bytes = unsafe { request.ifr_ifru.ifru_mtu };
    Some(Mtu { interface: interface.to_owned(), bytes: usize::try_from(bytes).ok()? })
}

/// A socket for requests about interfaces of the calling thread's network namespace.
pub(crate) fn control() -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the result is checked.
    let fd = checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: a descriptor that was just opened and that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A request that names `interface`, all else zero.
pub(crate) fn ifreq(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is a plain C structure; all zero is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if interface.is_empty() || interface.len() >= request.ifr_name.len() || interface.bytes().any(|b| b == 0) {
        let text = format!("{interface:?} is no interface name: it takes 1 to {} bytes", request.ifr_name.len() - 1);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused() {
        for name in ["", "an-interface-name-too-long", "a\0b"] {
            assert_eq!(disable(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        assert!(disable("nonesuch").unwrap_err().to_string().contains("nonesuch"));
    }
}

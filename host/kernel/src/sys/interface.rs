//! What ioctls say of an interface (netdevice(7), `include/uapi/linux/ethtool.h`).

use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;

const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const SIOCETHTOOL: libc::c_ulong = 0x8946;

/// An interface of the calling thread's network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Index.
    pub index: u32,
    /// Address.
    pub mac: [u8; 6],
    /// MTU.
    pub mtu: u32,
    /// Large receive offload is on.
    pub lro: bool,
    /// Generic receive offload is on.
    pub gro: bool,
}

impl Interface {
    /// Asks for all of it.
    pub fn find(name: &str) -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = super::owned(fd);
        // SAFETY: `ifreq` is a plain C structure; all zero is a valid value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if name.is_empty() || name.len() >= request.ifr_name.len() {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        let mut ask = |what: libc::c_ulong| {
            // SAFETY: `request` is an `ifreq` that names the interface and outlives the call.
            let r: c_int = unsafe { libc::ioctl(socket.as_raw_fd(), what as _, &raw mut request) };
            if r < 0 { Err(io::Error::last_os_error()) } else { Ok(request.ifr_ifru) }
        };
        // SAFETY: SIOCGIFINDEX has filled in this member.
        let index = unsafe { ask(libc::SIOCGIFINDEX as _)?.ifru_ifindex } as u32;
        // SAFETY: SIOCGIFMTU has filled in this member.
        let mtu = unsafe { ask(libc::SIOCGIFMTU as _)?.ifru_mtu } as u32;
        // SAFETY: SIOCGIFHWADDR has filled in this member.
        let address = unsafe { ask(libc::SIOCGIFHWADDR as _)?.ifru_hwaddr.sa_data };
        let mut feature = |command: u32| {
            let mut value = [command, 0];
            request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
            // SAFETY: SIOCETHTOOL reads and writes the two words that `ifru_data` points at.
            let r = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
            if r < 0 { 0 } else { value[1] } // a driver without the question has not got the offload
        };
        let (flags, gro) = (feature(ETHTOOL_GFLAGS), feature(ETHTOOL_GGRO));
        let mac = std::array::from_fn(|i| address[i] as u8);
        Ok(Interface { index, mac, mtu, lro: flags & 1 << 15 != 0, gro: gro != 0 })
    }
}

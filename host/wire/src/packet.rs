//! A Linux interface as a wire (AF_PACKET, see packet(7)).
//!
//! On one end of a veth pair this is a cable to whoever has the other end. It works in an
//! unprivileged user namespace, where TAP does not.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use ipos_device::{Mtu, RateLimit};

use crate::offload::{self, ifreq};
use crate::{Wire, checked, context};

/// Longest frame that is taken from the kernel, VLAN tag included: more than any MTU used here,
/// so that a frame that is too long is seen as such and not as a cut one.
const MAX: usize = 1 << 16;
/// Receive buffer asked for, in bytes; what `net.core.rmem_max` allows is used.
const RECEIVE_BUFFER: libc::c_int = 4 << 20;
/// How long a full transmit queue is waited for before the frame is lost.
const SEND_WAIT_MS: libc::c_int = 20;
/// `tp_status` bits of linux/if_packet.h.
const STATUS_CHECKSUM_NOT_READY: u32 = 1 << 3;
const STATUS_VLAN_VALID: u32 = 1 << 4;
const STATUS_VLAN_TPID_VALID: u32 = 1 << 6;

/// An interface of the network namespace that it was opened in.
pub struct Packet {
    socket: OwnedFd,
    name: String,
    lost: u64,
    too_long: RateLimit,
    unfinished: bool,
}

impl Packet {
    /// Opens an interface of the calling thread's network namespace; the interface must be up.
    /// Needs `CAP_NET_RAW` there.
    pub fn open(interface: &str) -> io::Result<Self> {
        let failed = |e: io::Error| context(format_args!("opening a packet socket on {interface}"), &e);
        // protocol 0: nothing is received until the socket is bound to its one interface
        // SAFETY: no pointers; the result is checked.
        let fd = checked(unsafe {
            libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0)
        })
        .map_err(failed)?;
        // SAFETY: a descriptor that was just opened and that nothing else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1).map_err(failed)?;
        set(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1).map_err(failed)?;
        if set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER).is_err() {
            set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER).map_err(failed)?;
        }

        let mut request = ifreq(interface)?;
        // SAFETY: `request` names the interface and outlives the call.
        checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) }).map_err(failed)?;
        // SAFETY: the kernel has just filled in this member of the union.
        let index = unsafe { request.ifr_ifru.ifru_ifindex };
        // SAFETY: `sockaddr_ll` is a plain C structure; all zero is a valid value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        // SAFETY: a `sockaddr_ll` with its own length; it outlives the call.
        checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as u32) })
            .map_err(failed)?;
        Ok(Packet { socket, name: interface.to_owned(), lost: 0, too_long: RateLimit::default(), unfinished: false })
    }

    /// Frames that arrived and were not taken in time, since the last call.
    pub fn overflowed(&self) -> io::Result<u32> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: both point at values that outlive the call, `length` at the size of the first.
        checked(unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        })
        .map(|_| statistics.tp_drops)
    }

    fn wait_writable(&self) {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one pollfd that lives through the call; the result only ends the wait.
        unsafe { libc::poll(&raw mut poll, 1, SEND_WAIT_MS) };
    }

    fn try_send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: `frame` is valid for its length through the call.
        let sent =
            unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), libc::MSG_NOSIGNAL) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Received, but the sender's stack had left the checksum to the hardware.
    fn warn_unfinished(&mut self) {
        if !self.unfinished {
            self.unfinished = true;
            tracing::warn!(interface = %self.name, "frames arrive with unfinished checksums: turn off the transmit offloads of the far end");
        }
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        let overflowed = self.overflowed().unwrap_or_default();
        if self.lost > 0 || overflowed > 0 {
            tracing::info!(interface = %self.name, not_sent = self.lost, not_received = overflowed, "lost frames");
        }
    }
}

impl Wire for Packet {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut result = self.try_send(frame);
        if matches!(&result, Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS))) {
            self.wait_writable();
            result = self.try_send(frame);
        }
        match result {
            Ok(()) => Ok(()),
            Err(e) => match e.raw_os_error() {
                // full, or a cable that is not plugged in; too long, or shorter than a link header
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENETDOWN | libc::EMSGSIZE | libc::EINVAL) => {
                    self.lost += 1;
                    if e.raw_os_error() == Some(libc::EMSGSIZE) && self.too_long.allows() {
                        tracing::warn!(
                            "{}: a frame of {} bytes is too long for it and lost; its MTU would have to be {} (said once a minute)",
                            self.name,
                            frame.len(),
                            frame.len().saturating_sub(14)
                        );
                    }
                    Ok(())
                }
                _ => Err(context(format_args!("sending on {}", self.name), &e)),
            },
        }
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        frame.clear();
        frame.reserve(MAX);
        let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: MAX };
        let mut control = [0u64; 8];
        // SAFETY: `msghdr` is a plain C structure; all zero is a valid value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: `message` points at `frame`'s spare capacity of `MAX` bytes and at `control`.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, 0) };
        if length < 0 {
            let e = io::Error::last_os_error();
            return match e.raw_os_error() {
                // ENETDOWN is reported once when the interface goes down
                Some(libc::EAGAIN | libc::EINTR | libc::ENETDOWN) => Ok(false),
                _ => Err(context(format_args!("receiving on {}", self.name), &e)),
            };
        }
        // SAFETY: recvmsg wrote `length` ≤ `MAX` bytes into the reserved capacity.
        unsafe { frame.set_len((length as usize).min(MAX)) };
        if let Some(aux) = auxdata(&message) {
            if aux.tp_status & STATUS_CHECKSUM_NOT_READY != 0 {
                self.warn_unfinished();
            }
            // the kernel takes the tag out of the frame: it belongs back
            if aux.tp_status & STATUS_VLAN_VALID != 0 && frame.len() >= 12 {
                let tpid = if aux.tp_status & STATUS_VLAN_TPID_VALID != 0 { aux.tp_vlan_tpid } else { 0x8100 };
                let tag = [tpid.to_be_bytes(), aux.tp_vlan_tci.to_be_bytes()].concat();
                frame.splice(12..12, tag);
            }
        }
        Ok(true)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    fn mtu(&self) -> Option<Mtu> {
        offload::mtu(&self.socket, &self.name)
    }
}

fn auxdata(message: &libc::msghdr) -> Option<libc::tpacket_auxdata> {
    // SAFETY: `message` was filled in by recvmsg and its control buffer is still alive; the kernel
    // lays the headers out inside `msg_controllen`, and the data is read without assuming alignment.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_PACKET && (*header).cmsg_type == libc::PACKET_AUXDATA {
                return Some(ptr::read_unaligned(libc::CMSG_DATA(header).cast()));
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}

fn set(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: an integer option with its own length; `value` outlives the call.
    checked(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size_of_val(&value) as u32)
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Netns;
    use crate::tap::Tap;
    use crate::testing::{expect, set_up, wait};

    /// A TAP interface is the far end: the kernel between the two is the oracle.
    fn with_pair(test: impl FnOnce(Tap, Packet) -> io::Result<()> + Send) {
        Netns::new()
            .unwrap()
            .run(|| {
                let tap = Tap::open("t0")?;
                set_up("t0", true)?;
                let packet = Packet::open("t0")?;
                test(tap, packet)
            })
            .unwrap();
    }

    fn frame(ether_type: u16, length: usize) -> Vec<u8> {
        let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        f.extend(ether_type.to_be_bytes());
        f.extend((f.len()..length).map(|i| i as u8));
        f
    }

    #[test]
    fn frames_pass_both_ways_unchanged_and_own_ones_do_not_come_back() {
        with_pair(|mut tap, mut packet| {
            for length in [14, 30, 59, 60, 1514] {
                let f = frame(0x88b5, length);
                tap.send(&f)?;
                expect(&mut packet, &f);
                packet.send(&f)?;
                expect(&mut tap, &f);
            }
            // 0x0007 is below 0x0600: the kernel takes it for an 802.3 length, the bytes must stay
            let f = frame(0x0007, 70);
            packet.send(&f)?;
            expect(&mut tap, &f);
            tap.send(&f)?;
            expect(&mut packet, &f);
            assert!(!wait(&packet, 20) && !packet.receive(&mut Vec::new())?);
            assert_eq!(packet.lost(), 0);
            Ok(())
        });
    }

    #[test]
    fn the_interface_tells_its_mtu() {
        with_pair(|_, packet| {
            assert_eq!(packet.mtu(), Some(Mtu { interface: "t0".to_owned(), bytes: 1500 }));
            Ok(())
        });
    }

    #[test]
    fn vlan_tags_stay_in_the_frame() {
        with_pair(|mut tap, mut packet| {
            for tpid in [0x8100u16, 0x88a8] {
                let mut f = frame(tpid, 16);
                f[14..16].copy_from_slice(&0x6123u16.to_be_bytes());
                f.extend_from_slice(&frame(0x0800, 60)[12..]);
                tap.send(&f)?;
                expect(&mut packet, &f);
                packet.send(&f)?;
                expect(&mut tap, &f);
            }
            Ok(())
        });
    }

    #[test]
    fn an_interface_that_is_down_or_too_narrow_loses_and_one_that_is_missing_is_an_error() {
        with_pair(|mut tap, mut packet| {
            set_up("t0", false)?;
            packet.send(&frame(0x88b5, 60))?;
            assert_eq!(packet.lost(), 1);
            assert!(!packet.receive(&mut Vec::new())?);
            set_up("t0", true)?;
            packet.send(&frame(0x88b5, 61))?;
            expect(&mut tap, &frame(0x88b5, 61));
            for (length, lost) in [(1514, 1), (1515, 2), (13, 3)] {
                packet.send(&frame(0x88b5, length)[..length])?;
                assert_eq!(packet.lost(), lost, "{length} bytes");
            }
            expect(&mut tap, &frame(0x88b5, 1514));
            for _ in 0..30_000 {
                tap.send(&frame(0x88b5, 60))?;
            }
            assert!(packet.overflowed()? > 0 && packet.overflowed()? == 0);
            let missing = Packet::open("nonesuch").err().unwrap();
            assert!(missing.to_string().contains("nonesuch"), "{missing}");
            Ok(())
        });
    }
}

//! A TAP interface as a wire: the kernel's end is the interface, ours is the descriptor.
//!
//! Needs `CAP_NET_ADMIN` in the first user namespace or a device that was made for the calling
//! user beforehand; [`crate::packet`] needs neither.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use ipos_device::Mtu;

use crate::offload::{control, ifreq, mtu};
use crate::{Wire, checked, context};

const DEVICE: &str = "/dev/net/tun";
/// Longest frame that is taken from the kernel.
const MAX: usize = 1 << 16;

/// A TAP interface; it is gone when this is dropped, unless it is persistent.
pub struct Tap {
    device: File,
    /// For what the device has no request for.
    control: OwnedFd,
    /// It was there before.
    persistent: bool,
    name: String,
    lost: u64,
}

impl Tap {
    /// Makes the interface in the calling thread's network namespace. It is down at first: frames
    /// sent while it is are lost.
    pub fn open(interface: &str) -> io::Result<Self> {
        let mut request = ifreq(interface)?;
        let device =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(DEVICE).map_err(|e| {
                context(format_args!("opening {DEVICE} (load the tun module, or use a packet wire on a veth pair)"), &e)
            })?;
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: `request` names the interface and its flags and outlives the call.
        checked(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) }).map_err(|e| {
            let advice = match e.raw_os_error() {
                Some(libc::EPERM) => " (needs CAP_NET_ADMIN: run as root, or use a packet wire on a veth pair)",
                Some(libc::EBUSY) => " (another process has it open)",
                _ => "",
            };
            context(format_args!("making the TAP interface {interface}{advice}"), &e)
        })?;
        // SAFETY: `request` outlives the call.
        checked(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNGETIFF, &raw mut request) })
            .map_err(|e| context(format_args!("asking about the TAP interface {interface}"), &e))?;
        // SAFETY: the kernel has just filled in this member of the union.
        let persistent = unsafe { request.ifr_ifru.ifru_flags } & libc::IFF_PERSIST as libc::c_short != 0;
        Ok(Tap { device, control: control()?, persistent, name: interface.to_owned(), lost: 0 })
    }

    /// The same for an interface that stays, with its addresses, when this is dropped and is found again the next time.
    /// One that is made now gets the MAC address `mac`.
    pub fn lasting(interface: &str, mac: [u8; 6]) -> io::Result<Self> {
        let mut request = ifreq(interface)?;
        // SAFETY: a string that ends in zero, in an array that outlives the call.
        let found = unsafe { libc::if_nametoindex(request.ifr_name.as_ptr()) } != 0;
        let tap = Self::open(interface)?;
        if !found {
            let octets = mac.map(|b| b as libc::c_char);
            // SAFETY: this field of the union is a plain structure, as the kernel reads it.
            let address = unsafe { &mut request.ifr_ifru.ifru_hwaddr };
            address.sa_family = libc::ARPHRD_ETHER;
            address.sa_data[..6].copy_from_slice(&octets);
            let device = tap.device.as_raw_fd();
            // SAFETY: `request` names the interface and its address and outlives the call.
            checked(unsafe { libc::ioctl(device, libc::SIOCSIFHWADDR, &raw mut request) })
                .map_err(|e| context(format_args!("giving {interface} its MAC address"), &e))?;
            // SAFETY: a number is passed, no pointer.
            checked(unsafe { libc::ioctl(device, libc::TUNSETPERSIST, 1 as libc::c_ulong) })
                .map_err(|e| context(format_args!("keeping {interface}"), &e))?;
        }
        Ok(tap)
    }
}

impl Wire for Tap {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.device.write(frame) {
            Ok(_) => Ok(()),
            // EIO: the interface is down; EINVAL: shorter than a link header
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EIO | libc::EINVAL | libc::ENOBUFS)) => {
                self.lost += 1;
                Ok(())
            }
            Err(e) => Err(context(format_args!("sending on {}", self.name), &e)),
        }
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        frame.resize(MAX, 0);
        let (length, result) = match self.device.read(frame) {
            Ok(n) => (n, Ok(true)),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => (0, Ok(false)),
            Err(e) => (0, Err(context(format_args!("receiving on {}", self.name), &e))),
        };
        frame.truncate(length);
        result
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.device.as_fd())
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    /// A new interface has no setting of its user yet.
    fn mtu(&self) -> Option<Mtu> {
        if self.persistent { mtu(&self.control, &self.name) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Netns;
    use crate::testing::{expect, set_up};

    #[test]
    fn frames_come_out_when_it_is_up() {
        Netns::new()
            .unwrap()
            .run(|| {
                let mut tap = Tap::open("t0")?;
                tap.send(&[0; 60])?; // down: lost
                assert_eq!(tap.lost(), 1);
                assert_eq!(tap.mtu(), None);
                set_up("t0", true)?;
                let mut far = crate::packet::Packet::open("t0")?;
                let f = [[0xff; 6].as_slice(), &[2, 0, 0, 0, 0, 1, 0x88, 0xb5], &[7; 46]].concat();
                far.send(&f)?;
                expect(&mut tap, &f);
                let busy = Tap::open("t0").err().unwrap().to_string();
                assert!(busy.contains("another process"), "{busy}");
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn one_that_was_there_before_tells_its_mtu() {
        Netns::new()
            .unwrap()
            .run(|| {
                let made = Tap::open("t0")?;
                // SAFETY: an integer argument; the descriptor is open.
                checked(unsafe { libc::ioctl(made.device.as_raw_fd(), libc::TUNSETPERSIST, 1) })?;
                drop(made);
                assert_eq!(Tap::open("t0")?.mtu(), Some(Mtu { interface: "t0".to_owned(), bytes: 1500 }));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_lasting_one_stays_with_its_address() {
        // SAFETY: a string that ends in zero, in an array that outlives the call.
        let index = |name: &str| unsafe { libc::if_nametoindex(ifreq(name).unwrap().ifr_name.as_ptr()) };
        let mac = |tap: &Tap| {
            let mut request = ifreq("t0").unwrap();
            // SAFETY: `request` outlives the call, which fills in the address.
            checked(unsafe { libc::ioctl(tap.device.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) }).unwrap();
            // SAFETY: the field that was filled in.
            let address = unsafe { request.ifr_ifru.ifru_hwaddr };
            address.sa_data[..6].iter().map(|b| *b as u8).collect::<Vec<_>>()
        };
        Netns::new()
            .unwrap()
            .run(|| {
                let tap = Tap::lasting("t0", [2, 0, 0, 0, 0, 7])?;
                let made = index("t0");
                drop(tap);
                assert!(made != 0 && index("t0") == made);
                // one that is there keeps what it was given
                let tap = Tap::lasting("t0", [2, 0, 0, 0, 0, 8])?;
                assert_eq!((index("t0"), mac(&tap)), (made, vec![2, 0, 0, 0, 0, 7]));
                drop(Tap::open("t1")?);
                assert_eq!(index("t1"), 0);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn refusal_without_privilege_says_what_to_do() {
        Netns::new()
            .unwrap()
            .run(|| {
                // the raw call changes this thread alone, where libc's wrapper would change all
                // SAFETY: no pointers; the thread ends with this test.
                let r = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
                assert_eq!(r, 0, "{}", io::Error::last_os_error());
                let e = Tap::open("t0").err().unwrap();
                assert_eq!(e.kind(), io::ErrorKind::PermissionDenied);
                let text = e.to_string();
                assert!(text.contains("packet wire"), "{text}");
                Ok(())
            })
            .unwrap();
    }
}

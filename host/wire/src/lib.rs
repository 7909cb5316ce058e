//! Wires: whatever carries Ethernet frames between a program and a network.
//!
//! | wire | reaches |
//! |---|---|
//! | [`packet`] | a Linux interface, usually one end of a veth pair |
//! | [`tap`] | the kernel itself, as an interface of its own |
//!
//! A node's kernel port is one; the ports of a simulated card are plugged into them. [`netns`] holds the network namespaces
//! that interfaces live in, [`offload`] makes the kernel hand over finished frames.

use std::io;
use std::os::fd::BorrowedFd;

use ipos_device::Mtu;

pub mod netns;
pub mod offload;
pub mod packet;
pub mod tap;
#[cfg(test)]
mod testing;

/// A non-blocking source and sink of Ethernet frames, without FCS.
pub trait Wire: Send {
    /// Sends a frame. A wire that can't take it now, or never for its length, loses it, as a wire does; an error means that
    /// the wire itself is gone.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Takes the next frame into `frame` (cleared first). `false`: nothing is there.
    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool>;

    /// A descriptor that becomes readable when a frame arrives.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Frames that were given to it and lost, as far as that is known.
    fn lost(&self) -> u64 {
        0
    }

    /// The longest IP packet that it carries, where an interface has a setting for that.
    fn mtu(&self) -> Option<Mtu> {
        None
    }
}

impl<W: Wire + ?Sized> Wire for Box<W> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        (**self).send(frame)
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        (**self).receive(frame)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).fd()
    }

    fn lost(&self) -> u64 {
        (**self).lost()
    }

    fn mtu(&self) -> Option<Mtu> {
        (**self).mtu()
    }
}

/// The descriptor that a libc call returned, or the error that it left.
pub(crate) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `error` with what was tried in front, its kind kept.
pub(crate) fn context(what: impl std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

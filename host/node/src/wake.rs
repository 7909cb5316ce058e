//! Waking the loop thread out of `poll(2)`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

/// An eventfd.
#[derive(Debug)]
pub(crate) struct Wake(EventFd);

impl Wake {
    pub fn new() -> io::Result<Self> {
        Ok(Wake(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    /// Makes the descriptor readable.
    pub fn ring(&self) {
        match self.0.write(1) {
            // full: it is readable already
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(e) => tracing::error!("eventfd: {e}"),
        }
    }

    /// Makes it unreadable again.
    pub fn clear(&self) {
        match self.0.read() {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(e) => tracing::error!("eventfd: {e}"),
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

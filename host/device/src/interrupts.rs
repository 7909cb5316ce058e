//! A card's interrupt vectors as eventfds, which whoever raises them writes to.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use ipos_abi::queue::VECTORS;
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

/// One eventfd a vector.
#[derive(Debug)]
pub(crate) struct Interrupts(Vec<EventFd>);

impl Interrupts {
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let made: Result<_, _> = (0..VECTORS).map(|_| EventFd::from_value_and_flags(0, flags)).collect();
        Ok(Interrupts(made?))
    }

    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd).collect()
    }

    /// For the calls that hand them over.
    pub fn raw(&self) -> Vec<RawFd> {
        self.0.iter().map(|e| e.as_fd().as_raw_fd()).collect()
    }

    /// Vectors that fired since this was last asked, as a mask.
    pub fn take(&self) -> io::Result<u32> {
        let mut fired = 0;
        for (vector, eventfd) in self.0.iter().enumerate() {
            match eventfd.read() {
                Ok(_) => fired |= 1 << vector,
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(fired)
    }
}

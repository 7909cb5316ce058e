//! Two wires of one process joined end to end, without a kernel in between.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Wire, checked};

/// One end of a pair; what one sends the other receives, in order, without bound.
pub struct Memory {
    out: Arc<Line>,
    into: Arc<Line>,
}

/// One direction.
struct Line {
    frames: Mutex<VecDeque<Vec<u8>>>,
    /// An eventfd that is readable while there are frames.
    ready: OwnedFd,
}

impl Line {
    fn new() -> io::Result<Arc<Self>> {
        // SAFETY: no pointers; the result is checked.
        let fd = checked(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: a descriptor that was just opened and that nothing else owns.
        let ready = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Arc::new(Line { frames: Mutex::default(), ready }))
    }

    fn frames(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a pair.
pub fn pair() -> io::Result<(Memory, Memory)> {
    let (a, b) = (Line::new()?, Line::new()?);
    Ok((Memory { out: a.clone(), into: b.clone() }, Memory { out: b, into: a }))
}

impl Wire for Memory {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut frames = self.out.frames();
        if frames.is_empty() {
            // SAFETY: writes to an open eventfd; it can't overflow, one write per emptied queue.
            checked(unsafe { libc::eventfd_write(self.out.ready.as_raw_fd(), 1) })?;
        }
        frames.push_back(frame.to_vec());
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        frame.clear();
        let mut frames = self.into.frames();
        let Some(next) = frames.pop_front() else { return Ok(false) };
        if frames.is_empty() {
            let mut count = 0;
            // SAFETY: `count` outlives the call; the eventfd is readable, see `send`.
            checked(unsafe { libc::eventfd_read(self.into.ready.as_raw_fd(), &raw mut count) })?;
        }
        frame.extend_from_slice(&next);
        Ok(true)
    }

    fn fd(&self) -> Option<RawFd> {
        Some(self.into.ready.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(fd: RawFd) -> bool {
        let mut p = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd that lives through the call.
        unsafe { libc::poll(&raw mut p, 1, 0) == 1 }
    }

    #[test]
    fn frames_arrive_in_order_and_the_descriptor_says_so() {
        let (mut a, mut b) = pair().unwrap();
        let mut f = vec![9];
        assert!(!b.receive(&mut f).unwrap() && f.is_empty());
        assert!(!readable(b.fd().unwrap()));
        for round in 0..3u8 {
            a.send(&[round, 1]).unwrap();
            a.send(&[round, 2]).unwrap();
            assert!(readable(b.fd().unwrap()) && !readable(a.fd().unwrap()));
            assert!(b.receive(&mut f).unwrap());
            assert_eq!(f, [round, 1]);
            assert!(readable(b.fd().unwrap()));
            assert!(b.receive(&mut f).unwrap());
            assert_eq!(f, [round, 2]);
            assert!(!readable(b.fd().unwrap()));
        }
        b.send(&[7]).unwrap();
        assert!(a.receive(&mut f).unwrap());
        assert_eq!(f, [7]);
    }
}

//! Two wires of one process joined end to end, without a kernel in between.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::Wire;

/// One end of a pair; what one sends the other receives, in order, without bound.
pub struct Memory {
    out: Sender<Vec<u8>>,
    into: Receiver<Vec<u8>>,
    /// Buffers come back when the other end is done with them: neither waits for the other's allocator.
    spare: Receiver<Vec<u8>>,
    done: Sender<Vec<u8>>,
    theirs: Arc<Bell>,
    ours: Arc<Bell>,
}

/// Tells an end that there is something for it.
struct Bell {
    /// Readable from the first frame on, until its end has found none.
    fd: EventFd,
    rung: AtomicBool,
}

impl Bell {
    fn new() -> io::Result<Arc<Self>> {
        let fd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Arc::new(Bell { fd, rung: AtomicBool::new(false) }))
    }

    fn ring(&self) -> io::Result<()> {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // it can't overflow: it is read before it is written again
            self.fd.write(1)?;
        }
        Ok(())
    }

    /// `true`: it had been rung.
    fn clear(&self) -> io::Result<bool> {
        if !self.rung.load(Ordering::SeqCst) {
            return Ok(false);
        }
        // before the write of a thread that is ringing now, nothing is there to read: then the bell stays rung
        if self.fd.read().is_ok() {
            self.rung.store(false, Ordering::SeqCst);
        }
        Ok(true)
    }
}

/// Makes a pair.
pub fn pair() -> io::Result<(Memory, Memory)> {
    let (ours, theirs) = (Bell::new()?, Bell::new()?);
    let ((ab, ba), (a_done, b_done)) = ((channel(), channel()), (channel(), channel()));
    let a =
        Memory { out: ab.0, into: ba.1, spare: b_done.1, done: a_done.0, theirs: theirs.clone(), ours: ours.clone() };
    let b = Memory { out: ba.0, into: ab.1, spare: a_done.1, done: b_done.0, theirs: ours, ours: theirs };
    Ok((a, b))
}

impl Wire for Memory {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut buffer = self.spare.try_recv().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(frame);
        // an end that is gone takes nothing, as an unplugged wire does
        if self.out.send(buffer).is_ok() {
            self.theirs.ring()?;
        }
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        let mut next = self.into.try_recv();
        if next.is_err() && self.ours.clear()? {
            // what came before it was cleared rang in vain
            next = self.into.try_recv();
        }
        frame.clear();
        let Ok(next) = next else { return Ok(false) };
        // the other end may be gone
        let _ = self.done.send(std::mem::replace(frame, next));
        Ok(true)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.ours.fd.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn readable(fd: BorrowedFd<'_>) -> bool {
        poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
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
            assert!(!b.receive(&mut f).unwrap() && f.is_empty());
            assert!(!readable(b.fd().unwrap()));
        }
        b.send(&[7]).unwrap();
        assert!(a.receive(&mut f).unwrap());
        assert_eq!(f, [7]);
    }
}

//! The card's thread: frames, and what others ask of the card, in turn.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::time::Duration;

use ipos_sim::pcie::Function;
use ipos_sim::pcie::plant::Plant;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Something that the card's thread does with the card.
type Job = Box<dyn FnOnce(&mut dyn Function) + Send>;

/// How long an idle card sleeps when nothing comes: a wire that holds frames back says nothing when it is time for them.
const IDLE: Duration = Duration::from_millis(5);

/// Where jobs are handed in. The card ends with it.
pub struct Jobs {
    sender: Sender<Job>,
    wake: Arc<EventFd>,
}

/// The thread's end.
pub struct Work {
    jobs: Receiver<Job>,
    wake: Arc<EventFd>,
}

/// Both ends.
pub fn channel() -> io::Result<(Jobs, Work)> {
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
    let (sender, jobs) = mpsc::channel();
    Ok((Jobs { sender, wake: wake.clone() }, Work { jobs, wake }))
}

impl Jobs {
    /// Has `job` done, soon and in order.
    pub fn tell(&self, job: impl FnOnce(&mut dyn Function) + Send + 'static) -> io::Result<()> {
        self.sender.send(Box::new(job)).map_err(|_| gone())?;
        // an eventfd refuses only when its count would overflow, and then it is readable anyway
        let _ = self.wake.write(1);
        Ok(())
    }

    /// Has `job` done and waits for it.
    pub fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut dyn Function) -> T + Send + 'static) -> io::Result<T> {
        let (answer, answered) = mpsc::channel();
        // whoever asked may be gone by then: nobody misses the answer
        self.tell(move |card| drop(answer.send(job(card))))?;
        answered.recv().map_err(|_| gone())
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        // the thread finds out when it next looks
        let _ = self.wake.write(1);
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the card's thread has ended")
}

impl Work {
    /// Works until nobody can ask any more, or a wire is gone.
    pub fn run(self, mut card: impl Function, mut plant: Plant) -> io::Result<()> {
        loop {
            loop {
                match self.jobs.try_recv() {
                    Ok(job) => job(&mut card),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            if !plant.run(&mut card)? {
                self.sleep(&plant)?;
            }
        }
    }

    fn sleep(&self, plant: &Plant) -> io::Result<()> {
        let waited = plant.fds().into_iter().chain([self.wake.as_fd()]);
        let mut fds: Vec<_> = waited.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::try_from(IDLE).unwrap_or(PollTimeout::ZERO)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        match self.wake.read() {
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

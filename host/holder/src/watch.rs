//! Looks after the holder from the node's side: hears its refusals, ends one that stands still, finds or starts the next.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Signal, pidfd_send_signal};

use crate::keeper::{Inner, Session, Start};
use crate::message::Kind;
use crate::packet::{self, Received, Space, Wait};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// How long a holder may leave a question unanswered before it gets nothing more to keep, and before it is ended: until then a
/// socket that its application closes stays open by the holder's descriptor.
const ANSWERS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// How long a holder that was started may take to listen.
const STARTS: Duration = Duration::from_secs(5);
/// Between two warnings of a kind.
const SELDOM: Duration = Duration::from_secs(60);

/// The thread beside a node.
pub(crate) struct Watch {
    inner: Weak<Inner>,
    /// Another descriptor of the session, and the holder's process.
    session: Option<(OwnedFd, OwnedFd)>,
    start: Option<Start>,
    child: Option<Child>,
    /// A question that is not answered yet.
    asked: Option<Instant>,
    number: u64,
    warned: Option<Instant>,
    /// Entries missed and messages refused when that was warned of.
    told: u64,
}

impl Watch {
    pub fn new(
        inner: Weak<Inner>,
        session: Option<(OwnedFd, OwnedFd)>,
        start: Option<Start>,
        child: Option<Child>,
    ) -> Self {
        Watch { inner, session, start, child, asked: None, number: 0, warned: None, told: 0 }
    }

    /// Runs until the node has stopped.
    pub fn run(mut self) {
        let mut space = Space::default();
        loop {
            match &self.session {
                Some((session, _)) => {
                    let mut fds = [PollFd::new(session.as_fd(), PollFlags::POLLIN)];
                    // what it would tell is seen by reading
                    let _ = poll(&mut fds, PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::MAX));
                }
                None => thread::sleep(LOOK),
            }
            let Some(inner) = self.inner.upgrade() else { return };
            if let Some(child) = &mut self.child
                && !matches!(child.try_wait(), Ok(None))
            {
                self.child = None;
            }
            self.listen(&inner, &mut space);
            self.question(&inner);
            if self.session.is_none() {
                self.find(&inner);
            }
            self.warn(&inner);
        }
    }

    fn listen(&mut self, inner: &Inner, space: &mut Space) {
        while let Some((session, holder)) = &mut self.session {
            match packet::receive(session, space, Wait::No) {
                Ok(Received::Message { header, mut descriptors, .. }) => match header.kind {
                    Kind::Pong => {
                        // a successor tells who it is
                        if let Some(successor) = descriptors.pop() {
                            *holder = successor;
                        }
                        if header.key == self.number {
                            self.asked = None;
                            inner.late.store(false, Ordering::Relaxed);
                        }
                    }
                    Kind::Refused(why) => {
                        inner.refused.fetch_add(1, Ordering::Relaxed);
                        tracing::debug!("the holder refused: {why}");
                    }
                    other => tracing::debug!("the holder said {other:?}"),
                },
                Ok(Received::Bad { .. }) => tracing::debug!("the holder said what is no message"),
                Err(rustix::io::Errno::AGAIN) => return,
                Ok(Received::End) | Err(_) => self.lose(inner),
            }
        }
    }

    fn lose(&mut self, inner: &Inner) {
        (self.session, self.asked) = (None, None);
        inner.renew(None);
        inner.late.store(false, Ordering::Relaxed);
    }

    /// Asks a holder that has got something whether it lives, and ends one that does not answer: with its descriptors open,
    /// a connection that ends here does not end for its client.
    fn question(&mut self, inner: &Inner) {
        let Some((_, holder)) = &self.session else { return };
        match self.asked {
            None if inner.said.swap(false, Ordering::Relaxed) => {
                self.number += 1;
                self.asked = Some(Instant::now());
                // one that is full is asked in vain, as is one that stands still
                let _ = inner.ping(self.number);
                inner.said.store(false, Ordering::Relaxed);
            }
            None => {}
            Some(at) if at.elapsed() >= ANSWERS.1 => {
                let ended = pidfd_send_signal(holder, Signal::KILL);
                tracing::warn!("the holder has not answered for {:?} and is ended: {ended:?}", ANSWERS.1);
                self.lose(inner);
            }
            Some(at) if at.elapsed() >= ANSWERS.0 => inner.late.store(true, Ordering::Relaxed),
            Some(_) => {}
        }
    }

    fn find(&mut self, inner: &Inner) {
        let found = Session::find(&inner.path, &mut self.start, &mut self.child);
        let found = found.and_then(|session| Ok((session.fd.try_clone()?, session)));
        match found {
            Ok((fd, mut session)) => {
                let holder = session.holder.try_clone();
                for (_, _, descriptors) in &mut session.entries {
                    descriptors.clear();
                }
                inner.renew(Some(session));
                self.session = holder.ok().map(|holder| (fd, holder));
            }
            Err(e) => self.absent(&e),
        }
    }

    fn absent(&mut self, error: &io::Error) {
        if self.seldom() {
            tracing::warn!("no holder, a restart of this node ends what is moving then (said once a minute): {error}");
        }
    }

    fn warn(&mut self, inner: &Inner) {
        let counts = inner.counts();
        let bad = counts.missed + counts.refused;
        if bad > self.told && self.seldom() {
            self.told = bad;
            tracing::warn!(
                "the holder is full, late or absent (said once a minute): so far {} connections moved without it, and it \
                 refused {} messages",
                counts.missed,
                counts.refused
            );
        }
    }

    fn seldom(&mut self) -> bool {
        let due = self.warned.is_none_or(|at| at.elapsed() >= SELDOM);
        if due {
            self.warned = Some(Instant::now());
        }
        due
    }
}

/// Waits until a holder that was started listens, or has ended, or is slow.
pub(crate) fn ready(child: &mut Child) {
    if let Some(output) = child.stdout.take() {
        let mut fds = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        // that it does not listen shows when it is greeted
        let _ = poll(&mut fds, PollTimeout::try_from(STARTS).unwrap_or(PollTimeout::MAX));
    }
}

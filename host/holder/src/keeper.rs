//! The node's end: what it gives a holder to keep, and what it gets back after a restart.
//!
//! Nothing here waits for the holder but [`Keeper::open`], and that for two seconds at most. A holder that is absent, dead, stopped
//! or full keeps nothing, and moves go on as without one.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, connect};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::message::{Header, Kind, Why};
use crate::packet::{self, Received, Space, Wait};
use crate::watch;

/// Starts a holder; its standard output, a pipe, ends or has a line when it listens.
pub type Start = Box<dyn FnMut() -> io::Result<Child> + Send>;

/// What a keeper has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries that were sent to a holder.
    pub kept: u64,
    /// Entries that no holder was there for.
    pub missed: u64,
    /// Messages that the holder refused.
    pub refused: u64,
}

/// A node's connection to its holder. Clones are the same.
#[derive(Clone, Debug)]
pub struct Keeper(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub path: PathBuf,
    state: Mutex<State>,
    next: AtomicU64,
    /// The holder does not answer.
    pub late: AtomicBool,
    /// Something was said since the holder has last answered.
    pub said: AtomicBool,
    kept: AtomicU64,
    missed: AtomicU64,
    pub refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    session: Option<OwnedFd>,
    /// Of the sessions so far: what an earlier holder kept, a later one does not know.
    generation: u64,
    live: HashSet<u64>,
}

/// An entry that the holder keeps until this is dropped. It is not dropped by a process that dies.
#[derive(Debug)]
#[must_use = "dropping it has the holder close its descriptors"]
pub struct Kept {
    keeper: Arc<Inner>,
    key: u64,
    generation: u64,
}

/// An entry of an earlier life of the node.
#[derive(Debug)]
pub struct Claimed {
    /// It is still kept.
    pub kept: Kept,
    /// What it was kept with.
    pub note: Vec<u8>,
    /// Its descriptors.
    pub descriptors: Vec<OwnedFd>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to the holder of that generation, if it is still the one.
    fn tell(&self, generation: u64, header: Header, note: &[u8]) {
        let mut state = self.state();
        if state.generation == generation && self.send(&mut state, header, note, &[]).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send(&self, state: &mut State, header: Header, note: &[u8], fds: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
        let session = state.session.as_ref().ok_or(Errno::NOTCONN)?;
        let sent = packet::send(session, header, note, fds, Wait::No);
        if matches!(sent, Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN)) {
            state.session = None;
        }
        self.said.store(true, Ordering::Relaxed);
        sent
    }

    /// Asks the holder for a sign of life.
    pub fn ping(&self, number: u64) -> rustix::io::Result<()> {
        self.send(&mut self.state(), Header::new(Kind::Ping, number), &[], &[])
    }

    /// Another holder, or none. What this life has with the holder stays, the rest is closed there.
    pub fn renew(&self, session: Option<Session>) {
        let mut state = self.state();
        state.generation += 1;
        state.live.clear();
        state.session = None;
        let Some(Session { fd, entries, .. }) = session else { return };
        state.session = Some(fd);
        for (key, ..) in entries {
            let _ = self.send(&mut state, Header::new(Kind::Drop, key), &[], &[]);
        }
    }

    pub fn counts(&self) -> Counts {
        let [kept, missed, refused] = [&self.kept, &self.missed, &self.refused].map(|n| n.load(Ordering::Relaxed));
        Counts { kept, missed, refused }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut state = self.state();
        if state.live.is_empty() {
            let _ = self.send(&mut state, Header::new(Kind::Bye, 0), &[], &[]);
        }
    }
}

impl Keeper {
    /// Finds the holder at `path`, or starts one, and takes what it has kept for an earlier life of the node. A holder that is
    /// not to be had is looked for from then on.
    pub fn open(path: &Path, mut start: Option<Start>) -> io::Result<(Self, Vec<Claimed>)> {
        let mut first = [0; 8];
        getrandom(&mut first, GetRandomFlags::empty())?;
        let inner = Arc::new(Inner {
            path: path.to_owned(),
            state: Mutex::default(),
            // no other life's
            next: AtomicU64::new(u64::from_le_bytes(first)),
            late: AtomicBool::new(false),
            said: AtomicBool::new(false),
            kept: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let mut child = None;
        let found = Session::find(path, &mut start, &mut child);
        let mut claimed = Vec::new();
        let mut watched = None;
        match found {
            Ok(Session { fd, holder, entries }) => {
                watched = Some((fd.try_clone()?, holder));
                let mut state = inner.state();
                state.session = Some(fd);
                for (key, note, descriptors) in entries {
                    state.live.insert(key);
                    let kept = Kept { keeper: inner.clone(), key, generation: 0 };
                    claimed.push(Claimed { kept, note, descriptors });
                }
            }
            Err(e) => {
                tracing::warn!("no holder at {}, a restart of this node ends what is moving then: {e}", path.display());
            }
        }
        let watch = watch::Watch::new(Arc::downgrade(&inner), watched, start, child);
        thread::Builder::new().name("holder".to_owned()).spawn(move || watch.run())?;
        Ok((Keeper(inner), claimed))
    }

    /// Has descriptors kept, with a note for the node's next life, and does not wait for it. `None`: there is no holder.
    pub fn keep(&self, descriptors: &[BorrowedFd<'_>], note: &[u8]) -> Option<Kept> {
        let inner = &self.0;
        let key = inner.next.fetch_add(1, Ordering::Relaxed);
        let mut state = inner.state();
        let sent = match inner.late.load(Ordering::Relaxed) {
            true => Err(Errno::AGAIN),
            false => inner.send(&mut state, Header::new(Kind::Put, key), note, descriptors),
        };
        if sent.is_err() {
            inner.missed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        inner.kept.fetch_add(1, Ordering::Relaxed);
        state.live.insert(key);
        Some(Kept { keeper: inner.clone(), key, generation: state.generation })
    }

    /// What has become of entries so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}

impl Kept {
    /// Replaces the note.
    pub fn note(&self, note: &[u8]) {
        self.keeper.tell(self.generation, Header::new(Kind::Put, self.key), note);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.tell(self.generation, Header::new(Kind::Drop, self.key), &[]);
        let mut state = self.keeper.state();
        if state.generation == self.generation {
            state.live.remove(&self.key);
        }
    }
}

/// A holder that has been greeted.
pub(crate) struct Session {
    pub fd: OwnedFd,
    /// Its process, a pidfd.
    pub holder: OwnedFd,
    /// Key, note, descriptors.
    pub entries: Vec<(u64, Vec<u8>, Vec<OwnedFd>)>,
}

impl Session {
    /// Greets the holder at `path`, or starts one.
    pub fn find(path: &Path, start: &mut Option<Start>, child: &mut Option<Child>) -> io::Result<Self> {
        let absent = match Self::greet(path) {
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => e,
            other => return other,
        };
        let Some(start) = start else { return Err(absent) };
        let mut started = start()?;
        watch::ready(&mut started);
        *child = Some(started);
        Self::greet(path)
    }

    fn greet(path: &Path) -> io::Result<Self> {
        let fd = packet::socket()?;
        connect(&fd, &SocketAddrUnix::new(path)?)?;
        packet::send(&fd, Header::new(Kind::Hello, 0), &[], &[], Wait::Yes)?;
        let (mut space, mut entries) = (Space::default(), Vec::new());
        loop {
            let (header, note, mut descriptors) = match packet::receive(&fd, &mut space, Wait::Yes)? {
                Received::Message { header, note, descriptors } => (header, note.to_vec(), descriptors),
                Received::Bad { cut: true } => return Err(io::Error::other(Why::Descriptors)),
                Received::Bad { .. } => return Err(io::Error::other(Why::Malformed)),
                Received::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            match (header.kind, descriptors.pop()) {
                (Kind::Entry, Some(last)) => {
                    descriptors.push(last);
                    entries.push((header.key, note, descriptors));
                }
                (Kind::End, Some(holder)) => return Ok(Session { fd, holder, entries }),
                (Kind::Refused(why), _) => return Err(io::Error::other(why)),
                _ => return Err(io::Error::other(Why::OutOfPlace)),
            }
        }
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

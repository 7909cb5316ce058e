//! The holder's loop: one thread that polls its socket, its node and whoever has connected and said nothing yet.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use ipos_socket::{ListenError, Listening};
use nix::errno::Errno as NixErrno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::io::Errno;
use rustix::net::{SocketFlags, SocketType, accept_with, sockopt};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

use crate::heir::{self, Estate};
use crate::message::{Header, Kind, Why};
use crate::packet::{self, Received, Space, Wait, borrowed};
use crate::table::{Limits, Table};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;
/// Connections that have said nothing yet, and how long they may.
const STRANGERS: (usize, Duration) = (8, Duration::from_secs(5));
/// Descriptors of the process that are not an entry's.
const OWN_DESCRIPTORS: usize = 64 + 256;
/// Messages taken from the node before the others have their turn.
const BATCH: usize = 64;

/// Why a holder can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolderError {
    /// The path is not to be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No holder handed its descriptors on.
    #[error("the holder at the path did not hand its descriptors on: {0}")]
    Succeed(String),
    /// The system refused.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

impl HolderError {
    pub(crate) fn io<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |cause| HolderError::Io { what, cause: cause.into() }
    }
}

/// A process that keeps descriptors for a node.
#[derive(Debug)]
pub struct Holder {
    pub(crate) listening: Listening,
    pub(crate) listener: OwnedFd,
    pub(crate) table: Table,
    pub(crate) session: Option<OwnedFd>,
    limits: Limits,
    strangers: Vec<(OwnedFd, Instant)>,
    space: Space,
    /// When a holder that was started by a node ends, having neither.
    idle: Option<Instant>,
    refused: u64,
}

/// Gives up every privilege of the calling thread: to keep descriptors needs none.
pub fn renounce() -> io::Result<()> {
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

impl Holder {
    /// Listens at `path`, for this user alone.
    pub fn bind(path: &Path, limits: Limits) -> Result<Self, HolderError> {
        let (listener, listening) = ipos_socket::take(path, SocketType::SEQPACKET, 0o600, BACKLOG)?;
        let estate = Estate { listening, listener, session: None, entries: Vec::new() };
        Self::new(estate, limits)
    }

    /// Takes over all that the holder at `path` has; that one ends.
    pub fn succeed(path: &Path, limits: Limits) -> Result<Self, HolderError> {
        heir::inherit(path, |estate| Self::new(estate, limits))
    }

    fn new(estate: Estate, limits: Limits) -> Result<Self, HolderError> {
        let Estate { listening, listener, session, entries } = estate;
        // as many as the system allows
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(HolderError::io("asking for RLIMIT_NOFILE"))?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(HolderError::io("raising RLIMIT_NOFILE"))?;
        let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(OWN_DESCRIPTORS);
        let limits = Limits { descriptors: limits.descriptors.min(room), ..limits };
        let mut table = Table::new(limits);
        for (key, note, descriptors) in entries {
            if let Err(why) = table.put(key, &note, descriptors) {
                tracing::error!("an entry of the holder before is lost: {why}");
            }
        }
        let now = Instant::now();
        if session.is_none() {
            table.orphan(now);
        }
        let idle = limits.idle.map(|after| now + after);
        let (strangers, space) = (Vec::new(), Space::default());
        Ok(Holder { listening, listener, table, session, limits, strangers, space, idle, refused: 0 })
    }

    /// Runs until another holder has taken over, or nobody has needed this one for [`Limits::idle`].
    pub fn run(mut self) -> Result<(), HolderError> {
        loop {
            let [listener, session] = self.wait()?;
            if listener {
                self.accept();
            }
            if session {
                self.converse();
            }
            let now = Instant::now();
            let mut at = 0;
            while at < self.strangers.len() {
                match self.greet(at, now) {
                    Greeted::Waits => at += 1,
                    Greeted::Gone => {}
                    Greeted::Heir(heir) => match heir::hand_on(self, &heir) {
                        Ok(()) => return Ok(()),
                        Err(back) => {
                            self = *back;
                            break;
                        }
                    },
                }
            }
            let lost = self.table.expire(now);
            if lost > 0 {
                tracing::warn!("{lost} entries that no node has claimed for {:?} are closed", self.limits.orphaned);
            }
            if self.is_over(now) {
                return Ok(());
            }
        }
    }

    /// Waits for the listener or the node, or for a stranger or a deadline.
    fn wait(&self) -> Result<[bool; 2], HolderError> {
        let now = Instant::now();
        let deadlines = self.strangers.iter().map(|(_, at)| *at).chain(self.table.deadline()).chain(self.idle_end());
        // rounded up: a wake just before the deadline would spin
        let timeout = deadlines.min().map(|at| at.saturating_duration_since(now).as_millis() as u64 + 1);
        let timeout = timeout.map_or(PollTimeout::NONE, |ms| PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX));
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        fds.extend(
            self.session
                .iter()
                .chain(self.strangers.iter().map(|(fd, _)| fd))
                .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
        );
        match poll(&mut fds, timeout) {
            Ok(_) | Err(NixErrno::EINTR) => {}
            Err(e) => return Err(HolderError::io("poll")(e)),
        }
        let ready = |i: usize| fds.get(i).is_some_and(|fd| fd.any().unwrap_or(true));
        Ok([ready(0), self.session.is_some() && ready(1)])
    }

    fn idle_end(&self) -> Option<Instant> {
        self.idle.filter(|_| self.session.is_none() && self.table.len() == 0)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.idle_end().is_some_and(|at| now >= at)
    }

    fn accept(&mut self) {
        match accept_with(&self.listener, SocketFlags::CLOEXEC) {
            Ok(fd) => {
                let allowed = sockopt::socket_peercred(&fd)
                    .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid());
                if !allowed || packet::patient(&fd).is_err() {
                    return self.refuse(&fd, 0, Why::NotPermitted);
                }
                if self.strangers.len() >= STRANGERS.0 {
                    self.strangers.remove(0);
                }
                self.strangers.push((fd, Instant::now() + STRANGERS.1));
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
            Err(e) => {
                tracing::warn!("a connection can't be taken: {e}");
                // it stays ready: for want of descriptors this would spin
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// The first message of a connection says whose it is.
    fn greet(&mut self, at: usize, now: Instant) -> Greeted {
        let (fd, until) = &self.strangers[at];
        let until = *until;
        let kind = match packet::receive(fd, &mut self.space, Wait::No) {
            Err(Errno::AGAIN) if now < until => return Greeted::Waits,
            Ok(Received::Message { header, descriptors, .. }) if descriptors.is_empty() => Some(header.kind),
            Ok(Received::Message { .. } | Received::Bad { .. }) => None,
            Ok(Received::End) | Err(_) => {
                self.strangers.remove(at);
                return Greeted::Gone;
            }
        };
        let (fd, _) = self.strangers.remove(at);
        match kind {
            Some(Kind::Succeed) => return Greeted::Heir(fd),
            Some(Kind::Hello) => self.begin(fd),
            Some(_) => self.refuse(&fd, 0, Why::OutOfPlace),
            None => self.refuse(&fd, 0, Why::Malformed),
        }
        Greeted::Gone
    }

    /// A node begins, and gets what there is; what an earlier one has said is heard first.
    fn begin(&mut self, node: OwnedFd) {
        while self.session.is_some() && self.converse() {}
        if self.session.take().is_some() {
            tracing::warn!("another node has come, the first one is left");
        }
        let sent = self.table.iter().try_for_each(|(key, entry)| {
            let header = Header::new(Kind::Entry, key);
            packet::send(&node, header, &entry.note, &borrowed(&entry.descriptors), Wait::Yes)
        });
        let end = Header::new(Kind::End, self.table.len() as u64);
        let ended = |()| packet::send(&node, end, &[], &[own_process()?.as_fd()], Wait::Yes);
        match sent.and_then(ended) {
            Ok(()) => {
                self.table.adopt();
                self.session = Some(node);
            }
            Err(e) => {
                tracing::warn!("a node did not take its entries: {e}");
                self.part(Instant::now());
            }
        }
    }

    fn part(&mut self, now: Instant) {
        self.session = None;
        self.table.orphan(now);
        self.idle = self.limits.idle.map(|after| now + after);
    }

    /// Takes what the node says. `true`: there may be more.
    fn converse(&mut self) -> bool {
        for _ in 0..BATCH {
            let Some(node) = &self.session else { return false };
            let answer = match packet::receive(node, &mut self.space, Wait::No) {
                Ok(Received::Message { header, note, descriptors }) => {
                    let key = header.key;
                    let refused = |why| Header::new(Kind::Refused(why), key);
                    match header.kind {
                        Kind::Put => self.table.put(key, note, descriptors).err().map(refused),
                        Kind::Drop => (!self.table.remove(key)).then(|| refused(Why::Unknown)),
                        Kind::Ping => Some(Header::new(Kind::Pong, key)),
                        Kind::Bye => {
                            let now = Instant::now();
                            self.part(now);
                            self.idle = self.limits.idle.map(|_| now);
                            return false;
                        }
                        _ => Some(refused(Why::OutOfPlace)),
                    }
                }
                Ok(Received::Bad { cut }) => {
                    let why = if cut { Why::Descriptors } else { Why::Malformed };
                    Some(Header::new(Kind::Refused(why), 0))
                }
                Err(Errno::AGAIN) => return false,
                Ok(Received::End) | Err(_) => {
                    self.part(Instant::now());
                    return false;
                }
            };
            if let Some(header) = answer {
                self.refused += u64::from(matches!(header.kind, Kind::Refused(_)));
                // a node that does not listen does not want to know
                let _ = packet::send(node, header, &[], &[], Wait::No);
            }
        }
        true
    }

    fn refuse(&mut self, fd: &OwnedFd, key: u64, why: Why) {
        self.refused += 1;
        tracing::debug!("refused, {} so far: {why}", self.refused);
        let _ = packet::send(fd, Header::new(Kind::Refused(why), key), &[], &[], Wait::No);
    }
}

/// Who the holder is, so that a node can end one that stands still.
pub(crate) fn own_process() -> rustix::io::Result<OwnedFd> {
    pidfd_open(getpid(), PidfdFlags::empty())
}

/// What a connection turned out to be.
enum Greeted {
    Waits,
    Gone,
    Heir(OwnedFd),
}

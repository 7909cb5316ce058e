//! Holders in threads, spoken to by hand: what the other side may do, and what becomes of the descriptors. The oracle is the
//! kernel's: a pipe ends when the last descriptor of its writing end is closed.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ipos_socket::ListenError;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, connect, sendmsg};

use crate::message::{HEADER_BYTES, Header, Kind, NOTE_BYTES, Why};
use crate::packet::{self, Received, Space, Wait};
use crate::{Holder, HolderError, Keeper, Limits};

struct Place {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("holder");
        Place { _dir: dir, path }
    }
}

type Running = JoinHandle<Result<(), HolderError>>;

fn run(path: &Path, limits: Limits) -> Running {
    let holder = Holder::bind(path, limits).unwrap();
    thread::spawn(|| holder.run())
}

/// A connection, as a node or another holder has it.
struct Line(OwnedFd, Space);

type Got = (Header, Vec<u8>, Vec<OwnedFd>);

impl Line {
    fn new(path: &Path) -> Self {
        let fd = packet::socket().unwrap();
        connect(&fd, &SocketAddrUnix::new(path).unwrap()).unwrap();
        Line(fd, Space::default())
    }

    /// A node's session, and what it gets.
    fn node(path: &Path) -> (Self, Vec<Got>) {
        let mut line = Line::new(path);
        line.say(Kind::Hello, 0);
        let mut all = Vec::new();
        loop {
            let got = line.hear().unwrap();
            if got.0.kind == Kind::End {
                assert_eq!((got.0.key, got.2.len()), (all.len() as u64, 1));
                return (line, all);
            }
            assert_eq!(got.0.kind, Kind::Entry);
            all.push(got);
        }
    }

    fn say(&self, kind: Kind, key: u64) {
        packet::send(&self.0, Header::new(kind, key), &[], &[], Wait::Yes).unwrap();
    }

    fn put(&self, key: u64, note: &[u8], fds: &[BorrowedFd<'_>]) {
        packet::send(&self.0, Header::new(Kind::Put, key), note, fds, Wait::Yes).unwrap();
    }

    /// `None`: the other side is gone.
    fn hear(&mut self) -> Option<Got> {
        match packet::receive(&self.0, &mut self.1, Wait::Yes).unwrap() {
            Received::Message { header, note, descriptors } => Some((header, note.to_vec(), descriptors)),
            Received::End => None,
            Received::Bad { .. } => panic!("the holder said what is no message"),
        }
    }

    /// What the holder has said until it has done all that it was told.
    fn settled(&mut self) -> Vec<Kind> {
        self.say(Kind::Ping, u64::MAX);
        let mut all = Vec::new();
        loop {
            let (header, ..) = self.hear().unwrap();
            if header == Header::new(Kind::Pong, u64::MAX) {
                return all;
            }
            all.push(header.kind);
        }
    }
}

fn pipe() -> (PipeReader, PipeWriter) {
    io::pipe().unwrap()
}

/// Waits until nobody has the writing end any more.
fn ends(mut reader: PipeReader) {
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_node_that_died_finds_what_it_had_as_it_was() {
    let place = Place::new();
    run(&place.path, Limits::default());
    let (mut line, none) = Line::node(&place.path);
    assert!(none.is_empty());
    let (mut reader, writer) = pipe();
    let (second, other) = pipe();
    line.put(7, b"seven", &[writer.as_fd(), other.as_fd()]);
    line.put(8, b"eight", &[other.as_fd()]);
    line.put(7, b"seven, later", &[]);
    line.say(Kind::Drop, 8);
    drop((writer, other));
    assert_eq!(line.settled(), []);
    // answers that it never read: its end is an error first, and everything that it has said counts all the same
    line.say(Kind::Ping, 1);
    line.put(9, b"nine", &[second.as_fd()]);
    drop(line);

    let (line, mut all) = Line::node(&place.path);
    all.sort_by_key(|(header, ..)| header.key);
    let told: Vec<_> = all.iter().map(|(h, note, fds)| (h.key, note.as_slice(), fds.len())).collect();
    assert_eq!(told, [(7, &b"seven, later"[..], 2), (9, &b"nine"[..], 1)]);
    PipeWriter::from(all[0].2[0].try_clone().unwrap()).write_all(b"x").unwrap();
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    // the node's are not the only ones, until it says so
    drop(all);
    line.say(Kind::Drop, 7);
    ends(reader);
    ends(second);
}

#[test]
fn what_nobody_claims_is_closed_in_time() {
    let place = Place::new();
    let (short, idle) = (Duration::from_millis(20), Some(Duration::from_millis(20)));
    let running = run(&place.path, Limits { orphaned: short, idle, ..Limits::default() });
    let (line, _) = Line::node(&place.path);
    let (reader, writer) = pipe();
    line.put(1, b"", &[writer.as_fd()]);
    drop((writer, line));
    ends(reader);
    // and then it ends, and its path with it
    running.join().unwrap().unwrap();
    assert!(!place.path.exists());
}

#[test]
fn a_holder_that_a_node_has_started_ends_with_it() {
    let place = Place::new();
    let running = run(&place.path, Limits { idle: Some(Duration::from_secs(3600)), ..Limits::default() });
    let (keeper, claimed) = Keeper::open(&place.path, None).unwrap();
    assert!(claimed.is_empty());
    let (reader, writer) = pipe();
    let kept = keeper.keep(&[writer.as_fd()], b"note").unwrap();
    drop(writer);
    drop(kept);
    ends(reader);
    drop(keeper);
    running.join().unwrap().unwrap();
}

#[test]
fn bounds_are_told_and_nothing_is_kept_beyond_them() {
    let place = Place::new();
    run(&place.path, Limits { descriptors: 2, ..Limits::default() });
    let (mut line, _) = Line::node(&place.path);
    let (reader, writer) = pipe();
    let (kept, other) = pipe();
    line.put(1, b"", &[other.as_fd(), other.as_fd()]);
    line.put(2, b"", &[writer.as_fd()]);
    line.put(3, b"", &[]);
    drop(writer);
    assert_eq!(line.settled(), [Kind::Refused(Why::Full), Kind::Refused(Why::Unknown)]);
    ends(reader);
    line.say(Kind::Drop, 1);
    line.say(Kind::Drop, 1);
    assert_eq!(line.settled(), [Kind::Refused(Why::Unknown)]);
    drop(other);
    ends(kept);
}

/// A packet as it comes.
fn send(line: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    sendmsg(line, &[io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

fn seed() -> u64 {
    std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1)
}

/// Packets of no sense, and of almost some.
fn nonsense(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(0..2 * HEADER_BYTES)];
    random.fill(&mut bytes[..]);
    if random.random() {
        let (kind, descriptors) = (random.random_range(0..24), random.random_range(0..7));
        let header = [1, kind, descriptors, 0, 0, 0, 0, 0, random.random_range(0..4), 0, 0, 0, 0, 0, 0, 0];
        bytes.splice(..bytes.len().min(HEADER_BYTES), header);
    }
    if random.random_range(0..50) == 0 {
        bytes.resize(random.random_range(NOTE_BYTES..NOTE_BYTES + 64), 0);
    }
    bytes
}

#[test]
fn nonsense_of_a_node_is_refused_and_leaves_nothing() {
    let (place, seed) = (Place::new(), seed());
    run(&place.path, Limits { descriptors: 64, ..Limits::default() });
    let mut random = StdRng::seed_from_u64(seed);
    let (reader, writer) = pipe();
    for _ in 0..200 {
        let mut line = if random.random() { Line::node(&place.path).0 } else { Line::new(&place.path) };
        for _ in 0..random.random_range(0..100) {
            let bytes = nonsense(&mut random);
            let fds = vec![writer.as_fd(); random.random_range(0..7)];
            // an empty packet is an end, and after `Bye` there is one
            if bytes.is_empty() || send(&line.0, &bytes, &fds).is_err() {
                break;
            }
            while let Ok(received) = packet::receive(&line.0, &mut line.1, Wait::No) {
                if matches!(received, Received::End) {
                    break;
                }
            }
        }
    }
    drop(writer);
    let (mut line, all) = Line::node(&place.path);
    for (header, _, fds) in all {
        assert!((1..=4).contains(&fds.len()), "IPOS_SEED={seed}");
        line.say(Kind::Drop, header.key);
    }
    assert_eq!(line.settled(), [], "IPOS_SEED={seed}");
    ends(reader);
}

#[test]
fn nonsense_of_a_holder_is_no_holder() {
    let (place, seed) = (Place::new(), seed());
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..40 {
        let (listener, listening) =
            ipos_socket::take(&place.path, rustix::net::SocketType::SEQPACKET, 0o600, 1).unwrap();
        let mut packets: Vec<_> = (0..20).map(|_| nonsense(&mut random)).filter(|b| !b.is_empty()).collect();
        if round % 2 == 0 {
            packets.truncate(1);
        }
        let (reader, writer) = pipe();
        let fake = thread::spawn(move || {
            rustix::net::accept(&listener).map(|fd| {
                for bytes in packets {
                    if send(&fd, &bytes, &[writer.as_fd(); 3]).is_err() {
                        return;
                    }
                }
            })
        });
        // the listener does not block: whoever is not there yet is connected all the same
        let opened = Keeper::open(&place.path, None);
        let _ = fake.join().unwrap();
        let (keeper, claimed) = opened.unwrap();
        drop((claimed, keeper, listening));
        ends(reader);
    }
}

#[test]
fn who_says_nothing_keeps_nobody_out() {
    let place = Place::new();
    run(&place.path, Limits::default());
    let mut silent: Vec<_> = (0..8).map(|_| Line::new(&place.path)).collect();
    let (mut line, _) = Line::node(&place.path);
    assert_eq!(line.settled(), []);
    assert!(silent[0].hear().is_none(), "the first has made room");
    // and who speaks out of place is told so
    silent[7].say(Kind::Took, 0);
    assert_eq!(silent[7].hear().unwrap().0.kind, Kind::Refused(Why::OutOfPlace));
    assert!(silent[7].hear().is_none());
    send(&silent[6].0, b"what", &[]).unwrap();
    assert_eq!(silent[6].hear().unwrap().0.kind, Kind::Refused(Why::Malformed));
}

#[test]
fn a_successor_has_everything_and_the_node_notices_nothing() {
    let place = Place::new();
    let first = run(&place.path, Limits::default());
    let (mut line, _) = Line::node(&place.path);
    let (reader, writer) = pipe();
    for key in 0..500 {
        line.put(key, &key.to_le_bytes(), &[writer.as_fd()]);
    }
    drop(writer);
    let second = Holder::succeed(&place.path, Limits::default()).unwrap();
    first.join().unwrap().unwrap();
    // what is said while nobody listens is heard later
    line.say(Kind::Drop, 0);
    line.put(1, b"one", &[]);
    assert!(matches!(Holder::bind(&place.path, Limits::default()), Err(HolderError::Listen(ListenError::InUse(_)))));
    thread::spawn(|| second.run());
    let (header, _, holder) = line.hear().unwrap();
    assert_eq!((header.kind, holder.len()), (Kind::Pong, 1), "who it is now");
    assert_eq!(line.settled(), []);
    drop(line);
    let (line, all) = Line::node(&place.path);
    assert_eq!(all.len(), 499);
    assert_eq!((all[0].0.key, &all[0].1[..]), (1, &b"one"[..]));
    for (header, ..) in &all {
        line.say(Kind::Drop, header.key);
    }
    drop(all);
    ends(reader);
}

#[test]
fn a_successor_that_dies_has_changed_nothing() {
    let place = Place::new();
    run(&place.path, Limits::default());
    let (mut line, _) = Line::node(&place.path);
    let (reader, writer) = pipe();
    line.put(1, b"", &[writer.as_fd()]);
    drop(writer);
    for heard in 0..4 {
        let mut heir = Line::new(&place.path);
        heir.say(Kind::Succeed, 0);
        for _ in 0..heard {
            heir.hear().unwrap();
        }
        drop(heir);
        assert_eq!(line.settled(), []);
    }
    // one that says something else
    let mut heir = Line::new(&place.path);
    heir.say(Kind::Succeed, 0);
    while heir.hear().unwrap().0.kind != Kind::End {}
    heir.say(Kind::Ping, 0);
    assert!(heir.hear().is_none());
    assert_eq!(line.settled(), []);
    line.say(Kind::Drop, 1);
    ends(reader);
}

#[test]
fn without_a_holder_nothing_is_kept_and_nothing_waits() {
    let place = Place::new();
    let (keeper, claimed) = Keeper::open(&place.path, None).unwrap();
    let (reader, writer) = pipe();
    assert!(claimed.is_empty() && keeper.keep(&[writer.as_fd()], b"").is_none());
    assert_eq!((keeper.counts().kept, keeper.counts().missed), (0, 1));
    drop(writer);
    ends(reader);
    assert!(matches!(Holder::succeed(&place.path, Limits::default()), Err(HolderError::Io { .. })));
}

#[test]
fn a_holder_that_has_gone_is_missed_and_its_successor_not_confused() {
    let place = Place::new();
    let (listener, listening) = ipos_socket::take(&place.path, rustix::net::SocketType::SEQPACKET, 0o600, 1).unwrap();
    let path = place.path.clone();
    let opened = thread::spawn(move || Keeper::open(&path, None).unwrap().0);
    let mut waiting = [nix::poll::PollFd::new(listener.as_fd(), nix::poll::PollFlags::POLLIN)];
    nix::poll::poll(&mut waiting, nix::poll::PollTimeout::NONE).unwrap();
    let fake = rustix::net::accept(&listener).unwrap();
    let (_reader, writer) = pipe();
    packet::send(&fake, Header::new(Kind::End, 0), &[], &[writer.as_fd()], Wait::Yes).unwrap();
    let keeper = opened.join().unwrap();
    let old = keeper.keep(&[writer.as_fd()], b"").unwrap();
    drop((fake, listener, listening));
    assert!(keeper.keep(&[writer.as_fd()], b"").is_none());
    run(&place.path, Limits::default());
    // found again within a second or two
    let new = loop {
        if let Some(kept) = keeper.keep(&[writer.as_fd()], b"") {
            break kept;
        }
        thread::yield_now();
    };
    old.note(b"nobody knows it");
    drop(old);
    drop(new);
    drop(keeper);
    let (_, all) = Line::node(&place.path);
    assert!(all.is_empty());
}

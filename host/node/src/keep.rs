//! What the holder keeps of this node's moves, and what a node that was killed and started again does with it.
//!
//! The kernel is the record of how far a move had come: a socket in repair mode was frozen, or is prepared; one that is not
//! lives. The journal says what was committed, and the note beside a socket whose it is.
//!
//! | kept | in repair mode | journal | then |
//! |---|---|---|---|
//! | given for a move | yes | away, by this move | closed silently: the destination owns it |
//! | given for a move | yes | anything else | thawed, 83 to the destination, back to its application |
//! | given for a move | no | – | back to its application |
//! | arriving | yes | – | prepared: 89 asks the source, then live or dropped |
//! | arriving | no | – | live: to whoever listens |

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use ipos_abi::wire::tcb;
use ipos_holder::{Claimed, Keeper, Kept, NOTE_BYTES};
use ipos_migrate::protocol::{Flow, MoveId, Nonces, PeerId, Protocol, Tcb};
use ipos_migrate::socket::Prepared;
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::config::NodeConfig;

/// First byte of a note.
const VERSION: u8 = 1;
/// A move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    client: SocketAddrV4,
    service: SocketAddrV4,
    /// Back-side address of the other node.
    pub peer: Ipv4Addr,
    pub epoch: u64,
    /// This node's, and the other's.
    nonces: (u64, u64),
}

impl Mark {
    /// Of a move of TCP between nodes that can be asked.
    pub fn new(id: MoveId, flow: Flow, nonces: Option<Nonces>, config: &NodeConfig) -> Option<Self> {
        let (peer, Nonces { from, to }) = (&config.peers[id.peer.0], nonces?);
        let Flow { client, service, protocol } = flow;
        let mark = Mark { client, service, peer: peer.back_ip, epoch: id.epoch, nonces: (from, to) };
        (!peer.plain && protocol == Protocol::Tcp).then_some(mark)
    }

    /// The move; `None`: its peer is not configured any more.
    pub fn id(&self, config: &NodeConfig) -> Option<MoveId> {
        let peer = config.peers.iter().position(|p| p.back_ip == self.peer && !p.plain).map(PeerId)?;
        Some(MoveId { peer, client: self.client, epoch: self.epoch })
    }

    pub fn flow(&self) -> Flow {
        Flow { protocol: Protocol::Tcp, client: self.client, service: self.service }
    }

    pub fn nonces(&self) -> Nonces {
        Nonces { from: self.nonces.0, to: self.nonces.1 }
    }
}

/// What stands beside a socket at the holder, for the node's next life. What follows the fields of `Arriving` are the
/// application's state and the unsent bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Note {
    /// An application of this user has given it for a move, whose name is known when it is frozen.
    Given { user: u32, mark: Option<Mark> },
    /// It was built for a move to here.
    Arriving { mark: Mark, tcb: Vec<u8>, locked: u32, state: u32 },
}

impl Note {
    fn write(&self) -> Vec<u8> {
        // a Vec takes it
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let body = bytes.strip_prefix(&[VERSION])?;
        postcard::take_from_bytes(body).ok()
    }
}

/// A socket that an application gave for a move, at the holder.
#[derive(Debug)]
pub(crate) struct Given {
    kept: Kept,
    pub user: u32,
}

impl Given {
    /// Keeps the socket of a process, which is polled by `process`, of a user.
    pub fn new(keeper: &Keeper, socket: &OwnedFd, process: Option<&OwnedFd>, user: u32) -> Option<Self> {
        let mut descriptors = vec![socket.as_fd()];
        descriptors.extend(process.map(AsFd::as_fd));
        let kept = keeper.keep(&descriptors, &Note::Given { user, mark: None }.write())?;
        Some(Given { kept, user })
    }

    /// The move is about to freeze it.
    pub fn mark(&self, mark: Mark) {
        self.kept.note(&Note::Given { user: self.user, mark: Some(mark) }.write());
    }
}

/// What an application gets that asks for a connection it gave for a move to an earlier life of the node.
#[derive(Debug)]
pub(crate) enum Reclaimed {
    Back(OwnedFd, Given),
    /// It was committed.
    Away,
    Unknown,
}

/// Keeps a socket that is complete and silent, with all that it takes to go on with it.
pub(crate) fn arriving(keeper: &Keeper, mark: Mark, prepared: &Prepared, tcb: &Tcb, state: &[u8]) -> Option<Kept> {
    let (socket, locked, unsent) = prepared.parts();
    let mut block = vec![0; tcb.buffer_len()];
    tcb.emit(&mut block).ok()?;
    let mut note = Note::Arriving { mark, tcb: block, locked, state: state.len() as u32 }.write();
    if note.len() + state.len() + unsent.len() <= NOTE_BYTES {
        note.extend(state);
        note.extend(unsent);
        return keeper.keep(&[socket], &note);
    }
    let long = [&note, state, unsent];
    let file = written(&long).inspect_err(|e| tracing::warn!("a note for the holder can't be written: {e}")).ok()?;
    keeper.keep(&[socket, file.as_fd()], &[])
}

/// What the holder has kept, and whose it was.
pub(crate) enum Found {
    /// With the application's process.
    Given {
        given: Given,
        socket: OwnedFd,
        process: Option<OwnedFd>,
        mark: Option<Mark>,
    },
    Arriving(Box<Arriving>),
}

/// A socket that was built for a move to here.
pub(crate) struct Arriving {
    pub kept: Kept,
    pub socket: OwnedFd,
    pub mark: Mark,
    pub tcb: Tcb,
    pub locked: u32,
    pub state: Vec<u8>,
    pub unsent: Vec<u8>,
}

impl Found {
    /// `None`: it is not understood.
    pub fn read(claimed: Claimed) -> Option<Self> {
        let Claimed { kept, note, descriptors } = claimed;
        let mut descriptors = descriptors.into_iter();
        let (socket, other) = (descriptors.next()?, descriptors.next());
        let note = if note.is_empty() { read_back(other.as_ref()) } else { note };
        match Note::read(&note)? {
            (Note::Given { user, mark }, _) => {
                Some(Found::Given { given: Given { kept, user }, socket, process: other, mark })
            }
            (Note::Arriving { mark, tcb, locked, state }, rest) => {
                let (state, unsent) = rest.split_at_checked(state as usize)?;
                let tcb = tcb::Packet::new_checked(&tcb).and_then(|packet| Tcb::parse(&packet)).ok()?;
                let (state, unsent) = (state.to_vec(), unsent.to_vec());
                Some(Found::Arriving(Box::new(Arriving { kept, socket, mark, tcb, locked, state, unsent })))
            }
        }
    }
}

/// Bytes in memory that has a descriptor.
fn written(parts: &[&[u8]]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("ipos note", MemfdFlags::CLOEXEC)?);
    parts.iter().try_for_each(|part| file.write_all(part))?;
    Ok(file)
}

/// The note that was too long for a message.
fn read_back(file: Option<&OwnedFd>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // a queue has as many bytes as the kernel's buffers, which 32 bits count
    let most = u64::from(u32::MAX) + NodeConfig::STATE_BYTES as u64;
    let read = file.map(|fd| {
        let mut file = File::from(fd.try_clone()?);
        io::Seek::rewind(&mut file)?;
        file.take(most).read_to_end(&mut bytes)
    });
    if let Some(Err(e)) = read {
        tracing::warn!("a note of the holder's can't be read: {e}");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_nothing_else_is_one() {
        let address = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mark =
            Mark { client: address(1), service: address(2), peer: Ipv4Addr::BROADCAST, epoch: 3, nonces: (4, 5) };
        let notes = [
            Note::Given { user: 1000, mark: None },
            Note::Given { user: 0, mark: Some(mark) },
            Note::Arriving { mark, tcb: vec![6; 140], locked: 3, state: 7 },
        ];
        for note in notes {
            let mut bytes = note.write();
            for end in 0..bytes.len() {
                assert!(Note::read(&bytes[..end]).is_none());
            }
            bytes.extend(b"state");
            assert_eq!(Note::read(&bytes), Some((note, &b"state"[..])));
            bytes[0] += 1;
            assert_eq!(Note::read(&bytes), None);
        }
    }
}

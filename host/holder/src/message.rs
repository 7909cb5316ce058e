//! What a node and its holder tell each other, over a `SOCK_SEQPACKET` Unix socket: one message a packet, descriptors by
//! `SCM_RIGHTS`.
//!
//! | offset | field | size |
//! |---|---|---|
//! | 0 | [`VERSION`] | 1 |
//! | 1 | kind | 1 |
//! | 2 | number of descriptors that come along | 1 |
//! | 3 | reason of a refusal, else 0 | 1 |
//! | 4 | zero | 4 |
//! | 8 | key of an entry, or a number to be repeated; little endian | 8 |
//! | 16 | note of an entry, to the packet's end | up to [`NOTE_BYTES`] |
//!
//! A session of a node: `Hello`, the holder answers with an `Entry` for each that it keeps and an `End`; then `Put` and
//! `Drop` as moves begin and end. Only a refusal is answered, so the node waits for nothing; a `Ping` shows that the holder lives.

/// First byte of each message.
pub const VERSION: u8 = 1;
/// Bytes before the note.
pub const HEADER_BYTES: usize = 16;
/// Longest note of an entry, in bytes.
pub const NOTE_BYTES: usize = 16 << 10;
/// Most descriptors of one entry.
pub const DESCRIPTORS: usize = 4;

/// A message without its note and descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Node: it begins; give it all entries. Another session ends.
    Hello,
    /// Node: keep these descriptors with this note. Without descriptors: a new note for an entry that is there.
    Put,
    /// Node: close the descriptors of an entry.
    Drop,
    /// Node: answer with `Pong`.
    Ping,
    /// Node: it stops, and leaves nothing.
    Bye,
    /// Successor: hand everything on.
    Succeed,
    /// Successor: it has everything; its predecessor may end.
    Took,
    /// Holder: an entry, with its descriptors.
    Entry,
    /// Holder: so many entries were sent.
    End,
    /// Holder: a message had no effect.
    Refused(Why),
    /// Holder: to `Ping`, with its number.
    Pong,
    /// Holder to successor: the listening socket and the lock of its path.
    Listener,
    /// Holder to successor: the connection to the node.
    Session,
}

/// Why a holder did not do what a message asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// Not a message of this version.
    #[error("the holder did not understand: one of the two is older, `ipos holder --replace` starts a holder anew")]
    Malformed,
    /// Another number of descriptors than it said or may have, or no room in the holder's process.
    #[error("the descriptors did not come as they should")]
    Descriptors,
    /// The holder's bounds are used up.
    #[error("the holder is full")]
    Full,
    /// There is no such entry.
    #[error("the holder has no such entry")]
    Unknown,
    /// A message that does not belong there.
    #[error("the message came out of place")]
    OutOfPlace,
    /// The peer is another user.
    #[error("only root and the holder's own user may use it")]
    NotPermitted,
}

impl Why {
    const ALL: [(u8, Why); 6] = [
        (1, Why::Malformed),
        (2, Why::Descriptors),
        (3, Why::Full),
        (4, Why::Unknown),
        (5, Why::OutOfPlace),
        (6, Why::NotPermitted),
    ];
}

impl Kind {
    /// Those without a reason.
    const PLAIN: [(u8, Kind); 12] = [
        (1, Kind::Hello),
        (2, Kind::Put),
        (3, Kind::Drop),
        (4, Kind::Ping),
        (5, Kind::Bye),
        (6, Kind::Succeed),
        (7, Kind::Took),
        (16, Kind::Entry),
        (17, Kind::End),
        (18, Kind::Pong),
        (19, Kind::Listener),
        (20, Kind::Session),
    ];
    const REFUSED: u8 = 21;

    fn bytes(self) -> [u8; 2] {
        if let Kind::Refused(why) = self {
            let reason = Why::ALL.iter().find(|(_, w)| *w == why).map_or(0, |(n, _)| *n);
            return [Self::REFUSED, reason];
        }
        [Self::PLAIN.iter().find(|(_, k)| *k == self).map_or(0, |(n, _)| *n), 0]
    }

    fn read(kind: u8, reason: u8) -> Option<Kind> {
        match (kind, reason) {
            (Self::REFUSED, reason) => Why::ALL.iter().find(|(n, _)| *n == reason).map(|(_, why)| Kind::Refused(*why)),
            (kind, 0) => Self::PLAIN.iter().find(|(n, _)| *n == kind).map(|(_, kind)| *kind),
            _ => None,
        }
    }
}

/// The fixed part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Descriptors that come along.
    pub descriptors: u8,
    /// Which entry, or a number to be repeated.
    pub key: u64,
}

impl Header {
    /// A message without descriptors.
    #[must_use]
    pub fn new(kind: Kind, key: u64) -> Self {
        Header { kind, descriptors: 0, key }
    }

    /// As it stands in a packet.
    #[must_use]
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let [kind, reason] = self.kind.bytes();
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&[VERSION, kind, self.descriptors, reason]);
        bytes[8..].copy_from_slice(&self.key.to_le_bytes());
        bytes
    }

    /// Takes a packet apart. `None`: it is no message of this version.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<(Header, &[u8])> {
        let (header, note) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let [VERSION, kind, descriptors, reason, 0, 0, 0, 0, key @ ..] = *header else { return None };
        let kind = Kind::read(kind, reason)?;
        let noted = matches!(kind, Kind::Put | Kind::Entry);
        let sound = note.len() <= NOTE_BYTES && (noted || note.is_empty()) && usize::from(descriptors) <= DESCRIPTORS;
        sound.then(|| (Header { kind, descriptors, key: u64::from_le_bytes(key) }, note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        let refusals = Why::ALL.map(|(_, why)| Kind::Refused(why));
        for kind in Kind::PLAIN.iter().map(|(_, kind)| *kind).chain(refusals) {
            let header = Header { kind, descriptors: 3, key: 0x0102_0304_0506_0708 };
            assert_eq!(Header::read(&header.bytes()), Some((header, &[][..])));
        }
    }

    #[test]
    fn the_layout_is_the_one_that_older_holders_read() {
        let header = Header { kind: Kind::Put, descriptors: 2, key: 0x0a0b };
        assert_eq!(header.bytes(), [1, 2, 2, 0, 0, 0, 0, 0, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0]);
        let header = Header::new(Kind::Refused(Why::Full), 7);
        assert_eq!(header.bytes(), [1, 21, 0, 3, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn anything_else_is_no_message() {
        let good = Header::new(Kind::Put, 1).bytes();
        assert!(Header::read(&good).is_some());
        for end in 0..HEADER_BYTES {
            assert!(Header::read(&good[..end]).is_none());
        }
        // version, kind, descriptors, reason, zeros
        for (at, value) in [(0, 0), (0, 2), (1, 0), (1, 15), (1, 255), (2, 5), (3, 1), (4, 1), (7, 1)] {
            let mut bad = good;
            bad[at] = value;
            assert!(Header::read(&bad).is_none(), "{value} at {at}");
        }
        let note =
            |kind, length| Header::read(&[&Header::new(kind, 1).bytes()[..], &vec![0; length]].concat()).is_some();
        assert!(note(Kind::Put, NOTE_BYTES) && !note(Kind::Put, NOTE_BYTES + 1));
        assert!(!note(Kind::Drop, 1) && !note(Kind::Refused(Why::Full), 1));
    }
}

//! The trailer of control packets: epoch, nonces and authentication tag, behind the fixed part of types
//! `0x01`, `0x03` and from `0x80` on.
//!
//! The source's format lacks it. An epoch tells a move from an earlier one, nonces tell a message from a recording of it, and
//! the tag keeps everybody else on the back-side network from taking a connection. The data of a TCP endpoint have a trailer
//! with a zero tag: the digest in the control block covers them. A receiver of the plain format takes a trailer for padding.
//! Type `0x02` has none, so that fabric forwards at line rate: the back-side network is trusted or runs MACsec.
//!
//! Between the fixed fields and the tag there may be extras, each kind 1, length 1, value. A receiver skips those that it does
//! not know: the length counts. The tag is always the last 16 bytes.

use super::{Error, room};
use constant_time_eq::constant_time_eq_16;
use core::net::Ipv4Addr;

/// First two bytes, `ip`.
pub const MAGIC: u16 = 0x6970;
/// The version that this code writes and reads.
pub const VERSION: u8 = 2;
/// Bytes of the tag.
pub const TAG_LEN: usize = 16;
/// Most bytes of extras.
pub const MAX_EXTRAS: usize = u8::MAX as usize - LEN - TAG_LEN;
/// Kind of the extra that carries the options of a socket: [`super::options`].
pub const OPTIONS: u8 = 1;

header! {
    "ipOS trailer", 28 bytes;
    /// The fixed part of a trailer, length checked. Extras and the tag follow.
    view Packet;
    struct Raw;
    magic: u16 as Hex @ 0, "0x6970";
    version: u8 as Dec @ 2, "Version, 2";
    length: u8 as Dec @ 3, "Bytes of the trailer, extras and tag included";
    epoch: u64 as Dec @ 4, "Epoch of the move";
    from: u64 as Hex @ 12, "Nonce of the sender; zero: it has none";
    to: u64 as Hex @ 20, "Nonce of the receiver, as it told it; zero: none is known";
}

/// The last bytes of a trailer.
pub mod tag {
    header! {
        "ipOS tag", 16 bytes;
        /// The tag.
        view Packet;
        pub(super) struct Raw;
        tag: [u8; 16] as Bytes @ 0, "Keyed BLAKE3 of both back-side addresses and all from the ipOS header to here, first 16 bytes; zero without a key";
    }
}

/// Proof that a message is no recording: each side of a conversation makes up a number, and the other repeats it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonces {
    /// The sender's; zero: it has none.
    pub from: u64,
    /// The receiver's; zero: the sender knows none.
    pub to: u64,
}

/// The cluster's key. It does not show itself in debug output.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Key(bytes)
    }

    fn tag(&self, path: Path, covered: &[u8]) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&path.from.octets()).update(&path.to.octets()).update(covered).finalize_xof().fill(&mut tag);
        tag
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Back-side addresses of sender and receiver. The tag covers them, so that a packet is one sender's to one receiver; they take no
/// bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The sender.
    pub from: Ipv4Addr,
    /// The receiver.
    pub to: Ipv4Addr,
}

/// A key, and between whom it signs.
#[derive(Clone, Copy, Debug)]
pub struct Seal<'a> {
    /// The cluster's key.
    pub key: &'a Key,
    /// From whom to whom.
    pub path: Path,
}

impl Seal<'_> {
    /// The tag of `covered`: everything from the ipOS header to the tag.
    #[must_use]
    pub fn tag(&self, covered: &[u8]) -> [u8; TAG_LEN] {
        self.key.tag(self.path, covered)
    }

    /// Whether `tag` is the tag of `covered`, in a time that does not depend on where they differ.
    #[must_use]
    pub fn verify(&self, covered: &[u8], tag: &[u8; TAG_LEN]) -> bool {
        constant_time_eq_16(&self.tag(covered), tag)
    }
}

/// A trailer without its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Epoch of the move.
    pub epoch: u64,
    /// Proof that the message is no recording.
    pub nonces: Nonces,
    /// Extras as they lie in the packet: [`Repr::extra`].
    pub extras: &'a [u8],
}

impl<'a> Repr<'a> {
    /// Bytes of the trailer.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        LEN + self.extras.len() + TAG_LEN
    }

    /// The value of the first extra of a kind.
    #[must_use]
    pub fn extra(&self, kind: u8) -> Option<&'a [u8]> {
        let mut rest = self.extras;
        while let [found, length, more @ ..] = rest {
            let (value, behind) = more.split_at_checked((*length).into())?;
            if *found == kind {
                return Some(value);
            }
            rest = behind;
        }
        None
    }
}

/// Finds the trailer that begins at `end` in `packet` (from the ipOS header on, padding
/// included). `None`: something else is there, padding or nothing: a plain packet.
pub(super) fn find(packet: &[u8], end: usize) -> Result<Option<Found<'_>>, Error> {
    let rest = packet.get(end..).unwrap_or_default();
    if !rest.starts_with(&MAGIC.to_be_bytes()) {
        return Ok(None);
    }
    if let Some(found) = rest.get(2).copied().filter(|version| *version != VERSION) {
        return Err(Error::Version { header: TITLE, found, known: VERSION });
    }
    let trailer = Packet::new_fixed(rest)?;
    let length = usize::from(trailer.length());
    if length < LEN + TAG_LEN {
        return Err(Error::Value { header: TITLE, field: "length", found: length as u64 });
    }
    if rest.len() < length {
        return Err(Error::Truncated { header: TITLE, need: length, have: rest.len() });
    }
    let (extras, covered) = (&rest[LEN..length - TAG_LEN], end + length - TAG_LEN);
    let mut walk = extras;
    while let [_, length, more @ ..] = walk {
        walk = more.get(usize::from(*length)..).ok_or(extras_error(extras.len()))?;
    }
    if !walk.is_empty() {
        return Err(extras_error(extras.len()));
    }
    let Raw { epoch, from, to, .. } = Raw::read(&trailer);
    let tag = tag::Packet::new_fixed(&packet[covered..])?.tag();
    let repr = Repr { epoch, nonces: Nonces { from, to }, extras };
    Ok(Some(Found { repr, tag, covered: &packet[..covered] }))
}

fn extras_error(length: usize) -> Error {
    Error::Value { header: TITLE, field: "extras", found: length as u64 }
}

/// A trailer and what its tag covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub repr: Repr<'a>,
    pub tag: [u8; TAG_LEN],
    pub covered: &'a [u8],
}

/// Writes the trailer at `end` in `packet`, with a tag over everything before it.
pub(super) fn emit(packet: &mut [u8], end: usize, repr: &Repr<'_>, seal: Option<Seal<'_>>) -> Result<(), Error> {
    let Repr { epoch, nonces: Nonces { from, to }, extras } = *repr;
    if extras.len() > MAX_EXTRAS {
        return Err(Error::TooLong { header: TITLE, field: "extras", found: extras.len(), max: MAX_EXTRAS });
    }
    let length = repr.buffer_len();
    let packet = room(TITLE, packet, end + length)?;
    Raw { magic: MAGIC, version: VERSION, length: length as u8, epoch, from, to }.write(&mut packet[end..]);
    let covered = end + length - TAG_LEN;
    packet[end + LEN..covered].copy_from_slice(extras);
    let tag = seal.map_or([0; TAG_LEN], |seal| seal.tag(&packet[..covered]));
    tag::Raw { tag }.write(&mut packet[covered..]);
    Ok(())
}

//! The trailer of control packets: epoch and authentication tag, behind the fixed part of types
//! `0x01`, `0x03` and from `0x80` on.
//!
//! It is what the source's format lacks: without an epoch a delayed packet of an earlier move can't
//! be told from one of this move, and without a tag anyone on the back-side network can take a
//! connection. The data of a TCP endpoint have a trailer with a zero tag: the digest in the control block covers them. A receiver of the plain format takes it for padding. Type `0x02` has none, so that
//! fabric forwards at line rate: the back-side network is trusted or runs MACsec.

use super::{Error, room};
use constant_time_eq::constant_time_eq_16;

/// First two bytes, `ip`.
pub const MAGIC: u16 = 0x6970;
/// The version that this code writes and reads.
pub const VERSION: u8 = 1;
/// Bytes of the tag.
pub const TAG_LEN: usize = 16;
/// Bytes of the trailer that the tag covers.
const COVERED: usize = LEN - TAG_LEN;

header! {
    "ipOS trailer", 28 bytes;
    /// A trailer, length checked.
    view Packet;
    struct Raw;
    magic: u16 as Hex @ 0, "0x6970";
    version: u8 as Dec @ 2, "Version, 1";
    length: u8 as Dec @ 3, "Bytes of the trailer";
    epoch: u64 as Dec @ 4, "Epoch of the move";
    tag: [u8; 16] as Bytes @ 12, "Keyed BLAKE3 from the ipOS header to here, first 16 bytes; zero without a key";
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

    /// The tag of `covered`: everything from the ipOS header to the tag.
    #[must_use]
    pub fn tag(&self, covered: &[u8]) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        blake3::Hasher::new_keyed(&self.0).update(covered).finalize_xof().fill(&mut tag);
        tag
    }

    /// Whether `tag` is the tag of `covered`, in a time that does not depend on where they differ.
    #[must_use]
    pub fn verify(&self, covered: &[u8], tag: &[u8; TAG_LEN]) -> bool {
        constant_time_eq_16(&self.tag(covered), tag)
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Finds the trailer that begins at `end` in `packet` (from the ipOS header on, padding
/// included). `None`: something else is there, padding or nothing: a plain packet.
pub(super) fn find(packet: &[u8], end: usize) -> Result<Option<Found<'_>>, Error> {
    let rest = packet.get(end..).unwrap_or_default();
    if !rest.starts_with(&MAGIC.to_be_bytes()) {
        return Ok(None);
    }
    let trailer = Packet::new_fixed(rest)?;
    if trailer.version() != VERSION {
        return Err(Error::Version { header: TITLE, found: trailer.version(), known: VERSION });
    }
    if usize::from(trailer.length()) != LEN {
        return Err(Error::Value { header: TITLE, field: "length", found: trailer.length().into() });
    }
    Ok(Some(Found { epoch: trailer.epoch(), tag: trailer.tag(), covered: &packet[..end + COVERED] }))
}

/// A trailer and what its tag covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub epoch: u64,
    pub tag: [u8; TAG_LEN],
    pub covered: &'a [u8],
}

/// Writes the trailer at `end` in `packet`, with a tag over everything before it.
pub(super) fn emit(packet: &mut [u8], end: usize, epoch: u64, key: Option<&Key>) -> Result<(), Error> {
    let packet = room(TITLE, packet, end + LEN)?;
    let mut raw = Raw { magic: MAGIC, version: VERSION, length: LEN as u8, epoch, tag: [0; TAG_LEN] };
    raw.write(&mut packet[end..]);
    if let Some(key) = key {
        raw.tag = key.tag(&packet[..end + COVERED]);
        raw.write(&mut packet[end..]);
    }
    Ok(())
}

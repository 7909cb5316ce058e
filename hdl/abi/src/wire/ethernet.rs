//! Ethernet II with at most one 802.1Q tag.

use super::{Error, Mac, room};

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// Tag protocol identifier of an 802.1Q tag.
pub const VLAN: u16 = 0x8100;
/// Default EtherType of ipOS (source figure 11a). It is below `0x0600`: strict 802.3 equipment
/// reads it as a length.
pub const IPOS: u16 = 0x0007;
/// EtherType of ipOS through switches that police the length field: IEEE local experimental.
pub const IPOS_EXPERIMENTAL: u16 = 0x88b5;

header! {
    "Ethernet header", 14 bytes;
    /// A frame without FCS.
    view Frame;
    struct Raw;
    dst: Mac as Mac @ 0, "Destination MAC";
    src: Mac as Mac @ 6, "Source MAC";
    outer_type: u16 as Hex @ 12, "Type, or 0x8100 before a tag";
}

/// What stands behind an outer type of [`VLAN`]; offsets count from byte 14.
pub mod tag {
    header! {
        "802.1Q tag", 4 bytes;
        /// Tag control information and the type that follows it.
        view Tag;
        pub(super) struct Raw;
        tci: u16 as Hex @ 0, "Priority 15:13, drop eligible 12, VLAN ID 11:0";
        ethertype: u16 as Hex @ 2, "Type of the payload";
    }
}

impl<T: AsRef<[u8]>> Frame<T> {
    /// Checks that header and tag are whole.
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let frame = Self::new_fixed(buffer)?;
        if frame.outer_type() == VLAN {
            tag::Tag::new_fixed(&frame.buffer.as_ref()[LEN..])?;
        }
        Ok(frame)
    }

    /// Bytes before the payload: 14, or 18 with a tag.
    #[must_use]
    pub fn header_len(&self) -> usize {
        if self.outer_type() == VLAN { LEN + tag::LEN } else { LEN }
    }

    fn tag(&self) -> Option<tag::Tag<&[u8]>> {
        if self.outer_type() == VLAN { tag::Tag::new_fixed(&self.buffer.as_ref()[LEN..]).ok() } else { None }
    }

    /// Tag control information, if the frame is tagged.
    #[must_use]
    pub fn vlan(&self) -> Option<u16> {
        self.tag().map(|t| t.tci())
    }

    /// Type of the payload, behind the tag if there is one. A second tag makes it [`VLAN`].
    #[must_use]
    pub fn ethertype(&self) -> u16 {
        self.tag().map_or(self.outer_type(), |t| t.ethertype())
    }

    /// What follows the header, padding included.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[self.header_len()..]
    }
}

/// An Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Destination MAC.
    pub dst: Mac,
    /// Source MAC.
    pub src: Mac,
    /// Tag control information of an 802.1Q tag.
    pub vlan: Option<u16>,
    /// Type of the payload.
    pub ethertype: u16,
}

impl Repr {
    /// Reads the header.
    #[must_use]
    pub fn parse<T: AsRef<[u8]>>(frame: &Frame<T>) -> Self {
        Repr { dst: frame.dst(), src: frame.src(), vlan: frame.vlan(), ethertype: frame.ethertype() }
    }

    /// Bytes of the header.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        if self.vlan.is_some() { LEN + tag::LEN } else { LEN }
    }

    /// Writes the header at the start of `buffer`; returns its length.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let need = self.buffer_len();
        let buffer = room(TITLE, buffer, need)?;
        let outer_type = if self.vlan.is_some() { VLAN } else { self.ethertype };
        Raw { dst: self.dst, src: self.src, outer_type }.write(buffer);
        if let Some(tci) = self.vlan {
            tag::Raw { tci, ethertype: self.ethertype }.write(&mut buffer[LEN..]);
        }
        Ok(need)
    }
}

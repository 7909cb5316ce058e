//! IPv4 (RFC 791).

use super::checksum::Sum;
use super::{Error, room};
use core::net::Ipv4Addr;

/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;
/// Most bytes of options.
pub const MAX_OPTIONS: usize = 40;

header! {
    "IPv4 header", 20 bytes;
    /// A packet; bytes behind its total length (Ethernet padding) are ignored.
    view Packet;
    struct Raw;
    version_ihl: u8 as Hex @ 0, "Version 7:4, header length in words 3:0";
    tos: u8 as Hex @ 1, "DSCP 7:2, ECN 1:0";
    total_len: u16 as Dec @ 2, "Bytes of header and payload";
    ident: u16 as Hex @ 4, "Identification";
    fragment: u16 as Hex @ 6, "Don't fragment 14, more fragments 13, offset in 8 bytes 12:0";
    ttl: u8 as Dec @ 8, "Time to live";
    protocol: u8 as Dec @ 9, "Protocol of the payload";
    checksum: u16 as Hex @ 10, "Header checksum";
    src: Ipv4Addr as Ip @ 12, "Source address";
    dst: Ipv4Addr as Ip @ 16, "Destination address";
}

const DONT_FRAGMENT: u16 = 1 << 14;
const MORE_FRAGMENTS: u16 = 1 << 13;
const OFFSET_MASK: u16 = MORE_FRAGMENTS - 1;

impl<T: AsRef<[u8]>> Packet<T> {
    /// Checks version, header length and total length against the buffer; not the checksum.
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let packet = Self::new_fixed(buffer)?;
        let have = packet.buffer.as_ref().len();
        let (header_len, total_len) = (packet.header_len(), usize::from(packet.total_len()));
        if packet.version_ihl() >> 4 != 4 || header_len < LEN {
            return Err(Error::Value { header: TITLE, field: "version_ihl", found: packet.version_ihl().into() });
        }
        if total_len < header_len {
            return Err(Error::Value { header: TITLE, field: "total_len", found: total_len as u64 });
        }
        if have < total_len {
            return Err(Error::Truncated { header: "IPv4 packet", need: total_len, have });
        }
        Ok(packet)
    }

    /// Bytes of header and options.
    #[must_use]
    pub fn header_len(&self) -> usize {
        usize::from(self.version_ihl() & 15) * 4
    }

    /// The don't-fragment flag.
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        self.fragment() & DONT_FRAGMENT != 0
    }

    /// The more-fragments flag.
    #[must_use]
    pub fn more_fragments(&self) -> bool {
        self.fragment() & MORE_FRAGMENTS != 0
    }

    /// Offset of the payload in the unfragmented packet, in bytes.
    #[must_use]
    pub fn fragment_offset(&self) -> u16 {
        (self.fragment() & OFFSET_MASK) << 3
    }

    /// Part of a packet only.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
    }

    /// Whether the header checksum is right.
    #[must_use]
    pub fn verify_checksum(&self) -> bool {
        Sum::new().bytes(&self.buffer.as_ref()[..self.header_len()]).is_valid()
    }

    /// Options, padded to whole words.
    #[must_use]
    pub fn options(&self) -> &[u8] {
        &self.buffer.as_ref()[LEN..self.header_len()]
    }

    /// What follows the header, up to the total length.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[self.header_len()..usize::from(self.total_len())]
    }
}

/// An IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol of the payload.
    pub protocol: u8,
    /// DSCP and ECN.
    pub tos: u8,
    /// Identification.
    pub ident: u16,
    /// The don't-fragment flag.
    pub dont_fragment: bool,
    /// The more-fragments flag.
    pub more_fragments: bool,
    /// Offset of the payload in the unfragmented packet, in bytes, a multiple of 8.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Options; padded with zeros (end of list) to whole words when emitted.
    pub options: &'a [u8],
    /// Bytes of the payload.
    pub payload_len: usize,
}

impl<'a> Repr<'a> {
    /// A plain header: TTL 64, don't fragment, no options.
    #[must_use]
    pub const fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload_len: usize) -> Self {
        Repr {
            src,
            dst,
            protocol,
            tos: 0,
            ident: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            options: &[],
            payload_len,
        }
    }

    /// Reads the header; a wrong checksum is an error.
    pub fn parse<T: AsRef<[u8]>>(packet: &'a Packet<T>) -> Result<Self, Error> {
        if !packet.verify_checksum() {
            return Err(Error::Checksum { header: TITLE });
        }
        Ok(Repr {
            src: packet.src(),
            dst: packet.dst(),
            protocol: packet.protocol(),
            tos: packet.tos(),
            ident: packet.ident(),
            dont_fragment: packet.dont_fragment(),
            more_fragments: packet.more_fragments(),
            fragment_offset: packet.fragment_offset(),
            ttl: packet.ttl(),
            options: packet.options(),
            payload_len: packet.payload().len(),
        })
    }

    /// Bytes of header and padded options.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        LEN + self.options.len().next_multiple_of(4)
    }

    /// Bytes of the packet.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        self.header_len() + self.payload_len
    }

    /// Writes header and options with their checksum at the start of `buffer`; returns their
    /// length. The payload is the caller's to write behind it.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let header_len = self.header_len();
        if self.options.len() > MAX_OPTIONS {
            let found = self.options.len();
            return Err(Error::TooLong { header: TITLE, field: "options", found, max: MAX_OPTIONS });
        }
        let total_len = u16::try_from(self.buffer_len()).map_err(|_| Error::TooLong {
            header: TITLE,
            field: "payload",
            found: self.payload_len,
            max: usize::from(u16::MAX) - header_len,
        })?;
        if !self.fragment_offset.is_multiple_of(8) {
            return Err(Error::Value { header: TITLE, field: "fragment", found: self.fragment_offset.into() });
        }
        let buffer = room(TITLE, buffer, header_len)?;
        let flag = |on: bool, bit: u16| if on { bit } else { 0 };
        let mut raw = Raw {
            version_ihl: 4 << 4 | (header_len / 4) as u8,
            tos: self.tos,
            total_len,
            ident: self.ident,
            fragment: flag(self.dont_fragment, DONT_FRAGMENT)
                | flag(self.more_fragments, MORE_FRAGMENTS)
                | self.fragment_offset >> 3,
            ttl: self.ttl,
            protocol: self.protocol,
            checksum: 0,
            src: self.src,
            dst: self.dst,
        };
        let (options, pad) = buffer[LEN..].split_at_mut(self.options.len());
        options.copy_from_slice(self.options);
        pad.fill(0);
        raw.write(buffer);
        raw.checksum = Sum::new().bytes(buffer).finish();
        raw.write(buffer);
        Ok(header_len)
    }
}

//! The header that all ipOS packets share (source figure 11b). Packed: addresses straddle words.
//!
//! The checksum (RFC 1071) covers the header and, by type, what follows it: the connection
//! information of type `0x01`, epoch and body of types from `0x80` on, nothing for the others.
//! Ethernet padding and the [trailer](super::trailer) are never covered.

use super::checksum::Sum;
use super::{Error, room};
use crate::table::Protocol;
use core::net::{Ipv4Addr, SocketAddrV4};

header! {
    "ipOS header", 16 bytes;
    /// A packet from the ipOS header on, padding and trailer included.
    view Packet;
    struct Raw;
    src_ip: Ipv4Addr as Ip @ 0, "The client's address";
    src_port: u16 as Dec @ 4, "The client's port";
    dst_ip: Ipv4Addr as Ip @ 6, "Address of the server that owns, or is to own, the endpoint";
    dst_port: u16 as Dec @ 10, "Port of that server";
    kind: u8 as Hex @ 12, "Type";
    protocol: u8 as Dec @ 13, "Protocol: 1 TCP, 2 UDP";
    checksum: u16 as Hex @ 14, "RFC 1071 checksum of header and, by type, body";
}

codes! {
    /// Type of an ipOS packet.
    Type: u8 {
        Connection = 0x01, "connection", "What the new owner needs to rebuild the endpoint (figures 11e, 11f).";
        Packet = 0x02, "packet", "A client's IP packet, unchanged (figures 11g, 11h).";
        Ack = 0x03, "acknowledgement", "The new owner has the endpoint complete and silent.";
        Offer = 0x80, "offer", "Old to new owner, before freezing: will you take this endpoint?";
        Refusal = 0x81, "refusal", "New to old owner: no, or not any more.";
        Release = 0x82, "release", "Owner to home: the endpoint is gone.";
        Cancel = 0x83, "cancel", "Old to new owner: this epoch is given up before commit.";
        Data = 0x84, "data", "Old to new owner: bytes of queues and application state.";
        Progress = 0x85, "progress", "New to old owner: contiguous bytes per stream, and credit.";
        Commit = 0x86, "commit", "Old to new owner: the endpoint is yours.";
        Moved = 0x87, "moved", "New owner to home: send the client's packets here.";
        Ready = 0x88, "ready", "New to old owner: it would take the endpoint; nothing has changed there.";
        Query = 0x89, "query", "Either way: who owns this tuple, at which epoch?";
    }
}

impl Type {
    /// One of this project's extensions, whose body is described in [`super::ext`].
    #[must_use]
    pub const fn is_extension(self) -> bool {
        self.code() >= 0x80
    }
}

impl Protocol {
    /// Code in the ipOS header.
    #[must_use]
    pub const fn ipos_code(self) -> u8 {
        match self {
            Protocol::Tcp => 1,
            Protocol::Udp => 2,
        }
    }

    /// The protocol with this code in the ipOS header.
    #[must_use]
    pub const fn from_ipos_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Protocol::Tcp),
            2 => Some(Protocol::Udp),
            _ => None,
        }
    }

    /// Number in the IPv4 header.
    #[must_use]
    pub const fn ip_number(self) -> u8 {
        match self {
            Protocol::Tcp => super::ipv4::TCP,
            Protocol::Udp => super::ipv4::UDP,
        }
    }

    /// The protocol with this number in the IPv4 header.
    #[must_use]
    pub const fn from_ip_number(number: u8) -> Option<Self> {
        match number {
            super::ipv4::TCP => Some(Protocol::Tcp),
            super::ipv4::UDP => Some(Protocol::Udp),
            _ => None,
        }
    }
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// Checks that the header is whole.
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        Self::new_fixed(buffer)
    }

    /// Whether the checksum over the first `covered` bytes, header included, is right. `false`
    /// if there are not that many.
    #[must_use]
    pub fn verify_checksum(&self, covered: usize) -> bool {
        self.buffer.as_ref().get(..covered).is_some_and(|b| b.len() >= LEN && Sum::new().bytes(b).is_valid())
    }

    /// What follows the header, padding included.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[LEN..]
    }
}

/// An ipOS header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// The client.
    pub client: SocketAddrV4,
    /// The server that owns, or is to own, the endpoint.
    pub owner: SocketAddrV4,
    /// Type.
    pub kind: Type,
    /// Protocol of the endpoint.
    pub protocol: Protocol,
}

impl Repr {
    /// Reads the header; unknown types and protocols are errors. The checksum is the caller's
    /// to verify: what it covers depends on the type.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Self, Error> {
        let value = |field, found: u8| Error::Value { header: TITLE, field, found: found.into() };
        Ok(Repr {
            client: SocketAddrV4::new(packet.src_ip(), packet.src_port()),
            owner: SocketAddrV4::new(packet.dst_ip(), packet.dst_port()),
            kind: Type::from_code(packet.kind()).ok_or(value("type", packet.kind()))?,
            protocol: Protocol::from_ipos_code(packet.protocol()).ok_or(value("protocol", packet.protocol()))?,
        })
    }

    /// Bytes of the header.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        LEN
    }

    /// Writes the header at the start of `covered`, with the checksum over all of `covered`: what
    /// follows the header must be written before.
    pub fn emit(&self, covered: &mut [u8]) -> Result<usize, Error> {
        room(TITLE, covered, LEN)?;
        let mut raw = Raw {
            src_ip: *self.client.ip(),
            src_port: self.client.port(),
            dst_ip: *self.owner.ip(),
            dst_port: self.owner.port(),
            kind: self.kind.code(),
            protocol: self.protocol.ipos_code(),
            checksum: 0,
        };
        raw.write(covered);
        raw.checksum = Sum::new().bytes(covered).finish();
        raw.write(covered);
        Ok(LEN)
    }
}

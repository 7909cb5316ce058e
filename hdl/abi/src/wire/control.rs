//! Whole back-side frames: Ethernet, ipOS header, what the type asks for, trailer.
//!
//! [`parse`] takes lengths from the fixed sizes and, for type `0x02`, from the inner IP total
//! length, never from the frame's length: the MAC pads short frames to 60 bytes.

use super::trailer::{self, Seal};
use super::{Error, connection, ethernet, ext, ipos, ipv4, room};
use crate::table::{FlowKey, Protocol};
use core::net::SocketAddrV4;
use ipos::Type;

/// What an ipOS packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Type `0x01`: what the new owner needs to rebuild the endpoint.
    Connection(connection::Repr<'a>),
    /// Type `0x02`: a client's IP packet, unchanged, without padding. Never authenticated.
    Packet(&'a [u8]),
    /// Type `0x03`: the endpoint is complete at the new owner.
    Ack,
    /// Types from `0x80` on. These always have a trailer, of the same epoch.
    Ext(ext::Repr<'a>),
}

impl Message<'_> {
    /// Type in the ipOS header.
    #[must_use]
    pub const fn kind(&self) -> Type {
        match self {
            Message::Connection(_) => Type::Connection,
            Message::Packet(_) => Type::Packet,
            Message::Ack => Type::Ack,
            Message::Ext(ext) => ext.body.kind(),
        }
    }

    /// Bytes behind the ipOS header, trailer not counted.
    fn body_len(&self) -> usize {
        match self {
            Message::Connection(info) => info.buffer_len(),
            Message::Packet(inner) => inner.len(),
            Message::Ack => 0,
            Message::Ext(ext) => ext.buffer_len(),
        }
    }
}

/// A back-side frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Ethernet header.
    pub link: ethernet::Repr,
    /// Protocol of the endpoint.
    pub protocol: Protocol,
    /// The client.
    pub client: SocketAddrV4,
    /// The server that owns, or is to own, the endpoint.
    pub owner: SocketAddrV4,
    /// What it says.
    pub message: Message<'a>,
    /// The trailer behind it; `None`: a packet of the plain format, or type `0x02`.
    pub trailer: Option<trailer::Repr<'a>>,
}

/// A frame that [`parse`] found well formed, and what is needed to authenticate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    signed: Option<trailer::Found<'a>>,
}

/// Why a packet is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The packet has no trailer.
    #[error("a cluster key is set, but the packet has no trailer; is its sender configured as plain?")]
    Missing,
    /// The tag is not the one that this key makes.
    #[error(
        "the packet's tag is not made with this cluster's key for these two servers; do both have the same key and addresses?"
    )]
    Wrong,
}

impl Received<'_> {
    /// Checks the tag, where the packet has to have one: [`Frame::is_signed`]. Type `0x02` never has one: do not ask.
    pub fn verify(&self, seal: Seal<'_>) -> Result<(), AuthError> {
        if !self.frame.is_signed() {
            return Ok(());
        }
        let signed = self.signed.ok_or(AuthError::Missing)?;
        if seal.verify(signed.covered, &signed.tag) { Ok(()) } else { Err(AuthError::Wrong) }
    }
}

const TITLE: &str = "ipOS packet";

/// Reads a frame of the back side, padding allowed. `ethertype` is the configured type of ipOS.
/// Checks lengths and the ipOS checksum; not the inner packet's checksums, not the control block
/// ([`super::tcb::Repr::parse`]), not the tag ([`Received::verify`]).
pub fn parse(bytes: &[u8], ethertype: u16) -> Result<Received<'_>, Error> {
    let eth = ethernet::Frame::new_checked(bytes)?;
    let link = ethernet::Repr::parse(&eth);
    if link.ethertype != ethertype {
        return Err(Error::Value { header: ethernet::TITLE, field: "type", found: link.ethertype.into() });
    }
    let packet = &bytes[eth.header_len()..];
    let header = ipos::Packet::new_checked(packet)?;
    let repr = ipos::Repr::parse(&header)?;
    let rest = &packet[ipos::LEN..];

    let end = ipos::LEN
        + match repr.kind {
            Type::Connection => connection::Repr::len_of(repr.protocol),
            Type::Packet | Type::Ack => 0,
            kind => ext::Repr::measure(kind, rest)?,
        };
    if packet.len() < end {
        return Err(Error::Truncated { header: TITLE, need: end, have: packet.len() });
    }
    if !header.verify_checksum(end) {
        return Err(Error::Checksum { header: TITLE });
    }

    let found = if repr.kind == Type::Packet { None } else { trailer::find(packet, end)? };
    let trailer = found.map(|t| t.repr);
    let message = match repr.kind {
        Type::Connection => Message::Connection(connection::Repr::parse(repr.protocol, rest)?),
        Type::Packet => Message::Packet(inner(repr.protocol, rest)?),
        Type::Ack => Message::Ack,
        kind => {
            let ext = ext::Repr::parse(kind, rest)?;
            match trailer.map(|t| t.epoch) {
                Some(epoch) if epoch == ext.epoch => Message::Ext(ext),
                Some(found) => return Err(Error::Value { header: trailer::TITLE, field: "epoch", found }),
                None => {
                    let (need, have) = (end + trailer::LEN + trailer::TAG_LEN, packet.len());
                    return Err(Error::Truncated { header: trailer::TITLE, need, have });
                }
            }
        }
    };
    let ipos::Repr { client, owner, protocol, .. } = repr;
    Ok(Received { frame: Frame { link, protocol, client, owner, message, trailer }, signed: found })
}

/// The inner packet of type `0x02`, cut to its total length.
fn inner(protocol: Protocol, bytes: &[u8]) -> Result<&[u8], Error> {
    let packet = ipv4::Packet::new_checked(bytes)?;
    if packet.protocol() != protocol.ip_number() {
        return Err(Error::Value { header: ipv4::TITLE, field: "protocol", found: packet.protocol().into() });
    }
    Ok(&bytes[..usize::from(packet.total_len())])
}

impl Frame<'_> {
    /// The tuple that the message is about, where it names one: types `0x01` and from `0x80`
    /// on. Type `0x02` has it in the inner packet; type `0x03` is told by client and epoch.
    #[must_use]
    pub fn key(&self) -> Option<FlowKey> {
        let service = match self.message {
            Message::Connection(info) => info.server(),
            Message::Ext(ext) => ext.service,
            Message::Packet(_) | Message::Ack => return None,
        };
        Some(FlowKey {
            protocol: self.protocol,
            src_ip: self.client.ip().octets(),
            src_port: self.client.port(),
            dst_ip: service.ip().octets(),
            dst_port: service.port(),
        })
    }

    /// Whether the trailer's tag is made and checked. Not that of data of a TCP endpoint: the digest in the control block, which
    /// is signed, covers them, so a forged one can make a move fail and nothing else. UDP has no digest, and no data at all are a
    /// message of their own: the answer to ready.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        match self.message {
            Message::Ext(ext::Repr { body: ext::Body::Data { bytes, .. }, .. }) => {
                bytes.is_empty() || matches!(self.protocol, Protocol::Udp)
            }
            _ => true,
        }
    }

    /// Bytes of the frame, padding not counted.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        let trailer = self.trailer.map_or(0, |t| t.buffer_len());
        self.link.buffer_len() + ipos::LEN + self.message.body_len() + trailer
    }

    /// Writes the frame at the start of `buffer`; returns its length. Without a seal, or where none is
    /// needed ([`Frame::is_signed`]), the trailer's tag is zero.
    pub fn emit(&self, buffer: &mut [u8], seal: Option<Seal<'_>>) -> Result<usize, Error> {
        let need = self.buffer_len();
        let buffer = room(TITLE, buffer, need)?;
        let link_len = self.link.emit(buffer)?;
        let packet = &mut buffer[link_len..];
        let (body, end) = (&mut packet[ipos::LEN..], ipos::LEN + self.message.body_len());
        let covered = match self.message {
            Message::Connection(info) => {
                if info.protocol() != self.protocol {
                    let found = self.protocol.ipos_code().into();
                    return Err(Error::Value { header: ipos::TITLE, field: "protocol", found });
                }
                info.emit(body)?;
                end
            }
            Message::Packet(packet) => {
                let whole = inner(self.protocol, packet)?.len();
                if whole != packet.len() {
                    return Err(Error::Value { header: ipv4::TITLE, field: "total_len", found: whole as u64 });
                }
                body.copy_from_slice(packet);
                ipos::LEN
            }
            Message::Ack => end,
            Message::Ext(ext) => {
                ext.emit(body)?;
                end
            }
        };
        let (client, owner, kind, protocol) = (self.client, self.owner, self.message.kind(), self.protocol);
        ipos::Repr { client, owner, kind, protocol }.emit(&mut packet[..covered])?;
        if let Some(trailer) = &self.trailer {
            trailer::emit(packet, end, trailer, seal.filter(|_| self.is_signed()))?;
        }
        Ok(need)
    }
}

//! What the node must know of a frame, and frames that it makes itself.

use std::net::SocketAddrV4;

use ipos_abi::table::Protocol;
use ipos_abi::wire::control::{Frame, Message};
use ipos_abi::wire::tcp::{Flags, Segment};
use ipos_abi::wire::{Error, ethernet, ipv4};
use ipos_migrate::protocol::Flow;

/// A TCP segment, as far as moves are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tcp {
    pub src: SocketAddrV4,
    pub dst: SocketAddrV4,
    pub flags: Flags,
    pub seq: u32,
    pub ack: u32,
    /// Bytes of data.
    pub length: u32,
    /// End of the IP packet in the frame: behind it is padding.
    pub end: usize,
}

impl Tcp {
    /// Reads an untagged Ethernet frame. `None`: not TCP over IPv4, a fragment, or malformed;
    /// such frames belong to no connection that moves.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let link = ethernet::Frame::new_checked(frame).ok()?;
        if link.ethertype() != ethernet::IPV4 {
            return None;
        }
        let ip = ipv4::Packet::new_checked(link.payload()).ok()?;
        if ip.protocol() != Protocol::Tcp.ip_number() || ip.is_fragment() {
            return None;
        }
        let segment = Segment::new_checked(ip.payload()).ok()?;
        Some(Tcp {
            src: SocketAddrV4::new(ip.src(), segment.src_port()),
            dst: SocketAddrV4::new(ip.dst(), segment.dst_port()),
            flags: segment.flags(),
            seq: segment.seq(),
            ack: segment.ack(),
            length: segment.payload().len() as u32,
            end: link.header_len() + usize::from(ip.total_len()),
        })
    }

    /// The connection, if this came from its client.
    pub fn inbound(&self) -> Flow {
        Flow { client: self.src, service: self.dst }
    }

    /// The connection, if this is for its client.
    pub fn outbound(&self) -> Flow {
        Flow { client: self.dst, service: self.src }
    }

    /// Any of `flags` is set.
    pub fn has(&self, flags: Flags) -> bool {
        self.flags.0 & flags.0 != 0
    }
}

/// A client's frame as the type 02 packet that fabric would make of it.
pub(crate) fn encapsulate(
    frame: &[u8],
    tcp: &Tcp,
    owner: SocketAddrV4,
    link: ethernet::Repr,
) -> Result<Vec<u8>, Error> {
    let packet = Frame {
        link,
        protocol: Protocol::Tcp,
        client: tcp.src,
        owner,
        message: Message::Packet(&frame[ethernet::LEN..tcp.end]),
    };
    let mut bytes = vec![0; packet.buffer_len()];
    packet.emit(&mut bytes, None)?;
    Ok(bytes)
}

/// An IPv4 packet as a frame for the server's kernel.
pub(crate) fn to_kernel(packet: &[u8], link: ethernet::Repr) -> Result<Vec<u8>, Error> {
    let mut frame = vec![0; ethernet::LEN];
    link.emit(&mut frame)?;
    frame.extend_from_slice(packet);
    Ok(frame)
}

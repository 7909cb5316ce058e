//! What the node must know of a frame, and frames that it makes itself.

use std::net::SocketAddrV4;

use ipos_abi::wire::ipos::{self, Type};
use ipos_abi::wire::tcp::{Flags, Segment};
use ipos_abi::wire::udp::Datagram;
use ipos_abi::wire::{Error, ethernet, ipv4};
use ipos_migrate::protocol::{Flow, Protocol};

/// IP protocol number of ICMP.
const ICMP: u8 = 1;
/// Types that quote a packet: destination unreachable, source quench, time exceeded, parameter problem. (A redirect does,
/// too, but is about the way from this server.)
const ICMP_ERRORS: [u8; 4] = [3, 4, 11, 12];

/// A TCP segment or UDP datagram, as far as moves are concerned; what only TCP has is zero for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transport {
    pub protocol: Protocol,
    pub src: SocketAddrV4,
    pub dst: SocketAddrV4,
    pub flags: Flags,
    pub seq: u32,
    pub ack: u32,
    /// The urgent pointer.
    pub urgent: u32,
    /// Bytes of data.
    pub length: u32,
    /// End of the IP packet in the frame: behind it is padding.
    pub end: usize,
}

impl Transport {
    /// Reads an untagged Ethernet frame. `None`: neither TCP nor UDP over IPv4, or malformed: such frames belong to no
    /// connection that moves; or a fragment, of which [`Fragments`](crate::flows::Fragments) tells whose it is.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let link = ethernet::Frame::new_checked(frame).ok()?;
        if link.ethertype() != ethernet::IPV4 {
            return None;
        }
        let ip = ipv4::Packet::new_checked(link.payload()).ok()?;
        if ip.is_fragment() {
            return None;
        }
        let end = link.header_len() + usize::from(ip.total_len());
        let ends = |src, dst| (SocketAddrV4::new(ip.src(), src), SocketAddrV4::new(ip.dst(), dst));
        match ip.protocol() {
            ipv4::TCP => {
                let segment = Segment::new_checked(ip.payload()).ok()?;
                let (src, dst) = ends(segment.src_port(), segment.dst_port());
                Some(Transport {
                    protocol: Protocol::Tcp,
                    src,
                    dst,
                    flags: segment.flags(),
                    seq: segment.seq(),
                    ack: segment.ack(),
                    urgent: segment.urgent().into(),
                    length: segment.payload().len() as u32,
                    end,
                })
            }
            ipv4::UDP => {
                let datagram = Datagram::new_checked(ip.payload()).ok()?;
                let (client, service) = ends(datagram.src_port(), datagram.dst_port());
                Some(Self::of(&Flow { protocol: Protocol::Udp, client, service }, end))
            }
            _ => None,
        }
    }

    /// The connection that an ICMP error is about (RFC 792: it quotes the IP header and 8 bytes of what was sent to the client),
    /// as something of the client.
    pub fn quoted(frame: &[u8]) -> Option<Self> {
        let link = ethernet::Frame::new_checked(frame).ok()?;
        let ip = ipv4::Packet::new_checked(link.payload()).ok()?;
        if link.ethertype() != ethernet::IPV4 || ip.protocol() != ICMP || ip.is_fragment() {
            return None;
        }
        let (kind, quote) = (ip.payload().first()?, ip.payload().get(8..)?);
        if !ICMP_ERRORS.contains(kind) {
            return None;
        }
        // only the head of the packet is there: its total length says nothing here
        let header = usize::from(quote.first()? & 15) * 4;
        let protocol = match *quote.get(9)? {
            ipv4::TCP => Protocol::Tcp,
            ipv4::UDP => Protocol::Udp,
            _ => return None,
        };
        let address = |at: usize| Some(<[u8; 4]>::try_from(quote.get(at..at + 4)?).ok()?.into());
        let port = |at: usize| Some(u16::from_be_bytes(quote.get(at..at + 2)?.try_into().ok()?));
        let service = SocketAddrV4::new(address(12)?, port(header)?);
        let client = SocketAddrV4::new(address(16)?, port(header + 2)?);
        let end = link.header_len() + usize::from(ip.total_len());
        Some(Self::of(&Flow { protocol, client, service }, end))
    }

    /// Something of the client that has no segment's fields: a datagram or a fragment, of a packet that ends at `end`.
    pub fn of(flow: &Flow, end: usize) -> Self {
        let Flow { protocol, client, service } = *flow;
        let (flags, seq, ack, urgent, length) = (Flags::default(), 0, 0, 0, 0);
        Transport { protocol, src: client, dst: service, flags, seq, ack, urgent, length, end }
    }

    /// The connection, if this came from its client.
    pub fn inbound(&self) -> Flow {
        Flow { protocol: self.protocol, client: self.src, service: self.dst }
    }

    /// The connection, if this is for its client.
    pub fn outbound(&self) -> Flow {
        Flow { protocol: self.protocol, client: self.dst, service: self.src }
    }

    /// Any of `flags` is set.
    pub fn has(&self, flags: Flags) -> bool {
        self.flags.0 & flags.0 != 0
    }
}

/// A client's frame as the type 02 packet that fabric would make of it, or an ICMP error about what a connection sent as one.
pub(crate) fn encapsulate(
    frame: &[u8],
    inner: &Transport,
    owner: SocketAddrV4,
    link: ethernet::Repr,
) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; link.buffer_len() + ipos::LEN];
    let header = link.emit(&mut bytes)?;
    // fabric takes the packet out whatever its protocol is; its checksums are its own
    ipos::Repr { client: inner.src, owner, kind: Type::Packet, protocol: inner.protocol }.emit(&mut bytes[header..])?;
    bytes.extend_from_slice(&frame[ethernet::LEN..inner.end]);
    Ok(bytes)
}

/// An IPv4 packet as a frame.
pub(crate) fn framed(packet: &[u8], link: ethernet::Repr) -> Result<Vec<u8>, Error> {
    let mut frame = vec![0; link.buffer_len()];
    link.emit(&mut frame)?;
    frame.extend_from_slice(packet);
    Ok(frame)
}

/// Puts an 802.1Q tag with this VLAN ID, priority 0, into a frame that has a whole link header.
pub(crate) fn tag(frame: &mut Vec<u8>, id: u16) {
    if frame.len() >= ethernet::LEN {
        let tag = [ethernet::VLAN.to_be_bytes(), id.to_be_bytes()];
        frame.splice(12..12, tag.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
    const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000);

    /// An ICMP message of this type with a header of 4 more bytes, that quotes a packet from the service to the client.
    fn icmp(kind: u8, protocol: u8, quoted: usize) -> Vec<u8> {
        let mut quote = vec![0; ipv4::LEN + 4];
        let repr = ipv4::Repr { options: &[1; 4], ..ipv4::Repr::new(*SERVICE.ip(), *CLIENT.ip(), protocol, 1000) };
        repr.emit(&mut quote).unwrap();
        for port in [SERVICE.port(), CLIENT.port()] {
            quote.extend_from_slice(&port.to_be_bytes());
        }
        quote.extend_from_slice(&[0; 4]);
        quote.truncate(quoted);
        let message = [&[kind, 4, 0, 0, 0, 0, 5, 0], quote.as_slice()].concat();
        let mut packet = vec![0; ipv4::LEN];
        let router = Ipv4Addr::new(10, 0, 0, 254);
        ipv4::Repr::new(router, *SERVICE.ip(), ICMP, message.len()).emit(&mut packet).unwrap();
        packet.extend_from_slice(&message);
        let link = ethernet::Repr {
            dst: ipos_abi::wire::Mac([2; 6]),
            src: ipos_abi::wire::Mac([4; 6]),
            vlan: None,
            ethertype: ethernet::IPV4,
        };
        let mut frame = framed(&packet, link).unwrap();
        // padding of the MAC
        frame.extend_from_slice(&[0; 3]);
        frame
    }

    #[test]
    fn an_icmp_error_names_its_connection() {
        for (number, protocol) in [(ipv4::TCP, Protocol::Tcp), (ipv4::UDP, Protocol::Udp)] {
            for kind in ICMP_ERRORS {
                let frame = icmp(kind, number, 32);
                let error = Transport::quoted(&frame).unwrap();
                assert_eq!(error.inbound(), Flow { protocol, client: CLIENT, service: SERVICE });
                assert_eq!(error.end, frame.len() - 3);
                assert_eq!(Transport::parse(&frame), None);
            }
        }
    }

    #[test]
    fn other_icmp_and_cut_quotes_name_none() {
        assert_eq!(Transport::quoted(&icmp(8, ipv4::TCP, 32)), None);
        assert_eq!(Transport::quoted(&icmp(3, 47, 32)), None);
        for quoted in 0..28 {
            assert_eq!(Transport::quoted(&icmp(3, ipv4::TCP, quoted)), None, "{quoted} bytes");
        }
    }
}

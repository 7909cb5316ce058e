//! Connected UDP sockets.
//!
//! The kernel keeps no state of a UDP endpoint beside its addresses and the datagrams that the application has not
//! read. Those are taken out as packets of the client, which go the way of the packets that were held.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{BorrowedFd, OwnedFd};

use ipos_abi::wire::{ipv4, udp};
use socket2::{Domain, Protocol, Socket, Type};

use super::error::{FreezeError, RestoreError, What};
use super::sys;
use crate::protocol::Flow;

/// The longest datagram of IPv4.
const LONGEST: usize = 65_507;

/// Takes the datagrams that wait, at most `limit` bytes, each as the IPv4 packets of at most `mtu` bytes that its client
/// may have sent. The client's TTL, TOS and options are not known any more.
pub fn drain_udp(fd: BorrowedFd<'_>, flow: &Flow, mtu: usize, limit: usize) -> Result<Vec<Vec<u8>>, FreezeError> {
    let (mut packets, mut bytes, mut ident) = (Vec::new(), 0, 0u16);
    while bytes < limit {
        let mut payload = Vec::with_capacity(LONGEST);
        match sys::receive(fd, &mut payload, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            // an ICMP error that came earlier is told once, instead of a datagram
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(cause) => return Err(FreezeError::Io { what: "waiting datagrams", cause }),
        }
        bytes += payload.len();
        ident = ident.wrapping_add(1);
        packets.extend(fragments(flow, &payload, mtu, ident));
    }
    Ok(packets)
}

/// A datagram as IPv4 packets, in fragments where it is longer than `mtu` (RFC 791, section 3.2).
fn fragments(flow: &Flow, payload: &[u8], mtu: usize, ident: u16) -> Vec<Vec<u8>> {
    let (src, dst) = (*flow.client.ip(), *flow.service.ip());
    let header = udp::Repr { src_port: flow.client.port(), dst_port: flow.service.port() };
    let mut datagram = vec![0; header.buffer_len() + payload.len()];
    header.emit(&mut datagram, src, dst, payload).expect("a socket gives no longer datagrams than there are");
    let most = mtu.saturating_sub(ipv4::LEN).max(8) / 8 * 8;
    let pieces = datagram.len().div_ceil(most);
    let piece = |(i, piece): (usize, &[u8])| {
        let repr = ipv4::Repr {
            ident,
            dont_fragment: pieces == 1,
            more_fragments: i + 1 < pieces,
            fragment_offset: (i * most) as u16,
            ..ipv4::Repr::new(src, dst, ipv4::UDP, piece.len())
        };
        let mut packet = vec![0; ipv4::LEN];
        repr.emit(&mut packet).expect("a header of 20 bytes");
        packet.extend_from_slice(piece);
        packet
    };
    datagram.chunks(most).enumerate().map(piece).collect()
}

/// Makes a socket that answers one client as the service. It gets the client's datagrams from now on; a socket that
/// serves all clients of the port must have set `SO_REUSEADDR`, as this one does.
pub fn connect_udp(client: SocketAddrV4, service: SocketAddrV4) -> Result<OwnedFd, RestoreError> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).doing("creating a socket")?;
    socket.set_nonblocking(true).doing("O_NONBLOCK")?;
    socket.set_reuse_address(true).doing("SO_REUSEADDR")?;
    socket.set_freebind_v4(true).doing("IP_FREEBIND")?;
    socket.bind(&service.into()).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => RestoreError::PortTaken(service),
        _ => RestoreError::Io { what: "binding the service address", cause },
    })?;
    let unconnected = |cause| RestoreError::unconnected(Some(service), "connecting a UDP socket", cause);
    socket.connect(&client.into()).map_err(unconnected)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    fn local(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    fn waiting_datagrams_come_out_as_the_packets_that_they_were_and_the_new_socket_gets_the_next() {
        let (client, served) = (UdpSocket::bind(local(0)).unwrap(), UdpSocket::bind(local(0)).unwrap());
        served.connect(client.local_addr().unwrap()).unwrap();
        client.connect(served.local_addr().unwrap()).unwrap();
        let long: Vec<_> = (0..4000).map(|i| i as u8).collect();
        for payload in [b"one".as_slice(), b"", &long] {
            client.send(payload).unwrap();
        }
        let seen = super::super::inspect(served.as_fd(), &mut super::super::Diag::open().unwrap()).unwrap();
        let ends = (seen.flow.client.into(), seen.flow.service.into());
        assert_eq!(ends, (client.local_addr().unwrap(), served.local_addr().unwrap()));

        let packets = drain_udp(served.as_fd(), &seen.flow, 1500, 1 << 20).unwrap();
        let mut pool = etherparse::defrag::IpDefragPool::<(), ()>::new();
        let mut payloads = Vec::new();
        for packet in &packets {
            assert!(packet.len() <= 1500);
            let sliced = etherparse::SlicedPacket::from_ip(packet).unwrap();
            let whole = if sliced.is_ip_payload_fragmented() {
                let Some(whole) = pool.process_sliced_packet(&sliced, (), ()).unwrap() else { continue };
                etherparse::UdpSlice::from_slice(&whole.payload).unwrap().payload().to_vec()
            } else {
                let Some(etherparse::TransportSlice::Udp(udp)) = sliced.transport else { panic!("not UDP") };
                udp.payload().to_vec()
            };
            payloads.push(whole);
        }
        assert_eq!((packets.len(), payloads), (5, vec![b"one".to_vec(), vec![], long]));
        drop(served);

        let server = UdpSocket::from(connect_udp(seen.flow.client, seen.flow.service).unwrap());
        server.set_nonblocking(false).unwrap();
        client.send(b"next").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(server.recv(&mut buffer).unwrap(), 4);
        server.send(b"answer").unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 6);
    }

    #[test]
    fn an_unconnected_socket_is_refused() {
        let socket = UdpSocket::bind(local(0)).unwrap();
        assert!(super::super::inspect(socket.as_fd(), &mut super::super::Diag::open().unwrap()).is_err());
    }
}

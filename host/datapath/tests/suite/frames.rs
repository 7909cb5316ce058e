//! CardConfig, flows and frames of the suite.

use std::net::{Ipv4Addr, SocketAddr};

use etherparse::PacketBuilder;
use etherparse::checksum::Sum16BitWords;
use ipos_abi::table::Protocol;
use ipos_datapath::{Flow, Owner, PeerAddress};

pub const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const BACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
pub const PEER: [u8; 6] = [2, 0, 0, 0, 0, 0xb1];
pub const IPOS: u16 = 0x0007;

const CLIENT_IP: [u8; 4] = [10, 0, 0, 1];
pub const SERVICE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 168, 7, 1)), 80);
const OWNER_IP: [u8; 4] = [172, 16, 0, 3];
const OWNER_PORT: u16 = 5000;

pub const OWNER: Owner =
    Owner { ip: std::net::IpAddr::V4(Ipv4Addr::from_octets(OWNER_IP)), port: OWNER_PORT, at: PeerAddress::Mac(PEER) };

/// The flow of a client's port.
pub fn flow(protocol: Protocol, port: u16) -> Flow {
    Flow { protocol, client: (CLIENT_IP, port).into(), service: SERVICE }
}

/// What is in a packet of the flow, apart from others by its number.
#[derive(Clone, Copy)]
pub enum Kind {
    Data(u32),
    Syn,
    Fin,
}

/// A packet from the client, IPv4 header first.
pub fn packet(flow: &Flow, kind: Kind) -> Vec<u8> {
    let service = [192, 168, 7, 1];
    let builder = PacketBuilder::ipv4(CLIENT_IP, service, 64);
    let mut bytes = Vec::new();
    let (from, to) = (flow.client.port(), flow.service.port());
    match (flow.protocol, kind) {
        (Protocol::Tcp, Kind::Data(n)) => builder.tcp(from, to, n, 1024).ack(1).write(&mut bytes, &n.to_be_bytes()),
        (Protocol::Tcp, Kind::Syn) => builder.tcp(from, to, 7, 1024).syn().write(&mut bytes, &[]),
        (Protocol::Tcp, Kind::Fin) => builder.tcp(from, to, 9, 1024).ack(1).fin().write(&mut bytes, &[]),
        (Protocol::Udp, Kind::Data(n)) => builder.udp(from, to).write(&mut bytes, &n.to_be_bytes()),
        (Protocol::Udp, _) => builder.udp(from, to).write(&mut bytes, &[]),
    }
    .unwrap();
    bytes
}

fn framed(dst: [u8; 6], src: [u8; 6], ethertype: u16, parts: [&[u8]; 2]) -> Vec<u8> {
    [&dst[..], &src, &ethertype.to_be_bytes(), parts[0], parts[1]].concat()
}

/// A packet as the client's frame.
pub fn from_client(packet: &[u8]) -> Vec<u8> {
    framed(FRONT, CLIENT, 0x0800, [packet, &[]])
}

/// The ipOS header of type 02 of a flow (source figure 11b, checksum of RFC 1071).
fn header(flow: &Flow) -> Vec<u8> {
    let protocol = match flow.protocol {
        Protocol::Tcp => 1,
        Protocol::Udp => 2,
    };
    let mut header = Vec::new();
    header.extend_from_slice(&CLIENT_IP);
    header.extend_from_slice(&flow.client.port().to_be_bytes());
    header.extend_from_slice(&OWNER_IP);
    header.extend_from_slice(&OWNER_PORT.to_be_bytes());
    header.extend_from_slice(&[2, protocol]);
    let sum = Sum16BitWords::new().add_slice(&header).ones_complement().to_be();
    header.extend_from_slice(&sum.to_be_bytes());
    header
}

/// A packet of the flow as the datapath sends it to the owner.
pub fn to_owner(flow: &Flow, packet: &[u8]) -> Vec<u8> {
    framed(PEER, BACK, IPOS, [&header(flow), packet])
}

/// A packet of the flow as a peer sends it on.
pub fn from_peer(flow: &Flow, packet: &[u8]) -> Vec<u8> {
    framed(BACK, PEER, IPOS, [&header(flow), packet])
}

//! A card with one flow for each way that a frame can go, and frames of these flows.
#![allow(dead_code)] // each test file takes what it needs

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, Ipv4Header, Ipv4Options, TcpHeader, UdpHeader};
use ipos_abi::Port;
use ipos_abi::regs::{ENABLE, counters, mac_words, outcome, port, tables};
use ipos_abi::rx::Outcome;
use ipos_abi::table::{Action, ENDPOINT_INDEX_BITS, FORWARD_INDEX_BITS, FlowKey, ForwardValue, Protocol, hash};
use ipos_sim::card::Card;

pub const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const BACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 0xb0];
const NEIGHBOUR: [u8; 6] = [2, 0, 0, 0, 0, 0xb1];
const IPV4: u16 = 0x0800;
const IPOS: u16 = 0x0007;

/// The client's port of a flow with a forward entry.
pub const FORWARD: u16 = 1;
/// The client's port of a flow with an endpoint entry.
pub const ENDPOINT: u16 = 2;
/// The client's port of a flow in no table.
pub const MISS: u16 = 3;

pub use Protocol::{Tcp, Udp};

fn key(protocol: Protocol, client: u16) -> FlowKey {
    FlowKey { protocol, src_ip: [10, 0, 0, 1], src_port: client, dst_ip: [192, 168, 7, 1], dst_port: 80 }
}

/// Sets the ports, a neighbour, a destination, and the entries of both flows for TCP and UDP.
pub fn set_up(card: &mut dyn Card) {
    let (front, back, neighbour) = (mac_words(FRONT), mac_words(BACK), mac_words(NEIGHBOUR));
    let mut writes = vec![
        (port::REFORWARD, 0),
        (port::FRONT_MAC_LO, front.0),
        (port::FRONT_MAC_HI, front.1),
        (port::BACK_MAC_LO, back.0),
        (port::BACK_MAC_HI, back.1),
        (tables::NEIGHBOUR_LO, neighbour.0),
        (tables::NEIGHBOUR_HI, neighbour.1 | ENABLE),
        (tables::COMMIT_NEIGHBOUR, 0),
        (tables::DEST_IP, 0xac10_0001),
        (tables::DEST_PORT, 5000),
        (tables::COMMIT_DEST, 0),
    ];
    let forward = ForwardValue { destination: 0, action: Action::Forward }.bits();
    for (bank, protocol) in [Tcp, Udp].into_iter().enumerate() {
        for (client, value, commit, bits) in [
            (FORWARD, forward, tables::COMMIT_FORWARD, FORWARD_INDEX_BITS),
            (ENDPOINT, 0xcafe_0001 + bank as u32, tables::COMMIT_ENDPOINT, ENDPOINT_INDEX_BITS),
        ] {
            let key = key(protocol, client);
            let words = key.words();
            let staged = [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3].into_iter().zip(words);
            writes.extend(staged);
            writes.push((tables::VALUE, value));
            writes.push((commit, ENABLE | (bank as u32) << 16 | hash(bank, key.bits(), bits)));
        }
    }
    for (offset, value) in writes {
        card.write32(offset, value);
    }
}

/// Bank and slot of a flow's forward entry, as COMMIT_FORWARD and SELECT take them.
pub fn place(protocol: Protocol) -> u32 {
    let bank = [Tcp, Udp].iter().position(|&p| p == protocol).expect("one of the two");
    (bank as u32) << 16 | hash(bank, key(protocol, FORWARD).bits(), FORWARD_INDEX_BITS)
}

/// An IPv4 packet of a flow, with that many bytes of options (a multiple of four) and data.
pub fn packet(protocol: Protocol, client: u16, options: usize, data: usize) -> Vec<u8> {
    let key = key(protocol, client);
    let data: Vec<u8> = (0..data).map(|i| (i * 7 + 1) as u8).collect();
    let (number, l4) = match protocol {
        Tcp => (IpNumber::TCP, TcpHeader::MIN_LEN),
        Udp => (IpNumber::UDP, UdpHeader::LEN),
    };
    let mut ip = Ipv4Header::new((l4 + data.len()) as u16, 64, number, key.src_ip, key.dst_ip).unwrap();
    ip.options = Ipv4Options::try_from(&vec![1; options][..]).unwrap();
    ip.total_len += options as u16;
    ip.header_checksum = ip.calc_header_checksum();
    let mut out = ip.to_bytes().to_vec();
    match protocol {
        Tcp => {
            let mut tcp = TcpHeader::new(key.src_port, key.dst_port, 1, 1000);
            tcp.checksum = tcp.calc_checksum_ipv4(&ip, &data).unwrap();
            out.extend_from_slice(&tcp.to_bytes());
        }
        Udp => {
            let udp = UdpHeader::with_ipv4_checksum(key.src_port, key.dst_port, &ip, &data).unwrap();
            out.extend_from_slice(&udp.to_bytes());
        }
    }
    out.extend_from_slice(&data);
    out
}

/// A packet as a client's frame.
pub fn plain(packet: &[u8]) -> Vec<u8> {
    [&FRONT[..], &CLIENT, &IPV4.to_be_bytes(), packet].concat()
}

/// A frame with a 802.1Q tag in front of what it carries.
pub fn tagged(frame: &[u8], tci: u16) -> Vec<u8> {
    [&frame[..12], &[0x81, 0], &tci.to_be_bytes(), &frame[12..]].concat()
}

/// An ipOS frame from another server. The checksum covers the header and that much of the body.
pub fn ipos(kind: u8, protocol: u8, covered: usize, body: &[u8]) -> Vec<u8> {
    let mut header = [10, 0, 0, 1, 0, 9, 172, 16, 0, 1, 0x13, 0x88, kind, protocol, 0, 0];
    let sum = Sum16BitWords::new().add_16bytes(header).add_slice(&body[..covered]).ones_complement().to_be();
    header[14..].copy_from_slice(&sum.to_be_bytes());
    [&BACK[..], &PEER, &IPOS.to_be_bytes(), &header, body].concat()
}

/// A packet as another server forwards it.
pub fn encapsulated(packet: &[u8]) -> Vec<u8> {
    ipos(2, if packet[9] == 17 { 2 } else { 1 }, 0, packet)
}

/// How many of a port's frames ended so.
pub fn count(card: &mut dyn Card, port: Port, o: Outcome) -> u64 {
    u64::from(card.read32(outcome(port, o)))
}

/// Received frames of a port, which an idle card accounts for completely.
pub fn received(card: &mut dyn Card, port: Port) -> u64 {
    let offset = if port == Port::Front { counters::FRONT_RX } else { counters::BACK_RX };
    let received = u64::from(card.read32(offset));
    let accounted: u64 = Outcome::ALL.iter().map(|&o| count(card, port, o)).sum();
    assert_eq!(received, accounted, "{port:?}: every frame has one outcome");
    received
}

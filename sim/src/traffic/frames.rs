//! Frames for [`Traffic`](super::Traffic): built valid, then broken.

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, TcpHeader, UdpHeader};
use ipos_abi::Port;
use ipos_abi::table::{FlowKey, Protocol};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::LONGEST;
use super::world::World;

const IPV4: u16 = 0x0800;
const VLAN: u16 = 0x8100;
/// The longest IPv4 packet of a frame without tag.
const MTU: usize = 1500;

/// A length between two bounds (both included), mostly near the lower one.
pub(super) fn length(rng: &mut StdRng, low: usize, high: usize) -> usize {
    let high = if rng.random_ratio(1, 12) { high } else { high.min(low + 80) };
    rng.random_range(low..=high)
}

/// A frame that arrives at `port`.
pub(super) fn frame(rng: &mut StdRng, world: &World, port: Port) -> Vec<u8> {
    let (ethertype, payload) = match (rng.random_range(0..100), port) {
        (0..3, _) => {
            let len = length(rng, 0, MTU);
            (rng.random(), bytes(rng, len))
        }
        (3..6, _) => (*[0x0806, 0x86dd, 0x88cc].choose(rng).unwrap_or(&0x0806), {
            let len = length(rng, 28, MTU);
            bytes(rng, len)
        }),
        (6..8, Port::Front) | (8..70, Port::Back) => (world.ethertype, ipos(rng, world)),
        _ => (IPV4, ipv4(rng, world, MTU)),
    };
    let mut frame = destination(rng, world, port).to_vec();
    let source = match rng.random_range(0..4) {
        0 => rng.random(),
        _ => *world.neighbours.choose(rng).unwrap_or(&[2; 6]),
    };
    frame.extend_from_slice(&source);
    tags(rng, world.vlans[port as usize], &mut frame);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(&payload);
    spoil(rng, &mut frame);
    frame
}

fn destination(rng: &mut StdRng, world: &World, port: Port) -> [u8; 6] {
    let own = world.macs[port as usize];
    match rng.random_range(0..40) {
        0 => [0xff; 6],
        1 => [0x01, 0, 0x5e, 1, 2, 3],
        2 => rng.random(),
        3 => {
            let mut near = own;
            near[rng.random_range(0..6)] ^= 1 << rng.random_range(0..8);
            near
        }
        4 => world.macs[1 - port as usize],
        _ => own,
    }
}

/// No tag, the right one, a wrong one, a priority tag, or two.
fn tags(rng: &mut StdRng, vlan: Option<u16>, frame: &mut Vec<u8>) {
    let priority = u16::from(rng.random::<u8>()) << 8 & 0xf000;
    let wrong = rng.random_range(0..4096);
    let tci: &[u16] = match (rng.random_range(0..32), vlan) {
        (0, _) => &[wrong],
        (1, Some(id)) => &[id ^ 1 << (wrong % 12)],
        (2..4, _) => &[0],
        (4, _) => &[vlan.unwrap_or(wrong), wrong],
        (5, _) | (_, None) => &[],
        (_, Some(id)) => &[id],
    };
    for id in tci {
        frame.extend_from_slice(&VLAN.to_be_bytes());
        frame.extend_from_slice(&(priority | id).to_be_bytes());
    }
}

/// Pads, lengthens, cuts or flips a bit, or, mostly, does nothing.
fn spoil(rng: &mut StdRng, frame: &mut Vec<u8>) {
    match rng.random_range(0..24) {
        0..8 if frame.len() < 60 => frame.resize(60, 0),
        8..10 => {
            let len = length(rng, 1, 64);
            let tail = bytes(rng, len);
            frame.extend(tail);
        }
        10 => frame.truncate(rng.random_range(1..=frame.len().min(100))),
        11 => frame.truncate(rng.random_range(1..=frame.len())),
        12 => frame.truncate(rng.random_range(1..14)),
        13 | 14 => {
            let bit = rng.random_range(0..8 * frame.len().min(100));
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        15 => {
            let at = rng.random_range(0..frame.len());
            frame[at] = rng.random();
        }
        _ => {}
    }
    frame.truncate(LONGEST);
}

/// Bytes: random, or the patterns in which carries go far or nowhere.
fn bytes(rng: &mut StdRng, len: usize) -> Vec<u8> {
    match rng.random_range(0..6) {
        0 => vec![0; len],
        1 => vec![0xff; len],
        _ => (0..len).map(|_| rng.random()).collect(),
    }
}

/// An ipOS packet of any type, from its header on.
fn ipos(rng: &mut StdRng, world: &World) -> Vec<u8> {
    let mut header: [u8; 16] = rng.random();
    header[13] = rng.random_range(1..3);
    let (covered, mut body) = match rng.random_range(0..20) {
        0 | 1 => {
            header[12] = 0x01;
            header[13] = rng.random_range(0..4);
            let fixed = if header[13] == 2 { 6 } else { 146 };
            let len = fixed + *[0, 28].choose(rng).unwrap_or(&0);
            (16 + fixed, bytes(rng, len))
        }
        2 => {
            header[12] = 0x03;
            header[13] = rng.random_range(0..4);
            let len = length(rng, 0, 64);
            (16, bytes(rng, len))
        }
        3 => {
            header[12] = rng.random_range(0x80..=0xff);
            let len = length(rng, 0, MTU - 16);
            (16 + len, bytes(rng, len))
        }
        4 => {
            header[12] = *[0x00, 0x04, 0x7f, rng.random_range(0x04..0x80)].choose(rng).unwrap_or(&0);
            let len = length(rng, 0, 100);
            (16, bytes(rng, len))
        }
        _ => {
            header[12] = 0x02;
            (16, ipv4(rng, world, MTU - 16))
        }
    };
    header[14..].fill(0);
    let sum = Sum16BitWords::new().add_16bytes(header).add_slice(&body[..covered - 16]).ones_complement();
    let checksum = wrong_sometimes(rng, sum.to_be()); // etherparse sums in memory order
    header[14..].copy_from_slice(&checksum.to_be_bytes());
    body.splice(0..0, header);
    body
}

/// A checksum, or, now and then, one that differs by little.
fn wrong_sometimes(rng: &mut StdRng, checksum: u16) -> u16 {
    match rng.random_range(0..40) {
        0 => checksum ^ 1 << rng.random_range(0..16),
        1 => checksum.swap_bytes(),
        2 => checksum.wrapping_add(1),
        3 => !checksum,
        4 => rng.random(),
        _ => checksum,
    }
}

/// An IPv4 packet of at most `mtu` bytes.
fn ipv4(rng: &mut StdRng, world: &World, mtu: usize) -> Vec<u8> {
    let mut key = world.flows.choose(rng).copied().unwrap_or(FlowKey {
        protocol: Protocol::Tcp,
        src_ip: [0; 4],
        src_port: 0,
        dst_ip: [0; 4],
        dst_port: 0,
    });
    if rng.random_ratio(1, 8) {
        key.src_port ^= 1 << rng.random_range(0..16);
    }
    let options = if rng.random_ratio(1, 5) { 4 * rng.random_range(0..=10) } else { 0 };
    let room = mtu - 20 - options;
    let (protocol, segment) = match (rng.random_range(0..30), key.protocol) {
        (0, _) => {
            let len = length(rng, 0, room);
            (*[1, 2, 41, 58, 255].choose(rng).unwrap_or(&1), bytes(rng, len))
        }
        (_, Protocol::Tcp) => (6, tcp(rng, &key, room)),
        (_, Protocol::Udp) => (17, udp(rng, &key, room)),
    };
    let mut header = Ipv4Header {
        total_len: (20 + options + segment.len()) as u16,
        identification: rng.random(),
        dont_fragment: rng.random(),
        time_to_live: rng.random(),
        protocol: IpNumber(protocol),
        source: key.src_ip,
        destination: key.dst_ip,
        options: Ipv4Options::try_from(&bytes(rng, options)[..]).unwrap_or_default(),
        ..Ipv4Header::default()
    };
    match rng.random_range(0..40) {
        0 => header.more_fragments = true,
        1 => header.fragment_offset = IpFragOffset::try_new(1 << rng.random_range(0..13)).unwrap_or_default(),
        2 => header.total_len = rng.random(),
        3 => header.total_len = header.total_len.wrapping_add(rng.random_range(1..32)),
        4 => header.total_len -= rng.random_range(1..=header.total_len.min(32)),
        5 => {
            // the checksum becomes zero: the other representation of zero is 0xffff
            header.identification = 0;
            header.identification = header.calc_header_checksum();
        }
        _ => {}
    }
    let checksum = header.calc_header_checksum();
    header.header_checksum = match checksum {
        0 if rng.random() => 0xffff,
        _ => wrong_sometimes(rng, checksum),
    };
    let mut packet = header.to_bytes().to_vec();
    match rng.random_range(0..60) {
        0 => packet[0] = packet[0] & 0xf0 | rng.random_range(0..5),
        1 => packet[0] = packet[0] & 0x0f | rng.random_range(0..16) << 4,
        2 => packet[0] = packet[0] & 0xf0 | rng.random_range(5..16),
        _ => {}
    }
    packet.extend(segment);
    packet
}

/// A TCP segment of at most `room` bytes.
fn tcp(rng: &mut StdRng, key: &FlowKey, room: usize) -> Vec<u8> {
    let mut header = TcpHeader::new(key.src_port, key.dst_port, rng.random(), rng.random());
    header.acknowledgment_number = rng.random();
    (header.syn, header.ack, header.fin, header.rst) = (rng.random(), rng.random(), rng.random(), rng.random());
    let len = length(rng, 0, room - 20);
    let mut payload = bytes(rng, len);
    let sum = |payload: &[u8]| header.calc_checksum_ipv4_raw(key.src_ip, key.dst_ip, payload).unwrap_or(0);
    zero_sum(rng, &mut payload, sum);
    let checksum = match sum(&payload) {
        0 if rng.random() => 0xffff,
        checksum => wrong_sometimes(rng, checksum),
    };
    header.checksum = checksum;
    [&header.to_bytes()[..], &payload].concat()
}

/// A UDP datagram of at most `room` bytes.
fn udp(rng: &mut StdRng, key: &FlowKey, room: usize) -> Vec<u8> {
    let len = length(rng, 0, room - 8);
    let mut payload = bytes(rng, len);
    let mut header = UdpHeader {
        source_port: key.src_port,
        destination_port: key.dst_port,
        length: (8 + payload.len()) as u16,
        checksum: 0,
    };
    if rng.random_ratio(1, 20) {
        header.length = header.length.wrapping_add(*[1, 0xffff, 8, 0x100, rng.random()].choose(rng).unwrap_or(&1));
    }
    let sum = |payload: &[u8]| header.calc_checksum_ipv4_raw(key.src_ip, key.dst_ip, payload).unwrap_or(0);
    zero_sum(rng, &mut payload, sum);
    header.checksum = match sum(&payload) {
        _ if rng.random_ratio(1, 12) => 0,
        checksum => wrong_sometimes(rng, checksum),
    };
    [&header.to_bytes()[..], &payload].concat()
}

/// Now and then sets a payload's first word so that the checksum becomes zero.
fn zero_sum(rng: &mut StdRng, payload: &mut [u8], checksum: impl Fn(&[u8]) -> u16) {
    if payload.len() >= 2 && rng.random_ratio(1, 16) {
        payload[..2].fill(0);
        let word = checksum(payload);
        payload[..2].copy_from_slice(&word.to_be_bytes());
    }
}

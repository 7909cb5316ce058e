//! Frames for the parser: built right, then broken.

use etherparse::{IpNumber, Ipv4Header, Ipv4Options};
use ipos_abi::table::Protocol;
use ipos_abi::wire::checksum::{Sum, checksum};
use rand::Rng;
use rand::rngs::SmallRng;

/// EtherType of ipOS in these tests.
pub const IPOS: u16 = 0x88b5;
/// The port's own address.
pub const MAC: [u8; 6] = [0x02, 0x11, 0x22, 0x33, 0x44, 0x55];

fn bytes(rng: &mut SmallRng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill(&mut bytes[..]);
    bytes
}

/// Mostly short, now and then long enough to fill the block's queues.
fn payload(rng: &mut SmallRng) -> Vec<u8> {
    let length = if rng.random_range(0..100) == 0 { rng.random_range(0..1460) } else { rng.random_range(0..40) };
    bytes(rng, length)
}

fn segment(rng: &mut SmallRng, src: [u8; 4], dst: [u8; 4], udp: bool) -> Vec<u8> {
    let mut segment = bytes(rng, if udp { 8 } else { 20 });
    segment.extend(payload(rng));
    let (protocol, at) = if udp { (Protocol::Udp, 6) } else { (Protocol::Tcp, 16) };
    if udp {
        let length = segment.len() as u16;
        segment[4..6].copy_from_slice(&length.to_be_bytes());
    }
    segment[at..at + 2].fill(0);
    let sum = Sum::pseudo_header(src.into(), dst.into(), protocol, segment.len()).bytes(&segment).finish();
    // RFC 768: a computed zero is sent as ones; none at all is zero
    let sum = if udp && (rng.random_range(0..8) == 0) { 0 } else { sum };
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    segment
}

fn ipv4(rng: &mut SmallRng) -> Vec<u8> {
    let (src, dst): ([u8; 4], [u8; 4]) = rng.random();
    let udp = rng.random();
    let segment = segment(rng, src, dst, udp);
    let number = if udp { IpNumber::UDP } else { IpNumber::TCP };
    let mut header = Ipv4Header::new(segment.len() as u16, 64, number, src, dst).expect("short enough");
    if rng.random_range(0..3) == 0 {
        let length = rng.random_range(1..=10) * 4;
        header.options = Ipv4Options::try_from(&bytes(rng, length)[..]).expect("whole words");
        header.set_payload_len(segment.len()).expect("short enough");
    }
    header.header_checksum = header.calc_header_checksum();
    let mut packet = header.to_bytes().to_vec();
    packet.extend(segment);
    if rng.random_range(0..3) == 0 {
        spoil_header(rng, &mut packet);
    }
    packet
}

/// One field of the header becomes wrong, its checksum often right again.
fn spoil_header(rng: &mut SmallRng, packet: &mut [u8]) {
    let headers = usize::from(packet[0] & 15) * 4;
    match rng.random_range(0..6) {
        0 => packet[0] = rng.random(), // version, IHL
        1 => packet[2..4].copy_from_slice(&rng.random_range(0..80u16).to_be_bytes()), // total length
        2 => packet[2..4].copy_from_slice(&rng.random::<[u8; 2]>()),
        3 => packet[6..8].copy_from_slice(&(1u16 << rng.random_range(0..16)).to_be_bytes()), // fragments
        4 => packet[9] = rng.random(),                                                       // protocol
        _ => packet[rng.random_range(0..20)] ^= 1 << rng.random_range(0..8),
    }
    if rng.random_range(0..4) > 0 {
        packet[10..12].fill(0);
        let sum = checksum(&packet[..headers]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// An ipOS packet of any type; its checksum covers what the type says.
fn ipos(rng: &mut SmallRng) -> Vec<u8> {
    let kind = [2, 2, 2, 2, 1, 1, 3, 0, 4, 0x7f, 0x80, rng.random()][rng.random_range(0..12)];
    let protocol = rng.random_range(0..4);
    let mut packet = bytes(rng, 16);
    (packet[12], packet[13]) = (kind, protocol);
    let (body, covered) = match (kind, protocol) {
        (2, _) => (ipv4(rng), 16),
        (1, 1) => (bytes(rng, 146), 162),
        (1, 2) => (bytes(rng, 6), 22),
        _ => (payload(rng), 16),
    };
    packet.extend(body);
    packet[14..16].fill(0);
    let sum = checksum(&packet[..covered]);
    packet[14..16].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// A frame for a port; `ipos_share` of ten are ipOS.
pub fn frame(rng: &mut SmallRng, ipos_share: u32) -> Vec<u8> {
    let mut frame = match rng.random_range(0..20) {
        0 => vec![0xff; 6],
        1 => bytes(rng, 6),
        2 => {
            let mut near = MAC;
            near[rng.random_range(0..6)] ^= 1 << rng.random_range(0..8);
            near.to_vec()
        }
        _ => MAC.to_vec(),
    };
    frame.extend(bytes(rng, 6));
    for chance in [3, 10] {
        if rng.random_range(0..chance) == 0 {
            frame.extend([0x81, 0x00]);
            frame.extend(bytes(rng, 2));
        }
    }
    let (ethertype, body) = match rng.random_range(0..20) {
        0 => (rng.random(), payload(rng)),
        n if (n - 1) * 10 < ipos_share * 19 => (IPOS, ipos(rng)),
        _ => (0x0800, ipv4(rng)),
    };
    frame.extend(ethertype.to_be_bytes());
    frame.extend(body);
    match rng.random_range(0..12) {
        0 | 1 => frame.truncate(rng.random_range(1..frame.len().min(90))),
        2 => {
            let at = rng.random_range(0..frame.len());
            frame[at] ^= 1 << rng.random_range(0..8);
        }
        3 | 4 => frame.extend(bytes(rng, 20)), // padding is not always zero
        _ => {}
    }
    frame
}

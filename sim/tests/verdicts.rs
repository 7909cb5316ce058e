//! The reference card's verdicts against etherparse's, on random frames: a second opinion on IPv4
//! headers and on TCP and UDP checksums.

use std::collections::BTreeMap;

use etherparse::checksum::Sum16BitWords;
use etherparse::err::ipv4::{HeaderError, HeaderSliceError};
use etherparse::{Ipv4Header, TcpHeader, UdpHeader, ip_number};
use ipos_abi::Port;
use ipos_abi::rx::{L3, L4, Reason};
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::traffic::{Source, Traffic};

/// What etherparse makes of an IPv4 packet with link-layer padding after it.
fn verdict(packet: &[u8]) -> (L3, L4) {
    let (header, rest) = match Ipv4Header::from_slice(packet) {
        Ok(parsed) => parsed,
        // etherparse asks for the version before the length
        Err(_) if packet.len() < 20 => return (L3::Truncated, L4::NotChecked),
        Err(HeaderSliceError::Len(_)) => return (L3::Truncated, L4::NotChecked),
        Err(HeaderSliceError::Content(HeaderError::UnexpectedVersion { .. }))
        | Err(HeaderSliceError::Content(HeaderError::HeaderLengthSmallerThanHeader { .. })) => {
            return (L3::Malformed, L4::NotChecked);
        }
    };
    // over the bytes: `calc_header_checksum` leaves out the reserved flag
    if Sum16BitWords::new().add_slice(&packet[..header.header_len()]).ones_complement() != 0 {
        return (L3::BadChecksum, L4::NotChecked);
    }
    let Ok(payload_len) = header.payload_len().map(usize::from) else { return (L3::Malformed, L4::NotChecked) };
    let whole = !header.is_fragmenting_payload();
    let fixed = match header.protocol {
        ip_number::TCP if whole => TcpHeader::MIN_LEN,
        ip_number::UDP if whole => UdpHeader::LEN,
        _ => 0,
    };
    if rest.len() < fixed {
        return (L3::Truncated, L4::NotChecked);
    }
    if payload_len < fixed {
        return (L3::Malformed, L4::NotChecked);
    }
    let Some(segment) = rest.get(..payload_len) else { return (L3::Short, L4::NotChecked) };
    let l4 = match header.protocol {
        ip_number::TCP if whole => checksum(&header, segment, 16),
        ip_number::UDP if whole => udp(&header, segment),
        _ => L4::NotChecked,
    };
    (L3::Ok, l4)
}

fn udp(ip: &Ipv4Header, segment: &[u8]) -> L4 {
    match UdpHeader::from_slice(segment) {
        Ok((header, _)) if header.checksum != 0 && usize::from(header.length) == segment.len() => {
            checksum(ip, segment, 6)
        }
        _ => L4::NotChecked,
    }
}

/// The checksum at `at` of a segment against the one that etherparse computes over the rest.
fn checksum(ip: &Ipv4Header, segment: &[u8], at: usize) -> L4 {
    let computed = Sum16BitWords::new()
        .add_4bytes(ip.source)
        .add_4bytes(ip.destination)
        .add_2bytes([0, ip.protocol.0])
        .add_2bytes((segment.len() as u16).to_be_bytes())
        .add_slice(&segment[..at])
        .add_slice(&segment[at + 2..])
        .ones_complement()
        .to_be();
    let found = u16::from_be_bytes([segment[at], segment[at + 1]]);
    let zero = |sum| sum == 0 || sum == 0xffff;
    if found == computed || (zero(found) && zero(computed)) { L4::Valid } else { L4::Bad }
}

#[test]
fn verdicts_on_random_frames() {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    println!("IPOS_SEED={seed}");
    let mut traffic = Traffic::new(seed);
    let mut card = ModelCard::new(ModelConfig::default());
    let mut frame = Vec::new();
    let mut seen = BTreeMap::new();
    for _ in 0..20_000 {
        let round = traffic.round(16, 4096);
        for (offset, value) in round.writes {
            card.write32(offset, value);
        }
        for input in round.inputs {
            let Source::Wire { port, .. } = input.source else { continue };
            assert!(card.wire_in(port, &input.frame, false));
            while card.run(1000) {}
            while let Some(meta) = card.host_out(Queue::Receive, &mut frame) {
                let info = meta.info().unwrap();
                if matches!(info.reason, Reason::Group | Reason::NotIpv4 | Reason::UnknownIpos | Reason::ShortIpos) {
                    continue;
                }
                let packet = &frame[14..];
                assert_eq!((info.l3, info.l4), verdict(packet), "{info:?} {packet:02x?}");
                if let Ok((header, _)) = Ipv4Header::from_slice(packet) {
                    let fragment = info.reason == Reason::Fragment;
                    assert!(fragment == header.is_fragmenting_payload() || info.reason == Reason::Header, "{info:?}");
                    let known = matches!(header.protocol, ip_number::TCP | ip_number::UDP);
                    assert!(info.reason != Reason::Protocol || !known, "{info:?} {packet:02x?}");
                }
                *seen.entry((info.l3 as u8, info.l4 as u8)).or_insert(0u32) += 1;
            }
            while card.wire_out(Port::Back, &mut frame) {
                sent(&frame);
            }
        }
    }
    println!("(IPv4 verdict, TCP/UDP verdict): frames {seen:?}");
    let all: Vec<(L3, L4)> = [L3::BadChecksum, L3::Truncated, L3::Malformed, L3::Short, L3::Ok]
        .into_iter()
        .map(|l3| (l3, L4::NotChecked))
        .chain([(L3::Ok, L4::Valid), (L3::Ok, L4::Bad)])
        .collect();
    for (l3, l4) in all {
        assert!(seen.get(&(l3 as u8, l4 as u8)) > Some(&500), "too few frames with {l3:?} and {l4:?}: {seen:?}");
    }
}

/// A forwarded frame holds exactly one packet that etherparse finds valid, and a sound ipOS header.
fn sent(frame: &[u8]) {
    let (ipos, packet) = (&frame[14..30], &frame[30..]);
    assert_eq!(Sum16BitWords::new().add_slice(ipos).ones_complement(), 0, "{ipos:02x?}");
    assert_eq!(verdict(packet).0, L3::Ok, "{packet:02x?}");
    let (header, rest) = Ipv4Header::from_slice(packet).unwrap();
    assert_eq!(usize::from(header.total_len), packet.len(), "padding is cut");
    assert_eq!(ipos[..6], [&header.source[..], &rest[..2]].concat());
    assert_eq!(ipos[12..14], [2, if header.protocol == ip_number::TCP { 1 } else { 2 }]);
}

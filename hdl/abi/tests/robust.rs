//! Damaged packets: every truncation and every single-bit flip of every vector, and random bytes,
//! give an error or a valid value, never a panic. What a check must catch is asserted, too.

mod common;

use common::{emit, ethertype, frame, key, vector, vectors};
use ipos_abi::wire::control::{self, Message, Received};
use ipos_abi::wire::{ethernet, ipv4, tcb, tcp, udp};
use proptest::prelude::*;

/// Reads everything that a frame may hold, and checks that what was accepted is valid: written
/// again and read again it is the same.
fn exercise(bytes: &[u8], ethertype: u16) -> Option<Received<'_>> {
    if let Ok(eth) = ethernet::Frame::new_checked(bytes) {
        inner(eth.payload());
    }
    let received = control::parse(bytes, ethertype).ok()?;
    match received.frame.message {
        Message::Packet(packet) => inner(packet),
        Message::Connection { info: ipos_abi::wire::connection::Repr::Tcp { tcb, .. }, .. } => block(tcb),
        _ => {}
    }
    let again = emit(&received.frame, None);
    assert_eq!(control::parse(&again, ethertype).expect("its own output").frame, received.frame);
    Some(received)
}

fn block(bytes: &[u8]) {
    let Ok(packet) = tcb::Packet::new_checked(bytes) else { return };
    if let Ok(repr) = tcb::Repr::parse(&packet) {
        let mut out = [0; tcb::LEN];
        repr.emit(&mut out).expect("what was read can be written");
        assert_eq!(tcb::Repr::parse(&tcb::Packet::new_checked(out).expect("whole")), Ok(repr));
    }
}

fn inner(bytes: &[u8]) {
    let Ok(ip) = ipv4::Packet::new_checked(bytes) else { return };
    let (src, dst) = (ip.src(), ip.dst());
    let mut out = vec![0; bytes.len()];
    if let Ok(repr) = ipv4::Repr::parse(&ip) {
        repr.emit(&mut out).expect("what was read can be written");
        assert_eq!(ipv4::Repr::parse(&ipv4::Packet::new_checked(&out).expect("whole")), Ok(repr));
    }
    if let Ok(segment) = tcp::Segment::new_checked(ip.payload()) {
        for option in tcp::options(segment.options()).flatten() {
            assert!(option.buffer_len() <= tcp::MAX_OPTIONS);
            if let tcp::TcpOption::Sack(blocks) = option {
                assert_eq!(tcp::sack_blocks(blocks).count() * 8, blocks.len());
            }
        }
        if let Ok(repr) = tcp::Repr::parse(&segment, src, dst) {
            repr.emit(&mut out, src, dst, segment.payload()).expect("what was read can be written");
        }
    }
    if let Ok(datagram) = udp::Datagram::new_checked(ip.payload())
        && let Ok(repr) = udp::Repr::parse(&datagram, src, dst)
    {
        repr.emit(&mut out, src, dst, datagram.payload()).expect("what was read can be written");
    }
}

/// Bytes that the ipOS checksum covers, from the start of the frame: all but the Ethernet
/// header, the inner packet and the trailer.
fn covered(name: &str, length: usize) -> std::ops::Range<usize> {
    let start = if name.ends_with("VLAN") { 18 } else { 14 };
    match name {
        "TCP_PACKET" | "UDP_PACKET" => start..start + 16,
        _ if name.ends_with("PLAIN") => start..length,
        _ => start..length - 28,
    }
}

#[test]
fn every_truncation() {
    for (name, bytes) in vectors() {
        let whole = match name {
            "TCB" => {
                (0..=bytes.len()).for_each(|n| block(&bytes[..n]));
                continue;
            }
            // without their trailer, plain packets remain
            "TCP_CONNECTION" | "UDP_CONNECTION" | "ACK" | "ACK_NO_KEY" | "ACK_UDP_VLAN" => bytes.len() - 28,
            _ => bytes.len(),
        };
        for n in 0..=bytes.len() {
            let parsed = exercise(&bytes[..n], ethertype(name)).is_some();
            let cut_in_trailer = n > whole + 1 && n < bytes.len();
            assert_eq!(parsed, n >= whole && !cut_in_trailer, "{name} cut to {n}");
        }
    }
}

#[test]
fn every_single_bit_flip() {
    for (name, bytes) in vectors() {
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 0x80 >> (bit % 8);
            if name == "TCB" {
                assert!(tcb::Repr::parse(&tcb::Packet::new_checked(&bad).expect("whole")).is_err(), "bit {bit}");
                continue;
            }
            let received = exercise(&bad, ethertype(name));
            if covered(name, bytes.len()).contains(&(bit / 8)) {
                assert!(received.is_none(), "{name}: the checksum misses bit {bit}");
            } else if bit / 8 >= covered(name, bytes.len()).end
                && let Some(received) = received
            {
                assert!(received.verify(&key()).is_err(), "{name}: the tag misses bit {bit}");
            }
        }
    }
}

#[test]
fn a_flipped_tag_byte_is_found() {
    let good = vector("COMMIT");
    for i in good.len() - 16..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 1;
        assert!(control::parse(&bad, ethernet::IPOS).expect("well formed").verify(&key()).is_err());
    }
}

proptest! {
    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes, ethernet::IPOS);
        inner(&bytes);
        block(&bytes);
    }

    /// Random changes behind a valid Ethernet header, with the checksum put right: this gets past it.
    #[test]
    fn random_bodies(kind in any::<u8>(), protocol in 0..4u8, body in prop::collection::vec(any::<u8>(), 0..1600)) {
        let kinds = ipos_abi::wire::ipos::Type::ALL;
        let mut bytes = vector("ACK_PLAIN");
        bytes[26] = kinds[kind as usize % kinds.len()].code();
        bytes[27] = protocol;
        bytes.extend(body);
        for end in [30, 36, 46, 50, 62, 176] {
            if let Some(covered) = bytes.get_mut(14..end) {
                covered[14..16].fill(0);
                let sum = ipos_abi::wire::checksum::checksum(covered);
                covered[14..16].copy_from_slice(&sum.to_be_bytes());
                exercise(&bytes, ethernet::IPOS);
            }
        }
    }

    #[test]
    fn frames_round_trip(owned in frame(), padding in 0..64usize) {
        let frame = owned.frame();
        let mut bytes = emit(&frame, Some(&key()));
        bytes.resize(bytes.len() + padding, 0);
        let received = control::parse(&bytes, frame.link.ethertype).expect("valid");
        prop_assert_eq!(received.frame, frame);
        prop_assert_eq!(received.verify(&key()).is_ok(), frame.message.epoch().is_some());
    }

    #[test]
    fn control_blocks_round_trip(repr in common::tcb()) {
        let mut out = [0xee; tcb::LEN];
        repr.emit(&mut out).expect("valid");
        prop_assert_eq!(tcb::Repr::parse(&tcb::Packet::new_checked(out).expect("whole")), Ok(repr));
    }
}

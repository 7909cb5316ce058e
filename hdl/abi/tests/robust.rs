//! Damaged packets: every truncation and every single-bit flip of every vector, and random bytes,
//! give an error or a valid value, never a panic. What a check must catch is asserted, too.

mod common;

use common::exercise;
use common::{PATH, emit, ethertype, frame, key, vector, vectors};
use ipos_abi::wire::trailer::Seal;
use ipos_abi::wire::{control, ethernet, tcb};
use proptest::prelude::*;

/// Bytes that the ipOS checksum covers, from the start of the frame: all but the Ethernet
/// header, the inner packet and the trailer.
fn covered(name: &str, length: usize) -> std::ops::Range<usize> {
    let start = if name.ends_with("VLAN") { 18 } else { 14 };
    match name {
        "TCP_PACKET" | "UDP_PACKET" => start..start + 16,
        _ if name.ends_with("PLAIN") => start..length,
        _ if name.ends_with("OPTIONS") => start..length - 51,
        _ => start..length - 44,
    }
}

#[test]
fn every_truncation() {
    for (name, bytes) in vectors() {
        let whole = match name {
            "TCB" => {
                (0..=bytes.len()).for_each(|n| exercise::block(&bytes[..n]));
                continue;
            }
            // without their trailer, plain packets remain
            "TCP_CONNECTION" | "TCP_CONNECTION_OPTIONS" | "UDP_CONNECTION" | "ACK" | "ACK_NO_KEY" | "ACK_UDP_VLAN" => {
                covered(name, bytes.len()).end
            }
            _ => bytes.len(),
        };
        for n in 0..=bytes.len() {
            let parsed = exercise::control(&bytes[..n], ethertype(name)).is_some();
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
            let received = exercise::control(&bad, ethertype(name));
            if covered(name, bytes.len()).contains(&(bit / 8)) {
                assert!(received.is_none(), "{name}: the checksum misses bit {bit}");
            } else if bit / 8 >= covered(name, bytes.len()).end
                && name != "DATA"
                && let Some(received) = received
            {
                assert!(received.verify(Seal { key: &key(), path: PATH }).is_err(), "{name}: the tag misses bit {bit}");
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
        assert!(
            control::parse(&bad, ethernet::IPOS)
                .expect("well formed")
                .verify(Seal { key: &key(), path: PATH })
                .is_err()
        );
    }
}

/// What the fuzzer started from, and whatever it found since.
#[test]
fn fuzz_corpus() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut files = 0;
    for target in std::fs::read_dir(corpus).expect("the corpus is committed") {
        for file in std::fs::read_dir(target.expect("entry").path()).expect("one directory a target") {
            let bytes = std::fs::read(file.expect("entry").path()).expect("file");
            exercise::block(&bytes);
            exercise::options(&bytes);
            exercise::packet(&bytes);
            for ethertype in [ethernet::IPOS, ethernet::IPOS_EXPERIMENTAL] {
                exercise::control(&bytes, ethertype);
                exercise::control_with_checksum(&bytes, ethertype);
            }
            files += 1;
        }
    }
    assert!(files > 20, "{files} files");
}

proptest! {
    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise::control(&bytes, ethernet::IPOS);
        exercise::packet(&bytes);
        exercise::block(&bytes);
    }

    /// Random changes behind a valid Ethernet header, with the checksum put right: this gets past it.
    #[test]
    fn random_bodies(kind in any::<u8>(), protocol in 0..4u8, body in prop::collection::vec(any::<u8>(), 0..1600)) {
        let kinds = ipos_abi::wire::ipos::Type::ALL;
        let mut bytes = vector("ACK_PLAIN");
        bytes[26] = kinds[kind as usize % kinds.len()].code();
        bytes[27] = protocol;
        bytes.extend(body);
        exercise::control_with_checksum(&bytes, ethernet::IPOS);
    }

    #[test]
    fn frames_round_trip(owned in frame(), padding in 0..64usize) {
        let frame = owned.frame();
        let mut bytes = emit(&frame, Some(&key()));
        bytes.resize(bytes.len() + padding, 0);
        let received = control::parse(&bytes, frame.link.ethertype).expect("valid");
        prop_assert_eq!(received.frame, frame);
        prop_assert_eq!(received.verify(Seal { key: &key(), path: PATH }).is_ok(), frame.trailer.is_some());
    }

    #[test]
    fn control_blocks_round_trip(repr in common::tcb()) {
        let mut out = [0xee; tcb::LEN];
        repr.emit(&mut out).expect("valid");
        prop_assert_eq!(tcb::Repr::parse(&tcb::Packet::new_checked(out).expect("whole")), Ok(repr));
    }
}

//! Packets that no well-behaved root complex sends, or not often: each is refused as the contract says, counted, and the card
//! goes on.

use ipos_abi::queue::DmaError;
use ipos_abi::regs::{self, card, dma, tables};
use ipos_sim::pcie::rtl::{Manners, RtlFunction};
use ipos_sim::pcie::tlp::Tlp;
use ipos_sim::pcie::{Function, PciConfig};

use crate::driver::Memory;

const BAR0: u64 = 0xe000_0000;
const ROOT: u16 = 0;
const UNSUPPORTED: u8 = 1;
const ABORT: u8 = 4;

fn card() -> RtlFunction {
    let mut card = RtlFunction::new(Some(1), Manners::default(), Box::new(Memory::new()));
    card.configure(&PciConfig { memory: true, ..PciConfig::default() });
    card
}

/// The card's answer: status, bytes left, lower address, data. `None`: it says nothing.
fn answer(card: &mut RtlFunction) -> Option<(u8, usize, u8, Vec<u8>)> {
    for _ in 0..300 {
        card.tick();
    }
    match card.completion() {
        Some(Tlp::Completion { status, bytes, lower, data, .. }) => Some((status, bytes, lower, data)),
        other => other.map(|tlp| panic!("{tlp:?}")),
    }
}

/// What was counted since the last time, and that nothing else was.
fn counted(card: &mut RtlFunction, before: &mut [u32; 9], cause: Option<DmaError>) {
    for (i, count) in before.iter_mut().enumerate() {
        let now = card.read32(dma::COUNT + 4 * i as u32);
        let due = u32::from(cause.is_some_and(|c| c as usize == i));
        assert_eq!(now - *count, due, "cause {i}, where {cause:?} is due");
        *count = now;
    }
}

fn read(address: u64, words: usize, enables: [u8; 2]) -> Tlp {
    Tlp::Read { requester: ROOT, tag: 0x55, address: BAR0 + address, words, enables }
}

fn write(address: u64, enables: [u8; 2], data: &[u8], poisoned: bool) -> Tlp {
    Tlp::Write { requester: ROOT, tag: 0, address: BAR0 + address, enables, data: data.to_vec(), poisoned }
}

#[test]
fn accesses_of_one_and_two_words_are_answered_and_others_refused() {
    let (mut card, mut counts) = (card(), [0; 9]);
    let magic = regs::MAGIC.to_le_bytes();
    let key = u64::from(tables::KEY1 & !7);
    card.send(&write(key, [15, 15], &[1, 2, 3, 4, 5, 6, 7, 8], false));
    card.send(&read(key, 2, [15, 15]));
    assert_eq!(answer(&mut card), Some((0, 8, key as u8 & 0x7f, vec![1, 2, 3, 4, 5, 6, 7, 8])));
    card.send(&read(card::MAGIC.into(), 1, [15, 0]));
    assert_eq!(answer(&mut card), Some((0, 4, card::MAGIC as u8, magic.to_vec())));
    card.send(&read(0xfffc, 1, [15, 0]));
    assert_eq!(answer(&mut card), Some((0, 4, 0x7c, vec![0; 4])), "where nothing is");
    card.send(&read(card::MAGIC.into(), 1, [0, 0]));
    assert_eq!(answer(&mut card).map(|a| (a.0, a.1)), Some((0, 1)), "a read of no bytes is answered");
    counted(&mut card, &mut counts, None);
    for (address, words, enables) in [
        (card::MAGIC.into(), 1, [3, 0]),
        (card::MAGIC.into(), 1, [8, 0]),
        (card::MAGIC.into(), 2, [15, 7]),
        (u64::from(card::ABI), 2, [15, 15]),
        (0, 4, [15, 15]),
        (0, 1024, [15, 15]),
    ] {
        card.send(&read(address, words, enables));
        assert_eq!(answer(&mut card).map(|a| (a.0, a.3)), Some((ABORT, Vec::new())), "{words} words, {enables:?}");
        counted(&mut card, &mut counts, Some(DmaError::RegisterAccess));
    }
    for (enables, data) in [([1, 0], vec![9; 4]), ([15, 3], vec![9; 8]), ([15, 15], vec![9; 64])] {
        card.send(&write(key, enables, &data, false));
        assert_eq!(answer(&mut card), None);
        counted(&mut card, &mut counts, Some(DmaError::RegisterAccess));
    }
    card.send(&write(key, [15, 15], &[9; 8], true));
    assert_eq!(answer(&mut card), None);
    counted(&mut card, &mut counts, Some(DmaError::Poisoned));
    card.send(&read(key, 2, [15, 15]));
    assert_eq!(answer(&mut card).map(|a| a.3), Some(vec![1, 2, 3, 4, 5, 6, 7, 8]), "none of them acted");
}

#[test]
fn other_requests_are_unsupported_and_broken_packets_discarded() {
    let (mut card, mut counts) = (card(), [0; 9]);
    // an I/O read, a configuration write, a locked read: answered; a message and locked completions: not
    let cases: [(&[u8], Option<u8>); 6] = [
        (&[0x02, 0, 0, 1, 0, 0, 7, 0x0f, 0, 0, 0x10, 0], Some(UNSUPPORTED)),
        (&[0x44, 0, 0, 1, 0, 0, 7, 0x0f, 1, 0, 0, 4, 1, 2, 3, 4], Some(UNSUPPORTED)),
        (&[0x01, 0, 0, 1, 0, 0, 7, 0x0f, 0xe0, 0, 0, 0], Some(UNSUPPORTED)),
        (&[0x34, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 0], None),
        // Vendor_Defined of type 0 (2.2.8.6)
        (&[0x32, 0, 0, 0, 0, 0, 0, 0x7e, 0, 0, 0, 0, 0, 0, 0, 0], None),
        (&[0x0b, 0, 0, 0, 0, 0, 0, 4, 1, 0, 3, 0], None),
    ];
    for (bytes, status) in cases {
        card.send_bytes(bytes);
        assert_eq!(answer(&mut card).map(|a| a.0), status, "{bytes:02x?}");
        counted(&mut card, &mut counts, Some(DmaError::UnsupportedRequest));
    }
    // lengths that contradict their headers, a digest that is not there; a prefix
    for bytes in [
        &[0x40, 0, 0, 2, 0, 0, 0, 0x0f, 0xe0, 0, 2, 8, 1, 2, 3, 4][..],
        &[0x00, 0, 0, 1, 0, 0, 7, 0x0f, 0xe0, 0, 0, 8, 0, 0, 0, 0],
        &[0x00, 0, 0, 1, 0, 0, 7, 0x0f],
        &[0x20, 0, 0, 1, 0, 0, 7, 0x0f, 0, 0, 0, 0],
        &[0x80, 0, 0, 1, 0, 0, 7, 0x0f, 0xe0, 0, 0, 8],
        &[0x00, 0, 0x80, 1, 0, 0, 7, 0x0f, 0xe0, 0, 0, 8],
    ] {
        card.send_bytes(bytes);
        assert_eq!(answer(&mut card), None, "{bytes:02x?}");
        counted(&mut card, &mut counts, Some(DmaError::Malformed));
    }
    // completions that nobody waits for
    for (tag, requester) in [(0, 0x0100), (31, 0x0100), (200, 0x0100), (0, 0x0200)] {
        let (completer, data) = (ROOT, vec![0; 64]);
        card.send(&Tlp::Completion {
            completer,
            requester,
            tag,
            status: 0,
            bytes: 64,
            lower: 0,
            data,
            poisoned: false,
        });
        assert_eq!(answer(&mut card), None);
        counted(&mut card, &mut counts, Some(DmaError::UnexpectedCompletion));
    }
    assert_eq!(card.read32(card::MAGIC), regs::MAGIC);
}

/// 2.2.8: what an endpoint must take without a word; 2.2.8.2: PME_Turn_Off is answered, although nothing is allowed to master the bus.
#[test]
fn messages_are_taken_silently_and_turning_off_is_answered() {
    let (mut card, mut counts) = (card(), [0; 9]);
    let message = |kind: u8, code: u8, data: &[u8]| {
        let mut bytes = vec![kind, 0, 0, data.len() as u8 / 4, 0, 0, 0, code, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(data);
        bytes
    };
    // Unlock (broadcast), Set_Slot_Power_Limit, the Ignored ones, Vendor_Defined of type 1 with and without data
    let mut silent = vec![message(0x33, 0x00, &[]), message(0x74, 0x50, &[1, 2, 3, 4])];
    silent.extend([0x40, 0x41, 0x43, 0x44, 0x45, 0x47, 0x48].map(|code| message(0x34, code, &[])));
    silent.extend([message(0x32, 0x7f, &[]), message(0x72, 0x7f, &[5; 8])]);
    for bytes in silent {
        card.send_bytes(&bytes);
        assert_eq!(answer(&mut card), None, "{bytes:02x?}");
        counted(&mut card, &mut counts, None);
    }
    for _ in 0..3 {
        card.send_bytes(&message(0x33, 0x19, &[]));
        for _ in 0..300 {
            card.tick();
        }
        // to the root complex, gathered; the simulator's partner looks at the rest
        assert!(matches!(card.completion(), Some(Tlp::Other(bytes)) if bytes[0] == 0x35));
        counted(&mut card, &mut counts, None);
    }
}

/// 2.7.1: whoever does not check a digest takes the packet without it.
#[test]
fn a_digest_is_passed_over() {
    let (mut card, mut counts) = (card(), [0; 9]);
    let digest = |tlp: &Tlp| {
        let mut bytes = tlp.encode();
        bytes[2] |= 0x80;
        bytes.extend_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
        bytes
    };
    let key = u64::from(tables::KEY1 & !7);
    for (words, data) in [(1, vec![1, 2, 3, 4]), (2, vec![1, 2, 3, 4, 5, 6, 7, 8])] {
        let enables = [15, if words == 2 { 15 } else { 0 }];
        card.send_bytes(&digest(&write(key, enables, &data, false)));
        card.send_bytes(&digest(&read(key, words, enables)));
        assert_eq!(answer(&mut card).map(|a| (a.0, a.3)), Some((0, data)));
        counted(&mut card, &mut counts, None);
    }
}

/// 2.3.1: a request that no BAR claims, or that comes while memory space is off, is unsupported.
#[test]
fn requests_beside_the_bar_are_unsupported() {
    let (mut card, mut counts) = (card(), [0; 9]);
    for address in [0x1_0000, 0x10_0000, 0x1_0000_0000] {
        card.send(&read(address + u64::from(card::MAGIC), 1, [15, 0]));
        assert_eq!(answer(&mut card).map(|a| (a.0, a.3)), Some((UNSUPPORTED, Vec::new())), "{address:#x}");
        counted(&mut card, &mut counts, Some(DmaError::UnsupportedRequest));
        card.send(&write(address + u64::from(tables::KEY0), [15, 0], &[9; 4], false));
        assert_eq!(answer(&mut card), None);
        counted(&mut card, &mut counts, Some(DmaError::UnsupportedRequest));
    }
    card.configure(&PciConfig::default());
    card.send(&read(card::MAGIC.into(), 1, [15, 0]));
    assert_eq!(answer(&mut card).map(|a| a.0), Some(UNSUPPORTED), "memory space is off");
    card.configure(&PciConfig { memory: true, ..PciConfig::default() });
    counted(&mut card, &mut counts, Some(DmaError::UnsupportedRequest));
    assert_eq!(card.read32(tables::KEY0), 0);
}

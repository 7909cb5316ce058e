//! One client's flows on a card that was just reset: what [`race`](super::race) and
//! [`overload`](super::overload) send, and the entries for it.

use etherparse::PacketBuilder;
use etherparse::checksum::Sum16BitWords;
use ipos_abi::regs::{ENABLE, mac_words, port, tables};
use ipos_abi::table::{ENDPOINT_INDEX_BITS, FORWARD_INDEX_BITS, FlowKey, Protocol, hash};

use crate::card::Card;

const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
/// Sender of the back port's frames; not a neighbour that anything is forwarded to.
const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 0xb0];
/// Where a frame's serial number stands, counted from its end.
const SERIAL: usize = 4;

/// Flow `n` of the client.
pub(super) fn key(n: u16) -> FlowKey {
    FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port: n, dst_ip: [192, 168, 7, 1], dst_port: 80 }
}

/// Writes registers in order.
pub(super) fn write(card: &mut dyn Card, writes: impl IntoIterator<Item = (u32, u32)>) {
    for (offset, value) in writes {
        card.write32(offset, value);
    }
}

/// Sets ports, two neighbours and a destination through each of them.
pub(super) fn set_up(card: &mut dyn Card) {
    let (front, back) = (mac_words(FRONT), mac_words(BACK));
    let ports = [
        (port::REFORWARD, 0),
        (port::FRONT_MAC_LO, front.0),
        (port::FRONT_MAC_HI, front.1),
        (port::BACK_MAC_LO, back.0),
        (port::BACK_MAC_HI, back.1),
    ];
    write(card, ports);
    for n in 0..2 {
        let (low, high) = mac_words([2, 0, 0, 0, 0, 0xb1 + n as u8]);
        let destination = [
            (tables::NEIGHBOUR_LO, low),
            (tables::NEIGHBOUR_HI, high | ENABLE),
            (tables::COMMIT_NEIGHBOUR, n),
            (tables::DEST_IP, 0xac10_0001 + n),
            (tables::DEST_PORT, n << 16 | (5000 + n)),
            (tables::COMMIT_DEST, n),
        ];
        write(card, destination);
    }
}

/// Writes that put a key with this value into its slot of a bank. The entry changes with the last.
pub(super) fn entry(key: &FlowKey, bank: usize, forward: bool, value: u32) -> [(u32, u32); 6] {
    let (commit, slot) = slot(key, bank, forward);
    let words = key.words();
    [
        (tables::KEY0, words[0]),
        (tables::KEY1, words[1]),
        (tables::KEY2, words[2]),
        (tables::KEY3, words[3]),
        (tables::VALUE, value),
        (commit, ENABLE | slot),
    ]
}

/// The write that empties a key's slot of a bank.
pub(super) fn clear(key: &FlowKey, bank: usize, forward: bool) -> (u32, u32) {
    slot(key, bank, forward)
}

fn slot(key: &FlowKey, bank: usize, forward: bool) -> (u32, u32) {
    let (commit, bits) = if forward {
        (tables::COMMIT_FORWARD, FORWARD_INDEX_BITS)
    } else {
        (tables::COMMIT_ENDPOINT, ENDPOINT_INDEX_BITS)
    };
    (commit, (bank as u32) << 16 | hash(bank, key.bits(), bits))
}

/// A packet of the flow from the client, its serial number at the end.
pub(super) fn plain(key: &FlowKey, serial: u32, data: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut payload = vec![0x5a; data];
    payload.extend_from_slice(&serial.to_be_bytes());
    let packet =
        PacketBuilder::ethernet2(CLIENT, FRONT).ipv4(key.src_ip, key.dst_ip, 64).tcp(key.src_port, key.dst_port, 1, 1);
    if packet.write(&mut frame, &payload).is_err() {
        unreachable!("writing to memory does not fail, and the packet is short");
    }
    frame
}

/// The same, as another server forwards it.
pub(super) fn encapsulated(key: &FlowKey, serial: u32, data: usize) -> Vec<u8> {
    let mut header = [0; 16];
    header[..4].copy_from_slice(&key.src_ip);
    header[4..6].copy_from_slice(&key.src_port.to_be_bytes());
    header[12..14].copy_from_slice(&[2, 1]);
    let checksum = Sum16BitWords::new().add_16bytes(header).ones_complement().to_be();
    header[14..].copy_from_slice(&checksum.to_be_bytes());
    [&BACK[..], &SENDER, &[0, 7], &header, &plain(key, serial, data)[14..]].concat()
}

/// The serial number at a frame's end.
pub(super) fn serial(frame: &[u8]) -> Option<u32> {
    let at = frame.len().checked_sub(SERIAL)?;
    Some(u32::from_be_bytes(frame[at..].try_into().ok()?))
}

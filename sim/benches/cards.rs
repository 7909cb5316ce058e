//! Simulated speed of the two cards: clock cycles and frames per second of wall time, on frames that hit in the
//! forward table. The reference card is the baseline; ratios are from one run, rounds in turn.
//!
//! `cargo xtask bench`, or `cargo bench -p ipos-sim`. Not a measure of the fabric: that needs a clock frequency.

use std::time::Instant;

use ipos_abi::Port;
use ipos_abi::regs::{self, tables};
use ipos_abi::table::{Action, FlowKey, ForwardValue, Protocol, hash};
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::rtl::RtlCard;

const ROUNDS: usize = 5;
const FRAMES: usize = 4000;
/// Bytes under way at most.
const FORWARD_BUFFER: usize = 1700;
const KEY: FlowKey =
    FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port: 4000, dst_ip: [10, 0, 0, 2], dst_port: 80 };
const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn prepare(card: &mut dyn Card) {
    let (lo, hi) = regs::mac_words(FRONT);
    card.write32(regs::port::FRONT_MAC_LO, lo);
    card.write32(regs::port::FRONT_MAC_HI, hi);
    card.write32(tables::NEIGHBOUR_LO, 1);
    card.write32(tables::NEIGHBOUR_HI, regs::ENABLE);
    card.write32(tables::COMMIT_NEIGHBOUR, 0);
    card.write32(tables::COMMIT_DEST, 0);
    for (offset, word) in (tables::KEY0..).step_by(4).zip(KEY.words()) {
        card.write32(offset, word);
    }
    card.write32(tables::VALUE, ForwardValue { destination: 0, action: Action::Forward }.bits());
    let slot = hash(0, KEY.bits(), ipos_abi::table::FORWARD_INDEX_BITS);
    card.write32(tables::COMMIT_FORWARD, slot | regs::ENABLE);
}

/// A TCP frame with an IP packet of `total` bytes.
fn frame(total: usize) -> Vec<u8> {
    let payload = vec![0x5a; total - 40];
    let builder = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], FRONT).ipv4(KEY.src_ip, KEY.dst_ip, 64).tcp(
        KEY.src_port,
        KEY.dst_port,
        1,
        1000,
    );
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &payload).expect("writing to a Vec");
    bytes
}

/// Seconds for [`FRAMES`] frames; all must come out.
fn round(card: &mut dyn Card, frame: &[u8]) -> f64 {
    let (mut sent, mut received) = (0, 0);
    let mut out = Vec::new();
    let start = Instant::now();
    while received < FRAMES {
        // no more at once than the forward buffer takes
        while sent < FRAMES
            && (sent - received) * frame.len() < FORWARD_BUFFER
            && card.wire_in(Port::Front, frame, false)
        {
            sent += 1;
        }
        card.run(64);
        while card.wire_out(Port::Back, &mut out) {
            received += 1;
        }
    }
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    println!("card            IP bytes     frames/s   cycles/s  rtl/reference");
    for total in [40, 576, 1500] {
        let frame = frame(total);
        let mut rtl = RtlCard::default();
        let mut model = ModelCard::new(ModelConfig::default());
        prepare(&mut rtl);
        prepare(&mut model);
        let (mut fabric, mut reference, mut speed) = (vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let before = rtl.cycles();
            let seconds = round(&mut rtl, &frame);
            speed.push((rtl.cycles() - before) as f64 / seconds);
            fabric.push(FRAMES as f64 / seconds);
            reference.push(FRAMES as f64 / round(&mut model, &frame));
        }
        let (fabric, reference) = (median(fabric), median(reference));
        println!("rtl (Verilator) {total:8} {fabric:12.0} {:10.0} {:14.4}", median(speed), fabric / reference);
        println!("reference       {total:8} {reference:12.0}          -              1");
    }
}

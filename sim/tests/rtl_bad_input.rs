//! Bad input without chance: each base frame cut at every length and with each bit flipped, fabric against reference card.

mod flows;

use flows::{ENDPOINT, FORWARD, MISS, Tcp, Udp, encapsulated, ipos, packet, plain, tagged};
use ipos_abi::Port;
use ipos_abi::regs::{ENABLE, counters, outcome, port};
use ipos_abi::rx::{Outcome, RxMeta};
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::rtl::{Fabric, FabricCard, RtlCard, WideCard};

/// Bytes of a frame whose bits are flipped.
const FLIPPED: usize = 96;
/// Frames that the fabric gets at once: what they come to fits its buffers.
const BATCH: usize = 32;
const VLAN: u16 = 0x123;

struct Base {
    name: &'static str,
    port: Port,
    frame: Vec<u8>,
}

fn bases() -> Vec<Base> {
    use Port::{Back, Front};
    let mut fragment = packet(Tcp, FORWARD, 0, 24);
    fragment[6] = 0x20;
    let checksum = u16::from_be_bytes([fragment[10], fragment[11]]) - 0x2000;
    fragment[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut padded = plain(&packet(Tcp, FORWARD, 0, 1));
    padded.resize(60, 0xa5);
    let odd = packet(Udp, ENDPOINT, 4, 17);
    let body: Vec<u8> = (0..174).collect();
    [
        ("TCP to forward", Front, plain(&packet(Tcp, FORWARD, 0, 13))),
        ("TCP to forward, padded", Front, padded),
        ("UDP to forward", Front, plain(&packet(Udp, FORWARD, 0, 9))),
        ("TCP to the host", Front, plain(&packet(Tcp, MISS, 0, 22))),
        ("UDP to the host", Front, plain(&packet(Udp, MISS, 0, 3))),
        ("IHL 15 to forward", Front, plain(&packet(Tcp, FORWARD, 40, 6))),
        ("IHL 6 to the host", Front, plain(&packet(Udp, MISS, 4, 40))),
        ("tagged, to forward", Front, tagged(&plain(&packet(Tcp, FORWARD, 0, 5)), 0x6000 | VLAN)),
        ("tagged twice", Front, tagged(&tagged(&plain(&packet(Tcp, FORWARD, 0, 5)), VLAN), VLAN)),
        ("fragment", Front, plain(&fragment)),
        ("ipOS packet to re-forward", Back, encapsulated(&packet(Tcp, FORWARD, 0, 10))),
        ("ipOS packet to an endpoint", Back, encapsulated(&packet(Tcp, ENDPOINT, 0, 21))),
        ("ipOS packet with options to an endpoint", Back, encapsulated(&odd)),
        ("ipOS packet in no table, tagged", Back, tagged(&encapsulated(&packet(Udp, MISS, 0, 8)), 7)),
        ("TCP connection", Back, ipos(1, 1, 146, &body)),
        ("UDP connection", Back, ipos(1, 2, 6, &body[..34])),
        ("acknowledgement", Back, ipos(3, 1, 0, &body[..28])),
        ("extension", Back, ipos(0x80, 1, 40, &body[..40])),
        ("unknown ipOS type", Back, ipos(0x7f, 1, 0, &body[..20])),
        ("plain IPv4 on the back port", Back, [&flows::BACK[..], &plain(&packet(Tcp, FORWARD, 0, 7))[6..]].concat()),
    ]
    .into_iter()
    .map(|(name, port, frame)| Base { name, port, frame })
    .collect()
}

/// What is done to a base frame.
fn variants(frame: &[u8]) -> Vec<(String, Vec<u8>, bool)> {
    let cuts = (1..=frame.len()).flat_map(|len| {
        [false, true].map(|error| (format!("cut to {len}, error {error}"), frame[..len].to_vec(), error))
    });
    let flips = (0..8 * frame.len().min(FLIPPED)).map(|bit| {
        let mut frame = frame.to_vec();
        frame[bit / 8] ^= 0x80 >> (bit % 8);
        (format!("byte {} bit {} flipped", bit / 8, 7 - bit % 8), frame, false)
    });
    cuts.chain(flips).collect()
}

type Out = (Option<RxMeta>, Vec<u8>);

/// All that a card has put out: wires front and back, receive and control queue.
fn drain(card: &mut dyn Card, out: &mut [Vec<Out>; 4]) {
    let mut frame = Vec::new();
    for port in Port::ALL {
        while card.wire_out(port, &mut frame) {
            out[port as usize].push((None, frame.clone()));
        }
    }
    for queue in [Queue::Receive, Queue::Control] {
        while let Some(meta) = card.host_out(queue, &mut frame) {
            out[2 + queue as usize].push((Some(meta), frame.clone()));
        }
    }
}

fn settle(card: &mut dyn Card) {
    for _ in 0..1000 {
        if !card.run(64) {
            return;
        }
    }
    panic!("still busy");
}

fn all_counters(card: &mut dyn Card) -> Vec<(String, u32)> {
    let totals = [counters::FRONT_RX, counters::FRONT_TX, counters::BACK_RX, counters::BACK_TX];
    let mut all: Vec<_> = totals.into_iter().map(|offset| (format!("{offset:#x}"), card.read32(offset))).collect();
    for port in Port::ALL {
        let outcomes = Outcome::ALL.iter().map(|&o| (format!("{port:?} {o:?}"), card.read32(outcome(port, o))));
        all.extend(outcomes);
    }
    all
}

fn agree<F: Fabric>(mut fabric: FabricCard<F>) {
    let mut model = ModelCard::new(ModelConfig::default());
    flows::set_up(&mut fabric);
    flows::set_up(&mut model);
    let mut frames = 0;
    for base in bases() {
        let vlan = if base.name.starts_with("tagged") { ENABLE | u32::from(VLAN) } else { 0 };
        for card in [&mut fabric as &mut dyn Card, &mut model] {
            card.write32(port::FRONT_VLAN, vlan);
        }
        let variants = variants(&base.frame);
        for batch in variants.chunks(BATCH) {
            let mut expected: [Vec<(&str, Out)>; 4] = Default::default();
            for (name, frame, error) in batch {
                assert!(model.wire_in(base.port, frame, *error) && fabric.wire_in(base.port, frame, *error));
                settle(&mut model);
                let mut out = Default::default();
                drain(&mut model, &mut out);
                for (all, one) in expected.iter_mut().zip(out) {
                    all.extend(one.into_iter().map(|out| (name.as_str(), out)));
                }
            }
            settle(&mut fabric);
            let mut found = Default::default();
            drain(&mut fabric, &mut found);
            for (place, (expected, found)) in expected.iter().zip(&found).enumerate() {
                for ((name, expected), found) in expected.iter().zip(found) {
                    let at = (base.name, name, place);
                    assert_eq!(found.1, expected.1, "{at:?}");
                    assert_eq!(found.0.map(|m| m.info()), expected.0.map(|m| m.info()), "{at:?} {:02x?}", expected.1);
                    assert_eq!(found.0, expected.0, "{at:?}");
                }
                let last = batch.last().map(|(name, ..)| name);
                assert_eq!(found.len(), expected.len(), "frames at {place} of {} up to {last:?}", base.name);
            }
        }
        assert_eq!(all_counters(&mut fabric), all_counters(&mut model), "after {}", base.name);
        frames += variants.len();
    }
    println!("{frames} frames, {} cycles", fabric.cycles());
    // the bases reach what they are named for
    for (port, o) in [
        (Port::Front, Outcome::Forwarded),
        (Port::Front, Outcome::DropShort),
        (Port::Front, Outcome::DropHeader),
        (Port::Front, Outcome::DropRunt),
        (Port::Front, Outcome::DropMac),
        (Port::Front, Outcome::DropError),
        (Port::Front, Outcome::ToHost),
        (Port::Back, Outcome::Forwarded),
        (Port::Back, Outcome::ToControl),
        (Port::Back, Outcome::DropIposChecksum),
        (Port::Back, Outcome::DropShort),
    ] {
        assert!(flows::count(&mut fabric, port, o) > 3, "{port:?} {o:?}");
    }
}

#[test]
fn every_cut_and_every_bit() {
    agree(RtlCard::with_seed(1));
}

#[test]
fn every_cut_and_every_bit_under_stalls() {
    agree(RtlCard::with_seed(1).with_stalls(1, 80));
}

#[test]
fn every_cut_and_every_bit_at_512_bits() {
    agree(WideCard::with_seed(1));
}

#[test]
fn every_cut_and_every_bit_at_512_bits_under_stalls() {
    agree(WideCard::with_seed(1).with_stalls(1, 80));
}

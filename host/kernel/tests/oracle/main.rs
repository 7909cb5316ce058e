//! The kernel against the reference card: the same tables and random frames, the bytes at both wires' far ends, what the stack
//! and the rings get, events and counters.
//!
//! `expect` is the table of `docs/kernel-datapath.md`: where a verdict of the card differs here, it says what comes instead.
//! `IPOS_FRAMES` sets the number of frames, `IPOS_SEED` the first seed.

mod mirror;
#[path = "../rig/mod.rs"]
mod rig;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddrV4;

use ipos_abi::Port;
use ipos_abi::regs::{ENABLE, outcome, port, tables};
use ipos_abi::rx::{L3, Outcome, Reason, RxInfo};
use ipos_abi::table::{FlowKey, Protocol};
use ipos_device::Queue;
use ipos_kernel::KernelCard;
use ipos_kernel::layout::{COUNT_RX, COUNT_TX};
use ipos_kernel::ring::Record;
use ipos_kernel::table::{Action, Entry, Owner, Peer};
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::traffic::{Source, Traffic};
use ipos_sim::wire::Wire;
use mirror::Mirror;
use rig::Rig;

/// Where a frame comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    BackWire,
    FrontWire,
    Stack(Port),
    Frames(Port),
    Control(Port),
}

/// A frame there, with what the ring says of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Out {
    place: Place,
    says: Option<Says>,
    frame: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Says {
    reason: Reason,
    l3: L3,
    decapsulated: bool,
    vlan: Option<u16>,
}

impl From<&Record> for Says {
    fn from(r: &Record) -> Self {
        Says { reason: r.reason, l3: r.l3, decapsulated: r.decapsulated, vlan: r.vlan }
    }
}

fn tagged(frame: &[u8]) -> bool {
    frame[12..14] == [0x81, 0]
}

/// What the model made of a frame.
struct Judged {
    outcome: Outcome,
    out: Vec<Out>,
    host: Option<(Queue, Vec<u8>, RxInfo)>,
}

fn judge(model: &mut ModelCard, port: Port, frame: &[u8]) -> Judged {
    let count =
        |model: &mut ModelCard| Outcome::ALL.iter().map(|&o| model.read32(outcome(port, o))).collect::<Vec<_>>();
    let before = count(model);
    assert!(model.wire_in(port, frame, false));
    while model.run(1 << 16) {}
    let after = count(model);
    let at = before.iter().zip(&after).position(|(b, a)| b != a).unwrap();
    let (mut out, mut host, mut bytes) = (Vec::new(), None, Vec::new());
    while model.wire_out(Port::Back, &mut bytes) {
        out.push(Out { place: Place::BackWire, says: None, frame: std::mem::take(&mut bytes) });
    }
    for queue in [Queue::Receive, Queue::Control] {
        while let Some(meta) = model.host_out(queue, &mut bytes) {
            host = Some((queue, std::mem::take(&mut bytes), meta.info().unwrap()));
        }
    }
    Judged { outcome: Outcome::ALL[at], out, host }
}

/// The card's verdict, as the kernel gives it.
fn expect(mirror: &Mirror, port: Port, frame: &[u8], judged: Judged) -> (Outcome, Vec<Out>) {
    // the stack's own reading of a tag needs the EtherType behind it
    let to_stack = |port| {
        let seen = !tagged(frame) || frame.len() >= 20;
        let out = seen.then(|| Out { place: Place::Stack(port), says: None, frame: frame.to_vec() });
        (Outcome::ToHost, Vec::from_iter(out))
    };
    let front_mac = mirror.mac(port::FRONT_MAC_LO, port::FRONT_MAC_HI);
    let ethertype = if tagged(frame) && frame.len() >= 18 { &frame[16..18] } else { &frame[12..14] };
    let is_ipos = ethertype == (mirror.word(port::ETHERTYPE) as u16).to_be_bytes();
    if port == Port::Back && !is_ipos && frame[..6] == front_mac && judged.outcome != Outcome::DropRunt {
        return (Outcome::DropMac, Vec::new());
    }
    if judged.outcome == Outcome::DropMac {
        return to_stack(port);
    }
    let Some((queue, shown, info)) = judged.host else { return (judged.outcome, judged.out) };
    let mut says = Says { reason: info.reason, l3: info.l3, decapsulated: info.decapsulated, vlan: info.vlan };
    let ring = |place, says| (judged.outcome, vec![Out { place, says: Some(says), frame: shown.clone() }]);
    if queue == Queue::Control {
        says.l3 = L3::None;
        return ring(Place::Control(port), says);
    }
    match (port, info.reason) {
        (_, Reason::Endpoint) => {
            (Outcome::ToHost, vec![Out { place: Place::Stack(Port::Front), says: None, frame: shown.clone() }])
        }
        (_, Reason::Action) | (Port::Back, Reason::ShortIpos | Reason::UnknownIpos) => ring(Place::Frames(port), says),
        (Port::Front, Reason::Fragment) if mirror.has_pair(&shown) => ring(Place::Frames(port), says),
        (_, _) if info.decapsulated => ring(Place::Frames(port), says),
        _ => to_stack(port),
    }
}

/// Frames of known fate behind a round's others: when all have come out, so have those before them.
mod sentinel {
    use super::*;

    pub const ADDRESS: [u8; 4] = [172, 16, 99, 99];
    /// EtherType of those that the stack gets (IEEE local experimental 2).
    pub const STACK: [u8; 2] = [0x88, 0xb6];

    pub fn key(port: u16) -> FlowKey {
        FlowKey { protocol: Protocol::Udp, src_ip: ADDRESS, src_port: port, dst_ip: ADDRESS, dst_port: 9 }
    }

    /// An IPv4 packet of a key, without payload.
    pub fn packet(key: &FlowKey) -> Vec<u8> {
        let builder = etherparse::PacketBuilder::ipv4(key.src_ip, key.dst_ip, 9).udp(key.src_port, key.dst_port);
        let mut packet = Vec::new();
        builder.write(&mut packet, &[]).unwrap();
        packet
    }
}

fn ethernet(to: [u8; 6], vlan: Option<u16>, ethertype: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut frame = [to, [2, 0, 0, 0, 0, 0x99]].concat();
    if let Some(id) = vlan {
        frame.extend([0x81, 0]);
        frame.extend(id.to_be_bytes());
    }
    [&frame[..], &ethertype, payload].concat()
}

fn encapsulated(packet: &[u8]) -> Vec<u8> {
    use ipos_abi::wire::ipos::{LEN, Repr, Type};
    let mut header = [0u8; LEN];
    let address = SocketAddrV4::new(sentinel::ADDRESS.into(), 9);
    Repr { client: address, owner: address, kind: Type::Packet, protocol: Protocol::Udp }.emit(&mut header).unwrap();
    [&header[..], packet].concat()
}

struct Bench {
    rig: Rig,
    card: KernelCard,
    model: ModelCard,
    mirror: Mirror,
    carried: HashMap<FlowKey, (u64, u64)>,
    counted: [BTreeMap<Outcome, u64>; 2],
    given: [u64; 2],
    sent_back: u64,
    frames: u64,
    seed: u64,
}

impl Bench {
    fn new(seed: u64, traffic: &mut Traffic) -> Self {
        let mut model = ModelCard::new(ModelConfig { input_frames: 4, ..ModelConfig::default() });
        let mut mirror = Mirror::default();
        mirror.write(port::ETHERTYPE, 0x0007); // after a reset
        let first = traffic.round(1, 1); // its frame is not used
        for (offset, value) in first.writes {
            model.write32(offset, value);
            mirror.write(offset, value);
        }
        let front = mirror.mac(port::FRONT_MAC_LO, port::FRONT_MAC_HI);
        let back = mirror.mac(port::BACK_MAC_LO, port::BACK_MAC_HI);
        let rig = Rig::new(front, back);
        let mut card = rig.card(rig::config());
        card.set_peer(99, Some(&Peer::Mac([2, 0, 0, 0, 0, 0x77]))).unwrap();
        let owner = Owner { peer: 99, ..Owner::default() };
        for (port, entry) in [
            (1, Entry { action: Action::Forward, owner, ..Entry::default() }),
            (2, Entry { endpoint: Some(1), ..Entry::default() }),
            (3, Entry { action: Action::Forward, owner, ..Entry::default() }),
        ] {
            card.set(&sentinel::key(port), &entry).unwrap();
        }
        let (carried, counted) = (HashMap::new(), Default::default());
        Bench { rig, card, model, mirror, carried, counted, given: [0; 2], sent_back: 0, frames: 0, seed }
    }

    fn count(&mut self, port: Port, outcome: Outcome) {
        *self.counted[port as usize].entry(outcome).or_default() += 1;
    }

    /// One round: tables as the registers say, frames, and everything that came out.
    fn round(&mut self, traffic: &mut Traffic) {
        let round = traffic.round(48, 24 << 10);
        for &(offset, value) in &round.writes {
            self.model.write32(offset, value);
            self.mirror.write(offset, value);
        }
        self.mirror.apply(&mut self.card, &mut self.carried);
        self.card.heartbeat().unwrap();
        let (mut expected, mut events, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
        for input in &round.inputs {
            // can't occur: a runt is no frame for a driver, and a bad FCS ends in the MAC; the host sends by the stack
            let Source::Wire { port, bad_fcs: false } = input.source else { continue };
            if input.frame.len() < 14 {
                continue;
            }
            let judged = judge(&mut self.model, port, &input.frame);
            while let Some(e) = self.model.event() {
                let place = (tables::COMMIT_FORWARD, u32::from(e.bank) << 16 | u32::from(e.slot));
                events.push((FlowKey::from_bits(self.mirror.slots[&place].0).bits(), e.tcp_flags));
            }
            let (outcome, out) = expect(&self.mirror, port, &input.frame, judged);
            if outcome == Outcome::Forwarded {
                let packet = &out[0].frame[30..];
                let header = usize::from(packet[0] & 15) * 4;
                let key = FlowKey {
                    protocol: Protocol::from_ip_number(packet[9]).unwrap(),
                    src_ip: packet[12..16].try_into().unwrap(),
                    src_port: u16::from_be_bytes([packet[header], packet[header + 1]]),
                    dst_ip: packet[16..20].try_into().unwrap(),
                    dst_port: u16::from_be_bytes([packet[header + 2], packet[header + 3]]),
                };
                let sum = self.carried.entry(key).or_default();
                *sum = (sum.0 + 1, sum.1 + packet.len() as u64);
                self.sent_back += 1;
            }
            self.count(port, outcome);
            self.given[port as usize] += 1;
            self.frames += 1;
            let wire = if port == Port::Front { &mut self.rig.front_far } else { &mut self.rig.back_far };
            wire.send(&input.frame).unwrap();
            inputs.push((port, input.frame.clone()));
            expected.extend(out);
        }
        let mut found = self.collect();
        expected.sort();
        found.sort();
        if expected != found {
            self.report(&expected, &found, &inputs);
        }
        events.sort_unstable();
        let mut seen: Vec<_> = std::iter::from_fn(|| self.card.event()).map(|e| (e.key.bits(), e.tcp_flags)).collect();
        seen.sort_unstable();
        assert_eq!(seen, events, "seed {}: events", self.seed);
    }

    /// Sends the sentinels and takes everything that comes before them.
    fn collect(&mut self) -> Vec<Out> {
        let vlan =
            |m: &Mirror, o: u32| (m.word(o) & ENABLE != 0).then(|| m.word(o) as u16 & 0xfff).filter(|id| *id != 0);
        let vlans = [vlan(&self.mirror, port::FRONT_VLAN), vlan(&self.mirror, port::BACK_VLAN)];
        let front = self.mirror.mac(port::FRONT_MAC_LO, port::FRONT_MAC_HI);
        let back = self.mirror.mac(port::BACK_MAC_LO, port::BACK_MAC_HI);
        let ethertype = (self.mirror.word(port::ETHERTYPE) as u16).to_be_bytes();
        let packets = [1, 2, 3].map(|n| sentinel::packet(&sentinel::key(n)));
        self.rig.front_far.send(&ethernet(front, vlans[0], [8, 0], &packets[0])).unwrap();
        self.rig.front_far.send(&ethernet([0xff; 6], None, sentinel::STACK, &[])).unwrap();
        for packet in &packets[1..] {
            self.rig.back_far.send(&ethernet(back, vlans[1], ethertype, &encapsulated(packet))).unwrap();
        }
        self.rig.back_far.send(&ethernet([0xff; 6], None, sentinel::STACK, &[])).unwrap();
        for (port, outcome) in [
            (Port::Front, Outcome::Forwarded),
            (Port::Front, Outcome::ToHost),
            (Port::Back, Outcome::ToHost),
            (Port::Back, Outcome::Forwarded),
            (Port::Back, Outcome::ToHost),
        ] {
            self.count(port, outcome);
            self.given[port as usize] += 1;
        }
        self.sent_back += 2;
        let (mut out, mut frame) = (Vec::new(), Vec::new());
        let mut missing: HashSet<(Place, Vec<u8>)> = HashSet::from([
            (Place::BackWire, packets[0].clone()),
            (Place::BackWire, packets[2].clone()),
            (Place::Stack(Port::Front), packets[1].clone()),
            (Place::Stack(Port::Front), Vec::new()),
            (Place::Stack(Port::Back), Vec::new()),
        ]);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while !missing.is_empty() {
            assert!(std::time::Instant::now() < end, "seed {}: {missing:?} did not come", self.seed);
            for (place, wire) in [
                (Place::BackWire, &mut self.rig.back_far),
                (Place::FrontWire, &mut self.rig.front_far),
                (Place::Stack(Port::Front), &mut self.rig.front),
                (Place::Stack(Port::Back), &mut self.rig.back),
            ] {
                while wire.receive(&mut frame).unwrap() {
                    let payload = if place == Place::BackWire { frame.get(30..) } else { frame.get(14..) };
                    let is_sentinel = frame[12..14] == sentinel::STACK
                        || payload.is_some_and(|p| p.get(12..16) == Some(&sentinel::ADDRESS));
                    // a packet socket comes before `in`
                    if place == Place::Stack(Port::Back) && frame[..6] == front && frame[12..14] == [8, 0] {
                        continue;
                    }
                    if !is_sentinel || !missing.remove(&(place, payload.unwrap_or_default().to_vec())) {
                        out.push(Out { place, says: None, frame: frame.clone() });
                    }
                }
            }
        }
        let mut record = |place: fn(Port) -> Place, r: Record, frame: &mut Vec<u8>| {
            out.push(Out { place: place(r.port), says: Some(Says::from(&r)), frame: std::mem::take(frame) });
        };
        while let Some(r) = self.card.receive(&mut frame) {
            record(Place::Frames, r, &mut frame);
        }
        while let Some(r) = self.card.control(&mut frame) {
            record(Place::Control, r, &mut frame);
        }
        assert_eq!(self.card.stale(), 0);
        out
    }

    fn report(&self, expected: &[Out], found: &[Out], inputs: &[(Port, Vec<u8>)]) -> ! {
        let hex = |b: &[u8]| b.iter().take(80).map(|b| format!("{b:02x}")).collect::<String>();
        let only = |a: &[Out], b: &[Out]| {
            let lines = a
                .iter()
                .filter(|o| !b.contains(o))
                .map(|o| format!("  {:?} {:?} {} bytes {}\n", o.place, o.says, o.frame.len(), hex(&o.frame)));
            lines.collect::<String>()
        };
        let inputs: String =
            inputs.iter().take(8).map(|(p, f)| format!("  {p:?} {} bytes {}\n", f.len(), hex(f))).collect();
        panic!(
            "seed {}, after {} frames\nonly the reference:\n{}only the kernel:\n{}inputs:\n{inputs}",
            self.seed,
            self.frames,
            only(expected, found),
            only(found, expected)
        );
    }

    /// Counters of ports and entries.
    fn check_counters(&mut self) {
        let found = self.card.counters().unwrap();
        for port in Port::ALL {
            for &o in Outcome::ALL {
                let expected = self.counted[port as usize].get(&o).copied().unwrap_or(0);
                assert_eq!(found.outcome(port, o), expected, "seed {}: {port:?} {o:?}", self.seed);
            }
            assert_eq!(found.get(port, COUNT_RX), self.given[port as usize], "seed {}: {port:?}", self.seed);
        }
        assert_eq!(found.get(Port::Back, COUNT_TX), self.sent_back);
        for key in self.mirror.now.keys() {
            let carried = self.card.carried(key).unwrap().unwrap();
            let expected = self.carried.get(key).copied().unwrap_or_default();
            assert_eq!((carried.packets, carried.bytes), expected, "seed {}: {key:?}", self.seed);
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |v| v.parse().unwrap())
}

#[test]
fn the_kernel_and_the_reference_card_agree() {
    if !rig::allowed() {
        return;
    }
    let frames = number("IPOS_FRAMES", 20_000);
    let first = number("IPOS_SEED", 1);
    let (mut done, mut seed) = (0, first);
    let mut outcomes: [BTreeMap<Outcome, u64>; 2] = Default::default();
    while done < frames {
        let mut traffic = Traffic::new(seed);
        let mut bench = Bench::new(seed, &mut traffic);
        while bench.frames < (frames - done).min(10_000) {
            bench.round(&mut traffic);
        }
        bench.check_counters();
        for (sum, of) in outcomes.iter_mut().zip(&bench.counted) {
            of.iter().for_each(|(o, n)| *sum.entry(*o).or_default() += n);
        }
        done += bench.frames;
        seed += 1;
    }
    eprintln!("{done} frames, seeds {first} to {}, 0 differences: {outcomes:?}", seed - 1);
    // each verdict that can occur did
    for (port, o) in [
        (Port::Front, Outcome::Forwarded),
        (Port::Front, Outcome::DropTable),
        (Port::Front, Outcome::DropHeader),
        (Port::Front, Outcome::DropNeighbour),
        (Port::Front, Outcome::DropShort),
        (Port::Front, Outcome::DropIposOnFront),
        (Port::Back, Outcome::Forwarded),
        (Port::Back, Outcome::ToControl),
        (Port::Back, Outcome::DropLoop),
        (Port::Back, Outcome::DropIposChecksum),
        (Port::Back, Outcome::DropMac),
    ] {
        assert!(outcomes[port as usize].contains_key(&o), "{port:?} {o:?} never occurred");
    }
}

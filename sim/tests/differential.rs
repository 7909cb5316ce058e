//! The differential runner itself: equal cards agree, and a card that is wrong in one way is caught.

use std::time::Instant;

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, Event};
use ipos_abi::regs::{counters, outcome, tables};
use ipos_abi::rx::{Outcome, RxInfo, RxMeta};
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::compare::{CompareConfig, Mismatch, Report, run};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::traffic::Traffic;

fn model() -> ModelCard {
    ModelCard::new(ModelConfig::default())
}

fn seed() -> u64 {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("IPOS_SEED={seed}");
    seed
}

#[test]
fn a_model_agrees_with_itself_and_the_traffic_reaches_every_outcome() {
    let start = Instant::now();
    let report = run(&mut model(), &mut model(), &mut Traffic::new(seed()), 300_000, &CompareConfig::default())
        .unwrap_or_else(|e| panic!("{e}"));
    let seconds = start.elapsed().as_secs_f64();
    println!("{} frames in {} rounds, {:.0} frames/s", report.frames, report.rounds, report.frames as f64 / seconds);
    for &o in Outcome::ALL {
        let [front, back] = report.outcomes.map(|counts| counts[o as usize]);
        println!("{o:?}: front {front}, back {back}");
        // the model's buffers don't fill, but a total length can exceed them; some outcomes belong to one port
        let (on_front, on_back) = match o {
            Outcome::DropHostFull | Outcome::DropRate => (false, false),
            Outcome::DropIposOnFront => (true, false),
            Outcome::ToControl | Outcome::DropIposChecksum | Outcome::DropLoop => (false, true),
            _ => (true, true),
        };
        assert_eq!((front > 20, back > 20), (on_front, on_back), "{o:?}: {front}, {back}");
    }
}

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The last byte of every 100th frame on the back wire is different.
    WireByte,
    /// Every 100th frame on the back wire is missing.
    WireLost,
    /// Every 100th frame on the back wire comes twice.
    WireTwice,
    /// Two frames on the back wire change places.
    WireOrder,
    /// Host frames change places.
    HostOrder,
    /// Every 100th host frame lacks its last byte.
    HostByte,
    /// Control frames come on the receive queue.
    WrongQueue,
    /// The TCP/UDP verdict is always "not checked".
    MetaVerdict,
    /// Bad frames pass as good ones.
    ErrorFlag,
    /// Frames of 13 bytes count as received twice.
    CountTwice,
    /// Dropped tables are counted as dropped neighbours.
    OtherCounter,
    /// The high word of a counter is not zero.
    HighWord,
    /// The key's protocol bit is not stored.
    KeyBit,
    /// Removed entries stay.
    CommitInvalid,
    /// A staging register does not read back.
    ReadBack,
    /// Nothing ever becomes idle.
    Busy,
}

/// A model with a fault.
struct Faulty {
    card: ModelCard,
    fault: Fault,
    count: u32,
    held: Option<(Vec<u8>, Option<RxMeta>)>,
}

impl Faulty {
    fn nth(&mut self) -> bool {
        self.count += 1;
        self.count.is_multiple_of(100)
    }
}

impl Card for Faulty {
    fn read32(&mut self, offset: u32) -> u32 {
        let value = self.card.read32(offset);
        let fault = self.fault;
        match fault {
            Fault::CountTwice if offset == counters::FRONT_RX => value + 1,
            Fault::OtherCounter if offset == outcome(Port::Front, Outcome::DropNeighbour) => {
                value + self.card.read32(outcome(Port::Front, Outcome::DropTable))
            }
            Fault::OtherCounter if offset == outcome(Port::Front, Outcome::DropTable) => 0,
            Fault::HighWord if offset == counters::HIGH => value | 1 << 20,
            Fault::ReadBack if offset == tables::DEST_IP => value & 0xff_ffff,
            _ => value,
        }
    }

    fn write32(&mut self, offset: u32, value: u32) {
        match (self.fault, offset) {
            (Fault::KeyBit, tables::KEY3) => self.card.write32(offset, 0),
            (Fault::CommitInvalid, tables::COMMIT_FORWARD) if value >> 31 == 0 => {}
            _ => self.card.write32(offset, value),
        }
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        self.card.wire_in(port, frame, bad_fcs && self.fault != Fault::ErrorFlag)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        if let Some((held, None)) = self.held.take_if(|(_, meta)| port == Port::Back && meta.is_none()) {
            *frame = held;
            return true;
        }
        if !self.card.wire_out(port, frame) {
            return false;
        }
        if port == Port::Front {
            return true;
        }
        let fault = self.fault;
        match fault {
            Fault::WireByte if self.nth() => frame.last_mut().into_iter().for_each(|b| *b ^= 0x10),
            Fault::WireLost if self.nth() => return self.card.wire_out(port, frame),
            Fault::WireTwice if self.nth() => self.held = Some((frame.clone(), None)),
            Fault::WireOrder => {
                let first = frame.clone();
                if self.card.wire_out(port, frame) {
                    self.held = Some((first, None));
                } else {
                    *frame = first;
                }
            }
            _ => {}
        }
        true
    }

    fn host_in(&mut self, port: Port, frame: &[u8], checksum: Option<Checksum>) -> bool {
        self.card.host_in(port, frame, checksum)
    }

    fn event(&mut self) -> Option<Event> {
        self.card.event()
    }

    fn host_out(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Option<RxMeta> {
        if self.fault == Fault::WrongQueue && queue == Queue::Receive {
            return self.card.host_out(queue, frame).or_else(|| self.card.host_out(Queue::Control, frame));
        }
        if let Some((held, Some(meta))) = self.held.take_if(|(_, meta)| queue == Queue::Receive && meta.is_some()) {
            *frame = held;
            return Some(meta);
        }
        let meta = self.card.host_out(queue, frame)?;
        let fault = self.fault;
        match fault {
            Fault::HostByte if self.nth() => {
                frame.pop();
                Some(meta)
            }
            Fault::MetaVerdict => {
                let info = meta.info().ok()?;
                Some(RxInfo { l4: ipos_abi::rx::L4::NotChecked, ..info }.into())
            }
            Fault::HostOrder if queue == Queue::Receive => {
                let first = frame.clone();
                let Some(second) = self.card.host_out(queue, frame) else {
                    *frame = first;
                    return Some(meta);
                };
                self.held = Some((first, Some(meta)));
                Some(second)
            }
            _ => Some(meta),
        }
    }

    fn run(&mut self, cycles: u32) -> bool {
        self.card.run(cycles) || self.fault == Fault::Busy
    }
}

fn try_fault(fault: Fault) -> Result<Report, Mismatch> {
    let mut faulty = Faulty { card: model(), fault, count: 0, held: None };
    run(&mut model(), &mut faulty, &mut Traffic::new(seed()), 20_000, &CompareConfig::default())
}

#[test]
fn a_card_with_one_fault_is_caught() {
    let caught = |fault| match try_fault(fault) {
        Ok(_) => panic!("{fault:?} was not noticed"),
        Err(mismatch) => {
            println!("{fault:?}: {mismatch}");
            mismatch
        }
    };
    assert!(try_fault(Fault::None).is_ok(), "the wrapper alone changes nothing");
    for fault in [
        Fault::WireByte,
        Fault::WireLost,
        Fault::WireTwice,
        Fault::WireOrder,
        Fault::HostOrder,
        Fault::HostByte,
        Fault::WrongQueue,
        Fault::MetaVerdict,
        Fault::ErrorFlag,
        Fault::KeyBit,
    ] {
        assert!(matches!(caught(fault), Mismatch::Frame { .. }), "{fault:?}");
    }
    // seen by a frame or by its entry's counters, whichever is asked for first
    caught(Fault::CommitInvalid);
    for fault in [Fault::CountTwice, Fault::OtherCounter, Fault::HighWord, Fault::ReadBack] {
        assert!(matches!(caught(fault), Mismatch::Register { .. }), "{fault:?}");
    }
    assert!(matches!(caught(Fault::Busy), Mismatch::Stuck { .. }));
}

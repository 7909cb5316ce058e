//! The race and overload runs themselves: the model passes, a card that is wrong in one way does not.

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, Event};
use ipos_abi::regs::{outcome, tables};
use ipos_abi::rx::{Outcome, RxMeta};
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::compare::overload::{self, Load, OverloadError};
use ipos_sim::compare::race;
use ipos_sim::model::{ModelCard, ModelConfig};

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// A commit empties the slot for a while, then writes it.
    TwoSteps,
    /// The value changes when it is staged, the key when it is committed.
    EarlyValue,
    /// A drop is not counted.
    NotCounted,
    /// A frame that does not fit is cut, not dropped.
    Cut,
}

struct Faulty {
    card: ModelCard,
    fault: Fault,
    last_commit: Option<u32>,
    frames: u32,
}

fn faulty(fault: Fault, host_bytes: usize) -> Faulty {
    let config = ModelConfig { host_bytes: [host_bytes, 1 << 20], ..ModelConfig::default() };
    Faulty { card: ModelCard::new(config), fault, last_commit: None, frames: 0 }
}

impl Card for Faulty {
    fn read32(&mut self, offset: u32) -> u32 {
        let value = self.card.read32(offset);
        let hidden = offset == outcome(Port::Back, Outcome::DropHostFull) && self.fault == Fault::NotCounted;
        if hidden { value.saturating_sub(1) } else { value }
    }

    fn write32(&mut self, offset: u32, value: u32) {
        if self.fault == Fault::TwoSteps && offset == tables::COMMIT_FORWARD {
            self.card.write32(offset, value & !(1 << 31));
            self.card.run(16);
        }
        self.card.write32(offset, value);
        if self.fault == Fault::EarlyValue && offset == tables::VALUE {
            if let Some(commit) = self.last_commit {
                self.card.write32(tables::COMMIT_FORWARD, commit);
                self.card.run(16);
                self.card.write32(offset, value ^ 1);
                self.card.write32(tables::COMMIT_FORWARD, commit);
                self.card.run(16);
                self.card.write32(offset, value);
            }
        } else if offset == tables::COMMIT_FORWARD {
            self.last_commit = (value >> 31 == 1).then_some(value);
        }
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        self.card.wire_in(port, frame, bad_fcs)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        let sent = self.card.wire_out(port, frame);
        self.frames += u32::from(sent);
        if sent && self.fault == Fault::Cut && self.frames == 300 {
            frame.truncate(40);
        }
        sent
    }

    fn host_in(&mut self, port: Port, frame: &[u8], checksum: Option<Checksum>) -> bool {
        self.card.host_in(port, frame, checksum)
    }

    fn event(&mut self) -> Option<Event> {
        self.card.event()
    }

    fn host_out(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Option<RxMeta> {
        self.card.host_out(queue, frame)
    }

    fn run(&mut self, cycles: u32) -> bool {
        self.card.run(cycles)
    }
}

#[test]
fn commits_under_traffic() {
    let report = race::run(&mut faulty(Fault::None, 1 << 20), 1, 500).unwrap();
    println!("{report:?}");
    assert_eq!((report.changes, report.packets), (500, 24_000));
    assert!(report.split > 50, "changes must meet traffic: {report:?}");
    for fault in [Fault::TwoSteps, Fault::EarlyValue] {
        let violation = race::run(&mut faulty(fault, 1 << 20), 1, 500).unwrap_err();
        println!("{fault:?}: {violation}");
    }
}

#[test]
fn full_buffers() {
    // the model's forward buffer never fills
    let report = overload::run(&mut faulty(Fault::None, 1 << 20), Load::Forward, 1000).unwrap();
    assert_eq!((report.passed, report.dropped), ([1000; 2], [0; 2]));
    let report = overload::run(&mut faulty(Fault::None, 10_000), Load::Host, 1000).unwrap();
    println!("{report:?}");
    // frames of 58 bytes, alternating
    assert_eq!((report.passed, report.dropped), ([86; 2], [914; 2]));

    let counted = overload::run(&mut faulty(Fault::NotCounted, 10_000), Load::Host, 1000).unwrap_err();
    assert!(matches!(counted, OverloadError::Count { port: Port::Back, .. }), "{counted}");
    let cut = overload::run(&mut faulty(Fault::Cut, 1 << 20), Load::Forward, 1000).unwrap_err();
    assert!(matches!(cut, OverloadError::Frame { .. }), "{cut}");
}

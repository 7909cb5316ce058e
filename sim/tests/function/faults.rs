//! Answers that are lost, bad or cut, interrupts that have to wait, queues that are turned off while they work. The fabric only:
//! the reference has no packets and no cycles.

use std::cell::RefCell;
use std::rc::Rc;

use ipos_abi::Port;
use ipos_abi::queue::{DmaError, QueueId, Status, TransmitDescriptor};
use ipos_abi::regs::{self, dma, queue, queues};
use ipos_abi::rx::Outcome;
use ipos_sim::pcie::rtl::{Fate, KHZ, Manners, RtlFunction};
use ipos_sim::pcie::{Function, PciConfig};

use crate::driver::{Memory, Rig, Ring};

/// The fabric in a rig, and still within reach.
#[derive(Clone)]
pub struct Shared(pub Rc<RefCell<RtlFunction>>);

// SAFETY: `Function` asks for it; the rig and this test are on one thread.
unsafe impl Send for Shared {}

impl Function for Shared {
    fn read32(&mut self, offset: u32) -> u32 {
        self.0.borrow_mut().read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) {
        self.0.borrow_mut().write32(offset, value);
    }

    fn configure(&mut self, config: &PciConfig) {
        self.0.borrow_mut().configure(config);
    }

    fn function_reset(&mut self) {
        self.0.borrow_mut().function_reset();
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        self.0.borrow_mut().wire_in(port, frame, bad_fcs)
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        self.0.borrow_mut().wire_out(port, frame)
    }

    fn run(&mut self, cycles: u32) -> bool {
        self.0.borrow_mut().run(cycles)
    }
}

pub fn rig(manners: Manners) -> (Rig, Shared) {
    let memory = Memory::new();
    let fabric = Shared(Rc::new(RefCell::new(RtlFunction::new(Some(1), manners, Box::new(memory.clone())))));
    (Rig::new("fabric", Box::new(fabric.clone()), memory), fabric)
}

pub fn frame(n: u8) -> Vec<u8> {
    let mut frame = vec![n; 500];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xcc]);
    frame
}

/// Sends frames 0 to `count` - 1, each one read of the card's.
pub fn send(rig: &mut Rig, ring: &mut Ring, count: u8) {
    for n in 0..count {
        let buffer = rig.allocate(512, 512);
        rig.memory.put(buffer, &frame(n));
        rig.send(ring, TransmitDescriptor { address: buffer.into(), length: 500.into(), ..Default::default() });
    }
    rig.ring(ring);
}

pub fn causes(rig: &mut Rig) -> u32 {
    let causes = rig.read32(dma::ERRORS);
    rig.write32(dma::ERRORS, causes);
    causes
}

/// Longer than two time-outs of at most 100 µs: a card that only waits is idle to the simulator, and its clock stands.
fn ticks(fabric: &Shared) {
    for _ in 0..200 * KHZ / 1000 {
        fabric.0.borrow_mut().tick();
    }
}

#[test]
fn answers_that_are_lost_bad_or_cut_fail_their_frame_alone() {
    for (fate, cause) in [
        (Fate::Lost, 1 << DmaError::CompletionTimeout as u32),
        (Fate::Poisoned, 1 << DmaError::Poisoned as u32),
        (Fate::Cut, 1 << DmaError::Malformed as u32 | 1 << DmaError::CompletionTimeout as u32),
    ] {
        let (mut rig, fabric) = rig(Manners::default());
        let mut ring = rig.queue(QueueId::TransmitFront, 4);
        // the first read is of the descriptors; a frame of 500 bytes is two reads of 256
        fabric.0.borrow_mut().fates([
            Fate::Whole,
            Fate::Whole,
            Fate::Whole,
            Fate::Whole,
            fate,
            Fate::Whole,
            Fate::Whole,
        ]);
        send(&mut rig, &mut ring, 5);
        ticks(&fabric);
        rig.settle();
        let found: Vec<Option<Status>> = (0..5).map(|_| rig.completion(&mut ring).and_then(|c| c.status())).collect();
        let failed = found.iter().filter(|s| **s == Some(Status::Read)).count();
        let good = found.iter().filter(|s| **s == Some(Status::Ok)).count();
        assert_eq!((failed, good), (1, 4), "{fate:?}: {found:?}");
        let sent: Vec<_> = std::iter::from_fn(|| rig.wire_out(Port::Front)).collect();
        let expected: Vec<_> = (0..5).filter(|&n| found[usize::from(n)] == Some(Status::Ok)).map(frame).collect();
        assert!(sent == expected, "{fate:?}: the other frames, whole and in order");
        assert_eq!(causes(&mut rig), cause, "{fate:?}");
        // the tag rests and is used again: far more reads than there are tags
        for _ in 0..6 {
            send(&mut rig, &mut ring, 8);
            rig.settle();
            ticks(&fabric); // a tag that rests holds up those behind it
            rig.settle();
            for n in 0..8 {
                assert_eq!(rig.completion(&mut ring).and_then(|c| c.status()), Some(Status::Ok), "{fate:?}");
                assert!(rig.wire_out(Port::Front) == Some(frame(n)), "{fate:?}");
            }
            rig.rewind();
        }
        assert_eq!(causes(&mut rig), 0);
        rig.conserved();
    }
}

#[test]
fn a_cut_answer_is_not_counted_by_the_next_one() {
    let (mut rig, fabric) = rig(Manners::default());
    let mut ring = rig.queue(QueueId::TransmitFront, 3);
    let good = rig.allocate(512, 512);
    rig.memory.put(good, &frame(1));
    for address in [good, 0x7_0000_0000] {
        rig.send(&mut ring, TransmitDescriptor { address: address.into(), length: 100.into(), ..Default::default() });
    }
    // the answer to the first frame is cut to two beats, the second frame's is a refusal of two beats
    fabric.0.borrow_mut().fates([Fate::Whole, Fate::Cut]);
    rig.ring(&ring);
    ticks(&fabric);
    rig.settle();
    for _ in 0..2 {
        assert_eq!(rig.completion(&mut ring).and_then(|c| c.status()), Some(Status::Read));
    }
    assert_eq!(rig.wire_out(Port::Front), None);
    let wanted = [DmaError::Malformed, DmaError::CompletionTimeout, DmaError::CompletionStatus];
    assert_eq!(causes(&mut rig), wanted.iter().fold(0, |m, &e| m | 1 << e as u32));
}

#[test]
fn interrupts_keep_their_distance() {
    let (mut rig, fabric) = rig(Manners::default());
    let vector = QueueId::Receive as usize;
    rig.write32(queue(vector, queues::MODERATION), 20); // 3,125 cycles
    let mut ring = rig.queue(QueueId::Receive, 4);
    for _ in 0..16 {
        let buffer = rig.allocate(512, 512);
        rig.offer(&mut ring, buffer, 512);
    }
    rig.ring(&ring);
    let start = fabric.0.borrow().cycles();
    let (mut given, mut times, mut seen) = (0, Vec::new(), 0);
    while fabric.0.borrow().cycles() < start + 16_000 {
        if given < 16 && fabric.0.borrow().cycles() > start + given * 600 {
            rig.wire_in(Port::Front, &frame(given as u8));
            given += 1;
        }
        fabric.0.borrow_mut().tick();
        let now = rig.memory.interrupts()[vector];
        if now != seen {
            times.push(fabric.0.borrow().cycles());
            seen = now;
        }
    }
    // frames for some 9,600 cycles: one at once, then one each 3,125, the last for what came since
    assert!((3..=5).contains(&times.len()), "{times:?}");
    assert!(times.windows(2).all(|w| w[1] - w[0] >= 19 * u64::from(KHZ) / 1000), "{times:?}");
    for n in 0..16 {
        assert_eq!(rig.receive(&mut ring).expect("all arrived").1, frame(n));
    }
}

#[test]
fn the_function_mask_holds_all_vectors_back() {
    let (mut rig, _) = rig(Manners::default());
    let config = |msix_enable, msix_mask| PciConfig {
        memory: true,
        bus_master: true,
        msix_enable,
        msix_mask,
        mps: 1,
        mrrs: 2,
        ..PciConfig::default()
    };
    let mut ring = rig.queue(QueueId::Receive, 3);
    for (enable, mask) in [(true, true), (false, false)] {
        rig.card.configure(&config(enable, mask));
        let before = rig.memory.interrupts();
        let buffer = rig.allocate(512, 512);
        rig.offer(&mut ring, buffer, 512);
        rig.ring(&ring);
        rig.wire_in(Port::Front, &frame(3));
        rig.settle();
        assert!(rig.receive(&mut ring).is_some());
        assert_eq!(rig.memory.interrupts(), before);
        assert_eq!(rig.read32(regs::MSIX_PENDING), 1);
        rig.card.configure(&config(true, false));
        rig.card.run(300);
        assert_eq!(rig.memory.interrupts()[0], before[0] + 1, "it comes when it may");
    }
}

#[test]
fn a_queue_turned_off_at_work_ends_what_it_began() {
    for wait in (0..600).step_by(41) {
        let (mut rig, _) = rig(Manners::default());
        let mut ring = rig.queue(QueueId::TransmitFront, 4);
        send(&mut rig, &mut ring, 12);
        for _ in 0..wait {
            rig.card.run(1);
        }
        let control = queue(QueueId::TransmitFront as usize, queues::CONTROL);
        rig.write32(control, 4 << 8);
        rig.settle();
        assert_eq!(rig.status(QueueId::TransmitFront), (false, 0), "after {wait} cycles");
        let done = std::iter::from_fn(|| rig.completion(&mut ring)).count();
        let sent: Vec<_> = std::iter::from_fn(|| rig.wire_out(Port::Front)).collect();
        assert!(sent == (0..done as u8).map(frame).collect::<Vec<_>>(), "after {wait} cycles: {done} done");
        // afresh, from the first entry
        let mut ring = rig.queue(QueueId::TransmitFront, 3);
        send(&mut rig, &mut ring, 3);
        rig.settle();
        for n in 0..3 {
            assert_eq!(rig.completion(&mut ring).and_then(|c| c.status()), Some(Status::Ok), "after {wait} cycles");
            assert!(rig.wire_out(Port::Front) == Some(frame(n)));
        }
        assert_eq!(rig.outcome(Port::Front, Outcome::ToHost), 0);
    }
}

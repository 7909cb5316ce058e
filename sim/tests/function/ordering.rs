//! What a register read tells of writes has happened when its answer comes: a read's completion does not pass a posted request (PCI
//! Express base specification 2.4.1, from memory: one reading). The fabric only.

use ipos_abi::Port;
use ipos_abi::queue::QueueId;
use ipos_abi::regs::{self, MSIX_TABLE, queues};
use ipos_sim::pcie::rtl::Manners;
use ipos_sim::pcie::tlp::Tlp;

use crate::driver::{BASE, Rig, Ring};
use crate::faults::{Shared, frame, rig};

const BAR0: u64 = 0xe000_0000;
/// A link that often stands still, so that writes queue up before it.
const SLOW: [Manners; 3] = [
    Manners { delay: 30, random: Some((11, 60)) },
    Manners { delay: 30, random: Some((12, 150)) },
    Manners { delay: 30, random: Some((13, 210)) },
];

fn ticks(fabric: &Shared, cycles: u32) {
    for _ in 0..cycles {
        fabric.0.borrow_mut().tick();
    }
}

/// Gives the card frames for a receive queue, and buffers for them.
fn feed(rig: &mut Rig, ring: &mut Ring, frames: u8) {
    rig.rewind();
    for n in 0..frames {
        let buffer = rig.allocate(512, 512);
        rig.offer(ring, buffer, 512);
        rig.wire_in(Port::Front, &frame(n));
    }
    rig.ring(ring);
}

fn register(rig: &mut Rig, register: u32) -> u32 {
    rig.read32(regs::queue(QueueId::Receive as usize, register))
}

/// Completions that stand in memory.
fn written(rig: &mut Rig, ring: &mut Ring) -> u16 {
    while rig.receive(ring).is_some() {}
    ring.done
}

/// HEAD, read while the link stands still and writes queue up before it.
#[test]
fn head_counts_what_stands_in_memory() {
    let (mut rig, fabric) = rig(Manners::default());
    let mut ring = rig.queue(QueueId::Receive, 4);
    let address = BAR0 + u64::from(regs::queue(QueueId::Receive as usize, queues::HEAD));
    for round in 0..40 {
        feed(&mut rig, &mut ring, 14);
        ticks(&fabric, 120 + 17 * round);
        while ring.done != ring.filled {
            fabric.0.borrow_mut().hold_link(true);
            ticks(&fabric, 50);
            fabric.0.borrow_mut().send(&Tlp::Read { requester: 0, tag: 1, address, words: 1, enables: [15, 0] });
            ticks(&fabric, 90);
            fabric.0.borrow_mut().hold_link(false);
            let head = loop {
                fabric.0.borrow_mut().tick();
                let answer = fabric.0.borrow_mut().completion();
                match answer {
                    None => {}
                    Some(Tlp::Completion { status: 0, data, .. }) => break u16::from_le_bytes([data[0], data[1]]),
                    Some(other) => panic!("{other:?}"),
                }
            };
            let written = written(&mut rig, &mut ring);
            assert!(written.wrapping_sub(head) < 0x8000, "round {round}: HEAD {head}, {written} in memory");
        }
        assert_eq!(register(&mut rig, queues::HEAD) as u16, ring.filled);
    }
}

#[test]
fn nothing_is_written_after_a_queue_is_idle() {
    for manners in SLOW {
        let (mut rig, fabric) = rig(manners);
        for round in 0..40 {
            let mut ring = rig.queue(QueueId::Receive, 4);
            feed(&mut rig, &mut ring, 12);
            ticks(&fabric, 300 + 37 * round);
            rig.write32(regs::queue(QueueId::Receive as usize, queues::CONTROL), 4 << 8);
            while rig.status(QueueId::Receive).0 {}
            let before = rig.memory.get(BASE, 1 << 20);
            ticks(&fabric, 2000);
            assert!(rig.memory.get(BASE, 1 << 20) == before, "round {round}: a write into memory that was taken away");
            rig.restart();
        }
    }
}

#[test]
fn no_interrupt_comes_after_a_mask_was_read_back() {
    for manners in SLOW {
        let (mut rig, fabric) = rig(manners);
        let mut ring = rig.queue(QueueId::Receive, 4);
        let (vector, control) = (QueueId::Receive as usize, MSIX_TABLE + 16 * QueueId::Receive as u32 + 12);
        for round in 0..60 {
            feed(&mut rig, &mut ring, 6);
            ticks(&fabric, 200 + 29 * (round % 20));
            rig.write32(control, 1);
            assert_eq!(rig.read32(control), 1);
            let before = rig.memory.interrupts()[vector];
            ticks(&fabric, 1500);
            assert_eq!(rig.memory.interrupts()[vector], before, "round {round}");
            rig.write32(control, 0);
            rig.settle();
            written(&mut rig, &mut ring);
        }
    }
}

/// Without bus mastering writes stand still and registers are answered: HEAD counts what has left, STATUS says that more will come.
#[test]
fn held_writes_are_not_told_of() {
    for (first, mps) in (0..5).flat_map(|first| [(first, 0), (first, 1)]) {
        let (mut rig, fabric) = rig(Manners::default());
        let mut ring = rig.queue(QueueId::Receive, 4);
        rig.configure(true, mps, 2);
        fabric.0.borrow_mut().hold_credits(true);
        feed(&mut rig, &mut ring, first);
        rig.settle();
        written(&mut rig, &mut ring);
        feed(&mut rig, &mut ring, 14);
        ticks(&fabric, 3000);
        rig.configure(false, mps, 2);
        ticks(&fabric, 1500);
        let head = register(&mut rig, queues::HEAD) as u16;
        assert_eq!(written(&mut rig, &mut ring), head, "{first} frames before, payload {mps}");
        assert!(head < ring.filled, "all had left before the credits ended");
        rig.write32(regs::queue(QueueId::Receive as usize, queues::CONTROL), 4 << 8);
        ticks(&fabric, 1500);
        assert!(rig.status(QueueId::Receive).0, "idle, although a write stands");
        fabric.0.borrow_mut().hold_credits(false);
        rig.configure(true, mps, 2);
        while rig.status(QueueId::Receive).0 {}
        let head = register(&mut rig, queues::HEAD) as u16;
        assert_eq!(written(&mut rig, &mut ring), head);
    }
}

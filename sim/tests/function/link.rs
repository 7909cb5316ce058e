//! What belongs to the link, not to the function: credits, answers that are under way, what has begun. And what must never wait
//! for what. The fabric only. Paragraphs are those of the PCI Express base specification 2.1, from memory: one reading.

use ipos_abi::Port;
use ipos_abi::queue::{DmaError, QueueId, Status, TransmitDescriptor};
use ipos_abi::regs::{self, dma, tables};
use ipos_sim::pcie::rtl::{Fate, Manners, REQUESTS};
use ipos_sim::pcie::tlp::Tlp;
use ipos_sim::pcie::{Function, PciConfig};

use crate::driver::{self, Rig, Ring};
use crate::faults::{Shared, causes, frame, rig, send};

const BAR0: u64 = 0xe000_0000;

fn ticks(fabric: &Shared, cycles: u32) {
    for _ in 0..cycles {
        fabric.0.borrow_mut().tick();
    }
}

/// Frames through both directions, each a few packets of either kind.
fn traffic(rig: &mut Rig, frames: u8) {
    let mut receive = rig.queue(QueueId::Receive, 4);
    let mut transmit = rig.queue(QueueId::TransmitFront, 4);
    for _ in 0..frames {
        let buffer = rig.allocate(512, 512);
        rig.offer(&mut receive, buffer, 512);
    }
    rig.ring(&receive);
    for n in 0..frames {
        rig.wire_in(Port::Front, &frame(n));
    }
    send(rig, &mut transmit, frames);
    rig.settle();
    for n in 0..frames {
        assert_eq!(rig.receive(&mut receive).expect("each arrives").1, frame(n));
        assert_eq!(rig.completion(&mut transmit).and_then(|c| c.status()), Some(Status::Ok));
        assert_eq!(rig.wire_out(Port::Front), Some(frame(n)));
    }
}

/// 6.6.2 resets the function, and 2.6.1 counts for as long as the link is up: far more packets than a counter has steps, and after
/// each reset the partner finds none beyond its limit, and the card none too few to go on.
#[test]
fn credits_outlive_function_resets() {
    for manners in [Manners::default(), Manners { delay: 30, random: Some((5, 40)) }] {
        let mut rig = driver::rtl(manners);
        for _ in 0..12 {
            traffic(&mut rig, 14);
            rig.restart();
        }
        traffic(&mut rig, 14);
    }
}

/// In the middle of packets, with few credits: what a reset cuts takes none.
#[test]
fn a_reset_gives_back_what_it_cuts() {
    let (mut rig, fabric) = rig(Manners { delay: 30, random: Some((6, 60)) });
    for round in 0..40u32 {
        let mut receive = rig.queue(QueueId::Receive, 4);
        let mut transmit = rig.queue(QueueId::TransmitFront, 4);
        for _ in 0..12 {
            let buffer = rig.allocate(512, 512);
            rig.offer(&mut receive, buffer, 512);
        }
        rig.ring(&receive);
        for n in 0..12 {
            rig.wire_in(Port::Front, &frame(n));
        }
        send(&mut rig, &mut transmit, 12);
        ticks(&fabric, 101 + 23 * round);
        rig.restart();
    }
    traffic(&mut rig, 14);
    assert!(fabric.0.borrow().marked() > 0, "no reset cut a packet");
}

/// A link that goes down takes all with it: credits start anew on both sides (2.6.1), no answer comes any more (2.9.1).
#[test]
fn a_link_that_goes_down_starts_anew() {
    let (mut rig, fabric) = rig(Manners { delay: 2000, random: None });
    for _ in 0..3 {
        let mut transmit = rig.queue(QueueId::TransmitFront, 4);
        send(&mut rig, &mut transmit, 8);
        ticks(&fabric, 900);
        fabric.0.borrow_mut().retrain();
        rig.restart();
        traffic(&mut rig, 14);
        rig.restart();
    }
}

/// 6.6.2 gives a reset 100 ms; this card promises 2,000 cycles, whoever takes nothing meanwhile: MACs, core and partner.
#[test]
fn a_reset_waits_for_nobody() {
    for wait in (0..400).step_by(23) {
        let (mut rig, fabric) = rig(Manners::default());
        let mut receive = rig.queue(QueueId::Receive, 4);
        let mut transmit = rig.queue(QueueId::TransmitFront, 4);
        for _ in 0..12 {
            let buffer = rig.allocate(512, 512);
            rig.offer(&mut receive, buffer, 512);
        }
        rig.ring(&receive);
        send(&mut rig, &mut transmit, 12);
        for n in 0..12 {
            rig.wire_in(Port::Front, &frame(n));
        }
        ticks(&fabric, 500 + wait);
        fabric.0.borrow_mut().hold_wire(Port::Front, true);
        fabric.0.borrow_mut().hold_wire(Port::Back, true);
        fabric.0.borrow_mut().hold_credits(true);
        fabric.0.borrow_mut().hold_link(wait % 2 == 0);
        ticks(&fabric, 200);
        rig.card.function_reset();
        for port in Port::ALL {
            fabric.0.borrow_mut().hold_wire(port, false);
        }
        fabric.0.borrow_mut().hold_credits(false);
        fabric.0.borrow_mut().hold_link(false);
        ticks(&fabric, 100);
        while rig.wire_out(Port::Front).is_some() {}
        rig.restart();
        traffic(&mut rig, 14);
    }
}

/// 6.6.2: answers to what was asked before a reset are nobody's. They come long after it, and what has their tags must not take them.
#[test]
fn answers_from_before_a_reset_are_nobodys() {
    let (mut rig, fabric) = rig(Manners { delay: 2500, random: None });
    let mut ring = rig.queue(QueueId::TransmitFront, 4);
    let descriptors = |rig: &mut Rig, ring: &mut Ring, first: u8| {
        for n in 0..8 {
            let buffer = rig.allocate(512, 512);
            rig.memory.put(buffer, &frame(first + n));
            rig.send(ring, TransmitDescriptor { address: buffer.into(), length: 500.into(), ..Default::default() });
        }
        rig.ring(ring);
    };
    descriptors(&mut rig, &mut ring, 100);
    // the descriptors' answers are under way, then those of the frames
    for cycles in [1000, 3200] {
        ticks(&fabric, cycles);
        rig.restart();
        rig.rewind();
        let mut ring = rig.queue(QueueId::TransmitFront, 4);
        descriptors(&mut rig, &mut ring, 1);
        rig.settle();
        ticks(&fabric, 20_000);
        rig.settle();
        for n in 0..8 {
            assert_eq!(rig.completion(&mut ring).and_then(|c| c.status()), Some(Status::Ok), "frame {n}");
            assert!(rig.wire_out(Port::Front) == Some(frame(1 + n)), "frame {n}");
        }
        assert_eq!(causes(&mut rig), 0, "silently");
        let mut again = rig.queue(QueueId::TransmitBack, 4);
        descriptors(&mut rig, &mut again, 50);
    }
}

/// 2.4.1: a posted request and a completion pass requests that wait for an answer, whatever becomes of that.
#[test]
fn posted_requests_pass_reads_that_cannot_be_answered() {
    let (mut rig, fabric) = rig(Manners::default());
    let mut transmit = rig.queue(QueueId::TransmitFront, 4);
    send(&mut rig, &mut transmit, 8);
    // answers to the card's own reads are under way when its packets stop
    ticks(&fabric, 40);
    fabric.0.borrow_mut().hold_link(true);
    for i in 0..REQUESTS as u32 * 4 {
        let tlp = Tlp::Read {
            requester: 0,
            tag: i as u8,
            address: BAR0 + u64::from(regs::card::MAGIC),
            words: 1,
            enables: [15, 0],
        };
        fabric.0.borrow_mut().send(&tlp);
    }
    for i in 0..100u32 {
        let data = i.to_le_bytes().to_vec();
        let address = BAR0 + u64::from(tables::KEY0);
        fabric.0.borrow_mut().send(&Tlp::Write {
            requester: 0,
            tag: 0,
            address,
            enables: [15, 0],
            data,
            poisoned: false,
        });
    }
    // 20 cycles each (docs/verification.md), beats and answers included
    ticks(&fabric, 100 * 24 + 500);
    let left = fabric.0.borrow().untaken();
    assert!(left <= REQUESTS * 4 - REQUESTS, "{left} packets are not taken although only answers wait");
    fabric.0.borrow_mut().hold_link(false);
    ticks(&fabric, 3000);
    for i in 0..REQUESTS as u32 * 4 {
        match fabric.0.borrow_mut().completion() {
            Some(Tlp::Completion { tag, status: 0, data, .. }) => {
                assert_eq!((u32::from(tag), data), (i, regs::MAGIC.to_le_bytes().to_vec()));
            }
            other => panic!("{other:?} in place of answer {i}"),
        }
    }
    assert_eq!(rig.read32(tables::KEY0), 99);
}

/// The transmit queue's answer is lost: control, receive and the other transmit queue go on before anything times out.
#[test]
fn a_lost_answer_holds_its_queue_alone() {
    let (mut rig, fabric) = rig(Manners::default());
    let mut front = rig.queue(QueueId::TransmitFront, 4);
    fabric.0.borrow_mut().fates([Fate::Whole, Fate::Lost, Fate::Lost, Fate::Lost]);
    send(&mut rig, &mut front, 8);
    ticks(&fabric, 600);
    let begin = fabric.0.borrow().cycles();
    let mut control = rig.queue(QueueId::Control, 4);
    let mut back = rig.queue(QueueId::TransmitBack, 4);
    for _ in 0..14 {
        let buffer = rig.allocate(512, 512);
        rig.offer(&mut control, buffer, 512);
    }
    rig.ring(&control);
    let mut packet = frame(1);
    packet[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0, 7]);
    packet[26] = 0x84;
    for _ in 0..14 {
        rig.wire_in(Port::Back, &packet);
        send(&mut rig, &mut back, 1);
        ticks(&fabric, 300);
    }
    ticks(&fabric, 300);
    for n in 0..14 {
        assert_eq!(rig.receive(&mut control).expect("control goes on").1, packet, "{n}");
        assert_eq!(rig.completion(&mut back).and_then(|c| c.status()), Some(Status::Ok), "{n}");
        assert!(rig.wire_out(Port::Back) == Some(frame(0)), "frame {n}");
    }
    let took = fabric.0.borrow().cycles() - begin;
    assert!(took < 7_000, "{took} cycles, and a time-out has at least 7,800");
    assert_eq!(causes(&mut rig), 0);
    ticks(&fabric, 32_000);
    assert_eq!(causes(&mut rig), 1 << DmaError::CompletionTimeout as u32);
    while rig.completion(&mut front).is_some() {}
    rig.settle();
    while rig.wire_out(Port::Front).is_some() {}
}

/// 2.8 and 7.8.16: a read is given up within the range of device control 2, at any rate of the clock, and never when that says so.
#[test]
fn reads_time_out_within_the_range_that_is_set() {
    // kHz, range, and microseconds
    for (khz, timeout, least, most) in
        [(1_000, 0, 20_000, 40_000), (156_250, 1, 50, 100), (25_000, 1, 50, 100), (1_000, 2, 1_000, 10_000)]
    {
        let (mut rig, fabric) = rig(Manners::default());
        fabric.0.borrow_mut().set_khz(khz);
        let config = PciConfig {
            memory: true,
            bus_master: true,
            msix_enable: true,
            mps: 1,
            mrrs: 2,
            timeout,
            ..Default::default()
        };
        rig.card.configure(&config);
        ticks(&fabric, 100);
        let mut ring = rig.queue(QueueId::TransmitFront, 4);
        fabric.0.borrow_mut().fates([Fate::Lost]);
        send(&mut rig, &mut ring, 1);
        let begin = fabric.0.borrow().cycles();
        while rig.read32(dma::ERRORS) & 1 << DmaError::CompletionTimeout as u32 == 0 {
            ticks(&fabric, 20);
            let took = (fabric.0.borrow().cycles() - begin) * 1000 / u64::from(khz);
            assert!(took <= most, "{khz} kHz, range {timeout}: {took} µs");
        }
        let took = (fabric.0.borrow().cycles() - begin) * 1000 / u64::from(khz);
        assert!(took >= least * 9 / 10, "{khz} kHz, range {timeout}: {took} µs");
        rig.restart();
    }
    let (mut rig, fabric) = rig(Manners::default());
    fabric.0.borrow_mut().set_khz(2_500);
    let config = PciConfig {
        memory: true,
        bus_master: true,
        msix_enable: true,
        mps: 1,
        mrrs: 2,
        timeout: 1,
        timeout_off: true,
        ..Default::default()
    };
    rig.card.configure(&config);
    let mut ring = rig.queue(QueueId::TransmitFront, 4);
    fabric.0.borrow_mut().fates([Fate::Lost]);
    send(&mut rig, &mut ring, 1);
    ticks(&fabric, 10_000);
    assert_eq!(causes(&mut rig), 0, "time-outs are off");
    rig.restart();
}

/// 5.3.1.4.1: in D3hot a function sends no request of its own and takes memory requests for unsupported ones; what it holds stays.
#[test]
fn a_sleeping_function_keeps_its_state_and_to_itself() {
    let (mut rig, fabric) = rig(Manners::default());
    let mut receive = rig.queue(QueueId::Receive, 4);
    let buffer = rig.allocate(512, 512);
    rig.offer(&mut receive, buffer, 512);
    rig.ring(&receive);
    rig.settle();
    rig.write32(tables::KEY0, 0x1234_5678);
    assert_eq!(rig.read32(tables::KEY0), 0x1234_5678);
    fabric.0.borrow_mut().set_power(3);
    rig.wire_in(Port::Front, &frame(1));
    let address = BAR0 + u64::from(tables::KEY0);
    fabric.0.borrow_mut().send(&Tlp::Read { requester: 0, tag: 9, address, words: 1, enables: [15, 0] });
    ticks(&fabric, 3000);
    let answer = fabric.0.borrow_mut().completion();
    assert!(matches!(answer, Some(Tlp::Completion { tag: 9, status: 1, .. })), "{answer:?}");
    assert_eq!(rig.completion(&mut receive.clone()).map(|_| ()), None, "a write in D3hot");
    fabric.0.borrow_mut().set_power(0);
    ticks(&fabric, 2000);
    assert_eq!(rig.receive(&mut receive).expect("it waited").1, frame(1));
    assert_eq!(rig.read32(tables::KEY0), 0x1234_5678);
    assert_eq!(causes(&mut rig), 1 << DmaError::UnsupportedRequest as u32);
}

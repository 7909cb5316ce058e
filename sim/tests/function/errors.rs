//! What goes wrong: descriptors, doorbells, addresses, full rings, a host that dies. The card says what it was, and goes on.

use ipos_abi::Port;
use ipos_abi::queue::{CHECKSUM, DmaError, ERROR_VECTOR, QueueError, QueueId, Status, TransmitDescriptor, VECTORS};
use ipos_abi::regs::{self, ENABLE, dma, mac_words, queue, queues, tables};
use ipos_abi::rx::Outcome;
use ipos_abi::table::{FlowKey, Protocol, hash};
use ipos_sim::pcie::rtl::Manners;

use crate::driver::{self, BACK, BASE, FRONT, Rig};

/// Nothing is mapped there.
const NOWHERE: u64 = 0x7_0000_0000;

/// A frame that goes to the host.
fn plain(length: usize) -> Vec<u8> {
    let mut frame = vec![7; length];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xcc]);
    frame
}

/// The same for another port.
fn to(mac: [u8; 6], length: usize) -> Vec<u8> {
    let mut frame = plain(length);
    frame[..6].copy_from_slice(&mac);
    frame
}

fn errors(rig: &mut Rig) -> u32 {
    let causes = rig.read32(dma::ERRORS);
    rig.write32(dma::ERRORS, causes);
    assert_eq!(rig.read32(dma::ERRORS), 0, "{}: written ones clear", rig.name);
    causes
}

fn only(cause: DmaError) -> u32 {
    1 << cause as u32
}

#[test]
fn unusable_descriptors_end_with_a_status() {
    for rig in &mut driver::both() {
        let mut ring = rig.queue(QueueId::Receive, 3);
        let good = rig.allocate(2048, 8);
        // (address, length of the buffer, what becomes of a frame of 100 bytes)
        let cases = [
            (0, 2048, Status::Address),
            (good + 4, 2048, Status::Address),
            (good, 0, Status::Length),
            (good, 99, Status::Length),
            (good, 100, Status::Ok),
            (good, u32::MAX as usize, Status::Ok),
        ];
        for &(address, length, _) in &cases {
            rig.offer(&mut ring, address, length);
            rig.wire_in(Port::Front, &plain(100));
        }
        rig.ring(&ring);
        rig.settle();
        for (i, &(.., status)) in cases.iter().enumerate() {
            let c = rig.completion(&mut ring).expect("a completion for each descriptor");
            assert_eq!(c.status(), Some(status), "{}: case {i}", rig.name);
        }
        assert_eq!(rig.read32(queue(QueueId::Receive as usize, queues::FAILED)), 4, "{}", rig.name);
        assert_eq!(rig.memory.get(good, 100), plain(100));
        assert_eq!((errors(rig), rig.status(QueueId::Receive)), (0, (true, 0)), "{}: the queue goes on", rig.name);
        rig.conserved();
    }
}

#[test]
fn unusable_frames_end_with_a_status() {
    for rig in &mut driver::both() {
        let mut ring = rig.queue(QueueId::TransmitBack, 4);
        let good = rig.allocate(2048, 8);
        rig.memory.put(good, &plain(200));
        let cases = [
            (0, 100, 0, 0, 0, Status::Address),
            (good + 1, 100, 0, 0, 0, Status::Address),
            (good, 0, 0, 0, 0, Status::Length),
            (good, 13, 0, 0, 0, Status::Length),
            (good, 2049, 0, 0, 0, Status::Length),
            (good, 100, CHECKSUM, 98, 2, Status::Checksum),
            (good, 100, CHECKSUM, 13, 2, Status::Checksum),
            (good, 100, CHECKSUM, 14, 3, Status::Checksum),
            (NOWHERE, 100, 0, 0, 0, Status::Read),
            (good, 100, 0, 1, 1, Status::Ok),
        ];
        for &(address, length, flags, start, offset, _) in &cases {
            let d = TransmitDescriptor {
                address: address.into(),
                length: length.into(),
                flags: flags.into(),
                start: start.into(),
                offset: offset.into(),
            };
            rig.send(&mut ring, d);
        }
        rig.ring(&ring);
        rig.settle();
        for (i, case) in cases.iter().enumerate() {
            let c = rig.completion(&mut ring).expect("a completion for each descriptor");
            assert_eq!(c.status(), Some(case.5), "{}: case {i}", rig.name);
        }
        assert_eq!(rig.wire_out(Port::Back), Some(plain(200)[..100].to_vec()), "{}: the good one", rig.name);
        assert_eq!(rig.wire_out(Port::Back), None, "{}: and no other", rig.name);
        assert_eq!(errors(rig), only(DmaError::CompletionStatus), "{}", rig.name);
        assert_eq!(rig.memory.interrupts()[ERROR_VECTOR], 1, "{}", rig.name);
        assert_eq!(rig.status(QueueId::TransmitBack), (true, 0));
    }
}

#[test]
fn a_queue_that_cannot_go_on_says_why_and_starts_again() {
    for rig in &mut driver::both() {
        let id = QueueId::Receive;
        let control = queue(id as usize, queues::CONTROL);
        let tail = queue(id as usize, queues::TAIL);
        // a doorbell beyond the ring
        let ring = rig.queue(id, 3);
        rig.write32(tail, 9);
        rig.settle();
        assert_eq!(rig.status(id).1, QueueError::Doorbell as u32, "{}", rig.name);
        assert_eq!(errors(rig), only(DmaError::Queue));
        rig.write32(control, 0);
        rig.settle();
        assert_eq!(rig.status(id), (false, QueueError::Doorbell as u32), "{}: it may be taken away", rig.name);
        drop(ring);
        // sizes that are not there
        for bits in [0, 2, 13, 15] {
            rig.write32(control, bits << 8 | 1);
            rig.settle();
            assert_eq!(rig.status(id).1, QueueError::Size as u32, "{}: {bits}", rig.name);
            assert_eq!(errors(rig), only(DmaError::Queue));
            rig.write32(control, 0);
        }
        // descriptors that are not there
        let completions = rig.allocate(128, 128);
        rig.queue_at(id, 3, NOWHERE, completions);
        rig.write32(tail, 4);
        rig.wire_in(Port::Front, &plain(64)); // the reference reads a descriptor when it needs it
        rig.settle();
        assert_eq!(rig.status(id).1, QueueError::DescriptorRead as u32, "{}", rig.name);
        assert_eq!(errors(rig), only(DmaError::Queue) | only(DmaError::CompletionStatus));
        rig.write32(control, 0);
        rig.settle();
        // and well again
        let mut ring = rig.queue(id, 3);
        let buffer = rig.allocate(2048, 8);
        rig.offer(&mut ring, buffer, 2048);
        rig.ring(&ring);
        rig.wire_in(Port::Front, &plain(64));
        rig.settle();
        assert_eq!(rig.receive(&mut ring).expect("a frame").1, plain(64), "{}", rig.name);
        assert_eq!((errors(rig), rig.status(id)), (0, (true, 0)));
    }
}

#[test]
fn buffers_that_are_not_mapped_cost_their_frame_only() {
    for rig in &mut driver::both() {
        let mut ring = rig.queue(QueueId::Receive, 3);
        let good = rig.allocate(2048, 8);
        for address in [NOWHERE, good] {
            rig.offer(&mut ring, address, 2048);
            rig.wire_in(Port::Front, &plain(300));
        }
        rig.ring(&ring);
        rig.settle();
        // a write is posted: nobody tells the card
        for _ in 0..2 {
            assert_eq!(rig.completion(&mut ring).and_then(|c| c.status()), Some(Status::Ok), "{}", rig.name);
        }
        assert_eq!(rig.memory.get(good, 300), plain(300));
        rig.conserved();
    }
}

/// An ipOS control packet of a type that bears no checksum for fabric.
fn control(length: usize) -> Vec<u8> {
    let mut frame = vec![0; length];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0, 7]);
    frame[26] = 0x84;
    frame
}

/// Sets a flow of the client's that is forwarded.
fn forward(rig: &mut Rig) -> Vec<u8> {
    let key =
        FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port: 1000, dst_ip: [10, 0, 0, 2], dst_port: 80 };
    let (low, high) = mac_words([2, 0, 0, 0, 0, 0xb1]);
    let mut writes = vec![
        (tables::NEIGHBOUR_LO, low),
        (tables::NEIGHBOUR_HI, high | ENABLE),
        (tables::COMMIT_NEIGHBOUR, 0),
        (tables::DEST_IP, 0x0a00_0003),
        (tables::DEST_PORT, 80),
        (tables::COMMIT_DEST, 0),
    ];
    let words = key.words();
    for (offset, word) in [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3].into_iter().zip(words) {
        writes.push((offset, word));
    }
    writes.push((tables::VALUE, 0));
    writes.push((tables::COMMIT_FORWARD, ENABLE | hash(0, key.bits(), 10)));
    for (offset, value) in writes {
        rig.write32(offset, value);
    }
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], FRONT)
        .ipv4(key.src_ip, key.dst_ip, 64)
        .tcp(key.src_port, key.dst_port, 1, 1000)
        .fin()
        .write(&mut frame, &[0x55; 40])
        .expect("a frame");
    frame
}

#[test]
fn without_descriptors_frames_drop_and_the_rest_goes_on() {
    // the reference's buffers are larger than this test fills
    for rig in &mut [driver::rtl(Manners::default())] {
        let mut receive = rig.queue(QueueId::Receive, 3);
        let mut controls = rig.queue(QueueId::Control, 5);
        for _ in 0..20 {
            let buffer = rig.allocate(2048, 8);
            rig.offer(&mut controls, buffer, 2048);
        }
        rig.ring(&controls);
        let packet = forward(rig);
        for _ in 0..20 {
            rig.wire_in(Port::Front, &plain(1500));
            rig.wire_in(Port::Back, &to(BACK, 1500));
        }
        rig.settle();
        for i in 0..20 {
            rig.wire_in(Port::Front, &packet);
            rig.wire_in(Port::Back, &control(60 + i));
        }
        rig.settle();
        let dropped = rig.outcome(Port::Front, Outcome::DropHostFull);
        assert!((10..20).contains(&dropped), "{dropped} of 20 frames dropped");
        assert_eq!(rig.outcome(Port::Front, Outcome::Forwarded), 20, "the forward path goes on");
        for i in 0..20 {
            assert_eq!(rig.receive(&mut controls).expect("control goes on").1, control(60 + i));
        }
        // what waits comes when there are descriptors again
        let buffers: Vec<u64> = (0..8).map(|_| rig.allocate(2048, 8)).collect();
        for buffer in buffers {
            rig.offer(&mut receive, buffer, 2048);
        }
        rig.ring(&receive);
        rig.settle();
        assert_eq!(rig.receive(&mut receive).expect("a frame").1[14..], plain(1500)[14..]);
        rig.conserved();
    }
}

#[test]
fn events_tell_of_forwarded_ends_until_their_ring_is_full() {
    for rig in &mut driver::both() {
        let packet = forward(rig);
        let mut ring = rig.queue(QueueId::Event, 3);
        for _ in 0..12 {
            rig.wire_in(Port::Front, &packet);
            rig.settle();
        }
        let slot = {
            let key = FlowKey {
                protocol: Protocol::Tcp,
                src_ip: [10, 0, 0, 1],
                src_port: 1000,
                dst_ip: [10, 0, 0, 2],
                dst_port: 80,
            };
            hash(0, key.bits(), 10)
        };
        for _ in 0..8 {
            let c = rig.completion(&mut ring).expect("eight have room");
            assert_eq!((c.words[0].get(), c.words[1].get() & 7), (slot, 1), "{}", rig.name);
        }
        assert_eq!(rig.completion(&mut ring), None);
        assert_eq!(rig.read32(queue(QueueId::Event as usize, queues::FAILED)), 4, "{}: lost ones", rig.name);
        assert_eq!(errors(rig), only(DmaError::EventLost), "{}", rig.name);
        // the host takes them, and there is room again
        rig.write32(queue(QueueId::Event as usize, queues::TAIL), 8);
        rig.wire_in(Port::Front, &packet);
        rig.settle();
        assert!(rig.completion(&mut ring).is_some(), "{}", rig.name);
        rig.conserved();
    }
}

#[test]
fn a_host_that_dies_does_not_stop_forwarding_and_comes_back_by_reset() {
    for rig in &mut driver::both() {
        let mut ring = rig.queue(QueueId::Receive, 3);
        let packet = forward(rig);
        let buffer = rig.allocate(2048, 8);
        rig.offer(&mut ring, buffer, 2048);
        rig.ring(&ring);
        rig.settle();
        rig.configure(false, 1, 2);
        let before = rig.memory.get(BASE, 1 << 20);
        for _ in 0..30 {
            rig.wire_in(Port::Front, &plain(1000));
            rig.wire_in(Port::Front, &packet);
        }
        rig.settle();
        assert_eq!(rig.outcome(Port::Front, Outcome::Forwarded), 30, "{}", rig.name);
        // a message that is due can't go; registers are answered all the same, its own too
        rig.write32(queue(QueueId::Control as usize, queues::CONTROL), 1);
        rig.settle();
        assert_eq!(rig.read32(regs::MSIX_TABLE), 0xfee0_0000, "{}", rig.name);
        assert!(rig.memory.get(BASE, 1 << 20) == before, "{}: memory was written without bus mastering", rig.name);
        rig.conserved();
        rig.restart();
        assert_eq!(rig.outcome(Port::Front, Outcome::Forwarded), 0, "{}: counters are zero again", rig.name);
        rig.wire_in(Port::Front, &packet);
        rig.settle();
        assert_eq!(rig.outcome(Port::Front, Outcome::ToHost), 1, "{}: the table is empty", rig.name);
        let mut ring = rig.queue(QueueId::Receive, 3);
        let buffer = rig.allocate(2048, 8);
        rig.offer(&mut ring, buffer, 2048);
        rig.ring(&ring);
        rig.settle();
        assert_eq!(rig.receive(&mut ring).expect("the frame that waited").1, packet, "{}", rig.name);
    }
}

#[test]
fn resets_in_mid_flight_leave_nothing_behind() {
    for round in 0..12u32 {
        let mut rig = driver::rtl(Manners { delay: 40, random: Some((u64::from(round), 40)) });
        let mut ring = rig.queue(QueueId::Receive, 3);
        let mut sends = rig.queue(QueueId::TransmitFront, 3);
        for _ in 0..8 {
            let (to, from) = (rig.allocate(2048, 8), rig.allocate(2048, 8));
            rig.offer(&mut ring, to, 2048);
            rig.send(
                &mut sends,
                TransmitDescriptor { address: from.into(), length: 1000.into(), ..Default::default() },
            );
        }
        rig.ring(&ring);
        rig.ring(&sends);
        for _ in 0..4 {
            rig.wire_in(Port::Front, &plain(900));
            rig.wire_in(Port::Back, &plain(1500));
        }
        rig.card.run(37 * round + 5);
        rig.restart();
        let mut ring = rig.queue(QueueId::Receive, 3);
        let buffer = rig.allocate(2048, 8);
        rig.offer(&mut ring, buffer, 2048);
        rig.ring(&ring);
        rig.wire_in(Port::Front, &plain(77));
        rig.settle();
        assert_eq!(rig.receive(&mut ring).expect("a frame").1, plain(77), "round {round}");
        assert_eq!(rig.completion(&mut ring), None);
        assert_eq!(rig.wire_out(Port::Front), None);
        assert_eq!(errors(&mut rig), 0);
        rig.conserved();
    }
}

#[test]
fn a_masked_vector_waits_and_its_pending_bit_shows() {
    for rig in &mut driver::both() {
        let vector = QueueId::Receive as u32;
        rig.write32(regs::MSIX_TABLE + 16 * vector + 12, 1);
        let mut ring = rig.queue(QueueId::Receive, 3);
        let buffer = rig.allocate(2048, 8);
        rig.offer(&mut ring, buffer, 2048);
        rig.ring(&ring);
        rig.wire_in(Port::Front, &plain(64));
        rig.settle();
        assert!(rig.receive(&mut ring).is_some());
        assert_eq!(rig.memory.interrupts()[vector as usize], 0, "{}", rig.name);
        assert_eq!(rig.read32(regs::MSIX_PENDING), 1 << vector, "{}", rig.name);
        rig.write32(regs::MSIX_TABLE + 16 * vector + 12, 0);
        rig.card.run(200);
        assert_eq!(rig.memory.interrupts()[vector as usize], 1, "{}", rig.name);
        assert_eq!(rig.read32(regs::MSIX_PENDING), 0, "{}", rig.name);
    }
}

#[test]
fn the_interrupt_table_and_moderation_read_back() {
    for rig in &mut driver::both() {
        for vector in 0..VECTORS as u32 {
            let entry = regs::MSIX_TABLE + 16 * vector;
            for (word, value) in [(0, 0x1234_5670 + vector), (1, vector), (2, 0xabcd_0000 | vector), (3, vector & 1)] {
                rig.write32(entry + 4 * word, value);
                assert_eq!(rig.read32(entry + 4 * word), value, "{}: vector {vector}, word {word}", rig.name);
            }
            let moderation = queue(vector as usize, queues::MODERATION);
            rig.write32(moderation, 0x100 + vector);
            assert_eq!(rig.read32(moderation), 0x100 + vector, "{}: vector {vector}", rig.name);
        }
        // beyond the table's six entries there is nothing
        assert_eq!(rig.read32(regs::MSIX_TABLE + 16 * VECTORS as u32), 0, "{}", rig.name);
        assert_eq!(rig.read32(regs::MSIX_PENDING), 0, "{}", rig.name);
        assert_eq!(rig.read32(regs::MSIX_PENDING + 8), 0, "{}", rig.name);
    }
}

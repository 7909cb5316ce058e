//! Frames both ways: contents, order, wraps, stalls, checksums, interrupts.

use ipos_abi::Port;
use ipos_abi::queue::{CHECKSUM, MAX_RECEIVED, QueueId, Status, TransmitDescriptor};
use ipos_abi::regs::{queue, queues};
use ipos_abi::rx::Outcome;
use ipos_sim::pcie::rtl::Manners;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::driver::{self, Rig};

fn seed() -> u64 {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("IPOS_SEED={seed}");
    seed
}

/// A frame that the card gives to its host: another EtherType, for a promiscuous port.
fn frame(rng: &mut StdRng, length: usize) -> Vec<u8> {
    let mut frame = vec![0; length];
    rng.fill(&mut frame[..]);
    frame[0] &= 0xfe;
    frame[12..14].copy_from_slice(&[0x88, 0xcc]);
    frame
}

fn received(rig: &mut Rig, bits: u32, count: usize) {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut ring = rig.queue(QueueId::Receive, bits);
    let buffers: Vec<u64> = (0..1 << bits).map(|_| rig.allocate(2048, 8)).collect();
    let mut spare = buffers.clone();
    let (mut sent, mut got) = (std::collections::VecDeque::new(), 0);
    let mut given = 0;
    while got < count {
        while let Some(buffer) = spare.pop() {
            rig.offer(&mut ring, buffer, 2048);
        }
        rig.ring(&ring);
        for _ in 0..rng.random_range(1..6) {
            if given < count && sent.len() < 4 {
                let length = *[14, 15, 60, 61, 64, 128, 1514, rng.random_range(14..1600)].choose(&mut rng).unwrap();
                let frame = frame(&mut rng, length);
                rig.wire_in(Port::Front, &frame);
                sent.push_back(frame);
                given += 1;
            }
        }
        rig.settle();
        let first = ring.buffers.front().map(|b| b.0);
        while let Some((info, found)) = rig.receive(&mut ring) {
            assert_eq!(Some(found), sent.pop_front(), "{}: frame {got}", rig.name);
            assert_eq!(info.sequence, got as u32);
            got += 1;
        }
        assert!(sent.is_empty(), "{}: a frame is missing, {got} came, buffer {first:x?}", rig.name);
        let free: Vec<u64> =
            buffers.iter().copied().filter(|b| ring.buffers.iter().all(|under| under.0 != *b)).collect();
        spare = free;
    }
    assert!(rig.memory.interrupts()[QueueId::Receive as usize] > 0, "{}: no interrupt", rig.name);
    rig.conserved();
}

#[test]
fn frames_reach_host_memory() {
    for rig in &mut driver::both() {
        received(rig, 3, 100);
    }
}

#[test]
fn frames_reach_host_memory_under_stalls() {
    for (mps, mrrs) in [(0, 0), (1, 5), (2, 2)] {
        let mut rig = driver::rtl(Manners { delay: 20, random: Some((seed() + u64::from(mps), 60)) });
        rig.configure(true, mps, mrrs);
        received(&mut rig, 4, 150);
    }
}

/// Frames around the longest one, each into buffers a byte too small, exact, larger, and as large as a descriptor can say.
#[test]
fn the_longest_frames_come_whole_or_are_dropped_with_a_reason() {
    let mut rng = StdRng::seed_from_u64(seed());
    for rig in &mut driver::both() {
        let mut ring = rig.queue(QueueId::Receive, 6);
        let buffer = rig.allocate(MAX_RECEIVED, 8);
        let (mut dropped, mut reads) = (0, 0);
        for (mps, length) in (0..8).zip([1, 0, 2, 3].map(|less| MAX_RECEIVED - less).into_iter().cycle()) {
            rig.configure(true, mps, 2);
            for room in [length - 1, length, length + 1, 2 * length, 65_535, 65_536, u32::MAX as usize] {
                rig.offer(&mut ring, buffer, room);
                rig.ring(&ring);
                let frame = frame(&mut rng, length);
                rig.wire_in(Port::Front, &frame);
                rig.settle();
                // nothing shows outside while a frame of a thousand beats is discarded: a register read is something
                let head = queue(QueueId::Receive as usize, queues::HEAD);
                while rig.read32(head) != u32::from(ring.filled) {
                    reads += 1;
                    assert!(reads < 1_000, "{}: {length} bytes, room for {room}: no completion", rig.name);
                    rig.settle();
                }
                if room < length {
                    let c = rig.completion(&mut ring).expect("a completion for each descriptor");
                    assert_eq!(c.status(), Some(Status::Length), "{}: {length} bytes, room for {room}", rig.name);
                    ring.buffers.pop_front();
                } else {
                    let found = rig.receive(&mut ring).map(|r| r.1);
                    assert!(found == Some(frame), "{}: {length} bytes, room for {room}, code {mps}", rig.name);
                }
            }
        }
        // longer ones leave the descriptor to the next frame
        for length in [MAX_RECEIVED + 1, 2 * MAX_RECEIVED, 65_535, 65_536, 65_537, 65_536 + MAX_RECEIVED] {
            rig.offer(&mut ring, buffer, u32::MAX as usize);
            rig.ring(&ring);
            let next = frame(&mut rng, 60);
            rig.wire_in(Port::Front, &frame(&mut rng, length));
            rig.wire_in(Port::Front, &next);
            rig.settle();
            dropped += 1;
            assert_eq!(rig.receive(&mut ring).map(|r| r.1), Some(next), "{}: after {length} bytes", rig.name);
            assert_eq!(rig.outcome(Port::Front, Outcome::DropHostFull), dropped, "{}: {length} bytes", rig.name);
        }
    }
}

fn sent(rig: &mut Rig, bits: u32, rounds: usize) {
    let mut rng = StdRng::seed_from_u64(seed());
    let mut rings = [rig.queue(QueueId::TransmitFront, bits), rig.queue(QueueId::TransmitBack, bits)];
    let buffers: Vec<u64> = (0..16).map(|_| rig.allocate(2048, 8)).collect();
    for round in 0..rounds {
        let mut expected = [Vec::new(), Vec::new()];
        for (i, &buffer) in buffers.iter().enumerate() {
            let which = rng.random_range(0..2);
            if rings[which].buffers.len() == 1 << bits || rng.random_range(0..4) == 0 {
                continue;
            }
            let length = *[14, 60, 64, 65, 1514, 2048, rng.random_range(14..2049)].choose(&mut rng).unwrap();
            let mut frame = vec![i as u8; length];
            rng.fill(&mut frame[..]);
            rig.memory.put(buffer, &frame);
            let (start, offset) = (14, 2 * rng.random_range(0..3));
            let mut d = TransmitDescriptor {
                address: buffer.into(),
                length: (length as u16).into(),
                start: start.into(),
                offset: offset.into(),
                ..Default::default()
            };
            if length >= 20 && rng.random() {
                d.flags = CHECKSUM.into();
                // one's complement, a second way: modulo 65,535
                let sum = frame[14..]
                    .chunks(2)
                    .fold(0u64, |s, c| s + (u64::from(c[0]) << 8 | c.get(1).copied().map_or(0, u64::from)));
                let value = match sum % 0xffff {
                    0 => 0xffffu16,
                    s => !(s as u16),
                };
                let place = 14 + usize::from(offset);
                frame[place..place + 2].copy_from_slice(&value.to_be_bytes());
            }
            rig.send(&mut rings[which], d);
            expected[which].push(frame);
        }
        for ring in &rings {
            rig.ring(ring);
        }
        rig.settle();
        for (which, port) in [Port::Front, Port::Back].into_iter().enumerate() {
            let found: Vec<_> = std::iter::from_fn(|| rig.wire_out(port)).collect();
            assert_eq!(found.len(), expected[which].len(), "{}: round {round}, {port:?}", rig.name);
            for (n, (found, expected)) in found.iter().zip(&expected[which]).enumerate() {
                assert!(found == expected, "{}: round {round}, {port:?}, frame {n}", rig.name);
            }
            for frame in &expected[which] {
                let c = rig.completion(&mut rings[which]).expect("a completion for each frame");
                assert_eq!((c.status(), c.words[0].get()), (Some(Status::Ok), frame.len() as u32));
                rings[which].buffers.pop_front();
            }
            assert_eq!(rig.completion(&mut rings[which]), None);
        }
    }
    for id in [QueueId::TransmitFront, QueueId::TransmitBack] {
        assert!(rig.memory.interrupts()[id as usize] > 0, "{}: no interrupt", rig.name);
    }
    rig.conserved();
}

#[test]
fn frames_leave_host_memory() {
    for rig in &mut driver::both() {
        sent(rig, 3, 20);
    }
}

#[test]
fn frames_leave_host_memory_under_stalls() {
    for (mps, mrrs) in [(0, 0), (1, 1), (2, 5)] {
        let mut rig = driver::rtl(Manners { delay: 20, random: Some((seed() + u64::from(mrrs), 60)) });
        rig.configure(true, mps, mrrs);
        sent(&mut rig, 4, 20);
    }
}

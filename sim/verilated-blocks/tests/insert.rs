//! The send buffer against etherparse: transmit checksums of TCP and UDP, and sums over any part of any frame; frames whole
//! and in order, those in error discarded.

use std::collections::VecDeque;

use etherparse::{PacketBuilder, PacketHeaders, TransportHeader};
use ipos_verilated_blocks::stream::{Frames, Sink, Source, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, insert, seeded};
use rand::Rng;
use rand::rngs::SmallRng;

/// As a descriptor asks for it: first byte summed, place from there.
fn ask(start: usize, offset: usize) -> u64 {
    1 << 32 | (offset as u64) << 16 | start as u64
}

/// RFC 1071 over the bytes, as one does it on paper.
fn sum(bytes: &[u8]) -> u16 {
    let mut total: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low))).sum();
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// A frame with a right checksum by etherparse; the same with the pseudo-header's sum in its place; what is asked for.
fn packet(rng: &mut SmallRng) -> (Vec<u8>, Vec<u8>, u64) {
    let mut payload = vec![0; rng.random_range(0..300)];
    rng.fill(&mut payload[..]);
    let udp = rng.random();
    let mut whole = Vec::new();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(rng.random(), rng.random(), 64);
    if udp {
        builder.udp(rng.random(), rng.random()).write(&mut whole, &payload).expect("a frame");
    } else {
        builder
            .tcp(rng.random(), rng.random(), rng.random(), rng.random())
            .write(&mut whole, &payload)
            .expect("a frame");
    }
    let offset = if udp { 6 } else { 16 };
    // a zero has two forms, and means "none" in UDP: the card always writes the other
    if whole[34 + offset..36 + offset] == [0, 0] {
        whole[34 + offset..36 + offset].fill(0xff);
    }
    let length = (whole.len() - 34) as u16;
    let pseudo = [&whole[26..34], &[0, whole[23]], &length.to_be_bytes()].concat();
    let mut partial = whole.clone();
    partial[34 + offset..36 + offset].copy_from_slice(&sum(&pseudo).to_be_bytes());
    (whole, partial, ask(34, offset))
}

/// Any frame, and the sum over any even part of it.
fn arbitrary(rng: &mut SmallRng) -> (Vec<u8>, Vec<u8>, u64) {
    let mut frame =
        vec![0; if rng.random_range(0..30) == 0 { rng.random_range(1500..=2048) } else { rng.random_range(14..200) }];
    rng.fill(&mut frame[..]);
    if rng.random_range(0..4) == 0 {
        return (frame.clone(), frame, 0);
    }
    let start = rng.random_range(0..=(frame.len() - 2) / 2) * 2;
    let offset = rng.random_range(0..=(frame.len() - 2 - start) / 2) * 2;
    let value = match !sum(&frame[start..]) {
        0 => 0xffff,
        other => other,
    };
    let mut whole = frame.clone();
    whole[start + offset..start + offset + 2].copy_from_slice(&value.to_be_bytes());
    (whole, frame, ask(start, offset))
}

fn run(count: usize, stalls: fn() -> Stalls, mut next: impl FnMut(&mut SmallRng) -> (Vec<u8>, Vec<u8>, u64)) {
    let mut rng = seeded();
    let mut block = insert::Model::new(Some(rng.random()));
    block.restart();
    let mut source: Source<(Beat, u64)> = Source::new(stalls());
    let mut sink = Sink::new("m", stalls());
    let mut frames = Frames::default();
    let mut due: VecDeque<(Vec<u8>, bool)> = VecDeque::new();
    let (mut made, mut idle) = (0, 0);
    while (made < count || !due.is_empty()) && idle < 10_000 {
        while source.queue.len() < 16 && made < count {
            let (whole, frame, checksum) = next(&mut rng);
            let discard = rng.random_range(0..16) == 0;
            if !discard {
                due.push_back((whole, false));
            }
            source.queue.extend(Beat::of_frame(&frame, discard).into_iter().map(|beat| (beat, checksum)));
            made += 1;
        }
        let shown = source.show(&mut rng);
        block.set_s_valid(shown.is_some().into());
        if let Some((beat, checksum)) = shown {
            block.set_s_beat(&beat.pack());
            block.set_s_checksum(*checksum);
        }
        block.set_m_ready(sink.ready(&mut rng).into());
        block.low();
        idle += 1;
        if block.s_valid() & block.s_ready() != 0 {
            source.taken();
        }
        let shown = (block.m_valid() != 0).then(|| Beat::unpack(block.m_beat()));
        if let Some(beat) = sink.look(shown) {
            idle = 0;
            if let Some(frame) = frames.add(&beat) {
                assert_eq!(Some(frame), due.pop_front());
            }
        }
        block.rise();
    }
    assert!(due.is_empty(), "{} frames did not come out", due.len());
}

#[test]
fn checksums_are_etherparses() {
    run(20_000, Stalls::default, packet);
    // and etherparse reads them as right
    let (whole, ..) = packet(&mut seeded());
    let read = PacketHeaders::from_ethernet_slice(&whole).expect("a frame");
    assert!(matches!(read.transport, Some(TransportHeader::Tcp(_) | TransportHeader::Udp(_))));
}

#[test]
fn any_part_of_any_frame() {
    run(60_000, Stalls::default, arbitrary);
}

#[test]
fn a_beat_each_cycle() {
    run(20_000, Stalls::never, arbitrary);
}

#[test]
fn a_frame_beyond_2048_bytes_is_discarded() {
    let mut rng = seeded();
    let mut block = insert::Model::new(Some(rng.random()));
    block.restart();
    block.set_m_ready(1);
    for (length, leaves) in [(2049, false), (3000, false), (60, true), (2048, true), (5000, false), (64, true)] {
        let mut out = 0;
        let beats = Beat::of_frame(&vec![7; length], false);
        let mut beats = beats.iter().peekable();
        for _ in 0..2000 {
            block.set_s_valid(beats.peek().is_some().into());
            if let Some(beat) = beats.peek() {
                block.set_s_beat(&beat.pack());
            }
            block.low();
            if block.s_valid() & block.s_ready() != 0 {
                beats.next();
            }
            out += u64::from(block.m_valid() != 0 && Beat::unpack(block.m_beat()).last != 0);
            block.rise();
        }
        assert_eq!((beats.next(), out), (None, u64::from(leaves)), "{length} bytes");
        assert_eq!((block.used(), block.held()), (0, 0));
    }
}

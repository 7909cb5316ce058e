//! The receive side against a reader of bytes: fields, verdicts and beats of each frame, on both kinds of port.

mod frames;
mod reference;

use std::collections::VecDeque;

use ipos_verilated_blocks::stream::{Frames, Sink, Source, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, Meta, rx, seeded};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use frames::{IPOS, MAC};
use reference::{Parsed, Port};

const FRAMES: u32 = 30_000;

/// Verdicts on header checksums and on those of the whole frame, until all parts of a frame's description have come.
type Sums = (Meta, bool, bool);
type Tail = (bool, bool);

fn run(mut rng: SmallRng, port: Port, count: u32, stalls: fn() -> Stalls) -> (u64, u64) {
    println!("{port:?}");
    let mut block = rx::Model::new(Some(rng.random()));
    block.set_mac(MAC.iter().fold(0, |n, &b| n << 8 | u64::from(b)));
    block.set_promiscuous(port.promiscuous.into());
    block.set_ethertype(IPOS);
    block.set_back(port.back.into());
    block.restart();
    let mut source: Source<Beat> = Source::new(stalls());
    let mut head_sink = Sink::new("head", stalls());
    let mut sums_sink = Sink::new("sums", stalls());
    let mut tail_sink = Sink::new("tail", stalls());
    let mut beat_sink = Sink::new("beat", stalls());
    let mut frames = Frames::default();
    let mut due: VecDeque<(Option<Vec<u8>>, bool)> = VecDeque::new();
    let mut parsed: VecDeque<(Parsed, Vec<u8>)> = VecDeque::new();
    let (mut heads, mut sums, mut tails): (VecDeque<u128>, VecDeque<Sums>, VecDeque<Tail>) = Default::default();
    let (mut sent, mut keys, mut checksums) = (0, 0, [0; 2]);
    let (mut cycle, mut beats, mut last_in) = (0, 0, 0);
    while sent < count || !due.is_empty() || !parsed.is_empty() {
        assert!(cycle < 100 * u64::from(count), "stuck");
        while source.queue.len() < 8 && sent < count {
            let frame = frames::frame(&mut rng, if port.back { 6 } else { 1 });
            let user = rng.random_range(0..10) == 0;
            source.queue.extend(Beat::of_frame(&frame, user));
            let (stripped, expected) = reference::parse(frame.clone(), port);
            due.push_back((stripped, user));
            parsed.push_back((expected, frame));
            sent += 1;
        }
        let shown = source.show(&mut rng);
        block.set_s_valid(shown.is_some().into());
        if let Some(beat) = shown {
            block.set_s_beat(&beat.pack());
        }
        // `read` only with `valid`; none of the valids depends on an input of this cycle
        block.set_key_read(0);
        block.set_meta_read(0);
        block.set_sums_read(0);
        block.set_tail_read(0);
        block.set_beat_read(0);
        block.low();
        let head = (block.key_valid() != 0)
            .then(|| block.key().iter().rev().fold(0, |key, &word| key << 32 | u128::from(word)));
        // what the headers say stands by then
        let pair =
            (block.sums_valid() != 0).then(|| (Meta::unpack(block.meta()), block.ip_ok() != 0, block.ipos_ok() != 0));
        let tail = (block.tail_valid() != 0).then(|| (block.l4_ok() != 0, block.cover_ok() != 0));
        let beat = (block.beat_valid() != 0).then(|| Beat::unpack(block.beat()));
        let (h, t, b) = (head_sink.ready(&mut rng), tail_sink.ready(&mut rng), beat_sink.ready(&mut rng));
        // the card reads the sums some cycles after the head
        let p = sums_sink.ready(&mut rng);
        block.set_key_read((h && head.is_some()).into());
        block.set_meta_read((p && pair.is_some()).into());
        block.set_sums_read((p && pair.is_some()).into());
        block.set_tail_read((t && tail.is_some()).into());
        block.set_beat_read((b && beat.is_some()).into());
        block.eval();
        heads.extend(head_sink.look(head));
        sums.extend(sums_sink.look(pair));
        tails.extend(tail_sink.look(tail));
        if let Some(frame) = beat_sink.look(beat).and_then(|beat| frames.add(&beat)) {
            let (bytes, user) = due.pop_front().expect("a frame is due");
            assert_eq!(frame.1, user);
            if let Some(bytes) = bytes {
                assert_eq!(frame.0, bytes);
            }
        }
        if let (Some(head), Some(pair), Some(tail)) = (heads.front(), sums.front(), tails.front()) {
            let (expected, frame) = parsed.pop_front().expect("a frame is due");
            let said = reference::said(&expected, *head, &pair.0, pair.1, pair.2, tail.0, tail.1);
            assert_eq!(said, expected, "{frame:02x?}");
            keys += u64::from(expected.key.is_some());
            expected.l4_ok.inspect(|&ok| checksums[usize::from(ok)] += 1);
            heads.pop_front();
            sums.pop_front();
            tails.pop_front();
        }
        if block.s_valid() & block.s_ready() != 0 {
            source.taken();
            beats += 1;
            last_in = cycle;
        }
        block.rise();
        cycle += 1;
    }
    println!("{sent} frames, {keys} keys, TCP/UDP checksums {} right, {} wrong", checksums[1], checksums[0]);
    assert!(keys > u64::from(count) / 4 && checksums[0] > count / 300 && checksums[1] > count / 5);
    (beats, last_in + 1)
}

#[test]
fn front_port() {
    let mut rng = seeded();
    for promiscuous in [false, true] {
        run(SmallRng::from_rng(&mut rng), Port { back: false, promiscuous }, FRAMES, Stalls::default);
    }
}

#[test]
fn back_port() {
    let mut rng = seeded();
    for promiscuous in [false, true] {
        run(SmallRng::from_rng(&mut rng), Port { back: true, promiscuous }, FRAMES, Stalls::default);
    }
}

#[test]
fn a_beat_each_cycle() {
    let (beats, cycles) = run(seeded(), Port { back: true, promiscuous: false }, 5000, Stalls::never);
    println!("{beats} beats in {cycles} cycles");
    assert_eq!(cycles, beats);
}

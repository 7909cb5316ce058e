//! Promised room against counts of the test's own: what was promised always fits, ways come in order and no sooner than
//! their packets begin, and room comes back.

use std::collections::VecDeque;

use ipos_verilated_blocks::{Clocked, Route, routes, seeded};
use rand::Rng;

const CYCLES: u32 = 400_000;
/// Beats that the buffer holds.
const BUFFER: u64 = 1024;
/// Promised routes that the queue holds.
const ROUTES: usize = 15;

#[test]
fn promises_are_kept() {
    let mut rng = seeded();
    let mut block = routes::Model::new(Some(rng.random()));
    block.restart();
    // packets promised; those of them that have begun, by the cycle; those whose way was taken; beats owed in all
    let mut promised: VecDeque<Route> = VecDeque::new();
    let mut begun: VecDeque<Route> = VecDeque::new();
    let mut passing: VecDeque<u64> = VecDeque::new();
    let (mut owed, mut pace) = (0, [50; 4]);
    let (mut kept, mut refused, mut most) = (0, 0, 0);
    for cycle in 0..CYCLES {
        if cycle % 512 == 0 {
            pace = std::array::from_fn(|_| rng.random_range(1..100));
        }
        let mut now = |i: usize| rng.random_range(0..100) < pace[i];
        let (wants, starts, reads, leaves) = (now(0), now(1), now(2), now(3));
        block.low();
        // the way of a packet that has begun is shown until it is read
        assert_eq!(block.valid() != 0, !begun.is_empty(), "cycle {cycle}");
        if let Some(way) = begun.front() {
            assert_eq!(Route::unpack(block.route()), *way);
        }
        // decided in this cycle, it begins in the next or later
        let promise = wants && block.room() != 0;
        refused += u32::from(wants && !promise);
        let longest = rng.random_range(0..4) == 0;
        let way = Route {
            mac: rng.random::<u64>() >> 16,
            src_ip: rng.random::<u32>().into(),
            src_port: rng.random::<u16>().into(),
            dst_ip: rng.random::<u32>().into(),
            dst_port: rng.random::<u16>().into(),
            udp: rng.random_range(0..2),
            beats: if longest { 255 } else { rng.random_range(5..=255) },
        };
        block.set_promise(promise.into());
        block.set_way(&way.pack());
        let start = starts && !promised.is_empty();
        block.set_starts(start.into());
        let read = reads && !begun.is_empty();
        block.set_read(read.into());
        let left = leaves && !passing.is_empty();
        block.set_left(left.into());
        block.set_left_beats(if left { passing[0] } else { rng.random_range(0..=255) } as u8);
        block.low();
        block.rise();

        if left {
            owed -= passing.pop_front().expect("one passes");
        }
        if read {
            passing.push_back(begun.pop_front().expect("one has begun").beats);
        }
        if start {
            begun.push_back(promised.pop_front().expect("one is promised"));
        }
        if promise {
            owed += way.beats;
            kept += 1;
            promised.push_back(way);
        }
        most = most.max(owed);
        assert!(owed <= BUFFER, "{owed} beats promised");
        assert!(promised.len() + begun.len() <= ROUTES);
    }
    println!("{kept} kept, {refused} refused, {most} beats at most");
    assert!(kept > 10_000 && refused > 10_000 && most > BUFFER * 3 / 4);
}

/// What has left makes room: the queue never stays shut.
#[test]
fn room_comes_back() {
    let mut rng = seeded();
    let mut block = routes::Model::new(None);
    block.restart();
    for _ in 0..2_000 {
        let mut inside = VecDeque::new();
        let beats = rng.random_range(5..=255u64);
        block.low();
        while block.room() != 0 {
            block.set_way(&Route { beats, ..Default::default() }.pack());
            block.set_promise(1);
            block.rise();
            block.set_promise(0);
            inside.push_back(beats);
            block.low();
            assert!(inside.len() <= ROUTES);
        }
        while let Some(beats) = inside.pop_front() {
            for step in 0..3 {
                block.set_starts((step == 0).into());
                block.set_read((step == 1).into());
                block.set_left((step == 2).into());
                block.set_left_beats(beats as u8);
                block.low();
                block.rise();
            }
            block.set_left(0);
        }
        for _ in 0..3 {
            block.low();
            block.rise();
        }
        block.low();
        assert!(block.room() != 0, "all has left");
    }
}

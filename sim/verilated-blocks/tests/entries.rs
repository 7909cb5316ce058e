//! The entries' counters against a map: packets, bytes, the seen bit, clears, and one event for each FIN, SYN or RST.

use std::collections::HashMap;

use ipos_verilated_blocks::{Clocked, entries, seeded};
use rand::Rng;

/// Slots per bank of the block under test.
const SLOTS: u16 = 16;
/// Cycles that a frame lasts at least, so that a port's hits are as far apart.
const FRAME: u64 = 7;

#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Count {
    packets: u64,
    bytes: u64,
    seen: bool,
}

fn unpack(word: [u32; 3]) -> Count {
    let word = u128::from(word[0]) | u128::from(word[1]) << 32 | u128::from(word[2]) << 64;
    Count { packets: word as u64 & 0x7fff_ffff, bytes: (word >> 31) as u64 & 0xff_ffff_ffff, seen: word >> 71 & 1 == 1 }
}

/// What happens to the block: it settles after each, so the order is that of the map.
enum Step {
    Hit { back: bool, place: u16, bytes: u16, flags: u8 },
    Clear { place: u16 },
    Select { place: u16, forget: bool },
}

fn settle(block: &mut entries::Model, cycles: u64, events: &mut Vec<u32>) -> bool {
    let mut done = false;
    for _ in 0..cycles {
        block.low();
        if block.event_valid() != 0 {
            events.push(block.event_data());
        }
        done |= block.done() != 0;
        block.rise();
        block.set_front_hit(0);
        block.set_back_hit(0);
        block.set_clear(0);
        block.set_select(0);
    }
    done
}

fn swept() -> entries::Model {
    let mut block = entries::Model::new(Some(5));
    block.restart();
    block.set_sweep(1);
    for slot in 0..SLOTS {
        block.set_sweep_slot(slot);
        settle(&mut block, 1, &mut Vec::new());
    }
    block.set_sweep(0);
    block
}

#[test]
fn counts_are_those_of_a_map() {
    let mut rng = seeded();
    let mut block = swept();
    let mut model: HashMap<u16, Count> = HashMap::new();
    let (mut events, mut due) = (Vec::new(), Vec::new());
    for _ in 0..200_000 {
        let place = rng.random_range(0..4) << 12 | rng.random_range(0..SLOTS);
        let step = match rng.random_range(0..10) {
            0 => Step::Clear { place },
            1..4 => Step::Select { place, forget: rng.random() },
            _ => Step::Hit { back: rng.random(), place, bytes: rng.random(), flags: rng.random() },
        };
        match step {
            Step::Hit { back: false, place, bytes, flags } => {
                block.set_front_hit(1);
                block.set_front_place(place);
                block.set_front_bytes(bytes);
                block.set_front_flags(flags);
            }
            Step::Hit { back: true, place, bytes, flags } => {
                block.set_back_hit(1);
                block.set_back_place(place);
                block.set_back_bytes(bytes);
                block.set_back_flags(flags);
            }
            Step::Clear { place } => {
                block.set_clear(1);
                block.set_clear_place(place);
            }
            Step::Select { place, forget } => {
                block.set_select(1);
                block.set_select_place(place);
                block.set_forget(forget.into());
            }
        }
        let done = settle(&mut block, FRAME, &mut events);
        let entry = model.entry(place).or_default();
        match step {
            Step::Hit { bytes, flags, .. } => {
                *entry = Count { packets: entry.packets + 1, bytes: entry.bytes + u64::from(bytes), seen: true };
                if flags & 7 != 0 {
                    due.push(u32::from(place & 0xfff) | u32::from(place >> 12) << 16 | u32::from(flags) << 24);
                }
            }
            Step::Clear { .. } => *entry = Count::default(),
            Step::Select { forget, .. } => {
                assert!(done);
                assert_eq!(unpack(*block.selected()), *entry);
                entry.seen &= !forget;
            }
        }
    }
    assert_eq!(events, due);
}

#[test]
fn both_ports_at_their_full_rate_and_a_host_that_asks_lose_nothing() {
    let mut rng = seeded();
    let mut block = swept();
    let mut model: HashMap<u16, Count> = HashMap::new();
    let (mut events, mut due, mut asked) = (Vec::new(), 0, 0u64);
    for cycle in 0..200_000u64 {
        for back in [false, true] {
            if cycle % FRAME == if back { 3 } else { 0 } {
                let (place, bytes, flags) =
                    (rng.random_range(0..4) << 12 | rng.random_range(0..4), rng.random(), rng.random());
                if back {
                    block.set_back_hit(1);
                    block.set_back_place(place);
                    block.set_back_bytes(bytes);
                    block.set_back_flags(flags);
                } else {
                    block.set_front_hit(1);
                    block.set_front_place(place);
                    block.set_front_bytes(bytes);
                    block.set_front_flags(flags);
                }
                let entry = model.entry(place).or_default();
                *entry = Count { packets: entry.packets + 1, bytes: entry.bytes + u64::from(bytes), seen: true };
                due += usize::from(flags & 7 != 0);
            }
        }
        if cycle % 40 == 1 {
            block.set_select(1);
            block.set_select_place(rng.random_range(0..4) << 12);
            block.set_forget(0);
        }
        asked += u64::from(settle(&mut block, 1, &mut events));
    }
    settle(&mut block, 50, &mut events);
    assert_eq!((events.len(), asked), (due, 5000));
    for (&place, count) in &model {
        block.set_select(1);
        block.set_select_place(place);
        assert!(settle(&mut block, 10, &mut events));
        assert_eq!(unpack(*block.selected()), *count, "place {place:#x}");
    }
}

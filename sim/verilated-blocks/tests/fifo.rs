//! The FIFO against a `VecDeque`: contents, level, and the cycle in which a word appears.

use std::collections::VecDeque;

use ipos_verilated_blocks::stream::Stalls;
use ipos_verilated_blocks::{Beat, Clocked, fifo, seeded};
use rand::Rng;

const DEPTH: usize = 16;
const CYCLES: u64 = 400_000;

#[test]
fn holds_what_was_written_in_order() {
    let mut rng = seeded();
    let mut block = fifo::Model::new(Some(rng.random()));
    block.restart();
    let (mut writer, mut reader) = (Stalls::default(), Stalls::default());
    let mut words: VecDeque<(Beat, u64)> = VecDeque::new(); // with the cycle of the write
    let (mut full, mut read) = (0, 0);
    for cycle in 0..CYCLES {
        let word = Beat { data: rng.random(), cnt: rng.random_range(0..8), last: rng.random_range(0..2), user: 0 };
        let write = words.len() < DEPTH && !writer.wait(&mut rng);
        // first-word-fall-through, two cycles after the write
        let visible = words.front().filter(|(_, written)| written + 2 <= cycle).map(|w| w.0);
        let take = visible.is_some() && !reader.wait(&mut rng);
        block.set_data_in(&word.pack());
        block.set_write(write.into());
        block.set_read(take.into());
        block.low();
        let shown = (block.valid() != 0).then(|| Beat::unpack(block.data_out()));
        assert_eq!(shown, visible, "cycle {cycle}");
        assert_eq!(usize::from(block.level()), words.len(), "cycle {cycle}");
        full += u32::from(words.len() == DEPTH);
        if write {
            words.push_back((word, cycle));
        }
        if take {
            words.pop_front();
            read += 1;
        }
        block.rise();
    }
    assert!(read >= 100_000 && full > 1000, "{read} words read, {full} cycles full");
}

#[test]
fn reset_empties() {
    let mut block = fifo::Model::new(None);
    block.restart();
    block.set_write(1);
    for _ in 0..5 {
        block.low();
        block.rise();
    }
    block.set_write(0);
    block.low();
    assert_eq!((block.valid(), block.level()), (1, 5));
    block.restart();
    block.low();
    assert_eq!((block.valid(), block.level()), (0, 0));
}

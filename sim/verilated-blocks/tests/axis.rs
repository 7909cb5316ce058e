//! The card's borders: every `tkeep`, both ways.

use ipos_verilated_blocks::{Beat, axis, seeded};
use rand::Rng;

#[test]
fn keep_and_count_say_the_same() {
    let mut rng = seeded();
    let mut block = axis::Model::new(None);
    for i in 0..100_000 {
        // the first 32 go through all combinations
        let n = if i < 32 { i / 4 + 1 } else { rng.random_range(1..=8) };
        let marks = if i < 32 { i as u8 } else { rng.random() };
        let (last, user) = (marks & 1, marks >> 1 & 1);
        let keep = (0..n).fold(0u8, |keep, byte| keep | 1 << byte);
        let data = rng.random();
        let beat = Beat { data, cnt: n as u64 - 1, last: last.into(), user: user.into() };

        block.set_in_tdata(data);
        block.set_in_tkeep(keep);
        block.set_in_tlast(last);
        block.set_in_tuser(user);
        block.set_out_beat(&beat.pack());
        block.eval();
        assert_eq!(Beat::unpack(block.in_beat()), beat, "in");
        let out = (block.out_tdata(), block.out_tkeep(), block.out_tlast(), block.out_tuser());
        assert_eq!(out, (data, keep, last, user), "out");
    }
}

//! Checksum lanes and folding against RFC 1071 in wide integers. One's complement addition is addition modulo 0xffff
//! whose zero, but for an empty sum, is written 0xffff: that is the reference's comparison.

use std::collections::VecDeque;

use ipos_verilated_blocks::stream::Stalls;
use ipos_verilated_blocks::{Clocked, lane_sum, seeded};
use rand::Rng;
use rand::rngs::SmallRng;

const MESSAGES: u32 = 100_000;

struct Word {
    data: [u8; 8], // in network order
    mask: u8,
}

/// A message somewhere in its words, garbage around it; half of them with a right checksum.
fn message(rng: &mut SmallRng) -> (Vec<Word>, u64) {
    let length = if rng.random_range(0..500) == 0 { rng.random_range(1000..9000) } else { rng.random_range(1..64) };
    let start = rng.random_range(0..4) * 2;
    let mut bytes = vec![0u8; (start + length as usize).next_multiple_of(8)];
    rng.fill(&mut bytes[..]);
    if rng.random_range(0..8) == 0 {
        bytes.fill(0xff); // as many carries as there can be
    }
    let end = start + length as usize;
    let sum =
        |bytes: &[u8]| -> u64 { (start..end).map(|i| u64::from(bytes[i]) << if i % 2 == 0 { 8 } else { 0 }).sum() };
    if length > 2 && rng.random() {
        bytes[start..start + 2].fill(0);
        let check = 0xffff - sum(&bytes) % 0xffff;
        bytes[start..start + 2].copy_from_slice(&(check as u16).to_be_bytes());
    }
    let total = sum(&bytes);
    let words = bytes.chunks(8).enumerate().map(|(w, chunk)| Word {
        data: chunk.try_into().expect("whole words"),
        mask: (0..8).filter(|i| (start..end).contains(&(8 * w + i))).fold(0, |mask, i| mask | 0x80 >> i),
    });
    (words.collect(), total)
}

fn folds_to_ones(sum: u64) -> bool {
    sum != 0 && sum.is_multiple_of(0xffff)
}

#[test]
fn sums_and_verdicts() {
    let mut rng = seeded();
    let mut block = lane_sum::Model::new(Some(rng.random()));
    let mut stalls = Stalls::default();
    let mut words: VecDeque<Word> = VecDeque::new();
    let mut sum = 0u64; // over the words that went in
    let mut sums: VecDeque<Option<u64>> = VecDeque::from([None; 6]); // of the last cycles, newest first
    let mut folds: VecDeque<u32> = VecDeque::from([0; 2]);
    let (mut messages, mut valid, mut total, mut first) = (0, 0, 0, false);
    while messages < MESSAGES {
        if words.is_empty() {
            let (next, expected) = message(&mut rng);
            words.extend(next);
            (first, total) = (true, expected);
        }
        let word = if stalls.wait(&mut rng) { None } else { words.pop_front() };
        match &word {
            Some(word) => {
                block.set_data(u64::from_be_bytes(word.data));
                block.set_mask(word.mask);
                block.set_first(first.into());
            }
            None => {
                block.set_data(rng.random());
                block.set_mask(rng.random());
                block.set_first(rng.random_range(0..2));
            }
        }
        block.set_valid(word.is_some().into());
        let fold = match rng.random_range(0..3) {
            0 => rng.random(),
            1 => rng.random_range(0..=0x1_0001) * 0xffff,
            _ => [0, 0xffff, 0xfffe, 0x1_0000, 0xffff_0000, 0xffff_ffff, 0x1_fffe][rng.random_range(0..7)],
        };
        block.set_fold_in(fold);
        block.low();
        if let Some(sum) = sums[3] {
            assert_eq!(u64::from(block.sum()), sum, "four cycles after the word");
        }
        if let Some(sum) = sums[5] {
            assert_eq!(block.ok() != 0, folds_to_ones(sum), "{sum:#x}, six cycles after the word");
        }
        if messages > 0 {
            assert_eq!(block.fold_ok() != 0, folds_to_ones(folds[1].into()), "{:#x}", folds[1]);
        }
        if let Some(word) = word {
            let lanes = word.data.iter().enumerate().filter(|(i, _)| word.mask & 0x80 >> i != 0);
            let lanes: u64 = lanes.map(|(i, &b)| u64::from(b) << if i % 2 == 0 { 8 } else { 0 }).sum();
            sum = if first { lanes } else { sum + lanes };
            first = false;
            if words.is_empty() {
                assert_eq!(sum, total, "the reference agrees with itself");
                messages += 1;
                valid += u32::from(folds_to_ones(total));
            }
        }
        sums.rotate_right(1);
        sums[0] = (messages > 0 || !first).then_some(sum);
        folds.rotate_right(1);
        folds[0] = fold;
        block.rise();
    }
    println!("{messages} messages, {valid} of them valid");
    assert!(valid > MESSAGES / 4 && valid < MESSAGES);
}

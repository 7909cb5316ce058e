//! Sixteen counters in one RAM, against sixteen sums: an event each cycle, the same code back to back, reads between.

use ipos_verilated_blocks::stream::Stalls;
use ipos_verilated_blocks::{Clocked, outcomes, seeded};
use rand::Rng;

const CYCLES: u64 = 500_000;

#[test]
fn every_event_counts_once_and_reads_are_exact() {
    let mut rng = seeded();
    let mut block = outcomes::Model::new(Some(rng.random()));
    block.restart();
    for _ in 0..16 {
        block.low();
        block.rise();
    }
    let mut quiet = Stalls::default();
    let mut codes = 1; // how many codes the events of this phase have
    let mut counts = [0u64; 16];
    let mut read: Option<u8> = None;
    let mut answer: Option<(u64, u64)> = None; // the cycle of the answer, and what it says
    let (mut events, mut reads) = (0, 0);
    for cycle in 0..CYCLES {
        if cycle % 64 == 0 {
            codes = [1, 2, 3, 16][rng.random_range(0..4)];
        }
        let event = (!quiet.wait(&mut rng)).then(|| 15 - rng.random_range(0..codes));
        if read.is_none() && rng.random_range(0..4) == 0 {
            read = Some(15 - rng.random_range(0..codes));
        }
        block.set_strobe(event.is_some().into());
        block.set_code(event.unwrap_or_else(|| rng.random_range(0..16)));
        block.set_read(read.is_some().into());
        block.set_read_code(read.unwrap_or_else(|| rng.random_range(0..16)));
        // the first cycle without an event takes the read; what came before it counts
        if let (Some(code), None, None) = (read, event, answer) {
            answer = Some((cycle + 3, counts[usize::from(code)]));
        }
        block.low();
        let expected = answer.filter(|a| a.0 == cycle).map(|a| a.1);
        assert_eq!((block.ack() != 0).then(|| block.value()), expected, "cycle {cycle}, code {read:?}");
        if expected.is_some() {
            (read, answer) = (None, None);
            reads += 1;
        }
        if let Some(code) = event {
            counts[usize::from(code)] += 1;
            events += 1;
        }
        block.rise();
    }
    println!("{events} events, {reads} reads");
    assert!(events > 100_000 && reads > 20_000);
}

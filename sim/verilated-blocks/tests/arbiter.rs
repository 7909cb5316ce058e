//! The arbiter: frames whole, each source in order, each beat with its meta, and turns when both wait.

use std::collections::VecDeque;

use ipos_verilated_blocks::stream::{Sink, Source, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, arbiter, seeded};
use rand::Rng;
use rand::rngs::SmallRng;

const FRAMES: u32 = 120_000;

type Item = (Beat, u8);

/// A frame of one to eight beats that names its source, with one meta.
fn frame(rng: &mut SmallRng, source: u64) -> Vec<Item> {
    let n = rng.random_range(1..=8);
    let meta = rng.random();
    (1..=n)
        .map(|i| {
            let (cnt, user) = if i == n { (rng.random_range(0..8), rng.random_range(0..2)) } else { (7, 0) };
            (Beat { data: rng.random::<u64>() << 1 | source, cnt, last: (i == n).into(), user }, meta)
        })
        .collect()
}

fn run(stalls: fn() -> Stalls) -> (u64, u64) {
    let mut rng = seeded();
    let mut block = arbiter::Model::new(Some(rng.random()));
    block.restart();
    let mut sources = [Source::new(stalls()), Source::new(stalls())];
    let mut sink = Sink::new("m", stalls());
    let mut expected: [VecDeque<Item>; 2] = Default::default();
    let mut owner: Option<usize> = None; // of the frame that is being taken
    let mut due: Option<usize> = None; // who waited when the other's frame ended
    let mut leaving: Option<u64> = None; // of the frame that is coming out
    let (mut frames, mut beats, mut cycles) = (0, 0, 0u64);
    while frames < FRAMES {
        for (i, source) in sources.iter_mut().enumerate() {
            if source.queue.len() < 8 {
                let frame = frame(&mut rng, i as u64);
                expected[i].extend(&frame);
                source.queue.extend(frame);
            }
        }
        let a = sources[0].show(&mut rng).copied();
        let b = sources[1].show(&mut rng).copied();
        let ready = sink.ready(&mut rng);
        block.set_a_valid(a.is_some().into());
        block.set_b_valid(b.is_some().into());
        if let Some((beat, meta)) = a {
            block.set_a_beat(&beat.pack());
            block.set_a_meta(meta);
        }
        if let Some((beat, meta)) = b {
            block.set_b_beat(&beat.pack());
            block.set_b_meta(meta);
        }
        block.set_m_ready(ready.into());
        block.low();

        let taken = [a.filter(|_| block.a_ready() != 0), b.filter(|_| block.b_ready() != 0)];
        assert!(taken[0].is_none() || taken[1].is_none(), "both taken");
        for i in 0..2 {
            let Some((beat, _)) = taken[i] else { continue };
            match owner {
                Some(owner) => assert_eq!(owner, i, "another's beat within a frame"),
                None => assert_eq!(due.unwrap_or(i), i, "out of turn"),
            }
            owner = (beat.last == 0).then_some(i);
            due = [b, a][i].map(|_| 1 - i);
            sources[i].taken();
        }
        let shown = (block.m_valid() != 0).then(|| (Beat::unpack(block.m_beat()), block.m_meta()));
        if let Some(item) = sink.look(shown) {
            let source = item.0.data & 1;
            assert_eq!(*leaving.get_or_insert(source), source, "frames mixed");
            assert_eq!(Some(item), expected[source as usize].pop_front());
            if item.0.last == 1 {
                leaving = None;
                frames += 1;
            }
            beats += 1;
        }
        block.rise();
        cycles += 1;
    }
    (beats, cycles)
}

#[test]
fn frames_stay_whole_and_sources_take_turns() {
    run(Stalls::default);
}

#[test]
fn a_beat_each_cycle() {
    let (beats, cycles) = run(Stalls::never);
    assert_eq!(cycles, beats + 1, "one cycle of latency, none lost");
}

#[test]
fn offers_before_anyone_is_ready() {
    let mut block = arbiter::Model::new(None);
    block.restart();
    block.set_m_ready(0);
    block.set_a_beat(&Beat::of_frame(&[0; 8], false)[0].pack());
    block.set_a_valid(1);
    for _ in 0..1 {
        block.low();
        assert_eq!(block.m_valid(), 0);
        block.rise();
    }
    block.low();
    assert_eq!(block.m_valid(), 1);
}

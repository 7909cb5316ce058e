//! The tag stripper against bytes: tagged and untagged frames of all lengths, runts, and its price.

use std::collections::VecDeque;

use ipos_verilated_blocks::stream::{Frames, Sink, Source, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, seeded, vlan};
use rand::Rng;
use rand::rngs::SmallRng;

const TPID: [u8; 2] = [0x81, 0x00];

/// What comes out: of a runt only that it is one, and that its end is marked.
#[derive(Debug, PartialEq)]
struct Expected {
    bytes: Option<Vec<u8>>,
    tci: Option<u16>,
    user: bool,
}

fn strip(frame: &[u8], user: bool) -> Expected {
    let tagged = frame.len() >= 14 && frame[12..14] == TPID;
    if frame.len() < if tagged { 18 } else { 14 } {
        return Expected { bytes: None, tci: None, user };
    }
    if tagged {
        let tci = u16::from_be_bytes([frame[14], frame[15]]);
        return Expected { bytes: Some([&frame[..12], &frame[16..]].concat()), tci: Some(tci), user };
    }
    Expected { bytes: Some(frame.to_vec()), tci: None, user }
}

fn frame(rng: &mut SmallRng) -> Vec<u8> {
    let length = match rng.random_range(0..10) {
        0..4 => rng.random_range(1..=24),
        4..9 => rng.random_range(14..=80),
        _ => rng.random_range(60..=1518),
    };
    let mut frame = vec![0; length];
    rng.fill(&mut frame[..]);
    // the tag where it belongs, twice, one word late, or half
    for at in [12, 16, 14, 13].into_iter().filter(|&at| at + 2 <= length) {
        let chance = if at == 12 { 2 } else { 8 };
        if rng.random_range(0..chance) == 0 {
            frame[at..at + 2].copy_from_slice(&TPID);
        }
    }
    frame
}

/// Counts of frames, tagged frames, runts, beats in, and cycles in which beats went in.
fn run(count: usize, stalls: fn() -> Stalls) -> [u64; 5] {
    let mut rng = seeded();
    let mut block = vlan::Model::new(Some(rng.random()));
    block.restart();
    let mut source: Source<Beat> = Source::new(stalls());
    let mut sink = Sink::new("m", stalls());
    let mut frames = Frames::default();
    let mut due: VecDeque<Expected> = VecDeque::new();
    let (mut sent, mut done, mut tagged, mut runts, mut beats, mut cycle, mut last_in) = (0, 0, 0, 0, 0, 0, 0);
    let mut beat_number = 0;
    while done < count as u64 {
        while source.queue.len() < 8 && sent < count {
            let (frame, user) = (frame(&mut rng), rng.random_range(0..8) == 0);
            due.push_back(strip(&frame, user));
            source.queue.extend(Beat::of_frame(&frame, user));
            sent += 1;
        }
        let shown = source.show(&mut rng);
        block.set_s_valid(shown.is_some().into());
        if let Some(beat) = shown {
            block.set_s_beat(&beat.pack());
        }
        block.set_m_ready(sink.ready(&mut rng).into());
        block.low();
        if block.s_valid() & block.s_ready() != 0 {
            source.taken();
            beats += 1;
            last_in = cycle;
        }
        let shown = (block.m_valid() != 0)
            .then(|| (Beat::unpack(block.m_beat()), block.m_tagged() != 0, block.m_tci(), block.m_runt() != 0));
        if let Some((beat, is_tagged, tci, runt)) = sink.look(shown) {
            let expected = due.front().expect("a frame is due");
            if beat_number > 0 && expected.bytes.is_some() {
                assert_eq!(is_tagged.then_some(tci), expected.tci, "from the second beat on");
            }
            beat_number += 1;
            if let Some((bytes, user)) = frames.add(&beat) {
                let found = Expected { bytes: (!runt).then_some(bytes), tci: expected.tci, user };
                assert_eq!(&found, expected);
                tagged += u64::from(expected.tci.is_some());
                runts += u64::from(runt);
                due.pop_front();
                beat_number = 0;
                done += 1;
            }
        }
        block.rise();
        cycle += 1;
    }
    [done, tagged, runts, beats, last_in + 1]
}

#[test]
fn one_tag_leaves_and_is_told() {
    let [frames, tagged, runts, ..] = run(120_000, Stalls::default);
    println!("{frames} frames, {tagged} tagged, {runts} runts");
    assert!(tagged > 30_000 && runts > 10_000);
}

#[test]
fn a_frame_costs_its_beats() {
    let [.., beats, cycles] = run(20_000, Stalls::never);
    assert_eq!(cycles, beats);
}

#[test]
fn offers_before_anyone_is_ready() {
    let mut block = vlan::Model::new(None);
    block.restart();
    block.set_m_ready(0);
    block.set_s_beat(&Beat::of_frame(&[0; 8], false)[0].pack());
    block.set_s_valid(1);
    for _ in 0..2 {
        block.low();
        assert_eq!(block.m_valid(), 0);
        block.rise();
    }
    block.low();
    assert_eq!(block.m_valid(), 1);
}

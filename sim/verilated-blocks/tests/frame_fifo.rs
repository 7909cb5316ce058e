//! The frame buffer against queues: frames kept, taken back and spilt, at any fill.

use std::collections::VecDeque;

use ipos_verilated_blocks::stream::{Sink, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, frame_fifo, seeded};
use rand::Rng;

const BEATS: usize = 64;
const FRAMES: usize = 31;
const OFFERED: u32 = 120_000;

type Shown = (Beat, [u32; 4]);

#[test]
fn frames_are_kept_or_taken_back_whole() {
    let mut rng = seeded();
    let mut block = frame_fifo::Model::new(Some(rng.random()));
    block.restart();
    let mut writer = Stalls::default();
    let mut sink = Sink::new("m", Stalls::default());

    // the reference: what can be read, with the cycle of its commit; the frame under way
    let mut kept: VecDeque<(Shown, u64)> = VecDeque::new();
    let mut frames = 0; // committed, last beat not yet read
    let mut open: Vec<Beat> = Vec::new();
    let mut spilt = false;
    let mut room = false;
    let mut late = 0; // a beat that was read in the last cycle: its place is free a cycle later

    let mut left = 0; // beats of the frame under way that are still to come
    let mut finish_alone = false;
    let (mut offered, mut commits, mut spills, mut rewinds, mut crowded, mut cycle) = (0, 0, 0, 0, 0, 0u64);
    while offered < OFFERED || !kept.is_empty() {
        if left == 0 && !finish_alone && offered < OFFERED {
            // short ones fill the queue of frames before that of beats
            left = match rng.random_range(0..30) {
                0 => rng.random_range(1..90),
                _ if offered % 2000 < 1000 => 1,
                _ => rng.random_range(1..9),
            };
        }
        let go = (left > 0 || finish_alone) && !writer.wait(&mut rng);
        let write = go && left > 0;
        let last = write && left == 1;
        // the end comes with the last beat, or in a cycle of its own
        let finish = go && (finish_alone || (last && rng.random_range(0..4) > 0));
        let meta: [u32; 4] = rng.random();
        let beat = Beat { data: rng.random(), cnt: 7, last: last.into(), user: rng.random_range(0..2) };
        let ready = sink.ready(&mut rng);
        block.set_beat_in(&beat.pack());
        block.set_write(write.into());
        block.set_finish(finish.into());
        block.set_keep(0);
        block.set_meta_in(&meta);
        block.set_m_ready(ready.into());
        block.low();

        let used = kept.len() + open.len() + late;
        let fits = used < BEATS && frames < FRAMES;
        assert_eq!(block.room() != 0, room, "cycle {cycle}");
        room = used <= BEATS - 9 && frames < 23; // a cycle later
        spilt |= write && !fits;
        crowded += u32::from(frames == FRAMES);
        assert_eq!(block.overflow() != 0, spilt, "cycle {cycle}");
        let keep = finish && !spilt && rng.random_range(0..4) > 0;
        if keep {
            block.set_keep(1);
            block.eval();
        }

        let visible = kept.front().filter(|(_, since)| since + 2 <= cycle).map(|k| k.0);
        let shown = (block.m_valid() != 0).then(|| (Beat::unpack(block.m_beat()), *block.m_meta()));
        assert_eq!(shown, visible, "cycle {cycle}");
        late = 0;
        if let Some((beat, _)) = sink.look(shown) {
            late = 1;
            kept.pop_front();
            frames -= beat.last as usize;
        }
        if write {
            left -= 1;
            if !spilt {
                open.push(beat);
            }
        }
        finish_alone = (last || finish_alone) && !finish;
        if finish {
            offered += 1;
            if keep {
                kept.extend(open.drain(..).map(|b| ((b, meta), cycle)));
                frames += 1;
            }
            commits += u32::from(keep);
            spills += u32::from(spilt);
            rewinds += u32::from(!keep && !spilt);
            open.clear();
            spilt = false;
        }
        block.rise();
        cycle += 1;
    }
    println!("{commits} kept, {rewinds} taken back, {spills} spilt, {crowded} of {cycle} cycles with all frames");
    assert!(commits > 50_000 && rewinds > 10_000 && spills > 1000 && crowded > 1000);
}

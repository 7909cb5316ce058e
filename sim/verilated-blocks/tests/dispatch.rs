//! Dispatch against `docs/datapath.md`, steps 12.6 to 13: frames with random verdicts, and what comes of each in the
//! forward buffer, on the host queues, in its description and in its outcome.

use std::collections::VecDeque;

use ipos_abi::rx::{L3, L4, Outcome, Reason, RxInfo, RxMeta};
use ipos_verilated_blocks::stream::{Frames, Source, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, Detail, Verdict, dispatch, seeded};
use rand::Rng;
use rand::rngs::SmallRng;

const FRAMES: u32 = 60_000;
const FRONT_MAC: [u8; 6] = [0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee];
/// More than a host queue holds.
const HOST_BEATS: u32 = 1024;
/// Nothing longer is forwarded.
const LONGEST: u64 = 2048;

struct Job {
    frame: Vec<u8>,
    user: bool,
    verdict: Verdict,
    detail: Detail,
    l4_ok: bool,
    cover_ok: bool,
}

impl Job {
    /// The frame without the ipOS header.
    fn normal(&self) -> Vec<u8> {
        if self.verdict.decapsulate == 0 {
            return self.frame.clone();
        }
        [&FRONT_MAC[..], &self.frame[6..12], &[0x08, 0x00], &self.frame[30..]].concat()
    }

    fn short(&self) -> bool {
        self.normal().len() < self.end()
    }

    /// Where the IPv4 packet ends in the frame.
    fn end(&self) -> usize {
        1 + self.verdict.stop as usize
    }
}

/// A frame with a verdict that the lookup could give it.
fn job(rng: &mut SmallRng, back: bool) -> Job {
    let mut verdict = Verdict::default();
    let mut detail = Detail {
        code: rng.random_range(0..14),
        l3: rng.random_range(0..5),
        l4_skip: rng.random_range(0..2),
        tagged: rng.random_range(0..2),
        about: rng.random::<u32>().into(),
        ..Default::default()
    };
    detail.tci = if detail.tagged == 1 { rng.random::<u16>().into() } else { 0 };
    let mut least = 14;
    match rng.random_range(0..10) {
        0 => {
            detail.code = rng.random_range(3..16);
            least = 1;
        }
        1 if back => {
            verdict.control = 1;
            detail.l3 = 0;
            detail.cover = [0, 16, 22, 162][rng.random_range(0..4)];
            least = 30;
        }
        2..5 => verdict.host = 1,
        _ => {
            verdict.forward = 1;
            least = 42;
        }
    }
    if verdict.forward | verdict.host == 1 && back && rng.random() {
        verdict.decapsulate = 1;
        least = least.max(14) + 16;
    }
    detail.judge = u64::from(verdict.host == 1 && detail.l3 == L3::Ok as u64);
    let length = match rng.random_range(0..40) {
        0 => rng.random_range(least..=1600),
        1 => rng.random_range(1900..2200),
        _ => rng.random_range(least..=least + 80),
    };
    let mut frame = vec![0; length];
    rng.fill(&mut frame[..]);
    let packet = length.saturating_sub(14 + 16 * verdict.decapsulate as usize) as u64;
    let (low, high) = if verdict.forward == 1 { (28, LONGEST - 13) } else { (0, 0x1_0000) };
    verdict.stop = 13
        + match rng.random_range(0..8) {
            0 => rng.random_range(low..high),                 // too long, mostly
            1 => packet + rng.random_range(0..10),            // by a little
            2 | 3 => rng.random_range(low..=packet.max(low)), // padded
            _ => packet,
        };
    if verdict.forward == 1 {
        verdict.stop = verdict.stop.min(LONGEST - 1);
    }
    Job { frame, user: rng.random_range(0..12) == 0, verdict, detail, l4_ok: rng.random(), cover_ok: rng.random() }
}

/// What became of a frame.
#[derive(Debug, PartialEq)]
struct Fate {
    outcome: Outcome,
    forwarded: Option<(Vec<u8>, bool)>,
    host: Option<Vec<u8>>,
    control: Option<Vec<u8>>,
    kept: Option<RxMeta>,
}

fn expected(job: &Job, back: bool, overflow: [bool; 2], sequence: u32) -> Fate {
    let (v, d) = (&job.verdict, &job.detail);
    let normal = job.normal();
    let mut result = Fate { outcome: Outcome::Forwarded, forwarded: None, host: None, control: None, kept: None };
    if v.forward | v.host | v.control == 0 {
        result.outcome = Outcome::from_code(d.code as u8).expect("an outcome");
        return result;
    }
    if v.forward == 1 {
        let short = job.short();
        let packet = &normal[8..if short { normal.len() } else { job.end() }];
        result.forwarded = Some((packet.to_vec(), short || job.user));
        if job.user {
            result.outcome = Outcome::DropError;
        } else if short {
            result.outcome = Outcome::DropShort;
        }
        return result;
    }
    let control = v.control == 1;
    let length = if control { job.frame.len() } else { normal.len() } as u16;
    if job.user {
        result.outcome = Outcome::DropError;
    } else if overflow[usize::from(control)] {
        result.outcome = Outcome::DropHostFull;
    } else {
        result.outcome = if control { Outcome::ToControl } else { Outcome::ToHost };
        let (mut l3, mut l4) = (L3::from_code(d.l3 as u8).expect("a verdict"), L4::NotChecked);
        if d.judge == 1 && job.short() {
            l3 = L3::Short;
        } else if d.judge == 1 && d.l4_skip == 0 {
            l4 = if job.l4_ok { L4::Valid } else { L4::Bad };
        }
        if d.cover > 0 {
            l3 = if job.frame.len() < 14 + d.cover as usize {
                L3::Truncated
            } else if job.cover_ok {
                L3::Ok
            } else {
                L3::BadChecksum
            };
        }
        result.kept = Some(RxMeta::from(RxInfo {
            length,
            vlan: (d.tagged == 1).then_some(d.tci as u16),
            sequence,
            endpoint: d.about as u32,
            reason: Reason::from_code(d.code as u8).expect("a reason"),
            l3,
            l4,
            decapsulated: v.decapsulate == 1,
            port: if back { ipos_abi::Port::Back } else { ipos_abi::Port::Front },
        }));
    }
    if control {
        result.control = Some(job.frame.clone());
    } else {
        result.host = Some(normal);
    }
    result
}

/// A frame for the wire, and its error mark.
type Sent = (Vec<u8>, bool);

/// Beats, cycles, and how many frames ended how.
type Report = (u64, u64, [u32; Outcome::ALL.len()]);

fn run(back: bool, count: u32, stalls: fn() -> Stalls, job: fn(&mut SmallRng, bool) -> Job) -> Report {
    let mut rng = seeded();
    let mut block = dispatch::Model::new(Some(rng.random()));
    block.set_back(back.into());
    block.set_front_mac(FRONT_MAC.iter().fold(0, |n, &b| n << 8 | u64::from(b)));
    block.restart();
    let mut beats: Source<Beat> = Source::new(stalls());
    let mut verdicts: Source<Verdict> = Source::new(stalls());
    let mut tails: Source<(bool, bool)> = Source::new(stalls());
    let mut jobs: VecDeque<Job> = VecDeque::new();
    let mut buffers: [Frames; 3] = Default::default(); // forward, host, control
    let mut ended: [Option<(Vec<u8>, bool)>; 3] = Default::default();
    let mut number = 0u32;
    // of the beats that were taken one and two cycles ago: whether it was its frame's last; then the frame, and what of it was forwarded
    let (mut taken_before, mut taken_earlier) = (None::<bool>, None::<bool>);
    let mut leaving: Option<Job> = None;
    let mut left: Option<(Job, Option<Sent>)> = None;
    let mut number2 = 0u32;
    let mut overflow = [false; 2];
    let mut sequence = 0u32;
    // of the frame that ended in the cycle before: its outcome, and the entry that it hit
    let mut end_seen = (None, None);
    let mut tally = [0u32; Outcome::ALL.len()];
    let (mut sent, mut done, mut cycle, mut total_beats, mut scarce) = (0, 0, 0, 0, false);
    while done < count {
        while beats.queue.len() < 8 && sent < count {
            let job = job(&mut rng, back);
            beats.queue.extend(Beat::of_frame(&job.frame, job.user));
            verdicts.queue.push_back(job.verdict);
            tails.queue.push_back((job.l4_ok, job.cover_ok));
            total_beats += job.frame.len().div_ceil(8) as u64;
            jobs.push_back(job);
            sent += 1;
        }
        let beat = beats.show(&mut rng).copied();
        let verdict = verdicts.show(&mut rng).copied();
        let tail = tails.show(&mut rng).copied();
        block.set_beat_valid(beat.is_some().into());
        block.set_verdict_valid(verdict.is_some().into());
        block.set_tail_valid(tail.is_some().into());
        // what is not valid may be anything
        block.set_beat(
            &beat.unwrap_or_else(|| Beat { data: rng.random(), cnt: 7, last: rng.random_range(0..2), user: 1 }).pack(),
        );
        block.set_verdict(verdict.unwrap_or(Verdict { host: 1, stop: 33, ..Default::default() }).pack::<1>()[0]);
        let job1 = leaving.as_ref().or(jobs.front()).filter(|_| taken_before.is_some());
        block.set_detail(&job1.map_or(Detail { code: 31, cover: 16, ..Default::default() }, |job| job.detail).pack());
        let (l4_ok, cover_ok) = tail.unwrap_or_else(|| rng.random());
        block.set_l4_ok(l4_ok.into());
        block.set_cover_ok(cover_ok.into());
        if rng.random_range(0..64) == 0 {
            scarce = rng.random();
        }
        // once over, over to the frame's end
        if scarce && rng.random_range(0..16) == 0 {
            overflow[rng.random_range(0..2)] = true;
        }
        if number2 > HOST_BEATS {
            overflow = [true; 2];
        }
        block.set_host_overflow(overflow[0].into());
        block.set_control_overflow(overflow[1].into());
        block.low();

        let reported = (block.outcome_valid() != 0).then(|| Outcome::from_code(block.outcome()).expect("an outcome"));
        let (outcome, hit) = std::mem::take(&mut end_seen);
        assert_eq!(reported, outcome, "a cycle after the host's end");
        let carried =
            (block.hit() != 0).then(|| (block.hit_place().into(), block.hit_bytes().into(), block.hit_flags().into()));
        assert_eq!(carried, hit);
        let writes = [block.fwd_write(), block.host_write(), block.control_write()].map(|w| w != 0);
        let taken = beat.is_some() && verdict.is_some() && beat.is_some_and(|b| b.last == 0 || tail.is_some());
        assert_eq!((block.take() != 0, block.take_last() != 0), (taken, taken && beat.is_some_and(|b| b.last == 1)));
        assert!(taken_before.is_some() || !writes[0], "a write without a beat");
        assert!(taken_earlier.is_some() || !(writes[1] || writes[2]), "a write without a beat");
        let starts = taken && number == 0 && jobs.front().is_some_and(|job| job.verdict.forward == 1);
        assert_eq!(block.starts() != 0, starts, "with the first beat");
        if writes[0] {
            ended[0] = buffers[0].add(&Beat::unpack(block.fwd_beat()));
        }
        for i in 1..3 {
            if writes[i] {
                ended[i] = buffers[i].add(&Beat::unpack(block.out_beat()));
            }
        }
        number2 += u32::from(taken_earlier.is_some());
        assert_eq!(block.detail_read() != 0, taken_before == Some(true));
        if taken_earlier == Some(true) {
            let (job, forwarded) = left.take().expect("a frame is leaving");
            let ends = [block.host_end() != 0, block.control_end() != 0];
            assert_eq!(ends, [job.verdict.host == 1, job.verdict.control == 1]);
            let keep = ends.contains(&true) && block.keep() != 0;
            let expected = expected(&job, back, overflow, sequence);
            let mut frame = |i: usize| ended[i].take();
            let found = Fate {
                outcome: expected.outcome, // comes later
                forwarded,
                host: frame(1).map(|f| f.0),
                control: frame(2).map(|f| f.0),
                kept: keep.then(|| RxMeta::from_words(*block.out_meta())),
            };
            assert_eq!(found, expected, "{:?}, {} bytes, error {}", job.verdict, job.frame.len(), job.user);
            let v = &job.verdict;
            tally[expected.outcome as usize] += 1;
            let hit = (expected.outcome == Outcome::Forwarded).then_some((
                job.detail.about & 0x3fff,
                v.stop - 13,
                job.detail.about >> 14 & 0xff,
            ));
            end_seen = (Some(expected.outcome), hit);
            sequence += u32::from(expected.kept.is_some());
            overflow = [false; 2];
            number2 = 0;
            done += 1;
        } else {
            assert_eq!([block.host_end(), block.control_end()], [0, 0]);
        }
        if taken_before == Some(true) {
            left = Some((leaving.take().expect("a frame is leaving"), ended[0].take()));
        }
        taken_earlier = taken_before;
        taken_before = taken.then(|| beat.is_some_and(|b| b.last == 1));
        if taken {
            number += 1;
            beats.taken();
        }
        if block.take_last() != 0 {
            leaving = jobs.pop_front();
            number = 0;
            verdicts.taken();
            tails.taken();
        }
        block.rise();
        cycle += 1;
    }
    println!("{:?}", Outcome::ALL.iter().zip(tally).collect::<Vec<_>>());
    (total_beats, cycle, tally)
}

#[test]
fn front_port() {
    let (.., tally) = run(false, FRAMES, Stalls::default, job);
    let met = |i| tally[i] > FRAMES / 1000 || i == Outcome::ToControl as usize;
    assert!((0..tally.len()).all(met), "each outcome");
}

#[test]
fn back_port() {
    let (.., tally) = run(true, FRAMES, Stalls::default, job);
    assert!(tally.iter().all(|&n| n > FRAMES / 1000), "each outcome");
}

#[test]
fn a_beat_each_cycle() {
    let (beats, cycles, _) = run(true, 10_000, Stalls::never, job);
    assert_eq!(cycles, beats + 2);
}

/// A MAC that lost the end: 160 KiB behind a packet are padding like any other.
#[test]
fn frames_without_end() {
    let endless = |rng: &mut SmallRng, back| {
        let mut job = job(rng, back);
        job.frame.resize(160 << 10, 0);
        job
    };
    run(false, 40, Stalls::never, endless);
    run(true, 40, Stalls::never, endless);
}

//! The read engine below a small completer: answers in any order, split anywhere allowed, refused or not answered
//! well, and a reader that stalls; data must be memory's, in the order of each client's requests.

use std::collections::VecDeque;

use ipos_verilated_blocks::layout::CompletionHeader;
use ipos_verilated_blocks::stream::{Sink, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, pcie_read, seeded};
use rand::Rng;
use rand::rngs::SmallRng;

const ID: u16 = 0x0123;
const CLIENTS: usize = 6;

/// Whose tag it is.
fn owner(tag: u64) -> usize {
    if tag < 16 { tag as usize / 4 } else { 2 + tag as usize / 8 }
}

/// Memory is a function of the address.
fn memory(address: u64) -> u64 {
    let x = (address ^ 0x9e37_79b9).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^ x >> 29
}

/// A read TLP that waits for its answers.
struct Open {
    tag: u64,
    address: u64,
    bytes: u64,
    done: u64,
    since: u64,
    refused: bool,
    /// It is never answered, and that many strobes of `age` have come since it was sent.
    lost: bool,
    strobes: u32,
    /// A reset has found it outstanding.
    forgotten: bool,
}

/// A completion as `Receive` hands it on: cycles of header, data and end.
#[derive(Default, Clone, Copy)]
struct Step {
    header: Option<CompletionHeader>,
    data: Option<u64>,
    ended: bool,
}

fn decode(beats: &[Beat]) -> (u64, u64, u64) {
    let word = |i: usize| ((beats[i / 2].data >> (32 * (i % 2))) as u32).swap_bytes();
    let (first, second) = (word(0), word(1));
    assert_eq!(first & 0xdfff_fc00, 0, "a memory read");
    assert_eq!(second & 0xffff_00ff, u32::from(ID) << 16 | 0xff, "requester, whole words");
    let wide = first >> 29 & 1 == 1;
    assert_eq!(beats[1].cnt, if wide { 7 } else { 3 });
    let address = if wide { u64::from(word(2)) << 32 | u64::from(word(3)) } else { word(2).into() };
    assert_eq!(wide, address >> 32 != 0, "four words of header above 4 GiB only");
    (u64::from(second >> 8 & 0xff), address, u64::from(first & 0x3ff) * 4)
}

/// One completion of an open read, up to a 64-byte boundary or its end.
fn answer(rng: &mut SmallRng, open: &mut Open, steps: &mut VecDeque<Step>) {
    let (at, left) = (open.address + open.done, open.bytes - open.done);
    let header = CompletionHeader {
        with_data: 1,
        length: 0,
        bytes: left,
        requester: ID.into(),
        tag: open.tag,
        lower: at & 0x7f,
        ..Default::default()
    };
    // a packet's first beat tells nothing yet
    for _ in 0..rng.random_range(1..5) {
        steps.push_back(Step::default());
    }
    if open.refused {
        // UR or CA; not by the book, but told by its header: with data
        let with_data = rng.random_range(0..2);
        let status = [1, 4][rng.random_range(0..2)];
        let header = CompletionHeader { with_data, status, length: with_data * 2, bytes: left, ..header };
        steps.push_back(Step { header: Some(header), ended: with_data == 0, ..Step::default() });
        if with_data == 1 {
            steps.push_back(Step { data: Some(rng.random()), ended: true, ..Step::default() });
        }
        open.done = open.bytes;
        return;
    }
    let to_border = 64 - at % 64;
    let pieces = left.saturating_sub(to_border).div_ceil(64);
    let take = left.min(to_border + 64 * rng.random_range(0..=pieces));
    steps.push_back(Step { header: Some(CompletionHeader { length: take / 4, ..header }), ..Step::default() });
    for i in 0..take / 8 {
        while rng.random_range(0..6) == 0 {
            steps.push_back(Step::default());
        }
        steps.push_back(Step { data: Some(memory(at + 8 * i)), ended: i + 1 == take / 8, ..Step::default() });
    }
    open.done += take;
}

/// `hard`: some answers never come, and the function is reset again and again while others are under way.
fn run(count: u32, refuse: u32, lazy: bool, hard: bool) {
    let mut rng = seeded();
    let mut block = pcie_read::Model::new(Some(rng.random()));
    block.set_id(ID);
    block.set_down(1);
    block.restart();
    block.set_down(0);
    let mrrs = rng.random_range(0..4);
    block.set_mrrs(mrrs);
    let limit = (128u64 << mrrs).min(256);
    let (mut tlps, mut data) = (Sink::new("m", Stalls::default()), Sink::new("d", Stalls::default()));
    let mut request: Option<(u64, u64, u64)> = None;
    // by client: asked for, not yet split; split, not yet drained: data; bytes left of each request, and whether a read of it was refused
    let mut asked: [VecDeque<(u64, u64)>; CLIENTS] = Default::default();
    let mut expected: [VecDeque<VecDeque<u64>>; CLIENTS] = Default::default();
    let mut failed: [VecDeque<(u64, bool)>; CLIENTS] = Default::default();
    let (mut open, mut steps, mut tlp) = (Vec::<Open>::new(), VecDeque::new(), Vec::new());
    let (mut sent, mut done, mut stalled, mut refused, mut strobes, mut cycle) = (0, 0, 0u32, 0, 0, 0u64);
    let (mut repeated, mut unexpected) = (0, 0);
    let (mut resets, mut in_reset) = (0, 0u32);
    while done < count || !hard && unexpected < repeated {
        cycle += 1;
        let age = hard && cycle % 3_000 == 0;
        block.set_age(age.into());
        if age {
            open.iter_mut().for_each(|o| o.strobes += 1);
            // three until it is given up, three more until it is forgotten, and of either the first may come at once; none of the
            // latter for one that a reset found outstanding
            open.retain(|o| !o.lost || o.strobes < 5);
        }
        in_reset = in_reset.saturating_sub(1);
        if hard && in_reset == 0 && rng.random_range(0..4_000) == 0 {
            // what was asked for is forgotten, its answers come all the same (base specification 6.6.2, one reading)
            in_reset = rng.random_range(20..200);
            (asked, expected, failed) = Default::default();
            (request, done) = (None, sent);
            tlp.clear();
            (tlps, data) = (Sink::new("m", Stalls::default()), Sink::new("d", Stalls::default()));
            resets += 1;
            for read in open.iter_mut().filter(|o| !o.forgotten && o.strobes < 4) {
                read.strobes += 2;
                read.forgotten = true;
            }
        }
        block.set_reset((in_reset > 0).into());
        assert!(cycle < 4_000 * u64::from(count), "no progress: {done} of {count}");
        if request.is_none() && in_reset == 0 && sent < count && rng.random_range(0..3) == 0 {
            let high = if rng.random() { rng.random_range(1..1u64 << 32) << 32 } else { 0 };
            let words = if rng.random() { rng.random_range(1..=256) } else { rng.random_range(1..9) };
            request =
                Some((high | u64::from(rng.random::<u32>() >> 1 & !7), 8 * words, rng.random_range(0..CLIENTS as u64)));
        }
        // a reader that stops for longer than answers take
        if lazy && stalled == 0 && rng.random_range(0..1000) == 0 {
            stalled = rng.random_range(200..3000);
        }
        stalled = stalled.saturating_sub(1);
        let ready = data.ready(&mut rng) && (stalled == 0);
        if let Some((address, length, client)) = request {
            block.set_address(address);
            block.set_length(length as u16);
            block.set_client(client as u8);
        }
        block.set_s_valid(request.is_some().into());
        block.set_m_ready(tlps.ready(&mut rng).into());
        block.set_d_ready(ready.into());
        let answerable: Vec<usize> = (0..open.len()).filter(|&i| !open[i].lost).collect();
        if steps.is_empty() && !answerable.is_empty() && rng.random_range(0..8) == 0 {
            let at = answerable[rng.random_range(0..answerable.len())];
            let read = &mut open[at];
            // no link is faster
            if cycle > read.since + 4 {
                answer(&mut rng, read, &mut steps);
            }
            if read.done == read.bytes {
                refused += u32::from(read.refused);
                open.swap_remove(at);
                // its last completion again, as close behind as can be: nobody waits for it any more; behind a reset somebody may
                if !hard && rng.random_range(0..8) == 0 {
                    let again: Vec<Step> = steps.iter().skip_while(|s| s.header.is_none()).copied().collect();
                    steps.push_back(Step::default());
                    steps.extend(again);
                    repeated += 1;
                }
            }
        }
        let step: Step = steps.pop_front().unwrap_or_default();
        let [low, high] = step.header.unwrap_or_default().pack();
        block.set_header(u64::from(high) << 32 | u64::from(low));
        block.set_header_valid(step.header.is_some().into());
        block.set_data(step.data.unwrap_or_else(|| rng.random()));
        block.set_data_valid(step.data.is_some().into());
        block.set_ended(step.ended.into());
        block.set_good(step.ended.into());
        block.low();
        assert!(block.poisoned() == 0 && (hard || block.timed_out() == 0));
        unexpected += u32::from(block.unexpected());
        strobes += u32::from(block.refused());
        if request.is_some() && block.s_ready() != 0 {
            let (address, length, client) = request.take().expect("shown");
            let client = client as usize;
            asked[client].push_back((address, length));
            expected[client].push_back((0..length / 8).map(|i| memory(address + 8 * i)).collect());
            failed[client].push_back((length, false));
            sent += 1;
        }
        // who takes packets and data is reset with the block
        if in_reset > 0 {
            block.rise();
            continue;
        }
        if let Some(beat) = tlps.look((block.m_valid() != 0).then(|| Beat::unpack(block.m_beat()))) {
            tlp.push(beat);
            if beat.last == 1 {
                let (tag, address, bytes) = decode(&tlp);
                tlp.clear();
                let client = owner(tag);
                let (next, left) = asked[client].front_mut().expect("asked for");
                assert_eq!(address, *next, "in order");
                assert_eq!(bytes, (limit - address % limit).min(*left), "to the next border");
                assert!(open.iter().all(|o| o.tag != tag) && tag < 32, "a tag is used once");
                (*next, *left) = (address + bytes, *left - bytes);
                let whole = *left == 0;
                if whole {
                    asked[client].pop_front();
                }
                let refused = rng.random_range(0..1000) < refuse;
                let lost = hard && rng.random_range(0..200) == 0;
                open.push(Open {
                    tag,
                    address,
                    bytes,
                    done: 0,
                    since: cycle,
                    refused,
                    lost,
                    forgotten: false,
                    strobes: 0,
                });
                let request = failed[client].iter_mut().find(|(left, _)| *left > 0).expect("of a request");
                (request.0, request.1) = (request.0 - bytes, request.1 | refused | lost);
            }
        }
        // a stall beyond the sink's own: the offer must stand all the same
        let shown = (block.d_valid() != 0).then(|| (Beat::unpack(block.d_beat()), u64::from(block.d_client())));
        let shown = data.look_at(shown, ready);
        if let Some((beat, client)) = shown {
            let client = client as usize;
            let words = expected[client].front_mut().expect("asked for");
            let word = words.pop_front().expect("not longer than asked for");
            let (_, bad) = failed[client][0];
            assert!(bad || beat.data == word, "request {done}: {:x}, not {word:x}", beat.data);
            assert_eq!((beat.last == 1, beat.user == 1), (words.is_empty(), words.is_empty() && bad));
            if words.is_empty() {
                expected[client].pop_front();
                failed[client].pop_front();
                done += 1;
            }
        }
        block.rise();
    }
    if !hard {
        assert_eq!((strobes, unexpected), (refused, repeated), "each refusal and each repetition is counted");
    }
    assert!(refuse == 0 || refused > 0);
    assert!(!hard || resets > 20);
}

#[test]
fn data_comes_in_order_whatever_the_order_of_the_answers() {
    run(6_000, 0, false, false);
}

/// The buffer of a tag is not given away while its last word still waits to be taken.
#[test]
fn a_reader_that_stops_for_long_loses_nothing() {
    run(6_000, 0, true, false);
}

#[test]
fn refusals_fail_their_request_alone() {
    run(3_000, 60, false, false);
}

/// A tag is nobody's while an answer to it may still come: lost ones time out, resets come at any time.
#[test]
fn no_tag_is_used_while_it_may_be_answered() {
    run(6_000, 20, false, true);
}

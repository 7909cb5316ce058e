//! The fabric's promises in clock cycles: rates, latency, frames without a gap.

mod flows;

use flows::{ENDPOINT, FORWARD, MISS, Tcp, Udp, count, encapsulated, packet, plain, received};
use ipos_abi::Port::{self, Back, Front};
use ipos_abi::rx::Outcome;
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::rtl::{Fabric, Narrow, RtlCard};

/// Cycles from a frame's first beat in to its first beat out, on a forward hit without options (`docs/datapath.md`).
const LATENCY: u64 = 24;

/// Front wire, back wire, receive queue, control queue: whether a beat that is shown is its frame's last, and ready.
fn outputs(m: &Narrow) -> [(Option<bool>, bool); 4] {
    std::array::from_fn(|i| {
        let (beat, ready) = m.shown(i);
        (beat.map(|(.., last, _)| last), ready)
    })
}

/// An output's number in [`outputs`].
const FRONT_WIRE: usize = 0;
const BACK_WIRE: usize = 1;
const RECEIVE: usize = 2;

/// What a run was seen to do.
#[derive(Default)]
struct Log {
    /// Cycle of the first beat that an input took.
    first_in: Option<u64>,
    /// Cycles in which an input's beat had to wait, front and back.
    refused: [u64; 2],
    /// Per output: cycle of each frame's first and last beat, and its number of beats.
    frames: [Vec<(u64, u64, u64)>; 4],
    open: [Option<(u64, u64)>; 4],
}

impl Log {
    fn tick(&mut self, card: &mut RtlCard) {
        let cycle = card.cycles();
        let (inputs, outputs) = card.tick_seen(|m| {
            let front = (m.front_rx_tvalid() != 0, m.front_rx_tready() != 0);
            let back = (m.back_rx_tvalid() != 0, m.back_rx_tready() != 0);
            ([front, back], outputs(m))
        });
        for (refused, (valid, ready)) in self.refused.iter_mut().zip(inputs) {
            *refused += u64::from(valid && !ready);
            if valid && ready {
                self.first_in.get_or_insert(cycle);
            }
        }
        for (i, (beat, ready)) in outputs.into_iter().enumerate() {
            let Some(last) = beat.filter(|_| ready) else { continue };
            let (first, beats) = self.open[i].map_or((cycle, 1), |(first, beats)| (first, beats + 1));
            self.open[i] = Some((first, beats));
            if last {
                self.frames[i].push((first, cycle, beats));
                self.open[i] = None;
            }
        }
    }

    /// Feeds frames without a gap, and runs until the card is idle.
    fn flood(card: &mut RtlCard, frames: &[(Port, Vec<u8>)], times: usize) -> Log {
        let mut log = Log::default();
        for _ in 0..times {
            for (port, frame) in frames {
                while !card.wire_in(*port, frame, false) {
                    log.tick(card);
                }
            }
        }
        log.settle(card);
        log
    }

    fn settle(&mut self, card: &mut RtlCard) {
        let mut frame = Vec::new();
        while card.run(0) {
            self.tick(card);
            while card.host_out(Queue::Receive, &mut frame).is_some() {}
        }
    }

    /// Cycles between the ends of frames that follow each other on an output.
    fn spacing(&self, output: usize) -> Vec<u64> {
        self.frames[output].windows(2).map(|w| w[1].1 - w[0].1).collect()
    }
}

fn card() -> RtlCard {
    let mut card = RtlCard::with_seed(1);
    flows::set_up(&mut card);
    card
}

#[test]
fn forty_byte_packets_leave_every_nine_cycles() {
    // 54 and 60 bytes in are 7 and 8 beats, 70 out are 9: the excess is dropped whole and counted
    for padding in [0, 6] {
        let mut card = card();
        let frame = [plain(&packet(Tcp, FORWARD, 0, 0)), vec![0; padding]].concat();
        let log = Log::flood(&mut card, &[(Front, frame)], 1000);
        let forwarded = count(&mut card, Front, Outcome::Forwarded);
        let dropped = count(&mut card, Front, Outcome::DropForwardFull);
        println!("{padding} bytes of padding: {forwarded} forwarded, {dropped} dropped");
        assert_eq!(forwarded + dropped, 1000);
        assert!(dropped > 0);
        assert_eq!(log.frames[BACK_WIRE].len() as u64, forwarded);
        assert!(log.spacing(BACK_WIRE).iter().all(|&cycles| cycles == 9), "{:?}", log.spacing(BACK_WIRE));
        assert_eq!(log.refused, [0, 0]);
    }
    // at the rate that goes out, nothing is dropped
    let (mut card, mut log) = (card(), Log::default());
    for _ in 0..1000 {
        assert!(card.wire_in(Front, &plain(&packet(Tcp, FORWARD, 0, 0)), false));
        (0..9).for_each(|_| log.tick(&mut card));
    }
    log.settle(&mut card);
    assert_eq!(count(&mut card, Front, Outcome::Forwarded), 1000);
    assert!(log.spacing(BACK_WIRE).iter().all(|&cycles| cycles == 9));
}

#[test]
fn a_frame_costs_the_longer_of_its_input_and_output_beats() {
    let long = |client| plain(&packet(Tcp, client, 0, 1460));
    let short = |client| plain(&packet(Tcp, client, 0, 0));
    for (name, port, frame, output, cycles) in [
        ("1,514 bytes to forward", Front, long(FORWARD), BACK_WIRE, 192),
        ("1,514 bytes to the host", Front, long(MISS), RECEIVE, 190),
        ("54 bytes to the host", Front, short(MISS), RECEIVE, 7),
        ("1,500 bytes of ipOS to the host", Back, encapsulated(&packet(Tcp, ENDPOINT, 0, 1430)), RECEIVE, 188),
        ("70 bytes of ipOS to the host", Back, encapsulated(&packet(Tcp, ENDPOINT, 0, 0)), RECEIVE, 9),
        ("70 bytes of ipOS to re-forward", Back, encapsulated(&packet(Tcp, FORWARD, 0, 0)), BACK_WIRE, 9),
    ] {
        let mut card = card();
        let times = if output == BACK_WIRE && port == Front { 2 } else { 200 };
        let log = Log::flood(&mut card, &[(port, frame)], times);
        assert_eq!(log.frames[output].len(), times, "{name}");
        assert!(log.spacing(output).iter().all(|&c| c == cycles), "{name}: {:?}", log.spacing(output));
        assert_eq!(log.refused, [0, 0], "{name}");
    }
    // host to wire
    for (port, output) in [(Front, FRONT_WIRE), (Back, BACK_WIRE)] {
        let (mut card, mut log) = (card(), Log::default());
        for _ in 0..50 {
            assert!(card.host_in(port, &vec![1; 1514], None));
        }
        log.settle(&mut card);
        assert_eq!(log.spacing(output), [190; 49]);
    }
}

#[test]
fn both_ports_take_a_beat_each_cycle_at_once() {
    let mut card = card();
    let mix = |port: Port, i: usize| {
        let client = [FORWARD, MISS, ENDPOINT][i % 3];
        let packet = packet(if i.is_multiple_of(2) { Tcp } else { Udp }, client, i % 11 * 4, 18 + i % 13);
        if port == Front { plain(&packet) } else { encapsulated(&packet) }
    };
    let frames: Vec<_> = (0..66).flat_map(|i| [(Front, mix(Front, i)), (Back, mix(Back, i))]).collect();
    let log = Log::flood(&mut card, &frames, 40);
    assert_eq!(log.refused, [0, 0]);
    for port in Port::ALL {
        assert_eq!(received(&mut card, port), 66 * 40);
    }
}

#[test]
fn latency_and_no_gap_within_a_frame() {
    let (mut shortest, mut longest) = (u64::MAX, 0);
    for protocol in [Tcp, Udp] {
        for options in [0, 4, 40] {
            for data in (0..80).chain([200, 700, 1400]) {
                for port in Port::ALL {
                    let mut card = card();
                    let packet = packet(protocol, FORWARD, options, data);
                    let mut frame = if port == Front { plain(&packet) } else { encapsulated(&packet) };
                    frame.resize(frame.len().max(60), 0);
                    let log = Log::flood(&mut card, &[(port, frame)], 1);
                    let at = (protocol, options, data, port);
                    let &[(first, last, beats)] = &log.frames[BACK_WIRE][..] else { panic!("{at:?}: one frame out") };
                    assert_eq!(last - first + 1, beats, "{at:?}: a MAC runs dry when a frame has a gap");
                    if port == Front && options == 0 {
                        let latency = first - log.first_in.unwrap();
                        shortest = shortest.min(latency);
                        longest = longest.max(latency);
                    }
                }
            }
        }
    }
    println!("first beat in to first beat out: {shortest} to {longest} cycles");
    assert!(longest <= LATENCY, "{longest}");
}

#[test]
fn no_gap_within_a_frame_under_load() {
    let mut card = card();
    // long behind short, padded behind options: each kind makes the next wait differently
    let frames: Vec<_> = (0..40)
        .map(|i| {
            let mut frame =
                plain(&packet(if i % 3 == 0 { Udp } else { Tcp }, FORWARD, i % 11 * 4, [0, 300, 17][i % 3]));
            frame.resize(frame.len().max(60), 0);
            (Front, frame)
        })
        .collect();
    let log = Log::flood(&mut card, &frames, 20);
    assert!(log.frames[BACK_WIRE].len() > 400);
    for &(first, last, beats) in &log.frames[BACK_WIRE] {
        assert_eq!(last - first + 1, beats);
    }
}

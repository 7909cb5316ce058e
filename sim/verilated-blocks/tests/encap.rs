//! The encapsulator against `ipos_abi::wire`: every byte of the new headers, every length, and its price.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use ipos_abi::table::Protocol;
use ipos_abi::wire::ipos;
use ipos_verilated_blocks::stream::{Frames, Sink, Source, Stalls};
use ipos_verilated_blocks::{Beat, Clocked, Route, encap, seeded};
use rand::Rng;
use rand::rngs::SmallRng;

const ETHERTYPE: u16 = 0x88b5;
const MAC: [u8; 6] = [0x02, 0xfe, 0xdc, 0xba, 0x98, 0x76];

fn mac(value: u64) -> [u8; 6] {
    value.to_be_bytes()[2..].try_into().expect("six bytes")
}

fn route(rng: &mut SmallRng) -> Route {
    // sums with all their carries are rare among random ones
    let mut word =
        |bits: u32| if rng.random_range(0..8) == 0 { (1 << bits) - 1 } else { rng.random::<u64>() >> (64 - bits) };
    Route {
        mac: word(48),
        src_ip: word(32),
        src_port: word(16),
        dst_ip: word(32),
        dst_port: word(16),
        udp: word(1),
        beats: word(8),
    }
}

fn expected(route: &Route, packet: &[u8]) -> Vec<u8> {
    let mut header = [0; 16];
    let address = |ip: u64, port: u64| SocketAddrV4::new((ip as u32).into(), port as u16);
    ipos::Repr {
        client: address(route.src_ip, route.src_port),
        owner: address(route.dst_ip, route.dst_port),
        kind: ipos::Type::Packet,
        protocol: if route.udp == 1 { Protocol::Udp } else { Protocol::Tcp },
    }
    .emit(&mut header)
    .expect("sixteen bytes");
    [&mac(route.mac)[..], &MAC, &ETHERTYPE.to_be_bytes(), &header, packet].concat()
}

/// Sends packets of these lengths; the cycles from the first beat that came out to the last.
fn run(lengths: impl Iterator<Item = usize>, stalls: fn() -> Stalls) -> u64 {
    let mut rng = seeded();
    let mut lengths = lengths.peekable();
    let mut block = encap::Model::new(Some(rng.random()));
    block.set_mac(u64::from_be_bytes([0, 0, MAC[0], MAC[1], MAC[2], MAC[3], MAC[4], MAC[5]]));
    block.set_ethertype(ETHERTYPE);
    block.restart();
    let mut source: Source<(Beat, Route)> = Source::new(stalls());
    let mut sink = Sink::new("m", stalls());
    let mut frames = Frames::default();
    let mut due: VecDeque<(Vec<u8>, bool)> = VecDeque::new();
    let (mut cycle, mut first) = (0, None);
    while lengths.peek().is_some() || !due.is_empty() {
        while source.queue.len() < 16
            && let Some(length) = lengths.next()
        {
            let (route, user) = (route(&mut rng), rng.random_range(0..16) == 0);
            let mut frame = vec![0; 14 + length];
            rng.fill(&mut frame[..]);
            due.push_back((expected(&route, &frame[14..]), user));
            source.queue.extend(Beat::of_frame(&frame[8..], user).into_iter().map(|beat| (beat, route)));
        }
        let shown = source.show(&mut rng);
        block.set_s_valid(shown.is_some().into());
        block.set_s_route_valid(shown.is_some().into());
        if let Some((beat, route)) = shown {
            block.set_s_beat(&beat.pack());
            block.set_s_route(&route.pack());
        }
        block.set_m_ready(sink.ready(&mut rng).into());
        block.low();
        if block.s_valid() & block.s_ready() != 0 {
            source.taken();
        }
        let shown = (block.m_valid() != 0).then(|| Beat::unpack(block.m_beat()));
        if let Some(beat) = sink.look(shown) {
            first.get_or_insert(cycle);
            if let Some(frame) = frames.add(&beat) {
                assert_eq!(Some(frame), due.pop_front());
            }
        }
        block.rise();
        cycle += 1;
    }
    cycle - first.expect("frames came out")
}

#[test]
fn random_packets() {
    let mut rng = seeded();
    let lengths = (0..100_000).map(|_| match rng.random_range(0..40) {
        0 => rng.random_range(1..20), // less than a header: no packet of ours, but no reason to fail
        1 | 2 => rng.random_range(100..1500),
        _ => rng.random_range(20..100),
    });
    run(lengths, Stalls::default);
}

#[test]
fn every_length() {
    run(1..=2034, Stalls::default);
}

#[test]
fn a_packet_of_forty_bytes_costs_its_nine_beats() {
    assert_eq!(run(std::iter::repeat_n(40, 10_000), Stalls::never), 90_000);
}

#[test]
fn offers_before_anyone_is_ready() {
    let mut block = encap::Model::new(None);
    block.restart();
    block.set_m_ready(0);
    // headers need no beat
    block.set_s_route_valid(1);
    for _ in 0..1 {
        block.low();
        assert_eq!(block.m_valid(), 0);
        block.rise();
    }
    block.low();
    assert_eq!(block.m_valid(), 1);
}

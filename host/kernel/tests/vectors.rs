//! What the reference card does not do, or not so: ICMP errors, UDP transport, the fence, holds behind XDP, deliveries, one
//! interface for both. Frames and headers are etherparse's.

mod rig;

use std::net::SocketAddrV4;

use etherparse::{Icmpv4Type, NetSlice, PacketBuilder, SlicedPacket, TransportSlice, icmpv4};
use ipos_abi::Port;
use ipos_abi::rx::{Outcome, Reason};
use ipos_abi::table::FlowKey;
use ipos_kernel::layout::{COUNT_FENCED, COUNT_ICMP, COUNT_LATE, COUNT_UNFINISHED};
use ipos_kernel::ring::Event;
use ipos_kernel::table::{Action, Entry, Limit, Peer};
use ipos_kernel::{Config, Hook, KernelCard, Udp};
use ipos_sim::wire::Wire;
use ipos_sim::wire::packet::Packet;
use rig::{BACK_MAC, CLIENT_MAC, FRONT_MAC, PEER_MAC, Rig, answer, flow, forward, from_peer, segment, wait};

fn start() -> (Rig, KernelCard) {
    start_with(rig::config())
}

fn start_with(config: Config) -> (Rig, KernelCard) {
    let rig = Rig::new(FRONT_MAC, BACK_MAC);
    let mut card = rig.card(config);
    card.set_peer(0, Some(&Peer::Mac(PEER_MAC))).unwrap();
    (rig, card)
}

/// An ICMP error of a router about a packet that the service sent to the client.
fn unreachable(key: &FlowKey) -> Vec<u8> {
    let quoted = &answer(key, false)[14..14 + 28];
    let error =
        Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1400 });
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, FRONT_MAC).ipv4([10, 0, 0, 1], key.dst_ip, 64);
    builder.icmpv4(error).write(&mut frame, quoted).unwrap();
    frame
}

fn outcome(card: &KernelCard, port: Port, outcome: Outcome) -> u64 {
    card.counters().unwrap().outcome(port, outcome)
}

#[test]
fn an_icmp_error_follows_the_flow_that_it_quotes() {
    if !rig::allowed() {
        return;
    }
    let (mut rig, mut card) = start();
    let [away, here, other] = [1, 2, 3].map(flow);
    card.set(&away, &forward()).unwrap();
    card.set(&here, &Entry { endpoint: Some(5), ..Entry::default() }).unwrap();

    rig.front_far.send(&unreachable(&other)).unwrap();
    assert_eq!(rig::next(&mut rig.front, "an error about nobody's flow"), unreachable(&other));
    rig.front_far.send(&unreachable(&away)).unwrap();
    let sent = rig::next(&mut rig.back_far, "the error about a flow that has moved");
    // the header names the flow's client, not the router
    let expected = [&PEER_MAC[..], &BACK_MAC, &from_peer(&away, &[])[12..30], &unreachable(&away)[14..]].concat();
    assert_eq!(sent, expected);
    assert_eq!(card.counters().unwrap().get(Port::Front, COUNT_ICMP), 1);

    // the owner takes it, and another node sends it on or asks its own
    rig.back_far.send(&from_peer(&here, &unreachable(&here)[14..])).unwrap();
    assert_eq!(rig::next(&mut rig.front, "the error at the owner")[14..], unreachable(&here)[14..]);
    rig.back_far.send(&from_peer(&other, &unreachable(&other)[14..])).unwrap();
    let mut frame = Vec::new();
    let record = wait("the error about an unknown flow", || card.receive(&mut frame));
    assert_eq!(
        (record.reason, record.decapsulated, &frame[14..]),
        (Reason::Protocol, true, &unreachable(&other)[14..])
    );
}

#[test]
fn packets_travel_over_udp_and_their_hops_are_bounded() {
    if !rig::allowed() {
        return;
    }
    let own: SocketAddrV4 = "10.8.0.1:7777".parse().unwrap();
    let (mut rig, mut card) = start_with(Config { udp: Some(Udp { own }), ..rig::config() });
    let peer: SocketAddrV4 = "10.8.0.2:7778".parse().unwrap();
    card.set_peer(0, Some(&Peer::Udp { via: PEER_MAC, to: peer })).unwrap();
    let [away, here] = [1, 2].map(flow);
    card.set(&away, &forward()).unwrap();
    card.set(&here, &Entry { endpoint: Some(5), ..Entry::default() }).unwrap();

    // as etherparse reads it, and its own packet with the same fields byte for byte
    let read = |frame: &[u8]| {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(NetSlice::Ipv4(ip)) = packet.net else { panic!("{frame:02x?}") };
        let Some(TransportSlice::Udp(udp)) = packet.transport else { panic!("{frame:02x?}") };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!((header.source, header.destination), (own.ip().octets(), peer.ip().octets()));
        assert_eq!((udp.destination_port(), udp.checksum()), (7778, 0));
        (header.time_to_live, udp.source_port(), udp.payload().to_vec())
    };
    rig.front_far.send(&segment(&away, b"question")).unwrap();
    let (ttl, port, payload) = read(&rig::next(&mut rig.back_far, "the packet over UDP"));
    assert_eq!(payload, [&from_peer(&away, &[])[14..], &segment(&away, b"question")[14..]].concat());
    rig.front_far.send(&segment(&away, b"more")).unwrap();
    assert_eq!(read(&rig::next(&mut rig.back_far, "the next packet")).1, port, "one flow, one source port");

    let arrive = |rig: &mut Rig, key: &FlowKey, ttl: u8, from: [u8; 4]| {
        let payload = &from_peer(key, &segment(key, b"on")[14..])[14..];
        let builder = PacketBuilder::ethernet2(PEER_MAC, BACK_MAC).ipv4(from, own.ip().octets(), ttl);
        let mut frame = Vec::new();
        builder.udp(50_000, own.port()).write(&mut frame, payload).unwrap();
        rig.back_far.send(&frame).unwrap();
    };
    arrive(&mut rig, &here, 9, [10, 8, 0, 3]);
    assert_eq!(rig::next(&mut rig.front, "the packet at the owner")[14..], segment(&here, b"on")[14..]);
    arrive(&mut rig, &away, ttl, [10, 8, 0, 3]);
    assert_eq!(read(&rig::next(&mut rig.back_far, "the packet sent on")).0, ttl - 1);
    // back to where it came from, and at its last hop
    arrive(&mut rig, &away, ttl, peer.ip().octets());
    arrive(&mut rig, &away, 1, [10, 8, 0, 3]);
    wait("two drops", || (outcome(&card, Port::Back, Outcome::DropLoop) == 2).then_some(()));

    // a control frame comes up with its sender
    let mut control = [0u8; 16];
    control[12] = 0x88;
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2(PEER_MAC, BACK_MAC).ipv4(peer.ip().octets(), own.ip().octets(), 9);
    builder.udp(50_001, own.port()).write(&mut frame, &control).unwrap();
    rig.back_far.send(&frame).unwrap();
    let record = wait("the control frame", || card.control(&mut frame));
    assert_eq!(record.from, Some(SocketAddrV4::new(*peer.ip(), 50_001)));
    assert_eq!(frame, [&BACK_MAC[..], &PEER_MAC, &[0x88, 0xb5], &control].concat());
}

#[test]
fn a_fence_stops_what_this_kernel_answers_and_ends_of_local_endpoints_are_events() {
    if !rig::allowed() {
        return;
    }
    let (mut rig, mut card) = start();
    let [fenced, local, other] = [1, 2, 3].map(flow);
    card.set(&fenced, &Entry { fence: true, ..Entry::default() }).unwrap();
    card.set(&local, &Entry { endpoint: Some(1), ..Entry::default() }).unwrap();
    rig.front.send(&answer(&fenced, true)).unwrap();
    rig.front.send(&answer(&local, false)).unwrap();
    rig.front.send(&answer(&local, true)).unwrap();
    rig.front.send(&answer(&other, true)).unwrap();
    for expected in [answer(&local, false), answer(&local, true), answer(&other, true)] {
        assert_eq!(rig::next(&mut rig.front_far, "an answer"), expected);
    }
    // a packet socket hears of the drop, and the rig's sends once more
    assert_eq!(card.counters().unwrap().get(Port::Front, COUNT_FENCED), 2);
    let event = wait("the end", || card.event());
    assert_eq!(event, Event { key: local, tcp_flags: 0x11, sent: true });
    assert_eq!(card.event(), None);
    // the last one gone, nothing is looked at
    card.remove(&fenced).unwrap();
    rig.front.send(&answer(&fenced, true)).unwrap();
    assert_eq!(rig::next(&mut rig.front_far, "an answer of a flow that is fenced no more"), answer(&fenced, true));
}

#[test]
fn a_held_flow_is_held_behind_xdp_too_and_the_nodes_own_frames_pass() {
    if !rig::allowed() {
        return;
    }
    let (mut rig, mut card) = start();
    // a way into the front's ingress that passes no XDP: what had passed it before the hold stands there
    rig::ip("link add aside type veth peer name aside_far");
    rig::ip("link set aside up");
    rig::ip("link set aside_far up");
    rig::command("tc", &["qdisc", "add", "dev", "aside", "clsact"]);
    let redirect =
        "filter add dev aside ingress protocol all u32 match u32 0 0 action mirred ingress redirect dev front";
    rig::command("tc", &redirect.split(' ').collect::<Vec<_>>());
    let mut aside = Packet::open("aside_far").unwrap();

    let hold = |card: &mut KernelCard| {
        let limit = Limit { heartbeat: true, ..Limit::default() };
        card.set(&flow(1), &Entry { action: Action::Host, limit, ..Entry::default() }).unwrap();
        card.heartbeat().unwrap();
    };
    // a packet socket sees it either way: before TCX
    aside.send(&segment(&flow(1), b"no hold")).unwrap();
    rig::next(&mut rig.front, "the frame");
    let mut frame = Vec::new();
    assert_eq!(card.receive(&mut frame), None);
    for payload in [&b"held"[..], &[7; 1000]] {
        hold(&mut card);
        aside.send(&segment(&flow(1), payload)).unwrap();
        let record = wait("the frame", || card.receive(&mut frame));
        assert_eq!((record.reason, record.late, &frame), (Reason::Action, true, &segment(&flow(1), payload)));
    }
    hold(&mut card);
    rig.front_far.send(&segment(&flow(1), b"by XDP")).unwrap();
    let record = wait("the frame", || card.receive(&mut frame));
    assert_eq!((record.late, record.sequence, &frame), (false, 2, &segment(&flow(1), b"by XDP")));
    // the stack's own counter tells that a delivery got through to IP
    let received = || {
        let text = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let line = text.lines().filter(|l| l.starts_with("Ip:")).nth(1).unwrap().to_owned();
        line.split(' ').nth(3).unwrap().parse::<u64>().unwrap()
    };
    let before = received();
    hold(&mut card);
    card.deliver(&segment(&flow(1), b"delivered")).unwrap();
    wait("the delivery", || (received() == before + 1).then_some(()));
    assert_eq!(card.receive(&mut frame), None);
    assert_eq!(card.counters().unwrap().get(Port::Front, COUNT_LATE), 2);
}

#[test]
fn one_interface_serves_both_networks() {
    if !rig::allowed() {
        return;
    }
    let (mut rig, mut card) = start_with(Config { back: "front".to_owned(), ..rig::config() });
    card.set(&flow(1), &forward()).unwrap();
    card.set(&flow(2), &Entry { endpoint: Some(1), ..Entry::default() }).unwrap();
    rig.front_far.send(&segment(&flow(1), b"question")).unwrap();
    let sent = rig::next(&mut rig.front_far, "the packet");
    let ipos = &from_peer(&flow(1), &segment(&flow(1), b"question")[14..])[12..];
    assert_eq!(sent, [&PEER_MAC[..], &FRONT_MAC, ipos].concat());
    let mut arriving = from_peer(&flow(2), &segment(&flow(2), b"question")[14..]);
    arriving[..6].copy_from_slice(&FRONT_MAC);
    rig.front_far.send(&arriving).unwrap();
    assert_eq!(rig::next(&mut rig.front, "the packet at the owner")[14..], segment(&flow(2), b"question")[14..]);
    let counters = card.counters().unwrap();
    assert_eq!(counters.outcome(Port::Front, Outcome::Forwarded), 1);
    assert_eq!(counters.outcome(Port::Back, Outcome::ToHost), 1);
}

#[test]
fn a_checksum_that_was_left_to_hardware_is_counted() {
    if !rig::allowed() {
        return;
    }
    let (mut rig, mut card) = start();
    card.set(&flow(1), &forward()).unwrap();
    let whole = segment(&flow(1), b"question");
    rig.front_far.send(&whole).unwrap();
    rig::next(&mut rig.back_far, "the packet");
    assert_eq!(card.counters().unwrap().get(Port::Front, COUNT_UNFINISHED), 0);
    // RFC 9293, 3.1: the pseudo-header; a stack that offloads writes its sum alone
    let mut unfinished = whole;
    let sum = etherparse::checksum::Sum16BitWords::new()
        .add_4bytes(flow(1).src_ip)
        .add_4bytes(flow(1).dst_ip)
        .add_2bytes([0, 6])
        .add_2bytes(((unfinished.len() - 34) as u16).to_be_bytes())
        .ones_complement();
    unfinished[50..52].copy_from_slice(&(!sum).to_ne_bytes());
    rig.front_far.send(&unfinished).unwrap();
    rig::next(&mut rig.back_far, "the packet");
    assert_eq!(card.counters().unwrap().get(Port::Front, COUNT_UNFINISHED), 1);
}

#[test]
fn reforwarding_is_bounded() {
    if !rig::allowed() {
        return;
    }
    // one more packet a second than the burst: the test is over long before
    let (mut rig, mut card) = start_with(Config { reforward: Some(1), ..rig::config() });
    card.set_peer(0, Some(&Peer::Mac(CLIENT_MAC))).unwrap();
    card.set(&flow(1), &forward()).unwrap();
    let rounds = 200;
    for _ in 0..rounds {
        rig.back_far.send(&from_peer(&flow(1), &segment(&flow(1), b"on")[14..])).unwrap();
    }
    let counts = wait("all of them", || {
        let all = (outcome(&card, Port::Back, Outcome::Forwarded), outcome(&card, Port::Back, Outcome::DropRate));
        (all.0 + all.1 == rounds).then_some(all)
    });
    // 16 for each processor that a frame met, and one a second
    assert!(counts.0 >= 16 && counts.1 > 0, "{counts:?}");
}

#[test]
fn the_kernel_measures_each_program() {
    if !rig::allowed() {
        return;
    }
    let (mut rig, mut card) = start();
    card.set(&flow(1), &forward()).unwrap();
    let frames = 500;
    let work = || {
        for _ in 0..frames {
            rig.front_far.send(&segment(&flow(1), b"question")).unwrap();
            rig::next(&mut rig.back_far, "the packet");
        }
    };
    let measured = card.measure(work).unwrap();
    let (_, nanoseconds, runs) = measured.iter().find(|(hook, ..)| *hook == Hook::Front).unwrap();
    assert!(*runs == frames && *nanoseconds > 0, "{measured:?}");
    eprintln!("{} ns a forwarded packet, one at a time, one key", nanoseconds / runs);
}

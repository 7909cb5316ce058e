//! Steps 11 to 13: the tables, what is sent, and the way to the host.

use ipos_abi::Port::{Back, Front};
use ipos_abi::regs::{ENABLE, counters, mac_words, tables};
use ipos_abi::rx::{L3, L4, Outcome, Reason};
use ipos_abi::table::{FORWARD_INDEX_BITS, FlowKey, hash};
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::model::ModelConfig;

use crate::rig::*;

/// ipOS headers that the card writes for destination 5.
const OUT_TCP: &str = "0a00000103e8ac100009138902013073";
const OUT_UDP: &str = "0a00000107d0ac100009138902022c8a";
const HOST: u32 = 1 << 8;
const DROP: u32 = 2 << 8;

fn sent(ipos: &str, ip: &str, rest: &str) -> Seen {
    Seen::Sent(frame(&[PEER, BACK, "0007", ipos, ip, rest]))
}

#[test]
fn step_11_endpoint_table() {
    let data = from_peer(IN_TCP, &frame(&[TCP_IP, TCP]));
    let inner = frame(&[FRONT, PEER, "0800", TCP_IP, TCP]);
    let bad = put(&data, 41, "ef");
    let plain = from_client(TCP_IP, TCP);
    for bank in 0..4 {
        let mut rig = Rig::new();
        rig.forward(&TCP_KEY, bank, DROP);
        rig.endpoint(&TCP_KEY, bank, 0xdead_beef);
        let hit = |l3, l4, hex: &str| host(Reason::Endpoint, l3, l4, hex).decap().reference(0xdead_beef);
        rig.check(
            Back,
            &[
                ("before the forward table", data.clone(), hit(L3::Ok, L4::Valid, &inner)),
                (
                    "a bad header checksum does not matter here",
                    bad.clone(),
                    hit(L3::BadChecksum, L4::NotChecked, &put(&inner, 25, "ef")),
                ),
            ],
        );
        rig.check(Front, &[("not for the front port", plain.clone(), Seen::Drop(Outcome::DropTable))]);
    }
}

#[test]
fn step_12_actions() {
    let plain = from_client(TCP_IP, TCP);
    let data = from_peer(IN_TCP, &frame(&[TCP_IP, TCP]));
    let bad = put(&plain, 25, "ef");
    let mut rig = Rig::new();
    rig.forward(&TCP_KEY, 2, HOST | 5);
    rig.check(
        Front,
        &[
            ("host", plain.clone(), host(Reason::Action, L3::Ok, L4::Valid, &plain)),
            ("host, bad header", bad.clone(), host(Reason::Action, L3::BadChecksum, L4::NotChecked, &bad)),
        ],
    );
    let inner = frame(&[FRONT, PEER, "0800", TCP_IP, TCP]);
    rig.check(Back, &[("host, decapsulated", data.clone(), host(Reason::Action, L3::Ok, L4::Valid, &inner).decap())]);
    rig.forward(&TCP_KEY, 2, DROP | 5);
    rig.check(Front, &[("drop", plain.clone(), Seen::Drop(Outcome::DropTable))]);
    rig.check(Front, &[("drop, bad header", bad, Seen::Drop(Outcome::DropTable))]);
    assert_eq!(rig.send(Front, &plain, true), Seen::Drop(Outcome::DropTable), "a drop is final");
    rig.check(Back, &[("drop, decapsulated", data, Seen::Drop(Outcome::DropTable))]);
}

#[test]
fn step_12_forward() {
    let tcp = from_client(TCP_IP, TCP);
    let options = "47000034123440004006bedf0a000001c0a807010101010194040000";
    let wrong_tcp = put(TCP, 23, "65");
    let long = "4500002d12344000400656ed0a000001c0a80701";
    let bad = put(&tcp, 25, "ef");
    let mut rig = Rig::new();
    rig.forward(&TCP_KEY, 1, 5);
    rig.forward(&UDP_KEY, 3, 5);
    rig.check(
        Front,
        &[
            ("TCP", tcp.clone(), sent(OUT_TCP, TCP_IP, TCP)),
            ("UDP", from_client(UDP_IP, UDP), sent(OUT_UDP, UDP_IP, UDP)),
            ("padding is cut", frame(&[&from_client(UDP_IP, UDP), "0000"]), sent(OUT_UDP, UDP_IP, UDP)),
            ("options", from_client(options, TCP), sent(OUT_TCP, options, TCP)),
            ("a bad TCP checksum is the owner's", from_client(TCP_IP, &wrong_tcp), sent(OUT_TCP, TCP_IP, &wrong_tcp)),
            ("no loop from the front", put(&tcp, 6, PEER), sent(OUT_TCP, TCP_IP, TCP)),
            ("12.1", bad.clone(), Seen::Drop(Outcome::DropHeader)),
            (
                "12.4 longer than any frame",
                from_client("450007f31234400040064f270a000001c0a80701", TCP),
                Seen::Drop(Outcome::DropForwardFull),
            ),
            (
                "12.5 2,048 bytes announced",
                from_client("450007f21234400040064f280a000001c0a80701", TCP),
                Seen::Drop(Outcome::DropShort),
            ),
            ("12.5 short", from_client(long, TCP), Seen::Drop(Outcome::DropShort)),
            ("12.5 the TCP header only", cut(&tcp, 54), Seen::Drop(Outcome::DropShort)),
        ],
    );
    assert_eq!(rig.send(Front, &tcp, true), Seen::Drop(Outcome::DropError), "12.5");
    assert_eq!(rig.send(Front, &cut(&tcp, 54), true), Seen::Drop(Outcome::DropError), "12.5: error before short");
    assert_eq!(rig.send(Front, &bad, true), Seen::Drop(Outcome::DropHeader), "12.1 before 12.5");
    assert_eq!(rig.card.read32(counters::BACK_TX), 11, "six good frames and five marked ones");
    assert_eq!(rig.card.read32(counters::FRONT_TX), 0);

    rig.forward(&TCP_KEY, 1, 6);
    rig.check(
        Front,
        &[
            ("12.2", tcp.clone(), Seen::Drop(Outcome::DropNeighbour)),
            ("12.1 before 12.2", bad, Seen::Drop(Outcome::DropHeader)),
        ],
    );
    assert_eq!(rig.send(Front, &tcp, true), Seen::Drop(Outcome::DropNeighbour), "12.2 before 12.5");
    assert_eq!(rig.card.read32(counters::BACK_TX), 11);
}

#[test]
fn step_12_forward_again() {
    let data = from_peer(IN_TCP, &frame(&[TCP_IP, TCP]));
    let from_other = put(&data, 6, OTHER);
    let mut rig = Rig::new();
    rig.forward(&TCP_KEY, 0, 5);
    rig.check(
        Back,
        &[
            ("from another server", from_other.clone(), sent(OUT_TCP, TCP_IP, TCP)),
            ("12.3 never back", data.clone(), Seen::Drop(Outcome::DropLoop)),
            ("12.1 before 12.3", put(&data, 41, "ef"), Seen::Drop(Outcome::DropHeader)),
        ],
    );
    let other = mac_words(mac(OTHER));
    rig.write(&[
        (tables::NEIGHBOUR_LO, other.0),
        (tables::NEIGHBOUR_HI, other.1 | ENABLE),
        (tables::COMMIT_NEIGHBOUR, 1),
    ]);
    let to_other = Seen::Sent(frame(&[OTHER, BACK, "0007", OUT_TCP, TCP_IP, TCP]));
    rig.check(
        Back,
        &[("the neighbour moved", data.clone(), to_other), ("12.3", from_other.clone(), Seen::Drop(Outcome::DropLoop))],
    );
    rig.write(&[(tables::NEIGHBOUR_HI, other.1), (tables::COMMIT_NEIGHBOUR, 1)]);
    rig.check(Back, &[("12.2 before 12.3", from_other, Seen::Drop(Outcome::DropNeighbour))]);
}

#[test]
fn a_key_is_found_in_its_slots_only_and_compared_in_all_its_bits() {
    let tcp = from_client(TCP_IP, TCP);
    let miss = || host(Reason::Miss, L3::Ok, L4::Valid, &tcp);
    for bank in 0..4 {
        let slot = hash(bank, TCP_KEY.bits(), FORWARD_INDEX_BITS);
        let mut rig = Rig::new();
        rig.forward(&TCP_KEY, bank, DROP);
        rig.check(Front, &[("in its slot", tcp.clone(), Seen::Drop(Outcome::DropTable))]);
        let place = (bank as u32) << 16;
        rig.write(&[(tables::COMMIT_FORWARD, place | slot)]);
        rig.check(Front, &[("slot emptied", tcp.clone(), miss())]);
        rig.write(&[(tables::COMMIT_FORWARD, ENABLE | place | (slot ^ 1))]);
        rig.check(Front, &[("in the slot beside", tcp.clone(), miss())]);
        for bit in 0..97 {
            let key = TCP_KEY.bits() ^ 1 << bit;
            for (i, offset) in [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3].into_iter().enumerate() {
                rig.write(&[(offset, (key >> (32 * i)) as u32)]);
            }
            rig.write(&[(tables::COMMIT_FORWARD, ENABLE | place | slot)]);
            assert_eq!(rig.send(Front, &tcp, false), miss(), "bank {bank}: another key, different in bit {bit}");
        }
    }
    // 10.0.0.1 and 192.168.7.1 exchanged: not the same key
    let mut rig = Rig::new();
    let FlowKey { src_ip, dst_ip, src_port, dst_port, .. } = TCP_KEY;
    let turned = FlowKey { src_ip: dst_ip, dst_ip: src_ip, src_port: dst_port, dst_port: src_port, ..TCP_KEY };
    rig.forward(&turned, 0, DROP);
    rig.check(Front, &[("the other direction", tcp.clone(), miss())]);
}

#[test]
fn step_13_host_path() {
    let tcp = from_client(TCP_IP, TCP);
    let ack = from_peer("0a00000103e8ac100003138803012f7a", "");
    let data = from_peer(IN_TCP, &frame(&[TCP_IP, TCP]));
    // room for two frames of 58 bytes, or for one acknowledgement of 30
    let mut rig = Rig::with(ModelConfig { host_bytes: [120, 40], ..ModelConfig::default() });
    assert_eq!(rig.send(Front, &tcp, true), Seen::Drop(Outcome::DropError));
    assert_eq!(rig.send(Back, &ack, true), Seen::Drop(Outcome::DropError));
    rig.check(Front, &[("the error took no number", tcp.clone(), host(Reason::Miss, L3::Ok, L4::Valid, &tcp))]);
    let inner = frame(&[FRONT, PEER, "0800", TCP_IP, TCP]);
    rig.check(
        Back,
        &[
            ("number 0 of the back port", ack.clone(), host(Reason::Control, L3::Ok, L4::NotChecked, &ack)),
            ("number 1", data, host(Reason::EncapsulatedMiss, L3::Ok, L4::Valid, &inner).decap()),
        ],
    );

    let send = |rig: &mut Rig, port, hex: &str| {
        let frame: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        assert!(rig.card.wire_in(port, &frame, false));
    };
    for _ in 0..3 {
        send(&mut rig, Front, &tcp);
        send(&mut rig, Back, &ack);
    }
    while rig.card.run(1000) {}
    let full = |rig: &mut Rig, port| rig.card.read32(ipos_abi::regs::outcome(port, Outcome::DropHostFull));
    assert_eq!((full(&mut rig, Front), full(&mut rig, Back)), (1, 2));
    let mut frame = Vec::new();
    let mut numbers = |queue| {
        std::iter::from_fn(|| rig.card.host_out(queue, &mut frame))
            .map(|m| m.info().unwrap().sequence)
            .collect::<Vec<_>>()
    };
    assert_eq!((numbers(Queue::Receive), numbers(Queue::Control)), (vec![1, 2], vec![2]));
}

#[test]
fn frames_of_the_host_are_sent_as_they_are() {
    let mut rig = Rig::new();
    let mut out = Vec::new();
    for (port, offset) in [(Front, counters::FRONT_TX), (Back, counters::BACK_TX)] {
        assert!(rig.card.host_in(port, &[7; 15], None));
        while rig.card.run(1000) {}
        assert!(rig.card.wire_out(port, &mut out));
        assert_eq!(out, [7; 15], "no padding");
        assert!(!rig.card.wire_out(port, &mut out));
        assert_eq!(rig.card.read32(offset), 1);
    }
}

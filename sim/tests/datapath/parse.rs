//! Steps 1 to 10 and the TCP/UDP checksum: everything before the tables.

use ipos_abi::Port::{Back, Front};
use ipos_abi::regs::{ENABLE, port};
use ipos_abi::rx::{L3, L4, Outcome, Reason};

use crate::rig::*;

const NONE: L4 = L4::NotChecked;

#[test]
fn step_1_runt() {
    let whole = frame(&[FRONT, CLIENT, "88cc"]);
    let mut rig = Rig::new();
    for length in 1..14 {
        assert_eq!(rig.send(Front, &cut(&whole, length), false), Seen::Drop(Outcome::DropRunt));
        assert_eq!(rig.send(Back, &cut(&whole, length), true), Seen::Drop(Outcome::DropRunt), "a drop is final");
    }
    rig.check(Front, &[("14 bytes", whole.clone(), host(Reason::NotIpv4, L3::None, NONE, &whole))]);
}

#[test]
fn step_2_vlan() {
    let short = frame(&[FRONT, CLIENT, "8100", "612308"]);
    let stripped = frame(&[FRONT, CLIENT, "0800"]);
    let double = frame(&[FRONT, CLIENT, "8100", "0001", "8100", "0002", "0800", TCP_IP, TCP]);
    let inner = frame(&[FRONT, CLIENT, "8100", "0002", "0800", TCP_IP, TCP]);
    Rig::new().check(
        Front,
        &[
            ("17 bytes hold no tag", short.clone(), Seen::Drop(Outcome::DropRunt)),
            (
                "18 bytes do",
                frame(&[&short, "00"]),
                host(Reason::Header, L3::Truncated, NONE, &stripped).tagged(0x6123),
            ),
            ("only the outer tag", double, host(Reason::NotIpv4, L3::None, NONE, &inner).tagged(1)),
        ],
    );
}

#[test]
fn step_3_mac_filter() {
    let plain = from_client(TCP_IP, TCP);
    let foreign = put(&plain, 0, OTHER);
    let near = put(&plain, 5, "03");
    let mut rig = Rig::new();
    rig.check(
        Front,
        &[
            ("own", plain.clone(), host(Reason::Miss, L3::Ok, L4::Valid, &plain)),
            ("foreign", foreign.clone(), Seen::Drop(Outcome::DropMac)),
            ("the other port's", put(&plain, 0, BACK), Seen::Drop(Outcome::DropMac)),
            ("one bit", near.clone(), Seen::Drop(Outcome::DropMac)),
        ],
    );
    assert_eq!(rig.send(Front, &foreign, true), Seen::Drop(Outcome::DropMac), "a drop is final");
    rig.write(&[(port::FRONT_MAC_HI, 0x0200 | ENABLE)]);
    rig.check(Front, &[("promiscuous", foreign.clone(), host(Reason::Miss, L3::Ok, L4::Valid, &foreign))]);
    rig.check(Back, &[("the back port is not", foreign, Seen::Drop(Outcome::DropMac))]);
}

#[test]
fn step_4_ipos_on_the_front_port() {
    let ipos = frame(&[FRONT, PEER, "0007", IN_TCP, TCP_IP, TCP]);
    let mut rig = Rig::new();
    rig.check(
        Front,
        &[
            ("to its address", ipos.clone(), Seen::Drop(Outcome::DropIposOnFront)),
            ("broadcast", put(&ipos, 0, "ffffffffffff"), Seen::Drop(Outcome::DropIposOnFront)),
            ("foreign: the filter is first", put(&ipos, 0, OTHER), Seen::Drop(Outcome::DropMac)),
            ("tagged", frame(&[FRONT, PEER, "81000005", "0007", IN_TCP]), Seen::Drop(Outcome::DropIposOnFront)),
            ("no header", cut(&ipos, 14), Seen::Drop(Outcome::DropIposOnFront)),
        ],
    );
    rig.write(&[(port::ETHERTYPE, 0x88b5)]);
    rig.check(
        Front,
        &[
            ("0007 is any type now", ipos.clone(), host(Reason::NotIpv4, L3::None, NONE, &ipos)),
            ("88b5 is ipOS", put(&ipos, 12, "88b5"), Seen::Drop(Outcome::DropIposOnFront)),
        ],
    );
}

#[test]
fn step_5_group_address() {
    let broadcast = put(&from_client(TCP_IP, TCP), 0, "ffffffffffff");
    let multicast = put(&broadcast, 0, "01005e000001");
    let ipos = put(&from_peer(IN_TCP, &frame(&[TCP_IP, TCP])), 0, "ffffffffffff");
    let group = |hex: &String| host(Reason::Group, L3::None, NONE, hex);
    let mut rig = Rig::new();
    rig.check(Front, &[("broadcast", broadcast.clone(), group(&broadcast))]);
    rig.check(Front, &[("multicast", multicast.clone(), group(&multicast))]);
    rig.check(Back, &[("ipOS is not decapsulated", ipos.clone(), group(&ipos))]);
}

#[test]
fn step_6_ipos_on_the_back_port() {
    let data = from_peer(IN_TCP, &frame(&[TCP_IP, TCP]));
    let decapsulated = frame(&[FRONT, PEER, "0800", TCP_IP, TCP]);
    let tagged = frame(&[BACK, PEER, "8100e005", "0007", IN_UDP, UDP_IP, UDP, "0000"]);
    let no_ip = from_peer(IN_TCP, "");
    let vlan_inside = from_peer(IN_TCP, "8100000508004500");
    let miss = |l4, hex: &str| host(Reason::EncapsulatedMiss, L3::Ok, l4, hex).decap();
    Rig::new().check(
        Back,
        &[
            ("header cut", cut(&data, 29), host(Reason::ShortIpos, L3::Truncated, NONE, &cut(&data, 29))),
            ("no header", cut(&data, 14), host(Reason::ShortIpos, L3::Truncated, NONE, &cut(&data, 14))),
            ("packet", data.clone(), miss(L4::Valid, &decapsulated)),
            ("padded", frame(&[&data, "00ff"]), miss(L4::Valid, &frame(&[&decapsulated, "00ff"]))),
            ("bad checksum", put(&data, 29, "7b"), Seen::Drop(Outcome::DropIposChecksum)),
            ("bad destination", put(&data, 20, "ad"), Seen::Drop(Outcome::DropIposChecksum)),
            (
                "tagged",
                tagged,
                host(Reason::Vlan, L3::Ok, L4::Valid, &frame(&[FRONT, PEER, "0800", UDP_IP, UDP, "0000"]))
                    .decap()
                    .tagged(0xe005),
            ),
            (
                "nothing inside",
                no_ip,
                host(Reason::Header, L3::Truncated, NONE, &frame(&[FRONT, PEER, "0800"])).decap(),
            ),
            (
                "what is inside is IPv4, whatever it looks like",
                frame(&[&vlan_inside, TCP_IP]),
                host(Reason::Header, L3::Malformed, NONE, &frame(&[FRONT, PEER, "0800", "8100000508004500", TCP_IP]))
                    .decap(),
            ),
        ],
    );
}

#[test]
fn step_6_control_and_unknown_types() {
    let body: String = (0..146).map(|b| format!("{b:02x}")).collect();
    let connection = from_peer("0a00000103e8ac100003138801019494", &body);
    let udp = from_peer("0a00000103e8ac100003138801022b70", "000102030405");
    let ack = from_peer("0a00000103e8ac100003138803012f7a", "");
    let same = |name: &'static str, hex: String, reason, l3| {
        let expected = host(reason, l3, NONE, &hex);
        (name, hex, expected)
    };
    let control = |name, hex, l3| same(name, hex, Reason::Control, l3);
    let unknown = |hex: &str| same("unknown type", from_peer(hex, "00"), Reason::UnknownIpos, L3::None);
    Rig::new().check(
        Back,
        &[
            control("connection", connection.clone(), L3::Ok),
            control("a trailer is not covered", frame(&[&connection, "69700110"]), L3::Ok),
            control("last covered byte", put(&connection, 175, "92"), L3::BadChecksum),
            control("one byte short", cut(&connection, 175), L3::Truncated),
            control("UDP connection", udp.clone(), L3::Ok),
            control("UDP connection, padded", frame(&[&udp, "0102030405"]), L3::Ok),
            control("UDP connection, wrong", put(&udp, 35, "04"), L3::BadChecksum),
            control("UDP connection, short", cut(&udp, 35), L3::Truncated),
            control("protocol 3", from_peer("0a00000103e8ac100003138801033178", ""), L3::None),
            control("acknowledgement", ack.clone(), L3::Ok),
            control("acknowledgement, wrong", put(&ack, 14, "0b"), L3::BadChecksum),
            control("acknowledgement, long", frame(&[&ack, "ffff"]), L3::Ok),
            control("type 80", from_peer("0a00000103e8ac10000313888001b279", "01"), L3::None),
            control("type ff, wrong", from_peer("0a00000103e8ac1000031388ff010000", ""), L3::None),
            unknown("0a00000103e8ac10000313880001327a"),
            unknown("0a00000103e8ac100003138804012e7a"),
            unknown("0a00000103e8ac10000313887f01b379"),
        ],
    );
}

/// (name, IPv4 header, rest, reason, verdict, TCP/UDP verdict), from the client.
type Ipv4Case<'a> = (&'a str, &'a str, &'a str, Reason, L3, L4);

fn ipv4(cases: &[Ipv4Case<'_>]) {
    let mut rig = Rig::new();
    for (name, ip, rest, reason, l3, l4) in cases {
        let hex = from_client(ip, rest);
        assert_eq!(rig.send(Front, &hex, false), host(*reason, *l3, *l4, &hex), "{name}: {hex}");
    }
}

#[test]
fn step_7_ipv4_verdicts() {
    let ip = |at, bytes: &str| put(TCP_IP, at, bytes);
    let options = "47000034123440004006bedf0a000001c0a807010101010194040000";
    use Reason::{Header, Miss};
    ipv4(&[
        ("7.1 at 33", &cut(TCP_IP, 19), "", Header, L3::Truncated, NONE),
        ("7.1 before 7.2", &cut(&ip(0, "65"), 19), "", Header, L3::Truncated, NONE),
        ("7.2 version", &ip(0, "65"), TCP, Header, L3::Malformed, NONE),
        ("7.2 IHL 4", &ip(0, "44"), TCP, Header, L3::Malformed, NONE),
        ("7.2 IHL 0", &ip(0, "40"), TCP, Header, L3::Malformed, NONE),
        ("7.3 options cut", &cut(options, 27), "", Header, L3::Truncated, NONE),
        ("7.3 IHL 15", &ip(0, "4f"), TCP, Header, L3::Truncated, NONE),
        ("7.4 checksum", &ip(11, "ef"), TCP, Miss, L3::BadChecksum, NONE),
        ("7.4 in the options", &put(options, 23, "00"), TCP, Miss, L3::BadChecksum, NONE),
        ("7.4 before 7.5, which takes the key", &ip(2, "0013"), TCP, Header, L3::BadChecksum, NONE),
        ("7.4 before 7.6, which takes the key", &ip(11, "ef"), &cut(TCP, 19), Header, L3::BadChecksum, NONE),
        ("7.4 before 7.8", &ip(2, "00ff"), TCP, Miss, L3::BadChecksum, NONE),
        ("7.5 total 19", "4500001312344000400657070a000001c0a80701", TCP, Header, L3::Malformed, NONE),
        ("7.5 ICMP", "45000013123440004001570c0a000001c0a80701", TCP, Header, L3::Malformed, NONE),
        ("7.5 fragment", "4500001312342000400677070a000001c0a80701", TCP, Header, L3::Malformed, NONE),
        (
            "7.5 total 27, options to 28",
            "4700001b123440004001befd0a000001c0a807010101010194040000",
            TCP,
            Header,
            L3::Malformed,
            NONE,
        ),
        ("7.5 before 7.6", "4500001312344000400657070a000001c0a80701", &cut(TCP, 19), Header, L3::Malformed, NONE),
        ("7.6 before 7.7", "4500002712344000400656f30a000001c0a80701", &cut(TCP, 19), Header, L3::Truncated, NONE),
        ("7.6 TCP header cut", TCP_IP, &cut(TCP, 19), Header, L3::Truncated, NONE),
        ("7.6 UDP header cut", UDP_IP, &cut(UDP, 7), Header, L3::Truncated, NONE),
        ("7.6 nothing follows", UDP_IP, "", Header, L3::Truncated, NONE),
        ("7.7 total 39", "4500002712344000400656f30a000001c0a80701", TCP, Header, L3::Malformed, NONE),
        ("7.7 total 27, UDP", "4500001b12344000401156f40a000001c0a80701", UDP, Header, L3::Malformed, NONE),
        ("7.8 total one too long", "4500002d12344000400656ed0a000001c0a80701", TCP, Miss, L3::Short, NONE),
        ("7.8 TCP header only", TCP_IP, &cut(TCP, 20), Miss, L3::Short, NONE),
        ("7.9", TCP_IP, TCP, Miss, L3::Ok, L4::Valid),
        ("7.9 options", options, TCP, Miss, L3::Ok, L4::Valid),
        (
            "7.9 TCP header alone",
            "4500002812344000400656f20a000001c0a80701",
            "03e80050112233445566778850182000a8950000",
            Miss,
            L3::Ok,
            L4::Valid,
        ),
        (
            "7.9 UDP header alone",
            "4500001c12344000401156f30a000001c0a80701",
            "07d000350008262f",
            Miss,
            L3::Ok,
            L4::Valid,
        ),
        ("7.9 odd UDP", UDP_IP, UDP, Miss, L3::Ok, L4::Valid),
    ]);
}

#[test]
fn step_8_no_key() {
    use Reason::{Fragment, Header, Miss, Protocol};
    let first = "4500002c12342000400676ee0a000001c0a80701";
    let icmp = "4500002c12344000400156f30a000001c0a80701";
    ipv4(&[
        ("more fragments", first, TCP, Fragment, L3::Ok, NONE),
        ("offset 1", "4500002c12340001400696ed0a000001c0a80701", TCP, Fragment, L3::Ok, NONE),
        ("offset 4096", "4500002c12341000400686ee0a000001c0a80701", TCP, Fragment, L3::Ok, NONE),
        ("the reserved bit is none", "4500002c12348000400616ee0a000001c0a80701", TCP, Miss, L3::Ok, L4::Valid),
        ("a fragment has no TCP header", first, &cut(TCP, 3), Fragment, L3::Short, NONE),
        ("a fragment, short", "4500002d12342000400676ed0a000001c0a80701", TCP, Fragment, L3::Short, NONE),
        ("ICMP", icmp, TCP, Protocol, L3::Ok, NONE),
        ("ICMP, short", icmp, "", Protocol, L3::Short, NONE),
        ("ICMP, bad checksum", &put(icmp, 8, "41"), TCP, Protocol, L3::BadChecksum, NONE),
        ("fragment, bad checksum", &put(first, 8, "41"), TCP, Fragment, L3::BadChecksum, NONE),
        ("a total below the header is first", &put(icmp, 2, "0013"), TCP, Header, L3::BadChecksum, NONE),
    ]);
}

#[test]
fn step_9_plain_ipv4_on_the_back_port() {
    let plain = frame(&[BACK, PEER, "0800", TCP_IP, TCP]);
    let tagged = frame(&[BACK, PEER, "81000005", "0800", TCP_IP, TCP]);
    let fragment = frame(&[BACK, PEER, "0800", "4500002c12342000400676ee0a000001c0a80701", TCP]);
    let mut rig = Rig::new();
    rig.forward(&TCP_KEY, 0, 5);
    rig.endpoint(&TCP_KEY, 0, 77);
    rig.check(
        Back,
        &[
            ("is in no table", plain.clone(), host(Reason::Back, L3::Ok, L4::Valid, &plain)),
            ("before VLAN", tagged, host(Reason::Back, L3::Ok, L4::Valid, &plain).tagged(5)),
            ("without key", fragment.clone(), host(Reason::Fragment, L3::Ok, NONE, &fragment)),
        ],
    );
}

#[test]
fn step_10_vlan_match() {
    let plain = from_client(TCP_IP, TCP);
    let tag = |tci: &str| frame(&[FRONT, CLIENT, "8100", tci, "0800", TCP_IP, TCP]);
    let vlan = |tci| host(Reason::Vlan, L3::Ok, L4::Valid, &plain).tagged(tci);
    let miss = || host(Reason::Miss, L3::Ok, L4::Valid, &plain);
    let mut rig = Rig::new();
    rig.write(&[(port::FRONT_VLAN, 5)]);
    rig.check(
        Front,
        &[
            ("off, untagged", plain.clone(), miss()),
            ("off, tagged", tag("0005"), vlan(5)),
            ("off, priority tag", tag("e000"), miss().tagged(0xe000)),
        ],
    );
    rig.write(&[(port::FRONT_VLAN, ENABLE | 0x105)]);
    rig.check(
        Front,
        &[
            ("on, untagged", plain.clone(), host(Reason::Vlan, L3::Ok, L4::Valid, &plain)),
            ("on, priority tag", tag("e000"), vlan(0xe000)),
            ("on, wrong", tag("0005"), vlan(5)),
            ("on, right", tag("0105"), miss().tagged(0x105)),
            ("on, right, with priority and DEI", tag("b105"), miss().tagged(0xb105)),
        ],
    );
    rig.write(&[(port::FRONT_VLAN, ENABLE)]);
    rig.check(
        Front,
        &[
            ("on with ID 0, untagged", plain.clone(), miss()),
            ("on with ID 0, priority tag", tag("e000"), miss().tagged(0xe000)),
            ("on with ID 0, tagged", tag("0005"), vlan(5)),
        ],
    );
}

#[test]
fn tcp_and_udp_checksums() {
    use Reason::Miss;
    ipv4(&[
        ("TCP data", TCP_IP, &put(TCP, 23, "65"), Miss, L3::Ok, L4::Bad),
        ("TCP checksum zero is no exception", TCP_IP, &put(TCP, 16, "0000"), Miss, L3::Ok, L4::Bad),
        ("TCP, padding is not covered", TCP_IP, &frame(&[TCP, "0102"]), Miss, L3::Ok, L4::Valid),
        ("UDP data", UDP_IP, &put(UDP, 10, "7b"), Miss, L3::Ok, L4::Bad),
        ("UDP without checksum", UDP_IP, &put(UDP, 6, "0000"), Miss, L3::Ok, NONE),
        ("UDP length below", UDP_IP, &put(UDP, 4, "000a"), Miss, L3::Ok, NONE),
        ("UDP length above", UDP_IP, &put(UDP, 4, "000c"), Miss, L3::Ok, NONE),
        ("UDP, odd, padding is not covered", UDP_IP, &frame(&[UDP, "ff"]), Miss, L3::Ok, L4::Valid),
    ]);
}
